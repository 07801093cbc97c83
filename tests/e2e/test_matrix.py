"""What each persona sees of the officers' twelve questions: the kept files are what the rules give.

The cells that domain-model.md, section 5, expects of Q4 to Q12 are there, one by one; where that
section leaves a choice, at its stricter side. Those of Q1 to Q3 are in test_policy_cells.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

import pytest

from deploy.policy.matrix.asking import Officers
from deploy.policy.matrix.cells import CONDITIONS, RECORD
from deploy.policy.matrix.page import CELLS, Everybody, answers, page
from tests.opa import POLICIES, program

Asked: TypeAlias = Mapping[str, tuple[Officers, Everybody]]
REWRITE = "the rules or the questions changed what somebody sees: run `make matrix`, read the diff"
CONSOLES = ("DK", "PA", "PB", "AF", "PS", "PSB", "AU")
GUARD = "retention is CURRENT or REVIEW_DUE"
LACKING = {
    "q07_groups_not_investigated": "groupSummary", "q08_deconfliction": "deconflict",
    "q10_network": "network", "q12_pack": "progress",
}  # fmt: skip
P_OR_HIT = "CASES: CLEAR where handling is P; HIT_ONLY where handling is C; else WITHHELD"


@pytest.fixture(scope="module")
def asked() -> Asked:
    return {officers.name: (officers, seen) for officers, seen in answers(program(), POLICIES)}


def test_the_kept_files_are_what_the_rules_give(asked: Asked) -> None:
    made = {f"{name}.txt": page(*one) for name, one in asked.items()}
    kept = {file.name: file.read_text("utf-8") for file in CELLS.iterdir()}
    assert len(kept) == 12
    assert kept.keys() == made.keys(), REWRITE
    for name, text in made.items():
        assert kept[name] == text, f"{name}: {REWRITE}"


def test_questions_that_lack_a_field_say_so(asked: Asked) -> None:
    for name, root in LACKING.items():
        assert f"`{root}`" in asked[name][0].lacking
        assert f"`{root}`" in page(*asked[name]).partition("query ")[0]


def row(asked: Asked, name: str, code: str, purpose: str, at: str, field: str) -> dict[str, str]:
    """Agency -> outcome of one field of a question for one persona and purpose."""
    seen = asked[name][1][code][purpose]
    assert seen.decision.refuse is None
    found = {
        cell.agency: cell.outcome
        for cell in seen.cells()
        if (cell.place, cell.field) == (at, field)
    }
    return found


def refused(asked: Asked, name: str, code: str, purpose: str) -> str:
    note = asked[name][1][code][purpose].decision.refuse
    return note.rule if note is not None else ""


# Every row: persona, purpose, where, field, and the outcome in each agency's data.
Row: TypeAlias = tuple[str, str, str, str, dict[str, str]]
OIC, STRATEGIC = "OIC_INVESTIGATION", "STRATEGIC_REPORTING"


def each(agencies: str, outcome: str) -> dict[str, str]:
    return dict.fromkeys(agencies.split(), outcome)


PHONE, HOLDER = "Contact at contactLookup", "Person at contactLookup.holders"
LINK = "Link at contactLookup.links"
LINKED_REPORT = "IntelligenceReport at contactLookup.links.to"
OVERT = "RECORDS where silent is false"
Q4: list[Row] = [
    ("RA", OIC, PHONE, "firstSeen", each("ERU NCB NMC", "CLEAR")),
    ("RA", OIC, HOLDER, "primaryName", each("ERU NCB NMC SCP", "CLEAR")),
    ("RA", OIC, LINK, "grade", each("ERU", "CLEAR")),
    ("RA", OIC, LINKED_REPORT, "sanitisedText", each("ERU", "CLEAR")),
    ("RA", OIC, LINKED_REPORT, "conditions", each("ERU", "CLEAR")),  # NO_ONWARD is told
    ("NO", OIC, HOLDER, "primaryName", each("ERU NCB NMC SCP", "CLEAR")),
    ("NO", OIC, HOLDER, RECORD, each("ERU NMC SCP", OVERT) | each("NCB", "RECORDS")),
    ("NO", OIC, LINKED_REPORT, "urn",
     each("ERU", "CLEAR")),
    ("NO", OIC, LINKED_REPORT, CONDITIONS,
     each("ERU", "BY CONDITIONS (IntelligenceReport:handling; owner)")),
    ("IEC", OIC, HOLDER, "primaryName", each("ERU NCB NMC SCP", "CLEAR")),
    ("IEC", OIC, LINK, RECORD, each("ERU", "HIT (Link:links_hit; owner)")),
    ("IEC", OIC, LINKED_REPORT, RECORD, each("ERU", "NOT ASKED")),
    ("RO", "APPREHEND", HOLDER, RECORD,
     each("ERU NCB NMC SCP", "RECORDS where subjectRoles is WANTED")),
    ("RO", "APPREHEND", LINK, RECORD, each("ERU", "SILENT")),
    ("IE", "BORDER_SECURITY", PHONE, RECORD,
     each("ERU NCB NMC SCP", "WITHHELD (Contact:withheld; owner)")),
]  # fmt: skip

CANDIDATE, IMAGE = "FaceCandidate at faceSearch", "ImageRef at faceSearch.image"
REFER = "WITHHELD (nis.operators; face)"
Q5: list[Row] = [
    ("NO", OIC, CANDIDATE, "rank", each("NIS", "CLEAR")),
    ("NO", OIC, CANDIDATE, "score", each("NIS", "CLEAR")),
    ("NO", OIC, IMAGE, RECORD, each("NIS", "RECORDS")),
    ("NO", OIC, IMAGE, "expires", each("NIS", "CLEAR")),
    ("NO", OIC, "Person at faceSearch.person", "primaryName", each("NMC SCP", "CLEAR")),
    *((code, purpose, CANDIDATE, RECORD, each("NIS", REFER)) for code, purpose in
      (("RA", OIC), ("RO", "APPREHEND"), ("IE", "OFFICER_SAFETY"), ("IEC", OIC), ("AO", OIC),
       ("BF", "BORDER_SECURITY"), ("PP", "PROTECT_VULNERABLE"))),
    ("RA", OIC, IMAGE, RECORD, each("NIS", "NOT ASKED")),
]  # fmt: skip

GROUP, MEMBER = "OrganisedGroup at organisedGroups", "GroupMembership at organisedGroups.members"
SUMMARY = "OrganisedGroup:groups_summary; owner"
LOCAL = "WITHHELD (OrganisedGroup:groups_withheld; local-intel)"
Q6: list[Row] = [
    ("RA", OIC, GROUP, "name",
     {"ERU": "CLEAR", "NCB": "TOKEN (OrganisedGroup:groups_token; owner)"}),
    *(("RA", OIC, GROUP, field, each("ERU NCB", "CLEAR")) for field in
      ("region", "leadAgency", "investigation", "thematicTotal")),
    ("RA", OIC, MEMBER, RECORD, {"ERU": "RECORDS",
                                 "NCB": "HIT (GroupMembership:groups_hit; owner)"}),
    ("RA", OIC, "Person at organisedGroups.members.person", RECORD,
     {"ERU": "RECORDS", "NCB": "NOT ASKED"}),
    *(("NO", OIC, GROUP, field, each("ERU NCB", "CLEAR")) for field in ("name", "thematicTotal")),
    ("NO", OIC, MEMBER, "role", each("ERU NCB", "CLEAR")),
    *(("IEC", OIC, GROUP, field, each("ERU NCB", "CLEAR")) for field in
      ("groupRef", "region", "leadAgency", "investigation")),
    ("IEC", OIC, GROUP, "thematicTotal", each("ERU NCB", f"BAND ({SUMMARY})")),
    ("IEC", OIC, GROUP, "name", each("ERU NCB", f"WITHHELD ({SUMMARY})")),
    ("IEC", OIC, MEMBER, RECORD, each("ERU NCB", "HIT (GroupMembership:groups_hit; owner)")),
    ("RO", "PREVENT_DETECT_CRIME", GROUP, RECORD, each("ERU NCB", LOCAL)),
    ("IE", "IMMIGRATION_CONTROL", GROUP, RECORD, each("ERU NCB", "SILENT")),
]  # fmt: skip

NUMBER = "COUNT (OrganisedGroup:groups_count; owner)"
Q7: list[Row] = [
    ("RA", STRATEGIC, GROUP, RECORD, {"ERU": "RECORDS", "NCB": NUMBER}),
    ("RA", STRATEGIC, GROUP, "thematicTotal", each("ERU", "CLEAR")),
    ("NO", STRATEGIC, GROUP, "thematicTotal", each("ERU NCB", "CLEAR")),
    ("TC", STRATEGIC, GROUP, RECORD, each("ERU NCB", NUMBER)),
    # who sees a score in bands only cannot filter by it, and is told by the rule of the field
    ("IEC", OIC, GROUP, RECORD, each("ERU NCB", f"WITHHELD ({SUMMARY})")),
]  # fmt: skip

Q8: list[Row] = [
    (code, "DECONFLICTION", f"{entity} at {root}", RECORD,
     each(agencies, f"WITHHELD ({entity}:unlisted; gateway)"))
    for code in ("RA", "NO")
    for entity, root, agencies in (("Person", "personSearch", "BID ERU NCB NMC SCP"),
                                   ("Location", "locationSearch", "NMC SCP"))
]  # fmt: skip

REPORT = "IntelligenceReport at intelligence"
CRIME = "PREVENT_DETECT_CRIME"
BOUND = "BY CONDITIONS (IntelligenceReport:handling; owner)"
PARAGRAPHS = "BY CONDITIONS (IntelligenceReport.paragraphs:handling; owner)"
TEXT = (
    "CASES: CLEAR where restrictedParagraph is false; else SANITISED_TEXT "
    "(IntelligenceReport:intel_conditions; owner)"
)
HELD = "HIT (IntelligenceReport:intel_hit; owner)"
LINE = (
    "CASES: SANITISED_TEXT where bearsOnSafety is true and handling is P; else HIT_ONLY "
    "(IntelligenceReport:intel_safety; owner)"
)
Q9: list[Row] = [
    ("RA", CRIME, REPORT, "title", each("ERU NCB", "CLEAR")),
    ("RA", CRIME, REPORT, CONDITIONS, {"NCB": BOUND}),  # its own agency's are not bound
    ("RA", CRIME, REPORT, "text", {"ERU": "CLEAR", "NCB": TEXT}),
    ("NO", CRIME, REPORT, "text", {"NCB": "CLEAR", "ERU": TEXT}),
    ("NO", CRIME, REPORT, CONDITIONS, {"ERU": BOUND}),
    ("NO", CRIME, REPORT, f"paragraphs {CONDITIONS}", {"ERU": PARAGRAPHS}),
    ("NO", "OFFICER_SAFETY", REPORT, "title",
     {"NCB": "CLEAR", "ERU": f"{P_OR_HIT} (IntelligenceReport:intel_handling; owner)"}),
    ("RO", "OFFICER_SAFETY", REPORT, "ref", each("ERU NCB", LINE)),
    ("RO", "OFFICER_SAFETY", REPORT, "text", {}),  # never more than a hit
    ("RO", CRIME, REPORT, RECORD, each("ERU NCB", HELD)),
    *(("IE", purpose, REPORT, RECORD, each("ERU NCB", HELD)) for purpose in
      ("OFFICER_SAFETY", "BORDER_SECURITY")),
    ("IEC", OIC, REPORT, RECORD, each("ERU NCB", HELD)),
    ("IE", "IMMIGRATION_CONTROL", REPORT, RECORD, each("ERU NCB", "SILENT")),
]  # fmt: skip

HOP = "contactLookup.holders.links"
Q10: list[Row] = [
    ("RA", OIC, f"Link at {HOP}", "kind", each("ERU", "CLEAR")),
    ("RA", OIC, f"Person at {HOP}.to", RECORD, each("ERU", "RECORDS")),
    ("NO", OIC, f"Person at {HOP}.to", RECORD, each("ERU", OVERT)),
    ("IEC", OIC, f"Link at {HOP}", RECORD, each("ERU", "HIT (Link:links_hit; owner)")),
    ("IEC", OIC, f"Person at {HOP}.to", RECORD, each("ERU", "NOT ASKED")),  # one hop
]  # fmt: skip

PERSON, EVENT = "Person at personSearch", "Incident at personSearch.events"
DESK = "public-protection"
HOMES = "ELEMENTS where kind is HOME or WORK or FREQUENTS (Person.addresses:homes; border)"
Q11: list[Row] = [
    ("RO", "PROTECT_VULNERABLE", PERSON, "safeguarding.kind", each("BID NCB NMC SCP", "CLEAR")),
    ("RO", "PROTECT_VULNERABLE", EVENT, RECORD,
     {"NMC": "RECORDS", "SCP": f"HIT (Incident:protection_hit; {DESK})"}),
    ("RO", "PROTECT_VULNERABLE", EVENT, "flags", each("NMC", "CLEAR")),
    ("RO", "PROTECT_VULNERABLE", PERSON, "immigration",
     each("BID", "WITHHELD (Person.immigration:immigration_desk; border)")),
    ("RO", "PROTECT_VULNERABLE", PERSON, "addresses", each("BID NMC SCP", HOMES)),
    ("IE", "IMMIGRATION_CONTROL", EVENT, RECORD, each("NMC SCP", "SILENT")),
    ("IE", "IMMIGRATION_CONTROL", PERSON, "safeguarding", each("BID NCB NMC SCP", "SILENT")),
    ("RA", OIC, PERSON, "safeguarding",
     each("BID NCB NMC SCP", f"HIT (Person.safeguarding:protection_hit; {DESK})")),
    ("RA", OIC, EVENT, RECORD, each("NMC SCP", "RECORDS where victim is false")),
    ("NO", "PROTECT_VULNERABLE", PERSON, "safeguarding.state", each("BID NCB NMC SCP", "CLEAR")),
    ("NO", "PROTECT_VULNERABLE", EVENT, "flags", each("NMC SCP", "CLEAR")),
    ("NO", OIC, EVENT, RECORD,
     each("NMC SCP", "RECORDS where silent is false and victim is false")),
]  # fmt: skip

DONE = "Disruption at organisedGroups.disruptions"
Q12: list[Row] = [
    ("RA", STRATEGIC, GROUP, RECORD, {"ERU": "RECORDS", "NCB": NUMBER}),
    ("RA", STRATEGIC, DONE, RECORD, {"ERU": "RECORDS", "NCB": "NOT ASKED"}),
    ("NO", STRATEGIC, DONE, "grade", each("ERU NCB", "CLEAR")),
    ("TC", STRATEGIC, GROUP, RECORD, each("ERU NCB", NUMBER)),
    ("TC", STRATEGIC, DONE, RECORD, each("ERU NCB", "NOT ASKED")),
]  # fmt: skip

EXPECTED = {
    "q04_phone": Q4, "q05_face": Q5, "q06_group_profile": Q6, "q07_groups_not_investigated": Q7,
    "q08_deconfliction": Q8, "q09_report": Q9, "q10_network": Q10, "q11_possible_victim": Q11,
    "q12_pack": Q12,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [(name, one) for name, rows in EXPECTED.items() for one in rows],
    ids=lambda one: one if isinstance(one, str) else "-".join(one[:4]),
)
def test_cell(asked: Asked, name: str, expected: Row) -> None:
    code, purpose, at, field, outcomes = expected
    assert row(asked, name, code, purpose, at, field) == outcomes


@pytest.mark.parametrize(
    ("name", "code", "purpose"),
    [
        ("q04_phone", "RO", OIC), ("q10_network", "RO", OIC),
        ("q07_groups_not_investigated", "RO", STRATEGIC),
        ("q07_groups_not_investigated", "IE", STRATEGIC), ("q12_pack", "RO", STRATEGIC),
        ("q12_pack", "IE", STRATEGIC), ("q08_deconfliction", "RO", "DECONFLICTION"),
        ("q08_deconfliction", "SG", "DECONFLICTION"), ("q08_deconfliction", "IE", "DECONFLICTION"),
        ("q11_possible_victim", "IE", "PROTECT_VULNERABLE"), ("q09_report", "IE", CRIME),
    ],
)  # fmt: skip
def test_a_purpose_that_is_not_held_is_refused(
    asked: Asked, name: str, code: str, purpose: str
) -> None:
    assert refused(asked, name, code, purpose) == "refuse.purpose"


@pytest.mark.parametrize("code", CONSOLES)
def test_who_works_in_the_consoles_asks_none_of_them(asked: Asked, code: str) -> None:
    for name, (_, seen) in asked.items():
        assert {refused(asked, name, code, purpose) for purpose in seen[code]} == {
            "refuse.no_queries"
        }


def test_a_search_by_face_has_its_duties_and_no_gallery_of_what_is_disposed_of(
    asked: Asked,
) -> None:
    seen = asked["q05_face"][1]["NO"][OIC]
    duties = {one.type for one in seen.decision.obligations}
    assert {"reauthenticate", "record_outcome", "require_reason", "time_box"} <= duties
    text = page(*asked["q05_face"])
    assert text.count(GUARD) == text.count("every record: ") > 0


def test_what_hides_has_a_desk(asked: Asked) -> None:
    """No refusal, withheld field or hit without a rule and somebody to ask."""
    for _, everybody in asked.values():
        for by_purpose in everybody.values():
            for seen in by_purpose.values():
                if (note := seen.decision.refuse) is not None:
                    assert note.rule
                    assert note.desk
                    continue
                for cell in seen.cells():
                    if cell.outcome.startswith(("WITHHELD", "HIT", "COUNT")):
                        assert re.search(r"\([^();]+; [\w-]+\)", cell.outcome), cell
