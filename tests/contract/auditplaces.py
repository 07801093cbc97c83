"""Places where a log is kept, each of which can be made to fail: what both stores are held by.

A failure is the store's own: a disk whose writes fail or drag, a database behind a door that closes
or lets nothing back.
"""

from __future__ import annotations

import asyncio
import errno
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from gateway.audit.entry import ASKER, Part
from gateway.audit.keeper import Receipt
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.postgresql.database import Address, prepare
from gateway.audit.postgresql.export import export
from gateway.audit.store import Disk
from gateway.audit.verify import Report, verify
from tests.e2e.between import Proxy, _some
from tests.servers import Postgres

ORIGIN = "portcullis.example/audit/2026"
TIMEOUT_S = 2.0  # of a database, where it does not matter: this machine may be busy
AGAIN_S = 5.0  # within which all is well again
ROLES = ("audit_owner", "audit_replica", "audit_sequencer")
SOCKET = ".s.PGSQL.5432"


def now() -> datetime:
    return datetime.now(UTC)


async def put(log: AuditLog, count: int, start: int = 0) -> list[Receipt]:
    """Records of kind R that arrive together; every fourth has a sealed body."""
    waits = []
    for n in range(start, start + count):
        parts = {ASKER: Part("NMC", {"text": f"canary {n}"})} if n % 4 == 0 else {}
        waits.append(log.append({"kind": "R", "request_id": f"r{n}"}, parts))
    return list(await asyncio.gather(*waits))


async def numbers(log: AuditLog, receipts: list[Receipt]) -> list[int]:
    """The numbers of these, once all of them have one."""
    return [await log.number(receipt) for receipt in receipts]


async def well_again(log: AuditLog, within_s: float = AGAIN_S) -> None:
    ends = time.monotonic() + within_s
    while not log.healthy:
        assert time.monotonic() < ends, "not well again"
        await asyncio.sleep(0.02)


async def leads(log: AuditLog, within_s: float = AGAIN_S) -> None:
    ends = time.monotonic() + within_s
    while not log.keeper.leading:
        assert time.monotonic() < ends, "nobody keeps the log in order"
        await asyncio.sleep(0.02)


@dataclass(kw_only=True)
class AuditPlace(ABC):
    """One log of a test's own."""

    base: Path
    keys: AuditKeys = field(init=False)

    def __post_init__(self) -> None:
        self.keys = AuditKeys(self.base / "keys")

    @property
    def public(self) -> str:
        return (self.base / "keys" / "log.pub").read_text()

    @asynccontextmanager
    async def opened(self, **more: Any) -> AsyncIterator[AuditLog]:
        log = await self.open(**more)
        try:
            yield log
        finally:
            await log.aclose()

    @abstractmethod
    async def open(
        self,
        *,
        clock: Callable[[], datetime] = now,
        idle_s: float = 60.0,
        timeout_s: float = TIMEOUT_S,
    ) -> AuditLog: ...

    @abstractmethod
    async def verified(self, earlier: bytes | None = None) -> Report:
        """What the offline verifier says of it."""

    @abstractmethod
    def command(self) -> list[str]:
        """What a process of its own needs to open it: see `auditwriter`."""

    # -- faults

    @abstractmethod
    async def close_down(self) -> None:
        """From now on nothing is taken."""

    @abstractmethod
    async def come_back(self) -> None:
        """All is well again."""

    @abstractmethod
    async def swallow(self) -> None:
        """From now on what is given lasts, and nobody is told."""

    @abstractmethod
    def drag(self, seconds: float) -> None:
        """From now on whatever is written takes so much longer."""


class FaultyDisk(Disk):
    """A disk whose journal fails or drags."""

    fails = swallows = False
    drags_s = 0.0

    def extend(self, path: Path, data: bytes, at: int) -> None:
        time.sleep(self.drags_s)
        if self.fails:
            raise OSError(errno.EIO, "injected")
        super().extend(path, data, at)
        if self.swallows:
            raise OSError(errno.EIO, "injected")

    def write(self, path: Path, data: bytes, mode: int) -> None:
        if self.fails or self.swallows:
            raise OSError(errno.EIO, "injected")
        super().write(path, data, mode)

    def cut(self, path: Path, length: int) -> None:
        if self.fails or self.swallows:
            raise OSError(errno.EIO, "injected")
        super().cut(path, length)


@dataclass(kw_only=True)
class Files(AuditPlace):
    """The embedded store."""

    disk: FaultyDisk = field(default_factory=FaultyDisk)

    @property
    def directory(self) -> Path:
        return self.base / "log"

    async def open(
        self,
        *,
        clock: Callable[[], datetime] = now,
        idle_s: float = 60.0,
        timeout_s: float = TIMEOUT_S,
    ) -> AuditLog:
        return await AuditLog.open(
            self.directory,
            keys=self.keys,
            origin=ORIGIN,
            clock=clock,
            idle_s=idle_s,
            disk=self.disk,
        )

    async def verified(self, earlier: bytes | None = None) -> Report:
        return await asyncio.to_thread(verify, self.directory, self.public, earlier=earlier)

    def command(self) -> list[str]:
        return ["files", str(self.base)]

    async def close_down(self) -> None:
        self.disk.fails = True

    async def come_back(self) -> None:
        self.disk.fails = self.disk.swallows = False
        self.disk.drags_s = 0.0

    async def swallow(self) -> None:
        self.disk.swallows = True

    def drag(self, seconds: float) -> None:
        self.disk.drags_s = seconds


@dataclass(slots=True, kw_only=True)
class Door(Proxy):
    """A way to the database that can be slow as well."""

    drags_s: float = 0.0

    async def _back(self, source: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await _some(source):
            await self._flows.wait()
            await asyncio.sleep(self.drags_s)
            writer.write(data)
            await writer.drain()


@dataclass(kw_only=True)
class Database(AuditPlace):
    """The store in PostgreSQL, behind a door."""

    server: Postgres
    name: str
    door: Door

    @classmethod
    async def made(cls, base: Path, server: Postgres) -> Database:
        """A database with a log's tables and nothing in them."""
        name = f"audit_{uuid4().hex[:12]}"
        roles = "".join(
            f"DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object THEN END $$;"
            for role in ROLES
        )
        await asyncio.to_thread(server.run, roles)
        await asyncio.to_thread(server.run, f"CREATE DATABASE {name} OWNER audit_owner")
        grants = f"""
            ALTER SCHEMA public OWNER TO audit_owner;
            REVOKE ALL ON DATABASE {name} FROM PUBLIC;
            GRANT CONNECT ON DATABASE {name} TO audit_replica, audit_sequencer;"""
        await asyncio.to_thread(server.run, grants, database=name)
        owner = Address.of(server.url("audit_owner", name), "audit_url")
        await prepare(owner, "audit_replica", "audit_sequencer")
        held = base / "door"
        held.mkdir()
        door = await Door.open(server.socket / SOCKET, held / SOCKET)
        return cls(base=base, server=server, name=name, door=door)

    async def aclose(self) -> None:
        """Leave nothing behind."""
        await self.door.aclose()
        drop = f"DROP DATABASE {self.name} WITH (FORCE)"
        await asyncio.to_thread(self.server.run, drop)

    def url(self, role: str) -> str:
        """The way through the door."""
        return f"postgresql+asyncpg://{role}@/{self.name}?host={self.base / 'door'}"

    def run(self, statements: str, role: str = "postgres") -> str:
        """What psql prints, past the door."""
        return self.server.run(statements, role=role, database=self.name)

    async def open(
        self,
        *,
        clock: Callable[[], datetime] = now,
        idle_s: float = 60.0,
        timeout_s: float = TIMEOUT_S,
        sequences: bool = True,
        lease_s: float = 1.0,
    ) -> AuditLog:
        return await AuditLog.shared(
            self.url("audit_replica"),
            self.url("audit_sequencer") if sequences else "",
            keys=self.keys,
            origin=ORIGIN,
            clock=clock,
            idle_s=idle_s,
            timeout_s=timeout_s,
            lease_s=lease_s,
        )

    async def verified(self, earlier: bytes | None = None) -> Report:
        copy = self.base / "copy"
        address = Address.of(self.server.url("audit_replica", self.name), "audit_url")
        await export(address, self.public, copy, bodies=True)
        return await asyncio.to_thread(verify, copy, self.public, earlier=earlier)

    def command(self) -> list[str]:
        urls = [self.server.url(role, self.name) for role in ROLES[1:]]
        return ["database", str(self.base), *urls]

    async def close_down(self) -> None:
        await self.door.kill()

    async def come_back(self) -> None:
        self.door.drags_s = 0.0
        await self.door.kill()
        await self.door.revive()

    async def swallow(self) -> None:
        self.door.hold()

    def drag(self, seconds: float) -> None:
        self.door.drags_s = seconds
