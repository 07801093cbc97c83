"""The contract for actions at /casework: one question for each, and its answer read strictly.

As for queries, whatever is missing from an answer denies, and whatever is malformed in it refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gateway.errors import PolicyMisunderstood
from gateway.model import Justification, Note, Plan, Subject
from gateway.policy.contract import question

_TERMS: Final = {
    "desk": str,
    "on_call": str,
    "due_s": int,
    "most_waiting": int,
    "most_of_record": int,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """What an action is about. A record that is not there, or not the caller's to know of, has
    neither agency nor entity."""

    act: str
    agency: str | None = None
    entity: str | None = None
    fields: tuple[str, ...] = ()  # asked for, or granted
    asked: tuple[str, ...] = ()  # of the request that is decided
    for_s: int | None = None
    urgency: str | None = None
    refusal: str | None = None
    revocation: str | None = None
    outcome: str | None = None
    budget: str | None = None
    extra: int | None = None  # what is to be added to it
    code: str | None = None  # why something of the record is erased, held or let go
    own: bool = False  # the caller's own request


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What policy says of an action."""

    serial: int
    refuse: Note | None  # None: it may be done
    desk: str = ""
    on_call: str = ""
    due_s: int = 0
    most_waiting: int = 0  # requests of one officer, this one among them
    most_of_record: int = 0  # of these, about one and the same record
    desks: tuple[str, ...] = ()  # at which the caller's agency has people
    agencies: tuple[str, ...] = ()  # whose matters the caller may deal with


def casework_question(
    matter: Matter,
    subject: Subject,
    justification: Justification | None,
    *,
    now: datetime,
    query_id: str,
) -> dict[str, Any]:
    """Who wants to do what, and why. No record's key is in it, and no free text."""
    asked = question(Plan(), subject, justification, agencies={}, now=now, query_id=query_id)
    del asked["resources"]
    return asked | {
        "action": {"name": "casework"},
        "casework": {
            "act": matter.act,
            "agency": matter.agency,
            "entity": matter.entity,
            "fields": list(matter.fields),
            "asked": list(matter.asked),
            "for_s": matter.for_s,
            "urgency": matter.urgency,
            "refusal": matter.refusal,
            "revocation": matter.revocation,
            "outcome": matter.outcome,
            "budget": matter.budget,
            "extra": matter.extra,
            "code": matter.code,
            "own": matter.own,
        },
    }


def read_terms(result: object) -> Terms:
    """Read the value of `result` in the policy's answer.

    Raises:
        PolicyMisunderstood: it is not exactly what we can read.
    """
    fine = isinstance(result, dict) and all(
        type(result.get(name)) is int for name in ("version", "serial")
    )
    match result if fine else None:
        case {"version": 1, "serial": int(serial), "allow": True, "terms": dict(given), **more}:
            if not more and _fine(given):
                return Terms(serial=serial, refuse=None, **given)
            if not more and _named(given):
                desks, agencies = (tuple(given.get(name, ())) for name in ("desks", "agencies"))
                return Terms(serial=serial, refuse=None, desks=desks, agencies=agencies)
        case {"version": 1, "serial": int(serial), "allow": False, "refuse": dict(said), **more}:
            if not more and _said(said):
                return Terms(serial=serial, refuse=Note(**said))
    raise PolicyMisunderstood(detail="the policy's answer about an action cannot be read")


def _fine(given: Mapping[str, Any]) -> bool:
    """All of the terms, each of its type; or none."""
    if not given:
        return True
    return given.keys() == _TERMS.keys() and all(
        type(given[name]) is kind and given[name] for name, kind in _TERMS.items()
    )


def _named(given: Mapping[str, Any]) -> bool:
    """Names of desks, or of agencies."""
    return given.keys() in ({"desks"}, {"agencies"}) and all(
        isinstance(texts, list) and all(isinstance(text, str) and text for text in texts)
        for texts in given.values()
    )


def _said(said: Mapping[str, Any]) -> bool:
    return said.keys() == {"rule", "text", "desk"} and all(
        isinstance(text, str) and text for text in said.values()
    )
