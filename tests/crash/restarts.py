"""F-43: everything is stopped without a farewell and started again, each time in another order: a
gateway, Open Policy Agent, an agency, a witness and the database of the log.

Each part that cannot start yet is started again, as whatever keeps services running does.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from random import Random
from typing import Any

import httpx

from deploy.demo.services.process import running
from gateway.audit.keys import AuditKeys
from gateway.cli.demo import Demo
from tests.contract.auditplaces import Database
from tests.crash.gateways import House, settled
from tests.crash.kills import Tally, Told
from tests.crash.processes import warm
from tests.e2e.between import Proxy
from tests.e2e.test_faults import Policy
from tests.e2e.witnessplace import witnessing_here

CONVERGES_S = 60.0  # F-43
ASKERS = 2
_AGAIN_S = 0.2


@dataclass(slots=True, kw_only=True)
class Parts:
    """All that one gateway rests on, and it."""

    house: House
    policy: Policy
    database: Database
    bid: Proxy  # the agency's address, whichever process is behind it
    witness_port: int = 0
    client: httpx.AsyncClient | None = None
    process: ForkServerProcess | None = None
    _running: dict[str, AsyncExitStack] = field(default_factory=dict)
    _asking: list[asyncio.Task[None]] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def made(
        cls, demo: Demo, opa: Path, folder: Path, database: Database
    ) -> AsyncIterator[Parts]:
        """All but the database stand still; at the end all is stopped but the database."""
        given, own = demo.stack.secrets, AsyncExitStack()
        async with own:
            bid = await Proxy.open(("127.0.0.1", 9))  # to nobody, yet
            own.push_async_callback(bid.aclose)
            path = httpx.URL(given["BID_TOKEN_URL"]).path
            secrets = given | {"BID_URL": bid.url, "BID_TOKEN_URL": f"{bid.url}{path}"}
            policies = demo.started.settings.tables_dir.parent
            policy = Policy(program=opa, port=_free_port(), policies=policies)
            stack = replace(demo.stack, secrets=secrets, opa_url=policy.url)
            _, _, replica, sequencer = database.command()
            house = House.of(
                replace(demo, stack=stack),
                folder,
                audit_keys_dir=database.base / "keys",
                audit_url=replica,
                audit_sequencer_url=sequencer,
                audit_timeout_s=5.0,
            )
            made = cls(house=house, policy=policy, database=database, bid=bid)
            made.witness_port = _free_port()
            own.push_async_callback(made.stop, "gateway", "agency", "witness", "policy")
            await made._begin_witness()  # tells who it is, once
            yield made

    @property
    def names(self) -> list[str]:
        return list(_WAYS)

    async def start(self, *names: str) -> None:
        """Start these in this order; each has begun to when the next one does."""
        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(_WAYS[name][0](self))
                await asyncio.sleep(0)

    async def stop(self, *names: str) -> None:
        for name in names:
            await _WAYS[name][1](self)

    async def whole(self) -> None:
        """Wait until a question is answered again, by the agency too, and start to ask more."""
        while True:
            assert self.client is not None
            received = len(self.house.received)
            if await self.house.ask(self.client):
                states = self.house.received[received]["extensions"]["sources"]
                if all(one["state"] in ("ANSWERED", "TRUNCATED") for one in states):
                    break
            await asyncio.sleep(_AGAIN_S)
        self._asking = [asyncio.create_task(self._asks(self.client)) for _ in range(ASKERS)]

    async def _asks(self, client: httpx.AsyncClient) -> None:
        """Ask until nobody answers, whatever the answer."""
        cut = self.house.cut
        while self.house.cut == cut:
            await self.house.ask(client)

    # -- the gateway

    async def _begin_gateway(self) -> None:
        while True:
            stack = AsyncExitStack()
            try:
                self.process, self.client = await stack.enter_async_context(self.house.gateway())
            except (EOFError, ConnectionResetError, TimeoutError):  # it could not start yet
                await stack.aclose()
                await asyncio.sleep(_AGAIN_S)
            else:
                self._running["gateway"] = stack
                return

    async def _end_gateway(self) -> None:
        if stack := self._running.pop("gateway", None):
            assert self.process is not None
            self.process.kill()
            await asyncio.gather(*self._asking)
            await stack.aclose()

    # -- what it rests on

    async def _begin_agency(self) -> None:
        stack = AsyncExitStack()
        data = self.house.demo.stack.home / "bid.json"
        opened = running("deploy.demo.services.bid", "--data", str(data))
        url = httpx.URL(await stack.enter_async_context(opened))
        self.bid.target = (url.host, url.port or 80)
        self._running["agency"] = stack

    async def _begin_witness(self) -> None:
        own = self.house.settings[0]
        log = AuditKeys(own.audit_keys_dir).signer(own.audit_origin).verifier
        stack = AsyncExitStack()
        state = own.state_dir / "witness"
        state.parent.mkdir(parents=True, exist_ok=True)
        opened = witnessing_here(state, [log], port=self.witness_port)
        witness, url = await stack.enter_async_context(opened)
        lines = f"log {log}\nwitness one {witness.verifier} {url}\nquorum one\n"
        own.audit_witnesses.write_text(lines, "utf-8")
        self._running["witness"] = stack

    async def _end(self, name: str) -> None:
        if stack := self._running.pop(name, None):
            await stack.aclose()


_WAYS: dict[
    str, tuple[Callable[[Parts], Coroutine[Any, Any, None]], Callable[[Parts], Awaitable[None]]]
] = {
    "gateway": (Parts._begin_gateway, Parts._end_gateway),
    "policy": (lambda parts: parts.policy.start(), lambda parts: parts.policy.end()),
    "agency": (Parts._begin_agency, lambda parts: parts._end("agency")),
    "witness": (Parts._begin_witness, lambda parts: parts._end("witness")),
    "database": (
        lambda parts: asyncio.to_thread(parts.database.server.restart),
        lambda parts: asyncio.to_thread(parts.database.server.crash),
    ),
}


async def restarted(
    parts: Parts, rounds: int, *, seed: int = 0, told: Told = lambda _round: None
) -> Tally:
    """Stop and start everything so many times while it is asked, and compare.

    `resumed_s` of the tally are seconds until all was well again, from the first start on.

    Raises:
        TimeoutError: it did not come to that.
    """
    random, tally = Random(seed), Tally()  # noqa: S311  a test that can be repeated
    await asyncio.to_thread(warm)
    await parts.start("policy", "agency", "gateway")
    await parts.whole()
    for done in range(rounds):
        await asyncio.sleep(random.uniform(0.0, 0.5))
        await parts.stop(*random.sample(parts.names, len(parts.names)))
        tally.kills += 1
        began = time.monotonic()
        async with asyncio.timeout(CONVERGES_S):
            await parts.start(*random.sample(parts.names, len(parts.names)))
            await parts.whole()
        tally.resumed_s.append(time.monotonic() - began)
        told(done + 1)
    await parts.stop("gateway")
    async with parts.house.log() as log:
        await settled(log)
        await parts.house.compare(log, tally)
    return tally


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
