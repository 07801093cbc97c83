"""Which fields a visit reads: those that are shown, and those that rules, cases and links rest on.

Never more: what is not in here does not leave its source. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from connectors.conditions import fields_of
from gateway.catalogue.vocabulary import Vocabulary
from gateway.model import (
    CLEAR,
    HIT_ONLY,
    SANITISED_TEXT,
    SILENT,
    Case,
    Grant,
    PartGrant,
    Show,
    manners,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a fetch needs of a source: own fields, and for each component its elements' fields."""

    own: frozenset[str]
    parts: Mapping[str, frozenset[str]]


def need_of(grant: Grant, vocabulary: Vocabulary, beside: Iterable[str]) -> Need:
    """The fields to read for a grant, and others `beside` these."""
    needed = {*fields_of(grant.own.rows), *beside}
    shown = {path: part for path, part in grant.parts.items() if part.show not in _UNREAD}
    for path, part in shown.items():
        fields = vocabulary.fields_of(part.part.type)
        for name in fields_of_part(part):
            if path and name in fields:
                needed.add(f"{path}.{name}")
            elif path or name != "ref":  # a record's ref is the gateway's own
                needed.update((name, *_rests_on(name, grant, vocabulary)))
    parts: dict[str, set[str]] = {path.partition(".")[0]: set() for path in shown if path}
    own: set[str] = set()
    for dotted in needed:
        first, _, rest = dotted.partition(".")
        if rest:
            parts.setdefault(first, set()).add(rest)
        else:
            own.add(first)
    return Need(own=frozenset(own), parts={p: frozenset(n) for p, n in sorted(parts.items())})


_UNREAD = frozenset({None, Show.SILENT})
_NO_MASKS = frozenset({CLEAR, SILENT, HIT_ONLY})


def fields_of_part(part: PartGrant) -> Iterable[str]:
    """Fields that showing this part rests on: what is read, and what its rules look at."""
    if part.show is Show.RECORDS:
        yield from part.read
        ways = (part.whole, *part.read.values())
        for manner in ways:
            if not isinstance(manner, str):
                yield from _case_fields(manner)
        if any(SANITISED_TEXT in manners(manner) for manner in ways):
            yield "sanitised_text"  # what is told of a record or a text that is not shown
    yield from part.match
    yield from part.count
    yield from fields_of(part.rows)


def _case_fields(cases: tuple[Case, ...]) -> Iterable[str]:
    for case in cases:
        yield from (name for name in fields_of(case.when) if name != "match_band")


def _rests_on(name: str, grant: Grant, vocabulary: Vocabulary) -> Iterable[str]:
    """What a field is derived from, and what is told coarsely in its stead where it is masked."""
    field = vocabulary.entities[grant.fetch.entity].fields.get(name)
    if field is None:
        return ()
    masked = manners(grant.own.read.get(name)) - _NO_MASKS
    return (*(field.from_ if field.derived else ()), *(field.coarse_by if masked else ()))
