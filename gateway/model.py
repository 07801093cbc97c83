"""The values handed from stage to stage, in the order of the pipeline. Frozen, and free of I/O.

Names here are the catalogue's (`snake_case`), never a source's. Canonical values are JSON values:
text, numbers, Booleans, null; dates are ISO 8601 text (`1991`, `1991-04`, `1991-04-17`), times are
RFC 3339 text in UTC; a component is a list of mappings, or one mapping.

A condition in these names may look into a component: `names.family`. Comparisons on one component
that stand side by side in one `And` must hold on one and the same element of it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Never, TypeAlias, TypeVar

from connectors.conditions import ALWAYS, NEVER, Condition


class _Empty(Mapping[Any, Any]):
    """A mapping of nothing, hashable so that it may be a dataclass's default."""

    def __getitem__(self, key: object) -> Never:
        raise KeyError(key)

    def __iter__(self) -> Iterator[Never]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __hash__(self) -> int:
        return 0


EMPTY: Mapping[Any, Any] = _Empty()

_T = TypeVar("_T")


class Made(dict[Hashable, Any]):
    """What stages make of a value that outlives one query, each thing once.

    It rests on that value alone: nothing of a caller's may be in it.
    """

    def once(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """What was made under this key before, else what `make` gives now."""
        try:
            made: _T = self[key]
        except KeyError:
            made = self[key] = make()
        return made


# --- receive, authenticate -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One GraphQL request as it came, checked for size and JSON only."""

    id: str  # UUIDv7
    received_at: datetime
    authorization: tuple[str, ...]  # every value of the header, unread
    document: str = ""
    document_id: str | None = None  # SHA-256 of a persisted document
    operation_name: str | None = None
    variables: Mapping[str, Any] = EMPTY
    justification: object = None  # extensions.justification, unread
    read_only: bool = False  # it came by GET: only persisted documents, or nothing to fetch
    peer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """On whose authenticated behalf a query runs. (issuer, id) is the identity."""

    issuer: str
    id: str
    agency: str
    roles: tuple[str, ...]
    clearance: str
    training: tuple[str, ...]
    app: str
    token_id: str
    attributes_as_at: datetime
    as_at: Mapping[str, datetime] = EMPTY  # of an attribute that its source said at another time
    on_duty: bool = False
    said_by: Mapping[str, str] = EMPTY  # of an attribute that another than the issuer said
    acr: str | None = None
    auth_time: datetime | None = None
    expires_at: datetime | None = None  # of the token that says all this
    documents_only: bool = False  # through an app that may send persisted documents only


# --- parse ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Justification:
    """Why somebody asks. Texts are sealed in the log; policy learns only that they were given."""

    purpose: str
    reason_code: str
    reason_text: str | None = None
    case_ref: str | None = None
    incident_ref: str | None = None
    on_behalf_of: str | None = None
    break_glass: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """One selected field, fragments and aliases resolved, arguments coerced."""

    key: str  # in the response
    name: str  # in the catalogue
    args: Mapping[str, Any] = EMPTY  # argument names as in the catalogue
    on: frozenset[str] | None = None  # concrete types it applies to; None for all
    selections: tuple[Selection, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One query operation, bound to its variables."""

    digest: str  # SHA-256 of the document's text
    text: str
    name: str | None
    variables: Mapping[str, Any]
    roots: tuple[Selection, ...]
    justification: Justification | None
    introspection: Mapping[str, Any] | None = None  # the answer, when only the schema was asked
    outline: Hashable = None  # what all but the roots' arguments follow from; None: nothing kept


# --- plan ----------------------------------------------------------------------------------------


class Use(StrEnum):
    """How rows may depend on a field without its value being shown."""

    FILTER = "filter"
    SORT = "sort"
    COUNT = "count"
    LINK = "link"
    MATCH = "match"
    FACE = "face"
    REVEAL = "reveal"
    IDENTIFY = "identify"  # filter by a value in full, however coarsely it is shown


FieldUse: TypeAlias = tuple[Use, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A record's own fields (path "") or those of one of its components (path "identifiers")."""

    path: str
    type: str  # the entity's or the component's name
    reads: frozenset[str] = frozenset()  # fields whose values appear in the response
    uses: frozenset[FieldUse] = frozenset()  # fields the rows depend on
    filters: frozenset[str] = frozenset()  # not read, and how they are shown counts all the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Reveal:
    """What a reader of a field learns besides: the values of other fields of the record."""

    fields: tuple[str, ...]
    when_kind: str | None = None  # only where the element's `kind` is this


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Rank by likeness to a stored image, or to a probe that the gateway itself issued."""

    ref_key: str | int | None = (
        None  # native key of the stored image; "" for a ref that does not open
    )
    handle: str | None = None  # a probe that the gateway issued


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """One visit to one source for one entity, in the catalogue's names."""

    id: str  # "f0", "f1", ...: the name policy and audit know it by
    source: str
    entity: str
    parts: tuple[Part, ...]  # the record itself first
    told: tuple[Part, ...] = ()  # nobody reads them, but something read tells what they hold
    where: Condition = ALWAYS
    limit: int = 20  # rows; per parent record for a link
    parent: str | None = None  # the fetch whose rows supply this one's link keys
    link_from: str = ""  # the parent's field, or "component.field", that holds the keys
    link_by: str = ""  # this entity's field that must equal one of them
    reveals: tuple[tuple[str, str], ...] = ()  # (part, field) of the parent that its records tell
    near: Near | None = None
    after: str | int | None = None  # position in the source, from a cursor
    selections: tuple[Selection, ...] = ()
    links: Mapping[str, tuple[str, ...]] = EMPTY  # response key -> the fetches that fill it
    root: str = ""  # response key of the root field it belongs to
    path: str = ""  # response path of its list, indexes as "*"

    def part(self, path: str) -> Part:
        """The part at a path.

        Raises:
            KeyError: the fetch has no such part.
        """
        for part in self.parts:
            if part.path == path:
                return part
        raise KeyError(path)

    @property
    def matched(self) -> bool:
        """Whether matching is to look at its records' identifiers."""
        return any(use is Use.MATCH for part in self.parts for use, _ in part.uses)


def resource_id(fetch_id: str, path: str) -> str:
    """The name by which policy knows a part: "f0", "f0.identifiers"."""
    return f"{fetch_id}.{path}" if path else fetch_id


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Structure:
    """What plans of one outline have in common, whatever values are asked for. It holds none."""

    roots: tuple[tuple[str, ...], ...]  # the ids of the fetches that answer each root
    fetches: tuple[Fetch, ...]
    looks: tuple[Fetch, ...]
    not_held: tuple[tuple[str, str], ...]
    made: Made = field(default_factory=Made, init=False, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RootPlan:
    """One root field and the fetches that answer it."""

    key: str
    name: str
    selection: Selection
    fetches: tuple[str, ...] = ()
    where: Condition = ALWAYS  # what was asked, whether or not a source can apply it
    not_held: tuple[str, ...] = ()  # sources that hold the entity and cannot apply the criteria


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything a query would touch, before anybody has agreed to it."""

    roots: tuple[RootPlan, ...] = ()
    fetches: tuple[Fetch, ...] = ()  # parents precede children
    looks: tuple[Fetch, ...] = ()  # only for who else bears an identifier; none gives a record
    cursor_serial: int | None = None  # the policy serial that a cursor in the query was issued at
    not_held: tuple[tuple[str, str], ...] = ()  # (response path, field) that no source holds
    structure: Structure | None = field(default=None, compare=False, repr=False)

    @property
    def visits(self) -> tuple[Fetch, ...]:
        """All that policy is asked about."""
        return (*self.fetches, *self.looks)


# --- ask, authorise ------------------------------------------------------------------------------


class Show(StrEnum):
    """What of a resource appears."""

    RECORDS = "records"
    COUNT = "count"
    HIT = "hit"
    SILENT = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """The public reason with a ruling: which rule, in what words, whom to ask, what to do now."""

    rule: str = ""
    text: str = ""
    desk: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """Shown `manner` where the record satisfies `when`."""

    when: Condition
    manner: str


Manner: TypeAlias = str | tuple[Case, ...]
"""CLEAR, SILENT, a mask's name, or cases of which the first that holds counts."""

CLEAR = "CLEAR"
SILENT = "SILENT"
HIT_ONLY = "HIT_ONLY"
SANITISED_TEXT = "SANITISED_TEXT"

WHOLE = "*"
"""The name of a note on a record or an element as a whole."""
OTHERWISE = "?"
"""The name of the note on whatever is held back and has no other; it does not stand by itself."""


def manners(manner: Manner | None) -> frozenset[str]:
    """Every way in which a field may be shown."""
    if manner is None or isinstance(manner, str):
        return frozenset({manner} if manner else ())
    return frozenset(case.manner for case in manner)


def _note(notes: Mapping[str, Note], name: str) -> Note:
    return notes.get(name) or notes.get("") or notes.get(OTHERWISE) or Note()


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Records that are not shown, and are told of: that there is one, and whom to ask."""

    rows: Condition
    note: Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The decision's part about one resource. What it does not mention is denied."""

    show: Show | None = None
    limit: int = 0
    rows: Condition = NEVER
    uses: frozenset[FieldUse] = frozenset()
    whole: Manner = HIT_ONLY  # of each record or element; in clear, a hit, or its line alone
    read: Mapping[str, Manner] = EMPTY
    notes: Mapping[str, Note] = EMPTY  # by field, of the WHOLE, "" for all else, or OTHERWISE
    beside: Beside | None = None

    def note(self, name: str = "") -> Note:
        """Why a field, or the resource, is held back."""
        return _note(self.notes, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """What the gateway must do as a condition of a permission."""

    type: str
    attributes: Mapping[str, Any] = EMPTY
    made: Made = field(default_factory=Made, init=False, repr=False, compare=False)


class Unit(StrEnum):
    """What a budget counts."""

    QUESTION = "question"
    RECORD = "record"  # each that an answer shows
    HIT = "hit"  # each that an answer tells of and does not show
    TARGET = "target"  # questions, for each person or thing that is asked about


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much one officer may ask within a time."""

    name: str
    title: str
    unit: Unit
    window_s: int
    slow_after: int
    slow_ms: int
    most: int
    agency: str  # whose desk is told when it is spent
    desk: str
    on_call: str  # the desk that is told when the first does not acknowledge in time
    due_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The policy's answer to one question."""

    serial: int
    rulings: Mapping[str, Ruling] = EMPTY
    obligations: tuple[Obligation, ...] = ()
    refuse: Note | None = None
    cache_s: float = 0.0
    id: str = ""  # by which the policy's engine knows it, where it keeps a log of its own
    made: Made = field(default_factory=Made, init=False, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release of the policy that answers from now on, or was refused for being an older one."""

    before: int  # the serial that answered until now; 0 where none did since the start
    now: int
    refused: bool = False
    revisions: tuple[str, ...] = ()  # of its bundles, and of its engine, as far as that tells
    engine: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartGrant:
    """What was agreed for one part: never more than was planned, never more than was allowed."""

    part: Part
    show: Show | None  # None: withheld, and said so
    limit: int = 0
    rows: Condition = NEVER
    whole: Manner = CLEAR  # by what cases a record or an element is no more than a hit
    read: Mapping[str, Manner] = EMPTY  # a subset of the part's reads, derived fields settled
    match: frozenset[str] = frozenset()  # fields that matching may look at
    count: frozenset[str] = frozenset()  # Boolean fields that may be counted beside the total
    notes: Mapping[str, Note] = EMPTY

    def note(self, name: str = "") -> Note:
        """Why a field, or the part, is held back."""
        return _note(self.notes, name)

    @property
    def standing(self) -> Note | None:
        """What is said in every answer, whatever is held."""
        note = self.notes.get("")
        return note if note != Note() else None


class Parts(dict[str, PartGrant]):
    """What was agreed for each part of a fetch. All questions by one decision share it, and what
    is made of all of it."""

    __slots__ = ("made",)

    def __init__(self, agreed: Mapping[str, PartGrant]) -> None:
        super().__init__(agreed)
        self.made = Made()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A fetch that may be made, and what of it may be shown."""

    fetch: Fetch
    parts: Mapping[str, PartGrant]

    @property
    def own(self) -> PartGrant:
        return self.parts[""]

    @property
    def made(self) -> Made:
        """What stages make of the parts alone."""
        return self.parts.made if isinstance(self.parts, Parts) else Made()


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """Fields of one record that its originator's desk shows to one officer until a moment."""

    id: str
    agency: str  # the originator
    desk: str
    source: str
    entity: str
    key: str | int
    fields: tuple[str, ...]
    until: datetime
    opens: bool  # the record is a hit without it: shown only when asked for by its ref


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorisedPlan:
    """A plan narrowed to what the decision permits."""

    plan: Plan
    serial: int
    grants: Mapping[str, Grant] = EMPTY
    looks: Mapping[str, Grant] = EMPTY  # of the plan's looks those that may be made
    beside: Mapping[str, Grant] = EMPTY  # by fetch: records of which only a hit is told
    silent: frozenset[str] = frozenset()  # visits answered like a source that holds nothing
    withheld: Mapping[str, Note] = EMPTY  # visits not made, and why
    obligations: tuple[Obligation, ...] = ()
    released: tuple[Released, ...] = ()  # what the decision shows by a desk's release


# --- fan out -------------------------------------------------------------------------------------


class State(StrEnum):
    """How a source fared."""

    ANSWERED = "ANSWERED"
    TRUNCATED = "TRUNCATED"
    NOT_ASKED = "NOT_ASKED"
    WITHHELD = "WITHHELD"
    RATE_LIMITED = "RATE_LIMITED"
    TIMED_OUT = "TIMED_OUT"
    UNAVAILABLE = "UNAVAILABLE"
    FAULT = "FAULT"

    @property
    def failed(self) -> bool:
        """Whether it was asked, or was to be, and gave nothing."""
        return self in _FAILED


_FAILED = frozenset({State.RATE_LIMITED, State.TIMED_OUT, State.UNAVAILABLE, State.FAULT})


@dataclass(slots=True, kw_only=True)
class Record:
    """One row of a source in canonical form, with its components in place.

    Not frozen, because a thousand are made for one answer; nothing changes one once `fan_out` has
    given it back.
    """

    key: str | int  # the source's own key
    values: dict[str, Any]
    links: frozenset[Any] = frozenset()  # which of the parent's link keys it belongs to
    manner: str = CLEAR  # of it as a whole; else a hit, or its owner's line alone


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchResult:
    """What one fetch brought back, or how it failed. An error is a value here."""

    state: State
    records: tuple[Record, ...] = ()
    truncated: bool = False
    elapsed_s: float = 0.0
    detail: str = ""  # for the operator's log
    alarms: int = 0  # rows a source should not have sent
    beside: tuple[Record, ...] = ()  # not shown: that there is one is all that may be told


Results: TypeAlias = Mapping[str, FetchResult]

Shared: TypeAlias = frozenset[tuple[str, str]]
"""Identifiers, as kind and value, that more than one person bears."""

# --- shape, record outcome -----------------------------------------------------------------------


class Outcome(StrEnum):
    """What became of a part of the answer, as its reader is told."""

    SHOWN = "SHOWN"
    MASKED = "MASKED"
    WITHHELD = "WITHHELD"
    HIT = "HIT"
    NOTHING_TO_SHOW = "NOTHING_TO_SHOW"
    SOURCE_UNAVAILABLE = "SOURCE_UNAVAILABLE"
    POLICY_UNAVAILABLE = "POLICY_UNAVAILABLE"
    NOT_ASKED = "NOT_ASKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """How one source fared in a query, as metrics, the log and the answer know it."""

    source: str
    agency: str
    state: State
    rows: int = 0  # records shown
    review_due: int = 0  # of these
    masked: int = 0
    withheld: int = 0
    hits: int = 0
    elapsed_s: float = 0.0
    alarms: int = 0


Disclosed: TypeAlias = tuple[tuple[str, str, str | int], ...]
"""The records that an answer shows, as (source, entity, native key)."""

Place: TypeAlias = tuple[Any, str | int]
"""A place in the answer: (the place around it or None, key or index). Spelt out only when told."""


def steps_of(place: Place) -> tuple[str | int, ...]:
    """The keys and indexes that lead to a place."""
    steps: list[str | int] = []
    around: Any = place
    while around is not None:
        around, step = around
        steps.append(step)
    return tuple(reversed(steps))


class Shown(NamedTuple):
    """A record as it stands in an answer, or that it is told of as a hit."""

    source: str
    entity: str
    key: str | int
    place: Place  # of a hit, that of the list that it is not in
    value: Mapping[str, Any] | None  # its very object in the answer; None for a hit
    names: Mapping[str, str] = EMPTY  # of what its agency holds: response key -> field


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer, not yet recorded; nothing can send it."""

    status: int
    body: Mapping[str, Any]  # GraphQL response: data, errors, extensions
    reports: tuple[SourceReport, ...] = ()
    code: str | None = None  # of the error that ended the query, if one did
    detail: str = ""  # for the operator's log and the sealed record
    disclosed: Disclosed = ()
    shown: tuple[Shown, ...] = ()
