"""`edu staff`: accounts from a shell."""

from __future__ import annotations

import click

from edu_platform.core.vocabulary import Role


@click.group()
def command() -> None:
    """Staff accounts."""


@command.command()
@click.argument("email")
@click.argument("name")
@click.option(
    "--role", "roles", multiple=True, required=True, type=click.Choice([role.value for role in Role])
)
def add(email: str, name: str, roles: tuple[str, ...]) -> None:
    """Make an account with one or more roles; print its first password, once."""
    from edu_platform.core.db import writing
    from edu_platform.core.errors import DomainError, Invalid
    from edu_platform.factory.entry import application
    from edu_platform.people import operations

    app = application()
    try:
        with app.app_context(), writing() as session:
            _, password = operations.create_staff(
                session, email=email, display_name=name, roles={Role(role) for role in roles}, by="shell"
            )
    except Invalid as wrong:
        raise click.ClickException("；".join(f"{e.field}：{e.reason}" for e in wrong.errors)) from wrong
    except DomainError as wrong:
        raise click.ClickException(wrong.detail) from wrong
    click.echo(f"{email} 的一次性密码（只显示这一次，登录后须先修改）：{password}")
