"""The leaderboard of a campaign, over real attempts; each settles for the campaign that held when it began."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select

from edu_platform.campaigns import operations
from edu_platform.core.clock import local_day, now
from edu_platform.core.db import db, reading
from edu_platform.people.models import Purpose
from edu_platform.people.rules import PURPOSES
from edu_platform.quizzes.models import Attempt
from edu_platform.quizzes.signals import attempt_started
from tests.campaigns import publishing
from tests.cast import sign_in_learner
from tests.quizzes.conftest import Clock, Desk, Taker, single
from tests.quizzes.conftest import time as time  # noqa: PLC0414 - a fixture

SHOWN = [(Purpose.LEADERBOARD, PURPOSES[Purpose.LEADERBOARD].version)]


@pytest.fixture
def board(app, time: Clock):
    attempt_started.connect(operations.on_attempt_started)
    desk = Desk(app)
    desk.publish("quiz")
    desk.publish("second", [single("s-1"), single("s-2", 2)])
    day = local_day(now())
    publishing.campaign(app, "rights-week", date(2026, 3, 10), date(2026, 3, 20), pieces=["quiz", "second"])
    assert day == date(2026, 3, 15)
    return desk


def taker(app) -> Taker:
    return Taker(app, sign_in_learner(app, consents=SHOWN))


def test_a_campaigns_board_sums_each_quiz_once(app, board, time):
    best, early, late, silent = taker(app), taker(app), taker(app), Taker(app, sign_in_learner(app))
    for person, right in ((early, 3), (late, 3), (best, 1), (silent, 5)):
        time.pass_(minutes=1)
        person.sit(right)
    time.pass_(minutes=1)
    best.sit(5)  # the better of two counts
    page = late.get("/campaigns/rights-week/leaderboard").json
    assert [(item["rank"], item["me"]) for item in page["items"]] == [(1, False), (2, False), (3, True)]
    assert page["total"] == 3
    assert page["me"] == page["items"][2]
    assert page["items"][1]["score"] == page["items"][2]["score"]
    assert silent.get("/campaigns/rights-week/leaderboard").json["me"] is None

    seen, cursor = [], ""
    while True:
        part = early.get(f"/campaigns/rights-week/leaderboard?limit=1{cursor}").json
        seen += part["items"]
        if part["next_cursor"] is None:
            break
        cursor = f"&cursor={part['next_cursor']}"
    assert [(item["rank"], item["name"]) for item in seen] == [
        (item["rank"], item["name"]) for item in page["items"]
    ]


def test_an_attempt_counts_for_the_campaign_that_held_when_it_began(app, board, time):
    person = taker(app)
    inside = person.start()
    time.pass_(days=6)  # the campaign has ended
    person.submit(inside)
    person.submit(person.start("second"))
    with app.app_context():
        found = reading().execute(select(Attempt.campaign_code).order_by(Attempt.id)).scalars().all()
        db.session.remove()
    assert found == ["rights-week", None]
