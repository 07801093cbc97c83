"""Find or get Open Policy Agent, and print where it is. Needs nothing but Python.

In this order, the first that works:

1. the program that PORTCULLIS_OPA names, or `opa` on PATH, at a supported version
2. one that was got before: in PORTCULLIS_CACHE (default ~/.cache/portcullis) or Go's bin folder
3. `go install`, where Go is present: the module proxy's checksum database vouches for it
4. the official release binary, checked against the checksum published beside it
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

VERSION = "1.22.2"
LEAST = (1, 22, 2)  # earlier ones have faults that can change a decision
BELOW = (2, 0, 0)
RELEASES = "https://github.com/open-policy-agent/opa/releases/download"
_TIMEOUT_S = 120.0
_MOST_BYTES = 200 * 1024 * 1024


def version_of(program: Path) -> tuple[int, ...] | None:
    """The version that a program says it is; None if it is not OPA or does not run."""
    try:
        done = subprocess.run(  # noqa: S603 - a program that the operator put there
            [program, "version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    found = re.search(r"^Version: (\d+)\.(\d+)\.(\d+)$", done.stdout, re.MULTILINE)
    return tuple(int(part) for part in found.groups()) if found else None


def supported(program: Path) -> bool:
    """Whether it is an OPA that the policies were tested with."""
    version = version_of(program)
    return version is not None and LEAST <= version < BELOW


def cache() -> Path:
    named = os.environ.get("PORTCULLIS_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "portcullis"


def candidates() -> Iterator[Path]:
    """Where one may be already."""
    if named := os.environ.get("PORTCULLIS_OPA"):
        yield Path(named)
    if found := shutil.which("opa"):
        yield Path(found)
    yield cache() / f"opa-{VERSION}" / "opa"
    if go := shutil.which("go"):
        asked = subprocess.run(  # noqa: S603 - Go itself
            [go, "env", "GOPATH"], capture_output=True, text=True, check=False
        )
        if asked.returncode == 0 and asked.stdout.strip():
            yield Path(asked.stdout.strip()) / "bin" / "opa"
    yield Path.home() / "go" / "bin" / "opa"


def by_go() -> Path | None:
    """Build it with Go, if Go is here. Takes a minute or two the first time."""
    if not (go := shutil.which("go")):
        return None
    folder = cache() / f"opa-{VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    say(f"Building OPA {VERSION} with Go, once; this takes a minute or two")
    done = subprocess.run(  # noqa: S603 - Go itself
        [go, "install", f"github.com/open-policy-agent/opa@v{VERSION}"],
        env={**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"},
        stdout=sys.stderr,
        check=False,
    )
    program = folder / "opa"
    return program if done.returncode == 0 and supported(program) else None


def by_release(releases: str = RELEASES) -> Path | None:
    """Fetch the release binary; it is kept only if it matches its published checksum and runs."""
    name = release_name(platform.system(), platform.machine())
    if name is None:
        say(f"OPA publishes no program for {platform.system()} on {platform.machine()}")
        return None
    address = f"{releases}/v{VERSION}/{name}"
    say(f"Fetching OPA {VERSION}, once: {address}")
    try:
        published = fetched(f"{address}.sha256")
        content = fetched(address)
    except OSError as error:
        say(f"  that did not work: {error}")
        return None
    if not matches(content, published):
        say("  it does not match its published checksum, so it was not kept")
        return None
    program = cache() / f"opa-{VERSION}" / "opa"
    program.parent.mkdir(parents=True, exist_ok=True)
    draft = program.with_suffix(f".{os.getpid()}")
    draft.write_bytes(content)
    draft.chmod(0o755)
    if not supported(draft):
        draft.unlink()
        say("  it does not run here, so it was not kept")
        return None
    draft.replace(program)
    return program


def matches(content: bytes, published: bytes) -> bool:
    """Whether the content has the checksum of a `.sha256` file: "<hex>  <name>"."""
    first = published.split()[:1]
    return first == [hashlib.sha256(content).hexdigest().encode()]


def release_name(system: str, machine: str) -> str | None:
    """The release's name for a platform; None where there is none."""
    processor = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(
        machine.lower()
    )
    names = {
        ("Linux", "amd64"): "opa_linux_amd64_static",
        ("Linux", "arm64"): "opa_linux_arm64_static",
        ("Darwin", "amd64"): "opa_darwin_amd64",
        ("Darwin", "arm64"): "opa_darwin_arm64_static",
    }
    return names.get((system, processor or ""))


def fetched(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - our own address
        content: bytes = answer.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise urllib.error.URLError("larger than any release")
    return content


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Print the path; or say what can be done, and return 1."""
    for program in candidates():
        if supported(program):
            print(program)
            return 0
    for way in (by_go, by_release):
        if found := way():
            print(found)
            return 0
    say(
        f"Open Policy Agent {VERSION} or newer (below {BELOW[0]}) could not be had. One of:\n"
        "  - install it and put it on PATH, or name it: PORTCULLIS_OPA=/path/to/opa\n"
        "  - install Go, and run this again: it is then built from source\n"
        f"  - fetch it yourself from {RELEASES}/v{VERSION}/ and put it at\n"
        f"    {cache() / f'opa-{VERSION}' / 'opa'}"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
