"""Practising one's own mistakes again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from edu_platform.core.errors import Conflict
from edu_platform.people.models import Learner
from edu_platform.quizzes import queries
from edu_platform.quizzes.errors import NothingToPractise
from edu_platform.quizzes.models import Attempt
from edu_platform.quizzes.operations.attempts import Started, start_practice


def practise(session: Session, learner: Learner, *, client_id: str, count: int, at: datetime) -> Started:
    """Begin practice on up to `count` of the latest mistakes, or return the practice in progress or repeated.

    Each question in the version that was answered wrongly; retired ones are left out. It needs no slot, is announced to nobody and ranks
    nowhere; a right answer clears the mistake. Raise `NothingToPractise`.
    """
    repeated = session.scalar(
        select(Attempt).where(Attempt.learner_id == learner.id, Attempt.client_id == client_id)
    )
    if repeated is not None:
        if not repeated.is_practice:
            raise Conflict("这个 client_id 已用于一份问答，请换一个。", code="client_id_taken")
        return Started(repeated, is_new=False)
    current = session.scalars(queries.running(learner.id, None)).first()
    if current is not None:
        return Started(current, is_new=False)
    mistakes = session.scalars(queries.practisable(learner.id, at).limit(count)).all()
    if not mistakes:
        raise NothingToPractise("现在没有可以重练的错题。")
    return start_practice(
        session, learner, [mistake.version_id for mistake in mistakes], client_id=client_id, at=at
    )
