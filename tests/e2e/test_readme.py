"""Every command of the README is run: here, or by the named place that runs it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.demo import Demo

ROOT = Path(__file__).parents[2]
# Who runs these: the suite is `make test`, CI runs it and `make check`, and the demonstration has
# a test of its own.
ELSEWHERE = {
    "make demo": ROOT / "tests" / "e2e" / "test_demo_command.py",
    "make test": ROOT / ".ci" / "run",
}


# What stands within a sentence, and who runs it by which words.
INLINE = {
    "make demo ONCE=1": ("tests/e2e/test_demo_command.py", '"ONCE=1"'),
    "PORT=8480": ("tests/e2e/test_demo_command.py", '"PORT=0"'),
    "make check": (".ci/run", "make check"),
    "portcullis serve --config deploy/gateway.toml": (
        "tests/e2e/test_serve_command.py",
        '"serve", "--config"',
    ),
}
OWN = ("make matrix",)  # run here, below


def inline() -> set[str]:
    """What is set as code within a sentence and is a command, or a variable of one."""
    text = (ROOT / "README.md").read_text("utf-8")
    sentences = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    spans = {" ".join(span.split()) for span in re.findall(r"`([^`]+)`", sentences)}
    return {span for span in spans if re.match(r"(make|portcullis) \w|[A-Z]+=", span)}


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_the_readme_has_commands() -> None:
    assert len(commands()) >= 8
    for command, place in ELSEWHERE.items():
        assert command in commands()
        assert command.split()[1] in place.read_text("utf-8")


def test_every_command_within_a_sentence_is_run_somewhere() -> None:
    assert inline() == {*INLINE, *OWN}
    for place, words in INLINE.values():
        assert words in (ROOT / place).read_text("utf-8"), place


def test_make_matrix_writes_what_is_kept(tmp_path: Path) -> None:
    """The recipe of the Makefile itself, but for two questions and to another folder; that what is
    kept of all twelve is what the rules give is in test_matrix.py."""
    module = "-m deploy.policy.matrix"
    shown = ["make", "-C", str(ROOT), "--no-print-directory", "--dry-run", "matrix"]
    recipe = subprocess.run(shown, capture_output=True, text=True, check=True).stdout  # noqa: S603
    assert recipe.rstrip().endswith(module)
    some = ["q02_vehicle_stop", "q07_groups_not_investigated"]
    run = [sys.executable, *module.split(), *some, "--to", str(tmp_path)]
    subprocess.run(run, cwd=ROOT, check=True, timeout=120)  # noqa: S603
    kept = ROOT / "deploy" / "policy" / "matrix" / "cells"
    written = {file.name: file.read_text("utf-8") for file in tmp_path.iterdir()}
    assert written == {f"{name}.txt": (kept / f"{name}.txt").read_text("utf-8") for name in some}
    none = subprocess.run([*run, "q99"], cwd=ROOT, check=False, timeout=60)  # noqa: S603
    assert none.returncode == 2


@pytest.mark.parametrize("command", [c for c in commands() if c not in ELSEWHERE])
async def test_a_command_of_the_readme_works(command: str, demo: Demo) -> None:
    state = demo.started.settings.state_dir
    (state / "demo.json").write_text(
        json.dumps({"graphql": demo.graphql, "issuer": demo.stack.issuer_url})
    )
    program = Path(sys.executable).parent / "portcullis"
    here = command.replace("http://127.0.0.1:8470", demo.url)
    here = here.replace(".venv/bin/portcullis", str(program))

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S602 - the README's own commands
            here,
            shell=True,
            cwd=ROOT,
            env={**os.environ, "PORTCULLIS_HOME": str(state), "NO_PROXY": "127.0.0.1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    done = await asyncio.to_thread(run)  # the gateway that it asks runs in this thread
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()
    if command.startswith("curl"):
        assert json.loads(done.stdout)["data"]["vehicle"], done.stdout
