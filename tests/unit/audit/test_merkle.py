"""The tree against RFC 6962 as written, Certificate Transparency's vectors, and altered proofs."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.merkle import (
    EMPTY_ROOT,
    ENTRIES,
    HASH_BYTES,
    TILE_WIDTH,
    Edge,
    ProofInvalid,
    SubtreeHash,
    check_consistency,
    check_inclusion,
    consistency_proof,
    edge_of,
    inclusion_proof,
    leaf_hash,
    levels,
    root_of,
    subtree_reader,
    tile_path,
    tile_width,
)

CT_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


# -- RFC 6962, section 2.1, word for word: the oracle --------------------------------------------


def _k(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(data: Sequence[bytes]) -> bytes:
    if not data:
        return sha256(b"").digest()
    if len(data) == 1:
        return sha256(b"\x00" + data[0]).digest()
    k = _k(len(data))
    return sha256(b"\x01" + mth(data[:k]) + mth(data[k:])).digest()


def path(m: int, data: Sequence[bytes]) -> list[bytes]:
    if len(data) == 1:
        return []
    k = _k(len(data))
    if m < k:
        return [*path(m, data[:k]), mth(data[k:])]
    return [*path(m - k, data[k:]), mth(data[:k])]


def subproof(m: int, data: Sequence[bytes], complete: bool) -> list[bytes]:
    if m == len(data):
        return [] if complete else [mth(data)]
    k = _k(len(data))
    if m <= k:
        return [*subproof(m, data[:k], complete), mth(data[k:])]
    return [*subproof(m - k, data[k:], False), mth(data[:k])]


# -- a log in memory -----------------------------------------------------------------------------


class Tiles:
    """The tiles of a growing tree, the widest of each."""

    def __init__(self) -> None:
        self.edge = Edge()
        self.data: dict[tuple[int, int], bytes] = {}

    def grow(self, leaves: Sequence[bytes]) -> None:
        self.edge, changed = self.edge.grow([leaf_hash(leaf) for leaf in leaves])
        for tile in changed:
            assert tile.data.startswith(self.data.get((tile.level, tile.number), b""))
            self.data[tile.level, tile.number] = tile.data

    def read(self, level: int, number: int) -> bytes:
        return self.data[level, number]

    @property
    def subtree(self) -> SubtreeHash:
        return subtree_reader(self.read)


def leaves_of(count: int) -> list[bytes]:
    return [b"entry %d" % i for i in range(count)]


SIZES = st.integers(1, 700)


@pytest.mark.parametrize("size", range(1, 9))
def test_certificate_transparency_roots(size: int) -> None:
    hashes = [leaf_hash(leaf) for leaf in CT_LEAVES[:size]]
    assert root_of(hashes).hex() == CT_ROOTS[size - 1]
    assert Edge().grow(hashes)[0].root().hex() == CT_ROOTS[size - 1]


def test_the_empty_tree() -> None:
    assert Edge().root() == root_of([]) == EMPTY_ROOT == mth([])
    assert levels(0) == 0
    assert edge_of(0, lambda level, number: b"") == Edge()


@given(st.lists(st.integers(0, 300), min_size=1, max_size=6))
def test_growing_by_pieces_gives_the_root_of_the_whole(pieces: list[int]) -> None:
    tiles, leaves = Tiles(), leaves_of(sum(pieces))
    at = 0
    for piece in pieces:
        tiles.grow(leaves[at : at + piece])
        at += piece
        assert tiles.edge.size == at
        assert tiles.edge.root() == mth(leaves[:at])
    assert edge_of(at, tiles.read).root() == tiles.edge.root()
    for (level, number), data in tiles.data.items():
        assert len(data) == HASH_BYTES * tile_width(at, level, number)


@pytest.mark.parametrize("size", [255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537])
def test_at_the_borders_of_tiles(size: int) -> None:
    leaves = leaves_of(size)
    tiles = Tiles()
    tiles.grow(leaves[: size - 1])
    tiles.grow(leaves[size - 1 :])
    root = mth(leaves)
    assert tiles.edge.root() == root
    assert edge_of(size, tiles.read) == Edge(size=size, tiles=tiles.edge.tiles[: levels(size)])
    for index in {0, size // 2, size - 1}:
        proof = inclusion_proof(index, size, tiles.subtree)
        check_inclusion(leaf_hash(leaves[index]), index, size, proof, root)
    for old in {1, 255, min(256, size), size - 1}:
        proof = consistency_proof(old, size, tiles.subtree)
        check_consistency(old, mth(leaves[:old]), size, root, proof)


@given(SIZES, st.data())
def test_inclusion_is_the_path_of_the_rfc_and_altered_ones_are_refused(
    size: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    tiles = Tiles()
    tiles.grow(leaves)
    root, leaf = mth(leaves), leaf_hash(leaves[index])
    proof = inclusion_proof(index, size, tiles.subtree)
    assert list(proof) == path(index, leaves)
    check_inclusion(leaf, index, size, proof, root)

    for wrong in altered(proof, data):
        with pytest.raises(ProofInvalid):
            check_inclusion(leaf, index, size, wrong, root)
    with pytest.raises(ProofInvalid):
        check_inclusion(leaf_hash(b"another"), index, size, proof, root)
    with pytest.raises(ProofInvalid):
        check_inclusion(leaf, index, size, proof, leaf_hash(b"another"))
    if size > 1:
        other = (index + 1) % size
        with pytest.raises(ProofInvalid):
            check_inclusion(leaf, other, size, proof, root)


@given(SIZES, st.data())
def test_consistency_is_the_proof_of_the_rfc_and_altered_ones_are_refused(
    size: int, data: st.DataObject
) -> None:
    old = data.draw(st.integers(0, size))
    leaves = leaves_of(size)
    tiles = Tiles()
    tiles.grow(leaves)
    before, root = mth(leaves[:old]), mth(leaves)
    proof = consistency_proof(old, size, tiles.subtree)
    assert list(proof) == (subproof(old, leaves, True) if old else [])
    check_consistency(old, before, size, root, proof)

    for wrong in altered(proof, data):
        with pytest.raises(ProofInvalid):
            check_consistency(old, before, size, root, wrong)
    with pytest.raises(ProofInvalid):
        check_consistency(old, leaf_hash(b"another"), size, root, proof)
    if old:
        with pytest.raises(ProofInvalid):
            check_consistency(old, before, size, leaf_hash(b"another"), proof)


def altered(proof: Sequence[bytes], data: st.DataObject) -> list[list[bytes]]:
    """Proofs that are wrong: one bit flipped, cut, longer, two hashes exchanged."""
    wrong = [[*proof, bytes(HASH_BYTES)]]
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        byte, bit = data.draw(st.integers(0, HASH_BYTES - 1)), data.draw(st.integers(0, 7))
        flipped = bytearray(proof[at])
        flipped[byte] ^= 1 << bit
        wrong += [[*proof[:at], bytes(flipped), *proof[at + 1 :]], [*proof[:-1]], [*proof[1:]]]
    if len(proof) > 1:
        wrong.append([proof[1], proof[0], *proof[2:]])
    return wrong


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_no_proof_for_a_leaf_that_is_not_there(index: int, size: int) -> None:
    tiles = Tiles()
    tiles.grow(leaves_of(3))
    with pytest.raises(ProofInvalid):
        inclusion_proof(index, size, tiles.subtree)
    with pytest.raises(ProofInvalid):
        check_inclusion(bytes(32), index, size, (), bytes(32))


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3)])
def test_no_proof_that_a_tree_began_with_a_larger_one(old: int, new: int) -> None:
    tiles = Tiles()
    tiles.grow(leaves_of(3))
    with pytest.raises(ProofInvalid):
        consistency_proof(old, new, tiles.subtree)
    with pytest.raises(ProofInvalid):
        check_consistency(old, bytes(32), new, bytes(32), ())


def test_two_roots_of_one_size_and_a_root_of_nothing_are_refused() -> None:
    with pytest.raises(ProofInvalid, match="two roots"):
        check_consistency(5, bytes(32), 5, leaf_hash(b""), ())
    with pytest.raises(ProofInvalid):
        check_consistency(0, bytes(32), 5, leaf_hash(b""), ())
    with pytest.raises(ProofInvalid, match="empty"):
        check_consistency(3, bytes(32), 5, leaf_hash(b""), ())


def test_a_short_tile_is_refused() -> None:
    with pytest.raises(ProofInvalid):
        edge_of(3, lambda level, number: bytes(HASH_BYTES))
    with pytest.raises(ProofInvalid):
        subtree_reader(lambda level, number: bytes(HASH_BYTES))(1, 0)


def test_an_entry_never_passes_for_a_node() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != root_of([left, right])


@pytest.mark.parametrize(
    ("level", "number", "width", "expected"),
    [
        (0, 0, TILE_WIDTH, "tile/0/000"),
        (0, 999, 12, "tile/0/999.p/12"),
        (3, 1_234_067, TILE_WIDTH, "tile/3/x001/x234/067"),
        (ENTRIES, 1_000, 1, "tile/entries/x001/000.p/1"),
    ],
)
def test_paths_of_tiles(level: int | str, number: int, width: int, expected: str) -> None:
    assert tile_path(level, number, width) == expected
