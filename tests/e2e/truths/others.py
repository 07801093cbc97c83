"""BID's, ERU's, NCB's and NIS's: statuses, encounters, links, groups and what was done to them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from deploy.demo.agencies.ncb import guid_of
from deploy.demo.population import Agency, Copy, Group, Person, Population, Report
from gateway.model import Record
from tests.e2e.truths import GRADES, KEPT, Told, Truth, conditions, header

NEEDS = {"MINOR_CLAIMED": "CHILD", "NRM": "NRM", "MEDICAL": "HEALTH"}
AT_BID = frozenset({"CHILD", "NRM", "HEALTH"})
GENUINE = {True: "YES", False: "NO", None: "UNKNOWN"}


def other_truths(population: Population) -> Iterator[Truth]:
    """Of everything that the other four keep as codes."""
    yield from _bid(population)
    yield from _eru(population)
    yield from _ncb(population)
    told = {
        i.image_id: {"retention": "CURRENT" if i.retention == "H" else "REVIEW_DUE"}
        for i in population.images
        if i.retention != "X"
    }
    yield Truth(source="nis", entity="ImageRef", told=told)


# --- BID ------------------------------------------------------------------------------------------


def _bid(population: Population) -> Iterator[Truth]:
    given_out = [(p, c) for p, c in population.held_by(Agency.BID) if not c.restricted]
    met = [
        (e, population.people[e.person].copies[Agency.BID])
        for e in population.encounters
        if Agency.BID in population.people[e.person].copies
    ]
    noted: dict[str, set[str]] = {}
    for encounter, copy in met:
        noted.setdefault(copy.key, set()).update(NEEDS[need] for need in encounter.needs)
    told = {c.key: _bid_person(p, c, noted.get(c.key, set())) for p, c in given_out}
    yield Truth(source="bid", entity="Person", told=told)
    told = {
        e.ref: {
            "retention": copy.governance.retention,
            "silent": copy.silent,
            "method": e.method,
            "debrief": e.debrief,
            "where.kind": e.site.kind,
            "devices.extract_state": [device.extract_state for device in e.devices],
            "documents.kind": [document.kind for document in e.documents],
            "documents.genuine": [GENUINE[document.genuine] for document in e.documents],
            "screened_needs.kind": [NEEDS[need] for need in e.needs],
        }
        for e, copy in met
        if not copy.restricted
    }
    keys = tuple(copy.key for _, copy in given_out)
    yield Truth(source="bid", entity="Encounter", told=told, by="person_key", keys=keys)


def _bid_person(person: Person, copy: Copy, noted: set[str]) -> Told:
    unsaid = "CLAIMED" if copy.birth.claimed else "LEGAL"
    kinds = {"CLAIMED": "CLAIMED", "DOCUMENT": "LEGAL", "LEGAL": unsaid}
    held = person.immigration
    said = [document.genuine for document in copy.documents if document.genuine is not None]
    places = {"HOME", "ASYLUM_ACCOMMODATION"}
    own = {s.kind for s in person.safeguards if s.owner is Agency.BID}
    return header(copy.governance, silent=copy.silent) | {
        "sex": copy.sex if copy.sex in {"MALE", "FEMALE"} else "NOT_RECORDED",
        "immigration.status": held.status if held else None,
        "immigration.absconder": held.status == "ABSCONDER" if held else None,
        "names.kind": [kinds.get(n.kind, "ALIAS") for n in (copy.name, *copy.aliases)],
        "identifiers.kind": [document.kind for document in copy.documents],
        "identifiers.status": ["genuine" if genuine else "not genuine" for genuine in said],
        "addresses.kind": [o.kind for o in person.occupancies if o.kind in places],
        "safeguarding.kind": own & AT_BID | noted,
        "alerts.kind": [a.kind for a in person.alerts if a.owner is Agency.BID],
    }


# --- ERU and NCB ----------------------------------------------------------------------------------


def _report(report: Report) -> dict[str, Any]:
    paragraphs = report.paragraphs
    return header(report.governance, silent=report.silent) | {
        "paragraphs.handling": [p.handling for p in paragraphs],
        "paragraphs.conditions": [c for p in paragraphs for c in conditions(p.conditions)],
        "paragraphs.source_grade": [GRADES[p.source_grade] for p in paragraphs],
        "paragraphs.info_grade": [p.info_grade for p in paragraphs],
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "silent": group.silent,
        "attribute_band": group.attribute_band,
        "investigation": group.investigation,
    }


def _members(population: Population, agency: Agency) -> dict[tuple[str, str], dict[str, Any]]:
    """By the agency's own key of the person and the truth's of the group."""
    return {
        (copy.key, group.ref): {
            "role": member.role,
            "confidence": member.confidence,
            "silent": copy.silent or group.silent,
        }
        for group in population.groups
        if agency in group.refs
        for member in group.members
        if (copy := population.people[member.person].copies.get(agency))
    }


def _eru(population: Population) -> Iterator[Truth]:
    copies = {c.key: c for _, c in population.held_by(Agency.ERU)}
    sexes = {"MALE", "FEMALE", "OTHER"}
    told: dict[Any, Told] = {
        int(c.key): header(c.governance, silent=c.silent)
        | {"sex": c.sex if c.sex in sexes else None}
        for c in copies.values()
    }
    yield Truth(source="eru", entity="Person", told=told)
    told = {
        r.urn: _report(r) | {"bears_on_safety": r.bears_on_safety}
        for r in population.reports
        if r.agency is Agency.ERU
    }
    yield Truth(source="eru", entity="IntelligenceReport", told=told)
    groups = {g.ref: g for g in population.groups if Agency.ERU in g.refs}
    refs = {ref: group.refs[Agency.ERU] for ref, group in groups.items()}
    told = {refs[ref]: _group(g) | {"oic": g.oic} for ref, g in groups.items()}
    yield Truth(source="eru", entity="OrganisedGroup", told=told)
    told = {
        f"{refs[ref]}/{key}": member
        for (key, ref), member in _members(population, Agency.ERU).items()
        if copies[key].governance.retention in KEPT
    }
    yield Truth(source="eru", entity="GroupMembership", told=told)
    told = {
        d.ref: {"strand": d.strand, "grade": d.grade, "silent": groups[d.group].silent}
        for d in population.disruptions
        if Agency.ERU in d.claimed_by and d.group in refs
    }
    yield Truth(source="eru", entity="Disruption", told=told)
    yield _links(population)


def _links(population: Population) -> Truth:
    """Between people: whom a boat, a group or a family joins. Things tell by what they are."""
    held = {
        p.truth_id: int(c.key)
        for p, c in population.held_by(Agency.ERU)
        if c.governance.retention in KEPT
    }
    joined: dict[tuple[int, int], list[str]] = {}

    def join(kind: str, truths: Iterator[str] | tuple[str, ...]) -> None:
        at_eru = [t for t in truths if Agency.ERU in population.people[t].copies]
        for first, second in pairwise(at_eru):
            if first in held and second in held:
                joined.setdefault((held[first], held[second]), []).append(kind)

    for landing in population.landings:
        join("CO_TRAVELLER", landing.people)
    for group in population.groups:
        if Agency.ERU in group.refs:
            join("ASSOCIATE", tuple(m.person for m in group.members))
    for pair in population.pairs:
        if pair.kind != "NAMESAKES":
            join("FAMILY", (pair.first, pair.second))
    told = {ends: {"kind": kinds} for ends, kinds in joined.items()}
    people = frozenset(held.values())
    return Truth(
        source="eru",
        entity="Link",
        told=told,
        by="from_key",
        keys=tuple(sorted(people)),
        of=_ends,
    )


def _ends(record: Record) -> tuple[int, int]:
    return (int(record.values["from_key"]), int(record.values["to_key"]))


def _ncb(population: Population) -> Iterator[Truth]:
    referred = {r.person: r.state for r in population.referrals}
    told: dict[Any, Told] = {
        c.key: _ncb_person(p, c, referred.get(p.truth_id))
        for p, c in population.held_by(Agency.NCB)
    }
    yield Truth(source="ncb", entity="Person", told=told)
    told = {
        guid_of("report", r.urn): _report(r) for r in population.reports if r.agency is Agency.NCB
    }
    yield Truth(source="ncb", entity="IntelligenceReport", told=told)
    groups = {g.ref: g for g in population.groups if Agency.NCB in g.refs}
    told = {guid_of("group", ref): _group(g) for ref, g in groups.items()}
    yield Truth(source="ncb", entity="OrganisedGroup", told=told)
    told = {
        (key, guid_of("group", ref)): member
        for (key, ref), member in _members(population, Agency.NCB).items()
    }
    keys = tuple(guid_of("group", ref) for ref in groups)
    yield Truth(
        source="ncb", entity="GroupMembership", told=told, by="group_key", keys=keys, of=_member
    )
    told = {
        guid_of("disruption", d.ref): {"strand": d.strand, "grade": d.grade}
        for d in population.disruptions
        if Agency.NCB in d.claimed_by
    }
    yield Truth(source="ncb", entity="Disruption", told=told)


def _member(record: Record) -> tuple[str, str]:
    return (record.values["person_key"], record.values["group_key"])


def _ncb_person(person: Person, copy: Copy, referral: str | None) -> Told:
    kinds = {"LEGAL": "LEGAL", "NICK": "NICK", "TRANSLITERATED": "TRANSLITERATED"}
    sexes = {"MALE", "FEMALE", "OTHER"}
    own = [document.kind for document in copy.documents]
    return header(copy.governance, silent=copy.silent) | {
        "sex": copy.sex if copy.sex in sexes else "NOT_RECORDED",
        "names.kind": [kinds.get(n.kind, "ALIAS") for n in (copy.name, *copy.aliases)],
        "identifiers.kind": [*own, *(["PNCID"] if person.pncid else [])],
        "warnings.kind": [w.kind for w in person.warnings if w.owner is Agency.NCB],
        "alerts.kind": [a.kind for a in person.alerts if a.owner is Agency.NCB],
        "safeguarding.state": [referral] if referral else [],
    }
