"""What a desk has released to one officer, on its way through the ordinary decision.

The question names each open release by an id of ours, with the fetches it may bear on; the policy
answers with cases on the made-up field `released`. Here those become conditions on the key of the
one record that was released, which the policy never learns. An id that is not among the releases
sent, or stands on another entity's fetch, holds for no record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from typing import Any, Final

from connectors.conditions import (
    NEVER,
    And,
    Compare,
    Condition,
    IsNull,
    Op,
    Or,
    fields_of,
)
from gateway.errors import PolicyMisunderstood
from gateway.model import Case, Decision, Fetch, Manner, Plan, Released, Ruling

RELEASED: Final = "released"
KEY: Final = "native_key"


def bears_on(one: Released, fetch: Fetch) -> bool:
    """Whether the record released may be among a fetch's."""
    if (one.source, one.entity) != (fetch.source, fetch.entity):
        return False
    return not one.opens or fetch.where == Compare(KEY, Op.EQ, one.key)


def releases_told(plan: Plan, held: Sequence[Released]) -> list[dict[str, Any]]:
    """The question's part about the releases that bear on it."""
    bearing = [(one, [f.id for f in plan.fetches if bears_on(one, f)]) for one in held]
    return [
        {
            "id": one.id,
            "resources": fetches,
            "fields": list(one.fields),
            "until": one.until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "opens": one.opens,
        }
        for one, fetches in bearing
        if fetches
    ]


def settled(decision: Decision, plan: Plan, held: Sequence[Released]) -> Decision:
    """The decision with each `released` as a condition on the record's key.

    Raises:
        PolicyMisunderstood: rows look at it, or a comparison other than with one id.
    """
    fetches = {fetch.id: fetch for fetch in plan.visits}
    rulings: dict[str, Ruling] = {}
    for name, ruling in decision.rulings.items():
        rows = (ruling.rows, *((ruling.beside.rows,) if ruling.beside else ()))
        if any(RELEASED in fields_of(one) for one in rows):
            raise PolicyMisunderstood(detail=f"{name}.rows look at {RELEASED}")
        fetch = fetches.get(name)
        keys = {one.id: one.key for one in held if fetch is not None and bears_on(one, fetch)}
        read = {field: _manner(manner, keys) for field, manner in ruling.read.items()}
        rulings[name] = replace(ruling, read=read)
    return replace(decision, rulings=rulings)


def followed(decision: Decision, told: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The ids of the releases that a decision, not settled yet, may show something by."""
    opening = {str(one["id"]) for one in told if one["opens"]}
    return frozenset(opening).union(
        found
        for ruling in decision.rulings.values()
        for manner in ruling.read.values()
        if not isinstance(manner, str)
        for case in manner
        for found in _ids(case.when)
    )


def _manner(manner: Manner, keys: Mapping[str, str | int]) -> Manner:
    if isinstance(manner, str):
        return manner
    return tuple(Case(_condition(case.when, keys), case.manner) for case in manner)


def _condition(when: Condition, keys: Mapping[str, str | int]) -> Condition:
    match when:
        case And(parts):
            return And(tuple(_condition(part, keys) for part in parts))
        case Or(parts):
            return Or(tuple(_condition(part, keys) for part in parts))
        case Compare(field, op, value) if field == RELEASED:
            if op is not Op.EQ or not isinstance(value, str):
                raise PolicyMisunderstood(detail=f"a case compares {RELEASED} by {op}")
            return Compare(KEY, Op.EQ, keys[value]) if value in keys else NEVER
        case IsNull(field) if field == RELEASED:
            raise PolicyMisunderstood(detail=f"a case asks whether {RELEASED} is null")
    return when


def _ids(when: Condition) -> Iterable[str]:
    match when:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _ids(part)
        case Compare(field, _, value) if field == RELEASED:
            yield str(value)
