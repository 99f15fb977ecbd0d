"""What is kept of judging changes nothing: whoever was judged before, a beacon comes to what it comes to alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from edu_platform.campaigns.rules import Carrying, CodeEntry, Snapshot, Window
from edu_platform.core.vocabulary import Action, Channel
from edu_platform.reach.operations import receive
from edu_platform.reach.operations.receive import Judge, Known, Ruling
from edu_platform.reach.rules.intake import TOLERATED_FUTURE, correct
from edu_platform.reach.schemas import BeaconTold

NOON = datetime(2026, 3, 15, 12, microsecond=400, tzinfo=UTC)
AGE = timedelta(days=7)
WEEK = Window(
    1, "week", NOON - timedelta(days=3, microseconds=1500), NOON - timedelta(days=1, microseconds=300)
)
LATER = Window(2, "later", NOON - timedelta(days=2, microseconds=700), NOON)
PUBLISHED = NOON - timedelta(days=4, microseconds=250)
CARRIED_FROM = LATER.starts_at + timedelta(hours=1)
EDGES = [
    CARRIED_FROM, WEEK.starts_at, WEEK.ends_at, LATER.starts_at, LATER.ends_at, PUBLISHED - TOLERATED_FUTURE,
    NOON + TOLERATED_FUTURE, NOON - AGE,
]  # fmt: skip


def known() -> Known:
    carried = Carrying(LATER, CARRIED_FROM, LATER.ends_at)
    campaigns = Snapshot(
        "1",
        {"week": WEEK, "later": LATER},
        {"HALL": CodeEntry("HALL", WEEK, Channel.HALL_SCREEN)},
        {7: (carried,)},
    )
    return Known(campaigns, {"piece": (7, PUBLISHED)})


def judge(of: Known, correction=None) -> Judge:
    correction = correction or correct(sent_at=NOON, received_at=NOON)
    return Judge(of, None, received_at=NOON, correction=correction, largest_age=AGE)


OFFSETS = (-(10**9), -1100, -900, -1, 0, 1, 300, 900, 1100, 10**9)
"""Microseconds from an edge: both sides of it and of the milliseconds around it, and far from it."""
FACTS = [
    {"piece": piece, "campaign": campaign, "channel_code": code}
    for piece in (None, "piece")
    for campaign in (None, "week", "later")
    for code in (None, "HALL")
]


@pytest.mark.parametrize("zone", [0, 8])
@pytest.mark.parametrize("edge", EDGES)
def test_whoever_was_judged_before_changes_nothing(edge, zone):
    """On either side of every edge, after a beacon from any other side of it, each comes to what it comes to alone."""
    moments = [
        (edge + timedelta(microseconds=offset)).astimezone(timezone(timedelta(hours=zone)))
        for offset in OFFSETS
    ]
    for facts in FACTS:
        told = [BeaconTold(id="a", action=Action.VIEW, occurred_at=at, **facts) for at in moments]
        alone = [judge(known()).judge(one) for one in told]
        for first in told:
            shared = known()
            for one, right in zip(told, alone, strict=True):
                judge(shared).judge(first)
                assert judge(shared).judge(one) == right, (first, one)


def test_control_a_ruling_that_held_for_ever_would_be_found():
    """The control: were a ruling good for all time, what comes after a campaign would count for it."""
    shared, named = known(), {"id": "a", "action": Action.VIEW, "campaign": "week"}
    during, after = (
        BeaconTold(occurred_at=WEEK.ends_at + timedelta(milliseconds=by), **named) for by in (-5, 5)
    )
    right = [judge(shared).judge(one).campaign_id for one in (during, after, during)]
    assert right == [1, 0, 1]
    for facts, ruling in shared.rulings.items():
        shared.rulings[facts] = ruling._replace(since=-(1 << 62), until=1 << 62)
    assert judge(shared).judge(during).campaign_id == judge(shared).judge(after).campaign_id


def test_what_is_kept_is_bounded(monkeypatch):
    """Rulings of what is refused are not kept, and never are there more than so many of the others."""
    monkeypatch.setattr(receive, "_MOST_RULINGS", 3)
    shared = known()
    for number in range(20):
        judge(shared).judge(
            BeaconTold(id="a", action=Action.VIEW, occurred_at=NOON, piece=f"invented-{number}")
        )
    assert shared.rulings == {}
    for action in (Action.VIEW, Action.SHARE, Action.EXPOSE, Action.READ_FINISH, Action.READ_ALOUD):
        judge(shared).judge(BeaconTold(id="a", action=action, occurred_at=NOON - timedelta(hours=1)))
        assert 1 <= len(shared.rulings) <= 3
    assert all(isinstance(ruling, Ruling) for ruling in shared.rulings.values())


def test_a_corrected_time_is_judged_as_corrected():
    ahead = correct(sent_at=NOON + timedelta(hours=1), received_at=NOON)
    found = judge(known(), ahead).judge(
        BeaconTold(id="a", action=Action.VIEW, occurred_at=NOON + timedelta(minutes=59))
    )
    assert (found.occurred_at, found.skewed) == (int((NOON - timedelta(minutes=1)).timestamp() * 1000), True)
