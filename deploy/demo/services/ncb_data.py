"""What NCB holds and how its arguments select it: one JSON file of plain records.

    {"nominals": [...], "operations": [...], "criminalGroups": [...], "memberships": [...],
     "disruptions": [...], "referrals": [...], "intelReports": [...]}

Each record has the fields of its type in ncb.graphql but those that join records: a membership is
a record of its own, a referral names its nominal, a report its subjects, a disruption its group.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

Record = dict[str, Any]
Test = Callable[[Record, Any], bool]

COLLECTIONS = (
    "nominals",
    "operations",
    "criminalGroups",
    "disruptions",
    "referrals",
    "intelReports",
)


def _parts(value: str) -> tuple[str, str]:
    """A name is written `FAMILY, Given Middle`."""
    family, _, given = value.casefold().partition(", ")
    return family, given


def _named(record: Record, families: Iterable[str] | None, givens: Iterable[str] | None) -> bool:
    wanted_families = {name.casefold() for name in families} if families is not None else None
    wanted_givens = {name.casefold() for name in givens} if givens is not None else None
    for name in record["nomenclature"]:
        family, given = _parts(name["value"])
        if (wanted_families is None or family in wanted_families) and (
            wanted_givens is None or not wanted_givens.isdisjoint((given, given.split(" ")[0]))
        ):
            return True
    return False


def _any_of(field: str, key: str) -> Test:
    """Some element of the list `field` has a `key` among the argument's values."""
    return lambda record, values: any(element[key] in values for element in record[field])


def _shares(field: str) -> Test:
    """The list `field` and the argument's values have something in common."""
    return lambda record, values: not set(record[field]).isdisjoint(values)


def _one_of(field: str) -> Test:
    return lambda record, values: record[field] in values


def _equals(field: str) -> Test:
    return lambda record, value: record[field] == value


def _overlaps(record: Record, start: str | None, end: str | None) -> bool:
    birth = record.get("birth") or {}
    earliest, latest = birth.get("earliest"), birth.get("latest")
    if earliest is None and latest is None:
        return False
    return (start is None or latest is None or latest >= start) and (
        end is None or earliest is None or earliest <= end
    )


# Argument name -> whether a record meets its value, where one argument is enough to tell.
TESTS: Mapping[str, Mapping[str, Test]] = {
    "nominals": {
        "guids": _one_of("guid"),
        "families": lambda record, values: _named(record, values, None),
        "givens": lambda record, values: _named(record, None, values),
        "bornFrom": lambda record, value: _overlaps(record, value, None),
        "bornTo": lambda record, value: _overlaps(record, None, value),
        "msisdns": _any_of("phones", "msisdn"),
        "identifiers": _any_of("identifiers", "value"),
        "groupGuids": _any_of("memberships", "groupGuid"),
    },
    "operations": {
        "guids": _one_of("guid"),
        "selectorHashes": _any_of("subjects", "selectorHash"),
    },
    "criminalGroups": {
        "guids": _one_of("guid"),
        "hids": _one_of("hid"),
        "nominalGuids": _any_of("memberships", "nominalGuid"),
        "oic": _equals("oic"),
        "statuses": _one_of("status"),
        "threatBands": _one_of("threatBand"),
        "region": _equals("region"),
        "morileTotalAtLeast": lambda record, value: record["morileTotal"] >= value,
    },
    "disruptions": {
        "guids": _one_of("guid"),
        "groupGuids": _one_of("groupGuid"),
        "since": lambda record, value: record["on"] >= value,
        "until": lambda record, value: record["on"] <= value,
    },
    "referrals": {"guids": _one_of("guid"), "nominalGuids": _one_of("nominalGuid")},
    "intelReports": {
        "guids": _one_of("guid"),
        "urns": _one_of("urn"),
        "subjectGuids": _shares("subjectGuids"),
        "groupGuids": _shares("groupGuids"),
        "msisdns": _shares("msisdns"),
        "since": lambda record, value: record["on"] >= value,
        "until": lambda record, value: record["on"] <= value,
    },
}


class Store:
    """The records, joined once: nothing changes while the service runs."""

    def __init__(self, held: Mapping[str, list[Record]]) -> None:
        self._held = {
            name: sorted((dict(record) for record in held[name]), key=lambda record: record["guid"])
            for name in COLLECTIONS
        }
        self._join(held["memberships"])

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file that `write_ncb` wrote.

        Raises:
            OSError, ValueError, KeyError: it is not there, or not such a file.
        """
        return cls(json.loads(path.read_text(encoding="utf-8")))

    def select(self, collection: str, arguments: Mapping[str, Any]) -> list[Record]:
        """The records that meet every argument given, in the order of guid."""
        asked = {name: value for name, value in arguments.items() if value is not None}
        families, givens = asked.get("families"), asked.get("givens")
        tests = TESTS[collection]
        return [
            record
            for record in self._held[collection]
            if all(tests[name](record, value) for name, value in asked.items())
            and (families is None or givens is None or _named(record, families, givens))
        ]

    def _join(self, memberships: list[Record]) -> None:
        groups = {group["guid"]: group for group in self._held["criminalGroups"]}
        joined = [m | {"group": groups.get(m["groupGuid"])} for m in memberships]
        by_nominal = _grouped(joined, "nominalGuid")
        by_group = _grouped(joined, "groupGuid")
        referrals = _grouped(self._held["referrals"], "nominalGuid")
        disruptions = _grouped(self._held["disruptions"], "groupGuid")
        reports: dict[str, list[Record]] = defaultdict(list)
        for report in self._held["intelReports"]:
            for guid in report["subjectGuids"]:
                reports[guid].append(report)
        for nominal in self._held["nominals"]:
            guid = nominal["guid"]
            nominal["memberships"] = by_nominal.get(guid, [])
            nominal["referrals"] = referrals.get(guid, [])
            nominal["reports"] = reports.get(guid, [])
        for group in self._held["criminalGroups"]:
            group["memberships"] = by_group.get(group["guid"], [])
            group["disruptions"] = disruptions.get(group["guid"], [])


def _grouped(records: Iterable[Record], key: str) -> dict[str, list[Record]]:
    grouped: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        grouped[record[key]].append(record)
    return grouped
