"""The operations that every run of the suite compares, in a process beside the other tests.

They take minutes and wait for nobody: at a low priority they have what the other tests leave of the
machine, and their turn comes when all is compared.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from gateway.cli.serve import loop_factory, made_for_good
from tests.e2e.worlds.askers import ASKERS, Asker
from tests.e2e.worlds.jobs import sessions, stop_when_told

OPERATIONS = 2000
SEED = 0
_PATIENCE_S = 30.0  # for what it started to end
_ROOM = 2**30  # bytes
_LOW = 10  # of nice(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What came of the operations of one caller."""

    operations: int
    codes: Mapping[str, int]  # "" answered
    rows: int
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What came of all."""

    of: Mapping[Asker, Came]
    changed: Mapping[str, int]  # secret -> how much of it was otherwise in some world


class Beside:
    """The process, once it has been started."""

    def __init__(self) -> None:
        self._process: SpawnProcess | None = None
        self._reader: Connection | None = None
        self._compared: Compared | None = None

    def start(self, opa: Path) -> None:
        context = get_context("spawn")
        self._reader, writer = context.Pipe(duplex=False)
        self._process = context.Process(target=_work, args=(opa, writer), daemon=True)
        self._process.start()
        writer.close()

    def compared(self) -> Compared:
        """All of it, waited for.

        Raises:
            EOFError: the process has failed, and said why.
        """
        if self._compared is None:
            assert self._reader is not None, "it was not started"
            self._compared = self._reader.recv()
        assert self._compared is not None
        return self._compared

    def end(self) -> None:
        """Stop it, if it still runs, in order: it has started servers."""
        if self._process is not None:
            self._process.terminate()
            self._process.join(_PATIENCE_S)
            self._process.kill()
            self._process = None


def memory() -> str | None:
    """A directory in memory where there is one with room: nobody reads these files after."""
    shared = Path("/dev/shm")  # noqa: S108 - directories of our own are made in it
    return str(shared) if shared.is_dir() and shutil.disk_usage(shared).free > _ROOM else None


def _work(opa: Path, out: Connection) -> None:
    os.setsid()
    os.nice(_LOW)
    tempfile.tempdir = memory()
    # an answer says that a source could not be asked; it would be said among the tests' lines
    logging.getLogger("gateway").setLevel(logging.ERROR)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        out.send(runner.run(_all(opa)))


async def _all(opa: Path) -> Compared:
    stop_when_told()
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    async with sessions(opa, now) as worlds:
        made_for_good()
        tallies = await worlds.run(ASKERS, seed=SEED, operations=OPERATIONS, most=1)
    of = {
        tally.asker: Came(
            operations=tally.operations,
            codes=dict(tally.codes),
            rows=tally.rows,
            differences=tuple(map(str, tally.differences)),
        )
        for tally in tallies
    }
    return Compared(of=of, changed=dict(worlds.changed))
