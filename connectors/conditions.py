"""The condition language: what a row must satisfy, as data.

A small subset of UCAST, the JSON form that Open Policy Agent uses for data filters. Callers'
criteria and policy's guards are both written in it, so a connector implements filtering once.

Rules of this file:

- A null satisfies no comparison (only `IsNull`), in Python exactly as in SQL, and there is no
  "not": so Python and a database cannot disagree.
- Text is compared by code point: no folding, no padding. Case, accents and spaces are the
  affair of a mapping, never of a comparison.
- Values of unlike kinds (a number and a text) satisfy no comparison, not even `ne`.
- A list satisfies a comparison if any of its elements does.
- "Always" is `And` of nothing, "never" is `Or` of nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from operator import ge, gt, le, lt
from typing import Any, TypeAlias

Scalar: TypeAlias = str | int | float | bool | Decimal | date | datetime
"""A literal; `datetime` is aware, or naive in the source's own clock, never mixed."""


class Op(StrEnum):
    """How a field is compared with a literal."""

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    IN = "in"
    STARTSWITH = "startswith"


@dataclass(frozen=True, slots=True)
class Compare:
    """`field op value`; `value` is a tuple of literals for `in`, else one literal."""

    field: str
    op: Op
    value: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class IsNull:
    """True where the field holds no value."""

    field: str


@dataclass(frozen=True, slots=True)
class And:
    """All of the parts; of nothing, always."""

    parts: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Or:
    """Any of the parts; of nothing, never."""

    parts: tuple[Condition, ...] = ()


Condition: TypeAlias = Compare | IsNull | And | Or

ALWAYS = And()
NEVER = Or()


def all_of(parts: Iterable[Condition]) -> Condition:
    """The conjunction, flattened: never if any part is never, the part itself if only one."""
    flat: list[Condition] = []
    for part in parts:
        if isinstance(part, Or) and not part.parts:
            return NEVER
        flat.extend(part.parts if isinstance(part, And) else (part,))
    unique = flat if len(flat) == 1 else tuple(dict.fromkeys(flat))
    return unique[0] if len(unique) == 1 else And(tuple(unique))


def any_of(parts: Iterable[Condition]) -> Condition:
    """The disjunction, flattened: always if any part is always, the part itself if only one."""
    flat: list[Condition] = []
    for part in parts:
        if isinstance(part, And) and not part.parts:
            return ALWAYS
        flat.extend(part.parts if isinstance(part, Or) else (part,))
    unique = flat if len(flat) == 1 else tuple(dict.fromkeys(flat))
    return unique[0] if len(unique) == 1 else Or(tuple(unique))


def fields_of(condition: Condition) -> frozenset[str]:
    """Every field that the condition looks at."""
    found: set[str] = set()
    waiting = [condition]
    for one in waiting:  # which grows as it is walked: a call for each part would cost more
        if isinstance(one, Compare | IsNull):
            found.add(one.field)
        else:
            waiting.extend(one.parts)
    return frozenset(found)


def _kind(value: object) -> str | None:
    """The family of values that a literal may be compared with; None for what has none."""
    match value:
        case bool():
            return "boolean"
        case int() | float() | Decimal():
            return "number"
        case str():
            return "text"
        case datetime():
            return "zoned" if value.tzinfo else "local"
        case date():
            return "date"
    return None


def holds(condition: Condition, row: Mapping[str, object]) -> bool:
    """Whether a row satisfies a condition; an absent field counts as null.

    Cost: one look at each part until the outcome is known.
    """
    match condition:
        case And(parts):
            return all(holds(part, row) for part in parts)
        case Or(parts):
            return any(holds(part, row) for part in parts)
        case IsNull(field):
            return row.get(field) is None
        case Compare(field, op, value):
            return _compare(row.get(field), op, value)


_IN_ORDER: Mapping[Op, Callable[[Any, Any], bool]] = {
    Op.LT: lt,
    Op.LTE: le,
    Op.GT: gt,
    Op.GTE: ge,
}


def _compare(held: object, op: Op, value: Scalar | tuple[Scalar, ...]) -> bool:
    if held is None:
        return False
    if isinstance(held, list | tuple):
        return any(_compare(element, op, value) for element in held)
    if op is Op.IN:
        members = value if isinstance(value, tuple) else (value,)
        return any(_kind(held) == _kind(member) and held == member for member in members)
    kind = _kind(held)
    if kind is None or kind != _kind(value):
        return False
    match op:
        case Op.EQ:
            return held == value
        case Op.NE:
            return held != value
        case Op.STARTSWITH:
            return kind == "text" and str(held).startswith(str(value))
    try:
        return _IN_ORDER[op](held, value)
    except InvalidOperation:  # a decimal that is no number: like its float, before and after none
        return False


def from_json(data: object) -> Condition:
    """Read a condition strictly from its JSON form.

    Raises:
        ValueError: anything but the exact shape: an unknown key, operator, or literal.
    """
    if not isinstance(data, dict):
        raise ValueError("a condition is an object")
    match data:
        case {"type": "compound", "operator": "and" | "or" as operator, "value": list(parts)} if (
            len(data) == 3
        ):
            read = tuple(from_json(part) for part in parts)
            return And(read) if operator == "and" else Or(read)
        case {"type": "field", "field": str(field), "operator": "is_null"} if len(data) == 3:
            return IsNull(field)
        case {"type": "field", "field": str(field), "operator": str(operator), "value": value} if (
            len(data) == 4
        ):
            return Compare(field, Op(operator), _literal(Op(operator), value))
    raise ValueError("not a condition")


def _literal(op: Op, value: object) -> Scalar | tuple[Scalar, ...]:
    if op is Op.IN:
        if isinstance(value, list) and all(isinstance(v, str | int | float | bool) for v in value):
            return tuple(value)
        raise ValueError("'in' takes a list of literals")
    if isinstance(value, str | int | float | bool):
        return value
    raise ValueError("not a literal")


def to_json(condition: Condition) -> dict[str, object]:
    """The JSON form of a condition whose literals are JSON values; `from_json` inverts it."""
    match condition:
        case And(parts) | Or(parts):
            operator = "and" if isinstance(condition, And) else "or"
            return {"type": "compound", "operator": operator, "value": [to_json(p) for p in parts]}
        case IsNull(field):
            return {"type": "field", "field": field, "operator": "is_null"}
        case Compare(field, op, value):
            literal = list(value) if isinstance(value, tuple) else value
            return {"type": "field", "field": field, "operator": str(op), "value": literal}
