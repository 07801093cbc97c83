"""The non-interference harness at full length. Run: make worlds, or python -m tests.e2e.worlds

Operations drawn from the schema are asked by every persona, for each purpose held, of two worlds
that differ in nothing but what that persona may not see. Whatever tells them apart is shrunk and
printed, and the run fails.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.demo.population import make_population
from gateway.cli.demo import find_opa, running_demo
from gateway.cli.serve import loop_factory, made_for_good
from tests.e2e.worlds.askers import ASKERS, Asker
from tests.e2e.worlds.comparing import Difference, Tally
from tests.e2e.worlds.session import Session, session
from tests.e2e.worlds.timing import timed
from tests.opa import unbounded

_PEOPLE = 600


async def _run(given: argparse.Namespace, askers: Sequence[Asker]) -> bool:
    """Whether nothing told the worlds apart; the figures are printed."""
    console, began = Console(highlight=False), monotonic()
    opa = await asyncio.to_thread(find_opa)
    if opa is None:
        return False
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    population = await asyncio.to_thread(make_population, _PEOPLE, now=now)
    async with AsyncExitStack() as stack:
        home = _home(stack)
        with console.status("Starting six agencies and the whole world"):
            demo = await stack.enter_async_context(
                running_demo(
                    home / "demo",
                    population,
                    opa,
                    bid_rate=False,
                    policies=unbounded(home / "policies"),
                )
            )
            worlds = await stack.enter_async_context(session(demo, population, home / "worlds"))
        made_for_good()
        if given.timing:
            console.print(str(await timed(worlds, given.seed)))
            return True
        tallies = await _asked(worlds, given, askers, console)
    console.print(_figures(tallies, given.seed, monotonic() - began))
    return not any(tally.differences for tally in tallies)


def _home(stack: AsyncExitStack) -> Path:
    folder = tempfile.TemporaryDirectory(prefix="pc-", ignore_cleanup_errors=True)
    home = Path(stack.enter_context(folder))
    home.chmod(0o755)  # PostgreSQL does not run as root
    (home / "worlds").mkdir()
    return home


async def _asked(
    worlds: Session, given: argparse.Namespace, askers: Sequence[Asker], console: Console
) -> list[Tally]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())  # fmt: skip
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("operations", total=-(-given.ops // len(askers)) * len(askers))

        def told(number: int) -> None:
            progress.advance(task, number)

        def found(difference: Difference) -> None:
            console.print(str(difference), markup=False, highlight=False)

        return await worlds.run(
            askers, seed=given.seed, operations=given.ops, told=told, found=found
        )


def _figures(tallies: Sequence[Tally], seed: int, took_s: float) -> Table:
    table = Table(
        "who", "operations", "pages", "requests", "answered", "objects shown", "differences",
        title=f"Seed {seed}, {took_s:.0f} s",
    )  # fmt: skip
    sums: list[Callable[[Tally], int]] = [
        lambda t: t.operations,
        lambda t: t.pages,
        lambda t: t.requests,
        lambda t: t.codes[""],
        lambda t: t.rows,
        lambda t: len(t.differences),
    ]
    for tally in tallies:
        table.add_row(str(tally.asker), *(f"{of(tally):,}" for of in sums))
    table.add_section()
    table.add_row("all", *(f"{sum(map(of, tallies)):,}" for of in sums))
    return table


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.worlds")
    parser.add_argument("--ops", type=int, default=100_000, help="in equal parts by each caller")
    parser.add_argument("--seed", type=int, default=0, help="another one asks other questions")
    parser.add_argument("--only", default="", help="a persona, or several with commas between")
    parser.add_argument("--timing", action="store_true", help="measure times and nothing else")
    given = parser.parse_args()
    askers = [a for a in ASKERS if not given.only or a.persona in given.only.split(",")]
    # an answer says that a source could not be asked; here it would be said a thousand times
    logging.getLogger("gateway").setLevel(logging.ERROR)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return 0 if runner.run(_run(given, askers)) else 1


if __name__ == "__main__":
    sys.exit(main())
