"""8.3: a silent record is in no answer, and its owner learns of the question within seconds."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from deploy.demo.population import Agency, Population, Report
from gateway.audit.entry import owner_part, parts_of, read_leaf
from gateway.audit.verify import verify
from gateway.casework.model import Notice, Told
from gateway.casework.tables import notices
from gateway.cli.demo import Demo
from tests.e2e.asking import Asker
from tests.e2e.test_casework import ref_of

BY_REF = "query($r: OpaqueRef!) { intelligence(ref: $r) { urn text } }"


def reports(population: Population, *, silent: bool) -> list[Report]:
    return [
        report for report in population.reports
        if report.agency is Agency.ERU and report.silent is silent
        and report.governance.retention in ("CURRENT", "REVIEW_DUE")
    ]  # fmt: skip


async def told(demo: Demo, query_id: str) -> list[Notice]:
    """The silent matches that ERU was told of for a query, once nothing waits."""
    await demo.started.tripwires.settled()
    found = await demo.started.office.store.notices_of("ERU", 10_000)
    return [n for n in found if n.about is Told.SILENT_MATCH and n.subject == query_id]


def plain(body: Mapping[str, Any]) -> str:
    """An answer without what differs between any two: its id, its entry, the clock."""
    text = json.dumps(body)
    text = re.sub(r'"(queryId|leafHash|signature|at|asAt)": "[^"]*"', r'"\1": "-"', text)
    return re.sub(r'"(logEntry)": \d+', r'"\1": 0', text)


async def asked(asker: Asker, persona: str, ref: str) -> tuple[dict[str, Any], int]:
    answer = await asker.ask(persona, BY_REF, {"r": ref}, purpose="OIC_INVESTIGATION", reason="R08")
    return dict(answer.body), answer.status


@pytest.mark.parametrize(("persona", "agency"), [("NO", "NCB"), ("AO", "SCP")])
async def test_a_silent_match_tells_the_owner_and_changes_nothing_for_the_officer(
    asker: Asker, demo: Demo, population: Population, persona: str, agency: str
) -> None:
    silent = reports(population, silent=True)[0]
    held, status = await asked(asker, persona, ref_of(demo, agency, silent.urn))
    matched = await told(demo, held["extensions"]["receipt"]["queryId"])
    nothing, plain_status = await asked(asker, persona, ref_of(demo, agency, "ERU/I/99/99999"))
    unmatched = await told(demo, nothing["extensions"]["receipt"]["queryId"])

    assert (plain(held), status) == (plain(nothing), plain_status)
    assert unmatched == []
    (notice,) = matched
    assert (notice.agency, notice.desk, notice.on_call) == ("ERU", "eru-intel", "eru-duty")
    assert notice.asker is not None
    assert notice.asker.agency == agency
    refs = demo.started.gate.refs
    assert refs.open("ERU", notice.record or "") == ("eru", "IntelligenceReport", silent.urn)


async def test_the_log_grows_alike_whether_something_was_found_or_not(
    asker: Asker, demo: Demo, population: Population
) -> None:
    """An officer's next receipt counts the entries: it must not count matches."""
    sizes = []
    for urn in (reports(population, silent=True)[0].urn, "ERU/I/99/99999"):
        await demo.started.tripwires.settled()
        before = demo.started.log.size
        await asked(asker, "NO", ref_of(demo, "NCB", urn))
        await demo.started.tripwires.settled()
        leaves = [
            read_leaf(await demo.started.log.leaf(n)) for n in range(before, demo.started.log.size)
        ]
        sizes.append([(leaf["kind"], leaf.keys()) for leaf in leaves])
        assert urn not in json.dumps(leaves)
        wires = [leaf["tripwire"] for leaf in leaves if "tripwire" in leaf]
        assert wires == [{"of": leaves[0]["request_id"], "resources": ["f0"]}] * 2
    assert sizes[0] == sizes[1]
    assert [kind for kind, _ in sizes[0]] == ["I", "O", "I", "O"]


async def test_what_was_found_is_sealed_for_the_owner_alone(
    asker: Asker, demo: Demo, population: Population
) -> None:
    silent = reports(population, silent=True)[0]
    await asked(asker, "NO", ref_of(demo, "NCB", silent.urn))
    await demo.started.tripwires.settled()
    last = demo.started.log.size - 1
    leaf = read_leaf(await demo.started.log.leaf(last))
    ((name, key_id),) = parts_of(leaf).items()
    assert name == owner_part("ERU")
    assert key_id.startswith("ERU/")
    detail = await demo.started.log.detail(last, name)
    assert detail["found"] == [["f0", "ANSWERED", [silent.urn]]]


async def test_who_may_see_it_trips_nothing_and_an_overt_record_neither(
    asker: Asker, demo: Demo, population: Population
) -> None:
    overt = reports(population, silent=False)[0]
    body, _ = await asked(asker, "NO", ref_of(demo, "NCB", overt.urn))
    assert await told(demo, body["extensions"]["receipt"]["queryId"]) == []


async def test_a_silent_record_beneath_a_person_that_was_found_is_told_too(
    asker: Asker, demo: Demo, population: Population
) -> None:
    silent = next(
        report for report in reports(population, silent=True)
        if (copy := population.people[report.subjects[0]].copies.get(Agency.ERU)) is not None
        and not copy.silent and copy.name.family and copy.birth.day
        and copy.governance.retention == "CURRENT"
    )  # fmt: skip
    copy = population.people[silent.subjects[0]].copies[Agency.ERU]
    born = f"{copy.birth.year:04}-{copy.birth.month:02}-{copy.birth.day:02}"
    answer = await asker.ask(
        "NO",
        """query($n: [PersonCriteria!]!) { personSearch(anyOf: $n, first: 50) { hits { owner
          intelligence { urn } } } }""",
        {"n": [{"family": copy.name.family, "dob": born}]},
        purpose="OIC_INVESTIGATION", reason="R08",
    )  # fmt: skip
    assert answer.hits(owner="ERU")
    assert silent.urn not in json.dumps(answer.body)
    matched = await told(demo, answer.body["extensions"]["receipt"]["queryId"])
    opened = {demo.started.gate.refs.open("ERU", notice.record or "") for notice in matched}
    assert ("eru", "IntelligenceReport", silent.urn) in opened


async def test_a_notice_that_nobody_acknowledges_goes_to_the_desk_on_call_once(
    asker: Asker, demo: Demo, population: Population
) -> None:
    silent = reports(population, silent=True)[0]
    body, _ = await asked(asker, "NO", ref_of(demo, "NCB", silent.urn))
    (notice,) = await told(demo, body["extensions"]["receipt"]["queryId"])
    store, standing = demo.started.office.store, demo.started.office.standing
    async with store._engine.begin() as connection:
        late = update(notices).where(notices.c.id == notice.id)
        await connection.execute(late.values(due_at=datetime.now(UTC)))
    await asyncio.gather(*(standing.tick() for _ in range(3)))
    overdue = [n for n in await store.notices_of("ERU", 10_000) if n.subject == notice.id]
    assert [(n.about, n.desk, n.record) for n in overdue] == [
        (Told.NOTICE_OVERDUE, "eru-duty", notice.record)
    ]


async def test_the_log_with_these_entries_verifies(demo: Demo, asker: Asker) -> None:
    await demo.started.tripwires.settled()
    settings = demo.started.settings
    await asyncio.sleep(1.0)  # tiles and a checkpoint follow
    report = await asyncio.to_thread(
        verify, settings.audit_dir, (settings.audit_keys_dir / "log.pub").read_text()
    )
    assert report.problems == ()
