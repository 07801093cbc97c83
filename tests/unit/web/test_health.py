"""Alive, ready, and figures for those who may read them."""

from __future__ import annotations

import httpx
from starlette.applications import Starlette

from gateway.metrics import Metrics
from gateway.web.health import health_routes


async def get(path: str, *, ready: bool = True, peer: str = "127.0.0.1") -> httpx.Response:
    async def is_ready() -> bool:
        return ready

    routes = health_routes(
        ready=is_ready,
        metrics=Metrics(purposes=[], sources=["nmc"], agencies=()),
        networks=("127.0.0.0/8", "::1/128"),
    )
    transport = httpx.ASGITransport(Starlette(routes=routes), client=(peer, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://gate.example") as client:
        return await client.get(path)


async def test_r6_alive_even_when_not_ready() -> None:
    assert (await get("/health/live", ready=False)).status_code == 200
    assert (await get("/health/ready", ready=False)).status_code == 503
    assert (await get("/health/ready", ready=True)).status_code == 200


async def test_figures_are_in_the_text_format() -> None:
    answer = await get("/metrics")
    assert answer.status_code == 200
    assert "portcullis_audit_log_entries" in answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


async def test_sd08_others_find_no_figures() -> None:
    for peer in ("192.0.2.7", "2001:db8::1", "not-an-address"):
        assert (await get("/metrics", peer=peer)).status_code == 404
    assert (await get("/metrics", peer="::1")).status_code == 200
