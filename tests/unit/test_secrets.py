"""Secrets print as stars, stay in their folder, and keys are made once, for their owner alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.secrets import NamedSecrets, Secret, own_key


def test_a_secret_prints_as_stars() -> None:
    secret = Secret(b"hunter2")
    assert f"{secret} {secret!r} {secret:>5} {[secret]}" == "*** ***   *** [***]"
    assert secret.reveal() == b"hunter2"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "bid-client").write_text("from the file\n", "utf-8")
    environment = {"GATEWAY_SECRET_BID_CLIENT": "from the environment"}
    with_both = NamedSecrets(folder=tmp_path, environment=environment)
    assert with_both.get("bid-client") == "from the environment"
    assert NamedSecrets(folder=tmp_path, environment={}).get("bid-client") == "from the file"
    assert "from the environment" not in repr(with_both)


@pytest.mark.parametrize("name", ["absent", "../outside", "a/b", "", ".hidden", "x" * 65])
def test_no_other_file_can_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").write_text("x", "utf-8")
    folder = tmp_path / "secrets"
    folder.mkdir()
    with pytest.raises(KeyError):
        NamedSecrets(folder=folder, environment={}).get(name)


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "ref.key"
    first = own_key(path, length=64)
    assert len(first.reveal()) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert own_key(path, length=64) == first
    assert [file.name for file in path.parent.iterdir()] == ["ref.key"]


def test_a_key_that_others_may_read_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "ref.key"
    own_key(path, length=32)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="others may read it"):
        own_key(path, length=32)


@pytest.mark.parametrize("found", [b"", b"x" * 31, b"x" * 33])
def test_a_damaged_key_stops_the_start_and_is_kept(tmp_path: Path, found: bytes) -> None:
    path = tmp_path / "ref.key"
    path.write_bytes(found)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="another number of bytes"):
        own_key(path, length=32)
    assert path.read_bytes() == found


def test_a_key_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(ConfigError, match="cannot be read or made"):
        own_key(tmp_path / "file" / "ref.key", length=32)
