"""Whether the time of an answer tells of what is hidden: how well a classifier does on it.

Two questions whose answers are alike to the byte are asked in turns: one of what is held and may
not be known, one of nobody. The area under the curve of the classifier that looks at the time alone
is Mann-Whitney's U over the number of pairs; one half is a guess. Its interval is a bootstrap's
over the persons asked about, with all their answers: answers about one person are no independent
witnesses.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from time import perf_counter
from typing import Final, TypeAlias

import httpx

from deploy.demo.population import Population
from tests.e2e.asking import REASON
from tests.e2e.worlds.askers import Asker
from tests.e2e.worlds.comparing import seen
from tests.e2e.worlds.session import Session
from tests.e2e.worlds.twins import World

_DIFFERENT, _RESAMPLED = 80, 1000
_ASKED = """query ($who: PersonCriteria!) { personSearch(anyOf: [$who]) {
  total hits { owner primaryName dateOfBirth identifiers { kind value } } } }"""
MOST = 0.55  # of a classifier by time, wanted
PAIRS = 2000  # asked in full length

Criteria: TypeAlias = Mapping[str, str]
Times: TypeAlias = Sequence[Sequence[float]]
"""Seconds of each answer, by the person asked about."""


# --- what is asked -------------------------------------------------------------------------------


def hidden_persons(population: Population, dice: Random) -> Iterator[tuple[Criteria, Criteria]]:
    """Records which some agency keeps from everybody; and the same names, their letters in another
    order, which nobody bears."""
    for person in population.people.values():
        for copy in person.copies.values():
            if not (
                copy.silent
                or copy.restricted
                or copy.governance.retention in ("DISPOSE", "RESTRICTED")
            ):
                continue
            year = copy.birth.earliest.year if copy.birth.earliest else copy.birth.year
            family = copy.name.family
            if year and family.isascii() and len(family) > 3:
                letters = "".join(dice.sample(family.lower(), len(family)))
                one = {"family": family, "dob": str(year)}
                yield one, {**one, "family": letters.title()}


def denied_values(population: Population, dice: Random) -> Iterator[tuple[Criteria, Criteria]]:
    """National Insurance numbers, which are searched by as little as they are shown; and others
    that nobody has."""
    held = {person.nino for person in population.people.values()}
    for nino in sorted(number for number in held if number):
        other = f"{nino[:2]}{dice.randrange(10**6):06}{nino[8:]}"
        if other not in held:
            kind = {"identifierKind": "NINO"}
            yield {"identifier": nino, **kind}, {"identifier": other, **kind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Who asks about what."""

    name: str
    asker: Asker
    pairs: Callable[[Population, Random], Iterator[tuple[Criteria, Criteria]]]


CASES: Final = (
    Case(
        name="a hidden record",
        asker=Asker(persona="RO", purpose="OFFICER_SAFETY"),
        pairs=hidden_persons,
    ),
    Case(
        name="a hidden record",
        asker=Asker(persona="IE", purpose="IMMIGRATION_CONTROL"),
        pairs=hidden_persons,
    ),
    Case(
        name="a held value that is denied",
        asker=Asker(persona="RO", purpose="OFFICER_SAFETY"),
        pairs=denied_values,
    ),
)


# --- how well it tells ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How well the time of an answer tells whether something hidden was asked for."""

    case: str
    persons: int
    answers: int  # of each kind
    area: float  # under the curve: 0.5 tells nothing
    low: float
    high: float  # 95 % of resamples lie between
    held_ms: float  # medians
    nobody_ms: float

    @property
    def tells(self) -> bool:
        """Whether time tells more than is wanted."""
        return self.area > MOST

    def __str__(self) -> str:
        return (
            f"{self.case}: {self.persons} persons, {self.answers} answers of each kind: AUC "
            f"{self.area:.3f} (95 %: {self.low:.3f} to {self.high:.3f}); medians "
            f"{self.held_ms:.1f} ms with it, {self.nobody_ms:.1f} ms without"
        )


def area(held: Sequence[float], nobody: Sequence[float]) -> float:
    """The chance that an answer about what is held took longer than one about nobody, ties counted
    half: Mann-Whitney's U over the number of pairs, in O(n log n)."""
    ordered = sorted(nobody)
    below = sum(bisect_left(ordered, one) + bisect_right(ordered, one) for one in held)
    return below / 2 / (len(held) * len(nobody))


def interval(
    held: Times, nobody: Times, dice: Random, resampled: int = _RESAMPLED
) -> tuple[float, float]:
    """Where 95 % of the areas of resampled persons lie; each comes with all answers about them."""
    areas = []
    for _ in range(resampled):
        persons = dice.choices(range(len(held)), k=len(held))
        areas.append(area(_all(held, persons), _all(nobody, persons)))
    areas.sort()
    return areas[int(0.025 * resampled)], areas[int(0.975 * resampled) - 1]


def _all(times: Times, persons: Sequence[int]) -> list[float]:
    return [one for person in persons for one in times[person]]


# --- asking --------------------------------------------------------------------------------------


async def timed(
    worlds: Session,
    case: Case,
    seed: int,
    pairs: int = PAIRS,
    world: World | None = None,
    *,
    persons: int = _DIFFERENT,
) -> Timing:
    """Times of answers about what is held and about nobody, asked of one gateway in turns and each
    time in random order; only of those of which the answers are alike, since others are told apart
    by what may be seen; and of at most so many `persons`.

    Raises:
        RuntimeError: there are none such.
    """
    dice = Random(seed)  # noqa: S311 - reproducible, not secret
    token, gateway = worlds.tokens[case.asker.persona], world or worlds.whole

    async def ask(who: Criteria) -> httpx.Response:
        why = {"purpose": case.asker.purpose, "reasonCode": "R06", **REASON}
        body = {"query": _ASKED, "variables": {"who": who}, "extensions": {"justification": why}}
        return await gateway.post(body, token)

    drawn = list(case.pairs(worlds.population, dice))
    alike: list[tuple[Criteria, Criteria]] = []
    for held, nobody in dice.sample(drawn, min(len(drawn), _DIFFERENT)):
        if seen(await ask(held)).text == seen(await ask(nobody)).text:
            alike.append((held, nobody))
        if len(alike) == persons:
            break
    if not alike:
        raise RuntimeError(f"{case.name}: no two answers were alike")
    times: tuple[list[list[float]], list[list[float]]] = ([[] for _ in alike], [[] for _ in alike])
    for number in range(max(pairs, len(alike))):
        person = number % len(alike)
        turns = list(zip(alike[person], times, strict=True))
        dice.shuffle(turns)
        for who, taken in turns:
            began = perf_counter()
            await ask(who)
            taken[person].append(perf_counter() - began)
    return _figures(case, times[0], times[1], dice)


def _figures(case: Case, held: Times, nobody: Times, dice: Random) -> Timing:
    low, high = interval(held, nobody, dice)
    every = [sorted(_all(times, range(len(times)))) for times in (held, nobody)]
    medians = [1000 * taken[len(taken) // 2] for taken in every]
    return Timing(
        case=f"{case.asker}, {case.name}",
        persons=len(held),
        answers=len(every[0]),
        area=area(*every),
        low=low,
        high=high,
        held_ms=medians[0],
        nobody_ms=medians[1],
    )
