"""Readiness: what must answer before traffic is sent here. Rooms add their checks; `core.api` asks them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from edu_platform.core.clock import now
from edu_platform.core.models import Heartbeat

WORKER = "worker"
BACKUP = "backup"
"""Seen whenever a backup was proved whole."""
SILENT_AFTER = timedelta(seconds=30)

checks: dict[str, Callable[[Session], None]] = {}
facts: dict[str, Callable[[], int]] = {}
"""Numbers that `/readyz` tells beside its checks, whether ready or not; they must not need the database."""


def check(name: str) -> Callable[[Callable[[Session], None]], Callable[[Session], None]]:
    """Register a check: a function that raises when its subject is not ready."""

    def register(function: Callable[[Session], None]) -> Callable[[Session], None]:
        checks[name] = function
        return function

    return register


def fact(name: str) -> Callable[[Callable[[], int]], Callable[[], int]]:
    """Register a number that `/readyz` tells."""

    def register(function: Callable[[], int]) -> Callable[[], int]:
        facts[name] = function
        return function

    return register


def beat(session: Session, name: str) -> None:
    """Note that the process `name` is alive."""
    session.merge(Heartbeat(name=name, seen_at=now()))


@check("database")
def _database(session: Session) -> None:
    session.execute(text("SELECT 1"))


@check("worker")
def _worker(session: Session) -> None:
    seen = session.get(Heartbeat, WORKER)
    if seen is None:
        raise RuntimeError("no worker has been seen")
    silent = now() - seen.seen_at
    if silent > SILENT_AFTER:
        raise RuntimeError(f"the worker has been silent for {int(silent.total_seconds())} s")
