"""A record that its owner's conditions make a hit: nothing of it is in an answer, and nothing in
the answer rests on it. How it is shown is decided once, for all that is asked of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.conditions import ALWAYS, Compare, Op
from gateway.model import (
    CLEAR,
    HIT_ONLY,
    SANITISED_TEXT,
    WHOLE,
    Case,
    Grant,
    Manner,
    Note,
    PartGrant,
    Record,
    Response,
)
from gateway.query.need import need_of
from gateway.query.records import stricter
from gateway.query.whole import links_from, settle
from tests.unit.query import world
from tests.unit.query.world import answer, came, record

PERSONS = """{ personSearch(anyOf: [{identifier: "A1234567"}]) {
    total hits { ref sex match { band } } matches { band records } } }"""
BY_CODE = (
    Case(Compare("handling", Op.EQ, "P"), CLEAR),
    Case(Compare("conditions", Op.EQ, "SANITISED_ONLY"), SANITISED_TEXT),
    Case(ALWAYS, HIT_ONLY),
)
OF_HITS = Note(rule="Person:handling", text="Held under conditions.", desk="north", action="call")


def person(key: str, handling: str, *conditions: str, **values: Any) -> Record:
    number = [{"kind": "PASSPORT", "value": "A1234567"}]
    values = {"sex": "MALE", "identifiers": number, **values}
    return record(key, handling=handling, conditions=list(conditions), **values)


def bound(at: str, grant: PartGrant) -> PartGrant:
    """The records of both agencies are shown by their owner's conditions."""
    if at not in {"f0", "f1"}:
        return grant
    return replace(grant, whole=BY_CODE, notes={"": Note(), WHOLE: OF_HITS})


def asked(*, north: Record, east: Record) -> Response:
    return answer(PERSONS, {"f0": came(east), "f1": came(north)}, bound)


def test_a_hit_is_said_with_the_owners_desk_and_is_in_no_list_count_or_group() -> None:
    shown = asked(north=person("n", "P"), east=person("e", "P")).body
    assert shown["data"]["personSearch"]["total"] == 2
    assert len(shown["data"]["personSearch"]["matches"]) == 1
    made = asked(north=person("n", "C"), east=person("e", "P"))
    search = made.body["data"]["personSearch"]
    assert (search["total"], len(search["hits"]), search["matches"]) == (1, 1, [])
    # Nor does the other record tell that the two share a number.
    assert search["hits"][0]["match"]["band"] is None
    (entry,) = made.body["extensions"]["disclosure"]
    assert (entry["outcome"], entry["rule"], entry["contact"], entry["action"]) == (
        "HIT", "Person:handling", "north", "call",
    )  # fmt: skip
    assert len(made.disclosed) == 1


def test_of_some_the_owners_line_is_told_and_nothing_else() -> None:
    line = person("n", "C", "SANITISED_ONLY", sanitised_text="Carries a knife.", sex="FEMALE")
    made = asked(north=line, east=person("e", "P"))
    (entry,) = made.body["extensions"]["disclosure"]
    assert (entry["outcome"], entry["mask"], entry["shows"]) == (
        "HIT", SANITISED_TEXT, "Carries a knife.",
    )  # fmt: skip
    assert "FEMALE" not in str(made.body)
    assert len(made.disclosed) == 2


def test_a_hit_leads_nowhere() -> None:
    shown, hit = record("a", sex="1"), replace(record("b", sex="2"), manner=HIT_ONLY)
    told = replace(record("c", sex="3"), manner=SANITISED_TEXT)
    assert links_from((shown, hit, told, shown), "sex") == ("1",)


def test_an_element_of_a_component_leads_where_its_field_says() -> None:
    numbers = [{"value": "A1"}, {"value": None}, {"kind": "BRP"}, {"value": "B2"}]
    records = (
        record("a", identifiers=numbers, sex=None),
        record("b", identifiers=[{"value": "B2"}, {"value": "C3"}]),
        record("c"),
        record("d", identifiers=None),
    )
    assert links_from(records, "identifiers.value") == ("A1", "B2", "C3")
    assert links_from(records, "sex") == ()


def test_a_record_of_which_no_case_says_how_it_may_be_shown_is_a_hit() -> None:
    agreed = world.allowed(world.plan_of(world.operation(PERSONS)))
    grant = agreed.grants["f0"]
    unsaid = replace(grant.own, whole=BY_CODE[:2])
    grant = Grant(fetch=grant.fetch, parts={**grant.parts, "": unsaid})
    records = (person("a", "P"), person("b", "C"), person("c", "C", "SANITISED_ONLY"))
    settle(records, grant, world.vocabulary().fields_of("Person"), world.MOMENT)
    assert [one.manner for one in records] == [CLEAR, HIT_ONLY, SANITISED_TEXT]


@pytest.mark.parametrize(
    ("whole", "name", "both"),
    [
        (CLEAR, CLEAR, CLEAR),
        (CLEAR, HIT_ONLY, HIT_ONLY),
        (CLEAR, None, None),
        (HIT_ONLY, CLEAR, HIT_ONLY),
        (HIT_ONLY, SANITISED_TEXT, HIT_ONLY),
        (SANITISED_TEXT, CLEAR, SANITISED_TEXT),
        (SANITISED_TEXT, SANITISED_TEXT, SANITISED_TEXT),
        (SANITISED_TEXT, HIT_ONLY, HIT_ONLY),
        (SANITISED_TEXT, None, None),
    ],
)
def test_of_two_the_stricter_counts(whole: str, name: str | None, both: str | None) -> None:
    assert stricter(whole, name) == both


def needed(whole: Manner) -> frozenset[str]:
    agreed = world.allowed(world.plan_of(world.operation(PERSONS)))
    grant = agreed.grants["f0"]
    own = replace(grant.own, whole=whole)
    return need_of(
        Grant(fetch=grant.fetch, parts={**grant.parts, "": own}), world.vocabulary(), ()
    ).own


def test_what_the_cases_rest_on_is_read_and_else_it_is_not() -> None:
    assert needed(BY_CODE) - needed(CLEAR) == {"handling", "conditions", "sanitised_text"}
