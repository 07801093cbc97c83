"""Everything that a demonstration runs beside the gateway: six agencies, their sign-in, and OPA.

`running_stack` starts them on free loopback ports below one state directory, and stops them again.
The gateway learns of them as it would of real ones: by mapping files and named secrets.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from deploy.demo.population import Population
from deploy.demo.services.process import running

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "policies"

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Where everything is."""

    home: Path
    issuer_url: str
    opa_url: str
    secrets: dict[str, str]  # what the mapping files name
    notes: tuple[str, ...] = ()  # what runs otherwise than a reader would expect


@asynccontextmanager
async def running_stack(
    home: Path,
    population: Population,
    opa: Path,
    *,
    agencies: Sequence[str] = ("eru",),
    bid_rate: bool = True,
    policies: Path = POLICIES,
    say: Progress = lambda _text: None,
) -> AsyncIterator[Stack]:
    """Start the named agencies, the issuer and OPA; stop them when the block ends."""
    home.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        issuer = await stack.enter_async_context(
            running("deploy.demo.issuer", "--state", str(home / "issuer"))
        )
        opa_url = await stack.enter_async_context(running_opa(opa, policies))
        secrets: dict[str, str] = {}
        for agency in agencies:
            say(agency)
            secrets |= await _STARTERS[agency](stack, home, population)
        yield Stack(home=home, issuer_url=issuer, opa_url=opa_url, secrets=secrets)


@asynccontextmanager
async def running_opa(program: Path, policies: Path) -> AsyncIterator[str]:
    """A real Open Policy Agent with the policies as a bundle; gives its address.

    Raises:
        RuntimeError: it did not start, for instance because the policies do not compile.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(str(program), "run", "--server", "--bundle", str(policies)),
        *("--addr", f"127.0.0.1:{port}", "--log-level", "error", "--disable-telemetry"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        await _opa_ready(process, url)
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _opa_ready(process: asyncio.subprocess.Process, url: str) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=1.0) as client:
        for _ in range(200):
            if process.returncode is not None:
                break
            try:
                if (await client.get(f"{url}/health?bundles")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.05)
    said = b"" if process.stderr is None else await process.stderr.read(2000)
    raise RuntimeError(f"Open Policy Agent did not start: {said.decode(errors='replace')}")


async def _eru(_stack: AsyncExitStack, home: Path, population: Population) -> dict[str, str]:
    from deploy.demo.agencies.eru import write_eru

    path = home / "eru.sqlite"
    if not path.exists():
        await asyncio.to_thread(write_eru, path, population)
    return {"ERU_DB_URL": f"sqlite+aiosqlite:///{path}"}


_STARTERS = {"eru": _eru}

AGENCIES = tuple(_STARTERS)
"""Those that the demonstration starts."""


def environment(stack: Stack) -> dict[str, str]:
    """The environment in which the gateway finds its secrets."""
    named = {f"GATEWAY_SECRET_{name}": value for name, value in stack.secrets.items()}
    return {**os.environ, **named}
