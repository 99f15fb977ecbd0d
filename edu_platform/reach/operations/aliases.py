"""Numbers that turned out to be another's person: replaced in whatever is counted, in the tallies once and for good."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from sqlalchemy import Integer, delete, select, type_coerce
from sqlalchemy.orm import Session

from edu_platform.reach import queries
from edu_platform.reach.models import (
    EVERYWHERE,
    Beacon,
    Family,
    PersonNumber,
    Span,
    TallyPage,
    UnsettledAlias,
)
from edu_platform.reach.operations import pages as kept
from edu_platform.reach.operations.retention import whole_from
from edu_platform.reach.rules.grouping import Integers, Page

_FEW = 1_000
_AT_ONCE = 5_000
Places = set[tuple[int, int]]
"""Days (as numbers) and campaigns."""


def aliases_among(session: Session, numbers: Integers) -> dict[int, int]:
    """Return which of these numbers are another's, with that other; perhaps some that are not asked for as well."""
    distinct = np.unique(numbers)
    chosen = queries.aliases()
    if len(distinct) <= _FEW:
        chosen = chosen.where(PersonNumber.number.in_(distinct.tolist()))
    return {number: other for number, other in session.execute(chosen) if other is not None}


def unsettled(session: Session) -> dict[int, int]:
    """Return the numbers that tallies may still hold though they are another's, with that other."""
    return {number: other for number, other in session.execute(queries.unsettled()) if other is not None}


def families(session: Session, pending: Mapping[int, int]) -> dict[int, int]:
    """Return the whole family of every alias: what was folded under a number may have come from another before it."""
    found: dict[int, int] = dict(pending)
    for some in _in_parts(set(pending.values())):
        rows = session.execute(queries.aliases().where(PersonNumber.same_as.in_(some)))
        found.update({number: other for number, other in rows if other is not None})
    return found


def places(session: Session, numbers: Iterable[int]) -> Places:
    """Return the days and campaigns for which anything of these numbers was counted: the log says, and of what was
    archived the tallies themselves.
    """
    numbers = list(numbers)
    found = _archived_places(session, numbers)
    for some in _in_parts(numbers):
        rows = session.execute(
            select(type_coerce(Beacon.day, Integer), Beacon.campaign_id)
            .where(Beacon.number.in_(some))
            .distinct()
        )
        found.update((day, campaign_id) for day, campaign_id in rows)
    return found


def _in_parts(numbers: Iterable[int]) -> Iterator[list[int]]:
    every = list(numbers)
    for first in range(0, len(every), _AT_ONCE):
        yield every[first : first + _AT_ONCE]


def _archived_places(session: Session, numbers: Sequence[int]) -> Places:
    begins = whole_from(session)
    if begins is None or not numbers:
        return set()
    rows = session.execute(
        select(
            type_coerce(TallyPage.starts, Integer).label("day"),
            TallyPage.campaign_id,
            TallyPage.figures,
            TallyPage.persons,
        ).where(
            TallyPage.family == Family.WHOLE,
            TallyPage.span == Span.DAY,
            TallyPage.campaign_id != EVERYWHERE,
            TallyPage.starts <= begins,
        )
    )
    return {
        (row.day, row.campaign_id) for row in rows if Page.read(row.figures, row.persons).holds_any(numbers)
    }


def settle_aliases(session: Session) -> int:
    """Replace in the tallies what has become another's; return how many numbers that were."""
    stand = session.execute(queries.turn()).first()
    if stand is None:
        return 0  # nothing is folded; what will be is resolved first
    mark = kept.take_turn(session, after=stand[0], turn=stand[1])
    pending = unsettled(session)
    if mark is None or not pending:
        return 0
    same_as = families(session, pending)
    of_campaign: dict[int, set[int]] = {}
    for day, campaign_id in places(session, same_as):
        of_campaign.setdefault(campaign_id, set()).add(day)
        of_campaign.setdefault(EVERYWHERE, set()).add(day)
    for campaign_id, days in of_campaign.items():
        spans = {(Span.DAY, day) for day in days} | kept.roll_ups_over(session, days)
        for span in Span:
            starts = [start for of, start in spans if of is span]
            for family in Family:
                found = kept.read(session, family, span, campaign_id, starts) if starts else {}
                resolved = {start: page.resolved(same_as) for start, page in found.items()}
                kept.write(session, family, span, campaign_id, resolved)
    for some in _in_parts(pending):
        session.execute(
            delete(UnsettledAlias)
            .where(UnsettledAlias.number.in_(some))
            .execution_options(synchronize_session=False)
        )
    return len(pending)
