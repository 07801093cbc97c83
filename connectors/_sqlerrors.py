"""Whose fault a database's error is. The texts hold codes: a driver's message quotes values."""

from __future__ import annotations

import sqlite3

import sqlalchemy as sa

from connectors.spi import SourceError, SourceProtocolError, SourceTimeout, SourceUnavailable

# SQLSTATE classes: connection exception, refused credentials, unknown database, no resources,
# operator intervention (PostgreSQL, Appendix A)
_PG_UNAVAILABLE = ("08", "28", "3D", "53", "57P", "58")
_PG_TIMEOUT = ("57014", "55P03")  # query_canceled, lock_not_available

# mariadb.com/kb/en/mariadb-error-codes and the client's own 20xx
_MARIADB_UNAVAILABLE = frozenset(
    {1040, 1043, 1044, 1045, 1049, 1053, 1077, 1079, 1080, 1129, 1130, 1152, 1153, 1156, 1158,
     1159, 1160, 1161, 1184, 1203, 1226, 1698, 1927, 2002, 2003, 2005, 2006, 2012, 2013, 2014, 2055,
     4031}
)  # fmt: skip
_MARIADB_TIMEOUT = frozenset({1205, 1317, 1969, 3024})

_SQLITE_UNAVAILABLE = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM,
                                 sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL})  # fmt: skip
_SQLITE_TIMEOUT = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT})

# without a code; asyncpg raises the last of a session that ends just as a statement is sent
_LOST = {"InterfaceError", "ConnectionDoesNotExistError", "InternalClientError"}


def source_error(error: Exception) -> SourceError:
    """The contract's error for anything a driver or SQLAlchemy raised."""
    if isinstance(error, SourceError):
        return error
    if isinstance(error, sa.exc.TimeoutError):
        return SourceTimeout("no connection came free in time")
    origin: BaseException = error
    origin = error.orig if isinstance(error, sa.exc.DBAPIError) and error.orig else error
    while origin.__cause__ is not None and not _code(origin):
        origin = origin.__cause__  # SQLAlchemy's adapters wrap the driver's own
    code = _code(origin)
    match code:
        case str():
            kind = _by_sqlstate(code)
        case int() if isinstance(origin, sqlite3.Error):
            kind = _by_number(code & 0xFF, _SQLITE_UNAVAILABLE, _SQLITE_TIMEOUT)
        case int():
            kind = _by_number(code, _MARIADB_UNAVAILABLE, _MARIADB_TIMEOUT)
        case _:
            kind = _by_class(origin, error)
    label = type(origin).__name__ if code is None else f"{type(origin).__name__} {code}"
    return kind(f"the database failed: {label}")


def _code(error: BaseException) -> str | int | None:
    """PostgreSQL's SQLSTATE, SQLite's extended result code or MariaDB's error number."""
    first = error.args[0] if error.args else None
    if isinstance(first, int) and not isinstance(error, OSError):
        return first
    state = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorcode", None)
    return state if isinstance(state, str | int) else None


def _by_sqlstate(code: str) -> type[SourceError]:
    if code in _PG_TIMEOUT:
        return SourceTimeout
    return SourceUnavailable if code.startswith(_PG_UNAVAILABLE) else SourceProtocolError


def _by_number(
    code: int, unavailable: frozenset[int], timeout: frozenset[int]
) -> type[SourceError]:
    if code in timeout:
        return SourceTimeout
    return SourceUnavailable if code in unavailable else SourceProtocolError


def _by_class(origin: BaseException, error: BaseException) -> type[SourceError]:
    if isinstance(origin, TimeoutError):
        return SourceTimeout
    closed = isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated
    lost = type(origin).__name__ in _LOST
    if closed or lost or isinstance(origin, OSError | EOFError):
        return SourceUnavailable
    return SourceProtocolError
