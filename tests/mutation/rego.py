"""Mutants of the policies: each changes one place of a rule, and a test beside the rules finds it.

A mutant that no test finds is a rule that could be wrong without anybody noticing. Run:
make mutants, or python -m tests.mutation.rego [FILE ...]
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from tests.mutation.mutant import INVALID, KILLED, SURVIVED, Mutant, share
from tests.opa import POLICIES, program

_OPPOSITE: Mapping[str, str] = {
    "==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">", "&": "|", "|": "&",
}  # fmt: skip
_NAMES: Mapping[str, str] = {
    "equal": "==", "neq": "!=", "lt": "<", "gte": ">=", "gt": ">", "lte": "<=", "and": "&",
    "or": "|",
}  # fmt: skip


# --- making them ---------------------------------------------------------------------------------


def mutants_of(file: Path, root: Path = POLICIES) -> tuple[Mutant, ...]:
    """Every mutant of one module, each once."""
    parsed = subprocess.run(  # noqa: S603  # a fixed command
        [str(program()), "parse", "--format=json", "--json-include=locations,-comments", str(file)],
        capture_output=True,
        check=True,
    )
    text = file.read_text("utf-8")
    places = _Places(text, file.relative_to(root).as_posix())
    module = json.loads(parsed.stdout)
    found = (one for rule in module.get("rules", ()) for one in _of_rule(rule, places))
    return tuple(sorted({one for one in found if one is not None}))


@dataclass(frozen=True, slots=True)
class _Places:
    """Where what OPA names by row and column stands in the text."""

    text: str
    file: str

    def mutant(self, node: Mapping[str, Any], after: str) -> Mutant | None:
        """The node's text replaced; None where it does not stand there (OPA made it up)."""
        at = node.get("location") or {}
        if "text" not in at:
            return None
        before = base64.b64decode(at["text"]).decode()
        lines = self.text.split("\n")
        # Columns count bytes; a tab is one.
        line = lines[at["row"] - 1].encode()[: at["col"] - 1].decode()
        start = sum(len(one) + 1 for one in lines[: at["row"] - 1]) + len(line)
        if not before or self.text[start : start + len(before)] != before or before == after:
            return None
        return Mutant(self.file, at["row"], start, before, after)


def _of_rule(rule: Mapping[str, Any], places: _Places) -> Iterator[Mutant | None]:
    if rule["head"].get("value"):
        yield from _of_term(rule["head"]["value"], places)
    for expression in rule.get("body") or ():
        yield from _of_expression(expression, places)
    if rule.get("else"):
        yield from _of_rule(rule["else"], places)


def _of_expression(expression: Mapping[str, Any], places: _Places) -> Iterator[Mutant | None]:
    """Without the expression, its opposite, and the mutants of what stands in it."""
    terms = expression["terms"]
    declares = isinstance(terms, dict) and "symbols" in terms
    text = base64.b64decode((expression.get("location") or {}).get("text", "")).decode()
    if isinstance(terms, dict) and terms.get("type") == "boolean" and text != "true":
        return  # the body of a rule that has none
    if text and text != "true" and not declares:
        yield places.mutant(expression, "true")
        if expression.get("negated"):
            yield places.mutant(expression, text.removeprefix("not ").strip())
        elif ":=" not in text:
            yield places.mutant(expression, f"not {text}")
    yield from _of_terms(terms, places)


def _of_terms(terms: Any, places: _Places) -> Iterator[Mutant | None]:
    match terms:
        case list():
            yield from _of_call(terms, places)
        case {"symbols": symbols}:
            for symbol in symbols:
                yield from _of_term(symbol, places)
        case {"domain": domain, "body": body}:  # every
            yield from _of_term(domain, places)
            for expression in body:
                yield from _of_expression(expression, places)
        case dict():
            yield from _of_term(terms, places)


def _of_call(terms: Sequence[Mapping[str, Any]], places: _Places) -> Iterator[Mutant | None]:
    operator = ".".join(str(part["value"]) for part in terms[0]["value"])
    if (sign := _NAMES.get(operator)) is not None:
        yield places.mutant(terms[0], _OPPOSITE[sign])
    for term in terms[1:]:
        yield from _of_term(term, places)


def _of_term(term: Mapping[str, Any], places: _Places) -> Iterator[Mutant | None]:
    value: Any = term.get("value")
    match term.get("type"):
        case "string" if '"' in base64.b64decode(term["location"]["text"]).decode():
            yield places.mutant(term, json.dumps(f"{value}~"))
        case "number":
            yield places.mutant(term, str(int(value) + 1))
        case "boolean":
            yield places.mutant(term, str(not value).lower())
        case "call":
            yield from _of_call(value, places)
        case "array" | "set":
            for one in value:
                yield from _of_term(one, places)
        case "object":
            for key, held in value:
                yield from _of_term(key, places)
                yield from _of_term(held, places)
        case "ref":
            for one in value[1:]:
                yield from _of_term(one, places)
        case "arraycomprehension" | "setcomprehension" | "objectcomprehension":
            for name in ("term", "key", "value"):
                if name in value:
                    yield from _of_term(value[name], places)
            for expression in value["body"]:
                yield from _of_expression(expression, places)
        case _:
            return


# --- finding them --------------------------------------------------------------------------------


def outcome(mutant: Mutant, root: Path = POLICIES) -> str:
    """Killed by the tests, survived, or invalid: no module that OPA would load."""
    with tempfile.TemporaryDirectory(prefix="portcullis-mutant-") as made:
        copy = Path(made) / "policies"
        shutil.copytree(root, copy)
        file = copy / mutant.file
        file.write_text(mutant.applied(file.read_text("utf-8")), "utf-8")
        if subprocess.run(  # noqa: S603  # a fixed command
            [str(program()), "check", "--bundle", str(copy)], capture_output=True, check=False
        ).returncode:
            return INVALID
        # Every change ends; the time limit is wide enough for a machine that is stopped meanwhile.
        tested = subprocess.run(  # noqa: S603  # as above
            [str(program()), "test", "--bundle", "--timeout=600s", str(copy)],
            capture_output=True,
            check=False,
        )
        return KILLED if tested.returncode else SURVIVED


def modules(root: Path = POLICIES) -> tuple[Path, ...]:
    """The modules that hold rules, not their tests."""
    return tuple(p for p in sorted(root.rglob("*.rego")) if not p.name.endswith("_test.rego"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.rego", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="modules (default: all of policies/)")
    parser.add_argument("--some", type=int, metavar="N", help="only N of them, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--goal", type=float, default=0.9, help="share that is to be killed")
    given = parser.parse_args()
    console = Console(highlight=False)
    files = [file.resolve() for file in given.files] or modules()
    made = [mutant for file in files for mutant in mutants_of(file)]
    if made and outcome(replace(made[0], after=made[0].before)) != SURVIVED:
        console.print("The tests fail as the policies stand: run `make check` first.")
        return 2
    if given.some is not None and given.some < len(made):
        made = random.Random(given.seed).sample(made, given.some)  # noqa: S311  # nothing secret
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        work = pool.map(outcome, made)
        outcomes = list(track(work, "Testing mutants", total=len(made), console=console))
    for mutant, _ in sorted(
        pair for pair in zip(made, outcomes, strict=True) if pair[1] == SURVIVED
    ):
        console.print(f"survived  {mutant}", markup=False, soft_wrap=True)
    return 0 if share(outcomes, "policies", console) >= given.goal else 1


if __name__ == "__main__":
    sys.exit(main())
