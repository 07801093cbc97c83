"""What NCB holds of the population, in the shapes of ncb.graphql (domain-model.md 3.5)."""

from __future__ import annotations

import calendar
import hashlib
import hmac
import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any
from zlib import crc32

from deploy.demo.population import (
    THEMES,
    Agency,
    Birth,
    Copy,
    Disruption,
    Governance,
    Group,
    Name,
    Operation,
    Person,
    Population,
    Report,
)

# Agencies that deconflict share this key; here it guards invented values only.
SELECTOR_KEY = b"portcullis-demo-selectors"
_SPACE = uuid.UUID("6f1d3a52-93c4-5d0e-8a77-0d6f5b1c2e90")
_GENDERS = {"MALE": "MAN", "FEMALE": "WOMAN", "OTHER": "NON_BINARY"}
_VARIANTS = {"LEGAL": "PRIMARY", "NICK": "NICK", "TRANSLITERATED": "TRANSLITERATED"}
_POSTURES = {
    "MUTUAL": "OVERT_NOTIFY",
    "ASKER_ONLY": "ASK_DESK",
    "DESK_ONLY": "ASK_DESK",
    "OWNER_ONLY": "SILENT_NOTIFY_US",
}
_STATUS = {
    "NONE": "DORMANT",
    "DEVELOPING": "UNDER_ASSESSMENT",
    "ACTIVE": "LIVE",
    "CLOSED": "ARCHIVED",
}
_IMPACT = {"MAJOR": "SIGNIFICANT", "MODERATE": "NOTABLE", "MINOR": "LIMITED"}
_REFERRAL = {"OPEN": "OPEN", "CONCLUDED": "DECIDED"}


def write_ncb(path: Path, population: Population) -> None:
    """Write the file that `deploy.demo.services.ncb` serves."""
    groups = [group for group in population.groups if Agency.NCB in group.refs]
    held = {
        "nominals": [_nominal(*both) for both in population.held_by(Agency.NCB)],
        "operations": [_operation(o) for o in population.operations if o.owner == Agency.NCB],
        "criminalGroups": [_group(group) for group in groups],
        "memberships": list(_memberships(groups, population)),
        "disruptions": list(_disruptions(groups, population.disruptions)),
        "referrals": list(_referrals(population)),
        "intelReports": [
            _report(report, population, groups)
            for report in population.reports
            if report.agency == Agency.NCB
        ],
    }
    path.write_text(json.dumps(held, ensure_ascii=False), encoding="utf-8")


def selector_hash(kind: str, value: str) -> str:
    """The keyed hash by which two agencies can see that they mean the same thing."""
    return hmac.new(SELECTOR_KEY, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()


def guid_of(kind: str, ref: str) -> str:
    """NCB's own key for a thing that is no person."""
    return str(uuid.uuid5(_SPACE, f"{kind}:{ref}"))


def posture_of(key: str, *, silent: bool) -> str:
    """How NCB wants to hear of whoever looks: a few by their desk, and of some silent ones too."""
    usual, other = ("SILENT", "SILENT_NOTIFY_US") if silent else ("OVERT_NOTIFY", "ASK_DESK")
    return other if crc32(key.encode()) % 3 == 0 else usual


def _nominal(person: Person, copy: Copy) -> dict[str, Any]:
    identifiers = [
        {"kind": document.kind, "value": document.number, "issuer": document.issuer}
        for document in copy.documents
    ]
    if person.pncid:
        identifiers.append({"kind": "PNCID", "value": person.pncid, "issuer": "GB"})
    return {
        "guid": copy.key,
        "nomenclature": [_name(name) for name in (copy.name, *copy.aliases)],
        "birth": _birth(copy.birth),
        "genderIdentity": _GENDERS.get(copy.sex, "UNDISCLOSED"),
        "nationalities": [person.nationality],
        "identifiers": identifiers,
        "phones": [{"msisdn": phone} for phone in copy.phones],
        "posture": posture_of(copy.key, silent=copy.silent),
        "warnings": [
            {"kind": w.kind, "sanitised": w.sanitised or None, "addedOn": w.added.isoformat()}
            for w in person.warnings
            if w.owner == Agency.NCB
        ],
        "alerts": [
            {"kind": a.kind, "power": a.power, "contact": a.contact, "discreet": a.discreet}
            for a in person.alerts
            if a.owner == Agency.NCB
        ],
        "governance": _governance(copy.governance),
    }


def _name(name: Name) -> Mapping[str, str]:
    given = " ".join(part for part in (name.given, name.middle) if part)
    written = ", ".join(part for part in (name.family.upper(), given) if part)
    return {"value": written, "variant": _VARIANTS.get(name.kind, "ALIAS")}


def _birth(birth: Birth) -> Mapping[str, str | None]:
    """A range always: from the first to the last day that the known parts allow."""
    earliest, latest = birth.earliest, birth.latest
    if birth.year and not (earliest or latest):
        first, last = birth.month or 1, birth.month or 12
        end = birth.day or calendar.monthrange(birth.year, last)[1]
        earliest = date(birth.year, first, birth.day or 1)
        latest = date(birth.year, last, end)
    return {"earliest": _day(earliest), "latest": _day(latest)}


def _operation(operation: Operation) -> dict[str, Any]:
    posture = _POSTURES[operation.mode]
    return {
        "guid": guid_of("operation", operation.ref),
        "codename": operation.codename,
        "covert": operation.covert,
        "posture": posture,
        "subjects": [{"selectorHash": selector_hash(*term)} for term in operation.selectors],
        "window": {"start": operation.start.isoformat(), "end": operation.end.isoformat()},
        "liaison": operation.contact,
        "governance": _own("OFFICIAL_SENSITIVE", operation.start),
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "guid": guid_of("group", group.ref),
        "hid": group.refs[Agency.NCB],
        "title": group.name,
        "posture": posture_of(group.ref, silent=group.silent),
        "oic": group.oic,
        "region": group.region,
        "crimeTypes": list(group.crime_types),
        "threatBand": _band(group),
        "attributeScore": group.attribute_score,
        "morile": dict(zip(THEMES, group.thematic, strict=True)),
        "morileTotal": group.thematic_total,
        "ownership": _ownership(group),
        "status": _STATUS[group.investigation],
        "lastReview": group.last_review.isoformat(),
        "governance": _own("OFFICIAL_SENSITIVE", group.last_review),
    }


def _ownership(group: Group) -> list[dict[str, Any]]:
    """The lead has the greatest share of the work."""
    shared = 0.2 * len(group.support)
    supporting = [{"agency": agency, "share": 0.2} for agency in group.support]
    return [*supporting, {"agency": group.lead, "share": round(1 - shared, 1)}]


def _band(group: Group) -> str:
    """BAND_1 is the highest; high and low are each cut in two."""
    match group.attribute_band:
        case "HIGH":
            return "BAND_1" if group.attribute_score >= 85 else "BAND_2"
        case "LOW":
            return "BAND_4" if group.attribute_score >= 15 else "BAND_5"
        case _:
            return "BAND_3"


def _memberships(groups: Iterable[Group], population: Population) -> Iterable[dict[str, Any]]:
    for group in groups:
        for member in group.members:
            copy = population.people[member.person].copies.get(Agency.NCB)
            if copy is not None:
                yield {
                    "nominalGuid": copy.key,
                    "groupGuid": guid_of("group", group.ref),
                    "role": member.role,
                    "confidence": member.confidence,
                }


def _disruptions(
    groups: Iterable[Group], disruptions: Iterable[Disruption]
) -> Iterable[dict[str, Any]]:
    known = {group.ref for group in groups}
    for done in disruptions:
        if Agency.NCB in done.claimed_by:
            yield {
                "guid": guid_of("disruption", done.ref),
                "groupGuid": guid_of("group", done.group) if done.group in known else None,
                "on": done.on.isoformat(),
                "impact": _IMPACT[done.grade],
                "pillar": done.strand,
                "lead": done.lead,
                "contributors": list(done.claimed_by),
                "summary": done.summary,
                "eventKey": done.event_key,
                "governance": _own("OFFICIAL_SENSITIVE", done.on),
            }


def _referrals(population: Population) -> Iterable[dict[str, Any]]:
    for referral in population.referrals:
        copy = population.people[referral.person].copies.get(Agency.NCB)
        if copy is not None:
            yield {
                "guid": guid_of("referral", referral.ref),
                "nominalGuid": copy.key,
                "state": _REFERRAL[referral.state],
                "outcome": referral.outcome,
                "referredOn": referral.referred_on.isoformat(),
                "governance": _own("OFFICIAL_SENSITIVE", referral.referred_on),
            }


def _report(report: Report, population: Population, groups: Iterable[Group]) -> dict[str, Any]:
    known = {group.ref for group in groups}
    copies = (population.people[person].copies.get(Agency.NCB) for person in report.subjects)
    return {
        "guid": guid_of("report", report.urn),
        "urn": report.urn,
        "on": report.at.date().isoformat(),
        "title": report.title,
        "text": report.text,
        "sanitised": report.sanitised,
        "bearsOnSafety": report.bears_on_safety,
        "posture": posture_of(report.urn, silent=report.silent),
        "paragraphs": [
            {
                "number": number,
                "text": paragraph.text,
                "handling": paragraph.handling,
                "conditions": list(paragraph.conditions),
                "sourceGrade": paragraph.source_grade,
                "infoGrade": paragraph.info_grade,
            }
            for number, paragraph in enumerate(report.paragraphs, start=1)
        ],
        "subjectGuids": [copy.key for copy in copies if copy is not None],
        "groupGuids": [guid_of("group", ref) for ref in report.groups if ref in known],
        "msisdns": list(report.phones),
        "vrms": list(report.vrms),
        "governance": _governance(report.governance),
    }


def _governance(held: Governance) -> dict[str, Any]:
    return {
        "marking": held.marking,
        "handling": held.handling,
        "conditions": list(held.conditions),
        "sourceGrade": held.source_grade,
        "infoGrade": held.info_grade,
        "retention": held.retention,
        "reviewDate": _day(held.review_on),
        "recordedAt": held.recorded_at.isoformat().replace("+00:00", "Z"),
    }


def _own(marking: str, recorded: date) -> dict[str, Any]:
    """The header of NCB's own work, which carries no grading."""
    return {
        "marking": marking,
        "handling": "P",
        "conditions": [],
        "sourceGrade": None,
        "infoGrade": None,
        "retention": "CURRENT",
        "reviewDate": None,
        "recordedAt": f"{recorded.isoformat()}T00:00:00Z",
    }


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
