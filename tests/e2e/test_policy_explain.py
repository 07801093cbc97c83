"""`portcullis policy explain` says what the rules decide, and from which row of which table."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from deploy.policy.places import places
from gateway.catalogue.check import load_catalogue
from gateway.cli import main
from tests.opa import POLICIES, changed, program

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def found_opa(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTCULLIS_OPA", str(program()))


def asked(capsys: pytest.CaptureFixture[str], words: str) -> str:
    """What the command says to `RO Identifier.value APPREHEND ...`."""
    code, field, purpose, *more = words.split()
    given = ["--as", code, "--field", field, "--purpose", purpose, *more]
    assert main(["policy", "explain", *given]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (
            "RO Identifier.value APPREHEND --agency NMC",
            "RO for APPREHEND, data of NMC: Person.identifiers.value is shown by case (masked by "
            "LAST4 where kind is PASSPORT, shown in clear where kind is CRO or DRIVER_NO or "
            "FORCE_NOMINAL or PNCID, else withheld), in rows where kind is CRO or DRIVER_NO or "
            "FORCE_NOMINAL or PASSPORT or PNCID; decided by policies/tables/matrix/data.json, "
            "Person.identifiers / response_officer / *; policies/tables/outcomes/data.json, "
            "numbers_police / read / value (rule Person.identifiers:numbers_police); "
            "next: refer to the Border desk (24 h), “Police numbers are shown",
        ),
        (
            "BF Person.safeguarding.kind BORDER_SECURITY --agency BID",
            "is shown in clear; decided by policies/tables/matrix/data.json, "
            "Person.safeguarding / border_force / BORDER_SECURITY / own; ",
        ),
        (
            "RO Person.addresses.location.postcode OFFICER_SAFETY --agency NMC",
            "is masked by FIRST_OUT; decided by policies/tables/matrix/data.json, "
            "Person.addresses.location / response_officer / *; policies/tables/outcomes/data.json, "
            "place_district / read / postcode ",
        ),
        (
            "RO Sighting.camera APPREHEND --agency NMC",
            "is withheld; decided by policies/tables/matrix/data.json, Sighting / "
            "response_officer / *; policies/tables/outcomes/data.json, sightings_withheld (rule "
            "Sighting:sightings_withheld); next: call the Vehicle and camera desk (24 h), ",
        ),
        (
            "RO IntelligenceReport.title PREVENT_DETECT_CRIME --agency ERU",
            "is a hit, only that something is held, in rows where retention is CURRENT or "
            "REVIEW_DUE and marking is OFFICIAL or OFFICIAL_SENSITIVE and collectedFor is "
            "OFFICER_SAFETY or PREVENT_DETECT_CRIME or APPREHEND or BORDER_SECURITY or "
            "OIC_INVESTIGATION or PROTECT_VULNERABLE or MISSING_PERSON and silent is false; ",
        ),
        (
            "RO IntelligenceReport.ref OFFICER_SAFETY --agency ERU",
            "is shown by case (masked by SANITISED_TEXT where bearsOnSafety is true and handling "
            "is P, else a hit)",
        ),
        (
            "IE Person.safeguarding.kind IMMIGRATION_CONTROL --agency NCB",
            "is silent, as if nothing were held; decided by policies/tables/switches/data.json, "
            "firewall_silent.",
        ),
        (
            "BF Person.safeguarding.kind BORDER_SECURITY --agency NCB",
            "is a hit, only that something is held, in rows where kind is VICTIM; decided by "
            "policies/tables/matrix/data.json, Person.safeguarding / border_force / "
            "BORDER_SECURITY / other; policies/tables/switches/data.json, firewall_told / ",
        ),
        (
            "RO Encounter.method PROTECT_VULNERABLE --agency BID",
            "is counted, not shown",
        ),
        (
            "RO Encounter.where.postcode OFFICER_SAFETY --agency BID",
            "is withheld; decided by policies/tables/matrix/data.json, Encounter / ",
        ),
        (
            "RO Person.sex IMMIGRATION_CONTROL --agency NMC",
            "is refused with the whole question; decided by policies/tables/refusals/data.json, "
            "purpose (rule refuse.purpose); next: ask the Gateway service desk (24 h), ",
        ),
        (
            "RO Person.immigration.caseState PREVENT_DETECT_CRIME --agency BID",
            "is withheld; decided by policies/agencies/bid/bid.rego, hide",
        ),
    ],
    ids=lambda text: text.split(" --")[0][:40],
)
def test_a_cell(capsys: pytest.CaptureFixture[str], cell: str, expected: str) -> None:
    [said] = asked(capsys, cell).splitlines()
    assert expected in said


def test_agencies_alike_share_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    others, own = asked(capsys, "AO Person.primaryName OFFICER_SAFETY").splitlines()
    assert others.startswith("AO for OFFICER_SAFETY, data of BID, ERU, NCB, NMC: ")
    assert own.startswith("AO for OFFICER_SAFETY, data of SCP: ")
    bound = ", as its owner's conditions allow (policies/tables/handling/data.json)"
    assert bound in others
    assert own.split(": ", 1)[1] == others.split(": ", 1)[1].replace(bound, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("RO Person.sexx APPREHEND", r"No field Person.sexx. Choose of: .*Person.sex, "),
        ("RO Persona.sex APPREHEND", r"No field Persona.sex. Choose of: Alert, .*Person, "),
        ("RO Person.sex HUNTING", r"No purpose HUNTING. Choose of: APPREHEND, "),
        (
            "RO Person.sex APPREHEND --agency XYZ",
            r"No source of XYZ holds Person.sex. Agencies: BID, ",
        ),
    ],
)
def test_what_is_unknown_is_answered_by_the_choices(
    capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        asked(capsys, words)
    assert re.match(said, str(ended.value))


def test_an_unknown_persona_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        asked(capsys, "XX Person.sex APPREHEND")
    assert "choose from" in capsys.readouterr().err


def row_and_word_agree(said: str) -> bool:
    """Whether the cell named holds the outcome named, or one that falls back on it."""
    rows = dict(re.findall(r"policies/tables/(matrix|outcomes)/data.json, ([^;(]*[^;(. ])", said))
    if "matrix" not in rows or "outcomes" not in rows:
        return True
    cell: Any = json.loads((POLICIES / "tables/matrix/data.json").read_text("utf-8"))
    for key in rows["matrix"].split(" / "):
        cell = cell[key]
    outcomes = json.loads((POLICIES / "tables/outcomes/data.json").read_text("utf-8"))
    return rows["outcomes"].split(" / ")[0] in {cell, outcomes[cell].get("otherwise")}


@pytest.mark.parametrize("code", ["RO", "IE", "NO"])
def test_whatever_is_asked_is_explained(capsys: pytest.CaptureFixture[str], code: str) -> None:
    """One field of each type, so that no answer of the rules is without its row."""
    known = places(load_catalogue(ROOT / "deploy/catalogue").vocabulary)
    firsts = {place.type: place.said for place in known if place.type != "Link"}
    for field in ("Person", "SafeguardFlag", "IntelligenceReport", "OrganisedGroup", "Vehicle"):
        for said in asked(capsys, f"{code} {firsts[field]} OFFICER_SAFETY").splitlines():
            assert re.search(r"; decided by policies/\S+, \S", said), said
            assert row_and_word_agree(said)


def test_records_of_which_only_a_hit_is_told_are_explained_too(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """By a lowered firewall: as deployed nothing is told of victims' records."""

    def lowered(switches: dict[str, Any]) -> None:
        switches.update(firewall="protocol", firewall_lowered_by=["protocol"])

    policies = changed(tmp_path / "policies", switches=lowered)
    cell = "IE Person.sex IMMIGRATION_CONTROL --agency NMC"
    [said] = asked(capsys, cell).splitlines()
    [besides] = asked(capsys, f"{cell} --policies {policies}").splitlines()
    assert "Besides" not in said
    assert besides.startswith(said)
    told = besides.removeprefix(said)
    assert told.startswith(" Besides, there is a hit, and nothing else, where ")
    assert "victim is true" in told
    assert (
        "decided by policies/tables/switches/data.json, firewall_settings (rule Person:firewall"
        in told
    )
    assert "; next: call the Public protection desk (24 h), " in told


def test_a_silent_cell_that_a_crime_purpose_lifts_names_the_switch(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def silent(matrix: dict[str, Any]) -> None:
        matrix["Person.safeguarding"]["response_officer"]["APPREHEND"] = "silent"

    policies = changed(tmp_path / "policies", matrix=silent)
    cell = f"RO Person.safeguarding.kind APPREHEND --agency SCP --policies {policies}"
    said = asked(capsys, cell)
    assert "is a hit, only that something is held, in rows where kind is VICTIM; " in said
    assert "policies/tables/switches/data.json, firewall_told / Person.safeguarding; " in said


def test_the_change_that_the_documentation_walks_through(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """docs/policy.md, "Changing a rule": the command shows the row before and after."""

    def word(outcomes: dict[str, Any]) -> None:
        outcomes["numbers_wanted"] = deepcopy(outcomes["numbers_police"])
        outcomes["numbers_wanted"]["read"]["value"][0]["as"] = "CLEAR"

    def row(matrix: dict[str, Any]) -> None:
        matrix["Person.identifiers"]["response_officer"]["APPREHEND"] = "numbers_wanted"

    policies = changed(tmp_path / "policies", outcomes=word, matrix=row)
    cell = f"RO Identifier.value APPREHEND --agency NMC --policies {policies}"
    assert "shown in clear where kind is PASSPORT" in (said := asked(capsys, cell))
    assert "Person.identifiers / response_officer / APPREHEND" in said
    other = f"RO Identifier.value OFFICER_SAFETY --agency NMC --policies {policies}"
    assert "masked by LAST4 where kind is PASSPORT" in asked(capsys, other)


def test_the_documentation_quotes_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    said = asked(capsys, "RO Identifier.value APPREHEND --agency NMC")
    lines = (ROOT / "docs/policy.md").read_text("utf-8").splitlines()
    quoted = " ".join(line[2:] for line in lines if line.startswith("> "))
    assert said.strip() in quoted
