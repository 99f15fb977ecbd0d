"""What the platform knows of a file."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ForeignKey, String
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
    """A file that anyone may fetch, since when; withdrawal removes the row and the link in the public folder."""

    __tablename__ = "public_link"

    id: Mapped[PrimaryKey]
    file_id: Mapped[int] = mapped_column(BigId, ForeignKey("media_file.id"), unique=True)
    holders: Mapped[int] = mapped_column(default=1)
    linked_at: Mapped[CreatedAt]


