"""The platform from a shell: `edu …`, one command a file."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys

import click

from edu_platform.config.settings import SettingsError


class _Commands(click.Group):
    """Imports a command's module only when it is asked for: `edu run` is `edu_platform.cli.run:command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(
            module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")
        )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        found: click.Command = importlib.import_module(f"{__name__}.{cmd_name}").command
        return found


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def edu() -> None:
    """消保守护: everything an operator does from a shell."""


def main() -> None:
    """Run `edu`; settings that make no sense are named, one a line, and end it with 2."""
    try:
        edu()
    except SettingsError as wrong:
        for name, reason in wrong.problems.items():
            click.echo(f"{name} {reason}", err=True)
        sys.exit(2)
