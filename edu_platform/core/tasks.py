"""Housekeeping of the core's own tables."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select

from edu_platform.core.clock import now
from edu_platform.core.db import reading, writing
from edu_platform.core.jobs import every
from edu_platform.core.models import IdempotentAnswer, OutboxMessage

ANSWERS_KEPT = timedelta(hours=48)
DONE_KEPT = timedelta(days=30)


@every(600, "core.prune")
def prune() -> None:
    """Forget answers kept for repeats after 48 hours, and finished jobs after 30 days."""
    at = now()
    old_answers = IdempotentAnswer.created_at < at - ANSWERS_KEPT
    old_jobs = OutboxMessage.done_at < at - DONE_KEPT
    if reading().scalar(select(IdempotentAnswer.id).where(old_answers).limit(1)) is None and (
        reading().scalar(select(OutboxMessage.id).where(old_jobs).limit(1)) is None
    ):
        return
    with writing() as session:
        session.execute(delete(IdempotentAnswer).where(old_answers))
        session.execute(delete(OutboxMessage).where(old_jobs))
