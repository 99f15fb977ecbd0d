"""Runs the migrations: every room's tables, in one transaction, one process at a time."""

from __future__ import annotations

import importlib
import pkgutil

from alembic import context
from sqlalchemy import text

import edu_platform
from edu_platform.core.migration import plain_engine
from edu_platform.core.models import Base

for room in pkgutil.iter_modules(edu_platform.__path__):
    if importlib.util.find_spec(f"edu_platform.{room.name}.models"):
        importlib.import_module(f"edu_platform.{room.name}.models")


def include_name(name: str | None, type_: str, parent_names: object) -> bool:
    """Leave out the full-text index, which migrations write by hand."""
    del parent_names
    return not (type_ == "table" and name is not None and name.startswith("search_index"))


engine = plain_engine(context.config.attributes["url"])
with engine.connect() as connection:
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
        connection.exec_driver_sql("PRAGMA busy_timeout=60000")
        connection.commit()
    else:
        connection.execute(text("SET lock_timeout = '4s'"))
        connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
        include_name=include_name,
    )
    with context.begin_transaction():
        if not sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(7307001)"))
        context.run_migrations()
        if sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise RuntimeError("a migration left rows without their parents")
engine.dispose()
