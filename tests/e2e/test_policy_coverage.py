"""`portcullis policy coverage`: every coordinate and use, by role and purpose, as decided."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from deploy.policy.coverage import COLUMNS
from gateway.catalogue.check import load_catalogue
from gateway.catalogue.coordinates import offered, parts
from gateway.catalogue.schema import camel
from gateway.cli import main
from gateway.cli.common import ROOT
from tests.opa import changed, program

Rows: TypeAlias = list[dict[str, str]]


@pytest.fixture(autouse=True)
def found_opa(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTCULLIS_OPA", str(program()))


def covered(capsys: pytest.CaptureFixture[str], *given: str) -> Rows:
    assert main(["policy", "coverage", *given]) == 0
    read = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert tuple(read.fieldnames or ()) == COLUMNS
    return list(read)


def outcomes(rows: Rows, place: str, field: str, use: str) -> dict[tuple[str, str], str]:
    """(agencies, training) -> outcome."""
    return {
        (row["data"], row["training"]): row["outcome"]
        for row in rows
        if (row["place"], row["field"], row["use"]) == (place, field, use)
    }


def test_every_coordinate_and_use_of_the_vocabulary_has_its_rows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = covered(capsys, "--role", "response_officer", "--purpose", "APPREHEND")
    told = {(row["place"], row["field"], row["use"]) for row in rows}
    vocabulary = load_catalogue(ROOT / "deploy" / "catalogue").vocabulary
    wanted = 0
    for entity in vocabulary.entities:
        for path, type_ in parts(vocabulary, entity):
            place = f"{entity}.{path}" if path else entity
            for name, field in vocabulary.fields_of(type_).items():
                if not field.hidden and field.type.name not in vocabulary.components:
                    assert (place, camel(name), "read") in told
                    wanted += 1
            for use, name in offered(vocabulary, type_):
                assert (place, camel(name), use) in told
    assert wanted > 300
    assert {(row["role"], row["purpose"]) for row in rows} == {("response_officer", "APPREHEND")}


def test_rows_say_what_is_decided(capsys: pytest.CaptureFixture[str]) -> None:
    rows = covered(capsys, "--role", "response_officer", "--purpose", "APPREHEND")
    assert outcomes(rows, "Person.identifiers", "value", "read") == {
        ("*", "*"): "CASES: LAST4 where kind is PASSPORT; CLEAR where kind is CRO or DRIVER_NO or "
        "FORCE_NOMINAL or PNCID; else WITHHELD"
    }
    assert outcomes(rows, "Contact", "value", "filter") == {("*", "*"): "PERMITTED"}
    assert outcomes(rows, "Link", "kind", "filter") == {("*", "*"): "SILENT"}
    assert outcomes(rows, "Sighting", "camera", "read") == {("*", "*"): "WITHHELD"}
    assert outcomes(rows, "Person.immigration", "caseState", "read") == {("*", "*"): "WITHHELD"}
    [said] = [row for row in rows if (row["place"], row["field"]) == ("Sighting", "camera")]
    assert said["rule"] == "Sighting:sightings_withheld"


def test_whose_data_and_which_training_make_a_difference(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = covered(capsys, "--role", "rocu_analyst", "--purpose", "OIC_INVESTIGATION")
    assert outcomes(rows, "OrganisedGroup", "name", "read") == {
        ("BID NCB NIS NMC SCP", "*"): "TOKEN", ("ERU", "with"): "CLEAR",
        ("ERU", "without"): "WITHHELD",
    }  # fmt: skip
    banded = covered(capsys, "--role", "criminal_team", "--purpose", "OIC_INVESTIGATION")
    assert outcomes(banded, "OrganisedGroup", "thematicTotal", "read") == {("*", "*"): "BAND"}
    assert outcomes(banded, "OrganisedGroup", "thematicTotal", "filter") == {("*", "*"): "DENIED"}


@pytest.mark.parametrize(
    ("role", "purpose", "rule"),
    [
        ("response_officer", "IMMIGRATION_CONTROL", "refuse.purpose"),
        ("force_auditor", "OVERSIGHT", "refuse.no_queries"),
        ("policy_admin", "POLICY_TEST", "refuse.no_queries"),
    ],
)
def test_a_refusal_is_one_row(
    capsys: pytest.CaptureFixture[str], role: str, purpose: str, rule: str
) -> None:
    [row] = covered(capsys, "--role", role, "--purpose", purpose)
    assert (row["place"], row["outcome"], row["rule"]) == ("*", "REFUSED", rule)


def test_a_changed_copy_gives_its_own_rows(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def cell(matrix: dict[str, Any]) -> None:
        matrix["Person.identifiers"]["response_officer"]["APPREHEND"] = "clear"

    policies = changed(tmp_path / "policies", matrix=cell)
    chosen = ("--role", "response_officer", "--purpose", "APPREHEND", "--policies", str(policies))
    rows = covered(capsys, *chosen)
    assert outcomes(rows, "Person.identifiers", "value", "read") == {("*", "*"): "CLEAR"}


def test_a_role_that_there_is_not_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as said:
        main(["policy", "coverage", "--role", "wizard"])
    assert str(said.value).startswith("No role wizard. Choose of: arrival_officer, ")
    assert capsys.readouterr().out == ""
