"""Every rule says in words what it does; one that decides about people also whose it is and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy.policy.engine import EXPLAIN, run
from tests.opa import POLICIES, program

FILES = sorted(file for file in POLICIES.rglob("*.rego") if not file.stem.endswith("_test"))
BESIDE = (Path(__file__).parents[2] / "docs/onboarding/vlr.rego", EXPLAIN / "explain.rego")
SAYS = {"withhold", "silence", "hide", "not_uses", "rows"}  # what an agency may write
DECIDES = {
    "gateway.casework": {"asking", "deciding", "listed", "name"},
    "gateway.fields": {"on_ladder"},
    "gateway.firewall": {"setting", "told", "open", "rows"},
    "gateway.handling": {"whole"},
    "gateway.obligations": {"required"},
    "gateway.owners": {"consenting"},
    "gateway.refusals": {"name", "based", "reasoned"},
    "gateway.releases": {"open", "shows"},
    "gateway.rows": {"retained", "cleared", "overt", "adults"},
    "gateway.subject": {"held", "on_duty", "barred", "acting", "clearance"},
}
AGENCIES = json.loads((POLICIES / "tables/agencies/data.json").read_text("utf-8"))


def words(file: Path) -> tuple[str, dict[str, Mapping[str, Any]]]:
    """A file's package, and what the first definition of each of its rules says of itself."""
    parsed = json.loads(run(program(), POLICIES, "parse", "--format=json", str(file)).stdout)
    said: dict[str, Mapping[str, Any]] = {}
    for rule in parsed.get("rules", ()):
        head = rule["head"]
        name = head.get("name") or head["ref"][0]["value"]
        said.setdefault(name, next(iter(rule.get("annotations", ())), {}))
    path = [part["value"] for part in parsed["package"]["path"][1:]]
    return ".".join(path), said


@pytest.mark.parametrize("file", [*FILES, *BESIDE], ids=lambda file: file.stem)
def test_every_rule_says_what_it_does(file: Path) -> None:
    package, rules = words(file)
    assert [name for name, said in rules.items() if not said.get("title")] == []
    decides = SAYS if package.startswith("agencies.") else DECIDES.get(package, set())
    for name in rules.keys() & decides:
        custom = rules[name].get("custom", {})
        assert custom.get("owner") in {*AGENCIES, "all agencies"}, name
        assert custom.get("reason", "").endswith("."), name


def test_the_rules_that_decide_are_there() -> None:
    found = {package: set(rules) for package, rules in map(words, FILES)}
    assert all(names <= found[package] for package, names in DECIDES.items())
