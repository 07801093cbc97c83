"""The world is the same every time, has what the fixtures promise, and judges nobody by a name."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from deploy.demo.population import Agency, Population, make_population
from deploy.demo.world.border import HOTEL_GUESTS, WITHOUT_DEBRIEF
from deploy.demo.world.canaries import CANARIES
from deploy.demo.world.identifiers import luhn, pncid
from deploy.demo.world.people import LONG
from deploy.demo.world.places import HOTEL

PLATE = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z]{3}")


def test_the_same_arguments_make_the_same_world() -> None:
    assert make_population(600) == make_population(600)
    assert make_population(600).people != make_population(600, seed=1).people


def test_another_now_moves_only_what_is_recent() -> None:
    later = datetime(2026, 11, 22, 6, tzinfo=UTC)
    first, second = make_population(600), make_population(600, now=later)
    assert replace(second, now=first.now, sightings=(), landings=(), encounters=()) == replace(
        first, sightings=(), landings=(), encounters=()
    )
    recent = [s for s in second.sightings if s.at > later - timedelta(days=1)]
    assert len(recent) >= 3
    assert all(s.at <= later for s in second.sightings)


@pytest.mark.parametrize("people", [0, 599, 20_001])
def test_a_population_that_cannot_be_made_is_refused(people: int) -> None:
    with pytest.raises(ValueError, match="600 to 20,000"):
        make_population(people)


def test_groups_have_their_exact_counts(world: Population) -> None:
    oic = [g for g in world.groups if g.oic]
    idle = [g for g in oic if g.investigation == "NONE"]
    low = [g for g in idle if g.attribute_band == "LOW" and g.thematic_total >= 30]
    twice = [g for g in world.groups if len(g.refs) == 2]
    assert (len(world.groups), len(oic), len(idle), len(low), len(twice)) == (120, 48, 30, 17, 9)
    for group in world.groups:
        for agency in group.refs:
            held = [m for m in group.members if agency in world.people[m.person].copies]
            assert held, f"{group.ref} has no member at {agency}"


def test_reports_have_their_exact_counts(world: Population) -> None:
    reports = [r for r in world.reports if not CANARIES.intersection(r.subjects)]
    mixed = [r for r in reports if len({p.handling for p in r.paragraphs}) == 2]
    assert len(reports) == 1500
    assert Counter(r.governance.handling for r in reports) == {"C": 525, "P": 975}
    assert (len(mixed), sum(r.sanitised is None for r in reports)) == (300, 150)
    assert sum(r.silent for r in reports) == 75
    assert {r.agency for r in reports} == {Agency.ERU, Agency.NCB}
    assert len({r.urn for r in reports}) == 1500
    for report in reports:
        assert all(report.agency in world.people[t].copies for t in report.subjects)
        assert report.subjects


def test_disruptions_grow_by_thirty_six_per_cent(world: Population) -> None:
    year = world.as_of - timedelta(days=365)
    second = sum(d.on >= year for d in world.disruptions)
    first = len(world.disruptions) - second
    assert (first, second * 100) == (150, first * 136)
    assert sum(len(d.claimed_by) > 1 for d in world.disruptions) == 25
    groups = {group.ref: group for group in world.groups}
    for disruption in world.disruptions:
        assert {*disruption.claimed_by} <= {Agency.NMC, *groups[disruption.group].refs}


def test_every_operation_clashes_with_another(world: Population) -> None:
    assert len(world.operations) == 40
    assert sum(o.covert for o in world.operations) == 12
    for operation in world.operations:
        others = {s for o in world.operations if o is not operation for s in o.selectors}
        assert others & set(operation.selectors), operation.ref


def test_pairs_and_dual_roles(world: Population) -> None:
    assert Counter(p.kind for p in world.pairs) == {
        "TWINS": 20,
        "NAMESAKES": 20,
        "PARENT_CHILD": 20,
    }
    parts: dict[str, set[str]] = {}
    for incident in world.incidents:
        for truth, role in incident.participants:
            parts.setdefault(truth, set()).add("SUSPECT" if role == "CONVICTED" else role)
    both = {truth for truth, roles in parts.items() if {"SUSPECT", "VICTIM"} <= roles}
    assert both == world.dual_roles
    assert len(both) == 80


def test_documents_phones_and_addresses_are_shared(world: Population) -> None:
    bearers = Counter(d.number for p in world.people.values() for d in p.documents)
    assert sum(count == 2 for count in bearers.values()) == 41  # forty, and GOLD-1's
    guests = [
        p for p in world.people.values() if any(o.address.key == HOTEL for o in p.occupancies)
    ]
    assert len(guests) == HOTEL_GUESTS + 1  # and GOLD-1
    for landing in world.landings:
        holders = {p.truth_id for p, c in world.held_by(Agency.BID) if landing.phone in c.phones}
        assert holders == set(landing.people)


def test_the_last_boat_left_work_undone(world: Population) -> None:
    last = world.landings[-1]
    assert world.now - timedelta(days=1) < last.at < world.now
    undone = [
        e
        for e in world.encounters
        if (e.landing, e.site) == (last.ref, last.site)
        and (e.debrief, e.image_taken, e.phone_seized) == ("NONE", False, False)
    ]
    assert len(undone) == WITHOUT_DEBRIEF


def test_images(world: Population) -> None:
    drawn = [i for i in world.images if i.person not in CANARIES]
    assert len(drawn) == 4000
    assert sum(i.retention == "X" for i in drawn) == 240
    for image in world.images:
        person = world.people[image.person]
        assert person.custody
        assert image.subject == f"{image.force}:{person.copies[image.force].key}"
        assert world.as_of.year - person.born.year >= 18


def test_identifiers_pass_their_checks(world: Population) -> None:
    assert pncid(1991, 4417) == "91/0004417K"
    for person in world.people.values():
        if person.pncid:
            year, _, serial = person.pncid.partition("/")
            assert pncid(int(year), int(serial[:-1])) == person.pncid
        assert person.driver_no is None or len(person.driver_no) == 16
        assert person.nino is None or person.nino.startswith("QQ")
    assert all(PLATE.fullmatch(v.vrm) for v in world.vehicles)
    assert len({v.vrm for v in world.vehicles}) == len(world.vehicles)
    for encounter in world.encounters:
        assert all(luhn(d.imei[:-1]) == d.imei for d in encounter.devices)


def test_no_two_copies_share_a_key(world: Population) -> None:
    for agency in (Agency.NMC, Agency.SCP, Agency.BID, Agency.ERU, Agency.NCB):
        keys = [copy.key for _, copy in world.held_by(agency)]
        assert len(set(keys)) == len(keys)


def test_three_copies_in_ten_have_an_error(world: Population) -> None:
    copies = [c for p in world.people.values() for c in p.copies.values()]
    assert 0.28 < sum(bool(c.noise) for c in copies) / len(copies) < 0.32
    assert {c.noise for c in copies} - {""} == {
        "SPELLING",
        "ORDER",
        "DIACRITICS",
        "NICKNAME",
        "DEFAULT_BIRTHDAY",
        "DAY_MONTH",
        "YEAR",
    }


def test_retention_has_every_state(world: Population) -> None:
    states = Counter(
        c.governance.retention for p in world.people.values() for c in p.copies.values()
    )
    assert set(states) == {"CURRENT", "REVIEW_DUE", "DISPOSE", "RESTRICTED"}
    assert any(c.governance.review_on is None for _, c in world.held_by(Agency.NMC))
    assert any(c.restricted for _, c in world.held_by(Agency.BID))


def chi_square(table: dict[tuple[str, str], int]) -> tuple[float, int]:
    """Pearson's statistic for independence of rows and columns, and its degrees of freedom."""
    rows, columns = Counter[str](), Counter[str]()
    for (row, column), count in table.items():
        rows[row] += count
        columns[column] += count
    total = sum(rows.values())
    statistic = 0.0
    for row, in_row in rows.items():
        for column, in_column in columns.items():
            expected = in_row * in_column / total
            assert expected >= 5, "too few for the test to mean anything"
            statistic += (table.get((row, column), 0) - expected) ** 2 / expected
    return statistic, (len(rows) - 1) * (len(columns) - 1)


# the upper one per cent of the chi-square distribution, by degrees of freedom
CRITICAL = {5: 15.09, 10: 23.21, 15: 30.58, 16: 32.00, 20: 37.57, 25: 44.31}


def roles(world: Population) -> Counter[tuple[str, str]]:
    parts = ((t, role) for i in world.incidents for t, role in i.participants)
    return Counter((world.people[t].culture, role) for t, role in parts)


def handlings(world: Population) -> Counter[tuple[str, str]]:
    about = ((world.people[t].culture, r) for r in world.reports for t in r.subjects)
    return Counter((culture, r.governance.handling) for culture, r in about)


def grades(world: Population) -> Counter[tuple[str, str]]:
    about = ((world.people[t].culture, r) for r in world.reports for t in r.subjects)
    return Counter((culture, str(r.governance.source_grade)) for culture, r in about)


def memberships(world: Population) -> Counter[tuple[str, str]]:
    members = {m.person for g in world.groups for m in g.members}
    return Counter((p.culture, str(p.truth_id in members)) for p in world.people.values())


def warned(world: Population) -> Counter[tuple[str, str]]:
    return Counter((p.culture, str(bool(p.warnings))) for p in world.people.values())


def info_grades(world: Population) -> Counter[tuple[str, str]]:
    about = ((world.people[t].culture, r) for r in world.reports for t in r.subjects)
    return Counter((culture, r.governance.info_grade) for culture, r in about)


def copies_info_grades(world: Population) -> Counter[tuple[str, str]]:
    held = ((p.culture, c) for p in world.people.values() for c in p.copies.values())
    return Counter((culture, c.governance.info_grade) for culture, c in held)


def safeguarded(world: Population) -> Counter[tuple[str, str]]:
    return Counter((p.culture, str(bool(p.safeguards))) for p in world.people.values())


def referred(world: Population) -> Counter[tuple[str, str]]:
    return Counter(
        (p.culture, str(any(need.kind == "NRM" for need in p.safeguards)))
        for p in world.people.values()
    )


def alerted(world: Population) -> Counter[tuple[str, str]]:
    return Counter((p.culture, str(bool(p.alerts))) for p in world.people.values())


def held_in_custody(world: Population) -> Counter[tuple[str, str]]:
    return Counter((p.culture, str(bool(p.custody))) for p in world.people.values())


def released(world: Population) -> Counter[tuple[str, str]]:
    """How custody ended, which decides how long images are kept."""
    stays = ((p.culture, stay) for p in world.people.values() for stay in p.custody)
    return Counter((culture, stay.disposal) for culture, stay in stays)


def statuses(world: Population) -> Counter[tuple[str, str]]:
    """Of those who need leave to be here: who belongs here is a citizen whatever the name."""
    held = ((p.culture, p.nationality, p.immigration) for p in world.people.values())
    return Counter((c, i.status) for c, n, i in held if i is not None and n not in {"GB", "IE"})


def double_barrelled(world: Population) -> Counter[tuple[str, str]]:
    return Counter((p.culture, str(len(p.name.family) >= LONG)) for p in world.people.values())


def sexes(world: Population) -> Counter[tuple[str, str]]:
    return Counter((p.culture, str(p.sex == "OTHER")) for p in world.people.values())


def holders(world: Population) -> Counter[tuple[str, str]]:
    return Counter((p.culture, a) for p in world.people.values() for a in p.copies)


@pytest.mark.parametrize(
    "of",
    [roles, handlings, grades, info_grades, copies_info_grades, memberships, warned, holders,
     safeguarded, referred, alerted, held_in_custody, released, statuses, double_barrelled, sexes],
)  # fmt: skip
def test_nothing_follows_from_how_a_name_looks(world: Population, of: object) -> None:
    assert callable(of)
    statistic, freedom = chi_square(of(world))
    assert statistic < CRITICAL[freedom]
