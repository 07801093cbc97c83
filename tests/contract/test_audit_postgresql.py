"""The log in PostgreSQL: who numbers it, what is seen of an attack, and its copy in files."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.entry import entry_of
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.merkle import leaf_hash
from gateway.audit.postgresql import leader, pending
from gateway.audit.postgresql.database import Address
from gateway.audit.postgresql.export import export
from gateway.audit.postgresql.term import Superseded, Term
from gateway.audit.verify import open_checkpoint, verify
from gateway.errors import AuditUnavailable
from tests.contract.auditplaces import ORIGIN, Database, now, numbers, put


@pytest.fixture(name="place")
def fixture_place(audit_database: Database) -> Database:
    return audit_database


@pytest.fixture(name="written")
def fixture_written(written_audit_database: Database) -> Database:
    return written_audit_database


# --- who numbers ----------------------------------------------------------------------------------


async def term(place: Database) -> tuple[Any, Term]:
    """A sequencer that asked nobody whether it is elected."""
    address = Address.of(place.server.url("audit_sequencer", place.name), "audit_url")
    connection = await address.connect("test")
    try:
        made = await Term.begin(
            connection, signer=place.keys.signer(ORIGIN), key=place.keys.journal(), clock=now
        )
    except BaseException:
        connection.terminate()
        raise
    return connection, made


async def give(place: Database, *names: str, key: bytes | None = None) -> list[bytes]:
    """Records that wait, as a gateway gives them; one row at a time."""
    leaves = [entry_of({"kind": "R", "request_id": name}).leaf for name in names]
    mac_key = key or place.keys.journal()
    rows = [(leaf_hash(leaf), leaf, pending.mac_of(mac_key, leaf)) for leaf in leaves]
    connection = await Address.of(
        place.server.url("audit_replica", place.name), "audit_url"
    ).connect("test")
    try:
        for row in rows:
            await connection.execute(
                "INSERT INTO audit_pending (hash, leaf, mac) VALUES ($1, $2, $3)", *row
            )
    finally:
        await connection.close()
    return leaves


async def test_AU_07_of_two_sequencers_at_once_one_has_its_way(place: Database) -> None:
    """Elected twice, for all that they know: the later one's term ends the earlier one's."""
    first, zombie = await term(place)
    await give(place, *(f"a{n}" for n in range(5)))
    assert await zombie.number() == 5
    second, successor = await term(place)  # which signs what the first did not come to sign
    await give(place, *(f"b{n}" for n in range(5)))
    for _ in range(2):
        with pytest.raises(Superseded):
            await zombie.number()
    assert await successor.number() == 5
    await give(place, "c")
    with pytest.raises(Superseded):
        await zombie.number()
    with pytest.raises(Superseded):
        await zombie.sign()
    assert await successor.number() == 1
    await successor.sign()
    for connection in (first, second):
        connection.terminate()
    report = await place.verified()
    assert report.ok, report.problems
    assert report.size == 11
    assert place.run("SELECT count(*) FROM audit_pending").strip() == "0"


async def test_AU_07_sequencers_that_race_make_one_sequence(place: Database) -> None:
    """Twelve terms, each of which tries to end the others as often as it can."""
    names = [f"r{n}" for n in range(200)]

    async def sequences() -> int:
        over = 0
        for _ in range(12):
            try:
                connection, own = await term(place)
                try:
                    for _ in range(3):
                        await own.number()
                        await own.sign()
                finally:
                    connection.terminate()
            except (Superseded, AuditUnavailable):  # another began in between
                over += 1
        return over

    place.keys.signer(ORIGIN)
    connection, _ = await term(place)
    connection.terminate()
    over = await asyncio.gather(give(place, *names), *(sequences() for _ in range(4)))
    assert sum(one for one in over if isinstance(one, int)) > 0  # they did get in each other's way
    connection, own = await term(place)
    while await own.number():
        pass
    await own.sign()
    connection.terminate()
    report = await place.verified()
    assert report.ok, report.problems
    assert report.size == len(names)


async def test_AU_07_F_33_a_leader_that_was_paused_finds_another_in_its_place(
    place: Database,
) -> None:
    """A process that leads is stopped for longer than its lease, in the middle of its work. Another
    takes over; resumed, the first goes on giving records and has none of its old numbers."""
    said: list[str] = []
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.contract.auditwriter", *place.command()),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            assert (await process.stdout.readline()).strip() == b"open"
            said += [(await process.stdout.readline()).decode() for _ in range(20)]
        process.send_signal(signal.SIGSTOP)
        stopped_at = time.monotonic()
        async with place.opened() as log:  # its lease is a second, as that of the other
            (receipt,) = await put(log, 1, 10_000)
            index = await log.number(receipt)
            assert time.monotonic() - stopped_at < 5
            before = log.size
            await put(log, 20, 20_000)
            await asyncio.sleep(1.5)
            process.send_signal(signal.SIGCONT)
            async with asyncio.timeout(30):
                said += [(await process.stdout.readline()).decode() for _ in range(60)]
            await put(log, 20, 30_000)
            process.kill()
            said += (await process.stdout.read()).decode().splitlines(keepends=True)
            await asyncio.sleep(0.5)
            assert leaf_hash(await log.leaf(index)) == receipt.leaf_hash
            assert log.size > before
            assert not log.stopped
            given = {bytes.fromhex(line) for line in said if len(line) == 65}
            held = {leaf_hash(await log.leaf(index)) for index in range(log.size)}
            assert given <= held
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    fences = int(place.run("SELECT fence FROM audit_head"))
    assert fences >= 2
    report = await place.verified()
    assert report.ok, report.problems
    assert report.size == len(held)


async def test_AU_07_F_33_a_leader_that_was_paused_within_a_statement_loses_its_lease(
    place: Database,
) -> None:
    """Between a statement and its values a session is busy to the database, which ends none such by
    itself."""
    paused, _ = await term(place)
    assert await paused.fetchval("SELECT pg_try_advisory_lock($1)", leader.LOCK)
    await paused.prepare("SELECT 1")  # sent, and never bound
    async with place.opened() as log:
        (receipt,) = await put(log, 1)
        assert await log.number(receipt) == 0
    assert (await place.verified()).ok


async def test_a_gateway_that_never_sequences_needs_one_that_does(place: Database) -> None:
    async with place.opened() as one, place.opened(sequences=False) as other:
        receipts = await asyncio.gather(put(one, 40), put(other, 40, 100))
        assert await one.number(receipts[1][0]) >= 0  # each knows the others' records
        assert await other.number(receipts[0][0]) >= 0
        with pytest.raises(AuditUnavailable, match="that may do this"):
            await other.erase(0)
        found = [await one.number(r) for part in receipts for r in part]
        assert sorted(found) == list(range(80))
    assert (await place.verified()).ok


async def test_who_stops_while_nobody_leads_numbers_what_waits_first(place: Database) -> None:
    """The leader's session broke just before: a term of its own is tried once more."""
    async with place.opened() as log:
        await put(log, 3)
        place.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
            "datname = current_database() AND application_name = 'portcullis audit: sequencer'"
        )
        await put(log, 20, 100)
    assert place.run("SELECT count(*) FROM audit_pending").strip() == "0"
    report = await place.verified()
    assert report.ok, report.problems
    assert report.size == 23


# --- what is seen of an attack --------------------------------------------------------------------


async def until(true: Any, within_s: float = 5.0) -> None:
    ends = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < ends, "it did not come about"
        await asyncio.sleep(0.02)


async def test_AU_04_records_that_were_dropped_before_they_had_a_number_stop_the_log(
    place: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with place.opened() as one:
        await put(one, 5)
        async with place.opened(sequences=False) as log:
            await one.aclose()  # nobody numbers now
            await put(log, 5, 5)
            place.run("DELETE FROM audit_pending WHERE arrived % 2 = 0")  # a superuser, unbound
            await until(lambda: log.stopped)
            assert not log.healthy
            with pytest.raises(AuditUnavailable, match="has stopped"):
                await put(log, 1, 50)
    assert "lost" in caplog.text


CUT = """
ALTER TABLE audit_entry DISABLE TRIGGER USER; ALTER TABLE audit_checkpoint DISABLE TRIGGER USER;
ALTER TABLE audit_head DISABLE TRIGGER USER;
DELETE FROM audit_entry WHERE index >= {0}; UPDATE audit_head SET size = {0}, root = '{1}';
"""


async def test_AU_04_a_log_that_was_cut_is_refused_and_stops_who_knew_it(
    written: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever owns the database takes its triggers away, cuts entries and sets the head back."""
    async with written.opened(sequences=False, clock=now) as log:
        assert log.size == 300
        root = open_checkpoint(log.checkpoint, written.public).root
        written.run(CUT.format(290, "\\x" + root.hex()))
        await until(lambda: log.stopped)
    with pytest.raises(AuditUnavailable, match="do not lead to the root"):
        await written.open()
    assert "fewer entries" in caplog.text


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER TABLE audit_entry DROP CONSTRAINT audit_entry_check; "
         "UPDATE audit_entry SET leaf = leaf || ' ' WHERE index = 299", "do not lead"),
        ("UPDATE audit_node SET hash = sha256('x')", "do not lead"),
        ("DELETE FROM audit_entry WHERE index = 299", "does not hold so many"),
        ("DELETE FROM audit_checkpoint", "checkpoint is missing"),
        ("UPDATE audit_checkpoint SET note = note || 'x'", "the last checkpoint"),
        ("DELETE FROM audit_log", "its name is missing"),
    ],
)  # fmt: skip
async def test_rows_that_do_not_fit_what_was_signed_are_not_written_on(
    written: Database, statement: str, said: str
) -> None:
    unbound = "".join(
        f"ALTER TABLE audit_{name} DISABLE TRIGGER USER;"
        for name in ("entry", "node", "checkpoint", "log")
    )
    written.run(unbound + statement)
    with pytest.raises(AuditUnavailable, match=said):
        await written.open()


async def test_only_the_keeper_of_the_key_can_add_a_record(
    place: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever waits is signed soon, so a row that no gateway put there is left where it is."""
    async with place.opened() as log:
        await give(place, "forged", key=b"k" * 32)
        (genuine,) = await give(place, "genuine")
        (receipt,) = await put(log, 1)
        assert await log.number(receipt) == 1
        assert await log.leaf(0) == genuine
    assert "of unknown origin" in caplog.text
    assert place.run("SELECT count(*) FROM audit_pending").strip() == "1"
    assert (await place.verified()).size == 2


async def test_another_key_or_origin_is_refused(written: Database) -> None:
    stranger = AuditKeys(written.base / "stranger")
    urls = (written.url("audit_replica"), written.url("audit_sequencer"))
    for keys, origin in ((stranger, ORIGIN), (written.keys, "other.example/audit")):
        with pytest.raises(AuditUnavailable, match="another key"):
            await AuditLog.shared(*urls, keys=keys, origin=origin)
    (written.base / "keys" / "journal.key").unlink()
    keys = AuditKeys(written.base / "keys")
    with pytest.raises(AuditUnavailable, match="guarded by another key"):
        await AuditLog.shared(*urls, keys=keys, origin=ORIGIN)


async def test_a_record_given_twice_is_one(place: Database) -> None:
    """As after a commit of which nobody heard: a leaf is random, so the same one is the same."""
    leaf = {"kind": "R", "request_id": "once"}
    async with place.opened() as log:
        first = await log.append(leaf)
        assert await log.number(first) == 0
        again = await log.append(leaf)
        assert await log.number(again) == 0
        (other,) = await put(log, 1)
        assert await log.number(other) == 1
    assert place.run("SELECT count(*) FROM audit_pending").strip() == "0"
    assert (await place.verified()).size == 2


async def test_a_gateway_outlives_the_end_of_all_its_sessions(place: Database) -> None:
    """As a restart of the server or a failover ends them."""
    ended = f"""SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = '{place.name}' AND pid <> pg_backend_pid()"""  # noqa: S608
    async with place.opened() as log:
        receipts = await put(log, 20)
        assert int(place.run(ended)) >= 4
        ends = time.monotonic() + 5
        while not log.healthy:
            assert time.monotonic() < ends
            await asyncio.sleep(0.05)
        receipts += await put(log, 20, 20)
        assert sorted([await log.number(r) for r in receipts]) == list(range(40))
    assert (await place.verified()).ok


# --- a copy in files ------------------------------------------------------------------------------


async def test_a_copy_grows_with_the_log_and_no_other(written: Database) -> None:
    address = Address.of(written.server.url("audit_replica", written.name), "audit_url")
    copy = written.base / "mine"
    assert await export(address, written.public, copy) == 300
    kept = (copy / "checkpoint").read_bytes()
    assert not (copy / "sealed").exists()
    async with written.opened() as log:
        await numbers(log, await put(log, 300, 300))
        await log.inclusion(599)
    assert await export(address, written.public, copy) == 600
    report = verify(copy, written.public, earlier=kept, bodies=False)
    assert report.ok, report.problems
    assert report.size == 600
    widths = {path.name for path in (copy / "tile" / "0").rglob("*.p/*")}
    assert widths == {str(600 % 256)}
    assert await export(address, written.public, copy) == 600  # nothing new: nothing happens
    another = await Database.made(
        await asyncio.to_thread(_folder, written.base / "another"), written.server
    )
    another.keys = written.keys
    async with another.opened() as log:
        await numbers(log, await put(log, 700))
        await log.inclusion(600)
    address = Address.of(another.server.url("audit_replica", another.name), "audit_url")
    with pytest.raises(AuditUnavailable, match="does not continue"):
        await export(address, written.public, copy)
    assert verify(copy, written.public, bodies=False).size == 600
    await another.aclose()


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
