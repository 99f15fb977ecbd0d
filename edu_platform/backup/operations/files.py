"""Stored files: named by their digest and never changed, so that all backups share one pool of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from edu_platform.backup.operations.fingerprints import Progress
from edu_platform.backup.rules import FileEntry
from edu_platform.media.operations import ENDINGS
from edu_platform.media.storage import CHUNK, NoSuchFile, Store
from edu_platform.reach.operations import retention

POOL = "files"
_ENDINGS = {**ENDINGS, retention.MEDIA_TYPE: retention.ENDING}
FILES = (
    "SELECT digest, media_type, size, id IN (SELECT file_id FROM public_link) FROM media_file"
    " WHERE state <> 'refused'"
    " UNION ALL SELECT digest, 'application/gzip', size, 1 = 0 FROM beacon_archive ORDER BY 1"
)
"""What is stored, archives of the log included: digest, media type, size, whether the public may have it."""


def entries(rows: Iterable[Sequence[Any]]) -> list[FileEntry]:
    """Return the rows of `FILES` as entries."""
    return [
        FileEntry(f"{digest}.{_ENDINGS[media_type]}", size, bool(public), media_type)
        for digest, media_type, size, public in rows
        if media_type in _ENDINGS
    ]


def pool_path(root: Path, key: str) -> Path:
    """Return where a file lies in the pool."""
    return root / POOL / key[:2] / key


def copy_files(
    store: Store, root: Path, wanted: Sequence[FileEntry], progress: Progress
) -> tuple[list[FileEntry], list[str]]:
    """Copy what the pool lacks out of the store; return what the pool now has, and what the store did not have."""
    kept, missing = [], []
    for done, entry in enumerate(wanted):
        progress("复制文件", done, len(wanted))
        target = pool_path(root, entry.key)
        if target.exists() and target.stat().st_size == entry.size:
            kept.append(entry)
            continue
        try:
            _copy_one(store, target, entry.key)
            kept.append(entry)
        except (NoSuchFile, _Wrong):
            missing.append(entry.key)
    progress("复制文件", len(wanted), len(wanted))
    return kept, missing


def put_files_back(store: Store, root: Path, wanted: Sequence[FileEntry], progress: Progress) -> list[str]:
    """Put the pool's files into the store, published ones in public reach; return those that are damaged or gone."""
    wrong = []
    for done, entry in enumerate(wanted):
        progress("恢复文件", done, len(wanted))
        path = pool_path(root, entry.key)
        if not path.exists() or _digest(path) != entry.key.split(".")[0]:
            wrong.append(entry.key)
            continue
        with path.open("rb") as source:
            store.put(entry.key, source, media_type=entry.media_type)
        if entry.public:
            store.publish(entry.key)
    progress("恢复文件", len(wanted), len(wanted))
    return wrong


def prune_pool(root: Path, still: set[str]) -> int:
    """Drop what no backup names any more; return how many."""
    dropped = 0
    for path in (root / POOL).rglob("*"):
        if path.is_file() and path.name not in still:
            path.unlink()
            dropped += 1
    return dropped


class _Wrong(Exception):
    """The store gave other bytes than the key promises."""


def _copy_one(store: Store, target: Path, key: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    hasher = hashlib.sha256()
    try:
        with part.open("wb") as file:
            for piece in store.read(key, 0, store.size(key)):
                hasher.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        if hasher.hexdigest() != key.split(".", maxsplit=1)[0]:
            raise _Wrong(key)
        part.replace(target)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def _digest(path: Path) -> str:
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            hasher.update(piece)
    return hasher.hexdigest()
