"""How long words are kept that somebody wrote to somebody: a while after what they were for ended.

They are the reason of a release request, which whoever decides needs, and whoever asks later why
something was shown; and what a recall says, with its record's key. Then they are erased for good;
codes, times, fields and verdicts stay. The log says beforehand how much is erased.
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
    """Erases what is over, once an hour. `record` writes, durably, that so many of a kind that
    ended before a moment will be erased."""

    def __init__(
        self,
        store: Store,
        *,
        kept: timedelta,
        clock: Callable[[], datetime],
        record: Callable[[str, int, datetime], Awaitable[None]],
    ) -> None:
        self._store = store
        self._kept = kept
        self._clock = clock
        self._record = record
        self._turns = Recurring(self.erase, every_s=_EVERY_S, name="words kept", log=_log)

    async def erase(self) -> int:
        """Erase what is over now; of how many requests and recalls.

        Raises:
            AuditUnavailable: it cannot be recorded, so nothing is erased.
            CaseworkUnavailable: the records cannot be reached.
        """
        before, store = self._clock() - self._kept, self._store
        erased = 0
        for what, over, erase in (
            ("reasons of release requests", store.reasons_over, store.erase_reasons),
            ("words and keys of recalls", store.recalls_over, store.erase_recalls),
        ):
            if due := await over(before):
                await self._record(what, due, before)
                erased += await erase(before)
        return erased

    def start(self) -> None:
        """Keep to it until `aclose`, beginning now."""
        self._turns.start(at_once=True)

    async def aclose(self) -> None:
        await self._turns.aclose()
