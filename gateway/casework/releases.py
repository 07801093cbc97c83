"""Release requests and what was granted: decided once, and ended once, whichever replica asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.casework import rows
from gateway.casework.database import Database, changed, first_of
from gateway.casework.model import (
    WAITING,
    Notice,
    Officer,
    Release,
    ReleaseRequest,
    State,
    Told,
    Verdict,
    Waiting,
)
from gateway.casework.notices import tell
from gateway.casework.tables import grants, requests

_GRANTED = {
    "granted": grants.c.fields.label("granted"),
    "until": grants.c.until.label("until"),
    "revoked_at": grants.c.revoked_at,
    "revocation": grants.c.revocation,
}
"""What a request has of its grant."""


class Releases(Database):
    """What officers ask of desks, and what desks give."""

    async def ask(
        self, request: ReleaseRequest, notice: Notice, within: Waiting | None = None
    ) -> bool:
        """Keep a new request, and the notice to its desk, both or neither; false where as many of
        its officer's wait already as may, however many are asked at once."""
        row = rows.flat(request, "asker")
        for name in _GRANTED:
            del row[name]
        async with self._writing() as connection:
            if within is not None:
                await self._take_turns(connection, request.asker)
            await connection.execute(insert(requests).values(row))
            if within is not None and not await _fits(connection, request, within):
                await connection.rollback()
                return False
            await tell(connection, notice)
        return True

    async def request(self, id_: str) -> ReleaseRequest | None:
        return first_of(await self._requests(requests.c.id == id_))

    async def requests_of(self, officer: Officer, first: int) -> tuple[ReleaseRequest, ...]:
        """An officer's own, the newest first."""
        return await self._requests(rows.is_officer(requests.c, "asker", officer), first)

    async def queue_of(self, agency: str, first: int) -> tuple[ReleaseRequest, ...]:
        """What waits for an agency's desk, the soonest due first."""
        where = and_(requests.c.agency == agency, requests.c.state.in_(WAITING))
        return await self._requests(where, first, requests.c.due_at)

    async def decide(self, id_: str, verdict: Verdict) -> ReleaseRequest | None:
        """The request as it was decided; None where somebody had decided it before."""
        state = State.REFUSED if verdict.until is None else State.GRANTED
        change = (
            update(requests)
            .where(requests.c.id == id_, requests.c.state.in_(WAITING))
            .values(state=state, decided_at=verdict.at, refusal=verdict.refusal)
        )
        async with self._writing() as connection:
            if not await changed(connection, change):
                return None
            if verdict.until is not None:
                grant = {
                    "request": id_,
                    "at": verdict.at,
                    **rows.parts("by", verdict.by),
                    "fields": verdict.granted,
                    "until": verdict.until,
                }
                await connection.execute(insert(grants).values(grant))
        return await self.request(id_)

    async def revoke(self, id_: str, by: Officer, code: str, at: datetime) -> ReleaseRequest | None:
        """The request whose release was ended; None where none of it stands."""
        change = update(grants).where(_standing_grant(at), grants.c.request == id_)
        change = change.values(revoked_at=at, revocation=code, **rows.parts("revoked", by))
        async with self._writing() as connection:
            if not await changed(connection, change):
                return None
        return await self.request(id_)

    async def granted_by(
        self, agency: str, now: datetime, first: int
    ) -> tuple[ReleaseRequest, ...]:
        """The requests of which an agency's release stands, the soonest ending first."""
        where = and_(requests.c.agency == agency, _standing_grant(now))
        return await self._requests(where, first, grants.c.until)

    async def escalate(self, now: datetime, told: Mapping[str, str]) -> tuple[ReleaseRequest, ...]:
        """The requests that have just become overdue, each with a notice to its desk on call.

        `told` gives the notice's id for each request; what it does not name is left for next time.
        """
        where = and_(requests.c.state == State.OPEN, requests.c.due_at <= now)
        escalated: list[ReleaseRequest] = []
        for request in await self._requests(and_(where, requests.c.id.in_(list(told)))):
            change = update(requests).where(where, requests.c.id == request.id)
            async with self._writing() as connection:
                if not await changed(connection, change.values(state=State.ESCALATED)):
                    continue  # decided, or escalated by another replica
                await tell(
                    connection,
                    Notice(
                        id=told[request.id],
                        at=now,
                        agency=request.agency,
                        desk=request.on_call,
                        about=Told.RELEASE_OVERDUE,
                        subject=request.id,
                    ),
                )
            escalated.append(replace(request, state=State.ESCALATED))
        return tuple(escalated)

    async def overdue(self, now: datetime) -> tuple[str, ...]:
        """The ids of open requests whose time has come."""
        where = and_(requests.c.state == State.OPEN, requests.c.due_at <= now)
        found = await self._rows(select(requests.c.id).where(where))
        return tuple(row.id for row in found)

    async def releases(self, now: datetime) -> tuple[Release, ...]:
        """Every release that has not ended."""
        asked = select(requests, *_GRANTED.values()).join(grants).where(_standing_grant(now))
        found = await self._rows(asked)
        return tuple(rows.release(row) for row in found)

    async def reasons_over(self, before: datetime) -> int:
        """How many reasons in words there are of requests that ended by a moment."""
        (row,) = await self._rows(select(func.count()).where(_reason_over(before)))
        return int(row[0])

    async def erase_reasons(self, before: datetime) -> int:
        """Erase them for good; how many they were."""
        change = update(requests).where(_reason_over(before)).values(reason_text=None)
        async with self._writing() as connection:
            return (await connection.execute(change)).rowcount

    async def _requests(
        self, where: ColumnElement[bool], first: int | None = None, order: Any = None
    ) -> tuple[ReleaseRequest, ...]:
        asked = select(requests, *_GRANTED.values())
        by = requests.c.at.desc() if order is None else order
        query = asked.outerjoin(grants).where(where).order_by(by, requests.c.id).limit(first)
        return tuple(rows.request(row) for row in await self._rows(query))


def _reason_over(before: datetime) -> ColumnElement[bool]:
    """A reason of a request that has ended: with its release, its refusal, or the time by which
    somebody should have decided it."""
    grant = select(func.coalesce(grants.c.revoked_at, grants.c.until))
    released = grant.where(grants.c.request == requests.c.id).scalar_subquery()
    ended = func.coalesce(released, requests.c.decided_at, requests.c.due_at)
    return and_(requests.c.reason_text.is_not(None), ended <= before)


def _standing_grant(now: datetime) -> ColumnElement[bool]:
    return and_(grants.c.until > now, grants.c.revoked_at.is_(None))


async def _fits(connection: AsyncConnection, request: ReleaseRequest, within: Waiting) -> bool:
    """Whether no more wait than may, the new one counted."""
    table = requests.c
    waiting = and_(rows.is_officer(table, "asker", request.asker), table.state.in_(WAITING))
    of_record = func.count().filter(table.ref == request.ref)
    found = await connection.execute(select(func.count(), of_record).where(waiting))
    most, most_of_record = found.one()
    return bool(most <= within.most and most_of_record <= within.most_of_record)
