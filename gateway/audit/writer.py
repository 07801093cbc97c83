"""One commit at a time: from the last checkpoint and some entries to the next checkpoint.

The whole state is a `Head`, which the files can give back at any time: start-up reads it from them
and commits nothing in another way than every later commit. Blocking; one thread calls `commit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.audit.entry import AuditEntry
from gateway.audit.keys import Signer
from gateway.audit.merkle import (
    ENTRIES,
    HASH_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    Edge,
    edge_of,
    leaf_hash,
    tile_path,
)
from gateway.audit.store import Store, pack
from gateway.audit.verify import open_checkpoint
from gateway.errors import AuditUnavailable

MAX_COMMIT = TILE_WIDTH  # so that one commit crosses at most one border of tiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The log as its last checkpoint has it."""

    edge: Edge
    tail: tuple[bytes, ...]  # the entries of the unfilled bundle
    root: bytes
    note: bytes  # the signed checkpoint


class Writer:
    """The files and the key that signs them."""

    def __init__(self, store: Store, signer: Signer, now: datetime) -> None:
        """Find the log as its checkpoint has it, or begin one; clear what was never committed.

        Raises:
            AuditUnavailable, NoteInvalid, ProofInvalid: damaged, or signed by another key.
            OSError, SwapUnknown: the disk does not take writes.
        """
        self._store, self._signer = store, signer
        self.head = self._recover(now)

    def _recover(self, now: datetime) -> Head:
        note = self._store.checkpoint()
        if note is None:
            if self._store.has_tiles():
                raise AuditUnavailable(detail="the log has entries but its checkpoint is missing")
            note = self._signer.sign(0, Edge().root(), now)
            self._store.commit({}, None, note)
        said = open_checkpoint(note, self._signer.verifier)
        size = said.size
        edge = edge_of(size, lambda level, number: self._store.tile(level, number, size))
        tail = tuple(self._store.bundle(size // TILE_WIDTH, size))
        if edge.root() != said.root:
            raise AuditUnavailable(detail="the tiles do not lead to the root that was signed")
        if b"".join(map(leaf_hash, tail)) != (edge.tiles[0] if edge.tiles else b""):
            raise AuditUnavailable(detail="the last entries are not those that were signed")
        self._store.drop_uncommitted(size)
        return Head(edge=edge, tail=tail, root=said.root, note=note)

    def commit(self, entries: Sequence[AuditEntry], at: datetime) -> Head:
        """Make at most 256 entries last, under a checkpoint signed at this time.

        Without entries it only signs anew, which shows that the log is alive.

        Raises:
            OSError: the log is as it was.
            SwapUnknown: nobody can tell; nobody may commit any more.
        """
        old = self.head
        leaves = [entry.leaf for entry in entries]
        edge, tiles = old.edge.grow([leaf_hash(leaf) for leaf in leaves])
        rows = [*old.tail, *leaves]
        number = old.edge.size // TILE_WIDTH
        files = self._store.bodies(old.edge.size, [entry.body for entry in entries])
        for start in range(0, len(rows) if leaves else 0, TILE_WIDTH):
            piece = rows[start : start + TILE_WIDTH]
            files[tile_path(ENTRIES, number + start // TILE_WIDTH, len(piece))] = pack(piece)
        files |= {tile.path: tile.data for tile in tiles}
        root = edge.root()
        note = self._signer.sign(edge.size, root, at)
        self._store.commit(files, old.note, note)
        tail = tuple(rows[len(rows) // TILE_WIDTH * TILE_WIDTH :])
        self.head = Head(edge=edge, tail=tail, root=root, note=note)
        self._store.drop(sorted(_unfilled(old.edge) - _unfilled(edge)))
        return self.head

    def bundle(self, head: Head, number: int) -> Sequence[bytes]:
        """The entries of a bundle under this head, whose own edge is never read from files."""
        if number == head.edge.size // TILE_WIDTH:
            return head.tail
        return self._store.bundle(number, head.edge.size)

    def tile(self, head: Head, level: int, number: int) -> bytes:
        """A tile under this head, whose own edge is never read from files; b"" if there is none."""
        size = head.edge.size
        if level < len(head.edge.tiles) and number == size >> (TILE_HEIGHT * (level + 1)):
            return head.edge.tiles[level]
        return self._store.tile(level, number, size)


def _unfilled(edge: Edge) -> set[str]:
    """The names of the last, unfilled tiles and bundle."""
    names = set()
    for level, tile in enumerate(edge.tiles):
        if tile:
            number, width = edge.size >> (TILE_HEIGHT * (level + 1)), len(tile) // HASH_BYTES
            names.add(tile_path(level, number, width))
            if level == 0:
                names.add(tile_path(ENTRIES, number, width))
    return names
