"""What other rooms announce counts once, for the campaign that held when it began."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from edu_platform.campaigns.operations import running
from edu_platform.campaigns.rules import Rule
from edu_platform.core.clock import frozen
from edu_platform.core.db import reading, writing
from edu_platform.core.vocabulary import Action, Channel
from edu_platform.quizzes.signals import AttemptNews
from edu_platform.reach import operations as reach
from edu_platform.reach.models import Beacon
from edu_platform.reach.rules.choices import By
from edu_platform.shelf.signals import Favourited
from tests.cast import sign_in_learner


def news(house, learner_id: int, **changes) -> AttemptNews:
    at = house.clock()
    told = AttemptNews(
        attempt_id=77,
        learner_id=learner_id,
        piece_id=house.pieces["hang-up-first"],
        slug="hang-up-first",
        channel=Channel.MINI_PROGRAM,
        campaign_code=None,
        channel_code=None,
        started_at=at,
        at=at,
        passed=None,
    )
    return replace(told, **changes)


@pytest.fixture
def learner_id(app, house):
    person = sign_in_learner(app)[0]
    with app.app_context():
        yield person


def tell(handler, told) -> None:
    with writing() as session:
        handler(session, told)


def rows() -> dict[Action, Beacon]:
    found = {row.action: row for row in reading().scalars(select(Beacon))}
    reading().rollback()
    return found


def test_an_attempt_counts_as_participation_once_a_step(house, learner_id):
    told = news(house, learner_id)
    for _ in range(2):
        tell(reach.on_attempt_started, told)
        tell(reach.on_attempt_submitted, told)
        tell(reach.on_attempt_passed, told)
    found = house.figures(By.ACTION).totals
    assert (found.person_times, found.persons, found.participations, found.participants) == (0, 0, 3, 1)


def test_it_counts_for_the_campaign_that_held_when_it_began(app, house, learner_id, clock):
    """Begun in the campaign's last minute, submitted after it was closed and had given up the piece."""
    told = news(house, learner_id)
    tell(reach.on_attempt_started, told)
    with writing() as session:
        campaign = running.campaign_of(session, "rights-week")
        running.set_pieces(session, campaign, [], by="staff:1 测试")
        clock.later(minutes=1)
        running.close_campaign(session, campaign, by="staff:1 测试")
    later = replace(told, at=clock() + timedelta(hours=1), passed=True)
    with frozen(later.at):
        tell(reach.on_attempt_submitted, later)
        tell(reach.on_attempt_passed, later)
    assert {action: (row.campaign_id, row.rule) for action, row in rows().items()} == dict.fromkeys(
        (Action.QUIZ_START, Action.QUIZ_SUBMIT, Action.QUIZ_PASS), (house.campaign_id, Rule.CARRIES_PIECE)
    )


def test_its_day_is_the_day_it_happened(house, learner_id):
    begun = datetime(2026, 3, 14, 15, 59, tzinfo=UTC)
    told = news(house, learner_id, started_at=begun, at=begun)
    tell(reach.on_attempt_started, told)
    tell(reach.on_attempt_submitted, replace(told, at=begun + timedelta(minutes=2)))
    assert [rows()[action].day.day for action in (Action.QUIZ_START, Action.QUIZ_SUBMIT)] == [14, 15]


def test_what_began_before_anything_was_counted_begins_now(house, learner_id):
    tell(reach.on_attempt_submitted, news(house, learner_id))
    assert set(rows()) == {Action.QUIZ_START, Action.QUIZ_SUBMIT}


def test_a_channel_code_decides_for_an_attempt_too(house, learner_id):
    told = news(house, learner_id, piece_id=house.pieces["plain-words"], channel_code="HALL22")
    tell(reach.on_attempt_started, told)
    row = rows()[Action.QUIZ_START]
    assert (row.campaign_id, row.rule) == (house.campaign_id, Rule.CHANNEL_CODE)


def test_a_favourite_counts_once(house, learner_id):
    told = Favourited(5, learner_id, house.pieces["plain-words"], Channel.APP, house.clock())
    for _ in range(3):
        tell(reach.on_favourited, told)
    row = rows()[Action.FAVOURITE]
    assert (row.campaign_id, row.channel, row.beacon_id) == (0, Channel.APP, "favourite:5")
    assert house.figures().totals.participations == 1


def test_participation_that_is_rolled_back_does_not_count(house, learner_id):
    with pytest.raises(RuntimeError), writing() as session:
        reach.on_attempt_started(session, news(house, learner_id))
        raise RuntimeError
    assert rows() == {}


def test_no_client_can_take_a_key_of_ours(house, learner_id):
    with pytest.raises(ValueError, match="not a key of ours"), writing() as session:
        reach.note_participation(
            session, learner_id=learner_id, action=Action.SHARE, key="plain", at=house.clock()
        )
