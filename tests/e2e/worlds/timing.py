"""Whether the time of an answer tells of a hidden record: how well a classifier does on it.

Names that only a hidden person bears are asked for in turn with names that nobody bears. The area
under the curve of the classifier that looks at the time alone is Mann-Whitney's U over the number
of pairs; one half is a guess. Its interval is that of a bootstrap over the answers.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from time import perf_counter

from deploy.demo.population import Copy, Population
from tests.e2e.asking import REASON
from tests.e2e.worlds.askers import Asker
from tests.e2e.worlds.session import Session

_EACH, _RESAMPLED = 500, 1000
_ASKED = "query($f: String!) { personSearch(anyOf: [{family: $f}]) { hits { primaryName } } }"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How well the time of an answer tells whether something hidden was asked for."""

    answers: int  # of each kind
    area: float  # under the curve: 0.5 tells nothing
    low: float
    high: float  # 95 % of resamples lie between
    hidden_ms: float  # medians
    nobody_ms: float

    def __str__(self) -> str:
        return (
            f"{self.answers} answers each: AUC {self.area:.3f} (95 %: {self.low:.3f} to "
            f"{self.high:.3f}); medians {self.hidden_ms:.1f} ms with a hidden record, "
            f"{self.nobody_ms:.1f} ms without"
        )


def area(hidden: Sequence[float], nobody: Sequence[float]) -> float:
    """The chance that an answer about something hidden took longer than one about nobody, ties
    counted half: Mann-Whitney's U over the number of pairs, in O(n log n)."""
    ordered = sorted(nobody)
    below = sum(bisect_left(ordered, one) + bisect_right(ordered, one) for one in hidden)
    return below / 2 / (len(hidden) * len(nobody))


def interval(
    hidden: Sequence[float], nobody: Sequence[float], dice: Random, resampled: int = _RESAMPLED
) -> tuple[float, float]:
    """Where 95 % of the areas of resampled answers lie."""
    areas = sorted(
        area(dice.choices(hidden, k=len(hidden)), dice.choices(nobody, k=len(nobody)))
        for _ in range(resampled)
    )
    return areas[int(0.025 * resampled)], areas[int(0.975 * resampled) - 1]


def hidden_names(population: Population) -> list[str]:
    """Family names under which an agency holds hidden persons and nobody else holds anybody."""
    shown, hidden = set[str](), set[str]()
    for person in population.people.values():
        for copy in person.copies.values():
            names = {name.family for name in (copy.name, *copy.aliases)}
            (hidden if _hidden(copy) else shown).update(names)
        shown.add(person.name.family)
    alone = sorted(hidden - shown)
    return alone or sorted(hidden)


def _hidden(copy: Copy) -> bool:
    return copy.silent or copy.restricted or copy.governance.retention in ("DISPOSE", "RESTRICTED")


async def timed(worlds: Session, seed: int) -> Timing:
    """Times of answers about hidden persons in the whole world, and of the same questions in the
    world that is otherwise, in turns and in random order."""
    dice = Random(seed)  # noqa: S311 - reproducible, not secret
    asker = Asker(persona="RO", purpose="OFFICER_SAFETY")
    names = hidden_names(worlds.population)
    hidden: list[float] = []
    nobody: list[float] = []
    async with worlds.pair(asker, "timing") as pair:
        for number in range(_EACH + 20):
            body = {
                "query": _ASKED,
                "variables": {"f": names[number % len(names)]},
                "extensions": {
                    "justification": {"purpose": asker.purpose, "reasonCode": "R06", **REASON}
                },
            }
            turns = [(pair.whole, hidden), (pair.poorer, nobody)]
            dice.shuffle(turns)
            for world, times in turns:
                began = perf_counter()
                await world.post(body, pair.token)
                if number >= 20:  # the first ones make connections and statements
                    times.append(perf_counter() - began)
    low, high = interval(hidden, nobody, dice)
    return Timing(
        answers=len(hidden), area=area(hidden, nobody), low=low, high=high,
        hidden_ms=1000 * sorted(hidden)[len(hidden) // 2],
        nobody_ms=1000 * sorted(nobody)[len(nobody) // 2],
    )  # fmt: skip
