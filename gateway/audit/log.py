"""The sequencer: one thread gives every record its number, and nobody goes on before that lasts.

Callers hand in a record and wait. The thread takes whatever arrived while it was busy, at most 256
records, and makes one commit of it: bodies, entries and tiles become durable, the checkpoint is
signed and replaced, and only then are the waiters released, so that many share the price of the
same few disk writes. A commit that fails before the checkpoint is touched fails its waiters and
leaves the log as it was; if nobody can tell whether the checkpoint was replaced the log stops for
good, and the next start finds out, by the same code, what lasted.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.audit.entry import (
    KEY_BYTES,
    NONCE_BYTES,
    SALT_BYTES,
    AuditEntry,
    InvalidEntry,
    Json,
    Sealing,
    entry_of,
    read_leaf,
    unseal,
)
from gateway.audit.keys import AuditKeys, Signer
from gateway.audit.merkle import ProofInvalid, leaf_hash
from gateway.audit.store import Disk, Store, SwapUnknown
from gateway.audit.verify import NoteInvalid
from gateway.audit.writer import MAX_COMMIT, Writer
from gateway.errors import AuditUnavailable

MAX_WAITING = 4_096
_RETRY_S = 1.0  # after a failed commit: how soon to try whether the disk works again
_STUCK_S = 5.0  # a commit that takes longer is a fault

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Where a record is, from the moment at which it lasts."""

    index: int
    leaf_hash: bytes
    size: int  # entries under the checkpoint that made it last
    root: bytes
    at: datetime  # when that checkpoint was signed


@dataclass(frozen=True, slots=True, kw_only=True)
class Inclusion:
    """Evidence that a record is in the log."""

    index: int
    leaf_hash: bytes
    hashes: tuple[bytes, ...]  # from the leaf upwards
    checkpoint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiter:
    entry: AuditEntry
    leaf_hash: bytes
    future: asyncio.Future[Receipt]
    loop: asyncio.AbstractEventLoop


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
        self._store, self._keys, self._clock, self._idle_s = store, keys, clock, idle_s
        self._signer: Signer = keys.signer(origin)
        self._writer = Writer(store, self._signer, clock())
        self._queue: queue.Queue[_Waiter | None] = queue.Queue(MAX_WAITING)
        self._failed = self._closing = False
        self._stopped = threading.Event()
        self._busy_since: float | None = None
        self._writer.commit((), clock())  # shows that we can write and that the log is alive
        self._thread = threading.Thread(target=self._run, name="audit-sequencer", daemon=True)
        self._thread.start()

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
        """Open the log in `directory`, or begin it; what was not committed is cleared away.

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
        self, leaf: Mapping[str, Json], detail: Json = None, *, agencies: Sequence[str] = ()
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
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Receipt] = loop.create_future()
        waiter = _Waiter(entry=entry, leaf_hash=leaf_hash(entry.leaf), future=future, loop=loop)
        if self._closing or self._stopped.is_set():
            raise AuditUnavailable(detail="the audit log has stopped")
        try:
            self._queue.put_nowait(waiter)
        except queue.Full as error:
            raise AuditUnavailable(detail=f"{MAX_WAITING} records wait already") from error
        if self._stopped.is_set():  # it stopped since we looked, perhaps without seeing us
            self._refuse_waiting()
        return await future

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
        since = self._busy_since
        stuck = since is not None and time.monotonic() - since > _STUCK_S
        return not (self._failed or self._closing or stuck or self._stopped.is_set())

    @property
    def stopped(self) -> bool:
        """Whether the log has stopped for good, until the process is started again."""
        return self._stopped.is_set()

    @property
    def checkpoint(self) -> bytes:
        """The last signed checkpoint."""
        return self._writer.head.note

    @property
    def size(self) -> int:
        """How many records last."""
        return self._writer.head.edge.size

    @property
    def verifier(self) -> str:
        """The public key, as `portcullis audit verify --key` reads it."""
        return self._signer.verifier

    async def aclose(self) -> None:
        """Finish what waits, then let go of the files."""
        if not self._closing:
            self._closing = True
            await asyncio.to_thread(self._queue.put, None)
            await asyncio.to_thread(self._thread.join)
            self._store.close()

    # -- what auditors use -------------------------------------------------------------------

    async def leaf(self, index: int) -> bytes:
        """The canonical leaf of a record.

        Raises:
            LookupError: there is no such record.
        """
        head = self._writer.head
        if not 0 <= index < head.edge.size:
            raise LookupError(f"no record {index} among {head.edge.size}")
        return await asyncio.to_thread(self._writer.leaf, head, index)

    async def detail(self, index: int, agency_key: str) -> Any:
        """The sealed detail of a record, opened with a month key that its leaf names.

        Raises:
            LookupError: no such record, nothing sealed, or erased.
            InvalidEntry: what is there is not what the leaf commits to.
            AuditUnavailable: the key was destroyed.
        """
        leaf = read_leaf(await self.leaf(index))

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
        head = self._writer.head
        leaf = await self.leaf(index)
        path = await asyncio.to_thread(self._writer.inclusion, head, index)
        return Inclusion(index=index, leaf_hash=leaf_hash(leaf), hashes=path, checkpoint=head.note)

    async def erase(self, index: int) -> bool:
        """Remove a record's sealed body; whether there was one. Every proof stays valid.

        The caller records why and by whom (kind K) before.

        Raises:
            OSError: it may still be there.
        """
        return await asyncio.to_thread(self._store.erase_body, index)

    # -- the sequencer -----------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                batch, last = self._gather()
                if batch or not last:
                    self._serve(batch)
                if last:
                    break
        finally:  # whatever happened, nobody waits for ever
            self._stopped.set()
            self._refuse_waiting()

    def _gather(self) -> tuple[list[_Waiter], bool]:
        """What has arrived, waiting for the first of it; and whether the log is closing."""
        try:
            first = self._queue.get(timeout=_RETRY_S if self._failed else self._idle_s)
        except queue.Empty:
            return [], False
        batch: list[_Waiter] = []
        while first is not None:
            batch.append(first)
            if len(batch) == MAX_COMMIT:
                return batch, False
            try:
                first = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _serve(self, batch: Sequence[_Waiter]) -> None:
        """One commit, and the answer to everybody who waits for it."""
        self._busy_since = time.monotonic()
        failure: AuditUnavailable | None = AuditUnavailable(detail="the sequencer broke")
        first, at = self.size, None
        try:
            at = self._clock()
            self._writer.commit([waiter.entry for waiter in batch], at)
            self._failed, failure = False, None
        except OSError as error:
            self._failed = True
            failure = AuditUnavailable(detail=f"the record was not written: {error}")
            _log.error("audit: a commit failed and was undone: %s", error)
        except SwapUnknown as error:
            self._stopped.set()
            failure = AuditUnavailable(detail=f"the audit log stopped: {error}")
            _log.critical("audit: the log stopped: %s", error)
        finally:
            self._busy_since = None
            self._release(batch, first, None if failure else at, failure)

    def _release(
        self,
        batch: Sequence[_Waiter],
        first: int,
        at: datetime | None,
        failure: AuditUnavailable | None,
    ) -> None:
        head = self._writer.head
        results: dict[asyncio.AbstractEventLoop, list[tuple[_Waiter, Receipt | None]]] = {}
        for index, waiter in enumerate(batch, first):
            receipt = None
            if at is not None:
                receipt = Receipt(
                    index=index,
                    leaf_hash=waiter.leaf_hash,
                    size=head.edge.size,
                    root=head.root,
                    at=at,
                )
            results.setdefault(waiter.loop, []).append((waiter, receipt))
        for loop, answers in results.items():
            try:
                loop.call_soon_threadsafe(_answer, answers, failure)
            except RuntimeError:  # the loop has closed: nobody waits any more
                _log.warning("audit: %d waiters went away", len(answers))

    def _refuse_waiting(self) -> None:
        left: list[_Waiter] = []
        while True:
            try:
                waiter = self._queue.get_nowait()
            except queue.Empty:
                break
            if waiter is not None:
                left.append(waiter)
        self._release(left, 0, None, AuditUnavailable(detail="the audit log has stopped"))


def _answer(
    answers: Sequence[tuple[_Waiter, Receipt | None]], failure: AuditUnavailable | None
) -> None:
    for waiter, receipt in answers:
        if waiter.future.done():
            continue
        if receipt is not None:
            waiter.future.set_result(receipt)
        else:
            detail = failure.detail if failure else "no receipt"
            waiter.future.set_exception(AuditUnavailable(detail=detail))
