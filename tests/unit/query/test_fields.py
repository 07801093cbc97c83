"""A condition put together as one function says of every record what `holds` says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from connectors.conditions import And, Compare, Condition, IsNull, Op, Or, holds
from gateway.model import Outcome
from gateway.query.fields import Owner, compiled
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
def test_a_condition_as_one_function_is_what_holds(
    condition: Condition, row: Mapping[str, Any]
) -> None:
    assert met(condition, row) is holds(condition, row)


@given(held=HELD, op=st.sampled_from(Op), literal=LITERALS)
def test_every_comparison_is_that_of_holds(held: Any, op: Op, literal: Any) -> None:
    condition = Compare("a", op, (literal,) if op is Op.IN else literal)
    assert met(condition, {"a": held}) is holds(condition, {"a": held})
