"""A log in the files of one process: the sequencer's thread, and reading beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from gateway.audit.entry import AuditEntry
from gateway.audit.journal import Journal
from gateway.audit.keeper import Receipt, Signed
from gateway.audit.keys import Signer
from gateway.audit.merkle import HASH_BYTES, TILE_WIDTH, ProofInvalid, tile_path
from gateway.audit.sequencer import Sequencer
from gateway.audit.store import Beside, Disk, Store, SwapUnknown, pack
from gateway.audit.verify import NoteInvalid, open_checkpoint
from gateway.audit.writer import Head, Writer
from gateway.errors import AuditUnavailable

SKEW: Final = timedelta(seconds=5)  # a clock that is put back by more is suspect


class Embedded:
    """A log in a directory of files (a `Keeper`)."""

    def __init__(
        self,
        store: Store,
        signer: Signer,
        journal_key: bytes,
        *,
        clock: Callable[[], datetime],
        idle_s: float,
    ) -> None:
        """Use `open`, which does not block the loop."""
        self._store = store
        self._writer = Writer(store, signer, clock())
        journal = Journal(store.root / "journal", journal_key, disk=store.disk)
        said = open_checkpoint(self._writer.head.note, signer.verifier)
        self._latest = said.signed_at or clock()  # that this log has seen
        self._sequencer = Sequencer(self._writer, journal, clock=clock, idle_s=idle_s)
        self._ended = store.root / "ended"
        self._beside = Beside(store.root, disk=store.disk)
        self._closed = False

    @classmethod
    async def open(
        cls,
        directory: Path,
        *,
        signer: Signer,
        journal_key: bytes,
        clock: Callable[[], datetime],
        idle_s: float,
        disk: Disk | None = None,
    ) -> Embedded:
        """Open the log in `directory`, or begin it; what was never acknowledged is cleared away.

        Raises:
            AuditUnavailable: in use, damaged, signed by another key or under another origin, or
                the disk does not take writes.
        """

        def opened() -> Embedded:
            store = Store(directory, disk=disk)
            try:
                return cls(store, signer, journal_key, clock=clock, idle_s=idle_s)
            except (OSError, SwapUnknown, NoteInvalid, ProofInvalid, ValueError) as error:
                store.close()
                raise AuditUnavailable(detail=f"cannot open the audit log: {error}") from error
            except AuditUnavailable:
                store.close()
                raise

        return await asyncio.to_thread(opened)

    async def put(self, entry: AuditEntry) -> Receipt:
        return await self._sequencer.put(entry)

    @property
    def healthy(self) -> bool:
        return self._sequencer.healthy

    @property
    def stopped(self) -> bool:
        return self._sequencer.stopped

    @property
    def signed(self) -> Signed:
        return _signed(self._sequencer.last.head)

    @property
    def size(self) -> int:
        return self._sequencer.last.size

    def terms(self) -> list[int]:
        return []

    def suspects(self, now: datetime) -> bool:
        self._latest = max(self._latest, now)
        return self._latest - now > SKEW

    async def number(self, receipt: Receipt) -> int:
        if receipt.index is None:
            raise AuditUnavailable(detail="a receipt of another log")
        return receipt.index

    async def in_tree(self, index: int) -> Signed:
        return _signed(await self._sequencer.in_tree(index))

    async def leaf(self, index: int) -> bytes:
        last = self._sequencer.last
        if last.head.edge.size <= index < last.size:
            return last.pending[index - last.head.edge.size].leaf
        head = await self._sequencer.in_tree(index)
        number, offset = divmod(index, TILE_WIDTH)
        return (await asyncio.to_thread(self._writer.bundle, head, number))[offset]

    async def tile(self, level: int | str, number: int, width: int) -> bytes:
        head = self._sequencer.last.head
        try:
            if isinstance(level, str):
                entries = await asyncio.to_thread(self._writer.bundle, head, number)
                data, there = pack(entries[:width]), len(entries)
            else:
                data = await asyncio.to_thread(self._writer.tile, head, level, number)
                data, there = data[: width * HASH_BYTES], len(data) // HASH_BYTES
        except OSError as error:
            raise AuditUnavailable(detail=f"the log cannot be read: {error}") from error
        if there < width:
            raise LookupError(f"{tile_path(level, number, width)} is not there")
        return data

    async def bodies(self, index: int) -> list[bytes]:
        return await asyncio.to_thread(self._store.body, index)

    async def sealed(self, first: int, count: int) -> dict[int, list[bytes]]:
        return await asyncio.to_thread(self._store.sealed, first, count)

    async def erase(self, indexes: Collection[int]) -> int:
        return await asyncio.to_thread(self._store.erase_bodies, indexes)

    @property
    def leading(self) -> bool:
        return not self._closed

    async def ended(self) -> int:
        try:
            return int(await asyncio.to_thread(self._ended.read_text))
        except (OSError, ValueError):  # begun anew, it is found again by reading everything
            return 0

    async def have_ended(self, upto: int) -> None:
        def kept() -> None:
            fresh = self._ended.with_suffix(".new")
            fresh.write_text(str(upto))
            fresh.replace(self._ended)

        try:
            await asyncio.to_thread(kept)
        except OSError as error:
            raise AuditUnavailable(detail=f"the log cannot be written: {error}") from error

    async def witnessed(self) -> bytes | None:
        try:
            return await asyncio.to_thread(self._beside.witnessed)
        except OSError as error:
            raise AuditUnavailable(detail=f"the log cannot be read: {error}") from error

    async def keep_witnessed(self, signed: Signed) -> None:
        try:
            await asyncio.to_thread(self._beside.keep_witnessed, signed.note)
        except OSError as error:
            raise AuditUnavailable(detail=f"the log cannot be written: {error}") from error

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            await self._sequencer.aclose()
            self._store.close()


def _signed(head: Head) -> Signed:
    return Signed(size=head.edge.size, root=head.root, note=head.note)
