"""`/desk`: an agency's desk in a browser. Plain HTML, no script, and no way of its own.

What the page shows and does it asks of `gateway/actions`, in documents and with the token of the
session, as an app at `/casework` would: decided by policy and recorded like that, action by action.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.audit.recorder import AuditedResponse
from gateway.catalogue.forms import utc_text
from gateway.errors import Internal
from gateway.model import EMPTY, Request
from gateway.web.access import Form, signed_in, visit_of
from gateway.web.desk_page import DONE, DeskPage, Verdicts, desk_page
from gateway.web.look import Look, elsewhere
from gateway.web.receiving import blank

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What `/desk` needs of the application."""

    act: Callable[[Request], Awaitable[AuditedResponse]]
    verdicts: Callable[[], Verdicts]  # as the policy's table has them
    clock: Callable[[], datetime]


def desk_routes(desk: Desk, look: Look) -> list[Route]:
    pages = _Pages(desk, look)

    async def again(_http: HttpRequest) -> Response:
        """Somebody reloads or shares the address of something that was done."""
        return elsewhere("/desk")

    return [
        Route("/desk", pages.shown, methods=["GET"]),
        Route("/desk/{act}", pages.done, methods=["POST"]),
        Route("/desk/{act}", again, methods=["GET"]),
    ]


class _Pages:
    """The answers to a browser."""

    def __init__(self, desk: Desk, look: Look) -> None:
        self._desk = desk
        self._look = look

    # --- pages ---

    async def shown(self, http: HttpRequest) -> Response:
        """What waits for the desk."""
        return await self._listed(http, done=http.query_params.get("done", ""))

    async def done(self, http: HttpRequest) -> Response:
        """One action of a form, and the page again."""
        name = http.path_params["act"]
        if name not in _ACTS:
            return self._look.missing(visit_of(http))
        document, variables = _ACTS[name]
        answer = await self._act(http, document, variables(visit_of(http).form))
        if "errors" in answer.body:
            return await self._listed(http, problem=_said(answer), status=answer.status)
        if not any(answer.body["data"].values()):
            return await self._listed(http, problem=_GONE, status=404)
        return elsewhere(f"/desk?done={name}")

    # --- parts of them ---

    async def _listed(
        self, http: HttpRequest, *, done: str = "", problem: str = "", status: int = 200
    ) -> Response:
        asked = (self._act(http, document) for document in _LISTS.values())
        answers = dict(zip(_LISTS, await asyncio.gather(*asked), strict=True))
        for one in answers.values():
            if "errors" in one.body and status == 200:
                problem, status = _said(one), one.status
        lists = {
            name: next(iter(one.body["data"].values())) if "data" in one.body else []
            for name, one in answers.items()
        }
        page: DeskPage = desk_page(
            lists, self._desk.verdicts(), signed_in(http), utc_text(self._desk.clock())
        )
        filled = replace(page, problem=problem, done=DONE.get(done, ""))
        return self._look.page("desk.html", filled, visit_of(http), status=status)

    async def _act(
        self, http: HttpRequest, document: str, variables: Mapping[str, Any] = EMPTY
    ) -> AuditedResponse:
        """One action, as an app would send it with the session's token."""
        request = replace(
            blank(http, self._desk.clock()),
            authorization=(f"Bearer {signed_in(http).token}",),
            document=document,
            variables=variables,
        )
        return await self._desk.act(request)


def _said(answer: AuditedResponse) -> str:
    """Why something was not done, in the words that an app would be sent, and whom to ask."""
    error = answer.body["errors"][0]
    more, said = error["extensions"], str(error["message"])
    if desk := more.get("contact"):
        said += f" Ask: {desk}."
    if more["code"] == Internal.code:
        said += f" It is {more['queryId']}."
    return said
