"""`portcullis check-config`: every fault of every file at once, and each source tried for real."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.catalogue.check import check_sources, load_catalogue
from gateway.cli import main
from gateway.cli.common import ROOT
from gateway.cli.demo import Demo
from gateway.errors import ConfigError

CATALOGUE = ROOT / "deploy" / "catalogue"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    made = tmp_path / "catalogue"
    shutil.copytree(CATALOGUE, made)
    return made


def change(copy: Path, source: str, before: str, after: str) -> None:
    file = copy / "sources" / f"{source}.toml"
    text = file.read_text("utf-8")
    assert before in text
    file.write_text(text.replace(before, after, 1), "utf-8")


async def test_the_demonstrations_sources_hold_what_their_mappings_say(demo: Demo) -> None:
    gate = demo.started.gate
    faults = await check_sources(gate.catalogue, gate.sources)
    # NMC's planted unknown warning code is found, and nothing else is wrong.
    assert [(f.file, f.key) for f in faults] == [
        ("sources/nmc.toml", "entity.Person.parts.warnings.0.kind")
    ]
    assert "QX" not in faults[0].text  # what rows hold is counted, never quoted


async def test_a_mapping_that_does_not_fit_its_source(demo: Demo, copy: Path) -> None:
    change(copy, "eru", 'title = "title"', 'title = "headline"')
    change(copy, "eru", 'relation = "disr"', 'relation = "disruptions"')
    change(copy, "nmc", 'column = "dob"', 'column = "surname"')
    change(copy, "eru", 'A = "HIGH", B = "MEDIUM", C = "LOW"', 'A = "HIGH", B = "MEDIUM"')
    faults = await check_sources(load_catalogue(copy), demo.started.gate.sources)
    told = {(f.file.split("/")[1], f.key): f.text for f in faults}
    assert "headline" in told["eru.toml", "entity.IntelligenceReport.columns.title"]
    assert "disruptions" in told["eru.toml", "entity.Disruption.relation"]
    assert "could be read" in told["nmc.toml", "entity.Person.columns.date_of_birth"]


async def test_an_unmapped_code_is_told(demo: Demo, copy: Path) -> None:
    change(copy, "eru", 'A = "HIGH", B = "MEDIUM", C = "LOW"', 'A = "HIGH", B = "MEDIUM"')
    faults = await check_sources(load_catalogue(copy), demo.started.gate.sources)
    (fault,) = [f for f in faults if f.file == "sources/eru.toml"]
    assert fault.key == "entity.OrganisedGroup.columns.attribute_band"
    assert "does not list" in fault.text


def test_every_fault_of_every_file_is_told_at_once(copy: Path) -> None:
    change(copy, "eru", 'connector = "sql"', 'connector = "sql"\ncolour = "red"')
    change(copy, "eru", 'urn = "urn"', 'urn = { column = "urn", mood = "sunny" }')
    change(copy, "nmc", "version = 1", "version = 2")
    change(copy, "scp", 'relation = "vwPerson"', "")
    (copy / "sources" / "broken.toml").write_text("id = ", "utf-8")
    vocabulary = copy / "entities.toml"
    with pytest.raises(ConfigError) as told:
        load_catalogue(copy)
    keys = {(fault.file, fault.key) for fault in told.value.faults}
    assert {
        ("sources/broken.toml", "-"),
        ("sources/eru.toml", "colour"),
        ("sources/eru.toml", "entity.IntelligenceReport.columns.urn"),
        ("sources/nmc.toml", "version"),
        ("sources/scp.toml", "entity.Person.relation"),
    } <= keys
    text = vocabulary.read_text("utf-8").replace(
        'sex = { type = "Sex", marking = "O", class = "S1" }', 'sex = { type = "Sex" }'
    )
    vocabulary.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as unclassified:
        load_catalogue(copy)
    assert {f.key for f in unclassified.value.faults} == {
        "entity.Person.fields.sex.marking",
        "entity.Person.fields.sex.class",
    }


def test_the_command(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-config", "--offline", "--catalogue", str(copy)]) == 0
    assert "in order" in capsys.readouterr().out
    change(copy, "eru", "version = 1", "version = 3")
    assert main(["check-config", "--offline", "--catalogue", str(copy)]) == 2
    assert "sources/eru.toml: version" in capsys.readouterr().err
