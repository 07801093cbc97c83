"""What a visit reads: all that an answer rests on, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.conditions import ALWAYS, And, Compare, Condition, Op
from gateway.model import (
    CLEAR,
    HIT_ONLY,
    SANITISED_TEXT,
    Case,
    Fetch,
    Grant,
    Manner,
    Part,
    PartGrant,
    Show,
)
from gateway.query.need import Need, need_of
from tests.unit.query import world

CODED = Compare("handling", Op.EQ, "P")
TYPES = {
    "": "Person", "names": "PersonName", "identifiers": "Identifier", "addresses": "Occupancy",
    "addresses.location": "Location",
}  # fmt: skip


def agreed(path: str = "", *read: str, show: Show | None = Show.RECORDS, **more: Any) -> PartGrant:
    manners: dict[str, Manner] = dict.fromkeys(read, CLEAR)
    part = Part(path=path, type=TYPES[path])
    return PartGrant(part=part, show=show, **{"rows": ALWAYS, "read": manners, **more})


def need(*parts: PartGrant, entity: str = "Person", beside: tuple[str, ...] = ()) -> Need:
    fetch = Fetch(id="f0", source="north", entity=entity, parts=tuple(p.part for p in parts))
    grant = Grant(fetch=fetch, parts={part.part.path: part for part in parts})
    return need_of(grant, world.vocabulary(), beside)


def own(*parts: PartGrant, **more: Any) -> frozenset[str]:
    found = need(*parts, **more)
    assert not found.parts
    return found.own


def test_what_is_read_of_a_record_and_of_its_components_is_needed() -> None:
    found = need(
        agreed("", "sex", "ref"), agreed("names", "family"), agreed("addresses", "kind"),
        agreed("addresses.location", "town"), beside=("native_key", "warnings.kind"),
    )  # fmt: skip
    assert found == Need(
        own=frozenset({"sex", "native_key"}),  # the ref is the gateway's own
        parts={
            "names": frozenset({"family"}),
            "addresses": frozenset({"kind", "location.town"}),
            "warnings": frozenset({"kind"}),
        },
    )


def test_a_component_of_which_nothing_is_read_is_visited_for_its_elements() -> None:
    assert need(agreed(), agreed("names")) == Need(own=frozenset(), parts={"names": frozenset()})


@pytest.mark.parametrize("show", [None, Show.SILENT])
def test_of_what_is_not_shown_nothing_is_needed_but_the_records_own_rule(show: Show | None) -> None:
    hidden = agreed("names", "family", show=show, rows=CODED, match=frozenset({"kind"}))
    assert need(agreed(), hidden) == Need(own=frozenset(), parts={})
    assert own(agreed("", "sex", show=show, rows=CODED)) == {"handling"}


@pytest.mark.parametrize("show", [Show.HIT, Show.COUNT])
def test_of_a_hit_and_a_count_no_value_is_needed(show: Show) -> None:
    cases = (Case(Compare("caveats", Op.EQ, "X"), CLEAR), Case(ALWAYS, SANITISED_TEXT))
    told = agreed(
        "", "sex", show=show, rows=CODED, whole=cases,
        match=frozenset({"date_of_birth"}), count=frozenset({"victim"}),
    )  # fmt: skip
    assert own(told) == {"handling", "date_of_birth", "victim"}


def test_what_matching_and_counting_look_at_is_needed() -> None:
    numbers = agreed("identifiers", match=frozenset({"kind", "value"}), count=frozenset({"status"}))
    assert need(agreed(), numbers).parts == {"identifiers": frozenset({"kind", "value", "status"})}


def cases(*conditions: Condition) -> tuple[Case, ...]:
    return (*(Case(one, CLEAR) for one in conditions), Case(ALWAYS, "REDACT"))


def test_what_rules_and_cases_look_at_is_needed() -> None:
    by_code = {"sex": cases(And((CODED, Compare("match_band", Op.EQ, "LINKED"))))}
    record = agreed("", read=by_code, rows=Compare("retention", Op.NE, "DISPOSE"))
    assert own(record) == {"sex", "handling", "retention"}  # a band is no source's
    # A component's look at a field of its elements, else at one of the record.
    kinds = {"value": cases(Compare("kind", Op.EQ, "PASSPORT"), CODED)}
    number = agreed("identifiers", read=kinds, rows=Compare("status", Op.EQ, "LOST"))
    assert need(agreed(), number) == Need(
        own=frozenset({"handling"}), parts={"identifiers": frozenset({"value", "kind", "status"})}
    )


@pytest.mark.parametrize("on", ["whole", "read"])
def test_the_owners_line_is_needed_where_some_may_be_told_by_it_alone(on: str) -> None:
    def told(*manners: str) -> frozenset[str]:
        by: Manner = tuple(Case(CODED, one) for one in manners)
        given: dict[str, Any] = {"whole": by} if on == "whole" else {"read": {"sex": by}}
        return own(agreed("", **given)) - {"sex", "handling"}

    assert told(CLEAR, SANITISED_TEXT, HIT_ONLY) == {"sanitised_text"}
    assert told(CLEAR, HIT_ONLY) == frozenset()


def test_what_a_field_is_worked_out_from_is_needed() -> None:
    found = need(agreed("", "primary_name", "dob_quality"), agreed("names"))
    assert found == Need(
        own=frozenset({"primary_name", "dob_quality", "date_of_birth", "dob_claimed"}),
        parts={"names": frozenset({"full", "given", "family", "kind"})},
    )


@pytest.mark.parametrize(
    ("manner", "coarse"),
    [
        (CLEAR, False), (HIT_ONLY, False), ("GRID_1KM", True),
        ((Case(CODED, CLEAR), Case(ALWAYS, "GRID_1KM")), True),
        ((Case(CODED, CLEAR), Case(ALWAYS, HIT_ONLY)), False),
    ],
)  # fmt: skip
def test_what_is_told_in_a_masked_fields_stead_is_needed_where_it_may_be_masked(
    manner: Manner, coarse: bool
) -> None:
    seen = replace(agreed("", read={"camera": manner}), part=Part(path="", type="Sighting"))
    found = need(seen, entity="Sighting")
    assert found.own - {"handling"} == {"camera"}
    assert found.parts == ({"point": frozenset({"lat", "lon"})} if coarse else {})
