"""How long the reason in words of a release request is kept: a while after the request ended.

Whoever decides needs it, and whoever asks later why something was shown. Then it is erased for
good; codes, times, fields and verdicts stay. The log says beforehand how much is erased.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from gateway.casework.store import Store
from gateway.recurring import Recurring

_EVERY_S: Final = 3600.0
_log = logging.getLogger(__name__)


class Retention:
    """Erases reasons whose time is over, once an hour. `record` writes, durably, that so many of
    what ended before a moment will be erased."""

    def __init__(
        self,
        store: Store,
        *,
        kept: timedelta,
        clock: Callable[[], datetime],
        record: Callable[[int, datetime], Awaitable[None]],
    ) -> None:
        self._store = store
        self._kept = kept
        self._clock = clock
        self._record = record
        self._turns = Recurring(self.erase, every_s=_EVERY_S, name="reasons kept", log=_log)

    async def erase(self) -> int:
        """Erase what is over now; how many reasons that were.

        Raises:
            AuditUnavailable: it cannot be recorded, so nothing is erased.
            CaseworkUnavailable: the records cannot be reached.
        """
        before = self._clock() - self._kept
        if not (due := await self._store.reasons_over(before)):
            return 0
        await self._record(due, before)
        return await self._store.erase_reasons(before)

    def start(self) -> None:
        """Keep to it until `aclose`, beginning now."""
        self._turns.start(at_once=True)

    async def aclose(self) -> None:
        await self._turns.aclose()
