"""Attacks on the log's files. Names carry the ids of the threat model's audit table."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from gateway.audit.entry import Json, entry_of
from gateway.audit.journal import Journal
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.merkle import check_inclusion
from gateway.audit.store import unpack
from gateway.audit.verify import open_checkpoint, verify
from gateway.errors import AuditUnavailable
from tests.e2e.auditplace import AT, MONTH, ORIGIN, Place, Placed, flip, put
from tests.e2e.witnessplace import three, until, witnessed


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_AU_01_one_changed_byte_anywhere_is_named(place: Place) -> None:
    async with place.opened() as log:
        await put(log, 520)
    files = sorted(p for p in place.log.rglob("*") if p.is_file() and p.stat().st_size)
    random, tried = Random(1), 0  # noqa: S311  a test that can be repeated
    for path in files:
        name = str(path.relative_to(place.log))
        if name.startswith("sealed/"):
            continue
        whole = path.read_bytes()
        every = range(len(whole)) if name == "checkpoint" else random.sample(range(len(whole)), 40)
        for at in every:
            flip(path, at, random.randrange(8))
            report = place.verified()
            assert not report.ok, (name, at)
            first = report.problems[0]
            if name == "checkpoint":
                assert first.what == "checkpoint"
            elif name.startswith("tile/entries/"):
                index = 256 * int(path.parent.name[:3] if "/" in name[17:] else path.name)
                index += entry_at(whole, at)
                named = {p.name for p in report.problems if p.what == "entry"}
                assert str(index) in named, (name, at, report.problems)
                assert {p.what for p in report.problems} <= {"entry", "bundle", "body"}
            else:
                assert (first.what, first.name) == ("tile", name), (at, report.problems)
            path.write_bytes(whole)
            tried += 1
    assert tried > 400
    assert place.verified().ok


def entry_at(bundle: bytes, at: int) -> int:
    """Which entry of a bundle holds this byte, its length included."""
    end = 0
    for number, entry in enumerate(unpack(bundle)):
        end += 2 + len(entry)
        if at < end:
            return number
    raise AssertionError(at)


async def test_AU_01_a_changed_body_is_named(place: Place) -> None:
    async with place.opened() as log:
        await put(log, 8)
    for path in sorted((place.log / "sealed").rglob("[0-9]*")):
        if path.is_file():
            whole = path.read_bytes()
            at = whole.index(b"ciphertext") + 14
            path.write_bytes(
                whole[:at] + (b"A" if whole[at : at + 1] != b"A" else b"B") + whole[at + 1 :]
            )
            report = place.verified()
            assert [p.what for p in report.problems] == ["body"]
            path.write_bytes(whole)


Entries = list[bytes]


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e[:7] + e[8:],
        lambda e: [*e[:7], e[8], e[7], *e[9:]],
        lambda e: [*e[:7], e[3], *e[7:-1]],
        lambda e: [*e[:7], e[7], *e[7:-1]],
    ],
    ids=["delete", "swap", "insert", "duplicate"],
)
async def test_AU_02_entries_cannot_be_moved(
    place: Place, change: Callable[[Entries], Entries]
) -> None:
    async with place.opened() as log:
        await put(log, 300)
    path = place.log / "tile/entries/000"
    entries = change(unpack(path.read_bytes()))
    path.write_bytes(b"".join(len(e).to_bytes(2, "big") + e for e in entries))
    report = place.verified()
    assert not report.ok
    first = next(p for p in report.problems if p.what == "entry")
    assert first.name in ("7", "8")  # a doubled entry stands in the place of the next


async def test_AU_03_a_log_rolled_back_does_not_fit_a_kept_checkpoint(place: Place) -> None:
    async with place.opened() as log:
        await put(log, 300)
    shutil.copytree(place.log, place.base / "old")
    async with place.opened() as log:
        await put(log, 50, 300)
        kept = (await log.inclusion(349)).checkpoint
    shutil.rmtree(place.log)
    shutil.copytree(place.base / "old", place.log)
    assert place.verified().ok  # alone it cannot be told: that is what kept checkpoints are for
    report = place.verified(kept)
    assert [p.what for p in report.problems] == ["earlier checkpoint"]
    assert "cut off" in report.problems[0].text
    async with place.opened() as log:  # and a log that grew again in another way
        await put(log, 60, 1_000)
    report = place.verified(kept)
    assert "does not begin" in report.problems[0].text


@pytest.mark.parametrize("name", ["tile/entries/000", "tile/0/000", "tile/entries/001.p/44"])
async def test_AU_03_a_missing_file_is_named(place: Place, name: str) -> None:
    async with place.opened() as log:
        await put(log, 300)
    (place.log / name).unlink()
    report = place.verified()
    assert name in {p.name for p in report.problems}
    assert all("missing" in p.text for p in report.problems)


async def test_AU_06_two_roots_of_one_size_are_a_fork(place: Place) -> None:
    async with place.opened() as log:
        await put(log, 10)
    shutil.copytree(place.log, place.base / "fork")
    async with place.opened() as log:
        await put(log, 1, 10)
        kept = (await log.inclusion(10)).checkpoint
    shutil.rmtree(place.log)
    shutil.copytree(place.base / "fork", place.log)
    async with place.opened() as log:
        await put(log, 1, 11)
    assert "does not begin" in place.verified(kept).problems[0].text


async def test_AU_08_whoever_has_the_key_cannot_take_back_what_was_seen(place: Place) -> None:
    """A longer, consistent log with the true key, that leaves out what happened."""
    async with place.opened() as log:
        await put(log, 10)
    shutil.copytree(place.log, place.base / "stolen")
    async with place.opened() as log, three(place.base / "witnesses", log.verifier) as witnesses:
        async with witnessed(log, witnesses.policy) as witnessing:
            await put(log, 5, 10)
            await until(lambda: len(witnessing.signers) == 3 and witnessing.published_size == 15)
            kept, policy = witnessing.published, witnesses.policy
        forging = await AuditLog.open(
            place.base / "stolen", keys=place.keys, origin=ORIGIN, clock=lambda: AT
        )
        await put(forging, 50, 1_000)
        await forging.inclusion(59)
        assert verify(place.base / "stolen", place.public).ok  # by itself nothing is wrong with it
        report = verify(place.base / "stolen", place.public, earlier=kept)
        assert [p.what for p in report.problems] == ["earlier checkpoint"]
        assert "does not begin" in report.problems[0].text
        assert not verify(place.base / "stolen", place.public, policy=policy).ok
        with pytest.raises(AuditUnavailable, match="witness a"):  # nor do they sign it
            async with witnessed(forging, policy):
                pass
        await forging.aclose()


async def test_AU_10_what_a_caller_sends_cannot_break_a_line(place: Place) -> None:
    hostile = 'x\n{"kind":"P"}\r\u2028\x00","kind":"V'
    async with place.opened() as log:
        receipt = await log.append({"kind": "R", "request_id": "1", "agent": hostile})
        leaf = await log.leaf(await log.number(receipt))
    assert b"\n" not in leaf
    assert json.loads(leaf)["agent"] == hostile
    assert place.verified().kinds == {"R": 1}


async def test_AU_14_an_erased_body_leaves_every_proof_valid(place: Place) -> None:
    async with place.opened() as log:
        receipts = await put(log, 12)
        victim = receipts[4].index
        assert await log.erase(victim)
        assert not await log.erase(victim)
        with pytest.raises(LookupError):
            await log.detail(victim)
        assert await log.detail(receipts[8].index) == {"text": "canary 8"}
        proof = await log.inclusion(victim)
        said = open_checkpoint(proof.checkpoint, place.public)
        check_inclusion(proof.leaf_hash, victim, said.size, proof.hashes, said.root)
    report = place.verified()
    assert report.ok
    assert (report.bodies, report.erased) == (2, 1)


async def test_AU_15_a_destroyed_month_key_opens_nothing_and_never_comes_back(
    place: Place,
) -> None:
    async with place.opened() as log:
        (receipt,) = await put(log, 1)
        place.keys.destroy(MONTH)
        with pytest.raises(AuditUnavailable, match="destroyed"):
            await log.detail(receipt.index)
        with pytest.raises(AuditUnavailable, match="destroyed"):
            await put(log, 1)
    with pytest.raises(AuditUnavailable, match="destroyed"):
        AuditKeys(place.base / "keys").wrapping_key(MONTH, make=True)
    assert place.verified().ok


async def test_intents_and_outcomes_are_paired(place: Place) -> None:
    async def outcome(log: AuditLog, request: str, intent: Placed) -> Placed:
        named = intent.leaf_hash.hex()
        leaf: dict[str, Json] = {"kind": "O", "request_id": request, "intent": named}
        return Placed.of(await log.append(leaf))

    async with place.opened() as log:
        first = Placed.of(await log.append({"kind": "I", "request_id": "a"}))
        await outcome(log, "a", first)
        cut_off = Placed.of(await log.append({"kind": "I", "request_id": "b"}))
    report = place.verified()
    assert report.ok
    assert report.open_intents == ((cut_off.index, "b"),)
    async with place.opened() as log:
        wrong = [
            (await outcome(log, "a", first)).index,  # a second one
            (await outcome(log, "c", cut_off)).index,  # of another request
            (await outcome(log, "b", first)).index,  # another's intent
            (await log.append({"kind": "I", "request_id": "b"})).index,  # a second intent
        ]
    assert [p.name for p in place.verified().problems] == [str(index) for index in wrong]


async def test_another_key_or_origin_is_refused(place: Place, tmp_path: Path) -> None:
    async with place.opened() as log:
        await put(log, 3)
    stranger = AuditKeys(tmp_path / "stranger")
    verdict = verify(place.log, stranger.signer(ORIGIN).verifier)
    assert "another key" in verdict.problems[0].text
    for keys, origin in ((stranger, ORIGIN), (place.keys, "other.example/audit")):
        with pytest.raises(AuditUnavailable, match="cannot open"):
            await AuditLog.open(place.log, keys=keys, origin=origin)
    (place.log / "checkpoint").unlink()
    with pytest.raises(AuditUnavailable, match="checkpoint is missing"):
        await AuditLog.open(place.log, keys=place.keys, origin=ORIGIN)


@pytest.mark.parametrize("name", ["tile/entries/001.p/44", "tile/0/001.p/44", "checkpoint"])
async def test_a_damaged_edge_is_not_written_on(place: Place, name: str) -> None:
    async with place.opened() as log:
        await put(log, 300)
    flip(place.log / name, 20, 0)
    with pytest.raises(AuditUnavailable):
        await AuditLog.open(place.log, keys=place.keys, origin=ORIGIN)


async def test_only_the_keeper_of_the_key_can_add_to_the_journal(place: Place) -> None:
    """What stands in the journal is signed at the next start, so it must not be anybody's."""
    async with place.opened() as log:
        await put(log, 3)
    entry = entry_of({"kind": "R", "request_id": "forged"})
    journal = place.log / "journal"
    Journal(journal, b"k" * 32).append(3, [entry])
    assert journal.stat().st_size > 0
    async with place.opened() as log:
        assert log.size == 3
    Journal(journal, place.keys.journal()).append(3, [entry])  # as a crash leaves it
    async with place.opened() as log:
        assert log.size == 4
        assert b"forged" in await log.leaf(3)
    assert place.verified().ok
    Journal(journal, place.keys.journal()).append(5, [entry])
    with pytest.raises(AuditUnavailable, match="the log ends at 4"):
        await AuditLog.open(place.log, keys=place.keys, origin=ORIGIN)


async def test_a_second_process_is_refused(place: Place) -> None:
    script = """
import asyncio, sys
from pathlib import Path
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.errors import AuditUnavailable
base = Path(sys.argv[1])
try:
    asyncio.run(AuditLog.open(base / "log", keys=AuditKeys(base / "keys"), origin=sys.argv[2]))
except AuditUnavailable as error:
    print(error.detail)
"""
    command = [sys.executable, "-c", script, str(place.base), ORIGIN]
    async with place.opened() as log:
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=True
        )
        assert "another process is writing the audit log" in done.stdout
        await put(log, 1)
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
