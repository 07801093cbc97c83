"""`/desk`: an agency's desk in a browser. Plain HTML, no script, and no way of its own.

What the page shows and does it asks of `gateway/actions`, in documents and with the token, as an
app at `/casework` would: decided by policy and recorded like that, action by action. Signing in is
for now bringing an access token along; whatever else puts one into the session may replace that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, TypeAlias

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.audit.recorder import AuditedResponse
from gateway.catalogue.forms import utc_text
from gateway.errors import (
    AuditUnavailable,
    GatewayError,
    Internal,
    MalformedRequest,
    Unauthenticated,
    where_it_failed,
)
from gateway.model import EMPTY, Request, Subject
from gateway.settings import Limits
from gateway.web.access import NAME, NO_COOKIE, Session, Sessions, check_csrf, check_origin
from gateway.web.desk_page import DONE, DeskPage, ProblemPage, SignInPage, Verdicts, desk_page
from gateway.web.look import Look, elsewhere
from gateway.web.receiving import blank, check_headers, form_of

_log = logging.getLogger(__name__)

Form: TypeAlias = Mapping[str, Sequence[str]]

_NOTICE: Final = """id at about subject agency desk key askedBy dueAt escalatedAt acknowledgedAt
  acknowledgedBy"""
_LISTS: Final = {
    "requests": """query DeskRequests { deskQueue(first: 200) { id state at dueAt urgency entity key
      fields minutes askedBy purpose reasonCode reasonText caseRef } }""",
    "released": """query DeskReleased { standingReleases(first: 200) { id key entity granted until
      askedBy purpose caseRef } }""",
    "notices": f"query DeskNotices {{ notices(first: 200) {{ {_NOTICE} }} }}",
    "acknowledged": f"""query DeskAcknowledged {{ notices(first: 20, acknowledged: true) {{
      {_NOTICE} }} }}""",
}
_ACKNOWLEDGE: Final = "mutation DeskAcknowledge($id: ID!) { acknowledgeNotice(id: $id) { id } }"
_DECIDE: Final = """mutation DeskDecide($id: ID!, $grant: GrantInput, $refusal: String) {
  decideRelease(id: $id, grant: $grant, refusal: $refusal) { id } }"""
_REVOKE: Final = """mutation DeskRevoke($id: ID!, $code: String!) {
  revokeRelease(id: $id, code: $code) { id } }"""
_GONE: Final = (
    "Nothing waits for you under that name: a colleague may have been quicker. "
    "What waits now stands below."
)


def _one(form: Form, name: str) -> str:
    return next(iter(form.get(name, ())), "")


def _granted(form: Form) -> dict[str, Any]:
    grant = {"fields": list(form.get("field", ())), "until": _one(form, "until")}
    return {"id": _one(form, "id"), "grant": grant}


_ACTS: Final[Mapping[str, tuple[str, Callable[[Form], dict[str, Any]]]]] = {
    "acknowledge": (_ACKNOWLEDGE, lambda form: {"id": _one(form, "id")}),
    "grant": (_DECIDE, _granted),
    "refuse": (
        _DECIDE,
        lambda form: {"id": _one(form, "id"), "refusal": _one(form, "refusal")},
    ),
    "revoke": (_REVOKE, lambda form: {"id": _one(form, "id"), "code": _one(form, "code")}),
}
"""What a form does: the document, and its variables."""


async def _no_token(_persona: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Canned:
    """People of the demonstration who sign in by one button."""

    people: Mapping[str, str] = field(default_factory=dict)  # code -> who it is
    token: Callable[[str], Awaitable[str | None]] = _no_token


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What `/desk` needs of the application."""

    act: Callable[[Request], Awaitable[AuditedResponse]]
    refuse: Callable[[Request, GatewayError], Awaitable[AuditedResponse]]
    authenticate: Callable[[Sequence[str]], Awaitable[Subject]]
    verdicts: Callable[[], Verdicts]  # as the policy's table has them
    sessions: Sessions
    limits: Limits
    clock: Callable[[], datetime]
    canned: Canned = field(default_factory=Canned)


def desk_routes(desk: Desk, look: Look) -> list[Route]:
    pages = _Pages(desk, look)

    async def again(_http: HttpRequest) -> Response:
        """Somebody reloads or shares the address of something that was done."""
        return elsewhere("/desk")

    return [
        Route("/desk", pages.within(pages.shown), methods=["GET"]),
        Route("/desk/sign-in", pages.within(pages.signed_in), methods=["POST"]),
        Route("/desk/sign-out", pages.within(pages.signed_out), methods=["POST"]),
        Route("/desk/{act}", pages.within(pages.done), methods=["POST"]),
        Route("/desk/{act}", again, methods=["GET"]),
    ]


class _Pages:
    """The answers to a browser."""

    def __init__(self, desk: Desk, look: Look) -> None:
        self._desk = desk
        self._look = look

    def within(
        self, page: Callable[[HttpRequest], Awaitable[Response]]
    ) -> Callable[[HttpRequest], Awaitable[Response]]:
        """A page, or in its place one that says why there is none and what to do."""

        async def answered(http: HttpRequest) -> Response:
            try:
                check_headers(http, self._desk.limits)
                return await page(http)
            except AuditUnavailable as error:
                _log.error("not recorded: %s", error.detail)
                return self._problem(AuditUnavailable())
            except GatewayError as error:
                return await self._refused(http, error)
            except ClientDisconnect:
                left = MalformedRequest(detail="the caller left before the form was whole")
                return await self._refused(http, left)
            except Exception as error:
                _log.error("a page failed: %s", where_it_failed(error))
                return self._problem(Internal())

        return answered

    # --- pages ---

    async def shown(self, http: HttpRequest) -> Response:
        """What waits for the desk; for nobody, the sign-in."""
        session = self._session(http)
        if session is None:
            return self._ended() if NAME in http.cookies else self._sign_in()
        return await self._listed(http, session, done=http.query_params.get("done", ""))

    async def signed_in(self, http: HttpRequest) -> Response:
        """A session for who brings a token that is accepted, as any app's would be."""
        desk = self._desk
        check_origin(http)
        form = await form_of(http, desk.limits)
        token: str | None = _one(form, "token").strip()
        if (persona := _one(form, "persona")) in desk.canned.people:
            token = await desk.canned.token(persona)
        if not token:
            return self._sign_in("Paste an access token first.", status=400)
        try:
            subject = await desk.authenticate((f"Bearer {token}",))
            session = Session.of(subject, token)
            cookie = desk.sessions.cookie(session, desk.clock())
        except Unauthenticated as error:
            await desk.refuse(blank(http, desk.clock()), error)
            return self._sign_in(
                "This token is not accepted. It may be cut off, too old, or meant for another "
                "service: have your agency's sign-in give you a new one, and paste it whole.",
                status=401,
            )
        except ValueError:
            return self._sign_in(
                "This token is too long for a browser to keep. Use the command line with it, "
                "or ask your agency's directory for one with fewer claims.",
                status=400,
            )
        return _with_cookie(elsewhere("/desk"), cookie)

    async def signed_out(self, http: HttpRequest) -> Response:
        session, _form = await self._own_form(http)
        if session is None:
            return self._ended()
        return _with_cookie(elsewhere("/desk"), NO_COOKIE)

    async def done(self, http: HttpRequest) -> Response:
        """One action of a form, and the page again."""
        name = http.path_params["act"]
        if name not in _ACTS:
            return self._look.missing()
        session, form = await self._own_form(http)
        if session is None:
            return self._ended()
        document, variables = _ACTS[name]
        answer = await self._act(http, session, document, variables(form))
        if answer.status == Unauthenticated.status:
            return self._ended()
        if "errors" in answer.body:
            said = _said(answer)
            return await self._listed(http, session, problem=said, status=answer.status)
        if not any(answer.body["data"].values()):
            return await self._listed(http, session, problem=_GONE, status=404)
        return elsewhere(f"/desk?done={name}")

    # --- parts of them ---

    async def _listed(
        self,
        http: HttpRequest,
        session: Session,
        *,
        done: str = "",
        problem: str = "",
        status: int = 200,
    ) -> Response:
        asked = (self._act(http, session, document) for document in _LISTS.values())
        answers = dict(zip(_LISTS, await asyncio.gather(*asked), strict=True))
        if any(one.status == Unauthenticated.status for one in answers.values()):
            return self._ended()
        for one in answers.values():
            if "errors" in one.body and status == 200:
                problem, status = _said(one), one.status
        lists = {
            name: next(iter(one.body["data"].values())) if "data" in one.body else []
            for name, one in answers.items()
        }
        page: DeskPage = desk_page(
            lists, self._desk.verdicts(), session, utc_text(self._desk.clock())
        )
        filled = replace(page, problem=problem, done=DONE.get(done, ""))
        return self._look.page("desk.html", filled, status=status)

    async def _act(
        self,
        http: HttpRequest,
        session: Session,
        document: str,
        variables: Mapping[str, Any] = EMPTY,
    ) -> AuditedResponse:
        """One action, as an app would send it with the session's token."""
        request = replace(
            blank(http, self._desk.clock()),
            authorization=(f"Bearer {session.token}",),
            document=document,
            variables=variables,
        )
        return await self._desk.act(request)

    async def _own_form(self, http: HttpRequest) -> tuple[Session | None, Form]:
        """Who is signed in, and the form that a page of theirs sent.

        Raises:
            MalformedRequest: it is no such form.
        """
        check_origin(http)
        form = await form_of(http, self._desk.limits)
        session = self._session(http)
        if session is not None:
            check_csrf(session, form)
        return session, form

    def _session(self, http: HttpRequest) -> Session | None:
        return self._desk.sessions.opened(http, self._desk.clock())

    def _sign_in(self, problem: str = "", status: int = 200) -> Response:
        people = tuple(self._desk.canned.people.items())
        page = SignInPage(problem=problem, people=people)
        return self._look.page("sign_in.html", page, status=status)

    def _ended(self) -> Response:
        said = "You are not signed in any more, so nothing was done. Sign in again to go on."
        return _with_cookie(self._sign_in(said, status=401), NO_COOKIE)

    async def _refused(self, http: HttpRequest, error: GatewayError) -> Response:
        """A request that was not read to its end, recorded as the endpoints' are."""
        try:
            await self._desk.refuse(blank(http, self._desk.clock()), error)
        except AuditUnavailable as unrecorded:
            _log.error("not recorded: %s", unrecorded.detail)
            error = AuditUnavailable()
        return self._problem(error)

    def _problem(self, error: GatewayError) -> Response:
        return self._look.page("problem.html", ProblemPage(text=error.said), status=error.status)


def _with_cookie(response: Response, cookie: str) -> Response:
    response.headers["Set-Cookie"] = cookie
    response.headers["Cache-Control"] = "no-store"
    return response


def _said(answer: AuditedResponse) -> str:
    """Why something was not done, in the words that an app would be sent, and whom to ask."""
    error = answer.body["errors"][0]
    more, said = error["extensions"], str(error["message"])
    if desk := more.get("contact"):
        said += f" Ask: {desk}."
    if more["code"] == Internal.code:
        said += f" It is {more['queryId']}."
    return said
