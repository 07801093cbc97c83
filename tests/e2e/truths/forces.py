"""NMC's and SCP's: codes of sex, roles, warnings, outcomes, streets and cars."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.demo.agencies import nmc, nmc_looks, scp
from deploy.demo.agencies.scp_words import FLAGS
from deploy.demo.population import Population
from deploy.demo.world.truth import Address, Agency, Copy, Person
from tests.e2e.truths import KEPT, Told, Truth, header

WARNED = {Agency.NMC: frozenset(nmc.WARNINGS), Agency.SCP: frozenset(FLAGS)}
PROTECTED = frozenset({"DOMESTIC_ABUSE", "NRM"})
# as the system's handbook has them; drawn for each record from its key alone, whoever it is
OFFICERS = (
    *("UNKNOWN", "WHITE_NORTH_EUROPEAN", "WHITE_SOUTH_EUROPEAN", "BLACK", "ASIAN", "EAST_ASIAN"),
    "ARAB",
)
OWN = {
    "W1": "WHITE_BRITISH",
    "W9": "WHITE_OTHER",
    "A3": "ASIAN_BANGLADESHI",
    "B2": "BLACK_AFRICAN",
    "M4": "MIXED",
    "O9": "OTHER",
    None: None,
}
BUILDS = {"S": "SLIM", "M": "MEDIUM", "H": "HEAVY", None: None}
HAIR = {"BLK": "BLACK", "BRN": "BROWN", "FAR": "FAIR", "RED": "RED", "GRY": "GREY", "NON": "NONE"}
EYES = {"BRN": "BROWN", "BLU": "BLUE", "GRN": "GREEN", "GRY": "GREY", "HAZ": "HAZEL"}
Roles = Mapping[str, frozenset[str]]  # truth id -> the parts played in the force's own incidents


def force_truths(population: Population) -> Iterator[Truth]:
    """Of everything that the two forces keep as codes."""
    for agency in (Agency.NMC, Agency.SCP):
        source = agency.lower()
        roles = _roles(population, agency)
        persons = _persons(population, agency, roles)
        yield Truth(source=source, entity="Person", told=persons)
        yield Truth(source=source, entity="Vehicle", told=_vehicles(population, agency))
        yield Truth(source=source, entity="Incident", told=_incidents(population, agency))
        yield _places(population, agency, roles)
    yield _phones(population, _roles(population, Agency.SCP))
    seen = enumerate(population.sightings, start=1)
    told: dict[Any, Told] = {n: {"direction": sighting.direction} for n, sighting in seen}
    yield Truth(source="nmc", entity="Sighting", told=told)
    marks = _marks(population)
    told = {c.key: {"marks.kind": marks[c.key]} for _, c in population.held_by(Agency.NMC)}
    yield Truth(source="nmc", entity="Person", told=told)
    done = [d for d in population.disruptions if Agency.NMC in d.claimed_by]
    told = {d.ref: {"strand": d.strand, "grade": d.grade} for d in done}
    yield Truth(source="nmc", entity="Disruption", told=told)


def _roles(population: Population, agency: Agency) -> Roles:
    roles: dict[str, set[str]] = defaultdict(set)
    for incident in population.incidents:
        if incident.agency is agency:
            for truth, role in incident.participants:
                roles[truth].add(role)
    return {truth: frozenset(played) for truth, played in roles.items()}


def key_of(agency: Agency, copy: Copy) -> Any:
    return int(copy.key) if agency is Agency.SCP else copy.key


def _persons(population: Population, agency: Agency, roles: Roles) -> dict[Any, Told]:
    own = _at_nmc if agency is Agency.NMC else _at_scp
    pictured = {image.person for image in population.images if image.force is agency}
    return {
        key_of(agency, copy): _person(agency, person, copy, roles.get(person.truth_id, frozenset()))
        | own(person, copy, roles.get(person.truth_id, frozenset()))
        | _stays(agency, person, copy, pictured=person.truth_id in pictured)
        for person, copy in population.held_by(agency)
    }


def _person(agency: Agency, person: Person, copy: Copy, played: frozenset[str]) -> dict[str, Any]:
    alerts = [a for a in person.alerts if a.owner is agency]
    warnings = {w.kind for w in person.warnings if w.owner is agency}
    return header(copy.governance) | {
        "sex": copy.sex,
        "subject_roles": played,
        "addresses.kind": [held.kind for held in person.occupancies],
        "warnings.kind": warnings & WARNED[agency],
        "alerts.kind": [a.kind for a in alerts],
    }


def _stays(agency: Agency, person: Person, copy: Copy, *, pictured: bool) -> dict[str, Any]:
    """In custody; NMC's go with the person's record."""
    kept = agency is Agency.SCP or copy.governance.retention in KEPT
    stays = [stay for stay in person.custody if stay.agency is agency and kept]
    return {
        "custody.disposal": [stay.disposal for stay in stays],
        "custody.image_taken": [pictured for _ in stays],
    }


def _both(person: Person, played: frozenset[str], *, needs: bool = False) -> bool:
    """A suspect who is a victim as well."""
    return bool(played & {"SUSPECT", "CONVICTED"}) and ("VICTIM" in played or needs)


def _needs(person: Person) -> set[str]:
    own = {need.kind for need in person.safeguards if need.owner is Agency.SCP}
    return own & PROTECTED


def _at_nmc(person: Person, copy: Copy, played: frozenset[str]) -> dict[str, Any]:
    officers, own = nmc_looks.ethnicity(copy)
    _height, build, hair, eyes = nmc_looks.description(copy)
    numbers = {"NINO": person.nino, "DRIVER_NO": person.driver_no, "CRO": person.cro}
    return {
        "mopi_group": f"G{copy.governance.mopi_group}",
        "ethnicity.officer_defined": OFFICERS[officers],
        "ethnicity.self_defined": OWN[own],
        "description.build": BUILDS[build],
        "description.hair": HAIR.get(hair),
        "description.eyes": EYES.get(eyes),
        "names.kind": [name.kind for name in copy.aliases],
        "identifiers.kind": [
            *(document.kind for document in copy.documents),
            *(kind for kind, number in numbers.items() if number),
        ],
        "safeguarding.state": ["RECORDED"] * _both(person, played),
        "offending.outcome": [held.outcome for held in person.offences],
    }


def _at_scp(person: Person, copy: Copy, played: frozenset[str]) -> dict[str, Any]:
    needs = _needs(person)
    offences = person.offences if Agency.NMC not in person.copies else ()
    both = _both(person, played, needs=bool(needs))
    return {
        "victim": bool(played & {"VICTIM", "WITNESS"} or needs),
        "identifiers.kind": [document.kind for document in copy.documents],
        "safeguarding.kind": needs,
        "safeguarding.state": ["RECORDED"] * (len(needs) + both),
        "alerts.discreet": [a.discreet for a in person.alerts if a.owner is Agency.SCP],
        "offending.outcome": [held.outcome for held in offences],
        "offending.serious": [held.serious for held in offences],
    }


def _vehicles(population: Population, agency: Agency) -> dict[Any, Told]:
    first = 1 if agency is Agency.NMC else 5001
    told: dict[Any, Told] = {}
    for number, vehicle in enumerate(population.vehicles, start=first):
        if agency not in vehicle.held_by:
            continue
        all_of_them = agency is Agency.NMC  # the covert one was told to NMC alone
        markers = [m for m in vehicle.markers if all_of_them or not m.discreet]
        told[number] = {
            "stolen": vehicle.stolen,
            "false_plate_suspected": vehicle.false_plate,
            "markers.kind": [m.kind for m in markers],
        }
        if agency is Agency.SCP:
            told[number] = {
                **told[number],
                "colour": vehicle.colour,
                "markers.discreet": [m.discreet for m in markers],
            }
    return told


def _incidents(population: Population, agency: Agency) -> dict[Any, Told]:
    def kept(truth: str) -> bool:
        return population.people[truth].copies[agency].governance.retention in KEPT

    return {
        incident.ref: header(incident.governance)
        | {
            "status": incident.status,
            "outcome": incident.outcome,
            "participants.role": [r for truth, r in incident.participants if kept(truth)],
            **({"flags": incident.flags} if agency is Agency.SCP else {}),
        }
        for incident in population.incidents
        if incident.agency is agency
    }


def _behind(person: Person, played: frozenset[str]) -> bool:
    """Whether somebody stands behind the firewall at SCP."""
    return bool(played & {"VICTIM", "WITNESS"} or _needs(person))


def place_ref(place: Address) -> str:
    return f"{place.line}, {place.postcode}"


def _places(population: Population, agency: Agency, roles: Roles) -> Truth:
    """Of places that somebody stays at whose record is kept."""
    kinds: dict[str, list[str]] = defaultdict(list)
    known: dict[str, list[bool]] = defaultdict(list)
    for person, copy in population.held_by(agency):
        behind = _behind(person, roles.get(person.truth_id, frozenset()))
        for held in person.occupancies:
            kinds[place_ref(held.address)].append(held.kind)
            if copy.governance.retention in KEPT:
                known[place_ref(held.address)].append(behind)
    told: dict[Any, Told] = {}
    for ref, behinds in known.items():
        told[ref] = {"person_keys.kind": kinds[ref]}
        if agency is Agency.SCP:
            told[ref] = {**told[ref], "victim": all(behinds)}
    return Truth(source=agency.lower(), entity="Location", told=told)


def _phones(population: Population, roles: Roles) -> Truth:
    """Of SCP's phones: whether they are known through people behind the firewall alone."""
    behind = {
        copy.key: _behind(person, roles.get(person.truth_id, frozenset()))
        for person, copy in population.held_by(Agency.SCP)
        if copy.governance.retention in KEPT
    }
    holders: dict[str, list[bool]] = defaultdict(list)
    for person, text, *_dates in scp.shares(population)["tblPersonPhone"]:
        if str(person) in behind:
            holders[text].append(behind[str(person)])
    told = {text: {"victim": all(known)} for text, known in holders.items()}
    return Truth(source="scp", entity="Contact", told=told)


def _marks(population: Population) -> dict[str, list[str]]:
    """The kinds of marks as their texts say them: a mark coded T is `3 cm tattoo`."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for key, _number, _code, _place, text in nmc_looks.marks(population):
        kinds[key].append(str(text).split()[-1].upper())
    return kinds
