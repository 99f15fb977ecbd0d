"""`edu audit`: say whether the trail of what staff did is whole."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Walk the hash chain of the trail; end with 1 and name the first broken entry if it was tampered with."""
    from edu_platform.audit.operations import verify
    from edu_platform.core.db import reading
    from edu_platform.factory.entry import application

    with application().app_context():
        broken = verify(reading())
        reading().rollback()
    if broken is not None:
        raise click.ClickException(f"操作记录从第 {broken} 条起对不上，可能被改动过。")
    click.echo("操作记录完整。")
