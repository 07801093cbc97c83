"""The sequencer: one thread gives every record its number, and nobody goes on before that lasts.

Callers hand in a record and wait. The thread takes whatever arrived while it was busy and appends
it to the journal: one sync makes it last, and its waiters are released. Soon after, or before too
much waits, the same records become entries and tiles under a new signed checkpoint. A failure
before the journal has a record fails its waiter. If nobody can tell whether a checkpoint was
replaced the log stops for good, and the next start finds out, by the same code.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.audit.entry import AuditEntry
from gateway.audit.journal import Journal
from gateway.audit.keeper import Receipt
from gateway.audit.merkle import leaf_hash
from gateway.audit.store import SwapUnknown
from gateway.audit.writer import MAX_COMMIT, Head, Writer
from gateway.errors import AuditUnavailable

MAX_WAITING = 4_096
_LINGER_S = 0.25  # how long records are gathered for a checkpoint while none arrive: signing in
# the middle of a query would hold up its outcome
_LOOK_S = 0.02  # how often somebody who waits for a checkpoint looks for it
_CHECKPOINT_S = 0.5  # how long at most after the first of them
_RETRY_S = 1.0  # after a failure: how soon to try whether the disk works again
_STUCK_S = 5.0  # a write that takes longer is a fault

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasting:
    """What lasts: the log as its last checkpoint has it, and what the journal adds."""

    head: Head
    pending: tuple[AuditEntry, ...] = ()

    @property
    def size(self) -> int:
        """How many records last."""
        return self.head.edge.size + len(self.pending)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiter:
    entry: AuditEntry
    leaf_hash: bytes
    future: asyncio.Future[Receipt]
    loop: asyncio.AbstractEventLoop


class Sequencer:
    """The one writer of a log, in a thread of its own."""

    def __init__(
        self, writer: Writer, journal: Journal, *, clock: Callable[[], datetime], idle_s: float
    ) -> None:
        """Put into the tree what a crash left in the journal, and sign; then take records.

        Raises:
            AuditUnavailable: the journal does not continue the log.
            OSError, SwapUnknown: the disk does not take writes.
        """
        self._writer, self._journal, self._clock, self._idle_s = writer, journal, clock, idle_s
        left = journal.after(writer.head.edge.size)
        for start in range(0, max(len(left), 1), MAX_COMMIT):  # signs even if there is nothing
            writer.commit(left[start : start + MAX_COMMIT], clock())
        journal.clear()
        self.last = Lasting(head=writer.head)
        self._queue: queue.Queue[_Waiter | None] = queue.Queue(MAX_WAITING)
        self._failed = self._closing = False
        self._stopped = threading.Event()
        self._busy_since: float | None = None
        self._since = self._signed = time.monotonic()  # the first pending one; the checkpoint
        self._thread = threading.Thread(target=self._run, name="audit-sequencer", daemon=True)
        self._thread.start()

    # -- in the event loop -------------------------------------------------------------------

    async def put(self, entry: AuditEntry) -> Receipt:
        """Give the record its number; it lasts when this returns.

        Raises:
            AuditUnavailable: it does not last, or nobody can tell.
        """
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

    async def in_tree(self, index: int) -> Head:
        """The head of a tree that has this record, once there is one.

        Raises:
            LookupError: there is no such record.
            AuditUnavailable: the log has stopped before.
        """
        while not 0 <= index < self.last.head.edge.size:
            if not 0 <= index < self.last.size:
                raise LookupError(f"no record {index} among {self.last.size}")
            if self._stopped.is_set():
                raise AuditUnavailable(detail="the audit log has stopped")
            await asyncio.sleep(_LOOK_S)
        return self.last.head

    @property
    def healthy(self) -> bool:
        """Whether a record given now would probably last."""
        since = self._busy_since
        stuck = since is not None and time.monotonic() - since > _STUCK_S
        return not (self._failed or self._closing or stuck or self._stopped.is_set())

    @property
    def stopped(self) -> bool:
        """Whether it has stopped for good, until the process is started again."""
        return self._stopped.is_set()

    async def aclose(self) -> None:
        """Finish what waits."""
        if not self._closing:
            self._closing = True
            await asyncio.to_thread(self._queue.put, None)
        await asyncio.to_thread(self._thread.join)

    # -- in the thread -----------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                batch, last = self._gather()
                if batch:
                    self._accept(batch)
                if self._due(last or not batch):
                    self._publish()
                if last:
                    break
        finally:  # whatever happened, nobody waits for ever
            self._stopped.set()
            self._refuse_waiting()

    def _gather(self) -> tuple[list[_Waiter], bool]:
        """What has arrived, waiting for the first of it; and whether the log is closing."""
        wait_s = _LINGER_S if self.last.pending else self._idle_s
        try:
            first = self._queue.get(timeout=_RETRY_S if self._failed else wait_s)
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

    def _due(self, quiet: bool) -> bool:
        """Whether it is time for a checkpoint; `quiet` says that nothing more is arriving."""
        now = time.monotonic()
        if self.last.pending and (not self._failed or self._closing):
            return quiet or now - self._since >= _CHECKPOINT_S
        waited_s = _RETRY_S if self._failed else self._idle_s
        return not self._closing and now - self._signed >= waited_s

    def _accept(self, batch: Sequence[_Waiter]) -> None:
        """Make the records last, and tell everybody who waits for it."""
        if len(self.last.pending) + len(batch) > MAX_COMMIT:
            self._publish()
        failure: AuditUnavailable | None = AuditUnavailable(detail="the sequencer broke")
        last, at = self.last, None
        self._busy_since = time.monotonic()
        try:
            if len(last.pending) + len(batch) > MAX_COMMIT:
                raise OSError("too many records wait for a checkpoint")
            at = self._clock()
            entries = [waiter.entry for waiter in batch]
            self._journal.append(last.size, entries)
            if not last.pending:
                self._since = time.monotonic()
            self.last = Lasting(head=last.head, pending=(*last.pending, *entries))
            failure = None
        except OSError as error:
            self._failed, self._signed = True, time.monotonic()
            failure = AuditUnavailable(detail=f"the record was not written: {error}")
            _log.error("audit: records were not written: %s", error)
        finally:
            self._busy_since = None
            _release(batch, last.size, None if failure else at, failure)

    def _publish(self) -> None:
        """Put what the journal has into the tree, under a new checkpoint."""
        self._busy_since = time.monotonic()
        try:
            head = self._writer.commit(self.last.pending, self._clock())
            self.last = Lasting(head=head)
            self._journal.clear()
            self._failed = False
        except OSError as error:
            self._failed = True
            _log.error("audit: a checkpoint failed and was undone: %s", error)
        except SwapUnknown as error:
            self._stopped.set()
            _log.critical("audit: the log stopped: %s", error)
        finally:
            self._busy_since, self._signed = None, time.monotonic()

    def _refuse_waiting(self) -> None:
        left: list[_Waiter] = []
        while True:
            try:
                waiter = self._queue.get_nowait()
            except queue.Empty:
                break
            if waiter is not None:
                left.append(waiter)
        _release(left, 0, None, AuditUnavailable(detail="the audit log has stopped"))


def _release(
    batch: Sequence[_Waiter], first: int, at: datetime | None, failure: AuditUnavailable | None
) -> None:
    results: dict[asyncio.AbstractEventLoop, list[tuple[_Waiter, Receipt | None]]] = {}
    for index, waiter in enumerate(batch, first):
        receipt = None
        if at is not None:
            receipt = Receipt(index=index, leaf_hash=waiter.leaf_hash, at=at)
        results.setdefault(waiter.loop, []).append((waiter, receipt))
    for loop, answers in results.items():
        try:
            loop.call_soon_threadsafe(_answer, answers, failure)
        except RuntimeError:  # the loop has closed: nobody waits any more
            _log.warning("audit: %d waiters went away", len(answers))


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
