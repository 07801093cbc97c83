"""`/console/audit`: what auditors see of the record. Every view is itself an entry of it.

An auditor says once for what the look is, out of a short list; that is named in each view's entry
(kind V), which is durable before the page is sent. No auditor's page asks an agency anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.audit.uses import USES
from gateway.audit.verify import open_checkpoint
from gateway.catalogue.forms import utc_text
from gateway.errors import MalformedRequest
from gateway.model import Request, Subject
from gateway.web.access import signed_in, visit_of
from gateway.web.look import Look, elsewhere, told
from gateway.web.receiving import blank
from gateway.web.sessions import Sessions

_LATE_S: Final = 90.0  # an idle log signs each minute


class Log(Protocol):
    """What of the log the console shows: `gateway/audit/log.py`."""

    @property
    def size(self) -> int: ...
    @property
    def checkpoint(self) -> bytes: ...
    @property
    def verifier(self) -> str: ...
    @property
    def healthy(self) -> bool: ...


class Viewing(Protocol):
    """`Recorder.view`."""

    def __call__(
        self, request: Request, subject: Subject, *, page: str, use: str
    ) -> Awaitable[object]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """What `/console/audit` needs of the application."""

    log: Log
    view: Viewing
    sessions: Sessions
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage:
    """`/console/audit`: how the log is, and who looks."""

    name: str = told("Who is signed in.")
    agency: str = told("Of which agency.")
    roles: tuple[str, ...] = told("In which role.")
    use: str = told("For what you look, as each view's entry says it.")
    at: str = told("When this page was made.")
    healthy: bool = told("Whether a record given now would last.")
    size: int = told("Entries that last; this view is one of them.")
    origin: str = told("The log's name.")
    signed_size: int = told("Entries under the last checkpoint.")
    signed_at: str = told("When that was signed, by the gateway's clock.")
    age_s: int = told("How long ago.")
    late: bool = told("Whether that is longer than a log that is well takes.")
    root: str = told("The root of the tree that it signs: compare it with anybody's copy.")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsePage:
    """`/console/audit/use`: for what somebody looks."""

    uses: tuple[tuple[str, str, str], ...] = told("Each view's entry in the log names it.")
    chosen: str = told("What is named now.", "")


def console_routes(console: Console, look: Look) -> list[Route]:
    async def overview(http: HttpRequest) -> Response:
        session = signed_in(http)
        if session.use not in USES:
            return elsewhere("/console/audit/use")
        now = console.clock()
        await console.view(blank(http, now), session.subject, page="overview", use=session.use)
        return look.page(
            "audit_overview.html", overview_page(console.log, http, now), visit_of(http)
        )

    async def asked_use(http: HttpRequest) -> Response:
        uses = tuple((code, *words) for code, words in USES.items())
        page = UsePage(uses=uses, chosen=signed_in(http).use)
        return look.page("audit_use.html", page, visit_of(http))

    async def said_use(http: HttpRequest) -> Response:
        said = visit_of(http).form.get("use", ())
        if len(said) != 1 or said[0] not in USES:
            raise MalformedRequest("Choose one of the list: for what you look at the record.")
        await console.sessions.use(signed_in(http), said[0])
        return elsewhere("/console/audit")

    return [
        Route("/console/audit", overview, methods=["GET"]),
        Route("/console/audit/use", asked_use, methods=["GET"]),
        Route("/console/audit/use", said_use, methods=["POST"]),
    ]


def overview_page(log: Log, http: HttpRequest, now: datetime) -> OverviewPage:
    """The log as it is now: nothing is counted that it does not hold."""
    session = signed_in(http)
    signed = open_checkpoint(log.checkpoint, log.verifier)
    age_s = (now - signed.signed_at).total_seconds() if signed.signed_at else float("inf")
    return OverviewPage(
        name=session.name or session.subject.id,
        agency=session.subject.agency,
        roles=session.subject.roles,
        use=USES[session.use][0],
        at=utc_text(now),
        healthy=log.healthy,
        size=log.size,
        origin=signed.origin,
        signed_size=signed.size,
        signed_at=utc_text(signed.signed_at) if signed.signed_at else "",
        age_s=max(0, int(age_s)) if signed.signed_at else 0,
        late=age_s > _LATE_S,
        root=signed.root.hex(),
    )
