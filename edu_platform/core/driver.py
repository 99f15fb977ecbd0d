"""SQLite's own ways: statements past SQLAlchemy, and SQL that it plans once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

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
