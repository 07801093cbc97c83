"""The golden people are exactly as the design says: demos and tests count on every value."""

from __future__ import annotations

from datetime import date, timedelta

from deploy.demo.population import Agency, Birth, Population
from deploy.demo.world.gold import OVERT_LINE, PASSPORT, PHONE
from deploy.demo.world.vehicles import GOLD_VRM


def test_arben_is_known_to_all_by_six_spellings(world: Population) -> None:
    arben = world.golden("GOLD-1")
    copies = arben.copies
    assert (arben.truth_id, arben.born) == ("T-000417", date(1991, 4, 17))
    assert {a: (c.name.given, c.name.family) for a, c in copies.items()} == {
        Agency.NMC: ("Arben", "Hoxha"),
        Agency.SCP: ("Arben", "Hodja"),
        Agency.BID: ("Arbin", "Hoxhaj"),
        Agency.ERU: ("BENI", ""),
        Agency.NCB: ("Arben", "Hoxha"),
    }
    assert copies[Agency.NMC].birth == Birth(year=1991, month=4, day=17)
    assert copies[Agency.SCP].birth == Birth(year=1991, month=4)
    assert copies[Agency.BID].birth == Birth(year=1991, month=1, day=1, claimed=True)
    assert copies[Agency.NCB].birth == Birth(earliest=date(1990, 1, 1), latest=date(1991, 12, 31))
    assert [i.retention for i in world.images if i.person == arben.truth_id] == ["H", "X"]


def test_arben_can_be_found_by_document_and_phone(world: Population) -> None:
    copies = world.golden("GOLD-1").copies
    with_document = {a for a, c in copies.items() if PASSPORT in c.documents}
    with_phone = {a for a, c in copies.items() if PHONE in c.phones}
    assert with_document == {Agency.NMC, Agency.BID}
    assert with_phone == {Agency.SCP, Agency.ERU, Agency.NCB}
    others = [p for p in world.people.values() if PHONE in p.phones]
    assert [p.truth_id for p in others] == ["T-000417"]


def test_arben_has_what_the_queries_ask_for(world: Population) -> None:
    arben = world.golden("GOLD-1")
    assert {(s.owner, s.state) for s in arben.safeguards} == {
        (Agency.SCP, "RECORDED"),
        (Agency.NCB, "OPEN"),
    }
    assert {(a.owner, a.discreet) for a in arben.alerts} == {
        (Agency.NMC, False),
        (Agency.NCB, True),
    }
    assert {w.kind for w in arben.warnings} == {"WEAPONS", "MENTAL_HEALTH"}
    assert arben.custody
    assert arben.offences
    assert arben.immigration
    about = [r for r in world.reports if arben.truth_id in r.subjects]
    assert {(r.agency, r.governance.handling, r.silent) for r in about} == {
        (Agency.ERU, "P", False),
        (Agency.ERU, "C", False),
        (Agency.ERU, "C", True),
    }
    assert all(r.governance.retention == "CURRENT" and r.sanitised for r in about)
    assert arben.truth_id in {m.person for m in world.groups[0].members}
    met = [e for e in world.encounters if e.person == arben.truth_id]
    assert [(e.method, e.debrief, e.needs) for e in met] == [
        ("SMALL_BOAT", "PARTIAL", ("MEDICAL",)),
        ("IN_COUNTRY", "FULL", ()),
    ]


def test_the_supplier(world: Population) -> None:
    supplier = world.golden("GOLD-2")
    assert supplier.culture == "BRITISH"
    assert [(w.kind, w.owner) for w in supplier.warnings] == [("WEAPONS", Agency.SCP)]
    about = [r for r in world.reports if supplier.truth_id in r.subjects]
    assert {(r.agency, r.governance.handling) for r in about} == {
        (Agency.ERU, "P"),
        (Agency.NCB, "P"),
    }
    assert world.groups[0].members[0].person == supplier.truth_id


def test_the_namesake_and_the_look_alike(world: Population) -> None:
    arben, namesake, other = (world.golden(f"GOLD-{n}") for n in (1, 3, 4))
    assert (namesake.name, namesake.born.year) == (arben.name, 1991)
    assert namesake.born.month != arben.born.month
    assert not {d.number for d in namesake.documents} & {d.number for d in arben.documents}
    assert [d.number for d in other.copies[Agency.BID].documents] == [PASSPORT.number]
    assert other.name.family != arben.name.family


def test_the_silent_subject_carries_an_overt_warning(world: Population) -> None:
    quiet = world.golden("GOLD-5")
    assert quiet.copies[Agency.NCB].silent
    assert {(w.owner, w.sanitised) for w in quiet.warnings} == {
        (Agency.NCB, OVERT_LINE),
        (Agency.NMC, OVERT_LINE),
    }
    first = world.operations[0]
    assert (first.owner, first.covert, first.mode) == (Agency.NCB, True, "OWNER_ONLY")
    assert ("PERSON", quiet.name.full.casefold()) in first.selectors


def test_both_sides_of_the_firewall_and_of_the_child_rule(world: Population) -> None:
    young = world.golden("GOLD-6")
    by_border, by_force = (young.copies[a].birth.year or 0 for a in (Agency.BID, Agency.NMC))
    assert world.as_of.year - by_border < 18 < world.as_of.year - by_force
    played = {
        (i.agency, role)
        for i in world.incidents
        for t, role in i.participants
        if t == young.truth_id
    }
    assert played == {(Agency.NMC, "SUSPECT"), (Agency.SCP, "VICTIM")}


def test_the_golden_vehicle(world: Population) -> None:
    vehicle = world.vehicles[0]
    assert vehicle.vrm == GOLD_VRM
    assert vehicle.held_by == {Agency.NMC, Agency.SCP, Agency.VLR}
    assert (vehicle.keeper, vehicle.stopped_with) == (world.gold["GOLD-2"], world.gold["GOLD-1"])
    assert [(m.kind, m.owner, m.discreet) for m in vehicle.markers] == [
        ("DRUGS", Agency.NMC, False),
        ("WEAPONS", Agency.NCB, True),
    ]
    seen = [s.at for s in world.sightings if s.vrm == GOLD_VRM]
    day_ago = world.now - timedelta(days=1)
    assert (sum(at > day_ago for at in seen), sum(at < day_ago for at in seen)) == (3, 2)
