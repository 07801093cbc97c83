"""The log on a real disk: what is appended is there, proved, and opens again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.audit.merkle import check_inclusion, leaf_hash
from gateway.audit.verify import open_checkpoint
from tests.e2e.auditplace import AT, Place, put


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_what_is_appended_is_there_proved_and_opens_again(place: Place) -> None:
    async with place.opened() as log:
        receipts = await put(log, 600)
        assert sorted(r.index for r in receipts) == list(range(600))
        for receipt in receipts[::50]:
            proof = await log.inclusion(receipt.index)
            said = open_checkpoint(proof.checkpoint, place.public)
            assert proof.leaf_hash == receipt.leaf_hash == leaf_hash(await log.leaf(receipt.index))
            check_inclusion(receipt.leaf_hash, receipt.index, said.size, proof.hashes, said.root)
        detail = await log.detail(receipts[0].index)
        assert detail == {"text": "canary 0"}
        with pytest.raises(LookupError):
            await log.leaf(600)
    async with place.opened() as log:
        assert log.size == 600
        (more,) = await put(log, 1, 600)
        assert (more.index, more.at, log.size) == (600, AT, 601)
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
            said = open_checkpoint(proof.checkpoint, place.public)
            check_inclusion(proof.leaf_hash, index, said.size, proof.hashes, said.root)
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
            await one.append(leaf)
        await asyncio.gather(*(all_at_once.append(leaf) for leaf in leaves))
        assert one.size == all_at_once.size == 300
    assert place.verified().root == other.verified().root
