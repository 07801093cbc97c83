"""What OPA takes for a question of the planner's, asked anew each time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes
from typing import Any
from urllib.parse import urlsplit

import httpx

from deploy.demo.personas import PERSONAS
from deploy.demo.stack import ROOT
from deploy.demo.story import WHO, Step
from gateway.catalogue.check import load_catalogue
from gateway.catalogue.schema import build_schema
from gateway.cli.common import at_work
from gateway.identifiers import uuid7
from gateway.model import Request
from gateway.policy.contract import question
from gateway.policy.pdp import Pdp
from gateway.query.operation import Parser, parse_request
from gateway.query.plan import Planner
from gateway.query.refs import Refs
from gateway.settings import Limits
from tests.bench.place import step

_DOCUMENTS = Path(__file__).parent / "documents"
_WARMING = 20
_PEOPLE = {"a": WHO, "b": WHO[:3], "c": WHO[3:]}

SIZED = {"sixty_fields": (60, 6, 8), "three_hundred_and_sixty_fields": (360, 30, 25)}
"""Documents of a known size: fields, fetches, and the milliseconds that they may take in OPA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """One question's times, and its size."""

    took_ms: list[float]  # what the gateway waits, the answer read
    evaluated_ms: list[float]  # of it the evaluation alone, as OPA measures it
    resources: int
    fetches: int
    fields: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sized(Step):
    """A question that no step of the story asks."""

    @property
    def text(self) -> str:
        return (_DOCUMENTS / f"{self.document}.graphql").read_text("utf-8")


def sized(document: str) -> Step:
    """One of `SIZED`, asked by the arrival officer as they ask their lookup."""
    arrival = step("arrival")
    names = "a" if document == "sixty_fields" else "abc"
    return _Sized(
        id=document,
        title=document,
        persona=arrival.persona,
        document=document,
        variables={name: _PEOPLE[name] for name in names},
        justification=arrival.justification,
        sentence="",
    )


def asked_of_opa(step: Step) -> dict[str, Any]:
    """What the gateway asks OPA for a step."""
    catalogue, limits, now = load_catalogue(ROOT / "deploy" / "catalogue"), Limits(), _now()
    subject = at_work(PERSONAS[step.persona], now)
    request = Request(
        id=uuid7(int(now.timestamp() * 1000), token_bytes(10)),
        received_at=now,
        authorization=(),
        document=step.text,
        variables=dict(step.variables),
        justification=dict(step.justification),
    )
    operation = parse_request(
        request, Parser(schema=build_schema(catalogue.vocabulary), limits=limits)
    )
    planner = Planner(catalogue=catalogue, refs=Refs(bytes(32)), limits=limits)
    return dict(
        question(
            planner.plan_for(operation, subject, now),
            subject,
            operation.justification,
            agencies={source.id: source.agency for source in catalogue.sources.values()},
            now=now,
            query_id=request.id,
        )
    )


async def decisions(step: Step, opa_url: str, count: int) -> Decisions:
    """Ask OPA the step's question so many times, each for another officer so that none is kept."""
    asked = asked_of_opa(step)
    resources = asked["resources"]
    others = [
        asked | {"subject": asked["subject"] | {"id": f"bench-{number}"}}
        for number in range(count + _WARMING)
    ]
    return Decisions(
        took_ms=(await _waited(others, opa_url))[_WARMING:],
        evaluated_ms=(await _evaluated(others, opa_url))[_WARMING:],
        resources=len(resources),
        fetches=sum("." not in id_ for id_ in resources),
        fields=sum(len(resource["read"]) for resource in resources.values()),
    )


async def _waited(questions: list[dict[str, Any]], opa_url: str) -> list[float]:
    opa = urlsplit(opa_url)
    pdp = Pdp(host=opa.hostname or "", port=opa.port or 0, timeout_s=2.0)
    await pdp.start()
    took: list[float] = []
    try:
        for one in questions:
            began = time.perf_counter()
            await pdp.decide(one)
            took.append((time.perf_counter() - began) * 1000)
    finally:
        await pdp.aclose()
    return took


async def _evaluated(questions: list[dict[str, Any]], opa_url: str) -> list[float]:
    url = f"{opa_url.rstrip('/')}/v1/data/gateway/decision?metrics"
    took: list[float] = []
    async with httpx.AsyncClient(trust_env=False, timeout=2.0) as client:
        for one in questions:
            answer = (await client.post(url, json={"input": one})).raise_for_status().json()
            took.append(answer["metrics"]["timer_rego_query_eval_ns"] / 1e6)
    return took


def _now() -> datetime:
    return datetime.now(UTC)
