"""Groups, reports, disruptions and operations: fixed numbers of each, whatever the population.

Which report is coded, mixed, silent or without sanitised text is drawn before anybody knows whom
it concerns, so that no grading can follow from a name.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from deploy.demo.world.copies import moment
from deploy.demo.world.happenings import (
    Disruption,
    Group,
    Membership,
    Operation,
    Paragraph,
    Report,
    Vehicle,
)
from deploy.demo.world.records import DESKS
from deploy.demo.world.truth import (
    Agency,
    Governance,
    Person,
)

GROUPS, OIC, OIC_NONE, OIC_NONE_LOW, TWICE_MAPPED = 120, 48, 30, 17, 9
GROUPS_AT_ERU = 70  # those mapped twice included; NCB has the rest and those
REPORTS, REPORTS_AT_ERU = 1500, 900
CODED, MIXED, UNSANITISED, SILENT = 525, 300, 150, 75
DISRUPTIONS_YEAR_1, DISRUPTIONS_YEAR_2, CLAIMED_TWICE = 150, 204, 25  # 204 = 150 x 1.36
OPERATIONS, COVERT = 40, 12
HIGH_HARM = 30  # a thematic total from which harm is high
_ROLES = ("PRINCIPAL", "FACILITATOR", "LOGISTICS", "FINANCE", "PILOT", "RECRUITER")
_STRANDS = ("PURSUE", "PREVENT", "PROTECT", "PREPARE")
_REGIONS = ("EAST", "SOUTH_EAST", "NORTH", "WEST")
_COLOURS = ("AMBER", "BRASS", "CEDAR", "DELFT", "EBONY", "FLINT", "GARNET", "HAZEL", "INDIGO")
_BIRDS = ("AVOCET", "BITTERN", "CURLEW", "DUNLIN", "EIDER", "FULMAR", "GANNET", "HERON", "IBIS")
_CRIMES = ("drugs supply", "firearms", "fraud", "acquisitive crime", "modern slavery")
_CONDITIONS = (
    "NO_ONWARD",
    "NO_ACTION_WITHOUT_ORIGINATOR",
    "SANITISED_ONLY",
    "NAMED_UNIT_ONLY:ERU-INTEL",
    "NO_COURT_USE",
    "NOTIFY_ORIGINATOR",
)
# whom, at which agency, with which handling, silent or not, about what
_GOLD_REPORTS = (
    ("GOLD-1", Agency.ERU, "P", False, "Weapons"),
    ("GOLD-1", Agency.ERU, "C", False, "Recruitment"),
    ("GOLD-1", Agency.ERU, "C", True, "Cash collection"),
    ("GOLD-2", Agency.ERU, "P", False, "Boat supply"),
    ("GOLD-2", Agency.NCB, "P", False, "Boat supply"),
    ("GOLD-5", Agency.NCB, "C", True, "Weapons"),
)
_SUBJECTS = (
    ("Boat supply", "arranged engines and hulls for crossings", "linked to boat supply"),
    ("Drivers", "met drivers at a lorry park at night", "seen near a lorry park"),
    ("Cash collection", "collected cash in plain envelopes", "linked to cash movement"),
    ("Recruitment", "offered places in boats by phone", "offers travel by phone"),
    ("Weapons", "showed a knife when refused money", "may carry a knife: take care"),
    ("Accommodation", "keeps a house where arrivals are held", "linked to an address of concern"),
)
_DANGERS = frozenset({"Weapons"})


def make_groups(
    rng: random.Random, people: Mapping[str, Person], as_of: date, gold: Mapping[str, str]
) -> tuple[Group, ...]:
    """The groups with their exact counts; the first is that of GOLD-1 and GOLD-2, at ERU."""
    holders = {
        agency: [
            p.truth_id
            for p in people.values()
            if agency in p.copies and p.truth_id not in gold.values()
        ]
        for agency in (Agency.ERU, Agency.NCB)
    }
    order = list(range(1, GROUPS))
    rng.shuffle(order)
    twice = {0, *order[: TWICE_MAPPED - 1]}
    at_eru = {0, *order[: GROUPS_AT_ERU - 1]}
    kinds = [_kind(n) for n in range(GROUPS)]
    first, rest = kinds[0], kinds[1:]
    rng.shuffle(rest)
    made = []
    for n, kind in enumerate((first, *rest)):
        agencies = [Agency.ERU] if n in at_eru else [Agency.NCB]
        if n in twice:
            agencies = [Agency.ERU, Agency.NCB]
        # a group mapped twice has members whom both agencies hold
        pool = [t for t in holders[agencies[0]] if all(a in people[t].copies for a in agencies)]
        made.append(_group(rng, n, kind, agencies, pool, as_of))
    principal = Membership(person=gold["GOLD-2"], role="PRINCIPAL", confidence="HIGH")
    passenger = Membership(person=gold["GOLD-1"], role="PILOT", confidence="LOW")
    made[0] = replace(made[0], members=(principal, passenger, *made[0].members), silent=False)
    return tuple(made)


def with_support(rng: random.Random, groups: Sequence[Group]) -> tuple[Group, ...]:
    """Who else has a share in the work on a group that somebody leads."""
    made = []
    for group in groups:
        others = [agency for agency in ("NMC", "SCP", "ERU", "NCB") if agency != group.lead]
        support = tuple(rng.sample(others, rng.choice((0, 1, 2)))) if group.lead else ()
        made.append(replace(group, support=support))
    return tuple(made)


def _kind(number: int) -> tuple[bool, str, bool]:
    """(oic, investigation or "" for any that is not NONE, low band with high harm)."""
    if number < OIC - OIC_NONE:
        return True, "ACTIVE" if number == 0 else "", False
    if number < OIC:
        return True, "NONE", number < OIC - OIC_NONE + OIC_NONE_LOW
    return False, "ANY", False


def _group(
    rng: random.Random,
    number: int,
    kind: tuple[bool, str, bool],
    agencies: Sequence[Agency],
    pool: Sequence[str],
    as_of: date,
) -> Group:
    oic, wanted, low_high = kind
    investigation = wanted if wanted in {"ACTIVE", "NONE"} else ""
    states = ("NONE", "DEVELOPING", "ACTIVE", "CLOSED")
    investigation = investigation or rng.choice(states if wanted == "ANY" else states[1:])
    band = "LOW" if low_high else rng.choice(("HIGH", "MEDIUM", "LOW"))
    floor = {"LOW": 5, "MEDIUM": 40, "HIGH": 70}[band]
    own = {
        agency: f"OCG-{number + 1:04}" if agency is Agency.ERU else f"CG/{7000 + number * 3}"
        for agency in agencies
    }
    members = rng.sample(list(pool), min(len(pool), rng.randint(2, 7)))
    crimes = rng.sample(_CRIMES, 2)
    return Group(
        ref=f"G-{number + 1:03}",
        refs=own,
        name=f"{_COLOURS[number % 9]} {_BIRDS[number // 9 % 9]}{'' if number < 81 else ' TWO'}",
        oic=oic,
        crime_types=("organised immigration crime", crimes[0]) if oic else tuple(crimes),
        region="EAST" if number == 0 else rng.choice(_REGIONS),
        lead=rng.choice(("NMC", "SCP", "ERU", "NCB", "")) if number else "ERU",
        tier=rng.choice(("1", "2", "3")),
        attribute_score=round(floor + rng.random() * 29, 1),
        attribute_band=band,
        thematic=_thematic(rng, low_high, band == "LOW" and investigation == "NONE"),
        investigation=investigation,
        last_review=as_of - timedelta(days=rng.randint(5, 700)),
        members=tuple(
            Membership(
                person=truth,
                role=rng.choice(_ROLES),
                confidence=rng.choice(("HIGH", "MEDIUM", "LOW")),
            )
            for truth in members
        ),
        silent=rng.random() < 0.03,
    )


def _thematic(
    rng: random.Random, high: bool, never_high: bool
) -> tuple[int, int, int, int, int, int, int]:
    while True:
        scores = rng.choices(range(4, 7) if high else range(7), k=7)
        if high and sum(scores) < HIGH_HARM:
            continue
        if never_high and not high and sum(scores) >= HIGH_HARM:
            continue
        one, two, three, four, five, six, seven = scores
        return one, two, three, four, five, six, seven


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grading:
    coded: bool
    mixed: bool
    sanitised: bool
    silent: bool


def make_reports(
    rng: random.Random,
    people: Mapping[str, Person],
    as_of: date,
    groups: Sequence[Group],
    vehicles: Sequence[Vehicle],
    gold: Mapping[str, str],
) -> tuple[Report, ...]:
    """The reports with their exact counts of gradings; then whom they concern is drawn."""
    coded, mixed, bare, silent = (
        frozenset(rng.sample(range(REPORTS), count))
        for count in (CODED, MIXED, UNSANITISED, SILENT)
    )
    made = []
    for n in range(REPORTS):
        agency = Agency.ERU if n < REPORTS_AT_ERU else Agency.NCB
        grading = _Grading(
            coded=n in coded, mixed=n in mixed, sanitised=n not in bare, silent=n in silent
        )
        made.append(_report(rng, n, agency, grading, as_of))
    told = _about_gold(made, gold)
    holders = {
        agency: [
            p for p in people.values() if agency in p.copies and p.truth_id not in gold.values()
        ]
        for agency in (Agency.ERU, Agency.NCB)
    }
    of_agency = {
        agency: [g.ref for g in groups if agency in g.refs] for agency in (Agency.ERU, Agency.NCB)
    }
    for n, report in enumerate(made):
        if n not in told:
            about = rng.sample(holders[report.agency], rng.choices((1, 2, 3), (60, 30, 10))[0])
            made[n] = replace(
                report,
                subjects=tuple(p.truth_id for p in about),
                phones=about[0].copies[report.agency].phones,
                vrms=(rng.choice(vehicles).vrm,) if rng.random() < 0.1 else (),
                groups=(rng.choice(of_agency[report.agency]),) if rng.random() < 0.2 else (),
            )
    return tuple(made)


def _about_gold(made: list[Report], gold: Mapping[str, str]) -> frozenset[int]:
    """Give the golden people their reports; the numbers of those given."""
    told: set[int] = set()
    for name, agency, handling, silent, topic in _GOLD_REPORTS:
        number = next(
            n
            for n, report in enumerate(made)
            if n not in told
            and (report.agency, report.governance.handling) == (agency, handling)
            and report.silent == silent
            and report.sanitised
            and all(p.handling == handling for p in report.paragraphs)
        )
        made[number] = _retold(made[number], gold[name], topic)
        told.add(number)
    return frozenset(told)


def _retold(report: Report, subject: str, topic: str) -> Report:
    """The report about this subject: its words, its grading of 2/B and its conditions fixed."""
    title, text, line = next(told for told in _SUBJECTS if told[0] == topic)
    conditions = ("NO_ONWARD", "SANITISED_ONLY") if report.governance.handling == "C" else ()
    graded = replace(report.paragraphs[0], source_grade=2, info_grade="B", conditions=conditions)
    paragraph = replace(graded, text=f"The subject {text}.")
    governance = replace(
        report.governance,
        retention="CURRENT",
        source_grade=2,
        info_grade="B",
        conditions=conditions,
    )
    return replace(
        report,
        title=title,
        text=paragraph.text,
        sanitised=f"Subject {line}.",
        paragraphs=(paragraph,),
        subjects=(subject,),
        governance=governance,
    )


def _topic(rng: random.Random, *, silent: bool) -> tuple[str, str, str]:
    """What a report is about. A silent one on a danger to officers needs its owner's overt warning
    beside it, which GOLD-5 has: the others are about something else."""
    told = rng.choice(_SUBJECTS)
    return _SUBJECTS[0] if silent and told[0] in _DANGERS else told


def _report(
    rng: random.Random, number: int, agency: Agency, grading: _Grading, as_of: date
) -> Report:
    title, text, line = _topic(rng, silent=grading.silent)
    at = moment(rng, as_of, 900).replace(second=0, microsecond=0)
    handling = "C" if grading.coded else "P"
    conditions = tuple(rng.sample(_CONDITIONS, rng.choice((1, 2)))) if grading.coded else ()
    if grading.coded and rng.random() < 0.2:
        conditions += (f"EXPIRES:{as_of + timedelta(days=rng.randint(-60, 300))}",)
    grade, info = (
        rng.choices((1, 2, 3), (50, 35, 15))[0],
        rng.choices("ABCDE", (25, 30, 25, 15, 5))[0],
    )
    other = "P" if grading.coded else "C"
    handlings = (handling, other) if grading.mixed else (handling,) * rng.choice((1, 2))
    paragraphs = tuple(
        Paragraph(
            text=f"The subject {text}." if n == 0 else "More than one contact agrees on the times.",
            handling=kind,
            source_grade=grade,
            info_grade=info,
            conditions=(conditions or ("SANITISED_ONLY",)) if kind == "C" else (),
        )
        for n, kind in enumerate(handlings)
    )
    system = f"ERU/I/{at.year % 100:02}" if agency is Agency.ERU else f"NCB-{at.year}"
    return Report(
        urn=f"{system}/{number + 1:05}",
        agency=agency,
        at=at,
        title=title,
        text=" ".join(paragraph.text for paragraph in paragraphs),
        sanitised=f"Subject {line}." if grading.sanitised else None,
        paragraphs=paragraphs,
        silent=grading.silent,
        subjects=(),
        governance=Governance(
            retention=rng.choices(("CURRENT", "REVIEW_DUE", "DISPOSE"), (90, 7, 3))[0],
            review_on=at.date() + timedelta(days=365),
            handling=handling,
            conditions=conditions,
            source_grade=grade,
            info_grade=info,
            mopi_group=rng.choice((1, 2)),
            marking="OFFICIAL_SENSITIVE",
            recorded_at=at,
        ),
    )


def make_disruptions(
    rng: random.Random, as_of: date, groups: Sequence[Group]
) -> tuple[Disruption, ...]:
    """Two years of disruptions; the second has 1.36 times as many as the first."""
    total = DISRUPTIONS_YEAR_1 + DISRUPTIONS_YEAR_2
    twice = frozenset(rng.sample(range(total), CLAIMED_TWICE))
    made = []
    for n in range(total):
        days = rng.randint(366, 730) if n < DISRUPTIONS_YEAR_1 else rng.randint(1, 365)
        group = rng.choice(groups)
        # nobody claims what was done to a group that they have not mapped, but for the force
        able = (*group.refs, Agency.NMC)
        claimed = tuple(rng.sample(able, rng.randint(2, len(able)) if n in twice else 1))
        strand = rng.choice(_STRANDS)
        made.append(
            Disruption(
                ref=f"D-{n + 1:04}",
                group=group.ref,
                on=as_of - timedelta(days=days),
                strand=strand,
                grade=rng.choices(("MAJOR", "MODERATE", "MINOR"), (15, 35, 50))[0],
                lead=claimed[0],
                claimed_by=claimed,
                summary=f"{strand.title()} activity against {group.name}",
                rationale="capability reduced for some weeks",
                event_key=f"EV-{n + 1:05}",
            )
        )
    return tuple(made)


def make_operations(
    rng: random.Random,
    people: Mapping[str, Person],
    as_of: date,
    vehicles: Sequence[Vehicle],
    gold: Mapping[str, str],
) -> tuple[Operation, ...]:
    """Operations in pairs that share a selector, so that each clashes with another."""
    covert = frozenset({0, *rng.sample(range(1, OPERATIONS), COVERT - 1)})
    candidates = [p for p in people.values() if p.phones and p.truth_id not in gold.values()]
    made: list[Operation] = []
    for n in range(OPERATIONS):
        subject = rng.choice(candidates)
        own = [("PERSON", subject.name.full.casefold()), ("PHONE", subject.phones[0])]
        if n % 2:
            own.append(made[n - 1].selectors[1])
        if n == 0:
            own += [("PERSON", people[gold["GOLD-5"]].name.full.casefold())]
            own += [("VRM", vehicles[0].vrm)]
        owner = rng.choice((Agency.NCB, Agency.ERU)) if n else Agency.NCB
        modes = ("OWNER_ONLY", "DESK_ONLY") if n in covert else ("MUTUAL", "ASKER_ONLY")
        made.append(
            Operation(
                ref=f"OP-{n + 1:03}",
                codename=f"{_BIRDS[n % 9]} {_COLOURS[n // 9]}",
                owner=owner,
                covert=n in covert,
                mode="OWNER_ONLY" if n == 0 else rng.choice(modes),
                start=as_of - timedelta(days=rng.randint(10, 200)),
                end=as_of + timedelta(days=rng.randint(30, 300)),
                selectors=tuple(own),
                contact=DESKS[owner],
            )
        )
    return tuple(made)
