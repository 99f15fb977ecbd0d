"""Who may decide a case, and when."""

from __future__ import annotations

from edu_platform.review.errors import AlreadyDecided, NotThisDigest, OwnWork
from edu_platform.review.models import CaseState

MOVES: dict[CaseState, frozenset[CaseState]] = {
    CaseState.OPEN: frozenset({CaseState.APPROVED, CaseState.RETURNED, CaseState.REPLACED}),
    CaseState.APPROVED: frozenset(),
    CaseState.RETURNED: frozenset(),
    CaseState.REPLACED: frozenset(),
}


def require_move(now: CaseState, then: CaseState) -> None:
    """Refuse a move that the table does not have."""
    if then not in MOVES[now]:
        raise AlreadyDecided


def require_other(by: int, author_id: int | None, opened_by: int | None) -> None:
    """Refuse whoever wrote or submitted what is decided on."""
    if by in (author_id, opened_by):
        raise OwnWork


def require_digest(held: str, given: str) -> None:
    """Refuse a decision about anything but exactly what the case holds."""
    if held != given:
        raise NotThisDigest
