"""Everything that a demonstration runs beside the gateway: six agencies, their sign-in, and OPA.

`running_stack` starts them on free loopback ports below one state directory, and stops them again.
The gateway learns of them as it would of real ones: by mapping files and named secrets.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_urlsafe

import httpx

from deploy.demo.databases import (
    MariaDB,
    PostgreSQL,
    forget_written,
    identity,
    is_written,
    mark_written,
)
from deploy.demo.personas import ISSUERS
from deploy.demo.population import Population
from deploy.demo.services.oauth import DEFAULT_CLIENT, DEFAULT_SECRET
from deploy.demo.services.process import running
from deploy.demo.starting import CannotStart

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "policies"

_ANOTHER_OPA = "Another OPA is taken by its path: PORTCULLIS_OPA=/path/to/opa"

Progress = Callable[[str], None]
Writer = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Where everything is."""

    home: Path
    issuer_url: str
    opa_url: str
    secrets: dict[str, str]  # what the mapping files and settings name
    pages_url: str = ""  # of the gateway whose pages the issuers know
    notes: tuple[str, ...] = ()  # what runs otherwise than a reader would expect


@asynccontextmanager
async def running_stack(
    home: Path,
    population: Population,
    opa: Path,
    *,
    agencies: Sequence[str] = ("eru",),
    bid_rate: bool = True,
    mariadb: bool = True,
    policies: Path = POLICIES,
    pages_url: str = "",
    say: Progress = lambda _text: None,
) -> AsyncIterator[Stack]:
    """Start the named agencies, the issuer and OPA; stop them when the block ends.

    The pages of a gateway at `pages_url` are registered with each issuer. Without `mariadb`, or
    where it is not installed, SCP runs on SQLite with the same schema.
    """
    await asyncio.to_thread(home.mkdir, parents=True, exist_ok=True)
    mariadb = mariadb and MariaDB.installed()
    chosen = {
        "bid": partial(_bid, rate=bid_rate),
        "scp": partial(_scp, mariadb=mariadb),
    }
    async with AsyncExitStack() as stack:
        clients, secrets = await asyncio.to_thread(_registered, home / "issuer", pages_url)
        issuer = await stack.enter_async_context(
            running(
                "deploy.demo.issuer", "--state", str(home / "issuer"), "--clients", str(clients)
            )
        )
        opa_url = await stack.enter_async_context(running_opa(opa, policies))
        for agency in agencies:
            say(agency.upper())
            start = chosen.get(agency) or _STARTERS[agency]
            secrets |= await start(stack, home, population)
        yield Stack(
            home=home,
            issuer_url=issuer,
            opa_url=opa_url,
            secrets=secrets,
            pages_url=pages_url,
            notes=_notes(agencies, mariadb=mariadb),
        )


PAGES = "portcullis-pages"
"""The gateway's own pages, as each issuer knows them."""


def _registered(state: Path, pages_url: str) -> tuple[Path, dict[str, str]]:
    """The file of the issuers' clients, with new secrets at each start, and those secrets."""
    secrets = {pages_secret(name): token_urlsafe(32) for name in ISSUERS if pages_url}
    clients = {
        name: [
            {
                "id": PAGES,
                "secret": secrets[pages_secret(name)],
                "redirect_uris": [f"{pages_url}/sign-in/callback"],
                "signed_out_uris": [f"{pages_url}/signed-out"],
            }
        ]
        for name in ISSUERS
        if pages_url
    }
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = state / "clients.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(clients), "utf-8")
    return file, secrets


def pages_secret(issuer: str) -> str:
    """The name of the secret by which the pages prove themselves to that issuer."""
    return f"PAGES_{issuer.upper()}"


@asynccontextmanager
async def running_opa(program: Path, policies: Path) -> AsyncIterator[str]:
    """A real Open Policy Agent with the policies as a bundle; gives its address. It watches the
    directory, so that a policy file dropped in, or changed, counts at once.

    Raises:
        CannotStart: it did not, for instance because the policies do not compile.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    try:
        process = await asyncio.create_subprocess_exec(
            *(str(program), "run", "--server", "--watch", "--bundle", str(policies)),
            *("--addr", f"127.0.0.1:{port}", "--log-level", "error", "--disable-telemetry"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        why = f"Open Policy Agent cannot be run: {program}: {error.strerror}."
        raise CannotStart(why, _ANOTHER_OPA) from error
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
    raise CannotStart(
        f"Open Policy Agent did not start: {said.decode(errors='replace')}",
        f"`make check` tells what is wrong in policies/. {_ANOTHER_OPA}",
    )


async def _eru(_stack: AsyncExitStack, home: Path, population: Population) -> dict[str, str]:
    from deploy.demo.agencies.eru import write_eru

    path = home / "eru.sqlite"
    await _written(home, "eru", population, lambda: write_eru(path, population))
    return {"ERU_DB_URL": f"sqlite+aiosqlite:///{path}"}


_servers: dict[Path, PostgreSQL] = {}  # by state directory, while it runs


async def postgresql(stack: AsyncExitStack, home: Path) -> PostgreSQL:
    """The one PostgreSQL of this state directory, started by whoever needs it first."""
    server = _servers.get(home)
    if server is None:
        server = _servers[home] = await asyncio.to_thread(PostgreSQL.start, home)

        async def stop() -> None:
            await asyncio.to_thread(_servers.pop(home).stop)

        stack.push_async_callback(stop)
    return server


def _world(population: Population) -> str:
    return identity(
        people=len(population.people),
        seed=population.seed,
        as_of=population.as_of,
        now=population.now,
    )


async def _written(home: Path, share: str, population: Population, write: Writer) -> None:
    """Write a share unless this state directory holds it already, complete and of this world."""
    world = _world(population)
    if not await asyncio.to_thread(is_written, home, share, world):
        await asyncio.to_thread(forget_written, home, share)
        await asyncio.to_thread(write)
        await asyncio.to_thread(mark_written, home, share, world)


async def _nmc(stack: AsyncExitStack, home: Path, population: Population) -> dict[str, str]:
    from deploy.demo.agencies.nmc import write_nmc
    from deploy.demo.agencies.nmc_schema import READER

    server = await postgresql(stack, home)
    await asyncio.to_thread(server.create_database, "nmc")
    url = server.url(database="nmc")
    await _written(home, "nmc", population, lambda: write_nmc(url, population))
    return {"NMC_DB_URL": server.url(role=READER, database="nmc")}


async def _bid(
    stack: AsyncExitStack, home: Path, population: Population, *, rate: bool = True
) -> dict[str, str]:
    from deploy.demo.agencies.bid import write_bid

    path = home / "bid.json"
    await asyncio.to_thread(write_bid, path, population)
    limit = () if rate else ("--no-rate",)
    url = await stack.enter_async_context(
        running("deploy.demo.services.bid", "--data", str(path), *limit)
    )
    return _service("BID", url)


async def _ncb(stack: AsyncExitStack, home: Path, population: Population) -> dict[str, str]:
    from deploy.demo.agencies.ncb import write_ncb

    path = home / "ncb.json"
    await asyncio.to_thread(write_ncb, path, population)
    url = await stack.enter_async_context(running("deploy.demo.services.ncb", "--data", str(path)))
    return {**_service("NCB", url), "NCB_URL": f"{url}/graphql"}


async def _nis(stack: AsyncExitStack, home: Path, population: Population) -> dict[str, str]:
    from deploy.demo.agencies.nis import SERVICE_ROLE, write_nis

    server = await postgresql(stack, home)
    await asyncio.to_thread(server.create_database, "nis")
    owner = server.url(database="nis")
    await _written(home, "nis", population, lambda: asyncio.run(write_nis(owner, population)))
    dsn = server.url(role=SERVICE_ROLE, database="nis")
    url = await stack.enter_async_context(running("deploy.demo.services.nis", "--dsn", dsn))
    return _service("NIS", url)


def _service(agency: str, url: str) -> dict[str, str]:
    """What the mapping file of a service with client credentials names."""
    return {
        f"{agency}_URL": url,
        f"{agency}_TOKEN_URL": f"{url}/oauth/token",
        f"{agency}_CLIENT_ID": DEFAULT_CLIENT,
        f"{agency}_CLIENT_SECRET": DEFAULT_SECRET,
    }


async def _scp(
    stack: AsyncExitStack, home: Path, population: Population, *, mariadb: bool
) -> dict[str, str]:
    from deploy.demo.agencies import scp
    from deploy.demo.agencies.scp_schema import READER, VIEWS

    if not mariadb:
        path = home / "scp.sqlite"
        await _written(home, "scp", population, lambda: scp.write_scp_sqlite(path, population))
        return {"SCP_DB_URL": f"sqlite+aiosqlite:///{path}"}
    server = await asyncio.to_thread(MariaDB.start, home)
    stack.push_async_callback(asyncio.to_thread, server.stop)
    url, password = server.url(), token_urlsafe()

    def write() -> None:
        scp.write_scp_mariadb(url, population, reader_password=password)

    await _written(home, "scp-mariadb", population, write)
    # a new password at each start, so that none is kept
    renew = f"alter user '{READER}'@'localhost' identified by '{password}'"
    await asyncio.to_thread(server.run, renew)
    return {"SCP_DB_URL": server.url(role=READER, database=VIEWS, password=password)}


async def _vlr(_stack: AsyncExitStack, home: Path, population: Population) -> dict[str, str]:
    from deploy.demo.agencies.vlr import write_vlr

    path = home / "vlr.sqlite"
    await _written(home, "vlr", population, lambda: write_vlr(path, population))
    return {"VLR_DB_URL": f"sqlite+aiosqlite:///{path}"}


def _notes(agencies: Sequence[str], *, mariadb: bool) -> tuple[str, ...]:
    if "scp" in agencies and not mariadb:
        return ("SCP runs on SQLite, with the same schema: MariaDB is not installed here.",)
    return ()


_STARTERS = {"eru": _eru, "nmc": _nmc, "ncb": _ncb, "nis": _nis, "vlr": _vlr}

AGENCIES = ("nmc", "scp", "bid", "eru", "ncb", "nis")
"""Those that the demonstration starts. The licensing register joins later: docs/onboarding.md."""


def environment(stack: Stack) -> dict[str, str]:
    """The environment in which the gateway finds its secrets."""
    named = {f"GATEWAY_SECRET_{name}": value for name, value in stack.secrets.items()}
    return {**os.environ, **named}
