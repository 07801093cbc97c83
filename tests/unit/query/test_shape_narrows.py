"""Removing any key from a decision never adds a value, record, count or hit to the answer."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.model import FetchResult, State, Use, resource_id
from gateway.policy.contract import read_decision
from gateway.policy.enforce import authorise
from gateway.policy.masks import MASKS
from gateway.policy.obligations import OBLIGATIONS
from gateway.query.shape import Shaper
from tests.unit.query import world
from tests.unit.query.world import came, record

DOCUMENT = """{
  personSearch(anyOf: [{identifier: "A1234567"}]) {
    total next matches { band owners records }
    hits { ref owner sex dateOfBirth primaryName names { kind given family full }
      identifiers { kind value } warnings { kind reason } offending { offenceCode outcome }
      addresses { kind location { postcode town } } immigration { status absconder }
      vehicles { vrm make keeper { sex dateOfBirth } }
      match { band score features { name used withheld } } }
  }
}"""
ASKED = world.operation(DOCUMENT)
PLAN = world.plan_of(ASKED)
ALWAYS = {"type": "compound", "operator": "and", "value": []}
LINKED = {"type": "field", "field": "match_band", "operator": "eq", "value": "LINKED_BY_IDENTIFIER"}
HANDLING = {"type": "field", "field": "handling", "operator": "eq", "value": "P"}
WEAPONS = {"type": "field", "field": "kind", "operator": "eq", "value": "WEAPONS"}
NOTES = {"": {"rule": "r", "text": "ask the desk", "desk": "d", "action": "call"}}
CASES = [
    [{"when": LINKED, "as": "CLEAR"}, {"when": ALWAYS, "as": "LAST4"}],
    [{"when": HANDLING, "as": "CLEAR"}],
    [{"when": WEAPONS, "as": "CLEAR"}, {"when": ALWAYS, "as": "SILENT"}],
]
MANNERS = st.sampled_from(["CLEAR"] * 6 + ["SILENT", "LAST4", "YEAR", "BAND", "REDACT", *CASES])
# A record is a hit by all of its fields or by none, as the policy's tables have it.
HITS: list[Any] = [
    "HIT_ONLY",
    [{"when": WEAPONS, "as": "CLEAR"}, {"when": ALWAYS, "as": "HIT_ONLY"}],
]


def person(key: str, number: str, **more: Any) -> Any:
    return record(
        key,
        handling="P" if key.endswith("1") else "C",
        sex="MALE",
        date_of_birth="1991-04-17",
        names=[{"kind": "LEGAL", "given": "Arben", "family": "Hodja", "full": "Arben Hodja"}],
        identifiers=[{"kind": "PASSPORT", "value": number}],
        warnings=[{"kind": "WEAPONS", "reason": "knife"}, {"kind": "DRUGS", "reason": "x"}],
        offending=[{"offence_code": "T1", "serious": True}, {"offence_code": "T2"}],
        addresses=[{"kind": "HOME", "location.postcode": "TN28 8AB", "location.town": "Rye"}],
        immigration=[{"status": "OVERSTAYER"}],
        **more,
    )


def results() -> dict[str, FetchResult]:
    """What every fetch of the plan brought back, whatever is agreed afterwards."""
    made: dict[str, FetchResult] = {}
    for fetch in PLAN.fetches:
        if fetch.entity == "Vehicle":
            links = [f"{fetch.source}1", f"{fetch.source}2"]
            made[fetch.id] = came(
                record("v1", links, vrm="AB12CDE", make="Ford", keeper_key=links[0], handling="P")
            )
        elif fetch.parent is not None:
            key = f"{fetch.source}1"
            made[fetch.id] = came(replace(person(key, "A1234567"), links=frozenset({key})))
        else:
            made[fetch.id] = came(
                person(f"{fetch.source}1", "A1234567"),
                person(f"{fetch.source}2", f"{fetch.source.upper()}999"),
                state=State.TRUNCATED,
                truncated=fetch.source == "north",
            )
    return made


RESULTS = results()
BY_CODE = [
    {"when": {"type": "field", "field": "handling", "operator": "eq", "value": "P"}, "as": "CLEAR"}
]


@st.composite
def decisions(draw: st.DrawFn) -> dict[str, Any]:
    resources: dict[str, Any] = {}
    for fetch in PLAN.fetches:
        for part in fetch.parts:
            uses: dict[str, list[str]] = {}
            for use, name in sorted(part.uses):
                uses.setdefault(str(use), []).append(name)
            if "Offence" in part.type:
                uses[str(Use.COUNT)] = ["serious"]
            hit = draw(st.sampled_from([None] * 8 + HITS))
            shows = ["records"] * 9 + ["count", "hit", "silent"]
            resources[resource_id(fetch.id, part.path)] = {
                "show": draw(st.sampled_from(shows)),
                "limit": draw(st.sampled_from([1, 5])),
                "rows": ALWAYS,
                "uses": uses,
                "whole": draw(st.sampled_from(["CLEAR", "HIT_ONLY", BY_CODE])),
                "read": {name: hit or draw(MANNERS) for name in sorted(part.reads)},
            } | ({"notes": NOTES} if draw(st.integers(0, 3)) == 0 else {})
    return {"version": 1, "serial": 7, "obligations": [], "resources": resources}


def keys_of(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield (*path, key)
            yield from keys_of(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from keys_of(value, (*path, index))


def without(data: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    made = copy.deepcopy(data)
    around: Any = made
    for step in path[:-1]:
        around = around[step]
    del around[path[-1]]
    return made


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """What is in a value, by path without indexes: each text and number, each element there is."""
    if isinstance(value, dict):
        yield path, "something"
        for key, inner in value.items():
            if key != "total":  # it only counts the records, and those are counted
                yield from leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for element in value:
            if isinstance(element, dict) and element.get("withheld"):
                continue  # a constant that says that something is not looked at
            yield path, "an element"
            yield path, "something"
            yield from leaves(element, path)
    elif value is not None and not str(value).startswith("…"):  # a mask where all was shown is less
        yield path, value


def facts(decision: dict[str, Any]) -> Counter[tuple[str, Any]]:
    """Everything that an answer under this decision tells of what is held."""
    try:
        agreed = authorise(
            PLAN,
            read_decision(decision),
            masks=MASKS.keys(),
            duties=OBLIGATIONS.keys(),
            vocabulary=world.vocabulary(),
        )
    except GatewayError:
        return Counter()
    found = world.seen(agreed, copy.deepcopy(RESULTS))
    body = Shaper(ASKED, agreed, world.shaping(ASKED)).shape(found).body
    search = body["data"]["personSearch"]
    assert search["total"] in (None, len(search["hits"]))
    told = Counter(leaves({k: v for k, v in search.items() if k != "next"}, "data"))
    told["next", "there"] = int(search["next"] is not None)
    for entry in body["extensions"]["disclosure"]:
        steps = [step for step in entry["path"].split(".") if not step.isdigit() and step != "*"]
        pattern = ".".join(["data", *steps[1:]])
        if entry["outcome"] == "HIT":  # a record that was shown may become one: that is less
            told[pattern, "something"] = max(1, told[pattern, "something"])
        if "shows" in entry and not entry["shows"].startswith("…"):
            for shown in entry["shows"].split(", "):  # a total without what is counted beside it
                told[pattern, shown] = max(1, told[pattern, shown])
    return told


@settings(max_examples=200, deadline=None)
@given(data=st.data(), decision=decisions())
def test_a_key_removed_from_a_decision_never_shows_more(
    data: st.DataObject, decision: dict[str, Any]
) -> None:
    before = facts(decision)
    path = data.draw(st.sampled_from(sorted(keys_of(decision), key=str)))
    after = facts(without(decision, path))
    assert after - before == Counter(), f"without {path} more is told: {after - before}"


def test_each_key_of_a_generous_decision_can_be_removed() -> None:
    """The same for every key there is, where nearly all is shown."""
    generous: dict[str, Any] = {
        "version": 1,
        "serial": 7,
        "obligations": [],
        "resources": {
            resource_id(fetch.id, part.path): {
                "show": "records",
                "limit": 5,
                "rows": ALWAYS,
                "uses": {str(u): [f for v, f in part.uses if v is u] for u, _ in part.uses},
                "whole": BY_CODE,
                "read": dict.fromkeys(sorted(part.reads | part.filters), "CLEAR"),
                "notes": NOTES,
            }
            for fetch in PLAN.fetches
            for part in fetch.parts
        },
    }
    before = facts(generous)
    assert before["data.matches.band", "LINKED_BY_IDENTIFIER"] == 1
    assert before["data.hits.vehicles.keeper.sex", "MALE"] > 0
    assert before["next", "there"] == 1
    for path in keys_of(generous):
        after = facts(without(generous, path))
        assert after - before == Counter(), path
