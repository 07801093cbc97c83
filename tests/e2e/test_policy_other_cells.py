"""What each persona may see of Q4 to Q7 and Q11, cell by cell, asked of a real policy engine."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.model import Show, Use
from tests.e2e.policyworld import (
    MAY_ASK,
    SAFE,
    Ask,
    Resources,
    asking,
    clear,
    fetch,
    hit,
    manner,
    q1,
    sees,
    silent,
    withheld,
)


@pytest.fixture(scope="module")
async def ask() -> AsyncIterator[Ask]:
    async with asking() as asked:
        yield asked


# --- 8.6 and Q11 ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "purpose"),
    [(code, purpose) for code, purpose in MAY_ASK if purpose in SAFE[1:]],
)
async def test_child_and_missing_flags_are_never_masked_where_they_help(
    ask: Ask, code: str, purpose: str
) -> None:
    flags = (await ask(code, purpose, "R07", q1("SCP"))).rulings["f0.safeguarding"]
    for kind in ("CHILD", "MISSING_HISTORY"):
        assert sees(flags, kind=kind)
        assert manner(flags, "kind", kind=kind) == "CLEAR"


@pytest.mark.parametrize(("code", "told"), [("RO", False), ("SG", False), ("AO", True)])
async def test_who_is_in_asylum_accommodation_is_told_beneath_no_place_that_may_not_tell_it(
    ask: Ask, code: str, told: bool
) -> None:
    resources = fetch("f0", "NMC", "Location", "town", person_keys="")
    holders = (await ask(code, "PROTECT_VULNERABLE", "R07", resources)).rulings["f0.person_keys"]
    assert sees(holders, kind="HOME")
    assert sees(holders, kind="ASYLUM_ACCOMMODATION") is told


async def test_q11_possible_victim(ask: Ask) -> None:
    resources = {
        **fetch("f0", "SCP", "Person", "primary_name", addresses="kind"),
        **fetch("f1", "SCP", "Incident", "event_ref when flags", parent="f0",
                uses={"link": ["participants.person_key"], "filter": ["participants.role"]}),
    }  # fmt: skip
    rulings = (await ask("RO", "PROTECT_VULNERABLE", "R07", resources)).rulings
    assert not sees(rulings["f0.addresses"], kind="ASYLUM_ACCOMMODATION")
    assert rulings["f0.addresses"].notes[""].desk == "border"
    assert hit(rulings["f1"], "public-protection")
    own = {id_: {**one, "agency": "NMC"} for id_, one in resources.items()}
    assert clear((await ask("RO", "PROTECT_VULNERABLE", "R07", own)).rulings["f1"], "flags")
    control = (await ask("IE", "IMMIGRATION_CONTROL", "R04", resources)).rulings
    assert silent(control["f1"])


# --- Q4 to Q7 ------------------------------------------------------------------------------------


async def test_q4_phone(ask: Ask) -> None:
    resources = {
        **fetch("f0", "NMC", "Contact", "first_seen last_seen", uses={"filter": ["kind", "value"]}),
        **fetch("f1", "NMC", "Person", "primary_name subject_roles", parent="f0",
                uses={"link": ["native_key"]}),
        **fetch("f2", "NMC", "Link", "kind grade", parent="f0",
                uses={"link": ["from_key"], "filter": ["kind"]}),
    }  # fmt: skip
    for code in ("RA", "NO"):
        rulings = (await ask(code, "OIC_INVESTIGATION", "R06", resources)).rulings
        assert clear(rulings["f0"], "first_seen", "last_seen")
        assert clear(rulings["f1"], "primary_name")
        assert clear(rulings["f2"], "kind", "grade")
    criminal = (await ask("IEC", "OIC_INVESTIGATION", "R06", resources)).rulings
    assert clear(criminal["f1"], "primary_name")
    assert hit(criminal["f2"])
    officer = (await ask("RO", "APPREHEND", "R06", resources)).rulings
    assert sees(officer["f1"], subject_roles=["WANTED"])
    assert not sees(officer["f1"], subject_roles=["SUSPECT"])
    assert silent(officer["f2"])
    assert (await ask("RO", "OIC_INVESTIGATION", "R06", resources)).refuse is not None


async def test_q5_face_search(ask: Ask) -> None:
    resources = fetch("f0", "NIS", "FaceCandidate", "rank score band",
                      uses={"face": ["likeness"]})  # fmt: skip
    decision = await ask("NO", "OIC_INVESTIGATION", "R06", resources)
    assert clear(decision.rulings["f0"], "rank", "score", "band")
    assert (Use.FACE, "likeness") in decision.rulings["f0"].uses
    duties = {one.type for one in decision.obligations}
    assert duties == {
        "budget", "notify_owner", "reauthenticate", "record_outcome", "require_reason", "time_box",
        "watermark", "witnessed",
    }  # fmt: skip
    for code, purpose in (("RA", "OIC_INVESTIGATION"), ("RO", "APPREHEND"),
                          ("IE", "OFFICER_SAFETY"), ("AO", "OFFICER_SAFETY")):  # fmt: skip
        ruling = (await ask(code, purpose, "R06", resources)).rulings["f0"]
        assert withheld(ruling)
        assert ruling.notes[""].text == "Refer to a trained operator."


def groups(agency: str, *filters: str) -> Resources:
    return {
        **fetch("f0", agency, "OrganisedGroup",
                "group_ref name oic region lead_agency investigation attribute_band "
                "thematic_total last_review same_as",
                uses={"filter": list(filters) or ["group_ref"]}),
        **fetch("f1", agency, "GroupMembership", "role confidence", parent="f0",
                uses={"link": ["group_key"]}),
        **fetch("f2", agency, "Disruption", "date strand grade contributors", parent="f0",
                uses={"link": ["group_key"]}),
    }  # fmt: skip


async def test_q6_group_profile(ask: Ask) -> None:
    every = ("group_ref", "oic", "region", "lead_agency", "investigation", "thematic_total")
    own = (await ask("RA", "OIC_INVESTIGATION", "R08", groups("ERU"))).rulings
    assert clear(own["f0"], "name", *every)
    assert clear(own["f1"], "role")
    other = (await ask("RA", "OIC_INVESTIGATION", "R08", groups("NCB"))).rulings
    assert clear(other["f0"], *every)
    assert other["f0"].read["name"] == "TOKEN"
    assert hit(other["f1"])
    bureau = (await ask("NO", "OIC_INVESTIGATION", "R08", groups("ERU"))).rulings
    assert clear(bureau["f0"], "name", *every)
    assert clear(bureau["f1"], "role")
    assert clear(bureau["f2"], "grade")
    criminal = (await ask("IEC", "OIC_INVESTIGATION", "R08", groups("ERU"))).rulings
    assert clear(criminal["f0"], "group_ref", "region", "lead_agency", "investigation")
    assert criminal["f0"].read["thematic_total"] == "BAND"
    assert "name" not in criminal["f0"].read
    assert hit(criminal["f1"])
    officer = (await ask("RO", "PREVENT_DETECT_CRIME", "R08", groups("ERU"))).rulings
    assert withheld(officer["f0"])
    assert officer["f0"].notes[""].desk == "local-intel"


async def test_q7_a_banded_score_cannot_be_filtered_by(ask: Ask) -> None:
    resources = groups("ERU", "oic", "thematic_total")
    criminal = (await ask("IEC", "OIC_INVESTIGATION", "R10", resources)).rulings["f0"]
    assert (Use.FILTER, "oic") in criminal.uses
    assert (Use.FILTER, "thematic_total") not in criminal.uses
    own = (await ask("RA", "STRATEGIC_REPORTING", "R10", resources)).rulings["f0"]
    assert (Use.FILTER, "thematic_total") in own.uses
    others = (await ask("RA", "STRATEGIC_REPORTING", "R10", groups("NCB"))).rulings["f0"]
    assert others.show is Show.COUNT
    person = (await ask("RA", "STRATEGIC_REPORTING", "R10", q1("ERU"))).rulings["f0"]
    assert withheld(person)
    commander = (await ask("TC", "STRATEGIC_REPORTING", "R10", groups("ERU"))).rulings["f0"]
    assert commander.show is Show.COUNT


async def test_foreign_liaison_learns_only_who_holds_something(ask: Ask) -> None:
    resources = fetch("f0", "NMC", "Person", "primary_name", uses={"filter": ["names.family"]})
    ruling = (await ask("FL", "OIC_INVESTIGATION", "R06", resources)).rulings["f0"]
    assert hit(ruling)
    assert sees(ruling, date_of_birth="1991-04-17")
    assert not sees(ruling, date_of_birth="2007-06-01")
    for unsure in (None, "2007", "2007-01", "2007-01-01"):  # of age on some of these days
        assert not sees(ruling, date_of_birth=unsure)
    assert sees(ruling, date_of_birth="2006")
    assert not sees(ruling, date_of_birth="1991-04-17", dob_claimed=True)  # by their word alone
    assert not sees(ruling, date_of_birth="1991-04-17", victim=True)
    assert not sees(ruling, date_of_birth="1991-04-17", marking="OFFICIAL_SENSITIVE")
