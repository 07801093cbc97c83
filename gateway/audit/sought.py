"""What somebody looks for in the record, and the tokens by which the index finds it.

Names, plates and references are turned into keyed tokens here, under the keys of every quarter
that can be meant, so that nothing of them is looked up or kept. What was typed in finds the
searches that named it; of a value that a search did not name, such as a name on a record that was
found by its plate, the log holds no token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final

from gateway.audit.disclosed import record_name
from gateway.audit.entry import token
from gateway.audit.index import Wanted
from gateway.audit.keys import AuditKeys
from gateway.audit.terms import RECORD, terms_of_text
from gateway.errors import LimitExceeded

MOST_TYPED: Final = 8
MOST_CHARS: Final = 256
_PLAIN: Final = ("agency", "app", "purpose", "reason", "kind", "tag", "code", "rule", "serial",
                 "source", "glass", "owner", "since", "until")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSought:
    """A record as its source names it."""

    source: str
    entity: str
    key: str

    @property
    def name(self) -> str:
        """What its token is made of."""
        return record_name(self.source, self.entity, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What is looked for: all of it must hold. None: whatever it is."""

    officer: str | None = None  # as the agency's sign-in names them
    typed: tuple[str, ...] = ()  # names, dates, plates, phones, documents, postcodes, addresses
    record: RecordSought | None = None
    ref: str | None = None  # the same as the auditor's agency was given it
    case: str | None = None  # the reference of a case or an incident
    words: str | None = None  # the same reason in words, whatever the capitals and spaces
    agency: str | None = None  # of who asked
    owner: str | None = None  # whose records were shown, or told of
    app: str | None = None
    purpose: str | None = None
    reason: str | None = None  # the reason's code
    kind: str | None = None
    tag: str | None = None
    code: str | None = None  # how it ended; "" for what was answered, `CUT_OFF` for what never was
    rule: str | None = None  # that refused it or, for whom bodies open, withheld or masked
    serial: int | None = None
    source: str | None = None
    glass: bool | None = None
    since: datetime | None = None
    until: datetime | None = None  # not included

    def __post_init__(self) -> None:
        """Raises LimitExceeded: more than anybody looks for at once."""
        if len(self.typed) > MOST_TYPED:
            raise LimitExceeded.of("typed", MOST_TYPED, len(self.typed))
        record = asdict(self.record).values() if self.record else ()
        mine = (getattr(self, one.name) for one in fields(self))
        texts = [text for text in (*mine, *self.typed, *record) if isinstance(text, str)]
        if (longest := max(map(len, texts), default=0)) > MOST_CHARS:
            raise LimitExceeded.of("text_chars", MOST_CHARS, longest)

    @property
    def in_bodies(self) -> bool:
        """Whether it is about what only those who open bodies may know."""
        return bool(self.typed or self.record or self.ref)

    def told(self) -> dict[str, Any]:
        """The same as JSON, without what is left open."""
        said = {name: value for name, value in asdict(self).items() if value not in (None, ())}
        for name in ("since", "until"):
            if name in said:
                said[name] = said[name].astimezone(UTC).isoformat()
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The stand-ins for identifiers, under the keys of the quarters in question. Blocking."""

    keys: AuditKeys
    open_ref: Callable[[str, str], tuple[str, str, str | int] | None]  # (agency, ref)

    def wanted(self, sought: Sought, agency: str, issuers: Iterable[str]) -> Wanted:
        """What is looked for, as the index knows it; for somebody of this agency.

        `issuers` are those whose people an officer may be of.

        Raises:
            AuditUnavailable: a key cannot be read.
        """
        spans = sought.since, sought.until
        sets: list[frozenset[str]] = []
        if sought.officer is not None:
            sets.append(self.officer(sought.officer, issuers, *spans))
        for text in sought.typed:
            sets += self._typed(text, *spans)
        if sought.record is not None:
            sets.append(self.of("term", [f"{RECORD}|{sought.record.name}"], *spans))
        if sought.ref is not None:
            opened = self.open_ref(agency, sought.ref)
            names = [f"{RECORD}|{record_name(*opened)}"] if opened else []
            sets.append(self.of("term", names, *spans))
        if sought.case is not None:
            sets.append(self.of("case", [sought.case], *spans))
        if sought.words is not None:
            words = " ".join(sought.words.casefold().split())
            sets.append(self.of("words", [words], *spans))
        plain = {name: getattr(sought, name) for name in _PLAIN}
        return Wanted(tokens=tuple(sets), **plain)

    def officer(
        self,
        id_: str,
        issuers: Iterable[str],
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> frozenset[str]:
        """Somebody's tokens, whichever of these issuers signs them in."""
        return self.of("actor", [f"{issuer}|{id_}" for issuer in issuers], since, until)

    def records(
        self, name: str, since: datetime | None = None, until: datetime | None = None
    ) -> frozenset[str]:
        """The tokens by which its owner's part names a record that was shown."""
        return self.of("record", [name], since, until)

    def _typed(
        self, text: str, since: datetime | None, until: datetime | None
    ) -> list[frozenset[str]]:
        """Of several words each must have been searched for, or all of them as one value."""
        whole = set(terms_of_text(text))
        words = [set(terms_of_text(word)) for word in text.split()]
        if len(words) > 1:
            as_one = whole.difference(*words)
            alternatives = [terms | as_one for terms in words]
        else:
            alternatives = [whole]
        return [
            self.of("term", [f"{kind}|{value}" for kind, value in terms], since, until)
            for terms in alternatives
        ]

    def of(
        self, name: str, values: Iterable[str], since: datetime | None, until: datetime | None
    ) -> frozenset[str]:
        """The tokens of these values in every quarter that has a key and that the span touches."""
        first = _quarter(since) if since else ""
        last = _quarter(until) if until else "9999-Q4"
        periods = [one for one in self.keys.periods(name) if first <= one <= last]
        keys = [self.keys.token_key(name, period) for period in periods]
        return frozenset(token(key, name, value) for value in values for key in keys)


def _quarter(moment: datetime) -> str:
    at = moment.astimezone(UTC)
    return f"{at.year:04d}-Q{(at.month + 2) // 3}"
