"""Taking in what staff upload: pictures at once, films by way of the worker."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import select
from sqlalchemy.orm import Session

from edu_platform.core.jobs import enqueue
from edu_platform.media import inspection
from edu_platform.media.models import FileKind, FileState, MediaFile
from edu_platform.media.operations import digest_of, keep, key_of
from edu_platform.media.storage import CHUNK, Store


def _spool(source: BinaryIO, folder: Path) -> Path:
    path = folder / "upload"
    with path.open("wb") as file:
        while piece := source.read(CHUNK):
            file.write(piece)
    return path


def keep_picture(session: Session, store: Store, source: BinaryIO) -> MediaFile:
    """Decode and re-encode an uploaded picture, and keep it; raise `Invalid` on field `file`."""
    with tempfile.TemporaryDirectory(prefix="edu-upload-") as folder:
        target = Path(folder) / "clean"
        facts = inspection.inspect_picture(_spool(source, Path(folder)), target)
        with target.open("rb") as clean:
            return keep(
                session,
                store,
                clean,
                kind=FileKind.PICTURE,
                media_type=facts.media_type,
                width=facts.width,
                height=facts.height,
            )


def keep_film(session: Session, store: Store, source: BinaryIO) -> MediaFile:
    """Probe an uploaded film and keep it as `processing`; the worker will bring it to H.264 and AAC.

    The row's digest names the upload; it is what an editor's draft refers to, before and after.
    """
    with tempfile.TemporaryDirectory(prefix="edu-upload-") as folder:
        path = _spool(source, Path(folder))
        facts = inspection.inspect_film(path)
        with path.open("rb") as upload:
            digest, _ = digest_of(upload)
            known = session.scalar(select(MediaFile).where(MediaFile.digest == digest))
            file = known or keep(
                session,
                store,
                upload,
                kind=FileKind.FILM,
                media_type=facts.media_type,
                state=FileState.PROCESSING,
                width=facts.width,
                height=facts.height,
                duration_ms=facts.duration_ms,
            )
    if known is None or file.state is FileState.REFUSED:
        file.state, file.refusal = FileState.PROCESSING, None
        enqueue(session, "media.convert_film", file_id=file.id)
    return file


def fetch(store: Store, file: MediaFile, target: Path) -> None:
    """Copy a file out of the store."""
    with target.open("wb") as copy:
        for piece in store.read(key_of(file), 0, file.size):
            copy.write(piece)
