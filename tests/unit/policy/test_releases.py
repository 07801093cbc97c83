"""A desk's release on its way through a decision: it holds for its record alone, or for none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.conditions import ALWAYS, NEVER, And, Compare, IsNull, Op, Or, holds
from gateway.errors import PolicyMisunderstood
from gateway.model import CLEAR, Case, Decision, Fetch, Plan, Released, Ruling, Show
from gateway.policy.casework import Matter, Terms, casework_question, read_terms
from gateway.policy.contract import read_decision
from gateway.policy.releases import bears_on, followed, releases_told, settled
from tests.unit.query import world

UNTIL = datetime(2026, 3, 1, 10, 0, 0, 999999, tzinfo=UTC)
GIVEN = Released(
    id="r-1", agency="ERU", desk="eru-intel", source="eru", entity="Report", key="K1",
    fields=("text",), until=UNTIL, opens=False,
)  # fmt: skip


def fetch(**more: Any) -> Fetch:
    return replace(Fetch(id="f0", source="eru", entity="Report", parts=()), **more)


PLAN = Plan(fetches=(fetch(),))
OURS = Compare("released", Op.EQ, "r-1")


def ruled(*cases: Case, rows: Any = ALWAYS, id_: str = "f0") -> Decision:
    ruling = Ruling(show=Show.RECORDS, limit=5, rows=rows, read={"text": cases, "title": CLEAR})
    return Decision(serial=1, rulings={id_: ruling})


def when(decision: Decision, plan: Plan = PLAN, held: tuple[Released, ...] = (GIVEN,)) -> Any:
    (ruling,) = settled(decision, plan, held).rulings.values()
    assert ruling.read["title"] == CLEAR
    manner = ruling.read["text"]
    assert isinstance(manner, tuple)
    return manner[0].when


def test_a_release_is_told_by_its_id_and_never_by_a_key() -> None:
    (told,) = releases_told(PLAN, [GIVEN])
    assert told == {
        "id": "r-1", "resources": ["f0"], "fields": ["text"], "opens": False,
        "until": "2026-03-01T10:00:00Z",  # no longer than it is
    }  # fmt: skip


@pytest.mark.parametrize("other", [fetch(source="ncb"), fetch(entity="Person")])
def test_a_release_that_bears_on_nothing_is_not_told(other: Fetch) -> None:
    assert releases_told(Plan(fetches=(other,)), [GIVEN]) == []
    assert releases_told(PLAN, []) == []


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Compare("native_key", Op.EQ, "K1"), True),
        (Compare("native_key", Op.EQ, "K2"), False),
        (Compare("urn", Op.EQ, "K1"), False),
        (And((Compare("native_key", Op.EQ, "K1"), Compare("urn", Op.EQ, "x"))), False),
        (Compare("native_key", Op.IN, ("K1",)), False),
        (ALWAYS, False),
    ],
)
def test_a_hit_is_opened_only_where_it_is_asked_for_by_its_ref(where: Any, expected: bool) -> None:
    assert bears_on(replace(GIVEN, opens=True), fetch(where=where)) is expected
    assert bears_on(GIVEN, fetch(where=where)) is True


def test_a_case_holds_for_the_released_record_alone() -> None:
    condition = when(ruled(Case(OURS, CLEAR)))
    assert holds(condition, {"native_key": "K1"})
    for key in ("K2", None, "k1", 1):
        assert not holds(condition, {"native_key": key})


def test_conditions_around_it_stay() -> None:
    inner = Or((And((OURS, Compare("handling", Op.EQ, "P"))), NEVER))
    condition = when(ruled(Case(inner, CLEAR)))
    assert holds(condition, {"native_key": "K1", "handling": "P"})
    assert not holds(condition, {"native_key": "K1", "handling": "C"})


@pytest.mark.parametrize(
    "held",
    [(), (replace(GIVEN, id="r-2"),), (replace(GIVEN, source="ncb"),),
     (replace(GIVEN, entity="Person"),), (replace(GIVEN, opens=True),)],
)  # fmt: skip
def test_what_was_not_released_for_this_fetch_holds_for_no_record(
    held: tuple[Released, ...],
) -> None:
    assert when(ruled(Case(OURS, CLEAR)), held=held) == NEVER


def test_a_ruling_on_no_fetch_of_the_plan_releases_nothing() -> None:
    assert when(ruled(Case(OURS, CLEAR), id_="f0.paragraphs")) == NEVER


@pytest.mark.parametrize(
    "bad",
    [
        Compare("released", Op.NE, "r-1"),
        Compare("released", Op.IN, ("r-1",)),
        Compare("released", Op.GTE, "r-1"),
        Compare("released", Op.EQ, 1),
        IsNull("released"),
        Or((ALWAYS, IsNull("released"))),
    ],
)
def test_any_other_comparison_is_not_understood(bad: Any) -> None:
    with pytest.raises(PolicyMisunderstood):
        settled(ruled(Case(bad, CLEAR)), PLAN, (GIVEN,))


def test_rows_never_look_at_it() -> None:
    with pytest.raises(PolicyMisunderstood):
        settled(ruled(rows=Or((OURS, NEVER))), PLAN, (GIVEN,))


def test_a_decision_without_the_release_is_left_as_it_was() -> None:
    decision = ruled(Case(Compare("handling", Op.EQ, "P"), CLEAR))
    assert settled(decision, PLAN, (GIVEN,)) == decision


def test_nothing_of_a_callers_is_kept_with_a_decision_that_others_share() -> None:
    decision = ruled(Case(OURS, CLEAR))
    assert settled(decision, PLAN, (GIVEN,)).made is not decision.made


def test_what_a_decision_may_show_by_a_release() -> None:
    told = releases_told(PLAN, [GIVEN])
    assert followed(ruled(Case(Or((NEVER, OURS)), CLEAR)), told) == {"r-1"}
    assert followed(ruled(Case(ALWAYS, CLEAR)), told) == set()
    opening = [{**told[0], "opens": True}]
    assert followed(ruled(Case(ALWAYS, CLEAR)), opening) == {"r-1"}


# --- actions -------------------------------------------------------------------------------------

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
    assert read_terms({**ALLOWED, "terms": {}}) == Terms(serial=3, refuse=None)
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


@pytest.mark.parametrize("wrong", [None, [], "yes", {}, {"allow": True}])
def test_silence_means_no(wrong: object) -> None:
    with pytest.raises(PolicyMisunderstood):
        read_terms(wrong)


def test_the_question_about_an_action_holds_no_text_of_the_callers() -> None:
    asked = casework_question(
        Matter(act="requestRelease", agency="ERU", entity="Report", fields=("text",), for_s=60),
        world.SUBJECT, None, now=UNTIL + timedelta(seconds=1), query_id="q",
    )  # fmt: skip
    assert asked["action"] == {"name": "casework"}
    assert asked.keys() == {"version", "action", "subject", "context", "casework"}
    assert asked["context"]["purpose"] is None
    assert asked["casework"]["for_s"] == 60
    with pytest.raises(PolicyMisunderstood):
        read_decision(ALLOWED)  # an answer about an action is none about a query
