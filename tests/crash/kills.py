"""Processes that write the log are killed at moments that chance picks, under load.

What clients received was recorded, and what was recorded was intended: received ⊆ outcomes ⊆
intents; the digest of each answer is the recorded one, numbers have no gap, and the log goes on
within seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from random import Random

from gateway.audit.entry import read_leaf
from gateway.audit.log import AuditLog
from gateway.audit.merkle import ENTRIES, TILE_WIDTH, leaf_hash
from gateway.audit.store import unpack
from tests.contract.auditplaces import AuditPlace, leads, now, numbers, well_again
from tests.crash.processes import PATIENCE_S, said, started, warm
from tests.crash.victims import Answered, queries

LONGEST_S = 0.12  # for which a process answers before it is killed
RESUMES_S = 20.0  # F-32 wants five, which figures tell; this machine may be busy
_OPENED = 200  # answers whose salt is looked up in their sealed bodies

Told = Callable[[int], None]


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of it."""

    kills: int = 0
    received: int = 0
    outcomes: int = 0
    intents: int = 0
    resumed_s: list[float] = field(default_factory=list)  # from each start to the first answer
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.kills} kills; {self.received} answers received, {self.outcomes} outcomes, "
            f"{self.intents} intents; {max(self.resumed_s, default=0):.1f} s at most to the next "
            "answer"
        )


class _Gateway:
    """One process that answers, and what it said."""

    def __init__(self, place: AuditPlace) -> None:
        self._stack = ExitStack()
        kind, _, *urls = place.command()
        self.process: ForkServerProcess
        self.pipe: Connection
        self.began = time.monotonic()
        self.process, self.pipe = self._stack.enter_context(
            started(queries, kind, place.base, urls)
        )

    def resumed(self, received: list[Answered]) -> float:
        """Seconds until the first answer."""
        assert said(self.pipe) == "open"
        received.append(said(self.pipe))
        return time.monotonic() - self.began

    def drain(self, received: list[Answered], for_s: float) -> None:
        """Take answers for so long: none must wait to be taken."""
        ends = time.monotonic() + for_s
        while (left := ends - time.monotonic()) > 0:
            if self.pipe.poll(left):
                received.append(self.pipe.recv())

    def kill(self, received: list[Answered]) -> None:
        """End it in the middle of what it does, and take what had left it."""
        self.process.kill()
        self.process.join(PATIENCE_S)
        try:
            while True:
                received.append(self.pipe.recv())
        except (EOFError, OSError):  # the last one may be cut
            self._stack.close()


def _killed(
    place: AuditPlace, kills: int, at_once: int, random: Random, told: Told
) -> tuple[Tally, list[Answered]]:
    tally, received = Tally(), list[Answered]()
    warm()
    gateways = [_Gateway(place) for _ in range(at_once)]
    try:
        for one in gateways:
            tally.resumed_s.append(one.resumed(received))
        for kill in range(kills):
            for one in gateways:
                one.drain(received, random.uniform(0, LONGEST_S / at_once))
            victim = random.randrange(at_once)
            gateways[victim].kill(received)
            tally.kills += 1
            told(kill + 1)
            gateways[victim] = _Gateway(place)
            tally.resumed_s.append(gateways[victim].resumed(received))
    finally:
        for one in gateways:
            one.kill(received)
    tally.received = len(received)
    return tally, received


async def killed(
    place: AuditPlace,
    kills: int,
    *,
    at_once: int = 1,
    seed: int = 0,
    told: Told = lambda _kill: None,
) -> Tally:
    """Kill one of `at_once` writers of this log so many times, and compare."""
    random = Random(seed)  # noqa: S311  a test that can be repeated
    tally, received = await asyncio.to_thread(_killed, place, kills, at_once, random, told)
    async with place.opened() as log:
        await well_again(log)
        await leads(log)
        last = await log.append({"kind": "V", "at": now().isoformat()})
        (index,) = await numbers(log, [last])
        await log.inclusion(index)
        await _compare(log, received, tally, random)
    report = await place.verified()
    tally.wrong += map(str, report.problems)
    if tally.outcomes + len(report.open_intents) != tally.intents:
        tally.wrong.append(f"{len(report.open_intents)} intents are open")
    if late := [one for one in tally.resumed_s if one > RESUMES_S]:
        tally.wrong.append(f"it took {max(late):.1f} s to go on")
    return tally


async def _compare(log: AuditLog, received: list[Answered], tally: Tally, random: Random) -> None:
    """Received ⊆ outcomes ⊆ intents, by every leaf; and digests, by some of the sealed salts."""
    intents: dict[str, str] = {}
    outcomes: dict[bytes, tuple[int, str, str]] = {}
    size = log.signed.size
    for start in range(0, size, TILE_WIDTH):
        bundle = await log.tile(ENTRIES, start // TILE_WIDTH, min(TILE_WIDTH, size - start))
        for index, data in enumerate(unpack(bundle), start):
            leaf = read_leaf(data)
            query = str(leaf.get("request_id"))
            if leaf["kind"] == "I":
                intents[query] = leaf_hash(data).hex()
            elif leaf["kind"] == "O":
                outcomes[leaf_hash(data)] = (index, query, str(leaf["answer"]))
                if leaf["intent"] != intents.get(query):
                    tally.wrong.append(f"outcome {index} without its intent")
    tally.intents, tally.outcomes = len(intents), len(outcomes)
    lost = [one for one in received if one.leaf_hash not in outcomes]
    if lost:
        tally.wrong.append(f"{len(lost)} answers left that no outcome tells of")
        return
    for one in random.sample(received, min(_OPENED, len(received))):
        index, query, digest = outcomes[one.leaf_hash]
        salt = bytes.fromhex((await log.detail(index))["text"])
        if query != one.query or sha256(salt + one.answer).hexdigest() != digest:
            tally.wrong.append(f"outcome {index} tells of another answer")
