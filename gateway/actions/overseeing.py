"""What auditors and supervisors see of the misuse queue, of samples and of reviews: for the pages
and `/audit` alike.

Who reviews sees nothing of themselves, and of reviews those that their level may see. Each look is
an entry of the log before it is given.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

from gateway.actions.oversight import Oversight
from gateway.actions.reviewing import (
    Query,
    Reviewer,
    batches_of,
    note_of,
    query_of,
    reviewer_of,
)
from gateway.actions.sampling import LISTED
from gateway.audit.evidence import Evidence
from gateway.audit.inquiry import Auditor, Given, Inquiry, gathered
from gateway.audit.misuse import Case
from gateway.audit.queues import Made
from gateway.audit.uses import check_use
from gateway.casework.model import DipSample, Level, Origin, Review, ReviewCase
from gateway.errors import MalformedRequest, Refused
from gateway.model import Subject

SUPERVISED: Final = "OVERSIGHT"
"""For what supervisors look: for nothing else."""
CASE_QUERIES: Final = 50  # of a case of misuse, that are read at once
WAITING: Final = 50
_T = TypeVar("_T")

Said = Mapping[int, Sequence[Review]]
"""Entry -> what was said of it."""


async def reviewing_as(inquiry: Inquiry, oversight: Oversight, auditor: Auditor) -> Reviewer:
    """As what somebody reviews.

    Raises:
        Refused: as nothing: their agency's people may not have such a role; or they look alone
            where two are needed.
        MalformedRequest: not said for what; a supervisor, for something else than oversight.
        CaseworkUnavailable: it cannot be found out who agreed.
    """
    found = reviewer_of(auditor.subject, inquiry.entitled, oversight.agencies)
    if found is None:
        raise Refused("Reviews are not for your role.", rule="audit.role", detail="no reviewer")
    if found.level is not Level.SUPERVISOR:
        check_use(inquiry.viewer(auditor.subject), auditor.use)
    elif auditor.use != SUPERVISED:
        raise MalformedRequest("Supervisors review for oversight alone.")
    await inquiry.recorder.demand_pair(auditor.subject, auditor.use)
    return found


async def auditing_as(inquiry: Inquiry, oversight: Oversight, auditor: Auditor) -> Reviewer:
    """The same, of an auditor: what looks like misuse is never a supervisor's to see.

    Raises:
        As `reviewing_as`.
    """
    found = await reviewing_as(inquiry, oversight, auditor)
    if found.level is Level.SUPERVISOR:
        raise Refused("The queue is for auditors.", rule="audit.role", detail="no auditor")
    return found


# -- what looks like misuse ------------------------------------------------------------------


async def queue_for(
    oversight: Oversight, subject: Subject, reviewer: Reviewer, days: int
) -> Made | None:
    """What somebody sees of the queue, which is nothing of themselves; None while it is made.

    Raises:
        LimitExceeded, CaseworkUnavailable: no such period; it cannot be made.
    """
    whose = subject.agency if reviewer.agencies == {subject.agency} else None
    made = await oversight.queues.queue(days, whose)
    if made is None:
        return None
    own = oversight.reviewing.own_case
    cases = tuple(case for case in made.queue.cases if not own(subject, case))
    return replace(made, queue=replace(made.queue, cases=cases))


def name_of(case: Case) -> str:
    """By what a case is named."""
    return f"{case.pattern.value}-{case.actors[0][:16]}"


def names_of(case: Case) -> set[str]:
    """By which a case is found, whichever of its quarters has come first when it was named."""
    return {f"{case.pattern.value}-{actor[:16]}" for actor in case.actors}


async def said_of(
    oversight: Oversight, cases: Sequence[Case], reviewer: Reviewer
) -> tuple[Said, ...]:
    """What was said of the queries of each case, as far as a reviewer sees it."""
    batches = [batch for case in cases for batch in batches_of(case)]
    agencies = {case.agency for case in cases} & reviewer.agencies
    seen = await oversight.store.reviewed(batches, agencies, reviewer.sees)
    kept: dict[str, dict[int, Sequence[Review]]] = {}
    for query, reviews in seen.items():
        kept.setdefault(query.batch, {})[query.entry] = reviews
    return tuple(
        {
            entry: reviews
            for batch in batches_of(case)
            for entry, reviews in kept.get(batch, {}).items()
            if entry in case.entries
        }
        for case in cases
    )


def reviewed_by(reviews: Iterable[Review], level: Level) -> bool:
    """Whether one of these is of this level."""
    return any(review.level is level for review in reviews)


def looked_at(said: Said, entry: int, reviewer: Reviewer) -> bool:
    """Whether somebody of this level has looked at a query."""
    return reviewed_by(said.get(entry, ()), reviewer.level)


def state_of(case: Case, said: Said, reviewer: Reviewer) -> tuple[str, int]:
    """`open`, `begun` or `done`; and how many queries nobody of this level has looked at."""
    left = sum(not looked_at(said, entry, reviewer) for entry in case.entries)
    return "done" if not left else "begun" if left < len(case.entries) else "open", left


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One case of the queue."""

    case: Case
    rank: int
    said: Said
    state: str
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some cases of the queue."""

    made: Made
    cases: tuple[Listed, ...]
    many: int  # that fit


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A query with what was said of it, and the notes for whoever looks."""

    query: Query
    reviews: tuple[tuple[Review, str], ...]
    open: bool  # whether nobody of this level has looked at it


@dataclass(frozen=True, slots=True, kw_only=True)
class Overseeing:
    """Reading it.

    Raises (each):
        Refused, MalformedRequest, LimitExceeded: not for this role; not said for what; no such
            period.
        AuditUnavailable, CaseworkUnavailable: it is not told.
    """

    inquiry: Inquiry
    oversight: Oversight

    async def misuse(
        self, auditor: Auditor, *, days: int, kind: str, state: str, first: int, start: int
    ) -> Given[Part | None]:
        """Some cases of the queue, the strongest first; None while it is made."""
        reviewer = await auditing_as(self.inquiry, self.oversight, auditor)
        made = await queue_for(self.oversight, auditor.subject, reviewer, days)
        part = None
        if made is not None:
            listed = await self._listed(made, reviewer)
            fit = [
                one for one in listed if kind in ("", one.case.pattern) and state in ("", one.state)
            ]
            part = Part(made=made, cases=tuple(fit[start : start + first]), many=len(fit))
        viewed = await self.inquiry.recorder.view(
            auditor.request, auditor.subject, page="misuse", use=auditor.use,
            given={"rows": len(part.cases) if part else 0, "days": days},
        )  # fmt: skip
        return Given(part, viewed)

    async def case(
        self, auditor: Auditor, name: str, *, days: int
    ) -> Given[tuple[Listed, tuple[Looked, ...]] | None]:
        """One case with its queries, first those to look at; None where there is none."""
        reviewer = await auditing_as(self.inquiry, self.oversight, auditor)
        made = await queue_for(self.oversight, auditor.subject, reviewer, days)
        listed = await self._listed(made, reviewer) if made is not None else ()
        found = next((one for one in listed if name in names_of(one.case)), None)
        entries: list[int] = []
        if found is not None:
            said = found.said
            entries = sorted(
                found.case.entries, key=lambda entry: (looked_at(said, entry, reviewer), -entry)
            )[:CASE_QUERIES]
        kind = {"kind": found.case.pattern.value} if found else {}
        viewed = await self.inquiry.recorder.view(
            auditor.request, auditor.subject, page="misuse_case", use=auditor.use,
            given={"rows": len(entries), **kind}, entries=entries,
        )  # fmt: skip
        if found is None:
            return Given(None, viewed)
        some = [(entry, found.said.get(entry, ())) for entry in entries]
        return Given((found, await self._looked(auditor, some, reviewer)), viewed)

    async def samples(self, auditor: Auditor) -> Given[tuple[DipSample, ...]]:
        """What was announced, the latest first."""
        await reviewing_as(self.inquiry, self.oversight, auditor)
        found = await self.oversight.store.dip_samples(LISTED)
        viewed = await self.inquiry.recorder.view(
            auditor.request, auditor.subject, page="samples", use=auditor.use,
            given={"rows": len(found)},
        )  # fmt: skip
        return Given(tuple(found), viewed)

    async def sample(
        self, auditor: Auditor, id_: str
    ) -> Given[tuple[DipSample, Mapping[ReviewCase, tuple[Review, ...]], frozenset[str]] | None]:
        """One sample, its queries as far as they are somebody's to see, and the names of those that
        they may review; None where there is none."""
        reviewer = await reviewing_as(self.inquiry, self.oversight, auditor)
        found = await self.oversight.store.dip_sample(id_)
        cases = await drawn_for(self.oversight, auditor.subject, reviewer, found)
        viewed = await self.inquiry.recorder.view(
            auditor.request, auditor.subject, page="sample", use=auditor.use,
            given={"rows": len(cases)}, entries=[case.entry for case in cases],
        )  # fmt: skip
        if found is None:
            return Given(None, viewed)
        openly = frozenset(
            case.id for case, said in cases.items() if not reviewed_by(said, reviewer.level)
        )
        return Given((found, cases, openly), viewed)

    async def waiting(self, auditor: Auditor) -> Given[tuple[ReviewCase, ...]]:
        """Drawn queries that wait for whoever looks, the oldest first."""
        reviewer = await reviewing_as(self.inquiry, self.oversight, auditor)
        mine, _ = await waiting_for(self.oversight, auditor.subject, reviewer)
        viewed = await self.inquiry.recorder.view(
            auditor.request, auditor.subject, page="reviews", use=auditor.use,
            given={"rows": len(mine)},
        )  # fmt: skip
        return Given(mine, viewed)

    async def review(self, auditor: Auditor, id_: str) -> Given[tuple[ReviewCase, Looked] | None]:
        """One drawn query with what was said of it; None where it is not somebody's to review."""
        reviewer = await reviewing_as(self.inquiry, self.oversight, auditor)
        case = await drawn_case(self.oversight, auditor.subject, reviewer, id_)
        viewed = await self.inquiry.recorder.view(
            auditor.request, auditor.subject, page="review", use=auditor.use,
            given={"rows": 1 if case else 0}, entries=[case.entry] if case else [],
        )  # fmt: skip
        if case is None:
            return Given(None, viewed)
        every = await self.oversight.store.reviews_of(case.id)
        seen = [one for one in every if one.level in reviewer.sees]
        (looked,) = await self._looked(auditor, [(case.entry, seen)], reviewer)
        return Given((case, looked), viewed)

    # --- parts of these ---

    async def _listed(self, made: Made, reviewer: Reviewer) -> tuple[Listed, ...]:
        cases = made.queue.cases
        listed = []
        for rank, (case, said) in enumerate(
            zip(cases, await said_of(self.oversight, cases, reviewer), strict=True), start=1
        ):
            state, left = state_of(case, said, reviewer)
            listed.append(Listed(case=case, rank=rank, said=said, state=state, left=left))
        return tuple(listed)

    async def _looked(
        self, auditor: Auditor, some: Sequence[tuple[int, Sequence[Review]]], reviewer: Reviewer
    ) -> tuple[Looked, ...]:
        evidence, own = self.inquiry.evidence, auditor.subject.agency
        queries = await read([partial(query_of, entry=entry) for entry, _ in some], evidence, own)
        reviews = [review for _, said in some for review in said]
        texts = await read([partial(note_of, review=one) for one in reviews], evidence, own)
        notes = iter(zip(reviews, texts, strict=True))
        return tuple(
            Looked(
                query=query,
                reviews=tuple(next(notes) for _ in said),
                open=not reviewed_by(said, reviewer.level),
            )
            for query, (_, said) in zip(queries, some, strict=True)
        )


async def drawn_for(
    oversight: Oversight, subject: Subject, reviewer: Reviewer, sample: DipSample | None
) -> Mapping[ReviewCase, tuple[Review, ...]]:
    """What was drawn for a sample, as far as a reviewer sees it, which is nothing of themselves."""
    if sample is None or sample.seed is None:
        return {}
    held = await oversight.store.reviewed([sample.seed], reviewer.agencies, reviewer.sees)
    own = oversight.reviewing.own
    return {case: said for case, said in held.items() if not own(subject, case)}


async def waiting_for(
    oversight: Oversight, subject: Subject, reviewer: Reviewer
) -> tuple[tuple[ReviewCase, ...], bool]:
    """Drawn queries that wait for a reviewer, the oldest first and none of their own; and whether
    there may be more."""
    found = await oversight.store.waiting_for(reviewer.level, reviewer.agencies, WAITING)
    own = oversight.reviewing.own
    return tuple(one for one in found if not own(subject, one)), len(found) == WAITING


async def drawn_case(
    oversight: Oversight, subject: Subject, reviewer: Reviewer, id_: str
) -> ReviewCase | None:
    """A drawn query by its name, if it is this reviewer's and not their own."""
    case = await oversight.store.review_case(id_)
    if case is None or case.origin is not Origin.SAMPLE or case.agency not in reviewer.agencies:
        return None
    return None if oversight.reviewing.own(subject, case) else case


async def read(
    whats: Sequence[Callable[..., Awaitable[_T]]], evidence: Evidence, agency: str
) -> list[_T]:
    """What lies in the log for this agency, a few side by side."""
    return await gathered(lambda what: what(evidence, agency=agency), whats)
