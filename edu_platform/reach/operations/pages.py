"""Pages of tallies as the fold keeps them: under the lock of its mark, which turns whenever they change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from edu_platform.core.clock import now
from edu_platform.reach import queries
from edu_platform.reach.models import NUMBERS, Family, FoldMark, Span, TallyPage, day_number, day_of
from edu_platform.reach.rules.grouping import Page

_UPSERT = (
    "INSERT INTO tally_page (family, span, campaign_id, starts, figures, persons) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (family, span, campaign_id, starts)"
    " DO UPDATE SET figures = excluded.figures, persons = excluded.persons"
)


def take_turn(session: Session, *, after: int, turn: int) -> FoldMark | None:
    """Lock the mark and turn it; None when tallies have changed since it stood at `after` and `turn`."""
    mark = session.scalar(
        select(FoldMark)
        .where(FoldMark.name == queries.FOLD)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if mark is None:
        if (after, turn) != (0, 0):
            return None
        mark = FoldMark(name=queries.FOLD, last_id=0, turn=0, folded_at=now())
        session.add(mark)
        session.flush()  # a second first fold fails here, on the mark's key
    if (mark.last_id, mark.turn) != (after, turn):
        return None
    mark.turn += 1
    mark.folded_at = now()
    return mark


def read(
    session: Session, family: Family, span: Span, campaign_id: int, starts: Iterable[int]
) -> dict[int, Page]:
    """Return the pages there are of these days (by number), months or years."""
    days = [day_of(number) for number in starts]
    chosen = queries.pages_on(family, span, campaign_id, days)
    return {row.starts: Page.read(row.figures, row.persons) for row in session.execute(chosen)}


def write(session: Session, family: Family, span: Span, campaign_id: int, pages: Mapping[int, Page]) -> None:
    """Put pages in the place of those that are there, as the driver does it: they may be large."""
    rows: list[tuple[Any, ...]] = [
        (NUMBERS[Family][family], NUMBERS[Span][span], campaign_id, starts, *page.kept())
        for starts, page in pages.items()
    ]
    if rows:
        connection = session.connection()
        text = _UPSERT if connection.dialect.name == "sqlite" else _UPSERT.replace("?", "%s")
        connection.exec_driver_sql(text, rows)


def roll_ups_over(session: Session, days: Iterable[int]) -> set[tuple[Span, int]]:
    """Return the months and years there are over any of these days, with the number of their first."""
    first = {day_of(day).replace(day=1) for day in days}
    over = {(Span.MONTH, month) for month in first} | {(Span.YEAR, month.replace(month=1)) for month in first}
    return {(row.span, day_number(row.starts)) for row in session.execute(queries.rolled_up())} & {
        (span, day_number(starts)) for span, starts in over
    }


def drop_roll_ups(session: Session, found: Iterable[tuple[Span, int]]) -> None:
    """Delete months and years, of every family and campaign."""
    for span, starts in found:
        for family in Family:
            session.execute(
                delete(TallyPage)
                .where(TallyPage.family == family, TallyPage.span == span, TallyPage.starts == day_of(starts))
                .execution_options(synchronize_session=False)
            )
