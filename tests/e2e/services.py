"""Clients of the demonstration's services, each of its own fresh process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from deploy.demo.services.oauth import DEFAULT_CLIENT, DEFAULT_SECRET
from deploy.demo.services.process import running


@asynccontextmanager
async def client(module: str, *arguments: str, scope: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """A client of a fresh service that has its token."""
    async with (
        running(module, *arguments) as base,
        httpx.AsyncClient(base_url=base, trust_env=False) as http,
    ):
        form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        given = await http.post("/oauth/token", data=form, auth=(DEFAULT_CLIENT, DEFAULT_SECRET))
        http.headers["authorization"] = f"Bearer {given.json()['access_token']}"
        yield http


async def get(http: httpx.AsyncClient, path: str, **params: str | int) -> Any:
    answer = await http.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()
