"""Everything that an operation would touch, and what it may not ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from connectors.conditions import Compare, Op
from gateway.catalogue.mapping import read_catalogue
from gateway.errors import InvalidOperation, LimitExceeded, MalformedRequest
from gateway.model import Near, Plan, Use
from gateway.query.asking import cursor_binding
from gateway.query.refs import Cursor
from gateway.query.targets import targets_of
from tests.unit.query.world import (
    HEADER,
    LIMITS,
    NOW,
    REFS,
    SUBJECT,
    operation,
    plan_of,
    planned,
    search,
    vocabulary,
)


def visits(plan: Plan) -> list[tuple[str, str, str, str | None]]:
    return [(f.id, f.source, f.entity, f.parent) for f in plan.fetches]


# --- visits --------------------------------------------------------------------------------------


def test_a_root_is_one_visit_of_each_holder_that_can_apply_its_criteria() -> None:
    plan = planned(search("sex"))
    assert visits(plan) == [("f0", "east", "Person", None), ("f1", "north", "Person", None)]
    assert plan.roots[0].fetches == ("f0", "f1")
    family = planned(search("sex", '{family: "Hodja"}'))
    assert visits(family) == [("f0", "north", "Person", None)]  # east holds only whole names
    assert family.roots[0].not_held == ("east",)


def paged(inner: str, **more: Any) -> Plan:
    return planned(f'{{ personSearch(anyOf: [{{identifier: "A1234567"}}]) {{ {inner} }} }}', **more)


def of_pages(plan: Plan) -> list[set[Use]]:
    return [
        {use for use, field in fetch.part("").uses if field == "native_key"}
        for fetch in plan.fetches
    ]


def test_a_total_asks_to_count_and_a_next_page_asks_for_the_order() -> None:
    """Of every source that is searched, and of nobody else."""
    assert of_pages(paged("hits { sex }")) == [set(), set()]
    assert of_pages(paged("total hits { sex }")) == [{Use.COUNT}] * 2
    assert of_pages(paged("hits { sex } more: next")) == [{Use.SORT}] * 2
    both = paged("total next hits { sex vehicles { make } }")
    paging = {Use.COUNT, Use.SORT}  # of vehicles nothing is counted: they hang on a person
    assert of_pages(both) == [paging, paging | {Use.LINK}, set()]


def test_a_page_further_on_asks_for_the_order_whether_or_not_it_asks_for_the_next() -> None:
    document = """query($a: String) {
      personSearch(anyOf: [{identifier: "A1234567"}], after: $a) { hits { sex } } }"""
    first = operation(document, {"a": None})
    bound = cursor_binding(first, SUBJECT, first.roots[0])
    ends = int(NOW.timestamp()) + 900
    there = Cursor(positions={"north/Person": 7}, serial=1, expires_at=ends, binding=bound)
    assert of_pages(plan_of(first)) == [set(), set()]
    further = operation(document, {"a": REFS.seal_cursor(there)})
    assert of_pages(plan_of(further)) == [{Use.SORT}]


def test_a_link_is_one_visit_beneath_its_parent_never_one_for_each_row() -> None:
    plan = planned(search("vehicles(first: 3) { keeper { sex } }", '{family: "Hodja"}'))
    assert visits(plan) == [
        ("f0", "north", "Person", None),
        ("f1", "north", "Vehicle", "f0"),
        ("f2", "north", "Person", "f1"),
    ]
    vehicles, keeper = plan.fetches[1:]
    assert (vehicles.link_from, vehicles.link_by, vehicles.limit) == ("native_key", "person_key", 3)
    assert (keeper.link_from, keeper.link_by, keeper.limit) == ("keeper_key", "native_key", 1)
    assert vehicles.path == "personSearch.hits.*.vehicles.*"
    assert keeper.path == "personSearch.hits.*.vehicles.*.keeper"
    assert plan.fetches[0].links == {"vehicles": ("f1",)}


def test_a_shared_key_is_asked_of_every_source_that_maps_it() -> None:
    plan = planned('{ vehicle(vrm: "AB12CDE") { sightings(last: "PT1H") { camera } } }')
    assert visits(plan) == [
        ("f0", "north", "Vehicle", None),
        ("f1", "east", "Sighting", "f0"),
    ]
    assert plan.fetches[1].where == Compare("when", Op.GTE, "2026-11-01T05:00:00Z")


def test_az_04_an_interface_is_expanded_to_what_it_stands_for() -> None:
    inner = "when ... on Encounter { debrief } ... on Incident { offenceCode }"
    plan = planned(f'{{ eventSearch(by: {{ref: "E1"}}) {{ hits {{ {inner} }} }} }}')
    assert visits(plan) == [
        ("f0", "north", "Incident", None),
        ("f1", "east", "Encounter", None),
    ]
    assert plan.fetches[0].part("").reads == {"ref", "when", "offence_code"}
    assert plan.fetches[1].part("").reads == {"ref", "when", "debrief"}
    assert {part.type for f in plan.fetches for part in f.parts}.isdisjoint({"Event", "Record"})


def test_kinds_choose_among_the_members_of_an_interface() -> None:
    document = '{ eventSearch(by: {ref: "E1", kinds: [ENCOUNTER]}) { hits { when } } }'
    assert visits(planned(document)) == [("f0", "east", "Encounter", None)]


def test_what_no_source_holds_is_noted() -> None:
    plan = planned(search("sex birthPlace { text } custody { ref } groups { role }"))
    assert plan.not_held == (
        ("personSearch.hits.*.birthPlace", "birth_place"),
        ("personSearch.hits.*.custody", "custody"),
        ("personSearch.hits.*.groups", "groups"),
    )


def test_only_the_schema_or_the_sources_are_no_visit() -> None:
    assert planned("{ __typename sources { agency } }").fetches == ()


def test_hits_are_selected_once() -> None:
    document = '{ personSearch(anyOf: [{family: "x"}]) { a: hits { sex } b: hits { owner } } }'
    with pytest.raises(InvalidOperation, match="Select 'hits' once"):
        planned(document)


# --- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, -1, 51, 99_999_999])
def test_gd_16_pages_have_a_size(first: int) -> None:
    document = f'{{ personSearch(anyOf: [{{family: "x"}}], first: {first}) {{ total }} }}'
    with pytest.raises(LimitExceeded) as caught:
        planned(document)
    assert caught.value.said == f"The limit 'first' is 50; the request has {first}."
    with pytest.raises(LimitExceeded):
        planned(search(f"vehicles(first: {first}) {{ make }}"))


def test_gd_16_a_page_of_no_stated_size_has_the_usual_one() -> None:
    assert planned(search("sex")).fetches[0].limit == 20
    null = 'query ($f: Int) { personSearch(anyOf: [{family: "x"}], first: $f) { total } }'
    assert plan_of(operation(null, {"f": None})).fetches[0].limit == 20


def test_a_linked_page_of_no_stated_size_has_the_usual_one() -> None:
    null = f"query ($f: Int) {search('vehicles(first: $f) { make }')}"
    made = plan_of(operation(null, {"f": None}))
    assert [f.limit for f in made.fetches if f.entity == "Vehicle"] == [20]


def test_gd_22_visits_waves_and_sources_are_limited() -> None:
    roots = " ".join(f'a{n}: vehicle(vrm: "AB12CDE") {{ make }}' for n in range(5))
    assert len(planned(f"{{ {roots} }}", limits=replace(LIMITS, fetches=5)).fetches) == 5
    for limits, said in (
        (replace(LIMITS, fetches=4), "'fetches' is 4; the request has 5"),
        (replace(LIMITS, fetches=2), "'fetches' is 2; the request has many more"),
    ):
        with pytest.raises(LimitExceeded, match=said):
            planned(f"{{ {roots} }}", limits=limits)
    deep = search("vehicles { keeper { vehicles { make } } }", '{family: "Hodja"}')
    with pytest.raises(LimitExceeded, match="'waves' is 3; the request has 4"):
        planned(deep, limits=replace(LIMITS, waves=3))
    with pytest.raises(LimitExceeded, match="'sources' is 1; the request has 2"):
        planned(search("sex"), limits=replace(LIMITS, sources=1))


# --- refs, cursors, probes -----------------------------------------------------------------------


def by_ref(ref: str) -> Plan:
    return plan_of(operation("query ($r: OpaqueRef!) { person(ref: $r) { sex } }", {"r": ref}))


def test_a_ref_is_one_visit_of_its_own_source() -> None:
    plan = by_ref(REFS.seal("NORTH", "north", "Person", 17))
    assert visits(plan) == [("f0", "north", "Person", None)]
    assert plan.fetches[0].where == Compare("native_key", Op.EQ, 17)
    assert plan.fetches[0].limit == 1


def test_az_11_a_ref_that_is_not_the_callers_plans_nothing() -> None:
    for ref in (
        "nonsense",
        REFS.seal("EAST", "north", "Person", 17),
        REFS.seal("NORTH", "north", "Vehicle", 17),
        REFS.seal("NORTH", "nowhere", "Person", 17),
    ):
        assert by_ref(ref).fetches == ()


def page(after: str, *, first: int = 20, subject: Any = SUBJECT) -> Plan:
    document = (
        'query ($a: String) { personSearch(anyOf: [{identifier: "A1234567"}], '
        f"first: {first}, after: $a) {{ next }} }}"
    )
    return plan_of(operation(document, {"a": after}), subject=subject)


def cursor(**positions: Any) -> str:
    asked = operation('{ personSearch(anyOf: [{identifier: "A1234567"}]) { next } }')
    bound = cursor_binding(asked, SUBJECT, asked.roots[0])
    ends = int(NOW.timestamp()) + 900
    named = {f"{source}/Person": key for source, key in positions.items()}
    return REFS.seal_cursor(Cursor(positions=named, serial=7, expires_at=ends, binding=bound))


def test_a_cursor_goes_on_where_each_source_stands() -> None:
    plan = page(cursor(north="p9"))
    assert visits(plan) == [("f0", "north", "Person", None)]  # east has given everything
    assert plan.fetches[0].after == "p9"
    assert plan.cursor_serial == 7


def test_in_13_a_cursor_for_another_question_is_refused_in_the_same_words() -> None:
    said = set()
    good = cursor(north="p9")
    changed = good[:-1] + ("A" if good[-1] != "A" else "B")
    asks: list[Callable[[], Plan]] = [
        lambda: page(changed),
        lambda: page("x"),
        lambda: page(good, first=19),
        lambda: page(good, subject=replace(SUBJECT, id="u-2")),
        lambda: page(good, subject=replace(SUBJECT, issuer="https://other.example")),
    ]
    for ask in asks:
        with pytest.raises(MalformedRequest) as caught:
            ask()
        said.add(caught.value.said)
    assert said == {"This cursor cannot be used: start again without `after`."}


PAGED = (
    "query ({}$b: String, $n: String!, $more: Boolean!) {{"
    " one: personSearch(anyOf: [{{identifier: $n}}], after: {}) {{ {} }}"
    " two: personSearch(anyOf: [{{identifier: $n}}], after: $b) {{ next }} }}"
)


def bound(
    after: str = "$a", fields: str = "next total @include(if: $more)", at: int = 0, **given: Any
) -> bytes:
    variables = {"a": None, "b": None, "n": "A1234567", "more": True, **given}
    declared = "$a: String, " if after == "$a" else ""
    asked = operation(PAGED.format(declared, after, fields), variables)
    return cursor_binding(asked, SUBJECT, asked.roots[at])


def test_in_12_a_cursor_is_bound_to_all_that_was_asked_but_the_cursors() -> None:
    first = bound()
    for page in (bound(a="c1"), bound(a="c1", b="c2"), bound('"c1"'), bound("null")):
        assert page == first
    others = {
        "a field more": bound(fields="next total @include(if: $more) hits { sex }"),
        "a field less, by a variable": bound(more=False),
        "another name in the answer": bound(fields="more: next total @include(if: $more)"),
        "another criterion": bound(n="B7654321"),
        "the other list": bound(at=1),
        "the name of the type": bound(fields="next __typename @include(if: $more)"),
    }
    assert first not in others.values()
    assert len(set(others.values())) == len(others)


def test_in_18_a_face_probe_is_a_ref_or_a_handle_and_never_both() -> None:
    document = "query ($p: FaceProbe!) { faceSearch(probe: $p) { threshold } }"
    for wrong in ({}, {"ref": "r", "handle": "h"}):
        with pytest.raises(InvalidOperation, match="either a stored image's ref or a handle"):
            plan_with_gallery(document, wrong)
    ref = REFS.seal("NORTH", "north", "ImageRef", 7)
    assert plan_with_gallery(document, {"ref": ref}).fetches[0].near == Near(ref_key=7)
    assert plan_with_gallery(document, {"ref": "x"}).fetches[0].near == Near(ref_key="")
    made = plan_with_gallery(document, {"handle": "h"})
    assert made.fetches[0].near == Near(handle="h")
    assert (Use.FACE, "likeness") in made.fetches[0].part("").uses
    assert made.fetches[0].limit == 10


def test_in_18_a_stored_image_is_a_target_of_its_own_whose_budget_counts_it() -> None:
    document = "query ($p: FaceProbe!) { faceSearch(probe: $p) { threshold } }"

    def targets(probe: dict[str, Any]) -> frozenset[str]:
        return targets_of(plan_with_gallery(document, probe), b"k" * 32)

    one, other = (REFS.seal("NORTH", "north", "ImageRef", number) for number in (7, 8))
    nothing = targets({"handle": "h"})
    assert targets({"ref": one}) == targets({"ref": one})
    assert len(targets({"ref": one}) - nothing) == 1
    assert targets({"ref": one}) != targets({"ref": other})


def plan_with_gallery(document: str, probe: dict[str, Any]) -> Plan:
    source = {
        "version": 1, "id": "north", "agency": "NORTH", "connector": "vector", "header": HEADER,
        "gallery": {"model": "m1", "threshold": 0.6, "notice": "Leads."},
        "entity": {"FaceCandidate": {"relation": "face", "columns": {"likeness": "v"}}},
    }  # fmt: skip
    held = read_catalogue(vocabulary(), [("n.toml", source)])
    return plan_of(operation(document, {"p": probe}), held=held)
