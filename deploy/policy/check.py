"""Check the policies as `make check` does: `python -m deploy.policy.check OPA [POLICIES]`.

Prints what is wrong, in words, and ends with 1; or says that all is well.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from deploy.policy.engine import EXPLAIN, run
from deploy.policy.reach import unreached

HERE: Final = Path(__file__).parent
SCHEMAS: Final = HERE / "schemas"
CAPABILITIES: Final = HERE / "capabilities.json"
POLICIES: Final = HERE.parents[1] / "policies"
_UNLIKE: Final = """faults := {name: [error.error | some error in errors] |
	some name, pair in input
	[alike, errors] := json.match_schema(pair.document, pair.schema)
	not alike
}"""


def formatted(program: Path, policies: Path) -> list[str]:
    """Files that `opa fmt` would write otherwise."""
    done = run(program, policies, "fmt", "--list", "--fail", ".", str(EXPLAIN))
    return [f"not formatted: {line} (opa fmt -w)" for line in done.stdout.split()]


def compiled(program: Path, policies: Path) -> list[str]:
    """What the compiler finds: misspelt paths, and functions that no policy may use."""
    done = run(
        program, policies, *("check", "--strict", "--bundle", ".", str(EXPLAIN)),
        *("--schema", str(SCHEMAS), "--capabilities", str(CAPABILITIES)),
    )  # fmt: skip
    return [] if done.returncode == 0 else [done.stderr.strip() or done.stdout.strip()]


def unlike(program: Path, pairs: Mapping[str, tuple[Any, str]]) -> list[str]:
    """Where documents differ from their schemas, each a path in deploy/policy/schemas."""
    given = {
        name: {"document": document, "schema": json.loads((SCHEMAS / schema).read_text("utf-8"))}
        for name, (document, schema) in pairs.items()
    }
    done = run(
        program, HERE, "eval", "--stdin-input", "--format=json", _UNLIKE, given=json.dumps(given)
    )
    if done.returncode != 0:
        return [done.stdout + done.stderr]
    found = json.loads(done.stdout)["result"][0]["bindings"]["faults"]
    return [f"{name}: {fault}" for name, faults in sorted(found.items()) for fault in faults]


def tables(program: Path, policies: Path) -> list[str]:
    """Where a table has a key or a value that its schema does not know, and tables without one."""
    folder = policies / "tables"
    held = {file.parent.name: file for file in folder.glob("*/data.json")}
    known = {schema.stem for schema in (SCHEMAS / "tables").glob("*.json")}
    pairs = {
        f"{folder.name}/{name}": (json.loads(file.read_text("utf-8")), f"tables/{name}.json")
        for name, file in held.items()
        if name in known
    }
    strangers = [f"a table and no schema, or the reverse: {n}" for n in sorted(held.keys() ^ known)]
    return strangers + unlike(program, pairs)


# A test may ask for every role and purpose: on a busy machine that takes more than five seconds.
_TEST: Final = ("test", "--bundle", ".", "--timeout", "60s")


def covered(program: Path, policies: Path) -> list[str]:
    """Tests that fail, and lines of rules that no test reaches."""
    done = run(program, policies, *_TEST, "--coverage", "--format=json")
    try:
        files: dict[str, Any] = json.loads(done.stdout)["files"]
    except (ValueError, TypeError, KeyError):
        plain = run(program, policies, *_TEST)
        return [(plain.stdout + plain.stderr).strip()]
    return [
        f"no test reaches {name}:{piece['start']['row']}-{piece['end']['row']}"
        for name, file in sorted(files.items())
        for piece in file.get("not_covered", ())
    ]


def linted(_program: Path, policies: Path) -> list[str]:
    """What Regal finds, where it is installed: no part of the set-up brings it."""
    regal = shutil.which("regal")
    if regal is None:
        return []
    done = run(Path(regal), policies, "lint", "--format=compact", ".")
    return [] if done.returncode == 0 else [(done.stdout + done.stderr).strip()]


CHECKS: Final[Mapping[str, Callable[[Path, Path], list[str]]]] = {
    "format": formatted,
    "types": compiled,
    "regal": linted,
    "tables": tables,
    "tests": covered,
    "reach": unreached,
}


def main(program: Path, policies: Path = POLICIES) -> int:
    faults: dict[str, list[str]] = {}
    for name, check in CHECKS.items():
        if name == "reach" and any(faults.values()):
            continue  # what is not in its schema or does not compile comes to nothing
        faults[name] = check(program, policies)
    for name, found in faults.items():
        for fault in found:
            print(f"policies, {name}: {fault}", file=sys.stderr)
    if any(faults.values()):
        return 1
    print(
        "The policies are formatted, typed, in their schemas, tested to the last "
        "line, and no field is without a rule nor a rule without use."
    )
    if shutil.which("regal") is None:
        print("Regal is not installed, so it was not asked; nothing here needs it.")
    return 0


if __name__ == "__main__":
    found = shutil.which(sys.argv[1]) or sys.exit(f"no such program: {sys.argv[1]}")
    sys.exit(main(Path(found).absolute(), *map(Path, sys.argv[2:])))
