"""Which troubles below us pass by themselves, and what to say of them: not now, or no space."""

from __future__ import annotations

import errno

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from edu_platform.core.errors import NoSpace, NotNow

_SQLITE_FULL = "SQLITE_FULL"
_SQLITE_PASSING = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")
_PG_FULL = "53100"
_PG_PASSING = ("08", "40001", "40P01", "53", "55P03", "57P")
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


def _of_database(error: DBAPIError) -> NotNow | None:
    name = getattr(error.orig, "sqlite_errorname", None)
    state = getattr(error.orig, "sqlstate", None)
    if name == _SQLITE_FULL or state == _PG_FULL:
        return NoSpace()
    if name:
        return NotNow() if name.startswith(_SQLITE_PASSING) else None
    if state:
        return NotNow() if state.startswith(_PG_PASSING) else None
    # psycopg gives no state when the connection itself broke
    return NotNow() if isinstance(error, OperationalError) or error.connection_invalidated else None
