"""Which times are counted in the overview. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
SPANS: Final[Mapping[str, tuple[str, int, timedelta]]] = {
    "day": ("24 hours", 24, _HOUR),
    "month": ("30 days", 30, _DAY),
    "quarter": ("13 weeks", 13, 7 * _DAY),
    "year": ("52 weeks", 52, 7 * _DAY),
}
"""What can be counted: code -> its name, how many spans of time, and how long each is."""


def moments_of(span: str, now: datetime) -> tuple[datetime, ...]:
    """The moments between which is counted, the last at the end of the hour or day that is now."""
    _, many, long = SPANS[span]
    now = now.replace(minute=0, second=0, microsecond=0)
    end = now + _HOUR if long == _HOUR else now.replace(hour=0) + _DAY
    return tuple(end - long * left for left in range(many, -1, -1))
