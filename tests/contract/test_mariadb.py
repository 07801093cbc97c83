"""MariaDB under the contract suite: a collation that folds case, accents and trailing spaces."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from connectors.conditions import Compare, IsNull, Op
from connectors.spi import SourceProtocolError, SourceQuery, SourceTimeout
from connectors.sql import SqlConnector
from tests.contract.sqlworld import COLUMNS, NoSecrets, SqlContract, inserts
from tests.contract.suite import Rig
from tests.servers import MariaDb

PASSWORD = "only-for-tests"  # noqa: S105  # of a server that lives as long as the tests

SCHEMA = """
CREATE DATABASE agency CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
CREATE DATABASE shown CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
USE agency;
CREATE TABLE people_t (ref varchar(10) PRIMARY KEY, handling char(4));
CREATE TABLE rich_t (ref varchar(10) PRIMARY KEY, name varchar(100), code char(4), num int,
    amount decimal(12, 2), born date, seen datetime(6), flag boolean, attrs longtext, secret text,
    INDEX (name));
SET sql_mode = '';
CREATE TABLE odd_t (ref varchar(10), whole bigint unsigned, half float, wide double, bits bit(4),
    born date NOT NULL, latin varchar(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci,
    hue enum('red', 'blue', 'Amber'), at time, raw varbinary(8));
INSERT INTO odd_t VALUES
    ('a', 18446744073709551615, 0.1, 0.1, 5, '1991-04-17', 'Höxha', 'red', '01:02:03', 'z'),
    ('b', 5, NULL, 1e300, 0, '0000-00-00', 'HOXHA', 'Amber', NULL, NULL),
    ('c', 0, -1, -5, NULL, '1991-04-00', 'hoxha ', 'blue', NULL, NULL);
CREATE VIEW shown.people AS SELECT * FROM people_t;
CREATE VIEW shown.rich AS SELECT * FROM rich_t;
CREATE VIEW shown.odd AS SELECT * FROM odd_t;
CREATE VIEW shown.slow AS SELECT CONCAT('r', SLEEP(6)) AS ref;
CREATE VIEW shown.broken AS
    SELECT (SELECT p.ref FROM people_t p WHERE p.ref <> q.ref) AS ref FROM people_t q;
CREATE USER reader@localhost IDENTIFIED BY 'only-for-tests';
GRANT SELECT ON shown.* TO reader@localhost;
"""

WRITES = (
    "INSERT INTO shown.people VALUES ('p9', 'P')",
    "UPDATE shown.people SET handling = 'P'",
    "DELETE FROM shown.rich",
    "TRUNCATE agency.rich_t",
    "CREATE TABLE shown.mine (x int)",
    "CREATE TEMPORARY TABLE shown.mine (x int)",
    "DROP VIEW shown.people",
    "SELECT * FROM agency.people_t",
    "SELECT ref FROM shown.people INTO OUTFILE 'out.txt'",
    "LOAD DATA INFILE '/etc/passwd' INTO TABLE shown.people",
    "SET GLOBAL max_connections = 1",
)

# what the server works on for the connector's role, as its administrator sees it
RUNNING = """SELECT count(*) FROM information_schema.processlist
    WHERE user = 'reader' AND command = 'Query'"""


@pytest.fixture(scope="module", name="server")
def fixture_server(mariadb_server: MariaDb) -> MariaDb:
    mariadb_server.run(SCHEMA + inserts(backslashes=True))
    mariadb_server.run("SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = ON;")
    return mariadb_server


@pytest.fixture(name="rig")
async def fixture_rig(server: MariaDb) -> AsyncIterator[Rig]:
    def connector(more: Mapping[str, object] | None = None) -> SqlConnector:
        """MariaDB does not see that nobody waits for a statement any more: `statement_timeout_s`
        alone ends it, so here it is shorter than the suite waits for that."""
        url = server.url("reader", PASSWORD, "shown")
        config = {"url": url, "pool_size": 1, "statement_timeout_s": 1.0, **(more or {})}
        return SqlConnector.from_config(config, NoSecrets())

    async def seen(query: SourceQuery) -> str:
        await asyncio.to_thread(server.run, "TRUNCATE mysql.general_log")
        await live.fetch(query)
        sql = "SELECT argument FROM mysql.general_log WHERE user_host LIKE 'reader%'"
        return await asyncio.to_thread(server.run, sql)

    async def busy() -> bool:
        return int(await asyncio.to_thread(server.run, RUNNING)) > 0

    async def write() -> None:
        # the client as the connector's own role, in a session that may write
        for statement in WRITES:
            script = f"SET SESSION TRANSACTION READ WRITE; {statement};"
            with pytest.raises(subprocess.CalledProcessError) as caught:
                await asyncio.to_thread(server.run, script, user="reader", password=PASSWORD)
            assert "denied" in caught.value.stderr, statement

    async def untouched() -> str:
        sql = "SELECT * FROM agency.people_t; SELECT * FROM agency.rich_t;"
        dump = await asyncio.to_thread(server.run, sql)
        return hashlib.sha256(dump.encode()).hexdigest()

    def dead() -> SqlConnector:
        url = f"mysql://reader:{PASSWORD}@/shown?unix_socket=/nowhere/sock"
        return SqlConnector.from_config({"url": url}, NoSecrets())

    live = connector()
    yield Rig(
        connector=live,
        columns=COLUMNS,
        dead=dead,
        config=connector,
        seen=seen,
        busy=busy,
        write=write,
        untouched=untouched,
    )
    await live.aclose()


class TestMariaDb(SqlContract):
    async def test_odd_types_are_compared_as_they_come_back(self, rig: Rig) -> None:
        refs: dict[tuple[str, Op, Any], set[str]] = {
            ("whole", Op.EQ, 2**64 - 1): {"a"},
            ("whole", Op.GT, 2**63): {"a"},
            ("half", Op.EQ, 0.1): set(),  # the nearest 32-bit float is another number
            ("wide", Op.EQ, 0.1): {"a"},
            ("wide", Op.EQ, Decimal("0.1")): set(),
            ("bits", Op.EQ, 5): {"a"},
            ("latin", Op.EQ, "Höxha"): {"a"},
            ("latin", Op.IN, ("HOXHA", "hoxha", "日本")): {"b"},
            ("latin", Op.STARTSWITH, "hoxha"): {"c"},
            ("hue", Op.LT, "b"): {"b"},
            ("raw", Op.NE, "v"): set(),
        }
        for (column, op, value), expected in refs.items():
            found = await rig.refs(rig.query("odd", where=Compare(column, op, value)))
            assert found == expected, (column, op, value)

    async def test_ij_18_a_date_that_is_none_satisfies_nothing_and_is_not_null(
        self, rig: Rig
    ) -> None:
        rows = await rig.rows(rig.query("odd", columns=("ref", "born")))
        assert [row["born"] for row in rows] == [date(1991, 4, 17), "0000-00-00", "1991-04-00"]
        for op in (Op.LT, Op.NE, Op.LTE):
            later = Compare("born", op, date(2000, 1, 1))
            assert await rig.refs(rig.query("odd", where=later)) == {"a"}
        assert await rig.refs(rig.query("odd", where=IsNull("born"))) == set()

    async def test_an_index_is_used_though_comparison_is_exact(
        self, rig: Rig, server: MariaDb
    ) -> None:
        for op, value in ((Op.EQ, "HOXHA"), (Op.IN, ("HOXHA", "x")), (Op.STARTSWITH, "HOX")):
            sent = await rig.seen(rig.query(rig.rich, where=Compare("name", op, value)))
            [statement] = [line for line in sent.splitlines() if "FROM rich" in line]
            plan = await asyncio.to_thread(
                server.run, f"USE shown; EXPLAIN {statement.replace(chr(92) + 'n', ' ')}"
            )
            assert "\tname\tname\t" in plan, plan

    async def test_f11_the_first_query_after_a_crash_succeeds(
        self, rig: Rig, server: MariaDb
    ) -> None:
        everyone = await rig.refs(rig.query())
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        assert await rig.refs(rig.query()) == everyone

    async def test_f09_drift_is_named_and_its_repair_is_noticed(
        self, rig: Rig, server: MariaDb
    ) -> None:
        query = rig.query("odd", where=Compare("whole", Op.EQ, 5))
        assert await rig.refs(query) == {"b"}
        server.run("CREATE OR REPLACE VIEW shown.odd AS SELECT ref FROM agency.odd_t")
        with pytest.raises(SourceProtocolError, match="odd has no column whole"):
            await rig.refs(query)
        server.run("CREATE OR REPLACE VIEW shown.odd AS SELECT * FROM agency.odd_t")
        assert await rig.refs(query) == {"b"}

    async def test_an_abandoned_statement_runs_on_until_its_time_is_up(self, rig: Rig) -> None:
        """The bound that holds: it is at work once left, and ended by the server soon after."""
        began = time.monotonic()
        with pytest.raises(SourceTimeout):
            await rig.connector.fetch(rig.query(rig.slow, timeout_s=0.2))
        assert await rig.busy()
        async with asyncio.timeout(3):
            while await rig.busy():  # noqa: ASYNC110  # another process; it sends us no event
                await asyncio.sleep(0.05)
        assert time.monotonic() - began > 0.9
