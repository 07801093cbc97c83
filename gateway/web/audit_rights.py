"""`/console/audit/rights`: who looked at what is held on one person, for somebody to check.

The first page takes what the person is known by, the second lists every look with a choice for
each, the third is the report as it may leave. Nothing is kept between them but in the browser.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.audit.inquiry import Auditor
from gateway.audit.rights import (
    GROUNDS,
    MOST_LINES,
    MOST_ROWS,
    Looked,
    Person,
    Way,
    checked,
    looks_at,
)
from gateway.audit.uses import USES, Viewer
from gateway.catalogue.forms import utc_text
from gateway.errors import Refused
from gateway.web.access import Form, visit_of
from gateway.web.audit_work import USE_PAGE, Work, auditor_of, day_of, one
from gateway.web.look import Look, elsewhere, told

_PAGE: Final = "/console/audit/rights"
_RIGHTS: Final = "RIGHTS"


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsPage:
    """`/console/audit/rights`: whom the report is on."""

    use: str = told("For what you look.")
    fits: bool = told("Whether that is a person's rights.")
    agency: str = told("In whose record is looked.")
    lines: int = told("How many lines at most.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LookRow:
    """One look at the person."""

    name: str = told("Its name in the form.")
    at: str = told("When.")
    agency: str = told("By people of which agency.")
    what: str = told("What was done.")
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


def rights_routes(work: Work, look: Look) -> list[Route]:
    async def asked(http: HttpRequest) -> Response:
        if (auditor := auditor_of(http, work)) is None:
            return elsewhere(USE_PAGE)
        _check(work, auditor, any_use=True)
        page = RightsPage(
            use=USES[auditor.use][0],
            fits=auditor.use == _RIGHTS,
            agency=auditor.subject.agency,
            lines=MOST_LINES,
        )
        await work.inquiry.view(
            auditor.request, auditor.subject, page="rights", use=auditor.use
        )
        return look.page("audit_rights.html", page, visit_of(http))

    async def gathered(http: HttpRequest) -> Response:
        if (auditor := auditor_of(http, work)) is None:
            return elsewhere(USE_PAGE)
        _check(work, auditor)
        form = visit_of(http).form
        found = await looks_at(work.inquiry, auditor, _person(form))
        page = CheckPage(
            typed=one(form, "typed"),
            records=one(form, "records"),
            since=one(form, "since"),
            until=one(form, "until"),
            agency=auditor.subject.agency,
            rows=tuple(map(_row, found)),
            grounds=tuple(GROUNDS.items()),
        )
        return look.page("audit_rights_check.html", page, visit_of(http))

    async def report(http: HttpRequest) -> Response:
        if (auditor := auditor_of(http, work)) is None:
            return elsewhere(USE_PAGE)
        _check(work, auditor)
        form = visit_of(http).form
        found = await looks_at(work.inquiry, auditor, _person(form))
        said = {name: values[0] for name, values in form.items() if "-" in name}
        inside, kept_out = checked(found, said)
        viewed = await work.inquiry.view(
            auditor.request, auditor.subject, page="rights_report", use=auditor.use,
            asked={"typed": one(form, "typed"), "records": one(form, "records")},
            given={"rows": len(inside), "kept_out": kept_out},
            entries=[row.index for row in inside],
        )  # fmt: skip
        page = ReportPage(
            agency=auditor.subject.agency,
            made=utc_text(work.clock()),
            since=one(form, "since"),
            until=one(form, "until"),
            number=await work.inquiry.log.number(viewed.receipt),
            log=work.inquiry.log.verifier.partition("+")[0],
            rows=tuple(map(_row, inside)),
        )
        return look.page("audit_rights_report.html", page, visit_of(http))

    return [
        Route(_PAGE, asked, methods=["GET"]),
        Route(_PAGE, gathered, methods=["POST"]),
        Route(f"{_PAGE}/report", report, methods=["POST"]),
    ]


def _check(work: Work, auditor: Auditor, *, any_use: bool = False) -> None:
    """Be satisfied that an agency's auditor looks, for a person's rights.

    Raises:
        Refused: another, or for something else.
    """
    viewer = work.inquiry.viewer(auditor.subject)
    if viewer not in (Viewer.FORCE, Viewer.STANDARDS):
        text = "Reports on persons are made by the auditors of an agency."
        raise Refused(text, rule="audit.role", detail=viewer.value)
    if auditor.use != _RIGHTS and not any_use:
        text = "Say first that you look for a person's rights, then make the report."
        raise Refused(text, rule="audit.use", detail=auditor.use)


def _person(form: Form) -> Person:
    until = day_of(one(form, "until"), "until")
    made = Person.of(
        one(form, "typed"), one(form, "records"), day_of(one(form, "since"), "since"), None
    )
    return replace(made, until=until + timedelta(days=1) if until else None)


def _row(found: Looked) -> LookRow:
    searched = found.way is Way.SEARCHED
    return LookRow(
        name=found.name,
        at=utc_text(found.at),
        agency=found.agency,
        what="Searched for the person" if searched else "Was shown a record",
        purpose=found.purpose,
        reason=found.reason,
        asked=", ".join(found.asked),
        records=found.records,
        fields=", ".join(name.replace("_", " ") for name in found.fields),
        entry=found.index,
    )
