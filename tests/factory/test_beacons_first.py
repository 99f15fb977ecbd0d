"""The layer before Flask takes beacons exactly as Flask does, and leaves to it whatever is not in order."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from edu_platform.core.clock import frozen
from edu_platform.core.db import db, writing
from edu_platform.core.limits import limiter
from edu_platform.core.vocabulary import DeclaredAudience
from edu_platform.factory.app import create_app
from edu_platform.factory.beacons import BeaconsFirst
from edu_platform.people.models import Learner
from edu_platform.reach.models import Beacon, Scope
from edu_platform.reach.operations import log, receive, shared_commit
from tests.campaigns.publishing import draft
from tests.cast import sign_in_learner, staff_member, visitor

pytestmark = pytest.mark.database
NOW = datetime(2026, 3, 15, 4, tzinfo=UTC)


@pytest.fixture
def house(app, settings):
    """The application with limits on, as it ships, at a moment after a piece was published."""
    with frozen(lambda: NOW - timedelta(days=1)):
        draft(app, "first-piece")
    built = create_app(replace(settings, limits=True))
    limiter.reset()
    with frozen(lambda: NOW):
        built.test_client().post("/api/v1/beacons", json=batch("warm"), headers=visitor(built)[1])
        yield built
    with built.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def entered(house, monkeypatch):
    """Which requests went on to Flask."""
    layer = house.wsgi_app._inner._inner
    assert isinstance(layer, BeaconsFirst)
    inner, seen = layer._inner, []

    def counting(environ, start_response):
        seen.append(environ["PATH_INFO"])
        return inner(environ, start_response)

    monkeypatch.setattr(layer, "_inner", counting)
    return seen


def batch(*names, at=NOW, **facts):
    beacons = [{"id": name, "action": "view", "occurred_at": at.isoformat(), **facts} for name in names]
    return {"sent_at": NOW.isoformat(), "beacons": beacons}


def told(answer):
    apart = {"X-Request-ID", *SECONDS}
    headers = sorted((name, value) for name, value in answer.headers if name not in apart)
    return answer.status, headers, answer.data


SECONDS = ("X-RateLimit-Reset", "Retry-After")
"""Headers that tell the seconds of a window: two callers' windows may begin on either side of a second."""


def assert_same(ours, theirs):
    assert told(ours) == told(theirs)
    for name in SECONDS:
        assert abs(int(ours.headers[name]) - int(theirs.headers[name])) <= 2, name


def rows(house, learner_id):
    """What the log holds of a learner but for ids and who it is."""
    from edu_platform.reach.queries import beacons_of

    kept = {column.key for column in Beacon.__table__.columns} - {"id", "number"}
    with house.app_context():
        return [
            {name: getattr(row, name) for name in kept} for row in db.session.scalars(beacons_of(learner_id))
        ]


BATCHES = {
    "one": batch("a"),
    "three with a piece": batch("a", "b", "c", piece="first-piece", dwell_ms=10**9),
    "the same twice": batch("a", "a", "b"),
    "some of it unknown": {
        "sent_at": NOW.isoformat(),
        "beacons": [
            *batch("a", piece="first-piece")["beacons"],
            *batch("b", piece="no-such-piece")["beacons"],
            *batch("c", action="quiz_pass")["beacons"],
            *batch("d", at=NOW + timedelta(minutes=5))["beacons"],
            *batch("e", at=NOW - timedelta(days=8))["beacons"],
            *batch("f", channel_code="NOCODE")["beacons"],
            *batch("g", at=NOW - timedelta(days=1, minutes=3), piece="first-piece")["beacons"],
            *batch("h", channel="app")["beacons"],
        ],
    },
    "a clock that is off": {
        **batch("a", at=NOW - timedelta(hours=2)),
        "sent_at": (NOW - timedelta(hours=2)).isoformat(),
    },
}


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("who", ["visitor", "learner"])
def test_the_same_answer_and_the_same_rows_with_and_without_flask(house, entered, name, who):
    make = visitor if who == "visitor" else lambda h: sign_in_learner(h, audience=DeclaredAudience.ELDERLY)
    (first, before), (second, after) = make(house), make(house)
    here, there = house.test_client(), house.test_client()
    for body in (BATCHES[name], BATCHES[name]):  # the second time everything is a repeat
        ours = here.post("/api/v1/beacons", json=body, headers=before)
        assert entered == []
        theirs = there.post(
            "/api/v1/beacons", json=body, headers=after | {"Content-Type": "application/json; x=1"}
        )
        assert entered == ["/api/v1/beacons"]
        assert_same(ours, theirs)
        entered.clear()
    assert rows(house, first) == rows(house, second) != []
    scope = Scope.ANONYMOUS if who == "visitor" else Scope.IDENTIFIED
    assert {row["scope"] for row in rows(house, first)} == {scope}


def test_both_ways_count_against_the_same_limits(house, entered):
    _, headers = visitor(house)
    client = house.test_client()
    left = []
    for number, kind in enumerate(["application/json", "application/json; x=1"] * 2):
        answer = client.post(
            "/api/v1/beacons", data=json.dumps(batch(f"n{number}")), headers=headers | {"Content-Type": kind}
        )
        left.append(int(answer.headers["X-RateLimit-Remaining"]))
    assert left == [599, 598, 597, 596]
    assert len(entered) == 2


def test_whoever_sends_too_much_is_refused_and_nothing_is_kept(house, entered):
    learner_id, headers = visitor(house)
    client = house.test_client()
    statuses = [
        client.post("/api/v1/beacons", json=batch(f"n{n}"), headers=headers).status_code for n in range(601)
    ]
    assert statuses == [200] * 600 + [429]
    assert len(rows(house, learner_id)) == 600
    assert entered == ["/api/v1/beacons"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"sent_at": 1, "beacons": []}', 422),
        (json.dumps(batch("a") | {"more": 1}).encode(), 422),
        (json.dumps(batch("a", dwell_ms=-1)).encode(), 200),
        (json.dumps({**batch("a"), "sent_at": "1999-01-01T00:00:00+08:00"}).encode(), 422),
        (b'{"sent_at": "2026-03-15T04:00:00Z", "sent_at": "2026-03-15T04:00:00Z", "beacons": []}', 400),
    ],
)
def test_what_is_not_in_order_is_flasks_to_refuse(house, entered, body, status):
    _, headers = visitor(house)
    answer = house.test_client().post(
        "/api/v1/beacons", data=body, headers=headers | {"Content-Type": "application/json"}
    )
    assert answer.status_code == status
    assert entered == ["/api/v1/beacons"]


def test_a_token_that_is_none_of_ours_or_ended_is_refused(house, entered):
    learner_id, headers = visitor(house)
    client = house.test_client()
    assert client.post("/api/v1/beacons", json=batch("a"), headers=headers).status_code == 200
    assert entered == []  # the token is known from here on
    with house.app_context(), writing() as session:
        session.execute(update(Learner).where(Learner.id == learner_id).values(generation=2))
    refused = client.post("/api/v1/beacons", json=batch("b"), headers=headers)
    assert (refused.status_code, refused.json["code"]) == (401, "token_revoked")
    assert len(rows(house, learner_id)) == 1
    later = NOW + timedelta(days=400)
    with frozen(lambda: later):
        assert (
            client.post("/api/v1/beacons", json=batch("c"), headers=headers).json["code"] == "token_expired"
        )
    for other in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic x"}, staff_member(house)[1]):
        assert client.post("/api/v1/beacons", json=batch("d"), headers=other).status_code in {401, 403}


def test_what_was_published_a_moment_ago_in_another_process_is_known(house, entered):
    _, headers = visitor(house)
    client = house.test_client()
    assert client.post("/api/v1/beacons", json=batch("a"), headers=headers).json["accepted"] == 1
    stale = receive.known_here(_engine(house))
    draft(house, "second-piece")
    receive._kept[_engine(house)] = stale
    answer = client.post("/api/v1/beacons", json=batch("b", piece="second-piece"), headers=headers)
    assert answer.json == {"accepted": 1, "duplicate": 0, "refused": []}
    assert entered == ["/api/v1/beacons"]


def _engine(house):
    with house.app_context():
        return db.engine


def test_an_audience_declared_a_moment_ago_counts_at_once(house, entered):
    learner_id, headers = visitor(house)
    client = house.test_client()
    client.post("/api/v1/beacons", json=batch("a"), headers=headers)
    with house.app_context(), writing() as session:
        session.execute(
            update(Learner).where(Learner.id == learner_id).values(audience=DeclaredAudience.YOUTH)
        )
    client.post("/api/v1/beacons", json=batch("b"), headers=headers)
    assert entered == []
    assert [row["audience"] for row in rows(house, learner_id)] == [
        DeclaredAudience.UNKNOWN,
        DeclaredAudience.YOUTH,
    ]


def test_trouble_with_the_database_is_met_once_and_answered_by_flask(house, entered, monkeypatch):
    from edu_platform.core.errors import NotNow

    _, headers = visitor(house)
    tried = []

    def away(self, submission):
        tried.append(submission)
        raise NotNow

    monkeypatch.setattr(shared_commit.SharedCommit, "append", away)
    answer = house.test_client().post("/api/v1/beacons", json=batch("a"), headers=headers)
    assert (answer.status_code, len(tried)) == (503, 1)
    assert answer.headers["Retry-After"]
    assert entered == ["/api/v1/beacons"]


@pytest.mark.control
def test_a_hopeful_write_that_meets_a_repeat_leaves_nothing_half_done(house):
    """The control: without looking again, what repeats would be told as accepted."""
    learner_id, headers = visitor(house)
    client = house.test_client()
    client.post("/api/v1/beacons", json=batch("a"), headers=headers)
    again = client.post("/api/v1/beacons", json=batch("a", "b"), headers=headers)
    assert again.json == {"accepted": 1, "duplicate": 1, "refused": []}
    assert sorted(row["beacon_id"] for row in rows(house, learner_id)) == ["a", "b"]
    one = log.Deed("a", 1, 1, 1, 0, 3, 0, 0, 0, 1, 1, None, 0, False)
    with _engine(house).connect().execution_options(writing=True) as connection, connection.begin() as turn:
        with pytest.raises(log.Repeated):
            log.append(connection, [log.Submission(learner_id, [one])], hopeful=True)
        turn.rollback()
