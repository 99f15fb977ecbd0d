"""Views become a learner's history, a moment after they were folded; figures do not depend on it."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from edu_platform.core.clock import now
from edu_platform.core.vocabulary import Action
from edu_platform.reach import queries
from edu_platform.reach.models import NO_PIECE, Beacon, FoldMark, LearnerNumber
from edu_platform.shelf.operations import note_visits

VIEWS = "views"
MOST_AT_ONCE = 5_000


def unnoted(session: Session) -> bool:
    """Say whether folded beacons wait to be looked through."""
    done = session.scalar(select(FoldMark.last_id).where(FoldMark.name == VIEWS)) or 0
    return (session.scalar(queries.mark()) or 0) > done


def note_views(session: Session, *, most: int = MOST_AT_ONCE) -> int:
    """Put what was viewed among the next `most` folded beacons into the learners' history; return how many beacons."""
    mark = session.scalar(select(FoldMark).where(FoldMark.name == VIEWS).with_for_update())
    if mark is None:
        mark = FoldMark(name=VIEWS, last_id=0, folded_at=now())
        session.add(mark)
        session.flush()  # a second first run fails here, on the mark's key
    upto = min(session.scalar(queries.mark()) or 0, mark.last_id + most)
    seen = (
        select(LearnerNumber.learner_id, Beacon.piece_id, func.max(Beacon.occurred_at))
        .join(LearnerNumber, LearnerNumber.number == Beacon.number)
        .where(
            Beacon.id > mark.last_id,
            Beacon.id <= upto,
            Beacon.action == Action.VIEW,
            Beacon.piece_id != NO_PIECE,
            LearnerNumber.merged_into.is_(None),
        )
        .group_by(LearnerNumber.learner_id, Beacon.piece_id)
    )
    note_visits(session, [(row[0], row[1], row[2]) for row in session.execute(seen)])
    noted = upto - mark.last_id
    mark.last_id, mark.folded_at = upto, now()
    return noted
