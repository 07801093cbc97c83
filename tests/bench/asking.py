"""Asking one gateway many questions over kept-alive connections, and how long each took."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import aiohttp

from deploy.demo.story import Step
from tests.bench.place import Gateway

Progress = Callable[[int], None]


@dataclass(slots=True, kw_only=True)
class Asked:
    """What became of many questions."""

    took_ms: list[float] = field(default_factory=list)  # of each that was answered
    errors: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)  # "BID RATE_LIMITED": answers
    elapsed_s: float = 0.0
    query_ids: list[str] = field(default_factory=list)  # of the same

    def took(self, share: float) -> float:
        """The time within which this share of the questions was answered, in milliseconds."""
        return quantile(self.took_ms, share)


def quantile(values: Iterable[float], share: float) -> float:
    """The least value that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def body_of(step: Step, *, persisted: bool) -> bytes:
    """The request's body: with the document, or with its SHA-256 alone."""
    digest = {"version": 1, "sha256Hash": sha256(step.text.encode()).hexdigest()}
    extensions: dict[str, Any] = {"justification": dict(step.justification)}
    body: dict[str, Any] = {"variables": dict(step.variables), "extensions": extensions}
    if persisted:
        extensions["persistedQuery"] = digest
    else:
        body["query"] = step.text
    return json.dumps(body).encode()


@dataclass(slots=True, kw_only=True)
class Asker:
    """One officer's app: a body and a token that stay the same, a few connections."""

    gateway: Gateway
    body: bytes
    token: str
    told: Progress = lambda _done: None

    async def ask(
        self,
        *,
        at_once: int = 1,
        count: int | None = None,
        for_s: float = 0.0,
        pause_s: float = 0.0,
    ) -> Asked:
        """Ask so many times, or for so long, never more than `at_once` together; each of them
        waits for `pause_s` before it asks again."""
        asked = Asked()
        began = time.monotonic()
        left = count if count is not None else -1
        ends_at = began + for_s if count is None else math.inf

        async def one_by_one(client: aiohttp.ClientSession) -> None:
            nonlocal left
            while left != 0 and time.monotonic() < ends_at:
                left -= 1
                await self._once(client, asked)
                self.told(len(asked.took_ms))
                await asyncio.sleep(pause_s)

        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=at_once),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
                "Accept": "application/graphql-response+json",
            },
        ) as client:
            await asyncio.gather(*(one_by_one(client) for _ in range(at_once)))
        asked.elapsed_s = time.monotonic() - began
        return asked

    async def _once(self, client: aiohttp.ClientSession, asked: Asked) -> None:
        began = time.monotonic()
        try:
            async with client.post(self.gateway.url, data=self.body) as reply:
                raw = await reply.read()
        except aiohttp.ClientError as error:
            asked.errors[type(error).__name__] += 1
            return
        took_ms = (time.monotonic() - began) * 1000
        if reply.status != 200:
            asked.errors[json.loads(raw)["errors"][0]["extensions"]["code"]] += 1
            return
        asked.took_ms.append(took_ms)
        extensions = json.loads(raw)["extensions"]
        asked.query_ids.append(extensions["receipt"]["queryId"])
        asked.states.update(f"{s['agency']} {s['state']}" for s in extensions["sources"])


def median(values: Sequence[float]) -> float:
    """The middle of them."""
    return quantile(values, 0.5)
