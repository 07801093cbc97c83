"""What an answer showed of each agency's records, as the part of its entry that is that agency's.

No value is kept. Of each field that an answer holds stays a commitment, HMAC-SHA-256 over where it
stands and what stands there, under a key of this field alone: whoever brings the answer can have it
shown that this, and nothing else, was disclosed; whoever does not can learn nothing by guessing
once the entry's key is erased with it. Records are named by the keyed tokens by which the log finds
them.

All that a part says is a tree too (RFC 6962), whose root is in the leaf: so one field can be opened
to somebody else, and tells nothing of the others. Parts of version 1 had one key for all fields and
no tree.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.audit.entry import Part, owner_part
from gateway.audit.merkle import leaf_hash, root_of
from gateway.identifiers import hmac_sha256
from gateway.model import Response, Shown, steps_of

VERSION: Final = 2
COMMITMENT_HEX = 32  # 128 bits: of a keyed digest nobody can look for two alike


def record_name(source: str, entity: str, key: str | int) -> str:
    """What the token of a record is made of."""
    return f"{source}|{entity}|{key}"


def commitment(key: bytes, path: str, value: Any) -> str:
    """What stays of the value at this place of an answer, 32 hexadecimal digits.

    `path` is its keys and indexes joined by dots; the value is JSON with sorted names.
    """
    return hmac_sha256(key, f"{path}\0{_json(value)}".encode()).hex()[:COMMITMENT_HEX]


_json: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str
).encode


def key_of(key: bytes, number: int) -> bytes:
    """The key of one item of a part, by its number: it tells nothing of the part's own key."""
    return hmac_sha256(key, b"portcullis disclosed item %d" % number)


def parts_by_owner(response: Response, key: bytes, token: Callable[[str], str]) -> dict[str, Part]:
    """The part of each agency of whose records something was shown, or said.

    `token` makes the token of a record's name. A part holds `v` and `key`; `records`, each as its
    place, source, entity, token, and for each of its fields the key in the answer, the name and the
    commitment; `hits`, places to tokens alone; and `told`, what the answer said of what it did not
    show in full: place, outcome, mask and rule.
    """
    agencies = {report.source: report.agency for report in response.reports}
    made: dict[str, dict[str, Any]] = {}
    fields: dict[str, int] = {}

    def part(agency: str) -> dict[str, Any]:
        known = made.get(agency)
        if known is None:
            own = hmac_sha256(key, agency.encode())  # owners learn nothing of each other
            known = made[agency] = {
                "v": VERSION, "key": own.hex(), "records": [], "hits": [], "told": []
            }  # fmt: skip
            fields[agency] = 0
        return known

    for one in response.shown:
        path = ".".join(map(str, steps_of(one.place)))
        named = [path, one.source, one.entity, token(record_name(one.source, one.entity, one.key))]
        agency = agencies[one.source]
        own = part(agency)
        if one.value is None:
            own["hits"].append(named)
        else:
            kept = _fields(one, path, bytes.fromhex(own["key"]), fields[agency])
            fields[agency] += len(kept)
            own["records"].append([*named, kept])
    for entry in response.body.get("extensions", {}).get("disclosure", ()):
        if agency := entry.get("agency"):
            told = [entry["path"], entry["outcome"], entry.get("mask", ""), entry.get("rule", "")]
            part(agency)["told"].append(told)
    return {owner_part(agency): Part(agency, detail) for agency, detail in made.items()}


def _fields(one: Shown, path: str, key: bytes, first: int) -> list[list[str]]:
    """For each of a record's own fields the key in the answer, the field, and the commitment;
    linked records have their own. The keys are those of the items from `first` on."""
    value = one.value or {}
    return [
        [name, field, commitment(key_of(key, number), f"{path}.{name}", value[name])]
        for number, (name, field) in enumerate(one.names.items(), first)
    ]


# -- what a part says, item by item ----------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a record that an answer held, with a value or with none."""

    number: int  # of its item
    place: str
    source: str
    entity: str
    token: str  # of the record
    name: str
    kept: str  # the commitment


def fields_of(detail: Mapping[str, Any]) -> list[Field]:
    """Every field of a part, in the order of its items."""
    found: list[Field] = []
    for path, source, entity, token, fields in detail["records"]:
        for name, field, kept in fields:
            found.append(
                Field(
                    number=len(found),
                    place=f"{path}.{name}",
                    source=source,
                    entity=entity,
                    token=token,
                    name=field,
                    kept=kept,
                )
            )
    return found


def items_of(detail: Mapping[str, Any]) -> Iterator[list[str]]:
    """The leaves of a part's tree, in order: fields, then records told of as hits, then what was
    said. Each ends with the SHA-256 of its own key, so that nobody guesses one by its hash."""
    key = bytes.fromhex(detail["key"])
    said: list[list[str]] = [
        ["field", f"{path}.{name}", source, entity, token, field, kept]
        for path, source, entity, token, fields in detail["records"]
        for name, field, kept in fields
    ]
    said += [[kind, *one] for kind in ("hits", "told") for one in detail[kind]]
    for number, item in enumerate(said):
        yield [*item, hashlib.sha256(key_of(key, number)).hexdigest()]


def item_hash(item: Sequence[str]) -> bytes:
    """The hash of one of these leaves: of its texts, parted by NUL, which none of them holds."""
    return leaf_hash("\0".join(item).encode())


def root_of_part(detail: Mapping[str, Any]) -> str:
    """The root of a part's tree, in hexadecimal, as the entry's leaf has it."""
    return root_of([item_hash(item) for item in items_of(detail)]).hex()


def roots_of(parts: Mapping[str, Part]) -> dict[str, str]:
    """The same of each of these parts, by its agency."""
    details = ((part.agency, part.detail) for part in parts.values())
    return {agency: root_of_part(one) for agency, one in details if isinstance(one, Mapping)}


# -- an answer that somebody brings ----------------------------------------------------------


def same(detail: Mapping[str, Any], field: Field, value: Any) -> bool:
    """Whether this is what was disclosed there; None is that nothing was."""
    key = bytes.fromhex(detail["key"])
    if detail.get("v", 1) >= VERSION:
        key = key_of(key, field.number)
    return hmac.compare_digest(commitment(key, field.place, value), field.kept)


def undisclosed(body: Mapping[str, Any], detail: Mapping[str, Any]) -> Sequence[str]:
    """The places of an answer that are not those which an agency's part commits to; () if it is
    the answer that was recorded, as far as this agency's records go.

    `body` is the answer as its app got it; `detail` what was sealed in the part.
    """
    data = body.get("data")
    return [one.place for one in fields_of(detail) if not same(detail, one, at(data, one.place))]


def opened(
    detail: Mapping[str, Any], places: Sequence[str], *, told: bool
) -> dict[str, Any] | None:
    """What shows somebody else, with the entry's leaf and an answer, what was disclosed at these
    places, and with `told` what was said of the rest; nothing of any other place. None for a part
    of version 1, whose fields cannot be opened one by one."""
    if detail.get("v", 1) < VERSION:
        return None
    key, wanted = bytes.fromhex(detail["key"]), frozenset(places)
    items = list(items_of(detail))
    rows = _rows([item_hash(item) for item in items])
    return {
        "size": len(items),
        "items": [
            {
                "item": item,
                "index": number,
                "key": key_of(key, number).hex(),
                "hashes": [one.hex() for one in _path(rows, number)],
            }
            for number, item in enumerate(items)
            if (item[1] in wanted if item[0] == "field" else told)
        ],
    }


def _rows(hashes: list[bytes]) -> list[list[bytes]]:
    """A tree level by level, from the leaves up; an odd last one goes up as it is."""
    rows = [hashes]
    while len(row := rows[-1]) > 1:
        pairs = [root_of(row[start : start + 2]) for start in range(0, len(row), 2)]
        rows.append(pairs)
    return rows


def _path(rows: Sequence[Sequence[bytes]], number: int) -> Iterator[bytes]:
    """From a leaf upwards, what stands beside the way to the root."""
    for row in rows[:-1]:
        if (beside := number ^ 1) < len(row):
            yield row[beside]
        number //= 2


def at(value: Any, path: str) -> Any:
    """What stands at a place of an answer's data; None where nothing does."""
    for step in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, Sequence) and not isinstance(value, str) and step.isdecimal():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value
