"""`/console/audit/rights`: who looked at what is held on one person, for somebody to check.

The first page takes what the person is known by, the second lists every look with a choice for
each, the third is the report as it may leave. Nothing is kept between them but in the browser.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.audit.inquiry import Auditor
from gateway.audit.rights import (
    GROUNDS,
    MOST_LINES,
    Looked,
    Person,
    Way,
    checked,
    looks_at,
)
from gateway.audit.uses import USES, Viewer
from gateway.catalogue.forms import utc_text
from gateway.errors import LimitExceeded, MalformedRequest
from gateway.web.access import Form, signed_in, visit_of
from gateway.web.console.filled import day_of, value_of
from gateway.web.console.frame import USE, Console
from gateway.web.look import elsewhere, told

HERE: Final = "/console/audit/rights"
_RIGHTS: Final = "RIGHTS"


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsPage:
    """`/console/audit/rights`: whom the report is on."""

    use: str = told("For what you look.")
    fits: bool = told("Whether that is a person's rights.")
    agency: str = told("In whose record is looked.")
    lines: int = told("How many lines at most.")
    said: Mapping[str, str] = told("What was filled in.")
    problem: str = told("Why there is no report.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class LookRow:
    """One look at the person."""

    name: str = told("Its name in the form.")
    at: str = told("When.")
    agency: str = told("By people of which agency.")
    what: str = told("What was done.")
    searched: bool = told("Whether that was a search.")
    purpose: str = told("For which purpose.")
    reason: str = told("Under which reason's code.")
    asked: str = told("Which sources were asked, or of which the record is.")
    records: int = told("How many records the answer showed.")
    fields: str = told("Which fields of the record.", "")
    entry: int = told("The entry in the log.")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPage:
    """The looks, for somebody to check before anything leaves."""

    typed: str = told("By what was looked.")
    records: str = told("For which records.")
    since: str = told("From which day.")
    until: str = told("Until which day.")
    agency: str = told("In whose record.")
    rows: tuple[LookRow, ...] = told("The latest first.")
    grounds: tuple[tuple[str, str], ...] = told("Why a look can be kept out.")
    said: Mapping[str, str] = told("What was chosen for each.")
    problem: str = told("Why there is no report.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPage:
    """The report as it may leave: it names nobody who looked, and not what was kept out."""

    agency: str = told("Whose report it is.")
    made: str = told("When it was made.")
    since: str = told("From which day.")
    until: str = told("Until which day.")
    number: int = told("The log's entry of this report.")
    log: str = told("The log.")
    rows: tuple[LookRow, ...] = told("The looks, the latest first.")


def rights_routes(console: Console) -> list[Route]:
    async def form_page(
        http: HttpRequest, auditor: Auditor, problem: str = "", status: int = 200
    ) -> Response:
        form = visit_of(http).form
        page = RightsPage(
            use=USES[auditor.use][0],
            fits=auditor.use == _RIGHTS,
            agency=auditor.subject.agency,
            lines=MOST_LINES,
            said={name: value_of(form, name) for name in ("typed", "records", "since", "until")},
            problem=problem,
        )
        await console.inquiry.recorder.view(
            auditor.request, auditor.subject, page="rights", use=auditor.use
        )
        return console.page(http, "audit_rights.html", page, HERE, status=status)

    async def asked(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        await console.inquiry.auditing(auditor, Viewer.FORCE, Viewer.STANDARDS)
        return await form_page(http, auditor)

    async def gathered(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        await console.inquiry.auditing(auditor, Viewer.FORCE, Viewer.STANDARDS)
        try:
            return await check_page(http, auditor)
        except (LimitExceeded, MalformedRequest) as error:
            return await form_page(http, auditor, error.said, error.status)

    async def check_page(
        http: HttpRequest, auditor: Auditor, problem: str = "", status: int = 200
    ) -> Response:
        _check_use(auditor)
        form = visit_of(http).form
        found = await looks_at(console.inquiry, auditor, _person(form, signed_in(http).zone))
        page = CheckPage(
            typed=value_of(form, "typed"),
            records=value_of(form, "records"),
            since=value_of(form, "since"),
            until=value_of(form, "until"),
            agency=auditor.subject.agency,
            rows=tuple(map(_row, found)),
            grounds=tuple(GROUNDS.items()),
            said={row.name: value_of(form, row.name) for row in found},
            problem=problem,
        )
        return console.page(http, "audit_rights_check.html", page, HERE, status=status)

    async def report(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        await console.inquiry.auditing(auditor, Viewer.FORCE, Viewer.STANDARDS)
        form = visit_of(http).form
        try:
            if value_of(form, "checked") != "yes":
                text = "Check each look, and say that you have: nothing leaves unread."
                return await check_page(http, auditor, text, 400)
            return await report_page(http, auditor)
        except (LimitExceeded, MalformedRequest) as error:
            return await form_page(http, auditor, error.said, error.status)

    async def report_page(http: HttpRequest, auditor: Auditor) -> Response:
        _check_use(auditor)
        form = visit_of(http).form
        found = await looks_at(console.inquiry, auditor, _person(form, signed_in(http).zone))
        said = {row.name: value_of(form, row.name) for row in found if row.name in form}
        inside, kept_out = checked(found, said)
        viewed = await console.inquiry.recorder.view(
            auditor.request, auditor.subject, page="rights_report", use=auditor.use,
            asked={"typed": value_of(form, "typed"), "records": value_of(form, "records")},
            given={"rows": len(inside), "kept_out": kept_out},
            entries=[row.index for row in inside],
        )  # fmt: skip
        names = console.choices().agencies  # whoever reads it does not know our codes
        page = ReportPage(
            agency=names.get(auditor.subject.agency, auditor.subject.agency),
            made=utc_text(console.clock()),
            since=value_of(form, "since"),
            until=value_of(form, "until"),
            number=await console.inquiry.log.number(viewed.receipt),
            log=console.inquiry.log.verifier.partition("+")[0],
            rows=tuple(
                replace(_row(one), agency=names.get(one.agency, one.agency)) for one in inside
            ),
        )
        return console.page(http, "audit_rights_report.html", page, HERE)

    return [
        Route(HERE, asked, methods=["GET"]),
        Route(HERE, gathered, methods=["POST"]),
        Route(f"{HERE}/report", report, methods=["POST"]),
    ]


def _check_use(auditor: Auditor) -> None:
    """Be satisfied that somebody looks for a person's rights.

    Raises:
        MalformedRequest: it is for something else.
    """
    if auditor.use != _RIGHTS:
        raise MalformedRequest("Say first that you look for a person's rights.")


def _person(form: Form, zone: ZoneInfo) -> Person:
    until = day_of(value_of(form, "until"), "until", zone)
    made = Person.of(
        value_of(form, "typed"),
        value_of(form, "records"),
        day_of(value_of(form, "since"), "since", zone),
        None,
    )
    return replace(made, until=until + timedelta(days=1) if until else None)


def _row(found: Looked) -> LookRow:
    searched = found.way is Way.SEARCHED
    return LookRow(
        name=found.name,
        at=utc_text(found.at),
        agency=found.agency,
        what="Searched for the person" if searched else "Was shown a record",
        searched=searched,
        purpose=found.purpose,
        reason=found.reason,
        asked=", ".join(found.asked),
        records=found.records,
        fields=", ".join(name.replace("_", " ") for name in found.fields),
        entry=found.index,
    )
