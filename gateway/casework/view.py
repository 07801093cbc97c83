"""Records of ours as the fields of the schema: texts in the schema's names, times in UTC."""

from __future__ import annotations

from typing import Any

from gateway.casework.model import (
    BudgetRelease,
    Countersignature,
    Notice,
    OwedOutcome,
    ReleaseRequest,
)
from gateway.catalogue.forms import utc_text
from gateway.catalogue.schema import camel


def of_request(asked: ReleaseRequest, *, ref: str, key: str | None = None) -> dict[str, Any]:
    """A request to a reader who knows its record by `ref`, and by its key in their own system."""
    return {
        "__typename": "ReleaseRequest",
        "id": asked.id,
        "state": asked.state.value,
        "at": utc_text(asked.at),
        "due_at": utc_text(asked.due_at),
        "urgency": asked.urgency.value,
        "record": ref,
        "key": key,
        "entity": asked.entity,
        "agency": asked.agency,
        "desk": asked.desk,
        "on_call": asked.on_call,
        "fields": [camel(name) for name in asked.fields],
        "minutes": asked.for_s // 60,
        "asked_by": f"{asked.asker.agency} {asked.asker.id}",
        "purpose": asked.purpose,
        "reason_code": asked.reason_code,
        "reason_text": asked.reason_text,
        "case_ref": asked.case_ref,
        "decided_at": utc_text(asked.decided_at) if asked.decided_at else None,
        "granted": [camel(name) for name in asked.granted],
        "until": utc_text(asked.until) if asked.until else None,
        "refusal": asked.refusal,
        "revoked_at": utc_text(asked.revoked_at) if asked.revoked_at else None,
        "revocation": asked.revocation,
    }


def of_notice(
    notice: Notice, key: str | None = None, acknowledged_by: str | None = None
) -> dict[str, Any]:
    """A notice to its desk; `key` is what its record is called in the desk's own system."""
    asker = notice.asker
    return {
        "__typename": "Notice",
        "id": notice.id,
        "at": utc_text(notice.at),
        "about": notice.about.value,
        "subject": notice.subject,
        "agency": notice.agency,
        "desk": notice.desk,
        "record": notice.record,
        "key": key,
        "asked_by": f"{asker.agency} {asker.id}" if asker else None,
        "due_at": utc_text(notice.due_at) if notice.due_at else None,
        "escalated_at": utc_text(notice.escalated_at) if notice.escalated_at else None,
        "acknowledged_at": utc_text(notice.acknowledged_at) if notice.acknowledged_at else None,
        "acknowledged_by": acknowledged_by,
    }


def of_outcome(recorded: OwedOutcome, *others: OwedOutcome) -> dict[str, Any]:
    """One outcome that was recorded of a search, of every kind that it was."""
    return {
        "__typename": "SearchOutcome",
        "operation_id": recorded.operation,
        "kinds": [one.kind for one in (recorded, *others)],
        "outcome": recorded.outcome,
        "recorded_at": utc_text(recorded.recorded_at) if recorded.recorded_at else None,
    }


def of_budget_release(given: BudgetRelease) -> dict[str, Any]:
    return {
        "__typename": "BudgetRelease",
        "officer": given.officer.id,
        "budget": given.budget,
        "extra": given.extra,
        "until": utc_text(given.until),
    }


def of_countersignature(asked: Countersignature, mark: str | None) -> dict[str, Any]:
    """A question to whom is to agree to it; `mark` is the asker's token in the log."""
    return {
        "__typename": "Countersignature",
        "id": asked.id,
        "at": utc_text(asked.at),
        "asked_by": f"{asked.asker.agency} {asked.asker.id}",
        "mark": mark,
        "roles": list(asked.roles),
        "purpose": asked.purpose,
        "reason_code": asked.reason_code,
        "what": asked.what,
        "fields": list(asked.fields),
        "face": asked.face,
        "until": utc_text(asked.until) if asked.until else None,
    }
