"""What an argument of another GraphQL service is given."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from connectors._push import Param
from connectors.conditions import Op
from connectors.upstream import _variable

ONE = Param(column="rate", op=Op.EQ, name="rate", type="Float")
MANY = Param(column="rate", op=Op.IN, name="rates", type="[Float!]", many=True, most=3)


def test_a_decimal_is_a_number_and_a_date_is_text() -> None:
    given = _variable(ONE, (Decimal("0.5"),))
    assert (given, type(given)) == (0.5, float)
    assert _variable(MANY, (1, Decimal("2.5"), True)) == [1, 2.5, True]
    assert _variable(ONE, (date(2025, 1, 2),)) == "2025-01-02"
