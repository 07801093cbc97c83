"""What a visit asks, what it leaves unasked, and what it checks again of what came."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from connectors.conditions import ALWAYS, NEVER, Compare, Condition, IsNull, Op, Or
from connectors.spi import Ability, Capability, SourceQuery, SourceResult
from gateway.model import FetchResult, PartGrant, Show, State
from gateway.query.derived import Moment
from gateway.query.fanout import FanOut
from tests.memory import Memory, Row
from tests.unit.query import world

MOST = 2  # rows of a relation; of a child relation five times as many
SEARCH = "{{ personSearch(anyOf: [{}]) {{ hits {{ warnings {{ kind }} }} }} }}"
PERSON = {"sur": "HODJA", "fore": "A", "sex": 1, "hnd": "P", "silent": 0}
PEOPLE = [{"id": "p1", **PERSON}, {"id": "p2", **PERSON}]


class Choosy(Memory):
    """A source that applies no alternatives to a child relation."""

    def residual(self, query: SourceQuery) -> Condition:
        together = query.relation == "person_no" and isinstance(query.where, Or)
        return query.where if together else ALWAYS


async def searched(
    criteria: str,
    change: world.Change = lambda _id, grant: grant,
    kind: type[Memory] = Memory,
    **relations: Sequence[Row],
) -> tuple[FetchResult, Memory]:
    north = replace(world.catalogue().sources["north"], max_rows=MOST)
    held = replace(world.catalogue(), sources={"north": north})
    source = kind({"person": PEOPLE, **relations})
    visits = FanOut(
        catalogue=held, sources={"north": source}, moment=Moment(now=world.NOW), query_id="q",
        ends_at=math.inf,
    )  # fmt: skip
    alternatives = criteria if criteria.startswith("{") else f"{{{criteria}}}"
    asked = world.operation(SEARCH.format(alternatives))
    agreed = world.allowed(world.plan_of(asked, held=held), change)
    return (await visits.visit(agreed))[0]["f0"], source


def numbers(*persons: str) -> list[dict[str, Any]]:
    """The passport number, once for each of these persons."""
    return [
        {"person": p, "n": n, "kind": "PP", "no": "A1234567"} for n, p in enumerate(persons, 10)
    ]


@pytest.mark.parametrize(("often", "cut"), [(9, False), (10, True)])
async def test_a_search_whose_finds_were_cut_says_that_records_may_be_missing(
    often: int, cut: bool
) -> None:
    persons = ["p1"] * often + ["p2"]
    result, _ = await searched('identifier: "A1234567"', person_no=numbers(*persons))
    assert [record.key for record in result.records] == (["p1"] if cut else ["p1", "p2"])
    assert (result.state, result.truncated) == (State.TRUNCATED if cut else State.ANSWERED, cut)


@pytest.mark.parametrize(("held", "cut"), [(10, False), (11, True)])
async def test_elements_that_were_cut_are_said_to_be_missing(held: int, cut: bool) -> None:
    warnings = [{"person": "p1", "cd": "WE"}] * held
    result, _ = await searched('family: "Hodja"', warning=warnings)
    assert len(result.records[0].values["warnings"]) == 10
    assert (result.state, result.truncated) == (State.TRUNCATED if cut else State.ANSWERED, cut)


async def test_where_nobody_may_be_seen_nothing_is_read_and_nothing_told() -> None:
    def nobody(id_: str, grant: PartGrant) -> PartGrant:
        return replace(grant, rows=NEVER) if id_ == "f0" else grant

    result, source = await searched(
        'identifier: "A1234567"', nobody, person_no=numbers(*["p1"] * 11)
    )
    assert replace(result, elapsed_s=0.0) == FetchResult(state=State.ANSWERED)
    assert source.asked == []


# --- what is not asked ---------------------------------------------------------------------------


def relations(source: Memory) -> list[str]:
    return [query.relation for query in source.asked]


def part(resource: str, **fields: Any) -> world.Change:
    return lambda id_, grant: replace(grant, **fields) if id_ == resource else grant


async def test_where_a_criterion_finds_no_owner_no_record_is_asked_for() -> None:
    result, source = await searched('identifier: "A1234567"', person_no=numbers())
    assert (result.state, result.records) == (State.ANSWERED, ())
    assert relations(source) == ["person_no"]


BY_NUMBER_AND_YEAR = '{identifier: "A1234567", dob: "1990"}, {identifier: "B7654321", dob: "1991"}'


@pytest.mark.parametrize("apart", [False, True])
async def test_criteria_on_one_child_relation_are_asked_together_and_each_met_by_itself(
    apart: bool,
) -> None:
    people = [{**person, "dob": "19910101"} for person in PEOPLE]
    held = [{"person": "p1", "n": 1, "kind": "PP", "no": "A1234567"},
            {"person": "p2", "n": 2, "kind": "PP", "no": "B7654321"}]  # fmt: skip
    result, source = await searched(
        BY_NUMBER_AND_YEAR, kind=Choosy if apart else Memory, person=people, person_no=held
    )
    assert [record.key for record in result.records] == ["p2"]  # p1 was born in the other's year
    assert relations(source).index("person") == (2 if apart else 1)


async def test_where_no_record_came_no_element_is_asked_for() -> None:
    result, source = await searched('family: "Nobody"', warning=[{"person": "p1", "cd": "WE"}])
    assert (result.state, result.truncated) == (State.ANSWERED, False)
    assert relations(source) == ["person"]


async def test_elements_of_which_none_may_be_seen_are_not_asked_for() -> None:
    change = part("f0.warnings", rows=NEVER)
    result, source = await searched('family: "Hodja"', change, warning=WARNINGS)
    assert (result.state, result.truncated) == (State.ANSWERED, False)
    assert relations(source) == ["person", "person_no"]  # the numbers are for matching
    assert [record.values.get("warnings") for record in result.records] == [None, None]


# --- what is checked again -----------------------------------------------------------------------

WARNINGS = [{"person": "p1", "cd": "WE"}, {"person": "p1", "cd": "MH"}]
WEAPONS = Compare("kind", Op.EQ, "WEAPONS")


class Careless(Memory):
    """Says that it applies every guard, and applies none."""

    async def fetch(self, query: SourceQuery) -> SourceResult:
        return await super().fetch(replace(query, guard=ALWAYS))


async def test_elements_are_held_against_their_rule_again() -> None:
    change = part("f0.warnings", rows=WEAPONS)
    result, _ = await searched('family: "Hodja"', change, Careless, warning=WARNINGS)
    kinds = [e["kind"] for e in result.records[0].values["warnings"]]
    assert (kinds, result.alarms) == (["WEAPONS"], 0)


async def test_a_record_that_its_source_should_have_kept_back_is_an_alarm() -> None:
    change = part("f0", rows=Compare("sex", Op.EQ, "FEMALE"))
    result, _ = await searched('family: "Hodja"', change, Careless)
    assert (result.records, result.alarms) == ((), 2)


class Wide(Memory):
    """Applies nothing of what is asked of it, and says so."""

    def residual(self, query: SourceQuery) -> Condition:
        return query.where if query.relation == "person" else ALWAYS

    async def fetch(self, query: SourceQuery) -> SourceResult:
        wide = replace(query, where=ALWAYS) if query.relation == "person" else query
        return await super().fetch(wide)


async def test_what_a_source_did_not_apply_of_the_question_is_applied_before_the_limit() -> None:
    people = [{**PEOPLE[0], "sur": "OTHER"}, PEOPLE[1]]
    result, source = await searched(
        'family: "Hodja"', part("f0", limit=1), Wide, person=people, warning=WARNINGS
    )
    assert [record.key for record in result.records] == ["p2"]
    assert source.asked[0].limit == MOST


async def test_a_record_is_found_by_no_element_that_may_not_be_seen() -> None:
    """Where the question cannot say which may be, what is read beside it is checked here."""
    change = part("f0.identifiers", rows=Or((Compare("kind", Op.EQ, "PASSPORT"), IsNull("kind"))))
    other = {"person": "p2", "n": 11, "kind": "PN", "no": "A1234567"}
    result, _ = await searched(
        'identifier: "A1234567"', change, person_no=[*numbers("p1"), other], warning=WARNINGS
    )
    assert [record.key for record in result.records] == ["p1"]
    assert (result.state, result.alarms) == (State.ANSWERED, 0)


class Everything(Memory):
    """Gives whole records, whatever columns are asked for."""

    @property
    def capabilities(self) -> Capability:
        return Capability(abilities=Ability.LIMIT | Ability.BATCH)


async def test_a_source_that_gives_whole_records_is_asked_only_by_its_owners_leave() -> None:
    result, source = await searched('family: "Hodja"', kind=Everything)
    assert (result.state, result.records, source.asked) == (State.FAULT, (), [])


# --- hits and counts -----------------------------------------------------------------------------


@pytest.mark.parametrize("show", [Show.HIT, Show.COUNT])
async def test_a_hit_is_asked_for_under_rules_that_the_question_can_say(show: Show) -> None:
    legal = part("f0.names", rows=Compare("kind", Op.EQ, "LEGAL"))

    def change(id_: str, grant: PartGrant) -> PartGrant:
        return replace(grant, show=show) if id_ == "f0" else legal(id_, grant)

    result, _ = await searched('family: "Hodja"', change)
    assert [record.key for record in result.records] == ["p1", "p2"]


@pytest.mark.parametrize("show", [Show.HIT, Show.COUNT])
async def test_a_hit_is_not_asked_for_where_a_rule_on_elements_cannot_be(show: Show) -> None:
    legal = part("f0.names", rows=Or((Compare("kind", Op.EQ, "LEGAL"), IsNull("kind"))))

    def change(id_: str, grant: PartGrant) -> PartGrant:
        return replace(grant, show=show) if id_ == "f0" else legal(id_, grant)

    result, source = await searched('family: "Hodja"', change)
    assert (result.state, result.records, source.asked) == (State.FAULT, (), [])
