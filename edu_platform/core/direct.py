"""A statement that only reads, sent straight to the database's driver.

SQLAlchemy writes the SQL, once for each database, and says how parameters are handed over; the way from there to the
driver and back, which costs it more than most such statements cost the database, is left out.
"""

from __future__ import annotations

import contextlib
from typing import Any

from sqlalchemy import Connection, Executable
from sqlalchemy.sql.compiler import SQLCompiler


class Direct:
    """One statement; rows are tuples as the driver gives them: only for columns that come out as they went in.

    Parameters that expand into several (`IN`) are not for this way.
    """

    def __init__(self, statement: Executable) -> None:
        self._statement: Any = statement
        self._written: dict[str, SQLCompiler] = {}

    def rows(self, connection: Connection, given: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Return all rows. A connection on which nothing was done yet takes part in no transaction on SQLite."""
        written = self._written.get(connection.dialect.name)
        if written is None:
            written = self._written[connection.dialect.name] = self._write(connection)
        params = written.construct_params(given, escape_names=False)
        processors: Any = written._bind_processors  # noqa: SLF001 - what SQLAlchemy itself hands over by
        for name, process in processors.items():
            params[name] = process(params[name])
        order = written.positiontup
        driver: Any = connection.connection.driver_connection
        try:
            handed = params if order is None else [params[name] for name in order]
            found: list[tuple[Any, ...]] = driver.execute(written.string, handed).fetchall()
        except _errors(connection):
            # Once more by SQLAlchemy, which meets the same trouble, knows a lost connection, and says so in its words.
            with contextlib.suppress(_errors(connection)):
                driver.rollback()
            return [tuple(row) for row in connection.execute(self._statement, given)]
        return found

    def _write(self, connection: Connection) -> SQLCompiler:
        compiled = self._statement.compile(dialect=connection.dialect)
        assert isinstance(compiled, SQLCompiler)
        return compiled


def _errors(connection: Connection) -> type[Exception]:
    """Return the ancestor of what the driver of a connection raises."""
    found: type[Exception] = connection.dialect.loaded_dbapi.Error
    return found
