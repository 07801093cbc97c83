"""`add-checkpoint` as c2sp.org/tlog-witness wants it, answer by answer."""

from __future__ import annotations

import ast
import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.audit import memory, merkle, verify, witness
from gateway.audit.keys import Signer
from gateway.audit.memory import Memory, StateInvalid
from gateway.audit.merkle import consistency_proof, leaf_hash, root_of
from gateway.audit.verify import read_note, read_witness, signed_by
from gateway.audit.witness import MAX_BODY_BYTES, Answer, Witness

ORIGIN = "log.example/one"
AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
NAME = "witness.example/w1"
LEAVES = [leaf_hash(bytes([n])) for n in range(64)]
FORKED = [*LEAVES[:3], leaf_hash(b"other"), *LEAVES[4:]]


class Log:
    """A log with one key, which signs what it is told to."""

    def __init__(self, origin: str = ORIGIN) -> None:
        self.signer = Signer(origin, Ed25519PrivateKey.generate())

    def note(self, size: int, leaves: list[bytes] = LEAVES) -> bytes:
        return self.signer.sign(size, root_of(leaves[:size]), AT)

    def request(self, old: int, size: int, leaves: list[bytes] = LEAVES) -> bytes:
        def subtree(height: int, number: int) -> bytes:
            return root_of(leaves[number << height : (number + 1) << height])

        proof = consistency_proof(min(old, size), size, subtree)
        return asked(old, proof, self.note(size, leaves))


def asked(old: int | str, proof: tuple[bytes, ...], note: bytes) -> bytes:
    lines = b"".join(b64encode(one) + b"\n" for one in proof)
    return f"old {old}\n".encode() + lines + b"\n" + note


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "w"


@pytest.fixture
def made(log: Log, state: Path) -> Witness:
    return Witness(NAME, Memory(state), [log.signer.verifier], lambda: 1_772_000_000.9)


def reopened(state: Path, *logs: Log) -> Witness:
    return Witness(NAME, Memory(state), [log.signer.verifier for log in logs])


def test_it_needs_little_of_the_project() -> None:
    for module, known in {
        witness: {"memory", "merkle", "verify", "connection"},
        memory: set(), merkle: set(), verify: set(),
    }.items():  # fmt: skip
        tree = ast.parse(Path(module.__file__ or "").read_text())
        used = {
            (node.module or "").rpartition(".")[2]
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gateway")
        }
        assert used == known, module.__name__


def test_200_a_first_checkpoint_and_what_contains_it_are_cosigned(log: Log, made: Witness) -> None:
    key = read_witness(made.verifier)
    for old, size in ((0, 5), (5, 5), (5, 6), (6, 64)):
        answer = made.add_checkpoint(log.request(old, size))
        assert answer.status == 200, answer
        note = read_note(log.note(size) + answer.body)
        assert signed_by(note, key) == (datetime.fromtimestamp(1_772_000_000, UTC),)


def test_the_cosignature_is_that_of_the_specification(log: Log, made: Witness) -> None:
    body = made.add_checkpoint(log.request(0, 5)).body.decode()
    dash, name, encoded = body.removesuffix("\n").split(" ")
    assert (dash, name) == ("\N{EM DASH}", NAME)
    blob = b64decode(encoded)
    public = b64decode(made.verifier.split("+", 2)[2])
    assert public[0] == 4
    assert blob[:4] == sha256(NAME.encode() + b"\n\x04" + public[1:]).digest()[:4]
    assert int.from_bytes(blob[4:12], "big") == 1_772_000_000
    text = log.note(5).partition(b"\n\n")[0] + b"\n"
    signed = b"cosignature/v1\ntime 1772000000\n" + text
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(blob[12:], signed)


def test_200_an_empty_log(log: Log, made: Witness) -> None:
    assert made.add_checkpoint(log.request(0, 0)).status == 200
    wrong = log.signer.sign(0, b"r" * 32, AT)
    assert made.add_checkpoint(asked(0, (), wrong)).status == 409


def test_unknown_signatures_are_passed_over(log: Log, made: Witness) -> None:
    other = Log()  # the same name, another key
    theirs = other.note(5).partition(b"\n\n")[2]
    assert made.add_checkpoint(asked(0, (), log.note(5) + theirs)).status == 200


@pytest.mark.parametrize(
    "change",
    [
        lambda note: b"",
        lambda note: note,
        lambda note: b"\n\n" + note,
        lambda note: b"old\n\n" + note,
        lambda note: b"old 00\n\n" + note,
        lambda note: b"old +1\n\n" + note,
        lambda note: b"old -1\n\n" + note,
        lambda note: b"old  0\n\n" + note,
        lambda note: b"Old 0\n\n" + note,
        lambda note: b"old 0 \n\n" + note,
        lambda note: b"old 0\r\n\r\n" + note,
        lambda note: "old \u0660\n\n".encode() + note,
        lambda note: b"old 99999999999999999999999\n\n" + note,
        lambda note: b"old 0\n" + note,
        lambda note: b"old 0\nAAAA\n\n" + note,
        lambda note: b"old 0\n" + b64encode(b"h" * 33) + b"\n\n" + note,
        lambda note: b"old 0\n" + b64encode(b"h" * 32).rstrip(b"=") + b"\n\n" + note,
        lambda note: b"old 0\n" + (b64encode(b"h" * 32) + b"\n") * 64 + b"\n" + note,
        lambda note: b"old 0\n\n" + note.rpartition(b"\n\n")[0],
        lambda note: b"old 0\n\n" + note.replace(b"\n5\n", b"\n05\n"),
        lambda note: b"old 0\n\n" + note.replace(b"\n5\n", b"\n-5\n"),
        lambda note: b"old 0\n\n" + note + b"\xe2\x80\x94 x\n",
        lambda note: b"old 0\n\n" + note[:-1],
        lambda note: b"old 0\n\n" + note.replace(b"\n\n", b"\n"),
        lambda note: b"old 0\n\n" + note.replace(b"/one", b"/\x01ne"),
        lambda note: b"old 0\n\n" + note + note.partition(b"\n\n")[2] * 40,
        lambda note: b"\xff" * 100,
    ],
)  # fmt: skip
def test_400_what_has_not_the_form(
    log: Log, made: Witness, change: Callable[[bytes], bytes]
) -> None:
    assert made.add_checkpoint(change(log.note(5))).status == 400
    assert made.add_checkpoint(log.request(0, 5)).status == 200  # nothing of it was remembered


def test_400_an_old_size_above_the_checkpoint(log: Log, made: Witness) -> None:
    made.add_checkpoint(log.request(0, 9))
    assert made.add_checkpoint(asked(9, (), log.note(5))).status == 400


def test_403_what_the_log_has_not_signed(log: Log, made: Witness) -> None:
    assert made.add_checkpoint(Log().request(0, 5)).status == 403
    text, signatures = log.note(5).split(b"\n\n")
    forged = text.replace(b"\n5\n", b"\n6\n") + b"\n\n" + signatures
    assert made.add_checkpoint(asked(0, (), forged)).status == 403
    timed = text + b"\n\n" + signatures.splitlines(keepends=True)[1]
    assert made.add_checkpoint(asked(0, (), timed)).status == 403


def test_404_another_log(made: Witness) -> None:
    assert made.add_checkpoint(Log("log.example/two").request(0, 5)).status == 404


def test_409_another_old_size(log: Log, made: Witness) -> None:
    def conflict(size: int) -> Answer:
        return Answer(status=409, body=b"%d\n" % size, media_type="text/x.tlog.size")

    assert made.add_checkpoint(log.request(3, 5)) == conflict(0)
    made.add_checkpoint(log.request(0, 7))
    for old, size in ((0, 9), (3, 9), (8, 9), (0, 5), (5, 5)):
        assert made.add_checkpoint(log.request(old, size)) == conflict(7)
    assert made.add_checkpoint(log.request(7, 9)).status == 200


def test_422_a_proof_that_does_not_show_it(log: Log, made: Witness) -> None:
    made.add_checkpoint(log.request(0, 7))
    good = log.request(7, 20)
    head, _, rest = good.partition(b"\n\n")
    lines = head.split(b"\n")
    assert len(lines) > 3
    for wrong in (lines[:1], lines[:-1], [lines[0], *reversed(lines[1:])], [*lines, lines[-1]]):
        assert made.add_checkpoint(b"\n".join(wrong) + b"\n\n" + rest).status == 422
    assert made.add_checkpoint(log.request(7, 20, FORKED)).status == 422
    extra = asked(7, (b"h" * 32,), log.note(7))
    assert made.add_checkpoint(extra).status == 422  # the same size takes no proof
    assert made.add_checkpoint(good).status == 200


def test_422_a_first_checkpoint_takes_no_proof(log: Log, made: Witness) -> None:
    assert made.add_checkpoint(asked(0, (b"h" * 32,), log.note(5))).status == 422


def test_AU_06_never_both_of_two_roots_of_one_size(log: Log, made: Witness, state: Path) -> None:
    assert made.add_checkpoint(log.request(0, 9)).status == 200
    for old in (0, 5, 9):
        answer = made.add_checkpoint(log.request(old, 9, FORKED))
        assert (answer.status, answer.media_type) == (409, "text/x.tlog.size")
    kept = [path.read_bytes() for path in (state / "forks").iterdir()]
    assert kept == [log.note(9, FORKED)]  # evidence, once
    assert made.add_checkpoint(log.request(9, 9)).status == 200


def test_AU_06_of_two_at_once_one_is_signed(log: Log, made: Witness) -> None:
    """Each round both a tree and its fork are submitted from the same old size, many times."""
    signed: dict[int, set[bytes]] = {}
    with ThreadPoolExecutor(8) as pool:
        for size in range(1, 40):
            last, _ = made._last(ORIGIN)
            both = [log.request(last, size), log.request(last, size, FORKED)] * 4
            for request, answer in zip(both, pool.map(made.add_checkpoint, both), strict=True):
                if answer.status == 200:
                    root = read_note(request.partition(b"\n\n")[2]).body.split(b"\n")[2]
                    signed.setdefault(size, set()).add(root)
    assert signed
    assert all(len(roots) == 1 for roots in signed.values())


def test_what_was_seen_lasts(log: Log, made: Witness, state: Path) -> None:
    made.add_checkpoint(log.request(0, 9))
    made._memory.close()
    again = reopened(state, log)
    assert again.verifier == made.verifier
    assert again.add_checkpoint(log.request(9, 9, FORKED)).status == 409
    assert again.add_checkpoint(log.request(0, 9, FORKED)).status == 409
    assert again.add_checkpoint(log.request(9, 10)).status == 200


def test_logs_are_kept_apart(log: Log, state: Path) -> None:
    other = Log("log.example/two")
    both = reopened(state, log, other)
    assert both.add_checkpoint(log.request(0, 9)).status == 200
    assert both.add_checkpoint(other.request(0, 5, FORKED)).status == 200
    assert both.add_checkpoint(log.request(9, 10)).status == 200


def test_two_processes_cannot_share_a_memory(made: Witness, state: Path) -> None:
    with pytest.raises(StateInvalid, match="another process"):
        Memory(state)


@pytest.mark.parametrize("content", [None, "{", "[]", '{"a":1}', ""])
def test_a_witness_that_lost_its_memory_does_not_go_on(
    log: Log, made: Witness, state: Path, content: str | None
) -> None:
    made.add_checkpoint(log.request(0, 9))
    made._memory.close()
    (state / "seen").unlink()
    if content is not None:
        (state / "seen").write_text(content)
    with pytest.raises(StateInvalid):
        reopened(state, log)


def test_a_damaged_memory_signs_nothing(log: Log, made: Witness, state: Path) -> None:
    made.add_checkpoint(log.request(0, 9))
    made._memory.close()
    seen = state / "seen"
    seen.write_text(seen.read_text().replace(ORIGIN + "\\n", "log.example/two\\n"))
    with pytest.raises(StateInvalid):
        reopened(state, log)


def test_nothing_is_signed_that_was_not_kept(
    log: Log, made: Witness, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.add_checkpoint(log.request(0, 9))

    def full(*_given: object) -> None:
        raise OSError("no space")

    with monkeypatch.context() as broken:
        broken.setattr(Memory, "_write", full)
        with pytest.raises(OSError, match="no space"):
            made.add_checkpoint(log.request(9, 12))
    assert made.add_checkpoint(log.request(9, 10)).status == 200


@pytest.mark.parametrize("fails", ["the file", "its name"])
def test_F_32_where_nobody_can_tell_what_lasts_nothing_is_signed(
    log: Log, made: Witness, state: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """Whichever sync fails, one of the two trees is signed afterwards and the other never."""
    made.add_checkpoint(log.request(0, 9))
    real, syncs = os.fsync, iter([fails == "the file", fails == "its name"])

    def sync(handle: int) -> None:
        if next(syncs):
            raise OSError("an error of the disk")
        real(handle)

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", sync)
        with pytest.raises(OSError, match="disk"):
            made.add_checkpoint(log.request(9, 12))
    made._memory.close()
    again = reopened(state, log)
    last, _ = again._last(ORIGIN)
    assert last == (9 if fails == "the file" else 12)
    assert again.add_checkpoint(log.request(9, 12, FORKED)).status in (409, 422)
    assert again.add_checkpoint(log.request(last, 12)).status == 200


def test_the_key_is_its_own_and_nobody_elses_to_read(made: Witness, state: Path) -> None:
    key = state / "witness.key"
    assert key.stat().st_mode & 0o077 == 0
    assert (state / "witness.pub").read_text().strip() == made.verifier
    made._memory.close()
    key.chmod(0o644)
    with pytest.raises(StateInvalid, match="others may read"):
        reopened(state)


def test_a_body_of_the_largest_size_is_read(log: Log, made: Witness) -> None:
    note = read_note(log.note(5))
    line = f"\N{EM DASH} other.example {b64encode(b's' * 4900).decode()}\n".encode()
    padded = log.note(5) + line * 16
    assert len(padded) < MAX_BODY_BYTES
    assert made.add_checkpoint(asked(0, (), padded)).status == 200
    assert replace(read_note(padded), signatures=()) == replace(note, signatures=())
