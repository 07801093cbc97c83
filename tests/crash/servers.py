"""F-29, F-30: one failure at a system call of PostgreSQL, by strace; and what is left of the log.

Traced are the server's processes that stand when the fault is set, so what comes after a crash of
the server is well.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from gateway.audit.keeper import Receipt
from gateway.audit.merkle import leaf_hash
from gateway.errors import AuditUnavailable
from tests.contract.auditplaces import Database, numbers, put, well_again
from tests.crash.injected import Fault, attached

CALLS = ("fdatasync", "fsync", "pwrite64", "pwritev", "openat", "ftruncate")  # that write
GIVEN = 12  # records, one after the other
_APART_S = 0.05  # so that the sequencer writes meanwhile
RECOVERS_S = 30.0  # the server's own recovery, on a machine that may be busy
_TRACED = "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suffered:
    """What became of one fault."""

    happened: bool
    refused: int
    problems: list[str]


async def suffered(place: Database, fault: Fault) -> Suffered:
    """Give records while the server meets this fault, and look at what is left."""
    kept: list[Receipt] = []
    refused = 0
    async with place.opened() as log:
        kept += await put(log, 4)
        await numbers(log, kept)
        pids = (await asyncio.to_thread(place.run, _TRACED)).split()
        with attached([int(pid) for pid in pids], fault.options, place.base / "trace"):
            for n in range(GIVEN):
                try:
                    kept += await put(log, 1, 100 + n)
                except AuditUnavailable:
                    refused += 1
                await asyncio.sleep(_APART_S)
        await well_again(log, RECOVERS_S)
        kept += await put(log, 2, 1_000)
        problems = []
        for receipt, index in zip(kept, await numbers(log, kept), strict=True):
            if leaf_hash(await log.leaf(index)) != receipt.leaf_hash:
                problems.append(f"record {index} is another")
        if log.stopped:
            problems.append("the log stopped")
    report = await place.verified()
    problems += map(str, report.problems)
    trace = (place.base / "trace").read_text("utf-8", "replace")
    return Suffered(happened="(INJECTED)" in trace, refused=refused, problems=problems)
