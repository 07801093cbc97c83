"""A dip sample of the running gateway from its announcement to its reviews; misuse in its queue."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.demo.personas import PERSONAS
from gateway.audit.entry import read_leaf
from gateway.cli import main
from gateway.cli.demo import Demo
from gateway.web.cookies import SESSION
from tests.e2e.asking import Asker
from tests.e2e.browsing import Browser, browsing, session_of
from tests.e2e.test_audit_reading import VEHICLE, seen

QUEUE, SAMPLES = "/console/audit/misuse", "/console/audit/samples"
OWN = "YX19 ZZZ"
SAID = {"outcome": "JUSTIFIED", "quality": "3", "note": "A stop that is in the log of the shift"}


@asynccontextmanager
async def sits(
    demo: Demo, asker: Asker, persona: str, use: str = "OVERSIGHT"
) -> AsyncIterator[Browser]:
    """Somebody who is signed in, and has said for what they look."""
    made = await session_of(demo, await asker.token(persona))
    if use:
        await demo.started.office.store.use_session(made.digest, use)
    async with browsing(demo) as browser:
        browser.cookies[SESSION] = made.number
        yield browser


@pytest.fixture(scope="module")
def own(demo: Demo) -> Iterator[None]:
    """The officer's agency says which car is theirs."""
    officer = PERSONAS["RO"]
    file = demo.started.settings.staff_dir / officer.agency / "staff.csv"
    file.parent.mkdir(parents=True)
    issuer = f"{demo.stack.issuer_url}/{officer.issuer}"
    file.write_text(f"issuer,id,plates\n{issuer},{officer.sub},{OWN}\n")
    yield
    file.unlink()
    file.parent.rmdir()


@pytest.fixture(scope="module")
async def asked(asker: Asker, own: None) -> None:
    """Officers of two agencies have asked, one of them for himself."""
    for who, plate in (("RO", OWN), ("RO", "ZZ97 QRS"), ("SG", "ZZ97 QRS"), ("AO", "ZZ97 QRS")):
        answer = await asker.ask(who, VEHICLE, {"v": plate}, purpose="OFFICER_SAFETY", reason="R02")
        assert answer.status == 200, answer.body
    await seen(asker)


async def drawn(at: Browser, path: str) -> str:
    """The page of a sample, once the witnesses have decided it."""
    ends = time.monotonic() + 60
    while "Not drawn yet" in (await at.open(path)).text:
        assert time.monotonic() < ends, "it is not drawn"
        await at.demo.started.oversight.sampling.turn()
        await asyncio.sleep(0.1)
    return at.page


def entries(page: str) -> list[int]:
    return list(map(int, re.findall(r'href="/console/audit/entry/(\d+)"', page)))


async def test_AU_20_a_dip_sample_is_decided_by_a_later_checkpoint_and_drawn_again_by_anybody(
    demo: Demo, asker: Asker, asked: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime.now(UTC)
    period = {"since": f"{now - timedelta(hours=2):%Y-%m-%dT%H:%M}",
              "until": f"{now + timedelta(minutes=1):%Y-%m-%dT%H:%M}"}  # fmt: skip
    async with sits(demo, asker, "AF") as at:
        await at.open(SAMPLES)
        reply = await at.post(SAMPLES, {**period, "count": "500", "strata": "roles"})
        waiting = reply.headers["location"]
        assert "Not drawn yet." in (await at.open(waiting)).text
    until = now + timedelta(minutes=1)
    past = {**period, "until": f"{now:%Y-%m-%dT%H:%M}", "since": f"{now:%Y-%m-%dT00:00}"}
    assert until > now
    async with sits(demo, asker, "AU") as at:
        await at.open(SAMPLES)
        if past["since"] == past["until"]:  # the first minute of a day
            past["since"] = f"{now - timedelta(days=1):%Y-%m-%dT00:00}"
        reply = await at.post(SAMPLES, {**past, "count": "40", "strata": "app"})
        page = await drawn(at, reply.headers["location"])
        assert "Not drawn yet." in (await at.open(waiting)).text  # its period is not over
    note = re.search(r'aria-label="The checkpoint"><code>(.*?)</code>', page, re.DOTALL)
    told = re.search(r'aria-label="The command"><code>portcullis (.*?)</code>', page)
    assert note
    assert told
    settings = demo.started.settings
    (tmp_path / "kept.note").write_text(note[1])
    (tmp_path / "log.pub").write_text(demo.started.log.verifier)
    given = told[1].replace("LOG", str(settings.audit_dir))
    given = given.replace("kept.note", str(tmp_path / "kept.note"))
    given = given.replace("log.pub", str(tmp_path / "log.pub"))
    given = given.replace("witnesses.policy", str(settings.audit_witnesses))
    assert main([*given.split(), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["seed"] in page
    assert sorted(one["index"] for one in again["drawn"]) == sorted(set(entries(page)))
