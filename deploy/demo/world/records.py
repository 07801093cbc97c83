"""What forces record: incidents with everybody's part in them, custody, warnings and alerts."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from deploy.demo.world.copies import draw_governance, moment
from deploy.demo.world.happenings import Incident, Referral
from deploy.demo.world.truth import (
    Address,
    Agency,
    Alert,
    Custody,
    Offence,
    Person,
    Safeguard,
    Warning,
)

DUAL_ROLES = 80  # people who are suspects and victims
FORCES = (Agency.NMC, Agency.SCP)
# class and sub-class as crime recording numbers them, title, and whether it is serious
OFFENCES = (
    (8, 1, "Assault occasioning injury", True),
    (10, 2, "Possession of a bladed article", True),
    (28, 3, "Burglary in a dwelling", False),
    (45, 10, "Theft from a vehicle", False),
    (48, 1, "Theft of a vehicle", False),
    (53, 1, "Fraud by false representation", False),
    (78, 1, "Assisting unlawful immigration", True),
    (79, 2, "Possession of false identity documents", False),
    (92, 10, "Possession with intent to supply", True),
    (106, 1, "Holding a person in servitude", True),
)
_WARNINGS = {
    "VIOLENT": "assaulted officers on arrest",
    "WEAPONS": "carries a lock knife",
    "ESCAPER": "ran from a hospital escort",
    "ALLEGES": "makes allegations against officers",
    "MENTAL_HEALTH": "in crisis when last met",
    "SELF_HARM": "self-harmed in custody",
    "DRUGS": "used needles found on search",
    "FIREARMS_CERT": "holds a shotgun certificate",
}
# what each force's system has a code or a bit for
KINDS_OF = {
    Agency.NMC: tuple(kind for kind in _WARNINGS if kind != "SELF_HARM"),
    Agency.SCP: ("VIOLENT", "WEAPONS", "ESCAPER", "SELF_HARM"),
}
# both are half past one on the clocks of the night when they go back
AMBIGUOUS = (datetime(2025, 10, 26, 0, 30, tzinfo=UTC), datetime(2025, 10, 26, 1, 30, tzinfo=UTC))
OUTCOMES = ("CONVICTED", "CHARGED", "CAUTIONED", "NO_FURTHER_ACTION", "PENDING")
DISPOSALS = ("CHARGED", "NO_FURTHER_ACTION", "BAILED", "UNDER_INVESTIGATION", "CAUTIONED")
DESKS = {
    Agency.NMC: "NMC control room desk",
    Agency.SCP: "SCP operations desk",
    Agency.BID: "BID border desk",
    Agency.ERU: "ERU on-call desk",
    Agency.NCB: "NCB duty desk",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Casts:
    """Who may play which part; drawn without a look at anybody's name."""

    suspects: tuple[str, ...]
    victims: tuple[str, ...]
    witnesses: tuple[str, ...]
    dual: tuple[str, ...]


def cast(rng: random.Random, people: Mapping[str, Person], named: Sequence[str]) -> Casts:
    """Split the people whom a force holds into parts; `DUAL_ROLES` less two have both."""
    held = [
        p.truth_id
        for p in people.values()
        if p.truth_id not in named and any(force in p.copies for force in FORCES)
    ]
    rng.shuffle(held)
    dual = DUAL_ROLES - 2  # GOLD-1 and GOLD-6 are the others
    rest = held[dual:]
    first, second, third = (int(len(rest) * share) for share in (0.4, 0.65, 0.8))
    return Casts(
        dual=tuple(held[:dual]),
        suspects=tuple(rest[:first]),
        victims=tuple(rest[first:second]),
        witnesses=tuple(rest[second:third]),
    )


def make_incidents(
    rng: random.Random,
    people: Mapping[str, Person],
    casts: Casts,
    as_of: date,
    addresses: Sequence[Address],
) -> list[Incident]:
    """An incident for every suspect and every victim; the dual ones have one of each."""
    victims, witnesses = list(casts.victims), list(casts.witnesses)
    rng.shuffle(victims)
    rng.shuffle(witnesses)
    made: list[Incident] = []

    def record(force: Agency, *parts: tuple[str, str]) -> None:
        number = len(made) + 1
        made.append(_incident(rng, force, number, parts, as_of, addresses))

    def companion(pool: list[str], force: Agency, role: str) -> list[tuple[str, str]]:
        if pool and rng.random() < 0.6 and force in people[pool[-1]].copies:
            return [(pool.pop(), role)]
        return []

    for truth in (*casts.suspects, *casts.dual):
        force = _force_of(rng, people[truth])
        role = "CONVICTED" if rng.random() < 0.3 else "SUSPECT"
        others = companion(victims, force, "VICTIM") + companion(witnesses, force, "WITNESS")
        record(force, (truth, role), *others)
    for role, pool in (("VICTIM", (*victims, *casts.dual)), ("WITNESS", tuple(witnesses))):
        for truth in pool:
            record(_force_of(rng, people[truth]), (truth, role))
    at_nmc = [n for n, incident in enumerate(made) if incident.agency is Agency.NMC]
    for n, at in zip(at_nmc, AMBIGUOUS, strict=False):
        made[n] = replace(made[n], at=at)
    return made


def _force_of(rng: random.Random, person: Person) -> Agency:
    return rng.choice([force for force in FORCES if force in person.copies])


def crime_ref(force: Agency, year: int, number: int) -> str:
    """A crime number as the force writes it."""
    if force is Agency.NMC:
        return f"NM/{year}/{number:06}"
    return f"SC-{year % 100:02}-{number:07}"


def _incident(
    rng: random.Random,
    force: Agency,
    number: int,
    parts: Sequence[tuple[str, str]],
    as_of: date,
    addresses: Sequence[Address],
) -> Incident:
    ho_class, ho_sub, title, _serious = rng.choice(OFFENCES)
    at = moment(rng, as_of, 1500).replace(second=0, microsecond=0)
    flags = {78: {"OIC"}, 106: {"MODERN_SLAVERY"}}.get(ho_class, set())
    if ho_class == 8 and rng.random() < 0.4:
        flags = {"DOMESTIC"}
    place = rng.choice(addresses[1:])
    return Incident(
        ref=crime_ref(force, at.year, number),
        agency=force,
        ho_class=ho_class,
        ho_sub=ho_sub,
        title=title,
        at=at,
        address=place,
        status=rng.choice(("OPEN", "UNDER_INVESTIGATION", "CLOSED")),
        outcome=rng.choice(OUTCOMES),
        narrative=f"{title} reported at {place.line}, {place.town}. Those named were asked.",
        sanitised=f"{title} in {place.town}." if rng.random() < 0.8 else None,
        flags=frozenset(flags),
        participants=tuple(parts),
        governance=draw_governance(rng, as_of),
    )


def give_history(
    rng: random.Random,
    people: dict[str, Person],
    casts: Casts,
    as_of: date,
) -> None:
    """Suspects' offences and custody, and everybody's warnings, alerts and safeguards."""
    suspects = {*casts.suspects, *casts.dual}
    protected = {*casts.victims, *casts.dual}
    for number, truth in enumerate((*casts.suspects, *casts.dual, *casts.victims), start=1):
        person = people[truth]
        has_past = truth in suspects
        offences, custody = _past(rng, person, number, as_of) if has_past else ((), ())
        people[truth] = replace(
            person,
            offences=offences,
            custody=custody,
            warnings=_warnings(rng, person, as_of) if rng.random() < 0.3 else (),
            alerts=_alerts(rng, person, as_of) if rng.random() < 0.12 else (),
            safeguards=_safeguards(rng, person) if truth in protected else (),
        )


def _past(
    rng: random.Random, person: Person, number: int, as_of: date
) -> tuple[tuple[Offence, ...], tuple[Custody, ...]]:
    offences = []
    for _ in range(rng.choices((0, 1, 2, 4), (30, 40, 20, 10))[0]):
        ho_class, ho_sub, title, serious = rng.choice(OFFENCES)
        offences.append(
            Offence(
                ho_class=ho_class,
                ho_sub=ho_sub,
                title=title,
                outcome=rng.choice(OUTCOMES),
                on=moment(rng, as_of, 3000).date(),
                court=rng.choice(("Northmarch Magistrates", "Saltcoast Crown Court")),
                serious=serious,
            )
        )
    if rng.random() > 0.7:
        return tuple(offences), ()
    force = _force_of(rng, person)
    arrived = moment(rng, as_of, 1200).replace(second=0, microsecond=0)
    stay = Custody(
        ref=f"{force}/CU/{arrived.year % 100:02}/{number:05}",
        agency=force,
        arrest_offence=rng.choice(OFFENCES)[2],
        arrived=arrived,
        released=arrived + timedelta(minutes=rng.randint(90, 1440)),
        disposal=rng.choice(DISPOSALS),
    )
    return tuple(offences), (stay,)


def _warnings(rng: random.Random, person: Person, as_of: date) -> tuple[Warning, ...]:
    owner = _force_of(rng, person)
    kinds = rng.sample(KINDS_OF[owner], rng.choices((1, 2), (80, 20))[0])
    return tuple(warning(kind, owner, as_of, rng.randint(20, 1500)) for kind in kinds)


def warning(kind: str, owner: Agency, as_of: date, days_ago: int) -> Warning:
    """A warning of this kind that `owner` added so many days ago."""
    return Warning(
        kind=kind,
        reason=_WARNINGS[kind],
        added=as_of - timedelta(days=days_ago),
        review=as_of + timedelta(days=365),
        owner=owner,
    )


def _alerts(rng: random.Random, person: Person, as_of: date) -> tuple[Alert, ...]:
    owner = _force_of(rng, person)
    kind, power = rng.choice(
        (
            ("WANTED", "warrant of the magistrates"),
            ("MISSING", "missing person report"),
            ("LOCATE", "locate and trace"),
            ("BAIL", "bail conditions"),
        )
    )
    return (
        Alert(
            kind=kind,
            power=power,
            owner=owner,
            contact=DESKS[owner],
            discreet=rng.random() < 0.15,
            added=as_of - timedelta(days=rng.randint(1, 300)),
        ),
    )


def _safeguards(rng: random.Random, person: Person) -> tuple[Safeguard, ...]:
    found = []
    if Agency.SCP in person.copies and rng.random() < 0.35:
        kind = rng.choice(("NRM", "DOMESTIC_ABUSE"))
        found.append(Safeguard(kind=kind, state="RECORDED", owner=Agency.SCP))
    if Agency.BID in person.copies and rng.random() < 0.1:
        found.append(Safeguard(kind="NRM", state="RECORDED", owner=Agency.BID))
    if Agency.NCB in person.copies and rng.random() < 0.4:
        state = rng.choice(("OPEN", "CONCLUDED"))
        found.append(Safeguard(kind="NRM", state=state, owner=Agency.NCB))
    return tuple(found)


def make_referrals(rng: random.Random, people: Mapping[str, Person], as_of: date) -> list[Referral]:
    """One referral for each flag that the national bureau owns."""
    made: list[Referral] = []
    for person in people.values():
        for flag in person.safeguards:
            if flag.kind == "NRM" and flag.owner is Agency.NCB:
                made.append(
                    Referral(
                        ref=f"NRM-{len(made) + 1:05}",
                        person=person.truth_id,
                        state=flag.state,
                        outcome="positive conclusive" if flag.state == "CONCLUDED" else None,
                        referred_on=as_of - timedelta(days=rng.randint(10, 600)),
                    )
                )
    return made
