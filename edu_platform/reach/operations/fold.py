"""From the log to the tallies, exactly once: the tallies and the mark move in one transaction.

`gather` reads and adds up without holding anybody up, since rows of the log never change; `settle`
then takes the write lock, makes sure that nobody else folded meanwhile, and merges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from edu_platform.reach import queries
from edu_platform.reach.models import Beacon, Family, Span
from edu_platform.reach.operations import pages as kept
from edu_platform.reach.operations.aliases import aliases_among
from edu_platform.reach.operations.log import settled_id
from edu_platform.reach.rules.grouping import PACKED, Columns, Page, pages, views

MOST_AT_ONCE = 200_000


@dataclass
class Gathered:
    """A piece of the log, added up: what beacons with `after` < id ≤ `upto` add to the days' tallies."""

    after: int
    turn: int
    upto: int
    beacons: int
    days: dict[tuple[Family, int], dict[int, Page]]
    views: dict[int, int]


def gather(session: Session, *, most: int = MOST_AT_ONCE) -> Gathered | None:
    """Add up the next `most` unfolded beacons; None when there are none."""
    after, turn = session.execute(queries.turn()).first() or (0, 0)
    upto = settled_id(session.connection())
    if upto <= after:
        return None
    last = session.scalar(
        select(Beacon.id).where(Beacon.id > after).order_by(Beacon.id).offset(most - 1).limit(1)
    )
    upto = upto if last is None else min(last, upto)
    columns = Columns.of(read_log(session.connection(), "id > ? AND id <= ?", (after, upto)))
    columns = columns.resolved(aliases_among(session, columns.number))
    days: dict[tuple[Family, int], dict[int, Page]] = {}
    for family, found in pages(columns, Family).items():
        for (day, campaign_id), page in found.items():
            days.setdefault((family, campaign_id), {})[day] = page
    return Gathered(after, turn, upto, len(columns.packed), days, views(columns))


def settle(session: Session, gathered: Gathered) -> bool:
    """Merge what was gathered into the tallies and move the mark; False when somebody else folded meanwhile."""
    mark = kept.take_turn(session, after=gathered.after, turn=gathered.turn)
    if mark is None:
        return False
    touched: set[int] = set()
    for (family, campaign_id), days in gathered.days.items():
        before = kept.read(session, family, Span.DAY, campaign_id, days)
        merged = {
            day: Page.union([before[day], page]) if day in before else page for day, page in days.items()
        }
        kept.write(session, family, Span.DAY, campaign_id, merged)
        touched.update(days)
    kept.drop_roll_ups(session, kept.roll_ups_over(session, touched))
    mark.last_id = gathered.upto
    return True


def unfolded(session: Session) -> int:
    """Return how many beacons wait to be folded (the fold's lag)."""
    after = session.scalar(queries.mark()) or 0
    return session.scalar(select(func.count()).select_from(Beacon).where(Beacon.id > after)) or 0


def read_log(connection: Connection, where: str, parameters: Sequence[Any]) -> list[tuple[int, int, int]]:
    """Return rows of the log as (packed, piece, number), as the driver gives them: they are many."""
    text = f"SELECT {PACKED} AS packed, piece_id, number FROM beacon WHERE {where}"  # noqa: S608 - fixed text, values are bound
    if connection.dialect.name != "sqlite":
        text = text.replace("?", "%s")
    result = connection.exec_driver_sql(text, tuple(parameters))
    assert result.cursor is not None  # a SELECT has one
    rows = list(result.cursor.fetchall())
    result.close()
    return rows
