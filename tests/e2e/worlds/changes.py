"""Changes that make of the agencies' data another world: records taken away, or values changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

Record: TypeAlias = dict[str, Any]
Held: TypeAlias = dict[str, list[Record]]
Changing: TypeAlias = Callable[[Held, frozenset[str]], int]
"""Changes what a file holds, but for the numbers that are to be kept; gives how much it changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sql:
    """A change of a database, a `delete` or an `update`; :kept are the numbers that stay."""

    store: str  # nmc, nis, scp or eru
    statement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A change of what BID or NCB holds."""

    store: str
    change: Changing


Change: TypeAlias = Sql | File


# --- databases ---


def nmc(*statements: str) -> tuple[Sql, ...]:
    return tuple(Sql(store="nmc", statement=s) for s in statements)


def scp(*statements: str) -> tuple[Sql, ...]:
    return tuple(Sql(store="scp", statement=s) for s in statements)


def eru(*statements: str) -> tuple[Sql, ...]:
    return tuple(Sql(store="eru", statement=s) for s in statements)


def nis(*statements: str) -> tuple[Sql, ...]:
    return tuple(Sql(store="nis", statement=s) for s in statements)


def bid(*changes: Changing) -> tuple[File, ...]:
    return tuple(File(store="bid", change=change) for change in changes)


def ncb(*changes: Changing) -> tuple[File, ...]:
    return tuple(File(store="ncb", change=change) for change in changes)


OF_NOBODY = "nom_ref not in (select nom_ref from rms.nominal)"
OF_NOBODY_SCP = "PersonID not in (select PersonID from tblPerson)"
_REPORT = (
    "created, title, txt, sanitised, src, inf, hnd, hnd_cond, prot_mark, silent, retention, "
    "review_dt, warn"
)
SECOND_REPORTS = (  # as many again, on the same persons
    f"insert into intel (urn, {_REPORT}) select 'Z' || urn, {_REPORT} from intel",  # noqa: S608
    "insert into intel_entity select 'Z' || urn, entity from intel_entity",
)
# What hangs on records that are gone, or silent, and on nothing else.
PHONES_OF_NOBODY = (
    "delete from entity where kind = 'TEL' and id in (select b from link where rel = 'USE') "
    "and id not in (select l.b from link l join entity p on p.id = l.a where l.rel = 'USE' "
    "and l.silent = 0 and p.silent = 0 and p.retention in ('K', 'R'))"
)
LOST_ERU = (
    "delete from link where a not in (select id from entity) or b not in (select id from entity)",
    "delete from ocg_member where entity not in (select id from entity) "
    "or ocg not in (select ref from ocg)",
    "delete from intel_entity where entity not in (select id from entity) "
    "or urn not in (select urn from intel)",
    "delete from disr where ocg not in (select ref from ocg)",
)
LOST_NMC = tuple(
    f"delete from rms.{table} where {OF_NOBODY}"  # noqa: S608 - our own names
    for table in ("phone", "address", "nom_document", "nom_alert", "nom_warning", "crime_person")
)
LOST_SCP = tuple(
    f"delete from {table} where {OF_NOBODY_SCP}"  # noqa: S608 - our own names
    for table in ("tblPersonPhone", "tblPersonAddress", "tblPersonDoc", "tblPersonAlert",
                  "tblInvolvement")
)  # fmt: skip
TURNED = (
    "left({0}, 2) || translate(substr({0}, 3, length({0}) - 6), '0123456789', '5678901234') || "
    "right({0}, 4)"
)


def scp_turned(column: str) -> str:
    middle = f"substr({column}, 3, length({column}) - 6)"
    for was, now in zip("0123456789", "abcdefghij", strict=True):
        middle = f"replace({middle}, '{was}', '{now}')"
    for was, now in zip("abcdefghij", "5678901234", strict=True):
        middle = f"replace({middle}, '{was}', '{now}')"
    return f"concat(left({column}, 2), {middle}, right({column}, 4))"


# --- files ---


def without(name: str, gone: Callable[[Record], bool]) -> Changing:
    """Without the records of a collection that are `gone`."""

    def change(held: Held, _kept: frozenset[str]) -> int:
        before = held[name]
        held[name] = [record for record in before if not gone(record)]
        return len(before) - len(held[name])

    return change


def everything(_record: Record) -> bool:
    return True


def thinned(name: str, part: str, gone: Callable[[Record], bool]) -> Changing:
    """Without the elements of a part that are `gone`."""

    def change(held: Held, _kept: frozenset[str]) -> int:
        number = 0
        for record in held[name]:
            before = record[part]
            record[part] = [element for element in before if not gone(element)]
            number += len(before) - len(record[part])
        return number

    return change


def altered(name: str, alter: Callable[[Record, frozenset[str]], bool | None]) -> Changing:
    """Each record of a collection changed in place; None where it was left as it is."""

    def change(held: Held, kept: frozenset[str]) -> int:
        return sum(alter(record, kept) is not None for record in held[name])

    return change


def gone_at_ncb(record: Record) -> bool:
    return record["governance"]["retention"] in ("DISPOSE", "RESTRICTED")


def quiet_at_ncb(record: Record) -> bool:
    coded = any("SILENT" in one for one in record["governance"]["conditions"])
    return record["posture"].startswith("SILENT") or coded


def no_victims(held: Held, kept: frozenset[str]) -> int:
    """Without the nominals of NCB that a referral stands on, and all that hangs on them."""
    referred = {r["nominalGuid"] for r in held["referrals"]}
    number = without("nominals", lambda n: n["guid"] in referred)(held, kept)
    orphans(held, kept)
    return number


def orphans(held: Held, _kept: frozenset[str]) -> int:
    """What names a nominal or a group of NCB that is not there any more."""
    known = {n["guid"] for n in held["nominals"]}
    groups = {g["guid"] for g in held["criminalGroups"]}
    held["referrals"] = [r for r in held["referrals"] if r["nominalGuid"] in known]
    held["memberships"] = [
        m for m in held["memberships"] if m["nominalGuid"] in known and m["groupGuid"] in groups
    ]
    held["disruptions"] = [d for d in held["disruptions"] if d["groupGuid"] in groups]
    for report in held["intelReports"]:
        report["subjectGuids"] = [guid for guid in report["subjectGuids"] if guid in known]
    return 0


def lost_encounters(held: Held, _kept: frozenset[str]) -> int:
    """BID's encounters with persons that are not there any more."""
    known = {p["personRef"] for p in held["persons"]}
    before = held["encounters"]
    held["encounters"] = [e for e in before if e["personRef"] in known]
    return len(before) - len(held["encounters"])


def turned(number: str, kept: frozenset[str]) -> str:
    """A number with other characters before its last four; those `kept`, and short ones, stay."""
    if number in kept or len(number) < 8:
        return number
    digits = str.maketrans("0123456789", "5678901234")
    return number[:2] + number[2:-4].translate(digits) + number[-4:]


def turn_documents(record: Record, kept: frozenset[str]) -> bool | None:
    found = None
    for element in record["identifiers"]:
        if element["kind"] == "PASSPORT":
            element["value"] = turned(element["value"], kept)
            found = True
    return found


def turn_bid_documents(record: Record, kept: frozenset[str]) -> bool | None:
    found = None
    for element in record["documents"]:
        if element["type"] == "PASSPORT":
            element["number"] = turned(element["number"], kept)
            found = True
    return found


def turn_phones(record: Record, kept: frozenset[str]) -> bool | None:
    for element in record["phones"]:
        bare = element["msisdn"].removeprefix("+")
        if f"+{bare}" not in kept:
            element["msisdn"] = element["msisdn"].replace(bare, turned(bare, kept))
    return True if record["phones"] else None


def other_status(record: Record, _kept: frozenset[str]) -> bool | None:
    record["status"] = {"code": 110, "since": "2020-01-01", "caseState": "x", "conditions": "y",
                        "expiry": "2030-01-01"}  # fmt: skip
    return True


_BANDED = {220: 310, 310: 410, 410: 220, 110: 900, 900: 110}  # an absconder's band is its own


def status_in_band(record: Record, _kept: frozenset[str]) -> bool | None:
    status = record["status"]
    status |= {"code": _BANDED.get(status["code"], status["code"]), "caseState": "other"}
    return True


def other_words(record: Record, _kept: frozenset[str]) -> bool | None:
    record["title"] = "Another title"
    record["text"] = "Another text."
    record["sanitised"] = "Another line."
    for paragraph in record["paragraphs"]:
        paragraph["text"] = "Another paragraph."
    return True


LABELS = frozenset({"NO_ONWARD", "NO_COURT_USE"})
"""Conditions under which a paragraph is shown with a label."""


def other_paragraphs(record: Record, _kept: frozenset[str]) -> bool | None:
    """Paragraphs coded C with more than labels, and the text that holds any coded C."""
    coded = [p for p in record["paragraphs"] if p["handling"] == "C"]
    for paragraph in coded:
        if not paragraph["conditions"] or set(paragraph["conditions"]) - LABELS:
            paragraph["text"] = "Another paragraph."
    if coded:
        record["text"] = "Another text."
    return True if coded else None


def other_address(record: Record, _kept: frozenset[str]) -> bool | None:
    """Another house in the same district."""
    for address in record["addresses"]:
        district = address["postcode"].split()[0]
        address |= {"line": "1 Another Street", "postcode": f"{district} 9ZZ"}
    return True if record["addresses"] else None


def no_needs(record: Record, _kept: frozenset[str]) -> bool | None:
    had = bool(record["needs"])
    record["needs"] = []
    return True if had else None


def other_encounter(record: Record, _kept: frozenset[str]) -> bool | None:
    """What of an encounter cannot be asked for."""
    record["claimedName"] = "Another Name"
    record["claimedDob"] = {"y": 1950, "m": 1, "d": 1}
    record["method"] = "AIR"
    record["devices"] = []
    return True


def other_phone_dates(record: Record, _kept: frozenset[str]) -> bool | None:
    for phone in record["phones"]:
        phone["firstSeen"] = "2001-01-01"
    return True if record["phones"] else None


def decided(record: Record, _kept: frozenset[str]) -> bool | None:
    record["state"] = "OPEN" if record["state"] == "DECIDED" else "DECIDED"
    return True
