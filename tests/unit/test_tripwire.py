"""Where the officer's own visit was not answered, nothing is looked for: they met no silence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from gateway.casework.model import Notice
from gateway.model import AuthorisedPlan, FetchResult, Grant, Obligation, Request, State
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


@pytest.mark.parametrize("state", State)
async def test_only_what_answered_the_officer_is_asked_again(state: State) -> None:
    operation = world.operation('{ personSearch(anyOf: [{family: "Hodja"}]) { hits { owner } } }')
    agreed = world.allowed(world.plan_of(operation))
    agreed = replace(agreed, obligations=(Obligation(type="notify_owner", attributes=WIRE),))
    visits, entries = Visits(), Entries()
    wires = Tripwires(
        visits=lambda _request: cast("Any", visits),
        seal=lambda *_what: "ref",
        audit=cast("Any", entries),
        store=cast("Any", None),
        clock=lambda: world.NOW,
        new_id=lambda: "id",
    )
    wires.start()
    request = Request(id="q", received_at=world.NOW, authorization=())
    wires.put(request, world.SUBJECT, agreed, {"f0": FetchResult(state=state)})
    await wires.settled()
    await wires.aclose()
    failed = state in {State.RATE_LIMITED, State.TIMED_OUT, State.UNAVAILABLE, State.FAULT}
    assert visits.asked == ([] if failed else ["f0"])
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
    operation = world.operation('{ personSearch(anyOf: [{family: "Hodja"}]) { hits { owner } } }')
    agreed = world.allowed(world.plan_of(operation))
    agreed = replace(agreed, obligations=(Obligation(type="notify_owner", attributes=SHOWN),))
    held = {key: ["NO_ONWARD", "NOTIFY_ORIGINATOR"] for key in ("shown", "hit")} | {"other": []}
    records = tuple(world.record(key, conditions=value) for key, value in held.items())
    visits, entries, kept = Visits(), Entries(), Kept()
    wires = Tripwires(
        visits=lambda _request: cast("Any", visits),
        seal=lambda *what: "/".join(map(str, what)),
        audit=cast("Any", entries),
        store=cast("Any", kept),
        clock=lambda: world.NOW,
        new_id=lambda: "id",
    )
    wires.start()
    request = Request(id="q", received_at=world.NOW, authorization=())
    fetch = agreed.grants["f0"].fetch
    disclosed = tuple((fetch.source, "Person", key) for key in ("shown", "other"))
    wires.put(request, world.SUBJECT, agreed, {"f0": world.came(*records)}, disclosed)
    await wires.settled()
    await wires.aclose()
    assert [(one.record, one.agency, one.about) for one in kept.told] == [
        (f"NORTH/{fetch.source}/Person/shown", "NORTH", "RECORD_SHOWN")
    ]
    assert (visits.asked, entries.made) == ([], 0)
