"""Which Open Policy Agent is taken, and which is not."""

from __future__ import annotations

import hashlib
import platform
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.get_opa import (
    VERSION,
    by_release,
    main,
    matches,
    release_name,
    supported,
    version_of,
)
from tests.opa import program as opa_of_tests


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


# --- downloading a release, from a server of our own ----------------------------------------------

NAME = "opa_linux_amd64_static"
PROGRAM = f"#!/bin/sh\necho 'Version: {VERSION}'\n".encode()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def published(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server, and the folder of what it publishes for this version."""
    root = tmp_path / "releases"
    folder = root / f"v{VERSION}"
    folder.mkdir(parents=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", folder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where what is got is kept; the machine is one that releases are made for."""
    monkeypatch.setenv("PORTCULLIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    return tmp_path / "cache"


def publish(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)


def digest(content: bytes) -> bytes:
    return f"{hashlib.sha256(content).hexdigest()}  {NAME}\n".encode()


def test_a_release_with_its_checksum_is_installed(published: tuple[str, Path], kept: Path) -> None:
    address, folder = published
    publish(folder, {NAME: PROGRAM, f"{NAME}.sha256": digest(PROGRAM)})
    found = by_release(address)
    assert found == kept / f"opa-{VERSION}" / "opa"
    assert supported(found)
    assert [file.name for file in found.parent.iterdir()] == ["opa"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({NAME: PROGRAM, f"{NAME}.sha256": digest(b"another")}, "does not match"),
        ({NAME: PROGRAM, f"{NAME}.sha256": b""}, "does not match"),
        ({NAME: PROGRAM}, "did not work"),
        ({f"{NAME}.sha256": digest(PROGRAM)}, "did not work"),
        ({NAME: b"not a program", f"{NAME}.sha256": digest(b"not a program")}, "does not run"),
    ],
    ids=["another's checksum", "an empty one", "none", "no program", "what does not run"],
)
def test_what_is_not_a_release_is_refused_and_leaves_nothing(
    published: tuple[str, Path],
    kept: Path,
    capsys: pytest.CaptureFixture[str],
    files: Mapping[str, bytes],
    said: str,
) -> None:
    address, folder = published
    publish(folder, files)
    assert by_release(address) is None
    assert said in capsys.readouterr().err
    assert [file for file in kept.rglob("*") if file.is_file()] == []


def test_a_machine_without_a_release_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    monkeypatch.setattr("deploy.get_opa.candidates", lambda: iter(()))
    monkeypatch.setattr("deploy.get_opa.by_go", lambda: None)
    assert main() == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "no program for Linux on riscv64" in told.err
    assert "PORTCULLIS_OPA=/path/to/opa" in told.err


def test_tests_without_one_say_in_a_sentence_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.opa.candidates", lambda: iter(()))
    with pytest.raises(RuntimeError, match=r"python deploy/get_opa\.py.*PORTCULLIS_OPA="):
        opa_of_tests()


GO = """#!/bin/sh
[ "$1" = env ] && exit 1
[ "$1 $2" = "install github.com/open-policy-agent/opa@v{version}" ] || exit 1
cp {made} "$GOBIN/opa"
"""


def test_the_nearest_that_is_supported_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Named, then on PATH, then got before, then built by Go; each time the one before is gone."""
    folders = [tmp_path / name for name in ("named", "path", "cache", "made", "go", "home")]
    for folder in folders:
        folder.mkdir()
    named, path, cache, made, go, home = folders
    kept = cache / f"opa-{VERSION}"
    kept.mkdir()
    good = [program(folder, f"Version: {VERSION}") for folder in (named, path, kept)]
    source = program(made, f"Version: {VERSION}")
    (go / "go").write_text(GO.format(version=VERSION, made=source), "utf-8")
    (go / "go").chmod(0o755)
    monkeypatch.setenv("PORTCULLIS_OPA", str(good[0]))
    monkeypatch.setenv("PORTCULLIS_CACHE", str(cache))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{path}:{go}:/usr/bin:/bin")
    for expected in (*good, kept / "opa"):
        assert main() == 0
        assert capfd.readouterr().out == f"{expected}\n"
        program(expected.parent, "Version: 0.70.0")  # it is too old from now on
