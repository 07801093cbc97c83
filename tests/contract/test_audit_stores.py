"""Both stores of the log keep the same promises: one suite, on files and on PostgreSQL."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.audit.entry import ASKER, Part, read_leaf
from gateway.audit.keeper import Receipt
from gateway.audit.log import AuditLog
from gateway.audit.merkle import ENTRIES, HASH_BYTES, check_inclusion, leaf_hash
from gateway.audit.store import unpack
from gateway.audit.verify import open_checkpoint
from gateway.errors import AuditUnavailable
from tests.contract.auditplaces import AGAIN_S, AuditPlace, now, numbers, put, well_again

PROMPT_S = 0.25  # the setting's default
WITHIN_S = 0.3  # F-26


@pytest.fixture(name="place")
def fixture_place(audit_place: AuditPlace) -> AuditPlace:
    return audit_place


# --- what is given is kept ------------------------------------------------------------------------


async def test_what_is_appended_is_there_proved_and_opens_again(place: AuditPlace) -> None:
    async with place.opened() as log:
        receipts = await put(log, 600)
        found = await numbers(log, receipts)
        assert sorted(found) == list(range(600))
        for receipt, index in list(zip(receipts, found, strict=True))[::50]:
            proof = await log.inclusion(index)
            said = open_checkpoint(proof.checkpoint, place.public)
            assert proof.leaf_hash == receipt.leaf_hash == leaf_hash(await log.leaf(index))
            check_inclusion(receipt.leaf_hash, index, said.size, proof.hashes, said.root)
        assert await log.detail(found[0]) == {"text": "canary 0"}
        for none in (600, -1):
            with pytest.raises(LookupError):
                await log.leaf(none)
            with pytest.raises(LookupError):
                await log.inclusion(none)
        kept = log.checkpoint
    async with place.opened() as log:
        (more,) = await put(log, 1, 600)
        assert await log.number(more) == 600
        assert (await log.inclusion(600)).index == 600
        assert log.size == 601
    report = await place.verified(kept)
    assert report.ok, report.problems
    assert (report.size, report.kinds, report.bodies) == (601, {"R": 601}, 151)


async def test_causes_stand_before_their_effects(place: AuditPlace) -> None:
    """Each record is given when the one before it lasts, beside others that are given meanwhile."""
    async with place.opened() as log:

        async def chain(name: str) -> list[Receipt]:
            leaves = [{"kind": "R", "request_id": f"{name}-{n}"} for n in range(25)]
            return [await log.append(leaf) for leaf in leaves]

        for receipts in await asyncio.gather(*(chain(str(n)) for n in range(8))):
            found = await numbers(log, receipts)
            assert found == sorted(found)
    assert (await place.verified()).size == 200


async def test_sixty_four_who_wait_at_once_each_get_their_own(place: AuditPlace) -> None:
    async with place.opened() as log:
        receipts: list[Receipt] = []
        for round_ in range(5):
            receipts += await put(log, 64, 64 * round_)
        assert len({receipt.leaf_hash for receipt in receipts}) == 320
        found = await numbers(log, receipts)
        assert sorted(found) == list(range(320))
        for index, receipt in zip(found[::40], receipts[::40], strict=True):
            assert leaf_hash(await log.leaf(index)) == receipt.leaf_hash
    assert (await place.verified()).ok


@pytest.mark.parametrize("size", [1, 255, 256, 257, 513])
async def test_tiles_of_every_width_are_given(place: AuditPlace, size: int) -> None:
    async with place.opened() as log:
        await numbers(log, await put(log, size))
        await log.inclusion(size - 1)
        leaves = [await log.leaf(index) for index in range(0, size)]
        for width in {1, min(size, 256)}:
            assert unpack(await log.tile(ENTRIES, 0, width)) == leaves[:width]
            hashes = await log.tile(0, 0, width)
            assert hashes == b"".join(map(leaf_hash, leaves[:width]))
        if size >= 256:
            assert len(await log.tile(1, 0, size // 256)) == HASH_BYTES * (size // 256)
        with pytest.raises(LookupError):
            await log.tile(1, 0, size // 256 + 1)
        with pytest.raises(LookupError):
            await log.tile(0, size // 256, size % 256 + 1)
    report = await place.verified()
    assert report.ok, report.problems
    assert report.size == size


async def test_AU_14_an_erased_body_leaves_every_proof_valid(place: AuditPlace) -> None:
    async with place.opened() as log:
        receipts = await put(log, 12)
        victim, other = await numbers(log, [receipts[4], receipts[8]])
        assert await log.erase(victim)
        assert not await log.erase(victim)
        with pytest.raises(LookupError):
            await log.detail(victim)
        assert await log.detail(other) == {"text": "canary 8"}
        proof = await log.inclusion(victim)
        said = open_checkpoint(proof.checkpoint, place.public)
        check_inclusion(proof.leaf_hash, victim, said.size, proof.hashes, said.root)
    report = await place.verified()
    assert report.ok, report.problems
    assert (report.bodies, report.erased) == (2, 1)


async def test_a_log_at_rest_still_shows_that_it_is_alive(place: AuditPlace) -> None:
    async with place.opened(idle_s=0.3) as log:
        await numbers(log, await put(log, 3))
        await log.inclusion(2)
        first = open_checkpoint(log.checkpoint, place.public)
        await asyncio.sleep(2.5)
        later = open_checkpoint(log.checkpoint, place.public)
    assert (first.size, first.root) == (later.size, later.root)
    assert first.signed_at is not None
    assert later.signed_at is not None
    assert first.signed_at < later.signed_at


async def test_a_record_is_under_a_checkpoint_within_a_second_or_so(place: AuditPlace) -> None:
    async with place.opened() as log:
        await numbers(log, await put(log, 1))
        await log.inclusion(0)
        began = time.monotonic()
        (receipt,) = await put(log, 1, 1)
        proof = await log.inclusion(await log.number(receipt))
        took = time.monotonic() - began
    assert open_checkpoint(proof.checkpoint, place.public).size == 2
    assert took < 2  # a second, and what this machine does beside


async def test_AU_16_F_36_a_clock_that_is_set_back_moves_no_record(place: AuditPlace) -> None:
    """Order comes from numbers; what such a clock stamped says so."""
    late = timedelta()
    async with place.opened(clock=lambda: now() - late) as log:
        await asyncio.sleep(0.5)
        right = await put(log, 4)
        late = timedelta(hours=1)
        wrong = await put(log, 4, 4)
        late = timedelta()
        again = await put(log, 4, 8)
        found = [await numbers(log, part) for part in (right, wrong, again)]
        assert max(found[0]) < min(found[1])
        assert max(found[1]) < min(found[2])
        said = [
            read_leaf(await log.leaf(index)).get("clock_suspect")
            for part in found
            for index in part
        ]
        assert said == [None] * 4 + [True] * 4 + [None] * 4
    assert (await place.verified()).ok


# --- what fails is said, and is whole -------------------------------------------------------------


async def refused(log: AuditLog, name: str) -> float:
    """Seconds until a record is refused."""
    began = time.monotonic()
    with pytest.raises(AuditUnavailable):
        await log.append({"kind": "R", "request_id": name})
    return time.monotonic() - began


async def test_F_26_a_store_that_is_gone_refuses_at_once_and_comes_back_by_itself(
    place: AuditPlace,
) -> None:
    async with place.opened(timeout_s=PROMPT_S) as log:
        kept = await put(log, 5)
        await place.close_down()
        took = [await refused(log, f"gone-{n}") for n in range(5)]
        assert sorted(took)[3] < WITHIN_S, took
        assert not log.healthy
        assert not log.stopped
        await place.come_back()
        await well_again(log)  # without a record being tried
        kept += await put(log, 5, 5)
        found = await numbers(log, kept)
        for index, receipt in zip(found, kept, strict=True):
            assert leaf_hash(await log.leaf(index)) == receipt.leaf_hash
    report = await place.verified()
    assert report.ok, report.problems
    assert report.size == 10


async def test_F_26_a_store_that_takes_too_long_refuses_in_time_or_keeps_all(
    place: AuditPlace,
) -> None:
    """A second for each write: files are waited for, a database is late."""
    async with place.opened(timeout_s=PROMPT_S) as log:
        await put(log, 3)
        place.drag(1.0)
        began = time.monotonic()
        given = await asyncio.gather(
            *(log.append({"kind": "R", "request_id": f"late-{n}"}) for n in range(8)),
            return_exceptions=True,
        )
        took = time.monotonic() - began
        lasting = [one for one in given if isinstance(one, Receipt)]
        assert all(isinstance(one, Receipt | AuditUnavailable) for one in given)
        assert len(lasting) == 8 or took < WITHIN_S + 0.2  # 0.2: this machine's own
        await place.come_back()
        await well_again(log)
        await numbers(log, await put(log, 3, 3))
        for receipt in lasting:
            assert leaf_hash(await log.leaf(await log.number(receipt))) == receipt.leaf_hash
    report = await place.verified()
    assert report.ok, report.problems
    assert 6 + len(lasting) <= report.size <= 14  # what was late may be there, once


async def test_a_store_that_is_a_little_slow_keeps_all(place: AuditPlace) -> None:
    async with place.opened() as log:
        await put(log, 3)
        place.drag(0.03)
        receipts = await put(log, 64, 3)
        await place.come_back()
        await well_again(log)
        assert sorted(await numbers(log, receipts)) == list(range(3, 67))
    assert (await place.verified()).size == 67


@pytest.mark.parametrize("empty", [False, True], ids=["gone", "not mounted"])
async def test_F_41_without_its_keys_what_needs_a_new_one_is_refused_until_they_are_back(
    place: AuditPlace, empty: bool
) -> None:
    at = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)
    directory = place.keys.directory
    kept = directory.with_name("kept")

    async def about(agency: str) -> Receipt:
        return await log.append({"kind": "R"}, {ASKER: Part(agency, {"text": agency})})

    async with place.opened(clock=lambda: at) as log:
        given = [await about("NMC")]
        directory.rename(kept)
        if empty:
            directory.mkdir(mode=0o700)
        given.append(await about("NMC"))  # its key of this month was read before
        well = [log.healthy]
        with pytest.raises(AuditUnavailable):
            await about("ERU")
        well.append(log.healthy)
        at += timedelta(minutes=1)
        with pytest.raises(AuditUnavailable):
            await about("NMC")  # another month
        assert [*well, log.healthy, log.stopped] == [True, False, False, False]
        if empty:
            directory.rmdir()  # nothing was made there
        kept.rename(directory)
        await well_again(log)  # without a record being tried
        given += [await about(agency) for agency in ("NMC", "ERU")]
        found = await numbers(log, given)
    directory.rename(kept)
    with pytest.raises(AuditUnavailable):  # started anew, by keys that it would make
        await replace(place).open()
    shutil.rmtree(directory)
    kept.rename(directory)
    async with replace(place).opened() as log:
        said = [await log.detail(number) for number in found]
    assert [one["text"] for one in said] == ["NMC", "NMC", "NMC", "ERU"]
    report = await place.verified()
    assert report.ok, report.problems
    assert report.size == len(given)


async def test_F_27_what_lasts_although_nobody_was_told_is_whole(place: AuditPlace) -> None:
    """The store is cut off between an intent and its outcome, after the outcome was written: the
    answer is withheld, and the log holds the outcome once or not at all."""
    async with place.opened() as log:
        (intent,) = await put(log, 1)
        await place.swallow()
        with pytest.raises(AuditUnavailable):
            await log.append({"kind": "R", "request_id": "outcome"})
        await place.come_back()
        await well_again(log)
        await numbers(log, await put(log, 3, 1))
        assert leaf_hash(await log.leaf(await log.number(intent))) == intent.leaf_hash
    report = await place.verified()
    assert report.ok, report.problems
    assert report.size in (4, 5)


async def test_a_cancelled_waiter_does_not_disturb_the_others(place: AuditPlace) -> None:
    async with place.opened() as log:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(log.append({"kind": "R", "request_id": str(n)}))
                for n in range(50)
            ]
            await asyncio.sleep(0)
            tasks[7].cancel()
        assert sum(not task.cancelled() for task in tasks) == 49
    assert (await place.verified()).size in (49, 50)


async def test_what_is_no_record_is_refused_and_the_log_goes_on(place: AuditPlace) -> None:
    async with place.opened() as log:
        for leaf in ({"kind": "?"}, {"kind": "R", "text": "x" * 60_000}):
            with pytest.raises(AuditUnavailable, match="not a record"):
                await log.append(leaf)
        assert await log.number(await log.append({"kind": "V"})) == 0
    with pytest.raises(AuditUnavailable, match="stopped"):
        await log.append({"kind": "V"})


async def test_F_32_no_acknowledged_record_is_lost_when_its_writer_is_killed(
    place: AuditPlace,
) -> None:
    """Three processes after one another, each killed in the middle of its work."""
    said: list[bytes] = []
    for _ in range(3):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.contract.auditwriter", *place.command()),
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(30):
                assert (await process.stdout.readline()).strip() == b"open"
                lines = [await process.stdout.readline() for _ in range(100)]
        finally:
            process.kill()
            await process.wait()
        lines += (await process.stdout.read()).splitlines()
        said += [
            bytes.fromhex(line.decode()) for line in map(bytes.strip, lines) if len(line) == 64
        ]
    assert len(said) >= 300
    async with place.opened() as log:
        await put(log, 1)
        ends = time.monotonic() + AGAIN_S
        while log.size < len(said):
            assert time.monotonic() < ends
            await asyncio.sleep(0.05)
        held = {leaf_hash(await log.leaf(index)) for index in range(log.size)}
    assert set(said) <= held
    report = await place.verified()
    assert report.ok, report.problems
    assert report.size >= len(held)  # what lasted and was not said before the kill may come too
