"""SCP where MariaDB is not installed: the same mapping file over SQLite, and it says so."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from deploy.demo.population import Population
from deploy.demo.story import STEPS
from gateway.catalogue.check import check_sources
from gateway.cli.common import ROOT
from gateway.cli.demo import running_demo
from tests.e2e.asking import Asker


@pytest.fixture(scope="module")
async def lone(
    state: Path, population: Population, opa_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Asker]:
    catalogue = tmp_path_factory.mktemp("scp")
    (catalogue / "sources").mkdir()
    shutil.copy(ROOT / "deploy/catalogue/entities.toml", catalogue)
    shutil.copy(ROOT / "deploy/catalogue/sources/scp.toml", catalogue / "sources")
    async with (
        running_demo(
            state / "without-mariadb",
            population,
            opa_program,
            agencies=("scp",),
            catalogue=catalogue,
            mariadb=False,
        ) as demo,
        httpx.AsyncClient(trust_env=False, timeout=30) as client,
    ):
        yield Asker(demo=demo, client=client)


async def test_the_same_answers_as_over_mariadb(lone: Asker, asker: Asker) -> None:
    for step in (STEPS[0], STEPS[3]):
        document = step.text.replace(" ref\n", "\n").replace("{ owner ref", "{ owner")
        hits = []
        for one in (lone, asker):
            answer = await one.ask(
                step.persona, document, step.variables, purpose=step.justification["purpose"]
            )
            root = "vehicle" if "vrm" in step.variables else "personSearch"
            found = answer.hits(root, owner="SCP")
            for hit in found:
                for shared in ("match", "images", "sightings"):  # these look at other agencies too
                    hit.pop(shared, None)
            hits.append(found)
        assert hits[0] == hits[1]
        assert hits[0]


async def test_it_says_so_and_fits_its_mapping(lone: Asker) -> None:
    assert "SQLite" in lone.demo.stack.notes[0]
    gate = lone.demo.started.gate
    assert await check_sources(gate.catalogue, gate.sources) == ()
