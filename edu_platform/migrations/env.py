"""Runs the migrations: every room's tables, one process at a time, without stopping those who read."""

from __future__ import annotations

import importlib
import pkgutil
import time
from contextlib import ExitStack

from alembic import context
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

import edu_platform
from edu_platform.core.migration import plain_engine
from edu_platform.core.models import Base

for room in pkgutil.iter_modules(edu_platform.__path__):
    if importlib.util.find_spec(f"edu_platform.{room.name}.models"):
        importlib.import_module(f"edu_platform.{room.name}.models")

LOCK_NOT_AVAILABLE = "55P03"
PATIENCE = 20
"""How often a migration tries again to get a lock that it was not given in time."""


def include_name(name: str | None, type_: str, parent_names: object) -> bool:
    """Leave out the full-text index, which migrations write by hand."""
    del parent_names
    return not (type_ == "table" and name is not None and name.startswith("search_index"))


engine = plain_engine(context.config.attributes["url"])
with ExitStack() as at_the_end, engine.connect() as connection:
    at_the_end.callback(engine.dispose)
    sqlite = connection.dialect.name == "sqlite"
    if not sqlite:
        # One process migrates, a second one waits here as long as it takes; gone with the connection.
        connection.execute(text("SELECT pg_advisory_lock(7307001)"))
        # Readers queue behind a statement that waits for its lock: it gives up soon, and tries again later.
        connection.execute(text("SET lock_timeout = '1s'"))
        connection.execute(text("SET statement_timeout = '30s'"))
        connection.commit()
    for left in reversed(range(PATIENCE)):
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=True,
            compare_type=True,
            include_name=include_name,
            # SQLite: all or nothing under one write lock. PostgreSQL: no lock outlives the migration that took it.
            transactional_ddl=True,
            transaction_per_migration=not sqlite,
        )
        try:
            with context.begin_transaction():
                context.run_migrations()
                if sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                    raise RuntimeError("a migration left rows without their parents")
            break
        except OperationalError as busy:
            connection.rollback()
            if sqlite or getattr(busy.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE or not left:
                raise
            time.sleep(1)
