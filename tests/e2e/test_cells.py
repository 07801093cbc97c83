"""Q1 to Q3 of the design, cell by cell, over the real agencies: what each persona sees of GOLD-1.

A cell that rests on a better match band than LINKED_BY_IDENTIFIER is tested at its stricter side;
the issue that opens it stands beside it.
"""

from __future__ import annotations

from typing import Any

import pytest

from deploy.demo.population import Agency, Population
from deploy.demo.story import WHO
from deploy.demo.world.gold import OVERT_LINE
from deploy.demo.world.happenings import Report
from deploy.demo.world.truth import Birth
from gateway.casework.model import Told
from tests.e2e.asking import Answer, Asker

Q1 = """query StreetStop($n: [PersonCriteria!]!) { personSearch(anyOf: $n, first: 5) { total hits {
  owner primaryName dateOfBirth sex warnings { kind reason }
  alerts { kind power contact discreet } identifiers { kind value } safeguarding { kind }
  immigration { status absconder } intelligence { urn } images { ref } match { band } } } }"""

Q3 = """query Arrival($n: [PersonCriteria!]!) { personSearch(anyOf: $n, first: 20) { hits {
  owner system primaryName names { full kind script } dateOfBirth dobQuality
  nationalities { country claimed } encounters { when where { postcode } method debrief }
  immigration { status caseState } offending { offenceCode date }
  groups { group { ref } role } safeguarding { kind state }
  match { score band features { name weight withheld } } } } }"""

# BID matches names as it spells them, so the app sends the spelling on the paper.
GOLD_6 = [
    {"family": "Nguyễn", "given": "Khánh", "dob": "2009-02-11"},
    {"family": "Nguyễn", "given": "Khánh", "dob": "2005-02-11"},
]


NUMBERS = frozenset({"identifiers", "passport number", "PNC identifier"})  # what features name


async def q1(asker: Asker, persona: str, purpose: str, reason: str = "R01") -> Answer:
    return await asker.ask(persona, Q1, {"n": WHO}, purpose=purpose, reason=reason)


async def q3(asker: Asker, persona: str, purpose: str, who: Any = WHO) -> Answer:
    return await asker.ask(persona, Q3, {"n": who}, purpose=purpose, reason="R04")


def kinds(rows: list[dict[str, Any]], name: str) -> set[str]:
    return {item["kind"] for row in rows for item in row[name]}


def values(answer: Answer, kind: str) -> set[str]:
    return {i["value"] for row in answer.hits() for i in row["identifiers"] if i["kind"] == kind}


# --- Q1, street stop ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("persona", "purpose"),
    [("RO", "OFFICER_SAFETY"), ("IE", "OFFICER_SAFETY"), ("NO", "OFFICER_SAFETY"),
     ("AO", "PROTECT_VULNERABLE")],
)  # fmt: skip
async def test_q1_name_birth_sex_and_match_are_shown(
    asker: Asker, persona: str, purpose: str
) -> None:
    answer = await q1(asker, persona, purpose)
    (nmc,) = answer.hits(owner="NMC")
    assert (nmc["primaryName"], nmc["dateOfBirth"], nmc["sex"]) == (
        "ARBEN HOXHA", "1991-04-17", "MALE",
    )  # fmt: skip
    names = {row["owner"]: row["primaryName"] for row in answer.hits()}
    assert names["SCP"] == "Arben Hodja"
    assert names["ERU"] == "BENI"
    assert "match" in nmc


async def test_q1_matching_holds_the_look_alike_apart(asker: Asker) -> None:
    answer = await q1(asker, "AO", "PROTECT_VULNERABLE", "R04")
    bands = {(row["owner"], row["primaryName"]): row["match"]["band"] for row in answer.hits()}
    # NMC and NCB share a PNC identifier that nobody else bears.
    assert bands["NMC", "ARBEN HOXHA"] == "LINKED_BY_IDENTIFIER"
    # BID's passport is borne by two: LIKELY on name and date comes with matching (issue 6).
    assert bands["BID", "Arben Hoxha"] is None
    assert bands["BID", "Dritan Leka"] is None


@pytest.mark.parametrize("persona", ["RO", "IE", "NO"])
async def test_q1_warnings_of_every_kind_are_shown(asker: Asker, persona: str) -> None:
    answer = await q1(asker, persona, "OFFICER_SAFETY")
    (nmc,) = answer.hits(owner="NMC")
    assert {w["kind"] for w in nmc["warnings"]} == {"WEAPONS", "MENTAL_HEALTH"}
    assert all(w["reason"] for w in nmc["warnings"])
    assert not answer.said("warnings")


async def test_q1_silence_costs_no_life(asker: Asker, population: Population) -> None:
    """GOLD-5 is silent at the bureau for a weapon, and its overt warning stands in the street."""
    quiet = population.golden("GOLD-5").copies[Agency.NCB]
    assert quiet.silent
    who = [{"family": quiet.name.family, "given": quiet.name.given}]
    answer = await asker.ask("RO", Q1, {"n": who}, purpose="OFFICER_SAFETY", reason="R01")
    assert {row["owner"] for row in answer.hits()} == {"NMC"}
    assert [(w["kind"], w["reason"]) for row in answer.hits() for w in row["warnings"]] == [
        ("WEAPONS", OVERT_LINE)
    ]
    assert not answer.said("hits", agency="NCB")


async def test_q1_arrival_officer_sees_warnings_and_safeguarding(asker: Asker) -> None:
    answer = await q1(asker, "AO", "PROTECT_VULNERABLE", "R04")
    assert {"WEAPONS", "MENTAL_HEALTH"} <= kinds(answer.hits(), "warnings")
    assert {"NRM", "HEALTH"} <= kinds(answer.hits(), "safeguarding")
    assert answer.hits(owner="BID")[0]["immigration"]["status"] == "ASYLUM_PENDING"


@pytest.mark.parametrize(
    ("persona", "purpose"),
    [("RO", "OFFICER_SAFETY"), ("IE", "OFFICER_SAFETY"), ("AO", "PROTECT_VULNERABLE")],
)
async def test_q1_overt_alerts_are_shown_and_discreet_ones_are_silent(
    asker: Asker, persona: str, purpose: str
) -> None:
    answer = await q1(asker, persona, purpose)
    alerts = [alert for row in answer.hits() for alert in row["alerts"]]
    assert [a["kind"] for a in answer.hits(owner="NMC")[0]["alerts"]] == ["LOCATE"]
    assert not any(alert["discreet"] for alert in alerts)
    assert all(row["alerts"] == [] for row in answer.hits(owner="NCB"))
    assert not answer.said("alerts")  # not a word


async def test_q1_bureau_officer_sees_the_bureaus_own_discreet_alert(asker: Asker) -> None:
    answer = await q1(asker, "NO", "OFFICER_SAFETY")
    assert [a["discreet"] for a in answer.hits(owner="NCB")[0]["alerts"]] == [True]


async def test_q1_identifiers_response_officer(asker: Asker) -> None:
    answer = await q1(asker, "RO", "OFFICER_SAFETY")
    assert values(answer, "PNCID") == {"26/0000417Y"}
    assert values(answer, "PASSPORT") == {"…7093"}
    assert values(answer, "NINO") == set()
    assert "WITHHELD" in answer.outcomes("identifiers", agency="NMC")
    assert all(entry["contact"] for entry in answer.said("identifiers"))


async def test_q1_identifiers_immigration_enforcement(asker: Asker) -> None:
    answer = await q1(asker, "IE", "OFFICER_SAFETY")
    assert "BP043671993" in values(answer, "BORDER_PERSON")
    assert values(answer, "PNCID") == {"…417Y"}
    # BID's own travel documents are clear to its officers, others' masked.
    assert values(answer, "PASSPORT") == {"BA4417093", "…7093"}
    assert values(answer, "NINO") == set()


@pytest.mark.parametrize(
    ("persona", "purpose"),
    [("IE", "OFFICER_SAFETY"), ("IE", "BORDER_SECURITY"), ("IE", "IMMIGRATION_CONTROL"),
     ("BF", "OFFICER_SAFETY"), ("BF", "PROTECT_VULNERABLE")],
)  # fmt: skip
async def test_q1_border_officers_find_by_the_travel_document_alone(
    asker: Asker, persona: str, purpose: str
) -> None:
    found = await asker.ask(persona, Q1, {"n": [{"identifier": "BA4417093"}]}, purpose=purpose)
    assert {row["primaryName"] for row in found.hits(owner="BID")} == {"Arben Hoxha", "Dritan Leka"}
    assert {row["primaryName"] for row in found.hits(owner="NMC")} == {"ARBEN HOXHA"}
    # A number that they may not see finds nobody.
    hidden = await asker.ask(persona, Q1, {"n": [{"identifier": "QQ417417A"}]}, purpose=purpose)
    assert hidden.hits() == []


async def test_q1_identifiers_arrival_and_bureau_officers(asker: Asker) -> None:
    arrival = await q1(asker, "AO", "PROTECT_VULNERABLE", "R04")
    assert values(arrival, "PASSPORT") == {"BA4417093"}
    assert values(arrival, "NINO") == set()
    bureau = await q1(asker, "NO", "OFFICER_SAFETY")
    assert values(bureau, "NINO") == {"QQ417417A"}


@pytest.mark.parametrize("persona", ["RO", "IE", "NO"])
async def test_q1_safeguarding_is_a_hit_with_the_desk(asker: Asker, persona: str) -> None:
    answer = await q1(asker, persona, "OFFICER_SAFETY")
    assert kinds(answer.hits(), "safeguarding") == set()
    assert answer.outcomes("safeguarding", agency="SCP") == {"HIT"}
    assert answer.outcomes("safeguarding", agency="NCB") == {"HIT"}
    assert {e["contact"] for e in answer.said("safeguarding")} == {"public-protection"}


async def test_q1_immigration(asker: Asker) -> None:
    masked = await q1(asker, "RO", "OFFICER_SAFETY")
    assert masked.hits(owner="BID")[0]["immigration"] == {"status": None, "absconder": None}
    (entry, *_) = masked.said("immigration.status", agency="BID")
    assert (entry["outcome"], entry["shows"]) == ("MASKED", "check with border desk")
    for persona in ("IE", "NO"):
        shown = await q1(asker, persona, "OFFICER_SAFETY")
        assert shown.hits(owner="BID")[0]["immigration"]["status"] == "ASYLUM_PENDING"


@pytest.mark.parametrize("persona", ["RO", "IE"])
async def test_q1_intelligence_is_a_hit_and_the_silent_report_is_not(
    asker: Asker, persona: str
) -> None:
    answer = await q1(asker, persona, "OFFICER_SAFETY")
    assert all(row["intelligence"] == [] for row in answer.hits())
    assert answer.outcomes("intelligence", agency="ERU") == {"HIT"}
    assert {e["contact"] for e in answer.said("intelligence", agency="ERU")} == {"eru-intel"}
    assert "ERU/I/24/00116" not in str(answer.body)


async def test_q1_the_response_officer_reads_the_line_that_bears_on_safety(asker: Asker) -> None:
    answer = await q1(asker, "RO", "OFFICER_SAFETY")
    (entry,) = answer.said("intelligence", agency="ERU")
    assert entry["shows"] == "Subject may carry a knife: take care."  # and of the other, nothing
    assert (entry["outcome"], entry["contact"], entry["action"]) == ("HIT", "eru-intel", "call")
    assert "ERU/I/26/00001" not in str(answer.body)
    enforcement = await q1(asker, "IE", "OFFICER_SAFETY")
    assert not any("shows" in entry for entry in enforcement.said("intelligence"))


@pytest.mark.parametrize("persona", ["RO", "AO"])
async def test_q1_a_report_on_which_no_warning_rests_has_no_line(
    asker: Asker, population: Population, persona: str
) -> None:
    supplier = population.people[population.gold["GOLD-2"]].copies[Agency.NCB].name
    who = [{"family": supplier.family, "given": supplier.given}]
    answer = await asker.ask(persona, Q1, {"n": who}, purpose="OFFICER_SAFETY")
    (ncb,) = answer.hits(owner="NCB")
    if persona == "AO":  # intelligence-trained: sees P
        assert len(ncb["intelligence"]) == 1
    else:
        assert ncb["intelligence"] == []
        assert answer.outcomes("intelligence", agency="NCB") == {"HIT"}
        assert not any("shows" in entry for entry in answer.said("intelligence"))


async def test_q1_intelligence_by_handling(asker: Asker) -> None:
    for persona, purpose in (("NO", "OFFICER_SAFETY"), ("AO", "PROTECT_VULNERABLE")):
        answer = await q1(asker, persona, purpose)
        (eru,) = answer.hits(owner="ERU")
        assert [i["urn"] for i in eru["intelligence"]] == ["ERU/I/26/00001"]
        assert answer.outcomes("intelligence", agency="ERU") == {"HIT"}
        assert "ERU/I/24/00116" not in str(answer.body)
        lines = {entry.get("shows") for entry in answer.said("intelligence", agency="ERU")}
        # The other report is C, in its sanitised text only: the bureau's officer has a plain hit.
        assert lines == {"Subject offers travel by phone." if persona == "AO" else None}


def about_one(population: Population, conditions: tuple[str, ...]) -> Report:
    """A coded report of ERU under these conditions alone, about somebody with a name and a date."""
    for report in population.reports:
        held = report.governance
        copies = [population.people[t].copies[report.agency] for t in report.subjects]
        if (
            (report.agency, held.handling, held.conditions) == (Agency.ERU, "C", conditions)
            and not report.silent
            and held.retention == "CURRENT"
            and copies[0].name.family
            and copies[0].birth.day
            and not copies[0].silent
            and copies[0].governance.retention == "CURRENT"
        ):
            return report
    raise AssertionError(conditions)


@pytest.mark.parametrize(
    ("conditions", "told"),
    [
        (("NO_ONWARD",), "NO_ONWARD"),
        (("NO_COURT_USE",), "NO_COURT_USE"),
        (("NOTIFY_ORIGINATOR",), "NOTIFY_ORIGINATOR"),
        (("NO_ACTION_WITHOUT_ORIGINATOR",), ""),
        (("NAMED_UNIT_ONLY:ERU-INTEL",), ""),
    ],
)
async def test_q1_the_arrival_officer_reads_a_coded_report_by_its_conditions(
    asker: Asker, population: Population, conditions: tuple[str, ...], told: str
) -> None:
    report = about_one(population, conditions)
    copy = population.people[report.subjects[0]].copies[Agency.ERU]
    born = f"{copy.birth.year:04}-{copy.birth.month:02}-{copy.birth.day:02}"
    who = [{"family": copy.name.family, "dob": born}]
    answer = await asker.ask("AO", Q1, {"n": who}, purpose="PROTECT_VULNERABLE", reason="R04")
    rows = answer.hits(owner="ERU")
    shown = report.urn in {i["urn"] for row in rows for i in row["intelligence"]}
    assert shown is bool(told)
    labels = {e["shows"] for e in answer.said("intelligence", agency="ERU")
              if e["outcome"] == "SHOWN"}  # fmt: skip
    assert (told in labels) is shown
    if not shown:
        assert report.urn not in str(answer.body)
        assert "HIT" in answer.outcomes("intelligence", agency="ERU")
    told_of = {key for _, entity, key in await readings(asker, "ERU", answer) if entity[0] == "I"}
    assert (report.urn in told_of) is (told == "NOTIFY_ORIGINATOR")


async def readings(asker: Asker, agency: str, answer: Answer) -> set[tuple[str, str, str | int]]:
    """The records of which an agency's desk was told that an answer showed them."""
    await asker.demo.started.tripwires.settled()
    query_id = answer.body["extensions"]["receipt"]["queryId"]
    refs = asker.demo.started.gate.refs
    return {
        opened
        for notice in await asker.demo.started.office.store.notices_of(agency, 10_000)
        if notice.about is Told.RECORD_SHOWN and notice.subject == query_id
        if (opened := refs.open(agency, notice.record or "")) is not None
    }


def birthday(birth: Birth) -> str:
    """The day, where it is known; else nothing."""
    if birth.earliest is not None and birth.earliest == birth.latest:
        return birth.earliest.isoformat()
    return f"{birth.year:04}-{birth.month:02}-{birth.day:02}" if birth.day else ""


@pytest.mark.parametrize("agency", [Agency.ERU, Agency.NCB])
async def test_the_owner_is_told_of_each_person_that_is_shown_on_that_condition(
    asker: Asker, population: Population, agency: Agency
) -> None:
    """A person's record coded C is shown with its label, and its owner learns who read it."""
    copy, born = next(
        (copy, born)
        for person in population.people.values()
        if (copy := person.copies.get(agency)) is not None
        and copy.governance.conditions == ("NOTIFY_ORIGINATOR",)
        and copy.governance.retention == "CURRENT"
        and copy.name.family
        and not copy.silent
        and (born := birthday(copy.birth))
    )
    who = {"n": [{"family": copy.name.family, "dob": born}]}
    answer = await asker.ask("RO", Q1, who, purpose="OFFICER_SAFETY", reason="R01")
    assert answer.hits(owner=str(agency))
    labels = {
        e["shows"] for e in answer.said("hits", agency=str(agency)) if e["outcome"] == "SHOWN"
    }
    assert labels == {"NOTIFY_ORIGINATOR"}
    told = await readings(asker, str(agency), answer)
    assert {entity for _, entity, _ in told} == {"Person"}
    own = "RA" if agency is Agency.ERU else "NO"
    theirs = await asker.ask(own, Q1, who, purpose="PREVENT_DETECT_CRIME", reason="R06")
    assert theirs.hits(owner=str(agency))
    assert not theirs.said("hits", agency=str(agency))
    assert not await readings(asker, str(agency), theirs)


async def test_q1_images_are_shown_where_linked_and_a_hit_for_border_officers(
    asker: Asker,
) -> None:
    for persona, purpose in (
        ("RO", "OFFICER_SAFETY"), ("NO", "OFFICER_SAFETY"), ("AO", "PROTECT_VULNERABLE"),
    ):  # fmt: skip
        answer = await q1(asker, persona, purpose)
        (nmc,) = answer.hits(owner="NMC")
        if persona == "RO":  # linked through the PNC identifier
            assert nmc["match"]["band"] == "LINKED_BY_IDENTIFIER"
        assert len(nmc["images"]) == 1  # the other one's deletion is decided: never shown
    border = await q1(asker, "IE", "OFFICER_SAFETY")
    assert all(row["images"] == [] for row in border.hits())
    assert "HIT" in border.outcomes("images", agency="NIS")


async def test_q1_the_analyst_does_not_hold_the_purpose(asker: Asker) -> None:
    answer = await q1(asker, "RA", "OFFICER_SAFETY")
    assert (answer.status, answer.code) == (403, "REFUSED")
    assert answer.body["errors"][0]["extensions"]["contact"]


@pytest.mark.parametrize("persona", ["PA", "PB", "AF", "PS", "AU"])
async def test_q1_administrators_and_auditors_ask_no_agency(asker: Asker, persona: str) -> None:
    answer = await q1(asker, persona, "OVERSIGHT")
    assert (answer.status, answer.code) == (403, "REFUSED")


async def test_q1_all_six_agencies_are_visited_for_the_arrival_officer(asker: Asker) -> None:
    answer = await q1(asker, "AO", "PROTECT_VULNERABLE", "R04")
    for agency in ("NMC", "SCP", "BID", "ERU", "NCB", "NIS"):
        assert answer.state(agency) == "ANSWERED"


# --- Q3, arrival ----------------------------------------------------------------------------------


async def test_q3_border_security(asker: Asker) -> None:
    answer = await q3(asker, "IE", "BORDER_SECURITY")
    bid = next(row for row in answer.hits(owner="BID") if row["primaryName"] == "Arben Hoxha")
    assert len(bid["encounters"]) == 2
    assert bid["encounters"][0]["where"]["postcode"] == "SQ3 1BS"
    assert bid["immigration"]["status"] == "ASYLUM_PENDING"
    assert bid["nationalities"] == [{"country": "AL", "claimed": True}]
    assert {s["kind"] for s in bid["safeguarding"]} == {"HEALTH"}  # BID's own
    assert all(row["safeguarding"] == [] for row in answer.hits(owner="SCP"))
    assert not answer.said("safeguarding", agency="SCP")  # silent: no suspect there
    assert all(row["offending"] == [] for row in answer.hits())
    (count, *_) = answer.said("offending", agency="NMC")
    assert (count["outcome"], count["mask"]) == ("MASKED", "COUNT_ONLY")
    assert count["shows"].startswith("1, serious ")
    assert answer.outcomes("groups", agency="ERU") == {"HIT"}
    assert all(row["groups"] == [] for row in answer.hits())


async def test_q3_features_are_of_identifiers_alone(asker: Asker) -> None:
    """Names and dates are compared, and told as features, with matching (issue 6): until then a
    match rests on a number that nobody else bears, and on nothing weaker."""
    for persona, purpose in (("IE", "BORDER_SECURITY"), ("AO", "PROTECT_VULNERABLE")):
        answer = await q3(asker, persona, purpose)
        matches = {(row["owner"], row["primaryName"]): row["match"] for row in answer.hits()}
        features = [f for match in matches.values() for f in match["features"]]
        assert features
        assert {f["name"].partition(",")[0] for f in features} <= NUMBERS
        # the look-alike's passport is borne by two: told as such, and of no weight
        for name in ("Arben Hoxha", "Dritan Leka"):
            apart = matches["BID", name]
            assert (apart["band"], apart["score"]) == (None, None)
            assert all(not f["weight"] for f in apart["features"])


async def test_q3_immigration_control_raises_the_firewall(asker: Asker) -> None:
    answer = await q3(asker, "IE", "IMMIGRATION_CONTROL")
    assert kinds(answer.hits(), "safeguarding") == set()
    assert not [e for e in answer.said("safeguarding") if e["outcome"] in {"HIT", "MASKED"}]
    assert all(row["groups"] == [] for row in answer.hits())
    assert not answer.said("groups")  # silent
    (count, *_) = answer.said("offending", agency="NMC")
    assert count["mask"] == "COUNT_ONLY"
    # His records that stand on a victim's role answer like no record at all.
    assert answer.hits(owner="SCP") == []
    assert answer.state("SCP") == "ANSWERED"


async def test_q3_response_officer_protecting(asker: Asker) -> None:
    answer = await q3(asker, "RO", "PROTECT_VULNERABLE")
    assert all(row["encounters"] == [] for row in answer.hits())
    (count, *_) = answer.said("encounters", agency="BID")
    assert (count["mask"], count["shows"]) == ("COUNT_ONLY", "2")
    assert answer.outcomes("groups", agency="ERU") == {"WITHHELD"}
    child = await q3(asker, "RO", "PROTECT_VULNERABLE", GOLD_6)
    assert "CHILD" in kinds(child.hits(owner="BID"), "safeguarding")


async def test_q3_analyst(asker: Asker) -> None:
    answer = await q3(asker, "RA", "OIC_INVESTIGATION")
    bid = next(row for row in answer.hits(owner="BID") if row["primaryName"] == "Arben Hoxha")
    assert len(bid["encounters"]) == 2
    (nmc,) = answer.hits(owner="NMC")
    assert [o["offenceCode"] for o in nmc["offending"]] == ["79/2"]
    (eru,) = answer.hits(owner="ERU")
    assert [g["role"] for g in eru["groups"]] == ["PILOT"]
    assert eru["groups"][0]["group"]["ref"]
    # Needs withheld: section 8.5 makes it a hit to the safeguarding desk.
    assert answer.outcomes("safeguarding", agency="SCP") == {"HIT"}


async def test_q3_bureau_officer(asker: Asker) -> None:
    answer = await q3(asker, "NO", "OIC_INVESTIGATION")
    (eru,) = answer.hits(owner="ERU")
    assert [g["role"] for g in eru["groups"]] == ["PILOT"]
    assert answer.outcomes("safeguarding", agency="NCB") == {"HIT"}  # NRM, outside protection


async def test_q3_what_each_disclosure_offers(asker: Asker) -> None:
    """No "no" without a next step (section 8.1)."""
    for persona, purpose in (("RO", "PROTECT_VULNERABLE"), ("IE", "BORDER_SECURITY")):
        answer = await q3(asker, persona, purpose)
        for entry in answer.body["extensions"]["disclosure"]:
            if entry["outcome"] in {"WITHHELD", "HIT"}:
                assert entry.get("contact"), entry
                assert entry.get("action"), entry
