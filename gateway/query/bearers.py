"""Who else bears an identifier that would link records: it links them only if nobody does.

Every source that may know is asked, those too that were not searched, but for what its own search
has told already. It is asked as soon as records of two sources share the identifier, while other
searches are still under way. Matching may look at these identifiers (the use `match`), so it may
ask who bears them; rows that policy hides take no part.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from connectors.conditions import Compare, Op, Or, any_of
from gateway.catalogue.mapping import Catalogue
from gateway.model import (
    EMPTY,
    AuthorisedPlan,
    Fetch,
    FetchResult,
    Grant,
    Parts,
    Results,
    Shared,
    Show,
    State,
)
from gateway.query.match import candidates_of, may_match, would_link
from gateway.query.translate import may_hold, wholly_askable

Identifier: TypeAlias = tuple[str, str]  # kind and value
_NOTHING: Mapping[str, Any] = {"read": EMPTY, "match": frozenset(), "count": frozenset()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearers:
    """Asks the sources of one query, through the visits that the policy agreed to."""

    agreed: AuthorisedPlan
    catalogue: Catalogue
    results: Results  # what the searches bring, as they end
    searches: Mapping[str, asyncio.Task[None]]  # by fetch id
    ask: Callable[[Grant], Awaitable[FetchResult]]
    ordered: Callable[[Iterable[Grant]], list[Grant]]  # in the order of asking

    async def shared(self) -> Shared:
        """The identifiers that would link what the searches found, and that more than one person
        of some source bears; all that would link, where a source that holds any could not say."""
        roots = [g for g in self.agreed.grants.values() if g.fetch.parent is None and may_match(g)]
        bearing = self.ordered((*roots, *self.agreed.looks.values()))
        asked: set[Identifier] = set()
        looks: list[asyncio.Task[list[Identifier] | None]] = []
        untold, left = _unasked(self.agreed), set(self.searches.values())
        linking: Shared = frozenset()
        async with asyncio.TaskGroup() as group:
            while left:
                _, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
                found = candidates_of(self.agreed, self.results, (g.fetch.id for g in roots))
                linking = would_link(found)
                # A source that has just failed is not waited for again.
                untold |= any(self._failed(g) or not self._can_tell(g, linking) for g in bearing)
                if new := frozenset() if untold else linking - asked:
                    asked |= new
                    looks += [group.create_task(self._borne(g, new)) for g in bearing]
            if untold or not linking:
                for look in looks:
                    look.cancel()
        if untold or not linking:
            return linking
        borne = [look.result() for look in looks]
        if None in borne:
            return linking
        return frozenset(i for i in linking if any(held and held.count(i) > 1 for held in borne))

    def _failed(self, grant: Grant) -> bool:
        result = self.results.get(grant.fetch.id)
        return result is not None and result.state.failed

    def _can_tell(self, grant: Grant, identifiers: Iterable[Identifier]) -> bool:
        mapping = self.catalogue.mapping(grant.fetch.source, grant.fetch.entity)
        return all(wholly_askable(one, mapping) for one in identifiers)

    async def _borne(
        self, grant: Grant, identifiers: Iterable[Identifier]
    ) -> list[Identifier] | None:
        """Those of the identifiers that persons of one source bear, as often as they are borne;
        None where it could not say."""
        mapping = self.catalogue.mapping(grant.fetch.source, grant.fetch.entity)
        wanted = {one for one in identifiers if may_hold(one[0], mapping)}
        told, borne = _values(wanted) & _asked_alone(grant.fetch), list[Identifier]()
        if told and (search := self.searches.get(grant.fetch.id)) is not None:
            await asyncio.wait((search,))
            searched = self.results[grant.fetch.id]
            if searched.state is State.ANSWERED:  # with every bearer
                borne += self._identifiers(grant, searched, told)
                wanted = {one for one in wanted if one[1] not in told}
        if wanted:
            counted = await self.ask(counting(grant, _values(wanted)))
            if counted.state.failed and counted.state is not State.FAULT:
                return None
            if counted.state is State.ANSWERED and len(counted.records) < 2:
                return borne  # one person at most, as mostly: nothing more need be read
            # Several, or the source cannot say without reading more.
            looked = await self._bearers(grant, wanted)
            return None if looked is None else borne + looked
        return borne

    async def _bearers(self, grant: Grant, wanted: Set[Identifier]) -> list[Identifier] | None:
        """The identifiers of these values, as often as persons of the source bear them; None where
        it could not say.

        A value that more bear than are read of one counts as borne by several. So what is known of
        a value hangs on no other that is asked for with it: which these are, only the order tells
        in which searches end.
        """
        values, most = sorted(_values(wanted)), max(grant.own.limit, 2)
        looked = await self.ask(_identifying(grant, values, most * len(values)))
        if looked.state is State.TRUNCATED and len(values) > 1:
            halves = values[: len(values) // 2], values[len(values) // 2 :]
            known = [
                await self._bearers(grant, {one for one in wanted if one[1] in half})
                for half in halves
            ]
            return None if None in known else [one for some in known for one in some or ()]
        if looked.state not in (State.ANSWERED, State.TRUNCATED):
            return None
        bearers = candidates_of(self.agreed, {grant.fetch.id: looked}, (grant.fetch.id,))
        found = [one for bearer in bearers for one in bearer.identifiers if one[1] in values]
        borne = Counter(value for bearer in bearers for value in _values(bearer.identifiers))
        many = {one for one in wanted if looked.state is State.TRUNCATED or borne[one[1]] > most}
        return [*found, *many, *many]

    def _identifiers(
        self, grant: Grant, result: FetchResult, values: Iterable[str]
    ) -> list[Identifier]:
        bearers = candidates_of(self.agreed, {grant.fetch.id: result}, (grant.fetch.id,))
        return [i for bearer in bearers for i in bearer.identifiers if i[1] in values]


def _values(identifiers: Iterable[Identifier]) -> frozenset[str]:
    return frozenset(value for _, value in identifiers)


def counting(grant: Grant, values: Iterable[str]) -> Grant:
    """The same visit for whether more than one person bears any of these, reading nothing."""

    def parts() -> Parts:
        own = replace(grant.own, show=Show.HIT, limit=2, **_NOTHING)
        unread = replace(grant.parts["identifiers"], show=None, **_NOTHING)
        return Parts({"": own, "identifiers": unread})

    return _bearing(grant, values, grant.made.once("counting", parts))


def _identifying(grant: Grant, values: Iterable[str], limit: int) -> Grant:
    """The same visit for so many bearers of any of these identifiers, reading nothing else."""

    def parts() -> Parts:
        own = replace(grant.own, limit=limit, **_NOTHING)
        return Parts({"": own, "identifiers": grant.parts["identifiers"]})

    return _bearing(grant, values, grant.made.once(f"identifying {limit}", parts))


def _bearing(grant: Grant, values: Iterable[str], parts: Parts) -> Grant:
    where = any_of(Compare("identifiers.value", Op.EQ, value) for value in sorted(values))
    return Grant(fetch=replace(grant.fetch, where=where, after=None), parts=parts)


def _asked_alone(fetch: Fetch) -> frozenset[str]:
    """The values of identifiers that a search, from its first page, asks for by themselves: it
    gives every bearer, if it gives all that it found."""
    if fetch.after is not None:
        return frozenset()
    asked = fetch.where.parts if isinstance(fetch.where, Or) else (fetch.where,)
    return frozenset(
        str(one.value)
        for one in asked
        if isinstance(one, Compare) and (one.field, one.op) == ("identifiers.value", Op.EQ)
    )


def _unasked(agreed: AuthorisedPlan) -> bool:
    """Whether matching may not look at the identifiers of some source that holds persons."""
    for fetch in agreed.plan.visits:
        if fetch.parent is not None or not fetch.matched or fetch.id in agreed.silent:
            continue  # a silent source is like one that holds nothing
        grant = agreed.grants.get(fetch.id) or agreed.looks.get(fetch.id)
        if grant is None or not may_match(grant):
            return True
    return False
