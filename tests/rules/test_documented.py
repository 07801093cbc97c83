"""What can be set and what can go wrong stands in docs/, as the code declares it."""

from __future__ import annotations

import re
import tomllib
from copy import deepcopy
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from connectors.registry import connector_class
from deploy.write_docs import SETTINGS, with_generated
from gateway.catalogue.check import load_catalogue
from gateway.catalogue.coordinates import parts
from gateway.catalogue.mapping import Gallery
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


HTTP = {"health": "/health", "rate_per_s": 1, "ca_file": "", "max_bytes": 1, "oauth": {
    "token_url": "http://127.0.0.1:9", "client_id_secret": "x", "client_secret_secret": "x",
}}  # fmt: skip
PARAM = {"column": "a", "param": "a", "style": "csv"}
TAKEN = {"column": "a", "arg": "a", "type": "[ID!]", "style": "list"}
LISTING: dict[str, Any] = {"path": "/p", "params": [PARAM]}
CONNECTIONS: dict[str, tuple[dict[str, Any], list[list[str | int]]]] = {
    "sql": ({"url": "sqlite:////nowhere"}, [[]]),
    "rest": (
        {**HTTP, "base_url": "http://127.0.0.1:9", "relations": {"r": LISTING}},
        [[], ["oauth"], ["relations", "r"], ["relations", "r", "params", 0]],
    ),
    "upstream": (
        {
            **HTTP,
            "url": "http://127.0.0.1:9",
            "relations": {"r": {"field": "f", "args": [TAKEN]}},
        },
        [[], ["relations", "r"], ["relations", "r", "args", 0]],
    ),
    "vector": (
        {
            **HTTP,
            "base_url": "http://127.0.0.1:9",
            "relations": {"r": {**LISTING, "search": {"filters": [{"column": "a", "param": "a"}]}}},
        },
        [
            [],
            ["relations", "r"],
            ["relations", "r", "search"],
            ["relations", "r", "search", "filters", 0],
        ],
    ),
}


class _Vault:
    def get(self, name: str) -> str:
        return name


def accepted(connector: str) -> set[str]:
    """The keys that a connector knows, as it tells them of a key that it does not know."""
    whole, places = CONNECTIONS[connector]
    found: set[str] = set()
    for place in places:
        config = deepcopy(whole)
        table: Any = config
        for step in place:
            table = table[step]
        table["colour"] = "red"
        with pytest.raises(ValueError, match="colour: unknown key; known are") as told:
            connector_class(connector).from_config(config, _Vault())
        (line,) = (one for one in str(told.value).splitlines() if "colour: " in one)
        found |= set(line.partition("known are ")[2].split(", "))
    return found


def test_every_key_of_a_connection_and_of_a_gallery_is_explained() -> None:
    text = (ROOT / "docs/connections.md").read_text("utf-8")
    rows = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    known = {"token_secret", *(field.name for field in fields(Gallery))}
    known = known.union(*map(accepted, CONNECTIONS))
    known = {f"{key}_secret" if key in ("base_url", "token_url") else key for key in known}
    assert rows == known


def test_what_no_agency_holds_is_listed_field_by_field() -> None:
    """By type: a part of many records counts as held where one of them has it."""
    catalogue = load_catalogue(ROOT / "deploy/catalogue")
    words = catalogue.vocabulary
    held: set[tuple[str, str]] = set()
    asked: set[tuple[str, str]] = set()
    whole = {entity for entity in words.entities if not catalogue.holders(entity)}
    for entity in words.entities.keys() - whole:
        sources = catalogue.holders(entity)
        for path, type_ in parts(words, entity):
            for name, field in words.fields_of(type_).items():
                if not (field.hidden or field.derived):
                    dotted = f"{path}.{name}" if path else name
                    asked.add((type_, name))
                    if any(source.entities[entity].holds_field(dotted) for source in sources):
                        held.add((type_, name))
    text = (ROOT / "docs/onboarding.md").read_text("utf-8").partition("held by none of the six")[2]
    rows = re.findall(r"^  \| `(\w+)` \| (`.*) \|$", text, re.MULTILINE)
    listed = {(type_, name) for type_, names in rows for name in re.findall(r"`(\w+)`", names)}
    worked_out = {(t, n) for t, n in asked if t in {"MatchExplanation", "MatchFeature"}}
    assert listed == asked - held - worked_out
    assert set(re.findall(r"^  \| `(\w+)` \| all of it", text, re.MULTILINE)) == whole


def test_the_example_is_a_configuration() -> None:
    file = ROOT / "deploy/gateway.example.toml"
    assert load(file, {}).issuers
    assert tomllib.loads(file.read_text("utf-8"))
