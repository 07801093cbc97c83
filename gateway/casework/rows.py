"""Rows of the tables <-> values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, Row, and_

from gateway.casework.model import (
    Answer,
    AuditMatter,
    BudgetRelease,
    Countersignature,
    DipSample,
    Finding,
    Level,
    Matters,
    Notice,
    Officer,
    Origin,
    OwedOutcome,
    PageSession,
    Recall,
    Recalled,
    Release,
    ReleaseRequest,
    Review,
    ReviewCase,
    State,
    Told,
    Urgency,
    Use,
)

_T = TypeVar("_T")


def parts(prefix: str, whom: Officer | None) -> dict[str, str | None]:
    return {
        f"{prefix}_issuer": whom.issuer if whom else None,
        f"{prefix}_id": whom.id if whom else None,
        f"{prefix}_agency": whom.agency if whom else None,
    }


def flat(value: Any, *whom: str) -> dict[str, Any]:
    """A value as a row: each of its officers in three columns, `acknowledged_by` in those of
    `acknowledged`."""
    row = asdict(value)
    for name in whom:
        del row[name]
        row |= parts(name.removesuffix("_by"), getattr(value, name))
    return row


def officer(row: Row[Any], prefix: str) -> Officer:
    held = row._mapping
    return Officer(
        issuer=held[f"{prefix}_issuer"], id=held[f"{prefix}_id"], agency=held[f"{prefix}_agency"]
    )


def officer_if_any(row: Row[Any], prefix: str) -> Officer | None:
    return officer(row, prefix) if row._mapping[f"{prefix}_id"] is not None else None


def is_officer(columns: Any, prefix: str, whom: Officer) -> ColumnElement[bool]:
    return and_(*(columns[name] == value for name, value in parts(prefix, whom).items()))


def request(row: Row[Any]) -> ReleaseRequest:
    return _value(
        ReleaseRequest,
        row,
        asker=officer(row, "asker"),
        fields=tuple(row.fields),
        urgency=Urgency(row.urgency),
        state=State(row.state) if row.revoked_at is None else State.REVOKED,
        granted=tuple(row.granted or ()),
    )


def budget_release(row: Row[Any]) -> BudgetRelease:
    return _value(BudgetRelease, row, officer=officer(row, "officer"), by=officer(row, "by"))


def use(row: Row[Any]) -> Use:
    return _value(Use, row)


def owed(row: Row[Any]) -> OwedOutcome:
    return _value(OwedOutcome, row, officer=officer(row, "officer"))


def countersignature(row: Row[Any]) -> Countersignature:
    return _value(
        Countersignature,
        row,
        asker=officer(row, "asker"),
        by=officer_if_any(row, "by"),
        fields=tuple(row.fields),
        roles=tuple(row.roles),
    )


def release(row: Row[Any]) -> Release:
    return _value(Release, row, officer=officer(row, "asker"), fields=tuple(row.granted))


def notice(row: Row[Any]) -> Notice:
    return _value(
        Notice,
        row,
        about=Told(row.about),
        asker=officer_if_any(row, "asker"),
        acknowledged_by=officer_if_any(row, "acknowledged"),
    )


def page_session(row: Row[Any]) -> PageSession:
    return _value(PageSession, row)


def review_case(row: Row[Any]) -> ReviewCase:
    return _value(ReviewCase, row, origin=Origin(row.origin))


def review(row: Row[Any]) -> Review:
    return _value(
        Review,
        row,
        level=Level(row.level),
        outcome=Finding(row.outcome),
        by=officer(row, "by"),
    )


def dip_sample(row: Row[Any]) -> DipSample:
    return _value(DipSample, row, by=officer(row, "by"))


def matter(row: Row[Any]) -> AuditMatter:
    return _value(
        AuditMatter,
        row,
        kind=Matters(row.kind),
        by=officer(row, "by"),
        answer=Answer(row.answer) if row.answer is not None else None,
        answered_by=officer_if_any(row, "answered"),
        ended_by=officer_if_any(row, "ended"),
    )


def recall(row: Row[Any]) -> Recall:
    return _value(Recall, row, by=officer(row, "by"))


def recalled(row: Row[Any]) -> Recalled:
    return _value(Recalled, row, shown=tuple((one[0], one[1]) for one in row.shown))


def _value(kind: Callable[..., _T], row: Row[Any], /, **given: Any) -> _T:
    """A value whose fields are `given`, or stand in the row under their own names."""
    held = row._mapping
    names = (field.name for field in fields(cast("Any", kind)))
    return kind(**given, **{name: held[name] for name in names if name not in given})
