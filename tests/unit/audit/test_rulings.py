"""What a decision says, as its intent keeps it: rows with rules, and apart what is silent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.entry import Written, canonical
from gateway.audit.rulings import (
    Ruled,
    decision_digest,
    digest_again,
    read_rulings,
    rules_held_against,
    rulings_of,
)
from gateway.model import Decision, Note
from gateway.policy.contract import read_decision

HOME = {"type": "field", "field": "kind", "operator": "eq", "value": "HOME"}
CASES = Path(__file__).parents[2] / "cases"


def asked(
    source: str,
    entity: str,
    *read: str,
    parent: str | None = None,
    limit: int = 5,
    **uses: list[str],
) -> dict[str, Any]:
    return {
        "source": source, "agency": source.upper(), "entity": entity, "parent": parent,
        "limit": limit, "read": list(read), "uses": uses,
    }  # fmt: skip


def ruled(rule: str, **more: Any) -> dict[str, Any]:
    return {
        "show": "records", "limit": 5, "rows": {"type": "compound", "operator": "and", "value": []},
        "whole": "CLEAR", "notes": {"?": {"rule": rule}}, **more,
    }  # fmt: skip


def decided(resources: Mapping[str, Any], *duties: str) -> Decision:
    obligations = [{"type": duty} for duty in duties]
    return read_decision(
        {"version": 1, "serial": 7, "obligations": obligations, "resources": dict(resources)}
    )


def rows(question: Mapping[str, Any], decision: Decision) -> list[list[Any]]:
    told: list[list[Any]] = json.loads(rulings_of({"resources": question}, decision).told)
    return told


def kept(question: Mapping[str, Any], decision: Decision) -> dict[str, Any]:
    held: dict[str, Any] = json.loads(rulings_of({"resources": question}, decision).kept)
    return held


def test_a_row_says_for_place_use_and_source_how_and_by_which_rule() -> None:
    question = {
        "f0": asked("nmc", "Vehicle", "make", "vrm", filter=["vrm"]),
        "f1": asked("nmc", "Person", "names", parent="f0"),
        "f1.addresses": asked("nmc", "Address", "postcode", "town", parent="f1"),
        "f2": asked("scp", "Vehicle", "make", "vrm", filter=["vrm"]),
        "f3": asked("eru", "Sighting", "when"),
    }
    vehicle = ruled("Vehicle:clear", read={"make": "CLEAR", "vrm": "LAST4"}, uses={"filter": []})
    decision = decided(
        {
            "f0": vehicle,
            "f1": ruled("Person:told", show="hit"),
            "f1.addresses": ruled(
                "Address:near",
                read={"postcode": [{"when": HOME, "as": "FIRST_OUT"}], "town": "CLEAR"},
                limit=2,
            ),
            "f2": vehicle,
            "f3": {"notes": {"": {"rule": "Sighting:no"}, "?": {"rule": "other"}}},
        }
    )  # fmt: skip
    assert rows(question, decision) == [
        ["Sighting", "record", [], "WITHHELD", "Sighting:no", ["eru"]],
        ["Vehicle", "filter", [], "WITHHELD", "Vehicle:clear", ["nmc", "scp"]],
        ["Vehicle", "read", ["make"], "CLEAR", "Vehicle:clear", ["nmc", "scp"]],
        ["Vehicle", "read", ["vrm"], "LAST4", "Vehicle:clear", ["nmc", "scp"]],
        ["Vehicle>Person", "record", [], "HIT_ONLY", "Person:told", ["nmc"]],
        ["Vehicle>Person.addresses", "beyond", ["2"], "WITHHELD", "Address:near", ["nmc"]],
        ["Vehicle>Person.addresses", "read", ["postcode"], "FIRST_OUT", "Address:near", ["nmc"]],
        ["Vehicle>Person.addresses", "read", ["town"], "CLEAR", "Address:near", ["nmc"]],
    ]
    assert kept(question, decision) == {"silent": [], "duties": {}}


def test_what_the_decision_does_not_mention_is_withheld() -> None:
    assert rows({"f0": asked("nmc", "Person", "names")}, decided({})) == [
        ["Person", "record", [], "WITHHELD", "", ["nmc"]]
    ]


def test_a_refusal_rules_on_nothing() -> None:
    refused = Decision(serial=7, refuse=Note(rule="refuse.current"))
    assert rows({"f0": asked("nmc", "Person", "names")}, refused) == []


def test_what_is_silent_and_all_beneath_it_lies_apart() -> None:
    question = {
        "f0": asked("ncb", "Person", "sex", filter=["born"]),
        "f0.alerts": asked("ncb", "Alert", "kind", parent="f0"),
        "f1": asked("ncb", "Report", "urn", parent="f0"),
        "f1.parts": asked("ncb", "Paragraph", "text", parent="f1"),
        "f2": asked("nmc", "Person", "sex", "ethnicity", filter=["born"]),
    }
    cases = [
        {"when": {"type": "compound", "operator": "and", "value": []}, "as": manner}
        for manner in ("SILENT", "BAND")
    ]
    decision = decided(
        {
            "f0": {"show": "silent", "notes": {"": {"rule": "Person:quiet"}}},
            "f0.alerts": ruled("Alert:no", read={}),
            "f1": {"notes": {"": {"rule": "Report:no"}}},
            "f1.parts": ruled("Paragraph:no", read={}),
            "f2": ruled("Person:ladder", read={"sex": cases, "ethnicity": "SILENT"},
                        uses={"filter": ["born"]}),
        },
        "watermark", "notify_owner", "notify_owner",
    )  # fmt: skip
    assert rows(question, decision) == [
        ["Person", "filter", [], "CLEAR", "Person:ladder", ["nmc"]],
        ["Person", "read", ["sex"], "BAND", "Person:ladder", ["nmc"]],
    ]
    held = kept(question, decision)
    assert held["duties"] == {"notify_owner": 2, "watermark": 1}
    assert {(place, manner) for place, _, _, manner, _, _ in held["silent"]} == {
        ("Person", "SILENT"), ("Person.alerts", "WITHHELD"), ("Person>Report", "WITHHELD"),
        ("Person>Report.parts", "WITHHELD"),
    }  # fmt: skip
    assert rules_held_against(json.loads(rulings_of({"resources": question}, decision).told)) == {
        "Person:ladder"
    }


def test_of_what_is_clear_no_source_is_named() -> None:
    """Else the one that is not named is the one that is silent."""
    written = [
        ["Person", "read", [], "CLEAR", "a", ["nmc"]],
        ["Person", "read", [], "CLEAR", "a", ["scp"]],
        ["Person", "record", [], "CLEAR HIT_ONLY", "b", ["nmc", "scp"]],
        ["not", "a row"],
        None,
    ]
    clear, hit = read_rulings(written)
    assert clear == Ruled(
        place="Person", use="read", fields=(), manner="CLEAR", rule="a", sources=()
    )
    assert hit.sources == ("nmc", "scp")
    assert read_rulings(None) == read_rulings("text") == read_rulings([7]) == ()


@pytest.mark.parametrize(
    "name", ["q1_street_stop", "q2_vehicle_stop", "q3_arrival", "q11_possible_victim"]
)
def test_they_are_small_hold_no_text_and_give_the_digest_again(name: str) -> None:
    question = json.loads((CASES / f"{name}.question.json").read_text())
    question = question.get("input", question)
    decision = read_decision(json.loads((CASES / f"{name}.decision.json").read_text())["result"])
    rulings = rulings_of(question, decision)
    assert rulings_of(question, decision) is rulings
    assert len(rulings.told) < 4_096
    for ruling in decision.rulings.values():
        for note in ruling.notes.values():
            assert not note.text or note.text not in rulings.told.decode()
    digest = decision_digest(Written(canonical(question)), rulings)
    asker = {"question": question, "rulings": json.loads(rulings.told), "salt": "beside"}
    keeper = json.loads(rulings.kept)
    assert digest_again(asker, keeper) == digest
    asker["rulings"][0][3] = "WITHHELD"
    assert digest_again(asker, keeper) != digest
    asker["rulings"] = json.loads(rulings.told)
    keeper["silent"].append(["Person", "record", [], "SILENT", "x", ["nmc"]])
    assert digest_again(asker, keeper) != digest
