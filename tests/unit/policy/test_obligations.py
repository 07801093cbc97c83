"""An obligation is carried out, or the query ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.conditions import Compare, Op
from gateway.errors import PolicyMisunderstood, PurposeRequired, Refused
from gateway.model import Justification, Obligation, Subject
from gateway.policy.obligations import (
    Asking,
    Desk,
    Lasting,
    Tripwire,
    budgets_of,
    carry_out,
    lasting,
    time_box_s,
    tripwires_of,
    witnessed_s,
)
from tests.unit.query import world

REASON = Obligation(type="require_reason")


NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
SUBJECT = world.SUBJECT


def why(text: str | None) -> Justification:
    return Justification(purpose="OFFICER_SAFETY", reason_code="R01", reason_text=text)


def asking(given: Justification | None = None, subject: Subject = SUBJECT) -> Asking:
    return Asking(subject=subject, justification=given, now=NOW)


def test_a_reason_in_words_fulfils_it() -> None:
    carry_out([REASON], asking(why("necessary because")))
    carry_out([], asking())


@pytest.mark.parametrize("given", [None, why(None), why("  ")])
def test_without_one_the_query_ends(given: Justification | None) -> None:
    with pytest.raises(PurposeRequired) as raised:
        carry_out([REASON], asking(given))
    assert "reasonText" in raised.value.said


def test_an_unknown_one_is_never_skipped() -> None:
    with pytest.raises(KeyError):
        carry_out([Obligation(type="sing")], asking(why("x")))


TOLD: dict[str, Any] = {
    "about": "SILENT_MATCH", "agency": "ERU",
    "resource": "f0", "by": "", "due_s": 300,
    "desks": {"ERU": {"desk": "eru-intel", "on_call": "eru-duty"}},
    "rows": {"type": "field", "field": "silent", "operator": "eq", "value": True},
}  # fmt: skip


def test_whom_to_tell_of_a_silent_match_is_read() -> None:
    notify = Obligation(type="notify_owner", attributes=TOLD)
    carry_out([notify], asking())
    (read,) = tripwires_of([REASON, notify])
    assert read == Tripwire(
        about="SILENT_MATCH", agency="ERU",
        resource="f0", by="", desks={"ERU": Desk(desk="eru-intel", on_call="eru-duty")}, due_s=300,
        rows=Compare("silent", Op.EQ, True),
    )  # fmt: skip
    assert (read.fetch, read.part, read.whose({})) == ("f0", "", "ERU")


def test_an_element_is_told_to_who_placed_it_and_else_to_who_holds_it() -> None:
    desks = TOLD["desks"] | {"NCB": {"desk": "ncb-intel", "on_call": "ncb-duty"}}
    placed = TOLD | {"resource": "f0.a.markers", "by": "placed_by", "desks": desks}
    (read,) = tripwires_of([Obligation(type="notify_owner", attributes=placed)])
    assert (read.fetch, read.part) == ("f0", "a.markers")
    said: list[Any] = ["NCB", "VLR", None, 7, ["NCB"], {}]
    named = [read.whose({"placed_by": who}) for who in said]
    assert [*named, read.whose({})] == ["NCB", *["ERU"] * 6]


@pytest.mark.parametrize("name", TOLD)
def test_one_that_does_not_say_all_of_it_refuses_the_question(name: str) -> None:
    for wrong in (
        {key: value for key, value in TOLD.items() if key != name},
        {**TOLD, name: "x" if name == "by" else ""},
        {**TOLD, name: None},
        {**TOLD, "more": 1},
        {**TOLD, "about": "RELEASE_USED"},
        {**TOLD, "by": "placed_by"},
        {**TOLD, "resource": "f0.markers"},
        {**TOLD, "desks": {"NCB": {"desk": "ncb-intel", "on_call": "ncb-duty"}}},
        {**TOLD, "desks": {"ERU": {"desk": "eru-intel"}}},
        {**TOLD, "desks": {"ERU": {"desk": "eru-intel", "on_call": ""}}},
        {**TOLD, "desks": {"ERU": "eru-intel"}},
        {**TOLD, "due_s": 0},
        {**TOLD, "due_s": True},
        {**TOLD, "rows": {"type": "field", "field": "silent", "operator": "like", "value": 1}},
    ):
        with pytest.raises(PolicyMisunderstood):
            carry_out([Obligation(type="notify_owner", attributes=wrong)], asking())


@pytest.mark.parametrize("duty", ["record_outcome", "second_person"])
def test_a_duty_that_lasts_says_of_which_fetch(duty: str) -> None:
    given = {"kind": "face", "resource": "f0"}
    one = Obligation(type=duty, attributes=given)
    carry_out([one], asking())
    assert lasting([REASON, one]) == (Lasting(type=duty, kind="face", resource="f0"),)
    for wrong in ({}, {"kind": "face"}, {**given, "more": 1}, {**given, "kind": ""},
                  {**given, "resource": None}, {**given, "kind": 7}):  # fmt: skip
        with pytest.raises(PolicyMisunderstood):
            carry_out([Obligation(type=duty, attributes=wrong)], asking())


# --- how lately, how long, whose -----------------------------------------------------------------


def lately(max_age_s: Any = 600, acr: Any = ()) -> Obligation:
    return Obligation(type="reauthenticate", attributes={"max_age_s": max_age_s, "acr": list(acr)})


def signed_in(seconds_ago: float, acr: str | None = None) -> Asking:
    return asking(subject=replace(SUBJECT, auth_time=NOW - timedelta(seconds=seconds_ago), acr=acr))


def test_a_sign_in_counts_for_its_time_and_no_longer() -> None:
    carry_out([lately()], signed_in(600))
    for late in (signed_in(600.001), asking()):  # a token that does not say is one of long ago
        with pytest.raises(Refused) as refused:
            carry_out([lately()], late)
        assert refused.value.rule == "obligation.reauthenticate"
        assert "10 minutes" in refused.value.said


def test_a_sign_in_is_as_strong_as_asked_for() -> None:
    carry_out([lately(acr=("phr", "phrh"))], signed_in(1, "phrh"))
    for acr in (None, "pwd"):
        with pytest.raises(Refused) as refused:
            carry_out([lately(acr=("phr",))], signed_in(1, acr))
        assert "phr" in refused.value.said


ALARM = {"agency": "NMC", "desk": "nmc-bureau", "on_call": "gateway", "due_s": 60}


@pytest.mark.parametrize(
    "wrong",
    [
        Obligation(type="reauthenticate"),
        lately(0),
        lately("600"),
        lately(True),
        lately(acr=(1,)),
        Obligation(type="reauthenticate", attributes={"max_age_s": 60, "acr": "phr"}),
        Obligation(type="reauthenticate", attributes={"max_age_s": 60, "acr": [], "more": 1}),
        Obligation(type="time_box"),
        Obligation(type="time_box", attributes={"seconds": 0}),
        Obligation(type="time_box", attributes={"seconds": 1.5}),
        Obligation(type="time_box", attributes={"seconds": 60, "minutes": 1}),
        Obligation(type="watermark", attributes={"text": "x"}),
        Obligation(type="witnessed"),
        Obligation(type="witnessed", attributes={"within_s": 0}),
        Obligation(type="witnessed", attributes={"within_s": 2.5}),
        Obligation(type="witnessed", attributes={"within_s": True}),
        Obligation(type="witnessed", attributes={"within_s": 5, "by": "x"}),
        Obligation(type="break_glass", attributes={}),
        Obligation(type="break_glass", attributes=ALARM | {"due_s": True}),
        Obligation(type="break_glass", attributes=ALARM | {"desk": ""}),
        Obligation(type="break_glass", attributes=ALARM | {"more": 1}),
        Obligation(type="budget", attributes={"name": "questions"}),
    ],
)
def test_what_cannot_be_read_refuses_the_question(wrong: Obligation) -> None:
    with pytest.raises(PolicyMisunderstood):
        carry_out([wrong], signed_in(1))


def test_the_shortest_time_counts() -> None:
    boxes = [Obligation(type="time_box", attributes={"seconds": s}) for s in (900, 60, 300)]
    carry_out(boxes, asking())
    assert time_box_s(boxes) == 60
    assert time_box_s([REASON]) is None
    waits = [Obligation(type="witnessed", attributes={"within_s": s}) for s in (9, 4, 5)]
    carry_out(waits, asking())
    assert witnessed_s(waits) == 4
    assert witnessed_s([REASON]) is None


BUDGET = {
    "name": "questions", "title": "questions", "unit": "question", "window_s": 3600,
    "slow_after": 200, "slow_ms": 1500, "most": 400, "agency": "NMC", "desk": "nmc-bureau",
    "on_call": "gateway", "due_s": 1800,
}  # fmt: skip


def test_a_budget_is_read_strictly() -> None:
    (read,) = budgets_of([REASON, Obligation(type="budget", attributes=BUDGET)])
    assert (read.name, read.unit.value, read.most) == ("questions", "question", 400)
    wrong: list[dict[str, Any]] = [
        {"unit": "week"}, {"window_s": 0}, {"most": -1}, {"most": True}, {"slow_ms": 1.5},
        {"window_s": "3600"}, {"slow_after": -1}, {"slow_ms": -1}, {"due_s": 0}, {"due_s": -1},
        {"title": ""}, {"on_call": ""}, {"unit": None}, {"desk": ""}, {"agency": None},
        {"name": 7}, {"more": 1},
    ]  # fmt: skip
    for change in wrong:
        with pytest.raises(PolicyMisunderstood):
            budgets_of([Obligation(type="budget", attributes=BUDGET | change)])
    least = BUDGET | {"window_s": 1, "slow_after": 0, "slow_ms": 0, "most": 0, "due_s": 1}
    (read,) = budgets_of([Obligation(type="budget", attributes=least)])
    assert (read.window_s, read.slow_after, read.slow_ms, read.most) == (1, 0, 0, 0)
    assert read.due_s == 1
    negative = BUDGET | {"window_s": -1}
    with pytest.raises(PolicyMisunderstood):
        budgets_of([Obligation(type="budget", attributes=negative)])


def test_a_second_is_the_shortest_time() -> None:
    (read,) = tripwires_of([Obligation(type="notify_owner", attributes=TOLD | {"due_s": 1})])
    assert read.due_s == 1
    assert time_box_s([Obligation(type="time_box", attributes={"seconds": 1})]) == 1
    carry_out([lately(1)], signed_in(1))
    with pytest.raises(Refused):
        carry_out([lately(1)], signed_in(1.001))
