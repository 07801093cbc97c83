"""8.5: the victim firewall by each of its settings, and its other side, over the real agencies.

The deployed setting is the wall. Two gateways of this module's own ask the same agencies under the
others; all three make the same refs, so that their answers can be held against each other.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.population import Agency, Copy, Population
from deploy.demo.story import WHO
from gateway.audit.entry import read_leaf
from gateway.casework.model import Notice, Told
from tests.e2e.asking import Answer, Asker
from tests.e2e.owngateway import served
from tests.e2e.test_tripwire import plain as unsigned
from tests.opa import opa, unbounded

PEOPLE = """query($n: [PersonCriteria!]!, $first: Int) { personSearch(anyOf: $n, first: $first) {
  total next hits { ref owner primaryName safeguarding { kind } identifiers { kind value }
  match { band features { name } } } } }"""
BY_REF = "query($r: OpaqueRef!) { person(ref: $r) { owner primaryName } }"
OCCUPANTS = """query($p: Postcode!) { locationSearch(by: {postcode: $p}) {
  ref owner occupants { ref } } }"""
NOBODY = [{"family": "Nosuchperson", "dob": "1991"}]
CONTROL = {"purpose": "IMMIGRATION_CONTROL", "reason": "R04"}
DESK = {"outcome": "HIT", "contact": "public-protection", "action": "call"}


def lowered(folder: Path, setting: str) -> Path:
    """The deployed policies with both hands of the switch turned; and its wall stands before an
    analyst's purpose as well, who follows links that immigration control does not."""

    def turn(switches: dict[str, Any]) -> None:
        switches["firewall"] = setting
        switches["firewall_lowered_by"] = [setting]
        switches["firewall_purposes"].append("PREVENT_DETECT_CRIME")

    return unbounded(folder / "policies", switches=turn)


@pytest.fixture(scope="module")
async def by(
    asker: Asker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Mapping[str, Asker]]:
    """Who asks by each setting."""
    first, second = (tmp_path_factory.mktemp(name) for name in ("protocol", "notify"))
    with (
        opa(await asyncio.to_thread(lowered, first, "protocol")) as one,
        opa(await asyncio.to_thread(lowered, second, "notify")) as two,
    ):
        urls = [f"http://127.0.0.1:{port}" for port in (one, two)]
        common: dict[str, Any] = {"secrets": {}, "same_keys": True, "policy_timeout_s": 5.0}
        async with (
            served(asker.demo, first / "state", opa_url=urls[0], **common) as protocol,
            served(asker.demo, second / "state", opa_url=urls[1], **common) as notify,
        ):
            yield {
                "firewall": asker,
                "protocol": Asker(demo=protocol, client=asker.client),
                "notify": Asker(demo=notify, client=asker.client),
            }


async def find(asker: Asker, who: Any, first: int = 20) -> Answer:
    answer = await asker.ask("IE", PEOPLE, {"n": who, "first": first}, **CONTROL)
    assert answer.status == 200, answer.body
    return answer


def plain(body: Mapping[str, Any]) -> str:
    """An answer without what differs between any two; its watermark names it too."""
    return re.sub(r'"watermark": "[^"]*"', '"watermark": "-"', unsigned(body))


def named(copy: Copy) -> dict[str, Any]:
    """The criteria by which an agency's copy is found, and hardly another's."""
    return {"family": copy.name.family, "dob": str(copy.birth.year)}


def of_victims_alone(population: Population) -> list[dict[str, Any]]:
    """Persons of NMC who are victims there and nothing else, under names that nobody shares."""
    roles: dict[str, set[str]] = {}
    for incident in population.incidents:
        if incident.agency is Agency.NMC:
            for truth, role in incident.participants:
                roles.setdefault(truth, set()).add(role)
    everybody = [c for person in population.people.values() for c in person.copies.values()]
    bearers = [(copy.name.family, copy.birth.year) for copy in everybody]
    return [
        named(copy)
        for truth, held in roles.items()
        if held == {"VICTIM"}
        and (copy := population.people[truth].copies[Agency.NMC]).governance.retention == "CURRENT"
        and list(population.people[truth].copies) == [Agency.NMC]
        and copy.birth.day
        and bearers.count((copy.name.family, copy.birth.year)) == 1
    ]


async def shown_by_notify(by: Mapping[str, Asker], population: Population) -> list[dict[str, Any]]:
    """Those of them whom the matrix would show to immigration enforcement."""
    found = []
    for who in of_victims_alone(population)[:40]:
        if (await find(by["notify"], [who])).hits(owner="NMC"):
            found.append(who)
        if len(found) == 3:
            return found
    raise AssertionError("too few victims are shown by the matrix")


# --- the wall ------------------------------------------------------------------------------------


async def test_behind_the_wall_a_victim_is_like_nobody_to_the_byte(
    by: Mapping[str, Asker], population: Population
) -> None:
    one, *_ = await shown_by_notify(by, population)
    victim, nobody = await find(by["firewall"], [one]), await find(by["firewall"], NOBODY)
    assert victim.hits() == []
    assert plain(victim.body) == plain(nobody.body)
    assert not [e for e in victim.body["extensions"]["disclosure"] if e["outcome"] == "HIT"]


# --- protocol ------------------------------------------------------------------------------------


async def test_by_protocol_a_victim_is_a_hit_for_the_desk_and_nothing_else(
    by: Mapping[str, Asker], population: Population
) -> None:
    one, two, three = await shown_by_notify(by, population)
    wall, told = await find(by["firewall"], [one]), await find(by["protocol"], [one])
    assert told.data == wall.data
    (entry,) = told.said("personSearch.hits", agency="NMC")
    assert entry.items() >= DESK.items()
    assert entry["rule"] == "Person:firewall"
    assert told.state("NMC") == wall.state("NMC") == "ANSWERED"
    rest = [e for e in told.body["extensions"]["disclosure"] if e != entry]
    assert rest == wall.body["extensions"]["disclosure"]
    # Neither how many there are, nor where in the order of pages.
    several = await find(by["protocol"], [one, two, three])
    assert plain(several.body) == plain(told.body)
    assert plain((await find(by["protocol"], [one, two, three], first=1)).body) == plain(told.body)
    assert plain((await find(by["protocol"], NOBODY)).body) == plain(
        (await find(by["firewall"], NOBODY)).body
    )


async def test_by_protocol_what_is_shown_is_what_the_wall_shows(by: Mapping[str, Asker]) -> None:
    """His records at SCP and NCB stand on a victim's role; all the others are shown as ever, and
    none is said to be like one that is not."""
    wall, told = await find(by["firewall"], WHO), await find(by["protocol"], WHO)
    assert {row["owner"] for row in wall.hits()} >= {"NMC", "BID", "ERU"}
    assert told.data == wall.data
    assert {row["owner"] for row in told.hits()}.isdisjoint({"SCP", "NCB"})
    for agency in ("SCP", "NCB"):
        (entry,) = told.said("personSearch.hits", agency=agency)
        assert entry.items() >= DESK.items()
        assert not wall.said("personSearch.hits", agency=agency)
    assert not told.said("safeguarding")


async def test_by_protocol_a_number_finds_the_desk_as_a_name_does(
    by: Mapping[str, Asker], population: Population
) -> None:
    """Of numbers only some kinds may be asked for, which no source can say of rows alone."""
    known: set[str] = set()
    numbers = dict.fromkeys(
        document.number
        for force in (Agency.NMC, Agency.SCP)
        for person, copy in population.held_by(force)
        if person.safeguards
        for document in copy.documents
        if document.kind == "PASSPORT"
    )
    for number in numbers:
        passport = [{"identifier": number}]
        wall, told = await find(by["firewall"], passport), await find(by["protocol"], passport)
        assert told.data == wall.data
        hits = {e["agency"] for e in told.said("personSearch.hits") if e["outcome"] == "HIT"}
        if hits - known:
            rows = (await find(by["notify"], passport)).hits()
            shown = {row["ref"] for row in wall.hits()}
            assert hits == {row["owner"] for row in rows if row["ref"] not in shown}
            known |= hits
        if known >= {"NMC", "SCP"}:
            break
    assert known >= {"NMC", "SCP"}
    hidden = await find(by["protocol"], [{"identifier": "QQ417417A"}])  # a kind not shown to them
    assert not [e for e in hidden.said("personSearch.hits") if e["outcome"] == "HIT"]


async def test_by_protocol_a_ref_opens_nothing(
    by: Mapping[str, Asker], population: Population
) -> None:
    one, *_ = await shown_by_notify(by, population)
    (row,) = (await find(by["notify"], [one])).hits(owner="NMC")
    answers = [
        await by[setting].ask("IE", BY_REF, {"r": row["ref"]}, **CONTROL)
        for setting in ("firewall", "protocol", "notify")
    ]
    assert [a.data["person"] and a.data["person"]["owner"] for a in answers] == [None, None, "NMC"]
    assert answers[0].outcomes("person", agency="NMC") == set()
    assert answers[1].outcomes("person", agency="NMC") == {"HIT"}


async def test_by_protocol_the_log_says_that_such_a_look_was_agreed(
    by: Mapping[str, Asker], population: Population
) -> None:
    counts = {}
    for setting in ("firewall", "protocol"):
        answer = await find(by[setting], NOBODY)
        log = by[setting].demo.started.log
        at = answer.body["extensions"]["receipt"]["logEntry"]
        outcome = read_leaf(await log.leaf(at))
        earlier = [read_leaf(await log.leaf(n)) for n in range(max(0, at - 50), at)]
        (plan,) = [
            leaf["plan"] for leaf in earlier
            if leaf["kind"] == "I" and leaf["request_id"] == outcome["request_id"]
        ]  # fmt: skip
        counts[setting] = plan.get("beside")
    assert counts["firewall"] is None
    assert counts["protocol"] > 1  # each agency that is asked, found or not


async def test_by_protocol_a_linked_victim_is_a_hit_where_it_hangs(
    by: Mapping[str, Asker], population: Population
) -> None:
    """An analyst follows an address that victims and others share to those who live there."""

    def living(answer: Answer) -> dict[str, set[str]]:
        homes = answer.hits("locationSearch", owner="NMC")
        return {home["ref"]: {row["ref"] for row in home["occupants"]} for home in homes}

    kept = Counter(
        occupancy.address.postcode
        for person, _ in population.held_by(Agency.NMC)
        for occupancy in person.occupancies
    )
    few = [
        postcode for postcode, people in kept.items() if 2 < people < 12
    ]  # so that no page is full
    for postcode in few:
        asked = {
            name: await one.ask("RA", OCCUPANTS, {"p": postcode}, purpose="PREVENT_DETECT_CRIME")
            for name, one in by.items()
        }
        everybody = living(asked["firewall"])  # the deployed wall does not stand before this
        others = living(asked["protocol"])
        hidden = sum(len(everybody[home] - others[home]) for home in others)
        hits = asked["protocol"].said("locationSearch.occupants", agency="NMC")
        assert bool(hits) == (hidden > 0)
        if not (hidden and any(others.values())):
            continue
        assert all(entry.items() >= DESK.items() for entry in hits)
        assert all(others[home] <= everybody[home] for home in others)
        assert living(asked["notify"]) == everybody
        assert await notices(by["notify"], "NMC", asked["notify"])
        return
    raise AssertionError("no address is shared by a victim and by somebody else")


# --- notify --------------------------------------------------------------------------------------


async def notices(asker: Asker, agency: str, answer: Answer) -> list[Notice]:
    """What an agency's desk was told of an answer, once nothing waits."""
    await asker.demo.started.tripwires.settled()
    query_id = answer.body["extensions"]["receipt"]["queryId"]
    found = await asker.demo.started.office.store.notices_of(agency, 10_000)
    return [n for n in found if n.subject == query_id and n.about is Told.VICTIM_SHOWN]


async def test_by_notify_the_record_answers_and_its_owners_desk_is_told_each_time(
    by: Mapping[str, Asker], population: Population
) -> None:
    one, *_ = await shown_by_notify(by, population)
    for _ in range(2):
        answer = await find(by["notify"], [one])
        (row,) = answer.hits(owner="NMC")
        assert not answer.said("personSearch.hits", agency="NMC")
        (notice,) = await notices(by["notify"], "NMC", answer)
        assert (notice.desk, notice.on_call) == ("nmc-bureau", "gateway")
        assert notice.due_at is not None
        assert notice.asker is not None
        assert notice.asker.agency == "BID"
        refs = by["notify"].demo.started.gate.refs
        assert refs.open("NMC", notice.record or "") == refs.open("BID", row["ref"])


async def test_by_notify_each_record_shown_is_told_of_and_no_other(
    by: Mapping[str, Asker], population: Population
) -> None:
    answer = await find(by["notify"], WHO)
    wall = await find(by["firewall"], WHO)
    shown = {row["owner"] for row in answer.hits()} - {row["owner"] for row in wall.hits()}
    assert shown == {"SCP", "NCB"}
    for agency in ("NMC", "SCP", "NCB", "BID", "ERU"):
        told = await notices(by["notify"], agency, answer)
        assert len(told) == (len(answer.hits(owner=agency)) if agency in shown else 0)
    assert all(row["safeguarding"] == [] for row in answer.hits())  # silent by every setting
    assert not answer.said("safeguarding")
    # A page has its own: nobody is told of what stands on another.
    three = await shown_by_notify(by, population)
    first = await find(by["notify"], three, first=1)
    assert len(first.hits(owner="NMC")) == 1
    assert len(await notices(by["notify"], "NMC", first)) == 1


async def test_by_the_other_settings_no_owner_is_told(
    by: Mapping[str, Asker], population: Population
) -> None:
    one, *_ = await shown_by_notify(by, population)
    for setting in ("firewall", "protocol"):
        assert await notices(by[setting], "NMC", await find(by[setting], [one])) == []


# --- the other side ------------------------------------------------------------------------------

CRIME = [
    ("RO", "OFFICER_SAFETY"), ("RO", "PREVENT_DETECT_CRIME"), ("RO", "APPREHEND"),
    ("IE", "OFFICER_SAFETY"), ("IEC", "OIC_INVESTIGATION"),
    ("BF", "OFFICER_SAFETY"), ("AO", "OFFICER_SAFETY"),
    ("AO", "BORDER_SECURITY"), ("AO", "OIC_INVESTIGATION"), ("RA", "OIC_INVESTIGATION"),
    ("RA", "PREVENT_DETECT_CRIME"), ("NO", "OFFICER_SAFETY"), ("NO", "PREVENT_DETECT_CRIME"),
    ("NO", "APPREHEND"), ("NO", "OIC_INVESTIGATION"), ("NO", "BORDER_SECURITY"),
]  # fmt: skip
FLAGS = """query($n: [PersonCriteria!]!) { personSearch(anyOf: $n, first: 20) { hits {
  owner primaryName safeguarding { kind } } } }"""


def on_both_sides(population: Population, agency: Agency) -> Copy:
    """Somebody whom this agency knows as a suspect and as a victim, by its roles alone."""
    parts: dict[str, set[str]] = {}
    for incident in population.incidents:
        if incident.agency is agency:
            for truth, role in incident.participants:
                parts.setdefault(truth, set()).add(role)
    bearers = [c.name.family for p in population.people.values() for c in p.copies.values()]
    return min(
        (
            copy
            for truth, roles in parts.items()
            if "VICTIM" in roles
            and roles & {"SUSPECT", "CONVICTED"}
            and (copy := population.people[truth].copies[agency]).governance.retention == "CURRENT"
            and not any(s.owner is agency for s in population.people[truth].safeguards)
            and truth not in population.gold.values()
            and copy.birth.day
        ),
        key=lambda copy: bearers.count(copy.name.family),
    )


def either_way(copy: Copy) -> list[dict[str, Any]]:
    """Saltcoast writes some names without saying which of them is the family's."""
    return [named(copy), named(copy) | {"family": copy.name.given}]


@pytest.mark.parametrize(("persona", "purpose"), CRIME)
async def test_a_suspect_who_is_a_victim_too_is_a_hit_for_the_desk_by_every_agency_that_knows(
    asker: Asker, population: Population, persona: str, purpose: str
) -> None:
    six = population.golden("GOLD-6")
    both = {a.value: on_both_sides(population, a) for a in (Agency.NMC, Agency.SCP)}
    asked = {
        "SCP": either_way(six.copies[Agency.SCP]),  # GOLD-6: referred there, a suspect at NMC
        "NCB": list(WHO),  # GOLD-1: his referral
        "NMC by roles": either_way(both["NMC"]),
        "SCP by roles": either_way(both["SCP"]),
    }
    for whose, who in asked.items():
        answer = await asker.ask(persona, FLAGS, {"n": who}, purpose=purpose, reason="R04")
        assert_hit(answer, whose.split()[0])


def assert_hit(answer: Answer, agency: str) -> None:
    """The desk is named and nothing else told; he is a suspect, so what else is held answers."""
    told = [e for e in answer.said("safeguarding", agency=agency) if e["outcome"] == "HIT"]
    assert told, answer.body
    assert all(entry.items() >= DESK.items() for entry in told)
    rows = answer.hits(owner=agency)
    assert rows
    kinds = {flag["kind"] for row in rows for flag in row["safeguarding"]}
    assert kinds.isdisjoint({"NRM", "VICTIM"})


@pytest.mark.parametrize("persona", ["IE", "BF"])
async def test_border_officers_learn_of_no_victim_but_of_a_suspect_that_an_agency_knows_as_both(
    asker: Asker, population: Population, persona: str
) -> None:
    """Q3's cell and section 8.5: border security is a crime purpose, and a victim who is no suspect
    has not become one by crossing a border."""

    async def ask(who: Sequence[Mapping[str, Any]]) -> Answer:
        return await asker.ask(persona, FLAGS, {"n": who}, purpose="BORDER_SECURITY", reason="R04")

    for agency in (Agency.NMC, Agency.SCP):
        answer = await ask(either_way(on_both_sides(population, agency)))
        assert_hit(answer, agency.value)
    for holder in ("SCP", "NCB"):  # GOLD-1: flagged by the one, referred by the other
        answer = await ask(WHO)
        assert not answer.said("safeguarding", agency=holder)
        assert all(row["safeguarding"] == [] for row in answer.hits(owner=holder))
