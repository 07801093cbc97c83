"""`/console/audit/misuse`: which uses an auditor looks at first, and what came of looking."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.actions.overseeing import (
    Said,
    auditing_as,
    looked_at,
    name_of,
    names_of,
    queue_for,
    read,
    said_of,
    state_of,
)
from gateway.actions.oversight import Oversight
from gateway.actions.reviewing import (
    AT_ONCE,
    MOST_NOTE,
    Query,
    Reviewer,
    Verdict,
    note_of,
    query_of,
)
from gateway.audit.index import MARK
from gateway.audit.inquiry import Auditor
from gateway.audit.misuse import Case, Queue
from gateway.audit.queues import PERIODS
from gateway.audit.signals import Pattern
from gateway.casework.model import Finding, Level, Review
from gateway.catalogue.forms import utc_text
from gateway.errors import MalformedRequest
from gateway.model import Subject
from gateway.web.access import visit_of
from gateway.web.console.filled import (
    FINDINGS,
    QUALITIES,
    note_in,
    number_of,
    value_of,
    verdict_of,
    words_of,
)
from gateway.web.console.frame import USE, Console
from gateway.web.console.reviews import NAMES, in_order, scope_of
from gateway.web.look import Runs, elsewhere, told

HERE: Final = "/console/audit/misuse"
PAGE: Final = 25  # cases
TITLES: Final[Mapping[Pattern, str]] = {
    Pattern.SELF: "Asked for oneself or the own family",
    Pattern.COLLEAGUE: "Asked for a colleague",
    Pattern.NEIGHBOUR: "Asked for neighbours",
    Pattern.WATCHED: "Asked for somebody on the watch list",
    Pattern.OFF_DUTY: "Asked off duty",
    Pattern.HABIT: "A habit that nobody else has",
    Pattern.PURPOSE: "A purpose that does not fit the role",
    Pattern.FISHING: "Fishing: searches in a row that found nothing",
    Pattern.GLASS: "Broken glass that nobody followed up",
}
STATES: Final[Mapping[str, str]] = {
    "open": "To look at",
    "begun": "Looked at in part",
    "done": "Reviewed or closed",
}
_PERIODS: Final = tuple((days, f"Last {days} days") for days in PERIODS)
_TONES: Final = {"open": "alert", "begun": "calm", "done": "good"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What of the queue is looked at."""

    days: int
    kind: str
    state: str

    @classmethod
    def of(cls, http: HttpRequest) -> Filter:
        """As an address says.

        Raises:
            MalformedRequest: there is no such kind or state.
        """
        asked = http.query_params
        kind, state = asked.get("kind", ""), asked.get("state", "")
        if kind not in ("", *Pattern) or state not in ("", *STATES):
            raise MalformedRequest("There is no such kind or state.")
        return cls(days=number_of(asked.get("days", "28"), "days"), kind=kind, state=state)

    def link(self, path: str = HERE, **more: str | int) -> str:
        said = {"days": self.days, "kind": self.kind, "state": self.state}
        given = {name: value for name, value in said.items() if value}
        return f"{path}?{urlencode({**given, **more})}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseLine:
    """One case of the queue."""

    rank: int
    link: str
    title: str
    score: int  # in hundredths
    tone: str
    agency: str
    officer: str  # the beginning of the token by which the log finds them: nobody is named
    reasons: tuple[str, ...]
    since: str
    until: str
    queries: int
    left: int  # of those, how many nobody of this level has looked at
    state: str
    state_tone: str
    found: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MisusePage:
    """`/console/audit/misuse`: the queue."""

    agency: str = told("Whose people are looked at.")
    made: str = told("When the queue was made.", "")
    wanted: Filter = told("What of it is looked at.")
    periods: tuple[tuple[int, str], ...] = told("Which can be chosen.", _PERIODS)
    kinds: tuple[tuple[str, str], ...] = told("Kinds of signs.")
    states: tuple[tuple[str, str], ...] = told("How far somebody has looked.")
    looked_at: int = told("Queries of the period that were looked through.", 0)
    missing: tuple[str, ...] = told("What could not be looked for.", ())
    cases: tuple[CaseLine, ...] = told("The strongest first.", ())
    many: int = told("Cases that fit.", 0)
    all: int = told("Cases of the period.", 0)
    next: str = told("The address of the next page.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLine:
    """A query of a case, and what was said of it."""

    entry: int
    at: str
    purpose: str
    code: str
    reason: str
    reference: str
    sealed: bool
    open: bool  # whether nobody of this level has looked at it
    said: tuple[tuple[str, str, str, str], ...]  # as whom, what, how good the reason is, the note


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePage:
    """`/console/audit/misuse/…`: one case."""

    line: CaseLine = told("As the queue lists it.")
    wanted: Filter = told("What of the queue was looked at.")
    officer: str = told("Who it is, where that is for whoever looks.", "")
    queries: tuple[QueryLine, ...] = told("The queries that it rests on: first those to look at.")
    more: int = told("How many more there are.")
    findings: tuple[tuple[str, str], ...] = told("What a look can find.")
    qualities: tuple[str, ...] = told("How good a reason can be.")
    at_once: int = told("Of how many queries one review is at most.", AT_ONCE)
    most_note: int = told("How long a note can be.", MOST_NOTE)
    done: str = told("What was just done.", "")


def misuse_routes(console: Console, oversight: Oversight) -> list[Route]:
    pages = _Pages(console, oversight)
    return [
        Route(HERE, pages.queue, methods=["GET"]),
        Route(f"{HERE}/{{case}}", pages.case, methods=["GET"]),
        Route(f"{HERE}/{{case}}", pages.said, methods=["POST"]),
    ]


_T = TypeVar("_T")


class _Pages:
    def __init__(self, console: Console, oversight: Oversight) -> None:
        self._console, self._oversight = console, oversight

    async def queue(self, http: HttpRequest) -> Response:
        console = self._console
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        wanted = Filter.of(http)
        start = number_of(http.query_params.get("start", "0"), "start")
        reviewer = await self._reviewer(auditor)
        found = await self._queue(auditor.subject, reviewer, wanted.days)
        page = _being_made(wanted, reviewer)
        if found is not None:
            queue, made = found
            said = await said_of(self._oversight, queue.cases, reviewer)
            ranked = enumerate(zip(queue.cases, said, strict=True), start=1)
            lines = [
                _line(case, rank, of, reviewer, wanted)
                for rank, (case, of) in ranked
                if wanted.kind in ("", case.pattern)
            ]
            lines = [one for one in lines if wanted.state in ("", one.state)]
            shown = lines[start : start + PAGE]
            await console.inquiry.recorder.view(
                auditor.request, auditor.subject, page="misuse", use=auditor.use,
                given={"rows": len(shown), "days": wanted.days},
            )  # fmt: skip
            page = _page(wanted, reviewer, queue, made, lines, start)
        return console.page(http, "audit_misuse.html", page, HERE, runs=Runs.ASKING)

    async def case(self, http: HttpRequest) -> Response:
        console = self._console
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        wanted = Filter.of(http)
        done = _done(http.query_params.get("done", ""))
        reviewer = await self._reviewer(auditor)
        if (found := await self._case(http, auditor.subject, reviewer, wanted)) is None:
            return console.look.missing(visit_of(http))
        rank, case = found
        (said,) = await said_of(self._oversight, [case], reviewer)
        entries = sorted(case.entries, key=lambda entry: (looked_at(said, entry, reviewer), -entry))
        entries = entries[:AT_ONCE]
        await console.inquiry.recorder.view(
            auditor.request, auditor.subject, page="misuse_case", use=auditor.use,
            given={"rows": len(entries), "kind": case.pattern.value}, entries=entries,
        )  # fmt: skip
        own = auditor.subject.agency
        queries = await self._read([partial(query_of, entry=entry) for entry in entries], own)
        reviews = [review for entry in entries for review in said.get(entry, ())]
        texts = await self._read([partial(note_of, review=review) for review in reviews], own)
        notes = {_key(review): text for review, text in zip(reviews, texts, strict=True)}
        officers = {query.asked.officer for query in queries if query.asked}
        page = CasePage(
            line=_line(case, rank, said, reviewer, wanted),
            wanted=wanted,
            officer=", ".join(sorted(officers - {""})),
            queries=tuple(
                _query(query, said.get(query.entry, ()), notes, reviewer) for query in queries
            ),
            more=len(case.entries) - len(entries),
            findings=tuple((finding.value, words) for finding, words in FINDINGS.items()),
            qualities=QUALITIES,
            done=done,
        )
        return console.page(http, "audit_misuse_case.html", page, HERE)

    async def said(self, http: HttpRequest) -> Response:
        """A review of the queries that were chosen, or an end of the case without one."""
        console, oversight = self._console, self._oversight
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        form, wanted = visit_of(http).form, Filter.of(http)
        closes = value_of(form, "do") == "close"
        if closes:
            verdict = Verdict(outcome=Finding.CLOSED, note=note_in(value_of(form, "note")))
        else:
            verdict = verdict_of(form)
        chosen = {number_of(text, "entry") for text in form.get("entry", ())[:AT_ONCE]}
        reviewer = await self._reviewer(auditor)
        if (found := await self._case(http, auditor.subject, reviewer, wanted)) is None:
            return console.look.missing(visit_of(http))
        _, case = found
        if not closes and chosen.isdisjoint(case.entries):
            raise MalformedRequest("Choose at least one query that the review is of.")
        count = await oversight.reviewing.review_misuse(
            auditor.request, auditor.subject, case, verdict,
            entries=case.entries if closes else chosen, reviewer=reviewer, use=auditor.use,
            now=console.clock(), new_id=oversight.new_id,
        )  # fmt: skip
        return elsewhere(wanted.link(f"{HERE}/{name_of(case)}", done=count))

    # --- parts of them ---

    async def _reviewer(self, auditor: Auditor) -> Reviewer:
        return await auditing_as(self._console.inquiry, self._oversight, auditor)

    async def _queue(
        self, subject: Subject, reviewer: Reviewer, days: int
    ) -> tuple[Queue, str] | None:
        """What somebody sees of the queue, and when it was made."""
        made = await queue_for(self._oversight, subject, reviewer, days)
        return None if made is None else (made.queue, utc_text(made.at))

    async def _case(
        self, http: HttpRequest, subject: Subject, reviewer: Reviewer, wanted: Filter
    ) -> tuple[int, Case] | None:
        """The case that an address names, and its rank."""
        name = http.path_params["case"]
        found = await self._queue(subject, reviewer, wanted.days)
        cases = found[0].cases if found else ()
        return next((x for x in enumerate(cases, start=1) if name in names_of(x[1])), None)

    async def _read(self, whats: Sequence[Callable[..., Awaitable[_T]]], agency: str) -> list[_T]:
        return await read(whats, self._console.inquiry.evidence, agency)


def _done(text: str) -> str:
    """What was just done, by an address of ours.

    Raises:
        MalformedRequest: it is none of ours.
    """
    if not text:
        return ""
    if not (count := number_of(text, "done")):
        return "Nothing was recorded: all of these are reviewed already."
    return f"Recorded of {count} {'search' if count == 1 else 'searches'}."


# --- what the pages say: pure ---------------------------------------------------------------------


def _line(case: Case, rank: int, said: Said, reviewer: Reviewer, wanted: Filter) -> CaseLine:
    state, left = state_of(case, said, reviewer)
    counts: dict[str, int] = {}
    for review in (one for some in said.values() for one in some):
        words = words_of(review.outcome)
        counts[words] = counts.get(words, 0) + 1
    score = round(100 * case.score)
    return CaseLine(
        rank=rank,
        link=wanted.link(f"{HERE}/{name_of(case)}"),
        title=TITLES[case.pattern],
        score=score,
        tone="bad" if score >= 75 else "alert" if score >= 40 else "calm",
        agency=case.agency,
        officer=case.actors[-1][:MARK],
        reasons=case.reasons,
        since=utc_text(case.since),
        until=utc_text(case.until),
        queries=len(case.entries),
        left=left,
        state=state,
        state_tone=_TONES[state],
        found=tuple(counts.items()),
    )


def _key(review: Review) -> tuple[str, Level]:
    return review.case, review.level


def _query(
    query: Query,
    said: Sequence[Review],
    notes: Mapping[tuple[str, Level], str],
    reviewer: Reviewer,
) -> QueryLine:
    asked = query.asked
    return QueryLine(
        entry=query.entry,
        at=query.at,
        purpose=query.purpose,
        code=query.code,
        reason=asked.reason if asked else "",
        reference=(asked.case or asked.incident) if asked else "",
        sealed=asked is None,
        open=all(review.level is not reviewer.level for review in said),
        said=tuple(
            (
                NAMES[review.level],
                words_of(review.outcome),
                "" if review.quality is None else str(review.quality),
                notes[_key(review)],
            )
            for review in in_order(said)
        ),
    )


def _being_made(wanted: Filter, reviewer: Reviewer) -> MisusePage:
    return MisusePage(
        agency=scope_of(reviewer),
        wanted=wanted,
        kinds=tuple((kind.value, words) for kind, words in TITLES.items()),
        states=tuple(STATES.items()),
    )


def _page(
    wanted: Filter,
    reviewer: Reviewer,
    queue: Queue,
    made: str,
    lines: Sequence[CaseLine],
    start: int,
) -> MisusePage:
    later = start + PAGE
    return MisusePage(
        agency=scope_of(reviewer),
        made=made,
        wanted=wanted,
        kinds=tuple((kind.value, words) for kind, words in TITLES.items()),
        states=tuple(STATES.items()),
        looked_at=queue.looked_at,
        missing=queue.missing,
        cases=tuple(lines[start:later]),
        many=len(lines),
        all=len(queue.cases),
        next=wanted.link(start=later) if len(lines) > later else "",
    )
