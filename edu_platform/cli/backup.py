"""`edu backup TO`: copy everything that was acknowledged, while the platform runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edu_platform.config.settings import Settings

_FOLDER = click.Path(path_type=Path)  # a file there is refused in our words


@contextmanager
def shown() -> Iterator[Callable[[str, int, int], None]]:
    """Show progress on standard error, a bar a step."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {}

        def tell(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield tell


def keys_beside(root: Path) -> Path:
    """Return where the key store's copy goes unless somebody says otherwise: beside the data's, not inside."""
    root = root.resolve()
    return root.with_name(f"{root.name}-keys")


def _note(settings: Settings) -> None:
    """Let the figures tell how old the newest backup is."""
    from edu_platform.core.db import db, writing
    from edu_platform.core.health import BACKUP, beat
    from edu_platform.factory.app import create_app

    with create_app(settings).app_context():
        with writing() as session:
            beat(session, BACKUP)
        db.session.remove()
        db.engine.dispose()


@click.command()
@click.argument("to", type=_FOLDER)
@click.option("--keys", type=_FOLDER, help="密钥库的备份放在哪里，必须与数据分开；默认为 TO 旁边的 TO-keys。")
@click.option(
    "--base", is_flag=True, help="整台 PostgreSQL 服务器的副本：配合 WAL 归档，可恢复到任一时间点。"
)
@click.option(
    "--keep-days",
    type=click.IntRange(1, 3650),
    default=30,
    show_default=True,
    help="更早的备份会被删除；最新的一份总是留着。",
)
def command(to: Path, keys: Path | None, base: bool, keep_days: int) -> None:
    """Make one backup under TO, proved whole; the platform goes on meanwhile. Prints where it is, or why there is none."""
    from edu_platform.backup.errors import BackupFailed
    from edu_platform.backup.operations.making import make
    from edu_platform.factory.entry import settings_here
    from edu_platform.media.storage import store_of

    settings = settings_here()
    keys = keys or keys_beside(to)
    try:
        with shown() as progress:
            made = make(
                settings,
                store_of(settings),
                to,
                keys_to=keys,
                base=base,
                keep=timedelta(days=keep_days),
                progress=progress,
            )
    except BackupFailed as failed:
        raise click.ClickException(str(failed)) from failed
    _note(settings)
    rows = sum(one.rows for one in made.manifest.tables.values())
    click.echo(f"备份完成：{made.path}")
    click.echo(
        f"  {len(made.manifest.tables)} 张表共 {rows:,} 行，逐表校验一致；文件 {len(made.manifest.files):,} 个。"
    )
    if not made.rehearsed:
        click.echo("  数据库账号不能建库，没有试恢复：请在另一台机器上定期试恢复。")
    if made.manifest.missing:
        click.echo(f"  注意：存储中缺少 {len(made.manifest.missing)} 个文件，如 {made.manifest.missing[0]}。")
    click.echo(f"  密钥库：{made.keys}（只留最新一份；请另行保管，不要与数据放在一起，也不要保留历史版本）")
    if made.pruned:
        click.echo(f"  已删除 {made.pruned} 份过期备份。")
