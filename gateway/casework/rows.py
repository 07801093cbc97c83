"""Rows of the tables <-> values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Row, and_

from gateway.casework.model import (
    BudgetRelease,
    Countersignature,
    Notice,
    Officer,
    OwedOutcome,
    Release,
    ReleaseRequest,
    State,
    Told,
    Urgency,
)


def parts(prefix: str, whom: Officer | None) -> dict[str, str | None]:
    return {
        f"{prefix}_issuer": whom.issuer if whom else None,
        f"{prefix}_id": whom.id if whom else None,
        f"{prefix}_agency": whom.agency if whom else None,
    }


def flat(value: Any, whom: str) -> dict[str, Any]:
    """A value as a row: its officer in three columns."""
    row = asdict(value)
    del row[whom]
    return {**row, **parts(whom, getattr(value, whom))}


def officer(row: Row[Any], prefix: str) -> Officer:
    held = row._mapping
    return Officer(
        issuer=held[f"{prefix}_issuer"], id=held[f"{prefix}_id"], agency=held[f"{prefix}_agency"]
    )


def is_officer(columns: Any, prefix: str, whom: Officer) -> ColumnElement[bool]:
    return and_(*(columns[name] == value for name, value in parts(prefix, whom).items()))


def request(row: Row[Any]) -> ReleaseRequest:
    same = (
        *("id", "at", "ref", "source", "entity", "agency", "desk", "on_call", "for_s", "opens"),
        *("purpose", "reason_code", "reason_text", "case_ref", "due_at"),
        *("decided_at", "refusal", "until"),
    )
    held = row._mapping
    return ReleaseRequest(
        **{name: held[name] for name in same},
        asker=officer(row, "asker"),
        fields=tuple(row.fields),
        urgency=Urgency(row.urgency),
        state=State(row.state),
        granted=tuple(row.granted or ()),
    )


def budget_release(row: Row[Any]) -> BudgetRelease:
    return BudgetRelease(
        id=row.id,
        at=row.at,
        officer=officer(row, "officer"),
        by=officer(row, "by"),
        budget=row.budget,
        extra=row.extra,
        until=row.until,
    )


def owed(row: Row[Any]) -> OwedOutcome:
    return OwedOutcome(
        operation=row.operation,
        officer=officer(row, "officer"),
        kind=row.kind,
        at=row.at,
        outcome=row.outcome,
        recorded_at=row.recorded_at,
    )


def countersignature(row: Row[Any]) -> Countersignature:
    return Countersignature(
        id=row.id,
        at=row.at,
        asker=officer(row, "asker"),
        digest=row.digest,
        purpose=row.purpose,
        what=row.what,
        by=officer(row, "by") if row.by_id is not None else None,
        until=row.until,
        used_at=row.used_at,
    )


def release(row: Row[Any]) -> Release:
    return Release(
        id=row.id,
        officer=officer(row, "asker"),
        ref=row.ref,
        source=row.source,
        entity=row.entity,
        agency=row.agency,
        desk=row.desk,
        fields=tuple(row.granted),
        until=row.until,
        opens=row.opens,
    )


def notice(row: Row[Any]) -> Notice:
    return Notice(
        id=row.id,
        at=row.at,
        agency=row.agency,
        desk=row.desk,
        about=Told(row.about),
        subject=row.subject,
        record=row.record,
        asker=officer(row, "asker") if row.asker_id is not None else None,
        on_call=row.on_call,
        due_at=row.due_at,
        acknowledged_at=row.acknowledged_at,
        attempts=row.attempts,
        delivered_at=row.delivered_at,
    )
