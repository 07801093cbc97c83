"""How one field without fields of its own is shown: clear, masked, silent, withheld, or by case.

What a decision says of a field becomes one function, once for each fetch: no record asks again what
holds for all. A field that is simply clear costs one look-up, what is the same in every record
nothing; a place in the answer is spelt out only when something is said of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias

from gateway.catalogue.mapping import Catalogue
from gateway.catalogue.vocabulary import Field
from gateway.model import (
    CLEAR,
    EMPTY,
    HIT_ONLY,
    SANITISED_TEXT,
    SILENT,
    AuthorisedPlan,
    Fetch,
    Grant,
    Note,
    Outcome,
    PartGrant,
    Place,
    Results,
    Selection,
)
from gateway.query.cases import Naming, Owner, Values, first_of
from gateway.query.derived import DERIVED, Moment
from gateway.query.refs import Refs
from gateway.query.said import Event, Said, Tell, event_of

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


Build: TypeAlias = Callable[[Values, Place, Owner], Any]
"""(a record's or an element's values, its place in the answer, its record) -> value."""

Builds: TypeAlias = list[tuple[str, Build]]


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


@dataclass(frozen=True, slots=True)
class Clear:
    """A field in clear, beside records in which it is not."""

    tell: Tell
    read: Build

    def __call__(self, values: Values, at: Place, owner: Owner) -> Any:
        self.tell(at, None)
        return self.read(values, at, owner)


@dataclass(frozen=True, slots=True)
class ByCase:
    """A field that is shown in another manner from record to record."""

    manner_of: Naming
    ways: Mapping[str | None, Build]

    def __call__(self, values: Values, at: Place, owner: Owner) -> Any:
        return self.ways[self.manner_of(values, owner)](values, at, owner)


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
                return Clear(tell, read)
            if manner == SILENT:
                return Constant(None)
            if manner == HIT_ONLY:
                return dropped
            told = partial(self.event, fetch, Outcome.MASKED, note, manner)
            if manner == SANITISED_TEXT:
                return sanitised(tell, told, self.event(fetch, Outcome.WITHHELD, note))
            mask = self.shaping.mask(manner, spec)
            beside = self.coarse(part, spec, manner)
            return masked(tell, read, mask, told, spec.type.many, beside)

        if manner is None or isinstance(manner, str):
            return shown(manner)
        ways = {named: shown(named) for named in (None, *(case.manner for case in manner))}
        return ByCase(self.manner_of(self.agreed.grants[fetch.id], part, spec.name), ways)

    def coarse(self, part: PartGrant, spec: Field, manner: str) -> Callable[[Values], str | None]:
        """What the mask leaves of the fields that are told where it leaves nothing of this one."""
        vocabulary = self.shaping.catalogue.vocabulary
        asked: list[tuple[str, str, Mask]] = []
        for dotted in spec.coarse_by:
            inside, _, name = dotted.partition(".")
            type_ = vocabulary.fields_of(part.part.type)[inside].type.name
            asked.append(
                (inside, name, self.shaping.mask(manner, vocabulary.fields_of(type_)[name]))
            )

        def told(values: Values) -> str | None:
            left: list[Any] = []
            for inside, name, mask in asked:
                for element in (values.get(inside) or ())[:1]:
                    left.append(mask(element.get(name))[0])
            whole = len(left) == len(asked) > 0 and None not in left
            return ", ".join(map(str, left)) if whole else None

        return told

    def reader(self, spec: Field) -> Build:
        if spec.derived:
            derive = DERIVED[spec.derived]
            return lambda values, _at, owner: derive(values, owner.moment)
        return Plain(spec.name)


# --- one function for what is asked of every record ----------------------------------------------


def maker(builds: Builds) -> Build:
    """Makes the object of a record or an element, or DROP if one of its fields is.

    Fields often have the very same cases: which of these holds is found once for all of them, and
    what makes the objects of records that are alike in this is put together once.
    """
    manner_of = next((build.manner_of for _, build in builds if isinstance(build, ByCase)), None)
    if manner_of is None:
        return _maker(builds)
    makers: dict[str | None, Build] = {}

    def make(values: Values, at: Place, owner: Owner) -> Any:
        manner = manner_of(values, owner)
        alike = makers.get(manner)
        if alike is None:
            alike = makers[manner] = maker(_settled(builds, manner_of, manner))
        return alike(values, at, owner)

    return make


def _settled(builds: Builds, manner_of: Naming, manner: str | None) -> Builds:
    """The same, where it is known which of these cases holds."""
    return [
        (key, b.ways[manner] if isinstance(b, ByCase) and b.manner_of is manner_of else b)
        for key, b in builds
    ]


def _maker(builds: Builds) -> Build:
    """The same for fields that are shown in one manner each."""
    told = [build.tell for _, build in builds if isinstance(build, Clear)]
    builds = [(key, b.read if isinstance(b, Clear) else b) for key, b in builds]
    same = {key: build.value if isinstance(build, Constant) else None for key, build in builds}
    plain = [(key, build.name) for key, build in builds if isinstance(build, Plain)]
    others = [(key, b) for key, b in builds if not isinstance(b, Plain | Constant)]

    def make(values: Values, at: Place, owner: Owner) -> Any:
        if told:  # once is enough to say that there are such records
            for tell in told:
                tell(at, None)
            told.clear()
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


def withheld(tell: Tell, event: Event, many: bool = False) -> Build:
    """Nothing, and that it is withheld."""

    def build(_values: Values, at: Place, _owner: Owner) -> Any:
        tell(at, event)
        return [] if many else None

    return build


def masked(
    tell: Tell,
    read: Build,
    mask: Mask,
    told: Callable[[str], Event],
    many: bool,
    beside: Callable[[Values], str | None] = lambda _values: None,
) -> Build:
    """What the mask leaves of the value, and that it is masked; `told` by what is shown instead,
    which for a value of which the mask leaves nothing is what it leaves `beside`."""
    events: dict[str | None, Event] = {}

    def build(values: Values, at: Place, owner: Owner) -> Any:
        whole = read(values, at, owner)
        value, shows = mask(whole)
        if value is None and shows is None and whole is not None:
            shows = beside(values)
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
