"""`portcullis serve --config`: the example's settings made real, over agencies that run."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.demo.issuer import DEFAULT_AUDIENCE
from deploy.demo.personas import mint
from deploy.demo.stack import environment
from gateway.app import running
from gateway.cli import main
from gateway.cli.common import ROOT
from gateway.cli.demo import Demo
from gateway.configuration import load
from gateway.errors import ConfigError

STOP = (ROOT / "deploy/demo/documents/vehicle_stop.graphql").read_text("utf-8")
WHY = {"purpose": "OFFICER_SAFETY", "reasonCode": "R02", "incidentRef": "NM-26-0000001"}


@pytest.fixture
def deployed(demo: Demo, tmp_path: Path) -> Path:
    """The example copied where its header says; only addresses and names are made real."""
    for folder in ("deploy/catalogue", "deploy/demo/documents", "policies"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    text = (ROOT / "deploy" / "gateway.example.toml").read_text("utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    real = {
        "port = 8470": f"port = {port}",
        "https://portcullis.example": DEFAULT_AUDIENCE,
        "http://127.0.0.1:8181": demo.stack.opa_url,
        "https://signin.nmc.example": f"{demo.stack.issuer_url}/nmc",
        "https://signin.scp.example": f"{demo.stack.issuer_url}/scp",
    }
    for shown, own in real.items():
        assert text.count(f'"{shown}"' if "://" in shown else shown) == 1, shown
        text = text.replace(shown, own)
    file = tmp_path / "deploy" / "gateway.toml"
    file.write_text(text, "utf-8")
    return file


def rewrite(file: Path, change: Callable[[str], str]) -> None:
    file.write_text(change(file.read_text("utf-8")), "utf-8")


async def start(file: Path, demo: Demo) -> None:
    """Start by these settings, and stop."""
    held = environment(demo.stack)
    async with running(load(file, held), held):
        pass


@asynccontextmanager
async def serving(demo: Demo, file: Path) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """A client of the command in a process of its own, and what it said when it started."""
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("portcullis")), "serve", "--config", str(file)),
        stdout=asyncio.subprocess.PIPE,
        env=environment(demo.stack) | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            said = (await process.stdout.readline()).decode()
        address = re.search(r"http://[^/]+", said)
        assert address, said
        async with httpx.AsyncClient(base_url=address[0], trust_env=False, timeout=30) as client:
            yield client, said
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await process.wait() == 0  # with all that it does before it goes
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ready(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while (state := await client.get("/health/ready")).status_code != 200:
            assert state.status_code == 503
            await asyncio.sleep(0.1)


async def ask(client: httpx.AsyncClient, demo: Demo, document: str) -> httpx.Response:
    token = await asyncio.to_thread(mint, "RO", demo.stack.issuer_url)
    body = {
        "query": document,
        "variables": {"vrm": "SN68 BTX"},
        "extensions": {"justification": WHY},
    }
    return await client.post("/graphql", json=body, headers={"Authorization": f"Bearer {token}"})


async def test_the_example_serves_an_officer(demo: Demo, deployed: Path) -> None:
    async with serving(demo, deployed) as (client, said):
        assert said.startswith("Portcullis answers on http://127.0.0.1:")
        await ready(client)
        # the app may send the registered documents, so there have to be some
        answer = await ask(client, demo, STOP)
        assert answer.status_code == 200, answer.text
        assert {v["owner"] for v in answer.json()["data"]["vehicle"]} >= {"NMC", "SCP"}
        other = await ask(client, demo, STOP.replace("colour", "make"))
        assert "data" not in other.json()
        about = (await client.get("/about")).text
        purposes = json.loads((ROOT / "policies/tables/purposes/data.json").read_text("utf-8"))
        for purpose in purposes:
            assert purpose in about
        assert "No purpose is open" not in about


@pytest.mark.parametrize(
    ("name", "edit", "told"),
    [
        ("fields", lambda t: t["Person"].update(birthName=t["Person"]["sex"]),
         "tables/fields/data.json: Person.birthName: there is no such field"),
        ("uses", lambda t: t["Vehicle"]["filter"].append("plate"),
         "tables/uses/data.json: Vehicle / filter / plate: nobody asks it"),
        ("matrix", lambda t: t.update({"Person.flags": t["Person.safeguarding"]}),
         "tables/matrix/data.json: Person.flags: there is no such place"),
        ("switches", lambda t: t["firewall_silent"].append("Person.safegarding"),
         "tables/switches/data.json: firewall_silent / Person.safegarding: "
         "there is no such place"),
        ("casework", lambda t: t["tripwires"]["SCP"].append("Alarm"),
         "tables/casework/data.json: tripwires / SCP / Alarm: there is no such kind of record"),
    ],
)  # fmt: skip
async def test_az_21_a_policy_that_names_what_does_not_exist_starts_nothing(
    demo: Demo,
    deployed: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    edit: Callable[[dict[str, Any]], object],
    told: str,
) -> None:
    """A coordinate was renamed, in the vocabulary or in the policy, and not in the other."""

    def edited(text: str) -> str:
        held = json.loads(text)
        edit(held)
        return json.dumps(held)

    rewrite(deployed.parents[1] / "policies" / "tables" / name / "data.json", edited)
    assert main(["check-config", "--offline", "--config", str(deployed)]) == 2
    assert capsys.readouterr().err.splitlines()[0] == told
    with pytest.raises(ConfigError, match=re.escape(told)):
        await start(deployed, demo)


@pytest.mark.parametrize("text", ['{"Person": ', "[]"])
async def test_az_21_a_table_that_cannot_be_read_starts_nothing(
    demo: Demo, deployed: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    rewrite(deployed.parents[1] / "policies" / "tables" / "matrix" / "data.json", lambda _: text)
    told = "tables/matrix/data.json: -: cannot be read as a table"
    assert main(["check-config", "--offline", "--config", str(deployed)]) == 2
    assert capsys.readouterr().err.splitlines()[0] == told
    with pytest.raises(ConfigError, match=re.escape(told)):
        await start(deployed, demo)


async def test_settings_by_which_an_alarm_would_come_late_are_refused(
    demo: Demo, deployed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(deployed, lambda text: f"canary_period_s = 60.0\n{text}")
    assert main(["check-config", "--offline", "--config", str(deployed)]) == 2
    late = "settings: canary_period_s: an alarm could come 146.5 s late"
    assert capsys.readouterr().err.startswith(late)
    with pytest.raises(ConfigError, match=late):
        await start(deployed, demo)


def test_folders_that_the_settings_name_in_vain_are_told(
    deployed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["check-config", "--offline", "--config", str(deployed)]
    assert main(asked) == 0, capsys.readouterr().err
    shutil.rmtree(deployed.parent / "demo")
    shutil.rmtree(deployed.parents[1] / "policies")
    assert main(asked) == 2
    told = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in told[:-1]] == ["tables_dir", "documents_dir"]
    assert "nmc-mobile" in told[1]
