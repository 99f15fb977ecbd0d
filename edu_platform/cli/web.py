"""`edu web`: serve HTTP, with the server that the settings choose."""

from __future__ import annotations

import os
import sys

import click

from edu_platform.config.settings import Server, Settings


def arguments(settings: Settings, *, host: str, port: str) -> list[str]:
    """Return the command that serves the application; gunicorn's settings read HOST and PORT themselves."""
    if settings.server is Server.GUNICORN:
        return [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "app:app"]
    given = {
        "interface": "wsgi",
        "http": "1",
        "host": host,
        "port": port,
        "workers": str(settings.web_processes),
        "blocking-threads": str(settings.web_threads),
        "http1-header-read-timeout": "5000",
        "workers-kill-timeout": "30",
        "log-level": "warning",
    }
    options = [part for name, value in given.items() for part in (f"--{name}", value)]
    return [sys.executable, "-m", "granian", *options, "--no-ws", "--respawn-failed-workers", "app:app"]


@click.command()
def command() -> None:
    """Serve HTTP at HOST:PORT (127.0.0.1:8000) until told to stop; EDU_SERVER chooses the server."""
    from edu_platform.factory.entry import settings_here

    host, port = os.environ.get("HOST", "127.0.0.1"), os.environ.get("PORT", "8000")
    chosen = arguments(settings_here(), host=host, port=port)
    os.execv(chosen[0], chosen)  # noqa: S606 - our own command, without a shell
