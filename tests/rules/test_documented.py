"""What can be set and what can go wrong stands in docs/, as the code declares it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from deploy.write_docs import SETTINGS, with_generated
from gateway.configuration import load
from gateway.errors import GatewayError
from gateway.settings import declared, documentation

ROOT = Path(__file__).parents[2]
ERRORS = (ROOT / "docs/errors.md").read_text("utf-8")
IN_PART = ("WITHHELD", "SOURCE_UNAVAILABLE", "SOURCE_FAULT")


def kinds(kind: type[GatewayError] = GatewayError) -> list[type[GatewayError]]:
    return [one for sub in kind.__subclasses__() for one in (sub, *kinds(sub))]


def test_the_table_of_settings_is_the_declared_one() -> None:
    text = (ROOT / SETTINGS).read_text("utf-8")
    assert text == with_generated(text, documentation()), "run: make docs"


@pytest.mark.parametrize("key", [one.key for one in declared()])
def test_every_setting_is_documented(key: str) -> None:
    assert f"| `{key}` |" in (ROOT / SETTINGS).read_text("utf-8")


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_error_is_documented_with_its_status(kind: type[GatewayError]) -> None:
    [row] = re.findall(rf"^\| `{kind.code}` \| ([^|]*) \|", ERRORS, re.MULTILINE)
    assert str(kind.status) in row


def test_no_other_error_is_documented() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|", ERRORS, re.MULTILINE)
    assert set(rows) == {kind.code for kind in kinds()} | set(IN_PART)
    assert len(rows) == len(set(rows))


def test_the_example_is_a_configuration() -> None:
    file = ROOT / "deploy/gateway.example.toml"
    assert load(file, {}).issuers
    assert tomllib.loads(file.read_text("utf-8"))
