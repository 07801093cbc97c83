"""SQL databases: PostgreSQL (asyncpg), MariaDB (aiomysql) and SQLite files (aiosqlite).

Three walls keep it from writing: the role's privileges, which are the owner's affair and the real
wall (SQLite: the file is opened `mode=ro` under an authorizer that denies all but reading); a
session that is read-only by default; and the fact that nothing here builds anything but SELECT.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import PoolProxiedConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from connectors._config import Table
from connectors._sqlerrors import source_error
from connectors._sqlliterals import Dialect, Kind
from connectors._sqlschema import Described, describe
from connectors.conditions import (
    ALWAYS,
    And,
    Compare,
    Condition,
    Op,
    Or,
    Scalar,
    all_of,
    fields_of,
)
from connectors.spi import (
    Ability,
    Capability,
    Column,
    Health,
    Secrets,
    SourceProtocolError,
    SourceQuery,
    SourceResult,
    SourceTimeout,
    SourceUnavailable,
)
from connectors.sqltext import MOST_STATEMENTS, Held, Relation, Statement

_DRIVERS = {
    "sqlite": (Dialect.SQLITE, "sqlite+aiosqlite"),
    "postgresql": (Dialect.POSTGRESQL, "postgresql+asyncpg"),
    "postgres": (Dialect.POSTGRESQL, "postgresql+asyncpg"),
    "mariadb": (Dialect.MARIADB, "mariadb+aiomysql"),
    "mysql": (Dialect.MARIADB, "mariadb+aiomysql"),
}
_CAPABILITY = Capability(abilities=Ability.PROJECT | Ability.LIMIT | Ability.BATCH, max_keys=1000)
_CHECK_S = 5.0


@dataclass(frozen=True, slots=True)
class _Open:
    """A connection that was taken out of the pool."""

    connection: AsyncConnection
    pooled: PoolProxiedConnection


async def _close(held: _Open) -> None:
    await held.connection.invalidate()
    await held.connection.close()


class SqlConnector:
    """One database, read through a pool of connections that are all alike and never written on."""

    def __init__(self, url: sa.URL, *, pool_size: int, statement_timeout_s: float) -> None:
        self._dialect, driver = _DRIVERS[url.drivername.partition("+")[0]]
        self._engine = _engine(self._dialect, url.set(drivername=driver), pool_size,
                               statement_timeout_s)  # fmt: skip
        self._file = (
            Path(url.database or "").absolute() if self._dialect is Dialect.SQLITE else None
        )
        self._turns = asyncio.Semaphore(pool_size)
        self._free: list[_Open] = []  # the one that was used last at the end
        self._relations: dict[str, Relation] = {}

    @classmethod
    def from_config(cls, config: Mapping[str, object], secrets: Secrets) -> Self:
        """Keys: `url` or `url_secret`, `pool_size` (5), `statement_timeout_s` (10)."""
        table = Table(config, secrets)
        text = table.plain_or_secret("url")
        pool_size = table.whole("pool_size", 5, most=100)
        statement_timeout_s = table.number("statement_timeout_s", 10.0, most=600)
        url = sa.URL.create("none")
        try:
            url = sa.make_url(text)
        except (sa.exc.ArgumentError, ValueError):
            table.wrong("url", "a SQLAlchemy URL")
        if url.drivername.partition("+")[0] not in _DRIVERS or not url.database:
            table.wrong("url", "a postgresql, mariadb or sqlite URL that names a database")
        table.done()
        return cls(url, pool_size=pool_size, statement_timeout_s=statement_timeout_s)

    @property
    def capabilities(self) -> Capability:
        return _CAPABILITY

    def residual(self, query: SourceQuery) -> Condition:
        """A database applies every condition itself."""
        return ALWAYS

    def explain(self, query: SourceQuery) -> str:
        """The statement. Before the first visit column types are taken from the literals."""
        relation = self._relations.get(query.relation) or _supposed(self._dialect, query)
        statement, values = _statement(relation, query)
        return statement.native(self._engine.dialect, values)[0]

    async def fetch(self, query: SourceQuery) -> SourceResult:
        """Visit once. A stale connection or a stale idea of the relation costs a second try."""
        try:
            async with asyncio.timeout(query.timeout_s):
                return await self._visit(query)
        except TimeoutError as error:
            raise SourceTimeout(f"no answer within {query.timeout_s:g} s") from error

    async def _visit(self, query: SourceQuery) -> SourceResult:
        if query.near is not None:
            raise SourceProtocolError("this source cannot rank by likeness")
        try:
            return await self._read(query)
        except SourceUnavailable:
            await self._close_free()  # all die with a restart: the first query after it succeeds
        except SourceProtocolError:
            # perhaps the relation changed since we looked
            if self._relations.pop(query.relation, None) is None:
                raise
        return await self._read(query)

    async def _read(self, query: SourceQuery) -> SourceResult:
        try:
            async with self._borrowed() as held:
                relation = self._relations.get(query.relation)
                if relation is None:
                    described = await describe(held.connection, self._dialect, query.relation)
                    relation = _relation(self._dialect, query.relation, described)
                statement, values = _statement(relation, query)
                text, parameters = statement.native(self._engine.dialect, values)
                rows = await self._run(held, text, parameters)
        except Exception as error:
            # any exception of three drivers, their sockets and decoders; none of it is ours
            raise source_error(error) from error
        self._relations[query.relation] = relation
        return SourceResult(
            rows=tuple(map(tuple, rows[: query.limit])),
            truncated=len(rows) > query.limit,
        )

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[_Open]:
        """A connection for one statement, which goes back as it came.

        Those that are free stay out of SQLAlchemy's pool: each way out of it and back makes several
        greenlets, which cost as much as the driver's part.
        """
        async with self._turns:
            held = await self._taken()
            try:
                yield held
            finally:
                if held.connection.invalidated:
                    await held.connection.close()
                else:
                    self._free.append(held)

    async def _taken(self) -> _Open:
        while self._free:
            held = self._free.pop()
            if held.pooled.info.get("file") == (self._file and _identity(self._file)):
                return held
            await _close(held)
        return await self._opened()

    async def _opened(self) -> _Open:
        connection = await self._engine.connect()
        try:
            return _Open(connection, await connection.get_raw_connection())
        except BaseException:
            await connection.close()
            raise

    async def _close_free(self) -> None:
        while self._free:
            await _close(self._free.pop())

    async def _run(self, held: _Open, text: str, parameters: list[Any]) -> list[Sequence[Any]]:
        """The rows of a compiled statement, asked of the driver itself: SQLAlchemy's part in
        running a statement costs several times the driver's."""
        pooled = held.pooled
        driver: Any = pooled.driver_connection
        try:
            match self._dialect:
                case Dialect.POSTGRESQL:
                    prepared = pooled.info.get(text)
                    if prepared is None:
                        # Ours and not the driver's own: of those it would not tell that the
                        # relation has changed since.
                        if len(pooled.info) >= MOST_STATEMENTS:
                            pooled.info.clear()
                        prepared = pooled.info[text] = await driver.prepare(text)
                    rows = await prepared.fetch(*parameters)
                case Dialect.SQLITE:
                    rows = await driver.execute_fetchall(text, parameters)
                case Dialect.MARIADB:
                    # of SQLAlchemy's own kind, which leaves warnings with the server
                    async with driver.cursor(self._engine.dialect.loaded_dbapi.Cursor) as cursor:
                        await cursor.execute(text, parameters)
                        rows = await cursor.fetchall()
        except BaseException:
            await held.connection.invalidate()  # nobody knows what it is in the middle of
            raise
        return list(rows)

    async def check(self) -> Health:
        """Connects, and lists every relation that the role may read."""
        try:
            async with asyncio.timeout(_CHECK_S), self._borrowed() as held:
                described = await describe(held.connection, self._dialect)
        except TimeoutError:
            return Health(ok=False, detail=f"no answer within {_CHECK_S:g} s")
        except Exception as error:
            # as in _read
            return Health(ok=False, detail=str(source_error(error)))
        return Health(ok=True, relations={name: _shown(held) for name, held in described.items()})

    async def aclose(self) -> None:
        for held in self._free:
            await held.connection.close()
        self._free.clear()
        await self._engine.dispose()


def _shown(columns: Mapping[str, Held]) -> Mapping[str, Column]:
    return {name: Column(type=held.shown, nullable=held.nullable) for name, held in columns.items()}


def _relation(dialect: Dialect, name: str, described: Described) -> Relation:
    if name not in described:
        raise SourceProtocolError(f"there is no relation {name}, or the role may not read it")
    return Relation(
        dialect=dialect,
        name=name,
        columns=described[name],
        by_code_point=described.by_code_point,
    )


def _statement(relation: Relation, query: SourceQuery) -> tuple[Statement, list[Any]]:
    """The one statement of a visit, and its values.

    Raises:
        SourceProtocolError: a column is missing from the relation.
    """
    wanted = all_of((query.where, query.guard, _beyond(query)))
    try:
        return relation.statement(query.columns, wanted, query.key, query.limit + 1)
    except KeyError as error:
        raise SourceProtocolError(f"{query.relation} has no column {error.args[0]}") from error


def _beyond(query: SourceQuery) -> Condition:
    return ALWAYS if query.after is None else Compare(query.key, Op.GT, query.after)


def _supposed(dialect: Dialect, query: SourceQuery) -> Relation:
    """A relation as the query itself suggests it, for `explain` before any visit."""
    wanted = all_of((query.where, query.guard, _beyond(query)))
    names = {*query.columns, query.key, *fields_of(wanted)}
    suggested = _suggested(wanted)
    stored = dialect is Dialect.SQLITE
    columns = {
        name.partition(":")[0]: Held(
            kind=Kind.STORED if stored else suggested.get(name, Kind.TEXT),
            affinity="text" if suggested.get(name, Kind.TEXT) is Kind.TEXT else "number",
        )
        for name in sorted(names)
    }
    return Relation(dialect=dialect, name=query.relation, columns=columns)


def _suggested(condition: Condition) -> dict[str, Kind]:
    match condition:
        case And(parts) | Or(parts):
            return {name: kind for part in parts for name, kind in _suggested(part).items()}
        case Compare(column, _, value):
            sample = value[0] if isinstance(value, tuple) and value else value
            return {column: _kind_of(sample)}
        case _:
            return {}


def _kind_of(value: Scalar | tuple[Scalar, ...]) -> Kind:
    match value:
        case bool():
            return Kind.BOOLEAN
        case int():
            return Kind.INTEGER
        case float() | Decimal():
            return Kind.DECIMAL
        case datetime():
            return Kind.ZONED if value.tzinfo else Kind.LOCAL
        case date():
            return Kind.DATE
        case _:
            return Kind.TEXT


# --- opening


def _engine(
    dialect: Dialect, url: sa.URL, pool_size: int, statement_timeout_s: float
) -> AsyncEngine:
    """An engine whose every connection is read-only, bounded in time, and needs no reset.

    Nothing is ever set on a borrowed connection and each statement is its own transaction, so a
    connection goes back as it came and the pool's rollback would be a wasted round trip.
    """
    path = Path(url.database or "").absolute()
    timeout_ms = round(statement_timeout_s * 1000)
    arguments: dict[str, Any] = {}
    match dialect:
        case Dialect.SQLITE:
            read_only = {"mode": "ro", "uri": "true"}
            url = url.set(database=f"file:{quote(str(path))}", query=read_only)
        case Dialect.POSTGRESQL:
            arguments["server_settings"] = {
                "application_name": "portcullis",
                "default_transaction_read_only": "on",
                "statement_timeout": str(timeout_ms),
                "lock_timeout": str(timeout_ms),
                "jit": "off",  # lookups end before it pays
            }
        case Dialect.MARIADB:
            arguments["charset"] = "utf8mb4"
            arguments["init_command"] = (
                "SET SESSION tx_read_only = ON, SESSION sql_mode = 'STRICT_ALL_TABLES',"
                f" SESSION max_statement_time = {timeout_ms / 1000:.3f},"
                f" SESSION lock_wait_timeout = {max(1, timeout_ms // 1000)}"
            )
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_reset_on_return=None,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,  # a round trip for each statement otherwise
        hide_parameters=True,
        connect_args=arguments,
    )
    sa.event.listen(engine.sync_engine, "invalidate", _abandon)
    if dialect is Dialect.SQLITE:
        _guard_sqlite(engine, path)
    return engine


def _abandon(connection: Any, record: object, error: BaseException | None) -> None:
    """Stop what a connection is doing, so that closing it waits for nothing.

    SQLAlchemy closes an abandoned connection politely, which sends PostgreSQL its cancel request;
    a server that no longer answers gets a tenth of a second for it.
    """
    driver = connection.driver_connection
    if hasattr(driver, "interrupt"):  # sqlite: its thread is in the middle of the statement
        driver._conn.interrupt()
    elif hasattr(driver, "terminate"):
        asyncio.get_running_loop().call_later(0.1, driver.terminate)


_READING = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
_PRAGMAS = frozenset({"read_uncommitted", "table_xinfo"})  # asked, never set
_FUNCTIONS_DENIED = frozenset({"load_extension", "fts3_tokenizer"})


def _authorise(
    action: int, first: str | None, second: str | None, database: str | None, by: str | None
) -> int:
    """sqlite3_set_authorizer's callback: reading is allowed, whatever else there may be is not."""
    allowed = action in _READING
    if action == sqlite3.SQLITE_FUNCTION:
        allowed = (second or "").lower() not in _FUNCTIONS_DENIED
    if action == sqlite3.SQLITE_PRAGMA:
        allowed = first in _PRAGMAS and (first == "table_xinfo" or second is None)
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _guard_sqlite(engine: AsyncEngine, path: Path) -> None:
    """Every connection gets the authorizer, and knows its file, which may be replaced."""

    async def prepare(driver: Any) -> None:
        await driver.execute("PRAGMA query_only = ON")
        # this table is declared on first use, which to an authorizer looks like writing
        await driver.execute("SELECT 1 FROM pragma_table_xinfo('')")
        await driver.set_authorizer(_authorise)

    @sa.event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        connection.run_async(prepare)
        record.info["file"] = _identity(path)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
