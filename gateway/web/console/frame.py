"""What the pages of the auditors' console share: who looks and for what, and the way among them.

A page of the console is a route with a row in `access.PAGES`; one that auditors go to by themselves
has a line in `SECTIONS` too, and stands in the navigation of those to whom it opens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from gateway.actions.asking import Asking
from gateway.actions.pairing import Pairing
from gateway.actions.recalling import Recalling
from gateway.audit.inquiry import Auditor, Inquiry
from gateway.audit.uses import OWN, USES
from gateway.errors import GatewayError
from gateway.model import Subject
from gateway.web.access import Refuse, opens, row_of, signed_in, visit_of
from gateway.web.cookies import Keys
from gateway.web.look import Look, Runs
from gateway.web.receiving import blank
from gateway.web.sessions import Sessions

SECTIONS: Final = (
    ("/console/audit", "Overview"),
    ("/console/audit/search", "Search"),
    ("/console/audit/timeline", "Who saw what"),
    ("/console/audit/receipts", "Our records"),
    ("/console/audit/misuse", "Misuse queue"),
    ("/console/audit/samples", "Dip samples"),
    ("/reviews", "Reviews"),
    ("/console/audit/export", "Export"),
    ("/console/audit/matters", "Questions"),
    ("/console/audit/rights", "Rights report"),
    ("/console/audit/pairs", "In pairs"),
)
"""The console's navigation: address and name, in this order, each for whom `PAGES` opens it."""

USE: Final = "/console/audit/use"
PAIRS: Final = "/console/audit/pairs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What forms offer to choose from."""

    purposes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    agencies: Mapping[str, str] = field(default_factory=dict)  # code -> name


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """What the pages need of the application."""

    inquiry: Inquiry
    sessions: Sessions
    keys: Keys  # seals what was typed, so that an address can hold it
    look: Look
    choices: Callable[[], Choices]
    asking: Asking
    pairing: Pairing
    recalling: Recalling
    refuse: Refuse
    clock: Callable[[], datetime]

    async def not_given(self, auditor: Auditor, error: GatewayError) -> tuple[str, int]:
        """What a page says, and its status, where a look came to nothing; that has its entry too.

        Raises:
            AuditUnavailable: it could not be recorded.
        """
        await self.refuse(auditor.request, error, auditor.subject)
        return error.said, error.status

    def auditor(self, http: HttpRequest) -> Auditor | None:
        """Who looks, and for what; None for one who has not said so yet: send them to `USE`."""
        if signed_in(http).use not in USES:
            return None
        return self._looking(http, signed_in(http).use)

    def own(self, http: HttpRequest) -> Auditor:
        """Whoever is signed in, at their own past searches."""
        return self._looking(http, OWN)

    def page(
        self,
        http: HttpRequest,
        template: str,
        page: Any,
        here: str,
        *,
        status: int = 200,
        runs: Runs = Runs.NOTHING,
    ) -> Response:
        """A page of the console, at `here` in its navigation."""
        return self.look.page(
            template,
            page,
            visit_of(http),
            status=status,
            runs=runs,
            at=here,
            sections=sections(signed_in(http).subject),
            use=USES[signed_in(http).use][0] if signed_in(http).use in USES else "",
        )

    def _looking(self, http: HttpRequest, use: str) -> Auditor:
        request = blank(http, self.clock())
        return Auditor(request=request, subject=signed_in(http).subject, use=use)


def sections(subject: Subject) -> tuple[tuple[str, str], ...]:
    """The pages of the console that open to somebody."""
    return tuple(one for one in SECTIONS if opens(row_of("GET", one[0]), subject))
