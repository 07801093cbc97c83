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
from gateway.audit.merkle import leaf_hash
from gateway.audit.proof import prove
from gateway.audit.reading import source_of
from gateway.audit.store import Store
from gateway.audit.verify import NoteInvalid, Unproved, check_proof, open_checkpoint, read_proof
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


def changed(data: bytes, random: Random) -> bytes:
    """The same with one change: a bit, bytes put in, taken out, doubled or cut off."""
    at = random.randrange(len(data))
    end = min(len(data), at + random.randrange(1, 40))
    match random.randrange(5):
        case 0:
            return data[:at] + bytes((data[at] ^ 1 << random.randrange(8),)) + data[at + 1 :]
        case 1:
            return data[:at] + random.randbytes(end - at) + data[at:]
        case 2:
            return data[:at] + data[end:]
        case 3:
            return data[:end] + data[at:]
        case _:
            return data[:at]


def proved(data: bytes, key: str) -> None:
    """Raises Unproved: it does not show that the log holds the record in it."""
    read = read_proof(data)
    check_proof(read, leaf_hash(read.extra or b""), key)


@pytest.mark.parametrize(
    ("what", "count"),
    [("entries", 1_000), ("tile", 1_000), ("note", 4_000), ("proof", 4_000)],
)
async def test_AU_01_of_ten_thousand_random_changes_none_is_accepted(
    place: Place, what: str, count: int
) -> None:
    async with place.opened() as log:
        await put(log, 12)
        note = (await log.inclusion(7)).checkpoint
    source = source_of(str(place.log))
    whole = prove(source, 7, place.public, with_entry=True).encode()
    random = Random(f"seven {what}")  # noqa: S311  a test that can be repeated
    name = {"entries": "tile/entries/000.p/12", "tile": "tile/0/000.p/12"}.get(what)
    data = (place.log / name).read_bytes() if name else whole if what == "proof" else note
    for _ in range(count):
        if (wrong := changed(data, random)) == data:
            continue
        if name:
            (place.log / name).write_bytes(wrong)
            assert not place.verified().ok, wrong
        elif what == "note":
            with pytest.raises(NoteInvalid):
                open_checkpoint(wrong, place.public)
        else:
            with pytest.raises(Unproved):
                proved(wrong, place.public)


@pytest.mark.parametrize("held", [b"", b"\x00", b"\xff\xff and no such length"], ids=len)
@pytest.mark.parametrize(
    "name", ["tile/entries/000", "tile/entries/001.p/44", "tile/0/000", "tile/0/001.p/44"]
)
async def test_AU_02_a_file_that_holds_nothing_is_named(
    place: Place, name: str, held: bytes
) -> None:
    """It is there, so it is not missing; what it held is."""
    async with place.opened() as log:
        await put(log, 300)
    (place.log / name).write_bytes(held)
    assert name in {problem.name for problem in place.verified().problems}


async def test_a_size_that_no_disk_holds_ends_the_look_for_files(place: Place) -> None:
    async with place.opened() as log:
        await put(log, 3)
    signer = place.keys.signer(ORIGIN)
    (place.log / "checkpoint").write_bytes(signer.sign(10**18, b"r" * 32, AT))
    report = place.verified()
    assert 0 < len(report.problems) <= 1_100


async def test_what_a_log_says_moves_no_terminal(place: Place) -> None:
    async with place.opened() as log:
        await log.append({"kind": "I", "request_id": "x\x1b[8m\u202e"})
    command = [sys.executable, "-P", verifier.__file__, "--dir", str(place.log)]
    command += ["--key", place.public.strip()]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    assert "intent 0 (x\\x1b[8m\\u202e) has no outcome" in done.stdout
    assert done.stdout.replace("\n", "").isprintable()


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
