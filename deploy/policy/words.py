"""Conditions and manners of the rules in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connectors.conditions import ALWAYS, And, Compare, Condition, IsNull, Op, Or
from gateway.catalogue.schema import camel
from gateway.model import Case, Manner

_OPS: Final = {
    Op.EQ: "is", Op.NE: "is not", Op.IN: "is", Op.LT: "is before", Op.LTE: "is at most",
    Op.GT: "is after", Op.GTE: "is at least", Op.STARTSWITH: "begins with",
}  # fmt: skip

BY_CONDITIONS: Final = "BY CONDITIONS"
"""Shown as its owner's conditions of handling allow, else a hit: docs/policy.md."""


def words(condition: Condition) -> str:
    """A condition in words, with GraphQL's names."""
    match condition:
        case Compare(field, op, value):
            values = value if isinstance(value, tuple) else (value,)
            return f"{camel(field)} {_OPS[op]} {' or '.join(map(_value, values))}"
        case IsNull(field):
            return f"{camel(field)} is not given"
        case And(parts):
            return " and ".join(map(words, parts)) or "always"
        case Or(parts):
            return f"({' or '.join(map(words, parts))})" if parts else "never"


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def shown(manner: Manner | None) -> str:
    """How a field is shown: CLEAR, a mask, each case with what it rests on, or WITHHELD."""
    if manner is None:
        return "WITHHELD"
    return manner if isinstance(manner, str) else f"CASES: {'; '.join(_cases(manner))}"


def _cases(cases: tuple[Case, ...]) -> Iterator[str]:
    for case in cases:
        always = case.when == ALWAYS
        yield f"else {case.manner}" if always else f"{case.manner} where {words(case.when)}"
    if cases[-1].when != ALWAYS:
        yield "else WITHHELD"
