"""`/console/audit/samples` and `/reviews`: queries that nobody could have chosen, and their reviews.

Auditors announce samples and see all that was said of them. Supervisors review those drawn queries
that people of their own agency asked, and see of each what its asker gave as a reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.actions.reviewing import Reviewer, reviewer_of
from gateway.actions.sampling import LISTED, MOST_DRAWN
from gateway.audit.entry import ASKER, read_leaf
from gateway.audit.found import Asked
from gateway.audit.inquiry import Auditor
from gateway.audit.sampling import By, Wish
from gateway.audit.uses import USES
from gateway.audit.verify import open_checkpoint
from gateway.casework.model import DipSample, Finding, Level, Origin, Review, ReviewCase
from gateway.catalogue.forms import utc_text
from gateway.errors import MalformedRequest, Refused
from gateway.web.access import signed_in, visit_of
from gateway.web.audit_work import (
    FINDINGS,
    QUALITIES,
    USE_PAGE,
    Work,
    auditor_of,
    day_of,
    finding_of,
    number_of,
    one,
)
from gateway.web.look import Look, elsewhere, told
from gateway.web.receiving import blank

_SAMPLES: Final = "/console/audit/samples"
_REVIEWS: Final = "/reviews"
_WAITING: Final = 50
_LONGEST: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRow:
    """One sample of the list."""

    id: str = told("Its name.")
    since: str = told("The first day.")
    until: str = told("The first day after it.")
    count: int = told("How many queries were wanted.")
    strata: str = told("By what they are sorted before they are drawn.")
    announced: str = told("When it was announced.")
    by: str = told("Of which agency who announced it is.")
    drawn: str = told("When it was drawn.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplesPage:
    """`/console/audit/samples`: what was announced."""

    use: str = told("For what you look.")
    witnessed: bool = told("Whether the log has witnesses: without them nothing is drawn.")
    most: int = told("How many queries a sample has at most.")
    samples: tuple[SampleRow, ...] = told("The latest first.")


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnRow:
    """One drawn query."""

    case: str = told("Its name.")
    entry: int = told("Its first entry in the log.")
    stratum: str = told("Agency, purpose, digest of the roles or the app, outcome.")
    supervisor: str = told("What a supervisor found.", "")
    auditor: str = told("What an auditor found.", "")
    quality: str = told("How good the reason is, by each of them.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplePage:
    """`/console/audit/samples/ID`: one sample, how it was drawn, and what came of it."""

    row: SampleRow = told("What was announced.")
    waits: str = told("Why it is not drawn yet.", "")
    seed: str = told("What decides; SHA-256 over the root and what was announced.", "")
    size: int = told("Entries under the checkpoint whose root decided.", 0)
    root: str = told("That root.", "")
    signed: str = told("When the log signed it.", "")
    checkpoint: str = told("The checkpoint as it was signed: keep it as `kept.note`.", "")
    command: str = told("Draws it again from the log's public files.", "")
    population: int = told("From how many queries it was drawn, over all agencies.", 0)
    scope: str = told("Whose queries you see of it.", "")
    drawn: tuple[DrawnRow, ...] = told("The queries.", ())
    figures: tuple[tuple[str, int, int], ...] = told("Findings by supervisors and by auditors.", ())
    means: tuple[tuple[str, str], ...] = told("The mean quality of the reasons.", ())
    agree: str = told("How often both found the same.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRow:
    """A query that waits for a review."""

    case: str = told("Its name.")
    entry: int = told("Its first entry in the log.")
    agency: str = told("Of who asked.")
    why: str = told("Why it is to be reviewed.")
    asked: str = told("When it was asked.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewsPage:
    """`/reviews`: what waits for a review."""

    level: str = told("As whom you review.")
    agency: str = told("Whose queries.")
    rows: tuple[WaitingRow, ...] = told("The oldest first.")
    done: bool = told("Whether a review was just kept.", False)
    auditor: bool = told("Whether the pages of auditors open.", False)


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
    sealed: bool = told("Whether the words are not for you: leaves are all that you see.", False)
    outcome: str = told("How it ended.", "")
    before: tuple[tuple[str, str, int], ...] = told("What was said of it.", ())
    may: bool = told("Whether you may review it.", False)
    findings: tuple[tuple[str, str], ...] = told("What a look can find.", ())
    qualities: tuple[str, ...] = told("How good a reason can be.", ())


def sample_routes(work: Work, look: Look) -> list[Route]:
    pages = _Pages(work, look)
    return [
        Route(_SAMPLES, pages.samples, methods=["GET"]),
        Route(_SAMPLES, pages.announced, methods=["POST"]),
        Route(f"{_SAMPLES}/{{id}}", pages.sample, methods=["GET"]),
        Route(_REVIEWS, pages.waiting, methods=["GET"]),
        Route(f"{_REVIEWS}/{{id}}", pages.review, methods=["GET"]),
        Route(f"{_REVIEWS}/{{id}}", pages.reviewed, methods=["POST"]),
    ]


class _Pages:
    """The answers to a browser."""

    def __init__(self, work: Work, look: Look) -> None:
        self._work = work
        self._look = look

    # --- samples ---

    async def samples(self, http: HttpRequest) -> Response:
        work = self._work
        if (auditor := auditor_of(http, work)) is None:
            return elsewhere(USE_PAGE)
        found = await work.store.dip_samples(LISTED)
        await work.inquiry.view(
            auditor.request, auditor.subject, page="samples", use=auditor.use,
            given={"rows": len(found)},
        )  # fmt: skip
        page = SamplesPage(
            use=USES[auditor.use][0],
            witnessed=work.sampling.policy is not None,
            most=MOST_DRAWN,
            samples=tuple(map(_row, found)),
        )
        return self._look.page("audit_samples.html", page, visit_of(http))

    async def announced(self, http: HttpRequest) -> Response:
        work = self._work
        if (auditor := auditor_of(http, work)) is None:
            return elsewhere(USE_PAGE)
        form = visit_of(http).form
        since, until = (day_of(one(form, name), name) for name in ("since", "until"))
        strata = one(form, "strata")
        if since is None or until is None or strata not in ("roles", "app"):
            raise MalformedRequest("Say the period, and by what the queries are sorted.")
        if until - since > _LONGEST:
            raise MalformedRequest("A period of at most a year.")
        by: By = "app" if strata == "app" else "roles"
        count = number_of(one(form, "count"), "count")
        made = await work.sampling.announce(
            auditor, Wish(since=since, until=until, count=count, by=by)
        )
        return elsewhere(f"{_SAMPLES}/{made.id}")

    async def sample(self, http: HttpRequest) -> Response:
        work = self._work
        if (auditor := auditor_of(http, work)) is None:
            return elsewhere(USE_PAGE)
        found = await work.store.dip_sample(http.path_params["id"])
        if found is None:
            return self._look.missing(visit_of(http))
        reviewer = self._reviewer(auditor)
        cases: dict[ReviewCase, Sequence[Review]] = {}
        if found.seed is not None:
            seen = await work.store.reviewed(found.seed, reviewer.agencies, reviewer.level)
            cases = dict(seen)
        await work.inquiry.view(
            auditor.request, auditor.subject, page="sample", use=auditor.use,
            given={"rows": len(cases)}, entries=[case.entry for case in cases],
        )  # fmt: skip
        page = _sample_page(found, cases, reviewer, work)
        return self._look.page("audit_sample.html", page, visit_of(http))

    # --- reviews ---

    async def waiting(self, http: HttpRequest) -> Response:
        work = self._work
        if (auditor := self._looking(http)) is None:
            return elsewhere(USE_PAGE)
        reviewer = self._reviewer(auditor)
        found = await work.store.waiting_for(reviewer.level, reviewer.agencies, _WAITING)
        if reviewer.level is Level.SUPERVISOR:
            found = tuple(case for case in found if _supervised(case))
        await work.inquiry.view(
            auditor.request, auditor.subject, page="reviews", use=auditor.use,
            given={"rows": len(found)},
        )  # fmt: skip
        page = ReviewsPage(
            level=reviewer.level.value.lower(),
            agency=_scope(reviewer),
            rows=tuple(map(_waiting, found)),
            done=http.query_params.get("done") == "1",
            auditor=reviewer.level is Level.AUDITOR,
        )
        return self._look.page("reviews.html", page, visit_of(http))

    async def review(self, http: HttpRequest) -> Response:
        work = self._work
        if (auditor := self._looking(http)) is None:
            return elsewhere(USE_PAGE)
        reviewer = self._reviewer(auditor)
        case = await self._case(http, reviewer)
        if case is None or work.reviewing.own(auditor.subject, case):
            return self._look.missing(visit_of(http))
        page = await self._review_page(auditor, reviewer, case)
        return self._look.page("review.html", page, visit_of(http))

    async def reviewed(self, http: HttpRequest) -> Response:
        work = self._work
        if (auditor := self._looking(http)) is None:
            return elsewhere(USE_PAGE)
        reviewer = self._reviewer(auditor)
        outcome, quality = finding_of(visit_of(http).form)
        case = await self._case(http, reviewer)
        kept = None
        if case is not None:
            kept = await work.reviewing.review(
                auditor.request, auditor.subject, case.id, level=reviewer.level,
                agencies=reviewer.agencies, outcome=outcome, quality=quality, use=auditor.use,
                now=work.clock(),
            )  # fmt: skip
        if kept is None:
            return self._look.missing(visit_of(http))
        return elsewhere(f"{_REVIEWS}?done=1")

    # --- parts of them ---

    def _looking(self, http: HttpRequest) -> Auditor | None:
        """Who reviews, and for what; supervisors do it for oversight alone."""
        session = signed_in(http)
        found = reviewer_of(session.subject, self._work.inquiry.entitled, self._work.agencies)
        if found is not None and found.level is Level.SUPERVISOR:
            request = blank(http, self._work.clock())
            return Auditor(request=request, subject=session.subject, use="OVERSIGHT")
        return auditor_of(http, self._work)

    def _reviewer(self, auditor: Auditor) -> Reviewer:
        work = self._work
        found = reviewer_of(auditor.subject, work.inquiry.entitled, work.agencies)
        if found is None:
            raise Refused("Reviews are not for your role.", rule="audit.role", detail="no reviewer")
        return found

    async def _case(self, http: HttpRequest, reviewer: Reviewer) -> ReviewCase | None:
        """The case that an address names, if it is this reviewer's."""
        case = await self._work.store.review_case(http.path_params["id"])
        if case is None or case.agency not in reviewer.agencies:
            return None
        return case if reviewer.level is Level.AUDITOR or _supervised(case) else None

    async def _review_page(
        self, auditor: Auditor, reviewer: Reviewer, case: ReviewCase
    ) -> ReviewPage:
        work, own = self._work, auditor.subject.agency
        await work.inquiry.view(
            auditor.request, auditor.subject, page="review", use=auditor.use,
            given={"rows": 1}, entries=[case.entry],
        )  # fmt: skip
        leaf = read_leaf(await work.inquiry.log.leaf(case.entry))
        said = None
        if case.agency == own:
            said = await work.inquiry.evidence.part(leaf, case.entry, ASKER, own)
        asked = Asked.of(said) if said else Asked()
        purpose = leaf.get("purpose", {})
        reviews = await work.store.reviews_of(case.id)
        seen = [r for r in reviews if reviewer.level is Level.AUDITOR or r.level is reviewer.level]
        by = (auditor.subject.issuer, auditor.subject.id)
        return ReviewPage(
            row=_waiting(case),
            level=reviewer.level.value.lower(),
            auditor=reviewer.level is Level.AUDITOR,
            purpose=purpose.get("code", ""),
            code=purpose.get("reason", ""),
            reason=asked.reason,
            reference=asked.case or asked.incident,
            officer=asked.officer,
            on_behalf_of=asked.on_behalf_of,
            sealed=case.agency != own,
            outcome=case.stratum.rpartition(" / ")[2],
            before=tuple((r.level.value.lower(), FINDINGS[r.outcome], r.quality) for r in seen),
            may=not any(r.level is reviewer.level or (r.by.issuer, r.by.id) == by for r in reviews),
            findings=tuple((finding.value, words) for finding, words in FINDINGS.items()),
            qualities=QUALITIES,
        )


def _supervised(case: ReviewCase) -> bool:
    """Supervisors review what was drawn; what looks like misuse is for auditors, for it may point
    at them."""
    return case.origin is Origin.SAMPLE


def _row(sample: DipSample) -> SampleRow:
    return SampleRow(
        id=sample.id,
        since=utc_text(sample.since),
        until=utc_text(sample.until),
        count=sample.count,
        strata=sample.strata,
        announced=utc_text(sample.at),
        by=sample.by.agency,
        drawn=utc_text(sample.drawn_at) if sample.drawn_at else "",
    )


def _waiting(case: ReviewCase) -> WaitingRow:
    return WaitingRow(
        case=case.id,
        entry=case.entry,
        agency=case.agency,
        why="drawn in a dip sample" if case.origin is Origin.SAMPLE else "in the misuse queue",
        asked=utc_text(case.asked_at),
    )


def _scope(reviewer: Reviewer) -> str:
    return ", ".join(reviewer.agencies) if len(reviewer.agencies) == 1 else "all agencies"


def _sample_page(
    sample: DipSample, cases: dict[ReviewCase, Sequence[Review]], reviewer: Reviewer, work: Work
) -> SamplePage:
    if sample.checkpoint is None or sample.seed is None:
        return SamplePage(row=_row(sample), waits=_waits(sample, work))
    said = open_checkpoint(sample.checkpoint.encode(), work.inquiry.log.verifier)
    by = {
        level: [r for some in cases.values() for r in some if r.level is level] for level in Level
    }
    both = [some for some in cases.values() if len({r.level for r in some}) == len(Level)]
    same = sum(len({r.outcome for r in some}) == 1 for some in both)
    return SamplePage(
        row=_row(sample),
        seed=sample.seed,
        size=said.size,
        root=said.root.hex(),
        signed=utc_text(said.signed_at) if said.signed_at else "",
        checkpoint=sample.checkpoint,
        command=_command(sample),
        population=sample.population or 0,
        scope=_scope(reviewer),
        drawn=tuple(_drawn(case, said) for case, said in cases.items()),
        figures=tuple(
            (FINDINGS[finding], *(_count(by[level], finding) for level in Level))  # type: ignore[misc]
            for finding in Finding
        ),
        means=tuple((level.value.lower(), _mean(by[level])) for level in Level),
        agree=f"{same} of {len(both)}" if both else "",
    )


def _drawn(case: ReviewCase, reviews: Sequence[Review]) -> DrawnRow:
    said = {r.level: FINDINGS[r.outcome] for r in reviews}
    return DrawnRow(
        case=case.id,
        entry=case.entry,
        stratum=case.stratum,
        supervisor=said.get(Level.SUPERVISOR, ""),
        auditor=said.get(Level.AUDITOR, ""),
        quality=", ".join(str(r.quality) for r in reviews),
    )


def _count(reviews: Sequence[Review], finding: Finding) -> int:
    return sum(r.outcome is finding for r in reviews)


def _mean(reviews: Sequence[Review]) -> str:
    return f"{sum(r.quality for r in reviews) / len(reviews):.1f}" if reviews else "–"


def _waits(sample: DipSample, work: Work) -> str:
    if work.sampling.policy is None:
        return "The log has no witnesses, so no checkpoint can decide. Nothing is drawn."
    now: datetime = work.clock()
    if now < sample.until:
        return (
            "It is drawn by the first checkpoint that the witnesses sign after the period ends, "
            f"at {sample.until:%Y-%m-%d %H:%M} UTC."
        )
    return (
        "It is drawn by the first checkpoint that the witnesses sign from now on. The log signs at "
        "least each minute, so look again in a minute or two."
    )


def _command(sample: DipSample) -> str:
    moments = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (sample.since, sample.until))
    since, until = moments
    return (
        f"portcullis audit sample --dir LOG --key log.pub --from {since} --until {until} "
        f"--checkpoint kept.note --policy witnesses.policy --count {sample.count} "
        f"--by {sample.strata}"
    )
