"""Months and years, made of their days when nothing can come for them any more.

A beacon is refused when it is older than some days, so a month that ended longer ago stays as it is. Should
something be folded into it all the same, the fold drops what was made of its days, and it is made again here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from edu_platform.reach import queries
from edu_platform.reach.models import EVERYWHERE, Family, Span, TallyPage, day_number
from edu_platform.reach.operations import pages as kept
from edu_platform.reach.rules.grouping import Page
from edu_platform.reach.rules.windows import end_of

CLOSED_AFTER = timedelta(days=10)


@dataclass
class Rolled:
    """A month or year made of its parts, as of a turn of the fold."""

    after: int
    turn: int
    span: Span
    starts: date
    pages: dict[tuple[Family, int], Page]


def due(session: Session, *, today: date) -> tuple[Span, date] | None:
    """Return the next month or year that is over and not there yet; months before their year."""
    there = {(row.span, row.starts) for row in session.execute(queries.rolled_up())}
    counted = session.scalars(
        select(TallyPage.starts).where(
            TallyPage.family == Family.WHOLE,
            TallyPage.span == Span.DAY,
            TallyPage.campaign_id == EVERYWHERE,
            TallyPage.starts < today - CLOSED_AFTER,
        )
    )
    months = {day.replace(day=1) for day in counted}
    wanted = [(Span.MONTH, month) for month in sorted(months)]
    wanted += [(Span.YEAR, year) for year in sorted({month.replace(month=1) for month in months})]
    over = [(span, starts) for span, starts in wanted if end_of(span, starts) < today - CLOSED_AFTER]
    return next((one for one in over if one not in there), None)


def gather_span(session: Session, span: Span, starts: date) -> Rolled:
    """Make a month of its days, or a year of its months."""
    after, turn = session.execute(queries.turn()).one()
    smaller = Span.DAY if span is Span.MONTH else Span.MONTH
    inside = TallyPage.starts.between(starts, end_of(span, starts))
    made: dict[tuple[Family, int], Page] = {}
    for family in Family:
        campaigns = session.scalars(
            select(TallyPage.campaign_id)
            .where(TallyPage.family == family, TallyPage.span == smaller, inside)
            .distinct()
        ).all()
        for campaign_id in campaigns:
            rows = session.execute(
                queries.pages(family, [(smaller, starts, end_of(span, starts))], campaign_id)
            )
            made[family, campaign_id] = Page.union([Page.read(row.figures, row.persons) for row in rows])
    return Rolled(after, turn, span, starts, made)


def settle_span(session: Session, rolled: Rolled) -> bool:
    """Keep a month or year; False when tallies have changed meanwhile."""
    if kept.take_turn(session, after=rolled.after, turn=rolled.turn) is None:
        return False
    for (family, campaign_id), page in rolled.pages.items():
        kept.write(session, family, rolled.span, campaign_id, {day_number(rolled.starts): page})
    return True
