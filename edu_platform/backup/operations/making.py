"""Making a backup: database first, then files, then the key store apart; called one only when it was proved whole."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from edu_platform.backup.errors import BackupFailed
from edu_platform.backup.operations import postgresql, sqlite
from edu_platform.backup.operations.files import copy_files, prune_pool
from edu_platform.backup.operations.fingerprints import Progress
from edu_platform.backup.rules import (
    MANIFEST,
    UNFINISHED,
    Kind,
    Manifest,
    begun_at,
    name_of,
    overdue,
    read,
)
from edu_platform.config.settings import Settings
from edu_platform.core.clock import now
from edu_platform.media.errors import StoreAway
from edu_platform.media.storage import Store
from edu_platform.people.keystore import KeyStore

KEYS = "keys.sqlite3"
AWAY = "文件存储没有应答，备份没有完成；已写入的部分已删除，请稍后再试。"


@dataclass(frozen=True)
class Made:
    """What a backup came to."""

    path: Path
    manifest: Manifest
    keys: Path
    rehearsed: bool
    pruned: int


def make(
    settings: Settings,
    store: Store,
    root: Path,
    *,
    keys_to: Path,
    base: bool,
    keep: timedelta,
    progress: Progress,
) -> Made:
    """Make one backup under `root` and the newest copy of the key store under `keys_to`; prune what is older than `keep`.

    Raise `BackupFailed`, with nothing left that could be taken for a backup.
    """
    _apart(root, keys_to)
    kind = Kind.SQLITE if settings.on_sqlite else Kind.BASE if base else Kind.DUMP
    if base and settings.on_sqlite:
        raise BackupFailed("--base 只用于 PostgreSQL；SQLite 的备份已经是整库。")
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise _in_words(wrong, root) from wrong
    begun = now()
    with _alone(root):
        for rest in root.glob(f"{UNFINISHED}*"):  # nobody else is at work: what is unfinished stays so
            shutil.rmtree(rest)
        part, final = root / f"{UNFINISHED}{name_of(begun, kind)}", root / name_of(begun, kind)
        if final.exists():
            raise BackupFailed(f"{final} 已经存在：一秒之内只能备份一次。")
        try:
            part.mkdir(mode=0o700)
            manifest, rehearsed = _fill(settings, store, part, kind, progress)
            try:
                keys = _copy_keys(KeyStore(settings.keys_url), keys_to)
            except Exception as wrong:
                raise _in_words(wrong, keys_to) from wrong
            (part / MANIFEST).write_text(manifest.dump())
            _sync(part)
            part.rename(final)
            _sync_folder(root)
        except BaseException as wrong:
            shutil.rmtree(part, ignore_errors=True)
            raise _in_words(wrong, root) from wrong
        return Made(final, manifest, keys, rehearsed, prune(root, keep=keep))


def prune(root: Path, *, keep: timedelta) -> int:
    """Drop the backups whose time is over, and the files that none of the others names; return how many backups."""
    due = overdue((path.name for path in finished(root)), at=now(), keep=keep)
    for name in due:
        (root / name).rename(root / f"{UNFINISHED}{name}")  # never half of something that looks whole
        shutil.rmtree(root / f"{UNFINISHED}{name}")
    if due:
        prune_pool(root, {e.key for path in finished(root) for e in manifest_of(path).files})
    return len(due)


def finished(root: Path) -> list[Path]:
    """Return the backups under `root`, oldest first."""
    return sorted(
        path for path in root.iterdir() if begun_at(path.name) is not None and (path / MANIFEST).is_file()
    )


def manifest_of(path: Path) -> Manifest:
    """Return what a backup says of itself; raise `BackupFailed` when it is none."""
    try:
        return read((path / MANIFEST).read_text())
    except FileNotFoundError as none:
        raise BackupFailed(f"{path} 不是完整的备份：没有 {MANIFEST}。") from none
    except ValueError as wrong:
        raise BackupFailed(f"{path / MANIFEST} 已损坏。") from wrong


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fill(
    settings: Settings, store: Store, part: Path, kind: Kind, progress: Progress
) -> tuple[Manifest, bool]:
    rehearsed = True
    if kind is Kind.SQLITE:
        copied = part / sqlite.DATABASE
        prints, files, revision = sqlite.copy(_file_of(settings.database_url), copied, progress)
        sqlite.check(copied, prints, progress)
    elif kind is Kind.DUMP:
        copied = part / postgresql.DUMP
        prints, files, revision = postgresql.dump(settings.database_url, copied, progress)
        rehearsed = postgresql.rehearse(settings.database_url, copied, prints, progress)
    else:
        copied = part / postgresql.BASE
        prints, files, revision = postgresql.base(settings.database_url, copied, progress)
    kept, missing = copy_files(store, part.parent, files, progress)
    return Manifest(
        kind=kind,
        made_at=now().isoformat(),
        revision=revision,
        parts={copied.name: digest(copied)} if copied.is_file() else {},
        tables=prints,
        files=kept,
        missing=missing,
    ), rehearsed


def _file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def _copy_keys(store: KeyStore, folder: Path) -> Path:
    """Replace the copy of the key store by the newest; the one before is gone, and with it what was destroyed since."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    target, part = folder / KEYS, folder / f"{KEYS}.part"
    part.unlink(missing_ok=True)
    try:
        store.copy_to(part)
        if KeyStore(f"sqlite:///{part}").counts() != store.counts():
            # somebody came or left meanwhile: a second look is as good as the first
            part.unlink()
            store.copy_to(part)
    except BaseException:
        for left in folder.glob(f"{part.name}*"):  # and SQLite's own beside it
            left.unlink()
        raise
    if target.exists():
        _overwrite(target)
    part.replace(target)
    _sync_folder(folder)
    return target


def _overwrite(path: Path) -> None:
    """Let nothing of a file stay on a disk that writes in place."""
    with path.open("r+b") as file:
        for _ in range(0, path.stat().st_size, 65_536):
            file.write(b"\0" * 65_536)
        file.flush()
        os.fsync(file.fileno())


def _apart(root: Path, keys_to: Path) -> None:
    data, keys = root.resolve(), keys_to.resolve()
    if data == keys or data in keys.parents or keys in data.parents:
        raise BackupFailed(
            "密钥库的备份必须与数据备份分开存放：--keys 不能与数据备份的文件夹相同或互相包含。"
        )


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    with (root / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupFailed("另一个备份正在进行。") from None
        yield


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def _in_words(wrong: BaseException, root: Path) -> BaseException:
    full = f"{root} 所在的磁盘已满，备份没有完成；已写入的部分已删除。"
    if isinstance(wrong, DBAPIError) and wrong.orig is not None:
        wrong = wrong.orig
    if isinstance(wrong, OSError) and wrong.errno in {errno.ENOSPC, errno.EDQUOT}:
        return BackupFailed(full)
    if isinstance(wrong, OSError):
        return BackupFailed(f"{wrong.filename or root} 无法读取或写入：{wrong.strerror}")
    if isinstance(wrong, StoreAway):
        return BackupFailed(AWAY)
    if isinstance(wrong, sqlite.ERRORS):
        if "full" in str(wrong):
            return BackupFailed(full)
        return BackupFailed(f"数据库无法读取或写入：{wrong}")
    if isinstance(wrong, postgresql.ERRORS):
        return BackupFailed(f"数据库无法读取：{type(wrong).__name__}")
    if isinstance(wrong, BackupFailed) and "No space left" in str(wrong):
        return BackupFailed(full)
    return wrong
