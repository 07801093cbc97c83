"""`/console/audit/search`, `/console/audit/timeline` and `/searches`: who asked what, as lists.

A form is sent (its fields stand in no address), sealed, and gone on from: see `asking`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.audit.found import Page
from gateway.audit.index import CUT_OFF
from gateway.audit.inquiry import MOST, Auditor, Given
from gateway.audit.sought import Sought
from gateway.errors import LimitExceeded, MalformedRequest, Refused, codes
from gateway.web.access import signed_in, visit_of
from gateway.web.console.asking import (
    ANSWERED,
    Asked,
    Said,
    asked_in,
    said_in,
    sealed,
    sought_of,
)
from gateway.web.console.charts import Chart, chart
from gateway.web.console.frame import USE, Choices, Console
from gateway.web.console.rows import KINDS, Line, line
from gateway.web.look import Runs, elsewhere, told

SEARCH: Final = "/console/audit/search"
TIMELINE: Final = "/console/audit/timeline"
MINE: Final = "/searches"
PAGE: Final = 50
OUTCOMES: Final = (ANSWERED, CUT_OFF, *codes())
"""How a search may end: each code that the log can have of one."""
TAGS: Final = ("consultation", "disclosure", "combination")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """A form, and what was found by it."""

    said: Said = told("What was filled in.")
    choices: Choices = told("What forms offer.")
    kinds: Mapping[str, str] = told("The kinds of entries.")
    outcomes: tuple[str, ...] = told("How a search may end.")
    tags: tuple[str, ...] = told("What a search may have shown.")
    external: bool = told("Whether only leaves are for whoever looks.")
    asked: bool = told("Whether something was looked for.")
    problem: str = told("Why nothing was found out.")
    rows: tuple[Line, ...] = told("The latest first.")
    next: str = told("The address of the next page.", "")
    first: str = told("That of the first page, on a later one.", "")
    here: str = told("The address of this page.", "")
    export: str = told("Where this is exported.", "")
    q: str = told("What was looked for, sealed.", "")


@dataclass(frozen=True, slots=True)
class Day:
    """Searches of one day."""

    day: str
    rows: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelinePage:
    """Who looked for somebody, or what somebody looked for, day by day."""

    said: Said = told("What was filled in.")
    external: bool = told("Whether only leaves are for whoever looks.")
    asked: bool = told("Whether something was looked for.")
    problem: str = told("Why nothing was found out.")
    days: tuple[Day, ...] = told("The latest first.")
    chart: Chart | None = told("How many on each of these days.", None)
    total: int = told("How many are listed.", 0)
    officers: int = told("How many officers asked.", 0)
    next: str = told("The address of what is older: these are the latest alone.", "")
    older: bool = told("Whether these are not the latest.", False)
    q: str = told("What was looked for, sealed.", "")


Looking = Callable[[Auditor, Sought, int, "int | None"], Awaitable[Given[Page]]]


def searching_routes(console: Console) -> list[Route]:
    async def search(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        looks = _Looks(console, lambda *of: _searched(console, *of))
        return await looks.listed(http, auditor, SEARCH, "audit_search.html")

    async def mine(http: HttpRequest) -> Response:
        looks = _Looks(console, lambda *of: _mine(console, *of))
        return await looks.listed(http, console.own(http), MINE, "searches.html", own=True)

    async def timeline(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        looks = _Looks(console, lambda *of: _searched(console, *of))
        return await looks.by_day(http, auditor)

    return [
        Route(SEARCH, search, methods=["GET"]),
        Route(SEARCH, sending(console, SEARCH), methods=["POST"]),
        Route(TIMELINE, timeline, methods=["GET"]),
        Route(TIMELINE, sending(console, TIMELINE), methods=["POST"]),
        Route(MINE, mine, methods=["GET"]),
        Route(MINE, sending(console, MINE), methods=["POST"]),
    ]


def sending(console: Console, path: str) -> Callable[[HttpRequest], Awaitable[Response]]:
    """Takes a form, and goes on to the page whose address holds it sealed."""

    async def sent(http: HttpRequest) -> Response:
        said = said_in(visit_of(http).form, signed_in(http).zone)
        q = sealed(http, console.keys, said)
        return elsewhere(f"{Asked(said=said, q=q).link(path)}#found")

    return sent


async def _searched(
    console: Console, auditor: Auditor, sought: Sought, first: int, before: int | None
) -> Given[Page]:
    return await console.inquiry.search(auditor, sought, first=first, before=before)


async def _mine(
    console: Console, auditor: Auditor, sought: Sought, first: int, before: int | None
) -> Given[Page]:
    return await console.inquiry.mine(auditor, sought, first=first, before=before)


@dataclass(frozen=True, slots=True)
class _Looks:
    """A list that is looked up by a form."""

    console: Console
    look: Looking

    async def listed(
        self, http: HttpRequest, auditor: Auditor, path: str, template: str, *, own: bool = False
    ) -> Response:
        """The form with a page of what it finds. At their `own` searches, somebody finds all of
        them before they fill in anything."""
        asked = asked_in(http, self.console.keys)
        sought, problem = sought_of(asked)
        if sought is None and own and not problem:
            sought = Sought()
        page, problem, status = await self._looked(auditor, sought, problem, PAGE, asked.before)
        found = page.rows if page else ()
        rows = tuple(line(row, asked.said.zone, own=own) for row in found)
        shown = SearchPage(
            said=asked.said,
            choices=self.console.choices(),
            kinds=KINDS,
            outcomes=OUTCOMES,
            tags=TAGS,
            external="external_auditor" in auditor.subject.roles,
            asked=page is not None,
            problem=problem,
            rows=rows,
            next=_next(asked, path, page),
            first=asked.link(path) if asked.before is not None else "",
            here=asked.link(path),
            export=asked.link("/console/audit/export") if asked.q else "",
            q=asked.q,
        )
        runs = Runs.NOTHING if own else Runs.ASKING
        return self.console.page(http, template, shown, path, status=status, runs=runs)

    async def by_day(self, http: HttpRequest, auditor: Auditor) -> Response:
        asked = asked_in(http, self.console.keys)
        sought, problem = sought_of(asked)
        if sought is not None and not (sought.typed or sought.officer):
            sought, problem = None, "Say whom you ask about: a search, or an officer."
        page, problem, status = await self._looked(auditor, sought, problem, MOST, asked.before)
        rows = [line(row, asked.said.zone) for row in page.rows] if page else []
        days = days_of(rows)
        shown = TimelinePage(
            said=asked.said,
            external="external_auditor" in auditor.subject.roles,
            asked=page is not None,
            problem=problem,
            days=days,
            chart=chart_of(days) if days else None,
            total=len(rows),
            officers=len({(one.agency, one.officer) for one in rows if one.officer}),
            next=_next(asked, TIMELINE, page),
            older=asked.before is not None,
            q=asked.q,
        )
        return self.console.page(
            http, "audit_timeline.html", shown, TIMELINE, status=status, runs=Runs.ASKING
        )

    async def _looked(
        self,
        auditor: Auditor,
        sought: Sought | None,
        problem: str,
        first: int,
        before: int | None,
    ) -> tuple[Page | None, str, int]:
        """What is found; else why not, for the page to say beside its form."""
        if sought is None:
            return None, problem, 400 if problem else 200
        try:
            return (await self.look(auditor, sought, first, before)).value, "", 200
        except (LimitExceeded, MalformedRequest, Refused) as error:
            return None, *await self.console.not_given(auditor, error)


def _next(asked: Asked, path: str, page: Page | None) -> str:
    if page is None or page.next is None:
        return ""
    return asked.link(path, before=page.next) if asked.q else f"{path}?before={page.next}"


def days_of(rows: list[Line]) -> tuple[Day, ...]:
    """The same searches by day, in their order."""
    held: dict[str, list[Line]] = {}
    for one in rows:
        held.setdefault(one.at.day, []).append(one)
    return tuple(Day(day, tuple(of)) for day, of in held.items())


def chart_of(days: tuple[Day, ...]) -> Chart:
    """How many on each day that has any, the first at the left."""
    ordered = sorted(days, key=lambda one: one.day)
    return chart(
        [one.day for one in ordered],
        {
            tone: [sum(row.tone in tones for row in one.rows) for one in ordered]
            for tone, tones in (
                ("calm", ("good", "calm")),
                ("alert", ("alert",)),
                ("bad", ("bad",)),
            )
        },
    )
