"""`/reviews`: drawn queries that wait for a review, by a supervisor or by an auditor.

Supervisors review those that people of their own agency asked, and see of each what its asker gave
as a reason; what an auditor said of it they are not shown. Auditors of all kinds review here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.actions.overseeing import SUPERVISED, drawn_case, reviewing_as, waiting_for
from gateway.actions.oversight import Oversight
from gateway.actions.reviewing import MOST_NOTE, Reviewer, note_of, query_of, reviewer_of
from gateway.audit.inquiry import Auditor
from gateway.casework.model import Level, Review, ReviewCase
from gateway.catalogue.forms import utc_text
from gateway.model import Subject
from gateway.web.access import signed_in, visit_of
from gateway.web.console.filled import FINDINGS, QUALITIES, verdict_of, words_of
from gateway.web.console.frame import USE, Console
from gateway.web.look import elsewhere, told
from gateway.web.receiving import blank

REVIEWS: Final = "/reviews"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRow:
    """A query that waits for a review."""

    link: str = told("Where it is reviewed.")
    entry: int = told("Its first entry in the log.")
    agency: str = told("Of who asked.")
    asked: str = told("When it was asked.")
    drawn: str = told("When it was drawn.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewsPage:
    """`/reviews`: what waits for a review."""

    level: str = told("As whom you review.")
    agency: str = told("Whose queries.")
    rows: tuple[WaitingRow, ...] = told("The oldest first.")
    full: bool = told("Whether there may be more than stand here.", False)
    done: bool = told("Whether a review was just kept.", False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidLine:
    """What was said of a query."""

    level: str
    words: str
    quality: str
    at: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPage:
    """`/reviews/ID`: one query, and what its reviewer may know of it."""

    row: WaitingRow = told("The query.")
    level: str = told("As whom you review.")
    auditor: bool = told("Whether the pages of auditors open.")
    purpose: str = told("For which purpose it was asked.")
    code: str = told("Under which reason's code.")
    reason: str = told("The reason in words, as it was given.", "")
    reference: str = told("The case or incident that was given.", "")
    officer: str = told("Who asked.", "")
    on_behalf_of: str = told("For whom.", "")
    sealed: bool = told("Whether the words are sealed for another agency.", False)
    outcome: str = told("How it ended.", "")
    before: tuple[SaidLine, ...] = told("What was said of it.", ())
    may: bool = told("Whether you may review it.", False)
    findings: tuple[tuple[str, str], ...] = told("What a look can find.")
    qualities: tuple[str, ...] = told("How good a reason can be.")
    most_note: int = told("How long a note can be.", MOST_NOTE)


def scope_of(reviewer: Reviewer) -> str:
    """Whose queries they review, in words."""
    return next(iter(reviewer.agencies)) if len(reviewer.agencies) == 1 else "all agencies"


def review_routes(console: Console, oversight: Oversight) -> list[Route]:
    async def looking(http: HttpRequest) -> tuple[Auditor, Reviewer] | None:
        """Who reviews, as what, and for what; None for an auditor who has not said that yet."""
        subject = signed_in(http).subject
        found = reviewer_of(subject, console.inquiry.entitled, oversight.agencies)
        if found is not None and found.level is Level.SUPERVISOR:
            request = blank(http, console.clock())
            return Auditor(request=request, subject=subject, use=SUPERVISED), found
        if (auditor := console.auditor(http)) is None:
            return None
        return auditor, await reviewing_as(console.inquiry, oversight, auditor)

    async def case_of(http: HttpRequest, subject: Subject, by: Reviewer) -> ReviewCase | None:
        """The drawn query that an address names, if it is this reviewer's."""
        return await drawn_case(oversight, subject, by, http.path_params["id"])

    async def waiting(http: HttpRequest) -> Response:
        if (found := await looking(http)) is None:
            return elsewhere(USE)
        auditor, reviewer = found
        mine, full = await waiting_for(oversight, auditor.subject, reviewer)
        await console.inquiry.recorder.view(
            auditor.request, auditor.subject, page="reviews", use=auditor.use,
            given={"rows": len(mine)},
        )  # fmt: skip
        page = ReviewsPage(
            level=NAMES[reviewer.level],
            agency=scope_of(reviewer),
            rows=tuple(map(_row, mine)),
            full=full,
            done=http.query_params.get("done") == "1",
        )
        return console.page(http, "reviews.html", page, REVIEWS)

    async def review(http: HttpRequest) -> Response:
        if (found := await looking(http)) is None:
            return elsewhere(USE)
        auditor, reviewer = found
        case = await case_of(http, auditor.subject, reviewer)
        if case is None:
            return console.look.missing(visit_of(http))
        await console.inquiry.recorder.view(
            auditor.request, auditor.subject, page="review", use=auditor.use,
            given={"rows": 1}, entries=[case.entry],
        )  # fmt: skip
        page = await page_of(case, auditor.subject, reviewer)
        return console.page(http, "review.html", page, REVIEWS)

    async def page_of(case: ReviewCase, subject: Subject, reviewer: Reviewer) -> ReviewPage:
        evidence, own = console.inquiry.evidence, subject.agency
        query = await query_of(evidence, case.entry, own)
        every = await oversight.store.reviews_of(case.id)
        seen = in_order([one for one in every if one.level in reviewer.sees])
        notes = [await note_of(evidence, one, own) for one in seen]
        by = (subject.issuer, subject.id)
        asked = query.asked
        return ReviewPage(
            row=_row(case),
            level=NAMES[reviewer.level],
            auditor=reviewer.level is not Level.SUPERVISOR,
            purpose=query.purpose,
            code=query.code,
            reason=asked.reason if asked else "",
            reference=(asked.case or asked.incident) if asked else "",
            officer=asked.officer if asked else "",
            on_behalf_of=asked.on_behalf_of if asked else "",
            sealed=asked is None,
            outcome=ended(case.stratum.rpartition(" / ")[2]),
            before=tuple(
                SaidLine(
                    level=NAMES[one.level],
                    words=words_of(one.outcome),
                    quality=str(one.quality),
                    at=utc_text(one.at),
                    note=note,
                )
                for one, note in zip(seen, notes, strict=True)
            ),
            may=not any(
                one.level is reviewer.level or (one.by.issuer, one.by.id) == by for one in every
            ),
            findings=tuple((finding.value, words) for finding, words in FINDINGS.items()),
            qualities=QUALITIES,
        )

    async def reviewed(http: HttpRequest) -> Response:
        if (found := await looking(http)) is None:
            return elsewhere(USE)
        auditor, reviewer = found
        verdict = verdict_of(visit_of(http).form)
        case = await case_of(http, auditor.subject, reviewer)
        kept = case and await oversight.reviewing.review(
            auditor.request, auditor.subject, case.id, verdict, reviewer=reviewer,
            use=auditor.use, now=console.clock(),
        )  # fmt: skip
        if not kept:
            return console.look.missing(visit_of(http))
        return elsewhere(f"{REVIEWS}?done=1")

    return [
        Route(REVIEWS, waiting, methods=["GET"]),
        Route(f"{REVIEWS}/{{id}}", review, methods=["GET"]),
        Route(f"{REVIEWS}/{{id}}", reviewed, methods=["POST"]),
    ]


NAMES: Final = {
    Level.SUPERVISOR: "supervisor",
    Level.AUDITOR: "auditor",
    Level.STANDARDS: "professional standards",
}


def in_order(reviews: Sequence[Review]) -> list[Review]:
    """The supervisor's first, then the auditor's."""
    return sorted(reviews, key=lambda review: list(Level).index(review.level))


def ended(outcome: str) -> str:
    """How a drawn query ended, in words."""
    return {"shown": "records shown", "nothing": "nothing shown"}.get(outcome, outcome)


def _row(case: ReviewCase) -> WaitingRow:
    return WaitingRow(
        link=f"{REVIEWS}/{case.id}",
        entry=case.entry,
        agency=case.agency,
        asked=utc_text(case.asked_at),
        drawn=utc_text(case.at),
    )
