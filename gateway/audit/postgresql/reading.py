"""What the log's rows say: leaves, tiles, edges. Over a connection of either role."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from gateway.audit.merkle import (
    HASH_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    Edge,
    leaf_hash,
    levels,
    tile_path,
    tile_width,
)
from gateway.audit.postgresql.database import Connection
from gateway.audit.store import pack
from gateway.errors import AuditUnavailable

_LEAVES: Final = "SELECT leaf FROM audit_entry WHERE index >= $1 AND index < $2 ORDER BY index"
_HASHES: Final = "SELECT hash FROM audit_entry WHERE index >= $1 AND index < $2 ORDER BY index"
_NODES: Final = """
SELECT hash FROM audit_node WHERE level = $3 AND number >= $1 AND number < $2 ORDER BY number
"""
LAST_CHECKPOINT: Final = """
SELECT serial, size, root, note FROM audit_checkpoint ORDER BY serial DESC LIMIT 1
"""

WITNESSED: Final = "SELECT note FROM audit_witnessed WHERE size >= 0"


async def leaves(connection: Connection, start: int, end: int) -> list[bytes]:
    """The leaves of the records [start, end), as many as there are."""
    return [row[0] for row in await connection.fetch(_LEAVES, start, end)]


async def tile(connection: Connection, level: int | str, number: int, width: int) -> bytes:
    """As `Keeper.tile`.

    Raises:
        LookupError: there are fewer.
    """
    start = number * TILE_WIDTH
    if isinstance(level, str):
        rows: Sequence[Any] = await leaves(connection, start, start + width)
        data = pack(rows)
    else:
        if level == 0:
            rows = await connection.fetch(_HASHES, start, start + width)
        else:
            rows = await connection.fetch(_NODES, start, start + width, level)
        data = b"".join(row[0] for row in rows)
    if len(rows) < width:
        raise LookupError(f"{tile_path(level, number, width)} is not there")
    return data


async def edge_at(connection: Connection, size: int) -> Edge:
    """The right edge of the tree as it was at this size; its lowest tile made from the leaves.

    Raises:
        AuditUnavailable: something of it is not there.
    """
    tiles: list[bytes] = []
    for level in range(levels(size)):
        number = size >> (TILE_HEIGHT * (level + 1))
        width = tile_width(size, level, number)
        start = number * TILE_WIDTH
        if level == 0:
            last = await leaves(connection, start, start + width)
            found = b"".join(map(leaf_hash, last))
        else:
            rows = await connection.fetch(_NODES, start, start + width, level)
            found = b"".join(row[0] for row in rows)
        if len(found) != width * HASH_BYTES:
            detail = f"{tile_path(level, number, width)} does not hold so many"
            raise AuditUnavailable(detail=detail)
        tiles.append(found)
    return Edge(size=size, tiles=tuple(tiles))
