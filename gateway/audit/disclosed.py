"""What an answer showed of each agency's records, as the part of its entry that is that agency's.

No value is kept. Of each field that an answer holds stays a commitment, HMAC-SHA-256 under a key of
this entry, over where it stands and what stands there: whoever brings the answer can have it shown
that this, and nothing else, was disclosed; whoever does not can learn nothing by guessing once the
entry's key is erased with it. Records are named by the keyed tokens by which the log finds them.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.audit.entry import Part, owner_part
from gateway.model import Response, Shown, steps_of

COMMITMENT_HEX = 32  # 128 bits: of a keyed digest nobody can look for two alike


def record_name(source: str, entity: str, key: str | int) -> str:
    """What the token of a record is made of."""
    return f"{source}|{entity}|{key}"


def commitment(key: bytes, path: str, value: Any) -> str:
    """What stays of the value at this place of an answer, 32 hexadecimal digits.

    `path` is its keys and indexes joined by dots; the value is JSON with sorted names.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hmac.digest(key, f"{path}\0{text}".encode(), "sha256").hex()[:COMMITMENT_HEX]


def parts_by_owner(response: Response, key: bytes, token: Callable[[str], str]) -> dict[str, Part]:
    """The part of each agency of whose records something was shown, or said.

    `token` makes the token of a record's name. A part holds `key`; `records`, each as its place,
    source, entity, token, and for each of its fields the key in the answer, the name and the
    commitment; `hits`, places to tokens alone; and `told`, what the answer said of what it did not
    show in full: place, outcome, mask and rule.
    """
    agencies = {report.source: report.agency for report in response.reports}
    made: dict[str, dict[str, Any]] = {}

    def part(agency: str) -> dict[str, Any]:
        known = made.get(agency)
        if known is None:
            known = made[agency] = {"key": key.hex(), "records": [], "hits": [], "told": []}
        return known

    for one in response.shown:
        path = ".".join(map(str, steps_of(one.place)))
        named = [path, one.source, one.entity, token(record_name(one.source, one.entity, one.key))]
        own = part(agencies[one.source])
        if one.value is None:
            own["hits"].append(named)
        else:
            own["records"].append([*named, _fields(one, path, key)])
    for entry in response.body.get("extensions", {}).get("disclosure", ()):
        if agency := entry.get("agency"):
            told = [entry["path"], entry["outcome"], entry.get("mask", ""), entry.get("rule", "")]
            part(agency)["told"].append(told)
    return {owner_part(agency): Part(agency, detail) for agency, detail in made.items()}


def _fields(one: Shown, path: str, key: bytes) -> list[list[str]]:
    """For each of a record's own fields the key in the answer, the field, and the commitment;
    linked records have their own."""
    value = one.value or {}
    return [
        [name, field, commitment(key, f"{path}.{name}", value[name])]
        for name, field in one.names.items()
    ]


def undisclosed(body: Mapping[str, Any], detail: Mapping[str, Any]) -> Sequence[str]:
    """The places of an answer that are not those which an agency's part commits to; () if it is
    the answer that was recorded, as far as this agency's records go.

    `body` is the answer as its app got it; `detail` what was sealed in the part.
    """
    key = bytes.fromhex(detail["key"])
    return [
        f"{path}.{name}"
        for path, *_named, fields in detail["records"]
        for name, _field, kept in fields
        if commitment(key, f"{path}.{name}", _at(body.get("data"), f"{path}.{name}")) != kept
    ]


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, Sequence) and not isinstance(value, str) and step.isdecimal():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value
