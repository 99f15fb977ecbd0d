"""From the log to the tallies, exactly once: the tallies and the mark move in one transaction.

`gather` reads and adds up without holding anybody up, since rows of the log never change; `settle`
then takes the write lock, makes sure that nobody else folded meanwhile, and merges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyroaring import BitMap
from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from edu_platform.core.clock import now
from edu_platform.reach import queries
from edu_platform.reach.models import (
    NUMBERS,
    Beacon,
    Family,
    FoldMark,
    Span,
    day_number,
    day_of,
)
from edu_platform.reach.operations.log import settled_id
from edu_platform.reach.rules.grouping import PACKED, Cell, Columns, Counted, count, views

MOST_AT_ONCE = 200_000
_AMONG = 500


@dataclass
class Gathered:
    """A piece of the log, added up: what beacons with `after` < id ≤ `upto` add to the tallies."""

    after: int
    upto: int
    beacons: int
    cells: dict[tuple[Family, Span], dict[Cell, Counted]]
    views: dict[int, int]


def gather(session: Session, *, most: int = MOST_AT_ONCE) -> Gathered | None:
    """Add up the next `most` unfolded beacons; None when there are none."""
    after = session.scalar(queries.mark()) or 0
    upto = settled_id(session.connection())
    if upto <= after:
        return None
    last = session.scalar(
        select(Beacon.id).where(Beacon.id > after).order_by(Beacon.id).offset(most - 1).limit(1)
    )
    upto = upto if last is None else min(last, upto)
    rows = read_log(session.connection(), "id > ? AND id <= ?", (after, upto))
    columns = Columns.of(rows)
    cells: dict[tuple[Family, Span], dict[Cell, Counted]] = {}
    for family, days in count(columns, Family).items():
        cells[family, Span.DAY] = days
        cells[family, Span.MONTH] = _months(days)
    return Gathered(after, upto, len(rows), cells, views(columns))


def settle(session: Session, gathered: Gathered) -> bool:
    """Merge what was gathered into the tallies and move the mark; False when somebody else folded meanwhile."""
    mark = session.scalar(select(FoldMark).where(FoldMark.name == queries.FOLD).with_for_update())
    if mark is None:
        if gathered.after != 0:
            return False
        mark = FoldMark(name=queries.FOLD, last_id=0, folded_at=now())
        session.add(mark)
        session.flush()  # a second first fold fails here, on the mark's key
    if mark.last_id != gathered.after:
        return False
    for (family, span), cells in gathered.cells.items():
        _merge(session, family, span, cells)
    mark.last_id = gathered.upto
    mark.folded_at = now()
    return True


def unfolded(session: Session) -> int:
    """Return how many beacons wait to be folded (the fold's lag)."""
    after = session.scalar(queries.mark()) or 0
    return session.scalar(select(func.count()).select_from(Beacon).where(Beacon.id > after)) or 0


def read_log(connection: Connection, where: str, parameters: tuple[Any, ...]) -> list[tuple[int, int, int]]:
    """Return rows of the log as (packed, piece, number), as the driver gives them: they are many."""
    text = f"SELECT {PACKED} AS packed, piece_id, number FROM beacon WHERE {where}"  # noqa: S608 - fixed text, values are bound
    if connection.dialect.name != "sqlite":
        text = text.replace("?", "%s")
    result = connection.exec_driver_sql(text, parameters)
    assert result.cursor is not None  # a SELECT has one
    rows = list(result.cursor.fetchall())
    result.close()
    return rows


def _months(days: dict[Cell, Counted]) -> dict[Cell, Counted]:
    found: dict[Cell, Counted] = {}
    first_of: dict[int, int] = {}
    for cell, counted in days.items():
        if cell.day not in first_of:
            first_of[cell.day] = day_number(day_of(cell.day).replace(day=1))
        month = cell._replace(day=first_of[cell.day])
        known = found.get(month)
        if known is None:
            found[month] = Counted(counted.times, BitMap(counted.persons))
        else:
            known.times += counted.times
            known.persons |= counted.persons
    return found


def _merge(session: Session, family: Family, span: Span, cells: dict[Cell, Counted]) -> None:
    by_page: dict[tuple[int, int], dict[tuple[int, ...], Counted]] = {}
    for cell, counted in cells.items():
        page = by_page.setdefault((cell.day, cell.campaign_id), {})
        page[cell.value, cell.measure, cell.scope, cell.suspect] = counted
    chosen = queries.cells(family)
    changed: list[tuple[Any, ...]] = []
    made: list[tuple[Any, ...]] = []
    for (day, campaign_id), page in by_page.items():
        values = sorted({key[0] for key in page})
        for first in range(0, len(values), _AMONG):
            parameters = {
                "span": span,
                "starts": day_of(day),
                "campaign_id": campaign_id,
                "among": values[first : first + _AMONG],
            }
            for row in session.execute(chosen, parameters):
                more = page.pop((row.value, row.measure, row.scope, int(row.suspect)), None)
                if more is not None:
                    persons = BitMap.deserialize(row.persons) | more.persons
                    changed.append((row.times + more.times, persons.serialize(), row.id))
        head = (NUMBERS[Family][family], NUMBERS[Span][span], day, campaign_id)
        made += [
            (*head, value, measure, scope, bool(suspect), counted.times, counted.persons.serialize())
            for (value, measure, scope, suspect), counted in page.items()
        ]
    _many(session, "UPDATE tally SET times = ?, persons = ? WHERE id = ?", changed)
    _many(
        session,
        "INSERT INTO tally (family, span, starts, campaign_id, value, measure, scope, suspect, times, persons)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        made,
    )


def _many(session: Session, statement: str, rows: list[tuple[Any, ...]]) -> None:
    """Run a statement for every row as the driver does it: there may be a hundred thousand."""
    if rows:
        connection = session.connection()
        text = statement if connection.dialect.name == "sqlite" else statement.replace("?", "%s")
        connection.exec_driver_sql(text, rows)
