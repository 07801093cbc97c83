"""Where the figures are taken: the demonstration's agencies, and a gateway in its own process."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from deploy.demo.issuer import ALGORITHMS, DEFAULT_AUDIENCE
from deploy.demo.personas import ISSUERS, mint
from deploy.demo.stack import ROOT, Stack, environment
from deploy.demo.story import DOCUMENTS, STEPS, Step

_START_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway that answers, and the process it is."""

    url: str
    pid: int
    stack: Stack

    def token(self, persona: str) -> str:
        return mint(persona, self.stack.issuer_url)

    def memory_mib(self) -> float:
        """Its resident set, the way `ps` counts it."""
        return float(psutil.Process(self.pid).memory_info().rss) / 2**20

    def cpu_s(self) -> float:
        """What it has computed so far, in seconds of one core."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)


def step(name: str) -> Step:
    return next(one for one in STEPS if one.id == name)


def _catalogue(folder: Path) -> Path:
    """The catalogue without any source's rate: what the gateway would wait for by itself."""
    lifted = folder / "catalogue"
    shutil.copytree(ROOT / "deploy" / "catalogue", lifted)
    for file in (lifted / "sources").glob("*.toml"):
        file.write_text(re.sub(r"(?m)^rate_per_s = .*\n", "", file.read_text("utf-8")), "utf-8")
    return lifted


def configuration(folder: Path, stack: Stack, port: int, *, rates: bool) -> Path:
    """A gateway.toml over the demonstration's agencies, as an operator would write it."""
    folder.mkdir(parents=True)
    paths = {
        "catalogue_dir": ROOT / "deploy" / "catalogue" if rates else _catalogue(folder),
        "tables_dir": ROOT / "policies" / "tables",
        "documents_dir": DOCUMENTS,
        "state_dir": folder / "state",
    }
    lines = [
        f"port = {port}",
        f"audience = {json.dumps(DEFAULT_AUDIENCE)}",
        f"opa_url = {json.dumps(stack.opa_url)}",
        *(f"{key} = {json.dumps(str(path))}" for key, path in paths.items()),
    ]
    for name, agency in ISSUERS.items():
        issuer = json.dumps(f"{stack.issuer_url}/{name}")
        lines += ["[[issuers]]", f"issuer = {issuer}", f"agency = {json.dumps(agency)}"]
        lines += [f"algorithms = [{json.dumps(ALGORITHMS[name])}]"]
    file = folder / "gateway.toml"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


@asynccontextmanager
async def gateway(
    stack: Stack,
    folder: Path,
    *,
    rates: bool = False,
    times: Path | None = None,
    late: str = "",
    by_s: float = 0.1,
    turns: bool = False,
) -> AsyncIterator[Gateway]:
    """`portcullis serve`; with `times` the same gateway, which writes each source's times there,
    each answer of the source `late`, or of all, so much later than it came, and with records of
    queries by `turns` (`watched`).

    Without `rates` it does not hold itself back where a mapping file gives a source's rate.

    Raises:
        RuntimeError: it does not answer.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    config = await asyncio.to_thread(configuration, folder, stack, port, rates=rates)
    program = [str(Path(sys.executable).with_name("portcullis")), "serve"]
    if times is not None:
        program = [sys.executable, "-m", "tests.bench.watched", "--times", str(times)]
        program += ["--late", late, "--by-s", str(by_s)] if late else []
        program += ["--turns"] if turns else []
    log = folder / "log"
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *program,
            *("--config", str(config)),
            cwd=ROOT,
            env=environment(stack) | {"PYTHONPATH": str(ROOT)},
            stdout=said,
            stderr=said,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        await _ready(process, url, log)
        yield Gateway(url=f"{url}/graphql", pid=process.pid, stack=stack)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _ready(process: Process, url: str, log: Path) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=2.0) as client:
        for _ in range(int(_START_S / 0.1)):
            if process.returncode is not None:
                break
            try:
                if (await client.get(f"{url}/health/ready")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)
    said = await asyncio.to_thread(log.read_text, "utf-8", "replace")
    raise RuntimeError(f"the gateway did not start: {said[-2000:]}")


def opa_program() -> Path:
    """OPA as `make bench` found it.

    Raises:
        SystemExit: nobody said where it is.
    """
    program = Path(os.environ.get("PORTCULLIS_OPA", ""))
    if not program.is_file():
        raise SystemExit("Run it by `make bench`, or set PORTCULLIS_OPA to an OPA program.")
    return program
