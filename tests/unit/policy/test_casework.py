"""The contract for actions at /casework: what is asked of the policy, and how it is answered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.errors import PolicyMisunderstood
from gateway.policy.casework import Matter, Terms, casework_question, read_terms
from gateway.policy.contract import read_decision
from tests.unit.query import world

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
TERMS: dict[str, Any] = {
    "desk": "eru-intel", "on_call": "eru-duty", "due_s": 900,
    "most_waiting": 20, "most_of_record": 3,
}  # fmt: skip
ALLOWED = {
    "version": 1, "serial": 3, "allow": True,
    "terms": TERMS,
}  # fmt: skip
REFUSED = {
    "version": 1, "serial": 3, "allow": False,
    "refuse": {"rule": "casework.role", "text": "No.", "desk": "gateway"},
}  # fmt: skip


def test_an_answer_about_an_action_is_read() -> None:
    read = read_terms(ALLOWED)
    assert read == Terms(
        serial=3, refuse=None, desk="eru-intel", on_call="eru-duty", due_s=900,
        most_waiting=20, most_of_record=3,
    )  # fmt: skip
    bare = read_terms({**ALLOWED, "terms": {}})
    assert bare == Terms(serial=3, refuse=None)
    assert not any((bare.desk, bare.on_call, bare.due_s, bare.most_waiting, bare.most_of_record))
    refuse = read_terms(REFUSED).refuse
    assert refuse is not None
    assert (refuse.rule, refuse.text, refuse.desk) == ("casework.role", "No.", "gateway")


@pytest.mark.parametrize("base", [ALLOWED, REFUSED], ids=["allowed", "refused"])
def test_a_key_more_or_less_is_not_understood(base: dict[str, Any]) -> None:
    for key in base:
        with pytest.raises(PolicyMisunderstood):
            read_terms({name: value for name, value in base.items() if name != key})
    with pytest.raises(PolicyMisunderstood):
        read_terms({**base, "colour": "red"})


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2}, {"version": True}, {"serial": "3"}, {"serial": True}, {"allow": 1},
        {"allow": "true"}, {"allow": False}, {"terms": None}, {"terms": {"desk": "d"}},
        {"terms": TERMS | {"desk": ""}},
        {"terms": TERMS | {"due_s": 0}},
        {"terms": TERMS | {"due_s": True}},
        {"terms": TERMS | {"most_waiting": 0}},
        {"terms": TERMS | {"most_of_record": True}},
        {"terms": TERMS | {"more": 1}},
        {"refuse": REFUSED["refuse"]},
    ],
)  # fmt: skip
def test_what_is_malformed_is_not_understood(changes: dict[str, Any]) -> None:
    with pytest.raises(PolicyMisunderstood):
        read_terms({**ALLOWED, **changes})


@pytest.mark.parametrize("named", ["desks", "agencies"])
def test_at_which_desks_or_for_whom_somebody_acts_is_read(named: str) -> None:
    given = {**ALLOWED, "terms": {named: ["a", "b"]}}
    more: dict[str, Any] = {named: ("a", "b")}
    assert read_terms(given) == Terms(serial=3, refuse=None, **more)
    for wrong in ({named: "ab"}, {named: ["a", ""]}, {named: ["a", 1]}, {named: ("a",)},
                  {"rooms": ["a"]}, {"desks": ["a"], "agencies": ["b"]}):  # fmt: skip
        with pytest.raises(PolicyMisunderstood):
            read_terms({**given, "terms": wrong})
    with pytest.raises(PolicyMisunderstood):
        read_terms({**given, "colour": "red"})


@pytest.mark.parametrize(
    "said",
    [{}, {"rule": "r", "text": "No."}, {"rule": "r", "text": "No.", "desk": ""},
     {"rule": "r", "text": "No.", "desk": 1}, {"rule": "", "text": "No.", "desk": "d"},
     {"rule": "r", "text": "No.", "desk": "d", "action": "call"}],
)  # fmt: skip
def test_a_refusal_that_does_not_say_what_it_must_is_not_understood(said: dict[str, Any]) -> None:
    with pytest.raises(PolicyMisunderstood):
        read_terms({**REFUSED, "refuse": said})


@pytest.mark.parametrize("wrong", [None, [], "yes", {}, {"allow": True}])
def test_silence_means_no(wrong: object) -> None:
    with pytest.raises(PolicyMisunderstood):
        read_terms(wrong)


def test_the_question_about_an_action_says_all_that_it_is_about() -> None:
    matter = Matter(
        act="decideRelease", agency="ERU", entity="Report", fields=("text",),
        asked=("text", "title"), for_s=60, urgency="ROUTINE", refusal="SOURCE_AT_RISK",
        revocation="IN_ERROR", outcome="LEAD", budget="questions", extra=5, code="OVER",
        own=True,
    )  # fmt: skip
    asked = casework_question(matter, world.SUBJECT, None, now=NOW, query_id="q")
    assert asked["casework"] == {
        "act": "decideRelease", "agency": "ERU", "entity": "Report", "fields": ["text"],
        "asked": ["text", "title"], "for_s": 60, "urgency": "ROUTINE",
        "refusal": "SOURCE_AT_RISK", "revocation": "IN_ERROR", "outcome": "LEAD",
        "budget": "questions", "extra": 5, "code": "OVER", "own": True,
    }  # fmt: skip
    assert not casework_question(Matter(act="notices"), world.SUBJECT, None, now=NOW, query_id="q")[
        "casework"
    ]["own"]


def test_the_question_about_an_action_holds_no_text_of_the_callers() -> None:
    asked = casework_question(
        Matter(act="requestRelease", agency="ERU", entity="Report", fields=("text",), for_s=60),
        world.SUBJECT, None, now=NOW, query_id="q",
    )  # fmt: skip
    assert asked["action"] == {"name": "casework"}
    assert asked.keys() == {"version", "action", "subject", "context", "casework"}
    assert asked["context"]["purpose"] is None
    assert asked["casework"]["for_s"] == 60
    with pytest.raises(PolicyMisunderstood):
        read_decision(ALLOWED)  # an answer about an action is none about a query
