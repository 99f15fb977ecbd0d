"""`edu worker`: run the jobs."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Run the job worker until it is told to stop."""
    from edu_platform.factory.entry import application
    from edu_platform.factory.worker import serve

    serve(application())
