"""The queue of misuse as a gateway that runs has it: from its index, and from the feeds of staff.

Each is made by a process of its own (`ranking.py`), one at a time, and ended if it takes too long.
A queue stands for a minute, or for ten times as long as it took: until then whoever looks again
sees the same. Whoever asks for one that is not made soon is told so, and given the one before.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from gateway.audit.apart import NotDone, apart, program_of
from gateway.audit.following import Follower
from gateway.audit.misuse import Queue
from gateway.audit.ranking import Order, Ranked
from gateway.errors import CaseworkUnavailable, LimitExceeded

PERIODS: Final = (7, 28, 91)  # days
_STANDS_S: Final = 60.0
_STANDS_TIMES: Final = 10  # what costs much is made seldom
_PATIENCE_S: Final = 8.0  # how long one request waits
_ENDED_S: Final = 300.0
_PROGRAM: Final = program_of("gateway.audit.ranking")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A queue, and when it was made."""

    queue: Queue
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    ranked: Ranked
    at: datetime
    done: float
    took: float

    @property
    def stands(self) -> bool:
        return time.monotonic() - self.done < max(_STANDS_S, _STANDS_TIMES * self.took)


class Queues:
    """Makes queues for auditors. Who sees which agency's is the caller's to see to."""

    def __init__(
        self,
        *,
        follower: Follower,
        index: Path,
        keys: Path,
        feeds: Path,
        agencies: Sequence[str],  # whose people sign in here
        clock: Callable[[], datetime],
        patience_s: float = _PATIENCE_S,
        program: Sequence[str] = _PROGRAM,
        ended_s: float = _ENDED_S,
    ) -> None:
        self._follower = follower
        self._index, self._keys, self._feeds = index.resolve(), keys.resolve(), feeds.resolve()
        self._agencies = tuple(agencies)
        self._clock = clock
        self._patience_s, self._program, self._ended_s = patience_s, tuple(program), ended_s
        self._turn = asyncio.Lock()
        self._making: dict[int, asyncio.Task[_Held]] = {}
        self._held: dict[int, _Held] = {}
        self._failed: dict[int, float] = {}

    async def queue(self, days: int, agency: str | None) -> Made | None:
        """The cases of the last so many days, the strongest first; of one agency's people alone,
        or of all. None while it is being made.

        Raises:
            LimitExceeded: no such period, or too much was asked in it.
            CaseworkUnavailable: the queue cannot be made.
        """
        if days not in PERIODS:
            raise LimitExceeded(f"days: one of {', '.join(map(str, PERIODS))}.")
        held = self._held.get(days)
        if held is None or not held.stands:
            self._check(days)
            with contextlib.suppress(TimeoutError):
                held = await asyncio.wait_for(asyncio.shield(self._begun(days)), self._patience_s)
        if held is None:
            return None
        if held.ranked.many:
            text = f"{held.ranked.many} queries are too many to look through. Choose fewer days."
            raise LimitExceeded(text)
        found = held.ranked.queues.get(agency)
        found = found or Queue(cases=(), looked_at=0, missing=())  # nobody of it signs in here
        return Made(queue=found, at=held.at)

    async def aclose(self) -> None:
        """End what is being made."""
        making = tuple(self._making.values())
        for task in making:
            task.cancel()
        await asyncio.gather(*making, return_exceptions=True)

    def _check(self, days: int) -> None:
        """Whether it is worth to begin: what failed a moment ago does so again."""
        _ = self._follower.index  # raises, where there is none yet
        if time.monotonic() - self._failed.get(days, -_STANDS_S) < _STANDS_S:
            raise _not_made("it failed within the last minute")

    def _begun(self, days: int) -> asyncio.Task[_Held]:
        if (task := self._making.get(days)) is None:
            task = self._making[days] = asyncio.create_task(self._made(days))
            task.add_done_callback(lambda done: self._ended(days, done))
        return task

    def _ended(self, days: int, task: asyncio.Task[_Held]) -> None:
        del self._making[days]
        if task.cancelled():
            return
        if error := task.exception():
            self._failed[days] = time.monotonic()
            detail = (
                error.detail if isinstance(error, CaseworkUnavailable) else type(error).__name__
            )
            _log.error("the queue of misuse is not made: %s", detail)
            return
        self._held[days] = task.result()

    async def _made(self, days: int) -> _Held:
        async with self._turn:
            until, began = self._clock(), time.monotonic()
            order = Order(
                index=self._index,
                keys=self._keys,
                feeds=self._feeds,
                agencies=self._agencies,
                since=until - timedelta(days=days),
                until=until,
            )
            made = await self._ranked(order)
        for fault in made.faults:
            _log.error("a feed cannot be used: %s", fault)
        done = time.monotonic()
        return _Held(ranked=made, at=until, done=done, took=done - began)

    async def _ranked(self, order: Order) -> Ranked:
        """By a process of its own.

        Raises:
            CaseworkUnavailable: it fails, or takes too long.
        """

        async def given() -> AsyncIterator[bytes]:
            yield order.text()

        try:
            return Ranked.of(await apart(self._program, given(), ended_s=self._ended_s))
        except NotDone as error:
            raise _not_made(str(error)) from error


def _not_made(detail: str) -> CaseworkUnavailable:
    text = "The queue cannot be made at the moment. Try again later."
    return CaseworkUnavailable(text, detail=detail)
