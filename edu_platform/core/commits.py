"""What follows a commit: steps that wait for it, and cleaning the files of what it overwrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session


def afterwards(session: Session, step: Callable[[], object]) -> None:
    """Run `step` once what is being written is committed, never if it is not.

    What must not get lost is wanted through the outbox too: a crash may come first, and a failure is only logged.
    """
    session.info.setdefault("afterwards", []).append(step)


def run_afterwards(session: Session) -> None:
    """Run the steps that waited for the commit that has just been made; for `core.db.writing`."""
    for step in session.info.pop("afterwards", []):
        try:
            step()
        except Exception as wrong:  # noqa: BLE001 - what was committed is committed
            structlog.get_logger("database").warning("afterwards_failed", error=type(wrong).__name__)


def scrub(engine: Engine) -> bool:
    """Let nothing that was deleted or overwritten stay in the database's files, as far as a running system can.

    SQLite: what was committed moves from the write-ahead log into the (overwritten) pages, and the log is cut to
    nothing; False when readers still need it. PostgreSQL: rows die at once and VACUUM clears them away by itself;
    whatever is personal in them was sealed.
    """
    if engine.dialect.name != "sqlite":
        return True
    raw = engine.raw_connection()
    try:
        dbapi: Any = raw.driver_connection
        dbapi.execute("PRAGMA busy_timeout=250")
        busy, _, _ = dbapi.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        dbapi.execute("PRAGMA busy_timeout=10000")
    finally:
        raw.close()
    return not busy
