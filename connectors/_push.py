"""Which conditions become parameters of a service's request, and which are left over.

A service has a parameter for some comparisons. What has one is pushed; the rest is the residual,
for the gateway to apply. Values that a parameter cannot carry unmistakably are not pushed either.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
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
from connectors.spi import SourceQuery, SourceTooBroad

_MAX_REQUESTS = 50  # of one visit
_ALIKE = (Op.EQ, Op.IN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A comparison that the service has a parameter for."""

    column: str
    op: Op
    name: str
    many: bool = False  # it takes several values at once
    most: int = 1  # that many
    exact: bool = True  # it compares as `conditions.holds` does; else it only narrows
    kind: str = "text"  # of the values it carries, one of _KINDS
    type: str = ""  # GraphQL's name for it


Request = Mapping[Param, tuple[Scalar, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What a visit asks: no requests means that nothing can match; None, that it may not ask."""

    requests: tuple[Request, ...] | None
    residual: Condition


_KINDS = ("text", "number", "boolean", "date", "datetime")
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
                kind=entry.choice("kind", _KINDS, kind),
                type=graphql_type,
            )
        )
        entry.done()
    return tuple(found)


def comparisons(params: Iterable[Param]) -> frozenset[tuple[str, Op]]:
    """The comparisons that the service can be told; one value is a list of one, and back."""
    found = {(param.column, param.op) for param in params}
    alike = {(column, one) for column, op in found if op in _ALIKE for one in _ALIKE}
    return frozenset(found | alike)


def combinations_from(table: Table, params: Iterable[Param]) -> tuple[frozenset[str], ...]:
    """The sets of parameters under `combinations`, by their own names."""
    known = {param.name for param in params}
    found = [frozenset(entry) for entry in table.lists("combinations")]
    if any(not entry or entry - known for entry in found):
        table.wrong("combinations", "lists of the relation's parameters")
    return tuple(found)


def too_broad(min_criteria: int) -> SourceTooBroad:
    """The error for a question that the service would refuse."""
    if min_criteria:
        return SourceTooBroad(f"needs at least {min_criteria} criteria")
    return SourceTooBroad("needs one of its combinations of criteria")


def push(
    query: SourceQuery,
    params: Sequence[Param],
    *,
    min_criteria: int,
    alone: frozenset[str],
    combinations: Sequence[frozenset[str]] = (),
) -> Pushed:
    """Split a query's conditions. A column in `alone` is a criterion by itself, never with others.

    The guard is served first, so whatever of it becomes parameters does so whatever is asked
    besides. Of `combinations` the first that the question fills is asked; its other criteria are
    left over. Where the service would not answer, for too few criteria, all of `where` is.
    """
    guard, where = _conjuncts(query.guard), _conjuncts(query.where)
    if NEVER in guard or NEVER in where:
        return Pushed(requests=(), residual=ALWAYS)
    imposed, left_of_guard = _split(guard, params, (), alone)
    taken = tuple(dict.fromkeys(param for request in imposed for param in request))
    wanted, left = _split([part for part in where if part not in guard], params, taken, alone)
    requests: list[Request] = []
    for one, other in product(imposed, wanted):
        asked = {**one, **other}
        if len(asked) < min_criteria and not any(param.column in alone for param in asked):
            return Pushed(requests=None, residual=all_of((query.where, *left_of_guard)))
        if combinations:
            names = {param.name for param in asked}
            must = {param.name for param in one}
            fitting = next((c for c in combinations if must <= c <= names), None)
            if fitting is None:
                return Pushed(requests=None, residual=all_of((query.where, *left_of_guard)))
            if fitting != names:
                left = [query.where]
            asked = {param: values for param, values in asked.items() if param.name in fitting}
        requests.extend(_chunks(asked))
    if len(requests) > _MAX_REQUESTS:
        return Pushed(requests=None, residual=all_of((query.where, query.guard)))
    return Pushed(requests=tuple(requests), residual=all_of((*left, *left_of_guard)))


def _conjuncts(condition: Condition) -> tuple[Condition, ...]:
    return condition.parts if isinstance(condition, And) else (condition,)


def _split(
    parts: Iterable[Condition],
    params: Sequence[Param],
    taken: Sequence[Param],
    alone: frozenset[str],
) -> tuple[list[Request], list[Condition]]:
    """The alternative requests that parts become, and what is left over of the parts."""
    base, left = _assign(parts, params, taken, alone)
    branches, left = _alternatives(left, params, (*taken, *base), alone)
    return [{**base, **branch} for branch in branches], left


def _assign(
    parts: Iterable[Condition],
    params: Sequence[Param],
    taken: Sequence[Param],
    alone: frozenset[str],
) -> tuple[dict[Param, tuple[Scalar, ...]], list[Condition]]:
    """Give each comparison a free parameter; what got none, or a loose one, is left over."""
    free = [param for param in params if not (taken and param.column in alone)]
    if any(param.column in alone for param in taken):
        free = []
    given: dict[Param, Compare] = {}
    left: list[Condition] = []
    for part in parts:
        names = {param.name for param in (*taken, *given)}
        found = _param_for(part, free, names)
        if found is not None and isinstance(part, Compare):
            given[found] = part
        else:
            left.append(part)
    solo = next((param for param in given if param.column in alone), None)
    if solo is not None:
        left += [part for param, part in given.items() if param is not solo]
        given = {solo: given[solo]}
    left += [part for param, part in given.items() if not param.exact]
    return {param: _values(part) for param, part in given.items()}, left


def _values(part: Compare) -> tuple[Scalar, ...]:
    values = part.value if isinstance(part.value, tuple) else (part.value,)
    return tuple(dict.fromkeys(values))


def _param_for(part: Condition, params: Sequence[Param], names: set[str]) -> Param | None:
    if not isinstance(part, Compare):
        return None
    values = _values(part)
    ops = (part.op,) if part.op not in _ALIKE else (part.op, *_ALIKE)
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
        return param.kind == ("datetime" if isinstance(value, datetime) else "date")
    if "Int" in param.type:
        return isinstance(value, int) and -(2**31) <= value < 2**31  # GraphQL, section 3.5.1
    if isinstance(value, int) and "Float" not in param.type:
        return param.kind == "number" and -(2**63) <= value < 2**63
    return param.kind == "number" and _is_double(value)


def _is_double(value: int | float | Decimal) -> bool:
    """Whether it is what a service that computes in double precision would take it for."""
    try:
        return math.isfinite(value) and float(value) == value
    except OverflowError:
        return False


def _alternatives(
    left: list[Condition],
    params: Sequence[Param],
    taken: Sequence[Param],
    alone: frozenset[str],
) -> tuple[list[Request], list[Condition]]:
    """The branches of one `or` as requests of their own, if every branch pushes something."""
    for part in left:
        if not isinstance(part, Or):
            continue
        branches: list[Request] = []
        complete = True
        for branch in part.parts:
            asked, rest = _assign(_conjuncts(branch), params, taken, alone)
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
