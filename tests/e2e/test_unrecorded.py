"""AU-17, F-27: no record, no answer, over HTTP and in both stores of the log."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.demo.story import STEPS, Step
from gateway.audit.entry import AuditEntry
from gateway.audit.keeper import Receipt
from gateway.audit.reconciler import Reconciler
from gateway.cli.demo import Demo
from gateway.errors import AuditUnavailable
from gateway.web.sending import Constant
from tests.contract.auditplaces import Database, leads, now, well_again
from tests.e2e.owngateway import served
from tests.e2e.test_faults import door_to
from tests.servers import Postgres, postgres

STREET_STOP = next(one for one in STEPS if one.id == "street-stop")
NOTHING = Constant.AUDIT_UNAVAILABLE.value[2]
"""The constant that is sent then: nothing of a question or a record can be in it."""


@pytest.fixture(scope="module")
def server(state: Path) -> Iterator[Postgres]:
    with postgres(state / "pg-unrecorded") as running:
        yield running


@pytest.fixture
async def database(server: Postgres) -> AsyncIterator[Database]:
    """The database of a log, behind a door; its path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="pc-") as short:
        made = await Database.made(Path(short), server)
        yield made
        await made.aclose()


def shared(database: Database) -> dict[str, Any]:
    """The settings of a gateway whose log lies there, behind the door."""
    return {
        "audit_url": database.url("audit_replica"),
        "audit_sequencer_url": database.url("audit_sequencer"),
        "audit_keys_dir": database.base / "keys",
        "audit_timeout_s": 5.0,  # this machine may be busy
    }


@dataclass
class Broken:
    """A writer that takes so many records and then no more."""

    takes: int
    asked: int = 0


async def test_AU_17_a_writer_that_fails_at_any_call_lets_nothing_leave(
    demo: Demo, tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, more in (("files", {}), ("shared", shared(database))):
        async with AsyncExitStack() as stack:
            opened = served(demo, tmp_path / name, secrets={}, witnesses=0, more=more)
            own = await stack.enter_async_context(opened)
            client = await stack.enter_async_context(
                httpx.AsyncClient(base_url=own.url, trust_env=False, timeout=30)
            )
            await well_again(own.started.log)
            found = {}
            for asked, (path, given) in (await requests(own)).items():
                for takes in range(4):
                    with monkeypatch.context() as patched:
                        broken = breaking(own, patched, takes)
                        answer = await client.post(path, **given)
                        await own.started.tripwires.settled()
                    if answer.status_code != 503:
                        break
                    assert broken.asked > takes, (name, asked)
                    assert answer.content == NOTHING, (name, asked, takes)
                found[asked] = (answer.status_code, takes)
            assert found["a query"] == (200, 2), name
            assert all(status < 500 and takes for status, takes in found.values()), (name, found)


def breaking(own: Demo, patched: pytest.MonkeyPatch, takes: int) -> Broken:
    """From now on the log's store takes so many records."""
    keeper, broken = type(own.started.log.keeper), Broken(takes)
    real = keeper.put

    async def put(self: Any, entry: AuditEntry) -> Receipt:
        broken.asked += 1
        if broken.asked > broken.takes:
            raise AuditUnavailable(detail="injected")
        return await real(self, entry)

    patched.setattr(keeper, "put", put)
    return broken


async def requests(own: Demo) -> Mapping[str, tuple[str, dict[str, Any]]]:
    """Requests of every kind: the path, and what is sent."""
    token = await asyncio.to_thread(own.token, STREET_STOP.persona)
    named = {"headers": {"Authorization": f"Bearer {token}"}}
    query = body_of(STREET_STOP)
    action = {"query": "{ standingReleases { id } }"}
    return {
        "a query": ("/graphql", named | {"json": query}),
        "its schema": ("/graphql", named | {"json": {"query": "{ __typename }"}}),
        "no query": ("/graphql", named | {"json": {"query": "{ nothing }"}}),
        "no purpose": ("/graphql", named | {"json": query | {"extensions": {}}}),
        "no JSON": ("/graphql", named | {"content": b"{"}),
        "no token": ("/graphql", {"json": query}),
        "an action": ("/casework", named | {"json": action}),
    }


def body_of(step: Step) -> dict[str, Any]:
    why = {"justification": dict(step.justification)}
    return {"query": step.text, "variables": dict(step.variables), "extensions": why}


async def test_F_27_AU_18_the_log_is_cut_off_between_intent_and_outcome(
    demo: Demo, tmp_path: Path, database: Database
) -> None:
    """While a source is waited for: the answer is withheld, and the log comes to say that nothing
    was released. The same, asked again, is another request."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pc-")))
        source, secrets = await door_to(demo.stack.secrets["NMC_DB_URL"], folder, "NMC")
        stack.push_async_callback(source.aclose)
        own = await stack.enter_async_context(
            served(demo, tmp_path / "state", secrets=secrets, witnesses=0, more=shared(database))
        )
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=own.url, trust_env=False, timeout=30)
        )
        token = await asyncio.to_thread(own.token, STREET_STOP.persona)
        named = {"Authorization": f"Bearer {token}"}

        async def ask() -> httpx.Response:
            return await client.post("/graphql", json=body_of(STREET_STOP), headers=named)

        log = own.started.log
        assert (await ask()).status_code == 200
        await own.started.tripwires.settled()
        before = len(given(database))
        source.hold()
        asking = asyncio.create_task(ask())
        async with asyncio.timeout(10):
            while len(given(database)) == before:  # noqa: ASYNC110 - nothing signals it
                await asyncio.sleep(0.01)
        await database.close_down()
        source.release()
        answer = await asking
        assert (answer.status_code, answer.content) == (503, NOTHING)
        await database.come_back()
        await well_again(log, 10.0)
        await leads(log, 10.0)
        (cut_off,) = given(database)[before:]
        assert cut_off["kind"] == "I"
        passed_s = 0.0
        own_reconciler = Reconciler(
            log, gateway="test", clock=now, monotonic=lambda: passed_s, after_s=20.0
        )
        async with asyncio.timeout(10):
            while log.size < len(given(database)):  # noqa: ASYNC110 - its number has yet to come
                await asyncio.sleep(0.05)
        await log.inclusion(log.size - 1)
        await own_reconciler.tick()
        passed_s = 20.0
        await own_reconciler.tick()
        again = await ask()
        assert again.status_code == 200
        assert again.json()["extensions"]["receipt"]["queryId"] != cut_off["request_id"]
        await own.started.tripwires.settled()
    report = await database.verified()
    assert report.ok, report.problems
    assert [request for _, request in report.abandoned] == [cut_off["request_id"]]
    assert report.open_intents == ()


def given(database: Database) -> list[dict[str, Any]]:
    """The leaves that last, in the order in which they came."""
    rows = database.run(
        "SELECT encode(leaf, 'escape') FROM audit_entry ORDER BY index;"
        "SELECT encode(leaf, 'escape') FROM audit_pending ORDER BY arrived"
    )
    return [json.loads(line) for line in rows.splitlines()]
