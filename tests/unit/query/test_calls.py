"""A condition cut into visits of no more keys than a source takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.conditions import And, Compare, Condition, Op, Or, any_of, holds
from gateway.query.calls import portions

_keys = st.lists(st.integers(0, 30), min_size=1, max_size=12, unique=True).map(tuple)
_leaf = st.one_of(
    st.builds(Compare, st.sampled_from("ab"), st.just(Op.IN), _keys),
    st.builds(Compare, st.sampled_from("ab"), st.just(Op.GTE), st.integers(0, 30)),
)
_condition = st.recursive(
    _leaf,
    lambda inner: st.one_of(
        st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=5,
)


def longest(condition: Condition) -> int:
    match condition:
        case And(parts) | Or(parts):
            return max(map(longest, parts), default=0)
        case Compare(_, Op.IN, tuple(values)):
            return len(values)
        case _:
            return 0


@given(_condition, st.integers(1, 5), st.integers(0, 30), st.integers(0, 30))
def test_portions_hold_together_where_the_whole_does(
    where: Condition, most: int, a: int, b: int
) -> None:
    cut = portions(where, most)
    row = {"a": a, "b": b}
    assert holds(any_of(cut), row) is holds(where, row)


@given(_keys, st.integers(1, 5))
def test_no_portion_has_more_keys(keys: tuple[int, ...], most: int) -> None:
    by = Compare("a", Op.IN, keys)
    other = Compare("b", Op.GTE, 1)
    for where in (by, And((other, by)), Or((other, by)), And((by, Compare("b", Op.IN, keys)))):
        assert max(map(longest, portions(where, most))) <= most
    assert portions(other, most) == [other]
