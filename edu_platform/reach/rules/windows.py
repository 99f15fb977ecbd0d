"""How a window of days is put together from the tallies there are."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

from edu_platform.reach.models import Span

Part = tuple[Span, date, date]
"""A month or a year (its first day, its last), or a run of days."""


def cut(first: date, last: date, rolled_up: Collection[tuple[Span, date]]) -> list[Part]:
    """Cut a window into the years and months that are there whole, and the days that remain."""
    parts: list[Part] = []
    day = first
    while day <= last:
        for span, end in ((Span.YEAR, end_of(Span.YEAR, day)), (Span.MONTH, end_of(Span.MONTH, day))):
            if end <= last and (span, day) in rolled_up:
                parts.append((span, day, end))
                break
        else:
            end = min(last, end_of(Span.MONTH, day))
            if parts and parts[-1][0] is Span.DAY:
                parts[-1] = (Span.DAY, parts[-1][1], end)
            else:
                parts.append((Span.DAY, day, end))
        day = end + timedelta(days=1)
    return parts


def end_of(span: Span, day: date) -> date:
    """Return the last day of the month or year that a day is in; of a day, the day itself."""
    if span is Span.YEAR:
        return day.replace(month=12, day=31)
    if span is Span.MONTH:
        return (day.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return day
