"""Selects over the log, the tallies and the numbers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    or_,
    select,
    type_coerce,
)

from edu_platform.reach.models import (
    EVERYWHERE,
    Beacon,
    Family,
    FoldMark,
    LearnerNumber,
    PersonNumber,
    Span,
    TallyPage,
    UnsettledAlias,
)
from edu_platform.reach.rules.windows import Part

FOLD = "beacon"

_STARTS = type_coerce(TallyPage.starts, Integer).label("starts")
"""As the number that it is stored as: days are read by the hundred."""


def mark() -> Select[int]:
    """Select the id up to which the log is folded; no row before the first fold."""
    return select(FoldMark.last_id).where(FoldMark.name == FOLD)


def turn() -> Select[int, int]:
    """Select the id up to which the log is folded, and what changes whenever tallies do."""
    return select(FoldMark.last_id, FoldMark.turn).where(FoldMark.name == FOLD)


def rolled_up() -> Select[Span, date]:
    """Select the months and years that are there, each for everything."""
    return select(TallyPage.span, TallyPage.starts).where(
        TallyPage.family == Family.WHOLE,
        TallyPage.span.in_([Span.MONTH, Span.YEAR]),
        TallyPage.campaign_id == EVERYWHERE,
    )


def figures(family: Family, parts: Sequence[Part], campaign_id: int) -> Select[int, bytes]:
    """Select what is counted of a family and campaign in these parts of time, without saying of whom."""
    return select(_STARTS, TallyPage.figures).where(TallyPage.family == family, _in(parts, campaign_id))


def pages(family: Family, parts: Sequence[Part], campaign_id: int) -> Select[int, bytes, bytes]:
    """Select what is counted of a family and campaign in these parts of time, and of whom."""
    return select(_STARTS, TallyPage.figures, TallyPage.persons).where(
        TallyPage.family == family, _in(parts, campaign_id)
    )


def _in(parts: Sequence[Part], campaign_id: int) -> ColumnElement[bool]:
    return and_(
        TallyPage.campaign_id == campaign_id,
        or_(
            *(
                and_(TallyPage.span == span, TallyPage.starts.between(first, last))
                for span, first, last in parts
            )
        ),
    )


def pages_on(
    family: Family, span: Span, campaign_id: int, starts: Collection[date]
) -> Select[int, bytes, bytes]:
    """Select the pages of one family, span and campaign that start on these days."""
    return select(_STARTS, TallyPage.figures, TallyPage.persons).where(
        TallyPage.family == family,
        TallyPage.span == span,
        TallyPage.campaign_id == campaign_id,
        TallyPage.starts.in_(starts),
    )


def unsettled() -> Select[int, int | None]:
    """Select the numbers that tallies may still hold though they are another's, with that other."""
    return aliases().where(PersonNumber.number.in_(select(UnsettledAlias.number)))


def aliases() -> Select[int, int | None]:
    """Select every number that is another's, with that other."""
    return select(PersonNumber.number, PersonNumber.same_as).where(PersonNumber.same_as.is_not(None))


def beacons_of(learner_id: int) -> Select[Beacon]:
    """Select what the log holds of a learner, their visitor's past included, oldest first."""
    return select(Beacon).where(Beacon.number.in_(_family(learner_id))).order_by(Beacon.id)


def _family(learner_id: int | BindParameter[int]) -> Select[int]:
    number = select(LearnerNumber.number).where(LearnerNumber.learner_id == learner_id).scalar_subquery()
    return select(PersonNumber.number).where(
        or_(PersonNumber.number == number, PersonNumber.same_as == number)
    )


RULING = select(Beacon.campaign_id, Beacon.rule).where(
    Beacon.number.in_(_family(bindparam("whose_id", type_=BigInteger))),
    Beacon.beacon_id == bindparam("which_beacon_id"),
)
"""For which campaign, and by which rule, a learner's beacon counts."""
