"""The policy tables name what the vocabulary has, so that no field is silently forgotten."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.personas import PERSONAS
from gateway import canaries
from gateway.policy.masks import MASKS
from gateway.policy.obligations import OBLIGATIONS

ROOT = Path(__file__).resolve().parents[3]
VOCABULARY: dict[str, Any] = tomllib.loads(
    (ROOT / "deploy/catalogue/entities.toml").read_text(encoding="utf-8")
)


def table(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(
        (ROOT / "policies/tables" / name / "data.json").read_text(encoding="utf-8")
    )
    return data


def row(field: dict[str, Any]) -> list[str]:
    """Class, marking and, for a field that holds a component, that component."""
    type_ = field["type"].strip("[]!")
    return [field["class"], field["marking"], *([type_] if type_ in components() else [])]


def components() -> dict[str, Any]:
    found: dict[str, Any] = VOCABULARY["component"]
    return found


def expected_fields() -> dict[str, dict[str, list[str]]]:
    """The table of fields as the vocabulary has it; `ref` is the gateway's own."""
    header = VOCABULARY["header"]["fields"]
    bodies = {
        **{name: body["fields"] for name, body in components().items()},
        **{
            name: {"ref": {"type": "String", "class": "S0", "marking": "O"}}
            | header
            | body["fields"]
            for name, body in VOCABULARY["entity"].items()
        },
    }
    return {
        name: {field: row(data) for field, data in body.items()} for name, body in bodies.items()
    }


def test_az_21_the_table_of_fields_is_the_vocabularys() -> None:
    assert table("fields") == expected_fields()


def test_az_21_every_use_in_the_table_is_offered_or_needed_by_a_link() -> None:
    known = expected_fields()
    for type_, uses in table("uses").items():
        for use, fields in uses.items():
            for name in fields:
                first, _, inner = name.partition(".")
                if use == "reveal" and (
                    name == "*" or any(name in held for held in known.values())
                ):
                    continue  # what a number reveals is of the record that it stands in
                assert first in known[type_], (type_, name)
                assert not inner or inner in known[known[type_][first][2]], (type_, name)


def test_every_searchable_field_has_its_use_in_the_table() -> None:
    uses = table("uses")
    bodies = {**components(), **VOCABULARY["entity"]}
    for type_, body in bodies.items():
        for name, field in body["fields"].items():
            for use in set(field.get("uses", ())) - {"match"}:
                assert name in uses[type_].get(use, ()), (type_, name, use)


def test_every_mask_in_the_table_of_outcomes_is_one() -> None:
    named = set()
    for outcome in table("outcomes").values():
        for manner in outcome.get("read", {}).values():
            named |= {manner} if isinstance(manner, str) else {case["as"] for case in manner}
    assert named <= MASKS.keys() | {"CLEAR", "BY_CONDITIONS", "BY_PARAGRAPHS", ""}


@pytest.mark.parametrize("code", sorted(PERSONAS))
def test_every_persona_has_roles_that_its_agency_may_give(code: str) -> None:
    roles = table("roles")
    persona = PERSONAS[code]
    assert all(persona.agency in roles[name]["agencies"] for name in persona.roles)
    assert persona.clearance in table("clearances")


def test_purposes_and_handling_codes_are_the_vocabularys() -> None:
    enums = VOCABULARY["enum"]
    assert set(table("purposes")) == set(enums["Purpose"])
    assert set(table("handling")["codes"]) == set(enums["Handling"])
    assert set(table("handling")["conditions"]) == set(enums["HandlingCondition"])
    assert set(table("handling")["listed"]) == set(enums["HandlingCondition"])
    for purpose in table("purposes").values():
        assert purpose["regime"]
        assert purpose["owner"] in table("agencies")


def test_every_mask_and_obligation_is_documented() -> None:
    text = (ROOT / "docs/policy.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in text for name in (*MASKS, *OBLIGATIONS))


# --- casework ---


def words(cell: object) -> set[str]:
    """The outcomes that a cell of the matrix names."""
    if isinstance(cell, dict):
        return {word for inner in cell.values() for word in words(inner)}
    return {str(cell)}


def test_a_note_names_a_release_only_where_one_can_be_asked_for() -> None:
    outcomes, releasable = table("outcomes"), table("casework")["releasable"]
    named = {
        place.split(">")[-1].split(".")[0]
        for place, cells in table("matrix").items()
        for word in words(cells)
        if outcomes[word].get("note", {}).get("action") == "requestRelease"
    }
    assert named
    assert named <= releasable.keys()


def test_what_may_be_released_is_a_plain_field_that_the_schema_shows() -> None:
    for entity, names in table("casework")["releasable"].items():
        held = VOCABULARY["entity"][entity]["fields"]
        for name in names:
            field = held[name]
            assert not field.get("hidden"), name
            assert not field.get("derived"), name
            assert field["type"].strip("[]!") not in components(), name


def test_casework_names_roles_desks_and_kinds_that_there_are() -> None:
    casework, desks = table("casework"), table("desks")
    assert {role for roles in casework["acts"].values() for role in roles} <= table("roles").keys()
    assert set(casework["on_call"].values()) | casework["on_call"].keys() <= {*desks, "*"}
    assert casework["supervised_by"].keys() <= table("agencies").keys()
    assert set(casework["supervised_by"].values()) <= set(
        table("roles")["duty_supervisor"]["agencies"]
    )
    assert casework["tripwires"].keys() <= table("agencies").keys()
    for kinds in casework["tripwires"].values():
        assert set(kinds) <= {*VOCABULARY["entity"], *VOCABULARY["component"], "*"}


def on_call(desk: str) -> str:
    named = table("casework")["on_call"]
    return str(named.get(desk, named["*"]))


def test_no_desk_is_on_call_for_itself() -> None:
    assert [desk for desk in table("desks") if on_call(desk) == desk] == []
    told = {row["desk"] for row in table("agencies").values()}
    assert "gateway-duty" not in told  # so nobody is told there first
    assert on_call(canaries.DESK) == canaries.ON_CALL


def test_somebody_reads_the_notices_of_every_desk_that_is_told() -> None:
    """Each desk that an agency's matters go to, and the one on call for it, has people whose agency
    may give the role that reads notices; but for registers, which nobody is told of yet."""
    desks, readers = table("desks"), set(table("roles")["desk"]["agencies"])
    for agency, row in table("agencies").items():
        if agency in {"NIS", "VLR"}:
            continue
        for desk in (row["desk"], on_call(row["desk"])):
            assert readers & set(desks[desk]["agencies"]), (agency, desk)
    for desk in desks.values():
        assert set(desk["agencies"]) <= table("agencies").keys()


def test_of_every_component_that_may_be_discreet_the_table_knows_who_placed_it() -> None:
    held = {name: spec["fields"] for name, spec in VOCABULARY["component"].items()}
    placed = table("casework")["placed_by"]
    assert placed.keys() == {name for name, fields in held.items() if "discreet" in fields}
    assert all(field in held[name] for name, field in placed.items())
