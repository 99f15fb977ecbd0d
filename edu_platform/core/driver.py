"""SQLite's own ways: statements past SQLAlchemy, and SQL that it plans once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import orjson
import pysqlite3
from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.exc import DBAPIError

_FILE_TROUBLES = ("SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_CORRUPT", "SQLITE_NOTADB")


def is_of_the_file(trouble: BaseException) -> bool:
    """Say whether something became of the file or its disk: once it is mended, a connection opened before would not know."""
    return (getattr(trouble, "sqlite_errorname", None) or "").startswith(_FILE_TROUBLES)


class PlannedOnce(SQLiteCompiler):
    """Writes a limit as an expression: for the sake of a bare bound one SQLite plans the statement anew at every run."""

    def limit_clause(self, select: Any, **options: Any) -> str:
        """Return the words at the end of a SELECT."""
        written: str = super().limit_clause(select, **options)  # type: ignore[no-untyped-call]
        return written.replace("LIMIT ", "LIMIT +", 1)


class Driver:
    """SQLite's own statements within a transaction of ours, which cost a fifth of the way around through SQLAlchemy.

    What goes wrong is raised as SQLAlchemy raises it, without the parameters.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._own = cast("Any", connection.connection.driver_connection)

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Run a statement; return all its rows."""
        try:
            found: list[Any] = self._own.execute(statement, parameters).fetchall()
        except pysqlite3.Error as wrong:
            raise self._said(statement, wrong) from wrong
        return found

    def many(self, statement: str, rows: Sequence[Sequence[Any]]) -> int:
        """Run a statement for each row; return how many rows it changed."""
        try:
            return int(self._own.executemany(statement, rows).rowcount)
        except pysqlite3.Error as wrong:
            raise self._said(statement, wrong) from wrong

    def _said(self, statement: str, wrong: Exception) -> Exception:
        lost = is_of_the_file(wrong)
        if lost:
            self._connection.invalidate(wrong)
        said: Exception = DBAPIError.instance(
            statement, None, wrong, pysqlite3.Error, hide_parameters=True, connection_invalidated=lost
        )
        return said


class Written:
    """Statements written by hand (`?` for a parameter), in the dialect at hand, without the cost of building them anew."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.sqlite = connection.dialect.name == "sqlite"
        self._driver = Driver(connection) if self.sqlite else None

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> Sequence[Any]:
        """Run a statement; return all its rows."""
        if self._driver is not None:
            return self._driver.rows(statement, parameters)
        return self.connection.exec_driver_sql(statement.replace("?", "%s"), tuple(parameters)).fetchall()

    def many(self, statement: str, rows: Sequence[Sequence[Any]]) -> int:
        """Run a statement for each row; return how many rows it changed."""
        if self._driver is not None:
            return self._driver.many(statement, rows)
        return self.connection.exec_driver_sql(
            statement.replace("?", "%s"), [tuple(row) for row in rows]
        ).rowcount

    def among(self, column: str) -> str:
        """Return the condition that a column is one of the values of `listed`."""
        return f"{column} {'IN (SELECT value FROM json_each(?))' if self.sqlite else '= ANY(?)'}"  # noqa: S608 - no value

    def listed(self, values: Sequence[int] | Sequence[str]) -> Any:
        """Return values as the one parameter of `among`."""
        return orjson.dumps(values).decode() if self.sqlite else list(values)

    def moment(self, at: datetime) -> Any:
        """Return an aware moment as it is kept (`core.models.UTCDateTime`)."""
        kept = at.astimezone(UTC).replace(tzinfo=None)
        return kept.isoformat(" ", "microseconds") if self.sqlite else kept
