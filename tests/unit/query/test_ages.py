"""How old somebody is by every source's date: a child by any of them is protected in all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from connectors.conditions import Compare, Op, all_of
from gateway.model import PartGrant, Show, State
from gateway.query.derived import Moment
from gateway.query.fanout import FanOut
from gateway.query.shape import Shaper
from tests.memory import Memory, Row
from tests.unit.query import world
from tests.unit.query.test_fanout import SEARCH, Failing, catalogue

AGES = """{ personSearch(anyOf: [{family: "Hodja"}, {identifier: "A1234567"}]) {
  hits { owner ageState dateOfBirth } } }"""
GROWN = (Compare("date_of_birth", Op.LT, "2008"), Compare("dob_claimed", Op.EQ, False))
OVERT = Compare("silent", Op.EQ, False)


def held(born: str = "19900417", passport: str = "A1234567", **more: Any) -> Mapping[str, Any]:
    """A source in capitals with one person."""
    person = {"id": "p1", "sur": "HODJA", "fore": "A", "dob": born, "sex": 1, "silent": 0, **more}
    number = {"person": "p1", "n": 1, "kind": "PP", "no": passport}
    return {"person": [person], "person_no": [number]}


def people(*rows: Row) -> Mapping[str, Sequence[Row]]:
    """`east`, which knows persons by a passport alone."""
    usual = {"name": "A B", "passport": "A1234567", "claimed": "n", "silent": 0}
    return {"/people": [{"id": f"e{n}", **usual, **row} for n, row in enumerate(rows)]}


def only_told(id_: str, grant: PartGrant) -> PartGrant:
    """Persons are a hit, and only who is grown up; what they are known by may be looked at."""
    _, _, path = id_.partition(".")
    if not path:
        rows = all_of((*GROWN, OVERT))
        return replace(grant, show=Show.HIT, limit=1, rows=rows, read={})
    return replace(grant, show=None, read={})


async def told(
    change: world.Change = only_told,
    east: Memory | None = None,
    south: Mapping[str, Any] | None = None,
    north: Mapping[str, Any] | None = None,
) -> tuple[bool, bool]:
    """Whether `north` and `south` are said to hold somebody."""
    agreed = world.allowed(world.planned(SEARCH, held=catalogue()), change)
    visits = FanOut(
        catalogue=catalogue(),
        sources={
            "north": Memory(north or held()),
            "south": Memory(south or held(passport="B7654321")),
            "east": east or Memory(people()),
        },
        moment=Moment(now=world.NOW),
        query_id="q",
        ends_at=math.inf,
    )
    results, _ = await visits.visit(agreed)
    assert {results[id_].state for id_ in ("f0", "f1")} == {State.ANSWERED}
    return bool(results["f0"].records), bool(results["f1"].records)


async def test_who_is_grown_up_by_every_date_is_told_of() -> None:
    assert await told() == (True, True)
    assert await told(east=Memory(people({"born": "1990-04-17"}))) == (True, True)


@pytest.mark.parametrize("born", ["2010-01-01", "2008-11-02"])  # eighteen tomorrow
async def test_a_child_by_another_sources_date_is_a_child(born: str) -> None:
    assert await told(east=Memory(people({"born": born}))) == (False, True)


async def test_a_child_by_a_date_that_is_claimed_is_one_too() -> None:
    assert await told(east=Memory(people({"born": "2010-01-01", "claimed": "y"}))) == (False, True)


async def test_a_record_without_a_date_disputes_no_other() -> None:
    assert await told(east=Memory(people({}))) == (True, True)


async def test_a_claimed_adults_date_is_no_proof_of_its_own_record_and_disputes_no_other() -> None:
    """`north` verified it; the claim is in accord."""
    assert await told(east=Memory(people({"born": "1990-04-17", "claimed": "y"}))) == (True, True)


async def test_the_childs_record_may_be_in_a_source_that_was_searched() -> None:
    """And is not told of itself, by its own date."""
    assert await told(south=held("20100417")) == (False, False)


async def test_a_third_record_ties_two_that_share_nothing() -> None:
    """`south` and `east` share one number, `north` and `south` another."""
    both = held(passport="B7654321")
    both["person_no"].append({"person": "p1", "n": 2, "kind": "PP", "no": "A1234567"})
    child = Memory(people({"born": "2010-01-01", "passport": "B7654321"}))
    assert await told(south=both, east=child) == (False, False)


async def test_of_several_found_one_who_is_grown_up_is_enough() -> None:
    two = held()
    two["person"].append({**two["person"][0], "id": "p2"})
    assert await told(north=two, east=Memory(people({"born": "2010-01-01"}))) == (True, True)


async def test_a_silent_childs_record_protects_nobody_as_that_would_tell_of_it() -> None:
    silent = Memory(people({"born": "2010-01-01", "silent": 1}))
    assert await told(east=silent) == (True, True)


async def test_where_a_source_cannot_say_nobody_is_proved_grown_up_whom_it_may_know() -> None:
    assert await told(east=Failing(people())) == (False, False)


@pytest.mark.parametrize("lost", ["f0.identifiers", "f2.identifiers"])
async def test_where_numbers_may_not_be_looked_at_nobody_is_proved_grown_up(lost: str) -> None:
    def change(id_: str, grant: PartGrant) -> PartGrant:
        made = only_told(id_, grant)
        return replace(made, match=frozenset()) if id_ == lost else made

    assert (await told(change))[0] is False


async def test_numbers_that_may_not_be_seen_tie_nobody() -> None:
    def change(id_: str, grant: PartGrant) -> PartGrant:
        made = only_told(id_, grant)
        seen = Compare("kind", Op.EQ, "PNCID")
        return replace(made, rows=seen) if id_ == "f0.identifiers" else made

    assert await told(change, east=Memory(people({"born": "2010-01-01"}))) == (True, True)


# --- among records that are shown ----------------------------------------------------------------


def shown(change: world.Change = lambda _id, grant: grant, **of_east: Any) -> dict[str, Any]:
    """The age of each by the answer: `north` has an adult's date, `east` another of theirs."""
    asked = world.operation(AGES)
    agreed = world.allowed(world.plan_of(asked), change)
    number = [{"kind": "PASSPORT", "value": "A1234567"}]
    results = {
        "f0": world.came(world.record("e1", identifiers=number, **of_east)),
        "f1": world.came(
            world.record("n1", identifiers=number, date_of_birth="1990-04-17", dob_claimed=False)
        ),
    }
    sources = [agreed.plan.fetches[n].source for n in (0, 1)]
    assert sources == ["east", "north"]
    body = Shaper(asked, agreed, world.shaping(asked)).shape(results).body
    return {hit["owner"]: hit["ageState"] for hit in body["data"]["personSearch"]["hits"]}


def test_records_of_one_group_dispute_each_others_ages() -> None:
    assert shown(date_of_birth="1991") == {"EAST": "ADULT", "NORTH": "ADULT"}
    assert shown(date_of_birth="2010") == {"EAST": "CHILD", "NORTH": "DISPUTED"}
    assert shown(date_of_birth="2008") == {"EAST": "DISPUTED", "NORTH": "DISPUTED"}
    assert shown() == {"EAST": "UNKNOWN", "NORTH": "ADULT"}
    claimed = shown(date_of_birth="1991", dob_claimed=True)
    assert claimed == {"EAST": "DISPUTED", "NORTH": "ADULT"}


def test_a_date_that_may_not_be_looked_at_disputes_nobodys() -> None:
    """Its owner hides it, and it would be told by another's age."""

    def hide(id_: str, grant: PartGrant) -> PartGrant:
        return replace(grant, read={"ref": "CLEAR"}) if id_ == "f0" else grant

    assert shown(hide, date_of_birth="2010") == {"EAST": None, "NORTH": "ADULT"}


def test_who_shares_nothing_is_not_disputed() -> None:
    def unmatched(id_: str, grant: PartGrant) -> PartGrant:
        return replace(grant, match=frozenset()) if id_ == "f0.identifiers" else grant

    assert shown(unmatched, date_of_birth="2010")["NORTH"] == "ADULT"
