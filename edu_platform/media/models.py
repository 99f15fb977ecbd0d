"""What the platform knows of a file."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from edu_platform.core.models import Base, BigId, CreatedAt, PrimaryKey


class FileKind(StrEnum):
    """What a file holds."""

    PICTURE = "picture"
    FILM = "film"
    DOCUMENT = "document"


class FileState(StrEnum):
    """How far a file has come."""

    PROCESSING = "processing"
    READY = "ready"
    REFUSED = "refused"


class MediaFile(Base):
    """One file in storage, named by the SHA-256 of its bytes (`digest`, hex); the same bytes are one row.

    `state` is `processing` while the worker still has to bring an upload to its published form:
    then `digest` names the upload and `successor_id` will name the finished file.
    """

    __tablename__ = "media_file"

    id: Mapped[PrimaryKey]
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[FileKind]
    state: Mapped[FileState]
    media_type: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigId)
    width: Mapped[int | None]
    height: Mapped[int | None]
    duration_ms: Mapped[int | None]
    refusal: Mapped[str | None] = mapped_column(String(400))
    successor_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("media_file.id"))
    created_at: Mapped[CreatedAt]


class DerivedFile(Base):
    """A file that the platform made: found again by `recipe`, the digest of everything that went into it."""

    __tablename__ = "derived_file"

    id: Mapped[PrimaryKey]
    recipe: Mapped[str] = mapped_column(String(64), unique=True)
    file_id: Mapped[int] = mapped_column(BigId, ForeignKey("media_file.id"))
    made_at: Mapped[CreatedAt]


class PublicLink(Base):
    """One holder's wish that anyone may fetch a file; without a holder the file is not public."""

    __tablename__ = "public_link"
    __table_args__ = (UniqueConstraint("holder", "file_id"),)

    id: Mapped[PrimaryKey]
    holder: Mapped[str] = mapped_column(String(80))
    file_id: Mapped[int] = mapped_column(BigId, ForeignKey("media_file.id"), index=True)
    linked_at: Mapped[CreatedAt]
