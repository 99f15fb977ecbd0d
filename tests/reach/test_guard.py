"""The log of beacons is never changed, not even by whoever has the database's password."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from edu_platform.campaigns.rules import Rule
from edu_platform.core.clock import local_day, now
from edu_platform.core.db import reading, writing
from edu_platform.core.errors import Conflict
from edu_platform.core.vocabulary import Action, Channel, DeclaredAudience
from edu_platform.reach.models import Beacon, Scope


@pytest.fixture
def beacon(context) -> int:
    with writing() as session:
        row = Beacon(
            number=1, beacon_id="b-1", occurred_at=now(), received_at=now(), day=local_day(now()),
            campaign_id=0, rule=Rule.EVERYDAY, audience=DeclaredAudience.ELDERLY, channel=Channel.WEBSITE,
            piece_id=0, action=Action.VIEW, scope=Scope.ANONYMOUS, skew_ms=0, skewed=False,
        )  # fmt: skip
        session.add(row)
        session.flush()
        return row.id


def test_a_beacon_cannot_be_changed(beacon):
    with pytest.raises((Conflict, IntegrityError)), writing() as session:
        session.execute(text("UPDATE beacon SET campaign_id = 7"))
    assert reading().scalar(select(Beacon.campaign_id)) == 0


@pytest.mark.control
def test_without_the_guard_it_could_be(beacon):
    """The control: the guard is what refuses."""
    with writing() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            session.execute(text("DROP TRIGGER beacon_no_update"))
        session.execute(text("UPDATE beacon SET campaign_id = 7"))
    assert reading().scalar(select(Beacon.campaign_id)) == 7
