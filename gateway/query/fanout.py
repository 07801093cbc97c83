"""Visiting the sources: each fetch as soon as its parent is done, each under its source's timeout.

No rules of its own: what may be read is in the grants, how to ask is `translate`'s affair. A
source's failure is a value in the results and never raises through another's answer; rows that a
source should not have sent are dropped and counted as an alarm.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from connectors.spi import (
    Connector,
    SourceError,
    SourceProtocolError,
    SourceRateLimited,
    SourceTimeout,
    SourceTooBroad,
)
from gateway.catalogue.mapping import Catalogue
from gateway.errors import CannotEnforce
from gateway.model import (
    AuthorisedPlan,
    FetchResult,
    Grant,
    Results,
    Shared,
    State,
)
from gateway.query.ages import Grown
from gateway.query.bearers import Bearers
from gateway.query.breaker import Breakers
from gateway.query.calls import together
from gateway.query.derived import Moment
from gateway.query.visit import Visit
from gateway.query.whole import links_from
from gateway.unforeseen import end_if_exhausted, unforeseen

Probe: TypeAlias = tuple[float, ...]

_LOOKED = frozenset({State.ANSWERED, State.TRUNCATED})


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOut:
    """What visiting needs beside the plan."""

    catalogue: Catalogue
    sources: Mapping[str, Connector]
    moment: Moment
    query_id: str
    ends_at: float  # by the monotonic clock: the query's deadline, shared by all its visits
    probe: Callable[[str], Probe | None] = lambda _handle: None  # opens a probe handle, once
    breakers: Breakers = field(default_factory=lambda: Breakers(monotonic=time.monotonic))

    async def visit(
        self, agreed: AuthorisedPlan, meanwhile: Callable[[], None] = lambda: None
    ) -> tuple[Results, Shared]:
        """Every granted fetch's records or its failure, by fetch id; and those identifiers, of the
        ones that would link the found records, that more than one person of some source bears.

        What is to be done `meanwhile` is done once a first source has answered: by then all have
        been asked. Cancelling abandons every visit.
        """
        results: dict[str, FetchResult] = {}
        roots = [g for g in agreed.grants.values() if g.fetch.parent is None]
        async with asyncio.TaskGroup() as group:
            searches = {
                grant.fetch.id: group.create_task(self._branch(agreed, grant, (), results, group))
                for grant in self._slowest_first(roots)
            }
            bearers = Bearers(
                agreed=agreed,
                catalogue=self.catalogue,
                results=results,
                searches=searches,
                ask=lambda grant: self._timed(agreed, grant, ()),
                ordered=self._slowest_first,
            )
            shared = group.create_task(bearers.shared())
            if searches:
                await asyncio.wait(searches.values(), return_when=asyncio.FIRST_COMPLETED)
            meanwhile()
        return results, shared.result()

    def _slowest_first(self, grants: Iterable[Grant]) -> list[Grant]:
        """Asking takes our own time, source after source: least of it is to come before the one
        that is waited for longest."""
        return sorted(grants, key=lambda grant: -self.breakers.takes_s(grant.fetch.source))

    async def look(self, agreed: AuthorisedPlan, grant: Grant, keys: Sequence[Any]) -> FetchResult:
        """One visit by itself, outside the answer."""
        alone = replace(agreed, grants={grant.fetch.id: grant}, looks={})
        return await self._timed(alone, grant, keys)

    async def _branch(
        self,
        agreed: AuthorisedPlan,
        grant: Grant,
        keys: Sequence[Any],
        results: dict[str, FetchResult],
        group: asyncio.TaskGroup,
    ) -> None:
        """One fetch; those beneath it go on in the group."""
        result = await self._proved(agreed, grant, keys)
        results[grant.fetch.id] = result
        for child in agreed.grants.values():
            if child.fetch.parent != grant.fetch.id:
                continue
            found = links_from(result.records, child.fetch.link_from)
            if found:
                group.create_task(self._branch(agreed, child, found, results, group))
            else:
                results[child.fetch.id] = FetchResult(state=State.ANSWERED)

    async def _proved(
        self, agreed: AuthorisedPlan, grant: Grant, keys: Sequence[Any]
    ) -> FetchResult:
        """One visit; where a rule asks how old somebody is, for those grown up by every source."""
        grown = Grown(
            agreed=agreed,
            catalogue=self.catalogue,
            moment=self.moment,
            ask=lambda other: self._timed(agreed, other, ()),
        )
        if not grown.asked_of(grant):
            return await self._with_beside(agreed, grant, keys)
        return await grown.proved(
            grant, await self._with_beside(agreed, grown.looking(grant), keys)
        )

    async def _with_beside(
        self, agreed: AuthorisedPlan, grant: Grant, keys: Sequence[Any]
    ) -> FetchResult:
        """One visit, and the one for records that are told of and not shown, if there is to be
        one. Where a source cannot say whether there are any, it has not answered."""
        told = agreed.beside.get(grant.fetch.id)
        if told is None:
            return await self._timed(agreed, grant, keys)
        visits = (self._timed(agreed, grant, keys), self.look(agreed, told, keys))
        result, beside = await together(visits)
        silent = not result.state.failed and beside.state not in _LOOKED
        return replace(
            beside if silent else result,
            beside=beside.records,
            elapsed_s=max(result.elapsed_s, beside.elapsed_s),
            alarms=result.alarms + beside.alarms,
        )

    async def _timed(
        self, agreed: AuthorisedPlan, grant: Grant, keys: Sequence[Any]
    ) -> FetchResult:
        started = time.monotonic()
        source = self.catalogue.sources[grant.fetch.source]
        allowed_s = min(source.timeout_s, max(self.ends_at - started, 0.001))
        state, detail, failed = State.FAULT, "", False
        visit = Visit(self, agreed, grant, source, allowed_s)
        try:
            async with asyncio.timeout(allowed_s):
                result = await visit.run(keys)
            if visit.calls.made:
                self.breakers.answered(source.id, time.monotonic() - started)
            return replace(result, elapsed_s=time.monotonic() - started)
        except SourceRateLimited as error:
            state, detail = State.RATE_LIMITED, str(error)
        except (SourceTimeout, TimeoutError) as error:
            state, detail = State.TIMED_OUT, str(error) or f"no answer within {allowed_s:g} s"
            failed = allowed_s >= source.timeout_s  # else the query's time ran out, not its own
        except SourceTooBroad as error:
            state, detail = State.NOT_ASKED, str(error)
        except (SourceProtocolError, CannotEnforce) as error:
            state, detail = State.FAULT, str(error)
            failed = isinstance(error, SourceProtocolError)
        except SourceError as error:
            end_if_exhausted(error)  # it was not the source that failed
            state, detail, failed = State.UNAVAILABLE, str(error), True
        except Exception as error:  # what it sent could not be read: that costs nobody else's
            state, detail = State.FAULT, unforeseen(error)
        if failed and visit.calls.made:
            self.breakers.failed(source.id)
        return FetchResult(
            state=state,
            truncated=state is State.NOT_ASKED,  # what it holds is unknown, so not all is known
            detail=detail,
            elapsed_s=time.monotonic() - started,
        )
