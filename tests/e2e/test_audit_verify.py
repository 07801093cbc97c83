"""The offline verifier, as auditors run it."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from gateway.audit import verify as verifier
from gateway.audit.entry import ASKER, AuditEntry, Json, Part, canonical, owner_part
from gateway.audit.merkle import ProofInvalid, check_inclusion
from gateway.audit.store import Store
from gateway.audit.verify import NoteInvalid, open_checkpoint
from gateway.audit.writer import Writer
from tests.e2e.auditplace import AT, MONTH, ORIGIN, Place, flip, put


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_the_command_of_the_verifier_stands_alone(place: Place, tmp_path: Path) -> None:
    async with place.opened() as log:
        await put(log, 10)
        await log.append({"kind": "I", "request_id": "cut off"})
        kept = log.checkpoint
    alone = tmp_path / "auditor" / "verify.py"
    alone.parent.mkdir()
    shutil.copy(Path(verifier.__file__), alone)
    (tmp_path / "kept").write_bytes(kept)
    public = place.base / "keys/log.pub"
    command = [sys.executable, "-P", str(alone), "--dir", str(place.log), "--key", str(public)]
    command += ["--checkpoint", str(tmp_path / "kept")]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        line = [*command, *more]
        return subprocess.run(line, capture_output=True, text=True, cwd=alone.parent)  # noqa: S603

    good = await asyncio.to_thread(run)
    assert good.returncode == 0, good.stderr
    assert "intent 10 (cut off) has no outcome" in good.stdout
    assert good.stdout.endswith("The log is whole.\n")
    assert json.loads((await asyncio.to_thread(run, "--json")).stdout)["size"] == 11
    flip(place.log / "tile/entries/000.p/11", 40, 1)
    bad = await asyncio.to_thread(run)
    assert bad.returncode == 1
    assert "WRONG    entry 1: it is not the entry" in bad.stdout
    missing = await asyncio.to_thread(run, "--checkpoint", str(tmp_path / "nowhere"))
    assert missing.returncode == 2


def test_the_verifier_imports_nothing_of_the_project() -> None:
    source = Path(verifier.__file__).read_text()
    assert "import gateway" not in source
    assert "from gateway" not in source


def test_a_note_is_read_strictly(place: Place) -> None:
    signer = place.keys.signer(ORIGIN)
    note = signer.sign(5, b"r" * 32, AT)
    assert open_checkpoint(note, signer.verifier).size == 5
    witness = b"\xe2\x80\x94 witness.example " + b64encode(b"w" * 76) + b"\n"
    assert open_checkpoint(note + witness, signer.verifier).size == 5
    body, first, timed = note.partition(b"\n\n")[0], *note.splitlines(keepends=True)[-2:]
    with pytest.raises(NoteInvalid, match="lacks"):
        open_checkpoint(body + b"\n\n" + first, signer.verifier)
    assert open_checkpoint(body + b"\n\n" + first, signer.verifier, timed=False).size == 5
    for wrong in (b"", b"\xff", body, body + b"\n\n", body + b"\n\n" + timed, note + b"x\n"):
        with pytest.raises(NoteInvalid):
            open_checkpoint(wrong, signer.verifier)
    for key in ("", "a+b", "a+00000000+AAAA", signer.verifier.replace("portcullis", "other")):
        with pytest.raises(NoteInvalid):
            open_checkpoint(note, key)


def test_the_key_hash_is_that_of_signed_notes(place: Place) -> None:
    name, key_hash, key = place.keys.signer(ORIGIN).verifier.split("+", 2)
    public = b64decode(key)[1:]
    expected = sha256(name.encode() + b"\n\x01" + public).digest()[:4]
    assert key_hash == expected.hex()


async def test_the_verifier_reads_canonical_json_as_the_writer_writes_it(place: Place) -> None:
    async with place.opened() as log:
        odd = {"\ue000": 1, "\U0001f600": 2, "n": 1e-7, "m": 0.000001, "z": -0.0, "big": 2**53 - 1}
        await log.append({"kind": "R", "request_id": "1", "odd": odd})
    assert place.verified().ok


async def test_ten_thousand_random_changes_are_all_refused(place: Place) -> None:
    async with place.opened() as log:
        receipts = await put(log, 300)
        proof = await log.inclusion(receipts[77].index)
        said = open_checkpoint(log.checkpoint, place.public)
    random = Random(7)  # noqa: S311  a test that can be repeated
    note = proof.checkpoint
    for _ in range(10_000):
        at, bit = random.randrange(len(note)), 1 << random.randrange(8)
        with pytest.raises(NoteInvalid):
            open_checkpoint(note[:at] + bytes((note[at] ^ bit,)) + note[at + 1 :], place.public)
        hashes = [bytearray(h) for h in proof.hashes]
        hashes[random.randrange(len(hashes))][random.randrange(32)] ^= bit
        with pytest.raises(ProofInvalid):
            check_inclusion(
                proof.leaf_hash, proof.index, said.size, [bytes(h) for h in hashes], said.root
            )


async def test_a_log_that_began_with_the_first_version_goes_on_and_verifies(place: Place) -> None:
    """Its outcomes named their intent by index, and their bodies had one part without a name."""
    body: Json = {
        "alg": "A256GCM+A256KW",
        "ciphertext": "AAAA",
        "keys": {MONTH: "AA=="},
        "nonce": "AA==",
    }
    sealed = {"sha256": sha256(bytes(3)).hexdigest(), "keys": [MONTH], "alg": "A256GCM+A256KW"}
    old: list[dict[str, Json]] = [
        {"kind": "I", "request_id": "a", "v": 1, "sealed": sealed},
        {"kind": "O", "request_id": "a", "intent_index": 0, "v": 1},
        {"kind": "I", "request_id": "b", "v": 1},
        {"kind": "O", "request_id": "b", "intent_index": 1, "v": 1},
    ]
    entries = [
        AuditEntry(leaf=canonical(leaf), body=canonical(body) if "sealed" in leaf else None)
        for leaf in old
    ]
    store = Store(place.log)
    Writer(store, place.keys.signer(ORIGIN), AT).commit(entries, AT)
    store.close()
    async with place.opened() as log:
        await put(log, 3, 4)
    report = place.verified()
    assert [(p.name, p.text) for p in report.problems] == [
        ("3", "it names another intent than its request's")
    ]
    assert (report.size, report.bodies) == (7, 2)


async def test_a_part_that_was_exchanged_is_named(place: Place) -> None:
    async with place.opened() as log:
        await log.append(
            {"kind": "R"}, {name: Part("NMC", {"of": name}) for name in (ASKER, owner_part("NMC"))}
        )
    segment = place.log / "sealed/000/000"
    line = json.loads(segment.read_bytes())
    parts = line["body"]["parts"]
    parts[ASKER], parts["owner/NMC"] = parts["owner/NMC"], parts[ASKER]
    segment.write_bytes(canonical(line) + b"\n")
    (problem,) = place.verified().problems
    assert (problem.what, problem.name) == ("body", "0")
