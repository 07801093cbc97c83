"""One failure at one system call of the log's writer, by strace; and what is left of the log.

A fault is an error, `EIO` or `ENOSPC`, or `KILL`, on the way into the n-th call of one kind that
the traced thread makes. What of a log must hold afterwards says `victims.restarted`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from gateway.audit.keys import AuditKeys
from tests.crash import victims
from tests.crash.processes import PATIENCE_S, all_said, answer, said, started

KINDS = ("EIO", "ENOSPC", "KILL")
_ENDS_S = 0.3  # within which strace ends once those that it traces have
AT_ONCE = 4  # rounds; most of their time they wait
# Calls that have nothing to do with files: memory, threads, time, and the pipe to the event loop.
_ELSEWHERE = re.compile(
    "brk|mmap|munmap|mprotect|mremap|madvise|futex|sched_.*|clock_.*|gettid|getpid|getuid|geteuid|"
    "getrandom|rt_sig.*|sigaltstack|set_robust_list|rseq|exit|exit_group|clone3?|sendto|"
    "restart_syscall|prctl|poll|select|pselect6"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A log as it is before, and what is done to it."""

    name: str
    doing: Callable[..., None]
    gives: int  # how many records that tries to add
    records: int  # in the tree before
    journal: int = 0  # and in the journal alone


SCENES = (
    Scene(name="append to a new log", doing=victims.appends, gives=10, records=0),
    Scene(name="append across a tile's border", doing=victims.appends, gives=10, records=250),
    Scene(name="open a new log", doing=victims.opens, gives=3, records=0),
    Scene(name="open what a crash left", doing=victims.opens, gives=3, records=253, journal=5),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What fails: the `at`-th call of this kind."""

    kind: str
    call: str
    at: int

    def __str__(self) -> str:
        return f"{self.kind} at {self.call} {self.at}"

    @property
    def options(self) -> list[str]:
        """Of strace."""
        what = "signal=KILL" if self.kind == "KILL" else f"error={self.kind}"
        injection = f"inject={self.call}:{what}:when={self.at}"
        return ["-e", f"trace={self.call}", "-e", injection]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What became of one run."""

    happened: bool  # whether the call was made at all
    refused: bool  # whether a record was not acknowledged
    problems: list[str]


class Stage:
    """Where the rounds of one scene are played."""

    def __init__(self, folder: Path, scene: Scene) -> None:
        """Make the log as the scene begins with it."""
        self._folder, self._scene, self._numbers = folder, scene, count()
        self._sample = folder / "sample"
        self._sample.mkdir(parents=True)
        self._kept: victims.Kept = []
        if scene.records or scene.journal:
            with started(victims.beginning, self._sample, scene.records, scene.journal) as (_, end):
                self._kept = said(end)
        else:
            AuditKeys(self._sample / "keys").signer(victims.ORIGIN)

    def calls(self) -> Counter[str]:
        """How many calls of each kind the traced thread makes when nothing fails."""
        _, trace, _ = self._play([])
        names = re.findall(r"^(\w+)\(", trace, re.MULTILINE)
        return Counter(name for name in names if not _ELSEWHERE.fullmatch(name))

    def faults(self) -> list[Fault]:
        """Every fault that there can be."""
        return [
            Fault(kind=kind, call=call, at=at)
            for call, times in sorted(self.calls().items())
            for at in range(1, times + 1)
            for kind in KINDS
        ]

    def round(self, fault: Fault) -> Round:
        """Play it with this fault, and look at what is left."""
        place, trace, told = self._play(fault.options)
        problems = answer(victims.restarted, place, told)
        shutil.rmtree(place)
        mark = "killed by SIGKILL" if fault.kind == "KILL" else "(INJECTED)"
        given = len(self._kept) + self._scene.gives
        return Round(happened=mark in trace, refused=len(told) < given, problems=problems)

    def _play(self, options: Sequence[str]) -> tuple[Path, str, victims.Kept]:
        """Where it was played, what strace saw, and what was acknowledged."""
        place = self._folder / str(next(self._numbers))
        shutil.copytree(self._sample, place)
        trace = place / "trace"
        with started(self._scene.doing, place) as (_, end):
            thread: int = said(end)
            with attached([thread], options, trace):
                end.send("go")
                groups = all_said(end)
        told = [*self._kept, *(one for group in groups for one in group)]
        return place, trace.read_text("utf-8", "replace"), told


@contextmanager
def attached(tasks: Sequence[int], options: Sequence[str], to: Path) -> Iterator[None]:
    """Trace these threads or processes, and let go of those that still are at the end.

    Raises:
        RuntimeError: they cannot be traced.
    """
    command = ["strace", *options, "-o", str(to), "-p", ",".join(map(str, tasks))]
    with subprocess.Popen(  # noqa: S603  # a fixed command
        command, stderr=subprocess.PIPE, text=True
    ) as tracer:
        try:
            assert tracer.stderr is not None
            for _ in tasks:
                line = tracer.stderr.readline()
                if "attached" not in line:
                    raise RuntimeError(f"strace cannot attach: {line}")
            yield
        finally:
            try:
                tracer.wait(_ENDS_S)
            except subprocess.TimeoutExpired:
                tracer.terminate()  # it lets go of them
                tracer.wait(PATIENCE_S)


def played(stage: Stage, faults: Sequence[Fault]) -> Iterator[tuple[Fault, Round]]:
    """What becomes of each fault; several are played at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from zip(faults, pool.map(stage.round, faults), strict=True)


def demand_strace() -> None:
    """Be sure that it is there.

    Raises:
        RuntimeError: it is not.
    """
    if shutil.which("strace") is None:
        raise RuntimeError("strace is needed: apt-get install strace")
