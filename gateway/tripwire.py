"""Records of which their owner is to learn that a question found them; the officer never does.

The obligation `notify_owner` carries the rows: ones that stay silent, elements of records that do,
such as a discreet marker, ones that are shown because the agencies lowered the victim firewall, or
on their owner's condition that they are told of it. Of the last the answer's own visit knows all.
For the others, once the answer is on its way, the gateway visits those sources once more for keys
only, records that it did, and tells the owner's desk of what it found. Whether it visits depends on
the decision and on which sources answered; what it finds is in no answer, and neither in its timing
nor in its size. The entries that it leaves are as many, found or not, since an officer's next
receipt counts them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Final, TypeAlias

from gateway.audit.recorder import Recorder
from gateway.casework.model import Notice, Officer, Told
from gateway.casework.store import Store
from gateway.model import (
    FetchResult,
    Grant,
    Record,
    Request,
    Show,
    State,
)
from gateway.policy.enforce import elements_of, keys_of
from gateway.policy.obligations import RECORD_SHOWN, VICTIM_SHOWN, Tripwire, tripwires_of
from gateway.ports import Answered
from gateway.query.certain import certain
from gateway.query.fanout import FanOut
from gateway.query.whole import links_from
from gateway.unforeseen import unforeseen

_WAITING: Final = 500  # questions whose silent records have not been looked for yet
_PATIENCE_S: Final = 2.0  # how long a question waits until these are fewer, before it is refused
_AT_ONCE: Final = 64  # most of them wait for a turn at a source
_EACH: Final = 2  # looks at one source at a time: most of its connections are for officers
_AFTER_S: Final = 0.05  # the answer itself goes first
_AGAIN_S: Final = 1.0  # until a look that failed, or notices that were not kept, are tried again
_ENOUGH: Final = 3  # of them fail one after the other, and no more are tried just then
_PROMISED_S: Final = 15.0  # a question that is not answered by then will not be
_MOST: Final = 20  # silent records told of one visit

_log = logging.getLogger(__name__)

Visits = Callable[[Request], FanOut]
"""What visits sources on behalf of a request, with time of its own."""

_Wire: TypeAlias = tuple[Tripwire, Grant]  # what trips, and the officer's own visit


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
        self._queue: asyncio.Queue[Answered] = asyncio.Queue()
        self._promised: deque[float] = deque()  # when a question was
        self._fewer = asyncio.Event()
        self._untold = list[Notice]()
        self._telling = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._turns = defaultdict[str, asyncio.Semaphore](partial(asyncio.Semaphore, _EACH))

    async def room(self) -> bool:
        """Whether one more can be promised; a question that cannot be followed is not answered.

        Where looks fall behind, who asks is slowed down to their pace before anybody is refused.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                while self._taken() >= _WAITING:
                    self._fewer.clear()
                    await self._fewer.wait()
        if self._taken() >= _WAITING:
            return False
        self._promised.append(monotonic())
        return True

    def _taken(self) -> int:
        """How many wait, and will: of those that were promised it, who did not end some other
        way."""
        while self._promised and self._promised[0] < monotonic() - _PROMISED_S:
            self._promised.popleft()
        return self._queue.qsize() + len(self._promised)

    def put(self, answered: Answered) -> None:
        """Have the silent records of an answered question looked for, and owners told of those
        that it showed on that condition."""
        if tripwires_of(answered.agreed.obligations):
            if self._promised:
                self._promised.popleft()
            self._queue.put_nowait(answered)

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._run()) for _ in range(_AT_ONCE)]

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
            self._fewer.set()
            try:
                await asyncio.sleep(_AFTER_S)
                await self._look(due)
            except Exception as error:
                _log.error("query %s: silent records: %s", due.request.id, unforeseen(error))
            finally:
                self._queue.task_done()

    async def _look(self, due: Answered) -> None:
        """Tell of what was shown on that condition; for the rest record, visit, tell, record."""
        reached = [
            (wire, due.agreed.grants[wire.fetch])
            for wire in tripwires_of(due.agreed.obligations)
            if wire.fetch in due.agreed.grants and _reached(due, wire)
        ]
        if shown := [one for one in reached if one[0].about == RECORD_SHOWN]:
            disclosed = frozenset(due.disclosed)
            told_of = (self._shown(due, *one, disclosed) for one in shown)
            await self._tell([notice for some in told_of for notice in some])
        wires = [one for one in reached if one[0].about != RECORD_SHOWN]
        if not wires:
            return
        told = {agency for wire, _ in wires for agency in wire.desks}
        looks = {a: self._audit.looking(due.request, self._new_id(), a) for a in sorted(told)}
        await asyncio.gather(*(
            look.intent([wire.resource for wire, _ in wires if agency in wire.desks])
            for agency, look in looks.items()
        ))  # fmt: skip
        given, notices = await self._given(due, wires), list[Notice]()
        found: dict[str, list[tuple[str, str, list[str]]]] = {agency: [] for agency in looks}
        for (wire, grant), looked in zip(wires, given, strict=True):
            owned = _by_owner(wire, grant, looked.records)
            for agency in wire.desks:
                records = owned.get(agency, [])
                keys = [str(record.key) for record in records]
                found[agency].append((wire.resource, str(looked.state), keys))
                notices += (self._notice(due, wire, agency, record) for record in records)
        # as soon, found or not: telling may have to wait, and the entries can be counted
        await asyncio.gather(*(look.outcome(found[agency]) for agency, look in looks.items()))
        await self._tell(notices)

    async def _tell(self, notices: list[Notice]) -> None:
        """Keep notices, together with those that other looks have by then: few transactions tell
        of many. Where nobody can keep them they wait, and questions soon with them."""
        if not notices:
            return  # a look that found nothing waits for no other's
        self._untold += notices
        async with self._telling:
            while self._untold:  # unless the look before took ours along
                told, self._untold = self._untold, []
                if left := await self._unkept(told):
                    self._untold = [*self._untold, *left]
                    await asyncio.sleep(_AGAIN_S)

    async def _unkept(self, told: list[Notice]) -> list[Notice]:
        """Try to keep these; those that are to be tried again. One that cannot be kept where
        another can is at fault itself: it is named and left, so that it keeps up nobody else."""
        try:
            await self._store.tell(*told)
            return []
        except Exception as error:
            _log.error("%d notices are not kept yet: %s", len(told), unforeseen(error))
            if len(told) == 1:
                return told
        failed: list[Notice] = []
        for at, notice in enumerate(told):
            try:
                await self._store.tell(notice)
            except Exception:
                failed.append(notice)
            if len(failed) == at + 1 == _ENOUGH:
                return [*told[_ENOUGH:], *failed]  # it is the database; others come first then
        if len(failed) == len(told):
            return failed
        for notice in failed:
            _log.error("notice %s of query %s cannot be kept", notice.id, notice.subject)
        return []

    async def _given(self, due: Answered, wires: Sequence[_Wire]) -> list[FetchResult]:
        """What the visit for each wire gives. No source waits for another's turn; one that does not
        answer is tried once more, as what it holds may be urgent."""

        async def once(wire: _Wire) -> FetchResult:
            async with self._turns[wire[1].fetch.source]:
                # its time begins with its turn, however long that was waited for
                return await self._visited(self._visits(due.request), due, *wire)

        async def one(wire: _Wire) -> FetchResult:
            looked = await once(wire)
            if not looked.state.failed:
                return looked
            await asyncio.sleep(_AGAIN_S)
            return await once(wire)

        return await asyncio.gather(*map(one, wires))

    async def _visited(
        self, visits: FanOut, due: Answered, wire: Tripwire, grant: Grant
    ) -> FetchResult:
        """What the visit for a wire's rows gives; there is none where nothing can be found."""
        keys, shown = self._keys(due, grant), due.results[wire.fetch].records
        linked_to_none = grant.fetch.parent is not None and not keys
        if linked_to_none or (_of_shown(wire) and not shown) or not _looked_into(wire, grant):
            return FetchResult(state=State.NOT_ASKED)
        looked = await visits.look(due.agreed, _look_for(wire, grant), keys)
        return _among(due, wire, looked)

    def _shown(
        self, due: Answered, wire: Tripwire, grant: Grant, disclosed: AbstractSet[object]
    ) -> list[Notice]:
        """What is told of records that the answer showed: what their cases rest on was read."""
        given, fetch = due.results[wire.fetch], grant.fetch
        return [
            self._notice(due, wire, wire.agency, record)
            for record in given.records
            if (fetch.source, fetch.entity, record.key) in disclosed
            and certain(wire.rows, record.values)
        ]

    def _keys(self, due: Answered, grant: Grant) -> tuple[object, ...]:
        """The link keys of a linked fetch, from the records that the officer was shown."""
        parent = due.results.get(grant.fetch.parent or "")
        if parent is None:
            return ()
        return links_from(parent.records, grant.fetch.link_from)

    def _notice(self, due: Answered, wire: Tripwire, agency: str, record: Record) -> Notice:
        now, fetch = self._clock(), due.agreed.grants[wire.fetch].fetch
        return Notice(
            id=self._new_id(),
            at=now,
            agency=agency,
            desk=wire.desks[agency].desk,
            about=Told(wire.about),
            subject=due.request.id,
            record=self._seal(agency, fetch.source, fetch.entity, record.key),
            asker=Officer.of(due.subject),
            on_call=wire.desks[agency].on_call,
            due_at=now + timedelta(seconds=wire.due_s),
        )


def _reached(due: Answered, wire: Tripwire) -> bool:
    """Whether the officer's own visit was answered. Where it was not the officer was told so and
    met no silence, and asking that source again would only keep it from others."""
    own = due.results.get(wire.fetch)
    return own is not None and not own.state.failed


def _of_shown(wire: Tripwire) -> bool:
    """Whether it is about records that the officer was shown, in whole or but for an element."""
    return wire.about == VICTIM_SHOWN or bool(wire.part)


def _looked_into(wire: Tripwire, grant: Grant) -> bool:
    """Whether elements were shown at all of the component that a wire is about; where none is, the
    officer was told so, or the whole component is silent whatever it holds."""
    part = grant.parts.get(wire.part)
    return not wire.part or (part is not None and part.show is Show.RECORDS)


def _look_for(wire: Tripwire, grant: Grant) -> Grant:
    """The same visit for the wire's rows alone: of silent ones the first, however the officer
    pages; of shown ones those from the officer's own page on."""
    if wire.part:
        return elements_of(grant, wire.part, wire.rows, {wire.by})
    if wire.about == VICTIM_SHOWN:
        return keys_of(grant, wire.rows, limit=grant.own.limit, after=grant.fetch.after)
    return keys_of(grant, wire.rows, limit=_MOST, after=None)


def _among(due: Answered, wire: Tripwire, looked: FetchResult) -> FetchResult:
    """What was found, of what is about shown records only that which the officer's visit gave."""
    if not _of_shown(wire):
        return looked
    given = {record.key for record in due.results[wire.fetch].records}
    return replace(looked, records=tuple(r for r in looked.records if r.key in given))


def _by_owner(wire: Tripwire, grant: Grant, records: tuple[Record, ...]) -> dict[str, list[Record]]:
    """Whom each match is told to: the holder of a record; of an element that the officer was not
    shown the agency that placed it."""
    owned: dict[str, list[Record]] = {}
    for record in records:
        for agency in dict.fromkeys(_owners(wire, grant, record)):
            owned.setdefault(agency, []).append(record)
    return owned


def _owners(wire: Tripwire, grant: Grant, record: Record) -> Iterator[str]:
    if not wire.part:
        yield wire.agency
        return
    for element in record.values.get(wire.part) or ():
        if not certain(grant.parts[wire.part].rows, element):
            yield wire.whose(element)
