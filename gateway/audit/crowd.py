"""Many failures of callers whom nobody knows are few entries, so that a flood buries nothing.

Up to ten in a second have an entry each. Of what comes beyond, all that failed alike within a
quarter of a second share one, which says how many they were and commits to their ids; each still
waits for its entry before it is answered.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from gateway.audit.keeper import Receipt
from gateway.audit.merkle import leaf_hash, root_of

ALONE: Final = 10  # in a second
TOGETHER_S: Final = 0.25
MOST: Final = 1_000  # in one entry
_NAMED: Final = 64  # addresses and causes of an entry that are told one by one
_OTHERS: Final = "others"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One request that ended before anybody was known."""

    id: str
    peer: str
    cause: str


Write = Callable[[Sequence[Failure]], Awaitable[Receipt]]


@dataclass(frozen=True, slots=True)
class _Group:
    failures: list[Failure]
    full: asyncio.Event
    written: asyncio.Task[Receipt]


class Crowd:
    """The failures that wait for an entry, by how they failed. Of one event loop."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._alone: deque[float] = deque(maxlen=ALONE)  # when the last of them came
        self._groups: dict[str, _Group] = {}

    async def join(self, alike: str, failure: Failure, write: Write) -> Receipt:
        """The receipt of the entry that tells of this failure, which lasts when this returns.

        `write` makes it of one failure, or of all that share it.

        Raises:
            AuditUnavailable: there is none.
        """
        group = self._groups.get(alike)
        if group is None:
            now = self._monotonic()
            if len(self._alone) < ALONE or now - self._alone[0] >= 1:
                self._alone.append(now)
                return await write([failure])
            group = self._groups[alike] = self._begun(alike, write)
        group.failures.append(failure)
        if len(group.failures) == MOST:
            del self._groups[alike]
            group.full.set()
        return await asyncio.shield(group.written)  # one caller who leaves does not end it

    def _begun(self, alike: str, write: Write) -> _Group:
        failures: list[Failure] = []
        full = asyncio.Event()

        async def written() -> Receipt:
            with suppress(TimeoutError):
                async with asyncio.timeout(TOGETHER_S):
                    await full.wait()
            if not full.is_set():
                del self._groups[alike]
            return await write(failures)

        task = asyncio.create_task(written())
        task.add_done_callback(_seen)
        return _Group(failures, full, task)


def _seen(task: asyncio.Task[Receipt]) -> None:
    """Whoever waited was told, or has left."""
    if not task.cancelled():
        task.exception()


def told(failures: Sequence[Failure]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the leaf says of them beside what it says of one, and what is sealed."""
    ids = [failure.id for failure in failures]
    root = root_of([leaf_hash(id_.encode()) for id_ in ids])
    leaf = {"crowd": {"count": len(ids), "requests": root.hex()}}
    peers = _most(failure.peer for failure in failures)
    causes = _most(failure.cause for failure in failures)
    return leaf, {"requests": ids, "peers": peers, "causes": causes}


def _most(values: Iterable[str]) -> dict[str, int]:
    """How often each occurs; the rarer ones together, where there are many."""
    counted = Counter(values).most_common()
    named = dict(counted[:_NAMED])
    if rest := sum(times for _, times in counted[_NAMED:]):
        named[_OTHERS] = rest
    return named
