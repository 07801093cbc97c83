"""What BID holds of the population, written in BID's own shapes and codes (domain-model.md 3.3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

import pycountry

from deploy.demo.population import (
    Agency,
    Alert,
    Birth,
    Copy,
    Document,
    Encounter,
    Name,
    Occupancy,
    Person,
    Population,
)

_NAME_TYPES = {"CLAIMED": "CLM", "DOCUMENT": "DOC"}
_GENDERS = {"MALE": "MALE", "FEMALE": "FEMALE"}
_STATUS = {
    "LEAVE": 110,
    "OVERSTAYER": 220,
    "ASYLUM_PENDING": 310,
    "REFUSED": 410,
    "ABSCONDER": 510,
    "CITIZEN": 900,
}
_METHODS = {"SMALL_BOAT": "SB", "LORRY": "LD", "AIR": "AIR", "IN_COUNTRY": "INC"}
_DEBRIEF = {"NONE": 0, "PARTIAL": 1, "FULL": 2}
_RETENTION = {"CURRENT": "RET", "REVIEW_DUE": "REV", "DISPOSE": "DIS", "RESTRICTED": "RST"}
_NEEDS = {"CHILD": "MINOR_CLAIMED", "NRM": "NRM", "HEALTH": "MEDICAL"}
_PLACES = {"HOME": "RES", "ASYLUM_ACCOMMODATION": "ACC"}
_FIRST_ISSUED = date(2017, 1, 2)
_ALPHA3 = {country.alpha_2: country.alpha_3 for country in pycountry.countries}


def write_bid(path: Path, population: Population) -> None:
    """Write the file that `deploy.demo.services.bid` serves."""
    encounters = [
        _encounter(met, population.people[met.person].copies[Agency.BID])
        for met in population.encounters
        if Agency.BID in population.people[met.person].copies
    ]
    needs: dict[str, set[str]] = {}
    for met in encounters:
        needs.setdefault(met["personRef"], set()).update(met["needs"])
    gold = frozenset(population.gold.values())
    persons = [
        _person(person, copy, needs.get(copy.key, set()), spoil=person.truth_id not in gold)
        for person, copy in population.held_by(Agency.BID)
    ]
    path.write_text(
        json.dumps({"persons": persons, "encounters": encounters}, ensure_ascii=False),
        encoding="utf-8",
    )


def _person(person: Person, copy: Copy, needs: set[str], *, spoil: bool) -> dict[str, Any]:
    known = {_NEEDS[s.kind] for s in person.safeguards if _flagged_here(s.owner, s.kind)}
    governance = copy.governance
    return {
        "personRef": copy.key,
        "restricted": copy.restricted,
        "biographic": {
            "names": [_name(name, copy.birth) for name in (copy.name, *copy.aliases)],
            "dateOfBirth": _date_of_birth(copy.birth),
            "gender": _GENDERS.get(copy.sex, "UNSPECIFIED"),
            "placeOfBirth": {
                "town": person.birth_place,
                "country": _ALPHA3.get(person.nationality),
            },
        },
        "nationality": [_nationality(person.nationality, copy.key, spoil=spoil)],
        "status": _status(person),
        "documents": [_document(document) for document in copy.documents],
        "phones": [{"msisdn": phone.lstrip("+")} for phone in copy.phones],
        "addresses": [_address(o) for o in person.occupancies if o.kind in _PLACES],
        "needs": sorted(known | needs),
        "alerts": [_alert(alert) for alert in person.alerts if alert.owner == Agency.BID],
        "discreet": copy.silent,
        "retention": _RETENTION[governance.retention],
        "reviewOn": _day(governance.review_on),
        "marking": governance.marking,
        "handling": governance.handling,
        "handlingConditions": list(governance.conditions),
        "sourceGrade": governance.source_grade,
        "infoGrade": governance.info_grade,
        "recordedAt": _epoch_ms(governance.recorded_at),
    }


def _flagged_here(owner: Agency, kind: str) -> bool:
    return owner == Agency.BID and kind in _NEEDS


def _name(name: Name, birth: Birth) -> Mapping[str, Any]:
    unsaid = "CLM" if birth.claimed else "DOC"  # a legal name is one or the other here
    kind = _NAME_TYPES.get(name.kind, unsaid if name.kind == "LEGAL" else "AKA")
    given = " ".join(part for part in (name.given, name.middle) if part)
    return {"type": kind, "family": name.family, "given": given, "nativeScript": name.native}


def _date_of_birth(birth: Birth) -> Mapping[str, int | None]:
    return {"y": birth.year, "m": birth.month, "d": birth.day}


def _nationality(alpha2: str, key: str, *, spoil: bool) -> str:
    """ISO 3166 alpha-3; a few are recorded as unspecified or stateless whatever is true."""
    draw = crc32(key.encode()) % 50
    if spoil and draw < 2:
        return ("XXX", "XXA")[draw]
    return _ALPHA3.get(alpha2, "XXX")


def _status(person: Person) -> Mapping[str, Any] | None:
    held = person.immigration
    if held is None:
        return None
    return {
        "code": _STATUS[held.status],
        "since": _day(held.since),
        "caseState": held.case_state,
        "conditions": held.conditions,
        "expiry": _day(held.expiry),
    }


def _document(document: Document) -> Mapping[str, Any]:
    # drawn from the number alone: two bearers of one document know the same days
    issued = _FIRST_ISSUED + timedelta(days=crc32(document.number.encode()) % 3000)
    years = 10 if document.kind == "PASSPORT" else 5
    return {
        "number": document.number,
        "type": document.kind,
        "issuer": _ALPHA3.get(document.issuer, document.issuer),
        "genuine": document.genuine,
        "validFrom": _day(issued),
        "validTo": _day(issued + timedelta(days=years * 365)),
    }


def _address(occupancy: Occupancy) -> Mapping[str, Any]:
    place = occupancy.address
    return {
        "kind": _PLACES[occupancy.kind],
        "placeRef": place.key,
        "line": place.line,
        "town": place.town,
        "postcode": place.postcode,
        "lat": place.lat,
        "lon": place.lon,
        "since": _day(occupancy.since),
        "until": _day(occupancy.until),
    }


def _alert(alert: Alert) -> Mapping[str, Any]:
    return {
        "kind": alert.kind,
        "power": alert.power,
        "contact": alert.contact,
        "discreet": alert.discreet,
        "addedOn": _day(alert.added),
    }


def _encounter(met: Encounter, copy: Copy) -> dict[str, Any]:
    return {
        "encounterRef": met.ref,
        "personRef": copy.key,
        "at": _epoch_ms(met.at),
        "method": _METHODS[met.method],
        "debrief": _DEBRIEF[met.debrief],
        "imageTaken": met.image_taken,
        "biometricsTaken": met.biometrics_taken,
        "phoneTaken": met.phone_seized,
        "claimedName": met.claimed_name,
        "claimedDob": _date_of_birth(met.claimed_birth),
        "languages": list(met.languages),
        "landingRef": met.landing,
        "site": {
            "name": met.site.name,
            "kind": met.site.kind,
            "postcode": met.site.postcode,
            "lat": met.site.lat,
            "lon": met.site.lon,
        },
        "devices": [
            {
                "imei": device.imei,
                "msisdn": device.phone.lstrip("+"),
                "seizedAt": _epoch_ms(device.seized_at),
                "extract": device.extract_state,
            }
            for device in met.devices
        ],
        "documents": [_document(document) for document in met.documents],
        "needs": list(met.needs),
        "retention": _RETENTION[copy.governance.retention],
    }


def _epoch_ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
