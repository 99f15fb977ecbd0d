"""Figures for any window: tallies plus what is not folded yet, so exact and fresh at any moment.

A figure divided by one dimension, or filtered by one, comes from the tallies. One over several
dimensions at once is counted from the log itself: as exact, slower, and it says so (`source`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from pyroaring import BitMap
from sqlalchemy.orm import Session

from edu_platform.core.clock import now
from edu_platform.core.errors import FieldError, Invalid
from edu_platform.reach import queries
from edu_platform.reach.models import NUMBERS, Family, Measure, Scope, Span, day_number
from edu_platform.reach.operations.fold import read_log
from edu_platform.reach.operations.retention import whole_from
from edu_platform.reach.rules.grouping import Aliases, Cell, Columns, Counted, count

_REACH = NUMBERS[Measure][Measure.REACH]
_MOST_TRIES = 20


class By(StrEnum):
    """By what a report is divided into rows."""

    DAY = "day"
    AUDIENCE = "audience"
    CHANNEL = "channel"
    PIECE = "piece"
    ACTION = "action"


class ScopeChoice(StrEnum):
    """Whose beacons a report counts."""

    ALL = "all"
    IDENTIFIED = "identified"
    ANONYMOUS = "anonymous"


class Suspects(StrEnum):
    """Whether a report counts suspect beacons."""

    EXCLUDE = "exclude"
    INCLUDE = "include"
    ONLY = "only"


class Source(StrEnum):
    """What a report was read from."""

    TALLIES = "tallies"
    LOG = "log"


@dataclass(frozen=True)
class Asked:
    """What a report is asked for: days `first` to `last` (both included), of one campaign (0: everyday) or all (None)."""

    first: date
    last: date
    campaign_id: int | None
    by: By
    scope: ScopeChoice = ScopeChoice.ALL
    suspects: Suspects = Suspects.EXCLUDE
    filters: Mapping[Family, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Numbers:
    """The four figures, never mixed: 触及人次, 触及人数, 参与人次, 参与人数."""

    person_times: int = 0
    persons: int = 0
    participations: int = 0
    participants: int = 0


@dataclass(frozen=True)
class Figures:
    """A report's numbers. `rows` by day number or by the value's number; `left_out` are suspects not counted above."""

    totals: Numbers
    rows: dict[int, Numbers]
    left_out: Numbers
    source: Source
    cut_off: datetime
    folded_to: int


class _Sum:
    """Adds cells up into the four figures."""

    def __init__(self) -> None:
        self.times = [0, 0]
        self.parts: list[list[BitMap]] = [[], []]

    def add(self, measure: int, counted: Counted) -> None:
        side = 0 if measure == _REACH else 1
        self.times[side] += counted.times
        self.parts[side].append(counted.persons)

    def numbers(self, aliases: Aliases) -> Numbers:
        persons, participants = (
            len(aliases.resolve(BitMap.union(*parts))) if parts else 0 for parts in self.parts
        )
        return Numbers(self.times[0], persons, self.times[1], participants)


def figures(session: Session, asked: Asked) -> Figures:
    """Return the figures asked for, as of now. Reads only."""
    dimensions = set(asked.filters)
    if asked.by is not By.DAY:
        dimensions.add(Family(asked.by.value))
    for _ in range(_MOST_TRIES):
        mark = session.scalar(queries.mark()) or 0
        if len(dimensions) > 1:
            source, cells = Source.LOG, list(_from_log(session, asked))
        else:
            source = Source.TALLIES
            cells = list(_from_tallies(session, asked, next(iter(dimensions), Family.WHOLE), mark))
        same_as = session.execute(queries.aliases())
        aliases = Aliases({number: other for number, other in same_as if other is not None})
        # Where every statement sees its own moment (PostgreSQL), a fold may have come between them.
        if (session.scalar(queries.mark()) or 0) == mark:
            break
    return _add_up(asked, cells, aliases, source, mark)


def _add_up(
    asked: Asked, cells: Iterable[tuple[Cell, Counted]], aliases: Aliases, source: Source, mark: int
) -> Figures:
    total, left_out = _Sum(), _Sum()
    rows: dict[int, _Sum] = {}
    row_of: Callable[[Cell], int] = (lambda c: c.day) if asked.by is By.DAY else (lambda c: c.value)
    wanted_scope = None if asked.scope is ScopeChoice.ALL else NUMBERS[Scope][Scope(asked.scope.value)]
    for cell, counted in cells:
        if wanted_scope is not None and cell.scope != wanted_scope:
            continue
        if cell.suspect and asked.suspects is Suspects.EXCLUDE:
            left_out.add(cell.measure, counted)
            continue
        if not cell.suspect and asked.suspects is Suspects.ONLY:
            continue
        total.add(cell.measure, counted)
        rows.setdefault(row_of(cell), _Sum()).add(cell.measure, counted)
    return Figures(
        totals=total.numbers(aliases),
        rows={key: rows[key].numbers(aliases) for key in sorted(rows)},
        left_out=left_out.numbers(aliases),
        source=source,
        cut_off=now(),
        folded_to=mark,
    )


def _from_tallies(
    session: Session, asked: Asked, family: Family, mark: int
) -> Iterable[tuple[Cell, Counted]]:
    value = asked.filters.get(family)
    spans = (
        [(Span.DAY, asked.first, asked.last)]
        if asked.by is By.DAY
        else months_and_days(asked.first, asked.last)
    )
    chosen = queries.tallies(family, spans, campaign_id=asked.campaign_id, value=value)
    for row in session.execute(chosen):
        cell = Cell(row.starts, 0, row.value, row.measure, row.scope, int(row.suspect))
        yield cell, Counted(row.times, BitMap.deserialize(row.persons))
    tail = _columns(session, asked, after=mark)
    if value is not None:
        tail = tail.where(family, value)
    yield from count(tail, [family])[family].items()


def _from_log(session: Session, asked: Asked) -> Iterable[tuple[Cell, Counted]]:
    begins = whole_from(session)
    if begins is not None and asked.first < begins:
        raise Invalid(
            [
                FieldError(
                    "from", f"{begins} 之前的明细已归档，按两个以上维度统计只能从 {begins} 起。", "archived"
                )
            ]
        )
    columns = _columns(session, asked, after=0)
    for family, value in asked.filters.items():
        columns = columns.where(family, value)
    family = Family.WHOLE if asked.by is By.DAY else Family(asked.by.value)
    return count(columns, [family])[family].items()


def _columns(session: Session, asked: Asked, *, after: int) -> Columns:
    where, parameters = "day BETWEEN ? AND ?", [day_number(asked.first), day_number(asked.last)]
    if after:
        where, parameters = f"id > ? AND {where}", [after, *parameters]
    if asked.campaign_id is not None:
        where, parameters = f"{where} AND campaign_id = ?", [*parameters, asked.campaign_id]
    rows: list[Any] = read_log(session.connection(), where, tuple(parameters))
    return Columns.of(rows)


def months_and_days(first: date, last: date) -> list[tuple[Span, date, date]]:
    """Cut a window into whole months and the days that remain at its ends."""
    opening = first if first.day == 1 else _next_month(first)
    closing = (last + timedelta(days=1)).replace(day=1)  # the months before this one are whole
    if opening >= closing:
        return [(Span.DAY, first, last)]
    spans = [(Span.MONTH, opening, closing - timedelta(days=1))]
    if first < opening:
        spans.append((Span.DAY, first, opening - timedelta(days=1)))
    if closing <= last:
        spans.append((Span.DAY, closing, last))
    return spans


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
