"""A disk that fails, at every step: what was acknowledged lasts, and the log goes on."""

from __future__ import annotations

import asyncio
import errno
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC
from pathlib import Path

import pytest

from gateway.audit.entry import ASKER, AuditEntry, Part, Sealing, entry_of
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.merkle import leaf_hash
from gateway.audit.store import Disk, Store, SwapUnknown
from gateway.audit.verify import open_checkpoint
from gateway.audit.writer import Writer
from gateway.errors import AuditUnavailable
from tests.e2e.auditplace import AT, MONTH, ORIGIN, Place, Placed, put


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


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

    def extend(self, path: Path, data: bytes, at: int) -> None:
        self._step(lambda: super(Faulty, self).extend(path, data, at))

    def cut(self, path: Path, length: int) -> None:
        self._step(lambda: super(Faulty, self).cut(path, length))


def entries_of(start: int, count: int) -> list[AuditEntry]:
    """Records as the sequencer hands them to the writer; every second has a body."""
    sealing = Sealing(
        salt=b"s" * 32, data_key=b"d" * 32, nonce=b"n" * 12, key_id=MONTH, wrapping=b"k" * 32
    )
    return [
        entry_of(
            {"kind": "R", "request_id": f"r{n}"}, {ASKER: ({"n": n}, sealing)} if n % 2 else {}
        )
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
def test_F_30_a_failure_at_every_step_of_a_commit(
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
async def test_F_30_a_failure_at_every_step_of_an_append(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, before: int, persists: bool
) -> None:
    """The waiter is told, or its record lasts whatever becomes of the checkpoint after it."""
    leaf, refused, at = {"kind": "V"}, 0, 0
    while True:
        place, disk = Place(tmp_path / str(at)), Faulty(persists=persists)
        async with place.opened() as log:
            kept = await put(log, before)
        async with place.opened(disk) as log:
            disk.at = disk.steps + at
            for _ in range(2):
                try:
                    kept.append(Placed.of(await log.append(leaf)))
                except AuditUnavailable:
                    refused += 1
                    assert not well(log)
        async with place.opened() as log:
            assert log.size >= len(kept)
            for receipt in kept:
                assert leaf_hash(await log.leaf(receipt.index)) == receipt.leaf_hash
        assert place.verified().ok
        if disk.steps <= disk.at:  # beyond the last step
            break
        at += 1
    assert at >= 11
    assert refused >= 1
    stopped = [record for record in caplog.records if record.levelname == "CRITICAL"]
    assert stopped


async def test_what_a_crash_leaves_in_the_journal_is_in_the_tree_at_the_next_start(
    tmp_path: Path,
) -> None:
    """A checkpoint that is never written costs no record that was acknowledged."""
    place, disk = Place(tmp_path), Full()
    async with place.opened(disk) as log:
        disk.full = True  # for files; the journal still takes a few records
        kept = await put(log, 7)
        assert sorted(receipt.index for receipt in kept) == list(range(7))
        assert await log.leaf(6)
    assert place.verified().size == 0
    shutil.copytree(place.log, tmp_path / "torn")
    whole = (place.log / "journal").read_bytes()
    async with place.opened() as log:
        assert log.size == 7
        for receipt in kept:
            assert leaf_hash(await log.leaf(receipt.index)) == receipt.leaf_hash
        assert await log.detail(kept[4].index) == {"text": "canary 4"}
    assert (place.verified().size, (place.log / "journal").stat().st_size) == (7, 0)
    torn = Place(tmp_path / "second")
    shutil.copytree(tmp_path / "torn", torn.log)
    shutil.copytree(place.base / "keys", torn.base / "keys", dirs_exist_ok=True)
    for length in range(0, len(whole), 997):  # a crash in the middle of a write
        shutil.rmtree(torn.log)
        shutil.copytree(tmp_path / "torn", torn.log)
        (torn.log / "journal").write_bytes(whole[:length])
        async with torn.opened() as log:
            assert log.size < 7
            await put(log, 1)
        assert torn.verified().ok


@pytest.mark.parametrize("persists", [False, True], ids=["lost", "persisted"])
async def test_F_30_a_failure_at_every_step_of_opening(tmp_path: Path, persists: bool) -> None:
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
    """A disk without space for new files until it is freed, and perhaps for nothing at all."""

    full = journal_too = False

    def extend(self, path: Path, data: bytes, at: int) -> None:
        if self.full and self.journal_too:
            super().extend(path, data[: len(data) // 2], at)
            raise OSError(errno.ENOSPC, "no space left")
        super().extend(path, data, at)

    def write(self, path: Path, data: bytes, mode: int) -> None:
        if self.full:
            super().write(path, data[: len(data) // 2], mode)
            raise OSError(errno.ENOSPC, "no space left")
        super().write(path, data, mode)


async def test_F_29_a_full_disk_recovers_when_there_is_space_again(place: Place) -> None:
    disk = Full()
    async with place.opened(disk) as log:
        await put(log, 5)
        disk.full = disk.journal_too = True
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


class _Meeting(Disk):
    """Two who write a temporary file wait for each other, if they may meet at all."""

    def __init__(self) -> None:
        self.barrier = threading.Barrier(2, timeout=0.3)

    def write(self, path: Path, data: bytes, mode: int) -> None:
        if "sealed" in path.parts and path.suffix == ".new":
            with suppress(threading.BrokenBarrierError):
                self.barrier.wait()
        super().write(path, data, mode)


async def test_two_erasures_at_once_put_nothing_back(place: Place) -> None:
    async with place.opened(_Meeting()) as log:
        placed = await put(log, 12)
        await log.inclusion(11)
        one, another, third = (placed[n].index for n in (0, 4, 8))  # with bodies, in one segment
        await asyncio.gather(log.erase(one), log.erase(another))
        left = await log.keeper.sealed(0, 12)
    assert [index for index in left if left[index]] == [third]


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
        for nobody in ("", "../.."):
            with pytest.raises(AuditUnavailable, match="cannot name a key"):
                await log.append({"kind": "R"}, {ASKER: Part(nobody, {"reason": "x"})})
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
