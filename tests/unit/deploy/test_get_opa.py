"""Which Open Policy Agent is taken, and which is not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from deploy.get_opa import VERSION, matches, release_name, supported, version_of


def program(folder: Path, says: str, status: int = 0) -> Path:
    file = folder / "opa"
    file.write_text(f"#!/bin/sh\nprintf '%s\\n' '{says}'\nexit {status}\n", "utf-8")
    file.chmod(0o755)
    return file


@pytest.mark.parametrize(
    ("version", "taken"),
    [(VERSION, True), ("1.23.0", True), ("1.22.1", False), ("0.70.0", False), ("2.0.0", False)],
)
def test_only_versions_that_the_policies_were_tested_with(
    tmp_path: Path, version: str, taken: bool
) -> None:
    assert supported(program(tmp_path, f"Version: {version}")) is taken


@pytest.mark.parametrize("says", ["", "Version: new", "opa 1.22.2"])
def test_what_does_not_say_its_version_is_not_taken(tmp_path: Path, says: str) -> None:
    assert version_of(program(tmp_path, says)) is None


def test_what_does_not_run_is_not_taken(tmp_path: Path) -> None:
    assert version_of(program(tmp_path, f"Version: {VERSION}", status=1)) is None
    assert version_of(tmp_path / "absent") is None


def test_a_download_is_kept_only_if_it_matches_its_checksum() -> None:
    digest = hashlib.sha256(b"program").hexdigest().encode()
    assert matches(b"program", digest + b"  opa_linux_amd64_static\n")
    assert not matches(b"another", digest)
    assert not matches(b"program", b"")
    assert not matches(b"program", b"<html>")


def test_each_platform_has_its_release() -> None:
    assert release_name("Linux", "x86_64") == "opa_linux_amd64_static"
    assert release_name("Darwin", "arm64") == "opa_darwin_arm64_static"
    assert release_name("Linux", "riscv64") is None
    assert release_name("Plan9", "x86_64") is None
