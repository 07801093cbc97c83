"""A figure from within: what the log takes in."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog


async def entries(folder: Path, at_once: int, *, for_s: float) -> tuple[float, list[float]]:
    """(entries a second, milliseconds of each) with so many callers who each wait for theirs."""
    log = await AuditLog.open(
        folder / "log", keys=AuditKeys(folder / "keys"), origin="portcullis.example/bench"
    )
    took: list[float] = []
    ends_at = time.monotonic() + for_s
    leaf: dict[str, Any] = {
        "kind": "I",
        "tag": "consultation",
        "request_id": "01a20213-155e-741f-b1cb-582ea7201b80",
        "gateway": "portcullis.example/bench",
        "plan": {"visits": {"nmc": {"Person": [f"field{n}" for n in range(40)]}}},
    }
    detail = {"text": "query { personSearch { hits { ref } } }" * 40, "peer": "127.0.0.1"}

    async def caller() -> None:
        while time.monotonic() < ends_at:
            began = time.perf_counter()
            await log.append({**leaf, "at": _now().isoformat()}, detail, agencies=("NMC",))
            took.append((time.perf_counter() - began) * 1000)

    began = time.monotonic()
    try:
        await asyncio.gather(*(caller() for _ in range(at_once)))
        return len(took) / (time.monotonic() - began), took
    finally:
        await log.aclose()


def _now() -> datetime:
    return datetime.now(UTC)
