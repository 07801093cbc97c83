"""A REST and a GraphQL service as places: honest ones, with a parameter for some comparisons.

They read a parameter as services do, knowing nothing of `conditions`: a null meets none, text is
compared by code point, a number in a query string is a JSON number.
"""

from __future__ import annotations

import json
import operator
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any

import graphql
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.rest import RestConnector
from connectors.spi import Connector
from connectors.upstream import UpstreamConnector
from tests.contract.webworld import Secrets, served
from tests.differential import odds
from tests.differential.agreement import Place, Rows
from tests.differential.odds import Draw

_COLUMNS: Mapping[str, Draw] = {
    "txt": odds.text,
    "code": odds.one_of("P", "p", "C", "c,d", "", " P"),
    "town": odds.text,
    "num": lambda rng: max(-(2**31), min(2**31 - 1, odds.whole(rng))),
    "dbl": odds.double,
    "flag": odds.flag,
    "day": odds.day,
    "seen": odds.moment,
    "other": odds.text,  # has no parameter
}
# column, operator, and the kind of what its parameter carries
_PARAMS = (
    ("ref", "in", "list"), ("code", "in", "list"), ("txt", "eq", "text"),
    ("txt", "startswith", "text"), ("txt", "gte", "text"), ("town", "eq", "text"),
    ("num", "eq", "number"), ("num", "ne", "number"), ("num", "lt", "number"),
    ("num", "gte", "number"),
    ("dbl", "eq", "number"), ("dbl", "lt", "number"), ("dbl", "gt", "number"),
    ("flag", "eq", "boolean"), ("day", "eq", "date"), ("day", "gte", "date"), ("day", "lt", "date"),
    ("seen", "eq", "datetime"), ("seen", "gt", "datetime"), ("seen", "lte", "datetime"),
)  # fmt: skip
_MEETS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "lte": operator.le,
    "gt": operator.gt, "gte": operator.ge, "startswith": str.startswith,
    "in": lambda held, given: held in given,
}  # fmt: skip
_READ: Mapping[str, Callable[[str], Any]] = {
    "text": str,
    "list": lambda text: text.split(","),
    "number": json.loads,
    "boolean": json.loads,
    "date": lambda text: date.fromisoformat(text).isoformat(),
    "datetime": lambda text: datetime.fromisoformat(text).isoformat(),
}
_FOLDED = ("town",)  # found whatever its case, so its parameter only narrows
_KINDS = {f"{column}_{op}": kind for column, op, kind in _PARAMS}
_TYPES = {"num": "Int", "dbl": "Float", "flag": "Boolean", "day": "Date",
          "seen": "DateTime"}  # fmt: skip


class _Service:
    """The rows, and both ways to ask for them."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    async def fill(self, rows: Rows) -> None:
        """Hold these rows instead."""
        self.rows = [
            {k: v.isoformat() if isinstance(v, date) else v for k, v in row.items()} for row in rows
        ]

    def chosen(self, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows that meet every parameter."""
        found = self.rows
        for name, given in asked.items():
            column, _, op = name.partition("_")
            fold = str.casefold if column in _FOLDED else lambda value: value
            known = (row for row in found if row[column] is not None)
            found = [row for row in known if _MEETS[op](fold(row[column]), fold(given))]
            if column == "seen" and datetime.fromisoformat(given).tzinfo:
                return []  # its times have no zone
        return found

    async def listing(self, request: Request) -> Response:
        asked = _parsed(request.query_params)
        fields = asked.pop("fields").split(",")
        return JSONResponse(
            {"items": [{name: row[name] for name in fields} for row in self.chosen(asked)]}
        )

    async def graph(self, request: Request) -> Response:
        body = await request.json()
        root = {"odds": lambda _, **asked: {"nodes": self.chosen(_parsed(asked))}}
        result = graphql.graphql_sync(
            _SCHEMA, body["query"], root, variable_values=body.get("variables")
        )
        errors = [{"message": error.message} for error in result.errors or ()]
        return JSONResponse({"data": result.data, "errors": errors})


def _parsed(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters; those that came as text are read strictly as what they are said to carry."""
    return {
        name: _READ[_KINDS.get(name, "text")](given) if isinstance(given, str) else given
        for name, given in asked.items()
    }


@asynccontextmanager
async def _place(
    name: str, make: Callable[[str], Connector], columns: Mapping[str, Draw]
) -> AsyncIterator[Place]:
    service = _Service()
    routes = [
        Route("/odds", service.listing, methods=["GET"]),
        Route("/graphql", service.graph, methods=["POST"]),
    ]
    with served(Starlette(routes=routes)) as base:
        connector = make(base)
        try:
            yield Place(
                name=name, connector=connector, columns=columns, fill=service.fill, typed=_typed
            )
        finally:
            await connector.aclose()


def _typed(row: Mapping[str, Any]) -> dict[str, Any]:
    """Dates and times as a mapping reads them."""
    day, seen = row.get("day"), row.get("seen")
    return {
        **row,
        "day": day and date.fromisoformat(day),
        "seen": seen and datetime.fromisoformat(seen),
    }


@asynccontextmanager
async def rest() -> AsyncIterator[Place]:
    """A service that is asked by query strings."""

    def make(base: str) -> Connector:
        params = [
            {"column": column, "op": op, "param": f"{column}_{op}", "exact": column not in _FOLDED}
            | ({"style": "csv", "max": 3} if kind == "list" else {"kind": kind})
            for column, op, kind in _PARAMS
        ]
        relation = {"path": "/odds", "items": "items", "fields_param": "fields", "params": params}
        config = {"base_url": base, "relations": {"odds": relation}}
        return RestConnector.from_config(config, Secrets())

    async with _place("REST", make, _COLUMNS) as place:
        yield place


@asynccontextmanager
async def graphql_service() -> AsyncIterator[Place]:
    """A service that is asked by documents and variables."""

    def make(base: str) -> Connector:
        args = [
            {"column": column, "op": op, "arg": f"{column}_{op}", "type": _argument(column, kind),
             "exact": column not in _FOLDED}
            | ({"style": "list", "max": 3} if kind == "list" else {"kind": kind})
            for column, op, kind in _PARAMS
        ]  # fmt: skip
        odds_root = {
            "field": "odds",
            "nodes": "nodes",
            "page_info": "",
            "first_arg": "",
            "args": args,
        }
        config = {
            "url": f"{base}/graphql",
            "relations": {"odds": odds_root},
            "max_complexity": 9999,
        }
        return UpstreamConnector.from_config(config, Secrets())

    async with _place("GraphQL", make, _COLUMNS) as place:
        yield place


def _argument(column: str, kind: str) -> str:
    return "[String!]" if kind == "list" else _TYPES.get(column, "String")


_SCHEMA = graphql.build_schema(
    "scalar Date scalar DateTime type Odd { ref: String! "
    + " ".join(f"{name}: {_TYPES.get(name, 'String')}" for name in _COLUMNS)
    + " } type Odds { nodes: [Odd!]! } type Query { odds("
    + " ".join(f"{column}_{op}: {_argument(column, kind)}" for column, op, kind in _PARAMS)
    + "): Odds }"
)
