"""How a record comes to last: one durable INSERT for all that waited, over a few connections.

No gateway waits for another here: rows get their numbers later, from whoever is elected. A row
bears an HMAC under a key that the database does not have, because what stands there will be signed:
whoever can write rows but has no key must not be able to add a record. A group whose connection
broke is sent once more; a record is known by its leaf's hash, so it is not in the log twice.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.audit.entry import AuditEntry
from gateway.audit.keeper import Receipt
from gateway.audit.merkle import leaf_hash
from gateway.audit.postgresql.database import BROKEN, DIED, Address, Connection, drop
from gateway.errors import AuditUnavailable

CONNECTIONS: Final = 3
MAX_GROUP: Final = 256
MAX_WAITING: Final = 4_096  # for their commit, and as many again for their number

_INSERT: Final = """
INSERT INTO audit_pending (hash, leaf, body, mac)
SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[]) ON CONFLICT DO NOTHING
"""
_WHERE_THEY_ARE: Final = """
SELECT given.hash,
       EXISTS (SELECT 1 FROM audit_entry e WHERE e.hash = given.hash) AS entered,
       EXISTS (SELECT 1 FROM audit_pending p WHERE p.hash = given.hash) AS waits
FROM unnest($1::bytea[]) AS given (hash)
"""
_log = logging.getLogger(__name__)


def mac_of(key: bytes, leaf: bytes) -> bytes:
    """What shows that a gateway put this leaf there. Of the body the leaf holds a digest."""
    return hmac.digest(key, b"portcullis pending v1\0" + leaf, "sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiter:
    entry: AuditEntry
    leaf_hash: bytes
    future: asyncio.Future[datetime]


class Pending:
    """Makes one gateway's records last, and remembers those that have no number yet."""

    def __init__(
        self, address: Address, key: bytes, *, clock: Callable[[], datetime], timeout_s: float
    ) -> None:
        self._address, self._key, self._clock, self._timeout_s = address, key, clock, timeout_s
        self._queue: asyncio.Queue[_Waiter] = asyncio.Queue(MAX_WAITING)
        self._unnumbered: dict[bytes, float] = {}  # hash -> when it came to last
        self._workers: list[asyncio.Task[None]] = []
        self._closed = False
        self.failed = False  # the last attempt did, and none has succeeded since

    def start(self) -> None:
        self._workers = [asyncio.create_task(self._work()) for _ in range(CONNECTIONS)]

    async def aclose(self) -> None:
        """Finish what waits."""
        self._closed = True
        if not self.failed:
            await self._queue.join()
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def put(self, entry: AuditEntry) -> Receipt:
        """Make a record last.

        Raises:
            AuditUnavailable: it does not last, or nobody can tell.
        """
        if self._closed:
            raise AuditUnavailable(detail="the audit log has stopped")
        if self.failed:
            raise AuditUnavailable(detail="the log's database does not take records")
        if len(self._unnumbered) >= MAX_WAITING:
            raise AuditUnavailable(detail=f"{MAX_WAITING} records have no number yet")
        hash_ = leaf_hash(entry.leaf)
        future = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait(_Waiter(entry=entry, leaf_hash=hash_, future=future))
        except asyncio.QueueFull as error:
            raise AuditUnavailable(detail=f"{MAX_WAITING} records wait already") from error
        try:
            async with asyncio.timeout(self._timeout_s):
                at = await future
        except TimeoutError as error:
            raise AuditUnavailable(detail="the log's database was late") from error
        return Receipt(index=None, leaf_hash=hash_, at=at)

    async def _work(self) -> None:
        connection: Connection | None = None
        try:
            with suppress(*BROKEN):  # the first record need not wait for it
                connection = await self._address.connect("records")
            while True:
                group = [await self._queue.get()]
                while len(group) < MAX_GROUP and not self._queue.empty():
                    group.append(self._queue.get_nowait())
                asked = [waiter for waiter in group if not waiter.future.done()]
                try:
                    async with asyncio.timeout(self._timeout_s):
                        connection = await self._insert(connection, asked)
                except BROKEN as error:
                    drop(connection)
                    connection = None
                    self._refuse(asked, error)
                else:
                    self._release(asked)
                finally:
                    for _ in group:
                        self._queue.task_done()
        finally:
            drop(connection)

    async def _insert(self, connection: Connection | None, group: Sequence[_Waiter]) -> Connection:
        """Commit these, and give the connection that did it.

        Raises:
            any of `BROKEN`: they may last.
        """
        rows = (
            [waiter.leaf_hash for waiter in group],
            [waiter.entry.leaf for waiter in group],
            [waiter.entry.body for waiter in group],
            [mac_of(self._key, waiter.entry.leaf) for waiter in group],
        )
        if connection is not None:
            try:
                await connection.execute(_INSERT, *rows)
                return connection
            except TimeoutError:
                raise
            except DIED:
                drop(connection)
        connection = await self._address.connect("records")
        try:
            await connection.execute(_INSERT, *rows)
        except BaseException:
            drop(connection)
            raise
        return connection

    def _release(self, group: Sequence[_Waiter]) -> None:
        self.failed, at, now = False, self._clock(), time.monotonic()
        for waiter in group:
            self._unnumbered[waiter.leaf_hash] = now
            if not waiter.future.done():
                waiter.future.set_result(at)

    def _refuse(self, group: Sequence[_Waiter], error: Exception) -> None:
        self.failed = True
        _log.error("audit: records were not written: %s", type(error).__name__)
        for waiter in group:
            if not waiter.future.done():
                detail = f"the record was not written: {type(error).__name__}"
                waiter.future.set_exception(AuditUnavailable(detail=detail))

    # -- what the keeper asks now and then ----------------------------------------------------

    async def probe(self, connection: Connection) -> None:
        """After a failure: see whether the database takes records again; it keeps none of this.

        Raises:
            any of `BROKEN`: it does not.
        """
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(_INSERT, [b"\0" * 32], [b"probe"], [None], [b""])
        await transaction.rollback()
        self.failed = False

    @property
    def waited_s(self) -> float:
        """How long the oldest record that lasts has waited for its number."""
        oldest = next(iter(self._unnumbered.values()), None)
        return 0.0 if oldest is None else time.monotonic() - oldest

    async def lost(self, connection: Connection) -> int:
        """How many records, which the database had acknowledged, are neither waiting nor entered.

        Raises:
            any of `BROKEN`
        """
        if not self._unnumbered:
            return 0
        rows = await connection.fetch(_WHERE_THEY_ARE, list(self._unnumbered))
        for row in rows:
            if row["entered"]:
                self._unnumbered.pop(row["hash"], None)
        return sum(not row["entered"] and not row["waits"] for row in rows)
