"""The figures of docs/performance.md. Run: make bench, or python -m tests.bench [PART ...]

Starts the demonstration's six agencies, OPA and the gateway (a process of its own), asks over HTTP
on loopback, and prints a table of what was to be reached and what was measured. Everything shares
this machine: agencies, policy, gateway and the one who asks.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.demo.population import Population, make_population
from deploy.demo.stack import AGENCIES, Stack, running_stack
from tests.bench import deciding, index_bench, inside, misuse_bench, shape_bench
from tests.bench.asking import Asked, Asker, body_of, median, quantile
from tests.bench.place import Gateway, gateway, opa_program, step
from tests.bench.spans import read_times
from tests.bench.watched import ALL, TURN_S
from tests.opa import unbounded
from tests.servers import postgres

_EDGE_S = 1.5  # of a turn with or without records: who asked in the other is still under way


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table at the end."""

    what: str
    measured: str
    goal: str = ""
    met: bool | None = None


@dataclass(slots=True, kw_only=True)
class Bench:
    """What every part works with; the agencies start when the first part needs them."""

    people: int
    entries: int
    folder: Path
    console: Console
    population: Population | None = None
    figures: list[Figure] = field(default_factory=list)

    def figure(self, what: str, measured: str, goal: str = "", met: bool | None = None) -> None:
        self.figures.append(Figure(what=what, measured=measured, goal=goal, met=met))
        self.console.print(f"  {what}: [bold]{measured}[/bold]{f'  (goal: {goal})' * bool(goal)}")

    def _unbounded(self) -> Path:
        """The policies without budgets: a bench asks as no officer may."""
        made = self.folder / "policies"
        return made if made.exists() else unbounded(made)

    @asynccontextmanager
    async def agencies(self, *, bid_rate: bool = False) -> AsyncIterator[Stack]:
        if self.population is None:
            with self.console.status(f"Making a world of {self.people} people"):
                now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
                self.population = await asyncio.to_thread(make_population, self.people, now=now)
        async with running_stack(
            self.folder / "agencies",
            self.population,
            opa_program(),
            agencies=AGENCIES,
            bid_rate=bid_rate,
            policies=await asyncio.to_thread(self._unbounded),
        ) as stack:
            for note in stack.notes:
                self.console.print(f"  {note}")
            yield stack

    async def asked(
        self,
        where: Gateway,
        name: str,
        what: str,
        *,
        persisted: bool = True,
        at_once: int = 1,
        count: int | None = None,
        for_s: float = 0.0,
        pause_s: float = 0.0,
    ) -> Asked:
        """Ask with a bar that moves; a question of the story, as its own persona."""
        one = step(name)
        token = await asyncio.to_thread(where.token, one.persona)
        asker = Asker(gateway=where, body=body_of(one, persisted=persisted), token=token)
        columns = (TextColumn("  {task.description}"), BarColumn(), TimeElapsedColumn(),
                   TextColumn("{task.fields[done]} answers"))  # fmt: skip
        with Progress(*columns, console=self.console, transient=True) as bar:
            task = bar.add_task(what, total=count or for_s, done=0)
            began = bar.get_time()

            def told(done: int) -> None:
                at = done if count else bar.get_time() - began
                bar.update(task, completed=at, done=done)

            asker.told = told
            return await asker.ask(at_once=at_once, count=count, for_s=for_s, pause_s=pause_s)


# --- the parts


async def lookup(bench: Bench) -> None:
    """The arrival officer's lookup: how much later than its slowest source it is answered.

    Once as the agencies answer on this machine, which they share with the gateway, and once with
    each answer of one of them a tenth of a second later: then the gateway has time for the others
    while it waits, and what is left is its own.
    """
    async with bench.agencies() as stack:
        for late in ("", "ncb"):
            await _lookup(bench, stack, late)


async def _lookup(bench: Bench, stack: Stack, late: str) -> None:
    count = 200
    times = bench.folder / f"times{late}.jsonl"
    async with gateway(stack, bench.folder / f"lookup{late}", times=times, late=late) as where:
        await bench.asked(where, "arrival", "warming up", persisted=False, count=30)
        before = where.cpu_s()
        # With a pause, so that what follows an answer does not count as part of the next.
        asked = await bench.asked(
            where, "arrival", "lookup", persisted=False, count=count, pause_s=0.1
        )
        computed = (where.cpu_s() - before) / count * 1000
    if asked.errors:
        raise SystemExit(f"The lookup failed: {dict(asked.errors)}")
    found = read_times(times)
    whole = asked.took_ms
    seen = [found[query_id] for query_id in asked.query_ids]
    slowest = [one.slowest_ms for one in seen]
    added = [took - one for took, one in zip(whole, slowest, strict=True)]
    visit = [one.slowest_reported_ms for one in seen]
    beside = [took - one.waited_ms for took, one in zip(whole, seen, strict=True)]
    bench.console.print(f"  {_states(asked, count)}")
    of = f", {late} 0.1 s later" if late else ""
    bench.figure(f"lookup, six agencies{of}, whole, median (p95)", _two(whole))
    bench.figure("  its slowest source, all calls to it", _two(slowest))
    bench.figure(
        "  whole less slowest source, median (p95)", _two(added), "at most 15 ms",
        median(added) <= 15,
    )  # fmt: skip
    bench.figure("  longest single visit, the gateway's part included", _two(visit))
    bench.figure("  time with no call to any source under way", _two(beside))
    bench.figure("  the gateway's own computing, mean", f"{computed:.1f} ms")


async def load(bench: Bench) -> None:
    """The officers' fixed lookup by its digest, sixteen at once for half a minute."""
    for bid_rate in (False, True):
        of = "BID at its 10/s" if bid_rate else "BID's limit lifted"
        async with (
            bench.agencies(bid_rate=bid_rate) as stack,
            gateway(stack, bench.folder / f"load-{bid_rate}", rates=bid_rate) as where,
        ):
            await bench.asked(where, "street-stop", "warming up", at_once=4, count=100)
            asked = await bench.asked(where, "street-stop", of, at_once=16, for_s=30)
        failed = sum(asked.errors.values())
        bench.console.print(f"  {_states(asked, len(asked.took_ms))}")
        bench.figure(
            f"fixed lookup, 16 at once, 30 s, {of}",
            f"{len(asked.took_ms) / asked.elapsed_s:.1f}/s, {_errors(asked)}",
            "no error",
            failed == 0,
        )
        bench.figure("  p50 / p95 / p99", " / ".join(f"{asked.took(s):.0f} ms" for s in
                                                     (0.5, 0.95, 0.99)))  # fmt: skip


async def commits(bench: Bench) -> None:
    """What its two records add to a query, sixteen under way at once.

    One gateway, which by turns of ten seconds makes records of queries and makes none; queries of
    both kinds are compared, but for those near a turn's ends.

    Once as the agencies answer on this machine: sixteen at once then keep the gateway's one core
    busy, and each waits for all. Once with each of their answers half a second later, as those of
    agencies elsewhere are: sixteen wait for agencies then, not for the core.
    """
    async with bench.agencies() as stack:
        for late, by_s in (("", 0.0), (ALL, 0.5)):
            await _commits(bench, stack, late, by_s)


async def _commits(bench: Bench, stack: Stack, late: str, by_s: float) -> None:
    times = bench.folder / f"commits{late}.jsonl"
    place = bench.folder / f"commits{late}"
    async with gateway(stack, place, times=times, late=late, by_s=by_s, turns=True) as where:
        await bench.asked(where, "street-stop", "warming up", at_once=4, count=100)
        before = where.cpu_s()
        asked = await bench.asked(where, "street-stop", "asking", at_once=16, for_s=40 * TURN_S)
        busy = (where.cpu_s() - before) / asked.elapsed_s
    found = read_times(times)
    took: dict[bool, list[float]] = {True: [], False: []}
    waited: list[float] = []
    for query_id, took_ms in zip(asked.query_ids, asked.took_ms, strict=True):
        of = found[query_id].recorded
        if of is not None and _EDGE_S <= of.into_turn_s < TURN_S - _EDGE_S:
            took[of.kept].append(took_ms)
            if of.kept:
                waited.append(of.waited_s * 1000)
    bench.console.print(
        f"  {len(took[True])} queries with records, {len(took[False])} without, {_errors(asked)}"
    )
    of_all = f", agencies {by_s} s later" if late else ""
    for share, goal in ((0.5, 10), (0.99, 30)):
        added, least, most = _added(took, share)
        bench.figure(
            f"two records add to a query, 16 at once{of_all}, {share:.0%} quantile (95 % interval)",
            f"{added:.1f} ms ({least:.1f} to {most:.1f}) to {quantile(took[False], share):.0f}",
            f"at most {goal} ms",
            added <= goal,
        )
    bench.figure(
        "  waited until both last, median (p99)",
        f"{median(waited):.1f} ms ({quantile(waited, 0.99):.1f})",
    )
    bench.figure("  the gateway's core was busy", f"{busy:.0%} of the time")


def _added(took: Mapping[bool, Sequence[float]], share: float) -> tuple[float, float, float]:
    """How much greater this quantile of the first is; and between what 95 of 100 drawn again lie
    (the bootstrap)."""
    chance = random.Random(1)  # noqa: S311 - not a secret
    drawn = sorted(
        quantile(chance.choices(took[True], k=len(took[True])), share)
        - quantile(chance.choices(took[False], k=len(took[False])), share)
        for _ in range(400)
    )
    return quantile(took[True], share) - quantile(took[False], share), drawn[9], drawn[-10]


async def memory(bench: Bench) -> None:
    """The resident set of the gateway's process as it answers forty thousand lookups.

    Every tenth asks all six agencies for a person, the others ask for a vehicle.
    """
    async with (
        bench.agencies() as stack,
        gateway(stack, bench.folder / "memory") as where,
    ):
        held = {0: where.memory_mib()}
        for upto in (1_000, 10_000, 20_000, 40_000):
            wide = (upto - max(held)) // 10
            plates = upto - max(held) - wide
            asked = await bench.asked(where, "street-stop", f"to {upto}", at_once=8, count=wide)
            more = await bench.asked(where, "vehicle-stop", f"to {upto}", at_once=8, count=plates)
            if errors := asked.errors + more.errors:
                bench.console.print(f"  [red]{dict(errors)}[/red]")
            held[upto] = where.memory_mib()
    shown = ", ".join(f"{count}: {mib:.0f}" for count, mib in held.items())
    bench.figure("memory in MiB after so many queries", shown, "under 200 MiB", held[10_000] < 200)
    grown = held[40_000] - held[20_000]
    bench.figure("  grown from 20,000 to 40,000", f"{grown:+.1f} MiB", "not growing", grown < 2)


async def shape(bench: Bench) -> None:
    """Shaping 1,000 records of 12 fields, and how much more per-record cases cost."""
    for one in await asyncio.to_thread(shape_bench.all_figures):
        bench.figure(
            f"shape 1,000 records of 12 fields, {one.what}, median (best)",
            f"{one.median:.2f} ms ({one.best:.2f})",
            f"at most {one.goal:g} ms",
            one.median <= one.goal,
        )


async def policy(bench: Bench) -> None:
    """What OPA takes for a question, asked anew each time: of the story, and of a known size."""
    async with bench.agencies() as stack:
        for one in ("arrival", "street-stop", "vehicle-stop"):
            _decided(bench, one, await deciding.decisions(step(one), stack.opa_url, 200))
        for one, (fields, fetches, goal) in deciding.SIZED.items():
            took = await deciding.decisions(deciding.sized(one), stack.opa_url, 200)
            if (took.fields, took.fetches) != (fields, fetches):
                raise SystemExit(f"{one}: {took.fields} fields over {took.fetches} fetches")
            _decided(bench, f"{fields} fields over {fetches} fetches", took, goal)


def _decided(bench: Bench, what: str, took: deciding.Decisions, goal: float | None = None) -> None:
    evaluated = f"{_two(took.evaluated_ms, 2)}, least {min(took.evaluated_ms):.2f}"
    bench.figure(
        f"OPA's evaluation, {what}, median (p95)",
        evaluated,
        f"at most {goal} ms" if goal else "",
        median(took.evaluated_ms) <= goal if goal else None,
    )
    bench.figure("  what the gateway waits for it, the answer read", _two(took.took_ms, 2))
    bench.console.print(
        f"  {took.resources} resources in {took.fetches} fetches, {took.fields} fields asked about"
    )


async def log(bench: Bench) -> None:
    """How many entries a second the log takes, each durable before its caller goes on; and how
    soon others have seen them.

    In files alone and beside a gateway that answers one lookup after another; in PostgreSQL beside
    single rows of the same length that as many callers commit by themselves.
    """
    for at_once in (1, 16, 256):
        await _entries(bench, at_once)
    async with bench.agencies() as stack, gateway(stack, bench.folder / "beside") as where:
        asking = asyncio.create_task(bench.asked(where, "arrival", "beside", for_s=3600))
        try:
            for at_once in (16, 256):
                await _entries(bench, at_once, ", beside a gateway that answers lookups")
            if asking.done():
                raise SystemExit(f"The gateway was not asked all the time: {asking.exception()!r}")
        finally:
            asking.cancel()
            await asyncio.wait([asking])
    with tempfile.TemporaryDirectory(prefix="pc-") as name, postgres(Path(name) / "pg") as server:
        for at_once in (1, 16, 64, 256):
            bare, _ = await inside.bare(server, at_once, for_s=4)
            folder = bench.folder / f"shared-{at_once}"
            async with inside.in_database(folder, server, f"log_{at_once}") as own:
                rate, took = await inside.entries(own, at_once, for_s=4)
            bench.figure(
                f"log entries a second in PostgreSQL, {at_once} waiting at once",
                f"{rate:.0f}/s, {_two(took)}; {100 * rate / bare:.0f} % of {bare:.0f}/s bare",
            )
    for per_s in (5, 100):
        signed, witnessed = await inside.seen(bench.folder / f"seen-{per_s}", per_s, for_s=20)
        for what, took, goal_s in (
            ("a checkpoint has an entry", signed, 1.0),
            ("two of three witnesses have seen it", witnessed, 2.0),
        ):
            late = quantile(took, 0.99)
            bench.figure(
                f"until {what}, {per_s} a second, median (p99)",
                f"{median(took):.2f} s ({late:.2f})",
                f"at most {goal_s:g} s at p99",
                late <= goal_s,
            )


async def _entries(bench: Bench, at_once: int, beside: str = "") -> None:
    async with inside.in_files(bench.folder / f"log-{at_once}{bool(beside)}") as own:
        rate, took = await inside.entries(own, at_once, for_s=4)
    bench.figure(
        f"log entries a second, {at_once} waiting at once{beside}",
        f"{rate:.0f}/s, {_two(took)}",
        "at least 1,500/s" if at_once > 1 else "",
        rate >= 1_500 if at_once > 1 else None,
    )


async def misuse(bench: Bench) -> None:
    """How much of seeded misuse the auditor's queue finds in 200,000 queries, and how fast."""
    kinds: Counter[str] = Counter()
    every: Counter[str] = Counter()
    for seed in misuse_bench.REPORTED:
        with bench.console.status(f"The log of seed {seed}"):
            folder = bench.folder / f"misuse-{seed}"
            found = await asyncio.to_thread(misuse_bench.figures, seed, folder)
        judged, half = found.judged, found.judged.half
        for kind, (hit, all_of) in found.by_kind.items():
            kinds[kind] += hit
            every[kind] += all_of
        bench.figure(
            f"misuse, seed {seed}, {found.queries} queries, {len(judged.truth)} patterns",
            f"recall {judged.recall(half):.2f} at precision {judged.precision(half):.2f} (first "
            f"{half}); {judged.recall(misuse_bench.FIRST):.2f} in the first "
            f"{misuse_bench.FIRST}; {found.took_s:.1f} s",
            "recall at least 0.9 at precision 0.5",
            judged.recall(half) >= 0.9,
        )
    told = ", ".join(f"{kind} {kinds[kind]}/{n}" for kind, n in every.items())
    bench.figure("  by kind, over all seeds, at precision 0.5", told)


async def index(bench: Bench) -> None:
    """An index of ten million entries on the disk, and the auditor's three questions to it."""
    size = bench.entries
    columns = (TextColumn("  {task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=bench.console, transient=True) as bar:
        task = bar.add_task(f"{size} entries", total=size)
        built = await asyncio.to_thread(
            index_bench.build, bench.folder / "index.db", size,
            lambda done: bar.update(task, completed=done),
        )  # fmt: skip
    each = built.took_s / size * 1e6
    bench.figure(
        f"index of {size / 1e6:g} million entries, rebuilt",
        f"{built.took_s:.0f} s, {each:.0f} s a million; {built.bytes / 1e9:.1f} GB",
    )
    with bench.console.status("Asking"):
        found = await asyncio.to_thread(lambda: list(index_bench.asked(built, 40)))
    for one in found:
        for state, took in (("nothing of it in memory", one.cold_ms), ("again", one.warm_ms)):
            bench.figure(
                f"  {one.what}, {state}, p50 / p95 of {len(took)}",
                f"{median(took):.1f} / {quantile(took, 0.95):.1f} ms, most {max(took):.0f}",
                "at most 1 s at p95",
                quantile(took, 0.95) <= 1000,
            )
    built.path.unlink()


async def verified(bench: Bench) -> None:
    """How long the offline verifier takes over a million entries, and a page its proofs."""
    count = 1_000_000
    folder = bench.folder / "million"
    with bench.console.status("Writing a million entries"):
        size = await asyncio.to_thread(inside.million, folder, count)
    took = await asyncio.to_thread(inside.verifying, folder)
    bench.figure(
        f"verify of {count:,} entries of {size} bytes",
        f"{took:.1f} s",
        "at most 30 s",
        took <= 30,
    )
    proved = await inside.proving(folder, 40, 50)
    bench.figure(
        f"proofs of 50 of {count:,} entries, read, made and checked, p50 / p95",
        f"{median(proved):.0f} / {quantile(proved, 0.95):.0f} ms",
        "with the search for them at most 1 s at p95",
    )


Part = Callable[[Bench], Awaitable[None]]
PARTS: dict[str, Part] = {
    "lookup": lookup,
    "load": load,
    "commits": commits,
    "memory": memory,
    "shape": shape,
    "policy": policy,
    "log": log,
    "misuse": misuse,
    "index": index,
    "verify": verified,
}
LONG = {"index"}  # asked for by name alone


# --- saying it


def _two(values: Sequence[float], digits: int = 1) -> str:
    return f"{median(values):.{digits}f} ms ({quantile(values, 0.95):.{digits}f})"


def _states(asked: Asked, count: int) -> str:
    return ", ".join(f"{state} {100 * n / count:.0f}%" for state, n in sorted(asked.states.items()))


def _errors(asked: Asked) -> str:
    return ", ".join(f"{n} {code}" for code, n in asked.errors.most_common()) or "no error"


def _table(figures: Sequence[Figure]) -> Table:
    table = Table("figure", "goal", "measured", "met", title="Portcullis", title_justify="left")
    for one in figures:
        met = {True: "yes", False: "[red]no[/red]", None: ""}[one.met]
        table.add_row(one.what, one.goal, one.measured, met)
    return table


def _pace() -> float:
    """Milliseconds of a million additions, the least of five times: how quick one core is just now.
    By it figures of one hour can be compared with those of another."""
    took: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        total = 0
        for number in range(1_000_000):
            total += number
        took.append((time.perf_counter() - began) * 1000)
    return min(took)


async def _run(bench: Bench, names: Sequence[str]) -> None:
    bench.console.print(
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {bench.people} people, "
        f"load {os.getloadavg()[0]:.2f} before"
    )
    for name in names:
        doc = (PARTS[name].__doc__ or "").strip().splitlines()[0]
        bench.console.print(f"\n[bold]{name}[/bold]: {doc}")
        paces = [_pace()]
        await PARTS[name](bench)
        paces.append(_pace())
        bench.figure(
            f"a million additions in Python, before and after {name}",
            " and ".join(f"{pace:.0f} ms" for pace in paces),
        )
    bench.console.print()
    bench.console.print(_table(bench.figures))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parts = f"any of {', '.join(PARTS)} (default: all but {', '.join(LONG)})"
    parser.add_argument("parts", nargs="*", metavar="PART", choices=[*PARTS, []], help=parts)
    parser.add_argument("--people", type=int, default=5000, help="of the synthetic world")
    parser.add_argument("--entries", type=int, default=10_000_000, help="of the part index")
    given = parser.parse_args()
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="portcullis-bench-") as made:
        folder = Path(made)
        folder.chmod(0o755)  # PostgreSQL runs as another user where we are root
        bench = Bench(people=given.people, entries=given.entries, folder=folder, console=console)
        asyncio.run(_run(bench, given.parts or [name for name in PARTS if name not in LONG]))
    return 0 if all(one.met is not False for one in bench.figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
