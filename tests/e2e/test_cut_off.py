"""F-41, F-42: a gateway that alone has lost the log's keys, the log's database or the policy engine
answers nobody; the others go on."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.demo.story import STEPS, Step
from gateway.audit.verify import verify
from gateway.cli.demo import Demo
from gateway.errors import AuditUnavailable
from gateway.web.sending import Constant
from tests.contract.auditplaces import SOCKET, Database, leads
from tests.crash.kills import RESUMES_S
from tests.e2e.between import Proxy
from tests.e2e.owngateway import served
from tests.e2e.test_unrecorded import body_of
from tests.servers import postgres

STEP = {one.id: one for one in STEPS}
NOTHING = Constant.AUDIT_UNAVAILABLE.value[2]


@dataclass(frozen=True, slots=True)
class Own:
    """A gateway of a test's own, and a client of it."""

    demo: Demo
    client: httpx.AsyncClient

    async def ask(self, step: Step) -> httpx.Response:
        token = await asyncio.to_thread(self.demo.token, step.persona)
        named = {"Authorization": f"Bearer {token}"}
        answer = await self.client.post("/graphql", json=body_of(step), headers=named)
        await self.demo.started.tripwires.settled()
        return answer

    async def visits(self) -> float:
        """How often sources were visited, as it says itself."""
        said = (await self.client.get("/metrics")).text
        return sum(map(float, re.findall(r"^portcullis_source_visits_total{.*} (.+)$", said, re.M)))

    async def ready(self) -> bool:
        return (await self.client.get("/health/ready")).status_code == 200

    async def comes_back(self) -> None:
        async with asyncio.timeout(RESUMES_S):
            while not await self.ready():  # noqa: ASYNC110 - nothing signals it
                await asyncio.sleep(0.05)

    async def refuses(self, code: str, step: Step) -> None:
        """503, no byte of data, no source visited; not ready, and alive."""
        before = await self.visits()
        answer = await self.ask(step)
        assert answer.status_code == 503, answer.text
        assert "data" not in answer.json()
        assert answer.json()["errors"][0]["extensions"]["code"] == code
        assert await self.visits() == before
        assert not await self.ready()
        assert (await self.client.get("/health/live")).status_code == 200

    async def answers(self, step: Step) -> None:
        before = await self.visits()
        answer = await self.ask(step)
        assert answer.status_code == 200, answer.text
        assert await self.visits() > before  # what `refuses` rests on


@asynccontextmanager
async def gateway(
    demo: Demo, state: Path, *, opa_url: str | None = None, **more: Any
) -> AsyncIterator[Own]:
    opened = served(
        demo, state, secrets={}, opa_url=opa_url, policy_timeout_s=5.0, witnesses=0, more=more
    )
    async with (
        opened as own,
        httpx.AsyncClient(base_url=own.url, trust_env=False, timeout=30) as client,
    ):
        yield Own(own, client)


async def test_F_41_who_needs_a_key_that_is_out_of_reach_is_not_answered(
    demo: Demo, tmp_path: Path
) -> None:
    """What is sealed by keys that were read goes on; no gateway starts without them."""
    known, unknown = STEP["street-stop"], STEP["immigration-control"]  # of two agencies
    state = tmp_path / "state"
    async with gateway(demo, state) as own:
        settings = own.demo.started.settings
        keys, kept = settings.audit_keys_dir, settings.audit_keys_dir.with_name("kept")
        await own.answers(known)
        keys.rename(kept)
        await own.answers(known)
        for _ in range(2):
            await own.refuses("AUDIT_UNAVAILABLE", unknown)
        assert (await own.ask(unknown)).content == NOTHING
        await own.answers(known)
        kept.rename(keys)
        await own.comes_back()
        await own.answers(unknown)
    keys.rename(kept)
    with pytest.raises(AuditUnavailable):
        async with gateway(demo, state):
            pass
    keys.rename(keys.with_name("made"))
    kept.rename(keys)
    async with gateway(demo, state) as own:
        await own.answers(unknown)
    report = verify(settings.audit_dir, (keys / "log.pub").read_text())
    assert report.ok, report.problems
    assert report.open_intents == ()


@pytest.fixture
async def database(state: Path) -> AsyncIterator[Database]:
    """A database for a log of two gateways, on a server of its own."""
    with tempfile.TemporaryDirectory(prefix="pc-") as short, postgres(state / "pg-cut") as server:
        made = await Database.made(Path(short), server)
        yield made
        await made.aclose()


async def test_F_42_of_two_gateways_the_one_that_is_cut_off_refuses_and_the_other_goes_on(
    demo: Demo, tmp_path: Path, database: Database
) -> None:
    """Each in turn from policy and from the log's database, first the one that numbers the records;
    each has a way of its own to both."""
    step = STEP["street-stop"]
    engine = httpx.URL(demo.stack.opa_url)
    async with AsyncExitStack() as stack:
        both: list[tuple[Own, Proxy, Proxy]] = []
        for name in ("one", "two"):
            folder = database.base / name
            folder.mkdir()
            to_log = await Proxy.open(database.server.socket / SOCKET, folder / SOCKET)
            stack.push_async_callback(to_log.aclose)
            to_policy = await Proxy.open((engine.host, engine.port or 80))
            stack.push_async_callback(to_policy.aclose)
            database_url = f"postgresql+asyncpg://%s@/{database.name}?host={folder}"
            opened = gateway(
                demo,
                tmp_path / name,
                opa_url=to_policy.url,
                audit_url=database_url % "audit_replica",
                audit_sequencer_url=database_url % "audit_sequencer",
                audit_keys_dir=database.base / "keys",
                audit_timeout_s=5.0,  # this machine may be busy
            )
            both.append((await stack.enter_async_context(opened), to_log, to_policy))
        for own, _, _ in both:
            await own.comes_back()
            await own.answers(step)
        if not both[0][0].demo.started.log.leading:
            both.reverse()
        for (own, to_log, to_policy), (other, _, _) in (both, both[::-1]):
            for way, code in (
                (to_policy, "POLICY_UNAVAILABLE"),
                (to_log, "AUDIT_UNAVAILABLE"),
            ):
                await way.kill()
                await own.refuses(code, step)
                await other.answers(step)
                await own.refuses(code, step)
                if way is to_log:  # so the records of the other have to be numbered by itself
                    await leads(other.demo.started.log, RESUMES_S)
                await way.revive()
                await own.comes_back()
                await own.answers(step)
    report = await database.verified()
    assert report.ok, report.problems
    assert report.open_intents == ()
