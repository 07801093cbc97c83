"""Settings: file, then environment; every fault at once, by file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.configuration import load
from gateway.errors import ConfigError
from gateway.settings import LISTS, IssuerSetting, Limits, Settings, declared


def written(folder: Path, text: str) -> Path:
    file = folder / "gateway.toml"
    file.write_text(text, "utf-8")
    return file


def faults(file: Path | None, environment: dict[str, str] | None = None) -> set[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        load(file, environment or {})
    return {(Path(one.file).name, one.key) for one in caught.value.faults}


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    settings = load(None, {})
    assert settings.port == Settings().port
    assert settings.limits == Settings().limits
    assert settings.catalogue_dir.is_absolute()


def test_the_default_limits_are_those_that_officers_documents_were_written_for() -> None:
    limits = Limits()
    assert (limits.body_bytes, limits.tokens, limits.depth) == (64 * 1024, 2_000, 10)
    assert (limits.aliases, limits.expanded_fields) == (30, 1_000)
    assert (limits.fetches, limits.waves, limits.sources) == (64, 8, 16)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "port = 1\nhost = '::1'\n[limits]\ndepth = 3\n")
    settings = load(file, {"GATEWAY_PORT": "2", "GATEWAY_LIMITS_DEPTH": "4"})
    assert (settings.port, settings.host, settings.limits.depth) == (2, "::1", 4)


def test_paths_are_relative_to_the_file_and_to_the_state(tmp_path: Path) -> None:
    settings = load(written(tmp_path, "state_dir = 's'\nref_key = '/else/ref'\n"), {})
    assert settings.state_dir == tmp_path / "s"
    assert settings.audit_dir == tmp_path / "s" / "audit"
    assert settings.ref_key == Path("/else/ref")
    assert settings.catalogue_dir == tmp_path / "catalogue"


def test_a_path_in_the_environment_is_relative_to_the_current_folder(tmp_path: Path) -> None:
    settings = load(written(tmp_path, ""), {"GATEWAY_CATALOGUE_DIR": "there"})
    assert settings.catalogue_dir == Path.cwd() / "there"


def test_issuers_are_tables(tmp_path: Path) -> None:
    text = "[[issuers]]\nissuer = 'https://id.example'\nagency = 'NMC'\n"
    assert load(written(tmp_path, text), {}).issuers == (
        IssuerSetting(issuer="https://id.example", agency="NMC", algorithms=("ES256",)),
    )


def test_lists_and_booleans_come_from_the_environment_too() -> None:
    settings = load(None, {"GATEWAY_DEMO": "true", "GATEWAY_METRICS_NETWORKS": "10.0.0.0/8, ::1"})
    assert settings.demo is True
    assert settings.metrics_networks == ("10.0.0.0/8", "::1")


def test_every_fault_is_reported_at_once(tmp_path: Path) -> None:
    text = """
port = "8470"
hots = "typing error"
demo = 1
opa_url = "file:///etc"
metrics_networks = ["everyone"]
about = "text"
[limits]
depth = 0
body_byte = 5
receive_s = nan
[[issuers]]
issuer = "https://user@id.example"
algorithms = ["HS256"]
extra = 1
"""
    environment = {"GATEWAY_PROT": "1", "GATEWAY_LIMITS_WAVES": "many"}
    assert faults(written(tmp_path, text), environment) == {
        ("gateway.toml", "port"),
        ("gateway.toml", "hots"),
        ("gateway.toml", "demo"),
        ("gateway.toml", "opa_url"),
        ("gateway.toml", "metrics_networks"),
        ("gateway.toml", "about"),
        ("gateway.toml", "limits.depth"),
        ("gateway.toml", "limits.body_byte"),
        ("gateway.toml", "limits.receive_s"),
        ("gateway.toml", "issuers[0].issuer"),
        ("gateway.toml", "issuers[0].agency"),
        ("gateway.toml", "issuers[0].algorithms"),
        ("gateway.toml", "issuers[0].extra"),
        ("environment", "GATEWAY_PROT"),
        ("environment", "GATEWAY_LIMITS_WAVES"),
    }


def test_one_issuer_vouches_for_one_agency(tmp_path: Path) -> None:
    one = "[[issuers]]\nissuer = 'https://id.example'\nagency = '{}'\n"
    assert faults(written(tmp_path, one.format("NMC") + one.format("SCP"))) == {
        ("gateway.toml", "issuers")
    }


@pytest.mark.parametrize("text", ["issuers = 1", "issuers = [1]"])
def test_issuers_of_another_form_are_a_fault(tmp_path: Path, text: str) -> None:
    assert faults(written(tmp_path, text)) == {("gateway.toml", "issuers")}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert faults(tmp_path / "none.toml") == {("none.toml", "(file)")}
    assert faults(written(tmp_path, "port = = 1")) == {("gateway.toml", "(file)")}


def test_a_secret_in_the_environment_is_not_a_setting() -> None:
    assert load(None, {"GATEWAY_SECRET_BID": "x"}) == load(None, {})


def test_a_fault_never_repeats_the_value() -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {"GATEWAY_PORT": "hunter2", "GATEWAY_OPA_URL": "ftp://hunter2"})
    assert "hunter2" not in str(caught.value)


def test_every_setting_has_a_reason_and_a_variable() -> None:
    for one in declared():
        assert one.why.endswith((".", ";"))
        assert one.variable or one.key in LISTS


def test_webhooks_are_read_as_issuers_are(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    table = '[[webhooks]]\nagency = "ERU"\nurl = "https://eru.example/notices"\nsecret = "eru"\n'
    file.write_text(table)
    (read,) = load(file, {}).webhooks
    assert (read.agency, read.url, read.secret, read.private) == (
        "ERU", "https://eru.example/notices", "eru", False,
    )  # fmt: skip
    file.write_text(table + table + '[[webhooks]]\nurl = "ftp://x"\ncolour = 1\n')
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    keys = sorted(fault.key for fault in caught.value.faults)
    assert keys == [
        "webhooks", "webhooks[2].agency", "webhooks[2].colour", "webhooks[2].secret",
        "webhooks[2].url",
    ]  # fmt: skip
