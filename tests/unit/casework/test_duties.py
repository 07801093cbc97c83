"""Duties that outlive a question, over the gateway's own records in a real SQLite file."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.casework.model import Countersignature, Officer, Told
from gateway.casework.store import Store
from gateway.duties import Duties
from gateway.errors import Refused
from gateway.model import (
    AuthorisedPlan,
    Fetch,
    Grant,
    Justification,
    Near,
    Obligation,
    Operation,
    Part,
    Plan,
)
from tests.unit.query import world

WHY = Justification(purpose="APPREHEND", reason_code="R08")
ASKED = Operation(
    digest="d1",
    text="{ x }",
    name="Stop",
    variables={"v": "AB12CDE", "w": 1},
    roots=(),
    justification=WHY,
)
ASKER = Officer.of(world.SUBJECT)
COLLEAGUE = replace(ASKER, id="u-2")
VEHICLE = Fetch(
    id="f0", source="nmc", entity="Vehicle",
    parts=(Part(path="", type="Vehicle", reads=frozenset({"make", "body_type"})),),
)  # fmt: skip
OTHER = replace(VEHICLE, id="f1", parts=(Part(path="", type="Person", reads=frozenset({"sex"})),))


def obliged(*obligations: Obligation, fetches: tuple[Fetch, ...] = (VEHICLE,)) -> AuthorisedPlan:
    """Of what was planned, `f0` is agreed to."""
    return AuthorisedPlan(
        plan=Plan(fetches=fetches),
        serial=1,
        grants={"f0": Grant(fetch=fetches[0], parts={})},
        obligations=obligations,
    )


def duty(type_: str, kind: str = "face", resource: str = "f0") -> Obligation:
    return Obligation(type=type_, attributes={"kind": kind, "resource": resource})


OUTCOME, SECOND = duty("record_outcome"), duty("second_person")


@dataclass
class Place:
    store: Store
    ids: count[int] = field(default_factory=lambda: count(1))

    @property
    def duties(self) -> Duties:
        def keyed(domain: str, text: str) -> str:
            return hmac.new(b"k" * 32, f"{domain}:{text}".encode(), hashlib.sha256).hexdigest()

        return Duties(store=self.store, hmac=keyed, new_id=lambda: f"id-{next(self.ids)}")

    async def check(self, agreed: AuthorisedPlan, asked: Operation = ASKED, id_: str = "q1") -> str:
        """What the refusal says; nothing where the question may go on."""
        try:
            await self.duties.check(replace(REQUEST, id=id_), world.SUBJECT, asked, agreed)
        except Refused as refused:
            return _told(refused)
        return ""

    async def fulfil(
        self, agreed: AuthorisedPlan, asked: Operation = ASKED, id_: str = "q1"
    ) -> str:
        try:
            await self.duties.fulfil(replace(REQUEST, id=id_), world.SUBJECT, asked, agreed)
        except Refused as refused:
            return _told(refused)
        return ""

    async def waiting(self) -> tuple[Countersignature, ...]:
        return await self.store.to_countersign([ASKER.agency], 10)


REQUEST = world.request("{ x }")


def _told(refused: Refused) -> str:
    assert refused.contact == "gateway"
    return f"{refused.rule}: {refused.said}"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    store = await Store.open(f"sqlite+aiosqlite:///{tmp_path / 'c.sqlite'}")
    yield Place(store)
    await store.aclose()


async def test_where_nothing_is_due_nothing_is_asked_or_kept(place: Place) -> None:
    # Nor where the fetch that it is a condition of is not to be made.
    elsewhere = (duty("record_outcome", resource="f1"), duty("second_person", resource="f1"))
    for agreed in (obliged(), obliged(*elsewhere)):
        assert await place.check(agreed) == ""
        assert await place.fulfil(agreed) == ""
    assert await place.store.owed(ASKER, "face") == ()
    assert await place.waiting() == ()
    assert await place.store.notices_of("NORTH", 10) == ()


async def test_a_search_waits_until_the_outcome_of_the_last_of_its_kind_is_recorded(
    place: Place,
) -> None:
    agreed = obliged(OUTCOME)
    assert await place.check(agreed) == ""
    assert await place.fulfil(agreed) == ""
    (owed,) = await place.store.owed(ASKER, "face")
    assert (owed.operation, owed.officer, owed.at) == ("q1", ASKER, REQUEST.received_at)
    told = await place.check(agreed, id_="q2")
    assert told.startswith("obligation.record_outcome: ")
    assert "came of your search q1:" in told
    # Of another kind nothing is owed, nor is it by anybody else.
    assert await place.check(obliged(duty("record_outcome", "other"))) == ""
    assert await place.store.owed(COLLEAGUE, "face") == ()
    await place.store.record_outcome("q1", ASKER, "LEAD", REQUEST.received_at)
    assert await place.check(agreed, id_="q2") == ""


async def test_a_search_whose_duty_stands_on_two_fetches_owes_one_outcome(place: Place) -> None:
    fetches = (VEHICLE, replace(VEHICLE, id="f2"))
    agreed = obliged(OUTCOME, duty("record_outcome", resource="f2"), fetches=fetches)
    agreed = replace(agreed, grants={f.id: Grant(fetch=f, parts={}) for f in fetches})
    assert await place.fulfil(agreed) == ""
    assert len(await place.store.owed(ASKER, "face")) == 1


async def test_of_two_at_the_same_moment_the_slower_is_refused(place: Place) -> None:
    assert await place.fulfil(obliged(OUTCOME)) == ""
    told = await place.fulfil(obliged(OUTCOME), id_="q2")
    assert told.startswith("obligation.record_outcome: ")
    assert "came of your last search of this kind" in told


async def test_another_person_agrees_to_this_question_once(place: Place) -> None:
    agreed = obliged(SECOND)
    told = await place.check(agreed)
    assert told.startswith("obligation.second_person: ")
    assert "have a colleague countersign id-1 " in told
    assert "countersign id-1 " in await place.check(agreed)  # the same one waits
    (waiting,) = await place.waiting()
    until = REQUEST.received_at + timedelta(minutes=5)
    assert await place.store.countersign(waiting.id, ASKER, until) is None  # one's own
    assert await place.store.countersign(waiting.id, COLLEAGUE, until)
    assert await place.check(agreed) == ""
    assert await place.check(agreed) == ""  # to look uses nothing up
    assert await place.fulfil(agreed) == ""
    assert "have a colleague countersign" in await place.check(agreed)
    assert "have a colleague countersign" in await place.fulfil(agreed)


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "d2"},
        {"name": "Other"},
        {"variables": {"v": "XY99ZZZ", "w": 1}},
        {"justification": replace(WHY, purpose="OFFICER_SAFETY")},
        {"justification": replace(WHY, reason_code="R01")},
        {"justification": None},
    ],
)
async def test_an_agreement_is_to_no_other_question(place: Place, change: dict[str, Any]) -> None:
    agreed = obliged(SECOND)
    await place.check(agreed)
    (waiting,) = await place.waiting()
    await place.store.countersign(waiting.id, COLLEAGUE, REQUEST.received_at + timedelta(minutes=5))
    assert "countersign" in await place.check(agreed, replace(ASKED, **change))
    same = replace(
        ASKED,
        text="{ y }",
        variables={"w": 1, "v": "AB12CDE"},
        justification=replace(WHY, reason_text="other words"),
    )
    assert await place.check(agreed, same) == ""


async def test_an_agreement_ends_at_its_moment(place: Place) -> None:
    await place.check(obliged(SECOND))
    (waiting,) = await place.waiting()
    await place.store.countersign(waiting.id, COLLEAGUE, REQUEST.received_at)
    assert "countersign" in await place.check(obliged(SECOND))


@pytest.mark.parametrize("near", [None, Near(handle="probe")])
async def test_who_is_to_agree_is_told_enough_to_judge_it_by(
    place: Place, near: Near | None
) -> None:
    await place.check(obliged(SECOND, fetches=(replace(VEHICLE, near=near), OTHER)))
    (waiting,) = await place.waiting()
    assert waiting == Countersignature(
        id="id-1",
        at=REQUEST.received_at,
        asker=ASKER,
        digest=waiting.digest,
        purpose="APPREHEND",
        reason_code="R08",
        what="Stop",
        fields=("Person.sex", "Vehicle.bodyType", "Vehicle.make"),
        face=near is not None,
        roles=world.SUBJECT.roles,
    )
    assert "AB12CDE" not in str(waiting)


async def test_a_question_without_a_name_or_a_reason_is_told_without(place: Place) -> None:
    await place.check(obliged(SECOND), replace(ASKED, name=None, justification=None))
    (waiting,) = await place.waiting()
    assert (waiting.what, waiting.purpose, waiting.reason_code) == ("", "", "")


async def test_whose_officer_breaks_the_glass_is_told_before_anything_is_visited(
    place: Place,
) -> None:
    attributes = {"agency": "NORTH", "desk": "north-duty", "on_call": "gateway", "due_s": 300}
    agreed = obliged(Obligation(type="break_glass", attributes=attributes))
    assert await place.check(agreed) == ""
    assert await place.store.notices_of("NORTH", 10) == ()
    assert await place.fulfil(agreed) == ""
    (notice,) = await place.store.notices_of("NORTH", 10)
    assert (notice.id, notice.about, notice.subject) == ("id-1", Told.GLASS_BROKEN, "q1")
    assert (notice.desk, notice.on_call, notice.asker) == ("north-duty", "gateway", ASKER)
    assert notice.at == REQUEST.received_at
    assert notice.due_at == REQUEST.received_at + timedelta(seconds=300)
