"""`edu erasures`: after a database was restored by hand, forget again whoever had asked to be forgotten."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Go through the list of erasures and erase again whom an older database has brought back."""
    from edu_platform.core.db import writing
    from edu_platform.core.migration import check_schema
    from edu_platform.factory.app import create_app
    from edu_platform.factory.entry import settings_here
    from edu_platform.people.operations import replay_erasures

    app = create_app(settings_here())
    with app.app_context():
        from edu_platform.core.db import db

        check_schema(db.engine)
        with writing() as session:
            count = replay_erasures(session)
        db.session.remove()
    click.echo(f"已重做 {count} 名学习者的注销。" if count else "没有需要重做的注销。")
