"""Erasing from the record and holding it back, from the command line, against a running gateway."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.story import STEPS
from gateway.audit.entry import read_leaf
from gateway.audit.verify import verify
from gateway.cli import main
from gateway.cli.demo import Demo
from tests.e2e.asking import Asker
from tests.e2e.auditplace import ORIGIN, Place, put
from tests.e2e.test_audit_entries import asked, entries
from tests.e2e.test_casework_command import Terminal

STOP = STEPS[1]
WHY = ("--text", "Words that nobody else is to read")


@pytest.fixture
def terminal(demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(demo, tmp_path, capsys)


async def said_last(demo: Demo, name: str) -> dict[str, Any]:
    """The last entry of kind K that says something under this name."""
    log = demo.started.log
    for index in range(log.size - 1, -1, -1):
        leaf = read_leaf(await log.leaf(index))
        if leaf["kind"] == "K" and name in leaf:
            return leaf
    raise AssertionError(f"no entry says {name}")


async def test_AU_14_a_held_record_is_not_erased_and_then_is_by_two_people(
    terminal: Terminal, demo: Demo, asker: Asker
) -> None:
    answer = await asked(asker, STOP)
    index = (await entries(asker, answer))["I"][0]
    log = demo.started.log
    assert (await log.detail(index))["variables"]
    erase = ("audit", "erase", str(index), "--reason", "UNLAWFUL", *WHY)
    # who may not
    for persona in ("NO", "AF", "DK"):
        code, _, said = await terminal.run(persona, *erase)
        assert code == 1, persona
        assert "may not do this" in said
    # a hold
    code, out, said = await terminal.run(
        *("AF", "audit", "hold", "add", "--records", str(index), str(index)),
        *("--reason", "COMPLAINT", *WHY),
    )
    assert code == 0, said
    hold = json.loads(out)
    assert hold["what"] == f"records {index} to {index}"
    _, out, _ = await terminal.run("PS", "audit", "hold", "list")
    assert hold["id"] in {one["id"] for one in json.loads(out)}
    code, _, said = await terminal.run("PS", *erase)
    assert (code, hold["id"] in said) == (1, True)
    code, _, said = await terminal.run("AF", "audit", "hold", "lift", hold["id"], "--reason",
                                       "ENDED", *WHY)  # fmt: skip
    assert (code, "may not do this" in said) == (1, True)
    code, out, said = await terminal.run("PS", "audit", "hold", "lift", hold["id"], "--reason",
                                         "ENDED", *WHY)  # fmt: skip
    assert code == 0, said
    assert json.loads(out)["liftedBy"] is None  # asked for: somebody else is to agree
    assert json.loads(out)["liftCode"] == "ENDED"
    code, _, said = await terminal.run("PS", *erase)
    assert (code, hold["id"] in said) == (1, True)
    agree = ("audit", "hold", "agree", hold["id"])
    code, _, said = await terminal.run("PS", *agree)
    assert (code, "Nobody decides on what they asked for" in said) == (1, True)
    code, _, said = await terminal.run("AF", *agree)
    assert (code, "may not do this" in said) == (1, True)
    code, out, said = await terminal.run("PSB", *agree)
    assert code == 0, said
    assert json.loads(out)["liftedBy"] > hold["entry"]
    code, _, said = await terminal.run("PSB", *agree)
    assert (code, said) == (1, "There is no such record for you.\n")
    # two people
    code, _, said = await terminal.run("PS", "audit", "erase", str(index), "--reason", "BECAUSE",
                                       *WHY)  # fmt: skip
    assert (code, "code of the table" in said) == (1, True)
    code, out, said = await terminal.run("PS", *erase)
    assert code == 0, said
    asked_for = json.loads(out)
    assert (asked_for["what"], asked_for["state"]) == (f"record {index}", "ASKED")
    code, _, said = await terminal.run("PS", "audit", "agree", asked_for["id"])
    assert (code, "may not do this" in said) == (1, True)
    assert (await log.detail(index))["variables"]
    _, out, _ = await terminal.run("AU", "audit", "agree")
    assert asked_for["id"] in {one["id"] for one in json.loads(out)}
    code, out, said = await terminal.run("AU", "audit", "agree", asked_for["id"])
    assert code == 0, said
    assert json.loads(out)["state"] == "ERASED"
    with pytest.raises(LookupError):
        await log.detail(index)
    code, _, said = await terminal.run("AU", "audit", "agree", asked_for["id"])
    assert (code, said) == (1, "There is no such record for you.\n")
    # what the log says of it
    leaf = await said_last(demo, "erasure")
    assert leaf["erasure"]["what"] == {"record": index}
    assert len(set(leaf["erasure"]["approvers"])) == 2
    assert leaf["who"]["agency"] == "OVERSIGHT"
    for name in ("erasure", "hold"):
        assert "nobody else" not in json.dumps(await said_last(demo, name))
    settings = demo.started.settings
    key = (settings.audit_keys_dir / "log.pub").read_text()
    await log.inclusion(log.size - 1)
    report = verify(settings.audit_dir, key)
    assert report.ok, report.problems


async def test_nobody_agrees_to_what_they_asked_for(terminal: Terminal, asker: Asker) -> None:
    index = (await entries(asker, await asked(asker, STOP)))["I"][0]
    code, out, said = await terminal.run(
        "AU", "audit", "erase", str(index), "--reason", "COURT_ORDER", *WHY
    )
    assert code == 0, said
    code, _, said = await terminal.run("AU", "audit", "agree", json.loads(out)["id"])
    assert (code, "asked for themselves" in said) == (1, True)
    for words in (("999999999",), (str(index), "--month", "NMC/2026-01"), ()):
        code, _, said = await terminal.run(
            "AU", "audit", "erase", *words, "--reason", "COURT_ORDER", *WHY
        )
        assert code == 1, words


async def test_AU_15_what_is_over_is_told_and_goes_where_no_gateway_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log in files, of a year long past, by the deployed table."""
    place = Place(tmp_path)
    async with place.opened() as log:
        await put(log, 8)
    (tmp_path / "tables" / "kept").mkdir(parents=True)
    kept = {
        "bodies_months": {"*": {"consultation": 1, "disclosure": 1, "combination": 1}},
        "tokens_months": 1,
        "agree_within_days": 14,
    }
    (tmp_path / "tables" / "kept" / "data.json").write_text(json.dumps(kept))
    config = tmp_path / "gateway.toml"
    config.write_text(
        f'state_dir = "{tmp_path}"\naudit_dir = "log"\naudit_keys_dir = "keys"\n'
        f'audit_origin = "{ORIGIN}"\ntables_dir = "tables"\n'
    )
    run = ["audit", "retain", "--config", str(config)]
    async with place.opened():
        assert await asyncio.to_thread(main, [*run, "--dry-run"]) == 1
    assert "another process is writing" in capsys.readouterr().err
    assert await asyncio.to_thread(main, [*run, "--dry-run"]) == 0
    assert "Keys of months that would be destroyed: NMC/2026-03." in capsys.readouterr().out
    assert place.keys.months() == ["NMC/2026-03"]
    assert await asyncio.to_thread(main, run) == 0
    assert "Keys of months that are destroyed: NMC/2026-03." in capsys.readouterr().out
    assert place.keys.months() == []
    report = place.verified()
    assert report.ok, report.problems
    assert report.kinds == {"R": 8, "K": 1}


async def test_AU_08_a_new_key_signs_a_log_that_names_how_the_last_one_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path / "old")
    async with place.opened() as log:
        await put(log, 8)
        ended = (await log.inclusion(7)).checkpoint
    config = tmp_path / "gateway.toml"
    config.write_text(f'state_dir = "{tmp_path}/new"\naudit_origin = "{ORIGIN}-b"\n')
    after = ["--after", str(place.log), "--key", str(place.base / "keys" / "log.pub")]
    run = ["audit", "begin", "--config", str(config), *after]
    assert await asyncio.to_thread(main, run) == 0, capsys.readouterr()
    assert f"{ORIGIN}-b follows {ORIGIN}, which ended with 8 entries." in capsys.readouterr().out
    report = verify(tmp_path / "new/audit", (tmp_path / "new/keys/audit/log.pub").read_text())
    assert report.ok, report.problems
    assert report.kinds == {"K": 1}
    entry = (tmp_path / "new/audit/tile/entries/000.p/1").read_bytes()[2:]
    said = read_leaf(entry)["succeeds"]
    assert said["size"] == 8
    assert said["key"] == place.public.strip()
    assert bytes.fromhex(said["root"]) == b64decode(ended.split(b"\n")[2])
    # not twice, and not after itself
    assert await asyncio.to_thread(main, run) == 1
    assert "has begun already" in capsys.readouterr().err
