"""The walk of docs/onboarding.md: a seventh agency joins by two files, while the six go on."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.demo.personas import mint
from deploy.demo.population import Population
from deploy.demo.stack import Stack, environment, running_stack
from deploy.demo.world.vehicles import GOLD_VRM
from gateway.app import application, running
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
def deployer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployer's own checkout: the two forces in its catalogue, the example as its settings."""
    made = tmp_path_factory.mktemp("deployer")
    (made / "deploy" / "catalogue" / "sources").mkdir(parents=True)
    shutil.copytree(ROOT / "policies", made / "policies")
    shutil.copytree(WALK.parent, made / "docs")
    for folder in ("policy/schemas", "demo/documents"):
        shutil.copytree(ROOT / "deploy" / folder, made / "deploy" / folder)
    kept = ["catalogue/entities.toml", "policy/capabilities.json"]
    for file in (*kept, "catalogue/sources/nmc.toml", "catalogue/sources/scp.toml"):
        shutil.copy(ROOT / "deploy" / file, made / "deploy" / file)
    shutil.copy(ROOT / "deploy" / "gateway.example.toml", made / "deploy" / "gateway.toml")
    return made


@pytest.fixture(scope="module")
def catalogue(deployer: Path) -> Path:
    return deployer / "deploy" / "catalogue"


@pytest.fixture(scope="module")
def policies(deployer: Path) -> Path:
    return deployer / "policies"


def steps() -> list[list[str]]:
    """The commands of each step of the walk, as the document has them."""
    _, _, rest = (ROOT / "docs" / "onboarding.md").read_text("utf-8").partition("## The walk\n")
    walk, _, _ = rest.partition("\n## ")
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", walk, re.DOTALL | re.MULTILINE)
    return [[line.strip() for line in block.splitlines()] for block in blocks]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """Where a deployer types the commands of the walk."""

    folder: Path
    opa: Path
    environment: Mapping[str, str]

    async def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """One command; `opa` and `portcullis` are those of this test."""
        programs = {"opa": self.opa, "portcullis": Path(sys.executable).with_name("portcullis")}
        name, *given = shlex.split(command)
        return await asyncio.to_thread(
            subprocess.run,
            [str(programs.get(name, name)), *given],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


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
    stack: Stack,
    deployer: Path,
    catalogue: Path,
    policies: Path,
    population: Population,
    opa_program: Path,
) -> None:
    [secret], [copy_mapping], [check], [copy_policy, check_bundle] = steps()
    shell = Shell(folder=deployer, opa=opa_program, environment=environment(stack))
    assert secret.startswith("export GATEWAY_SECRET_VLR_DB_URL=sqlite+aiosqlite:///")
    assert "GATEWAY_SECRET_VLR_DB_URL" in shell.environment
    truth = next(v for v in population.vehicles if v.vrm == GOLD_VRM)
    async with gateway(stack, catalogue, policies) as client:
        before = await ask(client, stack, "RO", "OFFICER_SAFETY")
        assert {v["owner"] for v in before["data"]["vehicle"]} == {"NMC", "SCP"}
        for field in REGISTER_FIELDS:
            assert said(before, field) == ["No source holds this."]
            assert all(v[field] is None for v in before["data"]["vehicle"])

    assert (await shell.run(copy_mapping)).returncode == 0
    checked = await shell.run(check)
    # the register holds what its mapping says, and the planted fault of a force is still told
    told = [line.split(": ")[:2] for line in checked.stderr.splitlines()]
    assert told == [["sources/nmc.toml", "entity.Person.parts.warnings.0.kind"], ["1 faults."]]
    assert "3 sources map" in checked.stdout
    async with gateway(stack, catalogue, policies) as client:
        # one file is not enough: the owner has not spoken yet, so its data are not shown
        halfway = await ask(client, stack, "RO", "OFFICER_SAFETY")
        assert {v["owner"] for v in halfway["data"]["vehicle"]} == {"NMC", "SCP"}
        assert "WITHHELD" in {e["outcome"] for e in halfway["extensions"]["disclosure"]}

    assert (await shell.run(copy_policy)).returncode == 0
    bundle = await shell.run(check_bundle)
    assert bundle.returncode == 0, bundle.stderr
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


def test_every_key_of_the_mapping_language_is_explained() -> None:
    text = (ROOT / "docs" / "onboarding.md").read_text("utf-8")
    assert sorted(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == sorted(KNOWN_KEYS)
    assert all(f"`{name}`" in text for name in FUNCTIONS)
