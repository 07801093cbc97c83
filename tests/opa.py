"""A real Open Policy Agent for tests: started on a free port, stopped by its own handle."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import httpx

from deploy.get_opa import candidates, supported

POLICIES = Path(__file__).resolve().parents[1] / "policies"
_START_S = 30.0

Edit: TypeAlias = Callable[[dict[str, Any]], object]
"""Changes a table in place."""


def changed(folder: Path, **edits: Edit) -> Path:
    """A copy of the deployed policies in which each table named is edited."""
    shutil.copytree(POLICIES, folder)
    for table, edit in edits.items():
        file = folder / "tables" / table / "data.json"
        held = json.loads(file.read_text("utf-8"))
        edit(held)
        file.write_text(json.dumps(held), "utf-8")
    return folder


def unbounded(folder: Path, *, tripwires: bool = True, **edits: Edit) -> Path:
    """The same without budgets, since tests ask more than officers do; and without `tripwires` for
    those who count every visit of a source."""

    def casework(table: dict[str, Any]) -> None:
        table["most_waiting"] = {"officer": 100_000, "record": 100_000}
        if not tripwires:
            table["tripwires"] = {}

    edits["budgets"] = lambda table: table.update(kinds={})
    return changed(folder, **{"casework": casework, **edits})


def agencies_alone(folder: Path) -> Path:
    """A copy of the deployed policies with no tests but those beside the agencies' rules: they run
    in a second, and reach every line of these rules."""
    shutil.copytree(POLICIES, folder)
    for tests in (folder / "gateway").glob("*_test.rego"):
        if tests.name != "questions_test.rego":  # what the others ask with
            tests.unlink()
    return folder


def program() -> Path:
    """An OPA of a supported version.

    Raises:
        RuntimeError: there is none on this machine; the text says how to get one.
    """
    for path in candidates():
        if supported(path):
            return path
    raise RuntimeError(
        "these tests need Open Policy Agent: get it by `python deploy/get_opa.py`, or name one by "
        "PORTCULLIS_OPA=/path/to/opa"
    )


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def opa(*bundle: Path, port: int | None = None) -> Iterator[int]:
    """The port of an OPA that serves the bundle; the deployed policies unless told otherwise."""
    port = port or free_port()
    paths = [str(path) for path in bundle or (POLICIES,)]
    command = [str(program()), "run", "--server", "--log-level=error", "--bundle", *paths]
    command += ["--addr", f"127.0.0.1:{port}", "--skip-version-check"]
    with subprocess.Popen(  # noqa: S603  # a fixed command
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _await_health(port, process)
            yield port
        finally:
            process.terminate()


def _await_health(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError("the policy engine did not start")
