"""NMC, Northmarch Constabulary: a legacy records system on PostgreSQL.

Its own ways: upper case, no apostrophes, surnames cut at 25, `1900-01-01` for an unknown birth
date, local times without zone, plates and phones in several forms, coordinates of OSGB36.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import asyncpg
import sqlalchemy as sa

from deploy.demo.agencies.nmc_looks import description, ethnicity, marks
from deploy.demo.agencies.nmc_schema import finishing_statements, schema_statements
from deploy.demo.agencies.writing import local
from deploy.demo.noise import latinised
from deploy.demo.world.happenings import (
    Incident,
    Population,
    Vehicle,
)
from deploy.demo.world.truth import (
    Agency,
    Custody,
    Governance,
    Name,
)

UNKNOWN_BIRTH = date(1900, 1, 1)
SURNAME_LENGTH = 25
_SEXES = {"MALE": 1, "FEMALE": 2, "OTHER": 9, "NOT_RECORDED": 0}
_RETENTION = {"CURRENT": "A", "REVIEW_DUE": "R", "DISPOSE": "D", "RESTRICTED": "X"}
_MARKS = {"OFFICIAL": "O", "OFFICIAL_SENSITIVE": "OS"}
WARNINGS = {
    "FIREARMS_CERT": "FI",
    "VIOLENT": "VI",
    "WEAPONS": "WE",
    "ESCAPER": "ES",
    "ALLEGES": "AL",
    "MENTAL_HEALTH": "MH",
    "DRUGS": "DR",
}
_ALERTS = {"WANTED": "WTD", "MISSING": "MIS", "LOCATE": "LOC", "BORDER_STOP": "BDR", "BAIL": "BAI"}
_ROLES = {"SUSPECT": "S", "CONVICTED": "D", "VICTIM": "V", "WITNESS": "W"}
_DISPOSALS = {
    "CHARGED": "CHG",
    "NO_FURTHER_ACTION": "NFA",
    "BAILED": "BAIL",
    "UNDER_INVESTIGATION": "RUI",
    "CAUTIONED": "CAU",
}
_OUTCOMES = {
    "CONVICTED": "CON",
    "CHARGED": "CHG",
    "CAUTIONED": "CAU",
    "NO_FURTHER_ACTION": "NFA",
    "PENDING": "PEN",
}
_STATUSES = {"OPEN": "O", "UNDER_INVESTIGATION": "I", "CLOSED": "C"}
_OCCUPANCIES = {"HOME": "H", "WORK": "W", "FREQUENTS": "F", "ASYLUM_ACCOMMODATION": "A"}
_GRADES = {"MAJOR": 1, "MODERATE": 2, "MINOR": 3}
Row = tuple[Any, ...]


def write_nmc(admin_url: str, population: Population) -> None:
    """Write NMC's share into the PostgreSQL database of this SQLAlchemy URL, afresh.

    The URL's role must be a superuser. Runs an event loop of its own: from within one, call it in
    a thread.
    """
    asyncio.run(_load(sa.make_url(admin_url), population))


async def _load(url: sa.URL, population: Population) -> None:
    connection = await asyncpg.connect(
        host=url.query.get("host") or url.host,
        port=url.port or 5432,
        user=url.username,
        password=url.password,
        database=url.database,
    )
    try:
        async with connection.transaction():
            for statement in schema_statements():
                await connection.execute(statement)
            for table, rows in shares(population).items():
                await connection.copy_records_to_table(table, records=rows, schema_name="rms")
            for statement in finishing_statements(str(url.database)):
                await connection.execute(statement)
    finally:
        await connection.close()


def shares(population: Population) -> Mapping[str, list[Row]]:
    """NMC's rows by table, in the order of the tables' columns."""
    makers: dict[str, Callable[[Population], Iterator[Row]]] = {
        "nominal": _nominals,
        "nominal_alias": _aliases,
        "nom_mark": marks,
        "nom_warning": _warnings,
        "nom_document": _documents,
        "nom_alert": _alerts,
        "crime": _crimes,
        "crime_person": _crime_persons,
        "offence": _offences,
        "custody": _custody,
        "vehicle": _vehicles,
        "vehicle_marker": _markers,
        "anpr": _sightings,
        "address": _addresses,
        "phone": _phones,
        "stop": _stops,
        "disruption": _disruptions,
    }
    return {table: list(make(population)) for table, make in makers.items()}


def _typist(key: str) -> random.Random:
    return random.Random(key)  # noqa: S311 - reproducible, not secret


def upper(text: str, length: int = SURNAME_LENGTH) -> str:
    """A name as this system keeps it.

    >>> upper("O'Neill")
    'ONEILL'
    """
    return latinised(text).upper().replace("'", "")[:length]


def pnc_short(pncid: str | None) -> str | None:
    """A PNC identifier without zero fill, like `01/123456A`."""
    if pncid is None:
        return None
    year, _, serial = pncid.partition("/")
    return f"{year}/{serial.lstrip('0')}"


def plate(vrm: str) -> str:
    """A plate as its typist wrote it: with a space or without."""
    return f"{vrm[:4]} {vrm[4:]}" if _typist(vrm).random() < 0.4 else vrm


def phone_number(number: str) -> str:
    """A phone number in one of the three forms that are in use here."""
    national = f"0{number.removeprefix('+44')}"
    return _typist(number).choice(
        (f"{national[:5]} {national[5:]}", number, f"00{number.removeprefix('+')}")
    )


def _header(held: Governance) -> Row:
    return (
        _RETENTION[held.retention],
        held.review_on,
        held.source_grade,
        held.info_grade,
        held.handling,
        _MARKS[held.marking],
        local(held.recorded_at).replace(microsecond=0),
    )


def _nominals(population: Population) -> Iterator[Row]:
    roles: dict[str, set[str]] = defaultdict(set)
    for incident in _incidents(population):
        for truth, role in incident.participants:
            roles[truth].add(_ROLES[role])
    for person, copy in population.held_by(Agency.NMC):
        birth = copy.birth
        known = birth.year and birth.month and birth.day
        yield (
            copy.key,
            upper(copy.name.family),
            upper(copy.name.given),
            upper(copy.name.middle) or None,
            date(birth.year or 0, birth.month or 0, birth.day or 0) if known else UNKNOWN_BIRTH,
            _SEXES[copy.sex],
            *ethnicity(copy),
            *description(copy),
            person.nationality,
            latinised(person.birth_place).upper(),
            person.nationality,  # the world's people were born where they belong
            pnc_short(person.pncid),
            copy.governance.mopi_group,
            ",".join(sorted(roles[person.truth_id])) or None,
            *_header(copy.governance),
        )


def _aliases(population: Population) -> Iterator[Row]:
    kinds = {"ALIAS": "A", "NICK": "N", "TRANSLITERATED": "T", "MAIDEN": "M"}
    for _person, copy in population.held_by(Agency.NMC):
        for name in copy.aliases:
            yield (copy.key, slashed(name), kinds.get(name.kind, "A"))


def slashed(name: Name) -> str:
    """An alias as `SURNAME/Forename`."""
    return f"{upper(name.family)}/{latinised(name.given)}"


def _warnings(population: Population) -> Iterator[Row]:
    for person, copy in population.held_by(Agency.NMC):
        for held in person.warnings:
            if held.owner is Agency.NMC:
                said = held.sanitised or None
                code = WARNINGS[held.kind]
                yield (copy.key, code, held.reason, held.added, held.review, said)
    # a code that no list explains, left over from a system before this one
    holders = population.held_by(Agency.NMC)
    yield (holders[0][1].key, "QX", "migrated", population.as_of, None, None)


def _documents(population: Population) -> Iterator[Row]:
    for person, copy in population.held_by(Agency.NMC):
        for document in copy.documents:
            yield (copy.key, document.kind, document.number, document.issuer)
        numbers = (("NINO", person.nino), ("DRIVER_NO", person.driver_no), ("CRO", person.cro))
        for kind, number in numbers:
            if number:
                yield (copy.key, kind, number, "GB")


def _alerts(population: Population) -> Iterator[Row]:
    number = 0
    for person, copy in population.held_by(Agency.NMC):
        for alert in person.alerts:
            if alert.owner is Agency.NMC:
                number += 1
                texts = (_ALERTS[alert.kind], alert.power, str(alert.owner), alert.contact)
                yield (number, copy.key, *texts, alert.discreet, alert.added)


def _incidents(population: Population) -> Iterator[Incident]:
    return (incident for incident in population.incidents if incident.agency is Agency.NMC)


def _crimes(population: Population) -> Iterator[Row]:
    for incident in _incidents(population):
        place = incident.address
        yield (
            incident.ref,
            incident.ho_class,
            incident.ho_sub,
            incident.title,
            local(incident.at),
            place.line,
            place.town,
            place.postcode,
            place.easting,
            place.northing,
            _STATUSES[incident.status],
            _OUTCOMES[incident.outcome],
            incident.narrative,
            incident.sanitised,
            *(flag in incident.flags for flag in ("OIC", "MODERN_SLAVERY", "DOMESTIC")),
            *_header(incident.governance),
        )


def _crime_persons(population: Population) -> Iterator[Row]:
    for incident in _incidents(population):
        for truth, role in incident.participants:
            code = _ROLES[role]
            # here I is who reported the crime, whom the canonical model calls a witness
            if code == "W" and _typist(incident.ref).random() < 0.4:
                code = "I"
            yield (incident.ref, population.key(truth, Agency.NMC), code)


def _offences(population: Population) -> Iterator[Row]:
    for person, copy in population.held_by(Agency.NMC):
        for held in person.offences:
            code = (held.ho_class, held.ho_sub, held.title, _OUTCOMES[held.outcome])
            yield (copy.key, *code, held.on, held.court, held.serious)


def _custody(population: Population) -> Iterator[Row]:
    pictured = {image.person for image in population.images if image.force is Agency.NMC}
    for person, copy in population.held_by(Agency.NMC):
        for stay in person.custody:
            if stay.agency is Agency.NMC:
                released = local(stay.released) if stay.released else None
                times = (local(stay.arrived), released, _DISPOSALS[stay.disposal])
                keep = _custody_retention(stay, copy.governance)
                taken = person.truth_id in pictured
                samples = _typist(f"samples:{stay.ref}")
                prints, dna = samples.random() < 0.9, samples.random() < 0.7
                yield (stay.ref, copy.key, stay.arrest_offence, *times, taken, prints, dna, keep)


def _custody_retention(stay: Custody, held: Governance) -> str:
    """The record's own, but for one that ended without further action: its review is due at once,
    and with it that of the images taken."""
    code = _RETENTION[held.retention]
    return "R" if code == "A" and stay.disposal == "NO_FURTHER_ACTION" else code


def _held_vehicles(population: Population) -> Iterator[tuple[int, Vehicle]]:
    for number, vehicle in enumerate(population.vehicles, start=1):
        if Agency.NMC in vehicle.held_by:
            yield number, vehicle


def _vehicles(population: Population) -> Iterator[Row]:
    written = datetime.combine(population.as_of, time())
    for number, vehicle in _held_vehicles(population):
        stopped = vehicle.stopped_with
        yield (
            number,
            plate(vehicle.vrm),
            vehicle.vin,
            vehicle.make,
            vehicle.model,
            vehicle.colour,
            vehicle.year,
            "Y" if vehicle.stolen else "N",
            "Y" if vehicle.false_plate else "N",
            population.key(stopped, Agency.NMC) if stopped else None,
            *("A", population.as_of + timedelta(days=365), 1, "A", "P", "O", written),
        )


def _markers(population: Population) -> Iterator[Row]:
    for _number, vehicle in _held_vehicles(population):
        for held in vehicle.markers:
            code = (plate(vehicle.vrm), WARNINGS[held.kind], held.reason)
            yield (*code, held.added, held.review, str(held.owner), held.discreet)


def _sightings(population: Population) -> Iterator[Row]:
    for number, seen in enumerate(population.sightings, start=1):
        where = (seen.camera, seen.direction[0], seen.easting, seen.northing)
        yield (number, seen.vrm, local(seen.at), *where)


def _addresses(population: Population) -> Iterator[Row]:
    for person, copy in population.held_by(Agency.NMC):
        for held in person.occupancies:
            place = held.address
            where = (place.line, place.town, place.postcode, place.easting, place.northing)
            yield (copy.key, _OCCUPANCIES[held.kind], *where, held.since, held.until)


def _phones(population: Population) -> Iterator[Row]:
    for _person, copy in population.held_by(Agency.NMC):
        for number in copy.phones:
            seen = copy.governance.recorded_at.date()
            yield (copy.key, phone_number(number), seen, None)


def _stops(population: Population) -> Iterator[Row]:
    for stop in population.stops:
        place = stop.address
        where = (place.line, place.town, place.postcode, place.easting, place.northing)
        vrm = plate(stop.vrm) if stop.vrm else None
        who = population.key(stop.person, Agency.NMC)
        yield (stop.ref, who, vrm, local(stop.at), stop.power, stop.outcome, *where)


def _disruptions(population: Population) -> Iterator[Row]:
    groups = {group.ref: next(iter(group.refs.values())) for group in population.groups}
    for held in population.disruptions:
        if Agency.NMC in held.claimed_by:
            kind = (held.strand, _GRADES[held.grade], str(held.lead), ",".join(held.claimed_by))
            yield (held.ref, held.event_key, held.on, *kind, held.summary, groups[held.group])
