"""Pairs, questions and recalls through the whole gateway: its pages, /audit and /casework alike."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.population import Agency, Population
from gateway.audit.entry import read_leaf
from gateway.cli import main
from gateway.web.cookies import SESSION
from tests.e2e.asking import Asker
from tests.e2e.browsing import Browser, browsing, session_of
from tests.e2e.test_audit_reading import look, seen
from tests.e2e.test_casework import Desk, about
from tests.e2e.test_casework import seen as shown
from tests.e2e.test_queries import shared


@asynccontextmanager
async def at_pages(asker: Asker, persona: str, use: str = "") -> AsyncIterator[Browser]:
    """Somebody who is signed in, and has said for what they look."""
    made = await session_of(asker.demo, await asker.token(persona))
    await asker.demo.started.office.store.use_session(made.digest, use)
    async with browsing(asker.demo) as browser:
        browser.cookies[SESSION] = made.number
        yield browser


async def in_pairs(asker: Asker, use: str) -> None:
    """A colleague agrees that PS looks, for this use."""
    async with at_pages(asker, "PS", use) as ps, at_pages(asker, "PSB", use) as other:
        await ps.open("/console/audit/pairs")
        await ps.send("/console/audit/pairs", {"words": "Part of the day's work."})
        await other.open("/console/audit/pairs")
        first = re.search(r'<li class="card task" id="([^"]+)"', other.page)  # what waits
        assert first is not None
        reply = await other.send(f"/console/audit/pairs/{first[1]}", {"answer": "AGREED"})
        assert reply.status_code == 200


async def refused(asker: Asker, who: str) -> list[int]:
    """The refusals that somebody finds."""
    answer = await look(asker, who, "search", use="OVERSIGHT", sought={"kind": "D"})
    return [row["index"] for row in answer.data["search"]["rows"]]


async def test_professional_standards_are_refused_alone_and_nobody_ordinary_sees_that(
    asker: Asker,
) -> None:
    log = asker.demo.started.log
    at = log.size
    for document in ("search", "export", "receipts"):
        answer = await look(asker, "PS", document, use="COMPLAINT")
        assert (answer.status, answer.code) == (403, "REFUSED")
    async with at_pages(asker, "PS", "COMPLAINT") as ps:
        assert (await ps.get("/desk")).status_code == 403  # a page of others
        size = log.size
        leaves = [read_leaf(await log.leaf(number)) for number in range(at, size)]
        assert [leaf["rule"] for leaf in leaves] == ["audit.pair"] * 3 + ["pages.role"]
        assert {leaf["view"]["as"] for leaf in leaves} == {"professional_standards"}
        await seen(asker)
        assert not set(await refused(asker, "AF")) & set(range(at, size))
        assert set(await refused(asker, "AU")) >= set(range(at, size))
        await ps.open("/console/audit/pairs")
        assert (await ps.send("/console/audit/pairs", {"words": "Who looked?"})).status_code == 200
        first = re.search(r'<li class="card task" id="([^"]+)"', ps.page)  # what waits
        assert first is not None
        answer_at = f"/console/audit/pairs/{first[1]}"
        assert (await ps.post(answer_at, {"answer": "AGREED"})).status_code == 404
    async with at_pages(asker, "PSB", "OVERSIGHT") as other:
        await other.open("/console/audit/pairs")
        assert (await other.send(answer_at, {"answer": "AGREED"})).status_code == 200
    rows = (await look(asker, "PS", "search", use="COMPLAINT")).data["search"]["rows"]
    assert set(range(at, size)) <= {row["index"] for row in rows}
    listed = (await look(asker, "PSB", "pairs", use="COMPLAINT")).data["pairs"]
    assert [(one["state"], one["mayEnd"]) for one in listed if one["id"] == first[1]] == [
        ("AGREED", True),
    ]  # fmt: skip
    for who in ("AF", "AU"):
        assert (await look(asker, who, "pairs", use="COMPLAINT")).code == "REFUSED"
        answer = await look(asker, who, "end_pair", use="COMPLAINT", id=first[1])
        assert answer.code == "REFUSED"
    assert (await look(asker, "PSB", "end_pair", use="COMPLAINT", id="nothing")).status == 400
    answer = await look(asker, "PSB", "end_pair", use="COMPLAINT", id=first[1])  # either of the two
    assert (answer.data["endPair"]["state"], answer.data["endPair"]["id"]) == ("ENDED", first[1])
    ended = read_leaf(await log.leaf(log.size - 1))
    assert ended["view"]["page"] == "pair_ended"
    assert (await look(asker, "PS", "search", use="COMPLAINT")).code == "REFUSED"
    assert (await look(asker, "PS", "search", use="RIGHTS")).code == "REFUSED"
    assert (await look(asker, "PSB", "search", use="COMPLAINT")).code == "REFUSED"


async def test_an_agreement_is_listed_and_ended_from_the_command_line(
    asker: Asker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await in_pairs(asker, "RIGHTS")
    token = tmp_path / "token"
    token.write_text(await asker.token("PS"))
    at = ["--use", "RIGHTS", "--token", str(token), "--url", f"{asker.demo.url}/audit"]

    async def run(*words: str) -> list[dict[str, Any]]:
        assert await asyncio.to_thread(main, ["audit", "pairs", *words, *at]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    (held,) = [one for one in await run() if (one["use"], one["state"]) == ("RIGHTS", "AGREED")]
    assert (await look(asker, "PS", "search", use="RIGHTS")).status == 200
    (ended,) = await run("--end", held["id"])
    assert (ended["id"], ended["state"], ended["endedBy"]) == (held["id"], "ENDED", held["by"])
    assert (await look(asker, "PS", "search", use="RIGHTS")).code == "REFUSED"
    with pytest.raises(SystemExit, match="no such agreement"):
        await run("--end", held["id"])


async def test_AU_13_another_agency_s_body_is_404_to_all_but_who_was_agreed_to(
    asker: Asker,
) -> None:
    text, plate = "query Look($v: Vrm!) { vehicle(vrm: $v) { owner vrm } }", "ZZ97 QRS"
    asked = await asker.ask("RO", text, {"v": plate}, purpose="OFFICER_SAFETY", reason="R02")
    number = str(asked.body["extensions"]["receipt"]["logEntry"])
    await seen(asker)
    async with at_pages(asker, "AU", "COMPLAINT") as au:
        await au.open("/console/audit/matters")
        given = {"kind": "UNSEALING", "entry": number, "words": "A complaint."}
        matter = (await au.post("/console/audit/matters", given)).headers["location"]
        assert (await au.get(f"{matter}/body")).status_code == 404
        scp = asker.saying("AO", roles=["force_auditor"])
        async with at_pages(scp, "AO", "OVERSIGHT") as other:
            await other.open("/console/audit/matters")
            for path in (matter, "/console/audit/matters/nothing"):
                assert (await other.get(path)).status_code == 404
                await other.open("/console/audit/matters")
                said = {"answer": "AGREED", "words": "Yes."}
                assert (await other.post(path, said)).status_code == 404
                await other.open("/console/audit/matters")
        async with at_pages(asker, "AF", "OVERSIGHT") as af:
            await af.open(matter)
            reply = await af.send(matter, {"answer": "AGREED", "words": "Yes."})
            assert reply.status_code == 200
            assert (await af.get(f"{matter}/body")).status_code == 403
        size = asker.demo.started.log.size
        assert (await au.get(f"{matter}/body")).status_code == 200
        assert plate.replace(" ", "") in au.page
        leaf = read_leaf(await asker.demo.started.log.leaf(size))
        assert (leaf["view"]["page"], leaf["view"]["use"]) == ("unsealed", "COMPLAINT")


@pytest.fixture(scope="module")
async def record(asker: Asker, population: Population) -> Mapping[str, Any]:
    """A report of ERU's that an officer of NCB was shown."""
    report = shared(population, Agency.ERU, mixed=True)
    asked = ("NO", about(population, report), report.urn, "OIC_INVESTIGATION", "R08")
    ref = (await shown(asker, *asked))["ref"]
    opened = asker.demo.started.gate.refs.open("NCB", ref)
    assert opened is not None
    return {"ref": ref, "record": f"{opened[0]} {opened[1]}", "key": str(opened[2])}


async def test_a_recall_comes_as_a_notice_that_a_desk_acknowledges(
    asker: Asker, record: Mapping[str, Any]
) -> None:
    await seen(asker)
    async with at_pages(asker, "DK") as desk:
        await desk.open("/recalls")
        given = {"record": record["record"], "key": record["key"], "said": "It names another one."}
        reply = await desk.send("/recalls", given)
        assert reply.status_code == 200
        assert "1 other agency was shown the record and is told." in desk.page
        ncb = Desk(asker=asker.saying("NO", roles=["desk"]))
        document = "{ notices(first: 200) { id about key subject } }"
        notices = (await ncb.raw("NO", document)).data["notices"]
        (notice,) = [one for one in notices if one["subject"] == reply.url.params["done"]]
        assert notice["about"] == "RECORD_RECALLED"
        assert notice["key"] is None  # that of another agency
        async with at_pages(ncb.asker, "NO") as heard:
            await heard.open("/recalls")
            assert "It names another one." in heard.page
            assert record["ref"] in heard.page
            assert record["key"] not in heard.page
        known = "mutation($id: ID!) { acknowledgeNotice(id: $id) { id } }"
        assert (await ncb.raw("NO", known, id=notice["id"])).data["acknowledgeNotice"]
        await desk.open("/recalls")
        assert ">acknowledged</span>" in desk.card(reply.url.params["done"])
