"""What runs in a process that is going to be hurt, and what looks after it at what is left.

Each function is the whole of a process that `processes` starts; it says through its pipe what it
was told, at once, so that whatever happens to it nothing that it was promised is forgotten.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple
from uuid import uuid4

from gateway.audit.entry import ASKER, Part
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.merkle import leaf_hash
from gateway.audit.verify import verify
from gateway.errors import AuditUnavailable

ORIGIN = "portcullis.example/audit/2026"
Kept = list[tuple[int, bytes]]  # the number and leaf hash of each record that was acknowledged
ASKERS = 8  # at once
_GROUPS = (4, 6)  # records that arrive together; each group waits for the checkpoint of the last
_AGAIN_S = 5.0  # within which a log goes on after one failure
_PR_SET_PTRACER, _ANYBODY = 0x59616D61, ctypes.c_ulong(-1)


class Answered(NamedTuple):
    """What a client received."""

    query: str
    leaf_hash: bytes  # of the outcome, as its receipt says
    answer: bytes


def beginning(base: Path, count: int, in_journal: int, pipe: Connection) -> None:
    """Make a log of so many records, and end as a crash would once the journal has some more."""

    async def made() -> None:
        kept: Kept = []
        if count:
            async with _Opened(base) as log:
                kept += await _put(log, count, 0)
        if in_journal:
            log = await _Opened(base).__aenter__()
            kept += await _put(log, in_journal, count)
        pipe.send(kept)
        os._exit(0)

    quiet()
    asyncio.run(made())


def appends(base: Path, pipe: Connection) -> None:
    """Append to a log; what is traced is the thread that writes it."""

    async def appended() -> None:
        log = await AuditLog.open(base / "log", keys=AuditKeys(base / "keys"), origin=ORIGIN)
        (writer,) = (one for one in threading.enumerate() if one.name == "audit-sequencer")
        pipe.send(writer.native_id)
        await asyncio.to_thread(pipe.recv)
        for number, count in enumerate(_GROUPS):
            with suppress(AuditUnavailable):
                kept = await _put(log, count, 1_000 * number)
                pipe.send(kept)
                await log.inclusion(kept[-1][0])
            ends = monotonic() + _AGAIN_S
            while not (log.healthy or log.stopped):
                assert monotonic() < ends, "it does not go on"
                await asyncio.sleep(0.02)
        await log.aclose()

    quiet()
    asyncio.run(appended())


def opens(base: Path, pipe: Connection) -> None:
    """Open a log; what is traced is the thread that does."""

    async def opened() -> None:
        with ThreadPoolExecutor(1) as pool:
            asyncio.get_running_loop().set_default_executor(pool)
            pipe.send(await asyncio.to_thread(threading.get_native_id))
            pipe.recv()
            with suppress(AuditUnavailable):
                async with _Opened(base) as log:
                    pipe.send(await _put(log, 3, 5_000))

    quiet()
    asyncio.run(opened())


def restarted(base: Path, kept: Kept, pipe: Connection) -> None:
    """Say what is wrong with a log after a crash: nothing, or why it fails its promises."""

    async def wrong() -> Sequence[Any]:
        public = (base / "keys" / "log.pub").read_text()
        if (base / "log" / "checkpoint").exists():
            before = verify(base / "log", public)
            if not before.ok:
                return before.problems
        async with _Opened(base) as log:
            for index, digest in kept:
                if leaf_hash(await log.leaf(index)) != digest:
                    return [f"record {index} is another"]
            more = await _put(log, 2, 9_000)
            size = log.size
        after = verify(base / "log", public)
        if not after.ok:
            return after.problems
        if after.size != size or max(more)[0] != size - 1:
            return [f"{size} records, {after.size} of them verified"]
        return []

    quiet()
    try:
        pipe.send(list(map(str, asyncio.run(wrong()))))
    except (AuditUnavailable, LookupError) as error:
        pipe.send([getattr(error, "detail", "") or repr(error)])


class _Opened:
    """The log of a place, as a context."""

    def __init__(self, base: Path) -> None:
        self._base = base

    async def __aenter__(self) -> AuditLog:
        keys = AuditKeys(self._base / "keys")
        self._log = await AuditLog.open(self._base / "log", keys=keys, origin=ORIGIN)
        return self._log

    async def __aexit__(self, *_: object) -> None:
        await self._log.aclose()


async def _put(log: AuditLog, count: int, start: int) -> Kept:
    """Records that arrive together; every second has a sealed body."""
    waits = []
    for n in range(start, start + count):
        parts = {ASKER: Part("NMC", {"text": f"canary {n}"})} if n % 2 == 0 else {}
        waits.append(log.append({"kind": "R", "request_id": f"r{n}"}, parts))
    receipts = await asyncio.gather(*waits)
    return [(await log.number(one), one.leaf_hash) for one in receipts]


def quiet() -> None:
    """Say nothing of faults, which are meant, and let strace come to us."""
    logging.disable(logging.CRITICAL)
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)


def queries(kind: str, base: Path, urls: Sequence[str], pipe: Connection) -> None:
    """Answer queries until killed: an intent, an outcome that holds the answer's digest, and only
    then the answer, which is said."""

    async def answered() -> None:
        keys = AuditKeys(base / "keys")
        if kind == "files":
            log = await AuditLog.open(base / "log", keys=keys, origin=ORIGIN)
        else:
            log = await AuditLog.shared(
                *urls, keys=keys, origin=ORIGIN, timeout_s=10.0, lease_s=1.0
            )

        async def one() -> None:
            while True:
                query = str(uuid4())
                intent = await log.append({"kind": "I", "request_id": query}, _asker(query))
                answer, salt = os.urandom(24), os.urandom(16)
                leaf = {
                    "kind": "O",
                    "request_id": query,
                    "intent": intent.leaf_hash.hex(),
                    "answer": sha256(salt + answer).hexdigest(),
                }
                outcome = await log.append(leaf, _asker(salt.hex()))
                pipe.send(Answered(query, outcome.leaf_hash, answer))

        pipe.send("open")
        await asyncio.gather(*(one() for _ in range(ASKERS)))

    quiet()
    asyncio.run(answered())


def _asker(text: str) -> dict[str, Part]:
    return {ASKER: Part("NMC", {"text": text})}
