"""`/console/audit/misuse`: which uses an auditor looks at first, and what came of looking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.actions.reviewing import AT_ONCE, batch_of, reviewer_of
from gateway.audit.inquiry import Auditor
from gateway.audit.misuse import Case
from gateway.audit.queues import PERIODS
from gateway.audit.signals import Pattern
from gateway.audit.uses import USES
from gateway.casework.model import Level
from gateway.catalogue.forms import utc_text
from gateway.errors import Refused
from gateway.web.access import visit_of
from gateway.web.audit_work import (
    FINDINGS,
    QUALITIES,
    USE_PAGE,
    Work,
    auditor_of,
    finding_of,
    number_of,
    one,
)
from gateway.web.look import Look, elsewhere, told

_PAGE: Final = "/console/audit/misuse"
_AT_ONCE: Final = 50  # cases of one page
_SHOWN: Final = 12  # entries of a case that the page leads to
_TITLES: Final = {
    Pattern.SELF: "Asked for oneself or one’s family",
    Pattern.COLLEAGUE: "Asked for a colleague",
    Pattern.NEIGHBOUR: "Asked for neighbours",
    Pattern.WATCHED: "Asked for somebody on the watch list",
    Pattern.OFF_DUTY: "Asked off duty",
    Pattern.HABIT: "A habit that nobody else has",
    Pattern.PURPOSE: "A purpose that does not fit the role",
    Pattern.FISHING: "Fishing: near-misses in a row",
    Pattern.GLASS: "Broken glass that nobody followed up",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MisuseCase:
    """One case of the queue."""

    id: str = told("Its name on this page.")
    rank: int = told("Its place in the queue.")
    pattern: str = told("What kind of sign it is, as a form names it.")
    actor: str = told("The officer's token in the log.")
    title: str = told("What it is, in words.")
    score: int = told("How strong the signs are, in hundredths. It accuses nobody.")
    agency: str = told("Of which agency the officer is.")
    officer: str = told("By which the log finds the officer: nobody is named here.")
    reasons: tuple[str, ...] = told("Why it is here, the strongest first.")
    since: str = told("When the first of its queries was asked.")
    until: str = told("When the last was.")
    entries: tuple[int, ...] = told("The queries that it rests on.")
    more: int = told("How many more there are.")
    found: tuple[tuple[str, int], ...] = told("What auditors found, and of how many queries.", ())
    left: int = told("How many queries no auditor has looked at.", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MisusePage:
    """`/console/audit/misuse`: the queue."""

    use: str = told("For what you look.")
    agency: str = told("Whose people are looked at.")
    days: int = told("How many days are looked at.")
    periods: tuple[int, ...] = told("Which can be chosen.")
    looked_at: int = told("Queries of the period that were looked through.")
    missing: tuple[str, ...] = told("What could not be looked for.")
    cases: tuple[MisuseCase, ...] = told("The strongest first.")
    next: int = told("Where the next page begins; 0 where there is none.")
    findings: tuple[tuple[str, str], ...] = told("What a look can find.")
    qualities: tuple[str, ...] = told("How good a reason can be.")
    at_once: int = told("Of how many queries one review is at most.")
    done: int = told("Of how many queries something was just said.", 0)


def misuse_routes(work: Work, look: Look) -> list[Route]:
    async def shown(http: HttpRequest) -> Response:
        if (auditor := auditor_of(http, work)) is None:
            return elsewhere(USE_PAGE)
        days = number_of(http.query_params.get("days", "28"), "days")
        done = number_of(http.query_params.get("done", "0"), "done")
        start = number_of(http.query_params.get("start", "0"), "start")
        page = await _page(work, auditor, days, start, done)
        return look.page("audit_misuse.html", page, visit_of(http))

    async def reviewed(http: HttpRequest) -> Response:
        if (auditor := auditor_of(http, work)) is None:
            return elsewhere(USE_PAGE)
        form = visit_of(http).form
        days = number_of(one(form, "days"), "days")
        outcome, quality = finding_of(form)
        agencies, whose = _scope(work, auditor)
        queue = await work.queues.queue(days, whose)
        named = one(form, "pattern"), one(form, "actor")
        case = next((c for c in queue.cases if (c.pattern.value, c.actors[0]) == named), None)
        if case is None:
            return look.missing(visit_of(http))
        said = await work.reviewing.review_misuse(
            auditor.request, auditor.subject, case, agencies=agencies, outcome=outcome,
            quality=quality, use=auditor.use, now=work.clock(), new_id=work.new_id,
        )  # fmt: skip
        return elsewhere(f"{_PAGE}?days={days}&done={said}#{_name(case)}")

    return [
        Route(_PAGE, shown, methods=["GET"]),
        Route(_PAGE, reviewed, methods=["POST"]),
    ]


def _scope(work: Work, auditor: Auditor) -> tuple[frozenset[str], str | None]:
    """Whose people somebody looks at, and the same for the queue: None for all."""
    found = reviewer_of(auditor.subject, work.inquiry.entitled, work.agencies)
    if found is None or found.level is not Level.AUDITOR:
        raise Refused("The queue is for auditors.", rule="audit.role", detail="no auditor")
    own = auditor.subject.agency
    return found.agencies, own if found.agencies == {own} else None


async def _page(work: Work, auditor: Auditor, days: int, start: int, done: int) -> MisusePage:
    agencies, whose = _scope(work, auditor)
    queue = await work.queues.queue(days, whose)
    await work.inquiry.view(
        auditor.request, auditor.subject, page="misuse", use=auditor.use,
        given={"rows": len(queue.cases[start : start + _AT_ONCE]), "days": days},
    )  # fmt: skip
    cases = [
        await _case(work, rank, case, agencies)
        for rank, case in enumerate(queue.cases[start : start + _AT_ONCE], start=start + 1)
    ]
    return MisusePage(
        use=USES[auditor.use][0],
        agency=whose or "all agencies",
        days=days,
        periods=PERIODS,
        looked_at=queue.looked_at,
        missing=queue.missing,
        cases=tuple(cases),
        next=start + _AT_ONCE if len(queue.cases) > start + _AT_ONCE else 0,
        findings=tuple((finding.value, words) for finding, words in FINDINGS.items()),
        qualities=QUALITIES,
        at_once=AT_ONCE,
        done=done,
    )


async def _case(work: Work, rank: int, case: Case, agencies: frozenset[str]) -> MisuseCase:
    kept = await work.store.reviewed(batch_of(case), agencies, Level.AUDITOR)
    counts: dict[str, int] = {}
    looked = set()
    for query, reviews in kept.items():
        for review in reviews:
            if review.level is Level.AUDITOR and query.entry in case.entries:
                looked.add(query.entry)
                words = FINDINGS[review.outcome]
                counts[words] = counts.get(words, 0) + 1
    return MisuseCase(
        id=_name(case),
        rank=rank,
        pattern=case.pattern.value,
        actor=case.actors[0],
        title=_TITLES[case.pattern],
        score=round(100 * case.score),
        agency=case.agency,
        officer=case.actors[-1][:12],
        reasons=case.reasons,
        since=utc_text(case.since),
        until=utc_text(case.until),
        entries=case.entries[:_SHOWN],
        more=max(0, len(case.entries) - _SHOWN),
        found=tuple(counts.items()),
        left=len(set(case.entries) - looked),
    )


def _name(case: Case) -> str:
    return f"{case.pattern.value}-{case.actors[0][:16]}"
