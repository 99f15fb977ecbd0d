"""Who is who: a visitor becomes a learner, a learner is forgotten. Figures stay right through both."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, or_, update
from sqlalchemy.orm import Session

from edu_platform.core.clock import timestamp
from edu_platform.people.registry import Holding
from edu_platform.people.signals import Erased, Merged
from edu_platform.reach import queries
from edu_platform.reach.models import LearnerNumber, PersonNumber, UnsettledAlias
from edu_platform.reach.operations.retention import whole_from


def on_learner_merged(session: Session, news: Merged) -> None:
    """Make a visitor and a learner one person: history merges and never splits.

    A learner who was never counted takes the visitor's number over; otherwise the visitor's number
    becomes an alias of the learner's.
    """
    session.flush()  # numbers given in this transaction must be seen
    visitor = session.get(LearnerNumber, news.visitor_id, with_for_update=True)
    if visitor is None:
        return
    learner = session.get(LearnerNumber, news.learner_id, with_for_update=True)
    visitor.merged_into = news.learner_id
    if learner is None:
        session.add(LearnerNumber(learner_id=news.learner_id, number=visitor.number))
    elif learner.number != visitor.number:
        session.execute(
            update(PersonNumber)
            .where(or_(PersonNumber.number == visitor.number, PersonNumber.same_as == visitor.number))
            .values(same_as=learner.number)
            .execution_options(synchronize_session=False)
        )
        if session.get(UnsettledAlias, visitor.number) is None:
            session.add(UnsettledAlias(number=visitor.number))
        visitor.number = learner.number
    session.flush()  # the number is read by plain SQL afterwards


def forget(session: Session, learner_id: int) -> None:
    """Cut what leads from a learner (and the visitors they were) to their number; the number goes on being counted."""
    session.execute(
        delete(LearnerNumber)
        .where(or_(LearnerNumber.learner_id == learner_id, LearnerNumber.merged_into == learner_id))
        .execution_options(synchronize_session="fetch")
    )


def on_learner_erased(session: Session, news: Erased) -> None:
    """Forget an erased learner; harmless when the holding has done so already."""
    forget(session, news.learner_id)


def _export(session: Session, learner_id: int) -> Any:
    """Return everything the log holds of a learner, oldest first; `whole_from` says since when, once rows were archived."""
    begins = whole_from(session)
    return {
        "whole_from": begins and begins.isoformat(),
        "beacons": [
            {
                "id": beacon.beacon_id,
                "occurred_at": timestamp(beacon.occurred_at),
                "received_at": timestamp(beacon.received_at),
                "action": beacon.action.value,
                "audience": beacon.audience.value,
                "channel": beacon.channel.value,
                "piece_id": str(beacon.piece_id) if beacon.piece_id else None,
                "campaign_id": str(beacon.campaign_id) if beacon.campaign_id else None,
                "dwell_ms": beacon.dwell_ms,
            }
            for beacon in session.scalars(queries.beacons_of(learner_id))
        ],
    }


HOLDING = Holding("reach", frozenset({"learner_number"}), _export, forget)
