"""Intents that nobody will answer any more are closed, by an entry that says so.

A gateway that is killed, or cut off from its log, leaves an intent without an outcome: nothing was
released, since an answer leaves only after its outcome lasts. Once such an intent has stood in the
tree for twice as long as a query may take, the gateway that keeps the log in order writes its
outcome, `abandoned`. How long is measured by watching, so that no clock of another machine matters.
An outcome that comes after all, from a process that was suspended, is not undone by it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gateway.audit.entry import Json, Kind, Tag, read_leaf
from gateway.audit.log import AuditLog
from gateway.audit.merkle import ENTRIES, TILE_WIDTH, leaf_hash
from gateway.audit.store import unpack
from gateway.recurring import Recurring

_BUNDLES: Final = 256  # read in one turn at most: a log that has grown meanwhile takes several
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    """An intent that has no outcome yet."""

    index: int
    leaf_hash: bytes
    seen_at: float  # monotonic seconds


class Reconciler:
    """Closes what was cut off, for as long as this process is the one to do it."""

    def __init__(
        self,
        log: AuditLog,
        *,
        gateway: str,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        after_s: float,
    ) -> None:
        """`after_s` is at least twice the seconds that a query may take."""
        self._log, self._gateway, self._clock = log, gateway, clock
        self._monotonic, self._after_s = monotonic, after_s
        self._ours = False  # whether it was our turn
        self._read_upto = 0
        self._open: dict[str, _Open] = {}  # by request id
        self._turns = Recurring(self.tick, every_s=after_s / 4, name="reconciler", log=_log)

    def start(self) -> None:
        self._turns.start()

    async def aclose(self) -> None:
        await self._turns.aclose()

    async def tick(self) -> None:
        """Read what is new in the tree, and close what has been open for too long.

        Raises:
            AuditUnavailable: the log cannot be read or written; the next turn tries again.
        """
        keeper = self._log.keeper
        if not keeper.leading:
            self._ours = False
            return
        if not self._ours:
            self._read_upto, self._open = await keeper.ended(), {}
            self._ours = True
        before = self._ended()
        await self._read(keeper.signed.size)
        now = self._monotonic()
        due = {id_: one for id_, one in self._open.items() if now - one.seen_at >= self._after_s}
        for request_id, one in due.items():
            await self._close(request_id, one)
            del self._open[request_id]
        if self._ended() != before:
            await keeper.have_ended(self._ended())

    async def _read(self, size: int) -> None:
        for _ in range(_BUNDLES):
            number, skip = divmod(self._read_upto, TILE_WIDTH)
            width = min(TILE_WIDTH, size - number * TILE_WIDTH)
            if width <= skip:
                return
            bundle = await self._log.keeper.tile(ENTRIES, number, width)
            for leaf in unpack(bundle)[skip:]:
                self._take(self._read_upto, leaf, read_leaf(leaf))
                self._read_upto += 1
            await asyncio.sleep(0)  # queries go first

    def _take(self, index: int, data: bytes, leaf: dict[str, Any]) -> None:
        match leaf.get("kind"):
            case Kind.INTENT:
                self._open[str(leaf["request_id"])] = _Open(
                    index=index, leaf_hash=leaf_hash(data), seen_at=self._monotonic()
                )
            case Kind.OUTCOME:
                self._open.pop(str(leaf["request_id"]), None)

    def _ended(self) -> int:
        """Up to which record every intent has its outcome."""
        return min((one.index for one in self._open.values()), default=self._read_upto)

    async def _close(self, request_id: str, one: _Open) -> None:
        leaf: dict[str, Json] = {
            "kind": Kind.OUTCOME.value,
            "tag": Tag.CONSULTATION.value,
            "request_id": request_id,
            "intent": one.leaf_hash.hex(),
            "gateway": self._gateway,
            "at": self._clock().isoformat(timespec="microseconds"),
            "abandoned": True,
        }
        await self._log.append(leaf)
        _log.warning("audit: query %s was cut off: nothing was released", request_id)
