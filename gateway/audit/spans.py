"""Which times are counted in the overview. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
SPANS: Final[Mapping[str, tuple[str, int, timedelta]]] = {
    "day": ("24 hours", 24, _HOUR),
    "month": ("30 days", 30, _DAY),
    "quarter": ("13 weeks", 13, 7 * _DAY),
    "year": ("52 weeks", 52, 7 * _DAY),
}
"""What can be counted: code -> its name, how many spans of time, and how long each is."""


def moments_of(span: str, now: datetime, zone: tzinfo = UTC) -> tuple[datetime, ...]:
    """The moments between which is counted, in UTC, the last at the end of the hour or day that is
    now. Hours and days are those of a time zone: a day in which its clocks change has 23 or 25."""
    _, many, long = SPANS[span]
    there = now.astimezone(zone)
    if long == _HOUR:
        begun = timedelta(minutes=there.minute, seconds=there.second)
        end = now.astimezone(UTC).replace(microsecond=0) - begun + _HOUR
        return tuple(end - long * left for left in range(many, -1, -1))
    day = there.date() + _DAY
    midnights = (datetime.combine(day - long * left, time(), zone) for left in range(many, -1, -1))
    return tuple(one.astimezone(UTC) for one in midnights)
