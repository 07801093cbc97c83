"""The three databases as places: every form of column that has a recipe of its own."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from connectors.sql import SqlConnector
from tests.contract.sqlworld import NoSecrets
from tests.differential import odds
from tests.differential.agreement import RELATION, Place, Rows
from tests.differential.odds import Draw
from tests.servers import MariaDb, Postgres


def _without_nul(rng: Random) -> str:
    return odds.text(rng).replace("\0", "")


def _short(rng: Random) -> str:
    return _without_nul(rng)[:8]


def _latin(rng: Random) -> str:
    return odds.text(rng).encode("latin-1", "ignore").decode("latin-1")


def _small(rng: Random) -> int:
    return max(-(2**31), min(2**31 - 1, odds.whole(rng)))


def _any_double(rng: Random) -> float:
    return rng.choice((odds.double(rng), rng.choice((math.nan, math.inf, -math.inf))))


def _any_decimal(rng: Random) -> Decimal:
    return Decimal("NaN") if rng.random() < 0.05 else odds.decimal(rng)


def _anything(rng: Random) -> object:
    return rng.choice((odds.text, odds.whole, odds.double, lambda rng: odds.text(rng).encode()))(
        rng
    )


def _inside(rng: Random) -> object:
    """What a key inside JSON holds; read as text whatever it is."""
    return rng.choice((_without_nul, _without_nul, odds.whole, odds.flag))(rng)


_SQLITE = {
    "txt": ("TEXT", odds.text),
    "fold": ("TEXT COLLATE NOCASE", odds.text),
    "trimmed": ("VARCHAR(20) COLLATE RTRIM", odds.text),
    "num": ("INTEGER", odds.whole),
    "dec": ("NUMERIC", odds.decimal),
    "dbl": ("REAL", odds.double),
    "wordy": ("TEXT", _anything),
    "numeric": ("NUMERIC", _anything),
    "anything": ("", _anything),
    "day": ("DATE", odds.day),
    "attrs:k": ("TEXT", _inside),
}
_POSTGRESQL = {
    "txt": ("text", _without_nul),
    "fold": ("text COLLATE sorting", _without_nul),
    "code": ('varchar(20) COLLATE "C"', _without_nul),
    "padded": ("char(8)", _short),
    "listed": ("listed", odds.one_of("a", "A", "á", "b", " ")),
    "small": ("int", _small),
    "num": ("bigint", odds.whole),
    "dec": ("numeric", _any_decimal),
    "dbl": ("float8", _any_double),
    "flt": ("float4", odds.single),
    "flag": ("boolean", odds.flag),
    "day": ("date", odds.day),
    "seen": ("timestamp", odds.moment),
    "at": ("timestamptz", odds.instant),
    "attrs:k": ("jsonb", _inside),
}
_MARIADB = {
    "txt": ("varchar(20)", odds.text),
    "fold": ("varchar(20) COLLATE utf8mb4_turkish_ci", odds.text),
    "newest": ("varchar(20) COLLATE utf8mb4_unicode_520_ci", odds.text),
    "exact": ("varchar(20) COLLATE utf8mb4_bin", odds.text),
    "latin": ("varchar(20) CHARACTER SET latin1", _latin),
    "padded": ("char(8)", lambda rng: odds.text(rng)[:8]),
    "listed": ("enum('a', 'b', 'c c')", odds.one_of("a", "b", "c c")),
    "small": ("int", _small),
    "num": ("bigint", odds.whole),
    "pos": ("bigint unsigned", lambda rng: rng.choice((abs(odds.whole(rng)), 2**64 - 1))),
    "dec": ("decimal(30, 6)", odds.decimal),
    "dbl": ("double", odds.double),
    "flt": ("float", odds.single),
    "bits": ("bit(8)", odds.one_of(0, 1, 2, 127, 128, 255)),
    "day": ("date", odds.day),
    "seen": ("datetime(6)", odds.moment),
    "attrs:k": ("json", _inside),
}  # fmt: skip


@asynccontextmanager
async def sqlite(directory: Path) -> AsyncIterator[Place]:
    """A file, whose values each bring their own kind."""
    url = f"sqlite:///{directory / 'odds.db'}"
    async with _place("SQLite", url, url.replace("sqlite:", "sqlite+aiosqlite:"), _SQLITE) as place:
        yield place


@asynccontextmanager
async def postgresql(server: Postgres, locale: str) -> AsyncIterator[Place]:
    """A database that sorts as a dictionary does."""
    server.run(f"CREATE DATABASE odds TEMPLATE template0 ENCODING 'UTF8' LOCALE '{locale}';")
    server.run(
        f"CREATE COLLATION sorting (locale = '{locale}');"
        "CREATE TYPE listed AS ENUM ('a', 'A', 'á', 'b', ' ');",
        database="odds",
    )
    url = server.url("postgres", "odds")
    async with _place("PostgreSQL", url, url, _POSTGRESQL) as place:
        yield place


@asynccontextmanager
async def mariadb(server: MariaDb) -> AsyncIterator[Place]:
    """A database whose collation folds case and accents and ignores trailing spaces."""
    server.run(
        "CREATE OR REPLACE DATABASE odds CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;"
        "CREATE USER IF NOT EXISTS odds@localhost; GRANT SELECT ON odds.* TO odds@localhost;"
    )
    reader, owner = server.url("odds", "", "odds"), server.url("root", "", "odds")
    async with _place("MariaDB", reader, owner, _MARIADB) as place:
        yield place


@asynccontextmanager
async def _place(
    name: str, reader: str, owner: str, columns: Mapping[str, tuple[str, Draw]]
) -> AsyncIterator[Place]:
    connector = SqlConnector.from_config({"url": reader, "pool_size": 1}, NoSecrets())
    engine = create_async_engine(owner)
    types = {column: declared for column, (declared, _) in columns.items()}
    draws = {column: draw for column, (_, draw) in columns.items()}
    try:
        await _create(engine, types)
        fill = partial(_fill, engine, [column.partition(":")[0] for column in columns])
        yield Place(name=name, connector=connector, columns=draws, fill=fill)
    finally:
        await connector.aclose()
        await engine.dispose()


async def _create(engine: AsyncEngine, types: Mapping[str, str]) -> None:
    quote = engine.dialect.identifier_preparer.quote
    columns = (f"{quote(name.partition(':')[0])} {declared}" for name, declared in types.items())
    async with engine.begin() as connection:
        table = f"CREATE TABLE {RELATION} (ref varchar(10) PRIMARY KEY, {', '.join(columns)})"
        await connection.execute(sa.text(table))
        # as real ones are, so that the looser predicates find rows
        for name in types.keys() & {"txt", "fold", "exact", "newest"}:
            await connection.execute(sa.text(f"CREATE INDEX by_{name} ON {RELATION} ({name})"))


async def _fill(engine: AsyncEngine, columns: Sequence[str], rows: Rows) -> None:
    values = ", ".join(f":{name}" for name in ("ref", *columns))
    of_sqlite = engine.dialect.name == "sqlite"
    plain = [dict(_stored(*cell, of_sqlite) for cell in row.items()) for row in rows]
    async with engine.begin() as connection:
        await connection.execute(sa.text(f"DELETE FROM {RELATION}"))  # noqa: S608  # our own
        insert = f"INSERT INTO {RELATION} VALUES ({values})"  # noqa: S608  # our own names
        await connection.execute(sa.text(insert), plain)


def _stored(name: str, value: object, of_sqlite: bool) -> tuple[str, object]:
    """The column and what is put into it; SQLite has neither decimals nor dates."""
    column, colon, key = name.partition(":")
    if colon and value is not None:
        value = json.dumps({key: value})
    if of_sqlite and isinstance(value, Decimal):
        value = float(value)
    return column, value.isoformat() if of_sqlite and isinstance(value, date) else value
