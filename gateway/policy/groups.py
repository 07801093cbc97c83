"""Mask groups: what reveals a field that is not shown in clear is not shown in clear either.

The vocabulary says what a reader of a field learns besides; policy says how each of these is shown,
whether or not anybody asked for it. Nothing here can add a field, an element or a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, Protocol

from connectors.conditions import ALWAYS, And, Compare, Condition, Op, Or, all_of
from gateway.model import (
    CLEAR,
    Case,
    Fetch,
    Manner,
    PartGrant,
    Reveal,
    Ruling,
    Show,
    resource_id,
)

_KIND: Final = "kind"
_NOTHING: Final = "NULL"


class Vocabulary(Protocol):
    """What `authorise` needs to know of the vocabulary. Keys are (type, field)."""

    @property
    def derived(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """What a derived field is worked out from: "field" of its part, or "component.field"."""

    @property
    def reveals(self) -> Mapping[tuple[str, str], tuple[Reveal, ...]]:
        """What a reader of a field learns besides."""

    def contents(self, entity: str, name: str) -> tuple[tuple[str, str], ...]:
        """Where the values of a record's field stand, as (part, field)."""


def masked_with(
    grant: PartGrant, fetch: Fetch, rulings: Mapping[str, Ruling], vocabulary: Vocabulary
) -> PartGrant:
    """The grant of a part without what would tell a field that is not clear.

    A field that always reveals goes. One that does for one kind of element shows nothing of the
    elements of that kind; if it is the kind itself, they are left out.
    """
    for field, reveal in _telling(grant, fetch, rulings, vocabulary):
        if reveal.when_kind is None:
            read = {name: manner for name, manner in grant.read.items() if name != field}
            grant = replace(grant, read=read)
        elif field == _KIND:
            other = Compare(_KIND, Op.NE, reveal.when_kind)
            grant = replace(grant, rows=all_of((grant.rows, other)))
        else:
            manner = _without(grant.read[field], reveal.when_kind)
            grant = replace(grant, read={**grant.read, field: manner})
    return grant


def tells_around(fetch: Fetch, rulings: Mapping[str, Ruling]) -> bool:
    """Whether a link's records would tell what is not clear of the record that they hang on."""
    around = fetch.parent
    return around is not None and not all(_clear(around, *at, rulings) for at in fetch.reveals)


def _telling(
    grant: PartGrant, fetch: Fetch, rulings: Mapping[str, Ruling], vocabulary: Vocabulary
) -> Iterator[tuple[str, Reveal]]:
    """The fields of a part that may be read and would tell what is not clear."""
    for field in grant.read:
        for reveal in vocabulary.reveals.get((grant.part.type, field), ()):
            if _excludes(grant.rows, reveal.when_kind):
                continue
            own = (grant.part.path, field)
            told = {at for name in reveal.fields for at in vocabulary.contents(fetch.entity, name)}
            if not all(_clear(fetch.id, *at, rulings) for at in told - {own}):
                yield field, reveal


def _clear(fetch_id: str, path: str, field: str, rulings: Mapping[str, Ruling]) -> bool:
    """Whether a field of a part is in clear for this reader in every element there may be."""
    steps = path.split(".") if path else []
    ways = [".".join(steps[:deep]) for deep in range(1, len(steps) + 1)]
    parts = [rulings.get(resource_id(fetch_id, way)) for way in ways]
    if any(one is None or one.show is not Show.RECORDS or one.rows != ALWAYS for one in parts):
        return False
    ruling = rulings.get(resource_id(fetch_id, path))
    return ruling is not None and ruling.read.get(field) == CLEAR


def _without(manner: Manner, kind: str) -> Manner:
    """The manner, but in clear for no element of the kind."""
    cases = (Case(ALWAYS, manner),) if isinstance(manner, str) else manner
    of_kind = Compare(_KIND, Op.EQ, kind)
    made: list[Case] = []
    for case in cases:
        if case.manner == CLEAR and not _excludes(case.when, kind):
            made.append(Case(_both(case, of_kind), _NOTHING))
        made.append(case)
    return manner if len(made) == len(cases) else tuple(made)


def _excludes(condition: Condition, kind: str | None) -> bool:
    """Whether no element of the kind can satisfy the condition."""
    match condition:
        case Compare(field, Op.EQ | Op.IN, value) if field == _KIND and kind is not None:
            return kind not in (value if isinstance(value, tuple) else (value,))
        case And(parts):
            return any(_excludes(part, kind) for part in parts)
        case Or(parts):
            return all(_excludes(part, kind) for part in parts)
        case _:
            return False


def _both(case: Case, condition: Compare) -> And | Compare:
    return condition if case.when == ALWAYS else And((case.when, condition))
