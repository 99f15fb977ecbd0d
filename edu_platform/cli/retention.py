"""`edu retention`: archive what is older than the log is kept; list the archives."""

from __future__ import annotations

import click


@click.command()
@click.option("--list", "listing", is_flag=True, help="只列出已有的归档并逐个核对，不归档。")
def command(listing: bool) -> None:
    """Archive and drop what is due now (the worker does so by itself); ends with 1 when an archive is damaged."""
    from edu_platform.core.db import db, reading
    from edu_platform.factory.entry import application, settings_here
    from edu_platform.media.storage import store_of
    from edu_platform.reach.operations.retention import ArchiveDamaged, archives, check
    from edu_platform.reach.tasks import retain

    settings = settings_here()
    store = store_of(settings)
    with application().app_context():
        try:
            if listing:
                for archive in archives(reading()):
                    check(store, archive)
                    click.echo(
                        f"{archive.first_day} 至 {archive.last_day}　{archive.beacons:,} 条　{archive.digest}　"
                        + ("明细已移出数据库" if archive.dropped_at else "明细还在数据库里")
                    )
            else:
                archived, dropped = retain(store, kept_days=settings.beacon_kept_days)
                click.echo(f"归档 {archived:,} 条明细，{dropped} 份归档的明细已移出数据库。")
        except ArchiveDamaged as damaged:
            raise click.ClickException(f"{damaged}没有删除任何明细，请从备份中找回这个文件。") from damaged
        finally:
            db.session.remove()
