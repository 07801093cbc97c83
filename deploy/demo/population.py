"""The population of the demonstration: one truth, from which every agency writes its share."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, time

from deploy.demo.world import identifiers
from deploy.demo.world.border import give_status, make_arrivals, with_findings
from deploy.demo.world.canaries import with_canaries
from deploy.demo.world.copies import make_copies
from deploy.demo.world.gold import GOLD, RESERVED_PHONES, golden_incidents, golden_people
from deploy.demo.world.happenings import (
    THEMES,
    Device,
    Disruption,
    Encounter,
    Group,
    Image,
    Incident,
    Landing,
    Membership,
    Operation,
    Pair,
    Paragraph,
    Population,
    Referral,
    Report,
    Sighting,
    Site,
    Stop,
    Vehicle,
)
from deploy.demo.world.images import make_images, retained
from deploy.demo.world.intelligence import (
    make_disruptions,
    make_groups,
    make_operations,
    make_reports,
    with_support,
)
from deploy.demo.world.people import (
    draw_other_sexes,
    draw_people,
    lengthen_names,
    make_pairs,
    share_documents,
)
from deploy.demo.world.places import make_addresses
from deploy.demo.world.records import cast, give_history, make_incidents, make_referrals
from deploy.demo.world.truth import (
    Address,
    Agency,
    Alert,
    Birth,
    Copy,
    Custody,
    Document,
    Governance,
    Immigration,
    Name,
    Occupancy,
    Offence,
    Person,
    Safeguard,
    Warning,
)
from deploy.demo.world.vehicles import GOLD_VRM, make_sightings, make_stops, make_vehicles

__all__ = [
    "AS_OF",
    "THEMES",
    "Address",
    "Agency",
    "Alert",
    "Birth",
    "Copy",
    "Custody",
    "Device",
    "Disruption",
    "Document",
    "Encounter",
    "Governance",
    "Group",
    "Image",
    "Immigration",
    "Incident",
    "Landing",
    "Membership",
    "Name",
    "Occupancy",
    "Offence",
    "Operation",
    "Pair",
    "Paragraph",
    "Person",
    "Population",
    "Progress",
    "Referral",
    "Report",
    "Safeguard",
    "Sighting",
    "Site",
    "Stop",
    "Vehicle",
    "Warning",
    "make_population",
    "quiet",
]

AS_OF = date(2026, 11, 1)
Progress = Callable[[str, float], None]  # what is being made, and how much of it is done


def quiet(_what: str, _done: float) -> None:
    """Progress for those who need none."""


def make_population(
    people: int = 5000,
    seed: int = 417,
    *,
    as_of: date = AS_OF,
    now: datetime | None = None,
    progress: Progress = quiet,
) -> Population:
    """The world of this seed: the same for the same arguments, on every machine.

    Everything lies before `as_of`, but for a boat and some camera sightings of the last day, which
    are placed before `now` (noon of `as_of` unless given).

    Raises:
        ValueError: fewer than 600 people, who could not fill the roles, or more than 20,000.
    """
    if not 600 <= people <= 20_000:
        raise ValueError("a population has 600 to 20,000 people")
    now = now or datetime.combine(as_of, time(12), UTC)

    def dice(subject: str) -> random.Random:
        # a stream for each subject: one more draw here moves nothing there
        return random.Random(f"{seed}:{subject}")  # noqa: S311 - reproducible, not secret

    progress("people", 0.0)
    addresses = make_addresses(dice("places"), max(600, people * 2 // 3))
    phones = identifiers.shuffled_phones(dice("phones"), RESERVED_PHONES)
    plates = identifiers.plates(dice("plates"), frozenset({GOLD_VRM}))
    everybody = draw_people(dice("people"), people, as_of, addresses, phones)
    everybody.update(golden_people(as_of, addresses))
    kept = {truth: name for name, truth in GOLD.items()}
    lengthen_names(dice("long names"), everybody, kept)
    share_documents(dice("documents"), everybody, kept)
    pairs = make_pairs(dice("pairs"), everybody, kept)
    make_copies(dice("copies"), everybody, as_of, kept)
    draw_other_sexes(dice("sexes"), everybody, kept)
    progress("records", 0.4)
    give_status(dice("status"), everybody, as_of, kept)
    casts = cast(dice("casts"), everybody, tuple(kept))
    give_history(dice("history"), everybody, casts, as_of)
    arrivals = make_arrivals(dice("arrivals"), everybody, as_of, now, phones, addresses[0], GOLD)
    incidents = make_incidents(dice("incidents"), everybody, casts, as_of, addresses)
    vehicles = make_vehicles(dice("vehicles"), everybody, as_of, plates, GOLD)
    progress("intelligence", 0.7)
    groups = with_support(dice("support"), make_groups(dice("groups"), everybody, as_of, GOLD))
    landings = with_findings(dice("findings"), arrivals.landings, everybody, GOLD.values())
    population = Population(
        seed=seed,
        as_of=as_of,
        now=now,
        people=everybody,
        addresses=addresses,
        landings=landings,
        encounters=arrivals.encounters,
        vehicles=vehicles,
        sightings=make_sightings(dice("sightings"), vehicles, as_of, now),
        incidents=(*golden_incidents(as_of, addresses), *incidents),
        stops=make_stops(dice("stops"), everybody, vehicles, as_of, addresses),
        reports=make_reports(dice("reports"), everybody, as_of, groups, vehicles, GOLD),
        groups=groups,
        disruptions=make_disruptions(dice("disruptions"), as_of, groups),
        operations=make_operations(dice("operations"), everybody, as_of, vehicles, GOLD),
        referrals=tuple(make_referrals(dice("referrals"), everybody, as_of)),
        images=retained(
            dice("retention"), make_images(dice("images"), everybody, as_of, GOLD), everybody
        ),
        pairs=pairs,
        dual_roles=frozenset({*casts.dual, GOLD["GOLD-1"], GOLD["GOLD-6"]}),
        gold=GOLD,
    )
    progress("people", 1.0)
    return with_canaries(population)
