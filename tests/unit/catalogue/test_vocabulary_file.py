"""The vocabulary is read strictly; every fault of the file is told at once, by key."""

from __future__ import annotations

import copy
import tomllib
from typing import Any

import pytest

from gateway.catalogue.vocabulary import (
    CLASSES,
    MARKINGS,
    Component,
    Entity,
    TypeRef,
)
from gateway.catalogue.vocabulary_file import read_vocabulary, type_ref
from gateway.errors import ConfigError
from tests.unit.query.world import ROOT, vocabulary


def real() -> dict[str, Any]:
    return tomllib.loads((ROOT / "deploy/catalogue/entities.toml").read_text("utf-8"))


def faults(data: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        read_vocabulary(data, "words.toml")
    assert {fault.file for fault in caught.value.faults} == {"words.toml"}
    return {fault.key: fault.text for fault in caught.value.faults}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Name", TypeRef(name="Name")),
        ("Name!", TypeRef(name="Name", required=True)),
        ("[Name]", TypeRef(name="Name", many=True)),
        ("[Name!]", TypeRef(name="Name", many=True)),
        ("[Name!]!", TypeRef(name="Name", many=True, required=True)),
    ],
)
def test_types(text: str, expected: TypeRef) -> None:
    assert type_ref(text) == expected


@pytest.mark.parametrize("text", ["", "name", "[Name", "Name]", "[[Name]]", "Name!!", "Na me"])
def test_what_is_no_type(text: str) -> None:
    with pytest.raises(ValueError, match="is not a type"):
        type_ref(text)


def test_az_20_every_field_of_the_real_vocabulary_is_classified() -> None:
    held = vocabulary()
    owners: list[Entity | Component] = [*held.entities.values(), *held.components.values()]
    for owner in owners:
        for field in owner.fields.values():
            assert field.marking in MARKINGS
            assert field.sens in CLASSES
    for entity in held.entities.values():
        assert held.header <= set(entity.fields)
        for link in entity.links.values():
            assert (link.marking in MARKINGS, link.sens in CLASSES) == (True, True)


def test_derived_and_telling_fields_are_known_by_their_type() -> None:
    held = vocabulary()
    assert held.derived["Person", "dob_quality"] == ("date_of_birth", "dob_claimed")
    assert held.derived["Identifier", "checksum_ok"] == ("kind", "value")
    assert held.entities["Person"].links["images"].reveals == ("description", "ethnicity", "marks")
    told = {one.when_kind: set(one.fields) for one in held.reveals["Identifier", "value"]}
    assert told == {
        "DRIVER_NO": {"date_of_birth", "names"},
        "PASSPORT": {"date_of_birth", "names", "nationalities"},
        "NRM_REF": {"safeguarding"},
    }
    (lines,) = held.reveals["DocumentSeen", "mrz"]  # they say all that the document does
    assert (lines.when_kind, {*lines.fields}) == (
        None,
        {"documents", "claimed_name", "claimed_dob"},
    )
    assert held.contents("Person", "sex") == (("", "sex"),)
    assert held.contents("Person", "safeguarding") == (
        ("safeguarding", "kind"), ("safeguarding", "state"),
    )  # fmt: skip
    everything = held.contents("Incident", "*")
    assert {("", "offence_code"), ("where.point", "lat"), ("participants", "role")} < {*everything}
    assert not {("", "marking"), ("", "silent"), ("participants", "person_key")} & {*everything}
    assert held.field_at("Person", "addresses.location.point.lat").type.name == "Float"
    assert held.concrete("Event") == ("Incident", "Encounter", "Landing", "Stop")
    assert held.enums["EventKind"] == ("INCIDENT", "ENCOUNTER", "LANDING", "STOP")
    assert held.fields_of("Person") is held.entities["Person"].fields
    with pytest.raises(KeyError):
        held.field_at("Person", "nothing")


def test_what_a_field_reveals_must_exist() -> None:
    data = copy.deepcopy(real())
    fields = data["component"]["Identifier"]["fields"]
    fields["value"]["reveals"] = [
        {"when_kind": "DRIVING", "fields": ["date_of_birt"]},
        {"when_kind": "NRM_REF", "fields": []},
        {"when_knd": "NRM_REF", "fields": ["names"]},
        "names",
    ]
    fields["issuer"]["reveals"] = {"fields": ["names"]}
    data["entity"]["Incident"]["fields"]["narrative"]["reveals"] = [
        {"when_kind": "CRIME", "fields": ["*", "names"]}
    ]
    key = "component.Identifier.fields.value.reveals"
    narrative = "entity.Incident.fields.narrative.reveals"
    assert faults(data) == {
        key: "Person has no field date_of_birt",
        f"{key}.when_kind": "'DRIVING' is no kind of what the field stands in",
        f"{key}.when_knd": "unknown key; known are fields, when_kind",
        "component.Identifier.fields.issuer.reveals": "must be a list of tables",
        narrative: "Incident has no field names",
        f"{narrative}.when_kind": "'CRIME' is no kind of what the field stands in",
    }


def test_what_is_told_in_a_fields_stead_must_exist() -> None:
    data = copy.deepcopy(real())
    camera = data["entity"]["Sighting"]["fields"]["camera"]
    camera["coarse_by"] = ["point.lat", "point.height", "direction.lat", "gone.lat"]
    key = "entity.Sighting.fields.camera.coarse_by"
    assert faults(data) == {key: "no component of Sighting has gone.lat"}  # the last of three
    camera["coarse_by"] = ["point.lat", "point.height"]
    assert faults(data) == {key: "no component of Sighting has point.height"}


def test_every_fault_is_told_at_once() -> None:
    data = copy.deepcopy(real())
    person = data["entity"]["Person"]
    person["fields"]["sex"] = {"type": "Sex"}
    person["fields"]["Shoe"] = {"type": "[Shoe", "marking": "O", "class": "S1"}
    person["fields"]["hat"] = {"type": "Hat", "marking": "O", "class": "S1", "colour": "red"}
    person["fields"]["cap"] = {
        "type": "String", "marking": "O", "class": "S1",
        "masks": ["BAND", "BLUR"], "uses": ["guess"],
    }  # fmt: skip
    person["links"]["vehicles"] |= {"scope": "wide", "to": "[Cart]", "class": "S9"}
    person["links"]["groups"] |= {"from": "nothing", "by": "no.way"}
    data["input"]["PersonCriteria"]["family"] |= {"op": "like"}
    data["query"]["vehicle"] |= {"shape": "heap"}
    data["query"]["person_search"] |= {"any_of": "Nothing", "entity": "Nobody", "limit": 1}
    data["version"] = 2
    data["extra"] = {}
    told = faults(data)
    assert set(told) == {
        ".extra",
        "version",
        "entity.Person.fields.sex.marking",
        "entity.Person.fields.sex.class",
        "entity.Person.fields.Shoe",
        "entity.Person.fields.Shoe.type",
        "entity.Person.fields.hat.colour",
        "entity.Person.fields.hat.type",
        "entity.Person.fields.cap.masks",
        "entity.Person.fields.cap.uses",
        "entity.Person.fields.cap.bands",
        "entity.Person.links.vehicles.scope",
        "entity.Person.links.vehicles.to",
        "entity.Person.links.vehicles",
        "entity.Person.links.groups.from",
        "entity.Person.links.groups.by",
        "input.PersonCriteria.family.op",
        "query.vehicle.shape",
        "query.person_search",
        "query.person_search.entity",
        "query.person_search.limit",
    }
    assert told["entity.Person.fields.hat.type"] == "Hat does not exist"
    assert "known are" in told["entity.Person.fields.hat.colour"]


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("entity", {"Person": []}, "entity.Person"),
        ("entity", {"Person": {"fields": {"x": "String"}}}, "entity.Person.fields.x"),
        ("component", {"Thing": {"fields": 7}}, "component.Thing.fields"),
        ("input", {"Criteria": {"x": "String"}}, "input.Criteria.x"),
        ("query", {"q": []}, "query.q"),
        ("enum", {"Colour": "RED"}, "enum.Colour"),
        ("interface", {"Event": "Incident"}, "interface.Event"),
        ("header", {"fields": []}, "header.fields"),
    ],
)
def test_a_table_of_the_wrong_kind_is_a_fault_and_no_crash(name: str, value: Any, key: str) -> None:
    data = real()
    data[name] = value
    assert key in faults(data)


def test_an_empty_file_declares_nothing() -> None:
    assert set(faults({})) == {"version"}


def test_derived_functions_and_criteria_must_exist() -> None:
    data = real()
    data["entity"]["Person"]["fields"]["sex"] |= {"derived": "guess", "from": ["nothing"]}
    data["component"]["Identifier"]["fields"]["checksum_ok"]["from"] = ["nothing"]
    data["entity"]["Person"]["links"]["images"]["reveals"] = ["nothing"]
    data["input"]["PersonCriteria"]["family"]["on"] = "names.nothing"
    told = faults(data)
    assert set(told) == {
        "entity.Person.fields.sex.from",
        "component.Identifier.fields.checksum_ok.from",
        "entity.Person.links.images.reveals",
        "input.PersonCriteria.family.on",
    }
