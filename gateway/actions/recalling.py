"""An owner recalls a record: whoever was shown it is told that it was corrected.

The log says in which answers the record was shown, or told of; what was silent was in none, so
nobody learns of it here. Each agency's desk gets a notice by the usual way, and what it is told
names the record by the ref that its own apps were given, and the answers by the ids of their
queries.

A recall is begun in the store, told to nobody; then it is an entry of the log; then the agencies
are told, all at once. It was made if its entry is there: what fails after that is owed, and done by
whoever tries the same again, or by the job that looks for what is owed. Nobody is told twice.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from gateway.audit.disclosed import record_name
from gateway.audit.entry import owner_part, read_leaf
from gateway.audit.found import receipt_of
from gateway.audit.index import MAX_PAGE, Costly, Found, Wanted, recall_token
from gateway.audit.inquiry import Given, Inquiry
from gateway.audit.uses import CORRECTION
from gateway.casework.model import Notice, Officer, Recall, Recalled
from gateway.casework.model import Told as About
from gateway.casework.store import Store
from gateway.catalogue.forms import utc_text
from gateway.errors import (
    AuditUnavailable,
    CaseworkUnavailable,
    LimitExceeded,
    MalformedRequest,
    Refused,
)
from gateway.model import EMPTY, Request, Subject
from gateway.recurring import Recurring

MOST_CHARS: Final = 1_000
MOST_ANSWERS: Final = 10_000
LISTED: Final = 50
_LONGEST_KEY: Final = 200
KEPT: Final = 200
"""Answers that one agency is told by their ids, the latest."""
_DUE: Final = timedelta(days=1)
_INDEXED_S: Final = 5.0
_EVERY_S: Final = 30.0
_BEGUN_FOR: Final = timedelta(minutes=2)  # how long whoever began it may still be at it
_GIVEN_UP: Final = timedelta(days=1)  # what has no entry by then will have none

_log = logging.getLogger(__name__)


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
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def recall(
        self, request: Request, subject: Subject, *, source: str, entity: str, key: str, said: str
    ) -> Recall:
        """Mark a record of one's own agency as corrected, and tell all who were shown it. The same
        again, in the same words, is the same recall until somebody else was shown the record.

        Raises:
            Refused: not by a desk, or not of its agency's records.
            MalformedRequest, LimitExceeded: not said what; too long, or shown too often.
            CaseworkUnavailable, AuditUnavailable: it was not recalled, or those who are to know are
                not told yet: try the same again. If the log has it, they are told in any case.
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
        made = Recall(
            id=self.new_id(),
            at=self.clock(),
            by=Officer.of(subject),
            source=source,
            entity=entity,
            key=key,
            said=said,
            entry=-1,
            answers=0,
        )
        async with self._one_at_a_time:
            return await self._recalled(request, subject, made)

    async def _recalled(self, request: Request, subject: Subject, made: Recall) -> Recall:
        """A recall, or what was begun of the same before."""
        shown = await self._shown(made.by.agency, made.source, made.entity, made.key)
        made = replace(made, answers=len(shown))
        before = await self.store.same_recall(made)
        if before is not None:
            same, owed = before
            if same.told_at is not None and same.answers == len(shown):
                return same
            if same.told_at is None:
                if (entry := await self._entry_of(same)) is not None:
                    await self._tell(same, owed, entry)
                    return replace(same, entry=entry)
                made = replace(made, id=same.id)
        told = self._whom(made, shown)
        if not await self.store.begin_recall(made, told):
            text = "Somebody is recalling the same at this moment. Try again in a while."
            raise CaseworkUnavailable(text, detail="the same recall is owed under another id")
        viewed = await self.inquiry.recorder.view(
            request,
            subject,
            page="recall",
            use=CORRECTION,
            asked={
                "recall": made.id,
                "record": [made.source, made.entity, made.key],
                "said": made.said,
            },
            given={"recall": made.id, "agencies": len(told), "rows": len(shown)},
            told={
                one.agency: {"recall": made.id, "said": made.said, "ref": one.ref, "queries": [
                    query for query, _at in one.shown
                ]}
                for one in told
            },
        )  # fmt: skip
        made = replace(made, entry=await self.inquiry.log.number(viewed.receipt))
        await self._tell(made, told, made.entry)
        return made

    async def turn(self) -> int:
        """Tell of what is in the log and owed for a while; of how many recalls.

        Raises:
            CaseworkUnavailable, AuditUnavailable: something cannot be read or kept; the next turn
                tries again.
        """
        done, now = 0, self.clock()
        async with self._one_at_a_time:
            waiting = await self.store.owed_recalls(now - _BEGUN_FOR, LISTED)
            if waiting:
                await self._indexed()
            for one, told in waiting.items():
                if (entry := await self._entry_of(one)) is not None:
                    done += await self._tell(one, told, entry)
                elif one.at <= now - _GIVEN_UP:
                    await self.store.drop_recall(one)  # it was never made
        return done

    async def made(self, subject: Subject) -> Mapping[Recall, tuple[Recalled, ...]]:
        """What one's own agency recalled, and who knows."""
        self._check(subject)
        return await self.store.recalls_of(subject.agency, LISTED)

    async def told(self, subject: Subject) -> Mapping[Recall, Recalled]:
        """What others recalled that one's own people were shown."""
        self._check(subject)
        return await self.store.recalls_told(subject.agency, LISTED)

    async def listed(
        self, request: Request, subject: Subject
    ) -> Given[tuple[Mapping[Recall, tuple[Recalled, ...]], Mapping[Recall, Recalled]]]:
        """Both, once that look is in the log.

        Raises:
            Refused, AuditUnavailable, CaseworkUnavailable: not for a desk's people; not told.
        """
        made, told = await self.made(subject), await self.told(subject)
        viewed = await self.inquiry.recorder.view(
            request, subject, page="recalls", use=CORRECTION,
            given={"rows": len(made) + len(told)},
        )  # fmt: skip
        return Given((made, told), viewed)

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

    def _whom(self, made: Recall, shown: Collection[Found]) -> list[Recalled]:
        """What each agency is told but the owner itself."""
        by_agency: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for row in shown:
            by_agency[row.agency].append((row.request, utc_text(row.at)))
        native = _native(made.key)
        return [
            Recalled(
                recall=made.id,
                agency=agency,
                ref=self.seal(agency, made.source, made.entity, native),
                shown=tuple(answers[:KEPT]),
            )
            for agency, answers in sorted(by_agency.items())
            if agency != made.by.agency
        ]

    async def _entry_of(self, one: Recall) -> int | None:
        """The entry that made a recall, if the log has it. All of the log is indexed by now."""
        wanted = Wanted(tokens=(frozenset({recall_token(one.id)}),), agency=one.by.agency)
        for row in await self._find(wanted, None):
            view = read_leaf(await self.inquiry.log.leaf(row.idx)).get("view", EMPTY)
            if (view.get("page"), view.get("recall")) == ("recall", one.id):
                return row.idx
        return None

    async def _tell(self, made: Recall, told: Collection[Recalled], entry: int) -> bool:
        """Tell the agencies of a recall that is in the log; false where they know already."""
        now = self.clock()
        notes = [self._notice(made, one, now) for one in told]
        return await self.store.tell_recall(made.id, notes, entry=entry, at=now)

    async def _shown(self, own: str, source: str, entity: str, key: str) -> list[Found]:
        """The answers that showed a record or told of it."""
        await self._indexed()
        tokens = self.inquiry.tokens
        looked = await asyncio.to_thread(tokens.records, record_name(source, entity, key))
        wanted = Wanted(tokens=(looked,), owner=own, named=True)
        found: list[Found] = []
        before: int | None = None
        while True:
            rows = await self._find(wanted, before)
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

    async def _find(self, wanted: Wanted, before: int | None) -> tuple[Found, ...]:
        look = partial(self.inquiry.follower.index.find, wanted, before=before, limit=MAX_PAGE)
        try:
            return await asyncio.to_thread(look)
        except (Costly, sqlite3.Error) as error:
            text = "The record cannot be searched at the moment. Try again later."
            raise CaseworkUnavailable(text, detail=type(error).__name__) from error

    async def _indexed(self) -> None:
        """Be satisfied that all which was answered until now can be found."""
        size = self.inquiry.log.size
        for _ in range(int(_INDEXED_S / 0.05)):
            if self.inquiry.follower.upto >= size:
                return
            await asyncio.sleep(0.05)
        text = "The record cannot be searched up to this moment yet. Try again in a while."
        raise CaseworkUnavailable(text, detail="the index is behind the log")

    def _notice(self, made: Recall, told: Recalled, now: datetime) -> Notice:
        desk = self.desk_of(told.agency)
        return Notice(
            id=self.new_id(),
            at=now,
            agency=told.agency,
            desk=desk.desk,
            about=About.RECORD_RECALLED,
            subject=made.id,
            record=told.ref,
            on_call=desk.on_call,
            due_at=now + _DUE,
        )


def _native(key: str) -> str | int:
    """A key that somebody typed, as its source has it: a number, where it is written like one."""
    return int(key) if key.isascii() and key.isdecimal() and str(int(key)) == key else key


class Owing:
    """Tells in turns of what is owed, until it is closed."""

    def __init__(self, recalling: Recalling) -> None:
        self._recalling = recalling
        self._turns = Recurring(self._turn, every_s=_EVERY_S, name="recalls", log=_log)

    async def _turn(self) -> None:
        try:
            if done := await self._recalling.turn():
                _log.warning("%d recalls that were cut off are told of now", done)
        except (CaseworkUnavailable, AuditUnavailable) as error:
            _log.warning("recalls are not told of for now: %s", error.detail)

    def start(self) -> None:
        self._turns.start()

    async def aclose(self) -> None:
        await self._turns.aclose()
