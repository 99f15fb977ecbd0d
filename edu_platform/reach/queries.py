"""Selects over the log, the tallies and the numbers."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Integer, Select, and_, bindparam, or_, select, type_coerce

from edu_platform.reach.models import (
    Beacon,
    Family,
    FoldMark,
    LearnerNumber,
    PersonNumber,
    Span,
    Tally,
)

FOLD = "beacon"

# As the numbers that they are stored as: tallies are read by the thousand.
_KEYS = (
    type_coerce(Tally.measure, Integer).label("measure"),
    type_coerce(Tally.scope, Integer).label("scope"),
    type_coerce(Tally.suspect, Integer).label("suspect"),
)


def mark() -> Select[int]:
    """Select the id up to which the log is folded; no row before the first fold."""
    return select(FoldMark.last_id).where(FoldMark.name == FOLD)


def cells(family: Family) -> Select[int, int, int, int, int, int, bytes]:
    """Select the tallies of one span, first day and campaign (`span`, `starts`, `campaign_id`), those of `among` only."""
    return select(Tally.id, Tally.value, *_KEYS, Tally.times, Tally.persons).where(
        Tally.family == family,
        Tally.span == bindparam("span"),
        Tally.starts == bindparam("starts"),
        Tally.campaign_id == bindparam("campaign_id"),
        Tally.value.in_(bindparam("among", expanding=True)),
    )


def tallies(
    family: Family,
    spans: list[tuple[Span, date, date]],
    *,
    campaign_id: int | None,
    value: int | None,
) -> Select[int, int, int, int, int, int, bytes]:
    """Select tallies of a family whose span starts in one of `spans` (first and last start, both included)."""
    chosen = select(
        type_coerce(Tally.starts, Integer).label("starts"), Tally.value, *_KEYS, Tally.times, Tally.persons
    ).where(
        Tally.family == family,
        or_(*(and_(Tally.span == span, Tally.starts.between(first, last)) for span, first, last in spans)),
    )
    if campaign_id is not None:
        chosen = chosen.where(Tally.campaign_id == campaign_id)
    if value is not None:
        chosen = chosen.where(Tally.value == value)
    return chosen


def aliases() -> Select[int, int | None]:
    """Select every number that is another's, with that other."""
    return select(PersonNumber.number, PersonNumber.same_as).where(PersonNumber.same_as.is_not(None))


def beacons_of(learner_id: int) -> Select[Beacon]:
    """Select what the log holds of a learner, their visitor's past included, oldest first."""
    number = select(LearnerNumber.number).where(LearnerNumber.learner_id == learner_id).scalar_subquery()
    family = select(PersonNumber.number).where(
        or_(PersonNumber.number == number, PersonNumber.same_as == number)
    )
    return select(Beacon).where(Beacon.number.in_(family)).order_by(Beacon.id)
