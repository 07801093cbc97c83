"""What a source sends becomes records, their elements from wherever they stand."""

from __future__ import annotations

from dataclasses import replace

from connectors.conditions import Compare, Op
from gateway.catalogue.mapping import EntityMapping, read_catalogue
from gateway.model import Show
from gateway.query.layout import (
    child_layout,
    elements_of,
    kept_elements,
    layout_of,
    records_of,
)
from gateway.query.need import Need
from gateway.query.translate import Pushing
from tests.unit.query.world import HEADER, catalogue, planned, vocabulary, whole


def north() -> EntityMapping:
    return catalogue().mapping("north", "Person")


def test_elements_come_with_their_row_only_where_something_is_held() -> None:
    mapping = north()
    need = Need(own=frozenset({"sex"}), parts={"names": frozenset({"kind", "family"})})
    layout = layout_of(need, mapping, {})
    assert layout.columns == ("id", "sex", "sur")
    held, none = records_of([("p1", 1, "HODJA"), ("p2", 7, "")], layout)
    assert held.values == {
        "native_key": "p1", "sex": "MALE", "names": [{"kind": "LEGAL", "family": "HODJA"}],
    }  # fmt: skip
    assert none.values == {"native_key": "p2", "sex": None, "names": []}


def test_an_element_of_constants_is_there_if_any_of_its_columns_holds_something() -> None:
    need = Need(own=frozenset(), parts={"names": frozenset({"kind"})})
    layout = layout_of(need, north(), {})
    assert set(layout.columns) == {"id", "fore", "sur"}
    some, none = records_of([("p1", None, "HODJA"), ("p2", None, None)], layout)
    assert some.values["names"] == [{"kind": "LEGAL"}]
    assert none.values["names"] == []


def test_a_component_whose_guard_only_we_could_apply_is_not_read() -> None:
    need = Need(own=frozenset(), parts={"names": frozenset({"family"})})
    legal = Compare("kind", Op.EQ, "LEGAL")
    assert "sur" in layout_of(need, north(), {"names": legal}).columns
    for refused in (Compare("kind", Op.EQ, "ALIAS"), Compare("family", Op.EQ, "X"),
                    Compare("script", Op.EQ, "x")):  # fmt: skip
        assert "sur" not in layout_of(need, north(), {"names": refused}).columns
    (names,) = north().parts["names"]
    consent = replace(north(), parts={"names": (replace(names, over_read=True),)})
    assert "sur" in layout_of(need, consent, {"names": Compare("family", Op.EQ, "X")}).columns


def test_lists_in_a_row_and_bits_of_a_mask_become_elements() -> None:
    source = {
        "version": 1, "id": "s", "agency": "S", "connector": "rest", "header": HEADER,
        "entity": {"Person": {"relation": "p", "columns": {}, "parts": {
            "names": {"each": "names", "family": "names[].f", "kind": {"constant": "LEGAL"}},
            "warnings": {"per_bit": "mask",
                         "kind": {"column": "@bit", "values": {"1": "WEAPONS", "4": "DRUGS"},
                                  "code": "int"},
                         "reason": "why"},
        }}},
    }  # fmt: skip
    mapping = read_catalogue(vocabulary(), [("s.toml", source)]).mapping("s", "Person")
    need = Need(
        own=frozenset(),
        parts={"names": frozenset({"family", "kind"}), "warnings": frozenset({"kind", "reason"})},
    )
    layout = layout_of(need, mapping, {})
    row = {"id": "p1", "names[].f": ["A", None, "B"], "mask": 7, "why": "old"}
    (record,) = records_of([[row[c] for c in layout.columns]], layout)
    assert [e["family"] for e in record.values["names"]] == ["A", None, "B"]
    assert record.values["warnings"] == [
        {"kind": "WEAPONS", "reason": "old"},
        {"kind": "DRUGS", "reason": "old"},
    ]
    row |= {"mask": None, "names[].f": None}
    (empty,) = records_of([[row[c] for c in layout.columns]], layout)
    assert (empty.values["names"], empty.values["warnings"]) == ([], [])
    pushing = Pushing(mapping=mapping, vocabulary=vocabulary())
    assert pushing.push(Compare("warnings.kind", Op.EQ, "DRUGS")) == pushing.push(
        Compare("warnings.reason", Op.EQ, "x")
    )


def test_rows_of_a_child_relation_come_with_their_owners_key() -> None:
    (warnings,) = north().parts["warnings"]
    layout = child_layout(warnings, frozenset({"kind", "nothing of that name"}))
    assert layout.columns == ("person", "cd")
    assert list(elements_of([("p1", "WE"), ("p2", "??")], layout)) == [
        ("p1", {"kind": "WEAPONS"}),
        ("p2", {"kind": None}),
    ]


def test_elements_are_kept_as_policys_rows_say() -> None:
    plan = planned('{ personSearch(anyOf: [{family: "X"}]) { hits { warnings { kind } } } }')
    part = whole(plan.fetches[0].parts[0])
    elements = [{"kind": "WEAPONS"}, {"kind": "DRUGS"}]
    assert kept_elements(part, elements) == elements
    only = replace(part, rows=Compare("kind", Op.EQ, "DRUGS"))
    assert kept_elements(only, elements) == [{"kind": "DRUGS"}]
    assert kept_elements(replace(part, show=None), elements) == []
    assert kept_elements(replace(part, show=Show.SILENT), elements) == []
