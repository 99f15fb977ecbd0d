"""Keeping files, finding what was made before, and letting the public have them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from typing import Any, BinaryIO

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from edu_platform.media.models import DerivedFile, FileKind, FileState, MediaFile, PublicLink
from edu_platform.media.storage import CHUNK, Store

ENDINGS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "text/vtt": "vtt",
}


def key_of(file: MediaFile) -> str:
    """Return the file's name in the store and in its public address."""
    return f"{file.digest}.{ENDINGS[file.media_type]}"


def url_of(file: MediaFile) -> str:
    """Return the file's public address, relative to the platform's own."""
    return f"/media/{key_of(file)}"


def digest_of(source: BinaryIO) -> tuple[str, int]:
    """Return the SHA-256 (hex) and the length of `source`, and rewind it."""
    hasher, size = hashlib.sha256(), 0
    while piece := source.read(CHUNK):
        hasher.update(piece)
        size += len(piece)
    source.seek(0)
    return hasher.hexdigest(), size


def keep(
    session: Session,
    store: Store,
    source: BinaryIO | bytes,
    *,
    kind: FileKind,
    media_type: str,
    state: FileState = FileState.READY,
    width: int | None = None,
    height: int | None = None,
    duration_ms: int | None = None,
) -> MediaFile:
    """Keep a file whose bytes the platform made or has inspected; the same bytes give the same row.

    The bytes are in the store before the row is written: a file without a row is harmless.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    digest, size = digest_of(stream)
    found = session.scalar(select(MediaFile).where(MediaFile.digest == digest))
    if found is not None:
        if found.state is not FileState.READY and state is FileState.READY:
            found.state, found.refusal = state, None
        return found
    file = MediaFile(
        digest=digest,
        kind=kind,
        state=state,
        media_type=media_type,
        size=size,
        width=width,
        height=height,
        duration_ms=duration_ms,
    )
    store.put(key_of(file), stream, media_type=media_type)
    session.add(file)
    session.flush()  # the caller refers to its id
    return file


def find_file(session: Session, digest: str) -> MediaFile | None:
    """Return the finished file that `digest` (of the file itself, or of an upload since converted) names."""
    file = session.scalar(select(MediaFile).where(MediaFile.digest == digest))
    if file is not None and file.successor_id is not None:
        return session.get(MediaFile, file.successor_id)
    return file


def recipe_of(*ingredients: Any) -> str:
    """Return the digest of everything that goes into a derived file (JSON values)."""
    return hashlib.sha256(orjson.dumps(ingredients, option=orjson.OPT_SORT_KEYS)).hexdigest()


def find_derived(session: Session, recipe: str) -> MediaFile | None:
    """Return the file made from `recipe` before, or None."""
    return session.scalar(
        select(MediaFile)
        .join(DerivedFile, DerivedFile.file_id == MediaFile.id)
        .where(DerivedFile.recipe == recipe)
    )


def keep_derived(
    session: Session,
    store: Store,
    recipe: str,
    source: BinaryIO | bytes,
    *,
    kind: FileKind,
    media_type: str,
    width: int | None = None,
    height: int | None = None,
    duration_ms: int | None = None,
) -> MediaFile:
    """Keep what was made from `recipe`; when somebody else was faster, theirs stands."""
    before = find_derived(session, recipe)
    if before is not None:
        return before
    file = keep(
        session,
        store,
        source,
        kind=kind,
        media_type=media_type,
        width=width,
        height=height,
        duration_ms=duration_ms,
    )
    session.add(DerivedFile(recipe=recipe, file_id=file.id))
    session.flush()  # a second maker of the same recipe must find it
    return file


def publish_files(session: Session, store: Store, *, holder: str, files: Iterable[MediaFile]) -> None:
    """Let the public have exactly `files` on behalf of `holder` (`piece:12`); what it held before and no more is let go.

    A file leaves public reach when its last holder lets go. Calling it twice changes nothing.
    """
    wanted = {file.id: file for file in files}
    held = {
        link.file_id: link for link in session.scalars(select(PublicLink).where(PublicLink.holder == holder))
    }
    for file_id, file in wanted.items():
        if file_id not in held:
            session.add(PublicLink(holder=holder, file_id=file_id))
            store.publish(key_of(file))
    for file_id, link in held.items():
        if file_id not in wanted:
            session.delete(link)
    session.flush()  # the question below must see what was let go
    for file_id in held.keys() - wanted.keys():
        if session.scalar(select(PublicLink.id).where(PublicLink.file_id == file_id).limit(1)) is None:
            store.unpublish(key_of(session.get_one(MediaFile, file_id)))


def is_public(session: Session, digest: str) -> MediaFile | None:
    """Return the file if anyone may fetch it."""
    return session.scalar(
        select(MediaFile)
        .join(PublicLink, PublicLink.file_id == MediaFile.id)
        .where(MediaFile.digest == digest)
    )
