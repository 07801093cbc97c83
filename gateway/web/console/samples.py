"""`/console/audit/samples`: queries that nobody could have chosen, and what reviewers found."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.actions.overseeing import drawn_for, reviewed_by, reviewing_as
from gateway.actions.oversight import Oversight
from gateway.actions.reviewing import Reviewer
from gateway.actions.sampling import MOST_DRAWN
from gateway.audit.sampling import By, Wish
from gateway.audit.verify import open_checkpoint
from gateway.casework.model import DipSample, Finding, Level, Review, ReviewCase
from gateway.catalogue.forms import utc_text
from gateway.errors import LimitExceeded, MalformedRequest
from gateway.web.access import signed_in, visit_of
from gateway.web.console.filled import FINDINGS, moment_of, number_of, value_of, words_of
from gateway.web.console.frame import USE, Console
from gateway.web.console.reviews import NAMES, REVIEWS, ended, in_order, scope_of
from gateway.web.look import elsewhere, told
from gateway.web.times import to_the_minute, to_type

HERE: Final = "/console/audit/samples"
PAGE: Final = 50
_LONGEST: Final = timedelta(days=366)
_DAY: Final = timedelta(days=1)
_STRATA: Final[Mapping[str, By]] = {"roles": "roles", "app": "app"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRow:
    """One sample of the list."""

    id: str = told("Its name.")
    since: str = told("Its first moment.")
    until: str = told("The first moment after it.")
    count: int = told("How many queries were wanted.")
    strata: str = told("By what they are sorted before they are drawn.")
    announced: str = told("When it was announced.")
    by: str = told("Of which agency who announced it is.")
    drawn: str = told("When it was drawn.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplesPage:
    """`/console/audit/samples`: what was announced."""

    witnessed: bool = told("This log has no witnesses, so no checkpoint can decide.")
    most: int = told("How many queries a sample has at most.")
    since: str = told("The last week is offered.")
    until: str = told("Up to this minute.")
    samples: tuple[SampleRow, ...] = told("The latest first.")
    next: str = told("The address of the next page.", "")
    older: bool = told("Whether these are not the latest.", False)
    problem: str = told("Why nothing was announced.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnRow:
    """One drawn query."""

    case: str = told("Its name.")
    entry: int = told("Its first entry in the log.")
    agency: str = told("Of who asked.")
    purpose: str = told("For what.")
    outcome: str = told("How it ended.")
    said: tuple[tuple[str, str, str, str], ...] = told("As whom, what, how good the reason.")
    open: bool = told("Whether it waits for whoever looks.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplePage:
    """`/console/audit/samples/ID`: one sample, how it was drawn, and what came of it."""

    row: SampleRow = told("What was announced.")
    waits: str = told("Why it is not drawn yet.", "")
    seed: str = told("What decides: SHA-256 over the root and what was announced.", "")
    size: int = told("Entries under the checkpoint whose root decided.", 0)
    root: str = told("That root.", "")
    signed: str = told("When the log signed it.", "")
    checkpoint: str = told("The checkpoint as it was signed: keep it as `kept.note`.", "")
    command: str = told("Draws it again from the log's public files.", "")
    population: int = told("From how many queries it was drawn, over all agencies.", 0)
    scope: str = told("Whose queries you see of it.", "")
    strata: tuple[tuple[str, int], ...] = told("How many were drawn, by purpose and outcome.", ())
    drawn: tuple[DrawnRow, ...] = told("The queries.", ())
    levels: tuple[str, ...] = told("Whose findings are counted.", ())
    figures: tuple[tuple[str, tuple[int, ...]], ...] = told("Findings, by each of them.", ())
    left: tuple[int, ...] = told("Not reviewed, by each of them.", ())
    means: tuple[str, ...] = told("The mean quality of the reasons, likewise.", ())
    agree: str = told("How often supervisor and auditor found the same.", "")


def sample_routes(console: Console, oversight: Oversight) -> list[Route]:
    async def samples(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        await reviewing_as(console.inquiry, oversight, auditor)
        number, last = http.query_params.get("before", ""), None
        if number and (last := await oversight.store.dip_sample(number)) is None:
            return console.look.missing(visit_of(http))
        found = await oversight.store.dip_samples(PAGE + 1, before=last)
        more, found = len(found) > PAGE, found[:PAGE]
        await console.inquiry.recorder.view(
            auditor.request, auditor.subject, page="samples", use=auditor.use,
            given={"rows": len(found)},
        )  # fmt: skip
        after = f"{HERE}?before={found[-1].id}" if more else ""
        return listed(http, found, after, older=last is not None)

    def listed(
        http: HttpRequest,
        found: Sequence[DipSample],
        after: str = "",
        *,
        older: bool = False,
        problem: str = "",
        status: int = 200,
    ) -> Response:
        now, zone = console.clock(), signed_in(http).zone
        week_ago = now.astimezone(zone).replace(hour=0, minute=0, second=0) - 7 * _DAY
        page = SamplesPage(
            witnessed=oversight.sampling.policy is not None,
            most=MOST_DRAWN,
            since=to_type(week_ago, zone),
            until=to_type(now.replace(second=0), zone),
            samples=tuple(map(_row, found)),
            next=after,
            older=older,
            problem=problem,
        )
        return console.page(http, "audit_samples.html", page, HERE, status=status)

    async def announced(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        form, zone = visit_of(http).form, signed_in(http).zone
        try:
            since, until = (
                moment_of(value_of(form, name), name, zone) for name in ("since", "until")
            )
            if until - since > _LONGEST:
                raise MalformedRequest("A period of at most a year.")
            if (by := _STRATA.get(value_of(form, "strata"))) is None:
                raise MalformedRequest("Say by what the queries are sorted.")
            count = number_of(value_of(form, "count"), "count")
            wish = Wish(since=since, until=until, count=count, by=by)
            made = await oversight.sampling.announce(auditor, wish)
        except (LimitExceeded, MalformedRequest) as error:
            return listed(http, (), problem=error.said, status=error.status)
        return elsewhere(f"{HERE}/{made.id}")

    async def sample(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        reviewer = await reviewing_as(console.inquiry, oversight, auditor)
        found = await oversight.store.dip_sample(http.path_params["id"])
        if found is None:
            return console.look.missing(visit_of(http))
        cases = await drawn_for(oversight, auditor.subject, reviewer, found)
        await console.inquiry.recorder.view(
            auditor.request, auditor.subject, page="sample", use=auditor.use,
            given={"rows": len(cases)}, entries=[case.entry for case in cases],
        )  # fmt: skip
        witnessed = oversight.sampling.policy is not None
        page = (
            sample_page(found, cases, reviewer, console.inquiry.log.verifier)
            if found.seed is not None
            else SamplePage(
                row=_row(found),
                waits=waits(found, console.clock(), witnessed, signed_in(http).zone),
            )
        )
        return console.page(http, "audit_sample.html", page, HERE)

    return [
        Route(HERE, samples, methods=["GET"]),
        Route(HERE, announced, methods=["POST"]),
        Route(f"{HERE}/{{id}}", sample, methods=["GET"]),
    ]


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


def sample_page(
    sample: DipSample,
    cases: Mapping[ReviewCase, Sequence[Review]],
    reviewer: Reviewer,
    verifier: str,
) -> SamplePage:
    """A sample that is drawn, as a reviewer sees it: without what is about themselves."""
    said = open_checkpoint((sample.checkpoint or "").encode(), verifier)
    of = {
        level: [r for some in cases.values() for r in some if r.level is level]
        for level in reviewer.sees
    }
    pairs = [{r.level: r.outcome for r in some} for some in cases.values()]
    both = [p for p in pairs if {Level.SUPERVISOR, Level.AUDITOR} <= p.keys()]
    same = sum(p[Level.SUPERVISOR] is p[Level.AUDITOR] for p in both)
    strata: dict[str, int] = {}
    for case in cases:
        words = " / ".join(_stratum(case))
        strata[words] = strata.get(words, 0) + 1
    return SamplePage(
        row=_row(sample),
        seed=sample.seed or "",
        size=said.size,
        root=said.root.hex(),
        signed=utc_text(said.signed_at) if said.signed_at else "",
        checkpoint=sample.checkpoint or "",
        command=command(sample),
        population=sample.population or 0,
        scope=scope_of(reviewer),
        strata=tuple(sorted(strata.items())),
        drawn=tuple(_drawn(case, some, reviewer) for case, some in cases.items()),
        levels=tuple(_LEVELS[level] for level in reviewer.sees),
        figures=tuple(
            (words, tuple(_count(of[level], finding) for level in reviewer.sees))
            for finding, words in FINDINGS.items()
        ),
        left=tuple(len(cases) - len(of[level]) for level in reviewer.sees),
        means=tuple(_mean(of[level]) for level in reviewer.sees),
        agree=f"{same} of {len(both)}" if both else "",
    )


_LEVELS: Final = {
    Level.SUPERVISOR: "Supervisors",
    Level.AUDITOR: "Auditors",
    Level.STANDARDS: "Professional standards",
}


def _stratum(case: ReviewCase) -> tuple[str, str, str]:
    """Agency, purpose and outcome; the digest of the roles tells a reader nothing."""
    agency, purpose, *_, outcome = case.stratum.split(" / ")
    return agency, purpose.replace("_", " ").lower(), ended(outcome)


def _drawn(case: ReviewCase, reviews: Sequence[Review], reviewer: Reviewer) -> DrawnRow:
    agency, purpose, outcome = _stratum(case)
    return DrawnRow(
        case=f"{REVIEWS}/{case.id}",
        entry=case.entry,
        agency=agency,
        purpose=purpose,
        outcome=outcome,
        said=tuple(
            (NAMES[r.level], words_of(r.outcome), str(r.quality), "") for r in in_order(reviews)
        ),
        open=not reviewed_by(reviews, reviewer.level),
    )


def _count(reviews: Sequence[Review], finding: Finding) -> int:
    return sum(r.outcome is finding for r in reviews)


def _mean(reviews: Sequence[Review]) -> str:
    given = [r.quality for r in reviews if r.quality is not None]
    return f"{sum(given) / len(given):.1f}" if given else "none"


def waits(sample: DipSample, now: datetime, witnessed: bool, zone: ZoneInfo) -> str:
    """Why it is not drawn yet."""
    if not witnessed:
        return "The log has no witnesses, so no checkpoint can decide. Nothing is drawn."
    if now < sample.until:
        return (
            "It is drawn by the first checkpoint that the witnesses sign after the period ends, "
            f"at {to_the_minute(sample.until, zone)}."
        )
    return (
        "It is drawn by the first checkpoint that the witnesses sign from now on. The log signs at "
        "least each minute, so look again in a minute or two."
    )


def command(sample: DipSample) -> str:
    """What draws it again."""
    since, until = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (sample.since, sample.until))
    return shlex.join(
        ("portcullis audit sample --dir LOG --key log.pub --checkpoint kept.note "
         f"--policy witnesses.policy --from {since} --until {until} "
         f"--count {sample.count} --by {sample.strata}").split()
    )  # fmt: skip
