"""Conversions that a mapping names because it cannot express them. None can be searched by."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pycountry

from gateway.catalogue.codec import Codec, Decode, without
from gateway.catalogue.forms import settled
from gateway.catalogue.grid import degrees


def _osgb36(raw: Sequence[Any], axis: int) -> float | None:
    """British National Grid easting and northing (metres) to WGS 84 degrees."""
    if raw[0] is None or raw[1] is None:
        return None
    return round(degrees(float(raw[0]), float(raw[1]))[axis], 5)


def _iso3(raw: Sequence[Any]) -> str | None:
    """ISO 3166 alpha-3 to alpha-2; the codes for stateless and unspecified have none."""
    country = pycountry.countries.get(alpha_3=str(raw[0] or "").strip().upper())
    return str(country.alpha_2) if country else None


_DEMONYMS = {
    "ALBANIAN": "AL", "VIETNAMESE": "VN", "IRAQI": "IQ", "IRANIAN": "IR", "SYRIAN": "SY",
    "ROMANIAN": "RO", "BRITISH": "GB", "UK": "GB", "AFGHAN": "AF", "TURKISH": "TR",
    "ERITREAN": "ER", "SUDANESE": "SD", "EGYPTIAN": "EG", "KURDISH": "IQ", "IRISH": "IE",
    "MOLDOVAN": "MD", "KOSOVAN": "XK",
}  # fmt: skip


def _nationality(raw: Sequence[Any]) -> str | None:
    """Free text for a nationality to ISO 3166 alpha-2."""
    text = re.sub(r"[?\s]", "", str(raw[0] or "")).upper()
    if text in _DEMONYMS:
        return _DEMONYMS[text]
    try:
        return str(pycountry.countries.lookup(text).alpha_2) if text else None
    except LookupError:
        return None


def _doubtful(raw: Sequence[Any]) -> bool | None:
    """Whether a text carries a question mark."""
    return None if raw[0] is None else "?" in str(raw[0])


def _grade(raw: Sequence[Any], position: int) -> str | None:
    """One part of a grading written `2/C/P`."""
    pieces = str(raw[0] or "").split("/")
    return pieces[position].strip() if len(pieces) == 3 else None


def _given_first(raw: Sequence[Any]) -> str | None:
    """A name written `FAMILY, Given Middle` in the order in which it is said."""
    family, _, given = str(raw[0] or "").partition(",")
    return " ".join(part for part in (given.strip(), family.strip()) if part) or None


def _name_order(raw: Sequence[Any]) -> str | None:
    """Which part of a name in one text stands first: a comma says so, without one nobody can."""
    if not raw[0]:
        return None
    return "FAMILY_FIRST" if "," in str(raw[0]) else "UNKNOWN"


def _greatest(raw: Sequence[Any]) -> Any:
    """The element of a list whose number, in a second list, is the greatest."""
    names, numbers = (value if isinstance(value, list) else [] for value in raw[:2])
    ranked = [(n, name) for name, n in zip(names, numbers, strict=False) if n is not None]
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else None


def _lesser(raw: Sequence[Any]) -> list[Any]:
    """All the others, in the order in which they are listed."""
    names = raw[0] if isinstance(raw[0], list) else []
    return [name for name in names if name != _greatest(raw)]


def _not_all_shared(raw: Sequence[Any]) -> bool:
    """Whether a list of handling codes holds any but P; what is no list is not known to be P."""
    return not isinstance(raw[0], list) or any(code != "P" for code in raw[0])


_SOURCE_GRADES = {"1": "RELIABLE", "2": "UNTESTED", "3": "NOT_RELIABLE"}

FUNCTIONS: Mapping[str, Decode] = {
    "osgb36_lat": lambda raw: _osgb36(raw, 0),
    "osgb36_lon": lambda raw: _osgb36(raw, 1),
    "iso3": _iso3,
    "nationality": _nationality,
    "doubtful": _doubtful,
    "grade_source": lambda raw: _SOURCE_GRADES.get(_grade(raw, 0) or ""),
    "grade_info": lambda raw: _grade(raw, 1),
    "grade_handling": lambda raw: _grade(raw, 2),
    "present": lambda raw: raw[0] not in (None, "", []),
    "absent": lambda raw: raw[0] in (None, "", []),
    "given_first": _given_first,
    "name_order": _name_order,
    "not_all_shared": _not_all_shared,
    "greatest": _greatest,
    "lesser": _lesser,
    "sum": lambda raw: sum(v for v in raw if isinstance(v, int)),
}
"""Conversions that a mapping names because it cannot express them. None can be searched by."""


def named_codec(name: str, columns: tuple[str, ...], scalar: str, nulls: Sequence[Any]) -> Codec:
    if name not in FUNCTIONS:
        raise ValueError(f"there is no function {name!r}; there are {', '.join(FUNCTIONS)}")
    function = FUNCTIONS[name]

    def decode(raw: Sequence[Any]) -> Any:
        return settled(scalar, function([without(nulls, value) for value in raw]))

    return Codec(columns=columns, decode=decode, encode=lambda _op, _asked: None)
