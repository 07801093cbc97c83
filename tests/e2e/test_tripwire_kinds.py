"""8.3, Q2 and Q4: whatever stays silent, its owner learns of the question, and the officer nothing.

A question that matches something silent has the same answer as one that matches nothing.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.demo.population import Agency, Copy, Population
from gateway.audit.entry import parts_of, read_leaf
from gateway.casework.model import Notice, Told
from gateway.cli.common import ROOT
from gateway.cli.demo import Demo, running_demo
from tests.e2e.asking import Answer, Asker
from tests.e2e.test_tripwire import plain
from tests.opa import unbounded

PERSON = """query($n: [PersonCriteria!]!) { personSearch(anyOf: $n, first: 20) {
  hits { owner primaryName alerts { kind } } } }"""
PHONE = """query($p: String!) { contactLookup(kind: PHONE, value: $p) { owner
  holders { primaryName } links(kinds: [USES_PHONE]) { kind } } }"""
GROUP = """query($r: String!) { organisedGroups(by: {ref: $r}) { hits { owner ref name } } }"""
BAND = r'"band": "[^"]*"'  # how long a source took; tests.e2e.worlds compares times
NOBODY = {"family": "Nobody", "given": "Nemo", "dob": "1971-02-03"}
FREE = "+447700999999"  # no agency holds it


def silenced(population: Population) -> Population:
    """The world with one more silent copy of a person at BID."""
    people = dict(population.people)
    for id_, person in people.items():
        copy = person.copies.get(Agency.BID)
        if copy and copy.governance.retention == "CURRENT" and whole(copy) and not copy.restricted:
            hidden = replace(copy, silent=True)
            people[id_] = replace(person, copies={**person.copies, Agency.BID: hidden})
            return replace(population, people=people)
    raise AssertionError("nobody at BID could be silent")


def whole(copy: Copy) -> bool:
    """Whether it is found by its own name and date."""
    return bool(copy.name.family and copy.name.given and not copy.noise and born(copy))


def born(copy: Copy) -> str:
    """The day of birth that it holds; "" for none."""
    if copy.birth.earliest and copy.birth.earliest == copy.birth.latest:
        return copy.birth.earliest.isoformat()
    if not copy.birth.day:
        return ""
    return f"{copy.birth.year:04}-{copy.birth.month:02}-{copy.birth.day:02}"


@pytest.fixture(scope="module")
async def border(
    state: Path, population: Population, opa_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Asker, Population]]:
    """BID alone, with somebody discreet."""
    catalogue, world = tmp_path_factory.mktemp("border"), silenced(population)
    (catalogue / "sources").mkdir()
    shutil.copy(ROOT / "deploy/catalogue/entities.toml", catalogue)
    shutil.copy(ROOT / "deploy/catalogue/sources/bid.toml", catalogue / "sources")
    async with (
        running_demo(
            state / "border", world, opa_program, agencies=("bid",), bid_rate=False,
            catalogue=catalogue, policies=unbounded(state / "border-policies"),
        ) as demo,
        httpx.AsyncClient(trust_env=False, timeout=30) as client,
    ):  # fmt: skip
        yield Asker(demo=demo, client=client), world


def silent_person(world: Population, agency: Agency) -> Copy:
    """One of whom others hold least, so that what others say of them differs in nothing."""
    held = [
        (len(person.copies), copy) for person, copy in world.held_by(agency)
        if copy.silent and whole(copy) and copy.governance.retention in ("CURRENT", "REVIEW_DUE")
    ]  # fmt: skip
    return min(held, key=lambda one: one[0])[1]


def named(copy: Copy) -> dict[str, Any]:
    return {"n": [{"family": copy.name.family, "given": copy.name.given, "dob": born(copy)}]}


async def told(demo: Demo, answer: Answer, agency: str) -> set[tuple[str, str, str | int] | None]:
    """What the agency was told that the question would have found: (source, kind, key)."""
    return {demo.started.gate.refs.open(agency, n.record or "") for n in await all_told(
        demo, answer, agency
    )}  # fmt: skip


async def all_told(demo: Demo, answer: Answer, agency: str) -> list[Notice]:
    await demo.started.tripwires.settled()
    of = answer.body["extensions"]["receipt"]["queryId"]
    found = await demo.started.office.store.notices_of(agency, 10_000)
    return [n for n in found if n.about is Told.SILENT_MATCH and n.subject == of]


async def alike(
    asker: Asker, persona: str, query: str, held: dict[str, Any], none: dict[str, Any]
) -> Answer:
    """The answer to a question that matches something silent, which is that of one that matches
    nothing, and leaves as many entries of the same kinds in the log."""
    answers, kinds = [], []
    log, tripwires = asker.demo.started.log, asker.demo.started.tripwires
    for variables in (held, none):
        await tripwires.settled()
        before = log.size
        answers.append(await asker.ask(persona, query, variables, purpose="OIC_INVESTIGATION"))
        await tripwires.settled()
        leaves = [read_leaf(await log.leaf(n)) for n in range(before, log.size)]
        leaves = [leaf for leaf in leaves if leaf["kind"] != "P"]  # of a gateway just begun
        kinds.append([
            (leaf["kind"], sorted(leaf), leaf.get("tripwire", {}).get("resources"),
             [key.partition("/")[0] for key in parts_of(leaf).values()])
            for leaf in leaves
        ])  # fmt: skip
    held_as, none_as = (re.sub(BAND, "", plain(answer.body)) for answer in answers)
    assert held_as == none_as
    assert kinds[0][:2] == kinds[1][:2]
    assert sorted(kinds[0][2:]) == sorted(kinds[1][2:])  # owners' entries are written together
    assert [kind for kind, *_ in kinds[0]][:3] == ["I", "O", "I"]
    assert all(len(sealed) == 1 for _, _, wire, sealed in kinds[0] if wire)
    return answers[0]


async def found_silently(asker: Asker, world: Population, agency: Agency, persona: str) -> None:
    copy = silent_person(world, agency)
    answer = await alike(asker, persona, PERSON, named(copy), {"n": [NOBODY]})
    opened = await told(asker.demo, answer, agency.value)
    key = int(copy.key) if agency is Agency.ERU else copy.key
    assert (agency.value.lower(), "Person", key) in opened
    others = {"ERU", "NCB", "BID", "NMC", "SCP"} - {agency.value}
    assert not [n for other in others for n in await all_told(asker.demo, answer, other)]


@pytest.mark.parametrize(("agency", "persona"), [(Agency.ERU, "NO"), (Agency.NCB, "RA")])
async def test_a_silent_person(
    asker: Asker, population: Population, agency: Agency, persona: str
) -> None:
    await found_silently(asker, population, agency, persona)


async def test_a_discreet_person_at_the_border(border: tuple[Asker, Population]) -> None:
    await found_silently(*border, Agency.BID, "NO")


async def test_q4_a_phone_of_a_silent_operation(asker: Asker, population: Population) -> None:
    copy = next(c for _, c in population.held_by(Agency.ERU) if c.silent and c.phones)
    for persona in ("NO", "AO"):
        answer = await alike(asker, persona, PHONE, {"p": copy.phones[0]}, {"p": FREE})
        (found,) = await told(asker.demo, answer, "ERU")
        assert found is not None
        assert found[:2] == ("eru", "Contact")


async def test_q4_a_silent_person_is_told_of_by_their_phone_as_well(
    asker: Asker, population: Population
) -> None:
    """What leads to the phone itself leads to whoever uses it, by whichever root one asks."""
    copy = next(
        c for _, c in population.held_by(Agency.ERU)
        if c.silent and c.phones and c.governance.retention in ("CURRENT", "REVIEW_DUE")
    )  # fmt: skip
    for persona in ("NO", "AO"):
        answer = await asker.ask(
            persona, PERSON, {"n": [{"phone": copy.phones[0]}]}, purpose="OIC_INVESTIGATION"
        )
        assert ("eru", "Person", int(copy.key)) in await told(asker.demo, answer, "ERU")
        assert not answer.hits(owner="ERU")


async def test_a_silent_group(asker: Asker, population: Population) -> None:
    ref = next(g.refs[Agency.ERU] for g in population.groups if g.silent and Agency.ERU in g.refs)
    answer = await alike(asker, "NO", GROUP, {"r": ref}, {"r": "OCG-0000"})
    assert await told(asker.demo, answer, "ERU") == {("eru", "OrganisedGroup", ref)}
    assert ref not in json.dumps(answer.body)


async def test_a_discreet_alert_is_told_to_the_agency_that_placed_it(
    asker: Asker, population: Population
) -> None:
    """Of an alert for the bureau in a force's records the bureau learns, and the force does not."""
    gold = population.people[population.gold["GOLD-1"]]
    assert any(alert.discreet and alert.owner is Agency.NCB for alert in gold.alerts)
    copy = gold.copies[Agency.NMC]
    asked = {"n": [{"family": copy.name.family, "dob": gold.born.isoformat()}]}
    answer = await asker.ask("RO", PERSON, asked, purpose="OFFICER_SAFETY", reason="R01")
    assert [hit["alerts"] for hit in answer.hits(owner="NMC")]
    assert not answer.said("alerts")
    holders = {found[0] for found in await told(asker.demo, answer, "NCB") if found}
    assert holders
    assert await all_told(asker.demo, answer, "NMC") == []
