"""The 61 audits of graphql-http, the reference implementation's own, against the running gateway.

They are a Node package; its locked version is installed once into the user's cache.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

AUDITS = Path(__file__).parent / "audits"
HOW_MANY = 61


@pytest.fixture(scope="session")
def audits_folder() -> Path:
    """A folder with the locked package installed; another one for another lock."""
    files = [AUDITS / name for name in ("package.json", "package-lock.json", "run.mjs")]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    named = os.environ.get("PORTCULLIS_CACHE")
    cache = Path(named) if named else Path.home() / ".cache" / "portcullis"
    folder = cache / f"graphql-http-{digest}"
    if not (folder / "node_modules" / "graphql-http").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copy(file, folder)
        run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
    return folder


def run(command: list[str], folder: Path) -> str:
    program = shutil.which(command[0])
    assert program, f"{command[0]} is needed for these tests"
    done = subprocess.run(  # noqa: S603 - npm and node, with our own arguments
        [program, *command[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_all_audits_of_graphql_http_pass(
    audits_folder: Path, gateway_url: str, officer_token: str
) -> None:
    command = ["node", "run.mjs", gateway_url, officer_token]
    # In a thread: the gateway that they ask runs in this one.
    told: list[dict[str, Any]] = json.loads(await asyncio.to_thread(run, command, audits_folder))
    assert len(told) == HOW_MANY
    failed = [one for one in told if one["status"] != "ok"]
    assert not failed, json.dumps(failed, indent=1)
