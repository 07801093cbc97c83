"""The life of one query: read this first.

    receive -> authenticate -> parse -> plan -> ask -> authorise -> record intent
            -> translate and fan out -> shape -> record outcome -> send

Five promises hold it together: nothing is read that was not allowed; silence means no; stages only
narrow; no record, no answer; the middle is pure. Only the awaited lines touch the world.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from connectors.spi import Connector
from gateway.audit.recorder import AuditedResponse, Decided, Recorder
from gateway.audit.terms import terms_of
from gateway.catalogue.forms import utc_text
from gateway.catalogue.mapping import Catalogue
from gateway.catalogue.vocabulary import Field
from gateway.errors import (
    CLIENT_GONE,
    CaseworkUnavailable,
    GatewayError,
    Internal,
    InvalidOperation,
    MalformedRequest,
    Refused,
)
from gateway.metrics import Metrics
from gateway.model import (
    AuthorisedPlan,
    Operation,
    Plan,
    Released,
    Request,
    Response,
    Results,
    Shared,
    Subject,
    Unit,
)
from gateway.policy.contract import question
from gateway.policy.enforce import authorise
from gateway.policy.masks import MASKS, MaskContext
from gateway.policy.obligations import (
    OBLIGATIONS,
    Asking,
    budgets_of,
    carry_out,
    time_box_s,
    tripwires_of,
    witnessed_s,
)
from gateway.policy.pdp import Pdp
from gateway.policy.releases import followed, releases_told, settled
from gateway.ports import (
    Afterwards,
    Answered,
    Authenticating,
    Counting,
    Lasting,
    NothingAfterwards,
    NothingCounted,
    NothingLasting,
    NothingReleased,
    Releases,
)
from gateway.query.asking import cursor_binding
from gateway.query.breaker import Breakers
from gateway.query.derived import Moment
from gateway.query.fanout import FanOut, Probe
from gateway.query.operation import Parser, parse_request
from gateway.query.plan import Planner
from gateway.query.refs import PROBE_LIFE, Refs, officer
from gateway.query.shape import Mask, Shaper, Shaping
from gateway.query.targets import targets_of
from gateway.settings import Limits
from gateway.unforeseen import unforeseen

_log = logging.getLogger(__name__)


class Probes:
    """Face probes that were issued: each opens once, for its officer, within PROBE_LIFE.

    Which were opened is held in memory. One that was not made after this gateway started may have
    been opened before, so it is refused; and time goes on here even if the clock is put back.
    """

    def __init__(self, refs: Refs, clock: Callable[[], datetime]) -> None:
        self._refs = refs
        self._clock = clock
        self._started = self._now = clock()
        self._spent: dict[str, datetime] = {}  # id -> when it was made

    def open(self, handle: str, subject: Subject) -> Probe:
        """The probe's vector.

        Raises:
            MalformedRequest: damaged, another officer's, expired, opened before, or perhaps so.
        """
        now = self._now = max(self._now, self._clock())
        oldest = max(self._started + timedelta(microseconds=1), now - PROBE_LIFE)
        self._spent = {id_: made for id_, made in self._spent.items() if made >= oldest}
        whose = officer(subject.issuer, subject.id, subject.agency)
        issued = self._refs.open_probe(handle, whose)
        if issued is None or issued.id in self._spent or not oldest <= issued.made_at <= now:
            raise MalformedRequest("This face probe cannot be used: make a new one.")
        self._spent[issued.id] = issued.made_at
        return issued.vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Everything that answering needs, built once by `app.py`."""

    identity: Authenticating
    parser: Parser
    planner: Planner
    pdp: Pdp
    audit: Recorder
    catalogue: Catalogue
    sources: Mapping[str, Connector]
    breakers: Breakers
    refs: Refs
    limits: Limits
    metrics: Metrics
    token_key: bytes
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    probes: Probes
    releases: Releases = field(default_factory=NothingReleased)
    afterwards: Afterwards = field(default_factory=NothingAfterwards)
    duties: Lasting = field(default_factory=NothingLasting)
    budgets: Counting = field(default_factory=NothingCounted)
    observed: Callable[[Request, Response], None] = lambda _request, _response: None


async def answer(gate: Gate, request: Request) -> AuditedResponse:
    """Take one query through its life.

    Raises:
        AuditUnavailable: it could not be recorded, so there is no answer.
    """
    started = gate.monotonic()
    record = gate.audit.begin(request)
    purpose: str | None = None
    answered: Answered | None = None
    wait_s: float | None = None  # for the log's witnesses
    try:
        subject = await gate.identity.authenticate(request.authorization)
        record.known(subject=subject)
        operation = parse_request(request, gate.parser, subject.app)
        record.known(operation=operation)
        purpose = operation.justification.purpose if operation.justification else None
        check_registered(operation, subject, gate.parser)
        plan = gate.planner.plan_for(operation, subject, request.received_at)
        record.known(terms=terms_of(plan, gate.catalogue.vocabulary))
        decision, agreed = await decided(gate, request, subject, operation, plan, record.heard)
        await gate.duties.check(request, subject, operation, agreed)
        probes = opened(gate, agreed, subject)
        await gate.duties.fulfil(request, subject, operation, agreed)
        await record.intent(subject, operation, decision, agreed)
        shaper = shaping(gate, request, subject, operation, agreed)
        found, shared = await fan_out(gate, request, agreed, probes, shaper.prepare)
        shaped = shaper.shape(found, shared)
        response = under_conditions(gate, request, subject, agreed, shaped)
        if used := shown_by_release(agreed, response):
            await gate.releases.used(used, request.received_at)
        budgets = budgets_of(agreed.obligations)
        gate.budgets.spend(subject, budgets, given_by(response), request.received_at)
        answered = Answered(
            request=request,
            subject=subject,
            agreed=agreed,
            results=found,
            disclosed=response.disclosed,
        )
        wait_s = witnessed_s(agreed.obligations)
    except GatewayError as error:
        response = failed(error, request)
    except asyncio.CancelledError:
        await record.gone(Response(status=499, body={}, code=CLIENT_GONE))
        raise
    except Exception as error:
        _log.error("query %s failed: %s", request.id, unforeseen(error))
        response = failed(Internal(detail=type(error).__name__), request)
    audited = await record.outcome(response, wait_s)  # durable before a byte leaves
    if answered is not None:
        gate.afterwards.put(answered)
    gate.observed(request, response)
    gate.metrics.query(code=response.code, purpose=purpose, elapsed_s=gate.monotonic() - started)
    gate.metrics.visited(response.reports)
    return audited


async def refuse(
    gate: Gate, request: Request, error: GatewayError, subject: Subject | None = None
) -> AuditedResponse:
    """Record and answer a request that ended before it was read, or that a page turned away.

    Raises:
        AuditUnavailable: it could not be recorded.
    """
    response = failed(error, request)
    gate.metrics.query(code=response.code, purpose=None, elapsed_s=0.0)
    record = gate.audit.begin(request)
    record.known(subject=subject)
    record.data = False  # nobody is known but at a page
    return await record.outcome(response)


def check_registered(operation: Operation, subject: Subject, parser: Parser) -> None:
    """Refuse any text but that of its own persisted documents to an app that may send nothing else.

    Raises:
        Refused: it is not, to the letter.
    """
    if subject.documents_only and operation.digest not in parser.documents.get(subject.app, ()):
        raise Refused(
            "This app sends registered documents only. Ask by one of them, or have the service "
            "desk register this one.",
            rule="refuse.documents",
            contact="gateway",
            detail="not a persisted document",
        )


async def decided(
    gate: Gate,
    request: Request,
    subject: Subject,
    operation: Operation,
    plan: Plan,
    heard: Callable[[Decided], None] = lambda _decided: None,
) -> tuple[Decided | None, AuthorisedPlan]:
    """What was asked of policy and answered, and the plan as it was narrowed by that.

    `heard` is told of the answer before anything is made of it, so that a refusal can say it.
    """
    if not plan.roots:  # a root that plans no visit is decided too: the purpose must be held
        return None, AuthorisedPlan(plan=plan, serial=gate.pdp.serial)
    asked = question(
        plan,
        subject,
        operation.justification,
        agencies={s.id: s.agency for s in gate.catalogue.sources.values()},
        now=request.received_at,
        query_id=request.id,
    )
    held = gate.releases.of(subject, request.received_at)
    if told := releases_told(plan, held):
        asked["releases"] = told
    started = gate.monotonic()
    had = False
    try:
        decision = await gate.pdp.decide(asked)
        had = True
    finally:
        gate.metrics.decided(elapsed_s=gate.monotonic() - started, had=had)
    answered = Decided(plan=plan, question=asked, decision=decision)
    heard(answered)
    agreed = authorise(
        plan,
        settled(decision, plan, held) if told else decision,
        masks=MASKS.keys(),
        duties=OBLIGATIONS.keys(),
        vocabulary=gate.catalogue.vocabulary,
    )
    if plan.cursor_serial is not None and plan.cursor_serial != agreed.serial:
        raise MalformedRequest("This cursor cannot be used: start again without `after`.")
    asking = Asking(subject=subject, justification=operation.justification, now=request.received_at)
    carry_out(agreed.obligations, asking)
    if witnessed_s(agreed.obligations) is not None:
        gate.audit.witnesses.check()
    if tripwires_of(agreed.obligations) and not await gate.afterwards.room():
        raise CaseworkUnavailable(detail="nobody can look for silent records afterwards")
    await charged(gate, request, subject, agreed)
    if told:
        ids = followed(decision, told)
        agreed = replace(agreed, released=tuple(one for one in held if one.id in ids))
    return answered, agreed


async def charged(gate: Gate, request: Request, subject: Subject, agreed: AuthorisedPlan) -> None:
    """Charge the question to its officer's budgets, and slow down who asks much.

    Raises:
        Refused: a budget is spent.
        CaseworkUnavailable: nobody counts.
    """
    budgets = budgets_of(agreed.obligations)
    targets = targets_of(agreed.plan, gate.token_key)
    slow_s = gate.budgets.charge(subject, budgets, targets, request.received_at)
    if slow_s:
        await asyncio.sleep(slow_s)


def given_by(response: Response) -> dict[Unit, int]:
    """How much an answer gives of what budgets count."""
    hits = sum(report.hits for report in response.reports)
    return {Unit.RECORD: len(response.disclosed), Unit.HIT: hits}


def shown_by_release(agreed: AuthorisedPlan, response: Response) -> tuple[Released, ...]:
    """The releases whose record is in the answer."""
    shown = set(response.disclosed) if agreed.released else set()
    return tuple(one for one in agreed.released if (one.source, one.entity, one.key) in shown)


def opened(gate: Gate, agreed: AuthorisedPlan, subject: Subject) -> dict[str, Probe]:
    """The vectors of the probes that the granted fetches use, by handle; each opens once."""
    handles = [
        grant.fetch.near.handle
        for grant in agreed.grants.values()
        if grant.fetch.near is not None and grant.fetch.near.handle
    ]
    return {handle: gate.probes.open(handle, subject) for handle in dict.fromkeys(handles)}


def visiting(gate: Gate, request: Request, probes: Mapping[str, Probe] | None = None) -> FanOut:
    """What visits sources for a request, from now on for as long as a query may take."""
    return FanOut(
        catalogue=gate.catalogue,
        sources=gate.sources,
        breakers=gate.breakers,
        moment=_moment(gate, request),
        query_id=request.id,
        ends_at=monotonic() + gate.limits.query_deadline_s,
        probe=(probes or {}).get,
    )


async def fan_out(
    gate: Gate,
    request: Request,
    agreed: AuthorisedPlan,
    probes: Mapping[str, Probe],
    meanwhile: Callable[[], None] = lambda: None,
) -> tuple[Results, Shared]:
    """What the sources gave for each granted fetch, and identifiers that several persons bear."""
    visits = visiting(gate, request, probes)
    results, shared = await visits.visit(agreed, meanwhile)
    for fetch_id, result in results.items():
        if result.detail or result.alarms:
            source = agreed.grants[fetch_id].fetch.source
            _log.warning(
                "query %s: source %s: %s, %d rows it should not have sent: %s",
                request.id, source, result.state, result.alarms, result.detail,
            )  # fmt: skip
    return results, shared


def shaping(
    gate: Gate, request: Request, subject: Subject, operation: Operation, agreed: AuthorisedPlan
) -> Shaper:
    """What will make the answer."""
    now, shown_s = request.received_at, time_box_s(agreed.obligations)
    expires = now + timedelta(
        seconds=min(gate.limits.cursor_ttl_s, shown_s or gate.limits.cursor_ttl_s)
    )
    context = MaskContext(today=now.date(), token_key=gate.token_key)

    def mask(name: str, spec: Field) -> Mask:
        about = replace(context, bands=spec.bands, type=spec.type.name, field=spec.name)
        apply = MASKS[name]
        return lambda value: apply(value, about)

    about = Shaping(
        catalogue=gate.catalogue,
        refs=gate.refs,
        moment=_moment(gate, request, shown_s),
        mask=mask,
        agency=subject.agency,
        as_at=utc_text(now),
        expires_at=int(expires.timestamp()),
        cursor_binding=lambda selection: cursor_binding(operation, subject, selection),
    )
    return Shaper(operation, agreed, about)


def under_conditions(
    gate: Gate, request: Request, subject: Subject, agreed: AuthorisedPlan, response: Response
) -> Response:
    """The answer with what the app is to do with it: until when it may be shown, and what to show
    across it, by which the log finds whose it was."""
    told: dict[str, str] = {}
    if (shown_s := time_box_s(agreed.obligations)) is not None:
        told["showUntil"] = utc_text(request.received_at + timedelta(seconds=shown_s))
    if any(one.type == "watermark" for one in agreed.obligations):
        mark = gate.audit.mark(subject.issuer, subject.id)
        told["watermark"] = " ".join(
            (subject.agency, mark, utc_text(request.received_at), request.id)
        )
    if not told:
        return response
    extensions = {**response.body["extensions"], "conditions": told}
    return replace(response, body={**response.body, "extensions": extensions})


def failed(error: GatewayError, request: Request) -> Response:
    """The answer to a query that ended with an error: its public text and nothing else."""
    extensions: dict[str, Any] = {"code": error.code, "queryId": request.id}
    if isinstance(error, Refused):
        extensions |= {"rule": error.rule, "contact": error.contact}
    errors: list[dict[str, Any]] = [{"message": error.said, "extensions": extensions}]
    if isinstance(error, InvalidOperation) and error.messages:
        errors = [
            {"message": text, "extensions": extensions}
            | ({"locations": [{"line": a, "column": b} for a, b in at]} if at else {})
            for text, at in error.messages
        ]
    return Response(
        status=error.status, body={"errors": errors}, code=error.code, detail=error.detail
    )


def _moment(gate: Gate, request: Request, shown_s: int | None = None) -> Moment:
    ttl_s = gate.limits.image_link_ttl_s
    return Moment(now=request.received_at, image_link_ttl_s=min(ttl_s, shown_s or ttl_s))
