"""`/time-zone`: the form in the foot of each page by which its times are had in another zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.errors import MalformedRequest
from gateway.web.access import ProblemPage, Refuse, back_to, signed_in, visit_of
from gateway.web.look import Look, elsewhere
from gateway.web.receiving import blank
from gateway.web.sessions import Sessions
from gateway.web.times import zone_of

HERE: Final = "/time-zone"


def zone_routes(
    sessions: Sessions, look: Look, refuse: Refuse, clock: Callable[[], datetime]
) -> list[Route]:
    async def chosen(http: HttpRequest) -> Response:
        """The session with another zone, and back to the page that the form was in."""
        visit, session = visit_of(http), signed_in(http)
        back = back_to("".join(visit.form.get("back", ())[:1])) or "/account"
        try:
            zone = zone_of("".join(visit.form.get("zone", ())).strip())
        except MalformedRequest as error:
            await refuse(blank(http, clock()), error, session.subject)
            text = f"{error.said} Times stay in {session.zone.key}."
            visit.here = back
            page = ProblemPage(
                title="Nothing was changed", text=text, link=back, link_text="Back to the page"
            )
            return look.page("problem.html", page, visit, status=error.status)
        await sessions.in_zone(session, zone)
        return elsewhere(back)

    return [Route(HERE, chosen, methods=["POST"])]
