"""Opening and deciding cases; `is_approved` is the gate that publishing asks."""

from __future__ import annotations

from sqlalchemy.orm import Session

from edu_platform.audit.operations import record
from edu_platform.core.clock import now
from edu_platform.core.errors import FieldError, Invalid, NotFound
from edu_platform.review import queries, rules
from edu_platform.review.models import CaseState, ReviewCase
from edu_platform.review.signals import Decided, case_decided

LONGEST_COMMENT = 2000


def open_case(
    session: Session,
    *,
    subject: str,
    digest: str,
    title: str,
    location: str,
    author: int | None,
    by: int | None,
) -> ReviewCase:
    """Open a case about exactly `digest`; an open case about the same subject is replaced, the same digest is kept.

    `title` and `location` (an address of the API) tell the reviewer what it is and where to read it. `author` and
    `by` are staff ids, None for material that came from files.
    """
    standing = session.scalar(queries.open_about(subject).with_for_update())
    if standing is not None:
        if standing.digest == digest:
            return standing
        _close(standing, CaseState.REPLACED, by, "已由新的送审版本取代。")
        session.flush()
    case = ReviewCase(
        subject=subject,
        digest=digest,
        title=title,
        location=location,
        author_id=author,
        opened_by=by,
        opened_at=now(),
        state=CaseState.OPEN,
        comment="",
    )
    session.add(case)
    session.flush()
    return case


def case_of(session: Session, case_id: int) -> ReviewCase:
    """Return a case, locked for a decision; NotFound otherwise."""
    case = session.get(ReviewCase, case_id, with_for_update=True, populate_existing=True)
    if case is None:
        raise NotFound("没有这个审查事项。")
    return case


def approve(session: Session, case: ReviewCase, *, digest: str, by: int, comment: str = "") -> ReviewCase:
    """Approve exactly `digest`. Refuses the author, the opener, another digest, and a case that is decided.

    Approving again what the same person approved changes nothing.
    """
    rules.require_digest(case.digest, digest)
    rules.require_other(by, case.author_id, case.opened_by)
    if case.state is CaseState.APPROVED and case.decided_by == by:
        return case
    return _decide(session, case, CaseState.APPROVED, by, comment)


def return_case(session: Session, case: ReviewCase, *, comment: str, by: int) -> ReviewCase:
    """Send a case back with what must change; refuses an empty comment, the author and the opener."""
    text = comment.strip()
    if not text:
        raise Invalid([FieldError("comment", "退回须说明要修改什么。", "required")])
    rules.require_other(by, case.author_id, case.opened_by)
    return _decide(session, case, CaseState.RETURNED, by, text)


def drop_open(session: Session, subject: str, *, by: int | None) -> None:
    """Close the open case about a subject, if there is one, because its content is no longer wanted."""
    standing = session.scalar(queries.open_about(subject).with_for_update())
    if standing is not None:
        _close(standing, CaseState.REPLACED, by, "送审版本已不再使用。")
        session.flush()


def is_approved(session: Session, subject: str, digest: str) -> bool:
    """Say whether the latest case about exactly this content was approved."""
    latest = session.scalar(queries.about(subject, digest).limit(1))
    return latest is not None and latest.state is CaseState.APPROVED


def _decide(session: Session, case: ReviewCase, state: CaseState, by: int, comment: str) -> ReviewCase:
    rules.require_move(case.state, state)
    _close(case, state, by, comment[:LONGEST_COMMENT])
    session.flush()
    record(
        session,
        actor=f"staff:{by}",
        action=f"review.{state.value}",
        subject=case.subject,
        facts={"case": case.id, "digest": case.digest, "comment": case.comment},
    )
    case_decided.send(session, Decided(case.id, case.subject, case.digest, state, by, case.comment))
    return case


def _close(case: ReviewCase, state: CaseState, by: int | None, comment: str) -> None:
    rules.require_move(case.state, state)
    case.state, case.decided_by, case.decided_at, case.comment = state, by, now(), comment
