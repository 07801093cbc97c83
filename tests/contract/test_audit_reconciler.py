"""What is cut off is closed, in both stores of the log."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import pytest

from gateway.audit.entry import Json, read_leaf
from gateway.audit.keeper import Receipt
from gateway.audit.log import AuditLog
from gateway.audit.reconciler import Reconciler
from gateway.errors import AuditUnavailable
from tests.contract.auditplaces import (
    AGAIN_S,
    ORIGIN,
    AuditPlace,
    leads,
    now,
    numbers,
    well_again,
)


@pytest.fixture(name="place")
def fixture_place(audit_place: AuditPlace) -> AuditPlace:
    return audit_place


@dataclass
class Watch:
    """A clock that goes when it is told to."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def outcome(request: str, intent: Receipt) -> dict[str, Json]:
    return {"kind": "O", "request_id": request, "intent": intent.leaf_hash.hex()}


def reconciler(log: AuditLog, watch: Watch) -> Reconciler:
    return Reconciler(log, gateway=ORIGIN, clock=now, monotonic=watch, after_s=20.0)


async def caught_up(log: AuditLog, *receipts: Receipt) -> list[int]:
    """The numbers of these, once they are under a checkpoint."""
    found = await numbers(log, list(receipts))
    await log.inclusion(max(found))
    return found


async def test_AU_18_an_intent_that_nobody_answers_is_closed_once(place: AuditPlace) -> None:
    async with place.opened() as log:
        watch = Watch()
        own = reconciler(log, watch)
        cut_off = await log.append({"kind": "I", "request_id": "cut off"})
        answered = await log.append({"kind": "I", "request_id": "answered"})
        late = await log.append({"kind": "I", "request_id": "late"})
        await caught_up(log, cut_off, answered, late)
        await own.tick()
        watch.seconds = 19.0
        last = await log.append(outcome("answered", answered))
        await caught_up(log, last)
        before = log.size
        await own.tick()
        assert log.size == before  # none has been open for long enough
        watch.seconds = 20.0
        await own.tick()
        await own.tick()
        watch.seconds = 60.0
        await own.tick()
        ends = time.monotonic() + AGAIN_S
        while log.size < before + 2:
            assert time.monotonic() < ends
            await asyncio.sleep(0.02)
        await log.inclusion(before + 1)
        # a process that was suspended for a minute says what it did after all
        await caught_up(log, await log.append(outcome("late", late)))
        await own.tick()
        assert log.size == before + 3
        closed = [read_leaf(await log.leaf(index)) for index in range(before, before + 2)]
        assert {leaf["request_id"] for leaf in closed} == {"cut off", "late"}
        assert all(leaf["abandoned"] and leaf["kind"] == "O" for leaf in closed)
    report = await place.verified()
    assert report.ok, report.problems
    assert report.open_intents == ()
    assert [request for _, request in report.abandoned] == ["cut off"]


async def test_AU_18_another_gateway_goes_on_where_the_last_one_was(place: AuditPlace) -> None:
    async with place.opened() as log:
        watch = Watch()
        first = reconciler(log, watch)
        for n in range(300):
            intent = await log.append({"kind": "I", "request_id": f"r{n}"})
            if n != 290:
                await log.append(outcome(f"r{n}", intent))
        await caught_up(log, await log.append({"kind": "V"}))
        await first.tick()
        assert await log.keeper.ended() == 580  # the intent that is open
    async with place.opened() as log:
        await leads(log)
        second = reconciler(log, watch)
        await second.tick()
        watch.seconds = 20.0
        await second.tick()
        await caught_up(log, await log.append({"kind": "V", "request_id": "after"}))
        await second.tick()
        assert await log.keeper.ended() == log.size
    report = await place.verified()
    assert report.ok, report.problems
    assert report.abandoned == ((580, "r290"),)


async def test_F_27_a_store_cut_between_intent_and_outcome_ends_as_abandoned(
    place: AuditPlace,
) -> None:
    """The answer is withheld; nothing was released, and the log comes to say so."""
    async with place.opened() as log:
        watch = Watch()
        own = reconciler(log, watch)
        intent = await log.append({"kind": "I", "request_id": "cut off"})
        (index,) = await caught_up(log, intent)
        await place.close_down()
        with pytest.raises(AuditUnavailable):
            await log.append(outcome("cut off", intent))
        await place.come_back()
        await well_again(log)
        await leads(log)
        await own.tick()
        watch.seconds = 20.0
        await own.tick()
        await caught_up(log, await log.append({"kind": "V"}))
    report = await place.verified()
    assert report.ok, report.problems
    assert report.open_intents == ()
    assert report.abandoned == ((index, "cut off"),)
