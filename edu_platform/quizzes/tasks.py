"""What the worker does for quizzes by itself."""

from __future__ import annotations

from edu_platform.core.clock import now
from edu_platform.core.db import reading, writing
from edu_platform.core.jobs import every
from edu_platform.quizzes import queries
from edu_platform.quizzes.models import Attempt
from edu_platform.quizzes.operations import announce_pass, submit_if_over

BATCH = 200


@every(30, "quizzes.submit_overdue")
def submit_overdue() -> None:
    """Submit attempts whose time is over with what was saved, each in a transaction of its own."""
    at = now()
    for attempt_id in reading().scalars(queries.overdue(at, BATCH)).all():
        with writing() as session:
            attempt = session.get(Attempt, attempt_id)
            if attempt is not None:
                submit_if_over(session, attempt, at=at)


@every(30, "quizzes.announce_passes")
def announce_passes() -> None:
    """Announce the passes of quizzes whose results waited for the closing, now that it has come."""
    at = now()
    for attempt_id in reading().scalars(queries.passes_due(at, BATCH)).all():
        with writing() as session:
            announce_pass(session, attempt_id, at=at)
