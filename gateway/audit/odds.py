"""How surprising a count is, in decimal digits: 3 is what happens once in a thousand. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, inf, lgamma, log, log1p
from typing import Final

_LN10: Final = log(10)
_ENOUGH: Final = 1e-12
_MOST_TERMS: Final = 5_000
_LARGER: Final = 10
_HIGHEST: Final = 0.03


@dataclass(slots=True)
class Spread:
    """Counts of a group, of which each can be left out to be compared with the others.

    The few highest of a larger group count as the next one below: who misuses does not widen what
    is usual for the others.
    """

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    cap: float = inf

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        ranked = sorted(values)
        few = max(1, round(_HIGHEST * len(ranked))) if len(ranked) >= _LARGER else 0
        made = cls(count=len(ranked), cap=ranked[-1 - few] if ranked else inf)
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
