"""No field without a rule, no rule without use: what the check finds in rules that are spoilt."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from deploy.policy import reach
from deploy.policy.check import CHECKS, linted, main
from deploy.policy.named import misnamed
from gateway.catalogue.check import load_catalogue
from tests.opa import POLICIES, agencies_alone, program

Table: TypeAlias = dict[str, Any]


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return shutil.copytree(POLICIES, tmp_path / "policies")


Change: TypeAlias = Callable[[Table], None]
Planted: TypeAlias = list[tuple[str, Change, str]]  # a table, what is done to it, what is said


def spoil(policies: Path, *planted: tuple[str, Change]) -> list[str]:
    """What is found after changes of tables."""
    for table, change in planted:
        file = policies / "tables" / table / "data.json"
        data = json.loads(file.read_text("utf-8"))
        change(data)
        file.write_text(json.dumps(data), "utf-8")
    return sorted(reach.unreached(program(), policies))


def drop(*path: str) -> Change:
    def change(table: Table) -> None:
        for key in path[:-1]:
            table = table[key]
        del table[path[-1]]

    return change


def put(value: Any, *path: str) -> Change:
    def change(table: Table) -> None:
        for key in path[:-1]:
            table = table.setdefault(key, {})
        table[path[-1]] = value

    return change


# --- coordinates without a rule, and rules that never fire ---

NO_ROW: Planted = [
    ("fields", drop("Identifier", "value"), "fields/data.json: Identifier.value has no rule"),
    ("fields", put(["S1", "O"], "Alert", "weight"),
     "fields/data.json: Alert.weight never fires: there is no such field"),
    ("uses", put(["vrm"], "Vehicle", "filter"),
     "uses/data.json: Vehicle.native_key has no rule for filter"),
    ("uses", drop("FaceCandidate", "face"),
     "uses/data.json: FaceCandidate.likeness has no rule for face"),
    ("uses", put(["date_of_birth", "names", "nationalities"], "Identifier", "reveal"),
     "uses/data.json: Identifier.safeguarding has no rule for reveal"),
    ("uses", put(["kind", "speed"], "Alert", "sort"),
     "uses/data.json: Alert / sort / kind never fires: nobody asks it"),
    ("uses", lambda _: None, "uses/data.json: Alert / sort / speed never fires: nobody asks it"),
    ("switches", put(["Person.safegarding", "Encounter.screened_needs", "Incidnt"],
                     "firewall_silent"),
     "switches/data.json: firewall_silent / Person.safegarding never fires: "
     "there is no such place"),
    ("switches", lambda _: None,
     "switches/data.json: firewall_silent / Incidnt never fires: there is no such place"),
    ("obligations", put(["ImageReff"], "time_box", "entities"),
     "obligations/data.json: time_box / entities / ImageReff never fires: "
     "there is no such kind of record"),
    ("obligations", put(["FaceCandidatte"], "watermark", "entities"),
     "obligations/data.json: watermark / entities / FaceCandidatte never fires: "
     "there is no such kind of record"),
    ("ladder", put(["subject_roles", "narative"], "explicit"),
     "ladder/data.json: explicit / narative never fires: there is no such field"),
]  # fmt: skip
CELLS: Planted = [
    ("matrix", drop("Person.custody"),
     "matrix/data.json: Person.custody has no rule: no role has a word for it"),
    *(("matrix", lambda _: None,
       f"outcomes/data.json: CustodyRecord.{field} has no rule that shows it")
      for field in ("ref", "arrest_offence", "arrived", "released", "disposal", "image_taken",
                    "fingerprints_taken", "dna_taken")),
    ("matrix", put("clear", "Person", "response_officer", "IMMIGRATION_CONTROL"),
     "matrix/data.json: Person / response_officer / IMMIGRATION_CONTROL never fires"),
    ("matrix", put("clear", "Vehicle>Landing", "bureau_officer", "*"),
     "matrix/data.json: Vehicle>Landing / bureau_officer / * never fires"),
    ("matrix", put("clear", "Person.names", "response_oficer", "*"),
     "matrix/data.json: Person.names / response_oficer / * never fires"),
    ("matrix", put("clear", "Occupancy", "bureau_officer", "*"),
     "matrix/data.json: Occupancy / bureau_officer / * never fires"),
]  # fmt: skip
WORDS: Planted = [
    ("outcomes", put({"show": "records"}, "spare"), "outcomes/data.json: spare never fires"),
    ("outcomes", put("BAND", "scores_band", "read", "name"),
     "outcomes/data.json: scores_band / read / name never fires: ThematicScores has none"),
    ("outcomes", put(["vrm"], "homes", "not_uses", "filter"),
     "outcomes/data.json: homes / not_uses / filter / vrm never fires: Occupancy has none"),
    ("outcomes", put(["WEAPON"], "warnings_overt", "only", "kind"),
     "outcomes/data.json: warnings_overt / only / kind: WEAPON never fires: it is no value of "
     "WarningKind"),
    ("outcomes", put(["x"], "homes", "only", "town"),
     "outcomes/data.json: homes / only / town: never fires: Occupancy has none"),
    ("fields", put(["S0", "TS"], "Landing", "vessel"),
     "outcomes/data.json: Landing.vessel has no rule that shows it"),
    ("outcomes", put({"filter": ["vrm"]}, "clear", "not_uses"),
     "outcomes/data.json: Vehicle.vrm has no rule that permits filter"),
]  # fmt: skip
ROWS: Planted = [
    ("desks", put({"title": "Night desk", "hours": "24 h"}, "night"),
     "desks/data.json: night never fires: nothing names it"),
    ("desks", drop("vehicles"), "desks/data.json: vehicles is named and has no row"),
    ("networks", put({"title": "satellite", "clearance": "O"}, "satellite"),
     "networks/data.json: satellite never fires: nothing names it"),
    ("refusals", put({"text": "No.", "desk": "gateway"}, "weather"),
     "refusals/data.json: weather never fires: no rule gives it"),
    ("roles", put(["NMC", "XYZ"], "sergeant", "agencies"), "roles/data.json: no agency XYZ"),
    ("outcomes", put(["R03", "R77"], "warnings_in_custody", "reasons"),
     "reasons/data.json: R77 is named and has no row"),
    ("purposes", put({"legal_basis": "x"}, "CURIOSITY"),
     "purposes/data.json: CURIOSITY never fires: nothing names it"),
]  # fmt: skip


@pytest.mark.parametrize("planted", [NO_ROW, [*CELLS, *WORDS, *ROWS]], ids=["rows", "rules"])
def test_each_fault_is_named_by_file_and_key_and_nothing_else_is(
    policies: Path, planted: Planted
) -> None:
    found = spoil(policies, *((table, change) for table, change, _ in planted))
    assert found == sorted(f"tables/{said}" for *_, said in planted)


BID = """package agencies.bid

import data.gateway.lib

"""
MISSPELT = {
    'hide[id] contains "case_stat" if some id in lib.of_type("ImmigrationStatus")':
        ["hide / case_stat never fires: ImmigrationStatus has none"],
    'hide[id] contains "name" if some id in (lib.safeguarding & lib.of_agency("BID"))':
        ["hide / name never fires: SafeguardFlag has none"],
    'hide[id] contains "nane" if some id in lib.of_agency("BDI")':
        ["hide / BDI never fires: there is no such agency",
         "hide / nane never fires: nothing has it"],
    'hide[id] := {"status", "statuss"} if some id in lib.of_type("ImmigrationStatus")':
        ["hide / statuss never fires: ImmigrationStatus has none"],
    'hide[id] contains one if {\nsome id in lib.of_type("Alert")\nsome one in ["kind", "knd"]\n}':
        ["hide / knd never fires: Alert has none"],
    'hide[id] contains one if {\nsome id in lib.of_type("Alert")\nsome one in object.keys({})\n}':
        ["hide: the fields that it names cannot be read; write them as texts"],
    'silence contains id if some id in lib.of_type("Alrt")':
        ["silence / Alrt never fires: there is no such kind of record"],
    'consents := true if {\ncount(lib.of_type("Alert")) == 0\n'
    '} else := false if count(lib.of_type("Alerts")) > 0':
        ["consents / Alerts never fires: there is no such kind of record"],
    'rows[id] := lib.eq("knd", "HOME") if some id in lib.of_type("Occupancy")':
        ["rows / knd never fires: Occupancy has none"],
    'not_uses[id].filter contains "vmr" if some id in lib.of_type("Vehicle")':
        ["not_uses / filter / vmr never fires: nobody asks it"],
    'not_uses[id] := {"sort": {"vrm"}, "link": ["vrm"]} if some id in lib.of_type("Vehicle")':
        ["not_uses / sort / vrm never fires: nobody asks it"],
    'not_uses[id][use] contains "colour" if {\nsome use in ["link", "filter"]\n'
    'some id in lib.of_type("Vehicle")\n}':
        ["not_uses / link / colour never fires: nobody asks it",
         "not_uses / filter / colour never fires: nobody asks it"],
}  # fmt: skip


@pytest.mark.parametrize("rule", MISSPELT)
def test_az_21_a_name_that_an_agencys_rule_misspells_is_told_by_file_and_name(
    tmp_path: Path, rule: str
) -> None:
    file = tmp_path / "agencies/bid/bid.rego"
    file.parent.mkdir(parents=True)
    file.write_text(BID + rule, "utf-8")
    vocabulary = load_catalogue(reach.CATALOGUE).vocabulary
    found = [*misnamed(program(), tmp_path, vocabulary, ["BID"])]
    assert found == [f"agencies/bid/bid.rego: {said}" for said in MISSPELT[rule]]


def test_az_21_a_misspelt_name_in_a_rule_fails_the_check(policies: Path) -> None:
    file = policies / "agencies/bid/bid.rego"
    file.write_text(file.read_text("utf-8").replace('"case_state"', '"case_stat"'), "utf-8")
    assert reach.unreached(program(), policies) == [
        "agencies/bid/bid.rego: hide / case_stat never fires: ImmigrationStatus has none"
    ]


def test_a_field_that_the_vocabulary_gains_needs_its_rule(tmp_path: Path) -> None:
    catalogue = shutil.copytree(reach.CATALOGUE, tmp_path / "catalogue")
    entities, alerts = catalogue / "entities.toml", "[component.Alert.fields]\n"
    before, after = entities.read_text("utf-8").split(alerts)
    gained = 'reach = { type = "String", marking = "O", class = "S3", uses = ["filter"] }\n'
    entities.write_text(before + alerts + gained + after, "utf-8")
    assert reach.unreached(program(), POLICIES, catalogue) == [
        "tables/fields/data.json: Alert.reach has no rule",
        "tables/uses/data.json: Alert.reach has no rule for filter",
    ]


def test_the_check_fails_on_what_is_found(
    policies: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(CHECKS, "tests")  # half a minute; what it finds is in test_policies.py
    file = policies / "tables/fields/data.json"
    fields = json.loads(file.read_text("utf-8"))
    put(fields["Alert"]["kind"], "Alert", "weight")(fields)
    file.write_text(json.dumps(fields), "utf-8")
    assert main(program(), policies) == 1
    said = "tables/fields/data.json: Alert.weight never fires: there is no such field\n"
    assert capsys.readouterr().err == f"policies, reach: {said}"


def test_the_check_names_what_fails_before_it_asks_what_is_reached(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policies = agencies_alone(tmp_path / "policies")
    (policies / "agencies/nis/more.rego").write_text(
        "package agencies.nis\n\nsilence contains id if some id in input.more\n", "utf-8"
    )
    assert main(program(), policies) == 1
    said = capsys.readouterr().err
    assert "policies, types: " in said
    assert "undefined ref: input.more" in said
    assert "policies, tests: no test reaches gateway/casework.rego:" in said
    assert "policies, reach: " not in said


@pytest.mark.parametrize(("status", "found"), [(0, []), (3, ["more.rego: line-length"])])
def test_what_regal_finds_is_found_where_it_is_installed(
    policies: Path, monkeypatch: pytest.MonkeyPatch, status: int, found: list[str]
) -> None:
    """It cannot be had everywhere, so a script says here what it would."""
    script = policies.parent / "regal"
    script.write_text(f"#!/bin/sh\necho 'more.rego: line-length'\nexit {status}\n", "utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{policies.parent}:{os.environ['PATH']}")
    assert linted(program(), policies) == found
