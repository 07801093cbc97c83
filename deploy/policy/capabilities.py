"""Write deploy/policy/capabilities.json: what a policy may use of this version of the engine.

A decision follows from its question and the tables alone, so there is no network, no clock, no
randomness, no look at the machine, and no way to make a rule out of data.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).with_name("capabilities.json")
BARRED: Final = ("http.", "net.", "opa.", "providers.", "rand.", "rego.", "trace", "uuid.")


def allowed(builtin: dict[str, Any]) -> bool:
    """Whether it gives the same for the same arguments, everywhere and always."""
    return not builtin.get("nondeterministic") and not builtin["name"].startswith(BARRED)


def narrowed(everything: dict[str, Any]) -> dict[str, Any]:
    """The engine's own capabilities without what is barred."""
    builtins = [one for one in everything["builtins"] if allowed(one)]
    return {**everything, "builtins": builtins, "allow_net": []}


def written(capabilities: dict[str, Any]) -> str:
    """One line for each function, so that a change of version is a readable difference."""
    functions = ",\n".join(json.dumps(one, sort_keys=True) for one in capabilities["builtins"])
    rest = {key: value for key, value in capabilities.items() if key != "builtins"}
    return f'{{"builtins": [\n{functions}\n],\n{json.dumps(rest)[1:]}\n'


def main(program: str) -> None:
    done = subprocess.run(  # noqa: S603 - the policy engine
        [program, "capabilities", "--current"], capture_output=True, text=True, check=True
    )
    FILE.write_text(written(narrowed(json.loads(done.stdout))), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
