"""What agencies hold on looks, papers, landings, places and groups, by name, and who may see it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from deploy.demo.agencies import nmc
from deploy.demo.population import Agency, Landing, Population
from deploy.demo.world.gold import PASSPORT
from gateway.catalogue.grid import reference
from tests.e2e.asking import Answer, Asker

LOOKS = """query($n: [PersonCriteria!]!) { personSearch(anyOf: $n) { hits { owner
  birthPlace { text country } ethnicity { selfDefined officerDefined }
  description { heightCm build hair eyes } marks { kind place text } names { full order }
  identifiers { kind value validFrom validTo checksumOk }
  custody { ref imageTaken fingerprintsTaken dnaTaken } } } }"""
ENCOUNTERS = """query($n: [PersonCriteria!]!) { personSearch(anyOf: $n) { hits { owner
  encounters(first: 5) { method languages documents { kind number genuine }
    devices { seizedAt extractState }
    landing { owner eventRef when personsCount deaths } } } } }"""
LANDING = """query($r: String!) { eventSearch(by: {ref: $r, kinds: [LANDING]}) { hits {
  ... on Landing { eventRef deaths pilots { owner primaryName } } } } }"""
STOP = """query($r: String!) { eventSearch(by: {ref: $r, kinds: [STOP]}) { hits { __typename owner
  ... on Stop { eventRef when where { line postcode } power outcome vrm
    person { primaryName } vehicle { owner vrm } } } } }"""
STOPPED = """query($n: [PersonCriteria!]!) { personSearch(anyOf: $n) { hits { owner
  stops(first: 20) { eventRef } } } }"""
STOPPED_IN = """query($v: Vrm!) { vehicle(vrm: $v) { owner stops { eventRef } } }"""
UNHELD = """query($n: [PersonCriteria!]!) { personSearch(anyOf: $n) { hits { owner
  names { full language }
  encounters { documents { number holder mrz } devices { imei imsi } } } } }"""
WARNED = """query($c: Postcode!) { locationSearch(by: {postcode: $c}) { owner town
  warnings { kind } } }"""
PLACE = """query($c: Postcode!) { locationSearch(by: {postcode: $c}, first: 50) {
  owner line gridRef point { lat lon } events { eventRef offenceCode } } }"""
GROUPS = """query($r: String!) { organisedGroups(by: {ref: $r}) { hits { owner leadAgency
  crimeTypes supportAgencies
  disruptions { disruptionRef lead summary rationale eventKey contributors } } } }"""


async def arben(asker: Asker, persona: str, population: Population, **why: Any) -> Answer:
    person = population.golden("GOLD-1")
    numbers = [PASSPORT.number, person.pncid, person.copies[Agency.NMC].key]
    return await asker.ask(persona, LOOKS, {"n": [{"identifier": n} for n in numbers]}, **why)


def nominal(population: Population, key: str) -> dict[str, Any]:
    """NMC's row of a person, by the names of its columns as its own table spells them."""
    names = (
        "nom_ref surname forename1 forename2 dob sex_cd eth_cd sde_cd ht_cm build_cd hair_cd eye_cd"
    )
    [row] = [row for row in nmc.shares(population)["nominal"] if row[0] == key]
    return dict(zip(names.split(), row, strict=False))


async def test_what_a_force_holds_of_somebodys_looks(asker: Asker, population: Population) -> None:
    answer = await arben(asker, "AO", population, purpose="PROTECT_VULNERABLE")
    key = population.golden("GOLD-1").copies[Agency.NMC].key
    [hit] = [h for h in answer.hits(owner="NMC") if key in {i["value"] for i in h["identifiers"]}]
    row = nominal(population, key)
    officers = ("UNKNOWN", "WHITE_NORTH_EUROPEAN", "WHITE_SOUTH_EUROPEAN", "BLACK", "ASIAN",
                "EAST_ASIAN", "ARAB")  # fmt: skip
    assert hit["ethnicity"]["officerDefined"] == officers[row["eth_cd"]]
    assert (hit["ethnicity"]["selfDefined"] is None) == (row["sde_cd"] is None)
    held = hit["description"] or {"heightCm": None, "build": None}
    assert held["heightCm"] == row["ht_cm"]
    assert (held["build"] or "-")[0] == (row["build_cd"] or "-")
    marks = [r for r in nmc.shares(population)["nom_mark"] if r[0] == key]
    assert [(m["kind"][0], m["place"], m["text"]) for m in hit["marks"]] == [
        (code, place, text) for _, _, code, place, text in marks
    ]
    assert hit["birthPlace"] == {"text": "LEZHE", "country": "AL"}
    [stay] = hit["custody"]
    assert stay["imageTaken"] is True
    assert None not in (stay["fingerprintsTaken"], stay["dnaTaken"])


async def test_marks_and_descriptions_are_held_of_some(population: Population) -> None:
    """The rows that the mapping reads: else the test before could pass of nothing."""
    held = nmc.shares(population)
    described = [row for row in held["nominal"] if row[8] is not None]
    assert 0.5 < len(described) / len(held["nominal"]) < 0.8
    assert {row[2] for row in held["nom_mark"]} == {*"STPB"}


async def test_ethnicity_is_for_those_who_may_see_an_image(
    asker: Asker, population: Population
) -> None:
    """No rung of the ladder reaches it: a role that is not named sees nothing of it."""
    answer = await arben(asker, "IE", population, purpose="OFFICER_SAFETY", reason="R01")
    found = answer.hits(owner="NMC")
    assert found
    assert {str(hit["ethnicity"]) for hit in found} == {"None"}
    assert answer.outcomes("ethnicity", agency="NMC") == {"WITHHELD"}
    assert all(entry["contact"] for entry in answer.said("ethnicity", agency="NMC"))


async def test_papers_say_how_long_they_hold_and_numbers_whether_they_pass(
    asker: Asker, population: Population
) -> None:
    answer = await arben(asker, "NO", population, purpose="OIC_INVESTIGATION")
    numbers = [n for hit in answer.hits() for n in hit["identifiers"]]
    pnc = {n["checksumOk"] for n in numbers if n["kind"] == "PNCID"}
    assert pnc == {True}
    assert {n["checksumOk"] for n in numbers if n["kind"] == "PASSPORT"} == {None}
    ours = [n for h in answer.hits(owner="BID") for n in h["identifiers"]]
    [days] = {(n["validFrom"], n["validTo"]) for n in ours if n["kind"] == "PASSPORT"}
    assert datetime.fromisoformat(days[1]).year - datetime.fromisoformat(days[0]).year == 10
    orders = {n["order"] for h in answer.hits(owner="SCP") for n in h["names"]}
    assert orders <= {"UNKNOWN", "FAMILY_FIRST"}


async def test_whether_a_number_passes_is_told_only_with_the_number(
    asker: Asker, population: Population
) -> None:
    answer = await arben(asker, "RO", population, purpose="OFFICER_SAFETY", reason="R01")
    assert {n["checksumOk"] for h in answer.hits() for n in h["identifiers"]} == {None}
    assert "WITHHELD" in answer.outcomes("identifiers.checksumOk", agency="NMC")


def boat(population: Population) -> Landing:
    """GOLD-1's."""
    truth = population.gold["GOLD-1"]
    return next(one for one in population.landings if truth in one.people)


async def test_an_encounter_leads_to_the_landing_that_another_agency_counted(
    asker: Asker, population: Population
) -> None:
    who = {"n": [{"identifier": PASSPORT.number}]}
    answer = await asker.ask("AO", ENCOUNTERS, who, purpose="PROTECT_VULNERABLE")
    met = [e for hit in answer.hits(owner="BID") for e in hit["encounters"]]
    assert {tuple(e["languages"]) for e in met} == {("sq",)}
    landed = boat(population)
    [crossing] = [e for e in met if e["landing"]]
    assert crossing["method"] == "SMALL_BOAT"
    assert crossing["landing"] == {
        "owner": "SCP",
        "eventRef": landed.ref,
        "when": landed.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "personsCount": landed.persons_count,
        "deaths": landed.deaths,
    }
    [device] = crossing["devices"]
    assert device["extractState"] in {"NONE", "REQUESTED", "DONE"}
    assert device["seizedAt"] > crossing["landing"]["when"]
    papers = [d for e in met for d in e["documents"]]
    assert {(d["kind"], d["number"]) for d in papers} == {("PASSPORT", PASSPORT.number)}
    assert {d["genuine"] for d in papers} == {"NO", "UNKNOWN"}  # GOLD-4's copy is none; his: unsaid


async def test_who_steered_and_who_died_is_for_few(asker: Asker, population: Population) -> None:
    landed = next(
        one
        for one in population.landings
        if one.pilots
        and all(
            (copy := population.people[t].copies[Agency.SCP]).governance.retention == "CURRENT"
            and not copy.silent
            for t in one.pilots
        )
    )
    asked = {"r": landed.ref}
    why: dict[str, Any] = {"purpose": "OIC_INVESTIGATION"}
    analyst = await asker.ask("RA", LANDING, asked, **why)
    [seen] = analyst.hits("eventSearch")
    assert len(seen["pilots"]) == len(landed.pilots)
    assert seen["deaths"] is None
    assert analyst.outcomes("deaths", agency="SCP") == {"WITHHELD"}
    trained = await asker.ask("AO", LANDING, asked, **why)
    [told] = trained.hits("eventSearch")
    assert told["pilots"] == []
    assert trained.outcomes("pilots", agency="SCP") == {"HIT"}
    street = await asker.ask("RO", LANDING, asked, purpose="PREVENT_DETECT_CRIME")
    [told] = street.hits("eventSearch")
    assert told["pilots"] == []
    assert street.outcomes("pilots", agency="SCP") == {"WITHHELD"}
    control = await asker.ask("IE", LANDING, asked, purpose="IMMIGRATION_CONTROL")
    assert control.said("pilots", agency="SCP") == []
    helper = await asker.ask("PP", LANDING, asked, purpose="PROTECT_VULNERABLE", reason="R07")
    [told] = helper.hits("eventSearch")
    assert told["deaths"] == landed.deaths


async def test_a_place_says_what_happened_there_and_where_it_lies_on_the_grid(
    asker: Asker, population: Population
) -> None:
    held = next(
        one
        for one in population.incidents
        if one.agency is Agency.NMC
        and one.governance.retention == "CURRENT"
        and {role for _, role in one.participants} <= {"SUSPECT", "CONVICTED"}
        and any(
            occupancy.address.key == one.address.key
            for person, copy in population.held_by(Agency.NMC)
            if copy.governance.retention == "CURRENT"
            for occupancy in person.occupancies
        )
    )
    asked = {"c": held.address.postcode}
    answer = await asker.ask("NO", PLACE, asked, purpose="OIC_INVESTIGATION")
    [place] = [
        p for p in answer.hits("locationSearch", owner="NMC") if p["line"] == held.address.line
    ]
    assert held.ref in {event["eventRef"] for event in place["events"]}
    assert place["gridRef"] == reference(place["point"]["lat"], place["point"]["lon"])
    coarse = await asker.ask("RO", PLACE, asked, purpose="PROTECT_VULNERABLE", reason="R07")
    assert {p["gridRef"] for p in coarse.hits("locationSearch")} == {None}
    assert coarse.outcomes("gridRef", agency="NMC") == {"WITHHELD"}


async def test_what_no_agency_holds_is_told_and_hides_nothing_of_the_rest(
    asker: Asker, population: Population
) -> None:
    who = {"n": [{"identifier": PASSPORT.number}]}
    answer = await asker.ask("AO", UNHELD, who, purpose="PROTECT_VULNERABLE")
    met = [e for hit in answer.hits(owner="BID") for e in hit["encounters"]]
    assert {d["number"] for e in met for d in e["documents"]} == {PASSPORT.number}
    assert {d["mrz"] for e in met for d in e["documents"]} == {None}
    assert {d["imsi"] for e in met for d in e["devices"]} == {None}
    assert {n["language"] for hit in answer.hits() for n in hit["names"]} == {None}
    place = population.golden("GOLD-1").occupancies[0].address
    answer = await asker.ask("AO", WARNED, {"c": place.postcode}, purpose="PROTECT_VULNERABLE")
    assert answer.hits("locationSearch")
    assert answer.outcomes("warnings") == {"NOT_ASKED"}


async def test_groups_say_their_crimes_and_who_shares_the_work(
    asker: Asker, population: Population
) -> None:
    at_ncb = [g for g in population.groups if Agency.NCB in g.refs and not g.silent]
    group = next(
        g
        for g in at_ncb
        if g.support
        and any(d.group == g.ref and Agency.NCB in d.claimed_by for d in population.disruptions)
    )
    answer = await asker.ask(
        "NO", GROUPS, {"r": group.refs[Agency.NCB]}, purpose="OIC_INVESTIGATION", reason="R08"
    )
    [held] = answer.hits("organisedGroups", owner="NCB")
    assert held["leadAgency"] == group.lead
    assert tuple(held["crimeTypes"]) == group.crime_types
    assert tuple(held["supportAgencies"]) == group.support
    done = [d for d in population.disruptions if d.group == group.ref and "NCB" in d.claimed_by]
    told = {(d["lead"], d["summary"], d["eventKey"]) for d in held["disruptions"]}
    assert told == {(str(d.lead), d.summary, d.event_key) for d in done}
    assert all(d["disruptionRef"] for d in held["disruptions"])


async def test_a_stop_says_who_was_stopped_in_what_and_what_came_of_it(
    asker: Asker, population: Population
) -> None:
    """NMC keeps stops by a plate in either spelling, at local times, with the person's marks."""
    truth = population.gold["GOLD-1"]
    [held] = [one for one in population.stops if one.person == truth and one.vrm]
    answer = await asker.ask("RA", STOP, {"r": held.ref}, purpose="OIC_INVESTIGATION")
    [stop] = answer.hits("eventSearch")
    vehicles = stop.pop("vehicle")
    assert stop == {
        "__typename": "Stop",
        "owner": "NMC",
        "eventRef": held.ref,
        "when": held.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "where": {"line": held.address.line, "postcode": held.address.postcode},
        "power": held.power,
        "outcome": held.outcome,
        "vrm": held.vrm,
        "person": {"primaryName": "ARBEN HOXHA"},
    }
    owners = {one["owner"] for one in vehicles}
    assert {"NMC", "SCP"} <= owners  # whoever else holds the plate answers on the vehicle
    assert {one["vrm"] for one in vehicles} == {held.vrm}


async def test_person_and_vehicle_lead_to_the_stop_and_border_officers_to_its_desk(
    asker: Asker, population: Population
) -> None:
    truth = population.gold["GOLD-1"]
    [held] = [one for one in population.stops if one.person == truth and one.vrm]
    assert held.vrm is not None
    who = {"n": [{"family": "Hoxha", "given": "Arben", "dob": "1991-04-17"}]}
    street: dict[str, Any] = {"purpose": "OFFICER_SAFETY", "reason": "R01"}
    person = await asker.ask("RO", STOPPED, who, **street)
    refs = [stop["eventRef"] for hit in person.hits(owner="NMC") for stop in hit["stops"]]
    assert held.ref in refs
    vehicle = await asker.ask("RO", STOPPED_IN, {"v": held.vrm}, **street)
    refs = [stop["eventRef"] for one in vehicle.hits("vehicle") for stop in one["stops"]]
    assert held.ref in refs
    border = await asker.ask("IE", STOPPED, who, **street)
    assert border.hits(owner="NMC")
    assert not any(hit["stops"] for hit in border.hits())
    assert border.outcomes("stops", agency="NMC") == {"WITHHELD"}
    assert all(entry["contact"] for entry in border.said("stops", agency="NMC"))


async def test_the_stop_of_somebody_whose_record_is_due_for_disposal_is_gone_with_it(
    asker: Asker, population: Population
) -> None:
    kept = {
        t: c.governance.retention for p, c in population.held_by(Agency.NMC) for t in [p.truth_id]
    }
    gone = next(one for one in population.stops if kept[one.person] in {"DISPOSE", "RESTRICTED"})
    answer = await asker.ask("NO", STOP, {"r": gone.ref}, purpose="OIC_INVESTIGATION")
    assert answer.hits("eventSearch") == []
    assert answer.state("NMC") == "ANSWERED"
