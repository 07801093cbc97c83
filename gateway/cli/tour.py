"""The tour page's steps, run for real: what was asked, decided and answered."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx

from deploy.demo.personas import PERSONAS, mint
from deploy.demo.story import STEPS, Step
from gateway.app import (
    AgencyRow,
    Running,
    Tour,
    TourPage,
    TourReceipt,
    TourStep,
)
from gateway.cli.proof import PROOFS, Proof
from gateway.cli.reading import disclosure_rows, findings, record_rows
from gateway.identifiers import uuid7
from gateway.model import Request, Response, SourceReport
from gateway.pipeline import answer, decided
from gateway.query.operation import parse_request

if TYPE_CHECKING:
    from gateway.cli.demo import Demo

_KEPT = 256


@dataclass(slots=True)
class Watch:
    """Remembers the source reports of the last queries, for the demonstration's own printout."""

    reports: OrderedDict[str, tuple[SourceReport, ...]] = field(default_factory=OrderedDict)

    def saw(self, request: Request, response: Response) -> None:
        self.reports[request.id] = response.reports
        if len(self.reports) > _KEPT:
            self.reports.popitem(last=False)


def tour_of(demo: Demo) -> Tour:
    """The tour over a running demonstration: the story's questions, then its proofs."""
    told = (*map(_before, STEPS), *map(_unproved, PROOFS))

    async def run(step_id: str) -> TourStep | None:
        if step := next((s for s in STEPS if s.id == step_id), None):
            return await run_step(demo.started, demo.watch, demo.stack.issuer_url, step)
        if proof := next((p for p in PROOFS if p.id == step_id), None):
            found = await proof.look(demo)
            before = _unproved(proof)
            return (
                replace(before, summary=found.text)
                if found.good
                else replace(before, problem=found.text)
            )
        return None

    return Tour(page=lambda: TourPage(steps=told), run=run)


def _unproved(proof: Proof) -> TourStep:
    return TourStep(id=proof.id, title=proof.title, sentence=proof.sentence)


def _before(step: Step) -> TourStep:
    persona = PERSONAS[step.persona]
    return TourStep(
        id=step.id,
        title=step.title,
        persona=persona.title,
        agency=persona.agency,
        purpose=step.justification["purpose"],
        sentence=step.sentence,
        graphql=step.text,
        variables=json.dumps(step.variables, indent=2, ensure_ascii=False),
    )


async def run_step(started: Running, watch: Watch, issuer_url: str, step: Step) -> TourStep:
    """Ask the step's question through the whole pipeline, and show how it was decided."""
    gate = started.gate
    try:
        token = await asyncio.to_thread(mint, step.persona, issuer_url)
    except httpx.HTTPError:
        return replace(_before(step), problem="The demonstration's sign-in does not answer.")
    request = request_of(step, token, gate.clock())
    began = gate.monotonic()
    audited = await answer(gate, request)
    elapsed_ms = (gate.monotonic() - began) * 1000
    if audited.status != 200 or "data" not in audited.body:
        return replace(_before(step), problem=str(audited.body["errors"][0]["message"]))
    question, decision = await _decision(started, request)
    reports = watch.reports.get(request.id, ())
    receipt = audited.body["extensions"]["receipt"]
    return replace(
        _before(step),
        question=question,
        decision=decision,
        answer=json.dumps(audited.body, indent=2, ensure_ascii=False),
        summary=first_things(audited.body),
        agencies=tuple(agency_rows(audited.body, reports, started)),
        findings=tuple(findings(audited.body)),
        records=tuple(record_rows(audited.body)),
        disclosures=tuple(disclosure_rows(audited.body)),
        receipt=TourReceipt(
            query_id=receipt["queryId"],
            policy_serial=receipt["policySerial"] or 0,
            log_entry=receipt["logEntry"],
        ),
        elapsed_ms=elapsed_ms,
    )


def request_of(step: Step, token: str, now: datetime) -> Request:
    """The step's question as the endpoint would hand it on."""
    return Request(
        id=uuid7(int(now.timestamp() * 1000), secrets.token_bytes(10)),
        received_at=now,
        authorization=(f"Bearer {token}",),
        document=step.text,
        variables=json.loads(json.dumps(step.variables)),
        justification=dict(step.justification),
        peer="tour",
    )


async def _decision(started: Running, request: Request) -> tuple[str, str]:
    """The same question put to OPA again, to show both texts as they are."""
    gate = started.gate
    subject = await gate.identity.authenticate(request.authorization)
    operation = parse_request(request, gate.parser, subject.app)
    plan = gate.planner.plan_for(operation, subject, request.received_at)
    asked, _ = await decided(gate, request, subject, operation, plan)
    if asked is None:
        return "", ""
    async with httpx.AsyncClient(trust_env=False, timeout=2.0) as client:
        url = f"{started.settings.opa_url}/v1/data/gateway/decision"
        reply = await client.post(url, json={"input": dict(asked.question)})
    return (
        json.dumps({"input": asked.question}, indent=2),
        json.dumps(reply.json(), indent=2),
    )


def agency_rows(
    body: Mapping[str, Any], reports: tuple[SourceReport, ...], started: Running
) -> list[AgencyRow]:
    """How each agency fared: exact times, which only the demonstration shows."""
    shown = values_by_owner(body.get("data"))
    return [
        AgencyRow(
            agency=report.agency,
            system=started.gate.catalogue.sources[report.source].system,
            state=report.state.value,
            records=report.rows,
            shown=shown.get(report.agency, 0),
            masked=report.masked,
            withheld=report.withheld + report.hits,
            elapsed_ms=report.elapsed_s * 1000 if report.elapsed_s else None,
        )
        for report in reports
    ]


def values_by_owner(data: Any, owner: str = "") -> dict[str, int]:
    """How many values of an answer each agency gave; a record without an owner is its parent's."""
    counts: dict[str, int] = {}

    def walk(value: Any, owner: str) -> None:
        match value:
            case dict():
                own = value.get("owner", owner)
                for name, inner in value.items():
                    if name not in {"owner", "system", "ref"}:
                        walk(inner, own if isinstance(own, str) else owner)
            case list():
                for inner in value:
                    walk(inner, owner)
            case None:
                pass
            case _:
                counts[owner] = counts.get(owner, 0) + 1

    walk(data, owner)
    return counts


def first_things(body: Mapping[str, Any]) -> str:
    """What matters first in an answer, in one sentence."""
    data = body.get("data") or {}
    hits = (data.get("personSearch") or {}).get("hits") or []
    warnings = sorted({w["kind"] for h in hits for w in h.get("warnings") or () if w.get("kind")})
    alerts = sorted({a["kind"] for h in hits for a in h.get("alerts") or () if a.get("kind")})
    flags = sorted({s["kind"] for h in hits for s in h.get("safeguarding") or () if s.get("kind")})
    desks = sorted(
        {
            f"{e['agency']} ({e['contact']})"
            for e in body.get("extensions", {}).get("disclosure", ())
            if e["outcome"] == "HIT" and e.get("contact")
        }
    )
    said = [
        f"{word} {', '.join(kinds)}"
        for word, kinds in (("warnings", warnings), ("alerts", alerts), ("safeguarding", flags))
        if kinds
    ]
    if desks:
        said.append(f"a hit, ask {' and '.join(desks)}")
    if hits:
        return "; ".join(said) or f"{len(hits)} records, no warning among them"
    for value in data.values():
        found = value.get("hits") if isinstance(value, dict) else value
        if isinstance(found, list):
            return f"{len(found)} records"
    return "nothing that can be shown"
