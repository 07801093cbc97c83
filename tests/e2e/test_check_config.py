"""`portcullis check-config`: every fault of every file at once, and each source tried for real."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from deploy.demo.stack import POLICIES, environment
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
    # what is missing hides nothing of what is there
    assert "does not list" in told["eru.toml", "entity.OrganisedGroup.columns.attribute_band"]


async def test_a_service_that_wants_criteria_is_tried_too(demo: Demo, copy: Path) -> None:
    """BID answers narrow questions only and does not describe itself; its sample is read."""
    change(copy, "bid", 'column = "biographic.gender"', 'column = "biographic.sex"')
    change(copy, "bid", '{ column = "recordedAt", epoch = "ms" }', '{ column = "marking" }')
    change(copy, "bid", 'CLM = "CLAIMED", DOC = "LEGAL"', 'CLM = "CLAIMED"')
    change(copy, "bid", '110 = "LEAVE", 220', "220")
    change(copy, "bid", 'INC = "IN_COUNTRY"', 'XX = "IN_COUNTRY"')
    change(copy, "nis", 'column = "retention_cd", values = { H = "CURRENT",',
           'column = "retention_cd", values = {')  # fmt: skip
    faults = await check_sources(load_catalogue(copy), demo.started.gate.sources)
    told = {(f.file.split("/")[1], f.key): f.text for f in faults if "nmc" not in f.file}
    said = {
        ("bid.toml", "entity.Person.columns.sex"): "cannot be read: status 400",
        ("bid.toml", "entity.Person.columns.recorded_at"): "could be read",
        ("bid.toml", "entity.Person.columns.immigration.status"): "does not list",
        ("bid.toml", "entity.Person.parts.names.0.kind"): "does not list",
        ("bid.toml", "entity.Encounter.columns.method"): "does not list",
        ("nis.toml", "entity.ImageRef.columns.retention"): "does not list",
        ("nis.toml", "entity.FaceCandidate.columns.retention"): "does not list",
    }
    assert told.keys() == said.keys()
    assert all(part in told[key] for key, part in said.items())


async def test_a_search_word_that_a_service_does_not_know_is_told(demo: Demo, copy: Path) -> None:
    change(copy, "bid", 'postcode = { column = "site.postcode", ask = false }',
           'postcode = "site.postcode"')  # fmt: skip
    faults = await check_sources(load_catalogue(copy), demo.started.gate.sources)
    (fault,) = [f for f in faults if f.file == "sources/bid.toml"]
    assert fault.key == "entity.Encounter.columns.where.postcode"
    assert "no parameter" in fault.text


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
    whole = vocabulary.read_text("utf-8")
    classified = 'sex = { type = "Sex", marking = "O", class = "S1" }'
    assert classified in whole
    vocabulary.write_text(whole.replace(classified, 'sex = { type = "Sex" }'), "utf-8")
    with pytest.raises(ConfigError) as told:
        load_catalogue(copy)
    keys = [(fault.file, fault.key) for fault in told.value.faults]
    assert sorted(keys) == sorted({
        ("entities.toml", "entity.Person.fields.sex.class"),
        ("entities.toml", "entity.Person.fields.sex.marking"),
        ("sources/broken.toml", "-"),
        ("sources/eru.toml", "colour"),
        ("sources/eru.toml", "entity.IntelligenceReport.columns.urn"),
        ("sources/nmc.toml", "version"),
        ("sources/scp.toml", "entity.Person.relation"),
    })  # fmt: skip
    # of a vocabulary that is no TOML nothing can be said of entities; the files' own keys are read
    vocabulary.write_text("nonsense", "utf-8")
    with pytest.raises(ConfigError) as unreadable:
        load_catalogue(copy)
    assert {(f.file, f.key) for f in unreadable.value.faults} == {
        ("entities.toml", "-"),
        ("sources/broken.toml", "-"),
        ("sources/eru.toml", "colour"),
        ("sources/nmc.toml", "version"),
    }


def test_the_command(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-config", "--offline", "--catalogue", str(copy)]) == 0
    assert "in order" in capsys.readouterr().out
    change(copy, "eru", "version = 1", "version = 3")
    change(copy, "bid", "page_size = 50", 'page_size = "many"')
    assert main(["check-config", "--offline", "--catalogue", str(copy)]) == 2
    told = capsys.readouterr().err
    assert "sources/eru.toml: version" in told
    assert "sources/bid.toml: connection.page_size" in told
    assert told.endswith("2 faults.\n")  # that no secret is here is no fault of a file


async def test_the_command_tries_every_source_whatever_is_wrong_elsewhere(
    demo: Demo,
    copy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One run tells of a setting, of a mapping file, of a secret and of what a source holds."""
    held = environment(demo.stack)
    for name in held:
        if name.startswith("GATEWAY_SECRET_") and name != "GATEWAY_SECRET_SCP_DB_URL":
            monkeypatch.setenv(name, held[name])
    settings = tmp_path / "gateway.toml"
    folders = f'catalogue_dir = "catalogue"\ntables_dir = "{POLICIES / "tables"}"\n'
    settings.write_text(f'{folders}port = "many"\n', "utf-8")
    change(copy, "ncb", "version = 1", "version = 2")
    change(copy, "eru", 'title = "title"', 'title = "headline"')
    asked = ["check-config", "--config", str(settings)]
    assert await asyncio.to_thread(main, asked) == 2
    told = capsys.readouterr().err
    places = {tuple(line.split(": ")[:2]) for line in told.splitlines()[:-1]}
    assert places == {
        (str(settings), "port"),
        ("sources/ncb.toml", "version"),
        ("sources/scp.toml", "connection.url_secret"),
        ("sources/eru.toml", "entity.IntelligenceReport.columns.title"),
        ("sources/nmc.toml", "entity.Person.parts.warnings.0.kind"),
    }
    assert "SCP_DB_URL" in told
    assert told.endswith("5 faults.\n")

    settings.write_text(folders, "utf-8")
    change(copy, "ncb", "version = 2", "version = 1")
    change(copy, "eru", 'title = "headline"', 'title = "title"')
    change(copy, "nmc", 'FI = "FIREARMS_CERT"', 'QX = "DRUGS", FI = "FIREARMS_CERT"')
    monkeypatch.setenv("GATEWAY_SECRET_SCP_DB_URL", held["GATEWAY_SECRET_SCP_DB_URL"])
    assert await asyncio.to_thread(main, asked) == 0
    assert capsys.readouterr().out.endswith("6 sources answer and hold what their mappings say.\n")


def test_settings_that_cannot_be_read_say_nothing_of_a_catalogue(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "gateway.toml"
    settings.write_text("port = ", "utf-8")
    change(copy, "eru", "version = 1", "version = 3")
    asked = ["check-config", "--offline", "--config", str(settings)]
    assert main(asked) == 2
    assert "eru.toml" not in capsys.readouterr().err
    assert main([*asked, "--catalogue", str(copy)]) == 2
    told = capsys.readouterr().err
    assert f"{settings}: (file)" in told
    assert "sources/eru.toml: version" in told


def test_a_policy_of_witnesses_that_cannot_be_used_is_told(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "gateway.toml"
    settings.write_text(
        f'catalogue_dir = "{copy}"\ntables_dir = "{POLICIES / "tables"}"\nstate_dir = "state"\n'
    )
    asked = ["check-config", "--offline", "--config", str(settings)]
    assert main(asked) == 0
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "witnesses.policy").write_text("quorum everybody\n")
    assert main(asked) == 2
    assert "witnesses.policy: -: line 1 of the policy" in capsys.readouterr().err
