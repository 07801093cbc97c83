"""What auditors and owners begin and others answer: dip samples, matters, pairs, recalls."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Select, and_, delete, func, insert, or_, select, update

from gateway.casework import rows
from gateway.casework.database import Database, changed, first_of
from gateway.casework.model import (
    Answer,
    AuditMatter,
    DipSample,
    Matters,
    Notice,
    Officer,
    Recall,
    Recalled,
    ReviewCase,
)
from gateway.casework.notices import tell
from gateway.casework.tables import (
    audit_matters,
    dip_samples,
    notices,
    recalled,
    recalls,
    review_cases,
)

Told: TypeAlias = tuple[Recalled, ...]
"""What each agency is told of a recall."""


class Auditing(Database):
    """Each is begun once and answered once, whoever tries."""

    # --- dip samples ---

    async def announce(self, sample: DipSample) -> None:
        async with self._writing() as connection:
            await connection.execute(insert(dip_samples).values(rows.flat(sample, "by")))

    async def dip_sample(self, id_: str) -> DipSample | None:
        found = first_of(await self._rows(select(dip_samples).where(dip_samples.c.id == id_)))
        return rows.dip_sample(found) if found is not None else None

    async def dip_samples(
        self, limit: int, *, before: DipSample | None = None
    ) -> tuple[DipSample, ...]:
        """The latest first; only those that a list has after this one, where it is given."""
        query, table = select(dip_samples), dip_samples.c
        if before is not None:
            last = rows.flat(before, "by")
            later = and_(table.at == last["at"], table.id > last["id"])
            query = query.where(or_(table.at < last["at"], later))
        query = query.order_by(table.at.desc(), table.id).limit(limit)
        return tuple(map(rows.dip_sample, await self._rows(query)))

    async def undrawn(
        self, limit: int, *, ended: datetime | None = None, agency: str | None = None
    ) -> tuple[DipSample, ...]:
        """Those that are still to be drawn, whose period ends first; only of periods that `ended`
        by then, only announced by people of this agency."""
        table = dip_samples.c
        query = select(dip_samples).where(table.seed.is_(None))
        if ended is not None:
            query = query.where(table.until <= ended)
        if agency is not None:
            query = query.where(table.by_agency == agency)
        query = query.order_by(table.until, table.id).limit(limit)
        return tuple(map(rows.dip_sample, await self._rows(query)))

    async def drawn(
        self, id_: str, *, seed: str, checkpoint: str, population: int, at: datetime,
        cases: Collection[ReviewCase],
    ) -> bool:  # fmt: skip
        """Keep what was drawn, with its cases; false, and nothing is kept, if it was drawn
        before: the first draw stands."""
        change = update(dip_samples).where(dip_samples.c.id == id_, dip_samples.c.seed.is_(None))
        drawn = change.values(seed=seed, checkpoint=checkpoint, population=population, drawn_at=at)
        async with self._writing() as connection:
            if not await changed(connection, drawn):
                return False
            for case in cases:
                put = self._insert(review_cases).values(rows.flat(case))
                await connection.execute(put.on_conflict_do_nothing())
        return True

    # --- what one asks and the other answers ---

    async def begin_matter(self, matter: AuditMatter) -> None:
        row = rows.flat(matter, "by", "answered_by", "ended_by")
        async with self._writing() as connection:
            await connection.execute(insert(audit_matters).values(row))

    async def matter(self, id_: str) -> AuditMatter | None:
        found = first_of(await self._rows(select(audit_matters).where(audit_matters.c.id == id_)))
        return rows.matter(found) if found is not None else None

    async def matters(
        self, agency: str, limit: int, *, standards: bool = True
    ) -> tuple[AuditMatter, ...]:
        """What people of this agency asked others or were asked by them, those that wait first,
        then the latest; without `standards` not what is for professional standards alone."""
        table = audit_matters.c
        where = or_(table.agency == agency, table.by_agency == agency)
        where = and_(where, table.kind != Matters.PAIR)
        if not standards:
            where = and_(where, ~table.standards)
        return await self._matters(where, limit)

    async def pairs(self, agency: str, limit: int) -> tuple[AuditMatter, ...]:
        """Whom colleagues in an agency's professional standards asked to agree, in that order."""
        table = audit_matters.c
        where = and_(table.agency == agency, table.kind == Matters.PAIR)
        return await self._matters(where, limit)

    async def paired(self, officer: Officer, use: str, now: datetime) -> bool:
        """Whether a colleague has agreed that this person looks, for this use, and it still
        holds."""
        table = audit_matters.c
        agreed = and_(
            table.kind == Matters.PAIR,
            table.answer == Answer.AGREED,
            table.use == use,
            table.agency == officer.agency,
            table.until > now,
            rows.is_officer(table, "by", officer),
        )
        return bool(await self._rows(select(table.id).where(agreed).limit(1)))

    async def _matters(self, where: ColumnElement[bool], limit: int) -> tuple[AuditMatter, ...]:
        table = audit_matters.c
        order = (table.answer.is_not(None), table.at.desc(), table.id)
        query = select(audit_matters).where(where).order_by(*order).limit(limit)
        return tuple(map(rows.matter, await self._rows(query)))

    async def answer_matter(
        self, id_: str, answer: Answer, *, by: Officer, role: str, entry: int, at: datetime,
        until: datetime | None = None,
    ) -> bool:  # fmt: skip
        """Keep an answer; false if somebody was quicker."""
        change = update(audit_matters).where(
            audit_matters.c.id == id_, audit_matters.c.answer.is_(None)
        )
        said = change.values(
            answer=answer, answered=entry, answered_at=at, answered_as=role, until=until,
            **rows.parts("answered", by),
        )  # fmt: skip
        async with self._writing() as connection:
            return await changed(connection, said)

    async def end_pair(self, id_: str, by: Officer, *, entry: int, at: datetime) -> bool:
        """End an agreement before its time; false where none holds any more."""
        table = audit_matters.c
        change = update(audit_matters).where(
            table.id == id_, table.kind == Matters.PAIR, table.answer == Answer.AGREED,
            table.until > at, table.ended.is_(None),
        )  # fmt: skip
        said = change.values(until=at, ended=entry, ended_at=at, **rows.parts("ended", by))
        async with self._writing() as connection:
            return await changed(connection, said)

    # --- recalls ---

    async def begin_recall(self, made: Recall, told: Collection[Recalled]) -> bool:
        """Keep a recall and what each agency is to be told, all or none; nobody is told yet. One
        that was begun under this id, and told to nobody, is begun anew. False, and nothing is kept,
        where the same is owed under another id: somebody was quicker."""
        owed = and_(recalls.c.id == made.id, recalls.c.told_at.is_(None))
        other = select(recalls.c.id).where(
            _same(made), recalls.c.told_at.is_(None), recalls.c.id != made.id
        )
        row = rows.flat(made, "by")
        async with self._writing() as connection:
            await self._take_turns(connection, Officer(issuer="", id="", agency=made.by.agency))
            if (await connection.execute(other)).first():
                return False
            if await changed(connection, update(recalls).where(owed).values(row)):
                await connection.execute(delete(recalled).where(recalled.c.recall == made.id))
            else:
                await connection.execute(insert(recalls).values(row))
            for one in told:
                row = asdict(one)
                del row["acknowledged_at"]
                await connection.execute(insert(recalled).values(row))
        return True

    async def tell_recall(
        self, id_: str, notes: Collection[Notice], *, entry: int, at: datetime
    ) -> bool:
        """Tell the agencies of a recall that is in the log, with the notices, all or none; false,
        and nothing is kept, where they are told already."""
        owed = and_(recalls.c.id == id_, recalls.c.told_at.is_(None))
        async with self._writing() as connection:
            if not await changed(
                connection, update(recalls).where(owed).values(entry=entry, told_at=at)
            ):
                return False
            for note in notes:
                await tell(connection, note)
        return True

    async def drop_recall(self, one: Recall) -> None:
        """Forget a recall that was begun and told to nobody, unless it was begun anew since."""
        owed = and_(recalls.c.id == one.id, recalls.c.told_at.is_(None), recalls.c.at == one.at)
        mine = select(recalls.c.id).where(owed)
        async with self._writing() as connection:
            await connection.execute(delete(recalled).where(recalled.c.recall.in_(mine)))
            await connection.execute(delete(recalls).where(owed))

    async def owed_recalls(self, before: datetime, limit: int) -> Mapping[Recall, Told]:
        """What was begun by a moment and is told to nobody yet, the oldest first."""
        query = select(recalls).where(recalls.c.told_at.is_(None), recalls.c.at <= before)
        return await self._with_told(query.order_by(recalls.c.at, recalls.c.id).limit(limit))

    async def same_recall(self, like: Recall) -> tuple[Recall, Told] | None:
        """The latest recall by that agency of the same record in the same words, told or owed."""
        query = select(recalls).where(_same(like))
        order = (recalls.c.at.desc(), recalls.c.id.desc())
        found = await self._with_told(query.order_by(*order).limit(1))
        return next(iter(found.items()), None)

    async def recalls_over(self, before: datetime) -> int:
        """How many recalls, told by a moment, still have their words and their record's key."""
        (row,) = await self._rows(select(func.count()).where(_recall_over(before)))
        return int(row[0])

    async def erase_recalls(self, before: datetime) -> int:
        """Erase both for good; of how many recalls."""
        change = update(recalls).where(_recall_over(before)).values(said="", key="")
        async with self._writing() as connection:
            return (await connection.execute(change)).rowcount

    async def recalls_of(self, agency: str, limit: int) -> Mapping[Recall, Told]:
        """What an agency recalled, the latest first, with whom it was told and who knows."""
        query = select(recalls).where(recalls.c.by_agency == agency, recalls.c.told_at.is_not(None))
        return await self._with_told(query.order_by(recalls.c.at.desc(), recalls.c.id).limit(limit))

    async def _with_told(self, query: Select[Any]) -> dict[Recall, Told]:
        made = tuple(map(rows.recall, await self._rows(query)))
        told = await self._recalled(recalled.c.recall.in_([one.id for one in made]))
        return {one: tuple(each for each in told if each.recall == one.id) for one in made}

    async def recalls_told(self, agency: str, limit: int) -> Mapping[Recall, Recalled]:
        """What others recalled that this agency's people were shown, the latest first."""
        mine = select(recalled.c.recall).where(recalled.c.agency == agency)
        query = select(recalls).where(recalls.c.id.in_(mine), recalls.c.told_at.is_not(None))
        query = query.order_by(recalls.c.at.desc(), recalls.c.id).limit(limit)
        made = tuple(map(rows.recall, await self._rows(query)))
        told = await self._recalled(
            and_(recalled.c.recall.in_([one.id for one in made]), recalled.c.agency == agency)
        )
        by_recall = {one.recall: one for one in told}
        return {one: by_recall[one.id] for one in made if one.id in by_recall}

    async def _recalled(self, where: object) -> tuple[Recalled, ...]:
        """With whether the agency's notice was acknowledged."""
        own = and_(
            notices.c.subject == recalled.c.recall,
            notices.c.agency == recalled.c.agency,
            notices.c.about == "RECORD_RECALLED",
        )
        query = select(recalled, notices.c.acknowledged_at).select_from(
            recalled.outerjoin(notices, own)
        )
        found = await self._rows(query.where(where).order_by(recalled.c.agency))  # type: ignore[arg-type]
        return tuple(map(rows.recalled, found))


def _same(like: Recall) -> ColumnElement[bool]:
    """A recall by that agency of the same record in the same words."""
    table = recalls.c
    return and_(
        table.by_agency == like.by.agency, table.source == like.source,
        table.entity == like.entity, table.key == like.key, table.said == like.said,
    )  # fmt: skip


def _recall_over(before: datetime) -> ColumnElement[bool]:
    return and_(recalls.c.told_at <= before, or_(recalls.c.said != "", recalls.c.key != ""))
