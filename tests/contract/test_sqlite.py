"""A SQLite file under the contract suite."""

from __future__ import annotations

import hashlib
import logging
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import aiosqlite
import pytest

from connectors.conditions import Compare, Op
from connectors.spi import SourceQuery
from connectors.sql import SqlConnector
from tests.contract.sqlworld import COLUMNS, NoSecrets, SqlContract, inserts
from tests.contract.suite import Rig

SCHEMA = """
CREATE TABLE people_t (ref TEXT PRIMARY KEY, handling TEXT);
CREATE TABLE rich_t (ref TEXT PRIMARY KEY, name TEXT COLLATE NOCASE, code CHAR(4), num INTEGER,
    amount REAL, born DATE, seen TEXT, flag INTEGER, attrs TEXT, secret TEXT);
CREATE VIEW people AS SELECT * FROM people_t;
CREATE VIEW rich AS SELECT * FROM rich_t;
CREATE VIEW slow AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
    SELECT 'r' || max(i) AS ref FROM n;
CREATE VIEW broken AS SELECT json_extract('no json', '$.a') AS ref;
"""


def make(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.executescript(SCHEMA + inserts())
    database.close()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(name="path")
def fixture_path(tmp_path: Path) -> Path:
    path = tmp_path / "a file.db"
    make(path)
    return path


class Driver(logging.Handler):
    """Counts what the driver's threads have begun, by what it logs of each call."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way = 0

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg.startswith("executing"):
            self.under_way += 1
        elif record.msg.startswith(("operation", "returning")):
            self.under_way -= 1


@pytest.fixture(name="driver")
def fixture_driver() -> Iterator[Driver]:
    handler, logger = Driver(), logging.getLogger("aiosqlite")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.setLevel(before)
    logger.removeHandler(handler)


@pytest.fixture(name="rig")
async def fixture_rig(path: Path, driver: Driver) -> AsyncIterator[Rig]:
    def connector(url: str, more: Mapping[str, object] | None = None) -> SqlConnector:
        return SqlConnector.from_config({"url": url, "pool_size": 1, **(more or {})}, NoSecrets())

    async def seen(query: SourceQuery) -> str:
        """As the database itself tells it, values and all."""
        sent: list[str] = []
        async with live._borrowed() as held:  # there is one, and it is kept
            raw = held.pooled.driver_connection
            assert isinstance(raw, aiosqlite.Connection)
            await raw.set_trace_callback(sent.append)
        await live.fetch(query)
        await raw.set_trace_callback(lambda _sent: None)
        return "\n".join(sent)

    async def busy() -> bool:
        return driver.under_way > 0

    async def write() -> None:
        # straight on a connection of the connector's own making: nothing but reading is allowed
        async with live._borrowed() as held:
            raw = held.pooled.driver_connection
            assert isinstance(raw, aiosqlite.Connection)
            for statement in (
                "INSERT INTO people_t VALUES ('p9', 'P')",
                "UPDATE people_t SET handling = 'P'",
                "DELETE FROM people_t",
                "DROP TABLE people_t",
                "CREATE TEMP TABLE t (x)",
                f"ATTACH DATABASE '{path.parent / 'other.db'}' AS other",
                "PRAGMA query_only = OFF",
                "PRAGMA writable_schema = ON",
                "SELECT load_extension('x')",
                "BEGIN IMMEDIATE",
                "VACUUM INTO 'copy.db'",
            ):
                with pytest.raises(sqlite3.DatabaseError):
                    await raw.execute(statement)
        assert not (path.parent / "other.db").exists()

    async def untouched() -> str:
        return digest(path)

    live = connector(f"sqlite:///{path}")
    yield Rig(
        connector=live,
        columns=COLUMNS,
        dead=lambda: connector(f"sqlite:///{path}.gone"),
        config=lambda more: connector(f"sqlite:///{path}", more),
        seen=seen,
        busy=busy,
        write=write,
        untouched=untouched,
    )
    await live.aclose()


class TestSqlite(SqlContract):
    async def test_without_the_authorizer_the_file_still_cannot_be_written(
        self, rig: Rig, path: Path
    ) -> None:
        assert isinstance(rig.connector, SqlConnector)
        async with rig.connector._borrowed() as held:
            raw = held.pooled.driver_connection
            assert isinstance(raw, aiosqlite.Connection)
            await raw.set_authorizer(None)
            await raw.execute("PRAGMA query_only = OFF")
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                await raw.execute("DELETE FROM people_t")
            await held.connection.invalidate()

    async def test_f11_a_replaced_file_is_read_at_once(self, rig: Rig, path: Path) -> None:
        everyone = await rig.refs(rig.query())
        fresh = path.with_suffix(".new")
        make(fresh)
        with sqlite3.connect(fresh) as database:
            database.execute("INSERT INTO people_t VALUES ('p5', 'P')")
        database.close()
        shutil.move(fresh, path)
        assert await rig.refs(rig.query()) == everyone | {"p5"}

    async def test_f09_a_renamed_column_is_named_and_its_repair_is_noticed(
        self, rig: Rig, path: Path
    ) -> None:
        query = rig.query(where=Compare("handling", Op.EQ, "P"))
        assert await rig.refs(query) == {"p1", "p4"}
        with sqlite3.connect(path) as database:
            database.execute("DROP VIEW people")
            database.execute("CREATE VIEW people AS SELECT ref, handling AS hnd FROM people_t")
        with pytest.raises(Exception, match="people has no column handling"):
            await rig.refs(query)
        with sqlite3.connect(path) as database:
            database.execute("DROP VIEW people")
            database.execute("CREATE VIEW people AS SELECT * FROM people_t")
        database.close()
        assert await rig.refs(query) == {"p1", "p4"}

    async def test_a_value_is_compared_as_the_kind_it_is_stored_as(
        self, rig: Rig, path: Path
    ) -> None:
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE odd (ref TEXT, any, num NUMERIC)")
            rows = [("a", 5, 5), ("b", "5", "x1"), ("c", 5.0, 2**53 + 1), ("d", b"5", "5e0")]
            database.executemany("INSERT INTO odd VALUES (?, ?, ?)", rows)
        database.close()

        async def odd(column: str, op: Op, value: str | float) -> set[object]:
            return await rig.refs(rig.query("odd", where=Compare(column, op, value)))

        assert await odd("any", Op.EQ, 5) == {"a", "c"}
        assert await odd("any", Op.EQ, "5") == {"b"}
        assert await odd("any", Op.NE, "6") == {"b"}
        assert await odd("num", Op.GT, "x0") == {"b"}
        assert await odd("num", Op.EQ, float(2**53)) == set()
        assert await odd("num", Op.GT, 2**53) == {"c"}
        assert await odd("num", Op.LT, "5e1") == set()
        assert await odd("num", Op.EQ, 5) == {"a", "d"}
