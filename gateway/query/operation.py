"""From the text of a request to one bound operation: its plain selections, its variables in place.

The document itself is parsed, measured and validated by `document.py`.

Sources: GraphQL specification, October 2021, section 6.1 (an operation is chosen, variables are
coerced), section 5.3.2 (merging), 3.13 (@skip, @include).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, cast

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    coerce_input_value,
    execute_sync,
    get_named_type,
    type_from_ast,
    value_from_ast,
)
from graphql.execution.values import get_argument_values, get_directive_values
from graphql.pyutils import is_iterable
from graphql.type import GraphQLIncludeDirective, GraphQLSkipDirective, is_input_type

from gateway.catalogue.schema import Schema
from gateway.errors import InvalidOperation, MalformedRequest
from gateway.model import EMPTY, Operation, Request, Selection
from gateway.query.document import Preparations, Prepared, invalid, prepare
from gateway.query.justification import read_justification
from gateway.settings import Limits

Document: TypeAlias = Mapping[str, str]  # SHA-256 -> text of a persisted document

INTROSPECTION = frozenset({"__schema", "__type"})
_UNKNOWN = "is not defined by type"
_CONDITIONS = 4  # variables that decide what is selected, of an operation that is kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser:
    """What parsing needs beside the request."""

    schema: Schema
    limits: Limits
    documents: Mapping[str, Document] = EMPTY  # of each app
    introspection: bool = False
    acts: bool = False  # the gateway's own records: mutations, and a justification where one is due
    preparations: Preparations = field(default_factory=Preparations)


def parse_request(request: Request, parser: Parser, app: str = "") -> Operation:
    """The one operation that a request asks for through an app, bound to its variables.

    Another app's persisted document is like one that there is not.

    Raises:
        MalformedRequest: no persisted document of the app, or a GET that may not ask this.
        InvalidOperation: the document or the variables do not fit the schema.
        LimitExceeded: the document is larger or deeper than allowed.
        PurposeRequired: the justification is missing or malformed.
    """
    text = _text_of(request, parser.documents.get(app, EMPTY))
    digest = hashlib.sha256(text.encode()).hexdigest()
    prepared = parser.preparations.get(digest)
    if prepared is None:
        # Texts within a document are its caller's: were they kept, the next who asks the
        # same would be answered sooner, and could tell that somebody had asked.
        kept = request.document_id is not None or '"' not in text
        prepared = prepare(text, digest, parser.schema, parser.limits, kept=kept)
        if kept:
            parser.preparations.put(prepared)
    return _bind(prepared, request, parser)


def _text_of(request: Request, documents: Document) -> str:
    if request.document_id is None:
        return request.document
    text = documents.get(request.document_id)
    if text is None:
        raise MalformedRequest("This app has no persisted document of that SHA-256 here.")
    if request.document and request.document != text:
        raise MalformedRequest("The document and the persisted document's SHA-256 differ.")
    return text


def _bind(prepared: Prepared, request: Request, parser: Parser) -> Operation:
    operation = _chosen(prepared, request.operation_name)
    acting = parser.acts and operation.operation is OperationType.MUTATION
    if operation.operation is not OperationType.QUERY and not (acting and not request.read_only):
        status = 405 if request.read_only else None
        raise MalformedRequest(
            "Actions are sent by POST."
            if acting
            else "This endpoint answers queries only; nothing here changes an agency's data.",
            status=status,
        )
    variables = _variables(operation, request.variables, parser)
    walker = _Walker(prepared, parser.schema, variables)
    outline = _outline(prepared, operation, variables)
    if outline is None:
        unbound = walker.roots(operation)
    else:
        unbound = prepared.made.once(outline, lambda: walker.roots(operation))
    roots = tuple(map(walker.bound, unbound))
    introspection = None
    data_roots = [root for root in roots if not root.name.startswith("__")]
    if any(root.name in INTROSPECTION for root in roots):
        introspection = _introspect(prepared, operation, roots, variables, parser)
    fetching = [root for root in data_roots if root.name != "sources"]
    if request.read_only and request.document_id is None and fetching:
        raise MalformedRequest(
            "GET takes persisted documents only; send this operation by POST.", status=405
        )
    return Operation(
        digest=prepared.digest,
        text=prepared.text,
        name=operation.name.value if operation.name else None,
        variables=variables,
        roots=roots,
        justification=read_justification(
            request.justification, needed=bool(fetching) and not parser.acts
        ),
        introspection=introspection,
        outline=outline,
    )


def _outline(
    prepared: Prepared, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> tuple[Any, ...] | None:
    """What the tree of selections follows from; None where it is not to be kept: it would hold
    other values of its caller than the conditions of @skip and @include."""
    if not prepared.kept:
        return None
    given = tuple(variables.get(name) for name in prepared.deciding(operation))
    if len(given) > _CONDITIONS or not all(isinstance(value, bool) for value in given):
        return None
    return prepared.digest, operation.name.value if operation.name else None, given


def _chosen(prepared: Prepared, name: str | None) -> OperationDefinitionNode:
    if not prepared.operations:
        raise InvalidOperation("The document holds no operation.")
    if name is None:
        if len(prepared.operations) > 1:
            raise InvalidOperation("The document holds several operations: say operationName.")
        return prepared.operations[0]
    for operation in prepared.operations:
        if operation.name and operation.name.value == name:
            return operation
    raise InvalidOperation("The document holds no operation of that operationName.")


def _variables(
    operation: OperationDefinitionNode, given: Mapping[str, Any], parser: Parser
) -> dict[str, Any]:
    """Coerced variables. Messages say where and what is expected, never the value that came."""
    values: dict[str, Any] = {}
    messages: list[tuple[str, tuple[tuple[int, int], ...]]] = []
    unknown: list[str] = []
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        kind = cast("GraphQLInputType", type_from_ast(parser.schema.graphql, definition.type))
        if not is_input_type(kind):
            continue  # validation has refused it already
        if name not in given:
            if definition.default_value is not None:
                values[name] = value_from_ast(definition.default_value, kind)
            elif str(kind).endswith("!"):
                messages.append((f"Variable '${name}' of type '{kind}' is needed.", ()))
            continue

        def wrong(
            path: list[str | int], _value: Any, error: GraphQLError, name: str = name
        ) -> None:
            if len(messages) >= parser.limits.validation_errors:
                return
            if _UNKNOWN in error.message:
                if unknown:
                    return  # one unknown key is named, however many came
                unknown.append(name)
            at = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)
            messages.append((f"Variable '${name}{at}': {_expected(error.message)}", ()))

        values[name] = coerce_input_value(given[name], kind, wrong, hide_suggestions=True)
    if messages:
        raise InvalidOperation(messages[0][0], messages=tuple(messages))
    return values


def _expected(message: str) -> str:
    """graphql-core quotes the value in some messages; the part after it says what is expected."""
    if message.startswith("Value ") and message.endswith(" enum."):
        return f"this is not a value of the {message.rsplit(' exist in ', 1)[-1]}"
    if "cannot represent" in message:
        return message.split(":", 1)[0] + "."
    return message


def _introspect(
    prepared: Prepared,
    operation: OperationDefinitionNode,
    roots: tuple[Selection, ...],
    variables: Mapping[str, Any],
    parser: Parser,
) -> Mapping[str, Any]:
    if not parser.introspection:
        raise InvalidOperation("Introspection is off here: ask the service for its schema file.")
    if any(root.name not in {*INTROSPECTION, "__typename"} for root in roots):
        raise InvalidOperation("Ask for the schema in an operation of its own.")
    result = execute_sync(
        parser.schema.graphql,
        prepared.document,
        variable_values=dict(variables),
        operation_name=operation.name.value if operation.name else None,
    )
    if result.errors:
        raise invalid(list(result.errors)[: parser.limits.validation_errors])
    return result.data or {}


@dataclass(frozen=True, slots=True)
class _Unbound:
    """A root field without its arguments."""

    selection: Selection
    definition: GraphQLField | None = None  # None for __typename and the like
    node: FieldNode | None = None


class _Walker:
    """Turns the syntax tree of one operation into a plain tree of selections."""

    def __init__(self, prepared: Prepared, schema: Schema, variables: Mapping[str, Any]) -> None:
        self.fragments = prepared.fragments
        self.schema = schema
        self.variables = dict(variables)

    def roots(self, operation: OperationDefinitionNode) -> tuple[_Unbound, ...]:
        """The root fields in the order of the text."""
        query = self.schema.graphql.get_root_type(operation.operation)
        if query is None:
            raise InvalidOperation
        return tuple(
            self.unbound(key, None, nodes, query.name)
            for (key, _), nodes in self.merged([operation.selection_set], query).items()
        )

    def bound(self, root: _Unbound) -> Selection:
        """A root field with its arguments."""
        if root.definition is None or root.node is None:
            return root.selection
        return replace(root.selection, args=self.arguments(root.definition, root.node))

    def selections(self, sets: list[SelectionSetNode], parent: Any) -> tuple[Selection, ...]:
        """The merged selections of several sets on one parent type, in the order of the text."""
        possible = self.possible(parent)
        return tuple(
            self.bound(self.unbound(key, None if on == possible else on, nodes, min(on)))
            for (key, on), nodes in self.merged(sets, parent).items()
        )

    def merged(
        self, sets: list[SelectionSetNode], parent: Any
    ) -> dict[tuple[str, frozenset[str]], list[FieldNode]]:
        """The nodes of each response key, and of the concrete types that it applies to."""
        possible = self.possible(parent)
        merged: dict[tuple[str, frozenset[str]], list[FieldNode]] = {}
        for selection_set in sets:
            for on, node in self.flat(selection_set, possible):
                key = node.alias.value if node.alias else node.name.value
                merged.setdefault((key, on), []).append(node)
        return merged

    def possible(self, kind: Any) -> frozenset[str]:
        """The concrete types that a type stands for."""
        if isinstance(kind, GraphQLInterfaceType):
            members = self.schema.graphql.get_implementations(kind).objects
            return frozenset(member.name for member in members)
        return frozenset({kind.name})

    def flat(
        self, selection_set: SelectionSetNode, on: frozenset[str]
    ) -> Iterator[tuple[frozenset[str], FieldNode]]:
        """Each field with the concrete types that it applies to; none that applies to no type."""
        for node in selection_set.selections:
            if not on or not self.included(node):
                continue
            match node:
                case FieldNode():
                    yield on, node
                case InlineFragmentNode():
                    name = node.type_condition.name.value if node.type_condition else None
                    yield from self.flat(node.selection_set, self.narrowed(on, name))
                case FragmentSpreadNode():
                    fragment = self.fragments[node.name.value]
                    name = fragment.type_condition.name.value
                    yield from self.flat(fragment.selection_set, self.narrowed(on, name))

    def narrowed(self, on: frozenset[str], type_name: str | None) -> frozenset[str]:
        """The concrete types that a fragment's condition leaves."""
        if type_name is None:
            return on
        return on & self.possible(self.schema.graphql.get_type(type_name))

    def included(self, node: Any) -> bool:
        try:
            skip = get_directive_values(GraphQLSkipDirective, node, self.variables)
            include = get_directive_values(GraphQLIncludeDirective, node, self.variables)
        except GraphQLError as error:  # a variable that may be null, and is
            raise InvalidOperation("@skip and @include need 'if' to be true or false.") from error
        return not (skip and skip["if"]) and not (include and not include["if"])

    def unbound(
        self, key: str, on: frozenset[str] | None, nodes: list[FieldNode], owner: str
    ) -> _Unbound:
        """One selection; `owner` is a concrete type that has the field."""
        node = nodes[0]
        graphql_name = node.name.value
        if graphql_name.startswith("__"):
            return _Unbound(Selection(key=key, name=graphql_name, on=on))
        definition = self.definition(owner, graphql_name)
        sets = [n.selection_set for n in nodes if n.selection_set]
        selection = Selection(
            key=key,
            name=self.schema.names[owner, graphql_name],
            on=on,
            selections=self.selections(sets, get_named_type(definition.type)) if sets else (),
        )
        return _Unbound(selection, definition, node)

    def definition(self, owner: str, name: str) -> GraphQLField:
        kind = self.schema.graphql.get_type(owner)
        if not isinstance(kind, GraphQLObjectType):
            raise InvalidOperation
        definition: GraphQLField = kind.fields[name]
        return definition

    def arguments(self, definition: GraphQLField, node: FieldNode) -> dict[str, Any]:
        try:
            values = get_argument_values(definition, node, self.variables)
        except GraphQLError as error:
            raise InvalidOperation(_expected(error.message)) from error
        return {name.rstrip("_"): _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    """Coerced input as plain values under the vocabulary's names, enums as their text."""
    if isinstance(value, dict):
        return {name.rstrip("_"): _plain(inner) for name, inner in value.items()}
    if is_iterable(value) and not isinstance(value, str):
        return tuple(_plain(inner) for inner in value)
    return getattr(value, "value", value)
