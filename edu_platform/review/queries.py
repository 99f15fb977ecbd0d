"""Selects over review cases."""

from __future__ import annotations

from sqlalchemy import Select, select

from edu_platform.review.models import CaseState, ReviewCase


def cases(*, state: CaseState | None = None, before: int | None = None) -> Select[ReviewCase]:
    """Return cases, newest first; `before` is the id of the last one seen."""
    found = select(ReviewCase).order_by(ReviewCase.id.desc())
    if state is not None:
        found = found.where(ReviewCase.state == state)
    if before is not None:
        found = found.where(ReviewCase.id < before)
    return found


def about(subject: str, digest: str | None = None) -> Select[ReviewCase]:
    """Return the cases about a subject (and exactly one digest), newest first."""
    found = cases().where(ReviewCase.subject == subject)
    return found if digest is None else found.where(ReviewCase.digest == digest)


def open_about(subject: str) -> Select[ReviewCase]:
    """Return the open case about a subject: at most one."""
    return about(subject).where(ReviewCase.state == CaseState.OPEN)
