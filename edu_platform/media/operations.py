"""Keeping files, finding what was made before, and letting the public have them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, BinaryIO

import orjson
from sqlalchemy import delete, event, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from edu_platform.media.errors import StoreAway
from edu_platform.media.models import DerivedFile, FileKind, FileState, MediaFile, PublicLink
from edu_platform.media.storage import CHUNK, NoSuchFile, Store

STRAYS_AFTER = 900.0
"""Seconds after which a file that nobody holds is taken out of public reach, if it got there."""
ENDINGS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "text/vtt": "vtt",
}
MEDIA_TYPES = {ending: media_type for media_type, ending in ENDINGS.items()}


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


def show_files(session: Session, store: Store, *, holder: str, digests: Iterable[str]) -> None:
    """Let the public have these files on behalf of `holder` (`piece:12`); twice changes nothing."""
    held = set(session.scalars(select(PublicLink.file_id).where(PublicLink.holder == holder)))
    for file in _files(session, digests):
        if file.id not in held:
            session.add(PublicLink(holder=holder, file_id=file.id))
            store.publish(key_of(file))
            _remember(session, store, file)
    session.flush()  # `is_public` and `hide_files` ask the table


def hide_files(session: Session, store: Store, *, holder: str, digests: Iterable[str]) -> None:
    """Let go of these files for `holder`; one that nobody holds any more leaves public reach."""
    files = {file.id: file for file in _files(session, digests)}
    session.execute(delete(PublicLink).where(PublicLink.holder == holder, PublicLink.file_id.in_(files)))
    still = set(session.scalars(select(PublicLink.file_id).where(PublicLink.file_id.in_(files))))
    for file_id in files.keys() - still:
        store.unpublish(key_of(files[file_id]))
        _remember(session, store, files[file_id])


def _files(session: Session, digests: Iterable[str]) -> list[MediaFile]:
    return list(session.scalars(select(MediaFile).where(MediaFile.digest.in_(list(digests)))))


# ---- the public folder follows the table: it changes with the transaction, and goes back with it

_CHANGED = "public_files_changed"


def _remember(session: Session, store: Store, file: MediaFile) -> None:
    engine = session.connection().engine
    session.info.setdefault(_CHANGED, []).append((engine, store, file.digest, key_of(file)))


@event.listens_for(Session, "after_commit")
def _is_settled(session: Session) -> None:
    session.info.pop(_CHANGED, None)


@event.listens_for(Session, "after_rollback")
def _take_back(session: Session) -> None:
    """Let the store say again what the table says; what fails here is found by `mend_public`."""
    for engine, store, digest, key in session.info.pop(_CHANGED, ()):
        with suppress(SQLAlchemyError, StoreAway, NoSuchFile, OSError), Session(engine) as other:
            if is_public(other, digest) is None:
                store.unpublish(key)
            else:
                store.publish(key)


def mend_public(session: Session, store: Store, *, at: float, older_than: float = STRAYS_AFTER) -> list[str]:
    """Publish what should be public and is not, unpublish what should not; return the keys (a crash leaves such).

    A file that became public in the last `older_than` seconds may belong to a transaction that is not yet over.
    """
    wanted = select(MediaFile).where(MediaFile.id.in_(select(PublicLink.file_id)))
    there = store.published()
    files = {key_of(file): file for file in session.scalars(wanted)}
    mended = []
    for key in files.keys() - there.keys():
        # under lock: somebody may be withdrawing it at this moment
        link = select(PublicLink.id).where(PublicLink.file_id == files[key].id).with_for_update()
        if session.scalars(link).first() is not None:
            with suppress(NoSuchFile):  # its bytes are lost, which a page shows better than this job
                store.publish(key)
                mended.append(key)
    for key in there.keys() - files.keys():
        if at - there[key] >= older_than:
            store.unpublish(key)
            mended.append(key)
    return sorted(mended)


def is_public(session: Session, digest: str) -> MediaFile | None:
    """Return the file if anyone may fetch it."""
    return session.scalar(
        select(MediaFile)
        .join(PublicLink, PublicLink.file_id == MediaFile.id)
        .where(MediaFile.digest == digest)
    )
