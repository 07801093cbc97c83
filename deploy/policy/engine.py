"""The policy engine as a program: what it says of files, and what the rules decide on questions."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
EXPLAIN: Final = HERE / "explain"


def run(
    program: Path, at: Path, *arguments: str, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """What the engine says to a command in a folder, whose files it then names from there."""
    return subprocess.run(  # noqa: S603 - the policy engine
        [str(program), *arguments],
        cwd=at,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


def each(program: Path, policies: Path, asked: Sequence[Mapping[str, Any]], rule: str) -> list[Any]:
    """What a rule, such as `data.gateway.decision`, gives for each of many questions.

    Raises:
        RuntimeError: the rules do not compile, or one question has no answer.
    """
    query = f"[said | some asked in input; said := {rule} with input as asked]"
    bundles = ("--bundle", str(policies.absolute()), "--bundle", str(EXPLAIN))
    done = run(
        program.absolute(), HERE, "eval", *bundles, "--stdin-input", "--format=json", query,
        given=json.dumps(list(asked)),
    )  # fmt: skip
    if done.returncode != 0 or "result" not in (read := json.loads(done.stdout)):
        raise RuntimeError(f"the policies do not decide: {done.stderr or done.stdout}")
    said: list[Any] = read["result"][0]["expressions"][0]["value"]
    if len(said) != len(asked):
        raise RuntimeError(f"{rule} has no answer to {len(asked) - len(said)} questions")
    return said
