"""A log in PostgreSQL as one gateway writes and reads it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

import asyncpg

from gateway.audit.entry import AuditEntry
from gateway.audit.keeper import Receipt, Signed
from gateway.audit.keys import Signer
from gateway.audit.postgresql import reading
from gateway.audit.postgresql.database import (
    BROKEN,
    DIED,
    Address,
    Connection,
    answering,
    drop,
    unfit,
)
from gateway.audit.postgresql.leader import LEASE_S, Leader
from gateway.audit.postgresql.pending import Pending
from gateway.audit.postgresql.term import whole
from gateway.audit.verify import NoteInvalid, open_checkpoint
from gateway.errors import AuditUnavailable

_LOOK_S: Final = 0.25  # how often the head is looked at
_SOON_S: Final = 0.05  # the same for somebody who waits
_LATE_S: Final = 2.0  # a look that takes longer has failed
_READ_S: Final = 5.0
_PATIENCE_S: Final = 30.0  # how long a number is waited for, and a first checkpoint
_STUCK_S: Final = 10.0  # a record that has waited longer for its number is a fault
_SKEW: Final = timedelta(seconds=5)  # a clock that is further from the database's is suspect
_READERS: Final = 4

_HEAD: Final = """
SELECT h.size AS entered, clock_timestamp() AS at, c.serial, c.size, c.root, c.note
FROM audit_head h LEFT JOIN LATERAL (
    SELECT serial, size, root, note FROM audit_checkpoint ORDER BY serial DESC LIMIT 1
) c ON true
"""
_SIZE: Final = "SELECT size FROM audit_head"
_ENDED: Final = "SELECT upto FROM audit_reconciled"
_NUMBER: Final = "SELECT index FROM audit_entry WHERE hash = $1"
_BODY: Final = "SELECT body FROM audit_body WHERE index = $1"
_SEALED: Final = "SELECT index, body FROM audit_body WHERE index >= $1 AND index < $2"
_KEEP_WITNESSED: Final = "UPDATE audit_witnessed SET size = $1, note = $2 WHERE size <= $1"
_ERASE: Final = "DELETE FROM audit_body WHERE index = ANY ($1::bigint[])"
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class Shared:
    """A log in PostgreSQL that several gateways write (a `Keeper`). Of one event loop."""

    def __init__(
        self,
        replica: Address,
        sequencer: Address | None,
        *,
        signer: Signer,
        key: bytes,
        clock: Callable[[], datetime],
        idle_s: float,
        timeout_s: float,
        lease_s: float = LEASE_S,
    ) -> None:
        """Use `open`."""
        self._replica, self._sequencer, self._signer, self._key = replica, sequencer, signer, key
        self._pending = Pending(replica, key, clock=clock, timeout_s=timeout_s)
        self._leader: Leader | None = None
        if sequencer is not None:
            self._leader = Leader(
                sequencer, signer=signer, key=key, clock=clock, idle_s=idle_s, lease_s=lease_s
            )
        self._pool: Any = None
        self._watch: asyncio.Task[None] | None = None
        self._heard = False  # whether the last look at the head was answered
        self._stopped = ""  # why
        self._size, self._serial = 0, 0
        self._signed = Signed(size=0, root=b"", note=b"")
        self._epoch: datetime | None = None  # our monotonic clock's zero, by the database's clock

    @classmethod
    async def open(
        cls,
        replica: Address,
        sequencer: Address | None,
        *,
        signer: Signer,
        key: bytes,
        clock: Callable[[], datetime],
        idle_s: float,
        timeout_s: float,
        lease_s: float = LEASE_S,
    ) -> Shared:
        """Join the log in this database, and take a part in numbering if there is an address.

        Raises:
            AuditUnavailable: it cannot be reached, is not fit for a log, is another log's, damaged,
                or nobody signs it.
        """
        made = cls(
            replica,
            sequencer,
            signer=signer,
            key=key,
            clock=clock,
            idle_s=idle_s,
            timeout_s=timeout_s,
            lease_s=lease_s,
        )
        try:
            await made._start()
        except BaseException:
            await made.aclose()
            raise
        return made

    async def _start(self) -> None:
        parts = [(self._replica, "replica"), (self._sequencer, "sequencer")]
        for address, part in parts:
            if address is not None:
                await _demand_fit(address, part)
        with answering("the log's database"):
            self._pool = await asyncpg.create_pool(
                self._replica.dsn, min_size=0, max_size=_READERS, timeout=_READ_S
            )
            async with (
                asyncio.timeout(_READ_S),
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                await whole(connection, self._signer, self._key)
        if self._leader is not None:
            self._leader.start()
        self._watch = asyncio.create_task(self._run())
        ends = time.monotonic() + _PATIENCE_S
        while not self._signed.note:
            if self._stopped or time.monotonic() > ends:
                raise AuditUnavailable(detail=self._stopped or "no gateway signs the log")
            if self._leader is not None and self._leader.trouble and not self._leader.leading:
                raise AuditUnavailable(detail=self._leader.trouble)
            await asyncio.sleep(_SOON_S)
        self._pending.start()

    async def aclose(self) -> None:
        await self._pending.aclose()
        if self._leader is not None:
            await self._leader.aclose()
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        if self._pool is not None:
            self._pool.terminate()

    # -- writing -----------------------------------------------------------------------------

    async def put(self, entry: AuditEntry) -> Receipt:
        if self._stopped:
            raise AuditUnavailable(detail=f"the audit log has stopped: {self._stopped}")
        return await self._pending.put(entry)

    async def number(self, receipt: Receipt) -> int:
        ends = time.monotonic() + _PATIENCE_S
        while True:
            found = await self._read(lambda held: held.fetchval(_NUMBER, receipt.leaf_hash))
            if found is not None:
                return int(found)
            if time.monotonic() > ends:
                raise AuditUnavailable(detail="nobody gives records their numbers")
            await asyncio.sleep(_SOON_S)

    async def erase(self, indexes: Collection[int]) -> int:
        async with self._keeping_order() as connection:
            done = await connection.execute(_ERASE, list(indexes))
            return int(done.removeprefix("DELETE "))

    @property
    def leading(self) -> bool:
        return self._leader is not None and self._leader.leading

    def terms(self) -> list[int]:
        return self._leader.begun() if self._leader is not None else []

    async def ended(self) -> int:
        return int(await self._read(lambda held: held.fetchval(_ENDED)))

    async def have_ended(self, upto: int) -> None:
        async with self._keeping_order() as connection:
            await connection.execute("UPDATE audit_reconciled SET upto = $1", upto)

    async def witnessed(self) -> bytes | None:
        found: bytes | None = await self._read(lambda held: held.fetchval(reading.WITNESSED))
        return found

    async def keep_witnessed(self, signed: Signed) -> None:
        async with self._keeping_order() as connection:
            await connection.execute(_KEEP_WITNESSED, signed.size, signed.note)

    @asynccontextmanager
    async def _keeping_order(self) -> AsyncIterator[Connection]:
        """A connection of the role that may do more than give records; rarely needed."""
        if self._sequencer is None:
            raise AuditUnavailable(detail="this gateway has no address that may do this")
        connection: Connection | None = None
        try:
            with answering("the log's database"):
                async with asyncio.timeout(_READ_S):
                    connection = await self._sequencer.connect("keeping order")
                    yield connection
        finally:
            drop(connection)

    # -- how it stands -----------------------------------------------------------------------

    @property
    def healthy(self) -> bool:
        stuck = self._pending.waited_s > _STUCK_S
        return self._heard and not (self._stopped or self._pending.failed or stuck)

    @property
    def stopped(self) -> bool:
        return bool(self._stopped)

    @property
    def signed(self) -> Signed:
        return self._signed

    @property
    def size(self) -> int:
        return self._size

    def suspects(self, now: datetime) -> bool:
        if self._epoch is None:
            return False
        return abs(now - self._epoch - timedelta(seconds=time.monotonic())) > _SKEW

    async def _run(self) -> None:
        connection: Connection | None = None
        try:
            while not self._stopped:
                try:
                    async with asyncio.timeout(_LATE_S):
                        connection = connection or await self._replica.connect("watch")
                        await self._look(connection)
                    self._heard = True
                except BROKEN as error:
                    if self._heard:
                        _log.error("audit: the log's database: %s", type(error).__name__)
                    self._heard = False
                    drop(connection)
                    connection = None
                await asyncio.sleep(_LOOK_S)
        finally:
            drop(connection)

    async def _look(self, connection: Connection) -> None:
        """Learn how the log stands, and that it is still the one that we know."""
        row = await connection.fetchrow(_HEAD)
        self._epoch = row["at"] - timedelta(seconds=time.monotonic())
        if row["serial"] is not None and row["serial"] != self._serial:
            self._learn(row)
        if row["entered"] < max(self._size, self._signed.size):
            self._stop("the log has fewer entries than it had")
        self._size = max(self._size, row["entered"])
        if self._pending.failed:
            await self._pending.probe(connection)
        if lost := await self._pending.lost(connection):
            self._stop(f"the database lost {lost} records that it had acknowledged")

    def _learn(self, row: Any) -> None:
        """Take note of a new checkpoint; one that takes something back stops us."""
        try:
            said = open_checkpoint(row["note"], self._signer.verifier)
        except NoteInvalid as error:
            self._stop(f"its checkpoint: {error}")
            return
        old = self._signed
        if said.size < old.size or (said.size == old.size and old.note and said.root != old.root):
            self._stop("its checkpoint takes back what was signed before")
            return
        self._serial = row["serial"]
        self._signed = Signed(size=said.size, root=said.root, note=row["note"])

    def _stop(self, why: str) -> None:
        self._stopped = self._stopped or why
        _log.critical("audit: the log stopped: %s", why)

    # -- reading -----------------------------------------------------------------------------

    async def in_tree(self, index: int) -> Signed:
        while not 0 <= index < self._signed.size:
            if not 0 <= index < self._size:
                size = await self._read(lambda held: held.fetchval(_SIZE))
                if not 0 <= index < size:
                    raise LookupError(f"no record {index} among {size}")
            if self._stopped:
                raise AuditUnavailable(detail=f"the audit log has stopped: {self._stopped}")
            await asyncio.sleep(_SOON_S)
        return self._signed

    async def leaf(self, index: int) -> bytes:
        found = await self._read(partial(reading.leaves, start=index, end=index + 1))
        if not found:
            raise LookupError(f"no record {index}")
        return found[0]

    async def tile(self, level: int | str, number: int, width: int) -> bytes:
        return await self._read(partial(reading.tile, level=level, number=number, width=width))

    async def bodies(self, index: int) -> list[bytes]:
        found = await self._read(lambda held: held.fetchval(_BODY, index))
        return [] if found is None else [found]

    async def sealed(self, first: int, count: int) -> dict[int, list[bytes]]:
        rows = await self._read(lambda held: held.fetch(_SEALED, first, first + count))
        return {row[0]: [row[1]] for row in rows}

    async def _read(self, what: Callable[[Connection], Awaitable[_T]]) -> _T:
        """What somebody reads; again, where the connection at hand had died unnoticed.

        Raises:
            AuditUnavailable: it cannot be read.
        """
        with answering("the log cannot be read"):
            async with asyncio.timeout(_READ_S):
                for _ in range(_READERS):
                    with suppress(*DIED):
                        async with self._pool.acquire() as connection:
                            return await what(connection)
                async with self._pool.acquire() as connection:
                    return await what(connection)


async def _demand_fit(address: Address, part: str) -> None:
    """See that the database may be trusted with a log.

    Raises:
        AuditUnavailable: it cannot be reached, or may not.
    """
    connection: Connection | None = None
    try:
        with answering("the log's database cannot be reached"):
            async with asyncio.timeout(_READ_S):
                connection = await address.connect("start")
                found = await unfit(connection, part)
    finally:
        drop(connection)
    if found:
        raise AuditUnavailable(detail=f"the log's database: {'; '.join(found)}")
