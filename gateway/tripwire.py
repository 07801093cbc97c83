"""Records of which their owner is to learn that a question found them; the officer never does.

The obligation `notify_owner` carries the rows: ones that stay silent, ones that are shown because
the agencies lowered the victim firewall, or on their owner's condition that they are told of it. Of
the last the answer's own visit knows all. For the others, once the answer is on its way, the
gateway visits those sources once more for keys only, records that it did, and tells the owner's
desk of what it found. Whether it visits depends on the decision alone; what it finds is in no
answer, and neither in its timing nor in its size. The entries that it leaves are as many, found or
not, since an officer's next receipt counts them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from gateway.audit.recorder import Recorder
from gateway.casework.model import Notice, Officer, Told
from gateway.casework.store import Store
from gateway.errors import where_it_failed
from gateway.model import (
    AuthorisedPlan,
    Disclosed,
    FetchResult,
    Grant,
    Request,
    Results,
    Subject,
)
from gateway.policy.enforce import keys_of
from gateway.policy.obligations import RECORD_SHOWN, VICTIM_SHOWN, Tripwire, tripwires_of
from gateway.query.certain import certain
from gateway.query.fanout import FanOut
from gateway.query.whole import links_from

_WAITING: Final = 500  # questions whose silent records have not been looked for yet
_WORKERS: Final = 8  # with fewer, looks fall behind where many ask at once
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
    disclosed: AbstractSet[tuple[str, str, str | int]]


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
        self,
        request: Request,
        subject: Subject,
        agreed: AuthorisedPlan,
        results: Results,
        disclosed: Disclosed = (),
    ) -> None:
        """Have the silent records of an answered question looked for, and owners told of those
        that it showed on that condition."""
        if not tripwires_of(agreed.obligations):
            return
        due = Due(
            request=request,
            asker=Officer.of(subject),
            agreed=agreed,
            results=results,
            disclosed=frozenset(disclosed),
        )
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
        """Tell of what was shown on that condition; for the rest record, visit, tell, record."""
        reached = [
            (wire, due.agreed.grants[wire.resource])
            for wire in tripwires_of(due.agreed.obligations)
            if wire.resource in due.agreed.grants and _reached(due, wire)
        ]
        if shown := [one for wire, grant in reached for one in self._shown(due, wire, grant)]:
            await self._store.tell(*shown)
        wires = [(wire, grant) for wire, grant in reached if wire.about != RECORD_SHOWN]
        if not wires:
            return
        looking = self._audit.looking(
            due.request, self._new_id(), tuple(dict.fromkeys(w.agency for w, _ in wires))
        )
        await looking.intent([wire.resource for wire, _ in wires])
        visits, found = self._visits(due.request), list[tuple[Tripwire, FetchResult]]()
        for wire, grant in wires:
            keys = self._keys(due, grant)
            if grant.fetch.parent is None or keys:
                looked = await visits.look(due.agreed, _look_for(wire, grant), keys)
                found.append((wire, _among(due, wire, looked)))
        notices = [one for wire, result in found for one in self._notices(due, wire, result)]
        if notices:
            await self._store.tell(*notices)
        await looking.outcome(
            [
                (wire.resource, str(result.state), [str(record.key) for record in result.records])
                for wire, result in found
            ]
        )

    def _shown(self, due: Due, wire: Tripwire, grant: Grant) -> list[Notice]:
        """What is told of records that the answer showed: what their cases rest on was read."""
        if wire.about != RECORD_SHOWN:
            return []
        given, fetch = due.results[wire.resource], grant.fetch
        records = tuple(
            record
            for record in given.records
            if (fetch.source, fetch.entity, record.key) in due.disclosed
            and certain(wire.rows, record.values)
        )
        return self._notices(due, wire, replace(given, records=records))

    def _keys(self, due: Due, grant: Grant) -> tuple[object, ...]:
        """The link keys of a linked fetch, from the records that the officer was shown."""
        parent = due.results.get(grant.fetch.parent or "")
        if parent is None:
            return ()
        return links_from(parent.records, grant.fetch.link_from)

    def _notices(self, due: Due, wire: Tripwire, result: FetchResult) -> list[Notice]:
        now, fetch = self._clock(), due.agreed.grants[wire.resource].fetch
        return [
            Notice(
                id=self._new_id(),
                at=now,
                agency=wire.agency,
                desk=wire.desk,
                about=Told(wire.about),
                subject=due.request.id,
                record=self._seal(wire.agency, fetch.source, fetch.entity, record.key),
                asker=due.asker,
                on_call=wire.on_call,
                due_at=now + timedelta(seconds=wire.due_s),
            )
            for record in result.records
        ]


def _reached(due: Due, wire: Tripwire) -> bool:
    """Whether the officer's own visit was answered. Where it was not the officer was told so and
    met no silence, and asking that source again would only keep it from others."""
    own = due.results.get(wire.resource)
    return own is not None and not own.state.failed


def _look_for(wire: Tripwire, grant: Grant) -> Grant:
    """The same visit for the keys of the wire's rows alone: of silent ones the first, however the
    officer pages; of shown ones those from the officer's own page on."""
    if wire.about == VICTIM_SHOWN:
        return keys_of(grant, wire.rows, limit=grant.own.limit, after=grant.fetch.after)
    return keys_of(grant, wire.rows, limit=_MOST, after=None)


def _among(due: Due, wire: Tripwire, looked: FetchResult) -> FetchResult:
    """What was found, of what is told as shown only that which the officer's visit gave."""
    if wire.about != VICTIM_SHOWN:
        return looked
    given = {record.key for record in due.results[wire.resource].records}
    return replace(looked, records=tuple(r for r in looked.records if r.key in given))
