"""Random rows and random conditions on them, the same for the same seed.

Literals are mostly values that some row holds, or their nearest neighbours: what is drawn at random
alone hardly ever equals, begins or borders on anything.
"""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from random import Random
from typing import Any, TypeAlias

from connectors.conditions import And, Compare, Condition, IsNull, Op, Or, Scalar, fields_of

Draw: TypeAlias = Callable[[Random], Any]
"""One value of a column, never null."""

KEY = "ref"
SAME_OUTLINE = 4  # conditions in sequence that differ in their values alone

# letters that collations fold, pad, ignore or sort by their own lights, and what LIKE minds
_LETTERS = (
    "aAáÁåÅ\u212bbßẞsS\u017f\u0131I\u0130iKk\u212a9日ﬁ \t\n%_\\'\"-/,\u0301\u0307\u00ad\u200d"
    "\ud7ff\ue000\uffff\U0001f6e5\U0001f6e6\U0010ffff"
)
_WORDS = (
    "", " ", "istanbul", "ISTANBUL", "\u0130stanbul", "\u0131stanbul", "i\u0307stanbul", "straße",
    "strasse", "STRASSE", "STRAẞE", "Höxha", "Ho\u0308xha", "Hoxha", "HOXHA ", "Hoxha\t", "100%",
    "100_", "1000", "5", "5.0", "05", "1e3", "0x5", "/", "//", "a/b",
    "/%", "/_", "a_b", "aXb", "\\\\", "true",
    "null", "2024-02-29", "a\0", "a\0b", "\0",
)  # fmt: skip
_WHOLES = (0, 1, -1, 5, 100, 127, 128, 2**24 + 1, 2**31 - 1, -(2**31), 2**53, 2**53 + 1, -(2**53),
           2**63 - 1, -(2**63))  # fmt: skip
_FLOATS = (0.0, -0.0, 0.1, 0.5, 1.5, 1e-7, 1e22, 2.0**53, 5e-324, sys.float_info.min,
           sys.float_info.max, -sys.float_info.max)  # fmt: skip
_DAYS = (date(1000, 1, 1), date(1582, 10, 15), date(1900, 2, 28), date(1969, 12, 31),
         date(2024, 2, 29), date(9999, 12, 31))  # fmt: skip
_WILD = (math.nan, math.inf, -math.inf, 2**64, -(2**70), 10**400, Decimal("1e-40"), Decimal("NaN"),
         Decimal("1e50"), "\ud800", "a\udfff", "\0", True, False)  # fmt: skip


def text(rng: Random) -> str:
    """Up to twelve code points."""
    if rng.random() < 0.4:
        return rng.choice(_WORDS)
    return "".join(rng.choices(_LETTERS, k=rng.randint(0, 4)))


def whole(rng: Random) -> int:
    """A whole number of 64 bits."""
    near = rng.choice((rng.randint(-9, 9), rng.randint(-(2**31), 2**31 - 1)))
    return rng.choice((near, rng.choice(_WHOLES)))


def decimal(rng: Random) -> Decimal:
    """A number of up to 20 digits, six of them after the point."""
    digits = rng.choice((rng.randint(-20, 20) * 250_000, rng.randint(-(10**19), 10**19)))
    return Decimal(digits).scaleb(-6)


def double(rng: Random) -> float:
    """A finite number of double precision."""
    return rng.choice((rng.choice(_FLOATS), rng.uniform(-10, 10), float(rng.randint(-9, 9)),
                       rng.uniform(-1, 1) * 10.0 ** rng.randint(-300, 300)))  # fmt: skip


def single(rng: Random) -> float:
    """A number that single precision holds exactly."""
    found = rng.choice((0.1, -0.1, 1 / 3, 16777216.0, 3e38, 1e-30, rng.uniform(-10, 10)))
    return float(struct.unpack("f", struct.pack("f", found))[0])


def flag(rng: Random) -> bool:
    """True or false."""
    return rng.random() < 0.5


def day(rng: Random) -> date:
    """A date of four-digit years."""
    return rng.choice((rng.choice(_DAYS), date(1991, 4, 1) + timedelta(days=rng.randint(0, 60))))


def moment(rng: Random) -> datetime:
    """A time without a zone, to the microsecond."""
    fraction = rng.choice((0, 1, 500_000, 999_999))
    clock = time(rng.choice((0, 12, 23)), rng.choice((0, 59)), microsecond=fraction)
    return datetime.combine(day(rng), clock)


def instant(rng: Random) -> datetime:
    """A time with a zone."""
    return moment(rng).replace(tzinfo=UTC)


_OF_ANY_KIND: Sequence[Draw] = (text, whole, decimal, double, flag, day, moment, instant,
                                lambda rng: rng.choice(_WILD))  # fmt: skip


def one_of(*values: object) -> Draw:
    """A column that holds these values only."""
    return lambda rng: rng.choice(values)


def rows(rng: Random, columns: Mapping[str, Draw], count: int) -> list[dict[str, Any]]:
    """That many rows, their keys in order, one value in six a null."""
    return [
        {KEY: f"{at:03}"}
        | {name: None if rng.random() < 1 / 6 else draw(rng) for name, draw in columns.items()}
        for at in range(count)
    ]


class Odds:
    """Conditions on the rows of one relation."""

    def __init__(
        self, rng: Random, columns: Mapping[str, Draw], held: Sequence[Mapping[str, Any]]
    ) -> None:
        self._rng, self._columns, self._names = rng, columns, list(columns)
        self._held = {
            name: [row[name] for row in held if row[name] is not None] for name in columns
        }

    def conditions(self, count: int) -> Iterator[Condition]:
        """That many; each outline comes several times in sequence, with other values."""
        for at in range(count):
            if at % SAME_OUTLINE == 0:
                made = self._condition(depth=self._rng.choice((0, 0, 1, 1, 2, 3)))
                while not fields_of(made):
                    made = self._condition(depth=2)
            else:
                made = self._revalued(made)
            yield made

    def _condition(self, depth: int) -> Condition:
        if depth == 0:
            return self._leaf()
        parts = tuple(
            self._condition(self._rng.randrange(depth))
            for _ in range(self._rng.choice((0, 1, 2, 2, 2, 3)))
        )
        return self._rng.choice((And, Or))(parts)

    def _leaf(self) -> Condition:
        name = self._rng.choice(self._names)
        if self._rng.random() < 1 / 12:
            return IsNull(name)
        texts = [value for value in self._held[name] if isinstance(value, str)]
        if texts and self._rng.random() < 1 / 5:
            return Compare(name, Op.STARTSWITH, _beginning(self._rng, self._rng.choice(texts)))
        op = self._rng.choice(list(Op))
        return Compare(name, op, self._list(name) if op is Op.IN else self._literal(name))

    def _list(self, name: str) -> tuple[Any, ...]:
        return tuple(self._literal(name) for _ in range(self._rng.choice((0, 1, 2, 3, 5))))

    def _literal(self, name: str) -> Any:
        aim = self._rng.random()
        if aim < 0.6 and self._held[name]:
            found = self._rng.choice(self._held[name])
            found = found if aim < 0.25 else _neighbour(self._rng, found)
        else:
            found = (self._columns[name] if aim < 0.85 else self._rng.choice(_OF_ANY_KIND))(
                self._rng
            )
        return found if isinstance(found, Scalar) else self._literal(name)

    def _revalued(self, condition: Condition) -> Condition:
        match condition:
            case And(parts):
                return And(tuple(map(self._revalued, parts)))
            case Or(parts):
                return Or(tuple(map(self._revalued, parts)))
            case Compare(name, Op.IN):
                return Compare(name, Op.IN, self._list(name))
            case Compare(name, op, value):
                drawn = (self._literal(name) for _ in range(6))
                alike = (other for other in drawn if type(other) is type(value))
                return Compare(name, op, next(alike, value))
            case _:
                return condition


def _beginning(rng: Random, value: str) -> str:
    return value[: rng.randint(0, len(value))]


def _neighbour(rng: Random, value: Any) -> Any:
    """A value that is all but the same, or the same in another type."""
    try:
        return rng.choice(_NEIGHBOURS.get(type(value), (repr,)))(value)
    except (ArithmeticError, ValueError):  # it stands at the border
        return value


_TICK = timedelta(microseconds=1)
_EXACT = Context(prec=1200)  # any double and what is added to it
_NEIGHBOURS: Mapping[type, Sequence[Callable[[Any], Any]]] = {
    str: (str.upper, str.lower, str.strip, lambda v: v[:1], lambda v: v[:-1], lambda v: v + " ",
          lambda v: v + "\0", lambda v: v + "\u0301",
          lambda v: v[:-1] + chr(ord(v[-1:] or "a") ^ 1), lambda v: v[:-1] + "\ud800"),
    bool: (lambda v: not v, int),
    int: (lambda v: v + 1, lambda v: v - 1, float, lambda v: Decimal(v) + Decimal("0.5"), str),
    float: (lambda v: math.nextafter(v, math.inf), lambda v: math.nextafter(v, -math.inf), Decimal,
            lambda v: _EXACT.multiply(Decimal(v), Decimal("1.00000000000000000001")),
            lambda v: _EXACT.multiply(Decimal(v), Decimal("0.99999999999999999999")),
            lambda v: Decimal(repr(v)), round),
    Decimal: (float, int, lambda v: v + Decimal("0.000001"), lambda v: v - Decimal("1e-9"),
              lambda v: _EXACT.add(v, Decimal("1e-40")),
              lambda v: _EXACT.subtract(v, Decimal("1e-40"))),
    date: (lambda v: v + timedelta(days=1), lambda v: v - timedelta(days=1), date.isoformat,
           lambda v: datetime.combine(v, time())),
    datetime: (lambda v: v + _TICK, lambda v: v - _TICK, datetime.date, datetime.isoformat,
               lambda v: v.replace(tzinfo=None if v.tzinfo else UTC)),
}  # fmt: skip
