"""Putting a backup back: nothing of what is there is touched until it is certain that it may be and that the backup is whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.orm import Session

from edu_platform.audit.operations import verify
from edu_platform.backup.errors import BackupFailed
from edu_platform.backup.operations import postgresql, sqlite
from edu_platform.backup.operations.files import put_files_back
from edu_platform.backup.operations.fingerprints import Progress
from edu_platform.backup.operations.making import digest, manifest_of
from edu_platform.backup.rules import Kind, Manifest
from edu_platform.config.settings import Settings
from edu_platform.media.storage import Store
from edu_platform.people.keystore import KeyStore
from edu_platform.reach.operations.recount import differences as miscounted


def whole(path: Path) -> Manifest:
    """Return the manifest of a backup whose database copy has the bytes it was made with; raise `BackupFailed`."""
    manifest = manifest_of(path)
    for name, wanted in manifest.parts.items():
        if not (path / name).is_file() or digest(path / name) != wanted:
            raise BackupFailed(f"{path / name} 已损坏或缺失，不能用来恢复。")
    if manifest.kind is Kind.BASE:
        postgresql.check_base(path / postgresql.BASE)
    return manifest


def may_restore(settings: Settings, manifest: Manifest, *, replace: bool, elsewhere: bool) -> None:
    """Raise `BackupFailed` unless nobody uses the database and it is empty, or may be replaced.

    The copy of a whole server goes `elsewhere`, into a folder of its own, and touches no database.
    """
    if settings.on_sqlite != (manifest.kind is Kind.SQLITE):
        raise BackupFailed("备份与 EDU_DATABASE_URL 所用的数据库不同，不能互相恢复。")
    if manifest.kind is Kind.BASE:
        if not elsewhere:
            raise BackupFailed(
                "这是整台服务器的副本：请用 --pgdata 指定新的数据文件夹，用 --wal 指定 WAL 归档。"
            )
        return
    if settings.on_sqlite:
        file = Path(settings.database_url.removeprefix("sqlite:///"))
        users: int = len(sqlite.users_of(file))
        empty = sqlite.is_empty(file)
    else:
        users, empty = postgresql.users_of(settings.database_url), postgresql.is_empty(settings.database_url)
    if users:
        raise BackupFailed(f"数据库正被 {users} 个进程或连接使用：请先停止平台（网站和后台任务）。")
    if not empty and not replace:
        raise BackupFailed("数据库不是空的。确认要用备份替换现有数据时，请加 --replace。")


def put_back(settings: Settings, path: Path, manifest: Manifest, progress: Progress) -> None:
    """Put the database back, exactly as it was backed up; raise `BackupFailed` when it does not come out so."""
    if manifest.kind is Kind.SQLITE:
        target = Path(settings.database_url.removeprefix("sqlite:///"))
        sqlite.put_back(path / sqlite.DATABASE, target, manifest.tables, progress)
        return
    if not postgresql.is_empty(settings.database_url):
        postgresql.clear(settings.database_url)
    postgresql.load(settings.database_url, path / postgresql.DUMP)
    postgresql.compare(settings.database_url, manifest.tables, progress)


def put_files(store: Store, path: Path, manifest: Manifest, progress: Progress) -> list[str]:
    """Put the backup's files into the store; return those that are damaged or gone."""
    return put_files_back(store, path.parent, manifest.files, progress)


def put_keys(store: KeyStore, copied: Path | None) -> str:
    """Fill the key store from its copy if it is lost; a living one is newer and stays. Return what was done, in words."""
    store.prepare()
    if any(store.counts()):
        return "密钥库完好，保持不变。"
    if copied is None or not copied.is_file():
        return "密钥库是空的，也没有找到它的备份：学习者再次登录时会重新封存其微信标识，此前无法解读。"
    store.take_over(copied)
    return f"密钥库已从 {copied} 恢复。"


def doubts(session: Session) -> Sequence[str]:
    """Return what does not fit together in a restored database: the chain of the trail, each campaign's figures."""
    found = []
    broken = verify(session)
    if broken is not None:
        found.append(f"操作记录从第 {broken} 条起对不上。")
    return found + [f"触达统计与明细不符：{line}" for line in miscounted(session)]
