"""The rules as their own tools see them: formatted, strict, tested to the last line."""

from __future__ import annotations

import json
import subprocess

from tests.opa import POLICIES, program


def run(*arguments: str) -> str:
    """What the policy tool prints. Raises CalledProcessError if it is not content."""
    done = subprocess.run(  # noqa: S603  # a fixed command
        [str(program()), *arguments], cwd=POLICIES, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_formatted_and_strict() -> None:
    assert run("fmt", "--list", "--fail", ".") == ""
    run("check", "--strict", "--bundle", ".")


def test_every_test_passes_and_every_line_is_covered() -> None:
    report = json.loads(run("test", "--bundle", ".", "--coverage"))
    assert {
        name: file["not_covered"]
        for name, file in report["files"].items()
        if file.get("not_covered")
    } == {}
    assert report["coverage"] == 100


def test_the_rules_see_neither_network_nor_clock() -> None:
    text = "".join(path.read_text() for path in POLICIES.rglob("*.rego"))
    for forbidden in ("http.send", "net.", "opa.runtime", "time.now_ns", "rego.parse_module"):
        assert forbidden not in text
