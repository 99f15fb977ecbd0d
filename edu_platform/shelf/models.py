"""Progress, favourites, and pieces opened: at most one row each for a learner and a piece."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from edu_platform.core.models import Base, BigId, CreatedAt, PrimaryKey


class PositionUnit(StrEnum):
    """In what a position is counted: the article's blocks, a film's milliseconds, hundredths of anything."""

    BLOCK = "block"
    MS = "ms"
    PERCENT = "percent"


class Progress(Base):
    """Where a learner stopped. `updated_at` is the client's clock: an older report never replaces a newer one.

    `finished` is what the newest report says, `finished_at` when it was first said.
    """

    __tablename__ = "progress"
    __table_args__ = (
        Index("uq_progress_learner_id_piece_id", "learner_id", "piece_id", unique=True),
        Index("ix_progress_learner_id_updated_at", "learner_id", "updated_at"),
        CheckConstraint("position >= 0", name="position"),
    )

    id: Mapped[PrimaryKey]
    learner_id: Mapped[int] = mapped_column(BigId, ForeignKey("learner.id"))
    piece_id: Mapped[int] = mapped_column(BigId, ForeignKey("piece.id"))
    unit: Mapped[PositionUnit]
    position: Mapped[int]
    finished: Mapped[bool] = mapped_column(default=False)
    finished_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class Favourite(Base):
    """A piece that a learner keeps. Taken off, the row stays with `removed_at`: putting it back is not news."""

    __tablename__ = "favourite"
    __table_args__ = (
        Index("uq_favourite_learner_id_piece_id", "learner_id", "piece_id", unique=True),
        Index("ix_favourite_learner_id_kept_at", "learner_id", "kept_at"),
    )

    id: Mapped[PrimaryKey]
    learner_id: Mapped[int] = mapped_column(BigId, ForeignKey("learner.id"))
    piece_id: Mapped[int] = mapped_column(BigId, ForeignKey("piece.id"))
    created_at: Mapped[CreatedAt]
    kept_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]


class Visit(Base):
    """When a learner last opened a piece."""

    __tablename__ = "visit"
    __table_args__ = (
        Index("uq_visit_learner_id_piece_id", "learner_id", "piece_id", unique=True),
        Index("ix_visit_learner_id_visited_at", "learner_id", "visited_at"),
    )

    id: Mapped[PrimaryKey]
    learner_id: Mapped[int] = mapped_column(BigId, ForeignKey("learner.id"))
    piece_id: Mapped[int] = mapped_column(BigId, ForeignKey("piece.id"))
    visited_at: Mapped[datetime]
