"""Programs of other people, built from their Go modules once and kept outside of the tree.

Go's checksum database vouches for what is fetched. Where Go is missing the tests that need it fail
and say how to get it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.get_opa import cache

TESSERA = "1.0.4"
_FOREIGN = Path(__file__).parent / "e2e" / "foreign"
_BUILD_S = 900


def tessera(command: str) -> Path:
    """A command of Tessera, such as `cmd/fsck`."""
    folder = cache() / f"tessera-{TESSERA}"
    program = folder / Path(command).name
    if not program.exists():
        package = f"github.com/transparency-dev/tessera/{command}@v{TESSERA}"
        _go("install", package, env={"GOBIN": str(folder)}, at=folder)
    return program


def note_opener() -> Path:
    """What opens signed notes by Go's own `sumdb/note`: `tests/e2e/foreign`."""
    names = ("main.go", "go.mod", "go.sum")
    digest = hashlib.sha256(b"".join((_FOREIGN / name).read_bytes() for name in names))
    program = cache() / f"note-{digest.hexdigest()[:12]}" / "note"
    if not program.exists():
        _go("build", "-mod=readonly", "-o", str(program), ".", env={}, at=_FOREIGN)
    return program


def _go(*arguments: str, env: dict[str, str], at: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.fail(
            "Go is not on PATH. This test builds other people's verifiers from their modules: "
            "install Go 1.24 or newer (on Debian or Ubuntu: apt-get install golang-go), and run "
            f"it again; what is built is kept in {cache()}"
        )
    at.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(  # noqa: S603 - Go itself
        [go, *arguments],
        cwd=at,
        env={**os.environ, "CGO_ENABLED": "0", **env},
        capture_output=True,
        text=True,
        timeout=_BUILD_S,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"go {' '.join(arguments)} did not work:\n{done.stderr}")
