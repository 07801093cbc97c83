"""The commands as a deployer runs them: what they print, and what they return."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from joserfc.jws import extract_compact

from deploy.demo.personas import PERSONAS
from gateway.cli import main, parser
from gateway.cli.common import ROOT
from gateway.cli.demo import Demo

DOCUMENTS = ROOT / "deploy/demo/documents"
WHY = ["--purpose", "OFFICER_SAFETY", "--reason", "R02", "--incident", "NM-26-0000001"]
STOP = [str(DOCUMENTS / "vehicle_stop.graphql"), "--as", "RO", *WHY]
STOP += ["--variables", '{"vrm": "SN68 BTX"}']


def subcommands(
    made: argparse.ArgumentParser, names: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Each command that does something, by its words."""
    held = [a for a in made._actions if isinstance(a, argparse._SubParsersAction)]
    for action in held:
        for name, one in action.choices.items():
            yield from subcommands(one, (*names, name))
    if not held:
        yield names


@pytest.fixture
def running(demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Demo:
    """The running demonstration, where the commands look for one."""
    addresses = {"graphql": demo.graphql, "issuer": demo.stack.issuer_url}
    (tmp_path / "demo.json").write_text(json.dumps(addresses))
    monkeypatch.setenv("PORTCULLIS_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return demo


async def said(
    capsys: pytest.CaptureFixture[str], arguments: Sequence[str], status: int = 0
) -> str:
    """What a command prints; the gateway that it asks runs in this thread."""
    assert await asyncio.to_thread(main, arguments) == status
    return capsys.readouterr().out


@pytest.mark.parametrize("names", list(subcommands(parser())), ids=" ".join)
def test_help_shows_an_example_that_can_be_run(
    names: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*names, "--help"])
    assert ended.value.code == 0
    _, _, examples = capsys.readouterr().out.partition("\nexamples:\n")
    assert f"portcullis {' '.join(names)}" in examples


async def test_a_question_as_a_table(running: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    printed = await said(capsys, ["query", *STOP])
    assert printed.startswith("vehicle")
    heading = next(line for line in printed.splitlines() if "owner" in line)
    assert "stolen" in heading
    for agency in ("NMC", "SCP", "ERU"):
        assert any(
            line.startswith(agency) and line.endswith("ANSWERED") for line in printed.splitlines()
        )
    assert "Recorded as entry " in printed.splitlines()[-1]


async def test_a_question_as_it_came(running: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    answer = json.loads(await said(capsys, ["query", *STOP, "--json"]))
    assert {v["owner"] for v in answer["data"]["vehicle"]} >= {"NMC", "SCP"}
    assert answer["extensions"]["receipt"]["logEntry"] >= 0


async def test_a_refused_question_says_why(
    running: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    other = [word.replace("OFFICER_SAFETY", "IMMIGRATION_CONTROL") for word in STOP]
    assert (await said(capsys, ["query", *other], 1)).startswith("REFUSED: ")


def test_explain_shows_plan_question_and_requests(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", *STOP]) == 0
    told = capsys.readouterr().out
    plan, _, rest = told.partition("\n# The question to Open Policy Agent\n")
    asked, _, requests = rest.partition("\n# What each source would be asked, ")
    assert plan.startswith("# The plan\nvehicle: vehicle of 3 sources side by side\n")
    assert (
        """
  f2: Vehicle from nmc, at most 20
    asks vrm
    reads colour, false_plate_suspected, make, markers.kind, ref, stolen
    sightings:
      f3: Sighting from nmc, at most 20 for each of f2
        by vrm = f2's vrm
"""
        in plan
    )
    assert plan.endswith("Limits: 6 of 64 fetches, 2 of 8 waves, 3 of 16 sources\n")
    assert json.loads(asked)["input"]["subject"]["roles"] == ["response_officer"]
    assert "## f3: Sighting from nmc, beneath f2" in requests
    assert "SELECT" in requests
    assert "SN68" not in told.replace(" ", "")  # no value of the question


def test_the_schema_bears_each_field_with_its_classification(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["schema"]) == 0
    told = capsys.readouterr().out
    [sex] = [line.strip() for line in told.splitlines() if line.strip().startswith("sex: ")]
    assert "S1" in sex
    assert "type Query" in told
    assert "nativeKey" not in told


async def test_a_token_is_its_personas(running: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    token = (await said(capsys, ["token", "RO", "--ttl", "60"])).strip()
    claims = json.loads(extract_compact(token.encode()).payload)
    assert claims["iss"].startswith(running.stack.issuer_url)
    assert claims["exp"] - claims["iat"] == 60


@pytest.mark.parametrize("command", ["query", "explain", "token"])
async def test_an_unknown_persona_is_told_whom_there_is_and_asks_nothing(
    running: Demo, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    arguments = ["XX"] if command == "token" else [STOP[0], "--as", "XX", *STOP[3:]]
    await running.started.tripwires.settled()
    size = running.started.log.size
    with pytest.raises(SystemExit) as ended:
        await asyncio.to_thread(main, [command, *arguments])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "'XX'" in told
    assert all(code in told for code in PERSONAS)
    assert "Traceback" not in told
    assert running.started.log.size == size
