"""A GraphQL operation as a plain tree: printed as text and variables, and made smaller.

`smaller` gives every operation that is one step simpler; `shrunk` follows those that still show
what the whole showed, until no single step does.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    parse,
    validate,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A value for an argument of some type, as a literal or in a variable."""

    type: GraphQLInputType
    value: Any  # as JSON has it
    variable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """`@skip` or `@include`."""

    name: str
    when: Given


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A field of the selection."""

    name: str
    alias: str = ""
    args: tuple[tuple[str, Given], ...] = ()
    directives: tuple[Directive, ...] = ()
    inner: tuple[Node, ...] = ()

    @property
    def key(self) -> str:
        return self.alias or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """A fragment, inline or named and spread."""

    on: str = ""  # no type condition; only where it is inline
    named: bool = False
    directives: tuple[Directive, ...] = ()
    inner: tuple[Node, ...] = ()


Node: TypeAlias = Chosen | Fragment


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """What is sent."""

    text: str
    variables: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One query operation."""

    roots: tuple[Node, ...]

    def printed(self) -> Printed:
        return _Printer().operation(self)

    def valid(self, schema: GraphQLSchema) -> bool:
        return not validate(schema, parse(self.printed().text))


@dataclass(slots=True)
class _Printer:
    variables: list[Given] = field(default_factory=list)
    fragments: list[str] = field(default_factory=list)

    def operation(self, operation: Operation) -> Printed:
        body = self.selection(operation.roots, 1)
        declared = ", ".join(f"$v{n}: {given.type}" for n, given in enumerate(self.variables))
        head = f"query Generated({declared})" if declared else "query Generated"
        return Printed(
            text="\n\n".join((f"{head} {body}", *self.fragments)) + "\n",
            variables={f"v{n}": given.value for n, given in enumerate(self.variables)},
        )

    def selection(self, nodes: tuple[Node, ...], depth: int) -> str:
        lines = [f"{'  ' * depth}{self.node(node, depth)}\n" for node in nodes]
        return f"{{\n{''.join(lines)}{'  ' * (depth - 1)}}}"

    def node(self, node: Node, depth: int) -> str:
        marks = "".join(f" @{d.name}(if: {self.given(d.when)})" for d in node.directives)
        if isinstance(node, Chosen):
            alias = f"{node.alias}: " if node.alias else ""
            args = ", ".join(f"{name}: {self.given(given)}" for name, given in node.args)
            inner = f" {self.selection(node.inner, depth + 1)}" if node.inner else ""
            return f"{alias}{node.name}{f'({args})' if args else ''}{marks}{inner}"
        if not node.named:
            on = f" on {node.on}" if node.on else ""
            return f"...{on}{marks} {self.selection(node.inner, depth + 1)}"
        inner = self.selection(node.inner, 1)
        name = f"F{len(self.fragments)}"
        self.fragments.append(f"fragment {name} on {node.on} {inner}")
        return f"...{name}{marks}"

    def given(self, given: Given) -> str:
        if not given.variable:
            return literal(given.type, given.value)
        self.variables.append(given)
        return f"$v{len(self.variables) - 1}"


def literal(kind: GraphQLInputType, value: Any) -> str:
    """A JSON value as GraphQL writes one of this type."""
    if isinstance(kind, GraphQLNonNull):
        return literal(kind.of_type, value)
    if value is None:
        return "null"
    if isinstance(kind, GraphQLList):
        members = value if isinstance(value, list) else [value]
        return f"[{', '.join(literal(kind.of_type, member) for member in members)}]"
    if isinstance(kind, GraphQLInputObjectType):
        fields = (f"{name}: {literal(kind.fields[name].type, v)}" for name, v in value.items())
        return f"{{{', '.join(fields)}}}"
    return str(value) if isinstance(kind, GraphQLEnumType) else json.dumps(value)


# --- shrinking -----------------------------------------------------------------------------------


def smaller(operation: Operation) -> Iterator[Operation]:
    """Every operation that is one step simpler, the largest steps first."""
    for roots in _without_one(operation.roots):
        if roots:
            yield Operation(roots=roots)


def _without_one(nodes: tuple[Node, ...]) -> Iterator[tuple[Node, ...]]:
    """A selection less one of its nodes, a fragment opened, or one node made simpler."""
    for at in range(len(nodes)):
        yield (*nodes[:at], *nodes[at + 1 :])
    for at, node in enumerate(nodes):
        if isinstance(node, Fragment) and not node.directives:
            yield (*nodes[:at], *node.inner, *nodes[at + 1 :])
        for simpler in _simpler(node):
            yield (*nodes[:at], simpler, *nodes[at + 1 :])


def _simpler(node: Node) -> Iterator[Node]:
    for inner in _without_one(node.inner):
        if inner:
            yield replace(node, inner=inner)
    if node.directives:
        yield replace(node, directives=())
    if isinstance(node, Fragment):
        if node.named:
            yield replace(node, named=False)
        return
    if node.alias:
        yield replace(node, alias="")
    for at, (name, given) in enumerate(node.args):
        yield replace(node, args=(*node.args[:at], *node.args[at + 1 :]))
        for value in _simpler_value(given.value):
            args = (*node.args[:at], (name, replace(given, value=value)), *node.args[at + 1 :])
            yield replace(node, args=args)


def _simpler_value(value: Any) -> Iterator[Any]:
    """A list or an object less one of its members, or with one that is simpler."""
    if isinstance(value, list):
        yield from ([*value[:at], *value[at + 1 :]] for at in range(len(value)))
        for at, member in enumerate(value):
            yield from ([*value[:at], one, *value[at + 1 :]] for one in _simpler_value(member))
    elif isinstance(value, dict):
        yield from ({k: v for k, v in value.items() if k != name} for name in value)
        for name, member in value.items():
            yield from (value | {name: one} for one in _simpler_value(member))


async def shrunk(
    operation: Operation,
    schema: GraphQLSchema,
    shows: Callable[[Operation], Awaitable[bool]],
    most: int = 2000,
) -> Operation:
    """An operation that still `shows` it and of which no single step does, within `most` tries."""
    tried = 0
    while True:
        for candidate in smaller(operation):
            if tried >= most:
                return operation
            if not candidate.valid(schema):
                continue
            tried += 1
            if await shows(candidate):
                operation = candidate
                break
        else:
            return operation
