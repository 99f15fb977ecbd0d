"""Bringing a database to the newest schema, and refusing to serve on any other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect

if TYPE_CHECKING:  # whoever only serves does not load what migrates
    from alembic.config import Config

SCRIPTS = Path(__file__).parents[1] / "migrations"


class WrongSchema(Exception):
    """The database is not at the revision that this code needs."""


def configuration(url: str) -> Config:
    """Return Alembic's configuration for the database at `url`."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["url"] = url
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at `url` up to `revision`; one process at a time, a second one waits."""
    from alembic import command

    command.upgrade(configuration(url), revision)


def newest() -> str:
    """Return the newest revision: migrations follow each other in the order of their files' names."""
    return max(path.name for path in (SCRIPTS / "versions").glob("[0-9]*_*.py")).partition("_")[0]


def check_schema(engine: Engine) -> None:
    """Raise `WrongSchema` unless the database is at the newest revision."""
    wanted = {newest()}
    with engine.connect() as connection:
        found = set()
        if inspect(connection).has_table("alembic_version"):
            found = set(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars())
    if found != wanted:
        raise WrongSchema(
            f"the database is at {sorted(found) or 'nothing'}, this release needs {sorted(wanted)}"
        )


def plain_engine(url: str) -> Engine:
    """Return an engine for migrations: SQLite with foreign keys off, since batch mode drops and remakes tables.

    On SQLite a transaction takes the write lock when it begins, so that a second process waits for it.
    """
    if not url.startswith("sqlite"):
        return create_engine(url)
    import pysqlite3

    Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, module=pysqlite3)

    @event.listens_for(engine, "connect")
    def _settings(dbapi: Any, record: Any) -> None:
        del record
        dbapi.isolation_level = None  # we emit BEGIN ourselves: the driver would not, before DDL
        for pragma in ("busy_timeout=60000", "journal_mode=WAL", "foreign_keys=OFF", "secure_delete=ON"):
            dbapi.execute("PRAGMA " + pragma)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
