"""Why somebody asks, through the running gateway: references, on whose behalf, and for what."""

from __future__ import annotations

import time
from typing import Any

import pytest

from deploy.demo.population import Agency, Population
from gateway.audit.entry import read_leaf
from tests.e2e.asking import Asker

PLATE = '{ vehicle(vrm: "SN68 BTX") { make } }'
NAMED = """query ($f: String!) { personSearch(anyOf: [{family: $f}], first: 50) {
  total hits { owner ageState } } }"""
NOTHING_ELSE: dict[str, Any] = {"reasonText": None, "incidentRef": None}


@pytest.mark.parametrize(
    ("reference", "counts"),
    [("NM/2026/004512", True), ("SC-26-0004512", False), ("see my notebook", False)],
)
async def test_pu_05_a_case_is_named_as_the_officers_agency_names_its_cases(
    asker: Asker, reference: str, counts: bool
) -> None:
    asked: dict[str, Any] = {"purpose": "OFFICER_SAFETY", "reason": "R06", "caseRef": reference}
    answer = await asker.ask("RO", PLATE, **asked, **NOTHING_ELSE)
    assert (answer.status == 200) is counts
    if not counts:
        assert answer.body["errors"][0]["extensions"]["rule"] == "refuse.reason"
        assert reference not in str(answer.body)
    told = await asker.ask("RO", PLATE, **{**asked, "incidentRef": None})  # its reason in words
    assert told.status == 200


async def test_an_incident_is_enough_for_a_stop_and_not_for_an_investigation(asker: Asker) -> None:
    only: dict[str, Any] = {"caseRef": None, "reasonText": None, "incidentRef": "NM-26-0000001"}
    stop = await asker.ask("RO", PLATE, purpose="OFFICER_SAFETY", reason="R02", **only)
    assert stop.status == 200
    case = await asker.ask("RO", PLATE, purpose="OFFICER_SAFETY", reason="R06", **only)
    assert case.body["errors"][0]["extensions"]["rule"] == "refuse.reason"


@pytest.mark.parametrize(
    ("behalf", "status"), [("demo-nmc-0001", 200), ("demo-nmc-0002", 403), (None, 403)]
)
async def test_a_sergeant_asks_for_somebody_else(
    asker: Asker, behalf: str | None, status: int
) -> None:
    answer = await asker.ask("SG", PLATE, purpose="OFFICER_SAFETY", onBehalfOf=behalf)
    assert answer.status == status
    if status != 200:
        assert answer.body["errors"][0]["extensions"]["rule"] == "refuse.on_behalf"


@pytest.mark.parametrize("retention", ["CURRENT", "REVIEW_DUE", "DISPOSE", "RESTRICTED"])
async def test_what_is_due_for_review_is_found_and_what_is_to_go_is_not(
    asker: Asker, population: Population, retention: str
) -> None:
    """What is to be disposed of or restricted counts in nothing, not even in the total."""
    copies = [
        copy
        for person in population.people.values()
        if (copy := person.copies.get(Agency.NMC)) is not None and not copy.silent
    ]
    name = next(
        c.name.family for c in copies if c.governance.retention == retention and c.name.family
    )
    alike = [c.governance.retention for c in copies if c.name.family == name]
    found = await asker.ask("RO", NAMED, {"f": name}, purpose="OFFICER_SAFETY")
    shown = sum(one in {"CURRENT", "REVIEW_DUE"} for one in alike)
    assert len(found.hits(owner="NMC")) == shown
    assert shown < len(alike) or retention in {"CURRENT", "REVIEW_DUE"}


async def test_a_partner_abroad_learns_who_holds_something_and_nothing_else(asker: Asker) -> None:
    some = await asker.ask("FL", NAMED, {"f": "Hoxha"}, purpose="OIC_INVESTIGATION")
    none = await asker.ask("FL", NAMED, {"f": "Nobodyhasthis"}, purpose="OIC_INVESTIGATION")
    assert some.data == none.data == {"personSearch": {"hits": [], "total": None}}
    told = [one for one in some.body["extensions"]["disclosure"] if one["outcome"] == "HIT"]
    assert "NMC" in {one["agency"] for one in told}
    assert all(one["contact"] and one["action"] == "call" for one in told)
    assert not any(one.get("shows") or one.get("count") for one in told)
    assert not [one for one in none.body["extensions"]["disclosure"] if one["outcome"] == "HIT"]


# --- on duty -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("persona", "hours", "asks"),
    [
        ("RO", 11.9, True),
        ("RO", 12.1, False),
        ("RO", None, False),
        ("AO", None, False),
        ("IE", None, False),
        ("NO", None, True),  # works at a desk
    ],
)
async def test_who_is_on_the_front_line_asks_on_duty_only(
    asker: Asker, persona: str, hours: float | None, asks: bool
) -> None:
    """On duty, as somebody said so many hours before the question; or not on duty."""
    log = asker.demo.started.log
    said_at_s = int(time.time() - 3600 * (hours or 0))
    asker = asker.saying(persona, on_duty=hours is not None, on_duty_as_at=said_at_s)
    await asker.demo.started.tripwires.settled()  # entries of questions before this one
    first = log.size
    answer = await asker.ask(persona, PLATE, purpose="OFFICER_SAFETY", reason="R02")
    leaf = read_leaf(await log.leaf(first))
    assert answer.status == (200 if asks else 403)
    assert leaf["kind"] == ("I" if asks else "D")  # refused before anybody was asked
    if not asks:
        said = answer.body["errors"][0]
        assert said["extensions"]["rule"] == "refuse.on_duty"
        assert said["extensions"]["contact"] == "gateway"
        assert "Sign on for duty" in said["message"]


async def test_the_sealed_log_keeps_who_said_what_of_an_officer_and_when(asker: Asker) -> None:
    log, academy = asker.demo.started.log, "https://academy.example"
    asker = asker.saying("RO", training_source=academy)
    await asker.demo.started.tripwires.settled()
    first = log.size
    await asker.ask("RO", PLATE, purpose="OFFICER_SAFETY", reason="R02")
    leaf = read_leaf(await log.leaf(first))
    detail = await log.detail(first)
    subject = detail["question"]["subject"]
    issuer = f"{asker.demo.stack.issuer_url}/nmc"
    assert subject["said_by"] == {
        "posting": issuer, "training": academy, "clearance": issuer, "on_duty": issuer,
    }  # fmt: skip
    assert subject["on_duty"] is True
    assert subject["as_at"].keys() == subject["said_by"].keys()
    assert academy not in str(leaf)
