"""What somebody types into a form of the console, and how an address holds it.

What is typed in is personal: it comes in the body of a form alone. The page of results has an
address all the same, so that going back and on works without scripts; there it stands sealed, for
this session and nobody else, as `q`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request as HttpRequest

from gateway.audit.sought import RecordSought, Sought
from gateway.errors import GatewayError, MalformedRequest
from gateway.web.access import Form, signed_in
from gateway.web.cookies import Keys
from gateway.web.times import UTC_ZONE, to_type, typed, when

_TEXTS: Final = (
    "officer", "ref", "case", "words", "agency", "owner", "app", "purpose", "reason", "kind", "tag",
    "rule", "source",
)  # fmt: skip
FIELDS: Final = (
    *_TEXTS, "typed", "typed2", "outcome", "serial", "glass", "since", "until", "of",
    "record_source", "record_entity", "record_key",
)  # fmt: skip
"""What a form may say; whatever else it says is passed over."""
_MOST_CHARS: Final = 256
_MOST_IN_ALL: Final = 1_500  # an address has to hold it
_MOMENTS: Final = ("since", "until")
ANSWERED: Final = "answered"
"""The outcome of what has no code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A form that was filled in; "" for what was left open. Its times are kept in UTC, so that they
    stay what they are when another time zone is chosen, and shown in that of whoever looks."""

    fields: Mapping[str, str] = field(default_factory=dict)
    zone: ZoneInfo = UTC_ZONE

    def __getitem__(self, name: str) -> str:
        text = self.fields.get(name, "")
        if name in _MOMENTS and (moment := _kept(text)):
            return to_type(moment, self.zone)
        return text

    def to_read(self) -> tuple[tuple[str, str], ...]:
        """What was filled in, for a reader: times with the name of their zone."""
        return tuple(
            (name, when(moment, self.zone).text)
            if name in _MOMENTS and (moment := _kept(text))
            else (name, text)
            for name, text in self.fields.items()
        )

    def sought(self) -> Sought:
        """What is looked for.

        Raises:
            MalformedRequest, LimitExceeded: in words for the page.
        """
        texts = {name: self[name] or None for name in _TEXTS}
        outcome = self["outcome"]
        return Sought(
            **texts,
            typed=tuple(filter(None, (self["typed"], self["typed2"]))),
            record=self._record(),
            code="" if outcome == ANSWERED else outcome or None,
            serial=self._serial(),
            glass=True if self["glass"] else None,
            since=self._moment("since"),
            until=self._moment("until"),
        )

    def _record(self) -> RecordSought | None:
        parts = [self[f"record_{name}"] for name in ("source", "entity", "key")]
        if not any(parts):
            return None
        if not all(parts):
            raise MalformedRequest("A record is told by its source, its type and its key.")
        source, entity, key = parts
        return RecordSought(source=source, entity=entity, key=key)

    def _serial(self) -> int | None:
        if not (text := self["serial"]):
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise MalformedRequest("The policy's serial is a number.")
        return int(text)

    def _moment(self, name: str) -> datetime | None:
        return typed(text, self.zone) if (text := self.fields.get(name)) else None


def _kept(text: str) -> datetime | None:
    """A time as it is kept; None for what is none, which stays as it was typed."""
    try:
        return datetime.fromisoformat(text) if text.endswith("+00:00") else None
    except ValueError:
        return None


def said_in(form: Form, zone: ZoneInfo = UTC_ZONE) -> Said:
    """What a form says, and no more of it than it may; times in this zone.

    Raises:
        MalformedRequest: a field twice, or too long.
    """
    fields = {}
    for name in FIELDS:
        values = form.get(name, ())
        if len(values) > 1 or any(len(value) > _MOST_CHARS for value in values):
            raise MalformedRequest(f"Each field once, of at most {_MOST_CHARS} characters.")
        if text := "".join(values).strip():
            fields[name] = text
    if sum(map(len, fields.values())) > _MOST_IN_ALL:
        raise MalformedRequest(f"At most {_MOST_IN_ALL} characters in all.")
    for name in _MOMENTS:
        with suppress(MalformedRequest):  # what is no time is said where it is looked for
            if name in fields:
                fields[name] = typed(fields[name], zone).astimezone(UTC).isoformat()
    return Said(fields=fields, zone=zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A filled-in form that an address names."""

    said: Said
    q: str  # the same, sealed; "" where nothing was asked yet
    before: int | None = None
    problem: str = ""

    def link(self, path: str, **more: str | int) -> str:
        """An address of ours that keeps what was asked."""
        return f"{path}?{urlencode({'q': self.q, **more})}" if self.q else path


def sealed(http: HttpRequest, keys: Keys, said: Said) -> str:
    """What was typed, for an address; it opens in this session alone."""
    text = json.dumps(dict(said.fields), ensure_ascii=False)
    return keys.seal(text.encode(), _about(http))


def asked_in(http: HttpRequest, keys: Keys) -> Asked:
    """What the address of a page asks for. What does not open is nothing, and says so."""
    q, place = http.query_params.get("q", ""), http.query_params.get("before", "")
    numbered = place.isascii() and place.isdigit() and len(place) < 16
    before, zone = int(place) if numbered else None, signed_in(http).zone
    if not q:
        return Asked(said=Said(zone=zone), q="", before=before)
    plain = keys.opened(q, _about(http)) if q.isascii() else None
    if plain is None:
        text = "This search was of another session, and is gone with it. Fill it in again."
        return Asked(said=Said(zone=zone), q="", problem=text)
    return Asked(said=Said(fields=json.loads(plain), zone=zone), q=q, before=before)


def sought_of(asked: Asked) -> tuple[Sought | None, str]:
    """What is looked for; None with the reason in words, or with "" where nothing was asked."""
    if not asked.q:
        return None, asked.problem
    try:
        return asked.said.sought(), ""
    except GatewayError as error:
        return None, error.said


def _about(http: HttpRequest) -> str:
    return f"search {signed_in(http).digest}"
