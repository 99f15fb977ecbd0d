"""The database connection and the one place that commits.

Only this module, the `api` files and the entry points know Flask-SQLAlchemy; models and operations
take a plain SQLAlchemy `Session`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pysqlite3
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, ExceptionContext, event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from edu_platform.config.settings import Settings
from edu_platform.core.commits import run_afterwards
from edu_platform.core.driver import PlannedOnce, is_of_the_file
from edu_platform.core.errors import Conflict
from edu_platform.core.gate import gate_of
from edu_platform.core.models import Base

db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})

# The WAL-reset bug: fixed in 3.51.3, and in 3.50.7 and 3.44.6 of the older lines.
_SAFE_SQLITE = (3, 51, 3)
_PRAGMAS = ("busy_timeout=10000", "foreign_keys=ON", "synchronous=FULL", "secure_delete=ON")


def engine_options(settings: Settings) -> dict[str, Any]:
    """Return the options of `create_engine` for the chosen database."""
    if settings.on_sqlite:
        if pysqlite3.sqlite_version_info < _SAFE_SQLITE:
            raise RuntimeError(
                f"SQLite {pysqlite3.sqlite_version} can corrupt a WAL database; 3.51.3 is needed"
            )
        return {
            "module": pysqlite3,
            "pool_size": settings.web_threads + 4,
            "max_overflow": 0,
            "pool_timeout": 10,
            "pool_use_lifo": True,  # each connection has pages in memory: those used last are used again
        }
    return {
        "connect_args": {"connect_timeout": 5, "tcp_user_timeout": 10_000, "options": "-c lock_timeout=10s"},
        "pool_pre_ping": True,
        "pool_size": settings.web_threads + 4,
        "max_overflow": 0,
        "pool_timeout": 10,
    }


def prepare(engine: Engine, *, threads: int) -> None:
    """Give every connection of `engine` the settings that durability and erasure rest on, and `threads` their gate."""
    gate_of(engine, threads=threads)
    if engine.dialect.name != "sqlite":
        return
    engine.dialect.statement_compiler = PlannedOnce

    @event.listens_for(engine, "connect")
    def _settings(dbapi: Any, record: Any) -> None:
        del record
        dbapi.isolation_level = None  # we emit BEGIN ourselves
        for pragma in _PRAGMAS:
            dbapi.execute("PRAGMA " + pragma)

    @event.listens_for(engine, "handle_error")
    def _open_anew(context: ExceptionContext) -> None:
        if is_of_the_file(context.original_exception):
            context.is_disconnect = True

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads first and writes later fails at once under WAL unless it began IMMEDIATE.
        if connection.get_execution_options().get("writing"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            # takes no lock, so nothing can go wrong; SQLAlchemy's way around costs more than most queries
            cast("Any", connection.connection.driver_connection).execute("BEGIN")


@contextmanager
def writing() -> Iterator[Session]:
    """Commit when the block ends well, roll back when it raises; an inner block joins the outer one.

    The only caller of `commit()` for requests and jobs. A clash on a unique key that no operation
    foresaw becomes `Conflict`.
    """
    session: Session = db.session()
    if session.info.get("writing"):
        yield session
        return
    if session.in_transaction():
        session.rollback()  # what was read so far is read again under the write lock
    session.info.pop("afterwards", None)
    with gate_of(db.engine).enter():
        session.info["writing"] = True
        try:
            session.connection(execution_options={"writing": True})
            yield session
            session.commit()
        except IntegrityError as clash:
            session.rollback()
            raise Conflict("同一时刻有人先完成了这项操作，请刷新后重试。") from clash
        except BaseException:
            session.rollback()
            raise
        finally:
            session.info.pop("writing", None)
    run_afterwards(session)


def reading() -> Session:
    """Return the session of this request or job, for reading only."""
    session: Session = db.session()
    return session
