"""Whole gateways over the demonstration's agencies, in processes that are killed: by chance under
load, or by themselves at a given step of a query's life.

What clients received is compared with the log: received ⊆ outcomes ⊆ intents, and the digest of
each answer is the recorded one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from random import Random
from typing import Any

import httpx

from deploy.demo.stack import POLICIES, environment
from deploy.demo.story import STEPS, Step
from gateway.app import Running, application, running
from gateway.audit.content import answer_bytes
from gateway.audit.entry import read_leaf
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.merkle import ENTRIES, TILE_WIDTH, leaf_hash
from gateway.audit.store import unpack
from gateway.cli.demo import Demo, demo_settings
from gateway.cli.serve import bound, loop_factory, server
from gateway.settings import Settings
from gateway.unforeseen import end_when_exhausted
from tests.crash.kills import Tally, Told
from tests.crash.processes import said, started, warm
from tests.crash.victims import quiet

STEP = next(one for one in STEPS if one.id == "arrival")  # asks all six agencies
SOURCES = ("bid", "eru", "ncb", "nis", "nmc", "scp")
ASKERS = 4  # at once
LONGEST_S = 0.8  # for which a gateway answers before it is killed
_START_S = 30.0


# --- in the process that is hurt


class Until:
    """A part of the gateway, one of whose methods is the last thing that this process does."""

    def __init__(self, inner: Any, method: str, *, times: int = 1) -> None:
        self._inner, self._method, self._left = inner, method, times

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._ending(found) if name == self._method else found

    def _ending(self, method: Callable[..., Any]) -> Callable[..., Any]:
        async def awaited(result: Awaitable[Any]) -> Any:
            made = await result
            self._end()
            return made

        def called(*given: Any, **named: Any) -> Any:
            result = method(*given, **named)
            if isinstance(result, Awaitable):
                return awaited(result)
            self._end()
            return result

        return called

    def _end(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class Blocking:
    """A source at whose first visit nothing else happens in this process until a file is there;
    another, `….blocked`, says that it has come to this."""

    def __init__(self, inner: Any, until: Path) -> None:
        self._inner, self._until, self._first = inner, until, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def fetch(self, query: Any) -> Any:
        if self._first:
            self._first = False
            self._until.with_name(f"{self._until.name}.blocked").touch()
            while not self._until.exists():
                time.sleep(0.01)  # noqa: ASYNC251 - which is the fault
        return await self._inner.fetch(query)


def _hurt(made: Running, step: str) -> Running:
    """The gateway that ends, or is held up, once it has come so far in its first query."""
    gate = made.gate
    match step.split():
        case ["authenticated"]:
            gate = replace(gate, identity=Until(gate.identity, "authenticate"))
        case ["decided"]:
            gate = replace(gate, pdp=Until(gate.pdp, "decide"))  # type: ignore[arg-type]
        case ["intended"] | ["recorded"]:
            times = 1 if step == "intended" else 2
            log: Any = Until(gate.audit.log, "append", times=times)
            gate = replace(gate, audit=replace(gate.audit, log=log))
        case ["asked", source]:
            sources: Any = {**gate.sources, source: Until(gate.sources[source], "fetch")}
            gate = replace(gate, sources=sources)
        case ["blocked", source, until]:
            held: Any = {**gate.sources, source: Blocking(gate.sources[source], Path(until))}
            gate = replace(gate, sources=held)
        case ["shaped"]:
            gate = replace(gate, budgets=Until(gate.budgets, "spend"))
    return replace(made, gate=gate)


def _sending(app: Any, step: str) -> Any:
    """The application, which ends with the first message or with the last of an answer."""
    kinds = {"first byte": "http.response.start", "last byte": "http.response.body"}
    if step not in kinds:
        return app

    async def ending(scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Mapping[str, Any]) -> None:
            await send(message)
            if message["type"] == kinds[step] and not message.get("more_body"):
                os.kill(os.getpid(), signal.SIGKILL)

        await app(scope, receive, sent if scope.get("path") == "/graphql" else send)

    return ending


def serves(settings: Settings, held: dict[str, str], step: str, pipe: Connection) -> None:
    """`portcullis serve`, but for what ends it; says "ready"."""

    async def served() -> None:
        async with running(settings, held) as made:
            app = _sending(application(_hurt(made, step)), step)
            listening = bound(settings.host, settings.port)
            end_when_exhausted()
            serving = asyncio.create_task(server(app, settings.limits).serve(sockets=[listening]))
            while not await made.ready():  # noqa: ASYNC110 - nothing signals it
                await asyncio.sleep(0.02)
            pipe.send("ready")
            await serving

    quiet()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(served())


# --- outside of it


@dataclass(slots=True, kw_only=True)
class House:
    """Gateways over a demonstration's agencies that write one log."""

    demo: Demo
    settings: Sequence[Settings]
    received: list[Mapping[str, Any]] = field(default_factory=list)  # bodies of answers
    cut: int = 0  # questions that nobody answered
    refused: list[str] = field(default_factory=list)  # answers that were none

    @classmethod
    def of(cls, demo: Demo, state: Path, *, gateways: int = 1, **more: Any) -> House:
        """`more` are settings of all of them; each has a state and a port of its own."""
        catalogue = demo.started.settings.catalogue_dir
        tables = demo.started.settings.tables_dir
        made = []
        for number in range(gateways):
            own = demo_settings(state / str(number), demo.stack, catalogue, POLICIES)
            changed = {
                "port": _free_port(),
                "tables_dir": tables,
                "audit_keys_dir": state / "keys",
                "policy_timeout_s": 5.0,  # this machine may be busy
                "desk_page": False,
                **more,
            }
            made.append(replace(own, **changed))
        return cls(demo=demo, settings=made)

    @asynccontextmanager
    async def gateway(
        self, number: int = 0, step: str = ""
    ) -> AsyncIterator[tuple[ForkServerProcess, httpx.AsyncClient]]:
        """One of them in its process, ready, and a client of it."""
        settings = self.settings[number]
        held = environment(self.demo.stack)
        async with AsyncExitStack() as stack:
            process, pipe = stack.enter_context(started(serves, settings, held, step))
            assert await asyncio.to_thread(said, pipe) == "ready"
            client = httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{settings.port}", trust_env=False, timeout=30
            )
            yield process, await stack.enter_async_context(client)

    async def ask(self, client: httpx.AsyncClient, step: Step = STEP) -> bool:
        """Ask the step's question once; whether there was an answer."""
        token = await asyncio.to_thread(self.demo.token, step.persona)
        body = {
            "query": step.text,
            "variables": step.variables,
            "extensions": {"justification": dict(step.justification)},
        }
        try:
            answer = await client.post(
                "/graphql", json=body, headers={"Authorization": f"Bearer {token}"}
            )
        except httpx.HTTPError:
            self.cut += 1
            return False
        if answer.status_code != 200:
            self.refused.append(answer.text)
            return False
        self.received.append(answer.json())
        return True

    async def asks(self, client: httpx.AsyncClient) -> None:
        """Ask until nobody answers."""
        while await self.ask(client):
            pass

    @property
    def keys(self) -> AuditKeys:
        """Of the log."""
        return AuditKeys(self.settings[0].audit_keys_dir)

    async def compare(self, log: AuditLog, tally: Tally) -> None:
        """What was received, by the log's leaves and sealed salts."""
        intents: dict[str, str] = {}
        outcomes: dict[str, tuple[int, Mapping[str, Any]]] = {}
        size = log.signed.size
        for start in range(0, size, TILE_WIDTH):
            width = min(TILE_WIDTH, size - start)
            bundle = await log.tile(ENTRIES, start // TILE_WIDTH, width)
            for index, data in enumerate(unpack(bundle), start):
                leaf = read_leaf(data)
                if leaf["kind"] == "I":
                    intents[leaf["request_id"]] = leaf_hash(data).hex()
                elif leaf["kind"] == "O":
                    outcomes[leaf_hash(data).hex()] = (index, leaf)
                    if leaf.get("intent") != intents.get(leaf["request_id"]):
                        tally.wrong.append(f"outcome {index} without its intent")
        tally.intents, tally.outcomes = len(intents), len(outcomes)
        tally.received = len(self.received)
        for body in self.received:
            extensions = dict(body["extensions"])
            receipt = extensions.pop("receipt")
            if receipt["leafHash"] not in outcomes:
                tally.wrong.append(f"{receipt['queryId']} was answered and is not recorded")
                continue
            index, recorded = outcomes[receipt["leafHash"]]
            salt = bytes.fromhex((await log.detail(index))["salt"])
            digest = sha256(salt + answer_bytes({**body, "extensions": extensions})).hexdigest()
            if (recorded["request_id"], recorded["answer"]) != (receipt["queryId"], digest):
                tally.wrong.append(f"outcome {index} tells of another answer")

    @asynccontextmanager
    async def log(self) -> AsyncIterator[AuditLog]:
        """The log, once no gateway writes it any more."""
        one = self.settings[0]
        keys = self.keys
        if one.audit_url:
            opened = AuditLog.shared(
                one.audit_url, one.audit_sequencer_url,
                keys=keys, origin=one.audit_origin, timeout_s=10.0, lease_s=1.0,
            )  # fmt: skip
        else:
            opened = AuditLog.open(one.audit_dir, keys=keys, origin=one.audit_origin)
        log = await opened
        try:
            yield log
        finally:
            await log.aclose()


async def killed(
    house: House, kills: int, *, seed: int = 0, told: Told = lambda _kill: None
) -> Tally:
    """Kill one of a house's gateways so many times while all of them answer, and compare."""
    random, tally = Random(seed), Tally()  # noqa: S311  a test that can be repeated
    everybody = range(len(house.settings))
    await asyncio.to_thread(warm)
    async with AsyncExitStack() as end:
        stacks = [await end.enter_async_context(AsyncExitStack()) for _ in everybody]

        async def enters(number: int) -> tuple[ForkServerProcess, list[asyncio.Task[None]]]:
            began = time.monotonic()
            opened = house.gateway(number)
            process, client = await stacks[number].enter_async_context(opened)
            if not await house.ask(client):
                tally.wrong.append("a gateway that had started did not answer")
            tally.resumed_s.append(time.monotonic() - began)
            asking = [asyncio.create_task(house.asks(client)) for _ in range(ASKERS)]
            return process, asking

        running_ = [await enters(number) for number in everybody]
        for kill in range(kills):
            await asyncio.sleep(random.uniform(0.01, LONGEST_S))
            victim = random.choice(everybody)
            process, asking = running_[victim]
            process.kill()
            await asyncio.gather(*asking)
            await stacks[victim].aclose()
            tally.kills += 1
            told(kill + 1)
            running_[victim] = await enters(victim)
        for process, asking in running_:
            process.kill()
            await asyncio.gather(*asking)
    async with house.log() as log:
        await settled(log)
        await house.compare(log, tally)
    return tally


async def settled(log: AuditLog) -> None:
    """Wait until all that lasts is in the tree."""
    receipt = await log.append({"kind": "V", "request_id": "after"})
    await log.inclusion(await log.number(receipt))


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
