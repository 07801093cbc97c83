"""Which agency holds whom, under which key, and what it believes."""

from __future__ import annotations

import random
import uuid
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from deploy.demo.noise import copied, latinised
from deploy.demo.world import identifiers
from deploy.demo.world.truth import (
    Agency,
    Birth,
    Copy,
    Governance,
    Name,
    Person,
)

HELD = {Agency.NMC: 0.45, Agency.SCP: 0.40, Agency.BID: 0.45, Agency.ERU: 0.15, Agency.NCB: 0.15}
_KNOWS_DOCUMENT = {
    Agency.NMC: 0.4,
    Agency.SCP: 0.3,
    Agency.BID: 1.0,
    Agency.ERU: 0.2,
    Agency.NCB: 0.5,
}
_UNMARKED = {Agency.NMC, Agency.ERU}  # old systems that keep plain letters only


def key_of(agency: Agency, number: int) -> str:
    """The agency's own key for the person with this number: no two agencies' keys are alike."""
    match agency:
        case Agency.NMC:
            return identifiers.nominal_ref(number * 7_919 % 9_999_991)
        case Agency.SCP:
            return str(88_000 + number * 3)
        case Agency.BID:
            return f"BP{number * 104_729 % 999_999_937:09}"
        case Agency.ERU:
            return str(1_000 + number * 2)
        case _:
            return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{agency}:{number}"))


def make_copies(
    rng: random.Random, people: dict[str, Person], as_of: date, kept: Mapping[str, object]
) -> None:
    """Give every person not `kept` a copy at one or more agencies, by dice that know no names."""
    for number, person in enumerate(people.values(), start=1):
        if person.truth_id in kept:
            continue
        holders = [agency for agency, share in HELD.items() if rng.random() < share]
        if not holders:
            holders = [rng.choice((Agency.NMC, Agency.SCP, Agency.BID))]
        copies = {agency: _copy(rng, person, number, agency, as_of) for agency in holders}
        people[person.truth_id] = replace(person, copies=copies)


def _copy(rng: random.Random, person: Person, number: int, agency: Agency, as_of: date) -> Copy:
    name, birth, noise = copied(rng, person.name, person.born)
    if agency in _UNMARKED:
        name = replace(
            name,
            given=latinised(name.given),
            family=latinised(name.family),
            middle=latinised(name.middle),
            native=None,
        )
    knows = _KNOWS_DOCUMENT[agency]
    return Copy(
        agency=agency,
        key=key_of(agency, number),
        name=name,
        aliases=_aliases(rng, person.name, agency),
        birth=_as_kept(rng, agency, birth),
        sex="NOT_RECORDED" if rng.random() < 0.03 else person.sex,
        documents=tuple(d for d in person.documents if rng.random() < knows),
        phones=tuple(p for p in person.phones if rng.random() < 0.6),
        restricted=agency is Agency.BID and rng.random() < 0.01,
        silent=agency in {Agency.ERU, Agency.NCB} and rng.random() < 0.02,
        noise=noise,
        governance=draw_governance(rng, as_of, sensitive=agency in {Agency.ERU, Agency.NCB}),
    )


def _aliases(rng: random.Random, name: Name, agency: Agency) -> tuple[Name, ...]:
    if agency is Agency.ERU or rng.random() > 0.12:
        return ()
    given = latinised(name.given)
    family = latinised(name.family)
    return (Name(given=given, family=f"{family}i", kind="ALIAS"),)


def _as_kept(rng: random.Random, agency: Agency, birth: Birth) -> Birth:
    """The date as this agency's system can hold it, and as far as its officers asked."""
    chance = rng.random()
    if agency is Agency.NMC and chance < 0.03:
        return Birth()
    if agency is Agency.SCP and chance < 0.06:
        return Birth(year=birth.year, month=birth.month)
    if agency is Agency.SCP and chance < 0.11:
        return Birth(year=birth.year)
    if agency is Agency.BID and chance < 0.08:
        return Birth(year=birth.year, claimed=True)
    if agency is Agency.NCB and birth.year:
        return _range(chance, birth)
    return birth


def _range(chance: float, birth: Birth) -> Birth:
    year, month, day = birth.year or 0, birth.month or 1, birth.day or 1
    if chance < 0.6:
        on = date(year, month, min(day, monthrange(year, month)[1]))
        return Birth(earliest=on, latest=on)
    if chance < 0.85:
        return Birth(earliest=date(year, 1, 1), latest=date(year, 12, 31))
    return Birth(earliest=date(year - 1, 1, 1), latest=date(year, 12, 31))


def draw_governance(rng: random.Random, as_of: date, *, sensitive: bool = False) -> Governance:
    """A record's header: nine in ten are current, and handling is drawn for every name alike."""
    retention = rng.choices(("CURRENT", "REVIEW_DUE", "DISPOSE", "RESTRICTED"), (86, 9, 3, 2))[0]
    past = as_of - timedelta(days=rng.randint(10, 700))
    review: date | None = as_of + timedelta(days=rng.randint(30, 2000))
    if retention == "REVIEW_DUE":
        review = past if rng.random() < 0.7 else None
    elif retention == "DISPOSE":
        review = past
    coded = sensitive and rng.random() < 0.2
    return Governance(
        retention=retention,
        review_on=review,
        handling="C" if coded else "P",
        conditions=("NOTIFY_ORIGINATOR",) if coded else (),
        source_grade=rng.choices((1, 2, 3), (60, 30, 10))[0],
        info_grade=rng.choices("ABCDE", (45, 25, 15, 10, 5))[0],
        mopi_group=rng.choices((1, 2, 3, 4), (10, 20, 50, 20))[0],
        marking="OFFICIAL_SENSITIVE" if sensitive else "OFFICIAL",
        recorded_at=moment(rng, as_of, 3000),
    )


def moment(rng: random.Random, as_of: date, days: int) -> datetime:
    """Some second of the `days` before `as_of`."""
    start = datetime.combine(as_of, time(), UTC)
    return start - timedelta(seconds=rng.randint(3600, days * 86_400))
