"""One query as the calls that its source takes, and what they bring as one answer again.

A source takes so many keys at once, refuses what is too broad, and may be unable to apply a rule:
then its rows are read page after page and chosen here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from connectors.conditions import And, Compare, Condition, Op, Or, all_of
from connectors.spi import (
    Connector,
    SourceQuery,
    SourceResult,
    SourceTooBroad,
    SourceUnavailable,
)
from gateway.catalogue.mapping import Source
from gateway.query.breaker import Breakers

_T = TypeVar("_T")


class Calls:
    """The calls of one visit to its source."""

    def __init__(self, source: Source, connector: Connector, breakers: Breakers) -> None:
        self.source = source
        self.connector = connector
        self.breakers = breakers
        self.made = False  # whether anything was sent to the source

    async def rows(self, query: SourceQuery) -> SourceResult:
        """One query, as visits of no more keys than the source takes at once.

        Alternatives that a source does not answer, being too broad, are left out where others are
        not: the answer then is not the whole.
        """
        if query.near is not None:
            return await self._ask(query)
        visits = self._portions(query)
        if len(visits) > 1:
            return _merged(query, await together(map(self._ask, visits)))
        try:
            return await self._ask(query)
        except SourceTooBroad:
            if not isinstance(query.where, Or):
                raise
            return await self._narrow_ones(query, query.where.parts)

    async def read_on(
        self, query: SourceQuery, permitted: Callable[[Sequence[Any]], bool]
    ) -> tuple[list[Sequence[Any]], bool]:
        """Up to `query.limit` permitted rows, page after page of at most `max_scan` rows in all.

        Whether there are more is said of permitted rows alone; where the reading ended before
        that was known, there may be. A ranking is one page: it has no position to go on from.
        """
        found: list[Sequence[Any]] = []
        left, most = self.source.max_scan, self.source.max_rows
        # Most often nothing is hidden: first what was asked for, and one row to see if it is all.
        size = min(query.limit + 1, most) if query.near is None else most
        after: Any = query.after
        while True:
            page = replace(query, after=after, limit=min(size, left))
            result = await self.rows(page)
            found += filter(permitted, result.rows)
            left, size = left - len(result.rows), most
            known = len(found) > query.limit or not result.truncated
            if known or left <= 0 or not result.rows or query.near is not None:
                return found[: query.limit], len(found) > query.limit or result.truncated
            after = result.rows[-1][0]

    async def elements(self, query: SourceQuery) -> SourceResult:
        """One query of a child relation. Its portions are by owner, so no element comes twice and
        their order within one is kept."""
        found = await together(map(self._ask, self._portions(query)))
        return SourceResult(
            rows=tuple(row for result in found for row in result.rows),
            truncated=any(result.truncated for result in found),
        )

    async def _ask(self, query: SourceQuery) -> SourceResult:
        """One call; the first of them asks whether the visit may be made.

        Raises:
            SourceUnavailable: the source has failed so often that it is left alone.
            SourceError: as `Connector.fetch`.
        """
        if not self.made and not self.breakers.admits(self.source.id):
            raise SourceUnavailable("not visited: it failed too often in a row")
        self.made = True
        return await self.connector.fetch(query)

    def _portions(self, query: SourceQuery) -> list[SourceQuery]:
        most = self.connector.capabilities.max_keys
        return [replace(query, where=where) for where in portions(query.where, most)]

    async def _narrow_ones(
        self, query: SourceQuery, alternatives: Sequence[Condition]
    ) -> SourceResult:
        """Those alternatives that the source answers; the answer is then not the whole.

        Raises:
            SourceTooBroad: it answers none of them.
        """

        async def one(where: Condition) -> SourceResult | SourceTooBroad:
            try:
                return await self._ask(replace(query, where=where))
            except SourceTooBroad as error:
                return error

        outcomes = await together(map(one, alternatives))
        found = [outcome for outcome in outcomes if isinstance(outcome, SourceResult)]
        if not found:
            raise next(outcome for outcome in outcomes if isinstance(outcome, SourceTooBroad))
        return replace(_merged(query, found), truncated=True)


def portions(where: Condition, most: int) -> list[Condition]:
    """Conditions that together hold where `where` does, none with more than `most` keys to find."""
    match where:
        case Compare(field, Op.IN, tuple(values)) if len(values) > most:
            return [
                Compare(field, Op.IN, values[at : at + most]) for at in range(0, len(values), most)
            ]
        case And(parts):
            for number, part in enumerate(parts):
                cut = portions(part, most)
                if len(cut) > 1:
                    rest = (*parts[:number], *parts[number + 1 :])
                    return [p for one in cut for p in portions(all_of((one, *rest)), most)]
        case Or(parts):
            cuts = [portions(part, most) for part in parts]
            if any(len(cut) > 1 for cut in cuts):
                return [one for cut in cuts for one in cut]
        case _:
            pass
    return [where]


def _merged(query: SourceQuery, results: Iterable[SourceResult]) -> SourceResult:
    """Several visits' rows as one: each record once (its key stands first), in the key's order."""
    found = list(results)
    rows = {row[0]: row for result in found for row in result.rows}
    ordered = sorted(rows.values(), key=lambda row: (isinstance(row[0], str), row[0]))
    return SourceResult(
        rows=tuple(ordered[: query.limit]),
        truncated=any(result.truncated for result in found) or len(ordered) > query.limit,
    )


async def together(visits: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
    """The results in order; the first failure ends the others and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(visit) for visit in visits]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return [task.result() for task in tasks]
