"""Work that computes for long, in a process of its own: nobody waits for it in the gateway.

The process gives way to others, has none of our secrets in its environment, and ends with whoever
waits for it. What it needs goes in by the standard input, what came of it leaves by the standard
output. It tells of a failure by where in the code it was, never by its text, which may quote
somebody. One that does a single piece of work has a limit of computing (`apart`); one that stays
answers message after message (`Companion`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import AsyncIterable, Callable, Sequence
from typing import BinaryIO, Final

from gateway.unforeseen import unforeseen

_LATER: Final = 10  # how much later than others its turn comes
_ENDING_S: Final = 10.0  # for what it is doing when it is to end


class NotDone(Exception):
    """The work was not done, and why; nobody is quoted."""


def program_of(module: str) -> tuple[str, ...]:
    """The program that a module is."""
    return (sys.executable, "-m", module)


async def apart(program: Sequence[str], given: AsyncIterable[bytes], *, ended_s: float) -> bytes:
    """What a program makes of what it is given, piece by piece as it takes them.

    What `given` raises is raised, and the program ended.

    Raises:
        NotDone: it cannot be started, fails, or takes longer than `ended_s`.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
        )
    except OSError as error:
        raise NotDone(type(error).__name__) from error
    into, out, beside = process.stdin, process.stdout, process.stderr
    if into is None or out is None or beside is None:
        raise NotDone("it has no pipes")
    reading = asyncio.gather(out.read(), beside.read(), process.wait())
    limit = asyncio.timeout(ended_s)
    try:
        async with limit:
            await _give(into, given)
            said, why, status = await reading
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise NotDone(f"it took more than {ended_s:.0f} s") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(reading, return_exceptions=True)
        await process.wait()
    if status:
        last = why.decode(errors="replace").splitlines()[-1:]
        raise NotDone(f"status {status}: {''.join(last)}")
    return said


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


class Companion:
    """A program that stays and answers each message by a line. It is started when it is first
    asked, again when it has ended, and ends when its standard input does."""

    def __init__(self, program: Sequence[str], first: bytes) -> None:
        """`first` is what it is given whenever it starts."""
        self._program, self._first = tuple(program), first
        self._process: asyncio.subprocess.Process | None = None
        self._left = False  # in the middle of an answer, so that no other can be told from it

    @property
    def pid(self) -> int | None:
        """The number of the process, while there is one."""
        return self._process.pid if self._process is not None else None

    async def ask(self, message: bytes) -> bytes:
        """Its answer. One is asked after another.

        Raises:
            NotDone: it cannot be started, or ended without an answer. Whether what was asked is
                done is not known; it is started again when it is asked again.
        """
        if self._left:
            await self.aclose()
        process = self._process or await self._started()
        into, out = process.stdin, process.stdout
        if into is None or out is None:
            raise NotDone("it has no pipes")
        self._left = True
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            into.write(message)
            await into.drain()
        said = await out.readline()
        if not said.endswith(b"\n"):
            await self.aclose()
            raise NotDone(f"it ended with status {process.returncode}")
        self._left = False
        return said

    async def _started(self) -> asyncio.subprocess.Process:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._program,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=_environment(),
            )
        except OSError as error:
            raise NotDone(type(error).__name__) from error
        self._process, self._left = process, False
        if process.stdin is not None:
            process.stdin.write(self._first)
        return process

    async def aclose(self) -> None:
        """End it, after what it was asked, unless that takes long."""
        if (process := self._process) is None:
            return
        self._left = True
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _ENDING_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        self._process, self._left = None, False


async def _give(to: asyncio.StreamWriter, given: AsyncIterable[bytes]) -> None:
    """All of it, as fast as it is taken; who ends early tells why by its status."""
    async for piece in given:
        try:
            to.write(piece)
            await to.drain()
        except (BrokenPipeError, ConnectionResetError):
            break
    to.close()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        await to.wait_closed()


def work(made: Callable[[BinaryIO], bytes], *, longest_s: int) -> int:
    """Be such a program: make one thing of what is given, in so many seconds of computing at
    most; the status to end with."""
    _give_way()
    resource.setrlimit(resource.RLIMIT_CPU, (longest_s, longest_s))
    try:
        said = made(sys.stdin.buffer)
    except Exception as error:
        sys.stderr.write(unforeseen(error))
        return 1
    sys.stdout.buffer.write(said)
    return 0


def stay(answered: Callable[[BinaryIO], bytes | None]) -> int:
    """Be a `Companion`: answer until there is nothing more, and None says so; the status to end
    with. Whoever asks decides when it ends, not who sits at the terminal."""
    _give_way()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = sys.stdout.buffer
    with contextlib.suppress(BrokenPipeError):
        while (said := answered(sys.stdin.buffer)) is not None:
            out.write(said + b"\n")
            out.flush()
    return 0


def _give_way() -> None:
    os.nice(_LATER)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
