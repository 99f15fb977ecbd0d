"""`edu keys`: after a new key was put first in `EDU_SEALING_KEYS`, seal everything anew under it."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Seal what was sealed under older keys anew; when it ends, the older keys may leave the setting."""
    from edu_platform.core.db import writing
    from edu_platform.core.sealing import KeyRing
    from edu_platform.factory.entry import application, settings_here
    from edu_platform.people.operations import rotate

    ring = KeyRing(settings_here().sealing_keys)
    changed, after = 0, 0
    with application().app_context():
        while True:
            with writing() as session:
                some, following = rotate(session, ring, after=after)
            changed += some
            if following is None:
                break
            after = following
    click.echo(f"已用新密钥重新封存 {changed} 人的资料。")
