"""The non-interference harness at full length. Run: make worlds, or python -m tests.e2e.worlds

Operations drawn from the schema are asked by every persona, for each purpose held, of two worlds
that differ in nothing but what that persona may not see. Whatever tells them apart is shrunk and
printed, and the run fails. A run that is stopped says what it compared until then.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateway.cli.demo import find_opa
from gateway.cli.serve import loop_factory, made_for_good
from tests.e2e.worlds.askers import ASKERS, Asker
from tests.e2e.worlds.jobs import STOPPED, Figures, Message, Share, compared, sessions, shares
from tests.e2e.worlds.timing import CASES, MOST, PAIRS, Timing, timed


def _compared(given: Sequence[Share], console: Console) -> tuple[int, Mapping[Asker, Figures]]:
    """What `compared` gives, and how far each caller came."""
    reached: dict[Asker, Figures] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())  # fmt: skip
    with Progress(*columns, console=console, refresh_per_second=2) as progress:
        total = sum(share.operations for share in given)
        task = progress.add_task(f"starting the agencies {len(given)} times", total=total)

        def heard(message: Message) -> None:
            if isinstance(message, str):
                console.print(message, markup=False, highlight=False)
                return
            before = reached.get(message.asker)
            reached[message.asker] = message
            more = message.operations - (before.operations if before else 0)
            progress.update(task, advance=more, description="operations")

        return compared(given, heard), reached


_SUMS: Mapping[str, Callable[[Figures], int]] = {
    "operations": lambda f: f.operations,
    "pages": lambda f: f.pages,
    "requests": lambda f: f.requests,
    "answered": lambda f: f.answered,
    "objects shown": lambda f: f.shown,
    "differences": lambda f: f.differences,
    "not again": lambda f: f.passing,
}


def _table(reached: Sequence[Figures]) -> Table:
    table = Table("who", *_SUMS)
    for figures in reached:
        table.add_row(str(figures.asker), *(f"{of(figures):,}" for of in _SUMS.values()))
    table.add_section()
    table.add_row("all", *(f"{sum(map(of, reached)):,}" for of in _SUMS.values()))
    return table


def summary(
    code: int, reached: Sequence[Figures], *, seed: int, processes: int, took_s: float
) -> str:
    """What came of a run, in one line; `code` is that of `compared`."""
    sums = {name: sum(map(of, reached)) for name, of in _SUMS.items()}
    early = {0: "", STOPPED: "Stopped early. "}.get(code, "A process failed. ")
    return (
        f"{early}Compared {sums['operations']:,} operations ({sums['pages']:,} pages, "
        f"{sums['requests']:,} requests): {sums['differences']:,} differences, "
        f"{sums['not again']:,} more that did not come again; seed {seed}, "
        f"{processes} processes, {took_s:.0f} s, {sums['operations'] / took_s:.1f} a second."
    )


def _length(given: argparse.Namespace, opa: Path, now: datetime) -> int:
    askers = [a for a in ASKERS if not given.only or a.persona in given.only.split(",")]
    dealt = shares(askers, jobs=given.jobs, operations=given.ops, seed=given.seed, opa=opa, now=now)
    console, began = Console(highlight=False), monotonic()
    code, reached = _compared(dealt, console)
    took_s = monotonic() - began
    figures = [reached[asker] for asker in askers if asker in reached]
    console.print(_table(figures))
    print(summary(code, figures, seed=given.seed, processes=len(dealt), took_s=took_s))
    return code or int(any(one.differences for one in figures))


async def _times(seed: int, pairs: int, opa: Path, now: datetime) -> int:
    async with sessions(opa, now) as worlds:
        made_for_good()
        return told([await timed(worlds, case, seed, pairs) for case in CASES])


def told(figures: Sequence[Timing]) -> int:
    """1 if the time of an answer tells of what is hidden, in any case."""
    for one in figures:
        print(f"{one}{f'. Times tell: above {MOST}.' if one.tells else ''}")
    return int(any(one.tells for one in figures))


def main() -> int:
    """Run it; 0 if all was compared and nothing told the worlds apart, nor a hidden record."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.worlds")
    parser.add_argument("--ops", type=int, default=100_000, help="in equal parts by each caller")
    parser.add_argument("--seed", type=int, default=0, help="another one asks other questions")
    parser.add_argument("--only", default="", help="a persona, or several with commas between")
    parser.add_argument(
        "--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes, one for a core"
    )
    parser.add_argument("--timing", action="store_true", help="measure times and nothing else")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="of answers timed, of each case")
    given = parser.parse_args()
    # an answer says that a source could not be asked; here it would be said a thousand times
    logging.getLogger("gateway").setLevel(logging.ERROR)
    opa = find_opa()
    if opa is None:
        return 1
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    if given.timing:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(_times(given.seed, given.pairs, opa, now))
    return _length(given, opa, now)


if __name__ == "__main__":
    sys.exit(main())
