"""What is erased of the record of queries, by two people, and what is held back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.actions.call import Call
from gateway.audit.keeping import Keeping, not_done
from gateway.audit.ledger import Erasure, Hold, Target
from gateway.catalogue.forms import utc_text
from gateway.policy.casework import Matter

_SCOPES = ("request", "month", "actor", "case")
_LONGEST = 2_000  # characters of a reason
_TOKEN = 12  # characters by which the log finds whose it is, as on watermarks


async def request_erasure(call: Call) -> Mapping[str, Any]:
    """Ask that something is erased; nothing is yet."""
    args, keeping = call.selection.args, call.office.keeping
    target = Target(**{name: args.get(name) for name in ("record", "month", "tokens")})
    agency = await keeping.agency_of(target)
    await call.allowed(Matter(act="requestErasure", agency=agency, code=args["code"]))
    _demand_words(call)
    return _of_erasure(await keeping.ask(call.record, target, args["code"]), "ASKED")


async def agree_to_erasure(call: Call) -> Mapping[str, Any] | None:
    """Agree to what somebody else asked for, and have it erased; null for what nobody asked."""
    keeping = call.office.keeping
    asked = await keeping.find(call.selection.args["id"])
    agency, own = None, False
    if asked is not None:
        agency = await keeping.agency_of(asked.target)
        own = keeping.asked_by(asked, call.subject.issuer, call.subject.id)
    matter = Matter(act="agreeToErasure", agency=agency, own=own)
    await call.allowed(matter, about=asked.id if asked else "")
    if asked is None:
        return None
    done = await keeping.agree(call.record, asked)
    return _of_erasure(asked, "ERASED" if done else "AGREED")


async def erasures(call: Call) -> list[Mapping[str, Any]]:
    """What waits for somebody who agrees."""
    terms = await call.allowed(Matter(act="erasures", agency=call.subject.agency))
    keeping = call.office.keeping
    return [
        _of_erasure(one, "ASKED")
        for one in await keeping.waiting()
        if {one.agency, await keeping.agency_of(one.target)}.intersection(terms.agencies)
    ]


async def place_hold(call: Call) -> Mapping[str, Any]:
    """Hold something back."""
    args = call.selection.args
    scope: dict[str, Any] = {name: args[name] for name in _SCOPES if args.get(name) is not None}
    if (first := args.get("first")) is not None:
        scope["records"] = (first, first if args.get("last") is None else args["last"])
    agency = str(scope["month"]).partition("/")[0] if "month" in scope else None
    await call.allowed(Matter(act="placeHold", agency=agency, code=args["code"]))
    _demand_words(call)
    if len(scope) != 1:
        raise not_done("Name one thing: records, a request, a month, an actor or a case.")
    if "actor" in scope:
        scope["actor"] = f"{args.get('issuer') or call.subject.issuer}|{scope['actor']}"
    keeping = call.office.keeping
    return _of_hold(keeping, await keeping.hold(call.record, scope, args["code"]))


async def lift_hold(call: Call) -> Mapping[str, Any] | None:
    """Ask that it is let go; nothing is yet. Null for a hold that does not stand."""
    args, keeping = call.selection.args, call.office.keeping
    found = next((one for one in await keeping.standing() if one.id == args["id"]), None)
    matter = Matter(act="liftHold", agency=found.agency if found else None, code=args["code"])
    await call.allowed(matter, about=found.id if found else "")
    if found is None:
        return None
    _demand_words(call)
    return _of_hold(keeping, await keeping.ask_lift(call.record, found, args["code"]))


async def agree_to_lift(call: Call) -> Mapping[str, Any] | None:
    """Let go, as somebody else than who asked; null for a hold that does not stand, or of which
    nobody asked that it is lifted."""
    keeping, id_ = call.office.keeping, call.selection.args["id"]
    found = next((one for one in await keeping.standing() if one.id == id_), None)
    lift = keeping.lift_of(found) if found is not None else None
    own = lift is not None and keeping.asked_by(lift, call.subject.issuer, call.subject.id)
    matter = Matter(act="agreeToLift", agency=found.agency if found else None, own=own)
    await call.allowed(matter, about=found.id if found else "")
    if found is None or lift is None:
        return None
    return _of_hold(keeping, await keeping.lift(call.record, found))


async def holds(call: Call) -> list[Mapping[str, Any]]:
    """The holds that stand, whoever placed them."""
    await call.allowed(Matter(act="holds", agency=call.subject.agency))
    keeping = call.office.keeping
    return [_of_hold(keeping, one) for one in await keeping.standing()]


def _demand_words(call: Call) -> None:
    """Why, in words, which the intent has sealed."""
    if not 0 < len(call.selection.args["text"].strip()) <= _LONGEST:
        raise not_done("Say why, in a few words.")


def _of_erasure(one: Erasure, state: str) -> dict[str, Any]:
    ((name, value),) = one.target.said.items()
    return {
        "__typename": "Erasure",
        "id": one.id,
        "what": f"{name} {value}",
        "code": one.code,
        "at": utc_text(one.at),
        "asked_by": f"{one.agency} {one.by[:_TOKEN]}",
        "state": state,
    }


def _of_hold(keeping: Keeping, one: Hold) -> dict[str, Any]:
    lift = keeping.lift_of(one) if one.lifted is None else None
    return {
        "__typename": "Hold",
        "id": one.id,
        "what": _said(one.scope),
        "code": one.code,
        "at": utc_text(one.at),
        "placed_by": f"{one.agency} {one.by[:_TOKEN]}",
        "agency": one.agency,
        "entry": one.placed,
        "lift_code": lift.code if lift else None,
        "lift_asked_by": f"{lift.agency} {lift.by[:_TOKEN]}" if lift else None,
        "lifted_by": one.lifted,
    }


def _said(scope: Mapping[str, Any]) -> str:
    ((name, value),) = scope.items()
    match name:
        case "records":
            return f"records {value[0]} to {value[1]}"
        case "actor" | "case":
            return f"{name} {value[-1][:_TOKEN]}"  # its token of the last quarter
        case _:
            return f"{name} {value}"
