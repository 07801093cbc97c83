"""`/console/audit`: how the log is, and how much is asked of late. Every view is itself an entry.

An auditor says once for what the look is, out of a short list; that is named in each view's entry
(kind V), which is durable before the page is sent. No auditor's page asks an agency anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.audit.found import Health
from gateway.audit.index import Count
from gateway.audit.spans import SPANS, moments_of
from gateway.audit.uses import USES
from gateway.catalogue.forms import utc_text
from gateway.errors import MalformedRequest
from gateway.web.access import signed_in, visit_of
from gateway.web.console.charts import Chart, chart
from gateway.web.console.frame import USE, Console
from gateway.web.look import Runs, elsewhere, told

HERE: Final = "/console/audit"
NONE: Final = "NONE_GIVEN"
_LATE_S: Final = 90.0  # an idle log signs each minute


@dataclass(frozen=True, slots=True)
class Tally:
    """How many queries there were, and what became of them."""

    name: str
    queries: int
    refused: int
    failed: int
    withheld: int
    glass: int
    missing: int
    link: str = ""  # where these alone are counted, or all again
    alone: bool = False  # whether these alone are counted

    @property
    def withheld_share(self) -> str:
        """Of those that were answered."""
        answered = self.queries - self.refused - self.failed
        return f"{self.withheld / answered:.0%}" if answered else "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What was asked in the time that was chosen."""

    total: Tally
    spans: tuple[Tally, ...]
    agencies: tuple[Tally, ...]
    purposes: tuple[Tally, ...]
    of: tuple[tuple[str, str], ...]  # what alone is counted, and where it is all again
    asked: Chart
    troubles: Chart


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage:
    """`/console/audit`: how the log is, and how much is asked."""

    name: str = told("Who is signed in.")
    agency: str = told("Of which agency.")
    roles: tuple[str, ...] = told("In which role.")
    everyone: bool = told("Whether queries of all agencies are counted.")
    at: str = told("When this page was made.")
    healthy: bool = told("Whether a record given now would last.")
    size: int = told("Entries that last; this view is one of them.")
    origin: str = told("The log's name.")
    verifier: str = told("The log's public key, as portcullis audit verify reads it.")
    signed_size: int = told("Entries under the last checkpoint.")
    signed_at: str = told("When that was signed, by the gateway's clock.")
    age_s: int = told("How long ago.")
    late: bool = told("Whether that is longer than a log that is well takes.")
    root: str = told("The root of the tree that it signs: compare it with anybody's copy.")
    witnessed: int = told("Entries that enough independent witnesses have signed.")
    witnesses: tuple[str, ...] = told("Who signed that.")
    behind: int = told("Entries that a search does not find yet.")
    verified: int = told("Entries that, as they were read, lead to the root of a checkpoint.")
    whole: bool = told("Whether none were read that do not.")
    suspects: int | None = told("Entries whose times a clock in doubt gave.")
    span: str = told("Which time is counted.")
    spans: tuple[tuple[str, str, str], ...] = told("Which times can be counted, and where.")
    counted: Counted | None = told("None where counting would take too long.")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsePage:
    """`/console/audit/use`: for what somebody looks."""

    uses: tuple[tuple[str, str, str], ...] = told("Each view's entry in the log names it.")
    chosen: str = told("What is named now.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What is counted: which time, and of which agency or purpose alone."""

    span: str = "month"
    agency: str = ""
    purpose: str = ""

    @classmethod
    def of(cls, said: Mapping[str, str]) -> Chosen:
        """What an address says; whatever is not known counts as nothing chosen."""
        span = said.get("span", "")
        return cls(
            span=span if span in SPANS else "month",
            agency=said.get("agency", ""),
            purpose=said.get("purpose", ""),
        )

    def link(self, **other: str) -> str:
        """Where the same is counted but for this."""
        held = asdict(replace(self, **other))
        return f"{HERE}?{urlencode({name: value for name, value in held.items() if value})}"


def overview_routes(console: Console) -> list[Route]:
    async def overview(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        chosen = Chosen.of(http.query_params)
        now = console.clock()
        session = signed_in(http)
        moments = moments_of(chosen.span, now, session.zone)
        given = await console.inquiry.overview(auditor, moments)
        counted = None
        if given.value.counts is not None:
            counted = counted_of(given.value.counts, moments, chosen, session.zone)
        page = overview_page(
            given.value.health,
            now,
            name=session.name or session.subject.id,
            agency=session.subject.agency,
            roles=session.subject.roles,
            everyone="external_auditor" in session.subject.roles,
            chosen=chosen,
            counted=counted,
        )
        return console.page(http, "audit_overview.html", page, HERE, runs=Runs.ASKING)

    async def asked_use(http: HttpRequest) -> Response:
        uses = tuple((code, *words) for code, words in USES.items())
        page = UsePage(uses=uses, chosen=signed_in(http).use)
        return console.page(http, "audit_use.html", page, USE)

    async def said_use(http: HttpRequest) -> Response:
        said = visit_of(http).form.get("use", ())
        if len(said) != 1 or said[0] not in USES:
            raise MalformedRequest("Choose one of the list: for what you look at the record.")
        await console.sessions.use(signed_in(http), said[0])
        return elsewhere(HERE)

    return [
        Route(HERE, overview, methods=["GET"]),
        Route(USE, asked_use, methods=["GET"]),
        Route(USE, said_use, methods=["POST"]),
    ]


def overview_page(
    health: Health,
    now: datetime,
    *,
    name: str,
    agency: str,
    roles: tuple[str, ...],
    everyone: bool,
    chosen: Chosen,
    counted: Counted | None,
) -> OverviewPage:
    """The log as it is now: nothing is counted that it does not hold."""
    signed_at = health.signed_at
    age_s = (now - signed_at).total_seconds() if signed_at else float("inf")
    return OverviewPage(
        name=name,
        agency=agency,
        roles=roles,
        everyone=everyone,
        at=utc_text(now),
        healthy=health.healthy,
        size=health.size,
        origin=health.origin,
        verifier=health.verifier,
        signed_size=health.signed_size,
        signed_at=utc_text(signed_at) if signed_at else "",
        age_s=max(0, int(age_s)) if signed_at else 0,
        late=age_s > _LATE_S,
        root=health.root,
        witnessed=health.witnessed_size,
        witnesses=health.witnesses,
        behind=max(0, health.size - health.indexed),
        verified=health.verified,
        whole=health.whole,
        suspects=health.suspects,
        span=chosen.span,
        spans=tuple((code, words, chosen.link(span=code)) for code, (words, _, _) in SPANS.items()),
        counted=counted,
    )


def counted_of(
    counts: Sequence[Count], moments: Sequence[datetime], chosen: Chosen, zone: ZoneInfo
) -> Counted:
    """What the page says of what was counted. The table of agencies has all of them, whichever one
    is chosen, and that of purposes likewise: so another is chosen there."""
    form = "%H:%M" if chosen.span == "day" else "%Y-%m-%d"
    names = [f"{moment.astimezone(zone):{form}}" for moment in moments[:-1]]
    of_agency = [one for one in counts if chosen.agency in ("", one.agency)]
    of_purpose = [one for one in counts if chosen.purpose in ("", one.purpose or NONE)]
    counts = [one for one in of_agency if chosen.purpose in ("", one.purpose or NONE)]
    held: dict[int, list[Count]] = defaultdict(list)
    for one in counts:
        held[one.span].append(one)
    spans = tuple(_tally(name, held.get(number, ())) for number, name in enumerate(names))
    return Counted(
        total=_tally("All", counts),
        spans=spans,
        agencies=_by(of_purpose, "agency", chosen),
        purposes=_by(of_agency, "purpose", chosen),
        of=tuple(
            (value, chosen.link(**{name: ""}))
            for name in ("agency", "purpose")
            if (value := getattr(chosen, name))
        ),
        asked=chart(
            names,
            {
                "calm": [t.queries - t.refused - t.failed for t in spans],
                "alert": [t.refused for t in spans],
                "bad": [t.failed for t in spans],
            },
        ),
        troubles=chart(
            names,
            {
                "calm": [t.withheld for t in spans],
                "alert": [t.glass for t in spans],
                "bad": [t.missing for t in spans],
            },
        ),
    )


def _by(counts: Sequence[Count], name: str, chosen: Chosen) -> tuple[Tally, ...]:
    """By agency or purpose, the most first; each leads to where it alone is counted."""
    held: dict[str, list[Count]] = defaultdict(list)
    for one in counts:
        held[getattr(one, name) or NONE].append(one)
    now = getattr(chosen, name)
    tallies = (
        _tally(key, of, chosen.link(**{name: "" if key == now else key}), key == now)
        for key, of in held.items()
    )
    return tuple(sorted(tallies, key=lambda one: (-one.queries, one.name)))


def _tally(name: str, counts: Iterable[Count], link: str = "", alone: bool = False) -> Tally:
    sums = [0] * 6
    for one in counts:
        sums = [had + more for had, more in zip(sums, one[3:], strict=True)]
    queries, refused, failed, withheld, glass, missing = sums
    return Tally(name, queries, refused, failed, withheld, glass, missing, link, alone)
