"""Signing in and out, and who is signed in: the pages around a session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.catalogue.forms import utc_text
from gateway.errors import MalformedRequest, Unauthenticated
from gateway.identity.signing_in import SigningIn
from gateway.web.access import local, signed_in, visit_of
from gateway.web.cookies import NO_SESSION, Browser, Pending, session_cookie
from gateway.web.look import Look, elsewhere, told
from gateway.web.sessions import Sessions

_MOST_SAID = 20  # parameters of an issuer's answer
_AGAIN = (
    "Your agency's sign-in sent you back, but you are not signed in here: it was given up, took "
    "too long, or was begun in another window. Nothing is wrong with your account."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An agency's sign-in, or that of a unit with one of its own."""

    issuer: str = told("Its issuer, as the settings name it.")
    agency: str = told("The agency.")
    unit: str = told("Its unit.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInPage:
    """`/sign-in`: where somebody works."""

    choices: tuple[Choice, ...] = told("The agencies whose people can sign in.")
    to: str = told("Where it leads.", "")
    demo: bool = told("Whether this is the demonstration, with invented people.", False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOutPage:
    """`/signed-out`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage:
    """`/account`: who is signed in."""

    name: str = told("You, as your agency's sign-in calls you.")
    id: str = told("The name by which your agency knows you, and the record too.")
    agency: str = told("Your agency.")
    roles: tuple[str, ...] = told("What your agency says that you do; pages open by it.")
    ends: str = told("When you are signed out at the latest.")
    idle_min: int = told("After so many minutes without a page you are signed out earlier.")
    places: tuple[tuple[str, str], ...] = told("What opens to you.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """What signing in needs of the application."""

    signing_in: SigningIn
    sessions: Sessions
    choices: Sequence[Choice]
    signed_out_url: str  # as issuers know it
    idle_min: int
    clock: Callable[[], datetime]
    demo: bool = False


def sign_in_routes(given: SignIn, look: Look) -> list[Route]:
    pages = _Pages(given, look)

    async def signed_out(http: HttpRequest) -> Response:
        return look.page("signed_out.html", SignedOutPage(), visit_of(http))

    return [
        Route("/sign-in", pages.choose, methods=["GET"]),
        Route("/sign-in", pages.begin, methods=["POST"]),
        Route("/sign-in/callback", pages.end, methods=["GET"]),
        Route("/account", pages.account, methods=["GET"]),
        Route("/sign-out", pages.sign_out, methods=["POST"]),
        Route("/signed-out", signed_out, methods=["GET"]),
    ]


class _Pages:
    """The answers to a browser."""

    def __init__(self, given: SignIn, look: Look) -> None:
        self._given = given
        self._look = look

    async def choose(self, http: HttpRequest) -> Response:
        """Which agency's sign-in."""
        to = local(http.query_params.get("next", ""))
        if visit_of(http).session is not None:
            return elsewhere(to or "/account")
        page = SignInPage(choices=tuple(self._given.choices), to=to, demo=self._given.demo)
        return self._look.page("sign_in.html", page, visit_of(http))

    async def begin(self, http: HttpRequest) -> Response:
        """Off to an agency's sign-in; the browser keeps what it must bring back."""
        visit = visit_of(http)
        issuer = next(iter(visit.form.get("issuer", ())), "")
        if issuer not in self._given.signing_in.issuers:
            raise MalformedRequest("Choose an agency from the list.")
        address, begun = await self._given.signing_in.begin(issuer)
        to = local(next(iter(visit.form.get("next", ())), ""))
        pending = Pending(begun=begun, to=to, at=self._given.clock())
        visit.keep((visit.browser or Browser.new()).beginning(pending))
        return elsewhere(address)

    async def end(self, http: HttpRequest) -> Response:
        """Back from it: a new session for who came, if this very browser was sent."""
        visit, now = visit_of(http), self._given.clock()
        try:
            said = parse_qs(
                http.scope["query_string"].decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=_MOST_SAID,
            )
            states = said.get("state", [])
        except ValueError as error:
            raise Unauthenticated(_AGAIN, detail="signing in: no answer", status=400) from error
        if visit.browser is None or len(states) != 1:
            text = "signing in: no state, or not in this browser"
            raise Unauthenticated(_AGAIN, detail=text, status=400)
        pending, browser = visit.browser.ending(states[0], now)
        if pending is None:
            text = "signing in: a state that this browser has not begun, or has ended"
            raise Unauthenticated(_AGAIN, detail=text, status=400)
        visit.keep(browser)  # whatever comes of it: a state ends once
        try:
            who = await self._given.signing_in.finish(pending.begun, said)
        except Unauthenticated as error:
            away = error.status == 503
            raise Unauthenticated(
                error.said if away else _AGAIN, detail=error.detail, status=503 if away else 400
            ) from error
        if visit.session is not None:
            await self._given.sessions.end(visit.session)
        session = await self._given.sessions.open(who, http.client.host if http.client else "")
        visit.cookies.append(session_cookie(session.number, session.ends - now))
        return elsewhere(pending.to or "/account")

    async def account(self, http: HttpRequest) -> Response:
        """Who is signed in, and what opens to them."""
        visit, session = visit_of(http), signed_in(http)
        page = AccountPage(
            name=session.name or session.subject.id,
            id=session.subject.id,
            agency=session.subject.agency,
            roles=session.subject.roles,
            ends=utc_text(session.ends),
            idle_min=self._given.idle_min,
            places=visit.places,
        )
        return self._look.page("account.html", page, visit)

    async def sign_out(self, http: HttpRequest) -> Response:
        """The end of the session here, and of the issuer's own if it can be asked for."""
        session = signed_in(http)
        await self._given.sessions.end(session)
        visit_of(http).cookies.append(NO_SESSION)
        issuer = session.subject.issuer
        there = None
        if issuer in self._given.signing_in.issuers:
            there = await self._given.signing_in.end(issuer, self._given.signed_out_url)
        return elsewhere(there or "/signed-out")
