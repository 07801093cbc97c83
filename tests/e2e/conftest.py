"""One running demonstration for all end-to-end tests: real agencies, OPA, issuer and gateway."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from deploy.demo.population import Population, make_population
from gateway.cli.demo import Demo, running_demo
from tests.e2e.asking import Asker
from tests.e2e.owngateway import timed
from tests.opa import unbounded

FIRST = "query($v: Vrm!) { vehicle(vrm: $v) { make } }"


@pytest.fixture(scope="session")
def opa_program() -> Path:
    program = os.environ.get("PORTCULLIS_OPA", "")
    if not program or not Path(program).is_file():
        pytest.fail("run the tests by `make test`, or set PORTCULLIS_OPA to an OPA program")
    return Path(program)


@pytest.fixture(scope="session")
def population() -> Population:
    return make_population(1000, now=datetime.now(UTC).replace(minute=0, second=0, microsecond=0))


@pytest.fixture(scope="session")
def state() -> Iterator[Path]:
    """A state directory whose parents another user may enter: PostgreSQL does not run as root."""
    with tempfile.TemporaryDirectory(prefix="portcullis-") as made:
        yield Path(made)


@pytest.fixture(scope="session")
async def demo(state: Path, population: Population, opa_program: Path) -> AsyncIterator[Demo]:
    """The whole demonstration. BID's rate and budgets are lifted, as tests ask more than officers,
    and sources and policy have time, since how busy this machine is says nothing of the code. One
    question has been asked: the release of policy that the gateway then sees is an entry."""
    catalogue, policies = timed(state / "patient", 20.0), unbounded(state / "policies")
    async with running_demo(
        state,
        population,
        opa_program,
        bid_rate=False,
        catalogue=catalogue,
        policies=policies,
        policy_timeout_s=5.0,
    ) as running:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            asked = await Asker(demo=running, client=client).ask(
                "AO", FIRST, {"v": "ZZ00 ZZZ"}, purpose="OFFICER_SAFETY", reason="R02"
            )
        assert asked.status == 200, asked.body
        await running.started.tripwires.settled()
        yield running


@pytest.fixture(scope="session")
async def asker(demo: Demo) -> AsyncIterator[Asker]:
    """Asks the running gateway over HTTP as any persona."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        yield Asker(demo=demo, client=client)


@pytest.fixture(scope="session")
def gateway_url(demo: Demo) -> str:
    return demo.graphql


@pytest.fixture(scope="session")
def officer_token(demo: Demo) -> str:
    return demo.token("AO")
