"""What was searched for, as keyed tokens by which the log finds it again. Pure.

A term is a kind and a value as it is compared. The kind is that of the value, not the field's name,
so that a phone is found by whichever field it was searched. A value of which only the beginning was
given is a term of its own kind: whoever looks for the whole tries its beginnings.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors.conditions import Compare, Condition, IsNull, Op
from gateway.audit.disclosed import record_name
from gateway.catalogue.forms import comparable, normal
from gateway.catalogue.vocabulary import Vocabulary
from gateway.model import Fetch, Plan

KEY: Final = "native_key"
RECORD: Final = "record"
BEGINNING: Final = "^"  # after a kind: of a value's beginning
_KINDS: Final[Mapping[str, str]] = {
    "Name": "Name", "GivenNames": "Name", "ContactValue": "Contact", "E164": "Contact",
    "Vrm": "Vrm", "DocumentNumber": "Document", "Date": "Date", "PartialDate": "Date",
    "Postcode": "Postcode",
}  # fmt: skip
"""The kind of a term by its value's type: of all that may stand for somebody or something."""


_POSTCODE: Final = re.compile(r"\b[A-Z]{1,2}[0-9][A-Z0-9]?\s*[0-9][A-Z]{2}\b")  # in an address
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def terms_of(plan: Plan, vocabulary: Vocabulary) -> tuple[tuple[str, str], ...]:
    """What a plan's roots search for, each once, as (kind, value), in order."""
    found: dict[tuple[str, str], None] = {}
    for root in plan.roots:
        if spec := vocabulary.roots.get(root.name):
            types = vocabulary.concrete(spec.entity)
            found.update(dict.fromkeys(_values(root.where, types, vocabulary)))
    for fetch in plan.fetches:
        if fetch.parent is None:
            found.update(dict.fromkeys(_records(fetch)))
    return tuple(sorted(found))


def terms_of_text(text: str) -> tuple[tuple[str, str], ...]:
    """Every term by which what somebody types in may have been searched for: as each kind of value
    that it can be; of a name all beginnings, of a day its month and year, of an address its
    postcode, of a postcode its district.
    """
    found: dict[tuple[str, str], None] = {}
    postcode = _POSTCODE.search(text.upper())
    for type_name in _KINDS:
        typed = postcode[0] if type_name == "Postcode" and postcode else text.strip()
        with contextlib.suppress(ValueError):
            found.update(dict.fromkeys(_of(type_name, normal(type_name, typed))))
    for kind, value in tuple(found):
        match kind:
            case "Name":
                begins = ((kind + BEGINNING, value[:end]) for end in range(1, len(value) + 1))
                found.update(dict.fromkeys(begins))
            case "Date" if _DAY.fullmatch(value):
                found.update(dict.fromkeys(((kind, value[:7]), (kind, value[:4]))))
            case "Postcode":
                found[kind, value.partition(" ")[0]] = None
    return tuple(sorted(found))


def terms_as(type_name: str, text: str) -> tuple[tuple[str, str], ...]:
    """The terms by which a value of this type may have been searched for, as (kind, value).

    Raises:
        ValueError: what the value should look like; the value itself is not in the text.
        KeyError: no value of this type is a term.
    """
    found = dict.fromkeys(_of(type_name, normal(type_name, text.strip())))
    return tuple(sorted(found))


def _records(fetch: Fetch) -> Iterator[tuple[str, str]]:
    """The records that a fetch asks for by their keys, and the stored image whose like it seeks."""
    keys = [fetch.near.ref_key] if fetch.near is not None and fetch.near.ref_key else []
    keys += [k for part in _compared(fetch.where) if part.field == KEY for k in _listed(part)]
    for key in keys:
        yield RECORD, record_name(fetch.source, fetch.entity, key)


def _values(
    where: Condition, types: tuple[str, ...], vocabulary: Vocabulary
) -> Iterator[tuple[str, str]]:
    for part in _compared(where):
        inside = part.field.partition(".")[0]
        holder = next((t for t in types if inside in vocabulary.fields_of(t)), None)
        if part.field == KEY or holder is None:
            continue
        type_name = vocabulary.field_at(holder, part.field).type.name
        if type_name in _KINDS:
            mark = BEGINNING if part.op is Op.STARTSWITH else ""
            for value in _listed(part):
                yield from _of(type_name, value, mark)


def _listed(part: Compare) -> tuple[Any, ...]:
    return part.value if isinstance(part.value, tuple) else (part.value,)


def _of(type_name: str, value: Any, mark: str = "") -> Iterator[tuple[str, str]]:
    """A value as it is compared: of several given names each by itself too."""
    form = comparable(type_name, value)
    for one in form if isinstance(form, list) else [form]:
        yield _KINDS[type_name] + mark, str(one)


def _compared(condition: Condition) -> Iterator[Compare]:
    """Every comparison that tells what is looked for, not what is to be left out."""
    match condition:
        case Compare(_, op, _):
            if op is not Op.NE:
                yield condition
        case IsNull():
            return
        case _:
            for part in condition.parts:
                yield from _compared(part)
