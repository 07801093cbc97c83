"""Who gives the numbers: of all gateways one, as long as it is heard of.

Whoever holds an advisory lock serves a `Term`; the others ask for it twice a second. The lease is
the database's to enforce: it ends a session from which nothing has come for so long, inside a
transaction or outside, and with it goes the lock. A session in the middle of a statement has no
such limit (one that was stopped between a statement and its values, say): whoever asks for the
lock has it ended. That keeps the log moving; that there is one sequence does not depend on it
(`term`). The way there must keep sessions apart, so no pool that hands one session to several
clients may stand between.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Final

from gateway.audit.keys import Signer
from gateway.audit.postgresql.database import BROKEN, Address, Connection, drop
from gateway.audit.postgresql.term import MAX_BATCH, Superseded, Term
from gateway.errors import AuditUnavailable

LEASE_S: Final = 3.0
_BATCH_S: Final = 0.1  # how long records are gathered for one transaction
_SIGN_S: Final = 0.5  # how far apart checkpoints are while there are records
_AGAIN_S: Final = 0.5  # until the lock is asked for again, or a failure is tried again
_TURN_S: Final = 5.0  # a transaction that takes longer has failed
LOCK: Final = int.from_bytes(sha256(b"portcullis audit sequencer").digest()[:8], signed=True)
_ELECT: Final = "SELECT pg_try_advisory_lock($1)"
_END_SILENT: Final = """
SELECT pg_terminate_backend(pid)
FROM pg_locks JOIN pg_stat_activity USING (pid) JOIN pg_database ON oid = database
WHERE locktype = 'advisory' AND pg_database.datname = current_database()
    AND (classid::bigint << 32 | objid::bigint) = $1 AND objsubid = 1 AND granted
    AND wait_event_type = 'Client' AND state_change < clock_timestamp() - $2 * interval '1 second'
"""
_log = logging.getLogger(__name__)


class Leader:
    """One gateway's part in giving records their numbers."""

    def __init__(
        self,
        address: Address,
        *,
        signer: Signer,
        key: bytes,
        clock: Callable[[], datetime],
        idle_s: float,
        lease_s: float = LEASE_S,
    ) -> None:
        self._address, self._signer, self._key = address, signer, key
        self._clock, self._idle_s, self._lease_s = clock, idle_s, lease_s
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self.leading = False
        self.trouble = ""  # what kept us from it last
        self._begun: list[int] = []

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    def begun(self) -> list[int]:
        """The numbers of the terms that were begun here and not asked for yet."""
        told, self._begun = self._begun, []
        return told

    async def aclose(self) -> None:
        """Number and sign what waits, if it is our turn, and let others have theirs."""
        self._closing = True
        if self._task is not None:
            done, _ = await asyncio.wait([self._task], timeout=_TURN_S)
            if not done:
                self._task.cancel()
                await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            last = self._closing  # whoever ends tries once more: nobody else may be there
            try:
                await self._serve()
                return
            except Superseded:
                self._say("another gateway numbers records now; nothing of ours was changed")
            except AuditUnavailable as error:
                self._say(error.detail)
            except BROKEN as error:
                self._say(f"the sequencer's connection: {type(error).__name__}")
            finally:
                self.leading = False
            if last:
                return
            await asyncio.sleep(0 if self._closing else _AGAIN_S)

    def _say(self, text: str) -> None:
        if text != self.trouble:  # not twice a second while it lasts
            _log.error("audit: %s", text)
        self.trouble = text

    async def _serve(self) -> None:
        """One term, from waiting for it to its end; nothing else ends without an error."""
        lease_ms = str(int(self._lease_s * 1000))
        connection: Connection | None = None
        try:
            async with asyncio.timeout(_TURN_S):
                connection = await self._address.connect(
                    "sequencer",
                    idle_session_timeout=lease_ms,
                    idle_in_transaction_session_timeout=lease_ms,
                    tcp_user_timeout=lease_ms,
                )
            while not await self._elected(connection):
                if self._closing and not await self._waiting(connection):
                    return  # who leads has numbered what is ours; if nobody leads, it is our turn
                await asyncio.sleep(min(_AGAIN_S, self._lease_s / 2))
            async with asyncio.timeout(_TURN_S):
                term = await Term.begin(
                    connection, signer=self._signer, key=self._key, clock=self._clock
                )
            self.leading, self.trouble = True, ""
            self._begun.append(term.fence)
            await self._lead(term)
        finally:
            drop(connection)

    async def _elected(self, connection: Connection) -> bool:
        async with asyncio.timeout(_TURN_S):
            if await connection.fetchval(_ELECT, LOCK):
                return True
            await connection.execute(_END_SILENT, LOCK, self._lease_s)
            return False

    async def _waiting(self, connection: Connection) -> bool:
        async with asyncio.timeout(_TURN_S):
            return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM audit_pending)"))

    async def _lead(self, term: Term) -> None:
        signed_at = time.monotonic()
        while True:
            last = self._closing
            async with asyncio.timeout(_TURN_S):
                moved = await term.number()
                behind = term.edge.size > term.signed.size
                waited = time.monotonic() - signed_at
                done = last and not moved
                if waited >= (_SIGN_S if behind else self._idle_s) or (done and behind):
                    await term.sign()
                    signed_at = time.monotonic()
            if done:
                return
            if moved < MAX_BATCH:
                await asyncio.sleep(min(_BATCH_S, self._lease_s / 3))
