"""The endpoint over a hand-written pipeline that notes what reaches it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote

import httpx
import pytest

from gateway.errors import AuditUnavailable, GatewayError
from gateway.model import Request
from gateway.settings import Limits
from gateway.web.graphql import GraphqlEndpoint

GRAPHQL = "application/graphql-response+json"
DIGEST = hashlib.sha256(b"{a}").hexdigest()


@dataclass(frozen=True, slots=True)
class Answered:
    """What the recorder would have made."""

    status: int
    body: Mapping[str, Any]


@dataclass(slots=True)
class Pipeline:
    """Answers everything, refuses as told, and remembers."""

    asked: list[Request] = field(default_factory=list)
    refused: list[tuple[Request, GatewayError]] = field(default_factory=list)
    result: Answered = field(default_factory=lambda: Answered(200, {"data": {"a": None}}))
    fails: Exception | None = None
    cancelled: bool = False
    holds: asyncio.Event | None = None

    async def answer(self, request: Request) -> Any:
        self.asked.append(request)
        if self.fails:
            raise self.fails
        try:
            if self.holds:
                await self.holds.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return self.result

    async def refuse(self, request: Request, error: GatewayError) -> Any:
        self.refused.append((request, error))
        if self.fails:
            raise self.fails
        said = {"message": error.said, "extensions": {"code": error.code}}
        return Answered(error.status, {"errors": [said]})

    def endpoint(self, limits: Limits | None = None) -> GraphqlEndpoint:
        return GraphqlEndpoint(
            answer=self.answer,
            refuse=self.refuse,
            limits=limits or Limits(),
            clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        )


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


@pytest.fixture
async def client(pipeline: Pipeline) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(pipeline.endpoint(), client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://gate.example") as client:
        yield client


async def post(client: httpx.AsyncClient, body: object, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"content-type": "application/json", "accept": GRAPHQL}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post("/graphql", content=content, headers=sent)


async def test_a_request_reaches_the_pipeline_whole(
    client: httpx.AsyncClient, pipeline: Pipeline
) -> None:
    body = {
        "query": "{a}",
        "operationName": "Q",
        "variables": {"x": [1, "é"]},
        "extensions": {
            "justification": ["unread"],
            "persistedQuery": {"version": 1, "sha256Hash": DIGEST},
        },
        "unknown": 1,
    }
    answer = await post(client, body, authorization="Bearer t", x_forwarded_for="203.0.113.9")
    assert answer.status_code == 200
    assert answer.json() == {"data": {"a": None}}
    assert answer.headers["content-type"] == f"{GRAPHQL}; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    [request] = pipeline.asked
    assert request == Request(
        id=request.id,
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
        authorization=("Bearer t",),
        document="{a}",
        document_id=DIGEST,
        operation_name="Q",
        variables={"x": [1, "é"]},
        justification=["unread"],
        peer="192.0.2.7",  # HT-09: the socket's address, whatever a header says
    )


async def test_a_get_is_read_only(client: httpx.AsyncClient, pipeline: Pipeline) -> None:
    extensions = quote(json.dumps({"persistedQuery": {"version": 1, "sha256Hash": DIGEST}}))
    variables = quote('{"x":1}')
    address = f"/graphql?variables={variables}&extensions={extensions}&operationName=&query="
    assert (await client.get(address)).status_code == 200
    [request] = pipeline.asked
    assert request.read_only
    assert (request.document, request.document_id) == ("", DIGEST)
    assert (request.variables, request.operation_name) == ({"x": 1}, None)


@pytest.mark.parametrize(
    "body",
    [
        [{"query": "{a}"}],  # GD-15
        "text",
        None,
        {},
        {"query": ""},
        {"query": ["{a}"]},
        {"query": "{a}", "variables": []},
        {"query": "{a}", "variables": "{}"},
        {"query": "{a}", "operationName": 1},
        {"query": "{a}", "extensions": False},
        {"query": "{a}", "extensions": {"persistedQuery": True}},
        {"extensions": {"persistedQuery": {"version": True, "sha256Hash": DIGEST}}},
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": DIGEST}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "../x"}}},
        {"query": "{b}", "extensions": {"persistedQuery": {"version": 1, "sha256Hash": DIGEST}}},
        b"",
        b" ",
        b"{",
        b'{"query":"{a}","query":"{b}"}',  # HT-10
    ],
)
async def test_a_wrong_body_is_refused_and_recorded(
    client: httpx.AsyncClient, pipeline: Pipeline, body: object
) -> None:
    answer = await post(client, body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert not pipeline.asked
    [(request, _)] = pipeline.refused
    assert request.id
    assert request.peer == "192.0.2.7"


@pytest.mark.parametrize(
    "address",
    ["/graphql", "/graphql?query={a}&query={b}", "/graphql?query=%ff", "/graphql?query=%00",
     "/graphql?query={a}&variables=[]", "/graphql?query={a}&variables={", "/graphql?" + "&a" * 30],
)  # fmt: skip
async def test_a_wrong_address_is_refused_and_recorded(
    client: httpx.AsyncClient, pipeline: Pipeline, address: str
) -> None:
    assert (await client.get(address)).status_code == 400
    assert len(pipeline.refused) == 1
    assert not pipeline.asked


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"])
async def test_ht16_other_methods_are_405_with_allow(
    client: httpx.AsyncClient, pipeline: Pipeline, method: str
) -> None:
    headers = {"origin": "https://elsewhere.example", "x-http-method-override": "POST"}
    answer = await client.request(method, "/graphql", headers=headers)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert len(pipeline.refused) == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"accept": "image/png"}, 406),  # HT-15
        ({"content-type": "text/plain"}, 415),  # HT-05
        ({"content-type": "multipart/form-data"}, 415),
        ({"content-encoding": "gzip"}, 415),
        ({"x-large": "x" * 16_384}, 431),  # HT-04
        ({f"x-{number}": "1" for number in range(500)}, 431),
        ({"host": "a/?x="}, 400),  # HT-07
        ({"host": "evil@good"}, 400),
    ],
)
async def test_headers_that_are_refused(
    client: httpx.AsyncClient, pipeline: Pipeline, headers: dict[str, str], status: int
) -> None:
    base = {"content-type": "application/json", "accept": GRAPHQL}
    answer = await client.post("/graphql", content=b'{"query":"{a}"}', headers=base | headers)
    assert answer.status_code == status
    assert len(pipeline.refused) == 1
    assert not pipeline.asked


async def test_two_hosts_are_refused(client: httpx.AsyncClient, pipeline: Pipeline) -> None:
    headers = [("host", "a.example"), ("host", "b.example"), ("content-type", "application/json")]
    answer = await client.post("/graphql", content=b'{"query":"{a}"}', headers=headers)
    assert answer.status_code == 400


async def test_ht06_a_get_with_a_forms_type_is_415(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "multipart/form-data"}
    assert (await client.get("/graphql?query={a}", headers=headers)).status_code == 415


async def test_ht04_a_long_address_is_414(client: httpx.AsyncClient) -> None:
    assert (await client.get("/graphql?query=" + "x" * 20_000)).status_code == 414


@pytest.mark.parametrize("announced", [True, False])
async def test_ht01_reading_stops_at_the_limit(
    client: httpx.AsyncClient, pipeline: Pipeline, announced: bool
) -> None:
    given = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal given
        for _ in range(1000):
            given += 1024
            yield b"x" * 1024

    headers = {"content-type": "application/json"}
    if announced:
        headers["content-length"] = str(1000 * 1024)
    answer = await client.post("/graphql", content=chunks(), headers=headers)
    assert answer.status_code == 413
    assert given == (0 if announced else 65 * 1024)
    assert len(pipeline.refused) == 1


async def test_ht01_the_limit_itself_is_allowed(client: httpx.AsyncClient) -> None:
    body = b'{"query":"' + b"x" * (65_536 - 12) + b'"}'
    assert (await post(client, body)).status_code == 200
    assert (await post(client, body + b" ")).status_code == 413


async def test_an_invalid_document_is_200_for_plain_json_only(
    client: httpx.AsyncClient, pipeline: Pipeline
) -> None:
    said = {"message": "no", "extensions": {"code": "INVALID_OPERATION"}}
    pipeline.result = Answered(400, {"errors": [said]})
    assert (await post(client, {"query": "{"})).status_code == 400
    assert (await post(client, {"query": "{"}, accept="application/json")).status_code == 200


async def test_other_refusals_keep_their_status_for_plain_json(
    client: httpx.AsyncClient, pipeline: Pipeline
) -> None:
    said = {"message": "no", "extensions": {"code": "UNAUTHENTICATED"}}
    pipeline.result = Answered(401, {"errors": [said]})
    answer = await post(client, {"query": "{a}"}, accept="application/json")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [(AuditUnavailable(), 503, "AUDIT_UNAVAILABLE"), (OSError("/secret"), 500, "INTERNAL")],
)
async def test_without_a_record_only_a_constant_leaves(
    client: httpx.AsyncClient, pipeline: Pipeline, fault: Exception, status: int, code: str
) -> None:
    pipeline.fails = fault
    for body in ({"query": "{a}"}, {"query": 1}):
        answer = await post(client, body)
        assert answer.status_code == status
        assert answer.json()["errors"][0]["extensions"] == {"code": code}
        assert "secret" not in answer.text


def _scope(method: str = "POST") -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"host", b"gate.example")],
        "client": None,
    }


async def test_ht17_the_caller_who_hangs_up_cancels_the_query(pipeline: Pipeline) -> None:
    pipeline.holds = asyncio.Event()
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b'{"query":"{a}"}', "more_body": False},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        await asyncio.sleep(0)
        return messages.pop(0)

    async def send(_message: Any) -> None: ...

    async with asyncio.timeout(5):
        await pipeline.endpoint()(_scope(), receive, send)
    assert pipeline.cancelled


async def test_a_caller_who_leaves_before_the_end_of_the_body_is_recorded(
    pipeline: Pipeline,
) -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None: ...

    await pipeline.endpoint()(_scope(), receive, send)
    assert [error.code for _, error in pipeline.refused] == ["BAD_REQUEST"]
    assert not pipeline.asked


async def test_ht03_a_body_that_trickles_in_is_cut_off(pipeline: Pipeline) -> None:
    statuses: list[int] = []

    async def receive() -> Any:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(cast("int", message["status"]))

    await pipeline.endpoint(replace(Limits(), receive_s=0.05))(_scope(), receive, send)
    assert statuses == [408]
    assert len(pipeline.refused) == 1
