"""Errors that nobody foresaw: named without a value; of want of memory the process ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.unforeseen import EX_EXHAUSTED, unforeseen

ROOT = Path(__file__).parents[2]
ENDS = """
import asyncio, sys, threading
from gateway.unforeseen import end_when_exhausted, unforeseen

def fails():
    raise {error}

class Thrown:
    def __del__(self):
        fails()

async def main():
    end_when_exhausted()
    {how}
    await asyncio.sleep(0.2)
    print("went on")

asyncio.run(main())
"""
WAYS = {
    "a thread": "threading.Thread(target=fails).start()",
    "a callback": "asyncio.get_running_loop().call_soon(fails)",
    "what is thrown away": "Thrown()",
    "what is logged": "\n".join(
        (
            "try:",
            "        try: fails()",
            "        except Exception as error: raise OSError('Arben Hoxha') from error",
            "    except OSError as error: sys.stderr.write(unforeseen(error))",
        )
    ),
}


def ended(how: str, error: str) -> subprocess.CompletedProcess[str]:
    program = ENDS.format(how=WAYS[how], error=error)
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )


@pytest.mark.parametrize("how", WAYS)
def test_out_of_memory_the_process_ends_wherever_it_is_met(how: str) -> None:
    done = ended(how, "MemoryError")
    assert done.returncode == EX_EXHAUSTED
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("portcullis: out of memory")


@pytest.mark.parametrize("how", WAYS)
def test_other_errors_are_told_and_it_goes_on(how: str) -> None:
    done = ended(how, "ValueError('of no kind')")
    assert done.returncode == 0
    assert done.stdout == "went on\n"
    assert done.stderr != ""


def test_where_it_failed_is_told_and_not_its_text() -> None:
    try:
        asyncio.run(_quotes())
    except ValueError as error:
        told = unforeseen(error)
    assert told.startswith("ValueError < test_unforeseen.py:")
    assert "Hoxha" not in told


async def _quotes() -> None:
    raise ValueError("Arben Hoxha")
