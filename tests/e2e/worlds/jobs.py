"""Worlds compared by several processes at once, each with agencies, an OPA and gateways of its own.

One process of Python keeps one core busy, and most of an operation's time is the gateway's own
work. Callers are dealt out to the processes; what each caller asks is the same however many there
are. Processes tell how far they are after each operation, so a run that is stopped has its figures.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import TypeAlias

from deploy.demo.population import make_population
from gateway.cli.demo import running_demo
from gateway.cli.serve import loop_factory, made_for_good
from tests.e2e.owngateway import timed
from tests.e2e.worlds.askers import Asker
from tests.e2e.worlds.comparing import Tally
from tests.e2e.worlds.session import Session, session
from tests.opa import unbounded

STOPPED = 130  # what a shell says of a command that was interrupted
_PEOPLE = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one process is to ask."""

    askers: tuple[Asker, ...]
    operations: int  # in equal parts by each caller
    seed: int
    opa: Path
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What has come so far of the operations of one caller."""

    asker: Asker
    operations: int
    pages: int
    requests: int
    answered: int
    shown: int
    differences: int
    passing: int


Message: TypeAlias = Figures | str
"""How far a caller is, or a difference in words."""


def shares(
    askers: Sequence[Asker], *, jobs: int, operations: int, seed: int, opa: Path, now: datetime
) -> list[Share]:
    """The callers dealt out, with as many operations for each."""
    each = -(-operations // len(askers))
    dealt = [tuple(askers[at::jobs]) for at in range(min(jobs, len(askers)))]
    return [
        Share(askers=some, operations=each * len(some), seed=seed, opa=opa, now=now)
        for some in dealt
    ]


def compared(given: Sequence[Share], heard: Callable[[Message], None]) -> int:
    """Have each share asked by a process of its own; `heard` gets all that they tell.

    SIGINT and SIGTERM end the processes in order. Gives 0 if every operation was compared, STOPPED
    if that was not waited for, and 1 if a process failed.
    """
    context = get_context("spawn")  # a fork would share what must not be shared
    readers: list[Connection] = []
    workers: list[SpawnProcess] = []
    stopped = False

    def stop(_signal: int, _frame: object) -> None:
        nonlocal stopped
        stopped = True
        for worker in workers:
            worker.terminate()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for share in given:
            reader, writer = context.Pipe(duplex=False)
            workers.append(context.Process(target=_work, args=(share, writer), daemon=True))
            workers[-1].start()
            writer.close()  # the process holds the only other end: it is closed with it
            readers.append(reader)
        _listen(readers, heard)
        for worker in workers:
            worker.join()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stopped:
        return STOPPED
    return int(any(worker.exitcode for worker in workers))


def _listen(readers: list[Connection], heard: Callable[[Message], None]) -> None:
    """Until each process has closed its end."""
    while readers:
        for reader in wait(readers):
            assert isinstance(reader, Connection)
            try:
                heard(reader.recv())
            except EOFError:
                readers.remove(reader)


# --- in the process ------------------------------------------------------------------------------


def _work(share: Share, out: Connection) -> None:
    """Ask a share. A terminal's Ctrl-C reaches the parent alone, which says when to stop: else the
    agencies would be gone before the question that is asked of them."""
    os.setsid()
    # an answer says that a source could not be asked; here it would be said a thousand times
    logging.getLogger("gateway").setLevel(logging.ERROR)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        try:
            runner.run(_asked(share, out))
        except asyncio.CancelledError:
            sys.exit(STOPPED)


async def _asked(share: Share, out: Connection) -> None:
    _stop_when_told()

    passed: Counter[Asker] = Counter()

    def told(tally: Tally) -> None:
        out.send(_figures(tally))
        for difference in tally.passing[passed[tally.asker] :]:
            out.send(f"Did not come again: {difference}")
        passed[tally.asker] = len(tally.passing)

    async with sessions(share.opa, share.now) as worlds:
        made_for_good()
        await worlds.run(
            share.askers,
            seed=share.seed,
            operations=share.operations,
            told=told,
            found=lambda difference: out.send(str(difference)),
        )


@asynccontextmanager
async def sessions(opa: Path, now: datetime) -> AsyncIterator[Session]:
    """Six agencies, an OPA and the whole world, below a directory that is removed with them."""
    population = await asyncio.to_thread(make_population, _PEOPLE, now=now)
    async with AsyncExitStack() as stack:
        home = _home(stack)
        demo = await stack.enter_async_context(
            running_demo(
                home / "demo",
                population,
                opa,
                bid_rate=False,
                catalogue=timed(home / "catalogue", 20.0),
                policies=unbounded(home / "policies"),
            )
        )
        yield await stack.enter_async_context(session(demo, population, home / "worlds"))


def _home(stack: AsyncExitStack) -> Path:
    folder = tempfile.TemporaryDirectory(prefix="pc-", ignore_cleanup_errors=True)
    home = Path(stack.enter_context(folder))
    home.chmod(0o755)  # PostgreSQL does not run as root
    (home / "worlds").mkdir()
    return home


def _stop_when_told() -> None:
    """SIGTERM cancels this task once; another does not disturb the tidying up."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if not task.cancelling():
            task.cancel()

    loop.add_signal_handler(signal.SIGTERM, stop)


def _figures(tally: Tally) -> Figures:
    return Figures(
        asker=tally.asker,
        operations=tally.operations,
        pages=tally.pages,
        requests=tally.requests,
        answered=tally.codes[""],
        shown=tally.rows,
        differences=len(tally.differences),
        passing=len(tally.passing),
    )
