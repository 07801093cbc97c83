"""Asking the gateway as a persona, and reading what came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from deploy.demo.issuer import DEFAULT_AUDIENCE, Issuer
from deploy.demo.personas import PERSONAS
from gateway.cli.demo import Demo

REASON = {
    "reasonText": "A reason in words for the test",
    "incidentRef": "NM-26-0000001",
    "caseRef": "NM/2026/000001",
}

# Whose usual app sends persisted documents only asks through another one here.
APPS: Mapping[str, str] = {"RO": "nmc-station"}


@dataclass(slots=True, kw_only=True)
class Answer:
    """One answer, with the ways in which tests look at it."""

    status: int
    body: Mapping[str, Any]

    @property
    def data(self) -> Mapping[str, Any]:
        assert self.body.get("data") is not None, self.body
        data: Mapping[str, Any] = self.body["data"]
        return data

    @property
    def code(self) -> str:
        return str(self.body["errors"][0]["extensions"]["code"])

    def hits(self, root: str = "personSearch", *, owner: str | None = None) -> list[dict[str, Any]]:
        found = self.data[root]
        rows = found["hits"] if isinstance(found, dict) else found
        return [row for row in rows if owner in (None, row.get("owner"))]

    def said(self, suffix: str, *, agency: str | None = None) -> list[dict[str, Any]]:
        """Disclosure entries whose path ends so, without list indexes."""
        return [
            entry
            for entry in self.body["extensions"]["disclosure"]
            if _plain(entry["path"]).endswith(suffix) and agency in (None, entry.get("agency"))
        ]

    def outcomes(self, suffix: str, *, agency: str | None = None) -> set[str]:
        return {entry["outcome"] for entry in self.said(suffix, agency=agency)}

    def state(self, agency: str) -> str:
        states = [s["state"] for s in self.body["extensions"]["sources"] if s["agency"] == agency]
        assert len(states) == 1, states
        return str(states[0])


def _plain(path: str) -> str:
    return ".".join(part for part in path.split(".") if part != "*" and not part.isdigit())


@dataclass(slots=True, kw_only=True)
class Asker:
    """Asks over HTTP; tokens are fetched once for each persona."""

    demo: Demo
    client: httpx.AsyncClient
    tokens: dict[str, str] = field(default_factory=dict)

    async def token(self, persona: str) -> str:
        if persona not in self.tokens:
            self.tokens[persona] = await asyncio.to_thread(
                self.demo.token, persona, APPS.get(persona)
            )
        return self.tokens[persona]

    def saying(self, persona: str, **claims: object) -> Asker:
        """Asks with a token of the persona's own issuer, by its own key, that says this besides."""
        who, stack = PERSONAS[persona], self.demo.stack
        issuer = Issuer(who.issuer, stack.issuer_url, stack.home / "issuer", DEFAULT_AUDIENCE)
        now_s = int(time.time())
        usual = issuer.claims(who, APPS.get(persona, who.app), now_s, ttl_s=600)
        token = issuer.signed(usual | claims)
        return replace(self, tokens={**self.tokens, persona: token})

    async def post(self, persona: str, body: Any, **headers: str) -> httpx.Response:
        token = await self.token(persona)
        return await self.client.post(
            self.demo.graphql, json=body, headers={"Authorization": f"Bearer {token}", **headers}
        )

    async def ask(
        self,
        persona: str,
        document: str,
        variables: Mapping[str, Any] | None = None,
        *,
        purpose: str,
        reason: str = "R06",
        **justification: Any,
    ) -> Answer:
        why = {"purpose": purpose, "reasonCode": reason, **REASON, **justification}
        reply = await self.post(
            persona,
            {
                "query": document,
                "variables": dict(variables or {}),
                "extensions": {"justification": {k: v for k, v in why.items() if v is not None}},
            },
        )
        return Answer(status=reply.status_code, body=reply.json())

    async def came_of(self, persona: str, answer: Answer, outcome: str = "LEAD") -> Answer:
        """Record what came of a search, which the next one of its kind waits for."""
        token = await self.token(persona)
        document = "mutation($o: ID!, $w: String!) { recordOutcome(operationId: $o, outcome: $w) "
        operation = answer.body["extensions"]["receipt"]["queryId"]
        reply = await self.client.post(
            f"{self.demo.url}/casework",
            json={
                "query": document + "{ operationId kinds outcome recordedAt } }",
                "variables": {"o": operation, "w": outcome},
            },
            headers={"Authorization": f"Bearer {token}"},
        )
        return Answer(status=reply.status_code, body=reply.json())
