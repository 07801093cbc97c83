"""Where a test's log lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gateway.audit.entry import ASKER, Part
from gateway.audit.keeper import Receipt
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.store import Disk
from gateway.audit.verify import Report, verify

ORIGIN = "portcullis.example/audit/2026"
AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
MONTH = "NMC/2026-03"


@dataclass
class Place:
    """Where one test's log lives."""

    base: Path
    keys: AuditKeys = field(init=False)

    def __post_init__(self) -> None:
        self.keys = AuditKeys(self.base / "keys")

    @property
    def log(self) -> Path:
        return self.base / "log"

    @property
    def public(self) -> str:
        return (self.base / "keys" / "log.pub").read_text()

    @asynccontextmanager
    async def opened(self, disk: Disk | None = None) -> AsyncIterator[AuditLog]:
        log = await AuditLog.open(
            self.log, keys=self.keys, origin=ORIGIN, clock=lambda: AT, disk=disk
        )
        try:
            yield log
        finally:
            await log.aclose()

    def verified(self, earlier: bytes | None = None) -> Report:
        return verify(self.log, self.public, earlier=earlier)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A receipt of a log that gives every record its number at once."""

    index: int
    leaf_hash: bytes
    at: datetime

    @classmethod
    def of(cls, receipt: Receipt) -> Placed:
        assert receipt.index is not None
        return cls(index=receipt.index, leaf_hash=receipt.leaf_hash, at=receipt.at)

    @property
    def receipt(self) -> Receipt:
        return Receipt(index=self.index, leaf_hash=self.leaf_hash, at=self.at)


async def put(log: AuditLog, count: int, start: int = 0) -> list[Placed]:
    """Records of kind R that arrive together; every fourth has a sealed body."""
    waits = []
    for n in range(start, start + count):
        parts = {ASKER: Part("NMC", {"text": f"canary {n}"})} if n % 4 == 0 else {}
        waits.append(log.append({"kind": "R", "request_id": f"r{n}"}, parts))
    return [Placed.of(receipt) for receipt in await asyncio.gather(*waits)]


def flip(path: Path, at: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)
