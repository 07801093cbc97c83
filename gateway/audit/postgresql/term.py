"""How records come by their numbers: one sequencer's term, safe whoever else believes in theirs.

A term begins by raising the head's fencing number. Everything it does later is one transaction
that first moves the head from the size and root it knows, under its own number: if another has
moved it or has begun a term since, nothing is changed and the term is over. So there is exactly one
sequence, whatever was paused, cut off or elected twice. A checkpoint is signed only after that
commit, and kept only if the head is still the one that it speaks of.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.audit.keeper import Signed
from gateway.audit.keys import Signer
from gateway.audit.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    Edge,
    TileData,
    leaf_hash,
)
from gateway.audit.postgresql.database import Connection
from gateway.audit.postgresql.pending import mac_of
from gateway.audit.postgresql.reading import LAST_CHECKPOINT, edge_at
from gateway.audit.verify import NoteInvalid, open_checkpoint
from gateway.errors import AuditUnavailable

MAX_BATCH: Final = 512

_BEGIN: Final = "UPDATE audit_head SET fence = fence + 1 RETURNING fence"
_INTRODUCE: Final = "INSERT INTO audit_log (verifier, guard) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_WAITING: Final = """
SELECT p.hash, p.leaf, p.mac,
       EXISTS (SELECT 1 FROM audit_entry e WHERE e.hash = p.hash) AS entered
FROM audit_pending p WHERE p.hash <> ALL ($2::bytea[]) ORDER BY p.arrived LIMIT $1
"""
_MOVE: Final = """
UPDATE audit_head SET size = $1, root = $2 WHERE size = $3 AND root = $4 AND fence = $5
"""
_NUMBERED: Final = """
FROM unnest($1::bytea[], $2::bigint[]) AS given (hash, index) JOIN audit_pending p USING (hash)
"""
_ENTER: Final = (
    "INSERT INTO audit_entry (index, hash, leaf) SELECT given.index, hash, p.leaf" + _NUMBERED
)
_BODIES: Final = (
    "INSERT INTO audit_body (index, body) SELECT given.index, p.body"
    + _NUMBERED
    + "WHERE p.body IS NOT NULL"
)
_NODES: Final = """
INSERT INTO audit_node (level, number, hash)
SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[])
"""
_DONE: Final = "DELETE FROM audit_pending WHERE hash = ANY ($1::bytea[])"
_SIGN: Final = """
INSERT INTO audit_checkpoint (size, root, note)
SELECT $1, $2, $3 FROM audit_head WHERE size = $1 AND root = $2 AND fence = $4
"""
_log = logging.getLogger(__name__)


class Superseded(Exception):
    """Another has begun a term: this one is over, and nothing was changed by it."""


def guard_of(key: bytes) -> bytes:
    """By what gateways see that they guard pending records by the same key."""
    return hmac.digest(key, b"portcullis guard v1", "sha256")


async def whole(connection: Connection, signer: Signer, key: bytes) -> tuple[Edge, Signed | None]:
    """The edge of a log that is ours and fits its head and its last checkpoint, and that
    checkpoint; None before the first.

    The head must not move meanwhile.

    Raises:
        AuditUnavailable: it is another's, or does not fit.
    """
    size, root = await connection.fetchrow("SELECT size, root FROM audit_head")
    if not await _introduced(connection, signer, key) and size:
        raise AuditUnavailable(detail="the log has entries, but its name is missing")
    edge = await edge_at(connection, size)
    if edge.root() != root:
        raise AuditUnavailable(detail="the entries do not lead to the root of the head")
    return edge, await _last_signed(connection, signer, size)


async def _introduced(connection: Connection, signer: Signer, key: bytes) -> bool:
    """Whether the log is known by its name and keys, which must be ours.

    Raises:
        AuditUnavailable: they are not.
    """
    row = await connection.fetchrow("SELECT verifier, guard FROM audit_log")
    if row is None:
        return False
    if row["verifier"] != signer.verifier:
        raise AuditUnavailable(detail="the log is of another origin, or signed by another key")
    if not hmac.compare_digest(row["guard"], guard_of(key)):
        raise AuditUnavailable(detail="the log's pending records are guarded by another key")
    return True


@dataclass(slots=True, kw_only=True)
class Term:
    """What one sequencer knows of the log since it began its term. Make it by `begin`."""

    connection: Connection
    signer: Signer
    key: bytes
    clock: Callable[[], datetime]
    fence: int
    edge: Edge
    root: bytes
    signed: Signed
    _refused: set[bytes]

    @classmethod
    async def begin(
        cls,
        connection: Connection,
        *,
        signer: Signer,
        key: bytes,
        clock: Callable[[], datetime],
    ) -> Term:
        """End every other term, see that the log is whole at its edge, and sign it.

        Raises:
            AuditUnavailable: another log's, or its rows, its head and its last checkpoint do not
                fit each other.
        """
        fence = await connection.fetchval(_BEGIN)
        edge, signed = await whole(connection, signer, key)
        if signed is None:
            await connection.execute(_INTRODUCE, signer.verifier, guard_of(key))
            await _introduced(connection, signer, key)
        term = cls(
            connection=connection,
            signer=signer,
            key=key,
            clock=clock,
            fence=fence,
            edge=edge,
            root=edge.root(),
            signed=signed or Signed(size=0, root=EMPTY_ROOT, note=b""),
            _refused=set(),
        )
        await term.sign()
        return term

    async def number(self) -> int:
        """Give what waits its numbers, `MAX_BATCH` records at most; gives how many waited.

        Raises:
            Superseded: it is another's turn.
        """
        rows = await self.connection.fetch(_WAITING, MAX_BATCH, list(self._refused))
        fresh = [row for row in rows if not row["entered"] and self._ours(row["leaf"], row)]
        hashes = [row["hash"] for row in fresh]
        edge, tiles = self.edge.grow(hashes)
        root = edge.root()
        if gone := [row["hash"] for row in rows if row["hash"] not in self._refused]:
            async with self.connection.transaction():
                if hashes:
                    await self._move(edge, root)
                    await self._enter(hashes, nodes_of(self.edge.size, tiles))
                await self.connection.execute(_DONE, gone)
            self.edge, self.root = edge, root
        return len(rows)

    def _ours(self, leaf: bytes, row: Connection) -> bool:
        """Whether a gateway put this row there; one that none did is never numbered."""
        right = hmac.compare_digest(row["mac"], mac_of(self.key, leaf))
        if not right or row["hash"] != leaf_hash(leaf):
            self._refused.add(row["hash"])
            _log.critical("audit: a pending record of unknown origin: %s", row["hash"].hex())
            return False
        return True

    async def _move(self, edge: Edge, root: bytes) -> None:
        known = (self.edge.size, self.root, self.fence)
        if await self.connection.execute(_MOVE, edge.size, root, *known) != "UPDATE 1":
            raise Superseded

    async def _enter(
        self, hashes: Sequence[bytes], nodes: Sequence[tuple[int, int, bytes]]
    ) -> None:
        first = self.edge.size
        indexes = list(range(first, first + len(hashes)))
        done = await self.connection.execute(_ENTER, hashes, indexes)
        if done != f"INSERT 0 {len(hashes)}":
            raise AuditUnavailable(detail="a pending record vanished while it was numbered")
        await self.connection.execute(_BODIES, hashes, indexes)
        if nodes:
            await self.connection.execute(_NODES, *map(list, zip(*nodes, strict=True)))

    async def sign(self) -> None:
        """Sign the log as it is now.

        Raises:
            Superseded: it is another's turn.
        """
        size = self.edge.size
        note = self.signer.sign(size, self.root, self.clock())
        done = await self.connection.execute(_SIGN, size, self.root, note, self.fence)
        if done != "INSERT 0 1":
            raise Superseded
        self.signed = Signed(size=size, root=self.root, note=note)


async def _last_signed(connection: Connection, signer: Signer, size: int) -> Signed | None:
    """The last checkpoint, shown to be of this log and its beginning.

    Raises:
        AuditUnavailable: it is not.
    """
    row = await connection.fetchrow(LAST_CHECKPOINT)
    if row is None:
        if size:
            raise AuditUnavailable(detail="the log has entries but its checkpoint is missing")
        return None
    try:
        said = open_checkpoint(row["note"], signer.verifier)
    except NoteInvalid as error:
        raise AuditUnavailable(detail=f"the last checkpoint: {error}") from error
    if said.size > size or (await edge_at(connection, said.size)).root() != said.root:
        raise AuditUnavailable(detail="the log does not begin with what was signed last")
    return Signed(size=said.size, root=said.root, note=row["note"])


def nodes_of(old: int, tiles: Sequence[TileData]) -> list[tuple[int, int, bytes]]:
    """The (level, number, hash) of what is above the leaves of these tiles and was not at this
    size: roots of tiles that became full."""
    found = []
    for tile in tiles:
        if tile.level == 0:
            continue
        before = old >> (TILE_HEIGHT * tile.level)
        for offset in range(len(tile.data) // HASH_BYTES):
            number = tile.number * TILE_WIDTH + offset
            if number >= before:
                hash_ = tile.data[offset * HASH_BYTES : (offset + 1) * HASH_BYTES]
                found.append((tile.level, number, hash_))
    return found
