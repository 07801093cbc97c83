"""Literals that a column can hold, so that no driver rounds one and none refuses it."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_FLOOR, Context, Decimal
from enum import StrEnum
from typing import Any

from connectors.conditions import Scalar


class Dialect(StrEnum):
    """The databases whose habits are known here."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"
    MARIADB = "mariadb"


class Kind(StrEnum):
    """What a column holds, as far as comparing it goes."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    BOOLEAN = "boolean"
    DATE = "date"
    LOCAL = "local"  # a datetime without a zone
    ZONED = "zoned"  # a datetime with one
    OPAQUE = "opaque"  # bytes, arrays, JSON values: they satisfy no comparison
    STORED = "stored"  # SQLite: each value brings its own kind


_HALF = "\ud800-\udfff"
_UNHOLDABLE = {
    Dialect.SQLITE: re.compile(f"[{_HALF}]"),
    Dialect.POSTGRESQL: re.compile(f"[{_HALF}\0]"),
    Dialect.MARIADB: re.compile(f"[{_HALF}]"),
}


def comparable(held: Kind, value: Scalar) -> Kind | None:
    """The kind as which a column and a literal can be compared; None if they cannot."""
    numbers = (Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT)
    match value:
        case bool():
            return held if held is Kind.BOOLEAN else None
        case int() | float() | Decimal():
            return held if held in numbers or held is Kind.STORED else None
        case str():
            return Kind.TEXT if held in (Kind.TEXT, Kind.STORED) else None
        case datetime():
            return held if held is (Kind.ZONED if value.tzinfo else Kind.LOCAL) else None
        case _:
            return held if held is Kind.DATE else None


def fit(dialect: Dialect, kind: Kind, value: Scalar) -> tuple[Scalar, int]:
    """The column's value nearest to a literal, and its side: 0 the same, 1 above, -1 below.

    No value that the column can hold lies between the two.
    """
    match kind:
        case Kind.TEXT:
            return _fit_text(dialect, str(value))
        case Kind.INTEGER | Kind.DECIMAL | Kind.FLOAT | Kind.STORED:
            assert isinstance(value, int | float | Decimal)  # noqa: S101  # `comparable` saw to it
            fitted = _fit_number(dialect, kind, value)
            return fitted, _side(fitted, value)
        case _:
            return value, 0


def holdable(dialect: Dialect, texts: Iterable[str]) -> bool:
    """Whether a column of text can hold each of them as it is."""
    return not any(map(_UNHOLDABLE[dialect].search, texts))


def _side(fitted: Any, asked: Any) -> int:
    return int(fitted > asked) - int(fitted < asked)  # Python compares unlike numbers exactly


def _fit_text(dialect: Dialect, value: str) -> tuple[str, int]:
    if (found := _UNHOLDABLE[dialect].search(value)) is None:
        return value, 0
    at = found.start()
    if value[at] == "\0":
        return value[:at], -1  # it stores no NUL
    return value[:at] + "\ue000", 1  # no database stores half a character


_INT64 = 2**63
_WIDE = Context(prec=1200)
_GRID = Decimal(1).scaleb(-30)
_DECIMALS = Decimal(10) ** 35  # MariaDB's decimals: at most 65 digits, 30 of them after the point


def _fit_number(
    dialect: Dialect, kind: Kind, value: int | float | Decimal
) -> int | float | Decimal:
    match kind:
        case Kind.INTEGER:
            return _whole(value, 2**64 if dialect is Dialect.MARIADB else _INT64)
        case Kind.DECIMAL if dialect is Dialect.MARIADB:
            limit = _DECIMALS - 1
            kept = max(-limit, min(limit, Decimal(value)))
            return kept.quantize(_GRID, rounding=ROUND_FLOOR, context=_WIDE)
        case Kind.DECIMAL:
            return Decimal(value)
        case Kind.STORED if value == _whole(value, _INT64):
            return _whole(value, _INT64)
        case Kind.STORED if -_INT64 < value < _INT64 and not -(2**53) <= value <= 2**53:
            return _whole(value, _INT64)  # up there every number that SQLite holds is whole
    near = _as_float(value)
    if dialect is Dialect.MARIADB:  # it has no infinity
        return max(-sys.float_info.max, min(sys.float_info.max, near))
    return near


def _whole(value: int | float | Decimal, bound: int) -> int:
    """The greatest whole number not above `value`, within -bound and bound - 1."""
    return math.floor(max(-bound, min(bound - 1, value)))


def _as_float(value: int | float | Decimal) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
