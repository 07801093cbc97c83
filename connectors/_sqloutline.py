"""A condition in two halves: its outline, which decides the statement, and its values.

The same question asked of other people has the same outline, so the statement is built and
compiled once and only its parameters change. A literal that a column could never hold is moved to
its nearest neighbour that the column can hold and the operator adjusted, which is why the outline
is taken from the values, once they are fitted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

from connectors._sqlliterals import Dialect, Kind, comparable, fit, holdable
from connectors.conditions import And, Compare, Condition, IsNull, Op, Or, Scalar


class Null(NamedTuple):
    """The column holds nothing."""

    column: str


class Leaf(NamedTuple):
    """One comparison with the value at a place in the list of values.

    A prefix takes three places: itself, the least text after all that start with it (`bounded`
    says whether there is one), and the pattern. One of many takes `places` places, or a single one
    for the list of them where the database takes lists (`places` is 0). Without an operator it
    holds wherever the column holds anything of the kind.
    """

    column: str
    op: Op | None
    kind: Kind
    at: int = 0
    bounded: bool = False
    places: int = 0


class Group(NamedTuple):
    """All of the parts, or any of them."""

    every: bool
    parts: tuple[Outline, ...] = ()


Outline: TypeAlias = Null | Leaf | Group

_NEVER = Group(every=False)

# what an operator becomes when the literal moved up, or down, to a value the column can hold
_WHEN_ABOVE = {Op.LT: Op.LT, Op.LTE: Op.LT, Op.GT: Op.GTE, Op.GTE: Op.GTE}
_WHEN_BELOW = {Op.LT: Op.LTE, Op.LTE: Op.LTE, Op.GT: Op.GT, Op.GTE: Op.GT}


class Outliner:
    """Takes conditions on one relation apart; `values` grows with each of them."""

    def __init__(self, dialect: Dialect, kind_of: Callable[[str], Kind]) -> None:
        self._dialect = dialect
        self._kind_of = kind_of
        self.values: list[Any] = []

    def outline(self, condition: Condition) -> Outline:
        """The condition without its values. Raises whatever `kind_of` does for a column."""
        match condition:
            case And(parts):
                return Group(every=True, parts=tuple(map(self.outline, parts)))
            case Or(parts):
                return Group(every=False, parts=tuple(map(self.outline, parts)))
            case IsNull(column):
                return Null(column)
            case Compare(column, op, value):
                held = self._kind_of(column)
                if op is Op.IN:
                    return self._one_of(
                        column, held, value if isinstance(value, tuple) else (value,)
                    )
                return (
                    _NEVER if isinstance(value, tuple) else self._compared(column, held, op, value)
                )

    def _compared(self, column: str, held: Kind, op: Op, value: Scalar) -> Outline:
        kind = comparable(held, value)
        if kind is None or (op is Op.STARTSWITH and kind is not Kind.TEXT):
            return _NEVER
        exists = Leaf(column, None, kind)
        if _is_nan(value):  # it differs from every value
            return exists if op is Op.NE else _NEVER
        fitted, side = fit(self._dialect, kind, value)
        if op is Op.STARTSWITH:
            return _NEVER if side else self._prefix(column, kind, str(fitted))
        if side:
            if op in (Op.EQ, Op.NE):
                return exists if op is Op.NE else _NEVER
            op = (_WHEN_ABOVE if side > 0 else _WHEN_BELOW)[op]
        return Leaf(column, op, kind, self._place(fitted))

    def _prefix(self, column: str, kind: Kind, prefix: str) -> Outline:
        end = _after_prefix(prefix)
        escaped = prefix.replace("/", "//").replace("%", "/%").replace("_", "/_")
        at = self._place(prefix)
        self._place(end)
        self._place(f"{escaped}%")
        return Leaf(column, Op.STARTSWITH, kind, at, bounded=bool(end))

    def _one_of(self, column: str, held: Kind, members: tuple[Scalar, ...]) -> Outline:
        groups: dict[Kind, list[Scalar]] = {}
        texts = [member for member in members if isinstance(member, str)]
        if texts and len(texts) == len(members) and holdable(self._dialect, texts):
            # as most keys are: what follows for each of them would give all of them back
            if comparable(held, texts[0]) is None:
                return _NEVER
            return Group(every=False, parts=(self._listed(column, Kind.TEXT, texts),))
        for member in members:
            kind = comparable(held, member)
            if kind is None or _is_nan(member):
                continue
            fitted, side = fit(self._dialect, kind, member)
            if side == 0:
                groups.setdefault(Kind.TEXT if isinstance(member, str) else kind, []).append(fitted)
        parts = (self._listed(column, kind, values) for kind, values in groups.items())
        return Group(every=False, parts=tuple(parts))

    def _listed(self, column: str, kind: Kind, values: Iterable[Scalar]) -> Leaf:
        members = list(dict.fromkeys(values))
        if self._dialect is Dialect.POSTGRESQL:
            # one parameter however many values, so one statement serves every number of them
            return Leaf(column, Op.IN, kind, self._place(members))
        # so that few statements serve every number of them, the last value stands there again
        members += [members[-1]] * ((1 << (len(members) - 1).bit_length()) - len(members))
        at, *_ = map(self._place, members)
        return Leaf(column, Op.IN, kind, at, places=len(members))

    def _place(self, value: Any) -> int:
        self.values.append(value)
        return len(self.values) - 1


def _is_nan(value: Scalar) -> bool:
    return isinstance(value, float | Decimal) and value != value


def _after_prefix(prefix: str) -> str:
    """The least text greater than every text that starts with `prefix`; "" if there is none."""
    bare = prefix.rstrip(chr(sys.maxunicode))
    if not bare:
        return ""
    following = ord(bare[-1]) + 1
    return bare[:-1] + chr(0xE000 if following == 0xD800 else following)
