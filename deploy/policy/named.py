"""Names in the rules for what the vocabulary does not have, by file and name.

A misspelt name is no fault to Rego: the rule is true of nothing, and hides nothing (AZ-21). So the
rules' syntax trees are read: the types and agencies that `lib.of_type` and `lib.of_agency` are
asked for, the fields that conditions compare, and those that an agency hides or whose uses it takes
back. What an agency hides must be written so that it can be read: a text, texts, or a variable that
is one of some texts (`some field in {"name", "text"}`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from deploy.policy.engine import run
from gateway.catalogue.coordinates import askable, known_fields, types_of
from gateway.catalogue.vocabulary import Vocabulary
from gateway.policy.contract import MATCH_BAND
from gateway.policy.releases import RELEASED

_TYPED: Final = {"lib.safeguarding": "SafeguardFlag"}  # words of the library that stand for a type
_COMPARING: Final = {f"lib.{name}" for name in ("compare", "eq", "one_of", "is_null", "before")}
_OWN: Final = {MATCH_BAND, RELEASED}  # that the gateway gives to conditions
_REF: Final = "ref"
_ANY_USE: Final = None

Term: TypeAlias = Mapping[str, Any]
Named: TypeAlias = tuple[str | None, str]  # a use, if one is named, and a field
Uses: TypeAlias = Sequence[str] | Sequence[None] | None


def misnamed(
    program: Path, policies: Path, vocabulary: Vocabulary, agencies: Sequence[str]
) -> Iterator[str]:
    """What the rules name in vain; `agencies` are those there are.

    Raises:
        RuntimeError: a file is no Rego.
    """
    for file in sorted(policies.rglob("*.rego")):
        if not file.stem.endswith("_test"):
            name = str(file.relative_to(policies))
            for rule in _rules(program, policies, name):
                for fault in _faults(rule, vocabulary, agencies):
                    yield f"{name}: {fault}"


@dataclass(frozen=True, slots=True)
class _Rule:
    """One rule's tree."""

    tree: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.tree["head"]["ref"][0]["value"])

    def called(self, *words: str) -> Iterator[str]:
        """The texts that one of some words is called with first, anywhere in the rule."""
        for node in _nodes(self.tree):
            call = node.get("value") if node.get("type") == "call" else node.get("terms")
            if isinstance(call, list) and _way(call[0]) in words and call[1]["type"] == "string":
                yield call[1]["value"]

    @property
    def types(self) -> Sequence[str]:
        """The types of the resources that it is about, as far as it names any."""
        words = {_way(node) for node in _nodes(self.tree) if node.get("type") == "ref"}
        return [*self.called("lib.of_type"), *(_TYPED[one] for one in words & _TYPED.keys())]

    def hidden(self) -> Sequence[Named] | None:
        """The fields it hides or takes back, with the use; None if they cannot be read."""
        head = self.tree["head"]
        held = head.get("value") or head["key"]
        uses: Uses = [_ANY_USE]
        pairs: list[tuple[Uses, Sequence[str] | None]]
        if self.name == "not_uses" and held["type"] == "object":
            pairs = [(self._texts(use), self._texts(fields)) for use, fields in held["value"]]
        else:
            if self.name == "not_uses" and len(head["ref"]) > 2:
                uses = self._texts(head["ref"][2])
            pairs = [(uses, self._texts(held))]
        made: list[Named] = []
        for these, fields in pairs:
            if these is None or fields is None:
                return None
            made += [(use, field) for use in these for field in fields]
        return made

    def _texts(self, term: Term) -> Sequence[str] | None:
        """The texts that a term is or stands for; None if it is something else."""
        match term["type"]:
            case "string":
                return [term["value"]]
            case "set" | "array":
                found = [self._texts(one) for one in term["value"]]
                return None if None in found else [text for one in found for text in one or ()]
            case "var":
                for node in _nodes(self.tree):
                    call = node.get("value") if node.get("type") == "call" else None
                    if call and _way(call[0]) == "internal.member_2" and call[1] == term:
                        return self._texts(call[2])
        return None


def _rules(program: Path, policies: Path, name: str) -> Iterator[_Rule]:
    done = run(program.absolute(), policies, "parse", "--format=json", name)
    if done.returncode != 0:
        raise RuntimeError(f"{name} is no Rego: {done.stderr or done.stdout}")
    for tree in json.loads(done.stdout).get("rules", ()):
        rule: Mapping[str, Any] | None = tree
        while rule is not None:  # each `else` is a rule of its own, under the same head
            yield _Rule({"head": rule["head"], "body": rule.get("body", [])})
            rule = rule.get("else")


def _nodes(tree: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for one in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(one)


def _way(term: Term) -> str:
    """A reference as it is written, "lib.of_type"."""
    held = term.get("value")
    return ".".join(str(one.get("value")) for one in held) if isinstance(held, list) else ""


def _faults(rule: _Rule, vocabulary: Vocabulary, agencies: Sequence[str]) -> Iterator[str]:
    types = rule.types
    about = types or types_of(vocabulary)
    for type_ in types:
        if type_ not in types_of(vocabulary):
            yield f"{rule.name} / {type_} never fires: there is no such kind of record"
    for agency in rule.called("lib.of_agency"):
        if agency not in agencies:
            yield f"{rule.name} / {agency} never fires: there is no such agency"
    fields = {name for type_ in about for name in known_fields(vocabulary, type_)}
    for name in rule.called(*_COMPARING):
        if name not in fields | _OWN:
            yield f"{rule.name} / {name} never fires: {_whose(types)}"
    if rule.name not in ("hide", "not_uses"):
        return
    if (hidden := rule.hidden()) is None:
        yield f"{rule.name}: the fields that it names cannot be read; write them as texts"
        return
    asked = {one for type_ in about for one in askable(vocabulary, type_)}
    for use, name in hidden:
        if rule.name == "hide" and name not in fields | {_REF}:
            yield f"hide / {name} never fires: {_whose(types)}"
        if rule.name == "not_uses" and not any(
            name == field and use in (_ANY_USE, one) for one, field in asked
        ):
            yield f"not_uses / {' / '.join(filter(None, (use, name)))} never fires: nobody asks it"


def _whose(types: Sequence[str]) -> str:
    return f"{' '.join(sorted(types))} has none" if types else "nothing has it"
