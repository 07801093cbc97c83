"""Several processes compare worlds, and what they compared is said whatever ends them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.worlds.__main__ import summary
from tests.e2e.worlds.askers import ASKERS, Asker
from tests.e2e.worlds.jobs import STOPPED, Figures, Message, Share, compared, shares
from tests.opa import program

pytestmark = pytest.mark.timeout(300)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FEW = tuple(asker for asker in ASKERS if asker.persona in ("FL", "TC"))


def dealt(askers: tuple[Asker, ...], jobs: int, operations: int, opa: Path) -> list[Share]:
    return shares(askers, jobs=jobs, operations=operations, seed=0, opa=opa, now=NOW)


@pytest.mark.parametrize("jobs", [1, 2, 3, 100])
def test_everybody_asks_as_much_however_many_processes_there_are(jobs: int) -> None:
    given = dealt(ASKERS, jobs, 100, Path("opa"))
    assert len(given) == min(jobs, len(ASKERS))
    asking = [asker for share in given for asker in share.askers]
    assert sorted(asking, key=str) == sorted(ASKERS, key=str)
    each = -(-100 // len(ASKERS))
    assert all(share.operations == each * len(share.askers) for share in given)


def test_a_run_ends_with_one_line_of_what_was_compared() -> None:
    command = [sys.executable, "-m", "tests.e2e.worlds", "--ops", "5", "--only", "FL,TC"]
    done = subprocess.run(  # noqa: S603 - a fixed command
        [*command, "--seed", "3", "--jobs", "1"],
        env={**os.environ, "PORTCULLIS_OPA": str(program())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    # five in equal parts by two callers are three each; a request of each world for each page
    told = re.fullmatch(
        r"Compared 6 operations \((\d+) pages, (\d+) requests\): 0 differences, "
        r"\d+ more that did not come again; seed 3, 1 processes, \d+ s, \d+\.\d a second\.",
        last,
    )
    assert told, last
    assert int(told[1]) >= 6
    assert int(told[2]) >= 2 * int(told[1])


def test_a_run_that_is_told_to_stop_says_what_it_compared() -> None:
    """One process has ended by then, the other would go on for long."""
    first, second = dealt(FEW, 2, 20_000, program())
    handler = signal.getsignal(signal.SIGTERM)
    reached: dict[Asker, Figures] = {}
    told, stopping = 0, list[Message]()

    def heard(message: Message) -> None:
        nonlocal told
        assert isinstance(message, Figures), message
        reached[message.asker] = message
        told += 1
        came = [reached[one].operations if one in reached else 0 for one in FEW]
        if not stopping and came[0] == 2 and came[1] > 2:
            stopping.append(message)
            for _ in range(2):  # the second does not disturb the tidying up
                os.kill(os.getpid(), signal.SIGTERM)

    code = compared([replace(first, operations=2), second], heard)
    assert code == STOPPED
    assert signal.getsignal(signal.SIGTERM) is handler
    number = sum(figures.operations for figures in reached.values())
    assert reached[first.askers[0]].operations == 2
    assert 5 <= number == told < 20_000
    line = summary(code, tuple(reached.values()), seed=0, processes=2, took_s=2.0)
    assert line.startswith(f"Stopped early. Compared {number:,} operations (")


def test_a_process_that_fails_makes_the_run_fail(tmp_path: Path) -> None:
    code = compared(dealt(FEW[:1], 1, 20, tmp_path / "no-opa"), lambda _: None)
    assert code == 1
    assert summary(code, (), seed=0, processes=2, took_s=1.0).startswith("A process failed. ")
