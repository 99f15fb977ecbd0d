"""`edu restore FROM`: put a backup back, and prove that everything is there again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from edu_platform.config.settings import Settings

_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


@click.command()
@click.argument("source", metavar="FROM", type=_FOLDER)
@click.option(
    "--keys",
    type=click.Path(path_type=Path, file_okay=False),
    help="密钥库备份所在的文件夹；默认为备份旁边的 …-keys。",
)
@click.option("--replace", is_flag=True, help="用备份替换现有数据。")
@click.option(
    "--pgdata",
    type=click.Path(path_type=Path, file_okay=False),
    help="时间点恢复：新的 PostgreSQL 数据文件夹。",
)
@click.option("--wal", type=_FOLDER, help="时间点恢复：WAL 归档所在的文件夹。")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f"]),
    help="时间点恢复：恢复到哪一刻（北京时间），如 '2026-03-15 10:00:00'；不填则恢复到归档的末尾。",
)
def command(source: Path, **options: Any) -> None:
    """Restore the backup FROM, check it against what was recorded, and forget again whoever was erased since."""
    from edu_platform.backup.errors import BackupFailed
    from edu_platform.backup.operations import postgresql, restoring
    from edu_platform.backup.operations.making import KEYS
    from edu_platform.backup.rules import Kind
    from edu_platform.cli.backup import keys_beside, shown
    from edu_platform.core.clock import ZONE
    from edu_platform.factory.entry import settings_here
    from edu_platform.media.errors import StoreAway
    from edu_platform.media.storage import store_of
    from edu_platform.people.keystore import KeyStore

    settings = settings_here()
    pgdata, wal, until = options["pgdata"], options["wal"], options["until"]
    copied = (options["keys"] or keys_beside(source.resolve().parent)) / KEYS
    try:
        with shown() as progress:
            manifest = restoring.whole(source)
            restoring.may_restore(
                settings,
                manifest,
                replace=options["replace"],
                elsewhere=pgdata is not None and wal is not None,
            )
            if manifest.kind is not Kind.BASE:
                restoring.put_back(settings, source, manifest, progress)
            lost = restoring.put_files(store_of(settings), source, manifest, progress)
        click.echo(restoring.put_keys(KeyStore(settings.keys_url), copied))
        if pgdata is None or wal is None:
            _finish(settings, lost)
            return
        moment = until.replace(tzinfo=ZONE).isoformat() if until else None
        postgresql.lay_out(source / postgresql.BASE, pgdata, wal=wal.resolve(), until=moment)
        with postgresql.started(pgdata, settings.database_url) as address:
            postgresql.check_beginnings(address, manifest.tables)
            _finish(dataclasses.replace(settings, database_url=address), lost)
    except BackupFailed as failed:
        raise click.ClickException(str(failed)) from failed
    except StoreAway as away:
        raise click.ClickException(
            "文件存储没有应答，文件没有全部放回。请先不要启动平台；等文件存储恢复后，加 --replace 再恢复一次。"
        ) from away
    click.echo(f"数据库已恢复到 {pgdata}：让 PostgreSQL 从这个文件夹启动，再启动平台。")


def _finish(settings: Settings, lost: list[str]) -> None:
    """Bring the database to this release, do erasures again, count again; end with 1 when anything is in doubt."""
    from edu_platform.backup.operations.restoring import doubts
    from edu_platform.core.db import db, reading, writing
    from edu_platform.core.migration import upgrade
    from edu_platform.factory.app import create_app
    from edu_platform.factory.entry import move_keys_out
    from edu_platform.people.operations import replay_erasures

    upgrade(settings.database_url)
    with create_app(settings).app_context():
        move_keys_out(settings)
        found = list(doubts(reading()))
        db.session.remove()
        with writing() as session:
            again = replay_erasures(session)
        db.session.remove()
        db.engine.dispose()
    if lost:
        found.append(f"备份中有 {len(lost)} 个文件损坏或缺失，如 {lost[0]}。")
    for line in found:
        click.echo(f"存疑：{line}", err=True)
    if found:
        raise click.ClickException("数据已恢复，但以上几处对不上，请查明后再启动平台。")
    click.echo("已恢复：逐表校验一致，操作记录完整，各活动的统计与明细一致。")
    click.echo(f"恢复之后又重做了 {again} 名学习者的注销。" if again else "没有需要重做的注销。")
