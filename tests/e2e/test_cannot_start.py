"""Where a part of the demonstration cannot start: one clear error, what to do next, status 2."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.demo import databases
from deploy.demo.services.process import running
from deploy.demo.starting import CannotStart
from gateway.cli import main

DEMO = ["demo", "--once", "--people", "600", "--port", "0"]


@pytest.fixture(autouse=True)
def nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opa_program: Path
) -> Iterator[None]:
    monkeypatch.setenv("PORTCULLIS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PORTCULLIS_OPA", str(opa_program))
    before = set(psutil.Process().children(recursive=True))
    yield
    after = [p for p in psutil.Process().children() if p not in before]
    left = after + [one for p in after for one in p.children(recursive=True)]
    assert [p for p in left if p.status() != psutil.STATUS_ZOMBIE] == []


def told(capsys: pytest.CaptureFixture[str]) -> str:
    """What the command said, and how it ended."""
    assert main(DEMO) == 2
    said = capsys.readouterr().err
    assert said.endswith("Nothing is left running.\n")
    assert "Traceback" not in said
    return said


def test_programs_that_their_user_cannot_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As root from a private home: PostgreSQL would run as somebody who may not enter it."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    look = databases._check_programs
    monkeypatch.setattr(databases, "_check_programs", lambda _programs: look(private))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    said = told(capsys)
    assert f"cannot reach its programs in {private}." in said
    assert "Start as an ordinary user" in said
    assert private.stat().st_mode & 0o777 == 0o700  # nobody opened it


def test_an_opa_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for program in (tmp_path / "nowhere", Path("/bin/false")):
        monkeypatch.setenv("PORTCULLIS_OPA", str(program))
        said = told(capsys)
        assert "Open Policy Agent" in said
        assert "PORTCULLIS_OPA=/path/to/opa" in said


def test_a_database_whose_data_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = databases.postgres_data(tmp_path / "home" / "agencies")
    try:
        data.mkdir(parents=True)
        (data / "PG_VERSION").write_text("8.1\n")
        said = told(capsys)
    finally:
        databases.remove_postgres_data(tmp_path / "home" / "agencies")
    assert "PostgreSQL did not start" in said
    assert "make clean" in said


async def test_a_service_that_ends_at_once(tmp_path: Path) -> None:
    module = "deploy.demo.services.bid"
    with pytest.raises(CannotStart, match="ended before it was ready") as why:
        async with running(module, "--data", str(tmp_path / "nowhere")):
            pass
    assert f"python -m {module} --help" in str(why.value)
