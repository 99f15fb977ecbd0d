"""Appearing and expiring by the clock, and rendering again what was waiting for files."""

from __future__ import annotations

from edu_platform.core.db import reading, writing
from edu_platform.core.jobs import every, job
from edu_platform.library import operations

REFRESH = "library.refresh"


@every(5, "library.due")
def move_states() -> None:
    """Bring revisions' states up to the clock; what learners see has followed it already."""
    if not operations.anything_due(reading()):
        reading().rollback()
        return
    with writing() as session:
        operations.due_transitions(session)


@job(REFRESH)
def refresh(piece_id: int) -> None:
    """Render a published piece again."""
    with writing() as session:
        operations.refresh(session, piece_id)
