"""The same actions from the command line, against the running gateway."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from deploy.demo.population import Agency, Population
from gateway.cli import main
from gateway.cli.demo import Demo
from tests.e2e.test_casework import ref_of
from tests.e2e.test_queries import shared


class Terminal:
    """Types commands as somebody, and reads what is printed."""

    def __init__(self, demo: Demo, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.demo, self.folder, self.capsys = demo, folder, capsys

    async def run(self, persona: str, *words: str) -> tuple[int, str, str]:
        token = self.folder / persona
        if not token.exists():
            token.write_text(await asyncio.to_thread(self.demo.token, persona))
        where = ["--token", str(token), "--url", f"{self.demo.url}/casework"]
        code = await asyncio.to_thread(main, [*words, *where])
        said = self.capsys.readouterr()
        return code, said.out, said.err


@pytest.fixture
def terminal(demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(demo, tmp_path, capsys)


async def test_a_request_is_asked_decided_and_followed(
    terminal: Terminal, demo: Demo, population: Population
) -> None:
    report = shared(population, Agency.ERU, mixed=True)
    ref = ref_of(demo, "NCB", report.urn)
    why = ("--purpose", "OIC_INVESTIGATION", "--reason", "R08", "--case", "NCB-2026-00001")
    code, out, _ = await terminal.run(
        "NO", "casework", "request", ref, "text", "title", "--for", "PT1H", *why
    )
    asked = json.loads(out)
    assert (code, asked["state"], asked["minutes"]) == (0, "OPEN", 60)

    _, out, _ = await terminal.run("DK", "casework", "queue")
    (waiting,) = [one for one in json.loads(out) if one["id"] == asked["id"]]
    assert (waiting["key"], waiting["caseRef"]) == (report.urn, "NCB-2026-00001")
    _, out, _ = await terminal.run("DK", "notices", "list")
    (notice,) = [one for one in json.loads(out) if one["subject"] == asked["id"]]
    assert notice["about"] == "RELEASE_ASKED"
    code, out, _ = await terminal.run("DK", "notices", "acknowledge", notice["id"])
    assert (code, json.loads(out)["acknowledgedAt"] is not None) == (0, True)

    code, _, said = await terminal.run("DK", "casework", "decide", asked["id"], "--refuse", "WHY")
    assert code == 1
    assert "Desk: gateway." in said
    code, out, _ = await terminal.run(
        "DK", "casework", "decide", asked["id"], "--refuse", "NOT_NECESSARY"
    )
    assert (code, json.loads(out)["state"]) == (0, "REFUSED")
    code, out, said = await terminal.run(
        "DK", "casework", "decide", asked["id"], "--grant", "text", "--for", "PT1H"
    )
    assert (code, out, said) == (1, "", "There is no such record for you.\n")  # decided once
    _, out, _ = await terminal.run("NO", "casework", "mine")
    (mine,) = [one for one in json.loads(out) if one["id"] == asked["id"]]
    assert (mine["state"], mine["refusal"]) == ("REFUSED", "NOT_NECESSARY")


async def test_a_grant_from_the_command_line(
    terminal: Terminal, demo: Demo, population: Population
) -> None:
    ref = ref_of(demo, "NCB", shared(population, Agency.ERU, mixed=True).urn)
    why = ("--purpose", "OIC_INVESTIGATION", "--reason", "R08", "--case", "NCB-2026-00001")
    _, out, _ = await terminal.run("NO", "casework", "request", ref, "title", *why)
    id_ = json.loads(out)["id"]
    code, out, _ = await terminal.run(
        "DK", "casework", "decide", id_, "--grant", "title", "--for", "PT1M"
    )
    decided = json.loads(out)
    assert (code, decided["state"], decided["granted"]) == (0, "GRANTED", ["title"])
    _, out, _ = await terminal.run("DK", "casework", "standing")
    assert id_ in {one["id"] for one in json.loads(out)}
    code, out, _ = await terminal.run("DK", "casework", "revoke", id_, "IN_ERROR")
    assert (code, json.loads(out)["state"]) == (0, "REVOKED")
    code, _, said = await terminal.run("DK", "casework", "revoke", id_, "IN_ERROR")
    assert (code, said) == (1, "There is no such record for you.\n")
    _, out, _ = await terminal.run("NO", "casework", "mine")
    (mine,) = [one for one in json.loads(out) if one["id"] == id_]
    assert (mine["state"], mine["revocation"]) == ("REVOKED", "IN_ERROR")


async def test_an_outcome_and_a_countersignature_from_the_command_line(terminal: Terminal) -> None:
    code, _, said = await terminal.run("NO", "casework", "outcome", "none", "LEAD")
    assert (code, said) == (1, "There is no such record for you.\n")
    code, _, said = await terminal.run("NO", "casework", "outcome", "none", "PERHAPS")
    assert code == 1
    assert "code of the table of casework" in said
    code, out, _ = await terminal.run("SG", "casework", "countersign")
    assert (code, json.loads(out)) == (0, [])
    code, _, said = await terminal.run("SG", "casework", "countersign", "none")
    assert (code, said) == (1, "There is no such record for you.\n")


def test_who_cannot_be_reached_is_said_in_words(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("x")
    nowhere = ["--token", str(token), "--url", "http://127.0.0.1:1/casework"]
    with pytest.raises(SystemExit, match="No gateway answers"):
        main(["casework", "mine", *nowhere])
    with pytest.raises(SystemExit, match="--token needs --url"):
        main(["casework", "mine", "--token", str(token)])
    with pytest.raises(SystemExit, match="--token: No such file"):
        main(["casework", "mine", "--token", str(tmp_path / "none"), *nowhere[2:]])


def test_what_is_due_is_delivered_by_hand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text("")
    assert main(["notices", "deliver", "--config", str(config)]) == 0
    assert capsys.readouterr().out == "0 taken, 0 to be tried again.\n"
    config.write_text('[[webhooks]]\nagency = "ERU"\nurl = "https://x.example/"\nsecret = "none"\n')
    assert main(["notices", "deliver", "--config", str(config)]) == 2
    assert "32 characters" in capsys.readouterr().err
