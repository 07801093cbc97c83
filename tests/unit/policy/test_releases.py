"""A desk's release on its way through a decision: it holds for its record alone, or for none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.conditions import ALWAYS, NEVER, And, Compare, IsNull, Op, Or, holds
from gateway.errors import PolicyMisunderstood
from gateway.model import (
    CLEAR,
    Beside,
    Case,
    Decision,
    Fetch,
    Note,
    Plan,
    Released,
    Ruling,
    Show,
)
from gateway.policy.releases import bears_on, followed, releases_told, settled

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
    plain = ruled()
    told = replace(plain.rulings["f0"], beside=Beside(rows=Or((OURS, NEVER)), note=Note()))
    with pytest.raises(PolicyMisunderstood):
        settled(replace(plain, rulings={"f0": told}), PLAN, (GIVEN,))


def test_a_decision_without_the_release_is_left_as_it_was() -> None:
    decision = ruled(Case(And((Compare("handling", Op.EQ, "P"), IsNull("caveats"))), CLEAR))
    assert settled(decision, PLAN, (GIVEN,)) == decision


def test_nothing_of_a_callers_is_kept_with_a_decision_that_others_share() -> None:
    decision = ruled(Case(OURS, CLEAR))
    assert settled(decision, PLAN, (GIVEN,)).made is not decision.made


def test_what_a_decision_may_show_by_a_release() -> None:
    told = releases_told(PLAN, [GIVEN])
    assert followed(ruled(Case(Or((NEVER, OURS)), CLEAR)), told) == {"r-1"}
    assert followed(ruled(Case(ALWAYS, CLEAR)), told) == set()
    assert followed(ruled(Case(Compare("handling", Op.EQ, "r-1"), CLEAR)), told) == set()
    opening = [{**told[0], "opens": True}]
    assert followed(ruled(Case(ALWAYS, CLEAR)), opening) == {"r-1"}
