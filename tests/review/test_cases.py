"""Cases by themselves: the review knows subjects and digests, not pieces."""

import pytest
from sqlalchemy import select

from edu_platform.core.db import reading, writing
from edu_platform.core.errors import Conflict, Invalid, NotFound
from edu_platform.review import operations, rules
from edu_platform.review.errors import AlreadyDecided, NotThisDigest, OwnWork
from edu_platform.review.models import CaseState, ReviewCase
from edu_platform.review.signals import case_decided

pytestmark = pytest.mark.usefixtures("context")
DIGEST, OTHER = "a" * 64, "b" * 64


def opened(digest=DIGEST, *, subject="thing:1", author=1, by=1):
    with writing() as session:
        return operations.open_case(
            session, subject=subject, digest=digest, title="题目", location="/somewhere", author=author, by=by
        ).id


def decide(case_id, verb, **options):
    with writing() as session:
        return verb(session, operations.case_of(session, case_id), **options).state


def is_approved(digest=DIGEST, subject="thing:1"):
    reading().rollback()
    return operations.is_approved(reading(), subject, digest)


def test_approval_is_of_one_digest_of_one_subject():
    case = opened()
    assert not is_approved()
    decide(case, operations.approve, digest=DIGEST, by=2)
    assert is_approved()
    assert not is_approved(OTHER)
    assert not is_approved(subject="thing:2")


def test_approving_twice_is_once(monkeypatch):
    heard = []
    monkeypatch.setattr(case_decided, "_handlers", [lambda session, news: heard.append(news.state)])
    case = opened()
    decide(case, operations.approve, digest=DIGEST, by=2)
    decide(case, operations.approve, digest=DIGEST, by=2)
    assert heard == [CaseState.APPROVED]
    with pytest.raises(AlreadyDecided):
        decide(case, operations.approve, digest=DIGEST, by=3)
    with pytest.raises(AlreadyDecided):
        decide(case, operations.return_case, comment="不行", by=2)


def test_the_latest_case_about_a_digest_decides():
    decide(opened(), operations.approve, digest=DIGEST, by=2)
    again = opened()
    assert not is_approved()
    decide(again, operations.return_case, comment="法规改了", by=2)
    assert not is_approved()


@pytest.mark.parametrize(("author", "opener", "by"), [(1, 1, 1), (1, 2, 1), (1, 2, 2), (None, 2, 2)])
def test_authors_and_openers_decide_nothing(author, opener, by):
    case = opened(author=author, by=opener)
    with pytest.raises(OwnWork):
        decide(case, operations.approve, digest=DIGEST, by=by)
    with pytest.raises(OwnWork):
        decide(case, operations.return_case, comment="不行", by=by)
    assert not is_approved()


def test_the_digest_must_be_the_one_held():
    with pytest.raises(NotThisDigest):
        decide(opened(), operations.approve, digest=OTHER, by=2)


@pytest.mark.parametrize("comment", ["", "  ", "\n"])
def test_a_return_says_why(comment):
    with pytest.raises(Invalid):
        decide(opened(), operations.return_case, comment=comment, by=2)


def test_one_open_case_a_subject():
    first = opened()
    assert opened() == first
    second = opened(OTHER)
    states = {case.id: case.state for case in reading().scalars(select(ReviewCase))}
    assert states == {first: CaseState.REPLACED, second: CaseState.OPEN}
    with pytest.raises(Conflict), writing() as session:
        session.add(
            ReviewCase(
                subject="thing:1", digest=DIGEST, title="", location="", state=CaseState.OPEN, comment=""
            )
        )


def test_what_is_dropped_is_not_approved():
    case = opened()
    with writing() as session:
        operations.drop_open(session, "thing:1", by=1)
        operations.drop_open(session, "thing:2", by=1)
    with pytest.raises(AlreadyDecided):
        decide(case, operations.approve, digest=DIGEST, by=2)


def test_a_handler_that_fails_undoes_the_decision(monkeypatch):
    def fail(session, news):
        raise Conflict("不行")

    monkeypatch.setattr(case_decided, "_handlers", [fail])
    case = opened()
    with pytest.raises(Conflict):
        decide(case, operations.approve, digest=DIGEST, by=2)
    assert not is_approved()


def test_no_case_is_not_found():
    with pytest.raises(NotFound), writing() as session:
        operations.case_of(session, 99)


def test_only_the_moves_of_the_table_exist():
    moves = {(now, then) for now in CaseState for then in rules.MOVES[now]}
    assert moves == {
        (CaseState.OPEN, CaseState.APPROVED),
        (CaseState.OPEN, CaseState.RETURNED),
        (CaseState.OPEN, CaseState.REPLACED),
    }
    for now in CaseState:
        for then in CaseState:
            if (now, then) not in moves:
                with pytest.raises(AlreadyDecided):
                    rules.require_move(now, then)
