"""What a search leaves to be done: an outcome owed, another person's agreement used once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, and_, insert, select, update

from gateway.casework import rows
from gateway.casework.database import Database, changed, first_of
from gateway.casework.model import Countersignature, Officer, OwedOutcome
from gateway.casework.tables import countersignatures, outcomes


class Owing(Database):
    """Outcomes that officers owe, and questions that somebody else agrees to."""

    # --- outcomes owed ---

    async def owe(self, *owed: OwedOutcome) -> bool:
        """Whether all are owed now; false, and none is, where another of a kind still is."""
        async with self._writing() as connection:
            for one in owed:
                put = self._insert(outcomes).values(rows.flat(one, "officer"))
                if not await changed(connection, put.on_conflict_do_nothing()):
                    await connection.rollback()
                    return False
        return True

    async def owed(self, officer: Officer, kind: str) -> tuple[OwedOutcome, ...]:
        """The searches of a kind of which an officer has not yet said what came of them."""
        where = and_(outcomes.c.kind == kind, outcomes.c.outcome.is_(None))
        found = await self._rows(
            select(outcomes)
            .where(rows.is_officer(outcomes.c, "officer", officer), where)
            .order_by("at")
        )
        return tuple(rows.owed(row) for row in found)

    async def record_outcome(
        self, operation: str, officer: Officer, outcome: str, at: datetime
    ) -> tuple[OwedOutcome, ...]:
        """What is now recorded, one of each kind that the search was, by kind; none where nothing
        is owed by this officer for it."""
        where = and_(
            outcomes.c.operation == operation, rows.is_officer(outcomes.c, "officer", officer)
        )
        change = update(outcomes).where(where, outcomes.c.outcome.is_(None))
        async with self._writing() as connection:
            if not await changed(connection, change.values(outcome=outcome, recorded_at=at)):
                return ()
        found = await self._rows(select(outcomes).where(where).order_by(outcomes.c.kind))
        return tuple(rows.owed(row) for row in found)

    # --- countersignatures ---

    async def wanted(self, asked: Countersignature) -> Countersignature:
        """What somebody else is to agree to: this, or the same that waits already."""
        table = countersignatures.c
        same = and_(rows.is_officer(table, "asker", asked.asker), table.digest == asked.digest)
        query = select(countersignatures).where(same, table.by_id.is_(None)).order_by(table.at)
        if found := await self._rows(query.limit(1)):
            return rows.countersignature(found[0])
        async with self._writing() as connection:
            row = rows.flat(asked, "asker", "by")
            await connection.execute(insert(countersignatures).values(row))
        return asked

    async def to_countersign(
        self, agencies: Collection[str], first: int
    ) -> tuple[Countersignature, ...]:
        """What people of these agencies wait for, the newest first."""
        table = countersignatures.c
        waiting = and_(table.asker_agency.in_(agencies), table.by_id.is_(None))
        query = select(countersignatures).where(waiting).order_by(table.at.desc(), table.id)
        return tuple(rows.countersignature(row) for row in await self._rows(query.limit(first)))

    async def countersignature(self, id_: str) -> Countersignature | None:
        query = select(countersignatures).where(countersignatures.c.id == id_)
        return first_of([rows.countersignature(row) for row in await self._rows(query)])

    async def countersign(self, id_: str, by: Officer, until: datetime) -> Countersignature | None:
        """The countersignature; None where there is none to be given, or it is one's own."""
        table = countersignatures.c
        own = and_(table.asker_issuer == by.issuer, table.asker_id == by.id)
        change = update(countersignatures).where(table.id == id_, table.by_id.is_(None), ~own)
        async with self._writing() as connection:
            if not await changed(connection, change.values(**rows.parts("by", by), until=until)):
                return None
        return await self.countersignature(id_)

    async def stands(self, asker: Officer, digest: str, now: datetime) -> bool:
        """Whether somebody else has agreed to this question, for a search not made yet."""
        query = select(countersignatures.c.id).where(_standing(asker, digest, now)).limit(1)
        return bool(await self._rows(query))

    async def use_countersignature(self, asker: Officer, digest: str, now: datetime) -> bool:
        """Whether this question was agreed to; each agreement is good for one search."""
        table = countersignatures.c
        standing = select(table.id).where(_standing(asker, digest, now))
        one = standing.order_by(table.at).limit(1).scalar_subquery()
        change = update(countersignatures).where(table.id == one, table.used_at.is_(None))
        async with self._writing() as connection:
            return await changed(connection, change.values(used_at=now))


def _standing(asker: Officer, digest: str, now: datetime) -> ColumnElement[bool]:
    table = countersignatures.c
    return and_(
        rows.is_officer(table, "asker", asker),
        table.digest == digest,
        table.by_id.is_not(None),
        table.until > now,
        table.used_at.is_(None),
    )
