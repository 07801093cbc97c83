"""NMC, SCP and ERU as they are: real databases, the whole world, each trap through its mapping."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import islice
from math import cos, hypot, radians
from operator import itemgetter
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import sqlalchemy as sa

from deploy.demo.agencies import nmc, scp
from deploy.demo.agencies.nmc import UNKNOWN_BIRTH
from deploy.demo.agencies.scp_words import FLAGS, NEEDS
from deploy.demo.population import Population
from deploy.demo.world.records import AMBIGUOUS
from deploy.demo.world.truth import Agency, Copy, Person
from gateway.cli.demo import Demo, running_demo
from tests.e2e.asking import Asker
from tests.opa import unbounded

ROOT = Path(__file__).parents[2]
SEEN = frozenset({"CURRENT", "REVIEW_DUE"})
LONG = "Featherstonehaugh-Cholmondeley"
PERSONS = """query Persons($n: [PersonCriteria!]!) { personSearch(anyOf: $n, first: 50) { hits {
  owner primaryName names { kind given family } dateOfBirth dobQuality ageState sex
  nationalities { country claimed } identifiers { kind value } contacts { kind value }
  warnings { kind reason } safeguarding { kind state } retention reviewDate subjectRoles
  addresses { kind location { postcode point { lat lon } } } custody { arrived } } } }"""
NAMES_ONLY = """query Names($n: [PersonCriteria!]!) { personSearch(anyOf: $n, first: 50) {
  hits { owner primaryName } } }"""
INCIDENT = """query Incident($r: String!) { eventSearch(by: {ref: $r}) { hits { owner
  ... on Incident { eventRef when offenceCode flags participants { role } } } } }"""
Hit = dict[str, Any]


@pytest.fixture(scope="module")
async def three(
    state: Path, population: Population, opa_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Demo]:
    """NMC on PostgreSQL, SCP on MariaDB and ERU on SQLite, with a few rows more than the world."""
    catalogue = tmp_path_factory.mktemp("three")
    (catalogue / "sources").mkdir()
    shutil.copy(ROOT / "deploy" / "catalogue" / "entities.toml", catalogue)
    for source in ("eru", "nmc", "scp"):
        file = ROOT / "deploy" / "catalogue" / "sources" / f"{source}.toml"
        shutil.copy(file, catalogue / "sources")
    async with running_demo(
        state / "sql",
        population,
        opa_program,
        agencies=("eru", "nmc", "scp"),
        catalogue=catalogue,
        policies=unbounded(catalogue / "policies"),
    ) as running:
        assert running.stack.notes == ()  # MariaDB is there: the tests require it
        await _more_at_nmc(running)
        _more_at_scp(running)
        yield running


async def _more_at_nmc(running: Demo) -> None:
    url = sa.make_url(running.stack.secrets["NMC_DB_URL"])
    owner = await asyncpg.connect(
        host=str(url.query["host"]), user="postgres", database=url.database
    )
    try:
        for key, surname, forename in (
            ("NM9900001A", nmc.upper(LONG), "PERCIVAL"),
            ("NM9900002B", "CHOLMONDELEY", "PERCIVAL"),
        ):
            await owner.execute(
                "insert into rms.nominal (nom_ref, surname, forename1, forename2, dob, sex_cd,"
                " src_grade, inf_grade, hnd, gpms, ret_cd, rec_dtm)"
                " values ($1, $2, $3, 'JOHN', '1961-02-03', 1, 1, 'A', 'P', 'O', 'A', now())",
                *(key, surname, forename),
            )
    finally:
        await owner.close()


def _more_at_scp(running: Demo) -> None:
    url = sa.make_url(running.stack.secrets["SCP_DB_URL"])
    owner = sa.URL.create("mariadb+pymysql", username="root", database="niche", query=url.query)
    engine = sa.create_engine(owner)
    with engine.begin() as connection:
        for number, name in (
            (990001, "Hoxhá, Ardit"),
            (990002, "Ardit HOXHA"),
            (990003, "Hoxhaj, Ardit"),
        ):
            connection.execute(
                sa.text(
                    "insert into tblPerson (PersonID, FullName, BirthDate, Gender, Flags, Grade,"
                    " Retention, Marking, RecordedUTC) values (:number, :name, '05/06/1979', 'M',"
                    " 0, '1/A/P', 'Current', 'OFFICIAL', '2026-01-01 00:00:00')"
                ),
                {"number": number, "name": name},
            )
    engine.dispose()


@pytest.fixture(scope="module")
async def sql(three: Demo) -> AsyncIterator[Asker]:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        yield Asker(demo=three, client=client)


async def persons(sql: Asker, owner: str, *criteria: Mapping[str, str]) -> list[Hit]:
    """What an agency answers a public protection officer, who may see most."""
    answer = await sql.ask(
        "PP", PERSONS, {"n": list(criteria)}, purpose="PROTECT_VULNERABLE", reason="R07"
    )
    assert answer.status == 200, answer.body
    assert answer.state(owner) in {"ANSWERED", "NOT_ASKED"}, answer.body["extensions"]["sources"]
    return answer.hits(owner=owner)


def nominal(key: str) -> dict[str, str]:
    return {"identifierKind": "FORCE_NOMINAL", "identifier": key}


async def one(sql: Asker, owner: str, key: str) -> Hit:
    [hit] = await persons(sql, owner, nominal(key))
    return hit


def held(
    population: Population, agency: Agency, *, retention: frozenset[str] = SEEN
) -> Iterator[tuple[Person, Copy]]:
    for person, copy in population.held_by(agency):
        if copy.governance.retention in retention:
            yield person, copy


def keys(hits: list[Hit]) -> set[str]:
    return {i["value"] for hit in hits for i in hit["identifiers"] if i["kind"] == "FORCE_NOMINAL"}


# --- NMC -----------------------------------------------------------------------------------------


async def test_the_sentinel_date_is_no_date(sql: Asker, population: Population) -> None:
    unknown = [
        copy
        for _, copy in held(population, Agency.NMC)
        if not (copy.birth.year and copy.birth.month and copy.birth.day)
    ]
    assert unknown
    for copy in unknown[:5]:
        hit = await one(sql, "NMC", copy.key)
        assert (hit["dateOfBirth"], hit["dobQuality"], hit["ageState"]) == (None, None, "UNKNOWN")
        family = nmc.upper(copy.name.family)
        sentinel = {"family": family, "dob": UNKNOWN_BIRTH.isoformat()}
        assert await persons(sql, "NMC", sentinel) == []


async def test_an_alias_is_found_by_either_half_of_its_slash(
    sql: Asker, population: Population
) -> None:
    named = [(c, c.aliases[0]) for _, c in held(population, Agency.NMC) if c.aliases]
    assert named
    for copy, alias in named[:6]:
        for asked in (
            {"family": alias.family, "given": alias.given},
            {"family": alias.family.lower()},
        ):
            hits = await persons(sql, "NMC", asked)
            assert copy.key in keys(hits)
        assert copy.key not in keys(
            await persons(sql, "NMC", {"family": alias.given, "given": alias.family})
        )


@pytest.mark.parametrize(
    "asked",
    [
        {"family": LONG},
        {"family": LONG.upper().replace("-", " "), "given": "Percival"},
        {"family": LONG, "given": "John", "dob": "1961-02"},
        {"familyPrefix": "Featherstone", "givenPrefix": "Perc"},
    ],
)
async def test_a_surname_cut_at_25_answers_for_the_whole(
    sql: Asker, asked: Mapping[str, str]
) -> None:
    [hit] = await persons(sql, "NMC", asked)
    assert hit["names"][0]["family"] == "FEATHERSTONEHAUGH-CHOLMON"
    assert await persons(sql, "NMC", {"family": "Featherstonehaugh"}) == []


async def test_every_spelling_of_a_phone_is_one_phone(sql: Asker, population: Population) -> None:
    forms: dict[str, Copy] = {}
    for _, copy in held(population, Agency.NMC):
        for number in copy.phones:
            written = nmc.phone_number(number)
            form = next(start for start in ("+", "00", "0") if written.startswith(start))
            forms.setdefault(form, copy)
    assert len(forms) == 3
    for copy in forms.values():
        for number in copy.phones:
            hits = await persons(sql, "NMC", {"phone": number})
            assert copy.key in keys(hits)
            assert all({"kind": "PHONE", "value": number} in hit["contacts"] for hit in hits)


async def test_every_spelling_of_a_plate_is_one_plate(sql: Asker, population: Population) -> None:
    document = "query V($v: Vrm!) { vehicle(vrm: $v) { owner vrm make } }"
    written = {
        "NMC": nmc.shares(population)["vehicle"],
        "SCP": scp.shares(population)["tblVehicle"],
    }
    for agency, rows in written.items():
        plates = {" " in row[1]: row[1].replace(" ", "") for row in rows}
        assert set(plates) == {True, False}
        for vrm in plates.values():
            for asked in (vrm, f"{vrm[:4]} {vrm[4:]}", vrm.lower()):
                answer = await sql.ask(
                    "RO", document, {"v": asked}, purpose="OFFICER_SAFETY", reason="R02"
                )
                assert [v["vrm"] for v in answer.hits("vehicle", owner=agency)] == [vrm]


async def test_a_code_that_no_list_explains_reads_as_unknown(
    sql: Asker, population: Population
) -> None:
    first = population.held_by(Agency.NMC)[0][1]
    assert first.governance.retention in SEEN
    hit = await one(sql, "NMC", first.key)
    assert {"kind": None, "reason": "migrated"} in hit["warnings"]


async def test_coordinates_of_the_national_grid_come_as_degrees(
    sql: Asker, population: Population
) -> None:
    for person, copy in islice(held(population, Agency.NMC), 5):
        hit = await one(sql, "NMC", copy.key)
        truth = {o.address.postcode: o.address for o in person.occupancies}
        assert {a["location"]["postcode"] for a in hit["addresses"]} == set(truth)
        for address in hit["addresses"]:
            place, point = truth[address["location"]["postcode"]], address["location"]["point"]
            north = (point["lat"] - place.lat) * 111_000
            east = (point["lon"] - place.lon) * 111_000 * cos(radians(place.lat))
            assert hypot(north, east) < 12


async def test_local_and_utc_times_are_one_time(sql: Asker, population: Population) -> None:
    golden = [i for i in population.incidents if i.ref.endswith("900417")]
    assert {i.agency for i in golden} == {Agency.NMC, Agency.SCP}
    for incident in golden:
        [hit] = await _incident(sql, incident.ref)
        assert hit["when"] == incident.at.strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_the_hour_that_the_clock_strikes_twice_is_read_as_the_first(
    sql: Asker, population: Population
) -> None:
    struck = {
        agency: [i for i in population.incidents if i.at in AMBIGUOUS and i.agency is agency]
        for agency in (Agency.NMC, Agency.SCP)
    }
    assert struck[Agency.NMC]
    for incident in struck[Agency.NMC]:
        hits = await _incident(sql, incident.ref)
        assert all(hit["when"] == "2025-10-26T00:30:00Z" for hit in hits)
    for incident in struck[Agency.SCP]:  # kept in UTC, which strikes each hour once
        hits = await _incident(sql, incident.ref)
        assert all(hit["when"] == incident.at.strftime("%Y-%m-%dT%H:%M:%SZ") for hit in hits)


async def test_who_reported_a_crime_is_a_witness(sql: Asker, population: Population) -> None:
    for table, codes, shares in (
        ("crime_person", {"I"}, nmc.shares(population)),
        ("tblInvolvement", {"Reporting"}, scp.shares(population)),
    ):
        ref = next(
            row[0] if table == "crime_person" else row[1]
            for row in shares[table]
            if codes & set(map(str, row))
        )
        hits = await _incident(sql, ref)
        assert "WITNESS" in {p["role"] for hit in hits for p in hit["participants"]}


async def _incident(sql: Asker, ref: str) -> list[Hit]:
    answer = await sql.ask("PP", INCIDENT, {"r": ref}, purpose="PROTECT_VULNERABLE", reason="R07")
    assert answer.status == 200, answer.body
    return answer.hits("eventSearch")


@pytest.mark.parametrize("agency", ["NMC", "SCP"])
async def test_what_is_to_be_disposed_of_is_never_found_and_overdue_is(
    sql: Asker, population: Population, agency: str
) -> None:
    gone = list(held(population, Agency(agency), retention=frozenset({"DISPOSE", "RESTRICTED"})))
    assert gone
    for _, copy in gone[:6]:
        assert await persons(sql, agency, nominal(copy.key)) == []
    overdue = [c for _, c in held(population, Agency(agency)) if c.governance.review_on is None]
    assert overdue
    for copy in overdue[:4]:
        hit = await one(sql, agency, copy.key)
        assert (hit["retention"], hit["reviewDate"]) == ("REVIEW_DUE", None)


# --- SCP -----------------------------------------------------------------------------------------

WARNINGS = {bit: kind for kind, bit in FLAGS.items()}
NEEDED = {bit: kind for kind, bit in NEEDS.items()}


def on_both_sides(population: Population, truth: str, mask: int) -> bool:
    """Whether somebody is a suspect in Saltcoast's own incidents, and a victim by them or by their
    flags."""
    roles = {
        role
        for incident in population.incidents
        if incident.agency is Agency.SCP
        for who, role in incident.participants
        if who == truth
    }
    return ("VICTIM" in roles or bool(mask & 48)) and bool(roles & {"SUSPECT", "CONVICTED"})


async def test_each_bit_of_the_mask_is_one_warning_or_one_need(
    sql: Asker, population: Population
) -> None:
    masks = {scp.flags_of(p): (p, c) for p, c in held(population, Agency.SCP)}
    assert {0, 32} < set(masks)
    for mask, (person, copy) in sorted(masks.items(), key=itemgetter(0)):
        hit = await one(sql, "SCP", copy.key)
        warnings = {kind for bit, kind in WARNINGS.items() if mask & bit}
        needs = {kind for bit, kind in NEEDED.items() if mask & bit}
        needs |= {"VICTIM"} if on_both_sides(population, person.truth_id, mask) else set()
        assert {w["kind"] for w in hit["warnings"]} == warnings
        assert {s["kind"] for s in hit["safeguarding"]} == needs


async def test_a_bit_of_the_other_kind_is_no_element(sql: Asker, population: Population) -> None:
    document = """query S($n: [PersonCriteria!]!) { personSearch(anyOf: $n) { hits { owner
      safeguarding { state } warnings { reason } } } }"""
    masks = {scp.flags_of(p): (p, c) for p, c in held(population, Agency.SCP)}
    for mask, (person, copy) in sorted(masks.items(), key=itemgetter(0)):
        answer = await sql.ask(
            "PP",
            document,
            {"n": [nominal(copy.key)]},
            purpose="PROTECT_VULNERABLE",
            reason="R07",
        )
        [hit] = answer.hits(owner="SCP")
        assert len(hit["warnings"]) == (mask & 15).bit_count()
        both = on_both_sides(population, person.truth_id, mask)
        assert len(hit["safeguarding"]) == (mask & 48).bit_count() + both


async def test_victims_and_needs_stay_behind_the_firewall(
    sql: Asker, population: Population
) -> None:
    victims = {t for i in population.incidents for t, r in i.participants if r != "SUSPECT"
               and r != "CONVICTED" and i.agency is Agency.SCP}  # fmt: skip
    asked = 0
    for person, copy in held(population, Agency.SCP):
        behind = person.truth_id in victims or bool(scp.flags_of(person) & 48)
        if (asked > 24 and behind) or person.truth_id[-1] not in "1357":
            continue
        shown = await one(sql, "SCP", copy.key)
        if not shown["dateOfBirth"]:
            continue
        asked += behind
        names = {kind: shown["names"][0][kind] for kind in ("family", "given")}
        answer = await sql.ask(  # by name: a force's own number is not shown to this officer
            "IE",
            NAMES_ONLY,
            {"n": [{**names, "dob": shown["dateOfBirth"]}]},
            purpose="IMMIGRATION_CONTROL",
            reason="R04",
        )
        if answer.status == 200 and answer.state("SCP") == "ANSWERED":
            assert bool(answer.hits(owner="SCP")) is not behind, copy.key
    assert asked > 10


async def test_partial_birth_dates_are_intervals(sql: Asker, population: Population) -> None:
    partial = [c for _, c in held(population, Agency.SCP) if c.birth.year and not c.birth.day]
    assert {bool(c.birth.month) for c in partial} == {True, False}
    for copy in partial[:8]:
        birth, family = copy.birth, copy.name.family
        hit = await one(sql, "SCP", copy.key)
        known = f"{birth.year}-{birth.month:02}" if birth.month else f"{birth.year}"
        assert hit["dateOfBirth"] == known
        day = f"{birth.year}-{birth.month or 7:02}-15"  # it may have been any day of it
        if copy.noise != "ORDER" and " " not in family:
            assert copy.key in keys(await persons(sql, "SCP", {"family": family, "dob": day}))
        other = f"{(birth.year or 0) - 1}-{birth.month or 7:02}-15"
        assert copy.key not in keys(await persons(sql, "SCP", {"family": family, "dob": other}))


async def test_a_comma_decides_the_order_of_names(sql: Asker, population: Population) -> None:
    rows = {row[0]: row[1] for row in scp.shares(population)["tblPerson"]}
    commas: dict[bool, int] = {True: 0, False: 0}
    for _, copy in islice(held(population, Agency.SCP), 30):
        text = rows[int(copy.key)]
        [name] = [n for n in (await one(sql, "SCP", copy.key))["names"] if n["kind"] == "LEGAL"]
        commas["," in text] += 1
        if "," in text:
            assert f"{name['family']}, {name['given']}" == text
        else:
            assert f"{name['given']} {name['family']}" == text
    assert all(commas.values())


@pytest.mark.parametrize("asked", ["Hoxhá", "HOXHA", "hoxha"])
async def test_case_and_accents_are_compared_our_way_whatever_the_collation(
    sql: Asker, asked: str
) -> None:
    hits = await persons(sql, "SCP", {"family": asked, "dob": "1979-06-05"})
    assert keys(hits) == {"990001", "990002"}  # not Hoxhaj


async def test_a_name_alone_is_not_asked_of_scp(sql: Asker) -> None:
    answer = await sql.ask(
        "PP", NAMES_ONLY, {"n": [{"family": "Hoxha"}]}, purpose="PROTECT_VULNERABLE", reason="R07"
    )
    assert (answer.state("SCP"), answer.state("NMC")) == ("NOT_ASKED", "ANSWERED")


async def test_a_question_mark_is_a_claim(sql: Asker, population: Population) -> None:
    rows = scp.shares(population)["tblPerson"]
    texts = {str(row[0]): row[4] for row in rows}
    by_doubt: dict[bool, list[tuple[Person, Copy]]] = {True: [], False: []}
    for person, copy in held(population, Agency.SCP):
        by_doubt["?" in texts[copy.key]].append((person, copy))
    for doubt, people in by_doubt.items():
        for person, copy in people[:5]:
            hit = await one(sql, "SCP", copy.key)
            assert hit["nationalities"] == [{"country": person.nationality, "claimed": doubt}]


# --- ERU -----------------------------------------------------------------------------------------


async def test_drifting_keys_are_one_field(sql: Asker, population: Population) -> None:
    known = [
        copy
        for _, copy in held(population, Agency.ERU)
        if copy.birth.day and not copy.silent and copy.name.family
    ]
    for copy in known[:30]:
        born = f"{copy.birth.year}-{copy.birth.month:02}-{copy.birth.day:02}"
        answer = await sql.ask(
            "RA",
            "query P($n: [PersonCriteria!]!) { personSearch(anyOf: $n) { hits { owner dateOfBirth"
            " names { given family } } } }",
            {"n": [{"family": copy.name.family, "dob": born}]},
            purpose="PREVENT_DETECT_CRIME",
        )
        hits = answer.hits(owner="ERU")
        assert all(hit["dateOfBirth"] == born for hit in hits)
        assert hits, copy


async def test_an_event_is_linked_by_the_parts_that_may_be_seen(
    sql: Asker, population: Population
) -> None:
    golden = population.golden("GOLD-1")  # a suspect at NMC, a victim at SCP
    document = """query E($n: [PersonCriteria!]!) { personSearch(anyOf: $n) { hits { owner
      events { eventRef } } } }"""
    asked = {"n": [nominal(golden.copies[a].key) for a in (Agency.NMC, Agency.SCP)]}
    linked: dict[str, dict[str, list[str]]] = {}
    for persona, purpose in (("RO", "OFFICER_SAFETY"), ("PP", "PROTECT_VULNERABLE")):
        answer = await sql.ask(persona, document, asked, purpose=purpose, reason="R07")
        linked[persona] = {
            hit["owner"]: [event["eventRef"] for event in hit["events"]] for hit in answer.hits()
        }
    assert linked["RO"] == {"NMC": ["NM/2026/900417"], "SCP": []}
    assert linked["PP"] == {"NMC": ["NM/2026/900417"], "SCP": ["SC-26-0900417"]}
