"""Cases: one submission of exactly one digest, and how it was decided."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from edu_platform.core.models import Base, BigId, CreatedAt, PrimaryKey


class CaseState(StrEnum):
    """How far a case has come; `replaced` means that a newer submission of the same subject took its place."""

    OPEN = "open"
    APPROVED = "approved"
    RETURNED = "returned"
    REPLACED = "replaced"


class ReviewCase(Base):
    """One submission: `subject` (`piece:<id>`) with exactly the content that `digest` names.

    People are kept by value (staff ids): a decision outlives the account. `author_id` is None for material
    that came from files, whose authors are not staff. The table itself refuses an approval by author or opener.
    """

    __tablename__ = "review_case"
    __table_args__ = (
        CheckConstraint("(state = 'open') = (decided_at IS NULL)", name="decided"),
        CheckConstraint("state <> 'returned' OR length(trim(comment)) > 0", name="return_has_comment"),
        CheckConstraint(
            "state <> 'approved' OR (decided_by IS NOT NULL"
            " AND (author_id IS NULL OR decided_by <> author_id)"
            " AND (opened_by IS NULL OR decided_by <> opened_by))",
            name="nobody_approves_own",
        ),
        Index(
            "uq_review_case_open",
            "subject",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
        Index("ix_review_case_subject_digest", "subject", "digest"),
        Index("ix_review_case_state", "state", "id"),
    )

    id: Mapped[PrimaryKey]
    subject: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(120))
    location: Mapped[str] = mapped_column(String(200))
    author_id: Mapped[int | None] = mapped_column(BigId)
    opened_by: Mapped[int | None] = mapped_column(BigId)
    opened_at: Mapped[CreatedAt]
    state: Mapped[CaseState] = mapped_column(default=CaseState.OPEN)
    decided_by: Mapped[int | None] = mapped_column(BigId)
    decided_at: Mapped[datetime | None]
    comment: Mapped[str] = mapped_column(Text, default="")
