"""A mapping file is read strictly: every fault of every file at once, by file and key."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from connectors.conditions import ALWAYS, And, Compare, IsNull, Op
from gateway.catalogue.mapping import read_catalogue, read_source
from gateway.errors import ConfigError
from tests.unit.query.world import EAST, NORTH, catalogue, vocabulary


def changed(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(dict(NORTH)) | changes


def faults(data: dict[str, Any]) -> dict[str, str]:
    source, found = read_source(data, vocabulary(), "north.toml")
    assert source is None
    assert {fault.file for fault in found} == {"north.toml"}
    return {fault.key: fault.text for fault in found}


def person(**changes: Any) -> dict[str, Any]:
    data = changed()
    data["entity"] = {"Person": data["entity"]["Person"] | changes}
    return data


def test_what_a_source_has_is_known() -> None:
    held = catalogue()
    assert [s.id for s in held.holders("Person")] == ["east", "north"]
    assert [s.id for s in held.holders("Vehicle")] == ["north"]
    assert held.holders("Contact") == ()
    north = held.mapping("north", "Person")
    assert north.key.columns == ("id",)
    for there in ("sex", "names", "names.family", "addresses.location", "addresses.location.town"):
        assert north.holds_field(there)
    for absent in ("birth_place", "names.full", "contacts.value", "addresses.location.line"):
        assert not north.holds_field(absent)


def test_a_standing_filter_is_one_condition_or_several() -> None:
    one = {"field": "fg", "op": "eq", "value": 0}
    null = {"field": "gone", "op": "is_null"}
    for only, expected in (
        (None, ALWAYS),
        (one, Compare("fg", Op.EQ, 0)),
        ([one, null], And((Compare("fg", Op.EQ, 0), IsNull("gone")))),
    ):
        source, found = read_source(person(only=only), vocabulary(), "f")
        assert found == ()
        assert source is not None
        assert source.entities["Person"].only == expected


def test_consent_to_over_reading_is_inherited_and_overruled() -> None:
    data = person(over_read=True)
    data["entity"]["Person"]["parts"]["names"] = [
        {"family": "a"}, {"family": "b", "over_read": False},
    ]  # fmt: skip
    source, _ = read_source(data, vocabulary(), "f")
    assert source is not None
    mapping = source.entities["Person"]
    assert mapping.over_read
    assert [entry.over_read for entry in mapping.parts["names"]] == [True, False]


def test_every_fault_of_a_file_is_told_at_once() -> None:
    data = changed(version=2, agency=7, colour="red", marking="S")
    data["header"] = {k: v for k, v in data["header"].items() if k not in {"handling", "victim"}}
    data["entity"]["Nobody"] = {}
    data["entity"]["Person"] = {
        "colour": "red",
        "only": {"op": "eq"},
        "columns": {
            "shoe": "c",
            "sex": {"column": "c", "values": {"1": "GREEN"}},
            "birth_place": 7,
            "primary_name": "c",
            "native_key": {"columns": ["a", "b"]},
        },
        "parts": {
            "shoes": {},
            "sex": {},
            "names": {"relation": "n", "full": "c", "hat": "c"},
            "addresses": {"location": "c"},
            "identifiers": {"kind": {"constant": "SHOE"}, "only": 7},
        },
    }
    told = faults(data)
    at = "entity.Person"
    assert {
        "version", "agency", "colour", "marking", "entity.Nobody",
        f"{at}.colour", f"{at}.only", f"{at}.relation",
        f"{at}.columns.shoe", f"{at}.columns.sex", f"{at}.columns.birth_place",
        f"{at}.columns.primary_name", f"{at}.columns.native_key",
        f"{at}.columns.handling", f"{at}.columns.victim",
        f"{at}.parts.shoes", f"{at}.parts.sex",
        f"{at}.parts.names.0.by", f"{at}.parts.names.0.hat",
        f"{at}.parts.addresses.0.location",
        f"{at}.parts.identifiers.0.kind", f"{at}.parts.identifiers.0.only",
        "entity.Vehicle.columns.handling", "entity.Vehicle.columns.victim",
        "entity.Incident.columns.handling", "entity.Incident.columns.victim",
    } == set(told)  # fmt: skip
    assert "'GREEN' is not among" in told[f"{at}.columns.sex"]
    assert "worked out by the gateway" in told[f"{at}.columns.primary_name"]


def test_what_is_needed_is_named() -> None:
    assert set(faults({})) == {"version", "id", "agency", "connector"}


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("entity", [], "entity"),
        ("entity", {"Person": []}, "entity.Person"),
        ("entity", {"Person": {"columns": 7}}, "entity.Person.columns"),
        ("entity", {"Person": {"parts": 7}}, "entity.Person.parts"),
        ("entity", {"Person": {"parts": {"names": [7]}}}, "entity.Person.parts.names.0"),
        (
            "entity",
            {"Person": {"columns": {"immigration": "c"}}},
            "entity.Person.columns.immigration",
        ),
        ("header", 7, "header"),
        ("connection", 7, "connection"),
        ("timeout_s", "soon", "timeout_s"),
        ("timeout_s", 0, "timeout_s"),
        ("max_rows", -1, "max_rows"),
        ("max_rows", True, "max_rows"),
        ("max_scan", 0, "max_scan"),
        ("gallery", {"model": "m"}, "gallery"),
        ("gallery", {"model": "m", "threshold": 1, "notice": "n", "colour": 1}, "gallery"),
    ],
)
def test_a_value_of_the_wrong_kind_is_a_fault_and_no_crash(name: str, value: Any, key: str) -> None:
    assert key in faults(changed(**{name: value}))


CONDITIONS = {"column": "cond", "list": ",", "values": {"S": "SILENT", "N": "NO_ONWARD"}}
SILENT_BY_BOTH = {"any": [NORTH["header"]["silent"], {"column": "cond", "contains": "S"}]}


def test_a_condition_that_may_say_silent_makes_a_record_silent() -> None:
    silent = "entity.Person.columns.silent"
    assert (
        "a condition may say SILENT" in faults(person(columns={"conditions": CONDITIONS}))[silent]
    )
    kept = dict(NORTH["entity"]["Person"]["columns"])
    for columns in (
        {"conditions": CONDITIONS, "silent": SILENT_BY_BOTH},
        {"conditions": CONDITIONS | {"values": {"N": "NO_ONWARD"}}},
    ):
        _, found = read_source(person(columns=kept | columns), vocabulary(), "north.toml")
        assert found == ()
    source, _ = read_source(
        person(columns=kept | {"conditions": CONDITIONS, "silent": SILENT_BY_BOTH}),
        vocabulary(),
        "north.toml",
    )
    assert source is not None
    decode = source.entities["Person"].columns["silent"].decode
    assert [decode(row) for row in ((0, "N"), (0, "N,S"), (1, "N"))] == [False, True, True]


def test_faults_of_all_files_come_together_and_ids_are_one_each() -> None:
    twice = copy.deepcopy(dict(EAST)) | {"id": "north"}
    files = [("a.toml", NORTH), ("b.toml", twice), ("c.toml", changed(version=0))]
    with pytest.raises(ConfigError) as caught:
        read_catalogue(vocabulary(), files)
    told = [(f.file, f.key) for f in caught.value.faults]
    assert told == [("b.toml", "id"), ("c.toml", "version")]
    assert "b.toml: id: 'north' is also the id in a.toml" in str(caught.value)


def test_a_gallery_says_what_it_is() -> None:
    gallery = {"model": "m1", "threshold": 0.6, "notice": "Leads.", "size": 10}
    source, found = read_source(changed(gallery=gallery), vocabulary(), "f")
    assert found == ()
    assert source is not None
    assert source.gallery is not None
    assert (source.gallery.model, source.gallery.size) == ("m1", 10)
