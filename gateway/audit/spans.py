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
    now. Days are those of a time zone: one in which its clocks change has 23 or 25 hours. Counted
    is by whole hours, so where midnight is within one, a day begins with the next."""
    _, many, long = SPANS[span]
    if long == _HOUR:
        end = _hour(now) + _HOUR
        return tuple(end - long * left for left in range(many, -1, -1))
    day = now.astimezone(zone).date() + _DAY
    midnights = (datetime.combine(day - long * left, time(), zone) for left in range(many, -1, -1))
    return tuple(_hour(midnight + _HOUR - timedelta(microseconds=1)) for midnight in midnights)


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
