"""Rows that many want at once: the unique key decides, not a look beforehand."""

from __future__ import annotations

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from edu_platform.core.driver import Written
from edu_platform.quizzes.models import AttemptSlot, Standing

TOTAL = "total"


def claim(session: Session, model: type[AttemptSlot | Standing], **values: int | str) -> bool:
    """Insert a row unless one with the same unique key is there (waiting for whoever is inserting it); say whether it was."""
    # told by what comes back, not by the row count: that is -1 wherever ids are returned
    made = Written(session.connection()).rows(
        f"INSERT INTO {model.__tablename__} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"  # noqa: S608 - names of ours
        " ON CONFLICT DO NOTHING RETURNING id",
        list(values.values()),
    )
    return bool(made)


_STANDING = (
    select(Standing)
    .where(Standing.learner_id == bindparam("whose_id"), Standing.piece_id == bindparam("which_piece_id"))
    .with_for_update()
    .execution_options(populate_existing=True)
)


def hold_standing(session: Session, learner_id: int, piece_id: int) -> None:
    """Lock the learner's standing in a quiz as `lock_standing` does, for whoever need not look at it."""
    if not claim(session, Standing, learner_id=learner_id, piece_id=piece_id):
        lock_standing(session, learner_id, piece_id)


def lock_standing(session: Session, learner_id: int, piece_id: int) -> Standing:
    """Return the learner's standing in a quiz, made if there was none, locked until this transaction ends.

    Whatever changes attempts of a learner at a quiz takes this lock first, attempts and mistakes after it.
    """
    wanted = {"whose_id": learner_id, "which_piece_id": piece_id}
    found = session.scalars(_STANDING, wanted).one_or_none()
    if found is None:
        claim(session, Standing, learner_id=learner_id, piece_id=piece_id)
        found = session.scalars(_STANDING, wanted).one()
    return found


def take_slot(session: Session, learner_id: int, piece_id: int, *, period: str, limit: int | None) -> bool:
    """Take the lowest free numbered place of a period; False when all `limit` places are taken (None: no limit)."""
    there = Written(session.connection()).rows(
        "SELECT slot FROM attempt_slot WHERE learner_id = ? AND piece_id = ? AND period = ?",
        (learner_id, piece_id, period),
    )
    taken = {slot for (slot,) in there}
    slot = 1
    while limit is None or slot <= limit:
        if slot not in taken and claim(
            session, AttemptSlot, learner_id=learner_id, piece_id=piece_id, period=period, slot=slot
        ):
            return True
        slot += 1
    return False
