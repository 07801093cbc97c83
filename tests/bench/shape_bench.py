"""How long it takes to shape 1,000 records of 12 fields. Run: python -m tests.bench.shape_bench

Prints the best and the median of 30 rounds in milliseconds, for an answer of which everything is
clear, for one with refs, and for one with a masked, a withheld and a case-by-case field.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

from connectors.conditions import Compare, Op
from gateway.model import Case, PartGrant
from gateway.query.shape import Shaper
from tests.unit.query import world

ROUNDS = 30
RECORDS = 1000
PLAIN = (
    "owner system asAt marking handling sourceGrade infoGrade assertion retention make colour vrm"
)
QUERY = '{{ vehicle(vrm: "AB12CDE") {{ {} }} }}'


def _mixed(resource: str, grant: PartGrant) -> PartGrant:
    read = {name: manner for name, manner in grant.read.items() if name != "make"}
    cases = (Case(Compare("handling", Op.EQ, "P"), "CLEAR"),)
    return replace(grant, read={**read, "colour": cases, "vrm": "LAST4"})


def figures(fields: str, change: world.Change) -> tuple[float, float]:
    """(best, median) of the rounds, in milliseconds."""
    asked = world.operation(QUERY.format(fields))
    agreed = world.allowed(world.plan_of(asked), change)
    records = [
        world.record(
            n,
            vrm=f"AB{n % 100:02}CDE",
            make="Ford",
            colour="blue",
            marking="OFFICIAL",
            handling="P" if n % 3 else "C",
            source_grade="RELIABLE",
            info_grade="A",
            assertion="FACT",
            retention="CURRENT",
        )
        for n in range(RECORDS)
    ]
    results = {"f0": world.came(*records)}
    shaping = world.shaping(asked)
    took: list[float] = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        response = Shaper(asked, agreed, shaping).shape(results)
        took.append((time.perf_counter() - started) * 1000)
        if len(response.body["data"]["vehicle"]) != RECORDS:
            raise RuntimeError("not every record was shaped")
    return min(took), statistics.median(took)


def all_figures() -> list[tuple[str, float, float]]:
    """(which answer, best, median) for each kind of answer, in milliseconds."""
    kinds: tuple[tuple[str, str, world.Change], ...] = (
        ("all clear", PLAIN, lambda _id, grant: grant),
        ("with a ref each", PLAIN.replace("system", "ref"), lambda _id, grant: grant),
        ("masked, withheld, by case", PLAIN, _mixed),
    )
    return [(name, *figures(fields, change)) for name, fields, change in kinds]


def main() -> None:
    print(f"shape: {RECORDS} records of 12 fields, {ROUNDS} rounds")
    for name, best, median in all_figures():
        print(f"  {name:28} best {best:6.2f} ms   median {median:6.2f} ms")


if __name__ == "__main__":
    main()
