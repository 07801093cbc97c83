"""A process that writes into a log and says what of it lasts, until it is killed.

python -m tests.contract.auditwriter files BASE
python -m tests.contract.auditwriter database BASE REPLICA-URL SEQUENCER-URL
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from uuid import uuid4

from gateway.audit.entry import ASKER, Part
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog

ORIGIN = "portcullis.example/audit/2026"
AT_ONCE = 8


async def main(kind: str, base: str, *urls: str) -> None:
    keys = AuditKeys(Path(base) / "keys")
    if kind == "files":
        log = await AuditLog.open(Path(base) / "log", keys=keys, origin=ORIGIN)
    else:
        log = await AuditLog.shared(*urls, keys=keys, origin=ORIGIN, timeout_s=5.0, lease_s=1.0)
    print("open", flush=True)

    async def writes() -> None:
        while True:
            leaf = {"kind": "R", "request_id": str(uuid4())}
            receipt = await log.append(leaf, {ASKER: Part("NMC", {"text": "canary"})})
            print(receipt.leaf_hash.hex(), flush=True)

    await asyncio.gather(*(writes() for _ in range(AT_ONCE)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
