"""The server's clock and the branch's calendar (Asia/Shanghai)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")

_source: Callable[[], datetime] = lambda: datetime.now(UTC)  # noqa: E731 - replaced as a whole by `frozen`


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return _source()


def local_day(moment: datetime) -> date:
    """Return the day of the branch's calendar on which `moment` falls."""
    return moment.astimezone(ZONE).date()


def day_start(day: date) -> datetime:
    """Return the first moment of `day` in the branch's calendar, in UTC."""
    return datetime.combine(day, time.min, ZONE).astimezone(UTC)


def day_end(day: date) -> datetime:
    """Return the first moment after `day` in the branch's calendar, in UTC."""
    return day_start(day + timedelta(days=1))


def timestamp(moment: datetime) -> str:
    """Return `moment` as RFC 3339 with the branch's offset, to the second."""
    return moment.astimezone(ZONE).isoformat(timespec="seconds")


@contextmanager
def frozen(moment: datetime | Callable[[], datetime]) -> Iterator[None]:
    """Hold the clock at `moment` (or let a function tell the time) within the block; for tests of time."""
    global _source  # noqa: PLW0603 - there is one clock
    if not callable(moment) and moment.tzinfo is None:
        raise ValueError("naive datetime")
    before = _source
    _source = moment if callable(moment) else lambda: moment
    try:
        yield
    finally:
        _source = before
