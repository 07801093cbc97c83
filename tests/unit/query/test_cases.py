"""A condition put together as one function says of every record what `holds` says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.conditions import And, Compare, Condition, IsNull, Op, Or, holds
from gateway.model import Case, Outcome
from gateway.query.cases import Owner, compiled, first_of, seen
from tests.unit.query import world

NAMES = st.sampled_from("abc")
ZONED = datetime(2026, 1, 1, tzinfo=UTC)
LITERALS = st.sampled_from(
    ["", "a", "ab", "b", 0, 1, 2, True, False, 1.0, 0.5, Decimal(1), ZONED.date(), ZONED,
     ZONED.replace(tzinfo=None), Outcome.HIT, Outcome.HIT.value],
)  # fmt: skip
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    st.one_of(
        st.builds(Compare, NAMES, st.sampled_from([o for o in Op if o is not Op.IN]), LITERALS),
        st.builds(Compare, NAMES, st.just(Op.IN), st.lists(LITERALS, max_size=4).map(tuple)),
        st.builds(Compare, NAMES, st.sampled_from(Op), st.lists(LITERALS).map(tuple) | LITERALS),
        st.builds(IsNull, NAMES),
    ),
    lambda inner: st.lists(inner, max_size=3).flatmap(
        lambda parts: st.sampled_from([And(tuple(parts)), Or(tuple(parts))])
    ),
)
HELD = st.one_of(st.none(), LITERALS, st.lists(st.none() | LITERALS, max_size=3))
ROWS = st.dictionaries(NAMES, HELD)


def met(condition: Condition, row: Mapping[str, Any]) -> bool:
    meets = compiled(condition, lambda name: lambda values, _owner: values.get(name))
    return meets(row, Owner(world.record(1), None, world.MOMENT))


@given(condition=CONDITIONS, row=ROWS)
@example(Compare("a", Op.IN, ()), {"a": "a"})
@example(Compare("a", Op.IN, "ab"), {"a": "a"})
@example(Compare("a", Op.EQ, ("a",)), {"a": "a"})
@example(Compare("a", Op.STARTSWITH, True), {"a": True})
@example(Compare("a", Op.STARTSWITH, "b"), {"a": "ab"})
@example(Compare("a", Op.STARTSWITH, "a"), {"a": "ab"})
@example(Compare("a", Op.IN, ("a", "b")), {"a": "b"})
@example(Compare("a", Op.IN, ("a", "b")), {"a": "ab"})
@example(Compare("a", Op.IN, (1, 2)), {"a": 2})
def test_a_condition_as_one_function_is_what_holds(
    condition: Condition, row: Mapping[str, Any]
) -> None:
    assert met(condition, row) is holds(condition, row)


@given(held=HELD, op=st.sampled_from(Op), literal=LITERALS)
@example(held=["a"], op=Op.LT, literal="b")
@example(held=["a", 1, None], op=Op.EQ, literal="a")
@example(held=[True], op=Op.EQ, literal=1)
@example(held=[["a"]], op=Op.EQ, literal="a")
@example(held=("a", "b"), op=Op.IN, literal="b")
def test_every_comparison_is_that_of_holds(held: Any, op: Op, literal: Any) -> None:
    condition = Compare("a", op, (literal,) if op is Op.IN else literal)
    assert met(condition, {"a": held}) is holds(condition, {"a": held})


@pytest.mark.parametrize(
    ("condition", "held", "met_by"),
    [
        (Compare("a", Op.EQ, "x"), "x", True),
        (Compare("a", Op.NE, 1), 2, True),
        (Compare("a", Op.EQ, True), False, False),
        (Compare("a", Op.IN, ("x", "y")), "y", True),
        (Compare("a", Op.IN, ("x", "y")), ["z", "y"], True),
        (Compare("a", Op.EQ, "x"), ["z", None], False),
        (Compare("a", Op.GTE, "x"), None, False),
        (IsNull("a"), None, True),
    ],
)
def test_like_is_compared_with_like_at_once(
    condition: Condition, held: Any, met_by: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`holds` reads a condition anew each time: of a thousand records that is what takes long."""

    def never(_condition: Condition, _row: Mapping[str, Any]) -> bool:
        raise AssertionError("the condition was read again")

    monkeypatch.setattr("gateway.query.cases.holds", never)
    assert met(condition, {"a": held}) is met_by


def test_a_case_sees_a_derived_field_of_its_own_part_unless_it_is_held() -> None:
    """What a source holds of it was read; what it does not hold is worked out."""
    fields = world.vocabulary().fields_of("Person")
    look = seen("dob_quality", fields)
    owner = Owner(world.record(1, date_of_birth="1990"), None, world.MOMENT)
    assert look({"date_of_birth": "1990"}, owner) == "YEAR_ONLY"
    assert look({"date_of_birth": "1990", "dob_quality": "EXACT"}, owner) == "EXACT"
    inner = seen("dob_quality", world.vocabulary().fields_of("Warning"))
    assert inner({"date_of_birth": "1990-01-01"}, owner) == "YEAR_ONLY"  # the record's around it


def test_which_case_holds_is_found_for_each_element_and_each_set_of_cases() -> None:
    """Found once for the fields of one element, and for no other element or cases."""
    fields = world.vocabulary().fields_of("Warning")
    weapons = Compare("kind", Op.EQ, "WEAPONS")
    one = first_of((Case(weapons, "CLEAR"), Case(Compare("kind", Op.EQ, "X"), "NULL")), fields)
    other = first_of((Case(weapons, "REDACT"),), fields)
    owner = Owner(world.record(1), None, world.MOMENT)
    armed, unwell = {"kind": "WEAPONS"}, {"kind": "MENTAL_HEALTH"}
    asked = [(one, armed), (one, armed), (other, armed), (one, unwell), (one, armed), (one, {})]
    assert [naming(values, owner) for naming, values in asked] == [
        "CLEAR", "CLEAR", "REDACT", None, "CLEAR", None,
    ]  # fmt: skip


def test_a_case_that_was_found_is_not_looked_for_again() -> None:
    class Counted(dict[str, Any]):
        looks = 0

        def get(self, name: str, default: Any = None) -> Any:
            self.looks += 1
            return super().get(name, default)

    naming = first_of(
        (Case(Compare("kind", Op.EQ, "WEAPONS"), "CLEAR"),), world.vocabulary().fields_of("Warning")
    )
    owner, values = Owner(world.record(1), None, world.MOMENT), Counted(kind="WEAPONS")
    assert [naming(values, owner) for _ in range(5)] == ["CLEAR"] * 5
    assert values.looks == 1
