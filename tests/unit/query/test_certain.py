"""A rule on a date is certain only if it holds on every day that the date may be."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.conditions import ALWAYS, NEVER, And, Compare, IsNull, Op, Or
from gateway.query.certain import certain

BEFORE = Compare("born", Op.LT, "2007")


@pytest.mark.parametrize(
    ("born", "grown"),
    [
        ("2006-12-31", True),
        ("2006", True),
        ("2007", False),  # any day of that year
        ("2007-01", False),
        ("2007-01-01", False),
        ("1990-01-01/2006-12-31", True),
        ("1990-01-01/2007-06-30", False),  # disputed
        ("2008-01-01/2009-12-31", False),
        (None, False),  # unknown
        (["1990-01-01", "2008-01-01"], True),  # of a list any element, as everywhere
    ],
)
def test_who_was_certainly_born_before(born: Any, grown: bool) -> None:
    assert certain(BEFORE, {"born": born}) is grown
    assert certain(And((BEFORE, ALWAYS)), {"born": born}) is grown
    assert certain(Or((NEVER, BEFORE)), {"born": born}) is grown


@pytest.mark.parametrize(
    ("op", "value", "held", "expected"),
    [
        (Op.GTE, "2000-01-01", "1999-01-01/2001-01-01", False),
        (Op.GTE, "2000-01-01", "2000-01-01/2001-01-01", True),
        (Op.LTE, "2001-01-01", "1999-01-01/2001-01-01", True),
        (Op.GT, "2000-01-01", "2000-01-01/2001-01-01", False),
        (Op.EQ, "AB/1", "AB/1", True),  # no comparison of order: a text like any other
        (Op.NE, "AB/1", "AB/1", False),
        (Op.IN, ("AB/1",), "AB/1", True),
    ],
)
def test_both_ends_count_in_comparisons_of_order_alone(
    op: Op, value: Any, held: str, expected: bool
) -> None:
    assert certain(Compare("x", op, value), {"x": held}) is expected
    assert certain(IsNull("x"), {"x": held}) is False
