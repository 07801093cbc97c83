"""What the fields of a form say, where they are no search."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.errors import MalformedRequest
from gateway.web.access import Form


def one(form: Form, name: str) -> str:
    """The one value of a field, "" where there is none.

    Raises:
        MalformedRequest: there are several.
    """
    values = form.get(name, ())
    if len(values) > 1:
        raise MalformedRequest(f"{name}: once.")
    return "".join(values)


def number_of(text: str, name: str) -> int:
    """A number that somebody typed.

    Raises:
        MalformedRequest: it is none.
    """
    plain = text.strip().replace(",", "")
    if not (plain.isascii() and plain.isdecimal() and len(plain) <= 12):
        raise MalformedRequest(f"{name}: a number.")
    return int(plain)


def day_of(text: str, name: str) -> datetime | None:
    """The beginning of a day in UTC; None where nothing was typed.

    Raises:
        MalformedRequest: it is no day.
    """
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise MalformedRequest(f"{name}: a day is like 2026-11-01.") from None
