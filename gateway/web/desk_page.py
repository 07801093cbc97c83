"""What the pages at `/desk` may use: one frozen dataclass for each template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.catalogue.forms import duration, utc_text
from gateway.web.look import told
from gateway.web.sessions import Session

DONE: Final[Mapping[str, str]] = {
    "acknowledge": "Acknowledged. The desk on call is not told.",
    "grant": "Granted. The officer sees the fields with the next question.",
    "refuse": "Refused. The officer reads the code among their requests.",
    "revoke": "Ended. The officer's next question does not have the fields.",
}
"""What was done, by the name in the address."""

_ABOUT: Final[Mapping[str, str]] = {
    "RELEASE_ASKED": "An officer asks for a release",
    "RELEASE_OVERDUE": "A request was not decided in time",
    "RELEASE_USED": "A release was used",
    "SILENT_MATCH": "A question would have found a silent record",
    "VICTIM_SHOWN": "A question showed a record of a victim or a witness",
    "RECORD_SHOWN": "A question showed a record that is shared on the condition that you are told",
    "NOTICE_OVERDUE": "A notice was not acknowledged in time",
    "BUDGET_SPENT": "An officer has asked as much as they may for now",
    "GLASS_BROKEN": "An officer broke the glass: a life depends on it, they say",
    "CANARY_SHOWN": "A record that nobody may see was shown",
    "RECORD_RECALLED": "A record that your people were shown was corrected",
}
_TERMS: Final[Mapping[str, str]] = {
    "PT1H": "1 hour",
    "PT4H": "4 hours",
    "PT12H": "12 hours",
    "PT24H": "24 hours",
    "P2D": "2 days",
    "P4D": "4 days",
    "P7D": "7 days",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What a desk may decide, as the policy's table says; policy itself decides."""

    refusals: Mapping[str, str]  # code -> what it means
    revocations: Mapping[str, str]  # code -> what it means
    longest_s: int


_A_WEEK_S: Final = 604800  # what is offered where the table is elsewhere


def verdicts_of(table: Mapping[str, Any]) -> Verdicts:
    """What the policy's table of casework offers a desk."""
    return Verdicts(
        refusals=table.get("refusal_codes", {}),
        revocations=table.get("revocation_codes", {}),
        longest_s=table.get("longest_s", _A_WEEK_S),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskRequest:
    """A release request that waits."""

    id: str = told("Its name.")
    since: str = told("When it was asked.")
    due: str = told("By when an answer is needed.")
    overdue: bool = told("Whether that time has passed.")
    escalated: bool = told("Whether the desk on call was told.")
    urgency: str = told("How soon an answer is needed.")
    entity: str = told("What kind of record it is about.")
    key: str = told("The record, as your own system names it.")
    fields: tuple[str, ...] = told("The fields that are asked for.")
    wanted: str = told("For how long it is wanted.")
    term: str = told("That, as the nearest duration that the page offers.")
    asked_by: str = told("Who asks.")
    purpose: str = told("For which purpose.")
    reason_code: str = told("For which reason, as a code.")
    reason: str = told("The reason in words.", "")
    case: str = told("The case that it belongs to.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskRelease:
    """What the desk has released and stands."""

    id: str = told("Its name.")
    entity: str = told("What kind of record it is of.")
    key: str = told("The record, as your own system names it.")
    fields: tuple[str, ...] = told("The fields that are shown.")
    until: str = told("When it ends by itself.")
    asked_by: str = told("To whom.")
    purpose: str = told("For which purpose it was asked.")
    case: str = told("The case that it belongs to.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskNotice:
    """What the desk is to know."""

    id: str = told("Its name.")
    about: str = told("What it is about, in words.")
    subject: str = told("The request, question or notice that it is about.")
    agency: str = told("Whose matter it is.")
    desk: str = told("Which desk is told.")
    since: str = told("Since when.")
    due: str = told("By when it is to be acknowledged.", "")
    overdue: bool = told("Whether that time has passed and nobody did.", False)
    escalated: str = told("When the desk on call was told.", "")
    acknowledged: str = told("When somebody acknowledged it.", "")
    by: str = told("Who did: a token by which the log finds them.", "")
    key: str = told("The record, as your own system names it.", "")
    asked_by: str = told("Whose question it was.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskPage:
    """`/desk`: what waits for one agency's desk."""

    agency: str = told("Whose desk it is.")
    ends: str = told("Until when you are signed in.")
    requests: tuple[DeskRequest, ...] = told("Requests that wait, the soonest due first.")
    released: tuple[DeskRelease, ...] = told("Releases that stand, the soonest ending first.")
    notices: tuple[DeskNotice, ...] = told("Notices that nobody has acknowledged, oldest first.")
    acknowledged: tuple[DeskNotice, ...] = told("The last that somebody did.")
    refusals: tuple[tuple[str, str], ...] = told("The codes of a refusal.")
    revocations: tuple[tuple[str, str], ...] = told("The codes of an early end.")
    terms: tuple[tuple[str, str], ...] = told("For how long something can be granted.")
    problem: str = told("Why something was not done, and what to do.", "")
    done: str = told("What was done.", "")


def desk_page(
    lists: Mapping[str, Sequence[Mapping[str, Any]]], verdicts: Verdicts, session: Session, now: str
) -> DeskPage:
    """The page of what `/casework` gave for `requests`, `released`, `notices` and `acknowledged`.
    Times are RFC 3339 texts in UTC."""
    terms = tuple(
        (length, words)
        for length, words in _TERMS.items()
        if _seconds(length) <= verdicts.longest_s
    )
    return DeskPage(
        agency=session.subject.agency,
        ends=utc_text(session.ends),
        requests=tuple(_request(one, terms, now) for one in lists["requests"]),
        released=tuple(_release(one) for one in lists["released"]),
        notices=tuple(_notice(one, now) for one in lists["notices"]),
        acknowledged=tuple(_notice(one, now) for one in lists["acknowledged"]),
        refusals=tuple(verdicts.refusals.items()),
        revocations=tuple(verdicts.revocations.items()),
        terms=terms,
    )


def _request(given: Mapping[str, Any], terms: tuple[tuple[str, str], ...], now: str) -> DeskRequest:
    fitting = [length for length, _ in terms if _seconds(length) <= given["minutes"] * 60]
    return DeskRequest(
        id=given["id"],
        since=given["at"],
        due=given["dueAt"],
        overdue=given["dueAt"] <= now,
        escalated=given["state"] == "ESCALATED",
        urgency=given["urgency"],
        entity=given["entity"],
        key=given["key"] or "",
        fields=tuple(given["fields"]),
        wanted=_length(given["minutes"]),
        term=fitting[-1] if fitting else "",
        asked_by=given["askedBy"],
        purpose=given["purpose"],
        reason_code=given["reasonCode"],
        reason=given["reasonText"] or "",
        case=given["caseRef"] or "",
    )


def _release(given: Mapping[str, Any]) -> DeskRelease:
    return DeskRelease(
        id=given["id"],
        entity=given["entity"],
        key=given["key"] or "",
        fields=tuple(given["granted"]),
        until=given["until"],
        asked_by=given["askedBy"],
        purpose=given["purpose"],
        case=given["caseRef"] or "",
    )


def _notice(given: Mapping[str, Any], now: str) -> DeskNotice:
    due, acknowledged = given["dueAt"] or "", given["acknowledgedAt"] or ""
    return DeskNotice(
        id=given["id"],
        about=_ABOUT.get(given["about"], given["about"]),
        subject=given["subject"],
        agency=given["agency"],
        desk=given["desk"],
        since=given["at"],
        due=due,
        overdue=bool(due) and due <= now and not acknowledged,
        escalated=given["escalatedAt"] or "",
        acknowledged=acknowledged,
        by=given["acknowledgedBy"] or "",
        key=given["key"] or "",
        asked_by=given["askedBy"] or "",
    )


def _seconds(length: str) -> float:
    return duration(length).total_seconds()


def _length(minutes: int) -> str:
    """A number of minutes, in hours or days where it is several of them."""
    for unit, size in (("days", 1440), ("hours", 60)):
        if minutes > size and minutes % size == 0:
            return f"{minutes // size} {unit}"
    return f"{minutes} minutes"
