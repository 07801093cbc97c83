"""The gateway's own records as values. Times are in UTC; identifiers are UUIDv7 texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gateway.model import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Officer:
    """Somebody as their identity provider names them; (issuer, id) is the identity."""

    issuer: str
    id: str
    agency: str

    @classmethod
    def of(cls, subject: Subject) -> Officer:
        return cls(issuer=subject.issuer, id=subject.id, agency=subject.agency)


class Urgency(StrEnum):
    """How soon an answer is needed; the policy's table says what each means."""

    LIFE_AT_RISK = "LIFE_AT_RISK"
    PRIORITY = "PRIORITY"
    ROUTINE = "ROUTINE"


class State(StrEnum):
    """How far a release request has come."""

    OPEN = "OPEN"
    ESCALATED = "ESCALATED"  # overdue, and the desk on call was told
    GRANTED = "GRANTED"
    REFUSED = "REFUSED"
    REVOKED = "REVOKED"  # granted, and ended early by its desk


WAITING = (State.OPEN, State.ESCALATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRequest:
    """An officer asks the originator's desk to show some fields of one record for a time."""

    id: str
    at: datetime
    asker: Officer
    ref: str  # the record, as the asker's agency names it
    source: str
    entity: str
    agency: str  # the originator
    desk: str
    on_call: str  # the desk that is told when the first does not answer in time
    fields: tuple[str, ...]  # in the vocabulary's names
    for_s: int  # how long it is wanted, in seconds from the decision
    urgency: Urgency
    purpose: str
    reason_code: str
    due_at: datetime
    opens: bool = False  # the record itself is not shown to the asker without a release
    reason_text: str | None = None
    case_ref: str | None = None
    state: State = State.OPEN
    decided_at: datetime | None = None
    refusal: str | None = None  # a code of the policy's table
    granted: tuple[str, ...] = ()  # fields
    until: datetime | None = None
    revoked_at: datetime | None = None
    revocation: str | None = None  # a code of the policy's table


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How many requests of one officer may wait, a new one among them."""

    most: int
    most_of_record: int  # of these, about one and the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the desk decided: fields and an end, or the code of a refusal."""

    by: Officer
    at: datetime
    granted: tuple[str, ...] = ()
    until: datetime | None = None
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Fields of one record that one officer may see until a moment."""

    id: str  # of the request
    officer: Officer
    ref: str
    source: str
    entity: str
    agency: str
    desk: str
    fields: tuple[str, ...]
    until: datetime
    opens: bool


class Told(StrEnum):
    """What a notice is about."""

    RELEASE_ASKED = "RELEASE_ASKED"
    RELEASE_OVERDUE = "RELEASE_OVERDUE"
    RELEASE_USED = "RELEASE_USED"
    SILENT_MATCH = "SILENT_MATCH"  # a question would have found a record that stays silent
    VICTIM_SHOWN = "VICTIM_SHOWN"  # one of theirs, or a witness, by a firewall that was lowered
    RECORD_SHOWN = "RECORD_SHOWN"  # one of theirs, on the condition that they are told
    NOTICE_OVERDUE = "NOTICE_OVERDUE"
    BUDGET_SPENT = "BUDGET_SPENT"  # an officer may ask no more for now
    GLASS_BROKEN = "GLASS_BROKEN"  # an officer says that a life depends on the answer
    CANARY_SHOWN = "CANARY_SHOWN"  # what nobody may see was shown: to the gateway's operator
    RECORD_RECALLED = "RECORD_RECALLED"  # its owner corrected what this agency's people were shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What an agency's desk is to know, and whether it does."""

    id: str
    at: datetime
    agency: str
    desk: str
    about: Told
    subject: str  # the id of what it is about: a request, a query, a notice
    record: str | None = None  # by the ref of the agency that is told
    asker: Officer | None = None
    on_call: str | None = None  # the desk that is told if nobody acknowledges it until `due_at`
    due_at: datetime | None = None
    escalated_at: datetime | None = None  # the desk on call was told
    acknowledged_at: datetime | None = None
    acknowledged_by: Officer | None = None
    attempts: int = 0  # at sending it to the agency's own system
    delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedOutcome:
    """What came of a search is to be said by who made it."""

    operation: str  # the query's id
    officer: Officer
    kind: str
    at: datetime
    outcome: str | None = None
    recorded_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Countersignature:
    """One question of one officer that somebody else is to agree to before it is asked."""

    id: str
    at: datetime
    asker: Officer
    digest: str  # keyed, of the document and its variables
    purpose: str
    reason_code: str = ""
    what: str = ""  # the operation's name
    fields: tuple[str, ...] = ()  # that are asked for, as the schema names them: "Person.names"
    face: bool = False  # whether it searches by a face
    roles: tuple[str, ...] = ()  # of the asker
    by: Officer | None = None
    until: datetime | None = None  # good until then, for one search
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How much of a budget one officer used from a moment on, as one gateway process counted."""

    officer: str  # keyed, as targets are
    budget: str
    target: str  # keyed; "" where the budget is of all questions together
    since: datetime
    writer: str  # the process
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRelease:
    """What a supervisor adds to one budget of one officer until a moment."""

    id: str
    at: datetime
    officer: Officer
    by: Officer
    budget: str
    extra: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSession:
    """Somebody who is signed in at the pages."""

    digest: str  # SHA-256 of what the browser holds, hex
    opened_at: datetime
    seen_at: datetime
    ends_at: datetime
    sealed: str = field(repr=False)  # who, and their token
    use: str = ""  # what an auditor said to look for


class Origin(StrEnum):
    """Why a query is to be reviewed."""

    SAMPLE = "SAMPLE"  # it was drawn
    MISUSE = "MISUSE"  # it is part of what looks like misuse


class Level(StrEnum):
    """Who reviews: the officer's own line, an auditor, who sees what that one said, or professional
    standards, who see both and are seen by neither."""

    SUPERVISOR = "SUPERVISOR"
    AUDITOR = "AUDITOR"
    STANDARDS = "STANDARDS"


class Finding(StrEnum):
    """What came of a review."""

    JUSTIFIED = "JUSTIFIED"
    UNCLEAR = "UNCLEAR"  # the officer, or the agency, is to explain
    REFERRED = "REFERRED"  # to professional standards
    ERROR = "ERROR"  # a mistake without harm: the wrong name, the wrong purpose
    CLOSED = "CLOSED"  # what looked like misuse is none: no reason was judged


MOST_QUALITY = 4
"""Of a reason's quality: 0 none was given, 1 says nothing, 2 says what for, 3 why this person, 4
and can be checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewCase:
    """One query that is to be reviewed, as the log's leaves tell of it: it names nobody."""

    id: str
    at: datetime
    origin: Origin
    batch: str  # the sample's seed, or the misuse's pattern and officer
    stratum: str = ""
    agency: str  # of who asked
    actor: str  # their token
    request: str  # the query's id
    entry: int  # its first entry in the log
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What somebody found, at one level."""

    case: str
    level: Level
    at: datetime
    outcome: Finding
    quality: int | None  # of the reason that was given, 0 to 4; None of what was closed
    by: Officer
    entry: int | None = None  # the log's entry of it, where the note lies sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class DipSample:
    """A sample of queries that somebody announced, and, once it is drawn, what decided it."""

    id: str
    at: datetime
    by: Officer
    since: datetime
    until: datetime  # not included
    count: int
    strata: str  # `roles` or `app`
    seed: str | None = None  # its cases' batch
    checkpoint: str | None = None  # the signed note whose root decided
    population: int | None = None  # queries from which it was drawn
    drawn_at: datetime | None = None


class Matters(StrEnum):
    """What an auditor asks for: the external one an agency, professional standards each other."""

    QUESTION = "QUESTION"  # to explain one query
    UNSEALING = "UNSEALING"  # to be shown what lies sealed of it for that agency
    PAIR = "PAIR"  # a colleague's agreement to look at the record


class Answer(StrEnum):
    """What became of it."""

    ANSWERED = "ANSWERED"
    AGREED = "AGREED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditMatter:
    """One thing that an auditor asks of somebody else. What was written lies in the log, sealed for
    both: here are the numbers of the entries that hold it."""

    id: str
    kind: Matters
    at: datetime
    by: Officer
    agency: str  # that is asked
    entry: int  # what it is about; of a pair, the one that holds the question
    standards: bool  # for professional standards alone: what it is about is hidden from others
    use: str  # the permitted use that the asker named
    asked: int  # the entry that holds the question
    answer: Answer | None = None
    answered: int | None = None  # the entry that holds the answer
    answered_at: datetime | None = None
    answered_by: Officer | None = None
    answered_as: str | None = None  # the role
    until: datetime | None = None  # of what was agreed to, how long it may be looked at
    ended: int | None = None  # the entry by which a pair was ended early
    ended_at: datetime | None = None
    ended_by: Officer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """An owner says that a record of theirs was corrected."""

    id: str
    at: datetime
    by: Officer  # of the owning agency
    source: str
    entity: str
    key: str  # as the owner's system names it; "" once it was erased
    said: str  # what those are told who were shown it; "" once it was erased
    entry: int  # the log's entry of it; -1 while it is not known, or is not there
    answers: int  # that showed it
    told_at: datetime | None = None  # None: begun, and whoever is to be told is owed it


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """What one agency is told of a recall."""

    recall: str
    agency: str
    ref: str  # the record, as that agency's apps were given it
    shown: tuple[tuple[str, str], ...]  # the answers: id of the query, and when
    acknowledged_at: datetime | None = None  # the notice
