"""The log in a database, written to files as `audit.store` lays them out.

What auditors verify is files and a public key, wherever a log lives: the verifier stays one file
that knows no database, and whoever exports again and again keeps a copy of their own, into which
only what continues it is let.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway.audit.merkle import (
    ENTRIES,
    TILE_HEIGHT,
    TILE_WIDTH,
    ProofInvalid,
    levels,
    tile_path,
    tile_width,
)
from gateway.audit.postgresql import reading
from gateway.audit.postgresql.database import Address, Connection, answering, drop
from gateway.audit.store import Beside, Store, SwapUnknown
from gateway.audit.verify import NoteInvalid, open_checkpoint
from gateway.errors import AuditUnavailable

_AT_ONCE: Final = 64  # files written and synced together
_BODIES: Final = "SELECT index, body FROM audit_body WHERE index >= $1 AND index < $2"


async def export(address: Address, verifier: str, directory: Path, *, bodies: bool = False) -> int:
    """Bring a directory to the log's last checkpoint; gives its size.

    With `bodies`, what lies sealed is written anew too, so that what was erased is not there.

    Raises:
        AuditUnavailable: it cannot be read or written, is not signed by this key, or does not
            continue what is in the directory.
    """
    connection: Connection | None = None
    store = await asyncio.to_thread(Store, directory)
    try:
        with answering("the log cannot be read"):
            connection = await address.connect("export")
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return await _Export(connection, store, verifier).run(bodies=bodies)
    except (NoteInvalid, ProofInvalid, LookupError, SwapUnknown) as error:
        raise AuditUnavailable(detail=f"the log cannot be exported: {error}") from error
    finally:
        drop(connection)
        store.close()


class _Export:
    """One run over one snapshot."""

    def __init__(self, connection: Connection, store: Store, verifier: str) -> None:
        self._connection, self._store, self._verifier = connection, store, verifier
        self._files: dict[str, bytes] = {}

    async def run(self, *, bodies: bool) -> int:
        row = await self._connection.fetchrow(reading.LAST_CHECKPOINT)
        if row is None:
            raise AuditUnavailable(detail="nobody has signed the log yet")
        said = open_checkpoint(row["note"], self._verifier)
        before = self._store.checkpoint()
        known = await self._continued(before, said.size)
        for level in (ENTRIES, *range(levels(said.size))):
            depth = 0 if isinstance(level, str) else level
            first = known >> (TILE_HEIGHT * (depth + 1))
            last = (said.size - 1) >> (TILE_HEIGHT * (depth + 1)) if said.size else -1
            for number in range(first, last + 1):
                if width := tile_width(said.size, depth, number):
                    data = await reading.tile(self._connection, level, number, width)
                    await self._write(tile_path(level, number, width), data)
        if bodies:
            await self._bodies(said.size)
        await self._flush()
        await asyncio.to_thread(self._store.commit, {}, before, row["note"])
        if (note := await self._connection.fetchval(reading.WITNESSED)) is not None:
            await asyncio.to_thread(Beside(self._store.root).keep_witnessed, note)
        outgrown = sorted(_unfilled(known) - _unfilled(said.size))
        await asyncio.to_thread(self._store.drop, outgrown)
        return said.size

    async def _continued(self, before: bytes | None, size: int) -> int:
        """The size of what is there already, shown to be the log's beginning.

        Raises:
            AuditUnavailable: it is not.
        """
        if before is None:
            return 0
        old = open_checkpoint(before, self._verifier)
        grown = old.size <= size
        if not grown or (await reading.edge_at(self._connection, old.size)).root() != old.root:
            detail = "the log does not continue what was exported before: keep both, and ask why"
            raise AuditUnavailable(detail=detail)
        return old.size

    async def _bodies(self, size: int) -> None:
        await asyncio.to_thread(shutil.rmtree, self._store.root / "sealed", ignore_errors=True)
        for start in range(0, size, TILE_WIDTH):
            end = min(size, start + TILE_WIDTH)
            found = dict(map(tuple, await self._connection.fetch(_BODIES, start, end)))
            held: Sequence[bytes | None] = [found.get(index) for index in range(start, end)]
            for name, data in self._store.bodies(start, held).items():
                await self._write(name, data)

    async def _write(self, name: str, data: bytes) -> None:
        self._files[name] = data
        if len(self._files) >= _AT_ONCE:
            await self._flush()

    async def _flush(self) -> None:
        files, self._files = self._files, {}
        try:
            await asyncio.to_thread(self._store.stage, files)
        except OSError as error:
            raise AuditUnavailable(detail=f"cannot be written: {error}") from error


def _unfilled(size: int) -> set[str]:
    """The names of the unfilled tiles and bundle of a log of this size."""
    names = set()
    for level in (ENTRIES, *range(levels(size))):
        depth = 0 if isinstance(level, str) else level
        number = size >> (TILE_HEIGHT * (depth + 1))
        if width := tile_width(size, depth, number):
            names.add(tile_path(level, number, width))
    return names
