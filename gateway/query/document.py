"""A GraphQL document as its text alone decides it: parsed, measured and validated.

Limits come before anything that grows with the document: the number of tokens while it is parsed,
then depth, aliases, repeats and the number of fields after fragments are spread, all worked out
without spreading them; only then validation. What depends on the document alone is kept, by digest,
as `Prepared`; it holds no value of any caller.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSyntaxError,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    Visitor,
    parse,
    validate,
    visit,
)

from gateway.catalogue.schema import Schema
from gateway.errors import InvalidOperation, LimitExceeded
from gateway.model import Made
from gateway.settings import Limits

_REPEATS = 20  # of one response name in one selection set; screens repeat none
_FRAGMENTS = 50  # of one document: validation compares each with each
_KEPT = 512  # prepared documents


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A parsed, measured and validated document."""

    text: str
    digest: str
    document: DocumentNode
    operations: tuple[OperationDefinitionNode, ...]
    fragments: Mapping[str, FragmentDefinitionNode]
    kept: bool = False  # for the next who sends it
    made: Made = field(default_factory=Made)

    def deciding(self, operation: OperationDefinitionNode) -> tuple[str, ...]:
        """The variables on which more than the arguments of its root fields depend."""
        return self.made.once(("deciding", id(operation)), lambda: self._deciding(operation))

    def _deciding(self, operation: OperationDefinitionNode) -> tuple[str, ...]:
        found: dict[str, None] = {}

        class Names(Visitor):
            def enter_variable(self, node: VariableNode, *_: Any) -> None:
                found[node.name.value] = None

        for node in operation.selection_set.selections:
            parts: tuple[Node, ...] = (node,)
            if isinstance(node, FieldNode):
                below = (node.selection_set,) if node.selection_set else ()
                parts = (*(node.directives or ()), *below)
            for part in parts:
                visit(part, Names())
        for fragment in self.fragments.values():
            visit(fragment, Names())
        return tuple(found)


@dataclass(slots=True)
class Preparations:
    """The prepared documents, most recently used last. Holds no value of any caller."""

    kept: OrderedDict[str, Prepared] = field(default_factory=OrderedDict)

    def get(self, digest: str) -> Prepared | None:
        found = self.kept.get(digest)
        if found is not None:
            self.kept.move_to_end(digest)
        return found

    def put(self, prepared: Prepared) -> None:
        self.kept[prepared.digest] = prepared
        if len(self.kept) > _KEPT:
            self.kept.popitem(last=False)


def prepare(
    text: str, digest: str, schema: Schema, limits: Limits, *, kept: bool = False
) -> Prepared:
    """Parse, measure and validate a document.

    Raises:
        InvalidOperation, LimitExceeded.
    """
    try:
        document = parse(
            text,
            max_tokens=limits.tokens,
            max_lexical_tokens=limits.tokens * 2,
            max_comments=limits.tokens,
            max_source_length=limits.body_bytes,
        )
    except GraphQLSyntaxError as error:
        if error.message.endswith("Parsing aborted."):
            raise LimitExceeded.of("tokens", limits.tokens, "more") from error
        raise invalid([error]) from error
    except RecursionError as error:  # graphql-core caps nesting; this is the belt to its braces
        raise LimitExceeded.of("depth", limits.depth, "more") from error
    operations = tuple(d for d in document.definitions if isinstance(d, OperationDefinitionNode))
    fragments = {
        d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)
    }
    _measure(operations, fragments, limits)
    errors = validate(
        schema.graphql,
        document,
        max_errors=limits.validation_errors,
        hide_suggestions=True,
    )
    if errors:
        raise invalid(errors[: limits.validation_errors])
    return Prepared(
        text=text,
        digest=digest,
        document=document,
        operations=operations,
        fragments=fragments,
        kept=kept,
    )


def invalid(errors: list[GraphQLError] | list[GraphQLSyntaxError]) -> InvalidOperation:
    """The refusal that tells what is wrong with a document, and where."""
    messages = tuple(
        (error.message, tuple((at.line, at.column) for at in error.locations or ()))
        for error in errors
    )
    return InvalidOperation(messages[0][0], messages=messages)


# --- limits --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    """What a selection set amounts to once its fragments are spread."""

    fields: int = 0
    aliases: int = 0
    depth: int = 0


def _measure(
    operations: tuple[OperationDefinitionNode, ...],
    fragments: Mapping[str, FragmentDefinitionNode],
    limits: Limits,
) -> None:
    """Refuse what is too large, over the whole document. Cost: one look at each node."""
    sizes: dict[str, _Size] = {}
    total = _Size()
    sets: list[SelectionSetNode] = []
    for root in (*operations, *fragments.values()):
        if isinstance(root, FragmentDefinitionNode) and root.name.value in sizes:
            continue  # counted where it is spread; validation looks at one that nobody spreads too
        sets.append(root.selection_set)
        size = _size(root.selection_set, fragments, sizes, (), limits)
        total = _Size(
            fields=total.fields + size.fields,
            aliases=total.aliases + size.aliases,
            depth=max(total.depth, size.depth),
        )
    for name, asked, allowed in (
        ("depth", total.depth, limits.depth),
        ("aliases", total.aliases, limits.aliases),
        ("expanded_fields", total.fields, limits.expanded_fields),
        ("fragments", len(fragments), _FRAGMENTS),
    ):
        if asked > allowed:
            raise LimitExceeded.of(name, allowed, asked)
    for selection_set in sets:
        _check_repeats(selection_set, fragments, limits)


def _check_repeats(
    selection_set: SelectionSetNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    limits: Limits,
) -> None:
    """Refuse one place of the answer selected over and over, by whatever fragments: validation
    compares each of its selections with each. Cost: one look at each field once spread."""
    places: dict[tuple[str, ...], int] = {}
    waiting: list[tuple[SelectionSetNode, tuple[str, ...], frozenset[str]]] = [
        (selection_set, (), frozenset())
    ]
    looks = 0
    while waiting:
        inside, place, within = waiting.pop()
        for node in inside.selections:
            looks += 1
            if looks > limits.expanded_fields * 4:  # fragments that spread one another and no field
                raise LimitExceeded.of("expanded_fields", limits.expanded_fields, "many more")
            if isinstance(node, FieldNode):
                at = (*place, node.alias.value if node.alias else node.name.value)
                places[at] = places.get(at, 0) + 1
                if places[at] > _REPEATS:
                    raise LimitExceeded.of("repeats", _REPEATS, "more")
                if node.selection_set:
                    waiting.append((node.selection_set, at, within))
            elif isinstance(node, InlineFragmentNode):
                waiting.append((node.selection_set, place, within))
            elif isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name in fragments and name not in within:
                    waiting.append((fragments[name].selection_set, place, within | {name}))


def _size(
    selection_set: SelectionSetNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    sizes: dict[str, _Size],
    path: tuple[str, ...],
    limits: Limits,
) -> _Size:
    fields = aliases = depth = 0
    repeats: dict[str, int] = {}
    for node in selection_set.selections:
        if isinstance(node, FieldNode):
            key = node.alias.value if node.alias else node.name.value
            repeats[key] = repeats.get(key, 0) + 1
            if repeats[key] > _REPEATS:
                raise LimitExceeded.of("repeats", _REPEATS, repeats[key])
            inner = (
                _size(node.selection_set, fragments, sizes, path, limits)
                if node.selection_set
                else _Size()
            )
            fields += 1 + inner.fields
            aliases += (1 if node.alias else 0) + inner.aliases
            depth = max(depth, 1 + inner.depth)
        else:
            inner = _spread_size(node, fragments, sizes, path, limits)
            fields += inner.fields
            aliases += inner.aliases
            depth = max(depth, inner.depth)
        if fields > limits.expanded_fields * 4:  # far beyond: stop counting, the rest is as bad
            raise LimitExceeded.of("expanded_fields", limits.expanded_fields, "many more")
    return _Size(fields=fields, aliases=aliases, depth=depth)


def _spread_size(
    node: Any,
    fragments: Mapping[str, FragmentDefinitionNode],
    sizes: dict[str, _Size],
    path: tuple[str, ...],
    limits: Limits,
) -> _Size:
    """The size of a fragment, worked out once; a cycle counts nothing, validation names it."""
    if isinstance(node, InlineFragmentNode):
        return _size(node.selection_set, fragments, sizes, path, limits)
    name = node.name.value
    if name in path or name not in fragments:
        return _Size()
    if name not in sizes:
        sizes[name] = _size(fragments[name].selection_set, fragments, sizes, (*path, name), limits)
    return sizes[name]
