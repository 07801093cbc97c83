"""One thing done over and over, for as long as the gateway runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from gateway.unforeseen import unforeseen


class Recurring:
    """Does it again after every pause until it is closed. A failure is logged, and the next turn
    comes: what a missed turn means is the affair of who asked for it."""

    def __init__(
        self,
        what: Callable[[], Awaitable[object]],
        *,
        every_s: float,
        name: str,
        log: logging.Logger,
    ) -> None:
        self._what = what
        self._every_s = every_s
        self._name = name
        self._log = log
        self._task: asyncio.Task[None] | None = None

    @property
    def started(self) -> bool:
        return self._task is not None

    def start(self, *, at_once: bool = False) -> None:
        """Begin: with a turn, or with a pause."""
        self._task = asyncio.create_task(self._run(0.0 if at_once else self._every_s))

    async def _run(self, pause_s: float) -> None:
        while True:
            await asyncio.sleep(pause_s)
            pause_s = self._every_s
            try:
                await self._what()
            except Exception as error:
                self._log.error("%s: %s", self._name, unforeseen(error))

    async def aclose(self) -> None:
        """End it, in the middle of a turn if need be."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
