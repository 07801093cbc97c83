"""Every rule says in words what it does; one that decides about people also whose it is and why."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.policy.engine import EXPLAIN, run
from tests.opa import POLICIES, program

FILES = sorted(file for file in POLICIES.rglob("*.rego") if not file.stem.endswith("_test"))
BESIDE = (Path(__file__).parents[2] / "docs/onboarding/vlr.rego", EXPLAIN / "explain.rego")
SAYS = {"withhold", "silence", "hide", "not_uses", "rows"}  # what an agency may write
# A rule that looks at one of these decides what somebody sees, and so does one that looks at such a
# rule; any other only computes.
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


def refs(node: Any) -> Iterator[tuple[str, ...]]:
    """Every path that a part of a parsed rule looks at; a name alone may be a rule's."""
    if isinstance(node, dict):
        if node.get("type") == "ref":
            yield tuple(str(part["value"]) for part in node["value"] if part["type"] in KEYS)
        elif node.get("type") == "var":
            yield (str(node["value"]),)
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


@pytest.fixture(scope="module")
def deciding() -> Set[tuple[str, str]]:
    """(package, rule) of all that decide, be it through other rules."""
    rules = {
        (package, name): rule for package, held in map(words, FILES) for name, rule in held.items()
    }
    packages = {package.rpartition(".")[2]: package for package, _ in rules}
    found = {key for key, rule in rules.items() if any(ref[:2] in LOOKS_AT for ref in rule.refs)}
    size = 0
    while size < len(found):
        size = len(found)
        for (package, name), rule in rules.items():
            for first, *rest in filter(None, rule.refs):
                looks = {(package, first), (packages.get(first, ""), rest[0] if rest else "")}
                if looks & found - {(package, name)}:
                    found.add((package, name))
    return found


@pytest.mark.parametrize("file", [*FILES, *BESIDE], ids=lambda file: file.stem)
def test_every_rule_says_what_it_does(file: Path, deciding: Set[tuple[str, str]]) -> None:
    """And one that decides what somebody sees also whose it is, why, and who can say more."""
    package, rules = words(file)
    assert [name for name, rule in rules.items() if not rule.said.get("title")] == []
    agencys = package.startswith("agencies.")
    for name, rule in rules.items():
        if package.startswith("explain") or not (
            name in SAYS if agencys else (package, name) in deciding
        ):
            continue
        custom = rule.said.get("custom", {})
        assert custom.get("owner") in {*AGENCIES, "all agencies"}, name
        assert custom.get("reason", "").endswith("."), name
        assert CONTACT.search(custom["reason"]), name


def test_what_decides_is_told_from_what_computes(deciding: Set[tuple[str, str]]) -> None:
    decides = {".".join(key) for key in deciding}
    assert {"gateway.fields.cell", "gateway.subject.acting", "gateway.owners.hidden"} <= decides
    # through other rules only
    assert {"gateway.refusals.current", "gateway.fields.beyond", "gateway.rows.lawful"} <= decides
    assert {"gateway.lib.eq", "gateway.lib.all_of", "gateway.owners.asked"}.isdisjoint(decides)
    assert len(decides) > 120
