"""Pure decisions about reports of progress."""

from __future__ import annotations

from datetime import datetime

from edu_platform.shelf.models import PositionUnit

LARGEST: dict[PositionUnit, int] = {
    PositionUnit.BLOCK: 10_000,
    PositionUnit.MS: 86_400_000,
    PositionUnit.PERCENT: 100,
}
"""The largest position in each unit; a film of a day is none of ours."""


def reported_at(client_time: datetime | None, now: datetime) -> datetime:
    """Return the time that a report counts as: the client's, but never later than the server's.

    A clock that runs ahead would otherwise keep every later report of another device out.
    """
    return now if client_time is None else min(client_time, now)
