"""The server's clock steps back: no span is negative, nothing waits for the future, nobody is locked out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from edu_platform.core.clock import timestamp
from edu_platform.core.db import reading
from edu_platform.quizzes.models import Attempt
from edu_platform.quizzes.operations import attempts
from edu_platform.reach.models import Beacon
from edu_platform.reach.rules.intake import FLOOD_IN_A_MINUTE, Pace
from tests.cast import bearer, sign_in_learner
from tests.quizzes.conftest import Desk, Taker, desk, time  # noqa: F401 - fixtures

pytestmark = pytest.mark.database
STEPS = [timedelta(seconds=3), timedelta(minutes=20), timedelta(days=3)]
NAMES = ["a few seconds", "minutes", "days"]


@pytest.mark.parametrize("step", STEPS, ids=NAMES)
def test_a_learner_stays_signed_in(app, client, time, step):  # noqa: F811
    _, headers = sign_in_learner(app)
    time.now -= step
    assert client.get("/api/v1/me", headers=headers).status_code == 200


def test_a_token_still_expires(app, client, time, settings):  # noqa: F811
    _, headers = sign_in_learner(app)
    time.pass_(days=settings.session_days, seconds=1)
    answer = client.get("/api/v1/me", headers=headers)
    assert (answer.status_code, answer.json["code"]) == (401, "token_expired")
    assert client.get("/api/v1/me", headers=bearer("made-up")).json["code"] == "token_invalid"


@pytest.mark.parametrize("step", STEPS, ids=NAMES)
def test_an_attempt_goes_on_and_takes_no_negative_time(desk, app, time, context, step):  # noqa: F811
    desk.publish()
    time.pass_(days=4)
    taker = Taker(app, sign_in_learner(app))
    attempt = taker.start()
    time.now -= step
    taker.answer(attempt, right=5)
    result = taker.submit(attempt)
    assert result["passed"]
    assert result["duration_ms"] == 0
    row = reading().scalar(select(Attempt))
    assert row.submitted_at >= row.started_at


@pytest.mark.control
def test_an_attempt_that_trusts_the_clock_takes_negative_time(desk, app, time, monkeypatch):  # noqa: F811
    monkeypatch.setattr(attempts, "max", lambda finished, _: finished, raising=False)
    desk.publish()
    time.pass_(days=4)
    taker = Taker(app, sign_in_learner(app))
    attempt = taker.start()
    time.now -= timedelta(minutes=20)
    assert taker.submit(attempt)["duration_ms"] < 0


@pytest.mark.parametrize("step", STEPS, ids=NAMES)
def test_beacons_are_taken_and_count_once(app, client, time, context, step):  # noqa: F811
    _, headers = sign_in_learner(app)

    def send(name):
        at = timestamp(time.now)
        body = {"sent_at": at, "beacons": [{"id": name, "action": "view", "occurred_at": at}]}
        return client.post("/api/v1/beacons", json=body, headers=headers).json

    assert send("before")["accepted"] == 1
    time.now -= step
    assert send("after")["accepted"] == 1
    assert send("before")["duplicate"] == 1
    rows = list(reading().scalars(select(Beacon).order_by(Beacon.id)))
    assert [row.beacon_id for row in rows] == ["before", "after"]
    assert all(row.suspicion is None for row in rows)
    assert rows[1].occurred_at == time.now.replace(microsecond=0)


def test_a_reader_is_no_flood_because_a_clock_once_ran_ahead():
    pace = Pace()
    ahead = 4320
    assert pace.take(minute=ahead + 3000, day=5) is None
    found = [pace.take(minute=3000 + n, day=2) for n in range(FLOOD_IN_A_MINUTE * 2)]
    assert found == [None] * len(found)


def test_a_small_step_back_gives_no_second_allowance():
    pace = Pace()
    for _ in range(FLOOD_IN_A_MINUTE):
        assert pace.take(minute=10, day=2) is None
    assert pace.take(minute=9, day=2) is not None
    assert pace.take(minute=10, day=1) is not None


def test_what_is_kept_of_the_catalogue_does_not_outlive_a_step_back(desk, app, client, time):  # noqa: F811
    desk.publish()
    time.pass_(days=1)
    first = client.get("/api/v1/pieces")
    time.now -= timedelta(hours=3)
    again = client.get("/api/v1/pieces")
    assert (again.status_code, again.json) == (200, first.json)
    time.now = datetime(2020, 1, 1, tzinfo=UTC)
    assert client.get("/api/v1/pieces").json["items"] == [], "nothing had been published then"
