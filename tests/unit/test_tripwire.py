"""What is looked for after an answer, when, and that nothing found is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Any, cast

import pytest

from gateway import tripwire
from gateway.casework.model import Notice, Told
from gateway.errors import CaseworkUnavailable
from gateway.model import (
    AuthorisedPlan,
    Disclosed,
    FetchResult,
    Grant,
    Obligation,
    Request,
    Results,
    State,
)
from gateway.ports import Answered
from gateway.tripwire import Tripwires
from tests.unit.query import world

WIRE = {
    "about": "SILENT_MATCH",
    "agency": "NORTH",
    "resource": "f0",
    "rows": {"type": "field", "field": "silent", "operator": "eq", "value": True},
    "by": "",
    "desks": {"NORTH": {"desk": "desk", "on_call": "duty"}},
    "due_s": 60,
}


REQUEST = Request(id="q", received_at=world.NOW, authorization=())


class Entries:
    """The two entries of a look, counted."""

    def __init__(self) -> None:
        self.made = 0

    def looking(self, *_about: Any) -> Entries:
        return self

    async def intent(self, _resources: Any) -> None:
        self.made += 1

    async def outcome(self, _found: Any) -> None:
        self.made += 1


class Visits:
    """Sources that hold nothing, and how often they were asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def look(self, _agreed: AuthorisedPlan, grant: Grant, _keys: Any) -> FetchResult:
        self.asked.append(grant.fetch.id)
        return FetchResult(state=State.ANSWERED)


def tripwires(visits: Any, entries: Entries, store: Any = None) -> Tripwires:
    numbers = count()
    return Tripwires(
        visits=lambda _request: cast("Any", visits),
        seal=lambda *what: "/".join(map(str, what)),
        audit=cast("Any", entries),
        store=cast("Any", store),
        clock=lambda: world.NOW,
        new_id=lambda: f"id{next(numbers)}",
    )


def agreed_with(*wires: Mapping[str, Any]) -> AuthorisedPlan:
    operation = world.operation('{ personSearch(anyOf: [{family: "Hodja"}]) { hits { owner } } }')
    agreed = world.allowed(world.plan_of(operation))
    duties = tuple(Obligation(type="notify_owner", attributes=wire) for wire in wires)
    return replace(agreed, obligations=duties)


def answered(agreed: AuthorisedPlan, results: Results, disclosed: Disclosed = ()) -> Answered:
    return Answered(
        request=REQUEST,
        subject=world.SUBJECT,
        agreed=agreed,
        results=results,
        disclosed=disclosed,
    )


@pytest.mark.parametrize("state", State)
async def test_only_what_answered_the_officer_is_asked_again(state: State) -> None:
    agreed, visits, entries = agreed_with(WIRE), Visits(), Entries()
    wires = tripwires(visits, entries)
    wires.start()
    wires.put(answered(agreed, {"f0": FetchResult(state=state)}))
    await wires.settled()
    await wires.aclose()
    failed = state in {State.RATE_LIMITED, State.TIMED_OUT, State.UNAVAILABLE, State.FAULT}
    assert visits.asked == ([] if failed else ["f0"])  # else they met no silence
    assert entries.made == (0 if failed else 2)


SHOWN = WIRE | {
    "about": "RECORD_SHOWN",
    "rows": {
        "type": "field",
        "field": "conditions",
        "operator": "eq",
        "value": "NOTIFY_ORIGINATOR",
    },
}


class Kept:
    """The notices that were to be kept."""

    def __init__(self) -> None:
        self.told: list[Notice] = []

    async def tell(self, *notices: Notice) -> None:
        self.told += notices


async def test_of_what_the_answer_showed_on_that_condition_its_owner_is_told_at_once() -> None:
    """No source is asked again, no entry is made; what the answer did not show is not told."""
    agreed = agreed_with(SHOWN)
    held = {key: ["NO_ONWARD", "NOTIFY_ORIGINATOR"] for key in ("shown", "hit")} | {"other": []}
    records = tuple(world.record(key, conditions=value) for key, value in held.items())
    visits, entries, kept = Visits(), Entries(), Kept()
    wires = tripwires(visits, entries, kept)
    wires.start()
    fetch = agreed.grants["f0"].fetch
    disclosed = tuple((fetch.source, "Person", key) for key in ("shown", "other"))
    wires.put(answered(agreed, {"f0": world.came(*records)}, disclosed))
    await wires.settled()
    await wires.aclose()
    assert [(one.record, one.agency, one.about) for one in kept.told] == [
        (f"NORTH/{fetch.source}/Person/shown", "NORTH", "RECORD_SHOWN")
    ]
    assert (visits.asked, entries.made) == ([], 0)


class Failing(Visits):
    """A source that fails at first, and then holds one such record."""

    async def look(self, _agreed: AuthorisedPlan, grant: Grant, _keys: Any) -> FetchResult:
        self.asked.append(grant.fetch.id)
        if len(self.asked) == 1:
            return FetchResult(state=State.RATE_LIMITED)
        return world.came(world.record("silent"))


class Locked(Kept):
    """A database that cannot be written at first."""

    def __init__(self) -> None:
        super().__init__()
        self.tries: list[int] = []

    async def tell(self, *notices: Notice) -> None:
        self.tries.append(len(notices))
        if len(self.tries) == 1:
            raise CaseworkUnavailable(detail="locked")
        await super().tell(*notices)


async def test_a_look_that_failed_is_made_once_more_and_its_notice_waits_until_it_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tripwire, "_AGAIN_S", 0.01)
    visits, entries, kept = Failing(), Entries(), Locked()
    wires = tripwires(visits, entries, kept)
    wires.start()
    wires.put(answered(agreed_with(WIRE), {"f0": world.came()}))
    await wires.settled()
    await wires.aclose()
    assert visits.asked == ["f0", "f0"]
    assert [notice.about for notice in kept.told] == ["SILENT_MATCH"]
    assert entries.made == 2


async def test_what_several_looks_found_is_kept_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first waits for its database; all that came meanwhile is one transaction."""
    monkeypatch.setattr(tripwire, "_AGAIN_S", 0.3)
    visits, kept = Failing(), Locked()
    visits.asked.append("before")
    wires = tripwires(visits, Entries(), kept)
    wires.start()
    for _ in range(5):
        wires.put(answered(agreed_with(WIRE), {"f0": world.came()}))
    await wires.settled()
    await wires.aclose()
    assert kept.tries == [1, 5]
    assert len({notice.id for notice in kept.told}) == 5


async def test_who_asks_is_slowed_down_before_anybody_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tripwire, "_WAITING", 2)
    monkeypatch.setattr(tripwire, "_PATIENCE_S", 0.05)
    wires = tripwires(Visits(), Entries())
    for _ in range(2):
        assert await wires.room()
        wires.put(answered(agreed_with(WIRE), {"f0": world.came()}))
    assert not await wires.room()  # nobody looks
    monkeypatch.setattr(tripwire, "_PATIENCE_S", 60.0)
    slowed = asyncio.create_task(wires.room())
    await asyncio.sleep(0)
    assert not slowed.done()
    wires.start()
    assert await slowed
    await wires.settled()
    await wires.aclose()


@pytest.mark.parametrize("found", [0, 1])
async def test_a_look_leaves_its_entries_as_soon_whatever_it_found(found: int) -> None:
    """Entries can be counted by the next receipt; a notice may have to wait for its database."""
    entries, held = Entries(), tuple(world.record("silent") for _ in range(found))

    class Holding(Visits):
        async def look(self, _agreed: AuthorisedPlan, grant: Grant, _keys: Any) -> FetchResult:
            return world.came(*held)

    class Never(Kept):
        async def tell(self, *notices: Notice) -> None:
            raise CaseworkUnavailable(detail="gone")

    wires = tripwires(Holding(), entries, Never())
    wires.start()
    wires.put(answered(agreed_with(WIRE), {"f0": world.came()}))
    await asyncio.sleep(0.3)
    assert entries.made == 2
    for task in wires._tasks:
        task.cancel()


async def test_each_look_has_its_time_from_its_turn_on() -> None:
    """However many wait for the same source, whose answer takes a while."""
    ages: list[float] = []

    class Slow(Visits):
        def __init__(self) -> None:
            super().__init__()
            self.made_at = asyncio.get_running_loop().time()

        async def look(self, _agreed: AuthorisedPlan, grant: Grant, _keys: Any) -> FetchResult:
            ages.append(asyncio.get_running_loop().time() - self.made_at)
            await asyncio.sleep(0.02)
            return world.came()

    wires = tripwires(Visits(), Entries())
    wires._visits = lambda _request: cast("Any", Slow())
    wires.start()
    for _ in range(20):
        wires.put(answered(agreed_with(WIRE), {"f0": world.came()}))
    await wires.settled()
    await wires.aclose()
    assert len(ages) == 20
    assert sorted(ages)[10] < 0.05  # from the put on it were a tenth of a second


@pytest.mark.parametrize("fault", [CaseworkUnavailable(detail="it"), ValueError("it")])
async def test_a_notice_that_cannot_be_kept_keeps_up_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    monkeypatch.setattr(tripwire, "_AGAIN_S", 0.01)

    class Choosy(Kept):
        async def tell(self, *notices: Notice) -> None:
            if any(notice.id.endswith(("1", "3", "5")) for notice in notices):
                raise fault
            await super().tell(*notices)

    kept = Choosy()
    wires = tripwires(Visits(), Entries(), kept)
    shown = Notice(
        id="n", at=world.NOW, agency="NORTH", desk="desk", about=Told.SILENT_MATCH, subject="q"
    )
    await wires._tell([replace(shown, id=f"n{number}") for number in range(6)])
    assert [notice.id for notice in kept.told] == ["n0", "n2", "n4"]
    assert {r.getMessage() for r in caplog.records if "cannot" in r.getMessage()} == {
        f"notice n{number} of query q cannot be kept" for number in (1, 3, 5)
    }


async def test_a_free_place_is_promised_to_one_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tripwire, "_WAITING", 5)
    monkeypatch.setattr(tripwire, "_PATIENCE_S", 0.05)
    wires = tripwires(Visits(), Entries())
    assert sum(await asyncio.gather(*(wires.room() for _ in range(300)))) == 5
    monkeypatch.setattr(tripwire, "_PROMISED_S", -1.0)  # nothing came of them
    assert await wires.room()
