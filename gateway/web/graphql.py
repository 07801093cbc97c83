"""The endpoint: GraphQL over HTTP, from the first byte of a request to the last of its answer.

    check headers -> negotiate -> receive -> answer() -> send
          \\________________\\___________\\
                    refuse(): recorded too, then sent

The caller who hangs up stops the work: the query is cancelled and recorded as such.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.types import Receive, Scope, Send

from gateway.audit.recorder import AuditedResponse
from gateway.errors import AuditUnavailable, GatewayError, MalformedRequest
from gateway.model import Request
from gateway.settings import Limits
from gateway.unforeseen import unforeseen
from gateway.web.negotiation import Media, negotiated
from gateway.web.receiving import blank, check_headers, received
from gateway.web.sending import Constant, sent

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphqlEndpoint:
    """`Route("/graphql", GraphqlEndpoint(...))`: every method comes here, so each is recorded."""

    answer: Callable[[Request], Coroutine[Any, Any, AuditedResponse]]
    refuse: Callable[[Request, GatewayError], Awaitable[AuditedResponse]]
    limits: Limits
    clock: Callable[[], datetime]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        http = HttpRequest(scope, receive)
        media = _media(http)
        try:
            outcome = await self._outcome(http, media)
        except AuditUnavailable as error:
            _log.error("not recorded: %s", error.detail)
            outcome = Constant.AUDIT_UNAVAILABLE
        except Exception as error:  # what pipeline.answer did not foresee
            _log.error("a query failed outside the pipeline: %s", unforeseen(error))
            outcome = Constant.INTERNAL
        await sent(outcome, media if isinstance(media, Media) else Media.JSON)(scope, receive, send)

    async def _outcome(
        self, http: HttpRequest, media: Media | MalformedRequest
    ) -> AuditedResponse | Constant:
        request = blank(http, self.clock())
        try:
            check_headers(http, self.limits)
            if isinstance(media, MalformedRequest):
                raise media
            request = await received(http, request, self.limits)
        except GatewayError as error:
            return await self.refuse(request, error)
        except ClientDisconnect:
            left = MalformedRequest(detail="the caller left before the request was whole")
            await self.refuse(request, left)
            return Constant.CLIENT_GONE
        return await _unless_gone(http, self.answer(request))


def _media(http: HttpRequest) -> Media | MalformedRequest:
    """The media type of the answer, or why there is none; the refusal too has to be sent."""
    try:
        return negotiated(", ".join(http.headers.getlist("accept")) or None)
    except MalformedRequest as error:
        return error


async def _unless_gone(
    http: HttpRequest, work: Coroutine[Any, Any, AuditedResponse]
) -> AuditedResponse | Constant:
    """The answer; or, if its caller hangs up first, the work cancelled and recorded as such."""
    async with asyncio.TaskGroup() as group:
        working = group.create_task(_settled(work))
        watching = group.create_task(_gone(http))
        await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
            await asyncio.wait((working,))
        watching.cancel()
    if working.cancelled():
        return Constant.CLIENT_GONE
    result = working.result()
    if isinstance(result, Exception):
        raise result
    return result


async def _settled(
    work: Coroutine[Any, Any, AuditedResponse],
) -> AuditedResponse | Exception:
    """What became of the work, a failure as a value: a task group would wrap it."""
    try:
        return await work
    except Exception as error:
        return error


async def _gone(http: HttpRequest) -> None:
    """Return once the caller has hung up."""
    while (await http.receive())["type"] != "http.disconnect":
        pass
