"""An owner recalls a record: whoever was shown it is told that it was corrected.

The log says in which answers the record was shown, or told of; what was silent was in none, so
nobody learns of it here. The recall is an entry before anybody is told. Each agency's desk gets a
notice by the usual way, and what it is told names the record by the ref that its own apps were
given, and the answers by the ids of their queries.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from gateway.audit.disclosed import record_name
from gateway.audit.entry import owner_part, read_leaf
from gateway.audit.found import receipt_of
from gateway.audit.index import MAX_PAGE, Costly, Found, Wanted
from gateway.audit.inquiry import Inquiry
from gateway.audit.uses import CORRECTION
from gateway.casework.model import Notice, Officer, Recall, Recalled
from gateway.casework.model import Told as About
from gateway.casework.store import Store
from gateway.catalogue.forms import utc_text
from gateway.errors import CaseworkUnavailable, LimitExceeded, MalformedRequest, Refused
from gateway.model import Request, Subject

MOST_CHARS: Final = 1_000
MOST_ANSWERS: Final = 10_000
LISTED: Final = 50
_LONGEST_KEY: Final = 200
KEPT: Final = 200
"""Answers that one agency is told by their ids, the latest."""
_DUE: Final = timedelta(days=1)
_INDEXED_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Who is told for an agency."""

    desk: str
    on_call: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a source is."""

    agency: str
    entities: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalling:
    """Recalling records, and telling of it."""

    inquiry: Inquiry
    store: Store
    seal: Callable[[str, str, str, str | int], str]  # a ref: (agency, source, entity, key)
    sources: Mapping[str, Held]
    desk_of: Callable[[str], Desk]
    clock: Callable[[], datetime]
    new_id: Callable[[], str]

    async def recall(
        self, request: Request, subject: Subject, *, source: str, entity: str, key: str, said: str
    ) -> Recall:
        """Mark a record of one's own agency as corrected, and tell all who were shown it.

        Raises:
            Refused: not by a desk, or not of its agency's records.
            MalformedRequest, LimitExceeded: not said what; too long, or shown too often.
            CaseworkUnavailable, AuditUnavailable: it was not recalled.
        """
        self._check(subject)
        if not source:
            raise MalformedRequest("Choose what kind of record it is.")
        own, held = subject.agency, self.sources.get(source)
        if held is None or held.agency != own or entity not in held.entities:
            text = "Your agency holds no such records: name a source of its own."
            raise Refused(text, rule="recall.owner", detail="not the owner of the source")
        key, said = key.strip(), said.strip()
        if not (key and said):
            raise MalformedRequest("Name the record, and say what those are to know who saw it.")
        for name, text, most in (("words", said, MOST_CHARS), ("key", key, _LONGEST_KEY)):
            if len(text) > most:
                raise LimitExceeded.of(name, most, len(text))
        shown = await self._shown(own, source, entity, key)
        id_, now = self.new_id(), self.clock()
        by_agency: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for row in shown:
            by_agency[row.agency].append((row.request, utc_text(row.at)))
        told = [
            Recalled(
                recall=id_,
                agency=agency,
                ref=self.seal(agency, source, entity, _native(key)),
                shown=tuple(answers[:KEPT]),
            )
            for agency, answers in sorted(by_agency.items())
            if agency != own
        ]
        viewed = await self.inquiry.view(
            request,
            subject,
            page="recall",
            use=CORRECTION,
            asked={"recall": id_, "record": [source, entity, key], "said": said},
            given={"recall": id_, "agencies": len(told), "rows": len(shown)},
            told={
                one.agency: {"recall": id_, "said": said, "ref": one.ref, "queries": [
                    query for query, _at in one.shown
                ]}
                for one in told
            },
        )  # fmt: skip
        made = Recall(
            id=id_,
            at=now,
            by=Officer.of(subject),
            source=source,
            entity=entity,
            key=key,
            said=said,
            entry=await self.inquiry.log.number(viewed.receipt),
            answers=len(shown),
        )
        await self.store.recall(made, told, [self._notice(made, one) for one in told])
        return made

    async def made(self, subject: Subject) -> Mapping[Recall, tuple[Recalled, ...]]:
        """What one's own agency recalled, and who knows."""
        self._check(subject)
        return await self.store.recalls_of(subject.agency, LISTED)

    async def told(self, subject: Subject) -> Mapping[Recall, Recalled]:
        """What others recalled that one's own people were shown."""
        self._check(subject)
        return await self.store.recalls_told(subject.agency, LISTED)

    def holds(self, subject: Subject) -> tuple[tuple[str, str], ...]:
        """What records one's own agency holds: (source, entity)."""
        own = ((name, held) for name, held in sorted(self.sources.items()))
        return tuple(
            (name, entity)
            for name, held in own
            if held.agency == subject.agency
            for entity in sorted(held.entities)
        )

    # --- parts of these ---

    def _check(self, subject: Subject) -> None:
        entitled: Collection[str] = self.inquiry.entitled.get("desk", ())
        if "desk" not in subject.roles or subject.agency not in entitled:
            text = "Records are recalled by the desk of the agency that holds them."
            raise Refused(text, rule="recall.role", detail="no desk")

    async def _shown(self, own: str, source: str, entity: str, key: str) -> list[Found]:
        """The answers that showed a record or told of it."""
        await self._indexed()
        tokens = self.inquiry.tokens
        looked = await asyncio.to_thread(tokens.records, record_name(source, entity, key))
        wanted = Wanted(tokens=(looked,), owner=own, named=True)
        found: list[Found] = []
        before: int | None = None
        while True:
            look = partial(self.inquiry.follower.index.find, wanted, before=before, limit=MAX_PAGE)
            try:
                rows = await asyncio.to_thread(look)
            except (Costly, sqlite3.Error) as error:
                text = "The record cannot be searched at the moment. Try again later."
                raise CaseworkUnavailable(text, detail=type(error).__name__) from error
            for row in rows:
                leaf = read_leaf(await self.inquiry.log.leaf(row.last))
                part = await self.inquiry.evidence.part(leaf, row.last, owner_part(own), own)
                # once the part was erased nobody can tell; the index still says that it was shown
                if part is None or receipt_of(row, leaf, part, looked) is not None:
                    found.append(row)
            if len(found) > MOST_ANSWERS:
                raise LimitExceeded.of("answers", MOST_ANSWERS, len(found))
            if len(rows) < MAX_PAGE:
                return found
            before = rows[-1].idx

    async def _indexed(self) -> None:
        """Be satisfied that all which was answered until now can be found."""
        size = self.inquiry.log.size
        for _ in range(int(_INDEXED_S / 0.05)):
            if self.inquiry.follower.upto >= size:
                return
            await asyncio.sleep(0.05)
        text = "The record cannot be searched up to this moment yet. Try again in a while."
        raise CaseworkUnavailable(text, detail="the index is behind the log")

    def _notice(self, made: Recall, told: Recalled) -> Notice:
        desk = self.desk_of(told.agency)
        return Notice(
            id=self.new_id(),
            at=made.at,
            agency=told.agency,
            desk=desk.desk,
            about=About.RECORD_RECALLED,
            subject=made.id,
            record=told.ref,
            on_call=desk.on_call,
            due_at=made.at + _DUE,
        )


def _native(key: str) -> str | int:
    """A key that somebody typed, as its source has it: a number, where it is written like one."""
    return int(key) if key.isascii() and key.isdecimal() and str(int(key)) == key else key
