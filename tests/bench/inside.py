"""Two figures from within: what OPA takes for a question, and what the log takes in."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes
from typing import Any
from urllib.parse import urlsplit

from deploy.demo.personas import PERSONAS
from deploy.demo.stack import ROOT
from deploy.demo.story import Step
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """One question's times, and its size."""

    took_ms: list[float]
    resources: int
    fields: int


def _question(step: Step) -> dict[str, Any]:
    """What the gateway asks OPA for a step of the story."""
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
    asked = _question(step)
    opa = urlsplit(opa_url)
    pdp = Pdp(host=opa.hostname or "", port=opa.port or 0, timeout_s=2.0)
    await pdp.start()
    took: list[float] = []
    try:
        for number in range(count + 20):
            subject = asked["subject"] | {"id": f"bench-{number}"}
            began = time.perf_counter()
            await pdp.decide(asked | {"subject": subject})
            took.append((time.perf_counter() - began) * 1000)
    finally:
        await pdp.aclose()
    resources = asked["resources"].values()
    return Decisions(
        took_ms=took[20:],
        resources=len(resources),
        fields=sum(len(resource["read"]) for resource in resources),
    )


async def entries(folder: Path, at_once: int, *, for_s: float) -> tuple[float, list[float]]:
    """(entries a second, milliseconds of each) with so many callers who each wait for theirs."""
    log = await AuditLog.open(
        folder / "log", keys=AuditKeys(folder / "keys"), origin="portcullis.example/bench"
    )
    took: list[float] = []
    ends_at = time.monotonic() + for_s
    leaf: dict[str, Any] = {
        "kind": "I",
        "tag": "consultation",
        "request_id": "01a20213-155e-741f-b1cb-582ea7201b80",
        "gateway": "portcullis.example/bench",
        "plan": {"visits": {"nmc": {"Person": [f"field{n}" for n in range(40)]}}},
    }
    detail = {"text": "query { personSearch { hits { ref } } }" * 40, "peer": "127.0.0.1"}

    async def caller() -> None:
        while time.monotonic() < ends_at:
            began = time.perf_counter()
            await log.append({**leaf, "at": _now().isoformat()}, detail, agencies=("NMC",))
            took.append((time.perf_counter() - began) * 1000)

    began = time.monotonic()
    try:
        await asyncio.gather(*(caller() for _ in range(at_once)))
        return len(took) / (time.monotonic() - began), took
    finally:
        await log.aclose()


def _now() -> datetime:
    return datetime.now(UTC)
