"""The log of one gateway process: what the gateway writes into it and auditors read from it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.audit.entry import (
    KEY_BYTES,
    NONCE_BYTES,
    SALT_BYTES,
    InvalidEntry,
    Json,
    Sealing,
    Written,
    entry_of,
    read_leaf,
    unseal,
)
from gateway.audit.journal import Journal
from gateway.audit.keys import AuditKeys, Signer
from gateway.audit.merkle import ProofInvalid, leaf_hash
from gateway.audit.sequencer import Receipt, Sequencer
from gateway.audit.store import Disk, Store, SwapUnknown
from gateway.audit.verify import NoteInvalid
from gateway.audit.writer import Writer
from gateway.errors import AuditUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Inclusion:
    """Evidence that a record is in the log."""

    index: int
    leaf_hash: bytes
    hashes: tuple[bytes, ...]  # from the leaf upwards
    checkpoint: bytes


def _now() -> datetime:
    return datetime.now(UTC)


class AuditLog:
    """The log of one gateway process."""

    def __init__(
        self,
        store: Store,
        keys: AuditKeys,
        origin: str,
        *,
        clock: Callable[[], datetime],
        idle_s: float,
    ) -> None:
        """Use `open`, which does not block the loop."""
        self._store, self._keys, self._clock = store, keys, clock
        self._signer: Signer = keys.signer(origin)
        self._writer = Writer(store, self._signer, clock())
        journal = Journal(store.root / "journal", keys.journal(), disk=store.disk)
        self._sequencer = Sequencer(self._writer, journal, clock=clock, idle_s=idle_s)
        self._closed = False

    @classmethod
    async def open(
        cls,
        directory: Path,
        *,
        keys: AuditKeys,
        origin: str,
        clock: Callable[[], datetime] = _now,
        idle_s: float = 60.0,
        disk: Disk | None = None,
    ) -> AuditLog:
        """Open the log in `directory`, or begin it; what was never acknowledged is cleared away.

        Raises:
            AuditUnavailable: in use, damaged, signed by another key or under another origin, or
                the disk does not take writes.
        """

        def opened() -> AuditLog:
            store = Store(directory, disk=disk)
            try:
                return cls(store, keys, origin, clock=clock, idle_s=idle_s)
            except (OSError, SwapUnknown, NoteInvalid, ProofInvalid, ValueError) as error:
                store.close()
                raise AuditUnavailable(detail=f"cannot open the audit log: {error}") from error
            except AuditUnavailable:
                store.close()
                raise

        return await asyncio.to_thread(opened)

    # -- what the gateway uses ---------------------------------------------------------------

    async def append(
        self,
        leaf: Mapping[str, Json],
        detail: Json | Written = None,
        *,
        agencies: Sequence[str] = (),
    ) -> Receipt:
        """Put a record into the log; it lasts when this returns.

        `leaf` is public to every auditor (see `entry.entry_of`); `detail`, if there is one, is
        sealed for each of `agencies`. A cancelled call may or may not leave the record.

        Raises:
            AuditUnavailable: it does not last, or nobody can tell; whatever waits for it must
                not happen.
        """
        sealing = await self._sealing(agencies) if detail is not None else None
        try:
            entry = entry_of(leaf, detail, sealing)
        except InvalidEntry as error:
            raise AuditUnavailable(detail=f"not a record: {error}") from error
        return await self._sequencer.put(entry)

    async def _sealing(self, agencies: Sequence[str]) -> Sealing:
        now = self._clock().astimezone(UTC)
        if all(self._keys.cached(agency, now) for agency in agencies):
            wrapping = dict(self._keys.wrapping(agency, now) for agency in agencies)
        else:
            wrapping = await asyncio.to_thread(
                lambda: dict(self._keys.wrapping(agency, now) for agency in agencies)
            )
        return Sealing(
            salt=os.urandom(SALT_BYTES),
            data_key=os.urandom(KEY_BYTES),
            nonce=os.urandom(NONCE_BYTES),
            wrapping=wrapping,
        )

    @property
    def healthy(self) -> bool:
        """Whether a record given now would probably last."""
        return self._sequencer.healthy

    @property
    def stopped(self) -> bool:
        """Whether the log has stopped for good, until the process is started again."""
        return self._sequencer.stopped

    @property
    def checkpoint(self) -> bytes:
        """The last signed checkpoint."""
        return self._sequencer.last.head.note

    @property
    def size(self) -> int:
        """How many records last."""
        return self._sequencer.last.size

    @property
    def verifier(self) -> str:
        """The public key, as `portcullis audit verify --key` reads it."""
        return self._signer.verifier

    async def aclose(self) -> None:
        """Finish what waits, then let go of the files."""
        if not self._closed:
            self._closed = True
            await self._sequencer.aclose()
            self._store.close()

    # -- what auditors use -------------------------------------------------------------------

    async def leaf(self, index: int) -> bytes:
        """The canonical leaf of a record.

        Raises:
            LookupError: there is no such record.
        """
        last = self._sequencer.last
        if last.head.edge.size <= index < last.size:
            return last.pending[index - last.head.edge.size].leaf
        head = await self._sequencer.in_tree(index)
        return await asyncio.to_thread(self._writer.leaf, head, index)

    async def detail(self, index: int, agency_key: str) -> Any:
        """The sealed detail of a record, opened with a month key that its leaf names.

        Raises:
            LookupError: no such record, nothing sealed, or erased.
            InvalidEntry: what is there is not what the leaf commits to.
            AuditUnavailable: the key was destroyed.
        """
        leaf = read_leaf(await self.leaf(index))
        await self._sequencer.in_tree(index)

        def opened() -> Any:
            key = self._keys.wrapping_key(agency_key)
            failure: Exception = LookupError(f"record {index} has no body any more")
            for body in self._store.body(index):
                try:
                    return unseal(leaf, body, agency_key, key)
                except InvalidEntry as error:
                    failure = error
            raise failure

        return await asyncio.to_thread(opened)

    async def inclusion(self, index: int) -> Inclusion:
        """Evidence that a record is under the present checkpoint.

        Raises:
            LookupError: there is no such record.
        """
        head = await self._sequencer.in_tree(index)
        leaf = await self.leaf(index)
        path = await asyncio.to_thread(self._writer.inclusion, head, index)
        return Inclusion(index=index, leaf_hash=leaf_hash(leaf), hashes=path, checkpoint=head.note)

    async def erase(self, index: int) -> bool:
        """Remove a record's sealed body; whether there was one. Every proof stays valid.

        The caller records why and by whom (kind K) before.

        Raises:
            OSError: it may still be there.
        """
        await self._sequencer.in_tree(index)
        return await asyncio.to_thread(self._store.erase_body, index)
