"""Which conditions become parameters, and which are left over."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from connectors._push import Param, Pushed, comparisons, push, spoken
from connectors.conditions import ALWAYS, NEVER, And, Compare, Condition, IsNull, Op, Or, Scalar
from connectors.spi import SourceQuery

REF = Param(column="ref", op=Op.IN, name="ref", many=True, most=2)
NAME = Param(column="name", op=Op.EQ, name="name")
LOOSE = Param(column="town", op=Op.EQ, name="town", exact=False)
SINCE = Param(column="day", op=Op.GTE, name="from", kind="date")
AGE = Param(column="age", op=Op.EQ, name="age", kind="number", type="Int")
SUM = Param(column="sum", op=Op.EQ, name="sum", kind="number")
RATE = Param(column="rate", op=Op.EQ, name="rate", kind="number", type="Float")
SEEN = Param(column="seen", op=Op.GT, name="seen", kind="datetime")
PARAMS = (REF, NAME, LOOSE, SINCE, AGE, SUM, RATE, SEEN)


def pushed(where: Condition, guard: Condition = ALWAYS, least: int = 0, *alone: str) -> Pushed:
    query = SourceQuery(
        query_id="q", relation="r", columns=("ref",), key="ref", where=where, guard=guard
    )
    return push(query, PARAMS, min_criteria=least, alone=frozenset(alone))


def eq(column: str, value: Scalar) -> Compare:
    return Compare(column, Op.EQ, value)


def test_nothing_asked_is_one_bare_request() -> None:
    assert pushed(ALWAYS) == Pushed(requests=({},), residual=ALWAYS)


def test_never_is_no_request() -> None:
    assert pushed(eq("name", "x"), NEVER).requests == ()
    assert pushed(Compare("ref", Op.IN, ())).requests == ()


def test_where_and_guard_share_the_parameters() -> None:
    found = pushed(eq("name", "x"), And((eq("ref", "a"), IsNull("z"))))
    assert found.requests == ({NAME: ("x",), REF: ("a",)},)
    assert found.residual == IsNull("z")


def test_a_parameter_is_used_once() -> None:
    found = pushed(eq("name", "x"), eq("name", "y"))
    assert found.requests == ({NAME: ("y",)},)  # the guard's
    assert found.residual == eq("name", "x")


def test_a_loose_parameter_narrows_and_leaves_its_condition_over() -> None:
    found = pushed(eq("town", "x"))
    assert found.requests == ({LOOSE: ("x",)},)
    assert found.residual == eq("town", "x")


def test_more_values_than_a_parameter_takes_are_more_requests() -> None:
    found = pushed(Compare("ref", Op.IN, ("a", "b", "a", "c")))
    assert found.requests == ({REF: ("a", "b")}, {REF: ("c",)})
    found = pushed(Compare("name", Op.IN, ("x", "y")))
    assert found.requests == ({NAME: ("x",)}, {NAME: ("y",)})


def test_an_or_whose_every_branch_can_be_asked_is_split() -> None:
    either = Or((eq("name", "x"), And((eq("name", "y"), eq("ref", "a")))))
    found = pushed(either, eq("age", 3))
    assert found.requests == ({AGE: (3,), NAME: ("x",)}, {AGE: (3,), NAME: ("y",), REF: ("a",)})
    assert found.residual == ALWAYS


def test_an_or_that_can_be_asked_in_part_is_left_over_too() -> None:
    either = Or((eq("name", "x"), And((eq("name", "y"), IsNull("z")))))
    found = pushed(either)
    assert found.requests == ({NAME: ("x",)}, {NAME: ("y",)})
    assert found.residual == either
    blind = Or((eq("name", "x"), IsNull("z")))
    assert pushed(blind) == Pushed(requests=({},), residual=blind)


def test_too_few_criteria_leave_everything_over() -> None:
    where = eq("name", "x")
    assert pushed(where, ALWAYS, 2) == Pushed(requests=None, residual=where)
    assert pushed(where, ALWAYS, 2, "name").requests == ({NAME: ("x",)},)
    assert pushed(And((where, eq("age", 3))), ALWAYS, 2).residual == ALWAYS


def test_a_column_that_stands_alone_is_asked_by_itself() -> None:
    where = And((eq("name", "x"), eq("ref", "a")))
    found = pushed(where, ALWAYS, 2, "ref")
    assert found == Pushed(requests=({REF: ("a",)},), residual=eq("name", "x"))
    either = Or((eq("ref", "a"), eq("name", "x")))
    assert pushed(either, ALWAYS, 1, "ref").requests == ({REF: ("a",)}, {NAME: ("x",)})
    assert pushed(And((either, eq("age", 3))), ALWAYS, 1, "ref").residual == either


def test_what_is_pushed_of_a_guard_does_not_depend_on_what_is_asked() -> None:
    guard = And((eq("name", "x"), Or((eq("age", 1), eq("age", 2)))))
    assert pushed(ALWAYS, guard).residual == ALWAYS
    for where in (
        eq("name", "y"),
        eq("ref", "a"),
        eq("age", 3),
        Or((eq("ref", "a"), eq("age", 3))),
    ):
        found = pushed(where, guard, 0, "ref")
        assert found.residual == where
        assert found.requests == pushed(ALWAYS, guard).requests
    assert pushed(ALWAYS, guard, 3) == Pushed(requests=None, residual=ALWAYS)


def test_too_many_requests_are_none() -> None:
    where = Compare("name", Op.IN, tuple(str(at) for at in range(51)))
    assert pushed(where) == Pushed(requests=None, residual=where)


@pytest.mark.parametrize(
    ("column", "op", "value"),
    [("name", Op.EQ, ""), ("name", Op.EQ, 5), ("name", Op.EQ, True), ("name", Op.EQ, "\ud800"),
     ("name", Op.LT, "x"), ("ref", Op.EQ, "a,b"), ("day", Op.GTE, "2025-01-01"),
     ("age", Op.EQ, 2**31), ("age", Op.EQ, 1.5), ("age", Op.EQ, "3"), ("other", Op.EQ, "x"),
     ("sum", Op.EQ, 10**400), ("sum", Op.EQ, Decimal("0.1")), ("sum", Op.EQ, float("inf")),
     ("rate", Op.EQ, 2**53 + 1), ("rate", Op.EQ, 10**400), ("rate", Op.EQ, Decimal("NaN")),
     ("day", Op.GTE, datetime(2025, 1, 1, tzinfo=UTC)), ("seen", Op.GT, date(2025, 1, 1))],
)  # fmt: skip
def test_what_a_parameter_cannot_say_is_left_over(column: str, op: Op, value: Scalar) -> None:
    where = Compare(column, op, value)
    assert pushed(where) == Pushed(requests=({},), residual=where)


@pytest.mark.parametrize(
    ("param", "value"),
    [(SUM, 2**63 - 1), (SUM, 0.1), (SUM, Decimal("0.5")), (RATE, 2**53), (RATE, Decimal("0.5")),
     (SINCE, date(2025, 1, 1)), (SEEN, datetime(2025, 1, 1, tzinfo=UTC))],
)  # fmt: skip
def test_what_a_parameter_can_say_is_pushed(param: Param, value: Scalar) -> None:
    found = pushed(Compare(param.column, param.op, value))
    assert found == Pushed(requests=({param: (value,)},), residual=ALWAYS)


def test_values_as_text() -> None:
    assert [spoken(v) for v in ("a", 1, True, False, date(2025, 1, 2))] == [
        "a", "1", "true", "false", "2025-01-02",
    ]  # fmt: skip


def test_what_a_service_can_be_told_counts_one_value_and_a_list_of_one_alike() -> None:
    params = (
        Param(column="a", op=Op.IN, name="a", many=True, most=2),
        Param(column="b", op=Op.GTE, name="from", exact=False),
    )
    assert comparisons(params) == {("a", Op.EQ), ("a", Op.IN), ("b", Op.GTE)}
