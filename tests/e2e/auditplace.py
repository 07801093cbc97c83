"""Where a test's log lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.sequencer import Receipt
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


async def put(log: AuditLog, count: int, start: int = 0) -> list[Receipt]:
    """Records of kind R that arrive together; every fourth has a sealed body."""
    waits = []
    for n in range(start, start + count):
        detail = {"text": f"canary {n}"} if n % 4 == 0 else None
        leaf = {"kind": "R", "request_id": f"r{n}"}
        waits.append(log.append(leaf, detail, agencies=("NMC",) if detail else ()))
    return list(await asyncio.gather(*waits))


def flip(path: Path, at: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)
