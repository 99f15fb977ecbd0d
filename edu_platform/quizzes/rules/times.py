"""Opening windows, deadlines and the clock of an attempt."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum


class Window(StrEnum):
    """Whether a quiz takes new attempts."""

    NOT_YET = "not_yet"
    OPEN = "open"
    CLOSED = "closed"


def window(opens_at: datetime | None, closes_at: datetime | None, at: datetime) -> Window:
    """Say whether `at` lies in the opening window; the closing moment is outside."""
    if opens_at is not None and at < opens_at:
        return Window.NOT_YET
    if closes_at is not None and at >= closes_at:
        return Window.CLOSED
    return Window.OPEN


def deadline(
    started_at: datetime, *, time_limit_seconds: int | None, elder: bool, closes_at: datetime | None
) -> datetime | None:
    """Return when an attempt ends: its time limit (none in the elder variant) or the closing, whichever is first."""
    ends = [closes_at] if closes_at is not None else []
    if time_limit_seconds is not None and not elder:
        ends.append(started_at + timedelta(seconds=time_limit_seconds))
    return min(ends, default=None)


def end(deadline_at: datetime | None, grace_seconds: int) -> datetime | None:
    """Return the last moment at which an attempt takes answers: its deadline plus grace."""
    return None if deadline_at is None else deadline_at + timedelta(seconds=grace_seconds)


def is_over(ends_at: datetime | None, at: datetime) -> bool:
    """Say whether the time of an attempt is over; the last moment still counts."""
    return ends_at is not None and at > ends_at


def remaining_ms(deadline_at: datetime | None, at: datetime) -> int | None:
    """Return the milliseconds left to show on a clock (grace is not shown); None without a deadline."""
    if deadline_at is None:
        return None
    return max(0, (deadline_at - at) // timedelta(milliseconds=1))
