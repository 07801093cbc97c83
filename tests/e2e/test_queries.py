"""Every root field over the real agencies: what it finds, its pages, its refs, its nested links."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import secrets
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.agencies import nmc
from deploy.demo.agencies.nis import embedding
from deploy.demo.personas import PERSONAS
from deploy.demo.population import Agency, Population, Report
from deploy.demo.story import DOCUMENTS, WHO
from gateway.catalogue.forms import fold_name
from gateway.query.refs import Probe, officer
from tests.e2e.asking import Answer, Asker

PEOPLE = "query($n: [PersonCriteria!]!, $a: String) { personSearch(anyOf: $n, first: 5, after: $a)"


def document(name: str) -> str:
    return (DOCUMENTS / f"{name}.graphql").read_text("utf-8")


async def test_a_ref_opens_for_its_own_agency_and_no_other(asker: Asker) -> None:
    found = await asker.ask(
        "AO", PEOPLE + " { hits { ref owner primaryName } } }", {"n": WHO, "a": None},
        purpose="PROTECT_VULNERABLE",
    )  # fmt: skip
    single = "query($r: OpaqueRef!) { person(ref: $r) { ref owner primaryName } }"
    for hit in found.hits():
        again = await asker.ask("AO", single, {"r": hit["ref"]}, purpose="PROTECT_VULNERABLE")
        assert again.data["person"] == hit
    theirs = await asker.ask("RO", single, {"r": hit["ref"]}, purpose="PROTECT_VULNERABLE")
    nobody = await asker.ask("RO", single, {"r": "A" * 64}, purpose="PROTECT_VULNERABLE")
    assert theirs.data["person"] is None
    for answer in (theirs, nobody):  # exactly like no record
        del answer.body["extensions"]["receipt"]
    assert theirs.body == nobody.body


async def test_refs_of_two_agencies_differ(asker: Asker) -> None:
    refs = []
    for persona in ("AO", "RO"):
        answer = await asker.ask(
            persona, PEOPLE + " { hits { ref owner } } }", {"n": WHO, "a": None},
            purpose="PROTECT_VULNERABLE",
        )  # fmt: skip
        refs.append({hit["ref"] for hit in answer.hits()})
    assert not refs[0] & refs[1]


def many(population: Population) -> str:
    """How the family names of many people at NMC begin."""
    begun = Counter(
        fold_name(copy.name.family)[:3]
        for _, copy in population.held_by(Agency.NMC)
        if len(fold_name(copy.name.family)) > 3 and " " not in fold_name(copy.name.family)[:3]
    )
    return begun.most_common(1)[0][0]


async def test_paging_gives_everything_once(asker: Asker, population: Population) -> None:
    prefix = many(population)
    criteria: dict[str, Any] = {"n": [{"familyPrefix": prefix}], "a": None}
    seen: list[tuple[str, str]] = []
    for _page in range(60):
        answer = await asker.ask(
            "AO", PEOPLE + " { total next hits { ref owner } } }", criteria,
            purpose="PROTECT_VULNERABLE",
        )  # fmt: skip
        seen += [(hit["owner"], hit["ref"]) for hit in answer.hits()]
        criteria["a"] = answer.data["personSearch"]["next"]
        if criteria["a"] is None:
            break
        assert answer.data["personSearch"]["total"] is None
    assert criteria["a"] is None
    assert len(seen) == len(set(seen))
    owners = {owner for owner, _ in seen}
    assert "NMC" in owners
    whole = await asker.ask(
        "AO", PEOPLE.replace("first: 5", "first: 50") + " { total hits { ref owner } } }",
        {"n": [{"familyPrefix": prefix}], "a": None}, purpose="PROTECT_VULNERABLE",
    )  # fmt: skip
    assert {(hit["owner"], hit["ref"]) for hit in whole.hits()} <= set(seen)


async def test_a_cursor_is_for_its_own_question_only(asker: Asker, population: Population) -> None:
    prefix = many(population)
    fields = " { next hits { ref } } }"
    first = await asker.ask(
        "AO", PEOPLE + fields, {"n": [{"familyPrefix": prefix}], "a": None},
        purpose="PROTECT_VULNERABLE",
    )  # fmt: skip
    cursor = first.data["personSearch"]["next"]
    assert cursor
    texts = set()
    for persona, family, given, purpose in (
        ("AO", prefix, cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB"), "PROTECT_VULNERABLE"),
        ("AO", "JON", cursor, "PROTECT_VULNERABLE"),
        ("AO", prefix, cursor, "OFFICER_SAFETY"),
        ("RO", prefix, cursor, "PROTECT_VULNERABLE"),
    ):
        variables = {"n": [{"familyPrefix": family}], "a": given}
        answer = await asker.ask(persona, PEOPLE + fields, variables, purpose=purpose)
        assert answer.code == "BAD_REQUEST"
        texts.add(answer.body["errors"][0]["message"])
    assert len(texts) == 1  # one text for all


async def test_contact_lookup_and_its_links(asker: Asker) -> None:
    query = """query($p: String!) { contactLookup(kind: PHONE, value: $p) { owner firstSeen
      holders { primaryName owner match { band } }
      links(kinds: [USES_PHONE]) { kind to { __typename ... on Person { primaryName } } } } }"""
    answer = await asker.ask("RA", query, {"p": "07700 900417"}, purpose="OIC_INVESTIGATION")
    (eru,) = answer.hits("contactLookup", owner="ERU")
    assert [holder["primaryName"] for holder in eru["holders"]] == ["BENI"]


async def test_location_search(asker: Asker) -> None:
    query = """query($c: Postcode!) { locationSearch(by: {postcode: $c}) {
      owner kind postcode occupants { primaryName } } }"""
    answer = await asker.ask("NO", query, {"c": "SQ1 4HT"}, purpose="OIC_INVESTIGATION")
    found = answer.hits("locationSearch")
    assert found
    assert {row["postcode"] for row in found} == {"SQ1 4HT"}


async def test_a_place_is_asked_for_no_finer_than_it_is_shown(asker: Asker) -> None:
    """A response officer sees districts: the full postcode is withheld before any source is asked,
    the district finds all of its places, for whoever asks."""
    query = """query($c: Postcode!) { locationSearch(by: {postcode: $c}, first: 50) {
      owner postcode } }"""
    full = await asker.ask("RO", query, {"c": "SQ1 4HT"}, purpose="PREVENT_DETECT_CRIME")
    assert full.code == "REFUSED"
    assert "postcode district" in full.body["errors"][0]["message"]
    assert full.body["errors"][0]["extensions"]["contact"]
    assert "SQ1" not in str(full.body)
    district = await asker.ask("RO", query, {"c": "SQ1"}, purpose="PREVENT_DETECT_CRIME")
    assert {row["postcode"] for row in district.hits("locationSearch")} == {"SQ1"}
    clear = await asker.ask("NO", query, {"c": "SQ1"}, purpose="OIC_INVESTIGATION")
    found = {row["postcode"] for row in clear.hits("locationSearch")}
    assert "SQ1 4HT" in found
    assert all(postcode.startswith("SQ1 ") for postcode in found)


async def test_a_surname_that_nmc_has_cut_is_found_by_the_whole_one(
    asker: Asker, population: Population
) -> None:
    cut = [
        copy
        for _, copy in population.held_by(Agency.NMC)
        if len(nmc.upper(copy.name.family, 60)) > nmc.SURNAME_LENGTH
        and copy.governance.retention == "CURRENT"
    ]
    assert cut
    for copy in cut[:3]:
        who = {"n": [{"family": copy.name.family, "given": copy.name.given}], "a": None}
        text = PEOPLE + " { hits { owner names { family } identifiers { value } } } }"
        answer = await asker.ask("AO", text, who, purpose="PROTECT_VULNERABLE")
        [hit] = [
            h
            for h in answer.hits(owner="NMC")
            if copy.key in {i["value"] for i in h["identifiers"]}
        ]
        assert max(len(name["family"]) for name in hit["names"]) == nmc.SURNAME_LENGTH


HALF_A_DAY = timedelta(hours=12)


async def inspected(
    asker: Asker,
    population: Population,
    text: str,
    *,
    beach: str = "Wrackhaven Sands",
    before: timedelta = HALF_A_DAY,
) -> Answer:
    """The inspectors' list of the last landing: a beach, and the hours before and after it."""
    landed = population.now - timedelta(hours=6)
    ends = {"from": landed - before, "until": landed + HALF_A_DAY}
    spelt = {name: end.strftime("%Y-%m-%dT%H:%M:%SZ") for name, end in ends.items()}
    given = {"beach": beach, **spelt}
    return await asker.ask("AO", text, given, purpose="PROTECT_VULNERABLE", reason="R04")


async def test_the_inspectors_list_is_one_query(asker: Asker, population: Population) -> None:
    answer = await inspected(asker, population, document("debriefs_missing"))
    hits = answer.hits("eventSearch")
    assert len(hits) == 7
    assert {hit["debrief"] for hit in hits} == {"NONE"}
    assert answer.data["eventSearch"]["total"] == 7


@pytest.mark.parametrize("criterion", ["debrief", "imageTaken", "phoneSeized"])
async def test_the_inspectors_list_needs_each_of_its_criteria(
    asker: Asker, population: Population, criterion: str
) -> None:
    """Without any one of them somebody else is on it, whom the world has for that."""
    text, dropped = re.subn(rf"{criterion}: \w+,? ", "", document("debriefs_missing"))
    assert dropped == 1
    answer = await inspected(asker, population, text)
    assert len(answer.hits("eventSearch")) > 7


async def test_the_inspectors_list_is_of_one_day_and_one_beach(
    asker: Asker, population: Population
) -> None:
    """At the same beach somebody was missed months before, at another that day one more."""
    text = document("debriefs_missing")
    longer = await inspected(asker, population, text, before=timedelta(days=200))
    assert len(longer.hits("eventSearch")) > 7
    beside = await inspected(asker, population, text, beach="Shingle Point")
    assert len(beside.hits("eventSearch")) == 1


async def test_groups_not_investigated_and_graded_low(asker: Asker, population: Population) -> None:
    answer = await asker.ask(
        "NO", document("groups_uninvestigated"), purpose="STRATEGIC_REPORTING", reason="R10"
    )
    expected = {
        group.ref
        for group in population.groups
        if group.oic and group.investigation == "NONE" and group.attribute_band == "LOW"
        and sum(group.thematic) >= 30 and not group.silent
    }  # fmt: skip
    assert len(expected) == 16  # of the seventeen one is silent: it answers like nothing
    mapped_by_eru = {
        group.ref for group in population.groups if group.ref in expected and "ERU" in
        {str(agency) for agency in group.refs}
    }  # fmt: skip
    assert len(answer.hits("organisedGroups", owner="ERU")) == len(mapped_by_eru)
    totals = [hit["thematicTotal"] for hit in answer.hits("organisedGroups")]
    assert min(total for total in totals if total is not None) >= 30


async def test_an_intelligence_report_by_its_ref(asker: Asker) -> None:
    found = await asker.ask(
        "RA", PEOPLE + " { hits { owner intelligence { ref urn } } } }",
        {"n": [{"phone": "+447700900417"}], "a": None}, purpose="OIC_INVESTIGATION",
    )  # fmt: skip
    (eru,) = found.hits(owner="ERU")
    ref = next(i["ref"] for i in eru["intelligence"] if i["urn"] == "ERU/I/26/00001")
    query = """query($r: OpaqueRef!) { intelligence(ref: $r) { urn date sourceGrade infoGrade
      handling conditions title text sanitisedText paragraphs { text handling conditions } } }"""
    answer = await asker.ask("RA", query, {"r": ref}, purpose="PREVENT_DETECT_CRIME", reason="R08")
    report = answer.data["intelligence"]
    assert report["urn"] == "ERU/I/26/00001"
    assert (report["sourceGrade"], report["infoGrade"], report["handling"]) == (
        "UNTESTED", "B", "P",
    )  # fmt: skip
    assert report["text"]


def shared(population: Population, agency: Agency, *, mixed: bool, after: int = 0) -> Report:
    """A report coded P about somebody who can be searched for, with a paragraph coded C or none:
    the first but for so many, so that tests which change what is released have each their own."""
    found = 0
    for report in population.reports:
        people = [population.people[t].copies[report.agency] for t in report.subjects]
        if (
            (report.agency, report.governance.handling, report.silent) == (agency, "P", False)
            and report.governance.retention == "CURRENT"
            and report.sanitised
            and (len({p.handling for p in report.paragraphs}) == 2) is mixed
            and people[0].name.family
            and (people[0].birth.day or people[0].birth.earliest)
            and not people[0].silent
            and people[0].governance.retention == "CURRENT"
        ):
            if found == after:
                return report
            found += 1
    raise AssertionError((agency, mixed, after))


REPORTS = """query($n: [PersonCriteria!]!) { personSearch(anyOf: $n, first: 50) { hits { owner
  intelligence { urn title text sanitisedText paragraphs { text handling } } } } }"""


@pytest.mark.parametrize("agency", [Agency.ERU, Agency.NCB])
@pytest.mark.parametrize("mixed", [True, False])
async def test_a_text_with_a_coded_paragraph_gives_way_to_the_owners_sanitised_text(
    asker: Asker, population: Population, agency: Agency, mixed: bool
) -> None:
    report = shared(population, agency, mixed=mixed)
    copy = population.people[report.subjects[0]].copies[agency]
    birth = copy.birth
    exact = birth.earliest or date(birth.year or 0, birth.month or 0, birth.day or 0)
    who = [{"family": copy.name.family, "dob": exact.isoformat()}]
    for persona, purpose, reason in (
        ("NO", "OIC_INVESTIGATION", "R08"), ("RA", "OIC_INVESTIGATION", "R08"),
        ("AO", "PROTECT_VULNERABLE", "R04"),
    ):  # fmt: skip
        answer = await asker.ask(persona, REPORTS, {"n": who}, purpose=purpose, reason=reason)
        rows = [i for row in answer.hits(owner=agency) for i in row["intelligence"]]
        (read,) = [row for row in rows if row["urn"] == report.urn]
        own = PERSONAS[persona].agency == agency
        assert read["title"] == report.title
        assert read["text"] == (report.text if own or not mixed else None)
        told = {e["shows"] for e in answer.said("text", agency=agency)
                if e.get("mask") == "SANITISED_TEXT"}  # fmt: skip
        assert (report.sanitised in told) is (mixed and not own)
        assert [p["text"] for p in read["paragraphs"]] == [
            p.text for p in report.paragraphs if own or p.handling == "P"
        ]


FACE = """query($f: FaceProbe!) { faceSearch(probe: $f, maxCandidates: 5) {
  threshold modelVersion gallerySize notice
  candidates { rank score band image { ref expires } person { primaryName owner } } } }"""


async def test_face_search_by_a_stored_image(asker: Asker, population: Population) -> None:
    often = Counter(i.person for i in population.images if i.retention == "H" and i.force == "NMC")
    person = next(
        population.people[truth]
        for truth, images in often.most_common()
        if images > 1 and population.people[truth].pncid
        and not population.people[truth].copies[Agency.NMC].silent
    )  # fmt: skip
    found = await asker.ask(
        "NO", PEOPLE + " { hits { owner images { ref } } } }",
        {"n": [{"identifier": person.pncid}], "a": None}, purpose="OIC_INVESTIGATION",
    )  # fmt: skip
    refs = [image["ref"] for hit in found.hits() for image in hit["images"]]
    assert len(refs) > 1
    searches = []
    for ref in refs:
        answer = await asker.ask("NO", FACE, {"f": {"ref": ref}}, purpose="OIC_INVESTIGATION")
        searches.append(answer.data["faceSearch"])
        assert (await asker.came_of("NO", answer)).data["recordOutcome"]["kinds"] == ["face"]
    assert {search["modelVersion"] for search in searches} == {"m1"}
    assert all(search["notice"] for search in searches)
    # Another image of the same person is the best lead to one of them.
    search = max(searches, key=lambda one: len(one["candidates"]))
    assert search["candidates"]
    assert [c["rank"] for c in search["candidates"]] == list(
        range(1, len(search["candidates"]) + 1)
    )
    assert search["candidates"][0]["image"]["ref"] in refs
    for persona in ("RO", "RA", "AO"):
        purpose = "OFFICER_SAFETY" if persona != "RA" else "OIC_INVESTIGATION"
        other = await asker.ask(persona, FACE, {"f": {"ref": ref}}, purpose=purpose)
        assert other.code == "REFUSED"
        assert "operator" in other.body["errors"][0]["message"]


async def test_face_search_by_a_probe_once(
    asker: Asker, population: Population, tmp_path: Path
) -> None:
    image = next(i for i in population.images if i.retention == "H")
    vector = embedding(image.image_id, image.person, image.cohort, "m1")
    file = tmp_path / "probe.json"
    file.write_text(json.dumps(list(vector)))
    key = asker.demo.started.settings.ref_key
    program = Path(sys.executable).parent / "portcullis"
    made = await asyncio.to_thread(
        subprocess.run,
        [
            str(program), "probe", "--vector", str(file), "--key", str(key), "--officer",
            f"{asker.demo.stack.issuer_url}/ncb", PERSONAS["NO"].sub, "NCB",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    handle = made.stdout.strip()
    answer = await asker.ask("NO", FACE, {"f": {"handle": handle}}, purpose="OIC_INVESTIGATION")
    assert answer.data["faceSearch"]["candidates"], answer.body
    await asker.came_of("NO", answer)
    again = await asker.ask("NO", FACE, {"f": {"handle": handle}}, purpose="OIC_INVESTIGATION")
    assert again.code == "BAD_REQUEST"


async def test_several_probes_are_spent_together_and_by_no_other_officer(
    asker: Asker, population: Population
) -> None:
    image = next(i for i in population.images if i.retention == "H")
    vector = embedding(image.image_id, image.person, image.cohort, "m1")
    refs = asker.demo.started.gate.refs

    def made(code: str) -> str:
        persona = PERSONAS[code]
        whose = officer(
            f"{asker.demo.stack.issuer_url}/{persona.issuer}", persona.sub, persona.agency
        )
        id_ = secrets.token_hex(16)
        return refs.seal_probe(Probe(id=id_, made_at=datetime.now(UTC), vector=vector), whose)

    two = """query($a: FaceProbe!, $b: FaceProbe!) {
      a: faceSearch(probe: $a) { threshold } b: faceSearch(probe: $b) { threshold } }"""
    theirs, first, second = {"handle": made("RA")}, {"handle": made("NO")}, {"handle": made("NO")}
    said = set()
    both = await asker.ask("NO", two, {"a": first, "b": second}, purpose="OIC_INVESTIGATION")
    assert both.data["a"] == both.data["b"]
    await asker.came_of("NO", both)
    third, damaged = {"handle": made("NO")}, {"handle": "damaged"}
    failed = await asker.ask("NO", two, {"a": third, "b": damaged}, purpose="OIC_INVESTIGATION")
    assert failed.status == 400
    for wrong in (theirs, first, second, third, damaged):
        answer = await asker.ask("NO", FACE, {"f": wrong}, purpose="OIC_INVESTIGATION")
        assert (answer.status, answer.code) == (400, "BAD_REQUEST")
        said.add(answer.body["errors"][0]["message"])
    assert len(said) == 1


async def test_a_bare_vector_is_no_probe(asker: Asker) -> None:
    probe: dict[str, Any] = {"vector": [0.0] * 512}
    answer = await asker.ask("NO", FACE, {"f": probe}, purpose="OIC_INVESTIGATION")
    assert answer.code == "INVALID_OPERATION"


async def test_persisted_documents_and_get(asker: Asker) -> None:
    text = document("vehicle_stop")
    digest = hashlib.sha256(text.encode()).hexdigest()
    why = {"purpose": "OFFICER_SAFETY", "reasonCode": "R02", "incidentRef": "NM-26-0000001"}
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": digest}, "justification": why}
    variables = {"vrm": "SN68BTX"}
    posted = await asker.post("RO", {"variables": variables, "extensions": extensions})
    assert posted.json()["data"]["vehicle"]
    headers = {"Authorization": f"Bearer {await asker.token('RO')}"}
    got = await asker.client.get(
        asker.demo.graphql,
        params={"variables": json.dumps(variables), "extensions": json.dumps(extensions)},
        headers=headers,
    )
    assert got.json()["data"] == posted.json()["data"]
    typed_in = await asker.client.get(
        asker.demo.graphql,
        params={"query": text, "variables": json.dumps(variables),
                "extensions": json.dumps({"justification": why})},
        headers=headers,
    )  # fmt: skip
    assert typed_in.status_code == 405


async def test_the_response_officers_app_sends_registered_documents_only(asker: Asker) -> None:
    token = await asyncio.to_thread(asker.demo.token, "RO")
    text = document("vehicle_stop")
    digest = hashlib.sha256(text.encode()).hexdigest()
    why = {"purpose": "OFFICER_SAFETY", "reasonCode": "R02", "incidentRef": "NM-26-0000001"}

    async def sent(query: str | None, sha256: str | None = None) -> Answer:
        persisted = {"persistedQuery": {"version": 1, "sha256Hash": sha256}} if sha256 else {}
        body = {
            "variables": {"vrm": "SN68BTX"},
            "extensions": {"justification": why, **persisted},
            **({} if query is None else {"query": query}),
        }
        reply = await asker.client.post(
            asker.demo.graphql, json=body, headers={"Authorization": f"Bearer {token}"}
        )
        return Answer(status=reply.status_code, body=reply.json())

    for known in (await sent(text), await sent(None, digest), await sent(text, digest)):
        assert known.hits("vehicle")
    for other in (text + "\n", text.replace("make", "markers { kind } make")):
        refused = await sent(other)
        assert (refused.status, refused.code) == (403, "REFUSED")
        error = refused.body["errors"][0]
        assert "registered documents only" in error["message"]
        assert error["extensions"]["contact"] == "gateway"
        assert isinstance(refused.body["extensions"]["receipt"]["logEntry"], int)
    unknown = await sent(None, "0" * 64)
    assert (unknown.status, unknown.code) == (400, "BAD_REQUEST")
    at_a_desk = await asker.ask(
        "RO", text + "\n", {"vrm": "SN68BTX"}, purpose="OFFICER_SAFETY", reason="R02"
    )
    assert at_a_desk.data == known.data


async def test_a_plan_too_large_is_refused_before_any_source(asker: Asker) -> None:
    inner = "hits { vehicles { sightings { when } } intelligence { persons { primaryName } } }"
    roots = " ".join(f"p{n}: personSearch(anyOf: $n) {{ {inner} }}" for n in range(12))
    answer = await asker.ask(
        "AO", f"query($n: [PersonCriteria!]!) {{ {roots} }}", {"n": WHO},
        purpose="PROTECT_VULNERABLE",
    )  # fmt: skip
    assert answer.code == "LIMIT_EXCEEDED"
    assert "fetches" in answer.body["errors"][0]["message"]
