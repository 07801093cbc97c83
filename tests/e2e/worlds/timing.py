"""Whether the time of an answer tells of a hidden record: how well a classifier does on it.

Hidden persons are asked for in turn with persons whom nobody holds. The area
under the curve of the classifier that looks at the time alone is Mann-Whitney's U over the number
of pairs; one half is a guess. Its interval is that of a bootstrap over the answers.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from time import perf_counter

import httpx

from deploy.demo.population import Population
from tests.e2e.asking import REASON
from tests.e2e.worlds.askers import Asker
from tests.e2e.worlds.comparing import seen
from tests.e2e.worlds.session import Session

_EACH, _DIFFERENT, _RESAMPLED = 600, 80, 1000
_ASKED = """query ($who: PersonCriteria!) { personSearch(anyOf: [$who]) {
  total hits { owner primaryName dateOfBirth identifiers { kind value } } } }"""
MOST = 0.55  # of a classifier by time, wanted
ASKER = Asker(persona="RO", purpose="OFFICER_SAFETY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How well the time of an answer tells whether something hidden was asked for."""

    persons: int
    answers: int  # of each kind
    area: float  # under the curve: 0.5 tells nothing
    low: float
    high: float  # 95 % of resamples lie between
    hidden_ms: float  # medians
    nobody_ms: float

    @property
    def tells(self) -> bool:
        """Whether time surely tells more than is wanted: the whole interval lies above it."""
        return self.low > MOST

    def __str__(self) -> str:
        return (
            f"{self.persons} hidden persons, {self.answers} answers of each kind: AUC "
            f"{self.area:.3f} (95 %: {self.low:.3f} to {self.high:.3f}); medians "
            f"{self.hidden_ms:.1f} ms with a hidden record, "
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


def hidden_persons(population: Population) -> list[Mapping[str, str]]:
    """Criteria that would find records which some agency keeps from everybody."""
    return [
        {"family": copy.name.family, "dob": str(year)}
        for person in population.people.values()
        for copy in person.copies.values()
        if copy.silent or copy.restricted or copy.governance.retention in ("DISPOSE", "RESTRICTED")
        if (year := copy.birth.earliest.year if copy.birth.earliest else copy.birth.year)
        and copy.name.family.isascii()
        and len(copy.name.family) > 3
    ]


async def timed(worlds: Session, seed: int) -> Timing:
    """Times of answers about hidden persons and about nobody: the same names, their letters in
    another order. Asked in turns and in random order of one gateway; only of those of which the
    answers are alike, since others are told apart by what may be seen."""
    dice = Random(seed)  # noqa: S311 - reproducible, not secret
    token = worlds.tokens[ASKER.persona]

    async def ask(who: Mapping[str, str]) -> httpx.Response:
        why = {"purpose": ASKER.purpose, "reasonCode": "R06", **REASON}
        body = {"query": _ASKED, "variables": {"who": who}, "extensions": {"justification": why}}
        return await worlds.whole.post(body, token)

    pairs: list[tuple[Mapping[str, str], Mapping[str, str]]] = []
    hidden_ones = hidden_persons(worlds.population)
    for one in dice.sample(hidden_ones, min(len(hidden_ones), _DIFFERENT)):
        letters = "".join(dice.sample(one["family"].lower(), len(one["family"])))
        nobody = {**one, "family": letters.title()}
        if seen(await ask(one)).text == seen(await ask(nobody)).text:
            pairs.append((one, nobody))
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(_EACH):
        turns = list(zip(pairs[number % len(pairs)], times, strict=True))
        dice.shuffle(turns)
        for who, taken in turns:
            began = perf_counter()
            await ask(who)
            taken.append(perf_counter() - began)
    low, high = interval(*times, dice)
    medians = [1000 * sorted(taken)[len(taken) // 2] for taken in times]
    return Timing(
        persons=len(pairs),
        answers=_EACH,
        area=area(*times),
        low=low,
        high=high,
        hidden_ms=medians[0],
        nobody_ms=medians[1],
    )
