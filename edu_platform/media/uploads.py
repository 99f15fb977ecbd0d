"""Taking in what staff upload: pictures at once, films by way of the worker.

What takes long (receiving, decoding, handing to the store) happens in `received`, before any transaction:
a file without a row is harmless, a write lock held for seconds is not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import select
from sqlalchemy.orm import Session

from edu_platform.core.jobs import enqueue
from edu_platform.media import inspection
from edu_platform.media.models import FileKind, FileState, MediaFile
from edu_platform.media.operations import ENDINGS, digest_of, keep, key_of
from edu_platform.media.storage import CHUNK, Store


@dataclass(frozen=True)
class Received:
    """An upload that was inspected and lies in the store; `path` is a copy at hand."""

    kind: FileKind
    path: Path
    facts: inspection.Facts


def _spool(source: BinaryIO, folder: Path) -> Path:
    path = folder / "upload"
    with path.open("wb") as file:
        while piece := source.read(CHUNK):
            file.write(piece)
    return path


@contextmanager
def received(store: Store, source: BinaryIO, kind: FileKind, name: str = "文件") -> Iterator[Received]:
    """Decode and re-encode a picture, or probe a film, and put it into the store; raise `Invalid` on field `file`."""
    with tempfile.TemporaryDirectory(prefix="edu-upload-") as scratch:
        folder = Path(scratch)
        path = _spool(source, folder)
        if kind is FileKind.PICTURE:
            facts = inspection.inspect_picture(path, folder / "clean", name)
            path = folder / "clean"
        else:
            facts = inspection.inspect_film(path, name)
        with path.open("rb") as file:
            digest, _ = digest_of(file)
            store.put(f"{digest}.{ENDINGS[facts.media_type]}", file, media_type=facts.media_type)
        yield Received(kind, path, facts)


def keep_received(session: Session, store: Store, upload: Received) -> MediaFile:
    """Keep an upload: a picture is ready, a film is `processing` until the worker has brought it to H.264 and AAC.

    A film's row names the upload; it is what an editor's draft refers to, before and after.
    """
    with upload.path.open("rb") as file:
        digest, _ = digest_of(file)
        known = session.scalar(select(MediaFile).where(MediaFile.digest == digest))
        kept = keep(
            session,
            store,
            file,
            kind=upload.kind,
            media_type=upload.facts.media_type,
            state=FileState.READY if upload.kind is FileKind.PICTURE else FileState.PROCESSING,
            width=upload.facts.width,
            height=upload.facts.height,
            duration_ms=upload.facts.duration_ms,
        )
    if upload.kind is FileKind.FILM and (known is None or kept.state is FileState.REFUSED):
        kept.state, kept.refusal = FileState.PROCESSING, None
        enqueue(session, "media.convert_film", file_id=kept.id)
    return kept


def fetch(store: Store, file: MediaFile, target: Path) -> None:
    """Copy a file out of the store."""
    with target.open("wb") as copy:
        for piece in store.read(key_of(file), 0, file.size):
            copy.write(piece)
