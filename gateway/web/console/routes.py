"""All pages of the auditors' console, the officers' own searches, and the desks' recalls."""

from __future__ import annotations

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.actions.oversight import Oversight
from gateway.web.access import Page
from gateway.web.console.entry import entry_routes
from gateway.web.console.export import export_routes
from gateway.web.console.frame import PAIRS, Console
from gateway.web.console.matters import matter_routes
from gateway.web.console.misuse import misuse_routes
from gateway.web.console.overview import overview_routes
from gateway.web.console.pairs import pair_routes
from gateway.web.console.recalls import recall_routes
from gateway.web.console.receipts import receipts_routes
from gateway.web.console.reviews import review_routes
from gateway.web.console.rights import rights_routes
from gateway.web.console.samples import sample_routes
from gateway.web.console.searching import MINE, searching_routes
from gateway.web.look import elsewhere


def console_routes(console: Console) -> list[Route]:
    """Every page; who opens it is said in `access.PAGES`."""
    looks = [
        *searching_routes(console),
        *entry_routes(console),
        *receipts_routes(console),
        *export_routes(console),
        *matter_routes(console),
        *rights_routes(console),
    ]
    return [
        *overview_routes(console),
        *pair_routes(console),
        *(in_pairs(console, route) for route in looks),
        *recall_routes(console),
    ]


def in_pairs(console: Console, route: Route) -> Route:
    """The same page; whoever needs a colleague's agreement first is led to where that is asked for.
    What `Inquiry` gives is refused without it in any case."""
    page: Page = route.endpoint
    if route.path.startswith(MINE):  # somebody's own searches
        return route

    async def opened(http: HttpRequest) -> Response:
        auditor = console.auditor(http)
        if auditor is not None and not await console.inquiry.recorder.in_pairs(
            auditor.subject, auditor.use
        ):
            return elsewhere(PAIRS)
        return await page(http)

    return Route(route.path, opened, methods=sorted(route.methods or ()))


def oversight_routes(console: Console, oversight: Oversight) -> list[Route]:
    """The pages on which auditors and supervisors work: the misuse queue, samples, reviews."""
    looks = [
        *misuse_routes(console, oversight),
        *sample_routes(console, oversight),
        *review_routes(console, oversight),
    ]
    return [in_pairs(console, route) for route in looks]
