"""Node packages that tests need: their locked versions, installed once into the user's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path


def installed(lock: Path, name: str) -> Path:
    """A folder with the files of `lock` and the packages it names; another for another lock."""
    files = sorted(file for file in lock.iterdir() if file.is_file())
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    named = os.environ.get("PORTCULLIS_CACHE")
    cache = Path(named) if named else Path.home() / ".cache" / "portcullis"
    folder = cache / f"{name}-{digest}"
    if not (folder / "node_modules" / name).is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copy(file, folder)
        run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
    return folder


def run(command: list[str], folder: Path) -> str:
    """What it prints."""
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
