"""Each agency writes in its own way, with every trap that a mapping must survive."""

from __future__ import annotations

import json
import random
import re
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.agencies import nmc, scp, vlr
from deploy.demo.agencies.bid import write_bid
from deploy.demo.agencies.eru import conditions_text, write_eru
from deploy.demo.agencies.ncb import write_ncb
from deploy.demo.agencies.nmc_schema import TABLES
from deploy.demo.agencies.scp_schema import METADATA
from deploy.demo.population import Agency, Birth, Name, Population
from deploy.demo.world.canaries import CANARIES
from deploy.demo.world.images import released_without_action
from deploy.demo.world.vehicles import GOLD_VRM


def rows(path: Path, query: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query, values).fetchall()


@pytest.fixture(scope="module")
def eru(world: Population, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("eru") / "eru.sqlite"
    write_eru(path, world)
    return path


@pytest.fixture(scope="module")
def at_scp(world: Population, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scp") / "scp.sqlite"
    scp.write_scp_sqlite(path, world)
    return path


def test_eru_knows_arben_as_beni(world: Population, eru: Path) -> None:
    key = int(world.key("T-000417", Agency.ERU))
    [(label, attrs, silent)] = rows(eru, "select label, attrs, silent from entity where id=?", key)
    assert (label, json.loads(attrs)["born"], silent) == ("BENI", "17-Apr-91", 0)
    assert rows(eru, "select num from person_phone_v where person=?", key) == [("+447700900417",)]
    reports = rows(
        eru,
        "select hnd, silent from intel join intel_person_v using (urn) where person=? order by 1,2",
        key,
    )
    assert reports == [("C", 0), ("C", 1), ("P", 0)]
    assert len(rows(eru, "select * from ocg_member where entity=?", key)) == 1


def test_eru_keys_drift_and_dates_have_many_forms(eru: Path) -> None:
    held = [json.loads(a) for (a,) in rows(eru, "select attrs from entity where kind='PER'")]
    keys = Counter(key for attrs in held for key in ("dob", "DoB", "born") if key in attrs)
    assert set(keys) == {"dob", "DoB", "born"}
    born = [attrs[k] for attrs in held for k in ("dob", "DoB", "born") if k in attrs]
    for form in (r"\d\d-[A-Z][a-z]{2}-\d\d", r"\d\d/\d\d/\d{4}", r"\d{4}-\d\d-\d\d", r"\d{8}"):
        assert any(re.fullmatch(form, text) for text in born), form


def test_eru_holds_firms_that_are_nobody(eru: Path) -> None:
    kinds = {kind for (kind,) in rows(eru, "select distinct kind from entity")}
    assert kinds == {"PER", "VEH", "TEL", "LOC", "ORG"}
    firms = rows(eru, "select id, attrs from entity where kind = 'ORG'")
    assert len(firms) > 5
    assert all(json.loads(attrs)["trade"] for _, attrs in firms)
    linked = "select distinct x.kind from link l join entity x on x.id = l.a " \
             "join entity o on o.id = l.b and o.kind = 'ORG'"  # fmt: skip
    assert rows(eru, linked) == [("PER",)]
    # nothing that the gateway reads as a person, a phone or a vehicle is one of them
    firm_ids = {number for number, _ in firms}
    for view in ("person_v", "phone_v", "vehicle_v"):
        seen = {number for (number,) in rows(eru, f"select id from {view}")}  # noqa: S608
        assert seen.isdisjoint(firm_ids)


def test_what_hangs_on_a_record_of_eru_is_as_silent_as_it_and_goes_with_it(
    eru: Path, tmp_path: Path
) -> None:
    """Memberships, links and phones are told of through views, which tell nothing of the hidden."""
    path = tmp_path / "eru.sqlite"
    shutil.copy(eru, path)
    member = rows(path, "select entity from ocg_member_v where silent = 0 limit 1")[0][0]
    [linked] = rows(path, "select a, b from link_v where silent = 0 and rel = 'ASS' limit 1")
    [used] = rows(path, "select b from link where rel = 'USE' group by b having count(*) = 1 "
                  "and max(silent) = 0 limit 1")  # fmt: skip
    [user] = rows(path, "select a from link where rel = 'USE' and b = ?", *used)
    telling = {
        "select count(*) from ocg_member_v where silent = 0 and entity = ?": (member, member),
        "select count(*) from link_v where silent = 0 and a = ?": (linked[0], linked[0]),
        "select count(*) from link_v where silent = 0 and b = ?": (linked[1], linked[1]),
        "select count(*) from phone_v where silent = 0 and id = ?": (used[0], user[0]),
    }
    for query, (asked, hidden) in telling.items():
        for change, back in (("silent = 1", "silent = 0"), ("retention = 'X'", "retention = 'K'")):
            assert rows(path, query, asked) != [(0,)]
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute(f"update entity set {change} where id = ?", (hidden,))  # noqa: S608
            assert rows(path, query, asked) == [(0,)], (query, change)
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute(f"update entity set {back} where id = ?", (hidden,))  # noqa: S608


def test_eru_conditions() -> None:
    held = ("NO_ONWARD", "NAMED_UNIT_ONLY:ERU-INTEL", "EXPIRES:2026-01-31")
    assert conditions_text(held) == "NO,NU:ERU-INTEL,EX:2026-01-31"
    assert conditions_text(()) is None


def test_eru_replaces_a_file_and_writes_the_same_again(
    world: Population, eru: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.sqlite"
    again.write_text("something else")
    write_eru(again, world)
    for table in ("entity", "link", "intel", "intel_para", "ocg", "ocg_member", "disr"):
        query = f"select * from {table} order by 1, 2"  # noqa: S608
        assert rows(again, query) == rows(eru, query)


def test_nmc_rows_fit_their_columns(world: Population) -> None:
    held = nmc.shares(world)
    assert set(held) == set(TABLES)
    assert all(held.values())


def test_nmc_has_its_traps(world: Population) -> None:
    held = nmc.shares(world)
    births = [row[4] for row in held["nominal"]]
    assert nmc.UNKNOWN_BIRTH in births
    assert {row[5] for row in held["nominal"]} == {0, 1, 2, 9}
    assert all("'" not in row[1] and row[1] == row[1].upper() for row in held["nominal"])
    assert {row[1] for row in held["nom_warning"]} == {*nmc.WARNINGS.values(), "QX"}
    assert {row[2] for row in held["crime_person"]} == {"S", "D", "V", "W", "I"}
    plates = {" " in row[1] for row in held["vehicle"]}
    assert plates == {True, False}
    starts = {row[1][:2] for row in held["phone"]}
    assert {"+4", "00", "07"} <= starts
    half_past_one = datetime(2025, 10, 26, 1, 30)  # noqa: DTZ001 - of which there were two
    assert [row[4] for row in held["crime"]].count(half_past_one) >= 2


def test_nmc_has_cut_surnames_that_are_longer(world: Population) -> None:
    """One word or several: 25 characters are kept, and none of the world's names is spoilt else."""
    kept = {row[0]: row[1] for row in nmc.shares(world)["nominal"]}
    family = {copy.key: copy.name.family for _, copy in world.held_by(Agency.NMC)}
    double = [key for key, name in family.items() if "-" in name]
    cut = [key for key in double if len(nmc.upper(family[key], 60)) > nmc.SURNAME_LENGTH]
    assert 20 < len(cut) < len(double)
    for key in cut:
        assert len(kept[key]) == nmc.SURNAME_LENGTH
        assert nmc.upper(family[key], 60).startswith(kept[key])
    whole = family.keys() - set(cut)
    assert all(kept[key] == nmc.upper(family[key], 60) for key in whole)


def test_nmc_reviews_custody_that_ended_without_further_action(world: Population) -> None:
    held = nmc.shares(world)
    ends = {(row[5], row[-1]) for row in held["custody"]}
    assert {code for end, code in ends if end == "NFA"} == {"R", "D", "X"}
    assert {code for end, code in ends if end == "CHG"} == {"A", "R", "D", "X"}


def test_nis_does_not_simply_hold_whom_no_further_action_was_taken_against(
    world: Population,
) -> None:
    drawn = [i for i in world.images if i.person not in CANARIES]
    released = [i for i in drawn if released_without_action(world.people[i.person], i.force)]
    assert len(released) > 300
    assert {i.retention for i in released} == {"R", "Q", "X"}
    others = [i for i in drawn if not released_without_action(world.people[i.person], i.force)]
    assert {i.retention for i in others} == {"H", "R", "Q", "X"}


def test_ncb_and_bid_write_a_third_sex_as_their_lists_allow(
    world: Population, tmp_path: Path
) -> None:
    write_ncb(tmp_path / "ncb.json", world)
    write_bid(tmp_path / "bid.json", world)
    nominals = json.loads((tmp_path / "ncb.json").read_text())["nominals"]
    assert {n["genderIdentity"] for n in nominals} == {"MAN", "WOMAN", "NON_BINARY", "UNDISCLOSED"}
    persons = json.loads((tmp_path / "bid.json").read_text())["persons"]
    genders = {p["personRef"]: p["biographic"]["gender"] for p in persons}
    assert set(genders.values()) == {"MALE", "FEMALE", "UNSPECIFIED"}
    others = [copy.key for _, copy in world.held_by(Agency.BID) if copy.sex == "OTHER"]
    assert others
    assert {genders[key] for key in others} == {"UNSPECIFIED"}


def test_nmc_spells_in_its_own_way() -> None:
    assert nmc.upper("O'Neill") == "ONEILL"
    assert nmc.upper("Featherstonehaugh-Cholmondeley") == "FEATHERSTONEHAUGH-CHOLMON"
    assert nmc.pnc_short("01/0123456A") == "01/123456A"
    assert nmc.slashed(Name(given="Ali", family="Çela")) == "CELA/Ali"


def test_nmc_holds_arben(world: Population) -> None:
    held = nmc.shares(world)
    key = world.key("T-000417", Agency.NMC)
    [nominal] = [row for row in held["nominal"] if row[0] == key]
    assert nominal[1:5] == ("HOXHA", "ARBEN", None, date(1991, 4, 17))
    documents = {row[1]: row[2] for row in held["nom_document"] if row[0] == key}
    assert documents["PASSPORT"] == "BA4417093"
    assert set(documents) == {"PASSPORT", "NINO", "DRIVER_NO", "CRO"}
    assert [row for row in held["vehicle"] if row[9] == key]
    markers = [row for row in held["vehicle_marker"] if row[0].replace(" ", "") == GOLD_VRM]
    assert [(row[1], row[5], row[6]) for row in markers] == [
        ("DR", "NMC", False),
        ("WE", "NCB", True),
    ]


def test_scp_holds_arben(world: Population, at_scp: Path) -> None:
    key = int(world.key("T-000417", Agency.SCP))
    query = "select FullName, BirthDate, Gender, Flags, SubjectRef from vwPerson where PersonID=?"
    assert rows(at_scp, query, key) == [("Arben Hodja", "??/04/1991", "M", 32, f"SCP:{key}")]
    query = "select Involvement, Tags from vwInvolvement where PersonID=?"
    assert rows(at_scp, query, key) == [("Aggrieved", "MS")]


def test_scp_has_its_traps(at_scp: Path) -> None:
    births = {b for (b,) in rows(at_scp, "select BirthDate from vwPerson") if b}
    assert any(b.startswith("??/??/") for b in births)
    assert any(b.startswith("00/") for b in births)
    names = [n for (n,) in rows(at_scp, "select FullName from vwPerson")]
    assert {"," in name for name in names} == {True, False}
    assert {g for (g,) in rows(at_scp, "select distinct Gender from vwPerson")} == {*"MFUX", ""}
    doubts = rows(at_scp, "select 1 from vwPerson where NationalityText like '%?'")
    assert doubts
    [(bits,)] = rows(at_scp, "select max(Flags & 1)+max(Flags & 2)+max(Flags & 4)+"
                     "max(Flags & 8)+max(Flags & 16)+max(Flags & 32) from vwPerson")  # fmt: skip
    assert bits == 63
    assert {len(c) for (c,) in rows(at_scp, "select Colour from vwVehicle")} == {3}
    words = {w for (w,) in rows(at_scp, "select distinct Involvement from vwInvolvement")}
    assert words == {"Suspected", "Charged", "Aggrieved", "Witness", "Reporting"}


def test_scp_has_a_view_for_every_table(at_scp: Path) -> None:
    views = {n for (n,) in rows(at_scp, "select name from sqlite_master where type='view'")}
    gathered = {"vwContact", "vwPlace"}  # a phone or a place that several people share
    assert views == {f"vw{name.removeprefix('tbl')}" for name in METADATA.tables} | gathered


def test_scp_names_nobody_whose_record_is_to_be_disposed_of(at_scp: Path) -> None:
    gone = "select PersonID from vwPerson where Retention in ('Dispose', 'Restricted')"
    held = f"select count(*) from tblInvolvement where PersonID in ({gone})"  # noqa: S608
    assert rows(at_scp, held) != [(0,)]
    told = f"select count(*) from vwInvolvement where PersonID in ({gone})"  # noqa: S608
    assert rows(at_scp, told) == [(0,)]


def test_scp_says_what_it_knows_through_victims_alone(at_scp: Path) -> None:
    """And nothing of a phone or a place that records to be disposed of alone name."""
    people = {
        number: not {"Aggrieved", "Witness"} & set((roles or "").split(",")) and not flags & 48
        if keep in {"Current", "Review"}
        else None
        for number, keep, roles, flags in rows(
            at_scp, "select PersonID, Retention, Roles, Flags from vwPerson"
        )
    }
    for view, holders, key in (
        ("vwContact", "vwPersonPhone", "Number"),
        ("vwPlace", "vwPersonAddress", "PlaceRef"),
    ):
        held = rows(at_scp, f"select {key}, PersonID from {holders}")  # noqa: S608 - our own names
        kept = {k for k, n in held if people[n] is not None}
        others = {k for k, n in held if people[n]}
        told = dict(rows(at_scp, f"select {key}, VictimsOnly from {view}"))  # noqa: S608
        assert told == {k: "N" if k in others else "Y" for k in kept}
        assert kept < {k for k, _ in held}
        assert set(told.values()) == {"N", "Y"}


@pytest.mark.parametrize(
    ("birth", "texts"),
    [
        (Birth(), {None}),
        (Birth(year=1991), {"??/??/1991", "00/00/1991"}),
        (Birth(year=1991, month=4), {"??/04/1991", "00/04/1991"}),
        (Birth(year=1991, month=4, day=7), {"07/04/1991"}),
    ],
)
def test_scp_writes_what_it_knows_of_a_birth(birth: Birth, texts: set[str | None]) -> None:
    rng = random.Random(3)  # noqa: S311
    assert {scp.birth_text(birth, rng) for _ in range(40)} == texts


def test_vlr_alone_knows_the_keeper(world: Population, at_scp: Path, tmp_path: Path) -> None:
    path = tmp_path / "vlr.sqlite"
    vlr.write_vlr(path, world)
    query = "select mk, first_reg, kpr_nm, tax_due, ins, scrapped from veh where mark=?"
    [(make, first, keeper, tax, insured, scrapped)] = rows(path, query, GOLD_VRM)
    assert (make, first, keeper, insured, scrapped) == (
        *("MERCEDES", "2018277", "WHITLOCK GRAHAM"),
        *(1, 0),
    )
    assert re.fullmatch(r"\d{7}", tax)
    assert len(rows(path, "select 1 from veh where scrapped=1")) > 5
    words = (*TABLES["vehicle"].split(), *(c.name for c in METADATA.tables["tblVehicle"].columns))
    told = " ".join(words).lower()
    assert not any(word in told for word in ("kpr", "keeper", "tax", "mot_", "insur"))
