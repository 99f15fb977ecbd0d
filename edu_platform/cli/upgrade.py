"""`edu upgrade`: bring the database to this release's schema."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Bring the database to this release's schema; make a backup first."""
    from edu_platform.core.migration import upgrade
    from edu_platform.factory.entry import settings_here

    upgrade(settings_here().database_url)
    click.echo("数据库已是最新结构。")
