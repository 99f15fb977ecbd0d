"""Which troubles below us pass by themselves, and what to say of them: not now, or no space."""

from __future__ import annotations

import errno

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from edu_platform.core.errors import NoSpace, NotNow

# SQLite's names; PostgreSQL's states: connection, serialization, resources, lock, shutdown, and the system's own
# troubles, to which belongs what it says of files on a disk that turned read-only (42501, insufficient privilege).
_FULL = {"SQLITE_FULL", "53100"}
_PASSING = (
    *("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN"),
    *("08", "40001", "40P01", "53", "55P03", "57P", "58", "42501"),
)
_OS_FULL = {errno.ENOSPC, errno.EDQUOT}
_OS_PASSING = {errno.EROFS, errno.EIO, errno.ESTALE}


def refusal_of(trouble: BaseException) -> NotNow | None:
    """Return the refusal that a trouble of database or disk amounts to; None when it does not pass by itself.

    `NoSpace` for a full disk; `NotNow` for what is busy, locked, read-only, restarting or gone.
    """
    if isinstance(trouble, NotNow):
        return trouble
    if isinstance(trouble, PoolExhausted):
        return NotNow()
    if isinstance(trouble, DBAPIError):
        return _of_database(trouble)
    if isinstance(trouble, OSError) and trouble.errno in _OS_FULL:
        return NoSpace()
    if isinstance(trouble, OSError) and trouble.errno in _OS_PASSING:
        return NotNow(retry_after=10)
    return None


def code_of(error: DBAPIError) -> str | None:
    """Return the database's own code of an error, SQLite's name or PostgreSQL's state: it quotes nothing."""
    code = getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None)
    return None if code is None else str(code)


def _of_database(error: DBAPIError) -> NotNow | None:
    code = code_of(error)
    if code in _FULL:
        return NoSpace()
    if code is not None:
        return NotNow() if code.startswith(_PASSING) else None
    # psycopg gives no state when the connection itself broke
    return NotNow() if isinstance(error, OperationalError) or error.connection_invalidated else None
