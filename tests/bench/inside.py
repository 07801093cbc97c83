"""Figures from within: what the log takes in, in files and in PostgreSQL, beside bare commits; how
soon others have seen it; and how long it takes to verify."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import httpx

from deploy.demo.witnesses import running_witnesses
from gateway.audit import verify
from gateway.audit.entry import ASKER, Part, entry_of
from gateway.audit.evidence import Evidence
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.postgresql.database import Address, prepare
from gateway.audit.store import Disk, Store
from gateway.audit.verify import read_policy
from gateway.audit.witnessing import Witnessing
from gateway.audit.writer import MAX_COMMIT, Writer
from tests.servers import Postgres

ORIGIN = "portcullis.example/bench"
MOST_CONNECTIONS = 64
LEAF: dict[str, Any] = {
    "kind": "I",
    "tag": "consultation",
    "request_id": "01a20213-155e-741f-b1cb-582ea7201b80",
    "gateway": "portcullis.example/bench",
    "plan": {"visits": {"nmc": {"Person": [f"field{n}" for n in range(40)]}}},
}
DETAIL = {"text": "query { personSearch { hits { ref } } }" * 40, "peer": "127.0.0.1"}
_ROLES = ("audit_owner", "audit_replica", "audit_sequencer")
_BARE = "INSERT INTO bare VALUES ($1, $2)"


@asynccontextmanager
async def in_files(folder: Path) -> AsyncIterator[AuditLog]:
    """A log in files."""
    log = await AuditLog.open(folder / "log", keys=AuditKeys(folder / "keys"), origin=ORIGIN)
    try:
        yield log
    finally:
        await log.aclose()


@asynccontextmanager
async def in_database(folder: Path, server: Postgres, name: str) -> AsyncIterator[AuditLog]:
    """A log in a new database of this server; this process numbers its records too."""

    def made() -> None:
        for role in _ROLES:
            there = f"SELECT FROM pg_roles WHERE rolname = '{role}'"
            server.run(
                f"DO $$ BEGIN IF NOT EXISTS ({there}) THEN CREATE ROLE {role} LOGIN; END IF; END $$"
            )
        server.run(f"CREATE DATABASE {name} OWNER audit_owner")
        server.run("ALTER SCHEMA public OWNER TO audit_owner", database=name)

    await asyncio.to_thread(made)
    owner, replica, sequencer = (server.url(role, name) for role in _ROLES)
    await prepare(Address.of(owner, "audit_url"), *_ROLES[1:])
    log = await AuditLog.shared(
        replica, sequencer, keys=AuditKeys(folder / "keys"), origin=ORIGIN, timeout_s=10.0
    )
    try:
        yield log
    finally:
        await log.aclose()


async def entries(log: AuditLog, at_once: int, *, for_s: float) -> tuple[float, list[float]]:
    """(entries a second, milliseconds of each) with so many callers who each wait for theirs."""

    async def one() -> None:
        await log.append({**LEAF, "at": _now().isoformat()}, {ASKER: Part("NMC", DETAIL)})

    return await _measured([one] * at_once, for_s)


async def bare(server: Postgres, at_once: int, *, for_s: float) -> tuple[float, list[float]]:
    """The same of single rows as long as a record, each committed by itself, over a connection for
    each caller but 64 at most, into a table without an index."""
    server.run("CREATE TABLE IF NOT EXISTS bare (leaf bytea, body bytea)")
    dsn = Address.of(server.url("postgres"), "url").dsn
    connections = [await asyncpg.connect(dsn) for _ in range(min(at_once, MOST_CONNECTIONS))]

    def committing(connection: Any) -> Callable[[], Awaitable[None]]:
        async def one() -> None:
            await connection.execute(_BARE, b"l" * 1_100, b"b" * 2_500)

        return one

    try:
        return await _measured([committing(one) for one in connections], for_s)
    finally:
        for connection in connections:
            await connection.close()


async def _measured(
    callers: list[Callable[[], Awaitable[None]]], for_s: float
) -> tuple[float, list[float]]:
    took: list[float] = []
    began = time.monotonic()

    async def caller(one: Callable[[], Awaitable[None]]) -> None:
        while time.monotonic() < began + for_s:
            started = time.perf_counter()
            await one()
            took.append((time.perf_counter() - started) * 1000)

    await asyncio.gather(*map(caller, callers))
    return len(took) / (time.monotonic() - began), took


async def seen(folder: Path, per_s: float, *, for_s: float) -> tuple[list[float], list[float]]:
    """Seconds from when an entry lasts until a checkpoint has it, and until two of three witnesses,
    in processes of their own on this machine, have signed one that has."""
    keys = AuditKeys(folder / "keys")
    log = await AuditLog.open(folder / "log", keys=keys, origin=ORIGIN)
    policy = folder / "witnesses.policy"
    signed: list[float] = []
    witnessed: list[float] = []

    async def one(witnessing: Witnessing, number: int) -> None:
        leaf = {"kind": "R", "request_id": f"{number}", "at": _now().isoformat()}
        receipt = await log.append(leaf, {ASKER: Part("NMC", {"text": "x" * 500})})
        began = time.perf_counter()
        await log.inclusion(await log.number(receipt))
        signed.append(time.perf_counter() - began)
        await witnessing.proof(receipt, 30)
        witnessed.append(time.perf_counter() - began)

    async with (
        running_witnesses(folder / "witnesses", folder / "keys" / "log.pub", policy),
        httpx.AsyncClient(trust_env=False) as http,
    ):
        witnessing = Witnessing(log, read_policy(policy.read_bytes()), http, clock=_now)
        await witnessing.start()
        ends_at = time.monotonic() + for_s
        async with asyncio.TaskGroup() as asked:
            number = 0
            while time.monotonic() < ends_at:
                asked.create_task(one(witnessing, number))
                number += 1
                await asyncio.sleep(1 / per_s)
        await witnessing.aclose()
    await log.aclose()
    return signed, witnessed


class _Unsynced(Disk):
    """A disk that is not waited for: what is measured comes after."""

    def sync(self, path: Path) -> None:
        """It need not last."""


def million(folder: Path, count: int) -> int:
    """Make a log of so many entries below `folder`; gives the bytes of one."""
    keys = AuditKeys(folder / "keys")
    store = Store(folder / "log", disk=_Unsynced())
    writer = Writer(store, keys.signer(ORIGIN), _now())
    size = 0
    for start in range(0, count, MAX_COMMIT):
        entries = [
            entry_of({**LEAF, "request_id": f"{n:036d}"} | {"kind": "R"})
            for n in range(start, min(start + MAX_COMMIT, count))
        ]
        size = len(entries[0].leaf)
        writer.commit(entries, _now())
    store.close()
    return size


def verifying(folder: Path) -> float:
    """Seconds of the verifier in a process of its own.

    Raises:
        RuntimeError: it does not find the log whole.
    """
    script = Path(verify.__file__)
    given = ["--dir", str(folder / "log"), "--key", str(folder / "keys" / "log.pub")]
    began = time.perf_counter()
    done = subprocess.run(  # noqa: S603  # a fixed command
        [sys.executable, str(script), *given], capture_output=True, text=True, check=False
    )
    took = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return took


async def proving(folder: Path, times: int, each: int) -> list[float]:
    """Milliseconds for the proofs of so many entries of the log below `folder`, picked all over it,
    as a page of results is given them: read, made and checked."""
    keys = AuditKeys(folder / "keys")
    log = await AuditLog.open(folder / "log", keys=keys, origin=ORIGIN)
    evidence = Evidence(log=log, keys=keys)
    random, took = Random(1), list[float]()  # noqa: S311  repeatable
    try:
        for _ in range(times):
            began = time.perf_counter()
            for index in random.sample(range(log.size), each):
                await evidence.leaf(index, await log.leaf(index), shown=True, proof=True)
            took.append((time.perf_counter() - began) * 1000)
    finally:
        await log.aclose()
    return took


def _now() -> datetime:
    return datetime.now(UTC)
