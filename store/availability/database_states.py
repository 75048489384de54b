"""Decides what an error of the SQL database means. The only module that reads such errors.

A database that is gone, locked, read-only, starting, full of clients or without rights is one thing: it is away, and
the sentence says in which state. A full disk is none of these (``StorageFull``), and errors of a statement are ours.
"""

import sqlite3
from collections.abc import Mapping

from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from store.errors import DatabaseAway, InvalidValue, StorageFull, StoreError

NOT_REACHABLE = "The database is not reachable."
READ_ONLY = "The database is read-only."
LOCKED = "The database is locked by another process for too long."
BUSY = "The database is busy with other changes."
NO_RIGHTS = "The database does not permit what Recoq does."
NO_LOGIN = "The database refuses the user or the password of RECOQ_DATABASE_URL."
STARTING = "The database is starting, stopping or recovering."
CROWDED = "The database has as many clients as it may have."
NO_ANSWER = "The database does not answer in time."
FAILING = "The database fails: its disk, its memory or its files."
FULL = "The database has no room left."
UNFIT = (
    "A value cannot be stored: text must have no NUL and no lone surrogates, numbers must be finite, "
    "and objects must not be nested too deeply."
)

_SQLITE: Mapping[int, str] = {
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_PROTOCOL: LOCKED,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: NOT_REACHABLE,
    sqlite3.SQLITE_PERM: NO_RIGHTS,
    sqlite3.SQLITE_AUTH: NO_RIGHTS,
    sqlite3.SQLITE_IOERR: FAILING,
    sqlite3.SQLITE_NOMEM: FAILING,
}
_DISK_FULL = "53100"
# By SQLSTATE, or by the two digits of its class: https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRES: Mapping[str, str] = {
    "25006": READ_ONLY,
    "42501": NO_RIGHTS,
    "28": NO_LOGIN,
    "40": BUSY,
    "55P03": BUSY,
    "57014": NO_ANSWER,
    "57": STARTING,
    "53300": CROWDED,
    "53": FAILING,
    "58": FAILING,
    "XX": FAILING,
}
_POSTGRES_TEXTS: Mapping[str, str] = {  # of connections that were refused, which come without a SQLSTATE
    "too many clients": CROWDED,
    "too many connections": CROWDED,
    "connection slots are reserved": CROWDED,
    "authentication failed": NO_LOGIN,
    "is not permitted to log in": NO_LOGIN,
    "the database system is": STARTING,
}


def database_error(error: SQLAlchemyError | sqlite3.Error) -> StoreError | None:
    """Return the store's error for one of the database or its driver; None for one that is ours."""
    if isinstance(error, PoolTimeoutError):
        return DatabaseAway(CROWDED)
    if isinstance(error, sqlite3.Error):
        return _sqlite_error(error)
    if isinstance(error, DBAPIError):
        return _sqlite_error(error.orig) if isinstance(error.orig, sqlite3.Error) else _postgres_error(error)
    if isinstance(error, StatementError) and isinstance(error.orig, InvalidValue):
        return InvalidValue(UNFIT)
    return None


def _sqlite_error(error: sqlite3.Error) -> StoreError | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code of an extended one
    if code == sqlite3.SQLITE_FULL:
        return StorageFull(FULL)
    sentence = _SQLITE.get(code)
    return None if sentence is None else DatabaseAway(sentence)


def _postgres_error(error: DBAPIError) -> StoreError | None:
    if isinstance(error, DataError):
        return InvalidValue(UNFIT)
    state = getattr(error.orig, "sqlstate", None) or ""
    if state == _DISK_FULL:
        return StorageFull(FULL)
    sentence = _POSTGRES.get(state) or _POSTGRES.get(state[:2]) or _sentence_of_text(str(error.orig))
    if sentence is not None:
        return DatabaseAway(sentence)
    if error.connection_invalidated or isinstance(error, (OperationalError, InterfaceError)):
        return DatabaseAway(NOT_REACHABLE)
    return None


def _sentence_of_text(text: str) -> str | None:
    return next((sentence for part, sentence in _POSTGRES_TEXTS.items() if part in text), None)
