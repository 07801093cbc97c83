"""F-37, F-38, F-39: gateways in processes of their own that run short of descriptors, memory and
time, or are told to stop under load. What was received is in the log, and all goes on."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import tempfile
from collections.abc import AsyncIterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import httpx
import psutil
import pytest

from deploy.demo.stack import environment
from gateway.audit.entry import read_leaf
from gateway.audit.verify import verify
from gateway.cli.demo import Demo
from gateway.configuration import load
from gateway.unforeseen import EX_EXHAUSTED
from tests.contract.auditplaces import Database
from tests.crash.gateways import House, settled
from tests.crash.kills import RESUMES_S, Tally
from tests.e2e.owngateway import timed
from tests.e2e.test_serve_command import STOP, ask, deployed, ready, rewrite, serving
from tests.servers import postgres

__all__ = ["deployed"]  # the fixture
SHORT_S = 1.0  # a source's time, and how long nobody listens to those that nobody accepts
BLOCKED_S = 2.0


async def compared(house: House) -> dict[str, set[str]]:
    """The ids of what was asked, by kinds of entries; each answer has its own in the log."""
    found: dict[str, set[str]] = {"I": set(), "O": set()}
    async with house.log() as log:
        await settled(log)
        await house.compare(log, tally := Tally())
        for number in range(log.signed.size):
            leaf = read_leaf(await log.leaf(number))
            if leaf["kind"] in found and "tripwire" not in leaf:
                found[leaf["kind"]].add(leaf["request_id"])
    assert tally.wrong == []
    return found


def received(house: House) -> set[str]:
    return {body["extensions"]["receipt"]["queryId"] for body in house.received}


def verified(house: House) -> None:
    own = house.settings[0]
    report = verify(own.audit_dir, (own.audit_keys_dir / "log.pub").read_text())
    assert report.ok, report.problems


async def answers_again(house: House, client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(RESUMES_S):
        while not await house.ask(client):  # noqa: ASYNC110 - nothing signals it
            await asyncio.sleep(0.05)


def next_free(process: ForkServerProcess) -> int:
    """The number that the next descriptor would have."""
    held = {int(one.name) for one in Path(f"/proc/{process.pid}/fd").iterdir()}
    return min(set(range(len(held) + 1)) - held)


def limited(process: ForkServerProcess, kind: int, to: int) -> tuple[int, int]:
    """Give a process this limit; what it was."""
    assert process.pid is not None
    before = resource.prlimit(process.pid, kind)
    resource.prlimit(process.pid, kind, (to, before[1]))
    return before


def lifted(process: ForkServerProcess, kind: int, before: tuple[int, int]) -> None:
    assert process.pid is not None
    resource.prlimit(process.pid, kind, before)


async def test_F_37_a_gateway_that_can_open_nothing_more_recovers(
    demo: Demo, tmp_path: Path
) -> None:
    house = House.of(demo, tmp_path)
    async with house.gateway() as (process, client):
        assert await house.ask(client)
        before = limited(process, resource.RLIMIT_NOFILE, next_free(process))
        for _ in range(5):
            await house.ask(client)  # whose connection there was before
        async with httpx.AsyncClient(
            base_url=client.base_url, trust_env=False, timeout=SHORT_S
        ) as another:
            with pytest.raises(httpx.HTTPError):
                await another.get("/health/live")
        lifted(process, resource.RLIMIT_NOFILE, before)
        await answers_again(house, client)
        async with httpx.AsyncClient(
            base_url=client.base_url, trust_env=False, timeout=30
        ) as another:
            await answers_again(house, another)
            await ready(another)
    assert house.cut == 0
    assert any("UNAVAILABLE" in text for text in house.refused)  # there was none to spare
    assert received(house) <= (await compared(house))["O"]
    verified(house)


async def test_F_37_a_gateway_without_memory_ends_to_be_started_again(
    demo: Demo, tmp_path: Path
) -> None:
    """Who went on would do so with locks that nobody lets go of. If all fits after all it stays."""
    house = House.of(demo, tmp_path)
    async with house.gateway() as (process, client):
        assert await house.ask(client)
        before = limited(process, resource.RLIMIT_AS, psutil.Process(process.pid).memory_info().vms)
        await asyncio.gather(*(house.ask(client) for _ in range(12)))
        with contextlib.suppress(ProcessLookupError):
            lifted(process, resource.RLIMIT_AS, before)
        async with asyncio.timeout(RESUMES_S):
            while process.is_alive() and not await house.ask(client):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert process.exitcode in (None, EX_EXHAUSTED)
    async with house.gateway() as (_, client):
        assert await house.ask(client)
    assert received(house) <= (await compared(house))["O"]
    verified(house)


@pytest.fixture
async def database(state: Path) -> AsyncIterator[Database]:
    """A database for a log of two gateways, on a server of its own."""
    with tempfile.TemporaryDirectory(prefix="pc-") as short, postgres(state / "pg-held") as server:
        made = await Database.made(Path(short), server)
        yield made
        await made.aclose()


async def test_F_38_a_gateway_whose_event_loop_is_blocked_answers_nothing_unrecorded(
    demo: Demo, tmp_path: Path, database: Database
) -> None:
    """For two seconds, by an agency's connector, longer than an agency has: the other gateway goes
    on meanwhile, also with numbering the records."""
    _, _, replica, sequencer = database.command()
    catalogue = timed(tmp_path / "catalogue", SHORT_S, demo.started.settings.catalogue_dir)
    house = House.of(
        demo,
        tmp_path,
        gateways=2,
        catalogue_dir=catalogue,
        audit_keys_dir=database.base / "keys",
        audit_url=replica,
        audit_sequencer_url=sequencer,
        audit_timeout_s=5.0,
    )
    until = tmp_path / "until"
    says = until.with_name("until.blocked")
    async with (
        house.gateway(0, f"blocked ncb {until}") as (_, client),
        house.gateway(1) as (_, other),
    ):
        waiting = [asyncio.create_task(house.ask(client)) for _ in range(4)]
        async with asyncio.timeout(RESUMES_S):
            while not says.exists():  # noqa: ASYNC110 - nothing signals it
                await asyncio.sleep(0.01)
        async with httpx.AsyncClient(
            base_url=client.base_url, trust_env=False, timeout=BLOCKED_S
        ) as another:
            with pytest.raises(httpx.TimeoutException):
                await another.get("/health/live")
        for _ in range(3):
            assert await house.ask(other)
        assert not any(one.done() for one in waiting)
        until.touch()
        await asyncio.gather(*waiting)
        await ready(client)
        assert await house.ask(client)
    assert house.cut == 0
    assert len(house.received) + len(house.refused) == 8
    found = await compared(house)
    assert received(house) <= found["O"]
    report = await database.verified()
    assert report.ok, report.problems
    # What follows an answer may have been cut off at the end; no question was.
    assert found["I"].isdisjoint(request for _, request in report.open_intents)


async def test_F_39_what_was_begun_is_answered_when_a_gateway_is_told_to_stop(
    demo: Demo, deployed: Path
) -> None:
    """Under load: nobody is cut off in an answer, and the log has exactly what was received."""
    rewrite(deployed, lambda text: f"canaries = false\n{text}")
    house = House(demo=demo, settings=[load(deployed, environment(demo.stack))])

    async def asks(client: httpx.AsyncClient) -> None:
        while True:
            try:
                answer = await ask(client, demo, STOP)
            except httpx.HTTPError:  # nobody listens any more
                return
            assert answer.status_code == 200, answer.text
            house.received.append(answer.json())

    async with asyncio.TaskGroup() as group:  # noqa: SIM117 - it ends after the other
        async with serving(demo, deployed) as (client, _):
            await ready(client)
            own = httpx.AsyncClient(base_url=client.base_url, trust_env=False, timeout=30)
            for _ in range(4):
                group.create_task(asks(own))
            async with asyncio.timeout(RESUMES_S):
                while len(house.received) < 8:  # noqa: ASYNC110 - nothing signals it
                    await asyncio.sleep(0.01)
            before = len(house.received)
    await own.aclose()
    found = await compared(house)
    assert len(house.received) >= before
    assert received(house) == found["O"] == found["I"]
    verified(house)
