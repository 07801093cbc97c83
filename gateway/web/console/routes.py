"""All pages of the auditors' console, and the officers' own searches."""

from __future__ import annotations

from starlette.routing import Route

from gateway.actions.oversight import Oversight
from gateway.web.console.entry import entry_routes
from gateway.web.console.export import export_routes
from gateway.web.console.frame import Console
from gateway.web.console.misuse import misuse_routes
from gateway.web.console.overview import overview_routes
from gateway.web.console.receipts import receipts_routes
from gateway.web.console.reviews import review_routes
from gateway.web.console.samples import sample_routes
from gateway.web.console.searching import searching_routes


def console_routes(console: Console) -> list[Route]:
    """Every page; who opens it is said in `access.PAGES`."""
    return [
        *overview_routes(console),
        *searching_routes(console),
        *entry_routes(console),
        *receipts_routes(console),
        *export_routes(console),
    ]


def oversight_routes(console: Console, oversight: Oversight) -> list[Route]:
    """The pages on which auditors and supervisors work: the misuse queue, samples, reviews."""
    return [
        *misuse_routes(console, oversight),
        *sample_routes(console, oversight),
        *review_routes(console, oversight),
    ]
