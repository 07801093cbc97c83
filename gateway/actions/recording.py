"""Notices acknowledged, outcomes recorded, colleagues' questions agreed to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from gateway.actions.call import Call, first, seconds
from gateway.casework.model import BudgetRelease, Notice, Told
from gateway.casework.view import (
    of_budget_release,
    of_countersignature,
    of_notice,
    of_outcome,
)
from gateway.identifiers import is_uuid
from gateway.policy.casework import Matter

_AGREED_FOR: Final = timedelta(minutes=10)  # a countersignature, for one search


async def acknowledge_notice(call: Call) -> Mapping[str, Any] | None:
    """Say that one's desk knows; null for a notice that is neither one's agency's nor for a desk
    where one's agency has people, as when that desk is on call, or one acknowledged before."""
    office, id_ = call.office, call.selection.args["id"]
    notice = await office.store.notice(id_)
    terms = await call.allowed(
        Matter(act="acknowledgeNotice", agency=call.subject.agency),
        about=notice.id if notice else "",
    )
    if notice is None or not (notice.agency == call.subject.agency or notice.desk in terms.desks):
        return None
    done = await office.store.acknowledge(id_, call.caller, call.now)
    return _of_notice(call, done) if done else None


async def record_outcome(call: Call) -> Mapping[str, Any] | None:
    """Say what came of one's own search; null for a search of which nothing is owed."""
    id_, outcome = call.selection.args["operation_id"], call.selection.args["outcome"]
    matter = Matter(act="recordOutcome", agency=call.subject.agency, outcome=outcome)
    await call.allowed(matter, about=id_ if is_uuid(id_) else "")  # else it may say anything
    done = await call.office.store.record_outcome(id_, call.caller, outcome, call.now)
    return of_outcome(*done) if done else None


async def countersign(call: Call) -> Mapping[str, Any] | None:
    """Agree to a colleague's question; null for one of an agency that is not the caller's to
    supervise, or one agreed to before."""
    office, id_ = call.office, call.selection.args["id"]
    asked = await office.store.countersignature(id_)
    own = asked is not None and asked.asker == call.caller
    matter = Matter(act="countersign", agency=call.subject.agency, own=own)
    terms = await call.allowed(matter, about=asked.id if asked else "")
    if asked is None or asked.asker.agency not in terms.agencies:
        return None
    done = await office.store.countersign(id_, call.caller, call.now + _AGREED_FOR)
    return of_countersignature(done, call.token(done.asker)) if done else None


async def release_budget(call: Call) -> Mapping[str, Any]:
    """Add to what an officer may ask, whom their agency's sign-in knows by this id: a colleague,
    or somebody of an agency that the caller's supervises."""
    args, caller = call.selection.args, call.caller
    for_s = seconds(args["until"])
    agency = args.get("agency") or caller.agency
    officer = replace(caller, id=args["officer"], agency=agency)
    matter = Matter(
        act="releaseBudget",
        agency=agency,
        budget=args["budget"],
        extra=args["extra"],
        for_s=for_s,
        own=officer == caller,
    )
    await call.allowed(matter)
    given = BudgetRelease(
        id=call.office.new_id(),
        at=call.now,
        officer=officer,
        by=caller,
        budget=args["budget"],
        extra=args["extra"],
        until=call.now + timedelta(seconds=for_s),
    )
    await call.office.store.release_budget(given)  # it counts within a second
    return of_budget_release(given)


async def to_countersign(call: Call) -> list[Mapping[str, Any]]:
    terms = await call.allowed(Matter(act="toCountersign", agency=call.subject.agency))
    found = await call.office.store.to_countersign(terms.agencies, first(call))
    return [of_countersignature(one, call.token(one.asker)) for one in found]


async def notices(call: Call) -> list[Mapping[str, Any]]:
    terms = await call.allowed(Matter(act="notices", agency=call.subject.agency))
    store = call.office.store
    listed = store.acknowledged_of if call.selection.args["acknowledged"] else store.notices_of
    found = await listed(call.subject.agency, first(call), terms.desks)
    return [_of_notice(call, one) for one in found]


def _of_notice(call: Call, notice: Notice) -> dict[str, Any]:
    refs, agency = call.office.gate.refs, call.subject.agency
    theirs = notice.about is Told.RECORD_RECALLED  # the key is another agency's
    opened = refs.open(agency, notice.record) if notice.record and not theirs else None
    key = str(opened[2]) if opened else None
    return of_notice(notice, key, call.token(notice.acknowledged_by))
