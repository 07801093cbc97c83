"""What the documents show to be copied can be: each fenced block is read by what it is meant for.

The README's commands are run (`tests/e2e/test_readme.py`), and those of the onboarding walk
(`tests/e2e/test_onboarding.py`); the others are taken apart here as their program would.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from graphql import parse, validate

from gateway.casework.schema import build_schema as build_actions
from gateway.catalogue.check import load_catalogue
from gateway.catalogue.mapping import read_source
from gateway.catalogue.schema import build_schema
from gateway.cli import parser
from gateway.configuration import load
from tests.opa import program

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
CATALOGUE = load_catalogue(ROOT / "deploy" / "catalogue")
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


def snippets() -> Iterator[Any]:
    for file in DOCUMENTS:
        text = file.read_text("utf-8")
        for found in (one for one in FENCE.finditer(text) if one[2]):  # the others were printed
            line = text.count("\n", 0, found.start()) + 1
            yield pytest.param(found[2], found[3], id=f"{file.relative_to(ROOT)}:{line}")


@pytest.mark.parametrize(("language", "text"), list(snippets()))
def test_a_snippet_can_be_used_as_it_stands(language: str, text: str, tmp_path: Path) -> None:
    match language:
        case "toml":
            check_toml(text, tmp_path / "gateway.toml")
        case "json":
            json.loads(text if text.startswith(("{", "[")) else f"{{{text}}}")
        case "rego":
            check_rego(text, tmp_path / "shown.rego")
        case "graphql":
            assert validate(build_schema(CATALOGUE.vocabulary).graphql, parse(text)) == []
        case "sh":
            for words in commands(text):
                check_command(words)
        case _:
            pytest.fail(f"a block of {language}: who would read it?")


def check_toml(text: str, file: Path) -> None:
    """A part of a mapping file, whose keys there are, or of the settings."""
    held = tomllib.loads(text)
    if not held.keys() & {"entity", "connection", "gallery", "connector"}:
        file.write_text(text, "utf-8")
        load(file, {})
        return
    header = {name: {"unheld": True} for name in CATALOGUE.vocabulary.header}
    needed = {"version": 1, "id": "x", "agency": "X", "connector": "sql"}
    for entity in held.get("entity", {}).values():
        entity.setdefault("relation", "r")
    header |= {"native_key": "id"} | held.pop("header", {})
    _, faults = read_source({**needed, **held, "header": header}, CATALOGUE.vocabulary, "x.toml")
    assert faults == ()


def check_rego(text: str, file: Path) -> None:
    file.write_text(text, "utf-8")
    command = [str(program()), "parse", str(file)]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own files
    assert done.returncode == 0, done.stderr.decode()


def commands(text: str) -> Iterator[list[str]]:
    """Each command of a block, as a shell takes it apart."""
    line = ""
    for more in re.sub(r"\\\n", " ", text).splitlines():
        line += more + "\n"
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # a quoted text goes on in the next line
            continue
        line = ""
        if words:
            yield words
    assert not line, line


def check_command(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    name, given = words[0].removeprefix(".venv/bin/"), words[1:]
    match name:
        case "portcullis":
            parsed(parser(), [word for word in given if word not in (">", "|")])
        case "make":
            for word in given:
                variable, is_one, _ = word.partition("=")
                target = f"$({variable})" if is_one else f"\n{word}:"
                assert target in makefile, word
        case "python":
            assert given[0] == "-m"
            assert find_spec(given[1]) is not None, given[1]
            for word in (w for w in given[2:] if w.startswith("--")):
                assert word in source_of(given[1]), word
        case "curl":
            asked(json.loads(given[given.index("-d") + 1]))
        case "cp":
            assert (ROOT / given[0]).is_file(), given[0]
        case "opa":
            assert all((ROOT / word).exists() for word in given if "/" in word)
        case "export":
            assert re.fullmatch(r"GATEWAY_SECRET_[A-Z_]+=\S+", given[0])
        case _:
            pytest.fail(f"who runs {name}?")


def parsed(made: argparse.ArgumentParser, given: list[str]) -> None:
    try:
        made.parse_args(given)
    except SystemExit:
        pytest.fail(f"portcullis does not know: {' '.join(given)}")


def source_of(module: str) -> str:
    found = find_spec(module)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).read_text("utf-8")


def asked(body: dict[str, Any]) -> None:
    """A request's document fits the schema of one of the two endpoints."""
    if "query" not in body:
        assert body["extensions"]["persistedQuery"]["sha256Hash"]
        return
    schemas = [build(CATALOGUE.vocabulary).graphql for build in (build_schema, build_actions)]
    assert any(validate(schema, parse(body["query"])) == [] for schema in schemas)
