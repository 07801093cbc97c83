"""What a visit asks, what it leaves unasked, and what it checks again of what came."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from connectors.conditions import ALWAYS, NEVER, Compare, Condition, IsNull, Op, Or
from connectors.spi import Ability, Capability, SourceQuery, SourceResult
from gateway.model import (
    CLEAR,
    HIT_ONLY,
    Case,
    FetchResult,
    PartGrant,
    Results,
    Show,
    State,
)
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


async def visited(
    document: str,
    change: world.Change = lambda _id, grant: grant,
    kind: type[Memory] = Memory,
    *,
    over_read: bool = False,
    **relations: Sequence[Row],
) -> tuple[Results, Memory]:
    """What one source gives to a question; its owner may have consented to over-reading."""
    north = world.catalogue().sources["north"]
    entities = {n: replace(e, over_read=over_read) for n, e in north.entities.items()}
    north = replace(north, max_rows=MOST, entities=entities)
    held = replace(world.catalogue(), sources={"north": north})
    source = kind({"person": PEOPLE, **relations})
    visits = FanOut(
        catalogue=held, sources={"north": source}, moment=Moment(now=world.NOW), query_id="q",
        ends_at=math.inf,
    )  # fmt: skip
    agreed = world.allowed(world.plan_of(world.operation(document), held=held), change)
    return (await visits.visit(agreed))[0], source


async def searched(
    criteria: str,
    change: world.Change = lambda _id, grant: grant,
    kind: type[Memory] = Memory,
    *,
    over_read: bool = False,
    **relations: Sequence[Row],
) -> tuple[FetchResult, Memory]:
    """The same of a search for persons."""
    alternatives = criteria if criteria.startswith("{") else f"{{{criteria}}}"
    document = SEARCH.format(alternatives)
    results, source = await visited(document, change, kind, over_read=over_read, **relations)
    return results["f0"], source


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


async def test_of_several_criteria_one_that_was_cut_is_enough_to_say_so() -> None:
    cut, whole = [numbers(*["p1"] * often) for often in (11, 1)]
    other = [{**row, "no": "B7654321"} for row in whole]
    asked = '{identifier: "A1234567"}, {identifier: "B7654321"}'
    result, source = await searched(asked, kind=Choosy, person_no=[*cut, *other])
    assert relations(source)[:2] == ["person_no"] * 2
    assert (result.state, result.truncated) == (State.TRUNCATED, True)


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


async def test_an_element_that_is_nobodys_finds_nobody() -> None:
    unowned = {**numbers("p1")[0], "person": None, "n": 1}
    result, source = await searched('identifier: "A1234567"', person_no=[unowned])
    assert (result.records, relations(source)) == ((), ["person_no"])
    result, source = await searched(
        'identifier: "A1234567"', person_no=[unowned, *numbers("p1", "p1")]
    )
    assert [record.key for record in result.records] == ["p1"]
    assert source.asked[1].where == Compare("id", Op.IN, ("p1",))


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


@pytest.mark.parametrize("rows", [NEVER, Compare("discreet", Op.EQ, False)])
async def test_elements_of_which_none_may_be_seen_are_not_asked_for(rows: Condition) -> None:
    """Nor where the source does not know which may be."""
    change = part("f0.warnings", rows=rows)
    result, source = await searched('family: "Hodja"', change, warning=WARNINGS)
    assert (result.state, result.truncated) == (State.ANSWERED, False)
    assert relations(source) == ["person", "person_no"]  # the numbers are for matching
    assert [record.values.get("warnings") for record in result.records] == [None, None]


class Unsorted(Memory):
    """A source that cannot select from the relation of warnings."""

    def residual(self, query: SourceQuery) -> Condition:
        return query.where if query.relation == "warning" else ALWAYS


async def test_a_relation_that_cannot_be_selected_from_is_not_read_whole() -> None:
    result, source = await searched('family: "Hodja"', kind=Unsorted, warning=WARNINGS)
    assert (result.state, result.records) == (State.FAULT, ())
    assert "warning" not in relations(source)


# --- rules that the source cannot apply -----------------------------------------------------------

MEN = Compare("sex", Op.STARTSWITH, "M")  # of a code list no source can be asked that
MEN_BY_CODE = Compare("sex", Op.EQ, "MALE")
BOTH_SEXES = [{**PEOPLE[0], "sex": 2}, PEOPLE[1], {**PEOPLE[1], "id": "p3"}]


class Lax(Memory):
    """Applies no guard to persons, and says so."""

    def residual(self, query: SourceQuery) -> Condition:
        return query.guard if query.relation == "person" else ALWAYS

    async def fetch(self, query: SourceQuery) -> SourceResult:
        lax = replace(query, guard=ALWAYS) if query.relation == "person" else query
        return await super().fetch(lax)


@pytest.mark.parametrize(("kind", "rows"), [(Memory, MEN), (Lax, MEN_BY_CODE)])
async def test_a_rule_that_the_source_cannot_apply_is_applied_here_by_its_owners_leave(
    kind: type[Memory], rows: Condition
) -> None:
    change = part("f0", rows=rows)
    result, source = await searched('family: "Hodja"', change, kind, person=BOTH_SEXES)
    assert (result.state, result.records, source.asked) == (State.FAULT, (), [])
    for most, keys in ((5, ["p2", "p3"]), (1, ["p2"])):
        change = part("f0", rows=rows, limit=most)
        result, source = await searched(
            'family: "Hodja"', change, kind, over_read=True, person=BOTH_SEXES, warning=WARNINGS
        )
        assert [record.key for record in result.records] == keys
        assert (result.truncated, result.alarms) == (most == 1, 0)  # no source kept no promise
        columns = source.asked[0].columns
        assert len(set(columns)) == len(columns)


async def test_a_rule_that_the_source_applies_costs_no_leave_and_no_second_page() -> None:
    change = part("f0", rows=MEN_BY_CODE)
    for over_read in (False, True):
        result, source = await searched(
            'family: "Hodja"', change, over_read=over_read, person=BOTH_SEXES
        )
        assert [record.key for record in result.records] == ["p2", "p3"]
        assert relations(source).count("person") == 1


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


async def test_each_record_that_should_have_been_kept_back_is_an_alarm_and_no_other() -> None:
    change = part("f0", rows=MEN_BY_CODE)
    people = [{**PEOPLE[0], "sex": 2}, PEOPLE[1]]
    result, _ = await searched('family: "Hodja"', change, Careless, person=people)
    assert ([record.key for record in result.records], result.alarms) == (["p2"], 1)


async def test_a_record_that_is_a_hit_as_a_whole_is_known_before_anything_is_linked_to_it() -> None:
    whole = (Case(Compare("handling", Op.EQ, "P"), CLEAR), Case(ALWAYS, HIT_ONLY))
    people = [PEOPLE[0], {**PEOPLE[1], "hnd": "C"}]
    cars = [{"id": f"v{n}", "keeper": f"p{n}", "hnd": "P", "silent": 0} for n in (1, 2)]
    results, source = await visited(
        '{ personSearch(anyOf: [{family: "Hodja"}]) { hits { vehicles { make } } } }',
        part("f0", whole=whole), person=people, vehicle=cars,
    )  # fmt: skip
    manners = [(record.key, record.manner) for record in results["f0"].records]
    assert manners == [("p1", CLEAR), ("p2", HIT_ONLY)]
    assert [record.key for record in results["f1"].records] == ["v1"]
    assert source.asked[-1].where == Compare("keeper", Op.IN, ("p1",))


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


async def test_what_a_source_can_only_be_asked_too_widely_is_checked_before_the_limit() -> None:
    people = [PEOPLE[0], {**PEOPLE[1], "fore": "LUAN"}]  # forenames can be told by us alone
    asked = 'family: "Hodja", given: "Luan"'
    result, source = await searched(asked, part("f0", limit=1), person=people)
    assert ([record.key for record in result.records], source.asked[0].limit) == (["p2"], MOST)
    exact, source = await searched('family: "Hodja"', part("f0", limit=1), person=people)
    assert ([record.key for record in exact.records], source.asked[0].limit) == (["p1"], 1)


class Loose(Memory):
    """Says that it applies what is asked of events, and gives them all."""

    async def fetch(self, query: SourceQuery) -> SourceResult:
        loose = replace(query, where=ALWAYS) if query.relation == "crime" else query
        return await super().fetch(loose)


@pytest.mark.parametrize("kind", [Memory, Loose])
async def test_what_hangs_on_an_element_is_held_against_the_elements_that_may_be_seen(
    kind: type[Memory],
) -> None:
    crimes = [{"id": c, "ref": c, "hnd": "P", "silent": 0} for c in ("c1", "c2")]
    people = [{"crime": "c1", "person": "p1", "role": "S"},
              {"crime": "c2", "person": "p2", "role": "V"}]  # fmt: skip
    results, _ = await visited(
        '{ personSearch(anyOf: [{family: "Hodja"}]) { hits { events { eventRef } } } }',
        part("f1.participants", rows=Compare("role", Op.EQ, "SUSPECT")),
        kind, crime=crimes, crime_person=people,
    )  # fmt: skip
    found = [(record.key, record.links) for record in results["f1"].records]
    assert found == [("c1", frozenset({"p1"}))]


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
    result, source = await searched('family: "Hodja"', kind=Everything, over_read=True)
    assert [record.key for record in result.records] == ["p1", "p2"]
    assert source.asked


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


@pytest.mark.parametrize("show", [Show.HIT, Show.COUNT])
async def test_a_hit_is_found_by_elements_of_which_none_is_shown(show: Show) -> None:
    """What hangs on a hit is never shown; what the source left unapplied is held against it."""

    def change(id_: str, grant: PartGrant) -> PartGrant:
        return replace(grant, show=show if id_ == "f0" else None)

    people = [{**PEOPLE[0], "sur": "OTHER"}, PEOPLE[1]]
    result, _ = await searched('family: "Hodja"', change, Wide, person=people)
    assert [record.key for record in result.records] == ["p2"]
