"""The question is exactly the contract's JSON; the answer is read strictly."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.conditions import NEVER, Compare, Op
from gateway.errors import PolicyMisunderstood
from gateway.model import (
    Beside,
    Case,
    Fetch,
    Justification,
    Note,
    Obligation,
    Part,
    Plan,
    Show,
    Subject,
    Use,
)
from gateway.policy.contract import MAX_ELEMENTS, question, read_decision
from tests.unit.query import world

NOW = datetime(2025, 3, 1, 10, tzinfo=UTC)
SUBJECT = Subject(
    issuer="https://issuer.example",
    id="u-4711",
    agency="NMC",
    roles=("response_officer",),
    clearance="OS",
    training=("pnd_basic",),
    app="stop-and-check",
    token_id="t-1",  # noqa: S106  # an identifier, not a secret
    attributes_as_at=datetime(2025, 3, 1, 6, tzinfo=UTC),
    as_at={"training": datetime(2025, 2, 1, 12, 30, tzinfo=UTC)},
    on_duty=True,
    said_by={"training": "https://academy.example"},
)
PLAN = Plan(
    fetches=(
        Fetch(
            id="f0",
            source="nmc",
            entity="Person",
            where=Compare("names.family", Op.EQ, "Hodja"),
            parts=(
                Part(
                    path="",
                    type="Person",
                    reads=frozenset({"sex", "date_of_birth"}),
                    uses=frozenset({(Use.FILTER, "names.given"), (Use.FILTER, "names.family")}),
                ),
                Part(path="identifiers", type="Identifier", reads=frozenset({"value", "kind"})),
                Part(path="addresses.location", type="Place", reads=frozenset({"town"})),
            ),
        ),
        Fetch(
            id="f1",
            source="eru",
            entity="IntelligenceReport",
            parent="f0",
            limit=5,
            parts=(
                Part(
                    path="",
                    type="IntelligenceReport",
                    reads=frozenset({"urn"}),
                    uses=frozenset({(Use.LINK, "subjects.person_key")}),
                ),
            ),
        ),
    )
)
WHY = Justification(
    purpose="OFFICER_SAFETY", reason_code="R01", reason_text="a very private reason",
    incident_ref="INC-77",
)  # fmt: skip


def asked(why: Justification | None = WHY) -> dict[str, Any]:
    return question(
        PLAN, SUBJECT, why, agencies={"nmc": "NMC", "eru": "ERU"}, now=NOW, query_id="q1"
    )


def test_the_question_is_the_contracts() -> None:
    assert asked() == {
        "version": 1,
        "action": {"name": "query"},
        "subject": {
            "type": "officer",
            "id": "u-4711",
            "agency": "NMC",
            "roles": ["response_officer"],
            "clearance": "OS",
            "training": ["pnd_basic"],
            "on_duty": True,
            "as_at": {
                "posting": "2025-03-01T06:00:00Z",
                "training": "2025-02-01T12:30:00Z",
                "clearance": "2025-03-01T06:00:00Z",
                "on_duty": "2025-03-01T06:00:00Z",
            },
            "said_by": {
                "posting": "https://issuer.example",
                "training": "https://academy.example",
                "clearance": "https://issuer.example",
                "on_duty": "https://issuer.example",
            },
            "app": "stop-and-check",
        },
        "context": {
            "time": "2025-03-01T10:00:00Z",
            "query_id": "q1",
            "purpose": "OFFICER_SAFETY",
            "reason_code": "R01",
            "reason_given": True,
            "case_form": None,
            "case_given": False,
            "incident_given": True,
            "on_behalf_of": None,
            "break_glass": False,
        },
        "resources": {
            "f0": {
                "source": "nmc",
                "agency": "NMC",
                "entity": "Person",
                "parent": None,
                "limit": 20,
                "read": ["date_of_birth", "sex"],
                "uses": {"filter": ["names.family", "names.given"]},
            },
            "f0.identifiers": {
                "source": "nmc",
                "agency": "NMC",
                "entity": "Identifier",
                "parent": "f0",
                "limit": MAX_ELEMENTS,
                "read": ["kind", "value"],
                "uses": {},
            },
            "f0.addresses.location": {
                "source": "nmc",
                "agency": "NMC",
                "entity": "Place",
                "parent": "f0",
                "limit": MAX_ELEMENTS,
                "read": ["town"],
                "uses": {},
            },
            "f1": {
                "source": "eru",
                "agency": "ERU",
                "entity": "IntelligenceReport",
                "parent": "f0",
                "limit": 5,
                "read": ["urn"],
                "uses": {"link": ["subjects.person_key"]},
            },
        },
    }


def test_nothing_searched_for_and_no_free_text_is_in_the_question() -> None:
    text = json.dumps(asked())
    for secret in ("Hodja", "private reason", "INC-77", "t-1"):
        assert secret not in text


def test_a_question_without_a_justification_says_so() -> None:
    context = asked(None)["context"]
    assert context["purpose"] is None
    assert context["reason_given"] is False


def test_of_what_was_given_in_words_only_that_it_was_is_told() -> None:
    said = {"reason_text": "reason", "case_ref": "case", "incident_ref": "incident"}
    bare = Justification(purpose="OFFICER_SAFETY", reason_code="R01")
    for name in (None, *said):
        given = replace(bare, **{name: "words"}) if name else bare
        told = asked(given)["context"]
        assert {key: told[f"{key}_given"] for key in said.values()} == {
            key: field == name for field, key in said.items()
        }


def test_the_resources_of_one_structure_are_told_alike_by_all_its_plans() -> None:
    structure = world.planned(world.search("sex")).structure
    assert structure is not None
    agencies = {"nmc": "NMC", "eru": "ERU"}
    kept = replace(PLAN, structure=replace(structure))

    def resources(plan: Plan) -> dict[str, Any]:
        made = question(plan, SUBJECT, WHY, agencies=agencies, now=NOW, query_id="q1")
        told: dict[str, Any] = made["resources"]
        return told

    assert resources(kept) == resources(PLAN)
    assert resources(kept) is resources(kept)


def test_a_notes_words_may_be_left_empty() -> None:
    decision = read_decision(
        {"version": 1, "serial": 1, "obligations": [],
         "resources": {"f0": {"notes": {"": {"rule": "r", "text": ""}}}}}
    )  # fmt: skip
    assert decision.rulings["f0"].notes == {"": Note(rule="r")}


WHOLE: dict[str, Any] = {
    "version": 1,
    "serial": 1043,
    "cache_s": 2.5,
    "resources": {
        "f0": {
            "show": "records",
            "limit": 20,
            "rows": {"type": "field", "field": "handling", "operator": "eq", "value": "P"},
            "uses": {"filter": ["names.family"], "reveal": ["date_of_birth"]},
            "whole": [
                {
                    "when": {"type": "field", "field": "handling", "operator": "eq", "value": "P"},
                    "as": "CLEAR",
                }
            ],
            "read": {
                "sex": "CLEAR",
                "value": [
                    {
                        "when": {"type": "field", "field": "kind", "operator": "eq", "value": "A"},
                        "as": "LAST4",
                    }
                ],
            },
            "notes": {"": {"rule": "r", "text": "t", "desk": "d", "action": "a"}},
        }
    },
    "obligations": [{"type": "require_reason", "attributes": {"why": 1}}],
}


def test_a_whole_answer_is_read() -> None:
    decision = read_decision(WHOLE)
    ruling = decision.rulings["f0"]
    assert (decision.serial, decision.cache_s, decision.refuse) == (1043, 2.5, None)
    assert decision.obligations == (Obligation(type="require_reason", attributes={"why": 1}),)
    assert (ruling.show, ruling.limit) == (Show.RECORDS, 20)
    assert ruling.rows == Compare("handling", Op.EQ, "P")
    assert ruling.uses == {(Use.FILTER, "names.family"), (Use.REVEAL, "date_of_birth")}
    assert ruling.whole == (Case(Compare("handling", Op.EQ, "P"), "CLEAR"),)
    assert ruling.read == {"sex": "CLEAR", "value": (Case(Compare("kind", Op.EQ, "A"), "LAST4"),)}
    assert ruling.notes == {"": Note(rule="r", text="t", desk="d", action="a")}


def test_what_is_left_out_denies() -> None:
    decision = read_decision(
        {"version": 1, "serial": 1, "resources": {"f0": {}}, "obligations": []}
    )
    ruling = decision.rulings["f0"]
    assert (ruling.show, ruling.limit, ruling.rows) == (None, 0, NEVER)
    assert not ruling.uses
    assert not ruling.read
    assert ruling.whole == "HIT_ONLY"
    assert decision.cache_s == 0
    assert read_decision({"version": 1, "serial": 1, "obligations": []}).rulings == {}


def test_a_refusal_is_read() -> None:
    refused = read_decision(
        {"version": 1, "serial": 1, "obligations": [], "refuse": {"rule": "r", "text": "no"}}
    )
    assert refused.refuse == Note(rule="r", text="no")


def put(path: tuple[str | int, ...], value: Any) -> Any:
    answer = copy.deepcopy(WHOLE)
    at: Any = answer
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return answer


DEEP: dict[str, Any] = {"type": "compound", "operator": "and", "value": []}
for _ in range(2000):
    DEEP = {"type": "compound", "operator": "and", "value": [DEEP]}
ROWS_BY_BAND = {"type": "field", "field": "match_band", "operator": "eq", "value": "LIKELY"}


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        put(("version",), 2),
        put(("version",), True),
        put(("version",), "1"),
        put(("serial",), True),
        put(("serial",), -1),
        put(("serial",), 1.0),
        put(("surprise",), 1),
        put(("obligations",), None),
        put(("obligations",), {}),
        put(("obligations",), [{}]),
        put(("obligations",), [{"type": "x", "when": 1}]),
        put(("obligations",), [{"type": 1}]),
        put(("obligations",), [{"type": "x", "attributes": []}]),
        put(("cache_s",), -1),
        put(("cache_s",), True),
        put(("cache_s",), float("inf")),
        put(("cache_s",), "1"),
        put(("resources",), None),
        put(("resources", "f0"), None),
        put(("resources", "f0", "surprise"), 1),
        put(("resources", "f0", "show"), "everything"),
        put(("resources", "f0", "show"), None),
        put(("resources", "f0", "limit"), True),
        put(("resources", "f0", "limit"), 2.0),
        put(("resources", "f0", "rows"), None),
        put(("resources", "f0", "rows"), {}),
        put(("resources", "f0", "rows"), DEEP),
        put(("resources", "f0", "rows"), ROWS_BY_BAND),
        put(("resources", "f0", "rows", "operator"), "like"),
        put(("resources", "f0", "uses"), ["filter"]),
        put(("resources", "f0", "uses", "peek"), ["x"]),
        put(("resources", "f0", "uses", "filter"), "names"),
        put(("resources", "f0", "uses", "filter"), [1]),
        put(("resources", "f0", "read", "sex"), None),
        put(("resources", "f0", "read", "sex"), ""),
        put(("resources", "f0", "read", "value", 0), {"as": "CLEAR"}),
        put(("resources", "f0", "read", "value", 0, "as"), 1),
        put(("resources", "f0", "read", "value", 0, "else"), 1),
        put(("resources", "f0", "notes"), []),
        put(("resources", "f0", "notes", ""), "no"),
        put(("resources", "f0", "notes", "", "text"), 1),
        put(("resources", "f0", "notes", "", "colour"), "red"),
        put(("refuse",), None),
        put(("refuse",), {"text": "no"}),
        {"version": 1, "serial": 1, "obligations": [], "refuse": {"action": "call"}},
    ],
)
def test_anything_else_is_not_understood(answer: Any) -> None:
    with pytest.raises(PolicyMisunderstood):
        read_decision(answer)


@pytest.mark.parametrize("key", ["version", "serial", "obligations"])
def test_what_may_not_be_left_out(key: str) -> None:
    with pytest.raises(PolicyMisunderstood):
        read_decision({name: value for name, value in WHOLE.items() if name != key})


def test_a_case_may_look_at_the_match_band() -> None:
    case = {"when": ROWS_BY_BAND, "as": "CLEAR"}
    assert read_decision(put(("resources", "f0", "read", "sex"), [case]))


def ruled(ruling: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "serial": 1, "obligations": [], "resources": {"f0": ruling}}


def test_an_element_is_a_hit_by_the_same_cases_in_every_field() -> None:
    hit = [{"when": {"type": "compound", "operator": "and", "value": []}, "as": "HIT_ONLY"}]
    whole = {"show": "records", "read": {"urn": "HIT_ONLY", "title": hit}}
    assert read_decision(ruled(whole)).rulings["f0"].read["urn"] == "HIT_ONLY"
    partly = {"show": "records", "read": {"urn": "HIT_ONLY", "title": "CLEAR"}}
    with pytest.raises(PolicyMisunderstood):
        read_decision(ruled(partly))


def test_a_record_as_a_whole_is_shown_a_hit_or_told_by_its_line() -> None:
    for word in ("CLEAR", "HIT_ONLY", "SANITISED_TEXT"):
        assert read_decision(ruled({"whole": word})).rulings["f0"].whole == word
    for word in ("YEAR", "SILENT", ""):
        with pytest.raises(PolicyMisunderstood):
            read_decision(ruled({"whole": word}))


@pytest.mark.parametrize(
    ("reference", "form"),
    [
        ("NM/2026/004512", "AA/9999/999999"),
        ("sc-26-0004512", "aa-99-9999999"),
        ("É.\uff11 \u202eX", "A.9??A"),  # of letters and digits of any script no more than that
        ("a~1_b-2\\/", "a?9?a-9?/"),
        ("", None),
        (None, None),
    ],
)
def test_of_a_case_policy_learns_the_form_alone(reference: str | None, form: str | None) -> None:
    why = replace(WHY, case_ref=reference)
    made = asked(why)
    assert made["context"]["case_form"] == form
    assert made["context"]["case_given"] is bool(reference)
    assert not reference or reference not in json.dumps(made, ensure_ascii=False)


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ((), None, "result is not an object"),
        (("version",), "1", "version is not a whole number"),
        (("serial",), "1", "serial is not a whole number"),
        (("obligations",), None, "obligations is not a list"),
        (("obligations",), [{}], "obligation lacks ['type']"),
        (("obligations",), [{"type": 1}], "obligation.type is not a text"),
        (("obligations",), [{"type": "x", "attributes": []}], "attributes is not an object"),
        (("resources",), None, "resources is not an object"),
        (("resources", "f0"), None, "resources.f0 is not an object"),
        (("resources", "f0", "show"), 1, "resources.f0.show is not a text"),
        (("resources", "f0", "limit"), "1", "resources.f0.limit is not a whole number"),
        (("resources", "f0", "rows"), ROWS_BY_BAND, "resources.f0.rows looks at match_band"),
        (("resources", "f0", "uses"), [], "resources.f0.uses is not an object"),
        (("resources", "f0", "uses", "filter"), 1, "resources.f0.uses.filter is not a list"),
        (("resources", "f0", "uses", "filter"), [1], "resources.f0.uses.filter is not a text"),
        (("resources", "f0", "read"), [], "resources.f0.read is not an object"),
        (("resources", "f0", "read", "sex"), 1, "resources.f0.read.sex is not a text"),
        (("resources", "f0", "read", "value", 0, "as"), 1, "resources.f0.read.value.as is not"),
        (("resources", "f0", "read", "value", 0), {}, "resources.f0.read.value lacks"),
        (("resources", "f0", "notes"), [], "resources.f0.notes is not an object"),
        (("resources", "f0", "notes", "", "text"), 1, "resources.f0.notes..text is not a text"),
        (("refuse",), 1, "refuse is not an object"),
    ],
)
def test_an_operator_is_told_where_an_answer_is_wrong(
    path: tuple[str | int, ...], value: Any, where: str
) -> None:
    with pytest.raises(PolicyMisunderstood) as raised:
        read_decision(put(path, value) if path else value)
    assert f"the policy's answer: {where}" in raised.value.detail


TOLD = {
    "rows": {"type": "field", "field": "victim", "operator": "eq", "value": True},
    "note": {"rule": "r", "text": "call", "desk": "d", "action": "call"},
}


def test_what_is_told_beside_the_records_shown() -> None:
    answer = {"version": 1, "serial": 1, "obligations": [], "resources": {"f0": {"beside": TOLD}}}
    beside = read_decision(answer).rulings["f0"].beside
    assert beside == Beside(
        rows=Compare("victim", Op.EQ, True),
        note=Note(rule="r", text="call", desk="d", action="call"),
    )
    by_match = {"type": "field", "field": "match_band", "operator": "eq", "value": "LIKELY"}
    for wrong in (
        {}, {"rows": TOLD["rows"]}, {"note": TOLD["note"]}, {**TOLD, "more": 1},
        {**TOLD, "rows": by_match}, None,
    ):  # fmt: skip
        with pytest.raises(PolicyMisunderstood):
            read_decision({**answer, "resources": {"f0": {"beside": wrong}}})
