"""Callers who are slow to ask or slow to take are cut off, and cost nobody else an answer.

The server is the one that `portcullis serve` runs, its bounds short, over an application that does
next to nothing: what is tested is the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.cli.serve import bound, server
from gateway.errors import GatewayError
from gateway.model import Request as Asked
from gateway.settings import Limits
from gateway.web.graphql import GraphqlEndpoint

SHORT = replace(Limits(), receive_s=0.5, send_s=0.5)
WITHIN_S = 20.0  # far more than the bounds: what fails is a connection that is never cut off
LARGE = 32 * 1024 * 1024  # more than a socket's buffers hold
HEAD = b"GET /%b HTTP/1.1\r\nHost: gateway\r\n"


async def _say(request: Request) -> Response:
    return PlainTextResponse(b"x" * int(request.path_params["size"]))


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What the recorder would have made of a request that was not one."""

    status: int
    body: Mapping[str, Any]


async def _answer(request: Asked) -> Any:
    raise AssertionError("nothing whole was asked")


async def _refuse(request: Asked, error: GatewayError) -> Any:
    return _Refusal(error.status, {"errors": [{"message": error.said}]})


def _application() -> Starlette:
    endpoint = GraphqlEndpoint(
        answer=_answer, refuse=_refuse, limits=SHORT, clock=lambda: datetime.now(UTC)
    )
    return Starlette(routes=[Route("/graphql", endpoint), Route("/{size:int}", _say)])


@asynccontextmanager
async def served(limits: Limits) -> AsyncIterator[tuple[int, uvicorn.Server]]:
    """The port, and the server behind it."""
    serving = server(_application(), limits)
    with bound("127.0.0.1", 0) as listening:
        task = asyncio.create_task(serving.serve(sockets=[listening]))
        try:
            yield listening.getsockname()[1], serving
        finally:
            serving.should_exit = True
            await task


@pytest.fixture(scope="module")
async def place() -> AsyncIterator[tuple[int, uvicorn.Server]]:
    async with served(SHORT) as made:
        yield made


@pytest.fixture
def port(place: tuple[int, uvicorn.Server]) -> int:
    return place[0]


async def cut_off(reader: asyncio.StreamReader) -> None:
    """The other side ends the connection, after whatever it sent."""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(WITHIN_S):
            while await reader.read(65536):
                pass


async def answers(port: int) -> bool:
    async with httpx.AsyncClient(trust_env=False, timeout=WITHIN_S) as client:
        return (await client.get(f"http://127.0.0.1:{port}/5")).text == "xxxxx"


async def trickle(writer: asyncio.StreamWriter) -> None:
    """More and more, without an end."""
    with contextlib.suppress(ConnectionError):
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)


async def test_ht03_two_hundred_that_say_nothing_or_never_end_a_header(port: int) -> None:
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
    async with asyncio.TaskGroup() as group:
        trickling = [group.create_task(trickle(writer)) for _, writer in opened[:20]]
        for _, writer in opened[:20]:
            writer.write(HEAD % b"5" + b"X-Slow: ")
        assert await answers(port)
        for reader, _ in opened:
            await cut_off(reader)
        for task in trickling:
            task.cancel()
    for _, writer in opened:
        writer.close()


async def test_ht04_a_head_that_is_sent_fast_and_never_ends() -> None:
    """Not kept, however much comes within the time that a head has."""
    async with served(replace(SHORT, receive_s=60.0)) as (port, _):
        for first in (b"", HEAD % b"5" + b"\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(first)
            if first:
                await reader.readuntil(b"xxxxx")
            writer.write(HEAD % b"5")
            with contextlib.suppress(ConnectionError):
                for _ in range(64):
                    writer.write(b"X-Long: %b\r\n" % (b"x" * 8192))
                    await writer.drain()
            await cut_off(reader)
            writer.close()


async def test_ht03_a_second_request_whose_head_trickles_in(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD % b"5" + b"\r\n")
    assert (await reader.readuntil(b"xxxxx")).startswith(b"HTTP/1.1 200")
    async with asyncio.TaskGroup() as group:
        writer.write(HEAD % b"5" + b"X-Slow: ")
        trickling = group.create_task(trickle(writer))
        await cut_off(reader)
        trickling.cancel()
    writer.close()


async def test_ht03_a_body_that_trickles_in(port: int) -> None:
    """It is told so, and cut off although it goes on sending."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /graphql HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
        b"Content-Length: 60000\r\n\r\n"
    )
    async with asyncio.TaskGroup() as group:
        trickling = group.create_task(trickle(writer))
        async with asyncio.timeout(WITHIN_S):
            head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408")
        await cut_off(reader)
        trickling.cancel()
    writer.close()


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"])
async def test_gd24_an_answer_that_is_never_taken(
    place: tuple[int, uvicorn.Server], more: bytes
) -> None:
    """The caller reads nothing; it is cut off, so less than the answer is there to be read."""
    port, serving = place
    with socket.socket() as caller:
        caller.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(caller, ("127.0.0.1", port))
        await loop.sock_sendall(caller, HEAD % str(LARGE).encode() + more + b"\r\n")
        assert await answers(port)
        ends = time.monotonic() + WITHIN_S
        while serving.server_state.connections:
            assert time.monotonic() < ends, "it is still held"
            await asyncio.sleep(0.05)
        taken = 0
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(WITHIN_S):
                while data := await loop.sock_recv(caller, 1 << 20):
                    taken += len(data)
        assert taken < LARGE


async def test_an_answer_that_is_taken_is_whole_and_the_connection_is_kept(port: int) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=WITHIN_S) as client:
        for size in (5, LARGE // 8, 5):
            reply = await client.get(f"http://127.0.0.1:{port}/{size}")
            assert len(reply.content) == size
