"""Sealing, rotation, consents, the copy of one's data, and being forgotten."""

from __future__ import annotations

import dataclasses
import re
import secrets
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update

from edu_platform.core.db import db, reading, writing
from edu_platform.core.errors import Invalid
from edu_platform.core.jobs import enqueue
from edu_platform.core.jobs import registry as jobs
from edu_platform.core.models import IdempotentAnswer, OutboxMessage
from edu_platform.core.sealing import CannotOpen, KeyRing
from edu_platform.core.vocabulary import AgeBand, DeclaredAudience
from edu_platform.people import operations, registry, rules, signals
from edu_platform.people.models import Consent, Learner, LearnerKey, Purpose
from edu_platform.people.operations.leaving import OWN_TABLES
from edu_platform.people.registry import Holding
from edu_platform.wechat.client import Session as WeChatSession
from tests import cast

ME = "/api/v1/me"
OLD, NEW = "sealing-old-0123456789-abcdefghijkl", "sealing-new-0123456789-abcdefghijkl"


def everything_stored(app) -> bytes:
    """All that the database holds: on SQLite the very bytes of its files after a checkpoint, else every cell."""
    with app.app_context():
        db.session.remove()
        if db.engine.dialect.name == "sqlite":
            with db.engine.connect() as connection:
                connection.exec_driver_sql("COMMIT")
                busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
                assert busy == 0
                connection.exec_driver_sql("BEGIN")
            file = Path(db.engine.url.database)
            wal = Path(f"{file}-wal")
            return file.read_bytes() + (wal.read_bytes() if wal.exists() else b"")
        found = b""
        for table in db.metadata.sorted_tables:
            for row in reading().execute(select(table)):
                found += b"".join(c if isinstance(c, bytes) else repr(c).encode() for c in row)
        db.session.remove()
        return found


# --- at rest -----------------------------------------------------------------------------------


def test_identity_is_not_stored_in_clear(app):
    openid, unionid = "oCANARY-openid-at-rest-0001", "uCANARY-unionid-at-rest-001"
    cast.sign_in_learner(app, openid=openid, unionid=unionid)
    stored = everything_stored(app)
    assert openid.encode() not in stored
    assert unionid.encode() not in stored


def test_the_search_for_canaries_finds_one_stored_in_clear(app):
    canary = "oCANARY-in-clear-by-mistake"
    with app.app_context(), writing() as session:
        session.add(
            IdempotentAnswer(
                actor="nobody",
                route="POST /",
                key="k",
                fingerprint=b"f" * 32,
                status=200,
                body=canary.encode(),
            )
        )
    assert canary.encode() in everything_stored(app)


def test_the_ring_opens_what_it_sealed(app, settings, context):
    learner_id, _ = cast.sign_in_learner(app, openid="oOpen", unionid="uOpen")
    learner = reading().get_one(Learner, learner_id)
    assert operations.identity_of(KeyRing(settings.sealing_keys), learner) == ("oOpen", "uOpen")
    with pytest.raises(CannotOpen):
        operations.identity_of(KeyRing([NEW]), learner)


def test_a_sealed_identity_opens_in_no_other_row(app, settings, context):
    ring = KeyRing(settings.sealing_keys)
    mine, theirs = (
        reading().get_one(Learner, cast.sign_in_learner(app, openid=openid)[0])
        for openid in ("oMine", "oTheirs")
    )
    mine.openid_sealed = theirs.openid_sealed
    with pytest.raises(CannotOpen):
        operations.identity_of(ring, mine)
    name = reading().get_one(LearnerKey, theirs.id).name
    for learner_id, given in ((theirs.id, secrets.token_bytes(16)), (mine.id, name)):
        reading().execute(update(LearnerKey).where(LearnerKey.learner_id == learner_id).values(name=given))
    with pytest.raises(CannotOpen):
        operations.identity_of(ring, mine)
    reading().rollback()


def wechat_session(openid: str) -> WeChatSession:
    return WeChatSession(openid=openid, session_key="unused")


def test_rotation_keeps_everybody_and_lets_the_old_key_go(context):
    old, both, new = KeyRing([OLD]), KeyRing([NEW, OLD]), KeyRing([NEW])
    with writing() as session:
        before = {
            openid: operations.sign_in(session, old, wechat_session(openid), age_band=AgeBand.FROM_18).id
            for openid in ("oOne", "oTwo", "oThree")
        }
        operations.erase_learner(session, session.get_one(Learner, before["oThree"]))
    with writing() as session:  # while keys rotate, who comes back is recognised
        assert (
            operations.sign_in(session, both, wechat_session("oOne"), age_band=AgeBand.FROM_18).id
            == before["oOne"]
        )
    with writing() as session:
        assert operations.rotate(session, both, 1) == (1, before["oOne"])
        changed, go_on = operations.rotate(session, both, 1, after=before["oOne"])
        assert (changed, go_on) == (1, before["oTwo"])
        assert operations.rotate(session, both, 10) == (0, None)
    with writing() as session:
        for openid in ("oOne", "oTwo"):
            learner = operations.sign_in(session, new, wechat_session(openid), age_band=AgeBand.FROM_18)
            assert learner.id == before[openid]
            assert operations.identity_of(new, learner)[0] == openid


def test_the_rotation_job_works_through_all_learners(app, settings, context, monkeypatch):
    from edu_platform.people import tasks

    monkeypatch.setattr(tasks, "BATCH", 2)
    with writing() as session:
        for number in range(5):
            operations.sign_in(
                session, KeyRing([OLD]), wechat_session(f"o{number}"), age_band=AgeBand.FROM_18
            )
        enqueue(session, "people.rotate_keys")
    monkeypatch.setitem(app.config, "EDU", dataclasses.replace(settings, sealing_keys=(NEW, OLD)))
    ran = 0
    while (
        message := reading().scalar(select(OutboxMessage).where(OutboxMessage.done_at.is_(None)))
    ) is not None:
        jobs[message.job](**message.arguments)
        with writing() as session:
            session.get_one(OutboxMessage, message.id).done_at = message.due_at
        ran += 1
    assert ran == 3
    learners = reading().scalars(select(Learner)).all()
    assert len(learners) == 5
    assert all(operations.identity_of(KeyRing([NEW]), learner)[0] for learner in learners)


# --- consents ----------------------------------------------------------------------------------


def test_consents_are_given_listed_and_withdrawn(app, client, context):
    learner_id, headers = cast.sign_in_learner(app)
    given = client.post(
        f"{ME}/consents", json={"purpose": "leaderboard", "version": "2026-01"}, headers=headers
    )
    assert given.status_code == 201
    assert given.json["granted"] is True
    assert operations.has_consent(reading(), learner_id, Purpose.LEADERBOARD)
    assert not operations.has_consent(reading(), learner_id, Purpose.STATISTICS)
    for _ in range(2):
        assert client.delete(f"{ME}/consents/leaderboard", headers=headers).status_code == 204
    assert not operations.has_consent(reading(), learner_id, Purpose.LEADERBOARD)
    listed = client.get(f"{ME}/consents", headers=headers).json["items"]
    assert {item["purpose"] for item in listed} == set(Purpose)
    assert not any(item["granted"] for item in listed)


def test_consents_can_be_given_at_sign_in(app, context):
    learner_id, _ = cast.sign_in_learner(app, consents=[(Purpose.STATISTICS, "2026-01")])
    assert operations.has_consent(reading(), learner_id, Purpose.STATISTICS)


def test_consenting_twice_is_one_consent_and_a_withdrawn_one_is_kept(app, context):
    learner_id, _ = cast.sign_in_learner(app)
    with writing() as session:
        learner = session.get_one(Learner, learner_id)
        first = operations.grant(session, learner, Purpose.STATISTICS, "2026-01")
        assert operations.grant(session, learner, Purpose.STATISTICS, "2026-01") is first
        operations.withdraw(session, learner, Purpose.STATISTICS)
        operations.grant(session, learner, Purpose.STATISTICS, "2026-01")
        assert session.scalar(select(func.count()).select_from(Consent)) == 2


def test_a_new_text_needs_a_new_consent(app, context, monkeypatch):
    learner_id, _ = cast.sign_in_learner(app, consents=[(Purpose.STATISTICS, "2026-01")])
    newer = rules.PurposeText("2027-01", "学习统计", "新的文本")
    monkeypatch.setitem(rules.PURPOSES, Purpose.STATISTICS, newer)
    assert not operations.has_consent(reading(), learner_id, Purpose.STATISTICS)
    with writing() as session:
        learner = session.get_one(Learner, learner_id)
        with pytest.raises(Invalid):
            operations.grant(session, learner, Purpose.STATISTICS, "2026-01")
        operations.grant(session, learner, Purpose.STATISTICS, "2027-01")
        assert operations.has_consent(session, learner_id, Purpose.STATISTICS)


@pytest.mark.parametrize("version", ["2025-01", ""])
def test_only_the_text_that_is_shown_can_be_consented_to(app, client, version):
    _, headers = cast.sign_in_learner(app)
    answer = client.post(
        f"{ME}/consents", json={"purpose": "statistics", "version": version}, headers=headers
    )
    assert answer.status_code == 422
    assert {e["field"] for e in answer.json["errors"]} == {"version"}


def test_a_purpose_that_does_not_exist(app, client):
    _, headers = cast.sign_in_learner(app)
    assert client.delete(f"{ME}/consents/everything", headers=headers).status_code == 404


def test_a_visitor_has_no_guardian(app, client):
    _, headers = cast.visitor(app)
    answer = client.post(
        f"{ME}/consents", json={"purpose": "guardian", "version": "2026-01"}, headers=headers
    )
    assert (answer.status_code, answer.json["code"]) == (409, "not_for_visitors")


def test_the_texts_are_public(client):
    items = client.get("/api/v1/consent-purposes").json["items"]
    assert {item["purpose"] for item in items} == set(Purpose)
    assert all(item["text"] and item["version"] for item in items)


# --- repeats -----------------------------------------------------------------------------------


def test_a_repeat_with_the_same_key_has_one_effect_and_the_same_answer(app, client, context):
    _, headers = cast.sign_in_learner(app)
    body = {"purpose": "statistics", "version": "2026-01"}
    keyed = headers | {"Idempotency-Key": "k-1"}
    first = client.post(f"{ME}/consents", json=body, headers=keyed)
    client.delete(f"{ME}/consents/statistics", headers=headers)
    again = client.post(f"{ME}/consents", json=body, headers=keyed)
    assert (again.status_code, again.data) == (first.status_code, first.data)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert reading().scalar(select(func.count()).select_from(Consent)) == 1
    assert not client.get(f"{ME}/consents", headers=headers).json["items"][1]["granted"]


def test_the_same_key_with_another_body_is_refused(app, client):
    _, headers = cast.sign_in_learner(app)
    keyed = headers | {"Idempotency-Key": "k-2"}
    client.post(f"{ME}/consents", json={"purpose": "statistics", "version": "2026-01"}, headers=keyed)
    other = client.post(
        f"{ME}/consents", json={"purpose": "leaderboard", "version": "2026-01"}, headers=keyed
    )
    assert other.status_code == 422
    assert other.json["errors"][0]["code"] == "key_reused"


def test_the_same_key_of_somebody_else_is_another(app, client, context):
    body = {"purpose": "statistics", "version": "2026-01"}
    for _ in range(2):
        learner_id, headers = cast.sign_in_learner(app)
        client.post(f"{ME}/consents", json=body, headers=headers | {"Idempotency-Key": "same"})
        assert operations.has_consent(reading(), learner_id, Purpose.STATISTICS)


def test_a_refused_request_can_be_sent_again_under_its_key(app, client, monkeypatch):
    _, headers = cast.sign_in_learner(app)
    keyed = headers | {"Idempotency-Key": "k-3"}
    newer = rules.PurposeText("2027-01", "学习统计", "新的文本")
    body = {"purpose": "statistics", "version": "2027-01"}
    assert client.post(f"{ME}/consents", json=body, headers=keyed).status_code == 422
    monkeypatch.setitem(rules.PURPOSES, Purpose.STATISTICS, newer)
    assert client.post(f"{ME}/consents", json=body, headers=keyed).status_code == 201


# --- one's own copy, and being forgotten -------------------------------------------------------


@pytest.fixture
def holding(monkeypatch):
    """A room that holds something, registered beside the real ones for one test."""
    kept: dict[int, str] = {}
    erased: list[int] = []

    def erase(session, learner_id):
        erased.append(learner_id)
        kept.pop(learner_id, None)

    made = Holding("test_room", frozenset(), lambda session, learner_id: kept.get(learner_id), erase)
    monkeypatch.setattr(registry, "_holdings", {**registry._holdings, "test_room": made})
    return (made, kept, erased)


def test_the_copy_holds_every_rooms_part(app, client, holding, context):
    learner_id, headers = cast.sign_in_learner(
        app, openid="oExport", unionid="uExport", consents=[(Purpose.STATISTICS, "2026-01")]
    )
    holding[1][learner_id] = "what the room holds"
    copy = client.get(f"{ME}/export", headers=headers).json
    assert {h.name for h in registry.holdings()} | {"people", "exported_at"} == set(copy)
    assert copy["test_room"] == "what the room holds"
    assert copy["people"]["openid"] == "oExport"
    assert copy["people"]["unionid"] == "uExport"
    assert [c["purpose"] for c in copy["people"]["consents"]] == ["statistics"]
    assert copy["people"]["pseudonym"] == rules.pseudonym(learner_id)
    # every column of the learner's row is either in the copy or no fact about the person
    left_out = {
        "generation", "person_key", "openid_hash", "openid_sealed", "unionid_hash", "unionid_sealed",
        "merged_into_id", "erased_at",
    }  # fmt: skip
    assert set(Learner.__table__.columns.keys()) - left_out <= set(copy["people"])


def test_every_own_table_that_names_a_learner_is_dealt_with():
    own = {
        table.name
        for table in db.metadata.sorted_tables
        if table.name in {"consent", "learner", "learner_key", "staff", "staff_role", "staff_token"}
        and "learner_id" in table.columns
    }
    assert own == OWN_TABLES


def test_registering_twice(holding):
    registry.register(holding[0])
    with pytest.raises(RuntimeError):
        registry.register(Holding("test_room", frozenset({"other"}), lambda s, i: None, lambda s, i: None))


def test_erasure_leaves_nothing_of_the_person(app, client, holding):
    openid, unionid = "oCANARY-erased-openid-00001", "uCANARY-erased-unionid-0001"
    learner_id, headers = cast.sign_in_learner(
        app, openid=openid, unionid=unionid, age_band=AgeBand.FROM_60, audience=DeclaredAudience.ELDERLY
    )
    keyed = headers | {"Idempotency-Key": "CANARY-key"}
    client.post(f"{ME}/consents", json={"purpose": "statistics", "version": "2026-01"}, headers=keyed)
    with app.app_context():
        learner = reading().get_one(Learner, learner_id)
        key_name = reading().get_one(LearnerKey, learner_id).name
        traces = [learner.openid_hash, learner.openid_sealed, learner.unionid_hash, key_name]
        visitor_id, _ = cast.visitor(app)
        with writing() as session:
            operations.merge_visitor(
                session, session.get_one(Learner, visitor_id), session.get_one(Learner, learner_id)
            )
    stored = everything_stored(app)
    assert all(trace in stored for trace in traces)
    heard = []
    signals.learner_erased.connect(handler := lambda session, news: heard.append(news.learner_id))
    try:
        assert client.delete(ME, headers=headers).status_code == 204
    finally:
        signals.learner_erased._handlers.remove(handler)
    stored = everything_stored(app)
    for trace in (*traces, openid.encode(), unionid.encode(), b"CANARY-key"):
        assert trace not in stored
    assert heard == [learner_id]
    assert set(holding[2]) == {learner_id, visitor_id}
    with app.app_context():
        for row in reading().scalars(select(Learner)):
            assert row.erased_at is not None
            assert row.person_key is row.openid_hash is row.age_band is row.last_seen_on is None
        assert (
            reading().get_one(Learner, learner_id).audience is DeclaredAudience.ELDERLY
        )  # statistics stay right
        assert reading().scalar(select(func.count()).select_from(Consent)) == 0


def test_the_token_of_somebody_erased_is_dead(app, client):
    _, headers = cast.sign_in_learner(app)
    assert client.delete(ME, headers=headers).status_code == 204
    for call in (client.get, client.delete):
        assert call(ME, headers=headers).json["code"] == "token_revoked"


def test_who_comes_back_after_erasure_is_somebody_new(app):
    first, _ = cast.sign_in_learner(app, openid="oBack")
    with app.app_context(), writing() as session:
        operations.erase_learner(session, session.get_one(Learner, first))
    second, _ = cast.sign_in_learner(app, openid="oBack")
    assert second != first


def test_an_erasure_that_fails_half_way_changes_nothing(app, client, holding, monkeypatch, context):
    learner_id, headers = cast.sign_in_learner(app)
    broken = Holding("broken", frozenset(), lambda s, i: None, lambda s, i: 1 / 0)
    monkeypatch.setattr(registry, "_holdings", {**registry._holdings, "broken": broken})
    assert client.delete(ME, headers=headers).status_code == 500
    assert client.get(ME, headers=headers).status_code == 200
    assert operations.identity_of(
        KeyRing(app.config["EDU"].sealing_keys), reading().get_one(Learner, learner_id)
    )[0]


def test_a_visitor_can_be_forgotten_too(app, client):
    _, headers = cast.visitor(app)
    assert client.get(f"{ME}/export", headers=headers).json["people"]["openid"] is None
    assert client.delete(ME, headers=headers).status_code == 204


# --- pseudonyms, preferences -------------------------------------------------------------------


def test_pseudonyms_are_stable_and_spread():
    names = [rules.pseudonym(number) for number in range(1, 2001)]
    assert names == [rules.pseudonym(number) for number in range(1, 2001)]
    assert len(set(names)) > 1900
    assert all(re.fullmatch(r"[\u4e00-\u9fff]{2,3}的[\u4e00-\u9fff]{2,3}·\d\d", name) for name in names)


def test_preferences_change_what_is_given(app, client):
    _, headers = cast.sign_in_learner(app)
    changed = client.put(ME, json={"audience": "new_customer", "elder_mode": True}, headers=headers).json
    assert (changed["audience"], changed["elder_mode"], changed["age_band"]) == (
        "new_customer",
        True,
        "18_59",
    )
    assert client.get(ME, headers=headers).json == changed


@pytest.mark.parametrize(
    "body",
    [{"elder_mode": 1}, {"elder_mode": None}, {"audience": "all"}, {"kind": "identified"}, {"id": "1"}],
)
def test_preferences_refuse_nonsense(app, client, body):
    _, headers = cast.sign_in_learner(app)
    answer = client.put(ME, json=body, headers=headers)
    assert answer.status_code == 422
    assert [e["field"] for e in answer.json["errors"]] == list(body)


def test_secure_delete_is_what_makes_erasure_true(app):
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            assert reading().execute(text("PRAGMA secure_delete")).scalar() == 1
