"""How a record is shown as a whole, and where it leads: one that is a hit leads nowhere. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.catalogue.vocabulary import Field
from gateway.model import CLEAR, HIT_ONLY, Grant, Record
from gateway.query.cases import Owner, manner_by
from gateway.query.derived import Moment


def settle(
    records: Iterable[Record], grant: Grant, fields: Mapping[str, Field], moment: Moment
) -> None:
    """Find once for each record which of its owner's conditions holds, before anything is matched
    with it, linked to it or made of it. Where none says how it may be shown it is a hit."""
    whole = grant.own.whole
    if whole == CLEAR:
        return
    naming = grant.made.once("whole", lambda: manner_by(whole, fields))
    for record in records:
        record.manner = naming(record.values, Owner(record, None, moment)) or HIT_ONLY


def links_from(records: Iterable[Record], path: str) -> tuple[Any, ...]:
    """The keys, each once, by which records lead to others; one that is a hit leads nowhere."""
    shown = (record for record in records if record.manner == CLEAR)
    return tuple(dict.fromkeys(link_keys(shown, path)))


def link_keys(records: Iterable[Record], path: str) -> Iterable[Any]:
    """The values at a record's field, or at a field of its component's elements."""
    part, _, field = path.rpartition(".")
    for record in records:
        if not part:
            held = [record.values.get(field)]
        else:
            held = [element.get(field) for element in record.values.get(part) or ()]
        yield from (value for value in held if value is not None)
