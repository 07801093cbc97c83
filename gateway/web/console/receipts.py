"""`/console/audit/receipts`: which of the own agency's records were shown, to whom and for what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.audit.found import Receipts
from gateway.audit.sought import Sought
from gateway.errors import LimitExceeded, MalformedRequest, Refused
from gateway.web.access import signed_in
from gateway.web.console.asking import Said, asked_in, sought_of
from gateway.web.console.frame import USE, Choices, Console
from gateway.web.console.rows import ReceiptLine, receipt_line
from gateway.web.console.searching import PAGE, sending
from gateway.web.look import Runs, elsewhere, told

HERE: Final = "/console/audit/receipts"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptsPage:
    """A form, and the receipts it finds."""

    said: Said = told("What was filled in.")
    choices: Choices = told("What forms offer.")
    agency: str = told("Whose records.")
    problem: str = told("Why nothing was found out.")
    asked: bool = told("Whether something was looked for.")
    rows: tuple[ReceiptLine, ...] = told("The latest first.")
    next: str = told("The address of the next page.", "")


def receipts_routes(console: Console) -> list[Route]:
    async def receipts(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        asked = asked_in(http, console.keys)
        sought, problem = sought_of(asked)
        if sought is None and not problem:
            sought = Sought()
        found, status = None, 200 if sought is not None else 400
        if sought is not None:
            try:
                given = await console.inquiry.receipts(
                    auditor, sought, first=PAGE, before=asked.before
                )
                found = given.value
            except (LimitExceeded, MalformedRequest, Refused) as error:
                problem, status = await console.not_given(auditor, error)
        rows = found.rows if found else ()
        page = ReceiptsPage(
            said=asked.said,
            choices=console.choices(),
            agency=signed_in(http).subject.agency,
            problem=problem,
            asked=found is not None,
            rows=tuple(receipt_line(one, asked.said.zone) for one in rows),
            next=_next(asked.link(HERE), found),
        )
        return console.page(
            http, "audit_receipts.html", page, HERE, status=status, runs=Runs.ASKING
        )

    return [
        Route(HERE, receipts, methods=["GET"]),
        Route(HERE, sending(console, HERE), methods=["POST"]),
    ]


def _next(link: str, found: Receipts | None) -> str:
    if found is None or found.next is None:
        return ""
    return f"{link}{'&' if '?' in link else '?'}before={found.next}"
