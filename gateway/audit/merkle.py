"""The Merkle tree of RFC 6962, kept in tiles, and the two proofs that it gives.

Hashes are 32 bytes of SHA-256. A leaf hashes as SHA-256(0x00 | data) and a node as
SHA-256(0x01 | left | right), so that neither can pass for the other (RFC 6962, section 2.1).
A *complete subtree* (h, i) covers the leaves [i * 2**h, (i + 1) * 2**h); once complete it never
changes. A *tile* (L, N) holds, in order, the roots of the up to 256 complete subtrees of height
8 * L that begin at number 256 * N: everything between those heights is recomputed, not stored.
So a log of n entries stores about n hashes of 32 bytes, a proof reads at most two tiles per level
(there are log256 n levels), and growing needs the last tile of each level, at most 8 KiB each.

Everything here is a pure function of its arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

HASH_BYTES = 32
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
EMPTY_ROOT = sha256(b"").digest()

ENTRIES = "entries"
"""In the place of a tile's level: the file that holds the entries themselves."""

SubtreeHash = Callable[[int, int], bytes]
"""(height, number) -> the root of that complete subtree."""


class ProofInvalid(Exception):
    """A proof does not show what it is said to show."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of one entry as a leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two neighbours."""
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes, in their order.

    Neighbours are paired level by level and an odd last one moves up as it is, which gives the
    same tree as splitting at the largest power of two (RFC 6962, section 2.1). n - 1 hashings.
    """
    if not hashes:
        return EMPTY_ROOT
    row = list(hashes)
    while len(row) > 1:
        odd = row[-1:] if len(row) % 2 else []
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)] + odd
    return row[0]


# -- tiles -----------------------------------------------------------------------------------


def tile_path(level: int | str, number: int, width: int = TILE_WIDTH) -> str:
    """Where a tile lies below the log's own directory (c2sp.org/tlog-tiles).

    `level` is a number, or ENTRIES for a bundle of entries. The number is written in groups of
    three digits, all but the last marked by an x: 1234067 becomes x001/x234/067. A tile that is
    not full yet, and so will be replaced, ends in `.p/` and its width.
    """
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03d}")
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(reversed(groups))}{partial}"


def split(tile: bytes) -> list[bytes]:
    """The hashes of a tile."""
    return [tile[i : i + HASH_BYTES] for i in range(0, len(tile), HASH_BYTES)]


def levels(size: int) -> int:
    """How many levels of tiles a tree of this size has; 0 for the empty tree."""
    return (size.bit_length() + TILE_HEIGHT - 1) // TILE_HEIGHT


def tile_width(size: int, level: int, number: int) -> int:
    """How many hashes tile (level, number) holds in a tree of this size: 0 to 256."""
    return max(0, min(TILE_WIDTH, (size >> (TILE_HEIGHT * level)) - number * TILE_WIDTH))


@dataclass(frozen=True, slots=True, kw_only=True)
class TileData:
    """One tile as it is to be stored."""

    level: int
    number: int
    data: bytes  # 1 to 256 hashes

    @property
    def path(self) -> str:
        """Where it lies below the log's own directory."""
        return tile_path(self.level, self.number, len(self.data) // HASH_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """The right edge of a tree: all that growing it needs, whatever its size.

    `tiles[L]` holds the last, unfilled tile of level L: 0 to 255 hashes, end to end.
    """

    size: int = 0
    tiles: tuple[bytes, ...] = ()

    def root(self) -> bytes:
        """The root of the tree; at most 256 hashings a level.

        From the bottom up: what is left over at one level is the last node of the level above.
        """
        carry: list[bytes] = []
        for tile in self.tiles:
            row = split(tile) + carry
            carry = [root_of(row)] if row else []
        return carry[0] if carry else EMPTY_ROOT

    def grow(self, hashes: Sequence[bytes]) -> tuple[Edge, tuple[TileData, ...]]:
        """The edge after these leaf hashes, and every tile that is new or wider than before.

        Costs one hashing per leaf, rounded up to whole tiles. Lower levels come first.
        """
        edge: list[bytes] = []
        changed: list[TileData] = []
        rising = list(hashes)
        level = 0
        while rising or level < len(self.tiles):
            tile = self.tiles[level] if level < len(self.tiles) else b""
            number = self.size >> (TILE_HEIGHT * (level + 1))
            row = split(tile) + rising
            full = len(row) // TILE_WIDTH
            pieces = [row[i * TILE_WIDTH : (i + 1) * TILE_WIDTH] for i in range(full + 1)]
            if rising:
                changed += [
                    TileData(level=level, number=number + i, data=b"".join(piece))
                    for i, piece in enumerate(pieces)
                    if piece
                ]
            edge.append(b"".join(pieces[-1]))
            rising = [root_of(piece) for piece in pieces[:-1]]
            level += 1
        return Edge(size=self.size + len(hashes), tiles=tuple(edge)), tuple(changed)


def edge_of(size: int, read_tile: Callable[[int, int], bytes]) -> Edge:
    """The edge of a stored tree of this size; reads one tile a level.

    `read_tile(level, number)` may give a wider tile than this size has, from a later checkpoint.

    Raises:
        ProofInvalid: a tile is too short.
    """
    tiles = []
    for level in range(levels(size)):
        number = size >> (TILE_HEIGHT * (level + 1))
        width = tile_width(size, level, number)
        tile = read_tile(level, number)[: width * HASH_BYTES] if width else b""
        if len(tile) != width * HASH_BYTES:
            raise ProofInvalid(f"{tile_path(level, number, width)} is too short")
        tiles.append(tile)
    return Edge(size=size, tiles=tuple(tiles))


def subtree_reader(read_tile: Callable[[int, int], bytes]) -> SubtreeHash:
    """Roots of complete subtrees out of tiles; one tile and at most 127 hashings each."""

    def read(height: int, number: int) -> bytes:
        level, above = divmod(height, TILE_HEIGHT)
        first = number << above
        tile, offset = divmod(first, TILE_WIDTH)
        row = split(read_tile(level, tile))[offset : offset + (1 << above)]
        if len(row) != 1 << above:
            raise ProofInvalid(f"tile {level}/{tile} is too short")
        return root_of(row)

    return read


# -- proofs ----------------------------------------------------------------------------------


def _range_root(start: int, end: int, subtree: SubtreeHash) -> bytes:
    """The root over the leaves [start, end), where start is a multiple of the first split."""
    count = end - start
    height = count.bit_length() - 1
    if count == 1 << height:
        return subtree(height, start >> height)
    middle = start + (1 << height)
    return node_hash(_range_root(start, middle, subtree), _range_root(middle, end, subtree))


def root_at(size: int, subtree: SubtreeHash) -> bytes:
    """The root over the first `size` leaves of a tree that has at least so many."""
    return _range_root(0, size, subtree) if size else EMPTY_ROOT


def _split_point(count: int) -> int:
    """The largest power of two smaller than count, which is at least 2."""
    return 1 << ((count - 1).bit_length() - 1)


def inclusion_proof(index: int, size: int, subtree: SubtreeHash) -> tuple[bytes, ...]:
    """The audit path of leaf `index` in the tree of `size` leaves, from the leaf upwards.

    At most log2(size) + 1 hashes (RFC 6962, section 2.1.1).

    Raises:
        ProofInvalid: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ProofInvalid(f"no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split_point(end - start)
        if index < middle:
            path.append(_range_root(middle, end, subtree))
            end = middle
        else:
            path.append(_range_root(start, middle, subtree))
            start = middle
    return tuple(reversed(path))


def consistency_proof(old: int, new: int, subtree: SubtreeHash) -> tuple[bytes, ...]:
    """Evidence that the tree of `old` leaves is the beginning of that of `new` leaves.

    Empty when old is 0 or equals new (RFC 6962, section 2.1.2).

    Raises:
        ProofInvalid: old is not within 0..new.
    """
    if not 0 <= old <= new:
        raise ProofInvalid(f"a tree of {old} is not the beginning of one of {new}")
    if old in (0, new):
        return ()
    path: list[bytes] = []
    start, end = 0, new
    known = True  # the old root is a subtree that the reader of the proof has already
    while old != end:
        middle = start + _split_point(end - start)
        if old <= middle:
            path.append(_range_root(middle, end, subtree))
            end = middle
        else:
            path.append(_range_root(start, middle, subtree))
            start, known = middle, False
    if not known:
        path.append(_range_root(start, end, subtree))
    return tuple(reversed(path))


def check_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Be satisfied that `leaf`, a leaf hash, is number `index` under `root` (RFC 9162, 2.1.3.2).

    Raises:
        ProofInvalid: it is not shown.
    """
    if not 0 <= index < size:
        raise ProofInvalid(f"no leaf {index} in a tree of {size}")
    node, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofInvalid("the proof is too long")
        if node & 1 or node == last:
            computed = node_hash(sibling, computed)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        node, last = node >> 1, last >> 1
    if last != 0 or computed != root:
        raise ProofInvalid("the proof leads to another root")


def check_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Be satisfied that the newer tree only added to the older one (RFC 9162, 2.1.4.2).

    Raises:
        ProofInvalid: it is not shown.
    """
    if not 0 <= old <= new:
        raise ProofInvalid(f"a tree of {old} is not the beginning of one of {new}")
    if old in (0, new):
        if proof or old_root != (new_root if old else EMPTY_ROOT):
            raise ProofInvalid("one size, two roots" if not proof else "the proof is too long")
        return
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        raise ProofInvalid("the proof is empty")
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofInvalid("the proof is too long")
        if node & 1 or node == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        node, last = node >> 1, last >> 1
    if last != 0 or before != old_root or after != new_root:
        raise ProofInvalid("the proof leads to other roots")
