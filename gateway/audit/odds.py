"""How surprising a count is, in decimal digits: 3 is what happens once in a thousand. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, inf, lgamma, log, log1p, log10
from typing import Final

_LN10: Final = log(10)
_ENOUGH: Final = 1e-12
_MOST_TERMS: Final = 5_000
_LARGER: Final = 10
_HIGHEST: Final = 0.03
_SURELY_USUAL: Final = 0.75  # of a group
_APART: Final = 1.0  # digits beyond what chance brings about in one of such a group


@dataclass(slots=True)
class Spread:
    """Counts of a group, of which each can be left out to be compared with the others.

    In a larger group the few highest, and those who stand apart from all below them, count as the
    next one below: who misuses does not widen what is usual for the others, nor hides another.
    """

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    cap: float = inf

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        ranked = sorted(values)
        made = cls(count=len(ranked), cap=_cap(ranked))
        for value in ranked:
            own = min(value, made.cap)
            made.total += own
            made.squares += own * own
        return made

    def without(self, value: float) -> tuple[float, float]:
        """Mean and variance of the others. Half a count is added, so that what nobody else does is
        rare, not impossible."""
        others, own = self.count - 1, min(value, self.cap)
        if others < 1:
            return 0.5, 1.0
        mean = (self.total - own) / others
        variance = max(0.0, (self.squares - own * own) / others - mean * mean)
        return mean + 0.5 / (others + 1), variance + 0.5 / (others + 1)


def _cap(ranked: Sequence[float]) -> float:
    """The highest that is usual in a group: upwards from those that surely are, as far as nobody
    stands apart."""
    if len(ranked) < _LARGER:
        return ranked[-1] if ranked else inf
    few = max(1, round(_HIGHEST * len(ranked)))
    sure = round(_SURELY_USUAL * len(ranked))
    total, squares = sum(ranked[:sure]), sum(value * value for value in ranked[:sure])
    for place in range(sure, len(ranked) - few):
        value = ranked[place]
        mean = total / place
        variance = max(0.0, squares / place - mean * mean)
        half = 0.5 / place  # as in `without`
        if value > ranked[place - 1]:
            digits = surprise(round(value), mean + half, variance + half)
            if digits - log10(len(ranked)) > _APART:
                return ranked[place - 1]
        total, squares = total + value, squares + value * value
    return ranked[-1 - few]


class Usual:
    """How many of a group have so many of something: what most have says little of anybody."""

    def __init__(self, counts: Iterable[int], people: int) -> None:
        """The counts of those who have any, of so many people."""
        self._counts = sorted(counts)
        self._others = max(1, people - 1)

    def rare(self, number: int) -> float:
        """1 if none of the others has as many, 0 if all have; of somebody who has."""
        having = len(self._counts) - bisect_left(self._counts, number)
        return 1 - (having - 1) / self._others


def surprise(count: int, mean: float, variance: float = 0.0) -> float:
    """Digits of how rare `count` or more is where so many are the mean.

    By Poisson's law, or where counts vary more than it says, by the negative binomial.
    """
    if count <= 0 or mean <= 0 or count <= mean:
        return 0.0
    if variance <= mean * 1.01:
        first = -mean + count * log(mean) - lgamma(count + 1)

        def ratio(k: int) -> float:
            return mean / (k + 1)
    else:
        shape = mean * mean / (variance - mean)
        share = mean / (mean + shape)
        first = (
            lgamma(count + shape)
            - lgamma(shape)
            - lgamma(count + 1)
            - shape * log1p(mean / shape)
            + count * log(share)
        )

        def ratio(k: int) -> float:
            return (k + shape) / (k + 1) * share

    term = total = 1.0
    for k in range(count, count + _MOST_TERMS):
        term *= ratio(k)
        total += term
        if term < total * _ENOUGH:
            break
    return max(0.0, -(first + log(total)) / _LN10)


def weight(digits: float, half_at: float = 2.0) -> float:
    """A score from 0 to 1 of what chance does not explain: a half at so many digits."""
    return digits / (digits + half_at) if digits > 0 else 0.0


def together(scores: Iterable[float]) -> float:
    """The score of several independent signs."""
    left = 0.0
    for score in scores:
        left += log1p(-min(score, 0.999))
    return 1 - exp(left)
