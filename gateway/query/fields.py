"""How one field without fields of its own is shown: clear, masked, silent, withheld, or by case.

A field that is simply clear costs one look-up; a place in the answer is spelt out only when
something is said of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from connectors.conditions import holds
from gateway.catalogue.mapping import Catalogue
from gateway.catalogue.vocabulary import Field
from gateway.model import (
    CLEAR,
    HIT_ONLY,
    SILENT,
    AuthorisedPlan,
    Fetch,
    Manner,
    Note,
    Outcome,
    PartGrant,
    Record,
    Results,
    Selection,
)
from gateway.query.derived import DERIVED, Moment
from gateway.query.refs import Refs
from gateway.query.said import Event, Place, Said, event_of

MaskBy: TypeAlias = Callable[[str, Any, Field], tuple[Any, str | None]]
"""(mask's name, value, field) -> (value to show, coarse value for the disclosure entry)."""

DROP: Final = object()  # a record or element that leaves the list and is said to be a hit


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaping:
    """What shaping needs beside the plan and the results."""

    catalogue: Catalogue
    refs: Refs
    moment: Moment
    mask: MaskBy
    agency: str  # of the caller: refs are for it alone
    as_at: str
    expires_at: int  # of a cursor, seconds since the epoch
    cursor_binding: Callable[[Selection], bytes]
    shared: frozenset[tuple[str, str]] = frozenset()  # identifiers that several persons bear


@dataclass(slots=True)
class Owner:
    """The record that a value belongs to, and the match band of the person whom it is about."""

    record: Record
    band: str | None


Values: TypeAlias = Mapping[str, Any]
Build: TypeAlias = Callable[[Values, Place, Owner], Any]
"""(a record's or an element's values, its place in the answer, its record) -> value."""

Builds: TypeAlias = list[tuple[str, Build]]


class _Case(Mapping[str, Any]):
    """What a case's condition sees: its own part's fields, those of the record around it where the
    part's type has none of that name, derived fields and the match band."""

    def __init__(
        self, values: Values, owner: Owner, fields: Mapping[str, Field], moment: Moment
    ) -> None:
        self.values_ = values
        self.owner = owner
        self.fields = fields
        self.moment = moment

    def __getitem__(self, name: str) -> Any:
        if name == "match_band":
            return self.owner.band
        values = self.values_ if name in self.fields else self.owner.record.values
        if name in values:
            return values[name]
        derive = DERIVED.get(name)
        return derive(values, self.moment) if derive else None

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


@dataclass(slots=True, kw_only=True)
class Fields:
    """One answer in the making: what its fields are made from, and what is said of them."""

    agreed: AuthorisedPlan
    results: Results
    shaping: Shaping
    said: Said = field(default_factory=Said)

    def agency(self, fetch: Fetch) -> str:
        return self.shaping.catalogue.sources[fetch.source].agency

    def say(self, fetch: Fetch, path: str, place: Place, event: Event | None) -> None:
        self.said.say(fetch.source, path, place, self.agency(fetch), event)

    def event(
        self, fetch: Fetch, outcome: Outcome, note: Note, mask: str = "", shows: str = ""
    ) -> Event:
        return event_of(self.agency(fetch), outcome, note, mask, shows)

    def manner_of(
        self, manner: Manner | None, values: Values, owner: Owner, fields: Mapping[str, Field]
    ) -> str | None:
        """The manner that holds for one record: of cases the first whose condition it meets."""
        if manner is None or isinstance(manner, str):
            return manner
        known = _Case(values, owner, fields, self.shaping.moment)
        return next((case.manner for case in manner if holds(case.when, known)), None)

    def scalar(
        self, part: PartGrant, fetch: Fetch, selection: Selection, spec: Field, path: str
    ) -> Build:
        """A field without fields of its own."""
        name, key = spec.name, selection.key
        if name not in part.part.reads:
            return constant(None)  # the source has no such field
        read = self.reader(spec)
        manner = part.read.get(name)
        if manner == CLEAR:
            return read
        if manner == SILENT:
            return constant(None)
        note = part.note(name)
        fields = self.shaping.catalogue.vocabulary.fields_of(part.part.type)
        withheld = self.event(fetch, Outcome.WITHHELD, note)
        masked: dict[tuple[str, str | None], Event] = {}

        def build(values: Values, at: Place, owner: Owner) -> Any:
            shown = self.manner_of(manner, values, owner, fields)
            if shown == CLEAR:
                self.say(fetch, path, (at, key), None)
                return read(values, at, owner)
            if shown == SILENT:
                return None
            if shown == HIT_ONLY:
                return DROP
            if shown is None:
                self.say(fetch, path, (at, key), withheld)
                return None
            value, shows = self.shaping.mask(shown, read(values, at, owner), spec)
            event = masked.get((shown, shows))
            if event is None:
                event = self.event(fetch, Outcome.MASKED, note, shown, shows or "")
                masked[shown, shows] = event
            self.say(fetch, path, (at, key), event)
            return [] if value is None and spec.type.many else value

        return build

    def reader(self, spec: Field) -> Build:
        name = spec.name
        if spec.derived:
            derive, moment = DERIVED[spec.derived], self.shaping.moment
            return lambda values, _at, _owner: derive(values, moment)
        return lambda values, _at, _owner: values.get(name)


def object_of(builds: Builds, values: Values, place: Place, owner: Owner) -> Any:
    made: dict[str, Any] = {}
    for key, build in builds:
        value = build(values, place, owner)
        if value is DROP:
            return DROP
        made[key] = value
    return made


def constant(value: Any) -> Build:
    return lambda _values, _at, _owner: value


def nothing(many: bool) -> Build:
    return lambda _values, _at, _owner: [] if many else None
