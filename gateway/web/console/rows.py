"""Searches and receipts as the console's pages list them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway.audit.found import Asked, Receipt, Row
from gateway.audit.index import Found
from gateway.web.times import When, when

KINDS: Final[Mapping[str, str]] = {
    "I": "Query",
    "O": "Query",
    "R": "Malformed",
    "D": "Denied",
    "F": "Failed sign-in",
    "V": "View of the record",
    "P": "Policy",
    "K": "Keys and the log itself",
}
"""What an entry's kind is called."""
_MOST_VALUES: Final = 4
_MOST_CHARS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One search in a list."""

    index: int
    at: When
    kind: str
    agency: str
    officer: str  # "" where that is not for whoever looks
    roles: str
    purpose: str
    reason: str  # code
    words: str
    case: str
    asked: tuple[str, ...]  # what was typed, in short
    sealed_for: str  # the agency whose auditors read what was asked; "" where it stands here
    outcome: str
    tone: str  # of the outcome: good, calm, alert or bad
    records: int
    masked: int
    withheld: int
    missing: tuple[str, ...]  # sources that gave nothing
    glass: bool
    many_agencies: bool


def line(row: Row, zone: ZoneInfo, *, own: bool = False) -> Line:
    """A search as a list shows it; to whoever asked (`own`) without counts of what they were not
    shown, since these count what was silent."""
    found, asked = row.found, row.asked or Asked()
    outcome, tone = outcome_of(found)
    return Line(
        index=found.idx,
        at=when(found.at, zone),
        kind=KINDS.get(found.kind, found.kind),
        agency=found.agency or "nobody known",
        officer=asked.officer,
        roles=", ".join(asked.roles),
        purpose=found.purpose,
        reason=found.reason,
        words=asked.reason,
        case=asked.case or asked.incident,
        asked=in_short(asked),
        sealed_for="" if row.asked else found.agency,
        outcome=outcome,
        tone=tone,
        records=found.records,
        masked=0 if own else found.masked,
        withheld=0 if own else found.withheld,
        missing=tuple(name for name, state in found.sources.items() if state in _NOTHING),
        glass=found.glass,
        many_agencies=found.tag == "combination",
    )


_NOTHING: Final = frozenset({"RATE_LIMITED", "TIMED_OUT", "UNAVAILABLE", "FAULT"})


def outcome_of(found: Found) -> tuple[str, str]:
    """How a search ended, in a word, and how it is coloured."""
    if found.kind == "V":
        return "viewed", "calm"
    if found.code == "REFUSED":
        return "refused", "alert"
    if found.code:
        return found.code.replace("_", " ").lower(), "bad"
    if not found.answered:
        return "cut off", "bad"
    if found.records:
        return f"{found.records} shown", "good"
    return "nothing shown", "calm"


def in_short(asked: Asked) -> tuple[str, ...]:
    """The values that were given, or what was looked for in a view; a few, and cut."""
    held = _values(asked.variables) or _values(asked.looked) or _values(asked.casework)
    short = tuple(dict.fromkeys(held))
    cut = [one if len(one) <= _MOST_CHARS else one[: _MOST_CHARS - 1] + "…" for one in short]
    more = (f"and {len(cut) - _MOST_VALUES} more",) if len(cut) > _MOST_VALUES else ()
    return (*cut[:_MOST_VALUES], *more)


def _values(held: Any) -> list[str]:
    if isinstance(held, Mapping):
        return [text for value in held.values() for text in _values(value)]
    if isinstance(held, Sequence) and not isinstance(held, str):
        return [text for value in held for text in _values(value)]
    if held is None or isinstance(held, bool):
        return []
    return [str(held)]


def pretty(held: Mapping[str, Any]) -> str:
    """JSON to read; "" for nothing."""
    return json.dumps(held, indent=2, ensure_ascii=False, sort_keys=True) if held else ""


@dataclass(frozen=True, slots=True)
class ShownLine:
    """Records of one kind in a receipt."""

    source: str
    entity: str
    how: str
    fields: tuple[str, ...]
    times: int


@dataclass(frozen=True, slots=True)
class ToldLine:
    """What was masked or withheld at a place of the answer."""

    place: str
    outcome: str
    mask: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptLine:
    """What one answer showed of an agency's records."""

    index: int
    at: When
    agency: str
    mark: str
    purpose: str
    reason: str
    tag: str
    glass: bool
    shown: tuple[ShownLine, ...]
    told: tuple[ToldLine, ...]


def receipt_line(receipt: Receipt, zone: ZoneInfo) -> ReceiptLine:
    """A receipt with what is alike put together."""
    counted: dict[tuple[str, str, str, tuple[str, ...]], int] = {}
    for one in receipt.shown:
        key = (one.source, one.entity, "told of as a hit" if one.hit else "shown", one.fields)
        counted[key] = counted.get(key, 0) + 1
    return ReceiptLine(
        index=receipt.index,
        at=when(receipt.at, zone),
        agency=receipt.agency,
        mark=receipt.mark,
        purpose=receipt.purpose,
        reason=receipt.reason,
        tag=receipt.tag,
        glass=receipt.glass,
        shown=tuple(ShownLine(*key, times) for key, times in counted.items()),
        told=tuple(dict.fromkeys(ToldLine(*one) for one in receipt.told)),
    )
