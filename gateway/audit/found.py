"""What an inquiry into the record gives: nothing that its auditor may not have. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.audit.index import MARK, Count, Found
from gateway.audit.rulings import Ruled, read_rulings
from gateway.model import EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the log stands."""

    origin: str
    verifier: str  # its public key, as `portcullis audit verify --key` reads it
    witnesses: tuple[str, ...]  # who signed the last witnessed checkpoint
    size: int  # entries that have a number
    healthy: bool  # whether a record given now would last
    signed_size: int
    signed_at: datetime | None
    root: str
    witnessed_size: int  # how many entries enough witnesses have signed; 0 without witnesses
    indexed: int  # how many can be found
    verified: int  # how many, as they were read for that, lead to the root of a checkpoint
    whole: bool  # whether none were read that do not
    suspects: int | None = None  # of those, whose times a clock in doubt gave; None: not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """How the log stands, and what was asked of late."""

    health: Health
    counts: tuple[Count, ...] | None  # None where counting would take too long


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the auditors of the asker's agency may read of a query, and the asker: never what was
    found, nor the salt by which a guess at that could be checked."""

    issuer: str = ""
    officer: str = ""
    roles: tuple[str, ...] = ()
    app: str = ""
    peer: str = ""
    reason: str = ""
    case: str = ""
    incident: str = ""
    on_behalf_of: str = ""
    break_glass: str = ""
    text: str = ""  # the document
    variables: Mapping[str, Any] = field(default_factory=dict)
    visits: Mapping[str, Any] = field(default_factory=dict)  # source -> entity -> fields to read
    rulings: tuple[Ruled, ...] = ()  # what policy decided, without what is silent
    terms: tuple[str, ...] = ()  # the kinds of what was searched for
    cause: str = ""  # why it failed
    casework: Mapping[str, Any] = field(default_factory=dict)  # what was to be done at /casework
    looked: Mapping[str, Any] = field(default_factory=dict)  # of a view, what was looked for
    entries: tuple[int, ...] = ()  # of a view, which entries were given

    @classmethod
    def of(cls, detail: Mapping[str, Any]) -> Asked:
        """From what lies sealed in the asker's parts; what is not named here stays there."""
        who, why = detail.get("who") or EMPTY, detail.get("why") or EMPTY

        def text(held: Mapping[str, Any], name: str) -> str:
            return str(held.get(name) or "")

        return cls(
            issuer=text(who, "issuer"),
            officer=text(who, "id"),
            roles=tuple(who.get("roles", ())),
            app=text(who, "app"),
            peer=text(detail, "peer"),
            reason=text(why, "reason"),
            case=text(why, "case"),
            incident=text(why, "incident"),
            on_behalf_of=text(why, "on_behalf_of"),
            break_glass=text(why, "break_glass"),
            text=text(detail, "text"),
            variables=detail.get("variables") or {},
            visits=detail.get("visits") or {},
            rulings=read_rulings(detail.get("rulings")),
            terms=tuple(sorted({str(kind) for kind, _token in detail.get("terms", ())})),
            cause=text(detail, "cause"),
            casework=detail.get("casework") or {},
            looked=detail.get("asked") or {},
            entries=tuple(detail.get("entries", ())),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One search of a page: what the leaves tell, and what its auditor may read besides."""

    found: Found
    asked: Asked | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Searches, the latest first."""

    rows: tuple[Row, ...]
    next: int | None  # `before` of the next page; None where this one is the last
    upto: int  # how many entries could be found by then


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That an entry is in the log, under a signed checkpoint."""

    index: int
    leaf_hash: str  # this and the following in hexadecimal
    hashes: tuple[str, ...]  # from the leaf upwards
    size: int
    root: str
    checkpoint: str  # the signed note
    text: str  # the same as a c2sp.org/tlog-proof, with the leaf if that may be shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One entry of the log."""

    index: int
    hash: str
    data: bytes | None  # canonical JSON; None to whom leaves are not shown
    proof: Proof | None = None
    damaged: bool = False  # it is not what the log's tree holds; the proof, if any, shows nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A query, or an entry that stands alone: its leaves, and what was asked."""

    found: Found
    leaves: tuple[Leaf, ...]  # the intent and the outcome, or one
    asked: Asked | None = None
    own: Receipt | None = None  # what was shown of the auditor's own agency's records
    decided: bool | None = None  # whether the sealed decision is what the leaf has the digest of


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Queries with their entries and proofs, the latest first."""

    entries: tuple[Entry, ...]
    next: int | None
    upto: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One record of an owner's, as it was shown or told of."""

    source: str
    entity: str
    fields: tuple[str, ...]  # names; () for a hit alone
    hit: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What one answer showed of an owner's records, and for what."""

    index: int  # of the outcome
    at: datetime
    agency: str  # of who asked
    mark: str  # the beginning of their token in that quarter's entries: the same one is seen again
    purpose: str
    reason: str
    tag: str
    glass: bool
    shown: tuple[Shown, ...]
    told: tuple[tuple[str, str, str, str], ...]  # place, outcome, mask, rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipts:
    """Receipts, the latest first."""

    rows: tuple[Receipt, ...]
    next: int | None
    upto: int


def receipt_of(
    row: Found, leaf: Mapping[str, Any], detail: Mapping[str, Any], looked: Collection[str]
) -> Receipt | None:
    """What an owner's part says of one answer; with `looked`, the tokens of a record, only that.

    None where the part is of no answer, or does not name the record.
    """
    if "tripwire" in leaf:
        return None
    named = [(one, False) for one in detail.get("records", ())]
    named += [(one, True) for one in detail.get("hits", ())]
    if looked:
        named = [(one, hit) for one, hit in named if one[3] in looked]
        if not named:
            return None
    places = [str(one[0]) for one, _hit in named]
    return Receipt(
        index=row.last,
        at=row.at,
        agency=row.agency,
        mark=row.actor[:MARK],
        purpose=row.purpose,
        reason=row.reason,
        tag=row.tag,
        glass=row.glass,
        shown=tuple(_shown(one, hit=hit) for one, hit in named),
        told=tuple(
            (str(path), str(outcome), str(mask), str(rule))
            for path, outcome, mask, rule in detail.get("told", ())
            if not looked or any(_within(str(path), place) for place in places)
        ),
    )


def _shown(one: Sequence[Any], *, hit: bool) -> Shown:
    fields = () if hit else one[4]
    return Shown(
        source=str(one[1]),
        entity=str(one[2]),
        fields=tuple(sorted({str(name) for _key, name, _kept in fields})),
        hit=hit,
    )


def _within(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}.")
