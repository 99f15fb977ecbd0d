"""The gate: nothing is published without another person's approval of exactly that digest."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from edu_platform.audit.models import AuditEntry
from edu_platform.core.clock import now
from edu_platform.core.db import db, reading, writing
from edu_platform.core.errors import Conflict, Invalid
from edu_platform.library import operations, queries, rules
from edu_platform.library.errors import DependencyChanged, MoveRefused, NotApproved, SlugTaken, Stale
from edu_platform.library.models import CatalogueEntry, Revision, RevisionState
from edu_platform.review.errors import AlreadyDecided, NotThisDigest, OwnWork
from edu_platform.review.models import CaseState, ReviewCase

AUTHOR, REVIEWER = 101, 202


def seen(slug):
    return reading().scalar(queries.visible(now(), slugs=[slug])) is not None


def test_a_draft_cannot_be_published(desk):
    revision = desk.draft("one")
    with pytest.raises(NotApproved):
        desk.publish(revision)
    desk.submit(revision)
    with pytest.raises(NotApproved):
        desk.publish(revision)
    assert not seen("one")


def test_an_approved_digest_is_published_once(desk):
    revision = desk.published("one")
    assert desk.state(revision) == "published"
    entry = reading().scalars(select(CatalogueEntry)).one()
    before = (entry.id, entry.etag, entry.visible_from)
    desk.publish(revision)
    again = reading().scalars(select(CatalogueEntry).execution_options(populate_existing=True)).one()
    assert (again.id, again.etag, again.visible_from) == before


@pytest.mark.parametrize("who", [AUTHOR, 404])
def test_nobody_approves_what_they_wrote_or_submitted(desk, who):
    case = desk.submit(desk.draft("one"), by=404)
    with pytest.raises(OwnWork):
        desk.approve(case, by=who)
    with pytest.raises(OwnWork):
        desk.send_back(case, by=who)
    desk.approve(case, by=REVIEWER)


def test_the_table_itself_refuses_an_approval_of_ones_own(desk):
    desk.submit(desk.draft("one"))
    case = reading().scalars(select(ReviewCase)).one()
    reading().rollback()
    with pytest.raises(Conflict) as refused, writing() as session:
        case = session.get_one(ReviewCase, case.id)
        case.state, case.decided_by, case.decided_at = CaseState.APPROVED, AUTHOR, now()
    assert isinstance(refused.value.__cause__, IntegrityError)


def test_approval_is_of_the_digest_that_was_read(desk):
    case = desk.submit(desk.draft("one"))
    with pytest.raises(NotThisDigest):
        desk.approve(case, digest="0" * 64)


def test_a_change_after_approval_needs_a_new_approval(desk):
    first = desk.approved("one", "说法一")
    second = desk.draft("one", "说法二")
    with pytest.raises(NotApproved):
        desk.publish(second)
    assert desk.state(first) == "approved"
    desk.publish(first)


def test_an_old_approval_does_not_survive_a_later_return_of_the_same_content(desk):
    desk.published("one", "说法一")
    desk.published("one", "说法二")
    back = desk.draft("one", "说法一")
    case = desk.submit(back)
    with pytest.raises(NotApproved):
        desk.publish(back)
    desk.send_back(case)
    with pytest.raises(NotApproved):
        desk.publish(back)


def test_the_same_content_is_the_same_revision(desk):
    first = desk.draft("one")
    assert desk.draft("one") == first
    desk.approve(desk.submit(first))
    desk.publish(first)
    assert desk.draft("one", audiences=["elderly"]) == first
    assert reading().scalars(select(Revision)).all().__len__() == 1


def test_the_digest_covers_kind_slug_meta_body_and_what_it_rests_on():
    base = {"kind": "note", "slug": "a", "meta": {"title": "一"}, "body": {"b": 1}, "depends": None}
    digests = {rules.digest(**base)}
    for name, other in [
        ("kind", "quiz"),
        ("slug", "b"),
        ("meta", {"title": "二"}),
        ("body", {"b": 2}),
        ("depends", {"x": 1}),
    ]:
        digests.add(rules.digest(**{**base, name: other}))
    assert len(digests) == 6
    assert rules.digest(**{**base, "body": dict(reversed({"b": 1}.items()))}) in digests


def test_what_a_piece_rests_on_must_still_be_what_was_approved(desk):
    desk.kind.quoted["law"] = "v1"
    revision = desk.approved("one", body={"quotes": ["law"]})
    desk.kind.quoted["law"] = "v2"
    with pytest.raises(DependencyChanged, match="quoted.law"):
        desk.publish(revision)
    assert not seen("one")
    fresh = desk.draft("one", body={"quotes": ["law"]})
    assert fresh != revision
    desk.approve(desk.submit(fresh))
    desk.publish(fresh)
    assert seen("one")


def test_what_changed_before_submitting_is_named_too(desk):
    desk.kind.quoted["law"] = "v1"
    revision = desk.draft("one", body={"quotes": ["law"]})
    desk.kind.quoted["law"] = None
    with pytest.raises(DependencyChanged):
        desk.submit(revision)


def test_a_return_needs_a_comment_and_a_new_revision(desk):
    revision = desk.draft("one")
    case = desk.submit(revision)
    with pytest.raises(Invalid) as refused:
        desk.send_back(case, "  ")
    assert [error.field for error in refused.value.errors] == ["comment"]
    desk.send_back(case)
    assert desk.state(revision) == "returned"
    with pytest.raises(MoveRefused):
        desk.submit(revision)
    with pytest.raises(AlreadyDecided):
        desk.approve(case)
    better = desk.draft("one", "改好了")
    desk.approve(desk.submit(better))
    desk.publish(better)


def test_a_newer_submission_replaces_the_older(desk):
    first = desk.draft("one", "说法一")
    old = desk.submit(first)
    second = desk.draft("one", "说法二")
    new = desk.submit(second)
    assert desk.state(first) == "superseded"
    assert reading().get(ReviewCase, old, populate_existing=True).state is CaseState.REPLACED
    with pytest.raises(AlreadyDecided):
        desk.approve(old)
    desk.approve(new)
    desk.publish(second)


def test_submitting_twice_is_one_case(desk):
    revision = desk.draft("one")
    assert desk.submit(revision) == desk.submit(revision)


def test_publishing_closes_what_is_older(desk):
    first = desk.draft("one", "说法一")
    case = desk.submit(first)
    second = desk.draft("one", "说法二")
    desk.approve(desk.submit(second))
    desk.publish(second)
    assert desk.state(first) == "superseded"
    assert reading().get(ReviewCase, case, populate_existing=True).state is CaseState.REPLACED


def test_a_newer_revision_takes_the_place_of_the_published_one(desk):
    first = desk.published("one", "说法一")
    second = desk.published("one", "说法二")
    assert desk.state(first) == "superseded"
    assert desk.state(second) == "published"
    assert "说法一".encode() not in reading().scalars(select(CatalogueEntry)).one().page
    assert "说法二".encode() in reading().scalars(select(CatalogueEntry)).one().page


def test_withdrawing_takes_it_out_and_only_the_review_brings_it_back(desk):
    revision = desk.published("one")
    with pytest.raises(Invalid):
        desk.withdraw("one", " ")
    desk.withdraw("one")
    assert desk.state(revision) == "withdrawn"
    assert not seen("one")
    assert desk.draft("one") == revision
    with pytest.raises(MoveRefused):
        desk.publish(revision)
    with pytest.raises(MoveRefused):
        desk.withdraw("one")
    desk.approve(desk.submit(revision))
    desk.publish(revision)
    assert seen("one")


def test_material_from_files_is_approved_by_the_import_account(desk):
    revision = desk.draft("one", by=None)
    desk.approve(desk.submit(revision, by=None), by=303)
    desk.publish(revision, by=303)
    assert seen("one")


def test_a_slug_belongs_to_one_piece_of_one_kind(desk, monkeypatch):
    desk.draft("one")
    with pytest.raises(SlugTaken), writing() as session:
        revision = session.scalars(select(Revision)).one()
        operations.draft_piece(
            session,
            kind="note",
            slug="one",
            meta=revision.meta,
            body={"text": "别的"},
            author=1,
            must_be_new=True,
        )
    from edu_platform.library import kinds

    monkeypatch.setitem(kinds.registry, "memo", desk.kind)
    with pytest.raises(SlugTaken), writing() as session:
        revision = session.scalars(select(Revision)).one()
        operations.draft_piece(
            session, kind="memo", slug="one", meta=revision.meta, body={"text": "别的"}, author=1
        )


def test_an_edit_of_an_old_revision_is_refused(desk):
    first = desk.draft("one", "说法一")
    digest = reading().get(Revision, first).digest
    desk.draft("one", "说法二")
    with pytest.raises(Stale), writing() as session:
        old = session.get_one(Revision, first)
        operations.draft_piece(
            session,
            kind="note",
            slug="one",
            meta=old.meta,
            body={"text": "说法三"},
            author=1,
            based_on=digest,
        )


def test_every_mistake_is_named_with_its_place(desk):
    with pytest.raises(Invalid) as refused, writing() as session:
        operations.draft_piece(
            session,
            kind="note",
            slug="Not A Slug",
            meta={"title": "", "audiences": ["aliens"], "rights": [], "column": "nowhere", "colour": 1},
            body={"text": 5},
            author=1,
        )
    fields = {error.field for error in refused.value.errors}
    assert fields == {
        "slug",
        "meta.colour",
        "meta.title",
        "meta.summary",
        "meta.audiences[0]",
        "meta.rights",
        "meta.column",
        "body.text",
    }
    assert reading().scalar(select(Revision.id)) is None


def test_what_staff_do_is_in_the_trail(desk):
    desk.published("one")
    desk.withdraw("one", "数字有误")
    trail = reading().execute(
        select(AuditEntry.actor, AuditEntry.action, AuditEntry.facts).order_by(AuditEntry.id)
    )
    entries = [tuple(row) for row in trail]
    assert [(actor, action) for actor, action, _ in entries] == [
        ("staff:101", "piece.draft"),
        ("staff:101", "piece.submit"),
        ("staff:202", "review.approved"),
        ("staff:101", "piece.publish"),
        ("staff:202", "piece.withdraw"),
    ]
    assert entries[-1][2]["reason"] == "数字有误"


def test_publishing_many_times_at_once_is_once(desk):
    revision = desk.approved("one")
    wrong = []

    def publish():
        with desk.app.app_context():
            try:
                desk.publish(revision)
            except Exception as error:
                wrong.append(error)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=publish) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(reading().scalars(select(CatalogueEntry)).all()) == 1
    acts = reading().scalars(select(AuditEntry.action).where(AuditEntry.action == "piece.publish")).all()
    assert len(acts) == 1


def test_at_most_one_published_revision_holds_in_the_table(desk):
    first = desk.published("one", "说法一")
    second = desk.draft("one", "说法二")
    with pytest.raises(Conflict), writing() as session:
        revision = session.get_one(Revision, second)
        revision.state, revision.visible_from = RevisionState.PUBLISHED, now() + timedelta(days=1)
    assert desk.state(first) == "published"
    db.session.remove()
