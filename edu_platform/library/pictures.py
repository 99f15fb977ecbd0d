"""Covers and illustrations as files: found by recipe, wanted as jobs, drawn in the worker.

A kind asks `cover` or `illustration` for what its page shows, and `want` for what is still missing. Drawing is
`tasks.drawing`; nothing here draws.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from edu_platform.config.settings import Settings
from edu_platform.core.jobs import enqueue
from edu_platform.core.models import OutboxMessage
from edu_platform.media.models import MediaFile
from edu_platform.media.operations import find_derived, recipe_of, url_of

DRAW_PICTURE: Final = "library.draw_picture"
SHIPPED: Final = Path(__file__).parents[2] / "content" / "illustrations"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that the platform draws: a cover with its title on a ground, or an illustration by itself."""

    illustration: str
    ground: str | None = None
    title: str = ""


def illustrations_folder(settings: Settings) -> Path:
    """Return where illustrations lie: what the last import brought, else those that the platform ships with."""
    imported = settings.data_dir / "illustrations"
    return imported if imported.is_dir() else SHIPPED


@lru_cache(maxsize=512)
def _digest(path: str, changed: int, size: int) -> str:
    del changed, size  # they make a changed file another key
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def illustration_digest(settings: Settings, name: str) -> str | None:
    """Return the SHA-256 (hex) of an illustration's file; None when there is none of that name."""
    path = illustrations_folder(settings) / f"{name}.svg"
    try:
        status = path.stat()
        return _digest(str(path), status.st_mtime_ns, status.st_size)
    except OSError:
        return None


def keep_illustration(settings: Settings, name: str, data: bytes) -> str:
    """Put an illustration where the worker draws from; say `new`, `changed` or `same`."""
    standing = illustrations_folder(settings) / f"{name}.svg"
    before = standing.read_bytes() if standing.is_file() else None
    if before == data:
        return "same"
    folder = settings.data_dir / "illustrations"
    if not folder.is_dir():  # what the platform ships with stays known
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(SHIPPED, folder)
    part = folder / f".{name}.{os.getpid()}"
    part.write_bytes(data)
    part.replace(folder / f"{name}.svg")  # a job that draws meanwhile sees the old one or the new one
    return "new" if before is None else "changed"


def drawing_fingerprint() -> str:
    """Return the digest of what decides how a drawing looks: what was drawn before a change is drawn again."""
    from edu_platform.media.drawing.fingerprint import fingerprint  # it loads Skia

    return fingerprint()


def picture_recipe(settings: Settings, picture: Picture) -> str:
    """Return the recipe of a drawn picture: the illustration's bytes, ground, title, programme, the drawing code."""
    art = illustration_digest(settings, picture.illustration)
    words = [picture.ground, picture.title, settings.programme if picture.ground else ""]
    return recipe_of("picture", art, words, drawing_fingerprint())


def find_picture(session: Session, settings: Settings, picture: Picture) -> MediaFile | None:
    """Return the drawn file, or None while it has not been drawn."""
    return find_derived(session, picture_recipe(settings, picture))


def shown(file: MediaFile | None) -> dict[str, Any] | None:
    """Return a file as a page names it: url, width, height, bytes, media_type."""
    if file is None:
        return None
    return {
        "url": url_of(file),
        "width": file.width,
        "height": file.height,
        "bytes": file.size,
        "media_type": file.media_type,
    }


def cover_of(meta: Mapping[str, Any]) -> Picture | None:
    """Return the cover that a piece's meta names, or None."""
    cover = meta.get("cover")
    return Picture(cover["illustration"], cover["ground"], meta["title"]) if cover else None


def show_cover(session: Session, settings: Settings, meta: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the drawn cover of a piece as a page names it; None without a cover or while it is not drawn."""
    cover = cover_of(meta)
    return shown(find_picture(session, settings, cover)) if cover else None


def want_cover(session: Session, settings: Settings, meta: Mapping[str, Any], *, piece_id: int) -> None:
    """Want the cover of a piece drawn, if it is not; the piece's page is refreshed afterwards."""
    cover = cover_of(meta)
    if cover:
        want_picture(session, settings, cover, piece_id=piece_id)


def want_picture(session: Session, settings: Settings, picture: Picture, *, piece_id: int) -> None:
    """Want a picture drawn for a piece, if it is not."""
    if find_picture(session, settings, picture) is None:
        want(
            session,
            DRAW_PICTURE,
            illustration=picture.illustration,
            ground=picture.ground,
            title=picture.title,
            piece_id=piece_id,
        )


def want(session: Session, job: str, **arguments: Any) -> None:
    """Enqueue a job unless the same one waits already."""
    session.flush()  # what this transaction enqueued counts too
    waiting = select(OutboxMessage.arguments).where(OutboxMessage.job == job, OutboxMessage.done_at.is_(None))
    if arguments not in session.scalars(waiting).all():
        enqueue(session, job, **arguments)
