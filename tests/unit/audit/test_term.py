"""Which hashes a batch leaves above the leaves: each full tile its root, once."""

from __future__ import annotations

from hashlib import sha256
from random import Random

from gateway.audit.merkle import TILE_WIDTH, Edge, root_of
from gateway.audit.postgresql.term import nodes_of


def test_every_full_tile_leaves_its_root_once_whatever_the_batches() -> None:
    random = Random(3)  # noqa: S311  a test that can be repeated
    hashes = [sha256(n.to_bytes(4, "big")).digest() for n in range(66_500)]
    found: dict[tuple[int, int], bytes] = {}
    edge = Edge()
    while edge.size < len(hashes):
        batch = hashes[edge.size : edge.size + random.choice([1, 40, 255, 256, 257, 512])]
        grown, tiles = edge.grow(batch)
        for level, number, hash_ in nodes_of(edge.size, tiles):
            assert (level, number) not in found
            found[level, number] = hash_
        edge = grown
    expected: dict[tuple[int, int], bytes] = {}
    row, level = hashes, 1
    while len(row) >= TILE_WIDTH:
        row = [
            root_of(row[at : at + TILE_WIDTH])
            for at in range(0, len(row) // TILE_WIDTH * TILE_WIDTH, TILE_WIDTH)
        ]
        expected |= {(level, number): hash_ for number, hash_ in enumerate(row)}
        level += 1
    assert found == expected
    assert (2, 0) in found
