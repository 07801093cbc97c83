"""Every rule says in words what it does; one that decides about people also whose it is and why."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.policy.engine import EXPLAIN, run
from tests.opa import POLICIES, program

FILES = sorted(file for file in POLICIES.rglob("*.rego") if not file.stem.endswith("_test"))
BESIDE = (Path(__file__).parents[2] / "docs/onboarding/vlr.rego", EXPLAIN / "explain.rego")
SAYS = {"withhold", "silence", "hide", "not_uses", "rows"}  # what an agency may write
# A rule that looks at one of these itself decides what somebody sees; any other only computes.
LOOKS_AT = frozenset(
    {("input", "subject"), ("input", "context"), ("data", "tables"), ("data", "agencies")}
)
# Who can say more: a desk by its name, or that none can.
CONTACT = re.compile(r"\bAsk .*desk\b|\bNo desk can\b")
AGENCIES = json.loads((POLICIES / "tables/agencies/data.json").read_text("utf-8"))


@dataclass(slots=True)
class Rule:
    """What a rule says of itself, and what its definitions look at."""

    said: Mapping[str, Any]
    refs: set[tuple[str, ...]]

    @property
    def decides(self) -> bool:
        return any(ref[:2] in LOOKS_AT for ref in self.refs)


def refs(node: Any) -> Iterator[tuple[str, ...]]:
    """Every path that a part of a parsed rule looks at."""
    if isinstance(node, dict):
        if node.get("type") == "ref":
            yield tuple(str(part["value"]) for part in node["value"] if part["type"] in KEYS)
        for name, inner in node.items():
            if name != "annotations":
                yield from refs(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from refs(inner)


KEYS = frozenset({"var", "string"})


def words(file: Path) -> tuple[str, dict[str, Rule]]:
    """A file's package and its rules: what the first definition of each says counts."""
    parsed = json.loads(run(program(), POLICIES, "parse", "--format=json", str(file)).stdout)
    found: dict[str, Rule] = {}
    for rule in parsed.get("rules", ()):
        head = rule["head"]
        name = head.get("name") or head["ref"][0]["value"]
        said: Mapping[str, Any] = next(iter(rule.get("annotations", ())), {})
        found.setdefault(name, Rule(said, set())).refs.update(refs(rule))
    path = [part["value"] for part in parsed["package"]["path"][1:]]
    return ".".join(path), found


@pytest.mark.parametrize("file", [*FILES, *BESIDE], ids=lambda file: file.stem)
def test_every_rule_says_what_it_does(file: Path) -> None:
    """And one that decides what somebody sees also whose it is, why, and who can say more."""
    package, rules = words(file)
    assert [name for name, rule in rules.items() if not rule.said.get("title")] == []
    agencys = package.startswith("agencies.")
    for name, rule in rules.items():
        if package.startswith("explain") or not (name in SAYS if agencys else rule.decides):
            continue
        custom = rule.said.get("custom", {})
        assert custom.get("owner") in {*AGENCIES, "all agencies"}, name
        assert custom.get("reason", "").endswith("."), name
        assert CONTACT.search(custom["reason"]), name


def test_what_decides_is_told_from_what_computes() -> None:
    decides = {
        f"{package}.{name}"
        for package, rules in map(words, FILES)
        for name, rule in rules.items()
        if rule.decides
    }
    assert {"gateway.fields.cell", "gateway.subject.acting", "gateway.owners.hidden"} <= decides
    assert {"gateway.lib.eq", "gateway.lib.all_of", "gateway.owners.asked"}.isdisjoint(decides)
    assert len(decides) > 60
