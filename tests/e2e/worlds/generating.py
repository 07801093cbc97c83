"""Operations drawn from the schema: the same for the same seed and number, each valid.

Values come from a `Pool`, so that most questions find something. Whatever the schema has can be
drawn: each root, each argument as a literal or a variable, nested links, two aliases of one field,
directives, fragments inline and named, on types and on interfaces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

from tests.e2e.worlds.operations import Chosen, Directive, Fragment, Given, Node, Operation

_DEEPEST = 7  # the gateway takes ten levels, fragments not counted
_MOST_LINKS = 7  # in one operation: each is a visit of several sources
_HOLDS_RECORDS = {"hits", "candidates"}  # may be selected once
_NUMBERS = (1, 1, 2, 2, 3, 5, 10, 20)
_BOOLEAN = GraphQLNonNull(GraphQLBoolean)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Values to ask with. `rows` go together, as of one person; `values` stand alone.

    Keys of `rows` are an input's name or "Query.<root>", keys of `values` "<type>.<argument>". Of
    what is `alone` for an input, it has to name one.
    """

    rows: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    alone: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """Draws operation after operation."""

    schema: GraphQLSchema
    pool: Pool
    seed: str

    def operation(self, number: int) -> Operation:
        """The operation of this number."""
        dice = Random(f"{self.seed}:{number}")  # noqa: S311 - reproducible, not secret
        return _Drawing(self, dice).operation(number)


class _Drawing:
    """One operation in the making."""

    def __init__(self, generator: Generator, dice: Random) -> None:
        self.schema = generator.schema
        self.pool = generator.pool
        self.dice = dice
        self.links = 0
        self.aliases = 0

    def operation(self, number: int) -> Operation:
        query = self.schema.query_type
        assert query is not None
        # each root has its turn, persons more often; what is asked beside it is drawn
        names = sorted(query.fields) + [n for n in ("personSearch",) * 4 if n in query.fields]
        chosen = [names[number % len(names)]]
        if self.chance(0.2):
            chosen.append(self.dice.choice(names))
        if self.chance(0.1):
            chosen.append("sources")
        taken: set[str] = set()
        roots = [self.field(query, name, 0, taken) for name in chosen]
        return Operation(roots=self.wrapped(query, roots, 0, taken))

    def chance(self, of: float) -> bool:
        return self.dice.random() < of

    # --- selections ---

    def selection(self, kind: Any, depth: int, taken: set[str]) -> tuple[Node, ...]:
        """What is selected of a type at some depth; `taken` are the response keys of the place."""
        nodes = [self.field(kind, name, depth, taken) for name in self.names(kind, depth)]
        if self.chance(0.08) or not nodes:
            nodes.append(Chosen(name="__typename", alias=self.alias(taken, "__typename")))
        return self.wrapped(kind, nodes, depth, taken)

    def names(self, kind: Any, depth: int) -> list[str]:
        """The fields to select: some leaves, and fewer links the deeper they stand."""
        leaves = [n for n, f in kind.fields.items() if is_leaf_type(get_named_type(f.type))]
        others = [n for n in kind.fields if n not in leaves]
        if records := [name for name in others if name in _HOLDS_RECORDS]:
            chosen = records + [n for n in others if n not in records and self.chance(0.3)]
            return chosen + [name for name in leaves if self.chance(0.75)]
        found = self.dice.sample(leaves, min(len(leaves), self.dice.randint(1, 5)))
        if depth < _DEEPEST:
            most = self.dice.choice((0, 1, 1, 2, 3) if depth < 3 else (0, 0, 1))
            found += self.dice.sample(others, min(len(others), most))
        self.dice.shuffle(found)
        twice = [n for n in found if kind.fields[n].args]
        if twice and self.chance(0.3):
            found.append(self.dice.choice(twice))  # another view of the same link
        return found

    def field(self, parent: Any, name: str, depth: int, taken: set[str]) -> Chosen:
        definition: GraphQLField = parent.fields[name]
        kind = get_named_type(definition.type)
        alias = self.alias(taken, name)
        args = self.arguments(f"{parent.name}.{name}", definition)
        inner: tuple[Node, ...] = ()
        if not is_leaf_type(kind):
            self.links += bool(args) or "ref" in getattr(kind, "fields", {})
            deep = _DEEPEST if self.links > _MOST_LINKS else depth + 1
            inner = self.selection(kind, deep, set())
        return Chosen(name=name, alias=alias, args=args, directives=self.directives(), inner=inner)

    def alias(self, taken: set[str], name: str) -> str:
        """ "" where the name is free, most often: no two fields of one place share a key."""
        key = name
        if name in taken or self.chance(0.08):
            self.aliases += 1
            key = f"a{self.aliases}"
        taken.add(key)
        return "" if key == name else key

    def directives(self) -> tuple[Directive, ...]:
        if not self.chance(0.06):
            return ()
        name = self.dice.choice(("skip", "include"))
        kept = self.chance(0.75)
        value = kept if name == "include" else not kept
        when = Given(type=_BOOLEAN, value=value, variable=self.chance(0.5))
        return (Directive(name=name, when=when),)

    # --- fragments ---

    def wrapped(
        self, kind: Any, nodes: list[Chosen], depth: int, taken: set[str]
    ) -> tuple[Node, ...]:
        """The nodes, some in fragments; and more, on other types that the place may have."""
        made: list[Node] = list(nodes)
        if nodes and self.chance(0.2):
            at = self.dice.randrange(len(nodes))
            made[at:] = [self.fragment(kind.name, tuple(nodes[at:]), own=True)]
        others = [] if kind is self.schema.query_type else self.conditions(kind)
        most = 2 if isinstance(kind, GraphQLInterfaceType) else 1
        if others and depth <= _DEEPEST and (self.chance(0.25) or most == 2):
            for other in self.dice.sample(others, min(most, len(others))):
                names = [n for n in self.names(other, depth) if n not in _HOLDS_RECORDS]
                inner = tuple(self.field(other, name, depth, taken) for name in names)
                if inner:
                    made.append(self.fragment(other.name, inner))
        return tuple(made)

    def fragment(self, on: str, inner: tuple[Node, ...], *, own: bool = False) -> Fragment:
        """On a type; on the place's `own` type the condition may be left out."""
        named = self.chance(0.4)
        bare = own and not named and self.chance(0.4)
        return Fragment(
            on="" if bare else on, named=named, directives=self.directives(), inner=inner
        )

    def conditions(self, kind: Any) -> list[Any]:
        """Types that a fragment may name here: the type, what it implements, what implements it."""
        if isinstance(kind, GraphQLObjectType):
            return [kind, *kind.interfaces]
        members = self.schema.get_implementations(kind).objects
        around = {other.name: other for member in members for other in member.interfaces}
        return [*members, *around.values()]

    # --- arguments ---

    def arguments(self, where: str, definition: GraphQLField) -> tuple[tuple[str, Given], ...]:
        row = self.row(where)
        return tuple(
            (name, self.given(where, name, argument, row))
            for name, argument in definition.args.items()
            if is_required_argument(argument) or (name != "after" and self.chance(0.5))
        )

    def given(
        self, where: str, name: str, argument: GraphQLArgument, row: Mapping[str, Any]
    ) -> Given:
        value = row[name] if name in row else self.value(f"{where}.{name}", argument.type)
        return Given(type=argument.type, value=value, variable=self.chance(0.5))

    def row(self, where: str) -> Mapping[str, Any]:
        rows = self.pool.rows.get(where, ())
        return self.dice.choice(rows) if rows else {}

    def value(self, where: str, kind: GraphQLInputType) -> Any:
        """A value of a type, for the argument or the input's field `where`."""
        if isinstance(kind, GraphQLNonNull):
            return self.value(where, kind.of_type)
        if isinstance(kind, GraphQLList):
            number = self.dice.choice((1, 1, 2, 3))
            return [self.value(where, kind.of_type) for _ in range(number)]
        if isinstance(kind, GraphQLInputObjectType):
            return self.input(kind)
        if known := self.pool.values.get(where):
            return self.dice.choice(known)
        if isinstance(kind, GraphQLEnumType):
            return self.dice.choice(sorted(kind.values))
        if str(kind) == "Boolean":
            return self.chance(0.5)
        if str(kind) == "Int":
            return self.dice.choice(_NUMBERS)
        return self.dice.choice(self.pool.values.get(str(kind)) or ("x",))

    def input(self, kind: GraphQLInputObjectType) -> dict[str, Any]:
        """Some of what is known of one thing; seldom something of everything."""
        row = self.row(kind.name)
        names = [name for name in kind.fields if name in row]
        if not names or self.chance(0.1):
            names, row = list(kind.fields), {}
        chosen = self.dice.sample(names, min(len(names), self.dice.choice((1, 1, 2, 2, 3))))
        chosen = self.enough(kind.name, chosen, names)
        return {
            name: row[name] if name in row else self.value(f"{kind.name}.{name}", f.type)
            for name, f in kind.fields.items()
            if name in chosen
        }

    def enough(self, kind: str, chosen: list[str], names: list[str]) -> list[str]:
        """With one of those that an input has to name, most often."""
        alone = [name for name in self.pool.alone.get(kind, ()) if name in names]
        if not alone or not set(alone).isdisjoint(chosen) or self.chance(0.05):
            return chosen
        return [*chosen, self.dice.choice(alone)]


# --- looking at operations -----------------------------------------------------------------------


def seen_in(operation: Operation, schema: GraphQLSchema) -> Iterator[str]:
    """What of the schema an operation uses: "Type.field", "Type.field(argument)", "... on Type"."""
    assert schema.query_type is not None
    yield from _seen(operation.roots, schema.query_type, schema)


def _seen(nodes: Sequence[Node], kind: Any, schema: GraphQLSchema) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, Fragment):
            if node.on:
                yield f"... on {node.on}"
            yield from _seen(node.inner, schema.get_type(node.on) if node.on else kind, schema)
        elif node.name != "__typename":
            yield f"{kind.name}.{node.name}"
            yield from (f"{kind.name}.{node.name}({name})" for name, _ in node.args)
            inner = get_named_type(kind.fields[node.name].type)
            yield from _seen(node.inner, inner, schema)
