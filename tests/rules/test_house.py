"""Rules that hold for the whole tree, checked on what is there rather than by agreement."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = ("gateway", "connectors", "deploy", "tests")
PYTHON = sorted(file for folder in CODE for file in (ROOT / folder).rglob("*.py"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PUBLIC_HOSTS = re.compile(
    r"(127\.0\.0\.1|localhost|([a-z0-9-]+\.)*example(\.(com|org|net))?|([a-z0-9-]+\.)*invalid|"
    r"github\.com|keepachangelog\.com|semver\.org|www\.apache\.org|www\.rfc-editor\.org|c2sp\.org|"
    r"www\.openpolicyagent\.org|graphql\.github\.io|spec\.graphql\.org|www\.w3\.org)"
)


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def calls_and_marks(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr


@pytest.mark.parametrize("file", PYTHON, ids=name)
def test_nothing_is_skipped_stubbed_or_swallowed(file: Path) -> None:
    tree = ast.parse(file.read_text("utf-8"))
    for node in ast.walk(tree):
        bare = isinstance(node, ast.ExceptHandler) and node.type is None
        assert not bare, f"{file}:{getattr(node, 'lineno', 0)}: a bare except"
    if file.is_relative_to(ROOT / "tests"):
        avoided = {"skip", "skipif", "xfail", "importorskip"} & set(calls_and_marks(tree))
        assert not avoided, f"a test that does not run proves nothing: {avoided}"


@pytest.mark.parametrize("file", [*PYTHON, *DOCUMENTS], ids=name)
def test_nothing_is_left_for_later_or_tied_to_one_machine(file: Path) -> None:
    text = file.read_text("utf-8")
    assert not re.search(r"\b(TO" r"DO|FIX" r"ME)\b", text)
    assert not re.search(r"(?<![\w.~])/(home|root|Users)/\w", text), "a path of one machine"


@pytest.mark.parametrize("file", DOCUMENTS, ids=name)
def test_documents_point_to_public_addresses_only(file: Path) -> None:
    for host in re.findall(r"https?://([^/\s:)>\"'`]+)", file.read_text("utf-8")):
        assert PUBLIC_HOSTS.fullmatch(host), host


def test_locks_name_no_registry() -> None:
    for lock in ("audits", "browser/axe"):
        assert "://" not in (ROOT / "tests/e2e" / lock / "package-lock.json").read_text("utf-8")
    assert not re.search(r"https?://", (ROOT / "requirements.lock").read_text("utf-8"))


def test_what_is_locked_is_installed_by_hash_and_never_built() -> None:
    """A machine without a compiler installs it all; our own project alone is not in the lock."""
    text = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", "")
    installs = [line.split() for line in text.splitlines() if "-m pip install" in line]
    locked = [words for words in installs if "requirements.lock" in words]
    assert len(locked) == 1
    assert {"--require-hashes", "--only-binary"} <= {*locked[0]}
    assert locked[0][locked[0].index("--only-binary") + 1] == ":all:"
    [own] = [words for words in installs if words not in locked]
    assert {"--no-deps", "-e", "."} <= {*own}


def test_the_import_rules_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
