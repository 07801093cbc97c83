"""NCB's own service: a GraphQL interface of its own making, which other systems must adapt to.

    python -m deploy.demo.services.ncb --data ncb.json --port 9002

    POST /oauth/token   client credentials; scope nominal.read
    POST /graphql       {"query", "variables", "operationName"}, bearer token

The schema is ncb.graphql beside this file: Relay connections, six kinds of record, no mutation.
Apart from a missing token (401) every answer has status 200; what is wrong stands in `errors`,
with `extensions.code` DEPTH_LIMIT, COMPLEXITY_LIMIT, PAGE_LIMIT, ARGUMENT_LIMIT, BAD_CURSOR,
GRAPHQL_INVALID or BAD_REQUEST. A field costs 1; what lies below a connection costs its `first`.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    build_schema,
    execute_sync,
    parse,
    validate,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.demo.services.ncb_data import COLLECTIONS, Store
from deploy.demo.services.oauth import TokenDesk
from deploy.demo.services.ready import arguments, listener, serve

MAX_DEPTH = 6
MAX_COMPLEXITY = 500
MAX_PAGE = 25
MAX_VALUES = 100
MAX_TOKENS = 2000
_BODY_BYTES = 128 * 1024


def schema_of(store: Store) -> GraphQLSchema:
    """The hand-written schema with a resolver for each connection; the rest are plain values."""
    sdl = Path(__file__).with_name("ncb.graphql").read_text(encoding="utf-8")
    schema = build_schema(sdl)
    assert schema.query_type is not None  # noqa: S101 - the file beside this one has it
    for name in COLLECTIONS:
        schema.query_type.fields[name].resolve = _connection(store, name)
    return schema


def _connection(store: Store, name: str) -> Any:
    def resolve(_: object, __: GraphQLResolveInfo, **given: Any) -> dict[str, object]:
        first, after = given.pop("first", MAX_PAGE), given.pop("after", None)
        if first is None or not 0 < first <= MAX_PAGE:
            raise _error("PAGE_LIMIT", f"first is 1 to {MAX_PAGE}")
        if any(isinstance(value, list) and len(value) > MAX_VALUES for value in given.values()):
            raise _error("ARGUMENT_LIMIT", f"a list holds at most {MAX_VALUES} values")
        found = store.select(name, given)
        position = _decoded(after) if after is not None else ""
        rest = [record for record in found if record["guid"] > position]
        edges = [{"cursor": _encoded(node["guid"]), "node": node} for node in rest[:first]]
        return {
            "edges": edges,
            "pageInfo": {
                "hasNextPage": len(rest) > first,
                "endCursor": edges[-1]["cursor"] if edges else None,
            },
            "totalCount": len(found),
        }

    return resolve


def _encoded(guid: str) -> str:
    return base64.urlsafe_b64encode(f"after:{guid}".encode()).decode()


def _decoded(cursor: str) -> str:
    try:
        kind, _, guid = base64.urlsafe_b64decode(cursor.encode()).decode().partition(":")
    except (binascii.Error, UnicodeError) as error:
        raise _error("BAD_CURSOR", "damaged cursor") from error
    if kind != "after":
        raise _error("BAD_CURSOR", "damaged cursor")
    return guid


def _error(code: str, message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": code})


class Measure:
    """Depth and cost of one operation of a valid document, with its fragments followed."""

    def __init__(self, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._variables = variables
        self._measured: dict[str, tuple[int, int]] = {}
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }

    def of(self, selections: SelectionSetNode | None, *, top: bool = False) -> tuple[int, int]:
        """(depth, cost) of a selection set; validation has excluded circular fragments.

        At the top are the connections; a nominal's own `referrals` is a list like any other.
        """
        depth = cost = 0
        for node in selections.selections if selections else ():
            match node:
                case FieldNode():
                    below, inner = self.of(node.selection_set)
                    level, price = below + 1, 1 + (self._page(node) if top else 1) * inner
                case InlineFragmentNode():
                    level, price = self.of(node.selection_set, top=top)
                case FragmentSpreadNode():
                    level, price = self._fragment(node.name.value)
                case _:
                    continue
            depth, cost = max(depth, level), cost + price
        return depth, cost

    def _fragment(self, name: str) -> tuple[int, int]:
        if name not in self._measured:  # once each: fragments that spread fragments double
            fragment = self._fragments[name]
            top = fragment.type_condition.name.value == "Query"
            self._measured[name] = self.of(fragment.selection_set, top=top)
        return self._measured[name]

    def _page(self, node: FieldNode) -> int:
        if node.name.value not in COLLECTIONS:
            return 1
        for argument in node.arguments:
            if argument.name.value == "first":
                if isinstance(argument.value, IntValueNode):
                    return abs(int(argument.value.value))
                if isinstance(argument.value, VariableNode):
                    given = self._variables.get(argument.value.name.value, MAX_PAGE)
                    return abs(given) if isinstance(given, int) else MAX_PAGE
        return MAX_PAGE


def answer(schema: GraphQLSchema, body: Mapping[str, Any]) -> dict[str, Any]:
    """The GraphQL response to one request body."""
    query, variables = body.get("query"), body.get("variables") or {}
    if not isinstance(query, str) or not isinstance(variables, dict):
        return _failed(_error("BAD_REQUEST", "query is text, variables an object"))
    document = _read(schema, query)
    if not isinstance(document, DocumentNode):
        return _failed(*(_error("GRAPHQL_INVALID", message) for message in document))
    if excess := _too_much(document, variables):
        return _failed(excess)
    name = body.get("operationName")
    result = execute_sync(
        schema,
        document,
        variable_values=variables,
        operation_name=name if isinstance(name, str) else None,
    )
    formatted: dict[str, Any] = dict(result.formatted)
    for wrong in formatted.get("errors", ()):
        wrong.setdefault("extensions", {"code": "GRAPHQL_INVALID"})  # a variable of a wrong type
    return formatted


@lru_cache(maxsize=256)
def _read(schema: GraphQLSchema, query: str) -> DocumentNode | tuple[str, ...]:
    """The document if it is valid, else what is wrong. Clients send few documents, and often."""
    try:
        document = parse(query, max_tokens=MAX_TOKENS)
    except GraphQLError as error:
        return (error.message,)
    return tuple(error.message for error in validate(schema, document)) or document


def _too_much(document: DocumentNode, variables: Mapping[str, Any]) -> GraphQLError | None:
    measure = Measure(document, variables)
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            depth, cost = measure.of(node.selection_set, top=True)
            if depth > MAX_DEPTH:
                return _error("DEPTH_LIMIT", f"depth {depth}, at most {MAX_DEPTH}")
            if cost > MAX_COMPLEXITY:
                return _error("COMPLEXITY_LIMIT", f"complexity {cost}, at most {MAX_COMPLEXITY}")
    return None


def _failed(*errors: GraphQLError) -> dict[str, Any]:
    return {"data": None, "errors": [error.formatted for error in errors]}


def application(schema: GraphQLSchema, desk: TokenDesk) -> Starlette:
    """The service over `schema`."""

    async def graphql(request: Request) -> JSONResponse:
        if refusal := desk.refusal(request, "nominal.read"):
            return refusal
        raw = await request.body()
        try:
            body = json.loads(raw) if len(raw) <= _BODY_BYTES else None
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            return JSONResponse(_failed(_error("BAD_REQUEST", "the body is not a request")))
        return JSONResponse(answer(schema, body))

    async def health(_: Request) -> Response:
        return Response(status_code=204)

    return Starlette(
        routes=[
            Route("/oauth/token", desk.issue, methods=["POST"]),
            Route("/graphql", graphql, methods=["POST"]),
            Route("/health", health, methods=["GET"]),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo.services.ncb", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="what write_ncb() wrote")
    parser.add_argument("--token-ttl", type=int, default=3600, help="seconds a token lives")
    given = arguments(parser).parse_args()
    desk = TokenDesk(scopes=frozenset({"nominal.read"}), ttl_s=given.token_ttl)
    app = application(schema_of(Store.load(given.data)), desk)
    serve(app, listener(given.port), given.parent_pid)


if __name__ == "__main__":
    main()
