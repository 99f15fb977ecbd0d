"""Copying a SQLite database while it is written to, and putting it back."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Any

import pysqlite3

from edu_platform.backup.errors import BackupFailed
from edu_platform.backup.operations.files import FILES, entries
from edu_platform.backup.operations.fingerprints import Progress, take
from edu_platform.backup.rules import FileEntry, Print

DATABASE = "database.sqlite3"
ERRORS = (pysqlite3.Error, sqlite3.Error)


def open_file(path: Path, *, readonly: bool = False) -> Any:
    """Open a database file without making one; transactions are begun by hand."""
    mode = "ro" if readonly else "rw"
    connection: Any = pysqlite3.connect(f"file:{path}?mode={mode}", uri=True, isolation_level=None)
    connection.execute("PRAGMA busy_timeout=30000")
    return connection


def copy(
    source_path: Path, target: Path, progress: Progress
) -> tuple[dict[str, Print], list[FileEntry], str]:
    """Copy the database in one step, with what its tables held in the very snapshot that was copied.

    Writers go on meanwhile. Return fingerprints, files and revision; the copy is one file, without a log.
    """
    with contextlib.closing(open_file(source_path)) as source:
        source.execute("BEGIN")
        revision = source.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        prints = take(source, sqlite=True, progress=progress)
        files = entries(source.execute(FILES).fetchall())
        progress("复制数据库", 0, 1)
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with contextlib.closing(open_file(target)) as copied:
            source.backup(copied)  # all pages in one step, of the transaction that is open
            copied.execute("PRAGMA journal_mode=DELETE")
        source.execute("ROLLBACK")
    progress("复制数据库", 1, 1)
    return prints, files, revision


def check(path: Path, wanted: dict[str, Print], progress: Progress) -> None:
    """Raise `BackupFailed` unless the file is sound and holds exactly what was to be copied."""
    with contextlib.closing(open_file(path)) as copied:
        found = copied.execute("PRAGMA integrity_check").fetchone()[0]
        if found != "ok":
            raise BackupFailed(f"数据库副本已损坏：{found}")
        if copied.execute("PRAGMA foreign_key_check").fetchone() is not None:
            raise BackupFailed("数据库副本中有记录缺少它所属的记录。")
        again = take(copied, sqlite=True, progress=progress)
    wrong = [name for name in wanted if again.get(name) != wanted[name]] + sorted(
        again.keys() - wanted.keys()
    )
    if wrong:
        raise BackupFailed(f"数据库副本与原数据不一致：{'、'.join(wrong)}")


def users_of(path: Path) -> list[int]:
    """Return the processes, other than this one, that have the database open (where the system tells)."""
    names = {str(path), f"{path}-wal", f"{path}-shm"}
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if any(str(link.readlink()) in names for link in (process / "fd").iterdir()):
                found.append(int(process.name))
    return found


def is_empty(path: Path) -> bool:
    """Say whether there is no database at `path`, or one without a single learner or piece."""
    if not path.exists() or not path.stat().st_size:
        return True
    with contextlib.closing(open_file(path)) as connection:
        known = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return not any(
            connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()  # noqa: S608 - fixed names
            for table in ("learner", "piece", "beacon", "staff")
            if table in known
        )


def put_back(copy_path: Path, target: Path, wanted: dict[str, Print], progress: Progress) -> None:
    """Put the copy in the place of `target`, which stays as it is until the new file has been checked."""
    part = target.with_name(f"{target.name}.restoring")
    part.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with contextlib.closing(open_file(copy_path, readonly=True)) as source:
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            with contextlib.closing(open_file(part)) as made:
                source.backup(made)
        check(part, wanted, progress)
        with contextlib.closing(open_file(part)) as made:
            made.execute("PRAGMA journal_mode=WAL")
        for ending in ("-wal", "-shm"):
            Path(f"{part}{ending}").unlink(missing_ok=True)
            Path(f"{target}{ending}").unlink(missing_ok=True)  # of the database that goes
        part.replace(target)
    finally:
        for ending in ("", "-wal", "-shm", "-journal"):
            Path(f"{part}{ending}").unlink(missing_ok=True)
