"""Vehicles, where cameras saw them, and who was stopped in them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from deploy.demo.world import identifiers
from deploy.demo.world.copies import moment
from deploy.demo.world.happenings import (
    Sighting,
    Stop,
    Vehicle,
)
from deploy.demo.world.places import NORTHMARCH
from deploy.demo.world.truth import (
    Address,
    Agency,
    Person,
    Warning,
)

GOLD_VRM = "SN68BTX"  # kept by GOLD-2; GOLD-1 was stopped in it
# how long before `now` the cameras saw it: three within a day, two beyond
GOLD_SEEN_HOURS = (0.7, 5.0, 20.0, 30.0, 75.0)
_MODELS = (
    ("FORD", "TRANSIT"),
    ("FORD", "FOCUS"),
    ("VAUXHALL", "ASTRA"),
    ("VOLKSWAGEN", "GOLF"),
    ("MERCEDES", "SPRINTER"),
    ("TOYOTA", "HILUX"),
    ("NISSAN", "QASHQAI"),
    ("BMW", "320D"),
)
COLOURS = ("BLUE", "BLACK", "SILVER", "WHITE", "RED", "GREY", "GREEN")
_CAMERAS = tuple(f"NM-C{number:02}" for number in range(1, 25))
_DIRECTIONS = ("NORTH", "SOUTH", "EAST", "WEST")


def make_vehicles(
    rng: random.Random,
    people: Mapping[str, Person],
    as_of: date,
    plates: Iterator[str],
    gold: Mapping[str, str],
) -> tuple[Vehicle, ...]:
    """A vehicle for one person in three; the golden one comes first."""
    keepers = [p.truth_id for p in people.values() if p.truth_id not in gold.values()]
    chosen = rng.sample(keepers, len(keepers) * 35 // 100)
    return (
        _golden(rng, as_of, gold),
        *(_vehicle(rng, people[keeper], next(plates), as_of) for keeper in chosen),
    )


def _vehicle(rng: random.Random, keeper: Person, vrm: str, as_of: date) -> Vehicle:
    make, model = rng.choice(_MODELS)
    first = as_of - timedelta(days=rng.randint(200, 5000))
    held = {Agency.VLR, *(force for force in (Agency.NMC, Agency.SCP) if rng.random() < 0.3)}
    stopped = Agency.NMC in held and Agency.NMC in keeper.copies and rng.random() < 0.3
    markers: tuple[Warning, ...] = ()
    if rng.random() < 0.05:
        markers = (vehicle_marker(rng.choice(("WEAPONS", "VIOLENT", "DRUGS")), as_of),)
    return Vehicle(
        vrm=vrm,
        vin=identifiers.vin(rng),
        make=make,
        model=model,
        colour=rng.choice(COLOURS),
        year=first.year,
        keeper=keeper.truth_id,
        first_reg=first,
        tax_due=as_of + timedelta(days=rng.randint(-60, 330)),
        mot_due=as_of + timedelta(days=rng.randint(-40, 340)),
        insured=rng.random() < 0.9,
        scrapped=rng.random() < 0.03,
        stolen=rng.random() < 0.02,
        false_plate=rng.random() < 0.01,
        markers=markers,
        held_by=frozenset(held),
        stopped_with=keeper.truth_id if stopped else None,
    )


def vehicle_marker(kind: str, as_of: date) -> Warning:
    """An overt marker that NMC put on a plate."""
    return Warning(
        kind=kind,
        reason=f"{kind.lower()} found on an earlier stop",
        added=as_of - timedelta(days=200),
        review=as_of + timedelta(days=165),
        owner=Agency.NMC,
    )


def _golden(rng: random.Random, as_of: date, gold: Mapping[str, str]) -> Vehicle:
    covert = Warning(
        kind="WEAPONS",
        reason="operational interest, do not stop",
        added=as_of - timedelta(days=12),
        review=as_of + timedelta(days=60),
        owner=Agency.NCB,
        discreet=True,
    )
    return Vehicle(
        vrm=GOLD_VRM,
        vin=identifiers.vin(rng),
        make="MERCEDES",
        model="SPRINTER",
        colour="SILVER",
        year=2018,
        keeper=gold["GOLD-2"],
        first_reg=date(2018, 10, 4),
        tax_due=as_of + timedelta(days=150),
        mot_due=as_of - timedelta(days=3),
        insured=True,
        markers=(vehicle_marker("DRUGS", as_of), covert),
        held_by=frozenset({Agency.NMC, Agency.SCP, Agency.VLR}),
        stopped_with=gold["GOLD-1"],
    )


def make_sightings(
    rng: random.Random, vehicles: Sequence[Vehicle], as_of: date, now: datetime
) -> tuple[Sighting, ...]:
    """Where NMC's cameras saw plates: old ones, and some within the last day of `now`."""
    made = [_sighting(rng, GOLD_VRM, now - timedelta(hours=hours)) for hours in GOLD_SEEN_HOURS]
    for vehicle in vehicles[1:]:
        made += [
            _sighting(rng, vehicle.vrm, moment(rng, as_of, 30)) for _ in range(rng.randint(0, 3))
        ]
        if rng.random() < 0.15:
            made.append(_sighting(rng, vehicle.vrm, now - timedelta(minutes=rng.randint(1, 1400))))
    return tuple(made)


def _sighting(rng: random.Random, vrm: str, at: datetime) -> Sighting:
    _town, _district, east, north = rng.choice(NORTHMARCH)
    return Sighting(
        vrm=vrm,
        at=at.replace(microsecond=0),
        camera=rng.choice(_CAMERAS),
        direction=rng.choice(_DIRECTIONS),
        easting=east + rng.randint(-2000, 2000),
        northing=north + rng.randint(-2000, 2000),
    )


def make_stops(
    rng: random.Random,
    people: Mapping[str, Person],
    vehicles: Sequence[Vehicle],
    as_of: date,
    addresses: Sequence[Address],
) -> tuple[Stop, ...]:
    """NMC's stops: one for each vehicle that somebody was stopped in, and some on foot."""
    stopped = [(v.stopped_with, v.vrm) for v in vehicles if v.stopped_with]
    known = [p.truth_id for p in people.values() if Agency.NMC in p.copies]
    on_foot = [(truth, None) for truth in rng.sample(known, len(known) // 10)]
    return tuple(
        Stop(
            ref=f"NM/ST/{number:05}",
            at=moment(rng, as_of, 400).replace(second=0, microsecond=0),
            power="search of a person" if vrm is None else "stop of a vehicle",
            outcome=rng.choice(("no action", "advice", "arrest", "report")),
            person=truth,
            vrm=vrm,
            address=rng.choice(addresses[1:]),
        )
        for number, (truth, vrm) in enumerate((*stopped, *on_foot), start=1)
    )
