"""The log on a real disk: what was acknowledged lasts, and what is changed is named.

Test names carry the ids of the threat model's table of audit attacks where they try one.
"""

from __future__ import annotations

import asyncio
import errno
import json
import shutil
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from gateway.audit import verify as verifier
from gateway.audit.entry import AuditEntry, InvalidEntry, Sealing, entry_of
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog, Receipt
from gateway.audit.merkle import ProofInvalid, check_inclusion, leaf_hash
from gateway.audit.store import Disk, Store, SwapUnknown, unpack
from gateway.audit.verify import NoteInvalid, Report, open_checkpoint, verify
from gateway.audit.writer import Writer
from gateway.errors import AuditUnavailable

ORIGIN = "portcullis.example/audit/2026"
AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
MONTH = "NMC/2026-03"


@dataclass
class Place:
    """Where one test's log lives."""

    base: Path
    keys: AuditKeys = field(init=False)

    def __post_init__(self) -> None:
        self.keys = AuditKeys(self.base / "keys")

    @property
    def log(self) -> Path:
        return self.base / "log"

    @property
    def public(self) -> str:
        return (self.base / "keys" / "log.pub").read_text()

    @asynccontextmanager
    async def opened(self, disk: Disk | None = None) -> AsyncIterator[AuditLog]:
        log = await AuditLog.open(
            self.log, keys=self.keys, origin=ORIGIN, clock=lambda: AT, disk=disk
        )
        try:
            yield log
        finally:
            await log.aclose()

    def verified(self, earlier: bytes | None = None) -> Report:
        return verify(self.log, self.public, earlier=earlier)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def put(log: AuditLog, count: int, start: int = 0) -> list[Receipt]:
    """Records of kind R that arrive together; every fourth has a sealed body."""
    waits = []
    for n in range(start, start + count):
        detail = {"text": f"canary {n}"} if n % 4 == 0 else None
        leaf = {"kind": "R", "request_id": f"r{n}"}
        waits.append(log.append(leaf, detail, agencies=("NMC",) if detail else ()))
    return list(await asyncio.gather(*waits))


async def test_what_is_appended_is_there_proved_and_opens_again(place: Place) -> None:
    async with place.opened() as log:
        receipts = await put(log, 600)
        assert sorted(r.index for r in receipts) == list(range(600))
        for receipt in receipts[::50]:
            proof = await log.inclusion(receipt.index)
            said = open_checkpoint(proof.checkpoint, place.public)
            assert proof.leaf_hash == receipt.leaf_hash == leaf_hash(await log.leaf(receipt.index))
            check_inclusion(receipt.leaf_hash, receipt.index, said.size, proof.hashes, said.root)
        detail = await log.detail(receipts[0].index, MONTH)
        assert detail == {"text": "canary 0"}
        with pytest.raises(LookupError):
            await log.leaf(600)
    async with place.opened() as log:
        assert log.size == 600
        (more,) = await put(log, 1, 600)
        assert (more.index, more.size, more.at) == (600, 601, AT)
    report = place.verified()
    assert report.ok
    assert (report.size, report.kinds, report.bodies) == (601, {"R": 601}, 151)
    assert report.signed_at == AT.isoformat()


async def test_nothing_sealed_can_be_read_from_the_files(place: Place) -> None:
    async with place.opened() as log:
        await put(log, 20)
    for path in place.log.rglob("*"):
        assert path.is_dir() or b"canary" not in path.read_bytes()


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 513])
async def test_at_the_borders_of_tiles(place: Place, size: int) -> None:
    kept = b""
    async with place.opened() as log:
        await put(log, size // 2)
        kept = log.checkpoint
        await put(log, size - size // 2, size // 2)
        for index in {0, size - 1} if size else set():
            proof = await log.inclusion(index)
            check_inclusion(
                proof.leaf_hash,
                index,
                size,
                proof.hashes,
                open_checkpoint(proof.checkpoint, place.public).root,
            )
    async with place.opened() as log:
        assert log.size == size
        await put(log, 1, size)
    report = place.verified(kept)
    assert report.ok, report.problems
    assert report.size == size + 1
    partial = list((place.log / "tile").rglob("*.p/*"))
    widths = {int(p.name) for p in partial if "tile/0/" in str(p)}
    assert widths == ({(size + 1) % 256} if (size + 1) % 256 else set())  # older ones are gone


async def test_one_by_one_gives_the_same_tree_as_together(place: Place, tmp_path: Path) -> None:
    other = Place(tmp_path / "other")
    leaves = [{"kind": "R", "request_id": f"r{n}"} for n in range(300)]
    async with place.opened() as one, other.opened() as all_at_once:
        for leaf in leaves:
            last = await one.append(leaf)
        await asyncio.gather(*(all_at_once.append(leaf) for leaf in leaves))
        assert (await all_at_once.append({"kind": "V"})).size == 301
        assert (await one.append({"kind": "V"})).root != last.root
    assert place.verified().root == other.verified().root


# -- threats ---------------------------------------------------------------------------------


def flip(path: Path, at: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)


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
        kept = log.checkpoint
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
        kept = log.checkpoint
    shutil.rmtree(place.log)
    shutil.copytree(place.base / "fork", place.log)
    async with place.opened() as log:
        await put(log, 1, 11)
    assert "does not begin" in place.verified(kept).problems[0].text


async def test_AU_10_what_a_caller_sends_cannot_break_a_line(place: Place) -> None:
    hostile = 'x\n{"kind":"P"}\r\u2028\x00","kind":"V'
    async with place.opened() as log:
        receipt = await log.append({"kind": "R", "request_id": "1", "agent": hostile})
        leaf = await log.leaf(receipt.index)
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
            await log.detail(victim, MONTH)
        assert await log.detail(receipts[8].index, MONTH) == {"text": "canary 8"}
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
            await log.detail(receipt.index, MONTH)
        with pytest.raises(AuditUnavailable, match="destroyed"):
            await put(log, 1)
    with pytest.raises(AuditUnavailable, match="destroyed"):
        AuditKeys(place.base / "keys").wrapping_key(MONTH, make=True)
    assert place.verified().ok


async def test_intents_and_outcomes_are_paired(place: Place) -> None:
    async def outcome(log: AuditLog, request: str, intent: int) -> Receipt:
        return await log.append({"kind": "O", "request_id": request, "intent_index": intent})

    async with place.opened() as log:
        first = await log.append({"kind": "I", "request_id": "a"})
        await outcome(log, "a", first.index)
        cut_off = await log.append({"kind": "I", "request_id": "b"})
    report = place.verified()
    assert report.ok
    assert report.open_intents == ((cut_off.index, "b"),)
    async with place.opened() as log:
        wrong = [
            (await outcome(log, "a", first.index)).index,  # a second one
            (await outcome(log, "c", cut_off.index)).index,  # of another request
            (await outcome(log, "c", 1)).index,  # an outcome is no intent
            (await outcome(log, "c", 900)).index,
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


# -- faults ----------------------------------------------------------------------------------


class Faulty(Disk):
    """A real disk of which step number `at` fails, before or after it did its work."""

    def __init__(self, at: int = -1, *, persists: bool = False) -> None:
        self.at, self.persists, self.steps = at, persists, 0

    def _step(self, work: Callable[[], None]) -> None:
        self.steps += 1
        if self.steps - 1 == self.at:
            if self.persists:
                with suppress(FileExistsError):
                    work()
            raise OSError(errno.EIO, "injected")
        work()

    def write(self, path: Path, data: bytes, mode: int) -> None:
        self._step(lambda: super(Faulty, self).write(path, data, mode))

    def sync(self, path: Path) -> None:
        self._step(lambda: super(Faulty, self).sync(path))

    def rename(self, source: Path, target: Path) -> None:
        self._step(lambda: super(Faulty, self).rename(source, target))

    def mkdir(self, path: Path) -> None:
        self._step(lambda: super(Faulty, self).mkdir(path))


def entries_of(start: int, count: int) -> list[AuditEntry]:
    """Records as the sequencer hands them to the writer; every second has a body."""
    sealing = Sealing(
        salt=b"s" * 32, data_key=b"d" * 32, nonce=b"n" * 12, wrapping={MONTH: b"k" * 32}
    )
    return [
        entry_of({"kind": "R", "request_id": f"r{n}"}, {"n": n} if n % 2 else None, sealing)
        for n in range(start, start + count)
    ]


@contextmanager
def writing(place: Place, disk: Disk | None = None) -> Iterator[Writer]:
    store = Store(place.log, disk=disk)
    try:
        yield Writer(store, place.keys.signer(ORIGIN), AT)
    finally:
        store.close()


def filled(place: Place, count: int) -> None:
    with writing(place) as writer:
        for start in range(0, count, 256):
            writer.commit(entries_of(start, min(256, count - start)), AT)


@pytest.mark.parametrize("persists", [False, True], ids=["lost", "persisted"])
@pytest.mark.parametrize(("before", "count"), [(0, 3), (250, 10), (255, 1), (256, 256)])
def test_a_failure_at_every_step_of_a_commit(
    tmp_path: Path, before: int, count: int, persists: bool
) -> None:
    """What was committed stays, what failed is there whole or not at all, and the log goes on."""
    sample, counting = Place(tmp_path / "sample"), Faulty()
    filled(sample, before)
    with writing(sample, counting) as writer:
        opening = counting.steps
        writer.commit(entries_of(before, count), AT)
    total, unknown = counting.steps, 0
    assert total - opening >= 11
    for at in range(opening, total):
        place = Place(tmp_path / str(at))
        shutil.copytree(sample.base / "keys", place.base / "keys", dirs_exist_ok=True)
        filled(place, before)
        with writing(place, Faulty(at, persists=persists)) as writer:
            kept = writer.head
            try:
                writer.commit(entries_of(before, count), AT)
                pytest.fail(f"step {at} did not fail")
            except SwapUnknown:
                unknown += 1
            except OSError:  # undone: the same writer goes on, with other entries
                assert writer.head is kept
                kept = writer.commit(entries_of(9_000, 2), AT)
        report = place.verified(kept.note)
        assert report.ok, (at, report.problems)
        with writing(place) as writer:
            assert writer.head.edge.size in {kept.edge.size, before + count}
            writer.commit(entries_of(7_000, 1), AT)
        report = place.verified(kept.note)
        assert report.ok, (at, report.problems)
        shutil.rmtree(place.base)
    # only the last sync, or a rename that happened in spite of its error, leaves a doubt
    assert unknown == (2 if persists else 1)


@pytest.mark.parametrize("persists", [False, True], ids=["lost", "persisted"])
@pytest.mark.parametrize("before", [0, 255])
async def test_a_failure_at_every_step_of_an_append(
    tmp_path: Path, before: int, persists: bool
) -> None:
    """The waiter is told, and nothing that was ever acknowledged is lost."""
    leaf, stopped, at = {"kind": "V"}, 0, 0
    while True:
        place, disk = Place(tmp_path / str(at)), Faulty(persists=persists)
        async with place.opened() as log:
            kept = await put(log, before)
        async with place.opened(disk) as log:
            disk.at = disk.steps + at
            try:
                await log.append(leaf)
                break  # beyond the last step
            except AuditUnavailable:
                assert not well(log)
            if log.stopped:
                stopped += 1
                with pytest.raises(AuditUnavailable, match="stopped"):
                    await log.append(leaf)
            else:
                kept.append(await log.append(leaf))
                assert well(log)
                assert log.size == before + 1
        async with place.opened() as log:
            for receipt in kept:
                assert leaf_hash(await log.leaf(receipt.index)) == receipt.leaf_hash
        assert place.verified().ok
        at += 1
    assert at >= 9
    assert stopped == (2 if persists else 1)


@pytest.mark.parametrize("persists", [False, True], ids=["lost", "persisted"])
async def test_a_failure_at_every_step_of_opening(tmp_path: Path, persists: bool) -> None:
    fresh, again = Faulty(), Faulty()
    for disk in (fresh, again):
        async with Place(tmp_path / "sample").opened(disk):
            pass
    for before, steps in ((0, fresh.steps), (5, again.steps)):
        for at in range(steps):
            place = Place(tmp_path / f"{before}-{at}")
            if before:
                async with place.opened() as log:
                    await put(log, before)
            with pytest.raises(AuditUnavailable, match="cannot open"):
                await AuditLog.open(
                    place.log,
                    keys=place.keys,
                    origin=ORIGIN,
                    disk=Faulty(at, persists=persists),
                )
            async with place.opened() as log:
                await put(log, 1, before)
            assert place.verified().size == before + 1


def well(log: AuditLog) -> bool:
    return log.healthy


class Full(Disk):
    """A disk without space for data until it is freed."""

    full = False

    def write(self, path: Path, data: bytes, mode: int) -> None:
        if self.full:
            super().write(path, data[: len(data) // 2], mode)
            raise OSError(errno.ENOSPC, "no space left")
        super().write(path, data, mode)


async def test_a_full_disk_recovers_when_there_is_space_again(place: Place) -> None:
    disk = Full()
    async with place.opened(disk) as log:
        await put(log, 5)
        disk.full = True
        for n in range(3):
            with pytest.raises(AuditUnavailable, match="no space"):
                await put(log, 2, 100 + n)
        assert not well(log)
        assert not log.stopped
        disk.full = False
        deadline = time.monotonic() + 5
        while not well(log):  # by itself, so that readiness can come back without a query
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        (receipt,) = await put(log, 1, 5)
        assert receipt.index == 5
    assert place.verified().size == 6


async def test_a_cancelled_waiter_does_not_disturb_the_others(place: Place) -> None:
    async with place.opened() as log:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(log.append({"kind": "R", "request_id": str(n)}))
                for n in range(50)
            ]
            await asyncio.sleep(0)
            tasks[7].cancel()
        assert sum(not task.cancelled() for task in tasks) == 49
    assert place.verified().ok


async def test_what_is_no_record_is_refused_and_the_log_goes_on(place: Place) -> None:
    async with place.opened() as log:
        for leaf in ({"kind": "?"}, {"kind": "R", "text": "x" * 60_000}):
            with pytest.raises(AuditUnavailable, match="not a record"):
                await log.append(leaf)
        with pytest.raises(AuditUnavailable):
            await log.append({"kind": "R"}, {"reason": "sealed for nobody"})
        with pytest.raises(AuditUnavailable, match="cannot name a key"):
            await log.append({"kind": "R"}, {"reason": "x"}, agencies=("../..",))
        assert (await log.append({"kind": "V"})).index == 0
    with pytest.raises(AuditUnavailable, match="stopped"):
        await log.append({"kind": "V"})


async def test_a_log_at_rest_still_shows_that_it_is_alive(place: Place) -> None:
    times = iter(range(1_000))
    log = await AuditLog.open(
        place.log,
        keys=place.keys,
        origin=ORIGIN,
        clock=lambda: AT.replace(microsecond=0).fromtimestamp(AT.timestamp() + next(times), UTC),
        idle_s=0.05,
    )
    first = open_checkpoint(log.checkpoint, place.public)
    await asyncio.sleep(0.5)
    later = open_checkpoint(log.checkpoint, place.public)
    await log.aclose()
    assert (first.size, first.root) == (later.size, later.root)
    assert first.signed_at is not None
    assert later.signed_at is not None
    assert first.signed_at < later.signed_at


async def test_keys_are_for_their_owner_alone(place: Place) -> None:
    async with place.opened() as log:
        await put(log, 1)
    place.keys.token_key("actor", "2026-Q1")
    for path in (place.base / "keys").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0
    (place.base / "keys").chmod(0o755)
    with pytest.raises(AuditUnavailable, match="others may read"):
        AuditKeys(place.base / "keys")


# -- the verifier ----------------------------------------------------------------------------


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


async def test_AU_13_another_agency_cannot_open(place: Place) -> None:
    async with place.opened() as log:
        (receipt,) = await put(log, 1)
        place.keys.wrapping("ERU", AT)
        with pytest.raises(InvalidEntry):
            await log.detail(receipt.index, "ERU/2026-03")
