"""BID, NCB and NIS as real processes over the real population, read through their mapping files."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.conditions import ALWAYS, And, Compare, Condition, Op, Or, all_of
from connectors.rest import RestConnector
from connectors.spi import SourceProtocolError, SourceQuery, SourceResult
from deploy.demo.population import Agency, Birth, Copy, Population
from deploy.demo.services.process import running
from gateway.catalogue.check import check_sources
from gateway.catalogue.forms import utc_text
from gateway.cli.demo import Demo
from gateway.model import Near, Record, State
from tests.e2e.reading import Named, Services, altered, reading

OVERT = And(
    (Compare("retention", Op.IN, ("CURRENT", "REVIEW_DUE")), Compare("silent", Op.EQ, False))
)


@pytest.fixture(scope="module", name="services")
async def fixture_services(demo: Demo) -> AsyncIterator[Services]:
    async with reading(demo, "bid", "ncb", "nis") as services:
        yield services


def known(population: Population, agency: Agency) -> dict[str, Copy]:
    """What an agency holds and would give out, by its own key."""
    return {c.key: c for _, c in population.held_by(agency) if not c.restricted}


def key_of(population: Population, name: str, agency: Agency) -> str:
    return population.golden(name).copies[agency].key


async def test_the_mapping_files_fit_the_services(services: Services) -> None:
    assert await check_sources(services.catalogue, services.sources) == ()


# --- BID ------------------------------------------------------------------------------------------


def _as_known(birth: Birth) -> str | None:
    if birth.year is None:
        return None
    if birth.month is None or (birth.month, birth.day) == (1, 1):
        return f"{birth.year:04}"
    day = "" if birth.day is None else f"-{birth.day:02}"
    return f"{birth.year:04}-{birth.month:02}{day}"


async def test_bid_dates_of_birth_in_parts_and_default_birthdays(
    services: Services, population: Population
) -> None:
    copies = known(population, Agency.BID)
    found = await services.by("bid", "Person", "native_key", copies)
    assert len(found) == len(copies)
    read = {record.key: record.values["date_of_birth"] for record in found}
    assert read == {key: _as_known(copy.birth) for key, copy in copies.items()}
    default = [c for c in copies.values() if (c.birth.month, c.birth.day) == (1, 1)]
    assert default
    assert [c for c in copies.values() if c.birth.year and c.birth.month is None]
    # a date is known to be claimed by the claimed name that stands beside it
    claimed = {
        key
        for key, copy in copies.items()
        if copy.birth.claimed and {copy.name.kind} & {"LEGAL", "CLAIMED"}
    }
    assert claimed
    assert claimed <= {r.key for r in found if r.values["dob_claimed"]}


async def test_bid_a_claimed_birthday_is_found_by_any_date_of_its_year(
    services: Services, population: Population
) -> None:
    arben = key_of(population, "GOLD-1", Agency.BID)

    async def asked(dob: str) -> set[Any]:
        named = Compare("names.family", Op.EQ, "Hoxhaj")
        where = all_of((named, Compare("date_of_birth", Op.EQ, dob)))
        return {r.key for r in (await services.read("bid", "Person", where)).records}

    for dob in ("1991", "1991-04", "1991-04-17", "1991-01-01"):
        assert arben in await asked(dob)
    for dob in ("1990", "1992-01-01"):
        assert arben not in await asked(dob)


async def test_bid_nationalities_and_status_codes(
    services: Services, population: Population
) -> None:
    truth = {c.key: person for person, c in population.held_by(Agency.BID)}
    found = await services.by("bid", "Person", "native_key", known(population, Agency.BID))
    unsaid = 0
    for record in found:
        person = truth[str(record.key)]
        (nationality,) = record.values["nationalities"]
        assert nationality["claimed"] is True
        assert nationality["country"] in {person.nationality, None}
        unsaid += nationality["country"] is None
        (status,) = record.values["immigration"] or [{"status": None}]
        held = person.immigration
        assert status["status"] == (held.status if held else None)
        if held:
            assert status["absconder"] is (held.status == "ABSCONDER")
            assert status["expiry"] == (held.expiry.isoformat() if held.expiry else None)
    assert 0 < unsaid < len(found) / 10  # XXA and XXX say that there is none to give


async def test_bid_a_restricted_person_is_exactly_like_none(
    services: Services, population: Population
) -> None:
    hidden = [(p, c) for p, c in population.held_by(Agency.BID) if c.restricted]
    assert hidden
    nobody = await services.read("bid", "Person", Compare("native_key", Op.EQ, "BP999999999"))
    assert (nobody.state, nobody.records, nobody.detail) == (State.ANSWERED, (), "")
    nothing = replace(nobody, elapsed_s=0)
    for person, copy in hidden:
        by_key = Compare("native_key", Op.EQ, copy.key)
        by_number = Compare("identifiers.value", Op.EQ, copy.key)
        for where in (by_key, by_number):
            seen = await services.read("bid", "Person", where)
            assert replace(seen, elapsed_s=0) == nothing
        met = await services.read("bid", "Encounter", Compare("person_key", Op.EQ, copy.key))
        assert replace(met, elapsed_s=0) == nothing
        family = Compare("names.family", Op.EQ, copy.name.family)
        named = all_of((family, Compare("names.given", Op.EQ, copy.name.given)))
        found = await services.read("bid", "Person", named)
        assert copy.key not in {r.key for r in found.records}, person.truth_id


async def test_bid_encounters_of_a_beach_and_a_day(
    services: Services, population: Population
) -> None:
    """The inspectors' list: who was not debriefed, on one beach, between two moments."""
    landed = population.landings[0]
    start = landed.at.replace(hour=0, minute=0, second=0)
    copies = {p.truth_id: c for p, c in population.held_by(Agency.BID) if not c.restricted}
    there = [
        met
        for met in population.encounters
        if met.person in copies
        and met.site.name == landed.site.name
        and 0 <= (met.at - start).total_seconds() < 86_400
    ]
    assert there

    def asked(*more: Condition) -> Condition:
        until = utc_text(start.replace(hour=23, minute=59, second=59))
        return all_of(
            (
                Compare("when", Op.GTE, utc_text(start)),
                Compare("when", Op.LT, until),
                Compare("where.name", Op.EQ, landed.site.name),
                *more,
            )
        )

    found = await services.read("bid", "Encounter", asked())
    assert {r.values["event_ref"]: r.values["when"] for r in found.records} == {
        met.ref: utc_text(met.at) for met in there
    }
    undone = await services.read("bid", "Encounter", asked(Compare("debrief", Op.EQ, "NONE")))
    assert {r.values["event_ref"] for r in undone.records} == {
        met.ref for met in there if met.debrief == "NONE"
    }
    for record in found.records:
        assert record.values["where"][0]["postcode"] == landed.site.postcode
        for device in record.values["devices"]:
            assert device["phone"].startswith("+")


async def test_bid_is_not_asked_what_it_would_refuse(
    services: Services, population: Population
) -> None:
    family = Compare("names.family", Op.EQ, "Hoxhaj")
    broad = await services.read("bid", "Person", family)
    assert (broad.state, broad.records, broad.truncated) == (State.NOT_ASKED, (), True)
    arben = key_of(population, "GOLD-1", Agency.BID)
    both = await services.read(
        "bid", "Person", Or((family, Compare("identifiers.value", Op.EQ, arben)))
    )
    assert ([r.key for r in both.records], both.truncated) == ([arben], True)
    half = await services.read("bid", "Encounter", Compare("when", Op.GTE, "2026-01-01T00:00:00Z"))
    assert half.state is State.NOT_ASKED


async def test_bid_a_number_that_two_bear_finds_both(
    services: Services, population: Population
) -> None:
    where = Compare("identifiers.value", Op.EQ, "BA4417093")
    found = await services.read("bid", "Person", where)
    assert {r.key for r in found.records} == {
        key_of(population, name, Agency.BID) for name in ("GOLD-1", "GOLD-4")
    }


class _Watched(RestConnector):
    """A REST connector that remembers what it was asked."""

    asked: list[SourceQuery]

    async def fetch(self, query: SourceQuery) -> SourceResult:
        self.asked.append(query)
        return await super().fetch(query)


async def test_bid_is_visited_with_twenty_keys_at_once(
    services: Services, population: Population
) -> None:
    copies = known(population, Agency.BID)
    keys = tuple(copies)[:45]
    connection = services.catalogue.sources["bid"].connection
    watched = _Watched.from_config(connection, Named(services.secrets))
    watched.asked = []
    through = replace(services, sources={"bid": watched})
    found = await through.by("bid", "Person", "native_key", keys)
    await watched.aclose()
    assert [r.key for r in found] == sorted(keys)
    sizes = [len(q.where.value) for q in watched.asked if isinstance(q.where, Compare)]  # type: ignore[arg-type]
    assert sorted(sizes) == [5, 20, 20]


async def test_bid_429_is_waited_for_and_otherwise_said(
    services: Services, population: Population, tmp_path: Path
) -> None:
    from deploy.demo.agencies.bid import write_bid

    write_bid(tmp_path / "bid.json", population)
    keys = tuple(known(population, Agency.BID))[:100]
    where = Compare("native_key", Op.IN, keys)
    limited = ("--data", str(tmp_path / "bid.json"), "--rate", "3")
    async with running("deploy.demo.services.bid", *limited) as url:
        async with altered(services, "bid", url=url) as patient:
            began = time.monotonic()
            found = await patient.read("bid", "Person", where)  # five requests
            assert (len(found.records), found.state) == (100, State.ANSWERED)
            assert time.monotonic() - began > 0.9
        async with altered(services, "bid", url=url, timeout_s=0.5) as hasty:
            found = await hasty.read("bid", "Person", where)
            assert (found.records, found.state) == ((), State.RATE_LIMITED)
        async with altered(services, "bid", url=url, rate_per_s=2) as polite:
            found = await polite.read("bid", "Person", Compare("native_key", Op.IN, keys[:60]))
            assert found.state is State.ANSWERED


# --- NCB ------------------------------------------------------------------------------------------


async def test_ncb_birth_ranges_intersect(services: Services, population: Population) -> None:
    arben = key_of(population, "GOLD-1", Agency.NCB)

    async def asked(dob: str) -> dict[Any, Any]:
        named = Compare("names.family", Op.EQ, "Hoxha")
        where = all_of((named, Compare("date_of_birth", Op.EQ, dob)))
        found = await services.read("ncb", "Person", where)
        return {r.key: r.values["date_of_birth"] for r in found.records}

    for dob in ("1991-04", "1990-01-01", "1991-12-31", "1991", "1991-04-17"):
        assert (await asked(dob))[arben] == "1990/1991"
    for dob in ("1989-12-31", "1992", "1992-01-01"):
        assert arben not in await asked(dob)


async def test_ncb_refusals_come_with_status_200_and_are_faults(
    services: Services, population: Population
) -> None:
    keys = tuple(known(population, Agency.NCB))
    async with altered(services, "ncb", page_size=26) as greedy:
        few = SourceQuery(
            query_id="q",
            relation="disruptions",
            columns=("guid",),  # more of them would make the page shorter
            key="guid",
            where=ALWAYS,
            guard=ALWAYS,
            limit=100,
            timeout_s=20.0,
        )
        with pytest.raises(SourceProtocolError, match="PAGE_LIMIT"):
            await greedy.sources["ncb"].fetch(few)
    # the whole of a full page of nominals is too complex: fewer are asked for at a time
    found = await services.read("ncb", "Person", Compare("native_key", Op.IN, keys))
    assert [r.key for r in found.records] == sorted(keys)
    async with altered(services, "ncb", max_complexity=5000) as careless:
        found = await careless.read("ncb", "Person", Compare("native_key", Op.IN, keys))
        assert (found.state, found.records) == (State.FAULT, ())
        assert "COMPLEXITY_LIMIT" in found.detail


async def test_ncb_postures_are_silence_and_the_overt_warning_is_the_owners(
    services: Services, population: Population
) -> None:
    copies = known(population, Agency.NCB)
    found = await services.by("ncb", "Person", "native_key", copies)
    assert {r.key for r in found if r.values["silent"]} == {
        key for key, copy in copies.items() if copy.silent
    }
    sorin = key_of(population, "GOLD-5", Agency.NCB)
    (record,) = [r for r in found if r.key == sorin]
    (warning,) = record.values["warnings"]
    assert (warning["kind"], warning["reason"]) == (
        "WEAPONS",
        "May carry a knife. Approach with a colleague.",
    )
    where = Compare("native_key", Op.EQ, sorin)
    assert (await services.read("ncb", "Person", where, guard=OVERT)).records == ()


async def test_ncb_referrals_stand_behind_the_firewall(
    services: Services, population: Population
) -> None:
    copies = {p.truth_id: c.key for p, c in population.held_by(Agency.NCB)}
    referred = {copies[r.person]: r.state for r in population.referrals if r.person in copies}
    found = await services.by("ncb", "Person", "native_key", copies.values())
    assert {r.key: r.values["safeguarding"][0]["state"] for r in found if r.values["victim"]} == (
        referred
    )
    assert all(not r.values["safeguarding"] for r in found if not r.values["victim"])
    assert referred[key_of(population, "GOLD-1", Agency.NCB)] == "OPEN"


async def test_ncb_groups_members_and_disruptions(
    services: Services, population: Population
) -> None:
    copies = {p.truth_id: c.key for p, c in population.held_by(Agency.NCB)}
    groups = {g.refs[Agency.NCB]: g for g in population.groups if Agency.NCB in g.refs}
    found = await services.read("ncb", "OrganisedGroup")
    keys = {r.key: r.values["group_ref"] for r in found.records}
    assert set(keys.values()) == set(groups)
    for record in found.records:
        group = groups[record.values["group_ref"]]
        read = record.values
        assert (read["attribute_band"], read["investigation"], read["lead_agency"]) == (
            group.attribute_band,
            group.investigation,
            group.lead,
        )
        assert sum(read["thematic_scores"][0].values()) == read["thematic_total"]
    expected = {
        (copies[m.person], ref, m.role, m.confidence)
        for ref, group in groups.items()
        for m in group.members
        if m.person in copies
    }

    def said(members: Iterable[Record]) -> set[tuple[Any, ...]]:
        return {
            (v["person_key"], keys[v["group_key"]], v["role"], v["confidence"])
            for v in (m.values for m in members)
        }

    assert said(await services.by("ncb", "GroupMembership", "group_key", keys)) == expected
    one = next(iter(expected))[0]
    assert said(await services.by("ncb", "GroupMembership", "person_key", [one])) == {
        member for member in expected if member[0] == one
    }
    done = await services.by("ncb", "Disruption", "group_key", keys)
    grades = Counter(
        (d.strand, d.grade)
        for d in population.disruptions
        if Agency.NCB in d.claimed_by and any(g.ref == d.group for g in groups.values())
    )
    assert Counter((r.values["strand"], r.values["grade"]) for r in done) == grades
    low = Compare("attribute_band", Op.EQ, "LOW")
    gap = all_of((low, Compare("investigation", Op.EQ, "NONE"), Compare("oic", Op.EQ, True)))
    assert {
        r.values["group_ref"] for r in (await services.read("ncb", "OrganisedGroup", gap)).records
    } == {
        ref
        for ref, g in groups.items()
        if g.oic and g.attribute_band == "LOW" and g.investigation == "NONE"
    }


async def test_ncb_phones_and_reports(services: Services, population: Population) -> None:
    arben = key_of(population, "GOLD-1", Agency.NCB)
    asked = And((Compare("kind", Op.EQ, "PHONE"), Compare("value", Op.EQ, "+447700900417")))
    found = await services.read("ncb", "Contact", asked)
    holders = {h["person_key"] for r in found.records for h in r.values["person_keys"]}
    assert arben in holders
    assert {r.values["value"] for r in found.records} == {"+447700900417"}
    reports = [r for r in population.reports if r.agency == Agency.NCB and r.subjects]
    wanted = reports[0].subjects[0]
    key = population.people[wanted].copies[Agency.NCB].key
    read = await services.by("ncb", "IntelligenceReport", "subjects.person_key", [key])
    assert {r.values["urn"] for r in read} == {r.urn for r in reports if wanted in r.subjects}
    paragraphs = {r.urn: [p.handling for p in r.paragraphs] for r in reports}
    for record in read:
        said = [p["handling"] for p in record.values["paragraphs"]]
        assert said == paragraphs[record.values["urn"]]


# --- NIS ------------------------------------------------------------------------------------------


async def test_nis_what_is_to_be_deleted_is_in_no_answer(
    services: Services, population: Population
) -> None:
    by_id = {image.image_id: image for image in population.images}
    subjects = {image.subject for image in population.images}
    found = await services.by("nis", "ImageRef", "subject", subjects)
    kept = {i.image_id for i in population.images if i.retention != "X"}
    assert {r.key for r in found} == kept
    due = {r.key for r in found if r.values["retention"] == "REVIEW_DUE"}
    assert due == {i for i in kept if by_id[i].retention in {"R", "Q"}}
    gone = [i.image_id for i in population.images if i.retention == "X"]
    assert await services.by("nis", "ImageRef", "native_key", gone) == []


async def test_nis_ranks_by_a_stored_image_and_never_shows_a_cohort(
    services: Services, population: Population
) -> None:
    by_id = {image.image_id: image for image in population.images}
    ranked = 0
    gone = [i for i in population.images if i.retention == "X"]
    for probe in [i for i in population.images if i.retention == "H"][:40]:
        near = Near(ref_key=probe.image_id)
        found = await services.read("nis", "FaceCandidate", near=near, limit=10)
        assert found.state is State.ANSWERED, found.detail
        scores = [r.values["\0score"] for r in found.records]
        assert scores == sorted(scores, reverse=True)
        assert [r.values["\0rank"] for r in found.records] == list(range(1, len(scores) + 1))
        for record in found.records:
            ranked += 1
            assert by_id[str(record.key)].retention != "X"
            assert record.key != probe.image_id
            assert not {"cohort", "emb"} & set(record.values)
    assert ranked > 10
    for image in gone[:5]:
        near = Near(ref_key=image.image_id)
        assert (await services.read("nis", "FaceCandidate", near=near)).records == ()
    nothing = await services.read("nis", "FaceCandidate", near=Near(ref_key=""))
    assert (nothing.state, nothing.records) == (State.ANSWERED, ())


async def test_nis_an_image_that_the_guard_hides_is_a_probe_like_none(
    services: Services, population: Population
) -> None:
    due = [Near(ref_key=i.image_id) for i in population.images if i.retention in {"R", "Q"}]
    current = Compare("retention", Op.EQ, "CURRENT")
    ranked = 0
    for near in due[:40]:
        ranked += len((await services.read("nis", "FaceCandidate", near=near)).records)
        hidden = await services.read("nis", "FaceCandidate", near=near, guard=current)
        assert (hidden.state, hidden.records, hidden.alarms) == (State.ANSWERED, (), 0)
    assert ranked


async def test_nis_a_probe_finds_its_person(services: Services, population: Population) -> None:
    from deploy.demo.agencies.nis import embedding

    arben = population.gold["GOLD-1"]
    cohort = next(i.cohort for i in population.images if i.person == arben)
    fan_out_probe = embedding("a new picture", arben, cohort)
    near = Near(handle="one")
    found = await services.read(
        "nis", "FaceCandidate", near=near, limit=5, probe=lambda _handle: fan_out_probe
    )
    first = found.records[0]
    assert first.values["subject"] == f"NMC:{key_of(population, 'GOLD-1', Agency.NMC)}"
    gallery = services.catalogue.sources["nis"].gallery
    assert gallery is not None
    assert first.values["\0score"] >= gallery.threshold == 0.62
