"""What to ask with: values of people and things, those that nobody may see among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from deploy.demo.population import Agency, Copy, Person, Population
from gateway.query.refs import Probe, Refs, officer
from tests.e2e.worlds.generating import Pool

_PEOPLE, _THINGS = 70, 25
ALONE = {
    "PersonCriteria": ("family", "given", "familyPrefix", "dob", "identifier", "phone"),
    "LocationCriteria": ("postcode", "name"),
    "EventCriteria": ("ref", "place", "postcode"),
    "GroupCriteria": ("ref", "oic", "region", "investigation"),
    "FaceProbe": ("ref",),
}
_SOURCE = {agency: agency.value.lower() for agency in Agency}


def people_of(population: Population, dice: Random) -> list[Person]:
    """Gold people, hidden ones of every kind, and some others."""
    everybody = list(population.people.values())
    hidden = [p for p in everybody if any(_hidden(copy) for copy in p.copies.values())]
    gold = [population.people[truth] for truth in dict.fromkeys(population.gold.values())]
    chosen = gold + dice.sample(hidden, min(len(hidden), _PEOPLE // 2))
    return chosen + dice.sample(everybody, _PEOPLE - min(len(chosen), _PEOPLE - 10))


def _hidden(copy: Copy) -> bool:
    return copy.restricted or copy.silent or copy.governance.retention in ("DISPOSE", "RESTRICTED")


def kept_of(people: Sequence[Person]) -> frozenset[str]:
    """The numbers that are asked for in full: who holds one may learn who bears it. Those of every
    other person are never asked for, so that it may be seen what else tells of them."""
    copies = [copy for person in people[::2] for copy in person.copies.values()]
    documents = {document.number for copy in copies for document in copy.documents}
    return frozenset(documents | {phone for copy in copies for phone in copy.phones})


def pool_of(
    population: Population,
    people: Sequence[Person],
    refs: Refs,
    asked: tuple[str, str, str],
    now: datetime,
) -> Pool:
    """Values for the caller `asked`: issuer, id and agency, as the gateway knows them."""
    dice = Random(f"{population.seed}:{asked}")  # noqa: S311 - reproducible, not secret
    incidents = dice.sample(population.incidents, _THINGS)
    encounters = dice.sample(population.encounters, _THINGS)
    kept = kept_of(people)
    phones = sorted({phone for person in people for phone in person.phones} & kept)
    images = dice.sample(population.images, _THINGS)
    rows: dict[str, Sequence[Mapping[str, Any]]] = {
        "PersonCriteria": [row for person in people for row in _person(person, kept)],
        "LocationCriteria": [
            row
            for person in people
            for held in person.occupancies
            for row in ({"postcode": held.address.postcode},
                        {"postcode": held.address.postcode.split()[0]})
        ],
        "EventCriteria": [
            *({"ref": i.ref, "postcode": i.address.postcode, **_around(i.at)} for i in incidents),
            *({"ref": e.ref, "place": e.site.name, "debrief": e.debrief, **_around(e.at)}
              for e in encounters),
        ],
        "GroupCriteria": [
            {"ref": ref, "oic": group.oic, "region": group.region, "thematicTotalGte": 10}
            for group in population.groups
            for ref in (group.ref, *group.refs.values())
        ],
        "Query.contactLookup": [{"kind": "PHONE", "value": phone} for phone in phones],
    }  # fmt: skip
    sealed = _sealed(population, people, refs, asked[2], [i.image_id for i in images])
    handles = _handles(refs, asked, now)
    values: dict[str, Sequence[Any]] = {
        "Query.vehicle.vrm": _plates(population, dice),
        "Query.person.ref": sealed["Person"],
        "Query.intelligence.ref": sealed["IntelligenceReport"],
        "FaceProbe.ref": [*sealed["ImageRef"], "not a ref"],
        "FaceProbe.handle": handles,
        "DateTime": [_text(now - timedelta(days=days)) for days in (0, 1, 30, 400)],
        "Duration": ["PT1H", "P1D", "P30D", "P400D"],
        "PartialDate": ["1990", "1991-04", "1985-01-01"],
        "Vrm": ["AB12CDE"],
        "E164": phones,
        "Postcode": ["TN28", "TN28 8AB"],
        "Query.faceSearch.maxCandidates": (1, 3, 10),
    }
    # a face is looked for by one of the two
    rows["FaceProbe"] = [{"ref": ref} for ref in values["FaceProbe.ref"]] + [
        {"handle": handle} for handle in handles
    ]
    return Pool(rows=rows, values=values, alone=ALONE)


def _person(person: Person, kept: frozenset[str]) -> Iterator[Mapping[str, Any]]:
    for copy in person.copies.values():
        row: dict[str, Any] = {
            "family": copy.name.family,
            "given": copy.name.given,
            "familyPrefix": copy.name.family[:4],
            "givenPrefix": (copy.name.given or "")[:3],
        }
        year = copy.birth.earliest.year if copy.birth.earliest else copy.birth.year
        row |= {"dob": str(year)} if year else {}
        if copy.phones and copy.phones[0] in kept:
            row["phone"] = copy.phones[0]
        if copy.documents and copy.documents[0].number in kept:
            row |= {"identifier": copy.documents[0].number,
                    "identifierKind": copy.documents[0].kind}  # fmt: skip
        yield {name: value for name, value in row.items() if value}
    for kind, number in (("PNCID", person.pncid), ("NINO", person.nino), ("CRO", person.cro)):
        if number:
            yield {"identifier": number, "identifierKind": kind}


def _around(at: datetime) -> Mapping[str, str]:
    return {"from": _text(at - timedelta(days=3)), "until": _text(at + timedelta(days=3))}


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _plates(population: Population, dice: Random) -> list[str]:
    marked = [v.vrm for v in population.vehicles if any(m.discreet for m in v.markers)]
    others = [vehicle.vrm for vehicle in dice.sample(population.vehicles, _THINGS)]
    return [*marked[:_THINGS], *others, *dict.fromkeys(s.vrm for s in population.sightings[:50])]


def _sealed(
    population: Population,
    people: Sequence[Person],
    refs: Refs,
    agency: str,
    images: Sequence[str],
) -> Mapping[str, list[str]]:
    """Refs of records, hidden ones too: they may have been shown before."""

    def ref(source: str, entity: str, key: str | int) -> str:
        return refs.seal(agency, source, entity, key)

    persons = [
        ref(_SOURCE[of], "Person", int(copy.key) if of in (Agency.SCP, Agency.ERU) else copy.key)
        for person in people
        for of, copy in person.copies.items()
    ]
    reports = [ref(_SOURCE[r.agency], "IntelligenceReport", r.urn) for r in population.reports]
    pictures = [ref("nis", "ImageRef", key) for key in images]
    return {
        "Person": [*persons, reports[0], "not a ref"],
        "IntelligenceReport": [*reports[::10], persons[0], "not a ref"],
        "ImageRef": pictures,
    }


def _handles(refs: Refs, asked: tuple[str, str, str], now: datetime) -> list[str]:
    """Probes issued a moment ago; each can be used once."""
    whose = officer(*asked)
    return [
        refs.seal_probe(
            Probe(id=f"p{n}", made_at=now, vector=tuple((n + i) % 7 / 7 for i in range(512))), whose
        )
        for n in range(5)
    ]
