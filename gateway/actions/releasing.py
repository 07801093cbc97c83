"""Asking an originator's desk for a release, and deciding it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from gateway.actions.call import Call, fields_named, first, seconds
from gateway.audit.recorder import Decided
from gateway.casework.model import (
    Notice,
    ReleaseRequest,
    Told,
    Urgency,
    Verdict,
    Waiting,
)
from gateway.casework.view import of_request
from gateway.errors import (
    CaseworkUnavailable,
    PolicyMisunderstood,
    Refused,
)
from gateway.model import EMPTY, AuthorisedPlan, Plan
from gateway.pipeline import decided, fan_out
from gateway.policy.casework import Matter
from gateway.ports import Answered, NothingReleased
from gateway.query.single import found_as, plan_of_one

# --- asking for a release ------------------------------------------------------------------------


async def request_release(call: Call) -> Mapping[str, Any] | None:
    """Ask the originator's desk, if the caller may know of the record."""
    office, args = call.office, call.selection.args
    opened = office.gate.refs.open(call.subject.agency, args["record"])
    source = office.gate.catalogue.sources.get(opened[0]) if opened else None
    if opened is None or source is None or opened[1] not in source.entities:
        opened = source = None
    entity = opened[1] if opened else None
    fields = fields_named(call, entity, args["fields"])
    matter = Matter(
        act="requestRelease",
        agency=source.agency if source else None,
        entity=entity,
        fields=fields,
        for_s=seconds(args["until"]),
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
        for_s=seconds(args["until"]),
        urgency=Urgency(args["urgency"]),
        purpose=why.purpose,
        reason_code=why.reason_code,
        reason_text=why.reason_text,
        case_ref=why.case_ref,
        due_at=call.now + timedelta(seconds=terms.due_s),
        opens=not shown,
    )
    within = Waiting(most=terms.most_waiting, most_of_record=terms.most_of_record)
    if not await office.store.ask(asked, _notice(call, asked, Told.RELEASE_ASKED), within):
        raise _too_many(asked, within)
    return _of_request(call, asked)


def _too_many(asked: ReleaseRequest, within: Waiting) -> Refused:
    return Refused(
        f"At most {within.most} of your requests may wait for a desk, and "
        f"{within.most_of_record} for one record. Nothing was asked: wait for a decision, or call "
        "the desk.",
        rule="casework.most_waiting",
        contact=asked.desk,
        detail="too many requests wait",
    )


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
    call.office.gate.afterwards.put(
        Answered(request=call.request, subject=call.subject, agreed=agreed, results=results)
    )
    (result,) = results.values()
    if result.state.failed:
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
    asked = await _of_own_agency(call, args["id"])
    grant = args.get("grant") or {}
    fields = fields_named(call, asked.entity if asked else None, grant.get("fields", ()))
    for_s = seconds(grant["until"]) if grant else None
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
    return await _told_at_once(call, await office.store.decide(asked.id, verdict))


async def revoke_release(call: Call) -> Mapping[str, Any] | None:
    """End a release before its time, at once; null for another agency's, or one that has ended."""
    args = call.selection.args
    asked = await _of_own_agency(call, args["id"])
    matter = Matter(
        act="revokeRelease",
        agency=asked.agency if asked else None,
        entity=asked.entity if asked else None,
        revocation=args["code"],
    )
    await call.allowed(matter, about=asked.id if asked else "")
    if asked is None:
        return None
    done = await call.office.store.revoke(asked.id, call.caller, args["code"], call.now)
    return await _told_at_once(call, done)


async def _of_own_agency(call: Call, id_: str) -> ReleaseRequest | None:
    """A request that the caller's agency is the originator for; None like one that is not there."""
    asked = await call.office.store.request(id_)
    return asked if asked is not None and asked.agency == call.subject.agency else None


async def _told_at_once(call: Call, done: ReleaseRequest | None) -> Mapping[str, Any] | None:
    """What was done, once the next question here knows of it."""
    if done is None:
        return None
    with contextlib.suppress(CaseworkUnavailable):  # else it counts within a second
        await call.office.standing.refresh()
    return _of_request(call, done)


async def my_requests(call: Call) -> list[Mapping[str, Any]]:
    await call.allowed(Matter(act="myRequests", agency=call.subject.agency))
    found = await call.office.store.requests_of(call.caller, first(call))
    return [_of_request(call, one) for one in found]


async def desk_queue(call: Call) -> list[Mapping[str, Any]]:
    await call.allowed(Matter(act="deskQueue", agency=call.subject.agency))
    found = await call.office.store.queue_of(call.subject.agency, first(call))
    return [_of_request(call, one) for one in found]


async def standing_releases(call: Call) -> list[Mapping[str, Any]]:
    await call.allowed(Matter(act="standingReleases", agency=call.subject.agency))
    found = await call.office.store.granted_by(call.subject.agency, call.now, first(call))
    return [_of_request(call, one) for one in found]


def _notice(call: Call, asked: ReleaseRequest, about: Told) -> Notice:
    return Notice(
        id=call.office.new_id(),
        at=call.now,
        agency=asked.agency,
        desk=asked.desk,
        about=about,
        subject=asked.id,
    )


def _of_request(call: Call, asked: ReleaseRequest) -> dict[str, Any]:
    """A request as its reader sees it: the record by the ref of the reader's own agency."""
    agency, refs = call.subject.agency, call.office.gate.refs
    opened = refs.open(asked.asker.agency, asked.ref)
    if opened is not None and agency == asked.agency:
        return of_request(asked, ref=refs.seal(agency, *opened), key=str(opened[2]))
    return of_request(asked, ref=asked.ref)
