"""Fields that the gateway works out from a record's own values. Only permitted values come here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, TypeAlias

from gateway.catalogue.forms import interval, passes_check, utc_text
from gateway.catalogue.grid import reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When the question was asked, and how long a link to an image lives."""

    now: datetime
    image_link_ttl_s: int = 300


Derive: TypeAlias = Callable[[Mapping[str, Any], Moment], Any]

DISPUTED = "\0disputed"
"""Marks a record of somebody who may be a child by another record's date."""

_KINDS = ("LEGAL", "CLAIMED", "TRANSLITERATED", "ALIAS", "MAIDEN", "NICK")


def _primary_name(values: Mapping[str, Any], _moment: Moment) -> str | None:
    """The most formal name held, as one text."""
    names = values.get("names") or ()
    ranked = sorted(
        names,
        key=lambda n: _KINDS.index(n["kind"]) if n.get("kind") in _KINDS else len(_KINDS),
    )
    for name in ranked:
        text = name.get("full") or " ".join(filter(None, (name.get("given"), name.get("family"))))
        if text:
            return str(text)
    return None


def _dob_quality(values: Mapping[str, Any], _moment: Moment) -> str | None:
    born = values.get("date_of_birth")
    if not isinstance(born, str):
        return None
    if values.get("dob_claimed"):
        return "CLAIMED"
    if "/" in born:
        return "ESTIMATED"
    return {4: "YEAR_ONLY", 7: "ESTIMATED"}.get(len(born), "EXACT")


def _age_state(values: Mapping[str, Any], moment: Moment) -> str:
    """Whether somebody is proved an adult. An unknown date proves none, nor does an adult's date
    that rests on their own word or that another record of theirs contradicts."""
    by_date = _age_by_date(values, moment)
    doubted = values.get("dob_claimed") or values.get(DISPUTED)
    return "DISPUTED" if by_date == "ADULT" and doubted else by_date


def may_be_child(values: Mapping[str, Any], moment: Moment) -> bool:
    """Whether the date of birth that a record has may be that of somebody under eighteen."""
    return _age_by_date(values, moment) in {"CHILD", "DISPUTED"}


def _age_by_date(values: Mapping[str, Any], moment: Moment) -> str:
    born = values.get("date_of_birth")
    if not isinstance(born, str):
        return "UNKNOWN"
    earliest, latest = interval(born)
    eighteen = moment.now.date()
    limit = f"{eighteen.year - 18:04}-{eighteen:%m-%d}"
    if latest <= limit:
        return "ADULT"
    return "CHILD" if earliest > limit else "DISPUTED"


def _checksum_ok(values: Mapping[str, Any], _moment: Moment) -> bool | None:
    """Of an identifier: whether its number passes the check of its kind."""
    kind, value = values.get("kind"), values.get("value")
    return passes_check(kind, value) if isinstance(kind, str) and isinstance(value, str) else None


def _grid_ref(values: Mapping[str, Any], _moment: Moment) -> str | None:
    """Of a place: where its point lies on the national grid."""
    for point in values.get("point") or ():
        lat, lon = point.get("lat"), point.get("lon")
        if isinstance(lat, float) and isinstance(lon, float):
            return reference(lat, lon)
    return None


def _within_day(values: Mapping[str, Any], moment: Moment) -> bool:
    when = values.get("when")
    return isinstance(when, str) and when >= utc_text(moment.now - timedelta(days=1))


def _link_expiry(_values: Mapping[str, Any], moment: Moment) -> str:
    return utc_text(moment.now + timedelta(seconds=moment.image_link_ttl_s))


def _score(values: Mapping[str, Any], _moment: Moment) -> Any:
    score = values.get("\0score")
    return round(score, 4) if isinstance(score, float) else None


def _score_band(values: Mapping[str, Any], _moment: Moment) -> str | None:
    score, threshold = values.get("\0score"), values.get("\0threshold")
    if not isinstance(score, float) or not isinstance(threshold, float):
        return None
    if score >= threshold + (1 - threshold) / 2:
        return "well above the threshold"
    return "above the threshold" if score >= threshold else "below the threshold"


DERIVED: Mapping[str, Derive] = MappingProxyType(
    {
        "primary_name": _primary_name,
        "dob_quality": _dob_quality,
        "age_state": _age_state,
        "checksum_ok": _checksum_ok,
        "grid_ref": _grid_ref,
        "within_day": _within_day,
        "link_expiry": _link_expiry,
        "rank": lambda values, _moment: values.get("\0rank"),
        "score": _score,
        "score_band": _score_band,
    }
)
"""By the name that the vocabulary gives in `derived`."""
