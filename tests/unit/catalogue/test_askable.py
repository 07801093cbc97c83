"""What callers may ask and rules demand, and a mapping cannot ask of its source."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from connectors.conditions import Compare, Op, holds
from gateway.catalogue.askable import asked_of, unaskable
from gateway.catalogue.check import check_questions, load_catalogue
from gateway.catalogue.conversions import codec
from gateway.catalogue.mapping import read_catalogue
from gateway.model import EMPTY
from tests.unit.query.world import ROOT

REAL = load_catalogue(ROOT / "deploy" / "catalogue")


def told(
    name: str, *, over_read: bool = False, parts: Mapping[str, Any] = EMPTY, **columns: Any
) -> Mapping[str, str]:
    """What is said of a source that holds one entity, and of its header `columns` alone."""
    data = {
        "version": 1, "id": "s", "agency": "S", "connector": "sql", "over_read": over_read,
        "entity": {name: {"relation": "r", "columns": columns, "parts": dict(parts)}},
    }  # fmt: skip
    header = {key: {"unheld": True} for key in REAL.vocabulary.header} | {"native_key": "id"}
    held = read_catalogue(REAL.vocabulary, [("s.toml", {**data, "header": header})])
    mapping = held.mapping("s", name)
    return dict(unaskable(mapping, held.vocabulary, asked_of(held.vocabulary)))


def test_the_six_mappings_can_be_asked_what_they_offer_or_say_that_they_cannot() -> None:
    assert check_questions(REAL) == ()


def test_a_date_that_does_not_sort_as_it_is_written_cannot_be_asked_by_order() -> None:
    ((key, text),) = told("Incident", when={"column": "at", "format": "%d/%m/%Y"}).items()
    assert key == "entity.Incident.columns.when"
    assert "gte and lt" in text
    assert told("Incident", when={"column": "at", "format": "%Y-%m-%d"}) == {}
    said = {"column": "at", "format": "%d/%m/%Y", "ask": False}
    assert told("Incident", when=said) == {}


@pytest.mark.parametrize("part", ["names", "identifiers"])
def test_a_component_is_looked_into(part: str) -> None:
    name, spec = {
        "names": ("family", {"column": "surname"}),
        "identifiers": ("value", {"column": "no", "function": "absent"}),
    }[part]
    bare: dict[str, Any] = {part: {name: spec}}
    said: dict[str, Any] = {part: {name: {**spec, "ask": False}}}
    assert set(told("Person", **bare)) == {f"entity.Person.columns.{part}.{name}"}
    assert told("Person", **said) == {}


def test_a_guard_that_the_conversion_cannot_ask_for_shows_nothing() -> None:
    loose = {"column": "ret", "values": {"A": "CURRENT"}, "other": "RESTRICTED"}
    ((key, text),) = told("Incident", retention=loose).items()
    assert key == "entity.Incident.columns.retention"
    assert "guard" in text
    assert told("Incident", over_read=True, retention=loose) == {}
    listed = {"column": "ret", "values": {"A": "CURRENT", "B": "DISPOSE"}}
    assert told("Incident", retention=listed) == {}


LOOSE = {"column": "k", "values": {"W": "WANTED"}, "other": "BAIL"}
LISTED = {"column": "k", "values": {"W": "WANTED"}}
CHILD = {"relation": "a", "by": "p"}


@pytest.mark.parametrize(
    ("alert", "faulty"),
    [
        ({**CHILD, "discreet": {"column": "d", "values": {"Y": True}, "other": False}}, True),
        ({**CHILD, "discreet": {"column": "d", "values": {"Y": True, "N": False}}}, False),
        (
            {**CHILD, "discreet": {"constant": False}, "kind": LOOSE},
            False,
        ),  # no rule on alerts' kind
        ({"discreet": "d"}, True),  # in the record's own row
        ({"discreet": {"constant": False}, "kind": LISTED}, False),
    ],
    ids=["loose", "listed", "no rule", "own row", "the same of all"],
)
def test_a_source_can_be_asked_for_the_elements_that_rules_choose(
    alert: Mapping[str, Any], faulty: bool
) -> None:
    found = told("Person", parts={"alerts": alert})
    assert set(found) == ({"entity.Person.parts.alerts.0.discreet"} if faulty else set())
    assert told("Person", parts={"alerts": {**alert, "over_read": True}}) == {}


def test_rules_choose_elements_by_the_fields_that_are_marked_so() -> None:
    tables = ROOT / "policies/tables"
    matrix = json.loads((tables / "matrix/data.json").read_text("utf-8"))
    outcomes = json.loads((tables / "outcomes/data.json").read_text("utf-8"))
    words = REAL.vocabulary
    chosen = set()
    for place, columns in matrix.items():
        entity, _, path = place.partition(".")
        type_ = words.field_at(entity, path).type.name if path else entity
        for word in re.findall(r"[a-z]\w+", json.dumps([*columns.values()])):
            if type_ in words.components and word in outcomes:
                ways = [outcomes[word], outcomes.get(outcomes[word].get("otherwise"), {})]
                chosen |= {(type_, field) for way in ways for field in way.get("only", ())}
    chosen -= {("ImageRef", "match_band")}
    marked = {
        (name, field.name)
        for name, component in words.components.items()
        for field in component.fields.values()
        if field.guard
    }
    assert marked == chosen


def test_the_guard_rests_on_the_fields_that_are_marked_so() -> None:
    rules = (ROOT / "policies/gateway/rows.rego").read_text("utf-8")
    demanded = set(re.findall(r'lib\.(?:one_of|eq)\("(\w+)"', rules)) - {"placed_by", "dob_claimed"}
    fields = REAL.vocabulary.entities["Person"].fields.values()
    assert {field.name for field in fields if field.guard} == demanded


def test_a_word_for_unknown_takes_no_part_in_an_order() -> None:
    made = codec({"column": "n", "null": [999]}, "Int", enum=None)
    for op in (Op.GTE, Op.NE):
        pushed = made.encode(op, 500)
        assert pushed is not None
        for held in (400, 500, 600, 999, None):
            meant = holds(Compare("v", op, 500), {"v": made.decode([held])})
            assert holds(pushed.condition, {"n": held}) is meant
