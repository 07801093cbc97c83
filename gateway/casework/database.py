"""The database of the gateway's own records: a SQLite file, or PostgreSQL for several replicas."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar
from weakref import WeakKeyDictionary

from alembic.util import CommandError
from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    Select,
    Table,
    UpdateBase,
    event,
    func,
    literal,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.casework import migration
from gateway.casework.model import Officer
from gateway.errors import CaseworkUnavailable, ConfigError, Fault

_BUSY_S = 5.0  # how long a writer waits for another one
_MIGRATING: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
_T = TypeVar("_T")
_SQLITE = {
    "journal_mode": "WAL",
    "synchronous": "FULL",
    "foreign_keys": "ON",
    "cache_size": -256,  # KiB
}
_KINDS = ("sqlite+aiosqlite", "postgresql+asyncpg")


class Database:
    """One pool of connections, for what reads and writes its tables.

    Raises (each method):
        CaseworkUnavailable: the database does not answer; nothing was changed.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    async def open(cls, url: str) -> Self:
        """The store at an address. A SQLite file is made, and brought up to date, by this.

        Raises:
            ConfigError: it cannot be reached, is no database that we know, or its tables are not
                those of this version: `portcullis casework migrate` brings them up to date.
        """
        store = cls(engine_for(url))
        try:
            if store._engine.dialect.name == "sqlite":
                await store.migrate()
            async with store._engine.connect() as connection:
                found = await connection.run_sync(migration.revision)
        except (SQLAlchemyError, CommandError, OSError) as error:
            await store.aclose()
            raise fault(f"cannot be used: {type(error).__name__}") from error
        if found != migration.newest():
            await store.aclose()
            raise fault("its tables are of another version: run portcullis casework migrate")
        return store

    async def migrate(self) -> None:
        """Bring the tables to this version."""
        # Alembic keeps what it works on in globals: two at once in one process would mix.
        turns = _MIGRATING.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with turns, self._engine.begin() as connection:
            await connection.run_sync(migration.upgrade)

    async def aclose(self) -> None:
        await self._engine.dispose()

    # --- for those who keep their records in it ---

    async def _take_turns(self, connection: AsyncConnection, whose: Officer) -> None:
        """Let nobody else write what is counted for this officer until this transaction ends.
        SQLite has one writer at a time anyway."""
        if self._engine.dialect.name == "postgresql":
            named = hashlib.sha256(f"{whose.issuer}|{whose.id}|{whose.agency}".encode()).digest()
            lock = int.from_bytes(named[:8], signed=True)
            turn = func.pg_advisory_xact_lock(literal(lock, BigInteger))
            await connection.execute(select(turn))

    def _insert(self, table: Table) -> Any:
        """An insert that can give way to a row that is there already."""
        dialect = sqlite if self._engine.dialect.name == "sqlite" else postgresql
        return dialect.insert(table)

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        """One transaction."""
        with _answering():
            async with self._engine.begin() as connection:
                yield connection

    async def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        with _answering():
            async with self._engine.connect() as connection:
                found: Sequence[Row[Any]] = (await connection.execute(query)).all()
                return found


@contextmanager
def _answering() -> Iterator[None]:
    """What goes wrong between us and the database, in our words."""
    try:
        yield
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        raise CaseworkUnavailable(detail=f"casework: {type(error).__name__}") from error


def address(url: str, state_dir: Path) -> str:
    """The address that the setting names: a file of the gateway's own where it names none."""
    return url or f"sqlite+aiosqlite:///{state_dir / 'casework.sqlite'}"


async def migrate(url: str) -> None:
    """Bring a database's tables to this version.

    Raises:
        ConfigError: it cannot be reached, or this role may not change its tables.
    """
    database = Database(engine_for(url))
    try:
        await database.migrate()
    except (SQLAlchemyError, CommandError, OSError) as error:
        raise fault(f"cannot be brought up to date: {type(error).__name__}") from error
    finally:
        await database.aclose()


def engine_for(url: str) -> AsyncEngine:
    """The pool for an address of SQLite or PostgreSQL.

    Raises:
        ConfigError: it is no such address.
    """
    try:
        where = make_url(url)
    except ArgumentError as error:
        raise fault("is not a database address") from error
    if where.drivername not in _KINDS:
        raise fault(f"must begin with {' or '.join(_KINDS)}")
    if where.password is not None:
        raise fault("must hold no password: PostgreSQL's client reads PGPASSWORD or a passfile")
    if where.drivername.startswith("postgresql"):
        return create_async_engine(where, pool_pre_ping=True)
    if where.database:
        _make(Path(where.database))
    engine = create_async_engine(where, connect_args={"timeout": _BUSY_S})
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _make(file: Path) -> None:
    """The file, for its owner alone: who asked for what is nobody else's business."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
    except OSError as error:
        raise fault(f"its file cannot be made: {error.strerror}") from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """A file that survives a crash, lets readers be, keeps its references whole, and of which each
    connection keeps a quarter of a MiB in memory: all of it is in the system's own cache anyway."""
    cursor = connection.cursor()
    for name, value in _SQLITE.items():
        cursor.execute(f"PRAGMA {name}={value}")
    cursor.close()
    connection.isolation_level = None  # the driver would leave changes of tables outside


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def fault(text: str) -> ConfigError:
    """The address may hold a password, so it is never repeated."""
    return ConfigError(Fault(file="casework_url", key="(database)", text=text))


async def changed(connection: AsyncConnection, change: UpdateBase) -> bool:
    """Whether it found its rows as it expected them."""
    return (await connection.execute(change)).rowcount > 0


def first_of(found: Sequence[_T]) -> _T | None:
    return found[0] if found else None
