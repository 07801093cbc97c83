"""Work that computes for long, in a process of its own: nobody waits for it in the gateway.

The process gives way to others, has a limit of computing, none of our secrets in its environment,
and ends with whoever waits for it. What it needs goes in by the standard input, what came of it
leaves by the standard output. It tells of a failure by where in the code it was, never by its
text, which may quote somebody.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import sys
from collections.abc import AsyncIterable, Callable, Sequence
from typing import BinaryIO, Final

from gateway.errors import where_it_failed

_LATER: Final = 10  # how much later than others its turn comes


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
            env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
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
    os.nice(_LATER)
    resource.setrlimit(resource.RLIMIT_CPU, (longest_s, longest_s))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        said = made(sys.stdin.buffer)
    except Exception as error:
        sys.stderr.write(where_it_failed(error))
        return 1
    sys.stdout.buffer.write(said)
    return 0
