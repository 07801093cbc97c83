"""Offline proofs, receipts and comparisons, as somebody holds them who trusts neither us nor our
database."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from starlette.applications import Starlette

from gateway.audit import verify as verifier
from gateway.audit.compare import Found, compare
from gateway.audit.keeper import Receipt
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.merkle import leaf_hash
from gateway.audit.proof import prove
from gateway.audit.publishing import Unwitnessed
from gateway.audit.reading import NotThere, source_of
from gateway.audit.verify import (
    NoteInvalid,
    Unproved,
    check_proof,
    check_receipt,
    read_proof,
    read_receipt,
)
from gateway.errors import AuditUnavailable
from gateway.web.log import PREFIX, log_routes
from tests.e2e.auditplace import AT, ORIGIN, Place, flip, put
from tests.e2e.witnessplace import serving, three, until, witnessed


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The one file by itself, as on an auditor's laptop."""
    command = [sys.executable, "-I", str(Path(verifier.__file__)), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603


# -- proofs ----------------------------------------------------------------------------------


async def test_AU_19_a_proof_holds_offline_with_keys_alone(place: Place, tmp_path: Path) -> None:
    async with place.opened() as log, three(place.base / "w", log.verifier) as witnesses:
        async with witnessed(log, witnesses.policy) as witnessing:
            receipts = await put(log, 700)
            await until(lambda: len(witnessing.signers) == 3 and witnessing.published_size == 700)
        lines = [f"log {log.verifier}"]
        lines += [f"witness {name} {key}" for name, key in witnesses.keys.items()]
        lines += ["group enough 2 a b c", "quorum enough", ""]
    laptop = tmp_path / "laptop"
    laptop.mkdir()
    source = source_of(str(place.log))
    (laptop / "log.pub").write_text(place.public)
    (laptop / "policy").write_text("\n".join(lines))
    keys = ["--key", str(laptop / "log.pub"), "--policy", str(laptop / "policy")]
    for index in (0, 255, 256, 511, 699):
        proof = prove(source, index, place.public, with_entry=True)
        assert len(proof) < 4096
        (laptop / "one.tlog-proof").write_text(proof)
        done = run("--proof", str(laptop / "one.tlog-proof"), *keys)
        assert done.returncode == 0, done.stdout + done.stderr
        (number,) = (n for n, one in enumerate(receipts) if one.index == index)
        assert f'"request_id":"r{number}"' in done.stdout
        assert f"It is entry {index} of {ORIGIN}" in done.stdout
        assert "witnessed by a, b, c" in done.stdout
    bare = prove(source, 7, place.public, with_entry=False)
    (laptop / "bare.tlog-proof").write_text(bare)
    missing = run("--proof", str(laptop / "bare.tlog-proof"), *keys)
    assert missing.returncode == 1
    assert "give that by --entry" in missing.stdout
    entry = b64decode(prove(source, 7, place.public, with_entry=True).split("\n")[1][6:])
    (laptop / "entry").write_bytes(entry)
    given = ["--entry", str(laptop / "entry")]
    assert run("--proof", str(laptop / "bare.tlog-proof"), *given, *keys).returncode == 0
    (laptop / "entry").write_bytes(entry.replace(b'"R"', b'"D"'))
    assert run("--proof", str(laptop / "bare.tlog-proof"), *given, *keys).returncode == 1
    strict = (laptop / "policy").read_text().replace("enough 2 a", "enough 3 a")
    unwitnessed = bare.rpartition("\n\n")[0] + "\n\n" + log.checkpoint.decode().split("\n\n")[1]
    (laptop / "policy").write_text(strict)
    (laptop / "unseen.tlog-proof").write_text(unwitnessed)
    (laptop / "entry").write_bytes(entry)
    unseen = run("--proof", str(laptop / "unseen.tlog-proof"), *given, *keys)
    assert unseen.returncode == 1
    assert "not enough for the policy" in unseen.stdout


async def test_what_is_not_witnessed_yet_is_proved_by_the_log_alone(place: Place) -> None:
    async with place.opened() as log, three(place.base / "w", log.verifier) as witnesses:
        async with witnessed(log, witnesses.policy) as witnessing:
            await put(log, 5)
            await until(lambda: len(witnessing.signers) == 3 and witnessing.published_size == 5)
        await put(log, 5, start=5)
        await log.inclusion(9)
    source = source_of(str(place.log))
    assert "witness.example" in prove(source, 4, place.public, with_entry=False)
    assert "witness.example" not in prove(source, 9, place.public, with_entry=False)


async def test_no_changed_proof_is_accepted(place: Place) -> None:
    async with place.opened() as log:
        receipts = sorted(await put(log, 300), key=lambda one: one.index)
        await log.inclusion(299)
    proof = prove(source_of(str(place.log)), 77, place.public, with_entry=False).encode()
    leaf = receipts[77].leaf_hash
    check_proof(read_proof(proof), leaf, place.public)
    random, timed = Random(3), proof.rindex(b"\n\xe2\x80\x94")  # noqa: S311  can be repeated
    for at in range(len(proof)):
        changed = bytearray(proof)
        changed[at] ^= 1 << random.randrange(8)
        with pytest.raises(Unproved):
            check_proof(read_proof(bytes(changed)), leaf, place.public)
    assert timed < len(proof)
    for other in (76, 78, 0):
        with pytest.raises(Unproved):
            check_proof(read_proof(proof), receipts[other].leaf_hash, place.public)


async def test_what_the_checkpoint_does_not_cover_is_not_proved(place: Place) -> None:
    async with place.opened() as log:
        await put(log, 3)
        await log.inclusion(2)
    source = source_of(str(place.log))
    for index in (-1, 3, 10**9):
        with pytest.raises(Exception, match="no leaf"):
            prove(source, index, place.public, with_entry=False)
    kept = place.base / "kept"
    shutil.copy(place.log / "checkpoint", kept)
    with pytest.raises(NotThere, match="without its log"):
        prove(source_of(str(kept)), 1, place.public, with_entry=False)


# -- receipts --------------------------------------------------------------------------------


def answer(log: AuditLog, receipt: Receipt, query: str = "q1", **more: Any) -> bytes:
    """An app's answer, as far as its receipt goes."""
    said = {"queryId": query, "policySerial": 3, "logEntry": receipt.index}
    said |= log.promised(receipt, query) | more
    return json.dumps({"data": {}, "extensions": {"receipt": said}}).encode()


async def test_AU_04_a_receipt_says_that_the_log_contains_it(place: Place, tmp_path: Path) -> None:
    async with place.opened() as log:
        receipts = sorted(await put(log, 600), key=lambda one: one.index)
        await log.inclusion(599)
        for index in (0, 300, 599):
            for claimed in (index, None, 12):  # where it is is not what was signed
                (tmp_path / "answer").write_bytes(
                    answer(log, receipts[index].receipt, logEntry=claimed)
                )
                done = run("--receipt", str(tmp_path / "answer"), "--dir", str(place.log),
                           "--key", place.public.strip())  # fmt: skip
                assert done.returncode == 0, done.stdout + done.stderr
                assert f"It is entry {index} of 600" in done.stdout


async def test_a_receipt_counts_as_witnesses_have_seen_it_where_a_policy_asks(
    place: Place, tmp_path: Path
) -> None:
    async with place.opened() as log, three(place.base / "w", log.verifier) as witnesses:
        async with witnessed(log, witnesses.policy) as witnessing:
            await put(log, 5)
            await until(lambda: len(witnessing.signers) == 3 and witnessing.published_size == 5)
        (late,) = await put(log, 1, start=5)
        await log.inclusion(5)
        early = Receipt(index=4, leaf_hash=leaf_hash(await log.leaf(4)), at=AT)
        answers = {4: answer(log, early), 5: answer(log, late.receipt)}
        lines = [f"log {log.verifier}", *(f"witness {n} {k}" for n, k in witnesses.keys.items())]
        lines += ["group enough 2 a b c", "quorum enough", ""]
    (tmp_path / "policy").write_text("\n".join(lines))

    def said(index: int) -> int:
        (tmp_path / "answer").write_bytes(answers[index])
        command = ["--receipt", str(tmp_path / "answer"), "--dir", str(place.log)]
        command += ["--key", place.public.strip(), "--policy", str(tmp_path / "policy")]
        return run(*command).returncode

    assert said(4) == 0
    assert said(5) == 2  # in the log, and nobody else has seen it yet
    (place.log / "witnessed").unlink()
    assert said(4) == 1


async def test_AU_04_records_cut_off_before_a_checkpoint_break_the_promise(
    place: Place, tmp_path: Path
) -> None:
    """The log is put back to before the record, whose receipt an app still holds."""
    async with place.opened() as log:
        await put(log, 10)
    shutil.copytree(place.log, place.base / "backup")
    async with place.opened() as log:
        (lost,) = await put(log, 1, start=500)
        held = tmp_path / "answer"
        held.write_bytes(answer(log, lost.receipt))
    shutil.rmtree(place.log)
    shutil.copytree(place.base / "backup", place.log)

    def said() -> subprocess.CompletedProcess[str]:
        return run("--receipt", str(held), "--dir", str(place.log), "--key", place.public.strip())

    early = said()
    assert early.returncode == 2
    assert "look again with a later one" in early.stdout
    later = await AuditLog.open(
        place.log, keys=place.keys, origin=ORIGIN, clock=lambda: AT + timedelta(seconds=6)
    )
    await put(later, 3, start=900)
    await later.aclose()
    broken = said()
    assert broken.returncode == 1
    assert "PROMISE is BROKEN" in broken.stdout
    assert place.verified().ok  # nothing else could have shown it


async def test_AU_04_pending_records_dropped_break_the_promise(
    place: Place, tmp_path: Path
) -> None:
    async with place.opened() as log:
        await put(log, 10)
        await log.inclusion(9)
        shutil.copytree(place.log, place.base / "before")
        (lost,) = await put(log, 1, start=500)  # in the journal, under no checkpoint
        data = answer(log, lost.receipt)
    dropped = place.base / "before"
    (dropped / "journal").write_bytes(b"")
    later = await AuditLog.open(
        dropped, keys=place.keys, origin=ORIGIN, clock=lambda: AT + timedelta(seconds=6)
    )
    await later.aclose()
    verdict = check_receipt(read_receipt(data, place.public), dropped, place.public)
    assert verdict.kept is False


async def test_a_receipt_is_the_logs_own_word(place: Place, tmp_path: Path) -> None:
    async with place.opened() as log:
        (receipt,) = await put(log, 1)
        good = answer(log, receipt.receipt)
        assert read_receipt(good, place.public).query == "q1"
        other = AuditKeys(tmp_path / "other").signer(ORIGIN).verifier
        with pytest.raises(Unproved, match="not signed"):
            read_receipt(good, other)
        said = json.loads(good)["extensions"]["receipt"]
        for name, value in {
            "leafHash": "00" * 32, "queryId": "q2", "withinSeconds": 500,
            "at": "2026-03-01T08:31:00.000+00:00", "signature": b64encode(b"s" * 64).decode(),
        }.items():  # fmt: skip
            with pytest.raises(Unproved):
                read_receipt(json.dumps({**said, name: value}).encode(), place.public)
        for name in ("leafHash", "queryId", "at", "withinSeconds", "signature"):
            less = {key: value for key, value in said.items() if key != name}
            with pytest.raises(Unproved, match="not a receipt"):
                read_receipt(json.dumps(less).encode(), place.public)
        for odd in (b"", b"[]", b"7", b"{", b'{"extensions": 3}', b"\xff"):
            with pytest.raises(Unproved):
                read_receipt(odd, place.public)


async def test_a_receipt_cannot_pass_for_a_checkpoint(place: Place) -> None:
    """What is signed for a receipt begins with a line that no origin can be."""
    text = verifier.receipt_text(ORIGIN, "00" * 32, "q", "t", 5)
    first = text.decode().split("\n")[0]
    with pytest.raises(ValueError, match="space"):
        place.keys.signer(first)


# -- two sights ------------------------------------------------------------------------------


@dataclass
class Sights:
    """A log, kept checkpoints of it, and a fork of it by the same key."""

    log: Path
    kept: dict[int, Path]
    fork: Path
    key: str


@pytest.fixture
async def sights(place: Place) -> Sights:
    kept: dict[int, Path] = {}
    async with place.opened() as log:
        for size in (16, 300):
            await put(log, size - log.size, start=log.size)
            await log.inclusion(size - 1)
            kept[size] = place.base / f"kept{size}"
            kept[size].write_bytes(log.checkpoint)
            if size == 16:
                await log.aclose()
                shutil.copytree(place.log, place.base / "fork")
                log = await AuditLog.open(
                    place.log, keys=place.keys, origin=ORIGIN, clock=lambda: AT
                )
        await put(log, 100, start=300)
        await log.aclose()
    fork = await AuditLog.open(
        place.base / "fork", keys=place.keys, origin=ORIGIN, clock=lambda: AT
    )
    await put(fork, 284, start=5000)
    await fork.aclose()
    return Sights(place.log, kept, place.base / "fork", place.public)


def compared(sights: Sights, one: Path | str, other: Path | str) -> tuple[Found, int]:
    pairs = [
        compare(source_of(str(a)), source_of(str(b)), sights.key)
        for a, b in ((one, other), (other, one))
    ]
    assert pairs[0].found == pairs[1].found
    assert (pairs[0].pair is not None) == (pairs[0].found is Found.FORK)
    return pairs[0].found, len(pairs[0].pair or ())


async def test_AU_06_two_sights_are_compared(sights: Sights) -> None:
    assert compared(sights, sights.log, sights.log) == (Found.SAME, 0)
    for size in (16, 300):
        assert compared(sights, sights.log, sights.kept[size]) == (Found.GROWN, 0)
    assert compared(sights, sights.fork, sights.kept[16]) == (Found.GROWN, 0)
    assert compared(sights, sights.fork, sights.kept[300]) == (Found.FORK, 2)  # one size, two roots
    assert compared(sights, sights.fork, sights.log) == (Found.FORK, 2)  # a larger one
    assert compared(sights, sights.kept[16], sights.kept[300]) == (Found.UNKNOWN, 0)


async def test_AU_06_tiles_that_do_not_fit_their_checkpoint_accuse_nobody(sights: Sights) -> None:
    flip(sights.log / "tile" / "1" / "000.p" / "1", 5, 0)
    assert compared(sights, sights.log, sights.kept[300]) == (Found.UNKNOWN, 0)


@asynccontextmanager
async def published(sights: Sights, keys: AuditKeys) -> AsyncIterator[str]:
    log = await AuditLog.open(sights.log, keys=keys, origin=ORIGIN, clock=lambda: AT)
    try:
        app = Starlette(routes=log_routes(Unwitnessed(log), ("127.0.0.0/8",)))
        async with serving(app) as url:
            yield url + PREFIX
    finally:
        await log.aclose()


async def test_AU_06_the_command_shows_the_pair(sights: Sights, place: Place) -> None:
    def command(*given: str) -> subprocess.CompletedProcess[str]:
        program = str(Path(sys.executable).with_name("portcullis"))
        line = [program, "audit", "compare", *given, "--key", sights.key.strip()]
        return subprocess.run(line, capture_output=True, text=True, check=False)  # noqa: S603

    async with published(sights, place.keys) as url:
        grown = await asyncio.to_thread(command, url, str(sights.kept[300]))
        assert grown.returncode == 0, grown.stderr
        fork = await asyncio.to_thread(command, url, str(sights.fork))
        proof = await asyncio.to_thread(prove, source_of(url), 7, sights.key, with_entry=True)
    assert "begins with the smaller" in grown.stdout
    assert fork.returncode == 1
    assert "A FORK" in fork.stdout
    assert fork.stdout.count(ORIGIN + "\n") == 2
    entry = read_proof(proof.encode()).extra
    assert entry is not None
    assert b'"request_id":"r' in entry
    with pytest.raises(NoteInvalid):
        compare(source_of(str(sights.log)), source_of(str(place.base / "keys/log.pub")), sights.key)


async def test_no_proof_is_made_of_what_nobody_witnesses(place: Place) -> None:
    async with place.opened() as log:
        (receipt,) = await put(log, 1)
        alone = Unwitnessed(log)
        with pytest.raises(AuditUnavailable, match="no witnesses"):
            alone.check()
        with pytest.raises(AuditUnavailable, match="no witnesses"):
            await alone.proof(receipt.receipt, 5)
