"""The queue of misuse as a gateway that runs makes it: from its index, and from the feeds of staff.

One queue is made at a time, and what was made stands for a minute: whoever looks again soon sees
the same.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from gateway.audit.following import Follower
from gateway.audit.keys import AuditKeys
from gateway.audit.misuse import Queue, queue
from gateway.audit.staff import Feed, quarters, staff_of, tokens_of, watch_list
from gateway.errors import CaseworkUnavailable, ConfigError, LimitExceeded

PERIODS: Final = (7, 28, 91)  # days
MOST_CASES: Final = 200
_STANDS_S: Final = 60.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Made:
    at: float
    queue: Queue


@dataclass(frozen=True, kw_only=True)
class Queues:
    """Makes queues for auditors. Who sees which agency's is the caller's to see to."""

    follower: Follower
    keys: AuditKeys
    folder: Path  # the feeds
    agencies: Sequence[str]  # whose people sign in here
    clock: Callable[[], datetime]
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _made: dict[tuple[int, str | None], _Made] = field(default_factory=dict)

    async def queue(self, days: int, agency: str | None) -> Queue:
        """The cases of the last so many days, the strongest first; of one agency's people alone,
        or of all.

        Raises:
            LimitExceeded: no such period.
            CaseworkUnavailable: the index cannot be read.
        """
        if days not in PERIODS:
            raise LimitExceeded(f"days: one of {', '.join(map(str, PERIODS))}.")
        async with self._turn:
            known = self._made.get((days, agency))
            if known is not None and time.monotonic() - known.at < _STANDS_S:
                return known.queue
            try:
                made = await asyncio.to_thread(self._queue, days, agency)
            except OSError as error:
                text = "The record cannot be searched at the moment. Try again later."
                raise CaseworkUnavailable(text, detail=type(error).__name__) from error
            self._made[days, agency] = _Made(time.monotonic(), made)
            return made

    def _queue(self, days: int, agency: str | None) -> Queue:
        until = self.clock()
        since = until - timedelta(days=days)
        within = quarters(since, until)
        tokens = tokens_of(self.keys)
        faults: list[str] = []

        def read(what: str, made: Callable[[], Feed | None]) -> Feed | None:
            try:
                return made()
            except ConfigError as error:  # its text names file, line and column, and no value
                _log.error("%s cannot be used: %s", what, error)
                faults.append(f"{what} cannot be used: whoever keeps this gateway is told why.")
                return None

        feeds = [
            read(f"The staff feed of {one}", lambda one=one: staff_of(  # type: ignore[misc]
                self.folder, one, tokens, within
            ))
            for one in self.agencies
        ]  # fmt: skip
        made = queue(
            self.follower.index,
            since=since,
            until=until,
            staff=[feed for feed in feeds if feed is not None],
            watch=read("The watch list", lambda: watch_list(self.folder, tokens, within)),
            agency=agency,
            limit=MOST_CASES,
        )
        own = [one for one in faults if agency is None or agency in one or "watch list" in one]
        return replace(made, missing=(*own, *made.missing))
