"""A statement that only reads, sent straight to the database's driver.

SQLAlchemy writes the SQL, once for each database, and says how parameters are handed over; the way from there to the
driver and back, which costs it more than most such statements cost the database, is left out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Executable
from sqlalchemy.sql.compiler import SQLCompiler


@dataclass(frozen=True, slots=True)
class _Written:
    """A statement as one database takes it: what is handed over under which name, and how it is put."""

    sql: str
    handed: list[tuple[str, Callable[[Any], Any] | None]]
    own: dict[str, Any]
    by_place: bool

    def parameters(self, given: dict[str, Any]) -> Any:
        """Return the parameters as the driver takes them."""
        values = {**self.own, **given}
        put = [(name, process(values[name]) if process else values[name]) for name, process in self.handed]
        return [value for _, value in put] if self.by_place else dict(put)


class Direct:
    """One statement; rows are tuples as the driver gives them: only for columns that come out as they went in.

    Parameters that expand into several (`IN`) are not for this way.
    """

    def __init__(self, statement: Executable) -> None:
        self._statement: Any = statement
        self._written: dict[str, _Written] = {}

    def rows(self, connection: Connection, given: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Return all rows. A connection on which nothing was done yet takes part in no transaction on SQLite."""
        written = self._written.get(connection.dialect.name)
        if written is None:
            written = self._written[connection.dialect.name] = self._write(connection)
        handed = written.parameters(given)
        driver: Any = connection.connection.driver_connection
        try:
            found: list[tuple[Any, ...]] = driver.execute(written.sql, handed).fetchall()
        except _errors(connection):
            # Once more by SQLAlchemy, which meets the same trouble, knows a lost connection, and says so in its words.
            with contextlib.suppress(_errors(connection)):
                driver.rollback()
            return [tuple(row) for row in connection.execute(self._statement, given)]
        return found

    def _write(self, connection: Connection) -> _Written:
        compiled = self._statement.compile(dialect=connection.dialect)
        assert isinstance(compiled, SQLCompiler)
        own = {name: bind.value for bind, name in compiled.bind_names.items() if not bind.required}
        processors: Any = compiled._bind_processors  # noqa: SLF001 - what SQLAlchemy itself hands over by
        names = compiled.positiontup or list(compiled.bind_names.values())
        return _Written(
            compiled.string,
            [(name, processors.get(name)) for name in names],
            own,
            by_place=compiled.positional,
        )


def _errors(connection: Connection) -> type[Exception]:
    """Return the ancestor of what the driver of a connection raises."""
    found: type[Exception] = connection.dialect.loaded_dbapi.Error
    return found
