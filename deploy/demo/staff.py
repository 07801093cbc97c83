"""What an agency's own systems would hand in of its staff, for the demonstration's misuse queue.

NMC alone connects a feed, so the queue shows both: what is looked for with one, and what is said
to be missing without. Each officer is given the name, car and home of somebody invented, and as
family those of the same name.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from deploy.demo.personas import PERSONAS, Persona
from deploy.demo.population import Population
from deploy.demo.world.truth import Address, Person

AGENCY = "NMC"
_MOST_RELATIVES = 3
_NEAR = 2


def write_staff(population: Population, issuer_url: str, folder: Path) -> Path:
    """The feed of one agency's officers, below a folder of feeds; its file."""
    file = folder / AGENCY / "staff.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    officers = [one for one in PERSONAS.values() if one.agency == AGENCY]
    with file.open("w", encoding="utf-8", newline="") as out:
        rows = csv.DictWriter(
            out,
            ("issuer", "id", "team", "given", "family", "born", "plates", "phones", "postcodes",
             "near", "relatives"),
        )  # fmt: skip
        rows.writeheader()
        for officer, home in zip(officers, _people(population), strict=False):
            rows.writerow(_row(officer, *home, population, issuer_url))
    return file


def _people(population: Population) -> Iterator[tuple[Person, tuple[Person, ...]]]:
    """Keepers of cars who have a home and family of the same name, in the population's order."""
    by_name: dict[str, list[Person]] = defaultdict(list)
    for person in population.people.values():
        by_name[person.name.family].append(person)
    keepers = {vehicle.keeper for vehicle in population.vehicles}
    for family, people in by_name.items():
        plain = family.isalpha() and all(one.name.given.isalpha() for one in people)
        own = next((one for one in people if one.truth_id in keepers and one.occupancies), None)
        if plain and own is not None and len(people) > 1:
            others = [one for one in people if one is not own]
            yield own, tuple(others[:_MOST_RELATIVES])


def _row(
    officer: Persona,
    person: Person,
    relatives: tuple[Person, ...],
    population: Population,
    issuer_url: str,
) -> dict[str, str]:
    home = person.occupancies[-1].address
    plates = [one.vrm for one in population.vehicles if one.keeper == person.truth_id]
    return {
        "issuer": f"{issuer_url}/{officer.issuer}",
        "id": officer.sub,
        "team": "control" if "sergeant" in officer.roles else "response",
        "given": person.name.given,
        "family": person.name.family,
        "born": person.born.isoformat(),
        "plates": ";".join(plates),
        "phones": ";".join(person.phones),
        "postcodes": home.postcode,
        "near": ";".join(_near(home, population)),
        "relatives": ";".join(
            f"{one.name.given} {one.name.family} {one.born.isoformat()}" for one in relatives
        ),
    }


def _near(home: Address, population: Population) -> list[str]:
    """The postcodes next to a home's."""
    away = {
        one.postcode: (one.easting - home.easting) ** 2 + (one.northing - home.northing) ** 2
        for one in population.addresses
        if one.postcode != home.postcode
    }
    return sorted(away, key=lambda postcode: (away[postcode], postcode))[:_NEAR]
