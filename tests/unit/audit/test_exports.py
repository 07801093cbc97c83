"""What auditors take along: whole, one record on one line, and nothing to be guessed from it."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import hmac
import io
import json
import shutil
import sys
import zipfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.actions.inquiring import told_entry
from gateway.audit import verify as verifier
from gateway.audit.bundle import Bundle, _safe
from gateway.audit.sought import Sought
from gateway.audit.verify import Unproved, check_bundle
from gateway.model import Justification
from tests.plates import FORMS, MOST, digests, found, number_of
from tests.unit.audit.auditworld import AF, ANN, AU, BOB, World, looks, world

HOSTILE = '\r\n{"index": 0}\u2028\u0085=cmd|"/c calc"!A1\x00\u202e'
PLATE = "AB12CDE"
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(tmp_path_factory.mktemp("exports")) as made:
        await made.ask(ANN, "Hoxha", PLATE, "QQ123456C")
        why = Justification(
            purpose="APPREHEND", reason_code="R02", reason_text=f"=1+1{HOSTILE}", case_ref="@c",
            incident_ref="-2+3", on_behalf_of=HOSTILE,
        )  # fmt: skip
        bob = replace(BOB, app=f"app{HOSTILE}", id=f"+bob{HOSTILE}")
        await made.ask(bob, HOSTILE, why=why, text=f"query X{HOSTILE} {{ a }}")
        await made.seen()
        yield made


async def exported(at: World, target: Path, sought: Sought | None = None, first: int = 50) -> Path:
    """An export as the command line makes it of what the gateway answers."""
    sought = sought or Sought(kind="I")  # no views
    bundle = Bundle(use="OVERSIGHT", sought=sought.told())
    page = (await at.inquiry.export(looks(AF), sought, first=first)).value
    for entry in page.entries:
        bundle.add(json.loads(json.dumps(told_entry(entry))))
    bundle.looked(page.upto, page.next)
    manifest, digest = bundle.manifest()
    leaf = (await at.inquiry.exported(looks(AF), digest)).value
    assert leaf.proof is not None
    bundle.write(target, manifest, leaf.proof.text)
    return target


@pytest.mark.parametrize("name", ["export", "export.zip"])
async def test_AU_19_an_export_is_verified_by_one_file_and_the_key_alone(
    at: World, tmp_path: Path, name: str
) -> None:
    target = await exported(at, tmp_path / name)
    found = check_bundle(target, at.log.verifier)
    assert found.entries == 4
    assert found.view >= 4
    alone = tmp_path / "elsewhere" / "verify.py"
    alone.parent.mkdir()
    shutil.copy(verifier.__file__, alone)
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-I", str(alone), "--bundle", str(target), "--key", at.log.verifier,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, _ = await done.communicate()
    assert done.returncode == 0
    assert printed.decode().startswith("4 entries, each in gate.example/audit; exported 20")


def _dropped(files: dict[str, bytes]) -> None:
    del files["proofs/0.tlog-proof"]


def _added(files: dict[str, bytes]) -> None:
    files["more.jsonl"] = b"{}\n"


def _table(files: dict[str, bytes]) -> None:
    files["searches.csv"] += b"x"


def _entry(files: dict[str, bytes]) -> None:
    files["entries.jsonl"] = files["entries.jsonl"].replace(b"OFFICER_SAFETY", b"APPREHEND", 1)


def _consistently(files: dict[str, bytes]) -> None:
    """An entry, its digest in the manifest, and nothing that the log has signed."""
    _entry(files)
    manifest = json.loads(files["manifest.json"])
    digest = hashlib.sha256(files["entries.jsonl"]).hexdigest()
    manifest["files"]["entries.jsonl"] = digest
    files["manifest.json"] = json.dumps(manifest).encode()


def _swapped(files: dict[str, bytes]) -> None:
    files["manifest.tlog-proof"] = files["proofs/0.tlog-proof"]


def _cut(files: dict[str, bytes]) -> None:
    files["manifest.tlog-proof"] = files["manifest.tlog-proof"].replace(b"index ", b"index 1", 1)


def _nothing(files: dict[str, bytes]) -> None:
    files.clear()


@pytest.mark.parametrize(
    "change", [_dropped, _added, _table, _entry, _consistently, _swapped, _cut, _nothing]
)
async def test_an_export_that_was_changed_is_not_what_the_log_recorded(
    at: World, tmp_path: Path, change: Callable[[dict[str, bytes]], None]
) -> None:
    target = await exported(at, tmp_path / "export.zip", Sought(officer="ann", kind="I"))
    with zipfile.ZipFile(target) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    change(files)
    other = tmp_path / "changed.zip"
    with zipfile.ZipFile(other, "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    with pytest.raises(Unproved):
        check_bundle(other, at.log.verifier)
    assert verifier.main(["--bundle", str(other), "--key", at.log.verifier]) == 1
    check_bundle(target, at.log.verifier)
    other.write_bytes(b"no zip file")
    with pytest.raises(Unproved):
        check_bundle(other, at.log.verifier)


async def test_AU_10_OI_13_one_record_is_one_line(at: World, tmp_path: Path) -> None:
    target = await exported(at, tmp_path / "export")
    for name, count in (("entries.jsonl", 4), ("searches.jsonl", 2)):
        data = (target / name).read_bytes()
        lines = data.decode("ascii").splitlines()
        assert len(lines) == data.count(b"\n") == count
        assert [json.loads(line)["index"] for line in lines] == sorted(
            (json.loads(line)["index"] for line in lines), reverse=name == "searches.jsonl"
        )
    said = [json.loads(line) for line in (target / "searches.jsonl").read_text().splitlines()]
    assert said[0]["asked"]["reason"] == f"=1+1{HOSTILE}"
    text = (target / "searches.csv").read_text()
    assert len(text.splitlines()) == 3
    rows = list(csv.reader(io.StringIO(text)))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert "'=1+1" in text
    for cell in (cell for row in rows for cell in row):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
        assert cell.isprintable()


@pytest.mark.parametrize(
    "before", ["", " ", "\u00a0", "\x00", "\u200b", "\ufeff", "\t\r\n"], ids=ascii
)
@pytest.mark.parametrize("sign", "=+-@|%＝＋－＠")  # noqa: RUF001
def test_OI_13_no_cell_begins_like_a_formula(before: str, sign: str) -> None:
    cell = _safe(f"{before}{sign}1+1")
    assert cell.startswith("'")
    assert cell.isprintable()


async def by_plates(leaves: Path, most: int = MOST) -> tuple[int | None, list[str]]:
    """What trying ten million plates finds: in a process of its own, since others wait here."""
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.plates", str(leaves), "--form", "sha256/plate",
        "--most", str(most), cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, _ = await done.communicate()
    return done.returncode, printed.decode().splitlines()


async def test_AU_12_nobody_finds_a_plate_by_trying_all_of_them(tmp_path: Path) -> None:
    """Ten million plates by the likeliest digest, and those around the one that was asked for by
    every form: all of them by each takes minutes, `make plates`."""
    async with world(tmp_path / "log") as at:
        await at.ask(ANN, PLATE, shows=[("NMC", "nmc", "Vehicle", PLATE)])
        await at.seen()
        target = await exported(at, tmp_path / "export")
        (period,) = at.keys.periods("variables")
        key = at.keys.token_key("variables", period)
    file = target / "entries.jsonl"
    leaves = file.read_bytes()
    assert PLATE.encode() not in leaves
    assert await by_plates(file) == (0, [])
    near, count = number_of(PLATE) - 500, 1_000
    assert MOST == 10**7 > near + count
    assert [form for form in FORMS if found(leaves, form, near, count)] == []
    # the same look finds what it could find, and whoever has the key finds the search
    for form in FORMS:
        (digest,) = digests(form, [PLATE])
        assert found(leaves + b'"%b"' % digest.hex().encode(), form, near, count) == [PLATE]
    planted = hashlib.sha256(b"AA00ABC").hexdigest()[:16]  # cut short
    file.write_bytes(leaves + f'"{planted}"'.encode())
    assert await by_plates(file, 1_000) == (1, ["sha256/plate: AA00ABC"])
    variables = json.dumps({"typed": [PLATE]}, sort_keys=True)
    kept = hmac.digest(key, f"variables\0{variables}".encode(), "sha256").hex()
    assert kept.encode() in leaves


async def test_an_export_says_whether_it_is_all_that_was_found(
    at: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = await exported(at, tmp_path / "whole")
    part = await exported(at, tmp_path / "part", first=1)
    key = at.log.verifier
    found = check_bundle(whole, key)
    assert (found.complete, found.before) == (True, None)
    assert verifier.main(["--bundle", str(whole), "--key", key]) == 0
    assert f"all that was found of the log's first {found.upto} entries" in capsys.readouterr().out
    found = check_bundle(part, key)
    assert (found.complete, found.before, found.entries) == (False, at.asked[1], 2)
    assert verifier.main(["--bundle", str(part), "--key", key]) == 0
    assert f"PART: more was found of the log's first {found.upto} entries, before entry " in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    "changed", [{"complete": 1}, {"before": 3}, {"upto": "7"}, {"upto": None}], ids=str
)
async def test_a_manifest_that_contradicts_itself_is_no_export(
    at: World, tmp_path: Path, changed: dict[str, object]
) -> None:
    """Even where the log has recorded it."""
    bundle = Bundle(use="OVERSIGHT", sought={})
    page = (await at.inquiry.export(looks(AF), Sought(kind="I"))).value
    for entry in page.entries:
        bundle.add(told_entry(entry))
    bundle.looked(page.upto, page.next)
    data = json.dumps({**json.loads(bundle.manifest()[0]), **changed}).encode()
    leaf = (await at.inquiry.exported(looks(AF), hashlib.sha256(data).hexdigest())).value
    assert leaf.proof is not None
    bundle.write(tmp_path / "odd", data, leaf.proof.text)
    with pytest.raises(Unproved, match="not an export"):
        check_bundle(tmp_path / "odd", at.log.verifier)


async def test_the_external_auditor_s_export_has_no_words(at: World) -> None:
    bundle = Bundle(use="OVERSIGHT", sought={})
    for entry in (await at.inquiry.export(looks(AU), Sought(kind="I"))).value.entries:
        bundle.add(told_entry(entry))
    written = b"".join(bundle._files().values())
    assert bundle.searches == 2
    for word in (b"Hoxha", b"1+1", b"query X", b"bob"):
        assert word not in written
