"""PostgreSQL under the contract suite: dictionary order, and a role that may only read views.

The server trusts its Unix socket, so privileges are proved here and passwords are not.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from connectors.conditions import Compare, Op, holds
from connectors.spi import SourceProtocolError, SourceQuery, SourceTimeout
from connectors.sql import SqlConnector
from tests.contract.sqlworld import COLUMNS, NoSecrets, SqlContract, inserts
from tests.contract.suite import Rig
from tests.servers import Postgres

SCHEMA = """
CREATE COLLATION local (provider = libc, locale = '{locale}');
CREATE TABLE people_t (ref text PRIMARY KEY, handling char(4));
CREATE TABLE rich_t (ref varchar(10) PRIMARY KEY, name text COLLATE local, code char(4),
    num integer, amount numeric(12, 2), born date, seen timestamp, flag boolean, attrs text,
    secret text);
CREATE SCHEMA shown;
CREATE VIEW shown.people AS SELECT * FROM people_t;
CREATE VIEW shown.rich AS SELECT * FROM rich_t;
CREATE VIEW shown.plain AS SELECT ref, name COLLATE "default" AS name, code, num FROM rich_t;
CREATE VIEW shown.slow AS SELECT 'r' || pg_sleep(6)::text AS ref;
CREATE VIEW shown.broken AS SELECT (1 / (length(ref) - length(ref)))::text AS ref FROM people_t;
CREATE TYPE colour AS ENUM ('red', 'blue', 'Amber');
CREATE DOMAIN short_text AS varchar(8);
CREATE TABLE odd_t (ref text, whole bigint, half real, wide double precision, exact numeric,
    at timestamptz, id uuid, hue colour, short short_text, doc jsonb, many text[], raw bytea);
INSERT INTO odd_t VALUES
    ('a', 9007199254740993, 0.1, 0.1, 0.1, '2025-07-03T14:22:00+02',
     '00000000-0000-0000-0000-00000000000a', 'red', 'x', '{"k": "v", "n": 1.50}', '{a,b}', 'z'),
    ('b', NULL, 'NaN', 'NaN', 'NaN', 'infinity',
     '00000000-0000-0000-0000-00000000000b', 'Amber', NULL, '[1]', NULL, NULL),
    ('c', -1, 'Infinity', '-Infinity', 5, NULL, NULL, 'blue', 'y', NULL, NULL, NULL);
CREATE VIEW shown.odd AS SELECT * FROM odd_t;
CREATE ROLE reader LOGIN;
ALTER ROLE reader SET search_path = shown;
REVOKE ALL ON DATABASE agency FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION lo_create(oid), lo_creat(integer), lo_from_bytea(oid, bytea) FROM PUBLIC;
GRANT CONNECT ON DATABASE agency TO reader;
GRANT USAGE ON SCHEMA shown TO reader;
GRANT SELECT ON ALL TABLES IN SCHEMA shown TO reader;
"""


@pytest.fixture(scope="module", name="server")
def fixture_server(postgres_server: Postgres, dictionary_locale: str) -> Postgres:
    postgres_server.run(
        f"CREATE DATABASE agency TEMPLATE template0 ENCODING 'UTF8' LOCALE '{dictionary_locale}';"
    )
    schema = SCHEMA.replace("{locale}", dictionary_locale)
    postgres_server.run(schema + inserts(), database="agency")
    return postgres_server


def connector(url: str, more: Mapping[str, object] | None = None) -> SqlConnector:
    return SqlConnector.from_config({"url": url, "pool_size": 1, **(more or {})}, NoSecrets())


WRITES = (
    "INSERT INTO shown.people VALUES ('p9', 'P')",
    "UPDATE shown.people SET handling = 'P'",
    "DELETE FROM shown.rich",
    "TRUNCATE public.rich_t",
    "CREATE TABLE shown.mine (x int)",
    "CREATE TEMP TABLE mine (x int)",
    "CREATE VIEW public.mine AS SELECT 1",
    "DROP VIEW shown.people",
    "SELECT * FROM shown.people FOR UPDATE",
    "SELECT * FROM public.people_t",
    "COPY shown.people TO PROGRAM 'cat'",
    "SELECT lo_create(1)",
    "SELECT pg_read_file('postgresql.conf')",
    "SET ROLE postgres",
)


@pytest.fixture(name="rig")
async def fixture_rig(server: Postgres) -> AsyncIterator[Rig]:
    async def seen(query: SourceQuery) -> str:
        await live.fetch(query)
        sql = "SELECT query FROM pg_stat_activity WHERE usename = 'reader' AND query <> ''"
        return await asyncio.to_thread(server.run, sql)

    async def busy() -> bool:
        sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader' AND state = 'active'"
        return int(await asyncio.to_thread(server.run, sql)) > 0

    async def write() -> None:
        # psql as the connector's role, told that it may write: only privileges stand in the way
        for statement in WRITES:
            script = f"SET default_transaction_read_only = off; {statement};"
            with pytest.raises(subprocess.CalledProcessError) as caught:
                await asyncio.to_thread(server.run, script, role="reader", database="agency")
            refused = caught.value.stderr
            assert "permission denied" in refused or "must be owner" in refused, statement

    async def untouched() -> str:
        sql = "SELECT * FROM people_t ORDER BY 1; SELECT * FROM rich_t ORDER BY 1;"
        dump = await asyncio.to_thread(server.run, sql, database="agency")
        return hashlib.sha256(dump.encode()).hexdigest()

    live = connector(server.url("reader", "agency"))
    yield Rig(
        connector=live,
        columns=COLUMNS,
        dead=lambda: connector("postgresql://reader@/agency?host=/nowhere"),
        config=lambda more: connector(server.url("reader", "agency"), more),
        seen=seen,
        busy=busy,
        write=write,
        untouched=untouched,
    )
    await live.aclose()


class TestPostgresql(SqlContract):
    async def test_a_plain_column_is_compared_exactly_too(self, rig: Rig) -> None:
        """Its collation sorts as a dictionary does; comparing must not."""
        held = [row["ref"] for row in await rig.rows(rig.query("plain"))]
        assert held == sorted(held)
        for op in (Op.EQ, Op.NE, Op.LT, Op.LTE, Op.GT, Op.GTE, Op.STARTSWITH):
            for value in ("HOXHA", "hoxha", "a", "Z", "100%", "100_", "100\\", ""):
                await _agrees(rig, "plain", "name", op, value)

    async def test_the_statement_reaches_the_server_with_parameters_only(self, rig: Rig) -> None:
        where = Compare("name", Op.IN, ("SENTINEL-4711", "HOXHA"))
        sent = await rig.seen(rig.query(rig.rich, where=where))
        assert "SENTINEL" not in sent
        assert "HOXHA" not in sent
        assert "ANY ($1" in sent

    async def test_odd_types_are_compared_as_they_come_back(self, rig: Rig) -> None:
        refs: dict[tuple[str, Op, Any], set[str]] = {
            ("whole", Op.EQ, 2**53 + 1): {"a"},
            ("whole", Op.EQ, float(2**53)): set(),
            ("half", Op.EQ, 0.1): set(),  # the nearest 32-bit float is another number
            ("wide", Op.EQ, 0.1): {"a"},
            ("wide", Op.GT, -1): {"a"},  # NaN is not above anything
            ("exact", Op.GTE, 0): {"a", "c"},
            ("hue", Op.LT, "a"): {"b"},
            ("hue", Op.EQ, "red"): {"a"},
            ("id", Op.EQ, "00000000-0000-0000-0000-00000000000a"): {"a"},
            ("short", Op.IN, ("x", "y", "a value that is too long")): {"a", "c"},
            ("doc:k", Op.EQ, "v"): {"a"},
            ("doc", Op.EQ, "v"): set(),
            ("raw", Op.NE, "v"): set(),
        }
        for (column, op, value), expected in refs.items():
            found = await rig.refs(rig.query("odd", where=Compare(column, op, value)))
            assert found == expected, column

    async def test_odd_types_come_back_as_python_values(self, rig: Rig) -> None:
        columns = ("id", "hue", "doc", "doc:n", "many", "raw")
        row = (await rig.connector.fetch(rig.query("odd", columns=columns, limit=1))).rows[0]
        document = {"k": "v", "n": 1.5}
        assert row == (str(uuid.UUID(int=10)), "red", document, "1.50", ["a", "b"], b"z")

    async def test_f11_the_first_query_after_a_restart_succeeds(
        self, rig: Rig, server: Postgres
    ) -> None:
        everyone = await rig.refs(rig.query())
        await asyncio.to_thread(server.restart)
        assert await rig.refs(rig.query()) == everyone

    async def test_f12_a_locked_relation_is_left_in_time(self, rig: Rig, server: Postgres) -> None:
        impatient = rig.config({"statement_timeout_s": 0.3})
        script = "BEGIN; LOCK TABLE people_t; SELECT pg_sleep(2); COMMIT;"
        lock = asyncio.ensure_future(asyncio.to_thread(server.run, script, database="agency"))
        await asyncio.sleep(0.5)
        try:
            with pytest.raises(SourceTimeout):
                await impatient.fetch(rig.query())
        finally:
            await lock
            await impatient.aclose()

    async def test_f09_drift_is_named_and_its_repair_is_noticed(
        self, rig: Rig, server: Postgres
    ) -> None:
        def alter(statement: str) -> None:
            server.run(statement, database="agency")

        query = rig.query("odd", columns=("ref", "whole"), where=Compare("whole", Op.EQ, -1))
        assert len(await rig.rows(query)) == 1
        alter("ALTER VIEW shown.odd RENAME COLUMN whole TO total")
        with pytest.raises(SourceProtocolError, match="odd has no column whole"):
            await rig.rows(query)
        alter("ALTER VIEW shown.odd RENAME COLUMN total TO whole")
        assert len(await rig.rows(query)) == 1
        alter("DROP VIEW shown.odd; CREATE VIEW shown.odd AS SELECT ref, whole::text FROM odd_t")
        alter("GRANT SELECT ON shown.odd TO reader")
        assert await rig.rows(query) == []  # text now, so a number equals none of it
        alter("DROP VIEW shown.odd; CREATE VIEW shown.odd AS SELECT * FROM odd_t")
        alter("GRANT SELECT ON shown.odd TO reader")
        assert len(await rig.rows(query)) == 1

    async def test_f05_a_terminated_session_is_replaced(self, rig: Rig, server: Postgres) -> None:
        await rig.refs(rig.query())
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'"
        await asyncio.to_thread(server.run, end)
        assert await rig.refs(rig.query()) == {"p1", "p2", "p3", "p4"}

    async def test_f05_all_sessions_terminated_cost_no_query(
        self, rig: Rig, server: Postgres
    ) -> None:
        many = rig.config({"pool_size": 3})
        of = "FROM pg_stat_activity WHERE usename = 'reader'"

        async def all_of_them() -> list[int]:
            return [len(one.rows) for one in await asyncio.gather(*map(many.fetch, queries))]

        try:
            queries = [rig.query() for _ in range(9)]
            assert await all_of_them() == [4] * 9
            assert int(await asyncio.to_thread(server.run, f"SELECT count(*) {of}")) == 3
            await asyncio.to_thread(server.run, f"SELECT pg_terminate_backend(pid) {of}")
            assert len((await many.fetch(queries[0])).rows) == 4
            assert await all_of_them() == [4] * 9
        finally:
            await many.aclose()

    async def test_f02_a_server_that_falls_silent_is_left_in_time(
        self, rig: Rig, server: Postgres
    ) -> None:
        """Even closing the connection politely must not wait for it."""
        pid = "SELECT pid FROM pg_stat_activity WHERE usename = 'reader'"
        await rig.refs(rig.query())
        backend = int(await asyncio.to_thread(server.run, pid))
        os.kill(backend, signal.SIGSTOP)
        began = time.monotonic()
        try:
            with pytest.raises(SourceTimeout):
                await rig.connector.fetch(rig.query(timeout_s=0.3))
            assert time.monotonic() - began < 0.6
        finally:
            os.kill(backend, signal.SIGCONT)
        assert await rig.refs(rig.query()) == {"p1", "p2", "p3", "p4"}

    async def test_ij_07_a_borrowed_session_is_as_it_was_made(self, rig: Rig) -> None:
        """Nothing is set on a session, so there is nothing to take back."""
        assert isinstance(rig.connector, SqlConnector)
        for _ in range(2):
            async with rig.connector._borrowed() as held:
                result = await held.connection.exec_driver_sql("SHOW default_transaction_read_only")
                assert result.scalar() == "on"
                result = await held.connection.exec_driver_sql("SHOW search_path")
                assert result.scalar() == "shown"
            with pytest.raises(SourceTimeout):
                await rig.connector.fetch(rig.query(rig.slow, timeout_s=0.1))

    async def test_a_relation_may_be_named_with_its_schema(self, server: Postgres) -> None:
        server.run("CREATE ROLE other LOGIN; GRANT reader TO other", database="agency")
        other = connector(server.url("other", "agency"))
        query = SourceQuery(query_id="q", relation="shown.people", columns=("ref",), key="ref")
        assert len((await other.fetch(query)).rows) == 4
        health = await other.check()
        assert health.relations is not None
        assert "shown.people" in health.relations
        assert not [name for name in health.relations if name.endswith("_t")]
        await other.aclose()


async def _agrees(rig: Rig, relation: str, column: str, op: Op, value: str) -> None:
    condition = Compare(column, op, value)
    held = await rig.rows(rig.query(relation, columns=("ref", column)))
    expected = {row["ref"] for row in held if holds(condition, row)}
    assert await rig.refs(rig.query(relation, where=condition)) == expected, condition
