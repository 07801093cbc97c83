"""Silent records that a question would have found: their owner learns it, the officer never does.

The obligation `notify_owner` carries the rows that stay silent. Once the answer is on its way, the
gateway visits those sources once more for keys only, records that it did, and tells the owner's
desk of what it found. Whether it visits depends on the decision alone; what it finds is in no
answer, and neither in its timing nor in its size. The entries that it leaves are as many, found or
not, since an officer's next receipt counts them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from gateway.audit.recorder import Recorder
from gateway.casework.model import Notice, Officer, Told
from gateway.casework.store import Store
from gateway.errors import where_it_failed
from gateway.model import (
    AuthorisedPlan,
    FetchResult,
    Grant,
    PartGrant,
    Request,
    Results,
    Show,
    Subject,
)
from gateway.policy.obligations import Tripwire, tripwires_of
from gateway.query.fanout import FanOut
from gateway.query.visit import link_keys

_WAITING: Final = 500  # questions whose silent records have not been looked for yet
_WORKERS: Final = 2
_AFTER_S: Final = 0.05  # the answer itself goes first
_MOST: Final = 20  # silent records told of one visit

_log = logging.getLogger(__name__)

Visits = Callable[[Request], FanOut]
"""What visits sources on behalf of a request, with time of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One question that was answered, and what is still to be looked for."""

    request: Request
    asker: Officer
    agreed: AuthorisedPlan
    results: Results


class Tripwires:
    """Looks for silent records after answers have left, a few at a time."""

    def __init__(
        self,
        *,
        visits: Visits,
        seal: Callable[[str, str, str, str | int], str],
        audit: Recorder,
        store: Store,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._visits = visits
        self._seal = seal
        self._audit = audit
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._queue: asyncio.Queue[Due] = asyncio.Queue(_WAITING)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def room(self) -> bool:
        """Whether one more can be promised; a question that cannot be followed is not answered."""
        return not self._queue.full()

    def put(
        self, request: Request, subject: Subject, agreed: AuthorisedPlan, results: Results
    ) -> None:
        """Have the silent records of an answered question looked for."""
        if not tripwires_of(agreed.obligations):
            return
        asker = Officer.of(subject)
        due = Due(request=request, asker=asker, agreed=agreed, results=results)
        try:
            self._queue.put_nowait(due)
        except asyncio.QueueFull:  # many were promised the last place at once
            _log.error("query %s: its silent records were not looked for", request.id)

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._run()) for _ in range(_WORKERS)]

    async def aclose(self) -> None:
        """Finish what waits, for as long as a query may take, and stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10.0):
                await self.settled()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def settled(self) -> None:
        """Return once nothing waits."""
        await self._queue.join()

    async def _run(self) -> None:
        while True:
            due = await self._queue.get()
            try:
                await asyncio.sleep(_AFTER_S)
                await self._look(due)
            except Exception as error:
                _log.error("query %s: silent records: %s", due.request.id, where_it_failed(error))
            finally:
                self._queue.task_done()

    async def _look(self, due: Due) -> None:
        """Record, visit, tell, record."""
        wires = [
            (wire, due.agreed.grants[wire.resource])
            for wire in tripwires_of(due.agreed.obligations)
            if wire.resource in due.agreed.grants
        ]
        if not wires:
            return
        looking = self._audit.looking(
            due.request, self._new_id(), tuple(dict.fromkeys(w.agency for w, _ in wires))
        )
        await looking.intent([wire.resource for wire, _ in wires])
        visits, found = self._visits(due.request), dict[str, FetchResult]()
        for wire, grant in wires:
            keys = self._keys(due, grant)
            if grant.fetch.parent is None or keys:
                found[wire.resource] = await visits.look(due.agreed, _silent(grant, wire), keys)
        notices = [
            notice
            for wire, _ in wires
            if wire.resource in found
            for notice in self._notices(due, wire, found[wire.resource])
        ]
        if notices:
            await self._store.tell(*notices)
        await looking.outcome(
            {
                resource: (str(result.state), [str(record.key) for record in result.records])
                for resource, result in found.items()
            }
        )

    def _keys(self, due: Due, grant: Grant) -> tuple[object, ...]:
        """The link keys of a linked fetch, from the records that the officer was shown."""
        parent = due.results.get(grant.fetch.parent or "")
        if parent is None:
            return ()
        return tuple(dict.fromkeys(link_keys(parent.records, grant.fetch.link_from)))

    def _notices(self, due: Due, wire: Tripwire, result: FetchResult) -> list[Notice]:
        now, fetch = self._clock(), due.agreed.grants[wire.resource].fetch
        return [
            Notice(
                id=self._new_id(),
                at=now,
                agency=wire.agency,
                desk=wire.desk,
                about=Told.SILENT_MATCH,
                subject=due.request.id,
                record=self._seal(wire.agency, fetch.source, fetch.entity, record.key),
                asker=due.asker,
                on_call=wire.on_call,
                due_at=now + timedelta(seconds=wire.due_s),
            )
            for record in result.records
        ]


def _silent(grant: Grant, wire: Tripwire) -> Grant:
    """The same visit for the keys of the rows that stay silent, and of nothing else."""
    part = replace(grant.own.part, reads=frozenset())
    own = PartGrant(part=part, show=Show.HIT, limit=_MOST, rows=wire.rows)
    elements: Mapping[str, PartGrant] = {
        path: replace(held, show=None, read={}) for path, held in grant.parts.items() if path
    }
    return Grant(fetch=replace(grant.fetch, limit=_MOST, after=None), parts={"": own, **elements})
