"""An obligation is carried out, or the query ends."""

from __future__ import annotations

import pytest

from connectors.conditions import Compare, Op
from gateway.errors import PolicyMisunderstood, PurposeRequired
from gateway.model import Justification, Obligation
from gateway.policy.obligations import Lasting, Tripwire, carry_out, lasting, tripwires_of

REASON = Obligation(type="require_reason")


def why(text: str | None) -> Justification:
    return Justification(purpose="OFFICER_SAFETY", reason_code="R01", reason_text=text)


def test_a_reason_in_words_fulfils_it() -> None:
    carry_out([REASON], why("necessary because"))
    carry_out([], None)


@pytest.mark.parametrize("given", [None, why(None), why("  ")])
def test_without_one_the_query_ends(given: Justification | None) -> None:
    with pytest.raises(PurposeRequired) as raised:
        carry_out([REASON], given)
    assert "reasonText" in raised.value.said


def test_an_unknown_one_is_never_skipped() -> None:
    with pytest.raises(KeyError):
        carry_out([Obligation(type="time_box")], why("x"))


TOLD = {
    "agency": "ERU", "resource": "f0", "desk": "eru-intel", "on_call": "eru-duty", "due_s": 300,
    "rows": {"type": "field", "field": "silent", "operator": "eq", "value": True},
}  # fmt: skip


def test_whom_to_tell_of_a_silent_match_is_read() -> None:
    notify = Obligation(type="notify_owner", attributes=TOLD)
    carry_out([notify], None)
    (read,) = tripwires_of([REASON, notify])
    assert read == Tripwire(
        agency="ERU", resource="f0", desk="eru-intel", on_call="eru-duty", due_s=300,
        rows=Compare("silent", Op.EQ, True),
    )  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_one_that_does_not_say_all_of_it_refuses_the_question(name: str) -> None:
    for wrong in (
        {key: value for key, value in TOLD.items() if key != name},
        {**TOLD, name: ""},
        {**TOLD, name: None},
        {**TOLD, "more": 1},
        {**TOLD, "due_s": 0},
        {**TOLD, "due_s": True},
        {**TOLD, "rows": {"type": "field", "field": "silent", "operator": "like", "value": 1}},
    ):
        with pytest.raises(PolicyMisunderstood):
            carry_out([Obligation(type="notify_owner", attributes=wrong)], None)


@pytest.mark.parametrize("duty", ["record_outcome", "second_person"])
def test_a_duty_that_lasts_says_of_which_fetch(duty: str) -> None:
    given = {"kind": "face", "resource": "f0"}
    one = Obligation(type=duty, attributes=given)
    carry_out([one], None)
    assert lasting([REASON, one]) == (Lasting(type=duty, kind="face", resource="f0"),)
    for wrong in ({}, {"kind": "face"}, {**given, "more": 1}, {**given, "kind": ""},
                  {**given, "resource": None}):  # fmt: skip
        with pytest.raises(PolicyMisunderstood):
            carry_out([Obligation(type=duty, attributes=wrong)], None)
