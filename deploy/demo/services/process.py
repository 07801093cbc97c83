"""Running a demonstration server as a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.demo.starting import CannotStart

START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 5
_ROOT = Path(__file__).resolve().parents[3]


@asynccontextmanager
async def running(
    module: str, *arguments: str, env: dict[str, str] | None = None
) -> AsyncIterator[str]:
    """Run `python -m module arguments` while the block runs; gives the address it said.

    Raises:
        CannotStart: it ended, or did not get ready in START_TIMEOUT_S.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments, "--parent-pid", str(os.getpid())),
        stdout=asyncio.subprocess.PIPE,
        cwd=_ROOT,
        env={**os.environ, **(env or {})},
    )
    try:
        yield await _address(module, process)
    finally:
        await _stop(process)


async def _address(module: str, process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None  # noqa: S101 - asked for a pipe above
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            line = (await process.stdout.readline()).decode()
    except TimeoutError as error:
        why = f"{module} did not get ready in {START_TIMEOUT_S} s."
        raise CannotStart(why, "Start again when the machine has less to do.") from error
    if not line.startswith("ready "):
        then = f"What it said stands above; by itself: python -m {module} --help"
        raise CannotStart(f"{module} ended before it was ready.", then)
    return line.removeprefix("ready ").strip()


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
