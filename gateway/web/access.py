"""Who opens which page: one table, and one guard that reads it.

Every route of the application has a row in `PAGES`, or the application does not start. The guard
stands before each page: it knows who is signed in, turns away who may not, and takes a form only
from a page of ours that was made for that browser (RFC 6454 tells where it comes from, a keyed mark
in it for whom it was made). What it turns away is recorded as the endpoints' refusals are.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route, compile_path

from gateway.audit.recorder import AuditedResponse
from gateway.audit.uses import SUPERVISORS
from gateway.errors import (
    AuditUnavailable,
    CaseworkUnavailable,
    GatewayError,
    Internal,
    MalformedRequest,
    Refused,
    Unauthenticated,
)
from gateway.model import Request, Subject
from gateway.settings import Limits
from gateway.unforeseen import unforeseen
from gateway.web.cookies import (
    NO_SESSION,
    SESSION,
    Browser,
    Keys,
    browser_cookie,
    browser_of,
)
from gateway.web.look import Look, elsewhere, told
from gateway.web.receiving import blank, check_headers, form_of
from gateway.web.sessions import Session, Sessions
from gateway.web.times import UTC_ZONE

_log = logging.getLogger(__name__)

Form: TypeAlias = Mapping[str, Sequence[str]]
Page: TypeAlias = Callable[[HttpRequest], Awaitable[Response]]
Refuse: TypeAlias = Callable[[Request, GatewayError, Subject | None], Awaitable[AuditedResponse]]


class Everyone(StrEnum):
    """Who opens a page that is not for some roles alone."""

    OPEN = "open"  # machines and files: nobody is looked at, no form is taken
    BEARER = "bearer"  # asks for an access token itself; no cookie is looked at
    ANYBODY = "anybody"
    SIGNED_IN = "signed in"


DESKS: Final = frozenset({"desk"})
STANDARDS: Final = frozenset({"professional_standards"})
EXTERNAL: Final = frozenset({"external_auditor"})
AGENCY_AUDITORS: Final = STANDARDS | {"force_auditor"}
AUDITORS: Final = AGENCY_AUDITORS | EXTERNAL
REVIEWERS: Final = AUDITORS | SUPERVISORS

PAGES: Final[Mapping[tuple[str, str], Everyone | frozenset[str]]] = {
    ("*", "/graphql"): Everyone.BEARER,
    ("*", "/casework"): Everyone.BEARER,
    ("*", "/audit"): Everyone.BEARER,
    ("GET", "/health/live"): Everyone.OPEN,
    ("GET", "/health/ready"): Everyone.OPEN,
    ("GET", "/metrics"): Everyone.OPEN,
    ("GET", "/audit/log/checkpoint"): Everyone.OPEN,
    ("GET", "/audit/log/tile/{path:path}"): Everyone.OPEN,
    ("GET", "/static/{name}"): Everyone.OPEN,
    ("GET", "/"): Everyone.ANYBODY,
    ("GET", "/tour/{step}"): Everyone.ANYBODY,
    ("POST", "/tour/{step}"): Everyone.ANYBODY,
    ("GET", "/about"): Everyone.ANYBODY,
    ("GET", "/sign-in"): Everyone.ANYBODY,
    ("POST", "/sign-in"): Everyone.ANYBODY,
    ("GET", "/sign-in/callback"): Everyone.ANYBODY,
    ("GET", "/signed-out"): Everyone.ANYBODY,
    ("GET", "/account"): Everyone.SIGNED_IN,
    ("POST", "/time-zone"): Everyone.SIGNED_IN,
    ("POST", "/sign-out"): Everyone.SIGNED_IN,
    ("GET", "/desk"): DESKS,
    ("GET", "/desk/{act}"): DESKS,
    ("POST", "/desk/{act}"): DESKS,
    ("GET", "/recalls"): DESKS,
    ("POST", "/recalls"): DESKS,
    ("GET", "/console/audit"): AUDITORS,
    ("GET", "/console/audit/use"): AUDITORS,
    ("POST", "/console/audit/use"): AUDITORS,
    ("GET", "/console/audit/search"): AUDITORS,
    ("POST", "/console/audit/search"): AUDITORS,
    ("GET", "/console/audit/timeline"): AUDITORS,
    ("POST", "/console/audit/timeline"): AUDITORS,
    ("GET", "/console/audit/entry/{index}"): AUDITORS,
    ("GET", "/console/audit/entry/{index}/proof"): AUDITORS,
    ("GET", "/console/audit/receipts"): AGENCY_AUDITORS,
    ("POST", "/console/audit/receipts"): AGENCY_AUDITORS,
    ("GET", "/console/audit/export"): AUDITORS,
    ("POST", "/console/audit/export"): AUDITORS,
    ("GET", "/console/audit/report"): AUDITORS,
    ("GET", "/console/audit/matters"): AUDITORS,
    ("POST", "/console/audit/matters"): EXTERNAL,
    ("GET", "/console/audit/matters/{id}"): AUDITORS,
    ("POST", "/console/audit/matters/{id}"): AGENCY_AUDITORS,
    ("GET", "/console/audit/matters/{id}/body"): EXTERNAL,
    ("GET", "/console/audit/rights"): AGENCY_AUDITORS,
    ("POST", "/console/audit/rights"): AGENCY_AUDITORS,
    ("POST", "/console/audit/rights/report"): AGENCY_AUDITORS,
    ("GET", "/console/audit/pairs"): STANDARDS,
    ("POST", "/console/audit/pairs"): STANDARDS,
    ("POST", "/console/audit/pairs/{id}"): STANDARDS,
    ("GET", "/console/audit/misuse"): AUDITORS,
    ("GET", "/console/audit/misuse/{case}"): AUDITORS,
    ("POST", "/console/audit/misuse/{case}"): AUDITORS,
    ("GET", "/console/audit/samples"): AUDITORS,
    ("POST", "/console/audit/samples"): AUDITORS,
    ("GET", "/console/audit/samples/{id}"): AUDITORS,
    ("GET", "/reviews"): REVIEWERS,
    ("GET", "/reviews/{id}"): REVIEWERS,
    ("POST", "/reviews/{id}"): REVIEWERS,
    ("GET", "/searches"): Everyone.SIGNED_IN,
    ("POST", "/searches"): Everyone.SIGNED_IN,
    ("GET", "/searches/{index}"): Everyone.SIGNED_IN,
}
"""Route -> who opens it. A role is what the agency's issuer says of somebody (`roles`)."""

PLACES: Final = (
    ("/", "Tour"),
    ("/desk", "Desk"),
    ("/recalls", "Recalls"),
    ("/console/audit", "Audit"),
    ("/reviews", "Reviews"),
    ("/searches", "Your searches"),
    ("/about", "About"),
)
"""The pages that the frame of each page points to, for whom they open."""

_WITHIN: Final[Mapping[str, str]] = {"/reviews": "/console/audit"}
"""Pages to which others lead, where those open: the frame need not."""

_LOOPBACK: Final = re.compile(r"(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d{1,5})?")
_LOCAL: Final = re.compile(r"/[A-Za-z0-9/_-]{0,200}")
_ASKED: Final = re.compile(r"(?!done=)[a-z]{1,20}=[A-Za-z0-9_-]{0,4000}")
_ENDED: Final = "You are not signed in any more, so nothing was done. Sign in again to go on."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemPage:
    """In the place of a page that there is not."""

    title: str = told("What happened, in a few words.")
    text: str = told("What is wrong, and what to do.")
    link: str = told("Where to go on.")
    link_text: str = told("What is there.")


@dataclass(slots=True, kw_only=True)
class Visit:
    """One request of a browser, and who sits before it."""

    keys: Keys
    browser: Browser | None
    session: Session | None
    places: tuple[tuple[str, str], ...]
    offers_sign_in: bool
    here: str = ""  # the address that was asked for, as far as a form may lead back to it
    form: Form = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)  # that the answer sets

    @property
    def who(self) -> str:
        if self.session is None:
            return ""
        subject = self.session.subject
        return f"{self.session.name or subject.id}, {subject.agency}"

    @property
    def zone(self) -> ZoneInfo:
        return self.session.zone if self.session else UTC_ZONE

    @property
    def csrf(self) -> str:
        """The mark of a form that is made now; a browser without a number is given one."""
        if self.session is None and self.browser is None:
            self.keep(Browser.new())
        return self.keys.mark(self._whose())

    def keep(self, browser: Browser) -> None:
        """Have the browser keep this."""
        self.browser = browser
        self.cookies.append(browser_cookie(browser, self.keys))

    def fits(self, said: Sequence[str]) -> bool:
        """Whether a form's mark was made for this visitor."""
        known = self.session is not None or self.browser is not None
        return known and len(said) == 1 and self.keys.fits(self._whose(), said[0])

    def _whose(self) -> str:
        if self.session is not None:
            return f"session {self.session.digest}"
        return f"browser {self.browser.id if self.browser else ''}"


def visit_of(http: HttpRequest) -> Visit:
    """Who looks at a page that the guard has opened."""
    visit: Visit = http.state.visit
    return visit


def signed_in(http: HttpRequest) -> Session:
    """Who is signed in at a page that nobody else opens."""
    session = visit_of(http).session
    if session is None:
        raise Unauthenticated(detail="a page for those who are signed in was opened to nobody")
    return session


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The guard. Without `sessions` nobody can sign in, and only what is anybody's opens."""

    look: Look
    keys: Keys
    sessions: Sessions | None
    limits: Limits
    clock: Callable[[], datetime]
    refuse: Refuse
    origin: str = ""  # of the gateway, as browsers see it

    def guarded(self, routes: Sequence[Route]) -> list[Route]:
        """The same routes, each behind the guard.

        Raises:
            LookupError: one has no row, so nobody said who may open it.
        """
        there = {route.path for route in routes}
        places = tuple(place for place in PLACES if place[0] in there)
        return [self._guarded(route, places) for route in routes]

    def _guarded(self, route: Route, places: tuple[tuple[str, str], ...]) -> Route:
        methods = (route.methods or {"*"}) - {"HEAD"}
        rows = {method: row_of(method, route.path) for method in methods}
        if set(rows.values()) <= {Everyone.OPEN, Everyone.BEARER}:
            return route
        page: Page = route.endpoint

        async def opened(http: HttpRequest) -> Response:
            method = "GET" if http.method == "HEAD" else http.method
            return await self._answered(http, rows[method], page, places)

        return Route(route.path, opened, methods=sorted(methods))

    async def _answered(
        self,
        http: HttpRequest,
        who: Everyone | frozenset[str],
        page: Page,
        places: tuple[tuple[str, str], ...],
    ) -> Response:
        """A page, or in its place one that says why there is none and what to do."""
        visit = Visit(
            keys=self.keys,
            browser=None,
            session=None,
            places=self._open_to(None, places),
            offers_sign_in=self.sessions is not None,
            here=back_to(_address(http)),
        )
        http.state.visit = visit
        try:
            response = await self._opened(http, visit, who, page, places)
        except AuditUnavailable as error:
            _log.error("not recorded: %s", error.detail)
            response = self._problem(AuditUnavailable(), visit)
        except GatewayError as error:
            response = await self._refused(http, visit, error)
        except ClientDisconnect:
            left = MalformedRequest(detail="the caller left before the form was whole")
            response = await self._refused(http, visit, left)
        except Exception as error:
            _log.error("a page failed: %s", unforeseen(error))
            response = self._problem(Internal(), visit)
        response.headers["Cache-Control"] = "no-store"
        for cookie in visit.cookies:
            response.headers.append("Set-Cookie", cookie)
        return response

    async def _opened(
        self,
        http: HttpRequest,
        visit: Visit,
        who: Everyone | frozenset[str],
        page: Page,
        places: tuple[tuple[str, str], ...],
    ) -> Response:
        check_headers(http, self.limits)
        unsafe = http.method not in ("GET", "HEAD")
        if unsafe:
            self._check_origin(http)
        visit.browser = browser_of(http, self.keys)
        visit.session = await self._session(http, visit, who)
        visit.places = self._open_to(visit.session, places)
        if visit.session is None and who is not Everyone.ANYBODY:
            if unsafe or http.cookies.get(SESSION):
                raise Unauthenticated(_ENDED, detail="a page for those who are signed in")
            return elsewhere(f"/sign-in?{urlencode({'next': http.scope['path']})}")
        if unsafe:
            visit.form = await form_of(http, self.limits)
            if not visit.fits(visit.form.get("csrf", ())):
                raise not_ours()
        if visit.session is not None and not opens(who, visit.session.subject):
            raise Refused(
                f"It opens to: {_in_words(who)}. You are signed in as {visit.who}. If you should "
                "have such a role, ask whoever keeps your agency's directory.",
                rule="pages.role",
                detail=f"{http.method} {http.scope['path']}",
            )
        return await page(http)

    async def _session(
        self, http: HttpRequest, visit: Visit, who: Everyone | frozenset[str]
    ) -> Session | None:
        """Who is signed in. A cookie that is worth nothing is taken away, and told of where
        somebody would rest on it."""
        if self.sessions is None:
            return None
        try:
            return await self.sessions.of(http)
        except Unauthenticated as error:
            visit.cookies.append(NO_SESSION)
            if who is Everyone.ANYBODY:
                return None
            raise Unauthenticated(_ENDED, detail=error.detail) from error
        except CaseworkUnavailable:
            if who is Everyone.ANYBODY:
                return None
            raise

    def _check_origin(self, http: HttpRequest) -> None:
        """Refuse a form that no page of this very gateway sent: by its own address, or by that of
        this machine."""
        host = http.headers.get("host", "")
        own = {self.origin or f"https://{host}"}
        own |= {f"http://{host}"} if _LOOPBACK.fullmatch(host) else set()
        said = http.headers.getlist("origin")
        if len(said) != 1 or said[0] not in own:
            raise not_ours()

    def _open_to(
        self, session: Session | None, places: tuple[tuple[str, str], ...]
    ) -> tuple[tuple[str, str], ...]:
        subject = session.subject if session else None
        found = {
            place[0]: place
            for place in places
            for who in (row_of("GET", place[0]),)
            if who is Everyone.ANYBODY or (subject is not None and opens(who, subject))
        }
        return tuple(place for path, place in found.items() if _WITHIN.get(path) not in found)

    async def _refused(self, http: HttpRequest, visit: Visit, error: GatewayError) -> Response:
        """What was turned away, recorded, and said in a page."""
        subject = visit.session.subject if visit.session else None
        try:
            await self.refuse(blank(http, self.clock()), error, subject)
        except AuditUnavailable as unrecorded:
            _log.error("not recorded: %s", unrecorded.detail)
            error = AuditUnavailable()
        return self._problem(error, visit)

    def _problem(self, error: GatewayError, visit: Visit) -> Response:
        title, link, link_text = "That did not work", "/about", "About this service"
        if isinstance(error, Unauthenticated):
            title, link, link_text = "You are not signed in", "/sign-in", "Sign in"
        elif isinstance(error, Refused):
            title, link, link_text = (
                "This page is not for your role",
                "/account",
                "What opens to you",
            )
        elif visit.places:
            link, link_text = visit.places[0]
        page = ProblemPage(title=title, text=error.said, link=link, link_text=link_text)
        return self.look.page("problem.html", page, visit, status=error.status)


def row_of(method: str, path: str) -> Everyone | frozenset[str]:
    """Who opens a route.

    Raises:
        LookupError: nobody said.
    """
    if (found := PAGES.get((method, path))) is None:
        raise LookupError(f"{method} {path} has no row in PAGES: nobody said who may open it")
    return found


def opens(who: Everyone | frozenset[str], subject: Subject) -> bool:
    """Whether a page opens to somebody who is signed in."""
    if isinstance(who, Everyone):
        return who in (Everyone.ANYBODY, Everyone.SIGNED_IN)
    return not who.isdisjoint(subject.roles)


_FOR_ALL: Final = (Everyone.OPEN, Everyone.BEARER, Everyone.ANYBODY)
_LEADS: Final = tuple(
    compile_path(path)[0]
    for (method, path), who in PAGES.items()
    if method == "GET" and (path in dict(PLACES) or who not in _FOR_ALL)
)


def local(address: str) -> str:
    """An address to go on to after signing in: a page of ours that is known, else ""."""
    known = _LOCAL.fullmatch(address) and any(one.fullmatch(address) for one in _LEADS)
    return address if known else ""


def back_to(address: str) -> str:
    """An address of a page of ours with what it asks for, as links of ours have it, but not that
    something was done; that of the page above where a form alone is taken there; else ""."""
    path, _, query = address.partition("?")
    if local(path):
        asked = "&".join(one for one in query.split("&", 9)[:9] if _ASKED.fullmatch(one))
        return f"{path}?{asked}" if asked else path
    above = path.rpartition("/")[0]
    return back_to(above) if len(above) > 1 and _LOCAL.fullmatch(above) else ""


def _address(http: HttpRequest) -> str:
    """What a browser shows above the page; what a form sent is not in it."""
    query = http.scope["query_string"].decode("latin-1") if http.method == "GET" else ""
    return f"{http.scope['path']}?{query}" if query else str(http.scope["path"])


def not_ours() -> MalformedRequest:
    return MalformedRequest(
        "This form does not come from the page as you have it now, so nothing was done. "
        "Open the page again and repeat what you did.",
        detail="a form of another origin or session",
        status=403,
    )


def _in_words(who: Everyone | frozenset[str]) -> str:
    if isinstance(who, Everyone):
        return "those who are signed in"
    return ", ".join(sorted(role.replace("_", " ") for role in who))
