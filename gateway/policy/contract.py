"""The policy contract: the question as JSON, and the strict reading of the answer.

Names follow OpenID AuthZEN: subject, action, resource, context. Whatever is missing from an answer
denies; whatever is malformed in it refuses the query.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, TypeVar

from connectors.conditions import ALWAYS, NEVER, Condition, fields_of, from_json
from gateway.errors import PolicyMisunderstood
from gateway.model import (
    CLEAR,
    HIT_ONLY,
    SANITISED_TEXT,
    Beside,
    Case,
    Decision,
    Fetch,
    FieldUse,
    Justification,
    Manner,
    Note,
    Obligation,
    Part,
    Plan,
    Ruling,
    Show,
    Subject,
    Use,
    manners,
    resource_id,
)

VERSION: Final = 1
MATCH_BAND: Final = "match_band"
"""Known only when an answer is shaped: a case may look at it, rows may not."""
MAX_ELEMENTS: Final = 100
"""Elements of one component shown per record. It does not follow the number of records asked for:
somebody who asks for one person still sees every warning."""

ATTRIBUTES: Final = ("posting", "training", "clearance", "on_duty")
"""What a token says of a person, each with who said so, and the moment at which they did."""

_WHOLES: Final = frozenset({CLEAR, HIT_ONLY, SANITISED_TEXT})
_T = TypeVar("_T")

# --- the question --------------------------------------------------------------------------------


def question(
    plan: Plan,
    subject: Subject,
    justification: Justification | None,
    *,
    agencies: Mapping[str, str],
    now: datetime,
    query_id: str,
) -> dict[str, Any]:
    """The one question of a query: who asks for what, why, and which fields how.

    `agencies` names the agency of each source. The values searched for are never in it, nor any
    free text: of reason, case and incident only that they were given, and in which form a case was.
    """
    return {
        "version": VERSION,
        "action": {"name": "query"},
        "subject": {
            "type": "officer",
            "id": subject.id,
            "agency": subject.agency,
            "roles": list(subject.roles),
            "clearance": subject.clearance,
            "training": list(subject.training),
            "on_duty": subject.on_duty,
            "as_at": {
                name: _utc(subject.as_at.get(name, subject.attributes_as_at)) for name in ATTRIBUTES
            },
            "said_by": {name: subject.said_by.get(name, subject.issuer) for name in ATTRIBUTES},
            "app": subject.app,
        },
        "context": {"time": _utc(now), "query_id": query_id, **_why(justification)},
        "resources": (
            _resources(plan, agencies)
            if plan.structure is None
            else plan.structure.made.once("resources", lambda: _resources(plan, agencies))
        ),
    }


class Resources(dict[str, Any]):
    """What a plan would touch: the same for all plans of one structure, and not to be changed."""

    @cached_property
    def text(self) -> str:
        """It as JSON; the same things give the same text."""
        return json.dumps(self, sort_keys=True, separators=(",", ":"))


def _resources(plan: Plan, agencies: Mapping[str, str]) -> Resources:
    return Resources(
        (resource_id(fetch.id, part.path), _resource(fetch, part, agencies[fetch.source]))
        for fetch in plan.visits
        for part in (*fetch.parts, *fetch.told)
    )


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _why(given: Justification | None) -> dict[str, Any]:
    return {
        "purpose": given.purpose if given else None,
        "reason_code": given.reason_code if given else None,
        "reason_given": bool(given and given.reason_text),
        "case_given": bool(given and given.case_ref),
        "case_form": form_of(given.case_ref) if given and given.case_ref else None,
        "incident_given": bool(given and given.incident_ref),
        "on_behalf_of": given.on_behalf_of if given else None,
        "break_glass": bool(given and given.break_glass),
    }


def form_of(reference: str) -> str:
    """A reference without what it says: its capitals as A, other letters as a, digits as 9."""
    return "".join(map(_outlined, reference))


def _outlined(char: str) -> str:
    if char.isdigit():
        return "9"
    if char.isalpha():
        return "A" if char.isupper() else "a"
    return char if char in "/-." else "?"


def _resource(fetch: Fetch, part: Part, agency: str) -> dict[str, Any]:
    uses: dict[str, list[str]] = {}
    for use, field in sorted(part.uses):
        uses.setdefault(str(use), []).append(field)
    return {
        "source": fetch.source,
        "agency": agency,
        "entity": part.type,
        "parent": fetch.id if part.path else fetch.parent,
        "limit": MAX_ELEMENTS if part.path else fetch.limit,
        "read": sorted(part.reads | part.filters),
        "uses": uses,
    }


# --- the answer ----------------------------------------------------------------------------------


def read_decision(result: object) -> Decision:
    """Read the value of `result` in the policy's answer.

    Only `cache_s` (0), `refuse` and `notes` may be left out without denying. A refusal rules on no
    resource, so that a lost `refuse` can never turn into a permission.

    Raises:
        PolicyMisunderstood: it is not exactly an answer of this version.
    """
    try:
        return _decision(result)
    except (ValueError, RecursionError) as error:
        raise PolicyMisunderstood(detail=f"the policy's answer: {error}") from error


def _decision(result: object) -> Decision:
    top = _object(
        result,
        "result",
        required={"version", "serial", "obligations"},
        optional={"cache_s", "resources", "refuse"},
    )
    if _integer(top["version"], "version") != VERSION:
        raise ValueError(f"version is not {VERSION}")
    rulings = _values(top.get("resources", {}), "resources", _ruling)
    refuse = None
    if "refuse" in top:
        refuse = _note(top["refuse"], "refuse", keys={"rule", "text", "desk"})
        if rulings:
            raise ValueError("a refusal that also rules on resources")
    return Decision(
        serial=_integer(top["serial"], "serial"),
        rulings=rulings,
        obligations=tuple(_obligation(one) for one in _list(top["obligations"], "obligations")),
        refuse=refuse,
        cache_s=_seconds(top.get("cache_s", 0)),
    )


def _ruling(data: object, at: str) -> Ruling:
    known = {"show", "limit", "rows", "uses", "whole", "read", "notes", "beside"}
    given = _object(data, at, optional=known)
    read = _values(given.get("read", {}), f"{at}.read", _manner_reader())
    whole = _manner_reader()(given.get("whole", HIT_ONLY), f"{at}.whole")
    if unknown := manners(whole) - _WHOLES:
        raise ValueError(f"{at}.whole: a record cannot be shown as {sorted(unknown)}")
    if len({_hits(manner) for manner in read.values()}) > 1:
        # Else one field's silence about a hit would show the rest of what may only be one.
        raise ValueError(f"{at}.read: an element is a hit by the same cases in every field")
    return Ruling(
        show=Show(_text(given["show"], f"{at}.show")) if "show" in given else None,
        limit=_integer(given.get("limit", 0), f"{at}.limit"),
        rows=_rows(given["rows"], at) if "rows" in given else NEVER,
        uses=_uses(given.get("uses", {}), at),
        whole=whole,
        read=read,
        notes=_values(given.get("notes", {}), f"{at}.notes", _note),
        beside=_beside(given["beside"], f"{at}.beside") if "beside" in given else None,
    )


def _beside(data: object, at: str) -> Beside:
    given = _object(data, at, required={"rows", "note"})
    return Beside(rows=_rows(given["rows"], at), note=_note(given["note"], f"{at}.note"))


def _rows(data: object, at: str) -> Condition:
    rows = from_json(data)
    if MATCH_BAND in fields_of(rows):
        raise ValueError(f"{at}.rows looks at {MATCH_BAND}")
    return rows


def _uses(data: object, at: str) -> frozenset[FieldUse]:
    given = _values(data, f"{at}.uses", _list)
    return frozenset(
        (Use(use), _text(field, f"{at}.uses.{use}"))
        for use, fields in given.items()
        for field in fields
    )


def _manner_reader() -> Callable[[object, str], Manner]:
    """Reads manners; those of several fields that are alike become one and the same."""
    known: dict[str, Manner] = {}

    def manner(data: object, at: str) -> Manner:
        if not isinstance(data, list):
            return _text(data, at)
        words = json.dumps(data)
        if (read := known.get(words)) is None:
            read = known[words] = tuple(_case(one, at) for one in data)
        return read

    return manner


def _hits(manner: Manner) -> frozenset[Condition]:
    """The cases in which a manner makes its element a hit."""
    if isinstance(manner, str):
        return frozenset({ALWAYS} if manner == HIT_ONLY else ())
    return frozenset(case.when for case in manner if case.manner == HIT_ONLY)


def _case(data: object, at: str) -> Case:
    given = _object(data, at, required={"when", "as"})
    return Case(from_json(given["when"]), _text(given["as"], f"{at}.as"))


def _note(
    data: object, at: str, *, keys: frozenset[str] | set[str] = frozenset(Note.__slots__)
) -> Note:
    given = _object(data, at, optional=keys)
    return Note(**{key: _text(value, f"{at}.{key}", empty=True) for key, value in given.items()})


def _obligation(data: object) -> Obligation:
    given = _object(data, "obligation", required={"type"}, optional={"attributes"})
    return Obligation(
        type=_text(given["type"], "obligation.type"),
        attributes=_values(given.get("attributes", {}), "attributes", lambda value, _: value),
    )


# --- shapes --------------------------------------------------------------------------------------


def _object(
    data: object,
    at: str,
    *,
    required: frozenset[str] | set[str] = frozenset(),
    optional: frozenset[str] | set[str] = frozenset(),
) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ValueError(f"{at} is not an object")
    if missing := required - data.keys():
        raise ValueError(f"{at} lacks {sorted(missing)}")
    if unknown := data.keys() - required - optional:
        raise ValueError(f"{at} has unknown {sorted(map(str, unknown))}")
    return data


def _values(data: object, at: str, read: Callable[[object, str], _T]) -> dict[str, _T]:
    if not isinstance(data, dict):
        raise ValueError(f"{at} is not an object")
    return {str(key): read(value, f"{at}.{key}") for key, value in data.items()}


def _list(data: object, at: str) -> list[Any]:
    if not isinstance(data, list):
        raise ValueError(f"{at} is not a list")
    return data


def _text(data: object, at: str, *, empty: bool = False) -> str:
    if not isinstance(data, str) or not (data or empty):
        raise ValueError(f"{at} is not a text")
    return data


def _integer(data: object, at: str) -> int:
    if isinstance(data, bool) or not isinstance(data, int) or data < 0:
        raise ValueError(f"{at} is not a whole number")
    return data


def _seconds(data: object) -> float:
    if isinstance(data, bool) or not isinstance(data, int | float):
        raise ValueError("cache_s is not a number of seconds")
    if not math.isfinite(data) or data < 0:
        raise ValueError("cache_s is not a number of seconds")
    return float(data)
