"""What BID holds and how it is looked up: one JSON file, read once, indexed in memory.

The file is {"persons": [...], "encounters": [...]}. The fields of both are FIELDS below; a person
also has `restricted`, which never leaves.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

Record = Mapping[str, Any]

_NAME: dict[str, dict[str, Any]] = {"type": {}, "family": {}, "given": {}, "nativeScript": {}}
_DATE: dict[str, dict[str, Any]] = {"y": {}, "m": {}, "d": {}}
_DOCUMENT: dict[str, dict[str, Any]] = {
    "number": {},
    "type": {},
    "issuer": {},
    "genuine": {},
    "validFrom": {},
    "validTo": {},
}
_PLACE: dict[str, dict[str, Any]] = {"postcode": {}, "lat": {}, "lon": {}}
_Shape = Mapping[str, Any]
FIELDS: Mapping[str, _Shape] = {
    "personRef": {
        "personRef": {},
        "biographic": {
            "names": _NAME,
            "dateOfBirth": _DATE,
            "gender": {},
            "placeOfBirth": {"town": {}, "country": {}},
        },
        "nationality": {},
        "status": {"code": {}, "since": {}, "caseState": {}, "conditions": {}, "expiry": {}},
        "documents": _DOCUMENT,
        "phones": {"msisdn": {}},
        "addresses": _PLACE
        | {"kind": {}, "placeRef": {}, "line": {}, "town": {}, "since": {}, "until": {}},
        "needs": {},
        "alerts": {"kind": {}, "power": {}, "contact": {}, "discreet": {}, "addedOn": {}},
        "discreet": {},
        "retention": {},
        "reviewOn": {},
        "marking": {},
        "handling": {},
        "handlingConditions": {},
        "sourceGrade": {},
        "infoGrade": {},
        "recordedAt": {},
    },
    "encounterRef": {
        "encounterRef": {},
        "personRef": {},
        "at": {},
        "method": {},
        "debrief": {},
        "imageTaken": {},
        "biometricsTaken": {},
        "phoneTaken": {},
        "claimedName": {},
        "claimedDob": _DATE,
        "languages": {},
        "landingRef": {},
        "site": _PLACE | {"name": {}, "kind": {}},
        "devices": {"imei": {}, "msisdn": {}, "seizedAt": {}, "extract": {}},
        "documents": _DOCUMENT,
        "needs": {},
        "discreet": {},
        "retention": {},
    },
}
_DOB = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


class BadRequest(Exception):
    """A request that does not fit the interface, with its code and what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Store:
    """BID's persons and encounters. Restricted persons are in no search and no list."""

    def __init__(self, persons: Sequence[Record], encounters: Sequence[Record]) -> None:
        self._restricted = {p["personRef"] for p in persons if p.get("restricted")}
        self._persons = {
            p["personRef"]: {name: p[name] for name in p if name != "restricted"}
            for p in persons
            if p["personRef"] not in self._restricted
        }
        self._by_document: dict[str, list[Record]] = defaultdict(list)
        self._by_name: dict[str, list[Record]] = defaultdict(list)
        for person in self._persons.values():
            for document in person.get("documents", ()):
                self._by_document[document["number"]].append(person)
            names = person["biographic"]["names"]
            for word in {_folded(n.get(part)) for n in names for part in ("family", "given")}:
                self._by_name[word].append(person)
        # An encounter is as discreet as the person met.
        self._encounters = [
            {**e, "discreet": self._persons.get(e["personRef"], {}).get("discreet", False)}
            for e in encounters
            if e["personRef"] not in self._restricted
        ]
        self._of_person: dict[str, list[Record]] = defaultdict(list)
        for encounter in self._encounters:
            self._of_person[encounter["personRef"]].append(encounter)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file that `write_bid` wrote.

        Raises:
            OSError, ValueError: it is not there, or not such a file.
        """
        held = json.loads(path.read_text(encoding="utf-8"))
        return cls(held["persons"], held["encounters"])

    def is_restricted(self, ref: str) -> bool:
        return ref in self._restricted

    def has_person(self, ref: str) -> bool:
        return ref in self._persons

    def persons_by_refs(self, refs: Iterable[str]) -> Iterable[Record]:
        return [self._persons[ref] for ref in refs if ref in self._persons]

    def persons_by_document(self, number: str) -> Iterable[Record]:
        return self._by_document.get(number, [])

    def persons_by_criteria(
        self, family: str | None, given: str | None, dob: str | None
    ) -> Iterable[Record]:
        """Those who meet all criteria; both names in one and the same entry. Never fuzzy.

        Raises:
            BadRequest: dob is none of YYYY, YYYY-MM and YYYY-MM-DD.
        """
        born = _born(dob) if dob is not None else ()
        named = _folded(family if family is not None else given)
        return [
            person
            for person in self._by_name.get(named, ())
            if _has_name(person, family, given) and _has_birth(person, born)
        ]

    def encounters_of(self, refs: Iterable[str]) -> Iterable[Record]:
        return [encounter for ref in refs for encounter in self._of_person.get(ref, ())]

    def encounters_between(self, start: int, end: int, site: str | None) -> Iterable[Record]:
        return [
            encounter
            for encounter in self._encounters
            if start <= encounter["at"] < end
            and (site is None or _folded(encounter["site"]["name"]) == _folded(site))
        ]


def _folded(text: str | None) -> str:
    return (text or "").casefold()


def _born(dob: str) -> tuple[int, ...]:
    if not (match := _DOB.fullmatch(dob)):
        raise BadRequest("E4003", "dob is YYYY, YYYY-MM or YYYY-MM-DD")
    return tuple(int(part) for part in match.groups() if part is not None)


def _has_name(person: Record, family: str | None, given: str | None) -> bool:
    return any(
        (family is None or _folded(name.get("family")) == _folded(family))
        and (given is None or _folded(name.get("given")) == _folded(given))
        for name in person["biographic"]["names"]
    )


def _has_birth(person: Record, born: tuple[int, ...]) -> bool:
    date = person["biographic"].get("dateOfBirth") or {}
    return all(date.get(part) == value for part, value in zip("ymd", born, strict=False))


def projected(record: Record, key: str, fields: str | None) -> Record:
    """The named fields of a record, all of them if none is named.

    A path through a list takes its part of every element: `biographic.names.family` (or
    `biographic.names[].family`) gives the names with nothing but their family part.

    Raises:
        BadRequest: there is no such field.
    """
    if fields is None:
        return record
    tree: dict[str, Any] = {}
    for path in fields.replace("[]", "").split(","):
        known: _Shape = FIELDS[key]
        branch = tree
        for step in path.split("."):
            if step not in known:
                raise BadRequest("E4008", "unknown field")
            known = known[step]
            branch = branch.setdefault(step, {})
        branch["*"] = {}  # everything below is wanted, even if a longer path is named too
    return _pruned(record, tree)


def _pruned(record: Record, tree: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _part(record[name], below) for name, below in tree.items() if name in record}


def _part(value: Any, below: Mapping[str, Any]) -> Any:
    if "*" in below:
        return value
    if isinstance(value, list):
        return [_pruned(element, below) for element in value]
    return _pruned(value, below) if isinstance(value, dict) else value


def cursor_of(key: str) -> str:
    """An opaque position after `key`."""
    return base64.urlsafe_b64encode(f"v1:{key}".encode()).decode()


def cursor_at(cursor: str) -> str:
    """The key that a cursor stands after.

    Raises:
        BadRequest: it is not one of ours.
    """
    try:
        version, _, key = base64.urlsafe_b64decode(cursor.encode()).decode().partition(":")
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise BadRequest("E4009", "damaged cursor") from error
    if version != "v1":
        raise BadRequest("E4009", "damaged cursor")
    return key
