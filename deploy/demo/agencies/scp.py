"""SCP, Saltcoast Police: a newer package on MariaDB, or on SQLite where that is missing.

Its own ways: the whole name in one column (a comma decides the order), partial birth dates as
text, nationality as free text, warnings and needs in one bit mask, times in UTC, grades as `2/C/P`.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from deploy.demo.agencies.scp_schema import BASE, METADATA, READER, VIEWS, view_statements
from deploy.demo.agencies.scp_words import (
    ALERTS,
    COLOURS,
    FLAGS,
    GENDERS,
    INVOLVEMENTS,
    NATIONALITIES,
    NEEDS,
    OCCUPANCIES,
    RETENTION,
    STATUSES,
    TAGS,
)
from deploy.demo.agencies.writing import utc
from deploy.demo.world.happenings import (
    Incident,
    Landing,
    Population,
    Vehicle,
)
from deploy.demo.world.truth import (
    Address,
    Agency,
    Birth,
    Copy,
    Governance,
    Name,
    Person,
)

Row = tuple[Any, ...]


def write_scp_sqlite(path: Path, population: Population) -> None:
    """Write SCP's share as a new SQLite file at `path`: its tables, and views of the same names."""
    path.unlink(missing_ok=True)
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        METADATA.create_all(connection)
        _fill(connection, population)
        for statement in view_statements():
            connection.execute(sa.text(statement))
    engine.dispose()


def write_scp_mariadb(admin_url: str, population: Population, *, reader_password: str) -> None:
    """Write SCP's share into the MariaDB server of this SQLAlchemy URL, afresh.

    The URL's user must be able to create databases and users; its database is not used. The
    gateway's user gets `reader_password` and SELECT on the views alone.
    """
    url = sa.make_url(admin_url).set(drivername="mariadb+pymysql", database="mysql")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for name in (VIEWS, BASE):
            connection.execute(sa.text(f"drop database if exists {name}"))
            connection.execute(
                sa.text(f"create database {name} character set utf8mb4 collate utf8mb4_general_ci")
            )
    engine.dispose()
    _fill_mariadb(url.set(database=BASE), population)
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in view_statements(BASE, VIEWS):
            connection.execute(sa.text(statement))
        user = f"'{READER}'@'localhost'"
        connection.execute(sa.text(f"drop user if exists {user}"))
        connection.execute(
            sa.text(f"create user {user} identified by :password"), {"password": reader_password}
        )
        connection.execute(sa.text(f"grant select on {VIEWS}.* to {user}"))
    engine.dispose()


def _fill_mariadb(url: sa.URL, population: Population) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        METADATA.create_all(connection)
        _fill(connection, population)
    engine.dispose()


def _fill(connection: sa.Connection, population: Population) -> None:
    for name, rows in shares(population).items():
        table = METADATA.tables[name]
        columns = [column.name for column in table.columns]
        records = [dict(zip(columns, row, strict=True)) for row in rows]
        if records:
            connection.execute(table.insert(), records)


def shares(population: Population) -> Mapping[str, list[Row]]:
    """SCP's rows by table, in the order of the tables' columns."""
    makers: dict[str, Callable[[Population], Iterator[Row]]] = {
        "tblPerson": _persons,
        "tblPersonAlias": _aliases,
        "tblPersonPhone": _phones,
        "tblPersonAddress": _addresses,
        "tblPersonDoc": _documents,
        "tblPersonAlert": _alerts,
        "tblOccurrence": _occurrences,
        "tblInvolvement": _involvements,
        "tblOffence": _offences,
        "tblCustody": _custody,
        "tblLanding": _landings,
        "tblLandingPilot": _pilots,
        "tblIntel": _intel,
        "tblVehicle": _vehicles,
        "tblVehicleMarker": _markers,
    }
    return {table: list(make(population)) for table, make in makers.items()}


def _typist(key: str) -> random.Random:
    return random.Random(f"SCP:{key}")  # noqa: S311 - reproducible, not secret


def full_name(name: Name, typist: random.Random) -> str:
    """The name in one column: `Family, Given Middle`, or `Given Family` without a comma."""
    if name.kind in {"TRANSLITERATED", "NICK"} or typist.random() < 0.4:
        return f"{name.given} {name.family}".strip()
    given = " ".join(part for part in (name.given, name.middle) if part)
    return f"{name.family}, {given}"


def birth_text(birth: Birth, typist: random.Random) -> str | None:
    """A birth date as text: `17/04/1991`, `??/04/1991`, `00/04/1991`, `??/??/1991` or none.

    The golden arrival is written with question marks; others either way.
    """
    if birth.year is None:
        return None
    blank = "??" if typist.random() < 0.7 else "00"
    day = f"{birth.day:02}" if birth.day else blank
    month = f"{birth.month:02}" if birth.month else blank
    return f"{day}/{month}/{birth.year}"


def slashed(on: date | None) -> str | None:
    """A date as dd/mm/yyyy."""
    return on.strftime("%d/%m/%Y") if on else None


def _header(held: Governance) -> Row:
    return (
        f"{held.source_grade}/{held.info_grade}/{held.handling}",
        RETENTION[held.retention],
        slashed(held.review_on),
        held.marking.replace("_", "-"),
        utc(held.recorded_at).replace(microsecond=0),
    )


def _ids(population: Population) -> Iterator[tuple[Person, Copy, int]]:
    for person, copy in population.held_by(Agency.SCP):
        yield person, copy, int(copy.key)


def flags_of(person: Person) -> int:
    """The bit mask: what SCP itself recorded of warnings and needs."""
    mask = 0
    for warning in person.warnings:
        if warning.owner is Agency.SCP:
            mask |= FLAGS.get(warning.kind, 0)
    for need in person.safeguards:
        if need.owner is Agency.SCP:
            mask |= NEEDS.get(need.kind, 0)
    return mask


def _persons(population: Population) -> Iterator[Row]:
    roles: dict[str, set[str]] = defaultdict(set)
    for incident in _incidents(population):
        for truth, role in incident.participants:
            roles[truth].add(INVOLVEMENTS[role])
    for person, copy, number in _ids(population):
        typist = _typist(copy.key)
        doubt = "?" if typist.random() < 0.15 and person.nationality != "GB" else ""
        golden = person.truth_id == population.gold["GOLD-1"]
        birth = birth_text(copy.birth, typist)
        yield (
            number,
            full_name(copy.name, typist),
            birth.replace("00/", "??/") if golden and birth else birth,
            GENDERS.get(copy.sex, typist.choice(("U", ""))),
            f"{NATIONALITIES[person.nationality]}{doubt}",
            person.birth_place if typist.random() < 0.5 else None,
            flags_of(person),
            person.pncid if typist.random() < 0.5 and not golden else None,
            ",".join(sorted(roles[person.truth_id])) or None,
            *_header(copy.governance),
        )


def _aliases(population: Population) -> Iterator[Row]:
    for _person, copy, number in _ids(population):
        for name in copy.aliases:
            yield (number, f"{name.family}, {name.given}")


def _phones(population: Population) -> Iterator[Row]:
    for _person, copy, number in _ids(population):
        seen = slashed(copy.governance.recorded_at.date())
        for phone in copy.phones:
            written = phone.removeprefix("+44")
            text = f"0{written}" if _typist(phone).random() < 0.5 else f"+44 {written}"
            yield (number, text, seen, None)


def _place(place: Address) -> Row:
    return (place.line, place.town, place.postcode, place.lat, place.lon)


def _addresses(population: Population) -> Iterator[Row]:
    for person, _copy, number in _ids(population):
        for held in person.occupancies:
            dates = (slashed(held.since), slashed(held.until))
            yield (number, OCCUPANCIES[held.kind], *_place(held.address), *dates)


def _documents(population: Population) -> Iterator[Row]:
    for _person, copy, number in _ids(population):
        for document in copy.documents:
            issuer = NATIONALITIES[document.issuer]
            yield (number, document.kind.title(), document.number, issuer)


def _alerts(population: Population) -> Iterator[Row]:
    serial = 0
    for person, _copy, number in _ids(population):
        for alert in person.alerts:
            if alert.owner is Agency.SCP:
                serial += 1
                texts = (ALERTS[alert.kind], alert.power, str(alert.owner), alert.contact)
                yield (serial, number, *texts, int(alert.discreet))


def _incidents(population: Population) -> Iterator[Incident]:
    return (incident for incident in population.incidents if incident.agency is Agency.SCP)


def _words(code: str) -> str:
    return code.replace("_", " ").capitalize()


def _occurrences(population: Population) -> Iterator[Row]:
    for incident in _incidents(population):
        yield (
            incident.ref,
            f"{incident.ho_class}/{incident.ho_sub}",
            incident.title,
            utc(incident.at),
            *_place(incident.address),
            STATUSES[incident.status],
            _words(incident.outcome),
            incident.narrative,
            incident.sanitised,
            ";".join(sorted(TAGS[flag] for flag in incident.flags)) or None,
            *_header(incident.governance),
        )


def _involvements(population: Population) -> Iterator[Row]:
    serial = 0
    for incident in _incidents(population):
        for truth, role in incident.participants:
            serial += 1
            word = INVOLVEMENTS[role]
            if word == "Witness" and _typist(incident.ref).random() < 0.4:
                word = "Reporting"
            yield (serial, incident.ref, int(population.key(truth, Agency.SCP)), word)


def _offences(population: Population) -> Iterator[Row]:
    for person, _copy, number in _ids(population):
        if Agency.NMC not in person.copies:  # else NMC holds them
            for held in person.offences:
                code = (f"{held.ho_class}/{held.ho_sub}", held.title, _words(held.outcome))
                yield (number, *code, slashed(held.on), held.court, int(held.serious))


def _custody(population: Population) -> Iterator[Row]:
    pictured = {image.person for image in population.images if image.force is Agency.SCP}
    for person, _copy, number in _ids(population):
        for stay in person.custody:
            if stay.agency is Agency.SCP:
                released = utc(stay.released) if stay.released else None
                times = (utc(stay.arrived), released, _words(stay.disposal))
                taken = int(person.truth_id in pictured)
                yield (stay.ref, number, stay.arrest_offence, *times, taken)


def beach_text(landing: Landing) -> str:
    """A beach as somebody typed it."""
    name = landing.site.name
    return _typist(landing.ref).choice((name, name.upper(), f"{name} (nr slipway)", name.lower()))


def _landings(population: Population) -> Iterator[Row]:
    for landing in population.landings:
        where = (beach_text(landing), landing.site.postcode, landing.site.lat, landing.site.lon)
        what = (landing.persons_count, landing.vessel, landing.engine_serial, landing.deaths)
        yield (landing.ref, utc(landing.at).replace(microsecond=0), *where, *what)


def _pilots(population: Population) -> Iterator[Row]:
    for landing in population.landings:
        for truth in landing.pilots:
            yield (landing.ref, int(population.key(truth, Agency.SCP)))


def _intel(population: Population) -> Iterator[Row]:
    """A short report for every person whom SCP itself warns of weapons."""
    serial = 0
    for person, copy, number in _ids(population):
        for held in person.warnings:
            if held.owner is Agency.SCP and held.kind == "WEAPONS":
                serial += 1
                header = _header(copy.governance)
                texts = ("Weapons", f"Subject {held.reason}.", "Take care: may be armed.")
                reference = f"SC-I-{held.added.year % 100:02}-{serial:04}"
                yield (reference, number, header[4], *texts, header[0], header[1])


def _held_vehicles(population: Population) -> Iterator[tuple[int, Vehicle]]:
    for number, vehicle in enumerate(population.vehicles, start=5001):
        if Agency.SCP in vehicle.held_by:
            yield number, vehicle


def _reg(vehicle: Vehicle) -> str:
    spaced = _typist(vehicle.vrm).random() < 0.5
    return f"{vehicle.vrm[:4]} {vehicle.vrm[4:]}" if spaced else vehicle.vrm


def _vehicles(population: Population) -> Iterator[Row]:
    for number, vehicle in _held_vehicles(population):
        recorded = utc(population.now).replace(hour=0, minute=0, second=0, microsecond=0)
        yield (
            number,
            _reg(vehicle),
            vehicle.make.title(),
            vehicle.model.title(),
            COLOURS[vehicle.colour],
            vehicle.year,
            int(vehicle.stolen),
            int(vehicle.false_plate),
            *("1/A/P", "Current", slashed(population.as_of.replace(year=2030)), "OFFICIAL"),
            recorded,
        )


def _markers(population: Population) -> Iterator[Row]:
    for number, vehicle in _held_vehicles(population):
        for held in vehicle.markers:
            if not held.discreet:  # the covert one was told to NMC alone
                texts = (_words(held.kind), held.reason, slashed(held.added), str(held.owner))
                yield (number, _reg(vehicle), *texts, int(held.discreet))
