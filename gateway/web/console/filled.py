"""Values out of small forms: each is one, and of its kind, or it is said which is wrong. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from gateway.actions.reviewing import MOST_NOTE, Verdict
from gateway.casework.model import MOST_QUALITY, Finding
from gateway.errors import MalformedRequest
from gateway.web.access import Form

FINDINGS: Final = {
    Finding.JUSTIFIED: "Justified",
    Finding.UNCLEAR: "Unclear: to be explained",
    Finding.ERROR: "A mistake without harm",
    Finding.REFERRED: "Referred to professional standards",
}
"""What a review finds, in words."""
CLOSED: Final = "Closed: nothing to look at"
QUALITIES: Final = (
    "0: none was given",
    "1: says nothing",
    "2: says what for",
    "3: says why this person",
    "4: says why, and can be checked",
)
"""How good a reason is."""


def words_of(outcome: Finding) -> str:
    """An outcome in words."""
    return FINDINGS.get(outcome, CLOSED)


def value_of(form: Form, name: str) -> str:
    """A field's value, "" where it was left open.

    Raises:
        MalformedRequest: it is there twice.
    """
    values = form.get(name, ())
    if len(values) > 1:
        raise MalformedRequest("Each field once.")
    return "".join(values).strip()


def number_of(text: str, name: str) -> int:
    """A number that somebody typed.

    Raises:
        MalformedRequest: it is none.
    """
    plain = text.replace(",", "")  # as pages write it
    if not (plain.isascii() and plain.isdecimal() and len(plain) <= 12):
        raise MalformedRequest(f"{name}: a number.")
    return int(plain)


def day_of(text: str, name: str, zone: ZoneInfo) -> datetime | None:
    """The beginning of a day in a time zone; None where nothing was typed.

    Raises:
        MalformedRequest: it is no day.
    """
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=zone)
    except ValueError:
        day = None
    if day is None or not 1970 <= day.year <= 2200:
        raise MalformedRequest(f"{name}: a day is like 2026-11-01.")
    return day


def moment_of(text: str, name: str, zone: ZoneInfo) -> datetime:
    """A moment, typed in a time zone.

    Raises:
        MalformedRequest: it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is not None or not 1970 <= moment.year <= 2200:
        raise MalformedRequest(f"{name}: a time is written like 2026-11-01T06:00.")
    return moment.replace(tzinfo=zone).astimezone(UTC)


def verdict_of(form: Form) -> Verdict:
    """What a form of a review says.

    Raises:
        MalformedRequest: it is not filled in.
    """
    outcome, quality, note = (value_of(form, name) for name in ("outcome", "quality", "note"))
    if outcome not in list(FINDINGS) or quality not in map(str, range(MOST_QUALITY + 1)):
        raise MalformedRequest("Choose what you found, and how good the reason is.")
    return Verdict(outcome=Finding(outcome), quality=int(quality), note=note_in(note))


def note_in(text: str) -> str:
    """A note, with its line ends as a text file has them.

    Raises:
        MalformedRequest: it is too long.
    """
    if len(plain := text.replace("\r\n", "\n")) > MOST_NOTE:
        raise MalformedRequest(f"A note of at most {MOST_NOTE} characters.")
    return plain
