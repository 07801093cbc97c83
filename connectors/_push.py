"""Which conditions become parameters of a service's request, and which are left over.

A service has a parameter for some comparisons. What has one is pushed; the rest is the residual,
for the gateway to apply. Values that a parameter cannot carry unmistakably are not pushed either.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product

from connectors._config import Table
from connectors.conditions import (
    ALWAYS,
    NEVER,
    And,
    Compare,
    Condition,
    Op,
    Or,
    Scalar,
    all_of,
)
from connectors.spi import SourceQuery

_MAX_REQUESTS = 50  # of one visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A comparison that the service has a parameter for."""

    column: str
    op: Op
    name: str
    many: bool = False  # it takes several values at once
    most: int = 1  # that many
    exact: bool = True  # it compares as `conditions.holds` does; else it only narrows
    kind: str = "text"  # of the values it carries: text, number, boolean or date
    type: str = ""  # GraphQL's name for it


Request = Mapping[Param, tuple[Scalar, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What a visit asks: no requests means that nothing can match; None, that it may not ask."""

    requests: tuple[Request, ...] | None
    residual: Condition


_GRAPHQL_KINDS = {"Int": "number", "Float": "number", "Boolean": "boolean"}


def params_from(table: Table, key: str, name_key: str) -> tuple[Param, ...]:
    """The list of parameters under `key`; their own names are under `name_key`."""
    found = []
    for entry in table.tables(key):
        style = entry.choice("style", ("single", "csv", "list"), "single")
        op = Op(entry.choice("op", [str(op) for op in Op], "eq"))
        graphql_type = entry.text("type", "") if name_key == "arg" else ""
        kind = _GRAPHQL_KINDS.get(graphql_type.strip("[]!"), "text")
        found.append(
            Param(
                column=entry.text("column"),
                op=op,
                name=entry.text(name_key),
                many=style != "single",
                most=entry.whole("max", 20) if style != "single" else 1,
                exact=entry.flag("exact", True),
                kind=entry.choice("kind", ("text", "number", "boolean", "date"), kind),
                type=graphql_type,
            )
        )
        entry.done()
    return tuple(found)


def push(
    query: SourceQuery, params: Sequence[Param], *, min_criteria: int, alone: frozenset[str]
) -> Pushed:
    """Split a query's conditions.

    Where the service would not answer, for too few criteria, everything is left over.
    """
    whole = all_of((query.where, query.guard))
    parts = whole.parts if isinstance(whole, And) else (whole,)
    if NEVER in parts or whole == NEVER:
        return Pushed(requests=(), residual=ALWAYS)
    base, left = _assign(parts, params, {})
    alternatives, left = _alternatives(left, params, base)
    requests: list[Request] = []
    for alternative in alternatives:
        asked = base | alternative
        if len(asked) < min_criteria and not any(param.column in alone for param in asked):
            return Pushed(requests=None, residual=whole)
        requests.extend(_chunks(asked))
    if len(requests) > _MAX_REQUESTS:
        return Pushed(requests=None, residual=whole)
    return Pushed(requests=tuple(requests), residual=all_of(left))


def _assign(
    parts: Iterable[Condition], params: Sequence[Param], taken: Request
) -> tuple[dict[Param, tuple[Scalar, ...]], list[Condition]]:
    """Give each comparison a free parameter; what got none, or a loose one, is left over."""
    asked: dict[Param, tuple[Scalar, ...]] = {}
    left: list[Condition] = []
    for part in parts:
        names = {param.name for param in (*taken, *asked)}
        found = _param_for(part, params, names)
        if found is not None and isinstance(part, Compare):
            values = part.value if isinstance(part.value, tuple) else (part.value,)
            asked[found] = tuple(dict.fromkeys(values))
        if found is None or not found.exact:
            left.append(part)
    return asked, left


def _param_for(part: Condition, params: Sequence[Param], names: set[str]) -> Param | None:
    if not isinstance(part, Compare):
        return None
    values = part.value if isinstance(part.value, tuple) else (part.value,)
    ops = (part.op,) if part.op not in (Op.EQ, Op.IN) else (part.op, Op.EQ, Op.IN)
    fitting = [
        param
        for op in ops
        for param in params
        if param.column == part.field
        and param.op is op
        and param.name not in names
        and all(_carries(param, value) for value in values)
    ]
    return fitting[0] if fitting else None


def _carries(param: Param, value: Scalar) -> bool:
    """Whether a parameter can say this value and no other.

    A value of another kind equals nothing there, an empty text reads as no parameter, and a
    comma divides a list.
    """
    if isinstance(value, str):
        whole = not any(0xD800 <= ord(mark) <= 0xDFFF for mark in value)
        divided = param.many and not param.type and "," in value
        return param.kind == "text" and whole and value != "" and not divided
    if isinstance(value, bool):
        return param.kind == "boolean"
    if isinstance(value, date):
        return param.kind == "date"
    if "Int" in param.type:
        return isinstance(value, int) and -(2**31) <= value < 2**31  # GraphQL, section 3.5.1
    return param.kind == "number" and math.isfinite(value)


def _alternatives(
    left: list[Condition], params: Sequence[Param], base: Request
) -> tuple[list[dict[Param, tuple[Scalar, ...]]], list[Condition]]:
    """The branches of one `or` as requests of their own, if every branch pushes something."""
    for part in left:
        if not isinstance(part, Or):
            continue
        branches: list[dict[Param, tuple[Scalar, ...]]] = []
        complete = True
        for branch in part.parts:
            parts = branch.parts if isinstance(branch, And) else (branch,)
            asked, rest = _assign(parts, params, base)
            complete = complete and not rest
            branches.append(asked)
        if branches and all(branches):
            return branches, [other for other in left if other is not part or not complete]
    return [{}], left


def _chunks(asked: Request) -> Iterable[Request]:
    """Requests that carry no more values per parameter than it takes."""
    choices = [
        [values[at : at + param.most] for at in range(0, len(values), param.most)]
        for param, values in asked.items()
    ]
    for choice in product(*choices):
        yield dict(zip(asked, choice, strict=True))


def spoken(value: Scalar) -> str:
    """A value as text in a query string."""
    match value:
        case bool():
            return "true" if value else "false"
        case date():
            return value.isoformat()
        case _:
            return str(value)
