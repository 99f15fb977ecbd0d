"""Pieces and their revisions; the catalogue that learners read; placements and popularity."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from edu_platform.core.models import Base, BigId, CreatedAt, PrimaryKey
from edu_platform.core.vocabulary import Audience, Right


class RevisionState(StrEnum):
    """How far a revision has come; `rules.MOVES` says what may follow."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    RETURNED = "returned"
    SCHEDULED = "scheduled"
    PUBLISHED = "published"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Column(Base):
    """A standing column (栏目) that pieces belong to; `position` orders them."""

    __tablename__ = "library_column"

    id: Mapped[PrimaryKey]
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    title: Mapped[str] = mapped_column(String(40))
    intro: Mapped[str] = mapped_column(String(400))
    position: Mapped[int]


class Piece(Base):
    """One piece for its whole life: the slug and kind never change, what it says lies in its revisions."""

    __tablename__ = "piece"

    id: Mapped[PrimaryKey]
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[CreatedAt]
    first_published_at: Mapped[datetime | None]

    revisions: Mapped[list[Revision]] = relationship(
        back_populates="piece", order_by="Revision.number", lazy="raise", passive_deletes=True
    )

    @property
    def subject(self) -> str:
        """The name under which `review` knows this piece."""
        return f"piece:{self.id}"


class Revision(Base):
    """What a piece says, once: never changed after it is made, only its `state` moves.

    `digest` is the SHA-256 (hex) over canonical JSON of kind, slug, meta, body and depends. `depends` is what the
    kind said the body rests on when the revision was made; `frozen` what publishing pinned. `author_id` is a staff
    id by value, None for material from files.
    """

    __tablename__ = "revision"
    __table_args__ = (
        UniqueConstraint("piece_id", "number"),
        CheckConstraint("number >= 1", name="number"),
        CheckConstraint("length(digest) = 64", name="digest"),
        CheckConstraint(
            "state NOT IN ('scheduled', 'published') OR visible_from IS NOT NULL", name="visible_from"
        ),
        Index(
            "uq_revision_published",
            "piece_id",
            unique=True,
            sqlite_where=text("state = 'published'"),
            postgresql_where=text("state = 'published'"),
        ),
        Index(
            "uq_revision_scheduled",
            "piece_id",
            unique=True,
            sqlite_where=text("state = 'scheduled'"),
            postgresql_where=text("state = 'scheduled'"),
        ),
        Index("ix_revision_state", "state", "visible_from"),
    )

    id: Mapped[PrimaryKey]
    piece_id: Mapped[int] = mapped_column(BigId, ForeignKey("piece.id"))
    number: Mapped[int]
    meta: Mapped[dict[str, Any]]
    body: Mapped[dict[str, Any]]
    depends: Mapped[Any] = mapped_column(JSON)
    digest: Mapped[str] = mapped_column(String(64))
    state: Mapped[RevisionState] = mapped_column(default=RevisionState.DRAFT)
    author_id: Mapped[int | None] = mapped_column(BigId)
    created_at: Mapped[CreatedAt]
    frozen: Mapped[dict[str, Any]] = mapped_column(default=dict)
    visible_from: Mapped[datetime | None]
    visible_until: Mapped[datetime | None]
    published_by: Mapped[int | None] = mapped_column(BigId)

    piece: Mapped[Piece] = relationship(back_populates="revisions", lazy="joined", innerjoin=True)


class CatalogueEntry(Base):
    """A published revision as learners get it: its card and page as bytes, visible in a half-open window.

    Read by `queries.visible`; while a newer revision waits for its hour, a piece has two entries whose windows
    touch. `published_at` is when the piece first appeared, `updated_at` when this revision did. `text` is what
    searching finds; `files` are the digests of the media that card and page name.
    """

    __tablename__ = "catalogue_entry"
    __table_args__ = (
        CheckConstraint("visible_until IS NULL OR visible_until >= visible_from", name="window"),
        Index("ix_catalogue_entry_newest", "published_at", "piece_id"),
        Index("ix_catalogue_entry_slug", "slug"),
        Index("ix_catalogue_entry_piece_id", "piece_id"),
    )

    id: Mapped[PrimaryKey]
    piece_id: Mapped[int] = mapped_column(BigId, ForeignKey("piece.id"))
    revision_id: Mapped[int] = mapped_column(BigId, ForeignKey("revision.id"), unique=True)
    slug: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(32))
    column_slug: Mapped[str] = mapped_column(String(64), ForeignKey("library_column.slug"))
    title: Mapped[str] = mapped_column(String(120))
    published_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    visible_from: Mapped[datetime]
    visible_until: Mapped[datetime | None]
    ready: Mapped[bool]
    files: Mapped[list[str]]
    card: Mapped[bytes] = mapped_column(LargeBinary)
    page: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    page_gzip: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    etag: Mapped[str] = mapped_column(String(80))
    etag_gzip: Mapped[str] = mapped_column(String(80))
    text: Mapped[str] = mapped_column(Text, deferred=True)


class EntryAudience(Base):
    """For whom an entry is."""

    __tablename__ = "catalogue_audience"
    __table_args__ = (Index("ix_catalogue_audience_audience", "audience", "entry_id"),)

    entry_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("catalogue_entry.id", ondelete="CASCADE"), primary_key=True
    )
    audience: Mapped[Audience] = mapped_column(primary_key=True)


class EntryRight(Base):
    """Which rights an entry teaches."""

    __tablename__ = "catalogue_right"
    __table_args__ = (Index("ix_catalogue_right_right", "right", "entry_id"),)

    entry_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("catalogue_entry.id", ondelete="CASCADE"), primary_key=True
    )
    right: Mapped[Right] = mapped_column(primary_key=True)


class CatalogueVersion(Base):
    """One row: `token` changes with the catalogue, `popularity` with the order of "most read"."""

    __tablename__ = "catalogue_version"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[PrimaryKey]
    token: Mapped[str] = mapped_column(String(32))
    popularity: Mapped[str] = mapped_column(String(32))


class Placement(Base):
    """A campaign carries a piece in a half-open window of time; written by `campaigns`, outside the digest."""

    __tablename__ = "placement"
    __table_args__ = (
        UniqueConstraint("campaign_code", "piece_id"),
        CheckConstraint("ends_at > starts_at", name="window"),
        Index("ix_placement_piece_id", "piece_id"),
    )

    id: Mapped[PrimaryKey]
    piece_id: Mapped[int] = mapped_column(BigId, ForeignKey("piece.id"))
    campaign_code: Mapped[str] = mapped_column(String(64))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]


class Popularity(Base):
    """How often a piece was read; one row a piece, made with it."""

    __tablename__ = "popularity"
    __table_args__ = (
        CheckConstraint("reads >= 0", name="reads"),
        Index("ix_popularity_reads", "reads", "piece_id"),
    )

    piece_id: Mapped[int] = mapped_column(BigId, ForeignKey("piece.id"), primary_key=True)
    reads: Mapped[int] = mapped_column(BigId, default=0)


class ContentImport(Base):
    """One row: the state of `content/` that was last imported whole, so that the same one need not be read again."""

    __tablename__ = "content_import"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[PrimaryKey]
    fingerprint: Mapped[str] = mapped_column(String(64))
    imported_at: Mapped[datetime]
