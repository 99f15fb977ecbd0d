"""Figures for any window: tallies plus what is not folded yet, so exact and fresh at any moment.

A figure divided by one dimension, or filtered by one, comes from the tallies. One over several
dimensions at once is counted from the log itself: as exact, slower, and it says so (`source`).

How many persons a page of the tallies holds is written on it. Who they are is unpacked only where pages
must be united: where a window is made of several, beacons are not folded yet, or numbers have become
another's since.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy.orm import Session

from edu_platform.core.clock import now
from edu_platform.core.errors import FieldError, Invalid
from edu_platform.reach import queries
from edu_platform.reach.models import EVERYWHERE, Family, Span, day_number, day_of
from edu_platform.reach.operations import aliases
from edu_platform.reach.operations.fold import read_log
from edu_platform.reach.operations.retention import whole_from
from edu_platform.reach.rules.choices import By, ScopeChoice, Source, Suspects
from edu_platform.reach.rules.grouping import NO_FIGURES, SUSPECT, Columns, Integers, Page, figures_of, pages
from edu_platform.reach.rules.sheets import Numbers, Sheet
from edu_platform.reach.rules.windows import Part, cut

_MOST_TRIES = 20


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
class Figures:
    """A report's numbers. `rows` by day number or by the value's number; `left_out` are suspects not counted above."""

    totals: Numbers
    rows: dict[int, Numbers]
    left_out: Numbers
    source: Source
    cut_off: datetime
    folded_to: int


def figures(session: Session, asked: Asked) -> Figures:
    """Return the figures asked for, as of now. Reads only."""
    dimensions = set(asked.filters)
    if asked.by is not By.DAY:
        dimensions.add(Family(asked.by.value))
    for _ in range(_MOST_TRIES):
        stand = _Stand.now(session)
        if len(dimensions) > 1:
            source, counted = Source.LOG, _from_log(session, asked)
        else:
            source, counted = Source.TALLIES, _Tallies(session, asked, stand).counted()
        # Where every statement sees its own moment (PostgreSQL), a fold may have come between them.
        if _Stand.now(session) == stand:
            break
    totals, rows = counted
    value = next(iter(asked.filters.values()), 0) if source is Source.TALLIES else 0
    left_out = totals.numbers(asked.scope, Suspects.ONLY) if asked.suspects is Suspects.EXCLUDE else {}
    return Figures(
        totals=totals.numbers(asked.scope, asked.suspects).get(value, Numbers()),
        rows=rows.numbers(asked.scope, asked.suspects),
        left_out=left_out.get(value, Numbers()),
        source=source,
        cut_off=now(),
        folded_to=stand.mark,
    )


@dataclass(frozen=True)
class _Stand:
    """How far the tallies are, and which numbers they may hold that are another's by now."""

    mark: int
    turn: int
    unsettled: Mapping[int, int]

    @classmethod
    def now(cls, session: Session) -> _Stand:
        mark, turn = session.execute(queries.turn()).first() or (0, 0)
        return cls(mark, turn, aliases.unsettled(session))


class _Tallies:
    """Counts from the tallies and what is not in them yet."""

    def __init__(self, session: Session, asked: Asked, stand: _Stand) -> None:
        self._session = session
        self._asked = asked
        self._campaign = EVERYWHERE if asked.campaign_id is None else asked.campaign_id
        self._same_as = aliases.families(session, stand.unsettled) if stand.unsettled else {}
        self._aliased = {
            day
            for day, campaign_id in aliases.places(session, self._same_as)
            if self._campaign in (EVERYWHERE, campaign_id)
        }
        self._total: Family
        self._value: int | None
        self._total, self._value = next(iter(asked.filters.items()), (Family.WHOLE, None))
        self._rows = self._total if asked.by is By.DAY else Family(asked.by.value)
        tail = _columns(session, asked, after=stand.mark)
        self._tail = _by_day(tail, {self._total, self._rows})

    def counted(self) -> tuple[Sheet, Sheet]:
        """Return the sheets of the totals and of the rows."""
        totals = self._window(self._total)
        if self._asked.by is By.DAY:
            return totals, self._days(self._rows)
        return totals, totals if self._rows is self._total else self._window(self._rows)

    def _days(self, family: Family) -> Sheet:
        """Count each day of the window by itself."""
        first, last = self._asked.first, self._asked.last
        days = self._figures(family, [(Span.DAY, first, last)])
        tail = self._tail[family]
        changed = {day for day in days if day in self._aliased or self._forgives(days[day])} | set(tail)
        if changed:
            found = self._pages(family, [(Span.DAY, day_of(min(changed)), day_of(max(changed)))])
            for day in changed:
                some = [page for page in (found.get(day), tail.get(day)) if page is not None]
                days[day] = self._united(some).figures
        return Sheet.by_day(days, value=self._value or 0)

    def _window(self, family: Family) -> Sheet:
        """Count the window as one, by value."""
        rolled_up = {(row.span, row.starts) for row in self._session.execute(queries.rolled_up())}
        parts = cut(self._asked.first, self._asked.last, rolled_up)
        tail = list(self._tail[family].values())
        found = self._figures(family, parts)
        if (
            not tail
            and not self._aliased
            and len(found) <= 1
            and not any(map(self._forgives, found.values()))
        ):
            figures = next(iter(found.values()), NO_FIGURES)
        else:
            figures = self._united([*self._pages(family, parts).values(), *tail]).figures
        return Sheet.by_value(figures, value=self._value)

    def _figures(self, family: Family, parts: Sequence[Part]) -> dict[int, Integers]:
        chosen = queries.figures(family, parts, self._campaign)
        return {starts: figures_of(kept) for starts, kept in self._session.execute(chosen)}

    def _pages(self, family: Family, parts: Sequence[Part]) -> dict[int, Page]:
        chosen = queries.pages(family, parts, self._campaign)
        return {row.starts: Page.read(row.figures, row.persons) for row in self._session.execute(chosen)}

    def _forgives(self, figures: Integers) -> bool:
        """Say whether suspects on a page are to be united with everybody."""
        return self._asked.suspects is Suspects.INCLUDE and bool(figures[:, SUSPECT].any())

    def _united(self, some: Sequence[Page]) -> Page:
        if self._value is not None:
            some = [page.only(self._value) for page in some]
        return _finished(Page.union(some), self._asked, self._same_as)


def _finished(page: Page, asked: Asked, same_as: Mapping[int, int]) -> Page:
    if same_as:
        page = page.resolved(same_as)
    return page.forgiven() if asked.suspects is Suspects.INCLUDE else page


def _from_log(session: Session, asked: Asked) -> tuple[Sheet, Sheet]:
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
    for filtered, value in asked.filters.items():
        columns = columns.where(filtered, value)
    family = Family.WHOLE if asked.by is By.DAY else Family(asked.by.value)
    found = _by_day(columns, {Family.WHOLE, family})
    days = {day: _finished(page, asked, {}) for day, page in found[Family.WHOLE].items()}
    totals = Sheet.by_value(Page.union(list(days.values())).figures)
    if asked.by is By.DAY:
        return totals, Sheet.by_day({day: page.figures for day, page in days.items()}, value=0)
    rows = Page.union([_finished(page, asked, {}) for page in found[family].values()])
    return totals, Sheet.by_value(rows.figures)


def _by_day(columns: Columns, families: Collection[Family]) -> dict[Family, dict[int, Page]]:
    """Count beacons of one campaign or of all, by day."""
    return {
        family: {day: page for (day, campaign_id), page in found.items() if campaign_id == EVERYWHERE}
        for family, found in pages(columns, families).items()
    }


def _columns(session: Session, asked: Asked, *, after: int) -> Columns:
    # The sign keeps a database from walking through all days instead of the few ids.
    where, parameters = "+day BETWEEN ? AND ?" if after else "day BETWEEN ? AND ?", [
        day_number(asked.first), day_number(asked.last)
    ]  # fmt: skip
    if after:
        where, parameters = f"id > ? AND {where}", [after, *parameters]
    if asked.campaign_id is not None:
        where, parameters = f"{where} AND campaign_id = ?", [*parameters, asked.campaign_id]
    columns = Columns.of(read_log(session.connection(), where, parameters))
    return columns.resolved(aliases.aliases_among(session, columns.number))
