"""A dip sample of the running gateway from its announcement to its reviews; misuse in its queue."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.personas import PERSONAS
from gateway.audit.entry import ASKER, read_leaf
from gateway.cli import main
from gateway.cli.demo import Demo
from gateway.web.cookies import SESSION
from tests.e2e.asking import Asker
from tests.e2e.browsing import Browser, browsing, session_of
from tests.e2e.test_audit_matters import in_pairs
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
async def asked(asker: Asker, own: None) -> list[int]:
    """Officers of two agencies have asked, one of them for himself; the first entry of each. The
    sergeant does so for nobody, and is refused: that is drawn, too."""
    ids = []
    for who, plate in (("RO", OWN), ("RO", "ZZ97 QRS"), ("SG", "ZZ97 QRS"), ("AO", "ZZ97 QRS")):
        answer = await asker.ask(who, VEHICLE, {"v": plate}, purpose="OFFICER_SAFETY", reason="R02")
        assert answer.status == (403 if who == "SG" else 200), answer.body
        ids.append(answer.body["extensions"]["receipt"]["queryId"])
    await seen(asker)
    first: dict[str, int] = {}
    for number, leaf in await leaves(asker.demo):
        first.setdefault(leaf.get("request_id", ""), number)
    return [first[one] for one in ids]


async def leaves(demo: Demo) -> list[tuple[int, dict[str, Any]]]:
    log = demo.started.log
    return [(number, read_leaf(await log.leaf(number))) for number in range(log.size)]


async def announced(at: Browser, until: datetime, count: int, by: str) -> str:
    """A sample of the last hours up to a moment; its address."""
    await at.open(SAMPLES)
    since = f"{until - timedelta(hours=6):%Y-%m-%dT%H:%M}"
    form = {"since": since, "until": f"{until:%Y-%m-%dT%H:%M:%S}", "count": count, "strata": by}
    reply = await at.post(SAMPLES, form)
    assert reply.status_code == 303, reply.text
    return str(reply.headers["location"])


async def drawn(at: Browser, path: str) -> str:
    """The page of a sample, once the witnesses have decided it."""
    ends = time.monotonic() + 60
    while "Not drawn yet" in (await at.open(path)).text:
        assert time.monotonic() < ends, "it is not drawn"
        await at.demo.started.oversight.sampling.turn()
        await asyncio.sleep(0.1)
    return at.page


def entries(page: str) -> set[int]:
    return set(map(int, re.findall(r'href="/console/audit/entry/(\d+)"', page)))


def reviews(page: str) -> dict[int, str]:
    """Entry -> where it is reviewed, by a page of a sample."""
    rows = re.findall(r'entry/(\d+)".*?href="(/reviews/[^"]+)"', page, re.DOTALL)
    return {int(entry): path for entry, path in rows}


@pytest.fixture(scope="module")
async def sample(demo: Demo, asker: Asker, asked: Sequence[int]) -> str:
    """All that was asked of late, as the external auditor has it drawn; its address."""
    async with sits(demo, asker, "AU") as at:
        path = await announced(at, datetime.now(UTC) + timedelta(seconds=1), 500, "roles")
        await drawn(at, path)
    return path


async def test_AU_20_a_later_checkpoint_decides_a_sample_and_anybody_draws_it_again(
    demo: Demo, asker: Asker, sample: str, asked: Sequence[int], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    async with sits(demo, asker, "AU") as at:
        later = await announced(at, datetime.now(UTC) + timedelta(hours=1), 9, "app")
        await demo.started.oversight.sampling.turn()
        assert "It is drawn by the first checkpoint" in (await at.open(later)).text
        page = (await at.open(sample)).text
        assert set(asked) <= entries(page)
    note = re.search(r'aria-label="The checkpoint"><code>(.*?)</code>', at.page, re.DOTALL)
    told = re.search(
        r'aria-label="The command" class="wrap"><code>portcullis (.*?)</code>', at.page
    )
    assert note
    assert told
    (tmp_path / "kept.note").write_text(note[1])
    (tmp_path / "log.pub").write_text(demo.started.log.verifier)
    places = {
        "LOG": str(demo.started.settings.audit_dir),
        "witnesses.policy": str(demo.started.settings.audit_witnesses),
        **{name: str(tmp_path / name) for name in ("kept.note", "log.pub")},
    }
    given = [places.get(word, word) for word in told[1].split()]
    assert await asyncio.to_thread(main, [*given, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["seed"] in page
    drawn = {one["index"] for one in again["sample"]}
    who = PERSONAS["AU"]  # what they asked themselves is not shown to them
    mark = demo.started.gate.audit.mark(f"{demo.stack.issuer_url}/{who.issuer}", who.sub)
    leaves = {n: read_leaf(await demo.started.log.leaf(n)) for n in drawn}
    own = {n for n, leaf in leaves.items() if leaf["who"]["actor"].startswith(mark)}
    assert drawn - own == entries(page)
    assert await asyncio.to_thread(main, [*given[:-4], "--count", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["seed"] != again["seed"]


async def test_a_drawn_query_is_reviewed_by_a_supervisor_and_by_an_auditor_of_its_agency(
    demo: Demo, asker: Asker, sample: str, asked: Sequence[int]
) -> None:
    by_ro, _, by_sg, by_scp = asked
    async with sits(demo, asker, "AU") as at:
        paths = reviews((await at.open(sample)).text)
        assert "sealed for SCP" in (await at.open(paths[by_scp])).text
    async with sits(demo, asker, "SG", use="") as at:
        assert 'aria-current="page">Reviews' in (await at.open("/reviews")).text
        page = (await at.open(paths[by_ro])).text
        for text in ("A reason in words for the test", PERSONAS["RO"].sub, "R02"):
            assert text in page, text
        assert OWN not in page  # what was searched for is the auditors' to read
        for other in (by_sg, by_scp):  # her own, and another agency's
            assert (await at.get(paths[other])).status_code == 404
            await at.open("/reviews")
            assert (await at.post(paths[other], SAID)).status_code == 404
        await at.open(paths[by_ro])
        assert "The review is in the record." in (await at.send(paths[by_ro], SAID)).text
        assert (await at.get(sample)).status_code == 403
    async with sits(demo, asker, "AF") as at:
        page = (await at.open(sample)).text
        assert {by_ro, by_sg} <= entries(page)
        assert by_scp not in entries(page)
        assert (await at.get(paths[by_scp])).status_code == 404
        page = (await at.open(paths[by_ro])).text
        assert SAID["note"] in page
        await at.send(paths[by_ro], {**SAID, "outcome": "UNCLEAR", "quality": "1"})
        page = (await at.open(sample)).text
        assert "found the same of 0 of 1" in page
    async with sits(demo, asker, "PS") as at:
        assert (await at.open(paths[by_ro])).url.path == "/console/audit/pairs"  # not alone
        await in_pairs(asker, "OVERSIGHT")
        await at.open(paths[by_ro])
        await at.send(paths[by_ro], {**SAID, "outcome": "REFERRED", "note": "In confidence"})
        assert "Professional standards" in (await at.open(sample)).text
    async with sits(demo, asker, "AF") as at:
        for path in (sample, paths[by_ro]):
            page = (await at.open(path)).text
            assert "In confidence" not in page
            assert "rofessional standards, reason" not in page
    evidence = demo.started.reading.inquiry.evidence
    every = [(number, leaf) for number, leaf in await leaves(demo) if "review" in leaf]
    parts = [(leaf, await evidence.part(leaf, number, ASKER, "NMC")) for number, leaf in every]
    said = [(leaf, part["review"]) for leaf, part in parts if part]
    mine = [(leaf, found) for leaf, found in said if found["entry"] == by_ro]
    assert [found["level"] for _, found in mine] == ["SUPERVISOR", "AUDITOR", "STANDARDS"]
    assert {leaf["view"]["use"] for leaf, _ in mine} == {"OVERSIGHT"}
    for leaf, _ in mine:  # what every reader of /audit/log has
        assert set(leaf["review"]) == {"origin", "sample"}
        for word in (SAID["note"], "JUSTIFIED", "UNCLEAR", "REFERRED", "STANDARDS"):
            assert word not in str(leaf)


async def test_misuse_is_queued_opened_reviewed_and_seen_by_no_other_agency(
    demo: Demo, asker: Asker, asked: Sequence[int]
) -> None:
    async with sits(demo, asker, "AF", use="COMPLAINT") as at:
        page = (await at.open(f"{QUEUE}?days=7&kind=self")).text
        ends = time.monotonic() + 60
        while "is being made" in page:
            assert time.monotonic() < ends
            await asyncio.sleep(0.2)
            page = (await at.open(f"{QUEUE}?days=7&kind=self")).text
        assert "for their own vehicle" in page
        assert "The staff feed of NMC does not tell of" in page
        assert "SCP has connected" not in page
        link = re.search(r'href="([^"]+)">Asked for oneself', at.page)
        assert link
        page = (await at.open(link[1])).text
        assert PERSONAS["RO"].sub in page
        assert asked[0] in entries(page)
        form = {**SAID, "outcome": "REFERRED", "do": "review", "entry": str(asked[0])}
        page = (await at.send(link[1], form)).text
        assert "Recorded of 1 search." in page
    async with sits(demo, asker, "AU") as at:
        page = (await at.open(f"{QUEUE}?days=7")).text
        assert "SCP has connected no staff feed" in page
        page = (await at.open(link[1])).text
        assert "sealed for NMC" in page
        assert PERSONAS["RO"].sub not in page
    scp = asker.saying("AO", roles=["force_auditor"])
    made = await session_of(demo, await scp.token("AO"))
    await demo.started.office.store.use_session(made.digest, "OVERSIGHT")
    async with browsing(demo) as at:
        at.cookies[SESSION] = made.number
        assert "Asked for oneself or the own family, case" not in (await at.open(QUEUE)).text
        assert (await at.get(link[1])).status_code == 404
    views = [leaf.get("view", {}) for _, leaf in await leaves(demo)]
    looks = [one for one in views if one.get("page") in ("misuse", "misuse_case")]
    assert {one["use"] for one in looks if one["as"] == "force_auditor"} == {
        "COMPLAINT", "OVERSIGHT",
    }  # fmt: skip
    opened = [one for one in looks if one["page"] == "misuse_case" and one["rows"]]
    assert {one["kind"] for one in opened} == {"self"}
