"""Times as pages show them and take them: in the time zone that whoever is signed in has chosen.

What a program reads, `<time datetime>` and what is kept, is UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from gateway.errors import MalformedRequest

UTC_ZONE: Final = ZoneInfo("UTC")
_TYPED: Final = "%Y-%m-%dT%H:%M"


@lru_cache(maxsize=1)
def zones() -> tuple[str, ...]:
    """The time zones that can be chosen: UTC first."""
    named = (one for one in available_timezones() if "/" in one and not one.startswith("Etc/"))
    return ("UTC", *sorted(named))


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name; UTC for none.

    Raises:
        MalformedRequest: there is no such one.
    """
    if name in ("", "UTC"):
        return UTC_ZONE
    if name not in zones():
        raise MalformedRequest("There is no such time zone. One is named like Europe/London.")
    return ZoneInfo(name)


@dataclass(frozen=True, slots=True)
class When:
    """A moment, as a page shows it."""

    iso: str
    text: str
    day: str


def when(moment: datetime, zone: ZoneInfo) -> When:
    """A moment in somebody's time zone."""
    there = moment.astimezone(zone)
    iso = moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return When(iso, f"{there:%Y-%m-%d %H:%M:%S} {there.tzname()}", f"{there:%Y-%m-%d}")


def to_the_minute(moment: datetime, zone: ZoneInfo) -> str:
    """`2026-07-01 11:00 BST`, for reading."""
    there = moment.astimezone(zone)
    return f"{there:%Y-%m-%d %H:%M} {there.tzname()}"


def to_type(moment: datetime, zone: ZoneInfo) -> str:
    """A moment as a field of a form has it, which names no zone."""
    there = moment.astimezone(zone)
    return f"{there:{_TYPED}}" if there.second == 0 else f"{there:{_TYPED}:%S}"


def typed(text: str, zone: ZoneInfo) -> datetime:
    """The moment that somebody typed, in their time zone where they named none.

    Raises:
        MalformedRequest: it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise MalformedRequest("A time is written like 2026-11-01T06:00.") from None
    if not 1970 <= moment.year <= 2200:
        raise MalformedRequest("There are no entries of that time.")
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)
