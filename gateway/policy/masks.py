"""Named functions that coarsen a value; policy chooses among them by name.

A mask gives the value to show and, where the field's type cannot hold the coarse value, null with
that value as text in `shows`, which goes into the answer's disclosure entry. A mask that does not
understand a value shows nothing of it.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from connectors.conditions import Compare, Op
from gateway.catalogue.forms import interval
from gateway.identifiers import hmac_sha256
from gateway.model import EMPTY

BLOCKS: Final = "▮▮▮"

_TEXTS = frozenset({"String", "Name", "DocumentNumber", "ContactValue"})
_LISTS = (list, tuple)
_KM_PER_DEGREE = 110.57  # of latitude at the equator, where the ellipsoid's degrees are shortest
_DEGREES: Mapping[str, int] = MappingProxyType({"lat": 180, "lon": 360})  # from end to end
_NORTHERNMOST = 72  # a longitude without its latitude has a cell that is wide enough up to here
_AGES = (18, 25, 35, 45, 55, 65)
# What follows the district may be missing, or be no more than the sector's digit after a space.
_POSTCODE = re.compile(r"([A-Z]{1,2}[0-9][A-Z0-9]?)(?: *[0-9][A-Z]{2}| +[0-9])?")


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
    """NULL; and the manners that the shape of the answer carries out: hits, other texts."""
    return NOTHING


def _redact(value: Any, context: MaskContext) -> Masked:
    """Blocks of a fixed length, so that not even the length is told."""
    return (BLOCKS, None) if isinstance(value, str) and context.type in _TEXTS else NOTHING


def _date_part(value: Any, context: MaskContext, length: int) -> Masked:
    """The beginning of a date; of a date known to lie between two, of both."""
    if _days(value) is None:
        return NOTHING
    first, *last = _day(value).split("/")
    coarse = "/".join(dict.fromkeys(end[:length] for end in (first, *last)))
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
    """The outward half of a postcode, which is its district."""
    found = _POSTCODE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return NOTHING
    kept = context.type == "Postcode" or context.type in _TEXTS
    return (found[1], None) if kept else (None, found[1])


def _age_band(value: Any, context: MaskContext) -> Masked:
    """The band of ages; two where the date is too inexact to tell, and none beyond that."""
    born = _days(value)
    if born is None or born[0] > context.today:
        return NOTHING
    oldest, youngest = (_age(day, context.today) for day in born)
    labels = dict.fromkeys(_age_label(age) for age in range(max(youngest, 0), oldest + 1))
    return (None, " or ".join(labels)) if len(labels) <= 2 else NOTHING


def _age(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _age_label(age: int) -> str:
    above = [limit for limit in _AGES if limit > age]
    if len(above) == len(_AGES):
        return f"under {_AGES[0]}"
    if not above:
        return f"{_AGES[-1]} and over"
    return f"{_AGES[_AGES.index(above[0]) - 1]}-{above[0] - 1}"


def _day(text: str) -> str:
    """A date as it is, in any of its forms; of a time its day."""
    return text.partition("T")[0]


def _days(value: Any) -> tuple[date, date] | None:
    """The first and the last day that a date in any of its forms, or a time, may mean."""
    if not isinstance(value, str):
        return None
    try:
        first, last = map(date.fromisoformat, interval(_day(value)))
    except ValueError:
        return None
    return (first, last) if first <= last else None


def _grid_1km(value: Any, context: MaskContext) -> Masked:
    """The middle of a cell at least one kilometre wide, of a latitude or of a longitude."""
    whole = _DEGREES.get(context.field)
    on_earth = whole is not None and _number(value) and abs(value) <= whole / 2
    if whole is None or not on_earth or context.type != "Float":
        return NOTHING
    # A degree of longitude is the shorter the further north. A cell is as wide everywhere as it
    # has to be at the northernmost, or it would tell the latitude, which may be withheld.
    narrowed = 1.0 if context.field == "lat" else math.cos(math.radians(_NORTHERNMOST))
    return _middle(value, whole, int(whole * _KM_PER_DEGREE * narrowed)), None


def _middle(degrees: float, whole: int, cells: int) -> float:
    """The middle of the one of so many equal cells which holds a place.

    The cells go round without a narrower one at the end: 180 degrees west are 180 degrees east,
    and the pole belongs to the cell beside it.
    """
    size = whole / cells
    number = math.floor((degrees + whole / 2) / size)
    number = number % cells if whole == 360 else min(number, cells - 1)
    return round((number + 0.5) * size - whole / 2, 5)


def _token(value: Any, context: MaskContext) -> Masked:
    """A keyed token (HMAC-SHA-256, 80 bits shown): equal values, equal tokens, no way back."""
    if not isinstance(value, str):
        return NOTHING
    digest = hmac_sha256(context.token_key, value.encode(errors="surrogatepass"))
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


def _count(value: Any, context: MaskContext) -> Masked:
    """How many a list holds; of one value nothing, as there is nothing to count."""
    return ([], str(len(value))) if isinstance(value, _LISTS) else NOTHING


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
        "COUNT_ONLY": _count,
        "HIT_ONLY": _each(_nothing),
    }
)
"""Every mask of the vocabulary, by the name that policy uses."""

_ASKABLE: Mapping[str, str] = MappingProxyType(
    {"YEAR": "PartialDate", "MONTH_YEAR": "PartialDate", "FIRST_OUT": "Postcode"}
)
"""The masks that leave a value of a kind that can be asked for, and its type."""


def admits(mask: str, asked: Compare) -> bool:
    """Whether a criterion is no finer than what the mask shows: the mask leaves its value as it is.

    A year, a month or a postcode district can be asked for; ends of numbers, tokens and bands
    cannot, and nor can anything under a mask that shows nothing.
    """
    if mask not in _ASKABLE or asked.op not in {Op.EQ, Op.STARTSWITH}:
        return False
    value = asked.value.rstrip() if isinstance(asked.value, str) else None
    about = MaskContext(today=date.min, token_key=b"", type=_ASKABLE[mask])
    return value is not None and MASKS[mask](value, about) == (value, None)
