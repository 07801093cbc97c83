"""Literals moved to what a column can hold."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._sqlliterals import Dialect, Kind, fit


@pytest.mark.parametrize(
    ("dialect", "kind", "literal", "expected"),
    [
        (Dialect.POSTGRESQL, Kind.INTEGER, 5, (5, 0)),
        (Dialect.POSTGRESQL, Kind.INTEGER, 5.5, (5, -1)),
        (Dialect.POSTGRESQL, Kind.INTEGER, 2**63, (2**63 - 1, -1)),
        (Dialect.POSTGRESQL, Kind.INTEGER, -math.inf, (-(2**63), 1)),
        (Dialect.MARIADB, Kind.INTEGER, 2**64 - 1, (2**64 - 1, 0)),
        (Dialect.POSTGRESQL, Kind.DECIMAL, 0.25, (Decimal("0.25"), 0)),
        (Dialect.MARIADB, Kind.DECIMAL, Decimal("1e-40"), (Decimal("0E-30"), -1)),
        (Dialect.POSTGRESQL, Kind.FLOAT, Decimal("0.1"), (0.1, 1)),
        (Dialect.POSTGRESQL, Kind.FLOAT, 10**400, (math.inf, 1)),
        (Dialect.SQLITE, Kind.STORED, 2.0, (2, 0)),
        (Dialect.SQLITE, Kind.STORED, 0.5, (0.5, 0)),
        (Dialect.SQLITE, Kind.STORED, Decimal(2**60) + Decimal("0.5"), (2**60, -1)),
        (Dialect.POSTGRESQL, Kind.TEXT, "a\0b", ("a", -1)),
        (Dialect.SQLITE, Kind.TEXT, "a\0b", ("a\0b", 0)),
        (Dialect.SQLITE, Kind.TEXT, "a\ud800b", ("a\ue000", 1)),
        (Dialect.SQLITE, Kind.BOOLEAN, True, (True, 0)),
    ],
)
def test_the_nearest_that_a_column_can_hold(
    dialect: Dialect, kind: Kind, literal: str | float | Decimal, expected: tuple[object, int]
) -> None:
    assert fit(dialect, kind, literal) == expected


@given(
    st.sampled_from(list(Dialect)),
    st.sampled_from([Kind.INTEGER, Kind.FLOAT, Kind.STORED]),
    st.one_of(st.integers(-(2**80), 2**80), st.decimals(-(10**25), 10**25, places=4)),
    st.integers(-(2**63), 2**63 - 1),
)
def test_no_value_lies_between_a_literal_and_its_neighbour(
    dialect: Dialect, kind: Kind, literal: int | Decimal, held: int
) -> None:
    """Comparing with the neighbour, its side known, is comparing with the literal."""
    fitted, side = fit(dialect, kind, literal)
    value = float(held) if kind is Kind.FLOAT else held
    assert isinstance(fitted, int | float)
    if side == 0:
        assert (value < fitted) == (value < literal)
    elif side > 0:
        assert (value < fitted) == (value < literal)
        assert (value >= fitted) == (value > literal)
    else:
        assert (value <= fitted) == (value < literal)
        assert (value > fitted) == (value > literal)
