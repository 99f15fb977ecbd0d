"""`edu upgrade`: bring the database to this release's schema."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Bring the database to this release's schema; make a backup first."""
    from edu_platform.core.migration import upgrade
    from edu_platform.factory.app import create_app
    from edu_platform.factory.entry import move_keys_out, settings_here

    settings = settings_here()
    upgrade(settings.database_url)
    app = create_app(settings)
    with app.app_context():
        move_keys_out(settings)
    click.echo("数据库已是最新结构。")
