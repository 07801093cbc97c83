"""Plots as numbers: where the bars of an inline SVG stand. Each has a table beside it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 160
_GAP: Final = 0.22  # of a bar's place


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of one bar; `kind` names its colour in the stylesheet."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Stacked bars, one for each name."""

    bars: tuple[Bar, ...]
    top: int  # what the full height stands for
    first: str
    last: str
    width: int = WIDTH
    height: int = HEIGHT


def chart(names: Sequence[str], series: Mapping[str, Sequence[int]]) -> Chart:
    """Bars for so many names, each of the values of all series, the first at the bottom."""
    sums = [sum(values) for values in zip(*series.values(), strict=True)]
    top = _round(max(sums, default=0))
    place = WIDTH / max(1, len(names))
    bars = []
    for number in range(len(names)):
        foot = float(HEIGHT)
        for kind, values in series.items():
            if not (value := values[number]):
                continue
            high = max(2.0, value / top * HEIGHT)  # what is there is seen
            foot -= high
            bars.append(
                Bar(
                    kind,
                    round(number * place + place * _GAP / 2, 2),
                    round(max(0.0, foot), 2),
                    round(place * (1 - _GAP), 2),
                    round(high, 2),
                )
            )
    return Chart(
        bars=tuple(bars),
        top=top,
        first=names[0] if names else "",
        last=names[-1] if names else "",
    )


def _round(most: int) -> int:
    """The next number that is easily read: 1, 2 or 5 and noughts."""
    size = 1
    while True:
        for first in (1, 2, 5):
            if first * size >= most:
                return first * size
        size *= 10
