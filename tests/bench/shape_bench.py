"""How long it takes to shape 1,000 records of 12 fields. Run: python -m tests.bench.shape_bench

Prints the median and the best of 30 rounds in milliseconds, for an answer of which everything is
clear, for one with refs, and for one with a masked, a withheld and a case-by-case field; and how
much longer it takes if cases decide about every field of every record, in paired rounds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from connectors.conditions import And, Compare, Condition, IsNull, Op, Or
from gateway.model import Case, PartGrant
from gateway.query.shape import Shaper
from tests.unit.query import world

ROUNDS = 30
RECORDS = 1000
PLAIN = (
    "owner system asAt marking handling sourceGrade infoGrade assertion retention make colour vrm"
)
QUERY = '{{ vehicle(vrm: "AB12CDE") {{ {} }} }}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What shaping took, or took longer, in milliseconds."""

    what: str
    goal: float
    best: float
    median: float


# --- what is decided about the fields ------------------------------------------------------------


def _mixed(resource: str, grant: PartGrant) -> PartGrant:
    read = {name: manner for name, manner in grant.read.items() if name != "make"}
    cases = (Case(Compare("handling", Op.EQ, "P"), "CLEAR"),)
    return replace(grant, read={**read, "colour": cases, "vrm": "LAST4"})


def _one_of(field: str, *values: str) -> Condition:
    return Compare(field, Op.IN, values)


def _or_null(field: str, condition: Condition) -> Condition:
    return Or((IsNull(field), condition))


def _handling() -> tuple[Case, ...]:
    """The five cases of policies/gateway/handling.rego, as a decision states them."""
    coded = Compare("handling", Op.EQ, "C")
    named = {"NAMED_UNIT_ONLY": "named_units", "NAMED_PURPOSE_ONLY": "named_purposes",
             "EXPIRES": "expires_on"}  # fmt: skip
    unsaid = [And((_one_of("conditions", name), IsNull(said))) for name, said in named.items()]
    hit = ("NO_ACTION_WITHOUT_ORIGINATOR", "NOTIFY_ORIGINATOR", "REFERENCE_ONLY", "SILENT")
    meant = (
        _or_null("named_units", _one_of("named_units", "NCB")),
        _or_null("named_purposes", Compare("named_purposes", Op.EQ, "OIC_INVESTIGATION")),
        _or_null("expires_on", Compare("expires_on", Op.GTE, "2026-03-01")),
    )
    open_ = _one_of("conditions", "NO_ONWARD", "NO_COURT_USE", *named)
    return (
        Case(Compare("handling", Op.EQ, "P"), "CLEAR"),
        Case(And((coded, Or((_one_of("conditions", *hit), *unsaid)))), "HIT_ONLY"),
        Case(And((coded, _one_of("conditions", "SANITISED_ONLY"), *meant)), "SANITISED_TEXT"),
        Case(And((coded, open_, *meant)), "CLEAR"),
        Case(coded, "HIT_ONLY"),
    )


def _by_cases(resource: str, grant: PartGrant) -> PartGrant:
    """Every field by the same five cases, as a report is shown; the last but one is the longest."""
    return replace(grant, read=dict.fromkeys(grant.read, _handling()))


# --- taking the time -----------------------------------------------------------------------------


def _round(fields: str, change: world.Change) -> Callable[[], float]:
    """What shapes the answer once and gives the milliseconds that it took."""
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
            conditions=[] if n % 3 else ["NO_ONWARD"],
            source_grade="RELIABLE",
            info_grade="A",
            assertion="FACT",
            retention="CURRENT",
        )
        for n in range(RECORDS)
    ]
    results = {"f0": world.came(*records)}
    shaping = world.shaping(asked)

    def take() -> float:
        started = time.perf_counter()
        response = Shaper(asked, agreed, shaping).shape(results)
        took = (time.perf_counter() - started) * 1000
        if len(response.body["data"]["vehicle"]) != RECORDS:
            raise RuntimeError("not every record was shaped")
        return took

    return take


def figures(what: str, fields: str, change: world.Change) -> Figure:
    take = _round(fields, change)
    took = [take() for _ in range(ROUNDS)]
    return Figure(what=what, goal=5, best=min(took), median=statistics.median(took))


def cost_of_cases() -> Figure:
    """How much longer than without cases, each round beside one without, first and second in turn.

    A third of the records meet the fourth case, the others the first: all is clear either way.
    """
    without, cases = _round(PLAIN, lambda _id, grant: grant), _round(PLAIN, _by_cases)
    pairs: list[tuple[float, float]] = []
    for number in range(ROUNDS):
        if number % 2:
            later, sooner = cases(), without()
        else:
            sooner, later = without(), cases()
        pairs.append((sooner, later))
    best = min(later for _, later in pairs) - min(sooner for sooner, _ in pairs)
    longer = statistics.median(later - sooner for sooner, later in pairs)
    return Figure(what="more by cases for every field", goal=3, best=best, median=longer)


def all_figures() -> list[Figure]:
    """Each kind of answer, and what cases cost."""
    kinds: tuple[tuple[str, str, world.Change], ...] = (
        ("all clear", PLAIN, lambda _id, grant: grant),
        ("with a ref each", PLAIN.replace("system", "ref"), lambda _id, grant: grant),
        ("masked, withheld, by case", PLAIN, _mixed),
    )
    return [*(figures(*kind) for kind in kinds), cost_of_cases()]


def main() -> None:
    print(f"shape: {RECORDS} records of 12 fields, {ROUNDS} rounds")
    for one in all_figures():
        print(f"  {one.what:30} median {one.median:6.2f} ms   best {one.best:6.2f} ms")


if __name__ == "__main__":
    main()
