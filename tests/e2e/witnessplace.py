"""Witnesses of a test's own: in this process over real HTTP, or as processes that can be killed."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import monotonic, time
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp

from gateway.audit.log import AuditLog
from gateway.audit.memory import Memory
from gateway.audit.verify import Policy, read_policy
from gateway.audit.witness import Witness, application
from gateway.audit.witnessing import Witnessing
from tests.e2e.auditplace import AT

WITNESS = "witness.example/w1"


@asynccontextmanager
async def serving(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """An application on a loopback port; gives its address."""
    bound = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(app, log_config=None, log_level="critical", access_log=False)
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        bound.close()


@asynccontextmanager
async def witnessing_here(
    state: Path,
    logs: Iterable[str],
    name: str = WITNESS,
    *,
    port: int = 0,
    clock: Callable[[], float] = time,
) -> AsyncIterator[tuple[Witness, str]]:
    """A witness in this process, and its address."""
    memory = Memory(state)
    try:
        witness = Witness(name, memory, list(logs), clock)
        async with serving(application(witness), port) as url:
            yield witness, url
    finally:
        memory.close()


@dataclass
class Three:
    """Three witnesses, each of which can be stopped and started again."""

    base: Path
    log: str
    urls: dict[str, str]
    keys: dict[str, str]
    running: dict[str, AsyncExitStack]

    @property
    def policy(self) -> Policy:
        lines = [f"log {self.log}"]
        lines += [f"witness {name} {key} {self.urls[name]}" for name, key in self.keys.items()]
        lines += [f"group enough 2 {' '.join(self.keys)}", "quorum enough", ""]
        return read_policy("\n".join(lines).encode())

    async def begin(self, name: str) -> None:
        stack = AsyncExitStack()
        port = int(self.urls[name].rsplit(":", 1)[1]) if name in self.urls else 0
        state, names = self.base / name, f"witness.example/{name}"
        witness, url = await stack.enter_async_context(
            witnessing_here(state, [self.log], names, port=port)
        )
        self.urls[name], self.keys[name], self.running[name] = url, witness.verifier, stack

    async def end(self, name: str) -> None:
        await self.running.pop(name).aclose()


@dataclass
class Passing:
    """Time that a test lets pass, and what was observed meanwhile."""

    by: float = 0.0
    told: list[tuple[float, int, bool]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def monotonic(self) -> float:
        return monotonic() + self.by

    def saw(self, *, behind_s: float, answering: int, alarm: bool) -> None:
        self.told.append((behind_s, answering, alarm))

    def tell(self, name: str, **said: Any) -> None:
        assert name == "witnessing"
        self.events.append(said)


@asynccontextmanager
async def three(base: Path, log: str) -> AsyncIterator[Three]:
    made = Three(base, log, {}, {}, {})
    try:
        for name in ("a", "b", "c"):
            await made.begin(name)
        yield made
    finally:
        for name in list(made.running):
            await made.end(name)


@asynccontextmanager
async def witnessed(
    log: AuditLog, policy: Policy, time: Passing | None = None
) -> AsyncIterator[Witnessing]:
    """The log with its witnesses, who have been asked once."""
    passing = time or Passing()
    async with httpx.AsyncClient(trust_env=False) as http:
        made = Witnessing(
            log,
            policy,
            http,
            clock=lambda: AT + timedelta(seconds=passing.by),
            monotonic=passing.monotonic,
            observed=passing.saw,
            tell=passing.tell,
        )
        await made.start()
        try:
            yield made
        finally:
            await made.aclose()


async def until(true: Callable[[], bool], within_s: float = 30.0) -> None:
    """Wait for something that is about to come true."""
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - nothing signals it
            await asyncio.sleep(0.02)


@asynccontextmanager
async def witness_process(
    state: Path, log: str, port: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command in a process of its own, killed at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.audit.witness", "--name", WITNESS),
        *("--state", str(state), "--log", log, "--port", str(port)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            assert (await process.stdout.readline()).startswith(WITNESS.encode())
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
