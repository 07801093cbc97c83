"""Queries that somebody is to review, and what was found. A review is written once and stays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from sqlalchemy import and_, exists, select

from gateway.casework import rows
from gateway.casework.database import Database, changed, first_of
from gateway.casework.model import Level, Origin, Review, ReviewCase
from gateway.casework.tables import review_cases, reviews


class Reviews(Database):
    """Cases of samples and of what looks like misuse, and their reviews."""

    async def to_review(self, *cases: ReviewCase) -> int:
        """Keep what is to be reviewed; how many were not kept before. A query is one case of its
        sample, or of its pattern, however often that is drawn."""
        new = 0
        async with self._writing() as connection:
            for case in cases:
                put = self._insert(review_cases).values(rows.flat(case))
                new += await changed(connection, put.on_conflict_do_nothing())
        return new

    async def review_case(self, id_: str) -> ReviewCase | None:
        found = first_of(await self._rows(select(review_cases).where(review_cases.c.id == id_)))
        return rows.review_case(found) if found is not None else None

    async def waiting_for(
        self, level: Level, agencies: Collection[str], limit: int
    ) -> tuple[ReviewCase, ...]:
        """Drawn queries of these agencies' officers that nobody has reviewed at this level, the
        oldest first. What looked like misuse waits in its queue, and for nobody else."""
        table = review_cases.c
        done = exists().where(and_(reviews.c.case == table.id, reviews.c.level == level))
        found = await self._rows(
            select(review_cases)
            .where(table.origin == Origin.SAMPLE, table.agency.in_(list(agencies)), ~done)
            .order_by(table.at, table.id)
            .limit(limit)
        )
        return tuple(map(rows.review_case, found))

    async def reviewed(
        self, batches: Collection[str], agencies: Collection[str], levels: Collection[Level]
    ) -> Mapping[ReviewCase, tuple[Review, ...]]:
        """The cases of samples or patterns with their reviews, of those levels that somebody
        sees."""
        table = review_cases.c
        where = and_(table.batch.in_(list(batches)), table.agency.in_(list(agencies)))
        cases = await self._rows(select(review_cases).where(where).order_by(table.entry))
        said = await self._rows(
            select(reviews)
            .join(review_cases, table.id == reviews.c.case)
            .where(where, reviews.c.level.in_(list(levels)))
            .order_by(reviews.c.level.desc())
        )
        of: dict[str, list[Review]] = defaultdict(list)
        for row in said:
            of[row.case].append(rows.review(row))
        return {case: tuple(of[case.id]) for case in map(rows.review_case, cases)}

    async def reviews_of(self, case: str) -> tuple[Review, ...]:
        found = await self._rows(
            select(reviews).where(reviews.c.case == case).order_by(reviews.c.level.desc())
        )
        return tuple(map(rows.review, found))

    async def review(self, review: Review) -> bool:
        """Keep what was found; false, and nothing is kept, where somebody has reviewed the case at
        this level, or the same person at the other: that would be one pair of eyes."""
        other = and_(
            reviews.c.case == review.case,
            reviews.c.level != review.level,
            rows.is_officer(reviews.c, "by", review.by),
        )
        put = self._insert(reviews).values(rows.flat(review, "by")).on_conflict_do_nothing()
        async with self._writing() as connection:
            await self._take_turns(connection, review.by)
            new = await changed(connection, put)  # first: SQLite has one writer at a time
            if new and (await connection.execute(select(reviews.c.case).where(other))).first():
                await connection.rollback()
                return False
            return new
