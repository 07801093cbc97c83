"""Notices: kept until somebody acknowledges them, escalated once, sent by whoever comes first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.casework import rows
from gateway.casework.database import Database, changed, first_of
from gateway.casework.model import Notice, Officer, Told
from gateway.casework.tables import notices


class Notices(Database):
    """What agencies' desks are to know."""

    async def tell(self, *told: Notice) -> None:
        """Keep notices, all or none; those that are kept already as they are, so that it can be
        tried again by whoever does not know whether it was done."""
        made = [rows.flat(notice, "asker", "acknowledged_by") for notice in told]
        async with self._writing() as connection:
            if made:
                await connection.execute(self._insert(notices).on_conflict_do_nothing(), made)

    async def notice(self, id_: str) -> Notice | None:
        return first_of(await self._notices(notices.c.id == id_, 1))

    async def notices_of(
        self, agency: str, first: int, desks: Collection[str] = ()
    ) -> tuple[Notice, ...]:
        """Notices of an agency, or for one of `desks` whosever they are, that nobody has
        acknowledged, the oldest first."""
        where = and_(_for(agency, desks), notices.c.acknowledged_at.is_(None))
        return await self._notices(where, first)

    async def acknowledged_of(
        self, agency: str, first: int, desks: Collection[str] = ()
    ) -> tuple[Notice, ...]:
        """The same that somebody has acknowledged, the latest first."""
        where = and_(_for(agency, desks), notices.c.acknowledged_at.is_not(None))
        return await self._notices(where, first, notices.c.acknowledged_at.desc())

    async def acknowledge(self, id_: str, by: Officer, at: datetime) -> Notice | None:
        """The notice as acknowledged; None where somebody had done it before."""
        change = update(notices).where(notices.c.id == id_, notices.c.acknowledged_at.is_(None))
        change = change.values(acknowledged_at=at, **rows.parts("acknowledged", by))
        async with self._writing() as connection:
            if not await changed(connection, change):
                return None
        return await self.notice(id_)

    async def overdue_notices(self, now: datetime) -> tuple[Notice, ...]:
        """Notices that nobody acknowledged in time, and whose desk on call does not know yet."""
        late = and_(notices.c.due_at <= now, notices.c.escalated_at.is_(None))
        return await self._notices(and_(late, notices.c.acknowledged_at.is_(None)), None)

    async def escalate_notice(self, notice: Notice, new_id: str, now: datetime) -> bool:
        """Tell the desk on call of a notice; false where it is acknowledged, or was told before."""
        change = update(notices).where(
            notices.c.id == notice.id,
            notices.c.escalated_at.is_(None),
            notices.c.acknowledged_at.is_(None),
        )
        async with self._writing() as connection:
            if not await changed(connection, change.values(escalated_at=now)):
                return False
            await tell(
                connection,
                replace(
                    notice,
                    id=new_id,
                    at=now,
                    desk=notice.on_call or notice.desk,
                    about=Told.NOTICE_OVERDUE,
                    subject=notice.id,
                    on_call=None,
                    due_at=None,
                    escalated_at=None,
                    attempts=0,
                    delivered_at=None,
                ),
            )
        return True

    async def undelivered(
        self, agencies: Sequence[str], now: datetime, most_tries: int, first: int
    ) -> tuple[Notice, ...]:
        """What is due to be sent to these agencies, the oldest first."""
        due = or_(notices.c.next_at.is_(None), notices.c.next_at <= now)
        where = and_(notices.c.agency.in_(agencies), notices.c.delivered_at.is_(None))
        return await self._notices(and_(where, due, notices.c.attempts < most_tries), first)

    async def try_delivery(self, notice: Notice, next_at: datetime) -> bool:
        """Whether it is ours to send now; nobody else tries before `next_at`."""
        change = update(notices).where(
            notices.c.id == notice.id,
            notices.c.attempts == notice.attempts,
            notices.c.delivered_at.is_(None),
        )
        async with self._writing() as connection:
            tried = change.values(attempts=notice.attempts + 1, next_at=next_at)
            return await changed(connection, tried)

    async def delivered(self, id_: str, at: datetime) -> None:
        """The agency's system has taken it."""
        change = update(notices).where(notices.c.id == id_).values(delivered_at=at)
        async with self._writing() as connection:
            await connection.execute(change)

    async def _notices(
        self, where: ColumnElement[bool], first: int | None, order: Any = notices.c.at
    ) -> tuple[Notice, ...]:
        query = select(notices).where(where).order_by(order, notices.c.id).limit(first)
        return tuple(rows.notice(row) for row in await self._rows(query))


def _for(agency: str, desks: Collection[str]) -> ColumnElement[bool]:
    return or_(notices.c.agency == agency, notices.c.desk.in_(desks))


async def tell(connection: AsyncConnection, notice: Notice) -> None:
    """Keep a notice together with what it is about."""
    row = rows.flat(notice, "asker", "acknowledged_by")
    await connection.execute(insert(notices).values(row))
