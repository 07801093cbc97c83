"""Named functions that coarsen a value; policy chooses among them by name.

A mask gives the value to show and, where the field's type cannot hold the coarse value, null with
that value as text in `shows`, which goes into the answer's disclosure entry. A mask that does not
understand a value shows nothing of it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import re
from calendar import monthrange
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from connectors.conditions import Compare, Op
from gateway.model import EMPTY

BLOCKS: Final = "▮▮▮"

_TEXTS = frozenset({"String", "Name", "DocumentNumber", "ContactValue"})
_LISTS = (list, tuple)
_DATE = 10  # characters of YYYY-MM-DD, with which every date and time begins
_KM_PER_DEGREE = 111.32
_AGES = (18, 25, 35, 45, 55, 65)
_OUTWARD = re.compile(r"[A-Z]{1,2}[0-9][A-Z0-9]?")


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskContext:
    """What a mask may need beside the value."""

    today: date
    token_key: bytes  # of one gateway: equal values have equal tokens, and only there
    bands: Mapping[str, tuple[Any, ...]] = EMPTY  # label -> values, or (low, high) of numbers
    type: str = "String"  # the field's type in the vocabulary
    field: str = ""  # its name: "lat" and "lon" are coarsened differently


Masked: TypeAlias = tuple[Any, str | None]
Mask: TypeAlias = Callable[[Any, MaskContext], Masked]

NOTHING: Final[Masked] = (None, None)


def _nothing(value: Any, context: MaskContext) -> Masked:
    """NULL; and the manners that the shape of the answer carries out: counts, hits, other texts."""
    return NOTHING


def _redact(value: Any, context: MaskContext) -> Masked:
    """Blocks of a fixed length, so that not even the length is told."""
    return (BLOCKS, None) if isinstance(value, str) and context.type in _TEXTS else NOTHING


def _date_part(value: Any, context: MaskContext, length: int) -> Masked:
    if not isinstance(value, str) or _days(value) is None:
        return NOTHING
    coarse = value[: min(length, _DATE)]
    return (coarse, None) if context.type == "PartialDate" else (None, coarse)


def _year(value: Any, context: MaskContext) -> Masked:
    return _date_part(value, context, 4)


def _month_year(value: Any, context: MaskContext) -> Masked:
    return _date_part(value, context, 7)


def _last4(value: Any, context: MaskContext) -> Masked:
    """The last four characters, and never more than half of a short value."""
    if not isinstance(value, str):
        return NOTHING
    tail = min(4, len(value) // 2)
    coarse = "…" + value[len(value) - tail :]
    return (coarse, None) if context.type in _TEXTS else (None, coarse)


def _first_out(value: Any, context: MaskContext) -> Masked:
    """The outward half of a postcode: the last three characters are the inward half."""
    if not isinstance(value, str):
        return NOTHING
    whole = value.replace(" ", "")
    outward = whole if _OUTWARD.fullmatch(whole) else whole[:-3]
    return (outward, None) if _OUTWARD.fullmatch(outward) else NOTHING


def _age_band(value: Any, context: MaskContext) -> Masked:
    """The band of ages; two bands where the date is too inexact to tell."""
    born = _days(value) if isinstance(value, str) else None
    if born is None or born[0] > context.today:
        return NOTHING
    oldest, youngest = (_age(day, context.today) for day in born)
    labels = list(dict.fromkeys(_age_label(age) for age in range(max(youngest, 0), oldest + 1)))
    return None, " or ".join(labels)


def _age(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _age_label(age: int) -> str:
    above = [limit for limit in _AGES if limit > age]
    if len(above) == len(_AGES):
        return f"under {_AGES[0]}"
    if not above:
        return f"{_AGES[-1]} and over"
    return f"{_AGES[_AGES.index(above[0]) - 1]}-{above[0] - 1}"


def _days(text: str) -> tuple[date, date] | None:
    """The first and the last day that a full or partial date, or a time, may mean."""
    try:
        match len(text):
            case 4:
                return date(int(text), 1, 1), date(int(text), 12, 31)
            case 7:
                year, month = int(text[:4]), int(text[5:])
                return date(year, month, 1), date(year, month, monthrange(year, month)[1])
            case _:
                day = date.fromisoformat(text[:_DATE])
                return day, day
    except ValueError:
        return None


def _grid_1km(value: Any, context: MaskContext) -> Masked:
    """The middle of a cell at least one kilometre wide; of a text nothing."""
    match value:
        case {"lat": float() | int() as lat, "lon": float() | int() as lon, **rest} if not rest:
            middle = _cell(lat, 1 / _KM_PER_DEGREE)
            across = max(math.cos(math.radians(middle)), 0.01) * _KM_PER_DEGREE
            return {"lat": middle, "lon": _cell(lon, 1 / across)}, None
        case bool():
            return NOTHING
        case float() | int() if context.field == "lat":
            return _cell(value, 1 / _KM_PER_DEGREE), None
        case float() | int():
            # One degree of longitude is half as wide at 60 degrees north as at the equator:
            # without the latitude, a cell that is wide enough up to there.
            return _cell(value, 2 / _KM_PER_DEGREE), None
        case _:
            return NOTHING


def _cell(degrees: float, size: float) -> float:
    return round((math.floor(degrees / size) + 0.5) * size, 5)


def _token(value: Any, context: MaskContext) -> Masked:
    """A keyed token (HMAC-SHA-256, 80 bits shown): equal values, equal tokens, no way back."""
    if not isinstance(value, str):
        return NOTHING
    digest = hmac.digest(context.token_key, value.encode(), hashlib.sha256)
    token = "token-" + base64.b32encode(digest[:10]).decode().lower()
    return (token, None) if context.type in _TEXTS else (None, token)


def _band(value: Any, context: MaskContext) -> Masked:
    """The label of the band that holds the value."""
    for label, members in context.bands.items():
        if _in_band(value, members):
            return (label, None) if context.type in _TEXTS else (None, label)
    return NOTHING


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _in_band(value: Any, members: tuple[Any, ...]) -> bool:
    if _number(value) and len(members) == 2 and all(_number(member) for member in members):
        return bool(members[0] <= value <= members[1])
    return any(type(value) is type(member) and value == member for member in members)


def _each(mask: Mask) -> Mask:
    """The mask over null and over lists: what cannot keep its type leaves an empty list."""

    def masked(value: Any, context: MaskContext) -> Masked:
        if value is None:
            return NOTHING
        if not isinstance(value, _LISTS):
            return mask(value, context)
        each = [mask(element, context) for element in value]
        shows = dict.fromkeys(shown for _, shown in each if shown is not None)
        kept = [element for element, _ in each if element is not None]
        return kept if len(kept) == len(each) else [], ", ".join(shows) or None

    return masked


MASKS: Mapping[str, Mask] = MappingProxyType(
    {
        "NULL": _each(_nothing),
        "REDACT": _each(_redact),
        "YEAR": _each(_year),
        "MONTH_YEAR": _each(_month_year),
        "LAST4": _each(_last4),
        "FIRST_OUT": _each(_first_out),
        "AGE_BAND": _each(_age_band),
        "GRID_1KM": _each(_grid_1km),
        "TOKEN": _each(_token),
        "SANITISED_TEXT": _each(_nothing),
        "BAND": _each(_band),
        "COUNT_ONLY": _each(_nothing),
        "HIT_ONLY": _each(_nothing),
    }
)
"""Every mask of the vocabulary, by the name that policy uses."""

_ASKED = MaskContext(today=date.min, token_key=b"", type="PartialDate")


def admits(mask: str, asked: Compare) -> bool:
    """Whether a criterion is no finer than what the mask shows: the mask leaves its value as it is.

    A year, a month or a postcode district can be asked for; ends of numbers, tokens and bands
    cannot, and nor can anything under a mask that shows nothing.
    """
    if mask not in MASKS or asked.op not in {Op.EQ, Op.STARTSWITH}:
        return False
    value = asked.value.rstrip() if isinstance(asked.value, str) else None
    return value is not None and MASKS[mask](value, _ASKED) == (value, None)
