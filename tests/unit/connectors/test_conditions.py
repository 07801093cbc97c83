"""The condition language: what holds, and what reads as a condition at all."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.conditions import (
    ALWAYS,
    NEVER,
    And,
    Compare,
    Condition,
    IsNull,
    Op,
    Or,
    Scalar,
    all_of,
    any_of,
    fields_of,
    from_json,
    holds,
    to_json,
)

JSON_LITERAL = st.one_of(st.text(max_size=5), st.integers(), st.booleans())
CONDITION: st.SearchStrategy[Condition] = st.recursive(
    st.one_of(
        st.builds(Compare, st.text(), st.sampled_from([o for o in Op if o is not Op.IN]),
                  JSON_LITERAL),
        st.builds(Compare, st.text(), st.just(Op.IN), st.lists(JSON_LITERAL).map(tuple)),
        st.builds(IsNull, st.text()),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
)  # fmt: skip


@pytest.mark.parametrize("op", [op for op in Op if op is not Op.IN])
def test_null_satisfies_no_comparison(op: Op) -> None:
    assert not holds(Compare("x", op, "a"), {"x": None})
    assert not holds(Compare("x", op, "a"), {})
    assert holds(IsNull("x"), {})


@pytest.mark.parametrize("op", [Op.EQ, Op.LT, Op.LTE, Op.GT, Op.GTE, Op.IN])
@pytest.mark.parametrize("held", [float("nan"), Decimal("NaN")])
def test_what_is_no_number_only_differs(op: Op, held: Scalar) -> None:
    for literal in (1, 0.5, Decimal("0.5"), Decimal("NaN")):
        assert not holds(Compare("x", op, literal), {"x": held})
        assert holds(Compare("x", Op.NE, literal), {"x": held})


@pytest.mark.parametrize(
    ("held", "literal"),
    [(1, "1"), ("1", 1), (True, 1), (1, True), (date(2025, 1, 1), "2025-01-01"),
     (datetime(2025, 1, 1, tzinfo=UTC), date(2025, 1, 1)), (b"a", "a")],
)  # fmt: skip
def test_unlike_kinds_satisfy_no_comparison(held: object, literal: Scalar) -> None:
    for op in (Op.EQ, Op.NE, Op.LT, Op.GTE, Op.STARTSWITH):
        assert not holds(Compare("x", op, literal), {"x": held})
    assert not holds(Compare("x", Op.IN, (literal,)), {"x": held})


@pytest.mark.parametrize(
    ("op", "literal", "expected"),
    [(Op.EQ, 2, True), (Op.EQ, Decimal("2.0"), True), (Op.NE, 2, False), (Op.LT, 2, False),
     (Op.LT, 2.5, True), (Op.LTE, 2, True), (Op.GT, 2, False), (Op.GT, 1, True),
     (Op.GTE, 2, True), (Op.STARTSWITH, 2, False)],
)  # fmt: skip
def test_both_sides_of_every_boundary(op: Op, literal: Scalar, expected: bool) -> None:
    assert holds(Compare("x", op, literal), {"x": 2}) is expected


def test_text_is_compared_by_code_point() -> None:
    row = {"x": "Höxha "}
    assert holds(Compare("x", Op.STARTSWITH, "Höx"), row)
    assert not holds(Compare("x", Op.EQ, "Höxha"), row)
    assert not holds(Compare("x", Op.STARTSWITH, "höx"), row)
    assert holds(Compare("x", Op.GT, "Hz"), row)


def test_a_list_where_one_literal_belongs_holds_nowhere() -> None:
    assert not holds(Compare("x", Op.EQ, ("a",)), {"x": "a"})
    assert holds(Compare("x", Op.IN, "a"), {"x": "a"})


def test_a_list_satisfies_what_any_of_its_elements_does() -> None:
    for row in ({"x": ["a", None, 5]}, {"x": ("a", None, 5)}):
        assert holds(Compare("x", Op.EQ, "a"), row)
        assert holds(Compare("x", Op.IN, (5,)), row)
        assert not holds(Compare("x", Op.EQ, "b"), row)
    assert not holds(Compare("x", Op.NE, "a"), {"x": []})
    assert not holds(IsNull("x"), {"x": []})


def test_all_of_the_parts_or_any_of_them() -> None:
    yes, no = IsNull("x"), IsNull("y")
    row = {"y": "a"}
    assert [holds(c, row) for c in (yes, no)] == [True, False]
    assert [holds(And(p), row) for p in ((yes, yes), (yes, no), (no, yes), ())] == [
        True, False, False, True,
    ]  # fmt: skip
    assert [holds(Or(p), row) for p in ((no, no), (yes, no), (no, yes), ())] == [
        False, True, True, False,
    ]  # fmt: skip


def test_joining_flattens_and_folds() -> None:
    a, b = IsNull("a"), IsNull("b")
    assert all_of([a, And((b, a))]) == And((a, b))
    assert all_of([a, NEVER, b]) == NEVER
    assert all_of([a, ALWAYS]) == a
    assert all_of([]) == ALWAYS
    assert any_of([a, Or((b, a))]) == Or((a, b))
    assert any_of([a, ALWAYS]) == ALWAYS
    assert all_of([a, a]) == any_of([a, a]) == all_of([a]) == any_of([a]) == a
    assert all_of([a, b, a]) == And((a, b))
    assert any_of([b, a, a]) == Or((b, a))
    assert any_of([NEVER, a]) == a
    assert any_of([]) == NEVER
    both = And((a, b))
    assert any_of([both, a]) == Or((both, a))
    assert all_of([Or((a, b)), a]) == And((Or((a, b)), a))
    assert fields_of(And((a, Or((b, Compare("c", Op.EQ, 1)))))) == {"a", "b", "c"}


@pytest.mark.parametrize("word", ["eq", "ne", "lt", "lte", "gt", "gte", "startswith"])
@pytest.mark.parametrize("literal", ["a", 1, 0.5, True])
def test_the_words_of_a_comparison(word: str, literal: Scalar) -> None:
    data = {"type": "field", "field": "a", "operator": word, "value": literal}
    assert from_json(data) == Compare("a", Op[word.upper()], literal)
    assert to_json(from_json(data)) == data


def test_the_words_of_all_else() -> None:
    among = {"type": "field", "field": "a", "operator": "in", "value": ["a", 1, 0.5, True]}
    null = {"type": "field", "field": "b", "operator": "is_null"}
    both = {"type": "compound", "operator": "and", "value": [among, null]}
    either = {"type": "compound", "operator": "or", "value": [null, both]}
    read = Or((IsNull("b"), And((Compare("a", Op.IN, ("a", 1, 0.5, True)), IsNull("b")))))
    assert from_json(either) == read
    assert to_json(read) == either


@given(CONDITION)
def test_json_and_back(condition: Condition) -> None:
    assert from_json(to_json(condition)) == condition


@pytest.mark.parametrize(
    "data",
    [None, [], {}, {"type": "field"}, {"type": "compound", "operator": "not", "value": []},
     {"type": "compound", "operator": "and", "value": [], "extra": 1},
     {"type": "field", "field": "a", "operator": "is_null", "value": 1},
     {"type": "field", "field": "a", "operator": "like", "value": "x"},
     {"type": "field", "field": "a", "operator": "eq", "value": "x", "extra": 1},
     {"type": "field", "field": "a", "operator": "eq", "value": None},
     {"type": "field", "field": "a", "operator": "eq", "value": ["x"]},
     {"type": "field", "field": "a", "operator": "in", "value": "x"},
     {"type": "field", "field": "a", "operator": "in", "value": [None]}],
)  # fmt: skip
def test_what_is_no_condition_is_refused(data: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # any text will do
        from_json(data)


def test_times_compare_with_times_of_their_kind_alone() -> None:
    early = datetime(2026, 3, 1, 12)  # noqa: DTZ001  # in the source's own clock
    late = datetime(2026, 3, 1, 13)  # noqa: DTZ001
    for zone in (None, UTC):
        held = {"x": early.replace(tzinfo=zone)}
        assert holds(Compare("x", Op.LT, late.replace(tzinfo=zone)), held)
        assert holds(Compare("x", Op.EQ, early.replace(tzinfo=zone)), held)
        assert not holds(Compare("x", Op.GT, late.replace(tzinfo=zone)), held)
    assert holds(Compare("x", Op.LT, date(2026, 3, 2)), {"x": date(2026, 3, 1)})
    assert not holds(Compare("x", Op.LT, late), {"x": date(2026, 3, 1)})
    for op in (op for op in Op if op is not Op.IN):
        for literal in (late.replace(tzinfo=UTC), date(2026, 3, 2), "2026-03-02"):
            assert not holds(Compare("x", op, literal), {"x": early})


@pytest.mark.parametrize("held", [b"x", {"x": 1}, object()])
def test_what_is_of_no_kind_satisfies_no_comparison(held: object) -> None:
    for literal in ("x", ("x",)):
        for op in Op:
            assert not holds(Compare("x", op, literal), {"x": held})
