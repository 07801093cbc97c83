"""How one field without fields of its own is shown: clear, masked, silent, withheld, or by case.

What a decision says of a field becomes one function, once for each fetch: no record asks again what
holds for all. A field that is simply clear costs one look-up, what is the same in every record
nothing; a place in the answer is spelt out only when something is said of it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias

from connectors.conditions import And, Compare, Condition, IsNull, Op, Or, holds
from gateway.catalogue.mapping import Catalogue
from gateway.catalogue.vocabulary import Field
from gateway.model import (
    CLEAR,
    EMPTY,
    HIT_ONLY,
    SANITISED_TEXT,
    SILENT,
    AuthorisedPlan,
    Case,
    Fetch,
    Grant,
    Note,
    Outcome,
    PartGrant,
    Record,
    Results,
    Selection,
)
from gateway.query.derived import DERIVED, Moment
from gateway.query.refs import Refs
from gateway.query.said import Event, Place, Said, Tell, event_of

Mask: TypeAlias = Callable[[Any], tuple[Any, str | None]]
"""Value -> (value to show, coarse value for the disclosure entry)."""

MaskBy: TypeAlias = Callable[[str, Field], Mask]
"""The mask of a name, for the values of one field."""

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


@dataclass(slots=True)
class Owner:
    """The record that a value belongs to, the match band of the person whom it is about, and the
    moment of the question."""

    record: Record
    band: str | None
    moment: Moment


Values: TypeAlias = Mapping[str, Any]
Build: TypeAlias = Callable[[Values, Place, Owner], Any]
"""(a record's or an element's values, its place in the answer, its record) -> value."""

Builds: TypeAlias = list[tuple[str, Build]]
Look: TypeAlias = Callable[[Values, Owner], Any]
Naming: TypeAlias = Callable[[Values, Owner], str | None]
"""The manner that holds for one record."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A field shown as it is held."""

    name: str

    def __call__(self, values: Values, _at: Place, _owner: Owner) -> Any:
        return values.get(self.name)


@dataclass(frozen=True, slots=True)
class Constant:
    """A field that is the same in every record."""

    value: Any

    def __call__(self, _values: Values, _at: Place, _owner: Owner) -> Any:
        return self.value


@dataclass(slots=True, kw_only=True)
class Fields:
    """One answer in the making: what its fields are made from, and what is said of them."""

    agreed: AuthorisedPlan
    shaping: Shaping
    results: Results = EMPTY  # until the sources have answered
    said: Said = field(default_factory=Said)

    def agency(self, fetch: Fetch) -> str:
        return self.shaping.catalogue.sources[fetch.source].agency

    def say(self, fetch: Fetch, path: str, place: Place, event: Event | None) -> None:
        """At one place of the pattern `path`, this; None for plainly shown."""
        self.teller(fetch, path)(place, event)

    def teller(self, fetch: Fetch, path: str) -> Tell:
        return self.said.teller(fetch.source, path, self.agency(fetch))

    def event(
        self, fetch: Fetch, outcome: Outcome, note: Note, mask: str = "", shows: str = ""
    ) -> Event:
        return event_of(self.agency(fetch), outcome, note, mask, shows)

    def manner_of(self, grant: Grant, part: PartGrant, name: str) -> Naming:
        """How a field is shown of a record: of cases the first whose condition it meets."""
        manner = part.read.get(name)
        if manner is None or isinstance(manner, str):
            return lambda _values, _owner: manner
        fields = self.shaping.catalogue.vocabulary.fields_of(part.part.type)
        # The fields of a part often have the very same cases; the grant holds them for as long
        # as it holds this, so their id is nobody else's.
        known = "manner", part.part.type, id(manner)
        return grant.made.once(known, lambda: first_of(manner, fields))

    def scalar(self, part: PartGrant, fetch: Fetch, spec: Field, path: str) -> Build:
        """A field without fields of its own."""
        if spec.name not in part.part.reads:
            return Constant(None)  # the source has no such field
        manner = part.read.get(spec.name)
        read = self.reader(spec)
        if manner == CLEAR:
            return read
        tell, note = self.teller(fetch, path), part.note(spec.name)

        def shown(manner: str | None) -> Build:
            if manner is None:
                return withheld(tell, self.event(fetch, Outcome.WITHHELD, note))
            if manner == CLEAR:
                return clear(tell, read)
            if manner == SILENT:
                return Constant(None)
            if manner == HIT_ONLY:
                return dropped
            told = partial(self.event, fetch, Outcome.MASKED, note, manner)
            if manner == SANITISED_TEXT:
                return sanitised(tell, told, self.event(fetch, Outcome.WITHHELD, note))
            return masked(tell, read, self.shaping.mask(manner, spec), told, spec.type.many)

        if manner is None or isinstance(manner, str):
            return shown(manner)
        ways = {named: shown(named) for named in (None, *(case.manner for case in manner))}
        manner_of = self.manner_of(self.agreed.grants[fetch.id], part, spec.name)
        return lambda values, at, owner: ways[manner_of(values, owner)](values, at, owner)

    def reader(self, spec: Field) -> Build:
        if spec.derived:
            derive = DERIVED[spec.derived]
            return lambda values, _at, owner: derive(values, owner.moment)
        return Plain(spec.name)


# --- which of several cases ----------------------------------------------------------------------


def first_of(cases: tuple[Case, ...], fields: Mapping[str, Field]) -> Naming:
    """The manner of the first case whose condition a record meets; None if it meets none."""
    tests = [(compiled(case.when, lambda name: seen(name, fields)), case.manner) for case in cases]

    def shown(values: Values, owner: Owner) -> str | None:
        for meets, named in tests:
            if meets(values, owner):
                return named
        return None

    return shown


def seen(name: str, fields: Mapping[str, Field]) -> Look:
    """What a case's condition sees: its own part's fields, those of the record around it where
    the part's type has none of that name, derived fields and the match band."""
    if name == "match_band":
        return lambda _values, owner: owner.band
    own, derive = name in fields, DERIVED.get(name)

    if own and derive is None:
        return lambda values, _owner: values.get(name)

    def look(values: Values, owner: Owner) -> Any:
        held = values if own else owner.record.values
        if derive is None or name in held:
            return held.get(name)
        return derive(held, owner.moment)

    return look


# --- one function for what is asked of every record ----------------------------------------------


def maker(builds: Builds) -> Build:
    """Makes the object of a record or an element, or DROP if one of its fields is."""
    same = {key: build.value if isinstance(build, Constant) else None for key, build in builds}
    plain = [(key, build.name) for key, build in builds if isinstance(build, Plain)]
    others = [(key, b) for key, b in builds if not isinstance(b, Plain | Constant)]

    def make(values: Values, at: Place, owner: Owner) -> Any:
        made = same.copy()
        get = values.get
        for key, name in plain:
            made[key] = get(name)
        for key, build in others:
            value = build(values, at, owner)
            if value is DROP:
                return DROP
            made[key] = value
        return made

    return make


def nothing(many: bool) -> Build:
    return lambda _values, _at, _owner: [] if many else None


def dropped(_values: Values, _at: Place, _owner: Owner) -> Any:
    """No record or element at all: it is said to be a hit."""
    return DROP


def clear(tell: Tell, read: Build) -> Build:
    """The value in clear, beside records in which it is not."""

    def build(values: Values, at: Place, owner: Owner) -> Any:
        tell(at, None)
        return read(values, at, owner)

    return build


def withheld(tell: Tell, event: Event, many: bool = False) -> Build:
    """Nothing, and that it is withheld."""

    def build(_values: Values, at: Place, _owner: Owner) -> Any:
        tell(at, event)
        return [] if many else None

    return build


def masked(tell: Tell, read: Build, mask: Mask, told: Callable[[str], Event], many: bool) -> Build:
    """What the mask leaves of the value, and that it is masked; `told` by what is shown instead."""
    events: dict[str | None, Event] = {}

    def build(values: Values, at: Place, owner: Owner) -> Any:
        value, shows = mask(read(values, at, owner))
        event = events.get(shows)
        if event is None:
            event = events[shows] = told(shows or "")
        tell(at, event)
        return [] if value is None and many else value

    return build


def sanitised(tell: Tell, told: Callable[[str], Event], withheld: Event) -> Build:
    """Nothing of the text: the owner's sanitised text is told instead, where there is one."""

    def build(values: Values, at: Place, _owner: Owner) -> Any:
        line = values.get("sanitised_text")
        tell(at, told(line) if line else withheld)
        return None

    return build


def compiled(condition: Condition, look: Callable[[str], Look]) -> Callable[[Values, Owner], bool]:
    """`holds` as one function, for a condition that many records are held against.

    `look` gives what looks up a field by its name.
    """
    match condition:
        case And(parts):
            tests = [compiled(part, look) for part in parts]
            return lambda values, owner: all(test(values, owner) for test in tests)
        case Or(parts):
            tests = [compiled(part, look) for part in parts]
            return lambda values, owner: any(test(values, owner) for test in tests)
        case IsNull(field=name):
            held = look(name)
            return lambda values, owner: held(values, owner) is None
        case Compare():
            return _compared(condition, look(condition.field))


_ALIKE: Final[frozenset[type]] = frozenset({str, bool, int})
_COMPARED: Mapping[Op, Callable[[Any, Any], bool]] = {
    Op.EQ: operator.eq,
    Op.NE: operator.ne,
    Op.LT: operator.lt,
    Op.LTE: operator.le,
    Op.GT: operator.gt,
    Op.GTE: operator.ge,
    Op.STARTSWITH: lambda held, start: isinstance(held, str) and held.startswith(start),
    Op.IN: lambda held, members: held in members,
}


def _compared(condition: Compare, look: Look) -> Callable[[Values, Owner], bool]:
    """Like is compared with like at once: a text with texts, say. All else is left to `holds`."""
    name, op, value = condition.field, condition.op, condition.value
    compare = _COMPARED[op]
    members = value if op is Op.IN and isinstance(value, tuple) else (value,)
    other = members if op is Op.IN else value
    types = {type(member) for member in members}
    like = types.pop() if len(types) == 1 and types <= _ALIKE else None

    def meets(values: Values, owner: Owner) -> bool:
        held = look(values, owner)
        return compare(held, other) if type(held) is like else holds(condition, {name: held})

    return meets
