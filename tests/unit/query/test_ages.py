"""How old somebody is by every source's date: a child by any of them is protected in all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from connectors.conditions import Compare, Op, all_of
from gateway.catalogue.mapping import Catalogue
from gateway.model import AuthorisedPlan, PartGrant, Results, Show, State
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


def held(born: str = "19900417", passport: str = "A1234567", **more: Any) -> dict[str, Any]:
    """A source in capitals with one person."""
    person = {"id": "p1", "sur": "HODJA", "fore": "A", "dob": born, "sex": 1, "silent": 0, **more}
    number = {"person": "p1", "n": 1, "kind": "PP", "no": passport}
    return {"person": [person], "person_no": [number]}


def people(*rows: Row) -> Mapping[str, Sequence[Row]]:
    """`east`, which knows persons by a passport alone."""
    usual = {"name": "A B", "passport": "A1234567", "claimed": "n", "silent": 0}
    return {"/people": [{"id": f"e{n}", **usual, **row} for n, row in enumerate(rows)]}


def shown_as_records(limit: int) -> world.Change:
    """So many persons are shown who are grown up, and what they are known by is looked at."""

    def change(id_: str, grant: PartGrant) -> PartGrant:
        _, _, path = id_.partition(".")
        return grant if path else replace(grant, limit=limit, rows=all_of((*GROWN, OVERT)))

    return change


def only_told(id_: str, grant: PartGrant) -> PartGrant:
    """Persons are a hit, and only who is grown up; what they are known by may be looked at."""
    _, _, path = id_.partition(".")
    if not path:
        rows = all_of((*GROWN, OVERT))
        return replace(grant, show=Show.HIT, limit=1, rows=rows, read={})
    return replace(grant, show=None, read={})


async def visited(
    change: world.Change = only_told,
    east: Memory | None = None,
    south: Mapping[str, Any] | None = None,
    north: Memory | Mapping[str, Any] | None = None,
    *,
    agree: Callable[[AuthorisedPlan], AuthorisedPlan] = lambda agreed: agreed,
    document: str = SEARCH,
    among: Catalogue | None = None,
) -> Results:
    """What the visits of `north`, `south` and whoever else is searched bring."""
    among = among or catalogue()
    agreed = agree(world.allowed(world.planned(document, held=among), change))
    visits = FanOut(
        catalogue=among,
        sources={
            "north": north if isinstance(north, Memory) else Memory(north or held()),
            "south": Memory(south or held(passport="B7654321")),
            "east": east or Memory(people()),
            "west": Memory(held(passport="A1234567")),
        },
        moment=Moment(now=world.NOW),
        query_id="q",
        ends_at=math.inf,
    )
    results, _ = await visits.visit(agreed)
    assert not any(results[id_].state.failed for id_ in ("f0", "f1"))
    return results


async def told(*given: Any, **more: Any) -> tuple[bool, bool]:
    """Whether `north` and `south` are said to hold somebody."""
    results = await visited(*given, **more)
    return bool(results["f0"].records), bool(results["f1"].records)


CHILD = {"born": "2010-01-01"}


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

    north = Memory(held())
    assert (await told(change, north=north))[0] is False
    if lost == "f0.identifiers":
        assert {query.relation for query in north.asked} == {"person"}  # nor are they read


async def test_numbers_that_may_not_be_seen_tie_nobody() -> None:
    def change(id_: str, grant: PartGrant) -> PartGrant:
        made = only_told(id_, grant)
        seen = Compare("kind", Op.EQ, "PNCID")
        return replace(made, rows=seen) if id_ == "f0.identifiers" else made

    assert await told(change, east=Memory(people({"born": "2010-01-01"}))) == (True, True)


async def test_who_is_known_by_no_number_is_judged_by_their_own_record() -> None:
    """Though nobody can be proved grown up who has one."""
    two = held()
    two["person"].append({**two["person"][0], "id": "p2"})
    results = await visited(shown_as_records(5), north=two, east=Failing(people()))
    assert [record.key for record in results["f0"].records] == ["p2"]


async def test_a_source_that_keeps_no_numbers_is_judged_by_its_own_dates() -> None:
    person = world.NORTH["entity"]["Person"]
    parts = {name: part for name, part in person["parts"].items() if name != "identifiers"}
    entity = {"Person": {**person, "parts": parts}}
    among = catalogue({**world.NORTH, "id": "west", "agency": "WEST", "entity": entity})
    document = SEARCH.replace(" match { band }", "").replace(" matches { band }", "")
    results = await visited(shown_as_records(5), Failing({}), document=document, among=among)
    found = {
        fetch.source: bool(results[fetch.id].records)
        for fetch in world.planned(document, held=among).fetches
    }
    assert found == {"north": False, "south": False, "west": True}


@pytest.mark.parametrize(("limit", "given", "more"), [(2, 2, True), (3, 3, False), (4, 3, False)])
async def test_as_many_are_given_as_were_agreed_to_and_more_are_told_of(
    limit: int, given: int, more: bool
) -> None:
    three = held()
    three["person"] += [{**three["person"][0], "id": f"p{n}"} for n in (2, 3)]
    result = (await visited(shown_as_records(limit), north=three))["f0"]
    assert (len(result.records), result.truncated) == (given, more)
    assert result.state is (State.TRUNCATED if more else State.ANSWERED)


async def test_where_more_were_found_than_are_looked_at_there_may_be_more() -> None:
    many = held()
    many["person"] += [{**many["person"][0], "id": f"q{n:02}"} for n in range(50)]
    number = many["person_no"][0]
    many["person_no"] += [{**number, "person": f"q{n:02}"} for n in range(48)]
    result = (await visited(shown_as_records(5), north=many, east=Memory(people(CHILD))))["f0"]
    assert [record.key for record in result.records] == ["q48"]
    assert (result.state, result.truncated) == (State.TRUNCATED, True)


@pytest.mark.parametrize(("silent", "proved"), [(True, True), (False, False)])
async def test_a_silent_source_protects_nobody_and_one_that_may_not_be_asked_everybody(
    silent: bool, proved: bool
) -> None:
    """What a silent one holds is like nothing held; of what another withholds it may be more."""

    def agree(agreed: AuthorisedPlan) -> AuthorisedPlan:
        looks = {name: look for name, look in agreed.looks.items() if name != "f2"}
        assert len(looks) < len(agreed.looks)
        return replace(agreed, looks=looks, silent=frozenset({"f2"} if silent else ()))

    assert await told(east=Memory(people(CHILD)), agree=agree) == (proved, proved)


async def test_only_persons_that_are_matched_are_asked_who_they_are() -> None:
    """Not what else is asked of the same sources in one question."""
    vehicle = 'vehicle(vrm: "AB12CDE") { make keeper { owner match { band } } } }'
    unmatched = 'other: personSearch(anyOf: [{family: "Doe"}]) { hits { sex } } '
    document = SEARCH.removesuffix("}") + unmatched + vehicle
    plan = world.planned(document, held=catalogue())
    linked = {f"{fetch.id}.identifiers" for fetch in plan.fetches if fetch.parent}

    def change(id_: str, grant: PartGrant) -> PartGrant:
        made = only_told(id_, grant)
        return replace(made, match=frozenset()) if id_ in linked else made

    assert linked
    assert await told(change, document=document) == (True, True)


async def test_a_number_that_no_other_source_can_hold_is_asked_of_none() -> None:
    known = held()
    known["person_no"][0] |= {"kind": "PN", "no": "99/1X"}
    east = Memory(people(CHILD))
    assert await told(north=known, south=known, east=east) == (True, True)
    assert east.asked == []


async def test_where_a_place_for_numbers_cannot_be_asked_nobody_is_proved_whom_it_may_know() -> (
    None
):
    unasked = {"kind": {"constant": "PASSPORT"}, "value": {"column": "old", "ask": False}}
    brp = {"kind": {"constant": "BRP"}, "value": "permit"}
    for identifiers, proved in ((unasked, False), ([brp, unasked], False), (brp, True)):
        among = catalogue(identifiers=identifiers)
        assert await told(among=among) == (proved, proved)


# --- among records that are shown ----------------------------------------------------------------


def shown(change: world.Change = lambda _id, grant: grant, **of_east: Any) -> dict[str, Any]:
    """The age of each by the answer: `north` has an adult's date, `east` another of theirs; and
    `north` has somebody else, grown up."""
    asked = world.operation(AGES)
    agreed = world.allowed(world.plan_of(asked), change)
    number = [{"kind": "PASSPORT", "value": "A1234567"}]
    results = {
        "f0": world.came(world.record("e1", identifiers=number, **of_east)),
        "f1": world.came(
            world.record("n1", identifiers=number, date_of_birth="1990-04-17", dob_claimed=False),
            world.record("n2", date_of_birth="1985-01-01", dob_claimed=False),
        ),
    }
    sources = [agreed.plan.fetches[n].source for n in (0, 1)]
    assert sources == ["east", "north"]
    body = Shaper(asked, agreed, world.shaping(asked)).shape(results).body
    ages = [(hit["owner"], hit["ageState"]) for hit in body["data"]["personSearch"]["hits"]]
    assert ages.pop() == ("NORTH", "ADULT")  # whatever is said of the others
    return dict(ages)


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
