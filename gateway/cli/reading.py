"""An answer as a person reads it: what matters first, who was found, what is not shown. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.app import DisclosureRow, Finding, RecordRow

_FIRST: Mapping[str, str] = {
    "warnings": "Warning",
    "markers": "Marker",
    "alerts": "Alert",
    "safeguarding": "Safeguarding",
}
_MORE = ("reason", "power", "state")  # what a warning, an alert or a safeguarding flag adds
_TITLES = ("primaryName", "name", "vrm", "make", "region")
_OUTCOMES = ("HIT", "MASKED", "WITHHELD")  # what somebody can act on stands first
_MOST_RECORDS = 20


def findings(body: Mapping[str, Any]) -> list[Finding]:
    """Warnings, markers, alerts and safeguarding of every record; then hits, with their desks."""
    told: dict[tuple[str, str], dict[str, None]] = {}
    for record in records(body):
        for part, kind in _FIRST.items():
            for element in record.get(part) or ():
                if element.get("kind"):
                    added = ", ".join(fact(element[name]) for name in _MORE if element.get(name))
                    text = spoken(element["kind"]) + (f": {added}" if added else "")
                    told.setdefault((kind, text), {})[str(record.get("owner", ""))] = None
    for entry in body["extensions"]["disclosure"]:
        if entry["outcome"] == "HIT":
            desk = f" Ask {entry['contact']}." if entry.get("contact") else ""
            said = " ".join(entry[n] for n in ("shows", "text") if n in entry)
            text = f"{subject_of(entry['path']).capitalize()} held. {said}{desk}"
            told.setdefault(("Hit", text), {})[entry.get("agency", "")] = None
    order = [*_FIRST.values(), "Hit"]
    return [
        Finding(kind=kind, text=text, agencies=tuple(filter(None, agencies)))
        for (kind, text), agencies in sorted(told.items(), key=lambda one: order.index(one[0][0]))
    ]


def record_rows(body: Mapping[str, Any]) -> list[RecordRow]:
    """The records found, each with its plain facts; of many only the first."""
    rows: list[RecordRow] = []
    for record in records(body):
        title = next((name for name in _TITLES if record.get(name)), None)
        facts = [
            (spoken(name), fact(value))
            for name, value in record.items()
            if name not in {title, "owner", "system", "ref"}
            and isinstance(value, str | int | float)
            and value != ""
        ]
        band = (record.get("match") or {}).get("band")
        if band:
            facts.append(("match", spoken(band).lower()))
        rows.append(
            RecordRow(
                agency=str(record.get("owner", "")),
                title=_title(record),
                facts=tuple(facts),
            )
        )
    return rows[:_MOST_RECORDS]


def disclosure_rows(body: Mapping[str, Any]) -> list[DisclosureRow]:
    """What is not shown in full; agencies that say the same of the same stand together."""
    rows: dict[tuple[str, str, str, str, str], dict[str, None]] = {}
    for entry in body["extensions"]["disclosure"]:
        text = str(entry.get("text", ""))
        if shows := entry.get("shows"):
            beside = "Conditions" if entry["outcome"] == "SHOWN" else "Shown instead"
            text = f"{text} {beside}: {shows.removesuffix('.')}.".strip()
        what = (subject_of(entry["path"]), entry["outcome"], text, entry.get("contact", ""),
                entry.get("action", ""))  # fmt: skip
        rows.setdefault(what, {})[entry.get("agency", "")] = None
    ordered = sorted(rows.items(), key=lambda one: _rank(one[0][1]))
    return [
        DisclosureRow(
            path=path,
            agency=", ".join(filter(None, agencies)),
            outcome=outcome,
            text=text,
            desk=desk,
            next_step=next_step,
        )
        for (path, outcome, text, desk, next_step), agencies in ordered
    ]


def _title(record: Mapping[str, Any]) -> str:
    """A name as its owner spells it, else what tells this record from others."""
    name = next((name for name in _TITLES if record.get(name)), None)
    if name is None:
        return "A record"
    return fact(record[name]).capitalize() if name == "region" else str(record[name])


def records(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The records at the top of an answer, whichever root fields it has."""
    for value in (body.get("data") or {}).values():
        found = value.get("hits") if isinstance(value, dict) else value
        yield from (one for one in found or () if isinstance(one, dict))


def subject_of(path: str) -> str:
    """`personSearch.hits.*.immigration.status` -> `immigration status`: what an entry is about."""
    steps = [step for step in path.split(".") if step != "*" and not step.isdigit()]
    steps = [step for step in steps[1:] if step not in {"hits", "value"}] or steps
    return " ".join(spoken(step) for step in steps)


def spoken(code: str) -> str:
    """`MENTAL_HEALTH` -> `Mental health`, `dateOfBirth` -> `date of birth`, `NRM` as it is."""
    if "_" in code or (code.isupper() and len(code) > 4):
        return code.replace("_", " ").capitalize()
    return code if code.isupper() else re.sub(r"(?<=[a-z])([A-Z])", r" \1", code).lower()


def fact(value: str | int | float) -> str:
    """One value as a person would say it."""
    match value:
        case bool():
            return "yes" if value else "no"
        case str() if re.fullmatch(r"[A-Z][A-Z_]{3,}", value):
            return value.replace("_", " ").lower()
        case _:
            return str(value)


def _rank(outcome: str) -> int:
    return _OUTCOMES.index(outcome) if outcome in _OUTCOMES else len(_OUTCOMES)
