"""The walk of docs/onboarding.md: a seventh agency joins by two files, while the six go on."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.demo.personas import mint
from deploy.demo.population import Population
from deploy.demo.stack import Stack, environment, running_stack
from deploy.demo.world.vehicles import GOLD_VRM
from gateway.app import application, running
from gateway.catalogue.check import check_sources, connect, load_catalogue
from gateway.catalogue.conversions import KNOWN_KEYS
from gateway.catalogue.named import FUNCTIONS
from gateway.cli.demo import demo_settings
from tests.e2e.asking import APPS

ROOT = Path(__file__).parents[2]
WALK = ROOT / "docs" / "onboarding"
STOP = """query Stop($v: Vrm!) { vehicle(vrm: $v) {
  owner make insured mot tax keeper { primaryName addresses { location { postcode } } } } }"""
REGISTER_FIELDS = ("insured", "mot", "tax", "keeper")
Body = Mapping[str, Any]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployer's own copy of the catalogue, with the two forces in it."""
    copy = tmp_path_factory.mktemp("catalogue")
    (copy / "sources").mkdir()
    shutil.copy(ROOT / "deploy" / "catalogue" / "entities.toml", copy)
    for source in ("nmc", "scp"):
        shutil.copy(ROOT / "deploy" / "catalogue" / "sources" / f"{source}.toml", copy / "sources")
    return copy


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("deployer") / "policies"
    shutil.copytree(ROOT / "policies", copy)
    return copy


@pytest.fixture(scope="module")
async def stack(
    state: Path, population: Population, opa_program: Path, policies: Path
) -> AsyncIterator[Stack]:
    """Everything beside the gateway. It runs through the whole walk without a restart."""
    async with running_stack(
        state / "walk",
        population,
        opa_program,
        agencies=("nmc", "scp", "vlr"),
        policies=policies,
    ) as made:
        yield made


@asynccontextmanager
async def gateway(
    stack: Stack, catalogue: Path, policies: Path
) -> AsyncIterator[httpx.AsyncClient]:
    settings = demo_settings(stack.home, stack, catalogue, policies)
    async with running(settings, environment(stack)) as started:
        transport = httpx.ASGITransport(application(started))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client


async def ask(client: httpx.AsyncClient, stack: Stack, persona: str, purpose: str) -> Body:
    token = await asyncio.to_thread(mint, persona, stack.issuer_url, app=APPS.get(persona))
    why = {"purpose": purpose, "reasonCode": "R02", "caseRef": "NM/2026/000001"}
    why |= {"reasonText": "a van at the slipway", "incidentRef": "NM-26-0000001"}
    reply = await client.post(
        "/graphql",
        json={
            "query": STOP,
            "variables": {"v": GOLD_VRM},
            "extensions": {"justification": why},
        },
        headers={"Authorization": f"Bearer {token}"},
    )
    assert reply.status_code == 200, reply.text
    body: Body = reply.json()
    return body


def said(body: Body, field: str) -> list[str]:
    entries = body["extensions"]["disclosure"]
    return [entry["text"] for entry in entries if entry["path"] == f"vehicle.*.{field}"]


async def opa_has_read(stack: Stack, path: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(200):
            reply = await client.get(f"{stack.opa_url}/v1/data/{path}")
            if reply.json().get("result") is True:
                return
            await asyncio.sleep(0.05)
    pytest.fail("Open Policy Agent did not read the file that was dropped in")


async def test_two_files_and_a_restart_of_the_gateway_alone(
    stack: Stack, catalogue: Path, policies: Path, population: Population, opa_program: Path
) -> None:
    truth = next(v for v in population.vehicles if v.vrm == GOLD_VRM)
    async with gateway(stack, catalogue, policies) as client:
        before = await ask(client, stack, "RO", "OFFICER_SAFETY")
        assert {v["owner"] for v in before["data"]["vehicle"]} == {"NMC", "SCP"}
        for field in REGISTER_FIELDS:
            assert said(before, field) == ["No source holds this."]
            assert all(v[field] is None for v in before["data"]["vehicle"])

    shutil.copy(WALK / "vlr.toml", catalogue / "sources")
    async with gateway(stack, catalogue, policies) as client:
        # one file is not enough: the owner has not spoken yet, so its data are not shown
        halfway = await ask(client, stack, "RO", "OFFICER_SAFETY")
        assert {v["owner"] for v in halfway["data"]["vehicle"]} == {"NMC", "SCP"}
        assert "WITHHELD" in {e["outcome"] for e in halfway["extensions"]["disclosure"]}

    shutil.copy(WALK / "vlr.rego", policies / "agencies")
    await asyncio.to_thread(
        subprocess.run,
        [str(opa_program), "check", "--strict", "--bundle", str(policies)],
        check=True,
    )
    await opa_has_read(stack, "agencies/vlr/consents")
    async with gateway(stack, catalogue, policies) as client:
        after = await ask(client, stack, "RA", "PREVENT_DETECT_CRIME")
        [entry] = [v for v in after["data"]["vehicle"] if v["owner"] == "VLR"]
        keeper = population.people[truth.keeper]
        assert entry["keeper"]["primaryName"] == keeper.name.full.upper()
        home = keeper.occupancies[0].address
        assert entry["keeper"]["addresses"] == [{"location": {"postcode": home.postcode}}]
        assert entry["insured"] is truth.insured
        assert (entry["mot"], entry["tax"]) == (
            truth.mot_due.isoformat(),
            truth.tax_due.isoformat(),
        )
        for field in REGISTER_FIELDS:
            assert said(after, field) == []
        # the forces' own records stand beside it as they did
        assert [v for v in after["data"]["vehicle"] if v["owner"] != "VLR"] == before["data"][
            "vehicle"
        ]

        control = await ask(client, stack, "IE", "IMMIGRATION_CONTROL")
        assert all(v["keeper"] is None for v in control["data"]["vehicle"])
        assert {e.get("rule") for e in control["extensions"]["disclosure"]} >= {"vlr.keepers"}


async def test_the_register_holds_what_its_mapping_says(stack: Stack, catalogue: Path) -> None:
    own = catalogue.parent / "checked"
    shutil.copytree(catalogue, own, dirs_exist_ok=True)
    shutil.copy(WALK / "vlr.toml", own / "sources")
    loaded = load_catalogue(own)
    sources = connect(loaded, Environment(stack))
    try:
        faults = await check_sources(loaded, sources)
        assert [fault for fault in faults if fault.file == "sources/vlr.toml"] == []
    finally:
        for source in sources.values():
            await source.aclose()


class Environment:
    """The secrets of a stack, as connectors ask for them."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def get(self, name: str) -> str:
        return self.stack.secrets[name]


def test_every_key_of_the_mapping_language_is_explained() -> None:
    text = (ROOT / "docs" / "onboarding.md").read_text("utf-8")
    assert sorted(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == sorted(KNOWN_KEYS)
    assert all(f"`{name}`" in text for name in FUNCTIONS)
