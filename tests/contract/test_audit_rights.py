"""The log in PostgreSQL: what each role may do with it, and which database will do."""

from __future__ import annotations

import subprocess

import pytest

from gateway.audit.postgresql.database import Address, check, prepare, roles
from gateway.errors import AuditUnavailable, ConfigError
from gateway.settings import Settings
from tests.contract.auditplaces import Database
from tests.servers import Postgres

TABLES = (
    "log",
    "pending",
    "entry",
    "node",
    "body",
    "head",
    "checkpoint",
    "reconciled",
    "witnessed",
)


@pytest.fixture(name="place")
def fixture_place(audit_database: Database) -> Database:
    return audit_database


@pytest.fixture(name="written")
def fixture_written(written_audit_database: Database) -> Database:
    return written_audit_database


def denied(place: Database, statement: str, role: str) -> str:
    """How the database refuses this."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        place.run(statement, role)
    return str(caught.value.stderr)


def _count(table: str) -> str:
    return f"SELECT count(*) FROM {table}"  # noqa: S608  # a name of ours


def _delete(table: str) -> str:
    return f"DELETE FROM {table}"  # noqa: S608  # a name of ours


CHANGES = {
    "log": "UPDATE audit_log SET verifier = 'x'",
    "pending": "UPDATE audit_pending SET leaf = 'x'",
    "entry": "UPDATE audit_entry SET leaf = 'x'",
    "node": "UPDATE audit_node SET hash = sha256('x')",
    "body": "UPDATE audit_body SET body = 'x'",
    "head": "UPDATE audit_head SET size = 0",
    "checkpoint": "UPDATE audit_checkpoint SET note = 'x'",
    "reconciled": "UPDATE audit_reconciled SET upto = 9",
    "witnessed": "UPDATE audit_witnessed SET note = 'x'",
}
GIVES = {
    "log": "INSERT INTO audit_log (verifier, guard) VALUES ('x', 'x')",
    "entry": "INSERT INTO audit_entry VALUES (300, sha256('\\x0078'::bytea), 'x')",
    "node": "INSERT INTO audit_node VALUES (1, 1, sha256('x'))",
    "body": "INSERT INTO audit_body VALUES (300, 'x')",
    "head": "INSERT INTO audit_head VALUES (false, 0, sha256('x'), 0)",
    "checkpoint": "INSERT INTO audit_checkpoint (size, root, note) VALUES (0, 'x', 'x')",
    "reconciled": "INSERT INTO audit_reconciled VALUES (false, 0)",
    "witnessed": "INSERT INTO audit_witnessed VALUES (false, 0, 'x')",
}


@pytest.mark.parametrize("table", TABLES)
def test_a_gateway_that_gives_records_may_do_nothing_else(written: Database, table: str) -> None:
    name = f"audit_{table}"
    assert int(written.run(_count(name), "audit_replica")) >= 0
    tried = [CHANGES[table], _delete(name), f"TRUNCATE {name}", f"DROP TABLE {name}"]
    tried += [f"ALTER TABLE {name} DISABLE TRIGGER ALL"]
    tried += [GIVES[table]] if table in GIVES else []
    for statement in tried:
        said = denied(written, statement, "audit_replica")
        assert "permission denied" in said or "must be owner" in said, (statement, said)


@pytest.mark.parametrize("table", TABLES)
def test_the_sequencer_cannot_change_what_is_written_for_ever(
    written: Database, table: str
) -> None:
    name = f"audit_{table}"
    tried = [f"TRUNCATE {name}", f"DROP TABLE {name}", f"ALTER TABLE {name} DISABLE TRIGGER ALL"]
    if table not in ("head", "reconciled", "witnessed"):
        tried.append(CHANGES[table])
    if table not in ("pending", "body"):
        tried.append(_delete(name))
    for statement in tried:
        said = denied(written, statement, "audit_sequencer")
        assert "permission denied" in said or "must be owner" in said, (statement, said)


def test_a_record_stops_waiting_only_when_it_is_in_the_log(written: Database) -> None:
    row = "VALUES (sha256('\\x0078'::bytea), 'x', 'no mac')"
    written.run(f"INSERT INTO audit_pending (hash, leaf, mac) {row}", "audit_replica")
    written.run("DELETE FROM audit_pending", "audit_sequencer")
    assert written.run("SELECT count(*) FROM audit_pending").strip() == "1"
    # nor has the owner of the table a row of it
    written.run("DELETE FROM audit_pending", "audit_owner")
    assert written.run("SELECT count(*) FROM audit_pending").strip() == "1"


def test_the_head_moves_forwards_over_entries_without_a_gap(written: Database) -> None:
    entered = "INSERT INTO audit_entry VALUES ({}, sha256('\\x0078'::bytea), 'x')"
    head = "UPDATE audit_head SET size = {}"
    for statements, said in (
        (CHANGES["head"], "only moves forwards"),
        ("UPDATE audit_head SET fence = fence - 1", "only moves forwards"),
        ("UPDATE audit_head SET root = sha256('x')", "only moves forwards"),
        (head.format(301), "another size"),
        (entered.format(300), "beyond the head"),
        (f"BEGIN; {head.format(302)}; {entered.format(301)}; COMMIT", "another size"),
        (f"BEGIN; {head.format(302)}; {entered.format(300)}; COMMIT", "another size"),
        (f"BEGIN; {head.format(301)}; {entered.format(4)}; COMMIT", "duplicate key"),
        ("INSERT INTO audit_entry VALUES (300, sha256('y'), 'x')", "violates check constraint"),
    ):
        assert said in denied(written, statements, "audit_sequencer"), statements


def test_what_was_witnessed_is_not_taken_back(written: Database) -> None:
    set_size = "UPDATE audit_witnessed SET size = {}"
    written.run(set_size.format(300), "audit_sequencer")
    assert "is not taken back" in denied(written, set_size.format(299), "audit_sequencer")


@pytest.mark.parametrize("table", ["log", "entry", "node", "checkpoint"])
def test_what_is_written_for_ever_is_so_for_its_owner_and_a_superuser_too(
    written: Database, table: str
) -> None:
    for role in ("audit_owner", "postgres"):
        for statement in (CHANGES[table], _delete(f"audit_{table}"), f"TRUNCATE audit_{table}"):
            assert "the log is append-only" in denied(written, statement, role)


async def test_preparing_again_keeps_all_and_takes_back_what_was_given_beside(
    written: Database,
) -> None:
    written.run("GRANT ALL ON ALL TABLES IN SCHEMA public TO audit_replica, audit_sequencer")
    replica, sequencer = (
        Address.of(written.server.url(role, written.name), "audit_url")
        for role in ("audit_replica", "audit_sequencer")
    )
    for address, part in ((replica, "replica"), (sequencer, "sequencer")):
        assert any("which it must not" in fault.text for fault in await check(address, part, ""))
    with pytest.raises(AuditUnavailable, match="which it must not"):
        await written.open()
    await prepare(replica.by("audit_owner"), "audit_replica", "audit_sequencer")
    for address, part in ((replica, "replica"), (sequencer, "sequencer")):
        assert await check(address, part, "") == ()
    assert (await written.verified()).size == 300


async def test_a_database_that_is_not_fit_is_refused(
    place: Database, postgres_server: Postgres
) -> None:
    for role, said in (("postgres", "no superuser"), ("audit_owner", "may not SELECT")):
        texts = [fault.text for fault in await check(
            Address.of(place.server.url(role, place.name), "audit_url"), "replica", "audit_url"
        )]  # fmt: skip
        assert any(said in text for text in texts) or role == "audit_owner", texts
        assert texts
    postgres_server.run(f"CREATE DATABASE {place.name}_bare")  # goes with the server
    bare = Address.of(postgres_server.url("audit_replica", f"{place.name}_bare"), "audit_url")
    assert "run portcullis audit prepare" in (await check(bare, "replica", "audit_url"))[0].text
    with pytest.raises(ConfigError, match="permission denied"):  # a role that owns nothing there
        await prepare(bare, "audit_replica", "audit_sequencer")
    with pytest.raises(ConfigError, match="does not exist"):
        await prepare(bare.by("postgres"), "audit_replica", "nobody_at_all")
    nowhere = Address.of("postgresql+asyncpg://a@/b?host=/nowhere", "audit_url")
    assert "cannot be reached" in (await check(nowhere, "replica", "audit_url"))[0].text


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite+aiosqlite:///x", "must begin with"),
        ("postgresql+asyncpg://a:b@h/d", "must hold no password"),
        ("postgresql+asyncpg://h/d", "must name its role"),
        ("no address", "is not a database address"),
    ],
)
def test_an_address_that_is_none_is_said_without_being_repeated(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        Address.of(url, "audit_url")
    assert url not in str(caught.value)


@pytest.mark.parametrize(
    ("sequencer", "said"),
    [
        ("postgresql+asyncpg://a@h/d", "must name another role"),
        ("postgresql+asyncpg://b@h/other", "must lead to the database of audit_url"),
        ("", "is not a database address"),
    ],
)
def test_the_two_addresses_are_two_roles_of_one_database(sequencer: str, said: str) -> None:
    settings = Settings(audit_url="postgresql+asyncpg://a@h/d", audit_sequencer_url=sequencer)
    with pytest.raises(ConfigError, match=said):
        roles(settings)
