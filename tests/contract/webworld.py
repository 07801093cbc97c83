"""Honest little services that hold the suite's rows: REST, GraphQL and vector search.

They enforce what real ones do: tokens with a scope, a page size, a rate, limits on documents. They
write down what they were sent and what they let out.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import math
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import unquote_plus

import graphql
import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from connectors.spi import Connector, SourceQuery
from tests.contract.suite import PEOPLE, RICH, Rig

CLIENT = ("gateway", "s3cret:&")
STATIC_TOKEN = "static-token"  # noqa: S105  # of a service that lives as long as the tests
DIMENSION = 8


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as JSON holds it."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Decimal):
            value = float(value)
        found[name] = value.isoformat() if isinstance(value, date) else value
    return found


def embedding(at: int) -> list[float]:
    """The unit vector of record `at`, further from record 0 the greater `at` is."""
    angle = at * math.pi / 60
    return [math.cos(angle), math.sin(angle), *([0.0] * (DIMENSION - 2))]


@dataclass(slots=True)
class World:
    """What a service holds, how it behaves, and what happened to it."""

    rows: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {
            "people": [plain(row) for row in PEOPLE],
            "rich": [
                plain(row) | {"bio": {"names": [{"family": row["name"]}, {}], "at": at}}
                for at, row in enumerate(RICH)
            ],
        }
    )
    sent: list[str] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)  # monotonic, of each listing request
    tokens: set[str] = field(default_factory=set)
    running: int = 0
    page: int = 10
    refuse_next: int = 0  # this many requests get 429
    retry_after: str = "1"
    lifetime_s: float = 3600
    complexity: int = 500
    base: str = ""
    nearest: Callable[[Mapping[str, Any]], Awaitable[list[dict[str, Any]]]] | None = None

    def clear(self) -> None:
        """Forget what happened."""
        self.sent.clear()
        self.starts.clear()
        self.refuse_next = 0


def _bearer(world: World, request: Request) -> bool:
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    return token in world.tokens or token == STATIC_TOKEN


def _app(world: World) -> Starlette:
    async def token(request: Request) -> Response:
        basic = request.headers.get("authorization", "").removeprefix("Basic ")
        pair = base64.b64decode(basic).decode().split(":")
        form = (await request.body()).decode()
        if tuple(map(unquote_plus, pair)) != CLIENT or "client_credentials" not in form:
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        granted = f"token-{len(world.tokens)}"
        world.tokens.add(granted)
        return JSONResponse(
            {"access_token": granted, "token_type": "Bearer", "expires_in": world.lifetime_s}
        )

    async def listing(request: Request) -> Response:
        world.sent.append(f"{request.method} {request.url.path}?{request.url.query}")
        world.starts.append(time.monotonic())
        if not _bearer(world, request):
            return JSONResponse({"code": "E401"}, status_code=401)
        if world.refuse_next > 0:
            world.refuse_next -= 1
            return Response(status_code=429, headers={"Retry-After": world.retry_after})
        name = request.path_params["name"]
        if name == "slow":
            return await _slow(world, request)
        if name in _BROKEN:
            broken: Response = _BROKEN[name](world)
            return broken
        if name not in world.rows:
            return JSONResponse({"code": "E404"}, status_code=404)
        if request.query_params.get("ref") == "restricted":
            return JSONResponse({"code": "E4007"}, status_code=403)
        answer = _listed(world, name, dict(request.query_params))
        world.sent.append(json.dumps(answer))
        return _packed(answer)

    async def graph(request: Request) -> Response:
        body = await request.json()
        world.sent.append(f"{body['query']}\n{json.dumps(body.get('variables'))}")
        if not _bearer(world, request):
            return JSONResponse({"errors": [{"message": "no"}]}, status_code=401)
        if "slow" in body["query"]:
            return await _slow(world, request)
        return JSONResponse(_executed(world, body))

    async def search(request: Request) -> Response:
        body = await request.json()
        world.sent.append(json.dumps({key: body[key] for key in body if key != "emb"}))
        if not _bearer(world, request):
            return JSONResponse({"code": "E401"}, status_code=401)
        assert world.nearest is not None
        return JSONResponse({"items": await world.nearest(body)})

    return Starlette(
        routes=[
            Route("/token", token, methods=["POST"]),
            Route("/v2/{name}", listing, methods=["GET"]),
            Route("/graphql", graph, methods=["POST"]),
            Route("/search", search, methods=["POST"]),
            Route("/", lambda _: JSONResponse({"up": True})),
        ]
    )


async def _slow(world: World, request: Request) -> Response:
    world.running += 1
    try:
        for _ in range(120):
            if await request.is_disconnected():
                break
            await asyncio.sleep(0.05)
    finally:
        world.running -= 1
    return JSONResponse({"items": []})


def _html(_: World) -> Response:
    return Response("<html>all is well</html>", media_type="text/html")


_BROKEN: Mapping[str, Any] = {
    "broken": lambda _: Response("{not json", media_type="application/json"),
    "html": _html,
    "shape": lambda _: JSONResponse({"items": {"ref": "r01"}}),
    "rows": lambda _: JSONResponse({"items": [["r01"]]}),
    "nan": lambda _: Response('{"items": [{"ref": NaN}]}', media_type="application/json"),
    "half": lambda _: Response(r'{"items": [{"ref": "\uD800"}]}', media_type="application/json"),
    "deep": lambda _: Response("[" * 200_000, media_type="application/json"),
    "utf16": lambda _: Response("{}".encode("utf-16"), media_type="application/json"),
    "huge": lambda _: Response(b" " * 2_000_000 + b"{}", media_type="application/json"),
    "bomb": lambda _: Response(
        gzip.compress(b" " * 50_000_000), media_type="application/json",
        headers={"Content-Encoding": "gzip"},
    ),
    "cut": lambda _: Response(
        gzip.compress(b'{"items": []}' * 100)[:-9], media_type="application/json",
        headers={"Content-Encoding": "gzip"},
    ),
    "elsewhere": lambda world: RedirectResponse(f"{world.base}/v2/people"),
    "failing": lambda _: PlainTextResponse("no", status_code=500),
    "looping": lambda _: JSONResponse({"items": [], "next": "again"}),
}  # fmt: skip


def _listed(world: World, name: str, params: Mapping[str, str]) -> dict[str, Any]:
    found = world.rows[name]
    for column in ("ref", "code"):
        if column in params:
            values = params[column].split(",")
            assert len(values) <= 20
            found = [row for row in found if row[column] in values]
    for column in ("name", "handling"):
        if column in params:
            found = [row for row in found if row[column] == params[column]]
    start = int(params.get("cursor", "0"))
    size = min(world.page, int(params.get("limit", "1000")))
    page = found[start : start + size]
    following = str(start + size) if start + size < len(found) else None
    if "fields" in params:
        wanted = params["fields"].split(",")
        page = [_thin(row, wanted) for row in page]
    return {"items": page, "next": following}


def _thin(row: Any, wanted: Sequence[str]) -> Any:
    """A sparse record: only the wanted paths, through lists too."""
    if isinstance(row, list):
        return [_thin(element, wanted) for element in row]
    if not isinstance(row, dict):
        return row
    tops = {path.partition(".")[0] for path in wanted}
    below = {
        top: [path.partition(".")[2] for path in wanted if path.startswith(f"{top}.")]
        for top in tops
    }
    return {
        top: _thin(row[top], below[top]) if below[top] else row[top] for top in tops if top in row
    }


def _packed(answer: object) -> Response:
    body = gzip.compress(json.dumps(answer).encode())
    return Response(body, media_type="application/json", headers={"Content-Encoding": "gzip"})


SCHEMA = graphql.build_schema(
    """
    type Query {
      people(ref: [String!], handling: String, first: Int, after: String): People
      rich(ref: [String!], name: String, first: Int, after: String): People
      slow(first: Int, after: String): People
      broken(ref: [String!], first: Int, after: String): People
      partial(first: Int, after: String): People
    }
    type People { edges: [Edge!]!  pageInfo: PageInfo! }
    type Edge { node: Person! }
    type PageInfo { hasNextPage: Boolean!  endCursor: String }
    type Person {
      ref: String!  handling: String  name: String  code: String  number: Int  amount: Float
      born: String  seen: String  flag: Boolean  secret: String  bio: Bio
    }
    type Bio { names: [Name!]  at: Int }
    type Name { family: String }
    """
)


def _executed(world: World, body: Mapping[str, Any]) -> dict[str, Any]:
    """Errors come with status 200, as they do in GraphQL."""

    def resolve(name: str) -> Any:
        def people(_: Any, ref: Any = None, first: int = 25, after: str = "0", **given: Any) -> Any:
            found = [row for row in world.rows[name] if ref is None or row["ref"] in ref]
            for column, value in given.items():
                found = [row for row in found if row[column] == value]
            start, size = int(after or 0), min(first, 25)
            more = start + size < len(found)
            return {
                "edges": [{"node": row} for row in found[start : start + size]],
                "pageInfo": {"hasNextPage": more, "endCursor": str(start + size)},
            }

        return people

    def broken(*_: Any, **__: Any) -> Any:
        raise ValueError("r01 is broken")

    document = graphql.parse(body["query"])
    depth, cost = _measure(document.definitions[0], body.get("variables") or {})
    if depth > 6 or cost > world.complexity:
        return {"data": None, "errors": [{"message": f"depth {depth}, complexity {cost}"}]}
    root = {"people": resolve("people"), "rich": resolve("rich"), "broken": broken}
    root["partial"] = resolve("people")
    invalid = graphql.validate(SCHEMA, document)
    if invalid:
        return {"errors": [{"message": error.message} for error in invalid]}
    result = graphql.execute_sync(SCHEMA, document, root, variable_values=body.get("variables"))
    answer: dict[str, Any] = {"data": result.data}
    world.sent.append(json.dumps(answer))
    if result.errors or "partial" in body["query"]:
        answer["errors"] = [{"message": "something is wrong"}]
    return answer


def _measure(node: Any, variables: Mapping[str, Any]) -> tuple[int, int]:
    """Depth in fields, and complexity: what lies below a node counts once for each of a page."""
    times = int(variables.get("first", 25))

    def walk(node: Any, factor: int) -> tuple[int, int]:
        depth, cost = 0, 0
        for child in node.selection_set.selections if node.selection_set else ():
            below, more = walk(child, times if child.name.value == "node" else factor)
            depth, cost = max(depth, below), cost + more + factor
        return depth + 1, cost

    depth, cost = walk(node, 1)
    return depth - 1, cost


@contextmanager
def serving(world: World) -> Iterator[World]:
    """The services on a free loopback port, in a thread of their own."""
    with served(_app(world)) as world.base:
        yield world


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """Any services likewise; gives their address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="critical",
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)


class Secrets:
    """The secrets of these services."""

    def get(self, name: str) -> str:
        return {"ID": CLIENT[0], "SECRET": CLIENT[1], "TOKEN": STATIC_TOKEN}[name]


COLUMNS = {name: name for name in (*RICH[0], "handling") if name != "attrs"}
_Live = TypeVar("_Live", bound=Connector)


@asynccontextmanager
async def web_rig(
    world: World,
    connector: Callable[[World, Mapping[str, object] | None], _Live],
    write: Callable[[_Live], Awaitable[None]],
) -> AsyncIterator[Rig]:
    """The suite's rig over these services; `write` tries to, and shows that it cannot."""

    async def seen(query: SourceQuery) -> str:
        world.clear()
        await live.fetch(query)
        return "\n".join(world.sent)

    async def busy() -> bool:
        return world.running > 0

    async def untouched() -> str:
        return hashlib.sha256(json.dumps(world.rows).encode()).hexdigest()

    world.clear()
    live = connector(world, None)
    yield Rig(
        connector=live,
        columns=COLUMNS,
        dead=lambda: connector(World(base="http://127.0.0.1:9"), None),
        config=lambda more: connector(world, more),
        seen=seen,
        busy=busy,
        write=lambda: write(live),
        untouched=untouched,
    )
    await live.aclose()


async def writes_nothing(world: World, headers: Mapping[str, str]) -> None:
    """With a connector's own token, at the service itself: there is nothing to write with."""
    async with httpx.AsyncClient(headers=headers, trust_env=False) as client:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = await client.request(method, f"{world.base}/v2/people", json={})
            assert answer.status_code == 405
