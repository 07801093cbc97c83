"""From the text of a request to one bound operation. The only module that walks GraphQL syntax.

Limits come before anything that grows with the document: the number of tokens while it is parsed,
then depth, aliases, repeats and the number of fields after fragments are spread, all worked out
without spreading them; only then validation. What depends on the document alone is kept, by digest,
as `Prepared`; it holds no value of any caller.

Order of limits and their sources: GraphQL specification, October 2021, section 6.1 (an operation is
chosen, variables are coerced), section 5.3.2 (merging), 3.13 (@skip, @include).
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSyntaxError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    coerce_input_value,
    execute_sync,
    get_named_type,
    parse,
    type_from_ast,
    validate,
    value_from_ast,
)
from graphql.execution.values import get_argument_values, get_directive_values
from graphql.pyutils import is_iterable
from graphql.type import GraphQLIncludeDirective, GraphQLSkipDirective, is_input_type

from gateway.catalogue.schema import Schema
from gateway.errors import InvalidOperation, LimitExceeded, MalformedRequest, PurposeRequired
from gateway.model import EMPTY, Justification, Operation, Request, Selection
from gateway.settings import Limits

Document: TypeAlias = Mapping[str, str]  # SHA-256 -> text of a persisted document

INTROSPECTION = frozenset({"__schema", "__type"})
_REPEATS = 20  # of one response name in one selection set; screens repeat none
_FRAGMENTS = 50  # of one document: validation compares each with each
_UNKNOWN = "is not defined by type"
_KEPT = 512  # prepared documents


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A parsed, measured and validated document."""

    text: str
    digest: str
    document: DocumentNode
    operations: tuple[OperationDefinitionNode, ...]
    fragments: Mapping[str, FragmentDefinitionNode]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser:
    """What parsing needs beside the request."""

    schema: Schema
    limits: Limits
    documents: Document = EMPTY
    introspection: bool = False
    preparations: Preparations = field(default_factory=Preparations)


def parse_request(request: Request, parser: Parser) -> Operation:
    """The one operation that a request asks for, bound to its variables.

    Raises:
        MalformedRequest: an unknown persisted document, or a GET that may not ask this.
        InvalidOperation: the document or the variables do not fit the schema.
        LimitExceeded: the document is larger or deeper than allowed.
        PurposeRequired: the justification is missing or malformed.
    """
    text = _text_of(request, parser.documents)
    digest = hashlib.sha256(text.encode()).hexdigest()
    prepared = parser.preparations.get(digest)
    if prepared is None:
        prepared = prepare(text, digest, parser)
        if request.document_id is not None or '"' not in text:
            # Texts within a document are its caller's: were they kept, the next who asks the
            # same would be answered sooner, and could tell that somebody had asked.
            parser.preparations.put(prepared)
    return _bind(prepared, request, parser)


def _text_of(request: Request, documents: Document) -> str:
    if request.document_id is None:
        return request.document
    text = documents.get(request.document_id)
    if text is None:
        raise MalformedRequest("There is no persisted document of that SHA-256 here.")
    if request.document and request.document != text:
        raise MalformedRequest("The document and the persisted document's SHA-256 differ.")
    return text


def prepare(text: str, digest: str, parser: Parser) -> Prepared:
    """Parse, measure and validate a document.

    Raises:
        InvalidOperation, LimitExceeded.
    """
    limits = parser.limits
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
        raise _invalid([error]) from error
    except RecursionError as error:  # graphql-core caps nesting; this is the belt to its braces
        raise LimitExceeded.of("depth", limits.depth, "more") from error
    operations = tuple(d for d in document.definitions if isinstance(d, OperationDefinitionNode))
    fragments = {
        d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)
    }
    _measure(operations, fragments, limits)
    errors = validate(
        parser.schema.graphql,
        document,
        max_errors=limits.validation_errors,
        hide_suggestions=True,
    )
    if errors:
        raise _invalid(errors[: limits.validation_errors])
    return Prepared(
        text=text, digest=digest, document=document, operations=operations, fragments=fragments
    )


def _invalid(errors: list[GraphQLError] | list[GraphQLSyntaxError]) -> InvalidOperation:
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


# --- binding -------------------------------------------------------------------------------------


def _bind(prepared: Prepared, request: Request, parser: Parser) -> Operation:
    operation = _chosen(prepared, request.operation_name)
    if operation.operation is not OperationType.QUERY:
        status = 405 if request.read_only else None
        raise MalformedRequest(
            "This endpoint answers queries only; nothing here changes an agency's data.",
            status=status,
        )
    variables = _variables(operation, request.variables, parser)
    roots = _Walker(prepared, parser.schema, variables).roots(operation)
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
        justification=_justification(request.justification, needed=bool(fetching)),
        introspection=introspection,
    )


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
        raise _invalid(list(result.errors)[: parser.limits.validation_errors])
    return result.data or {}


class _Walker:
    """Turns the syntax tree of one operation into a plain tree of selections."""

    def __init__(self, prepared: Prepared, schema: Schema, variables: Mapping[str, Any]) -> None:
        self.fragments = prepared.fragments
        self.schema = schema
        self.variables = dict(variables)

    def roots(self, operation: OperationDefinitionNode) -> tuple[Selection, ...]:
        query = self.schema.graphql.query_type
        if query is None:
            raise InvalidOperation
        return self.selections([operation.selection_set], query)

    def selections(self, sets: list[SelectionSetNode], parent: Any) -> tuple[Selection, ...]:
        """The merged selections of several sets on one parent type, in the order of the text."""
        possible = self.possible(parent)
        merged: dict[tuple[str, frozenset[str]], list[FieldNode]] = {}
        for selection_set in sets:
            for on, node in self.flat(selection_set, possible):
                key = node.alias.value if node.alias else node.name.value
                merged.setdefault((key, on), []).append(node)
        return tuple(
            self.selection(key, None if on == possible else on, nodes, min(on))
            for (key, on), nodes in merged.items()
        )

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

    def selection(
        self, key: str, on: frozenset[str] | None, nodes: list[FieldNode], owner: str
    ) -> Selection:
        """One selection; `owner` is a concrete type that has the field."""
        node = nodes[0]
        graphql_name = node.name.value
        if graphql_name.startswith("__"):
            return Selection(key=key, name=graphql_name, on=on)
        definition = self.definition(owner, graphql_name)
        sets = [n.selection_set for n in nodes if n.selection_set]
        return Selection(
            key=key,
            name=self.schema.names[owner, graphql_name],
            args=self.arguments(definition, node),
            on=on,
            selections=self.selections(sets, get_named_type(definition.type)) if sets else (),
        )

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


# --- justification -------------------------------------------------------------------------------

_CODE = re.compile(r"[A-Z][A-Z0-9_]*")
_TEXTS = {
    "purpose": 64,
    "reasonCode": 8,
    "reasonText": 2000,
    "caseRef": 64,
    "incidentRef": 64,
    "onBehalfOf": 128,
    "breakGlass": 2000,
}


def _justification(given: object, *, needed: bool) -> Justification | None:
    """Read `extensions.justification` strictly.

    Raises:
        PurposeRequired: naming the part that is missing or malformed.
    """
    if given is None:
        if needed:
            raise PurposeRequired
        return None
    if not isinstance(given, dict):
        raise PurposeRequired("extensions.justification must be an object.")
    for name in given:
        if name not in _TEXTS:
            raise PurposeRequired(f"extensions.justification knows only {', '.join(_TEXTS)}.")
    texts: dict[str, str | None] = {}
    for name, most in _TEXTS.items():
        value = given.get(name)
        if value is not None and (not isinstance(value, str) or not 0 < len(value) <= most):
            raise PurposeRequired(
                f"extensions.justification.{name} must be a text of 1 to {most} characters."
            )
        texts[name] = value
    purpose, reason = texts["purpose"], texts["reasonCode"]
    for name in ("purpose", "reasonCode"):
        if texts[name] is not None and not _CODE.fullmatch(str(texts[name])):
            # codes stand in the log for ever, where no text of the caller's may
            raise PurposeRequired(f"extensions.justification.{name} is a code, like in the list.")
    if purpose is None or reason is None:
        missing = "purpose" if purpose is None else "reasonCode"
        raise PurposeRequired(f"extensions.justification.{missing} is missing.")
    return Justification(
        purpose=purpose,
        reason_code=reason,
        reason_text=texts["reasonText"],
        case_ref=texts["caseRef"],
        incident_ref=texts["incidentRef"],
        on_behalf_of=texts["onBehalfOf"],
        break_glass=texts["breakGlass"],
    )
