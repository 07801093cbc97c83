"""Arrivals: landings, encounters, the phone of each boat, and the one hotel."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from deploy.demo.world import identifiers
from deploy.demo.world.copies import moment
from deploy.demo.world.happenings import (
    Device,
    Encounter,
    Landing,
    Site,
)
from deploy.demo.world.places import BEACHES, PORTS
from deploy.demo.world.truth import (
    Address,
    Agency,
    Birth,
    Immigration,
    Occupancy,
    Person,
)

HOTEL_GUESTS = 200
WITHOUT_DEBRIEF = 7  # of the last boat: no debrief, no image, no phone
# Who else of that boat lacks all but one of what the seven lack, by where they sat in it, so that
# no criterion stands for another. An earlier boat at the same beach has one like the seven.
_ALL_BUT_ONE: Mapping[int, Mapping[str, Any]] = {
    WITHOUT_DEBRIEF: {"phone_seized": True},
    WITHOUT_DEBRIEF + 1: {"image_taken": True},
    WITHOUT_DEBRIEF + 2: {"debrief": "PARTIAL"},
    WITHOUT_DEBRIEF + 3: {"site": BEACHES[1]},
}
_UNDONE: Mapping[str, Any] = {
    "debrief": "NONE",
    "image_taken": False,
    "phone_seized": False,
    "devices": (),
}
_UNDONE_BEFORE = 3  # who of GOLD-1's boat is like the seven
GOLD_BOAT_PHONE = "+447700900400"
_VESSELS = (
    ("RHIB", "grey RHIB 7m twin engine"),
    ("INFLATABLE", "black inflatable, plywood floor, 9 m"),
    ("INFLATABLE", "Inflatable boat approx 10m"),
    ("YACHT", "sailing yacht, white hull"),
    ("OTHER", "ex fishing vessel"),
)
# who was met at the reporting centre, how many days before, and with which needs
_GOLD_MET = (
    ("GOLD-1", 95, ()),
    ("GOLD-4", 62, ()),
    ("GOLD-6", 190, ("MINOR_CLAIMED",)),
)
_LANGUAGES = {
    "ALBANIAN": "sq",
    "VIETNAMESE": "vi",
    "ARABIC": "ar",
    "KURDISH": "ckb",
    "ROMANIAN": "ro",
    "BRITISH": "en",
}
_STATUSES = ("LEAVE", "OVERSTAYER", "ASYLUM_PENDING", "REFUSED", "ABSCONDER")
_CASE_STATES = {
    "LEAVE": "granted",
    "OVERSTAYER": "leave expired",
    "ASYLUM_PENDING": "claim under consideration",
    "REFUSED": "appeal rights exhausted",
    "ABSCONDER": "reporting breached",
    "CITIZEN": "closed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """What the border directorate saw."""

    landings: tuple[Landing, ...]
    encounters: tuple[Encounter, ...]


def give_status(
    rng: random.Random, people: dict[str, Person], as_of: date, kept: Mapping[str, object]
) -> None:
    """Everybody whom the directorate holds has a status: their nationality decides, no name."""
    for person in list(people.values()):
        if Agency.BID in person.copies and person.truth_id not in kept:
            status = "CITIZEN" if person.nationality in {"GB", "IE"} else rng.choice(_STATUSES)
            since = as_of - timedelta(days=rng.randint(20, 1800))
            held = Immigration(
                status=status,
                since=since,
                case_state=_CASE_STATES[status],
                conditions="report monthly" if status in {"REFUSED", "ASYLUM_PENDING"} else "",
                expiry=as_of + timedelta(days=rng.randint(30, 900)) if status == "LEAVE" else None,
            )
            people[person.truth_id] = replace(person, immigration=held)


def make_arrivals(
    rng: random.Random,
    people: dict[str, Person],
    as_of: date,
    now: datetime,
    phones: Iterator[str],
    hotel: Address,
    gold: Mapping[str, str],
) -> Arrivals:
    """Boats and other encounters; `people` learn their boat's phone and some the hotel."""
    named = set(gold.values())
    arrivers = [
        p.truth_id
        for p in people.values()
        if Agency.BID in p.copies and p.nationality not in {"GB", "IE"} and p.truth_id not in named
    ]
    rng.shuffle(arrivers)
    boats = max(4, len(arrivers) // 40)
    landings: list[Landing] = []
    encounters: list[Encounter] = []
    for n in range(boats):
        party = [arrivers.pop() for _ in range(min(len(arrivers), rng.randint(20, 34)))]
        if n == 0:
            party = [gold["GOLD-1"], *party]
        landing = _landing(rng, n, boats, tuple(party), as_of, now, phones)
        landings.append(landing)
        for place, truth in enumerate(party):
            device = _device(rng, truth, landing, len(encounters)) if place == 0 else None
            seen = _from_boat(rng, people[truth], landing, device)
            last = n == boats - 1
            if (last and place < WITHOUT_DEBRIEF) or (n == 0 and place == _UNDONE_BEFORE):
                seen = replace(seen, **_UNDONE)
            elif last and place in _ALL_BUT_ONE:
                seen = replace(seen, **{**_UNDONE, **_ALL_BUT_ONE[place]})
            encounters.append(seen)
            people[truth] = _with_boat_phone(people[truth], landing.phone)
    passengers = [truth for landing in landings for truth in landing.people]
    _fill_hotel(rng, people, passengers, hotel, as_of, named)
    encounters += [_on_land(rng, people[t], as_of) for t in arrivers if rng.random() < 0.5]
    encounters += [
        _of_gold(rng, people[gold[name]], as_of, days, needs) for name, days, needs in _GOLD_MET
    ]
    numbered = (replace(e, ref=f"ENC-{n:06}") for n, e in enumerate(encounters, start=1))
    return Arrivals(landings=tuple(landings), encounters=tuple(numbered))


def with_findings(
    rng: random.Random,
    landings: Sequence[Landing],
    people: Mapping[str, Person],
    named: Collection[str],
) -> tuple[Landing, ...]:
    """What SCP found out of each boat: who is suspected of having steered it, and who died.

    Drawn among all aboard whom SCP knows; nobody of the golden people is among them.
    """
    made = []
    for landing in landings:
        known = [t for t in landing.people if Agency.SCP in people[t].copies and t not in named]
        pilots = tuple(rng.sample(known, 1)) if known and rng.random() < 0.4 else ()
        deaths = rng.randint(1, 3) if rng.random() < 0.1 else 0
        made.append(replace(landing, pilots=pilots, deaths=deaths))
    return tuple(made)


def _landing(
    rng: random.Random,
    number: int,
    boats: int,
    party: tuple[str, ...],
    as_of: date,
    now: datetime,
    phones: Iterator[str],
) -> Landing:
    kind, vessel = rng.choice(_VESSELS)
    at = moment(rng, as_of, 700)
    site = rng.choice(BEACHES)
    phone = next(phones)
    if number == 0:  # the boat of GOLD-1
        at = datetime.combine(as_of - timedelta(days=140), time(4, 40), UTC)
        site, phone = BEACHES[0], GOLD_BOAT_PHONE
    elif number == boats - 1:  # the boat of this morning, or of last night
        at, site = now - timedelta(hours=6), BEACHES[0]
    return Landing(
        ref=f"L-{number + 1:04}",
        at=at.replace(second=0, microsecond=0),
        site=site,
        persons_count=len(party) + rng.randint(0, 9),
        vessel=vessel,
        vessel_kind=kind,
        engine_serial=f"OBM{rng.randint(100000, 999999)}{rng.choice('KLMN')}",
        phone=phone,
        people=party,
    )


def _device(rng: random.Random, truth: str, landing: Landing, serial: int) -> Device:
    return Device(
        imei=identifiers.imei(serial),
        phone=landing.phone,
        holder=truth,
        seized_at=landing.at + timedelta(minutes=rng.randint(20, 90)),
        extract_state=rng.choice(("NONE", "REQUESTED", "DONE")),
    )


def _from_boat(
    rng: random.Random,
    person: Person,
    landing: Landing,
    device: Device | None,
) -> Encounter:
    at = landing.at + timedelta(minutes=rng.randint(5, 180))
    seen = _encounter(rng, person, at, landing.site, "SMALL_BOAT")
    seen = replace(seen, landing=landing.ref)
    if device:
        seen = replace(seen, devices=(device,), phone_seized=True)
    if landing.phone == GOLD_BOAT_PHONE and device:  # who sits first in this boat is GOLD-1
        return replace(seen, debrief="PARTIAL", image_taken=True, needs=("MEDICAL",))
    return replace(seen, image_taken=seen.image_taken or seen.debrief == "NONE")


def _on_land(rng: random.Random, person: Person, as_of: date) -> Encounter:
    method, sites = rng.choice(
        (("LORRY", (PORTS[2],)), ("AIR", (PORTS[1],)), ("IN_COUNTRY", (PORTS[3], PORTS[0])))
    )
    return _encounter(rng, person, moment(rng, as_of, 600), rng.choice(sites), method)


def _of_gold(
    rng: random.Random, person: Person, as_of: date, days: int, needs: tuple[str, ...]
) -> Encounter:
    at = datetime.combine(as_of - timedelta(days=days), time(10, 15), UTC)
    seen = _encounter(rng, person, at, PORTS[3], "IN_COUNTRY")
    return replace(
        seen,
        debrief="FULL",
        image_taken=True,
        biometrics_taken=True,
        phone_seized=False,
        documents=person.copies[Agency.BID].documents,
        needs=needs,
    )


def _encounter(
    rng: random.Random, person: Person, at: datetime, site: Site, method: str
) -> Encounter:
    copy = person.copies[Agency.BID]
    needs = []
    if person.born.year + 18 > at.year:
        needs.append("MINOR_CLAIMED")
    if any(flag.kind == "NRM" and flag.owner is Agency.BID for flag in person.safeguards):
        needs.append("NRM")
    if rng.random() < 0.06:
        needs.append("MEDICAL")
    return Encounter(
        ref="",
        person=person.truth_id,
        at=at.replace(microsecond=0),
        site=site,
        method=method,
        landing=None,
        claimed_name=f"{copy.name.given} {copy.name.family}",
        claimed_birth=Birth(
            year=copy.birth.year, month=copy.birth.month, day=copy.birth.day, claimed=True
        ),
        languages=(_LANGUAGES[person.culture],),
        debrief=rng.choices(("NONE", "PARTIAL", "FULL"), (40, 35, 25))[0],
        image_taken=rng.random() < 0.85,
        biometrics_taken=rng.random() < 0.9,
        phone_seized=rng.random() < 0.25,
        documents=copy.documents if rng.random() < 0.4 else (),
        needs=tuple(needs),
    )


def _with_boat_phone(person: Person, phone: str) -> Person:
    copy = person.copies[Agency.BID]
    known = replace(copy, phones=(*copy.phones, phone))
    return replace(person, copies={**person.copies, Agency.BID: known})


def _fill_hotel(
    rng: random.Random,
    people: dict[str, Person],
    passengers: Sequence[str],
    hotel: Address,
    as_of: date,
    named: set[str],
) -> None:
    for truth in [p for p in passengers if p not in named][:HOTEL_GUESTS]:
        stay = Occupancy(
            address=hotel,
            kind="ASYLUM_ACCOMMODATION",
            since=as_of - timedelta(days=rng.randint(5, 200)),
        )
        guest = people[truth]
        people[truth] = replace(guest, occupancies=(*guest.occupancies, stay))
