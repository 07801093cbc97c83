"""The life of one action at /casework, which is a query's with the gateway's own records in it:

    receive -> authenticate -> parse -> find what it is about -> ask -> record intent
            -> do it -> record outcome -> send

Each operation is one field, so that each action has its decision, its intent and its outcome. What
does not exist, is another agency's, or is a record that the caller may not see is null, the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from gateway.audit.recorder import Action, AuditedResponse, Decided, Record
from gateway.casework.model import (
    Notice,
    Officer,
    ReleaseRequest,
    Told,
    Urgency,
    Verdict,
)
from gateway.casework.schema import MOST
from gateway.casework.standing import Standing
from gateway.casework.store import Store
from gateway.casework.view import of_notice, of_request
from gateway.catalogue.forms import duration
from gateway.errors import (
    CaseworkUnavailable,
    GatewayError,
    Internal,
    InvalidOperation,
    LimitExceeded,
    PolicyMisunderstood,
    Refused,
    where_it_failed,
)
from gateway.model import (
    EMPTY,
    AuthorisedPlan,
    Operation,
    Plan,
    Request,
    Response,
    Selection,
    Subject,
)
from gateway.pipeline import (
    Gate,
    NothingReleased,
    check_registered,
    decided,
    failed,
    fan_out,
)
from gateway.policy.casework import Matter, Terms, casework_question
from gateway.query.operation import Parser, parse_request
from gateway.query.records import FAILED
from gateway.query.single import found_as, plan_of_one

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Everything that actions need."""

    gate: Gate
    store: Store
    standing: Standing
    parser: Parser
    new_id: Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One action on its way."""

    office: Office
    request: Request
    subject: Subject
    operation: Operation
    selection: Selection
    record: Record

    @property
    def now(self) -> datetime:
        return self.request.received_at

    @property
    def caller(self) -> Officer:
        who = self.subject
        return Officer(issuer=who.issuer, id=who.id, agency=who.agency)

    async def allowed(
        self,
        matter: Matter,
        about: str = "",
        seen: tuple[Decided | None, AuthorisedPlan] | None = None,
    ) -> Terms:
        """What policy says of it, once the intent is recorded. `seen`: what is to be visited.

        Raises:
            Refused: policy says no.
            PolicyUnavailable, AuditUnavailable: nothing may be done.
        """
        gate = self.office.gate
        asked = casework_question(
            matter,
            self.subject,
            self.operation.justification,
            now=self.now,
            query_id=self.request.id,
        )
        terms = await gate.pdp.terms(asked)
        if (note := terms.refuse) is not None:
            raise Refused(note.text, rule=note.rule, contact=note.desk, detail=note.rule)
        decision, agreed = seen or (None, AuthorisedPlan(plan=Plan(), serial=terms.serial))
        action = Action(act=matter.act, about=about, serial=terms.serial, question=asked)
        await self.record.intent(self.subject, self.operation, decision, agreed, action)
        return terms


async def act(office: Office, request: Request) -> AuditedResponse:
    """Take one action through its life.

    Raises:
        AuditUnavailable: it could not be recorded: either nothing was done, or what was done is
            not told.
    """
    gate = office.gate
    record = gate.audit.begin(request)
    try:
        subject = await gate.identity.authenticate(request.authorization)
        record.known(subject=subject)
        operation = parse_request(request, office.parser)
        record.known(operation=operation)
        check_registered(operation, subject, office.parser)
        response = await _response(office, request, subject, operation, record)
    except GatewayError as error:
        response = failed(error, request)
    except asyncio.CancelledError:
        await record.gone(Response(status=499, body={}, code="CLIENT_GONE"))
        raise
    except Exception as error:
        _log.error("action %s failed: %s", request.id, where_it_failed(error))
        response = failed(Internal(detail=type(error).__name__), request)
    return await record.outcome(response)


async def _response(
    office: Office, request: Request, subject: Subject, operation: Operation, record: Record
) -> Response:
    if operation.introspection is not None:
        return Response(status=200, body={"data": operation.introspection})
    try:
        (selection,) = operation.roots
        done = ACTS[selection.name]
    except (ValueError, KeyError):
        raise InvalidOperation("Send one action in each operation.") from None
    call = Call(
        office=office,
        request=request,
        subject=subject,
        operation=operation,
        selection=selection,
        record=record,
    )
    found = await done(call)
    return Response(status=200, body={"data": {selection.key: _told(selection, found)}})


# --- asking for a release ------------------------------------------------------------------------


async def request_release(call: Call) -> Mapping[str, Any] | None:
    """Ask the originator's desk, if the caller may know of the record."""
    office, args = call.office, call.selection.args
    opened = office.gate.refs.open(call.subject.agency, args["record"])
    source = office.gate.catalogue.sources.get(opened[0]) if opened else None
    if opened is None or source is None or opened[1] not in source.entities:
        opened = source = None
    entity = opened[1] if opened else None
    fields = _fields(call, entity, args["fields"])
    matter = Matter(
        act="requestRelease",
        agency=source.agency if source else None,
        entity=entity,
        fields=fields,
        for_s=_seconds(args["until"]),
        urgency=args["urgency"],
    )
    if opened is None or source is None:
        await call.allowed(matter)
        return None
    plan = plan_of_one(office.gate.catalogue, *opened, fields)
    seen = await _seen(call, plan)
    terms = await call.allowed(matter, seen=seen)
    shown = await _shown(call, seen)
    if shown is None or not terms.desk:
        return None
    if (why := call.operation.justification) is None:
        raise PolicyMisunderstood(detail="a release was allowed without a justification")
    asked = ReleaseRequest(
        id=office.new_id(),
        at=call.now,
        asker=call.caller,
        ref=args["record"],
        source=source.id,
        entity=opened[1],
        agency=source.agency,
        desk=terms.desk,
        on_call=terms.on_call,
        fields=fields,
        for_s=_seconds(args["until"]),
        urgency=Urgency(args["urgency"]),
        purpose=why.purpose,
        reason_code=why.reason_code,
        reason_text=why.reason_text,
        case_ref=why.case_ref,
        due_at=call.now + timedelta(seconds=terms.due_s),
        opens=not shown,
    )
    await office.store.ask(asked, _notice(call, asked, Told.RELEASE_ASKED))
    return _of_request(call, asked)


async def _seen(call: Call, plan: Plan) -> tuple[Decided | None, AuthorisedPlan]:
    """What an ordinary question for this record would be agreed to, for this purpose and without
    what was released before. One that is refused sees nothing.
    """
    gate = replace(call.office.gate, releases=NothingReleased())
    try:
        return await decided(gate, call.request, call.subject, call.operation, plan)
    except Refused:
        return None, AuthorisedPlan(plan=plan, serial=call.office.gate.pdp.serial)


async def _shown(call: Call, seen: tuple[Decided | None, AuthorisedPlan]) -> bool | None:
    """Whether the record is shown to the caller, or a hit; None if it does not appear at all.

    Raises:
        Refused: its agency does not answer, so nobody can tell.
    """
    agreed = seen[1]
    if not agreed.grants:
        return None
    results, _ = await fan_out(call.office.gate, call.request, agreed, EMPTY)
    call.office.gate.afterwards.put(call.request, call.subject, agreed, results)
    (result,) = results.values()
    if result.state in FAILED:
        raise Refused(
            "The agency that holds the record does not answer. Call its desk.",
            rule="casework.unavailable",
            contact="gateway",
        )
    (grant,) = agreed.grants.values()
    return found_as(grant, result.records)


# --- deciding it ---------------------------------------------------------------------------------


async def decide_release(call: Call) -> Mapping[str, Any] | None:
    """Grant or refuse, once; null for what another agency's desk decides, or is decided."""
    office, args = call.office, call.selection.args
    asked = await office.store.request(args["id"])
    if asked is not None and asked.agency != call.subject.agency:
        asked = None
    grant = args.get("grant") or {}
    fields = _fields(call, asked.entity if asked else None, grant.get("fields", ()))
    for_s = _seconds(grant["until"]) if grant else None
    matter = Matter(
        act="decideRelease",
        agency=asked.agency if asked else None,
        entity=asked.entity if asked else None,
        fields=fields,
        asked=asked.fields if asked else fields,
        for_s=for_s,
        refusal=args.get("refusal"),
        own=asked is not None and asked.asker == call.caller,
    )
    await call.allowed(matter, about=asked.id if asked else "")
    if asked is None:
        return None
    until = call.now + timedelta(seconds=for_s) if for_s is not None else None
    verdict = Verdict(
        by=call.caller, at=call.now, granted=fields, until=until, refusal=args.get("refusal")
    )
    if (done := await office.store.decide(asked.id, verdict)) is None:
        return None
    with contextlib.suppress(CaseworkUnavailable):  # else it counts within a second
        await office.standing.refresh()
    return _of_request(call, done)


async def acknowledge_notice(call: Call) -> Mapping[str, Any] | None:
    office, id_ = call.office, call.selection.args["id"]
    notice = await office.store.notice(id_)
    if notice is not None and notice.agency != call.subject.agency:
        notice = None
    agency = notice.agency if notice else None
    await call.allowed(
        Matter(act="acknowledgeNotice", agency=agency), about=notice.id if notice else ""
    )
    if notice is None:
        return None
    done = await office.store.acknowledge(id_, call.caller, call.now)
    return _of_notice(call, done) if done else None


# --- looking -------------------------------------------------------------------------------------


async def my_requests(call: Call) -> list[Mapping[str, Any]]:
    await call.allowed(Matter(act="myRequests", agency=call.subject.agency))
    found = await call.office.store.requests_of(call.caller, _first(call))
    return [_of_request(call, one) for one in found]


async def desk_queue(call: Call) -> list[Mapping[str, Any]]:
    await call.allowed(Matter(act="deskQueue", agency=call.subject.agency))
    found = await call.office.store.queue_of(call.subject.agency, _first(call))
    return [_of_request(call, one) for one in found]


async def notices(call: Call) -> list[Mapping[str, Any]]:
    await call.allowed(Matter(act="notices", agency=call.subject.agency))
    found = await call.office.store.notices_of(call.subject.agency, _first(call))
    return [_of_notice(call, one) for one in found]


Act: TypeAlias = Callable[[Call], Awaitable[Any]]
ACTS: Final[Mapping[str, Act]] = {
    "request_release": request_release,
    "decide_release": decide_release,
    "acknowledge_notice": acknowledge_notice,
    "my_requests": my_requests,
    "desk_queue": desk_queue,
    "notices": notices,
}


# --- words ---------------------------------------------------------------------------------------


def _first(call: Call) -> int:
    first = call.selection.args.get("first") or 0
    if not 1 <= first <= MOST:
        raise LimitExceeded.of("first", MOST, first)
    return int(first)


def _seconds(text: str) -> int:
    try:
        return int(duration(text).total_seconds())
    except (ValueError, OverflowError):
        raise InvalidOperation("until: a duration is like P1D or PT24H.") from None


def _fields(call: Call, entity: str | None, named: tuple[str, ...]) -> tuple[str, ...]:
    """Fields in the vocabulary's names; one that the schema does not have stays as it was sent,
    and policy releases none of that name."""
    names = call.office.gate.parser.schema.names
    if len(named) > call.office.gate.limits.values:
        raise LimitExceeded.of("values", call.office.gate.limits.values, len(named))
    return tuple(dict.fromkeys(names.get((entity or "", name), name) for name in named))


def _notice(call: Call, asked: ReleaseRequest, about: Told) -> Notice:
    return Notice(
        id=call.office.new_id(),
        at=call.now,
        agency=asked.agency,
        desk=asked.desk,
        about=about,
        subject=asked.id,
    )


def _told(selection: Selection, found: Any) -> Any:
    """The selected fields of what was found."""
    if found is None:
        return None
    if isinstance(found, list):
        return [_told(selection, one) for one in found]
    return {one.key: found[one.name] for one in selection.selections}


def _of_request(call: Call, asked: ReleaseRequest) -> dict[str, Any]:
    """A request as its reader sees it: the record by the ref of the reader's own agency."""
    agency, refs = call.subject.agency, call.office.gate.refs
    opened = refs.open(asked.asker.agency, asked.ref)
    if opened is not None and agency == asked.agency:
        return of_request(asked, ref=refs.seal(agency, *opened), key=str(opened[2]))
    return of_request(asked, ref=asked.ref)


def _of_notice(call: Call, notice: Notice) -> dict[str, Any]:
    refs, agency = call.office.gate.refs, call.subject.agency
    opened = refs.open(agency, notice.record) if notice.record else None
    return of_notice(notice, str(opened[2]) if opened else None)
