"""What the agencies' own systems have in common when they write a share down."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("Europe/London")
Rows = Iterable[Sequence[Any]]


def local(moment: datetime) -> datetime:
    """The moment on the clock on the wall, without its zone; ambiguous for one hour a year."""
    return moment.astimezone(LOCAL).replace(tzinfo=None)


def utc(moment: datetime) -> datetime:
    """The moment in UTC, without its zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def new_file(path: Path, ddl: str) -> sqlite3.Connection:
    """A new SQLite file with these tables; a file that was there before is replaced."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(f"pragma synchronous = off; begin; {ddl}")
    return connection


def insert(connection: sqlite3.Connection, table: str, rows: Rows) -> None:
    """Insert whole rows into a table of the file."""
    listed = [tuple(row) for row in rows]
    if listed:
        marks = ", ".join("?" * len(listed[0]))
        connection.executemany(f"insert into {table} values ({marks})", listed)  # noqa: S608
