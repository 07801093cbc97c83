"""For whatever keeps the gateway running: is it alive, can it answer lawfully, how is it doing.

Ready means that a query could be answered lawfully now: a decision can be had and the record can
be written (rule R6 of the threat model). Alive means only that the process answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.metrics import Metrics
from gateway.web.networks import Networks
from gateway.web.sending import Constant, sent

_TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


def health_routes(
    *, ready: Callable[[], Awaitable[bool]], metrics: Metrics, networks: tuple[str, ...]
) -> list[Route]:
    """`/health/live`, `/health/ready`, and `/metrics` for the given networks alone."""
    readers = Networks(networks)

    async def live(_request: Request) -> Response:
        return sent(Constant.LIVE)

    async def is_ready(_request: Request) -> Response:
        return sent(Constant.READY if await ready() else Constant.NOT_READY)

    async def figures(request: Request) -> Response:
        if not readers.hold(request):
            return sent(Constant.NOT_FOUND)
        return Response(metrics.exposition(), headers={"Cache-Control": "no-store"},
                        media_type=_TEXT_FORMAT)  # fmt: skip

    return [
        Route("/health/live", live, methods=["GET"]),
        Route("/health/ready", is_ready, methods=["GET"]),
        Route("/metrics", figures, methods=["GET"]),
    ]
