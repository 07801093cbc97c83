"""A query is reviewed: said in the log first, then kept with its case."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gateway.audit.entry import ASKER, read_leaf
from gateway.audit.evidence import Evidence
from gateway.audit.found import Asked
from gateway.audit.log import AuditLog
from gateway.audit.misuse import Case
from gateway.audit.recorder import Recorder
from gateway.audit.staff import Tokens, quarters
from gateway.audit.uses import SUPERVISORS, Viewer, viewer_of
from gateway.casework.model import (
    MOST_QUALITY,
    Finding,
    Level,
    Officer,
    Origin,
    Review,
    ReviewCase,
)
from gateway.casework.store import Store
from gateway.errors import LimitExceeded, MalformedRequest
from gateway.model import Request, Subject

AT_ONCE: Final = 50  # queries of a case of misuse that one review is of
MOST_NOTE: Final = 1_000  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """At which level somebody reviews, of which agencies' people, and whose reviews they see."""

    level: Level
    agencies: frozenset[str]
    sees: tuple[Level, ...]


def reviewer_of(
    subject: Subject, entitled: Mapping[str, Collection[str]], agencies: Collection[str]
) -> Reviewer | None:
    """As what somebody reviews; None for whoever does not. `entitled` says which agencies' people
    may have a role, `agencies` which there are.

    What professional standards say of their own agency's people is theirs, and the external
    auditor's to see; its ordinary auditors are not shown that there is anything.
    """
    own = frozenset({subject.agency})
    match viewer_of(subject, entitled):
        case Viewer.FORCE:
            seen = (Level.SUPERVISOR, Level.AUDITOR)
            return Reviewer(level=Level.AUDITOR, agencies=own, sees=seen)
        case Viewer.STANDARDS:
            return Reviewer(level=Level.STANDARDS, agencies=own, sees=tuple(Level))
        case Viewer.EXTERNAL:
            every = frozenset(agencies)
            return Reviewer(level=Level.AUDITOR, agencies=every, sees=tuple(Level))
    roles = SUPERVISORS.intersection(subject.roles)
    if any(subject.agency in entitled.get(role, ()) for role in roles):
        return Reviewer(level=Level.SUPERVISOR, agencies=own, sees=(Level.SUPERVISOR,))
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a review says."""

    outcome: Finding
    quality: int | None = None  # of the reason; None for what is closed, and for nothing else
    note: str = ""  # sealed for the reviewer's agency

    def check(self) -> None:
        """Be satisfied that it can be said.

        Raises:
            LimitExceeded, MalformedRequest: in words for the page.
        """
        if self.quality is not None and not 0 <= self.quality <= MOST_QUALITY:
            raise LimitExceeded.of("quality", MOST_QUALITY, self.quality)
        if len(self.note) > MOST_NOTE:
            raise LimitExceeded.of("note", MOST_NOTE, len(self.note))
        if (self.quality is None) is not (self.outcome is Finding.CLOSED):
            raise MalformedRequest("Choose what you found, and how good the reason is.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query, as a reviewer may know of it."""

    entry: int
    at: str
    purpose: str
    code: str  # of the reason
    asked: Asked | None  # None where its words are sealed for another agency, or erased


def batches_of(case: Case) -> tuple[str, ...]:
    """Under which the queries of a case of misuse are kept: by quarter."""
    return tuple(_batch(case, actor) for actor in case.actors)


def _batch(case: Case, actor: str) -> str:
    return f"{case.pattern.value}|{actor}"


def case_from(
    leaf: Mapping[str, Any], entry: int, *, id_: str, at: datetime, origin: Origin, batch: str,
    stratum: str = "",
) -> ReviewCase:  # fmt: skip
    """A query that is to be reviewed, as its first leaf tells of it."""
    return ReviewCase(
        id=id_,
        at=at,
        origin=origin,
        batch=batch,
        stratum=stratum,
        agency=leaf["who"]["agency"],
        actor=leaf["who"]["actor"],
        request=leaf["request_id"],
        entry=entry,
        asked_at=datetime.fromisoformat(leaf["at"]),
    )


async def leaf_of(log: AuditLog, entry: int) -> dict[str, Any]:
    """What an entry's leaf says.

    Raises:
        LookupError, AuditUnavailable: there is no such entry; it cannot be read.
    """
    return read_leaf(await log.leaf(entry))


async def query_of(evidence: Evidence, entry: int, agency: str) -> Query:
    """A query as somebody of this agency may know of it.

    Raises:
        LookupError, AuditUnavailable: there is no such entry; it cannot be read.
    """
    leaf = await leaf_of(evidence.log, entry)
    said = await evidence.part(leaf, entry, ASKER, agency)
    purpose = leaf.get("purpose", {})
    return Query(
        entry=entry,
        at=leaf["at"],
        purpose=purpose.get("code", ""),
        code=purpose.get("reason", ""),
        asked=Asked.of(said) if said else None,
    )


async def note_of(evidence: Evidence, review: Review, agency: str) -> str:
    """What a reviewer of this agency noted; "" for others, and where it was erased.

    Raises:
        AuditUnavailable: it cannot be read.
    """
    if review.entry is None or review.by.agency != agency:
        return ""
    leaf = await leaf_of(evidence.log, review.entry)
    said = await evidence.part(leaf, review.entry, ASKER, agency)
    return str((said or {}).get("note", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewing:
    """What reviewing needs. Who may review at which level, and of which agencies, is the caller's
    to know from the roles."""

    recorder: Recorder
    store: Store
    tokens: Tokens

    async def review(
        self, request: Request, subject: Subject, case: str, verdict: Verdict, *,
        reviewer: Reviewer, use: str, now: datetime,
    ) -> Review | None:  # fmt: skip
        """Say what was found, under a permitted use. None, and nothing is said, for a case that is
        not of these agencies, for one's own query, and for one that is reviewed already, at this
        level or by oneself.

        Raises:
            Refused: two are needed, and nobody agreed.
            LimitExceeded, MalformedRequest: there is no such quality, or none is given.
            AuditUnavailable, CaseworkUnavailable: nothing was kept; the log may say so all the
                same, and a second try is a second entry.
        """
        verdict.check()
        await self.recorder.demand_pair(subject, use)
        found = await self.store.review_case(case)
        if found is None or found.agency not in reviewer.agencies or self.own(subject, found):
            return None
        return await self._said(
            request, subject, found, verdict, reviewer=reviewer, use=use, now=now
        )

    async def _said(
        self, request: Request, subject: Subject, found: ReviewCase, verdict: Verdict, *,
        reviewer: Reviewer, use: str, now: datetime,
    ) -> Review | None:  # fmt: skip
        by, level = Officer.of(subject), reviewer.level
        before = await self.store.reviews_of(found.id)
        if any(one.level is level or one.by == by for one in before):
            return None
        said = {
            "of": found.request,
            "entry": found.entry,
            "level": level.value,
            "outcome": verdict.outcome.value,
        }
        among = {"origin": found.origin.value}
        if found.origin is Origin.SAMPLE:
            among["sample"] = found.batch  # its seed: whoever has the log draws it again
        else:
            said["sign"] = found.batch.partition("|")[0]
        if verdict.quality is not None:
            said["quality"] = verdict.quality
        receipt = await self.recorder.review(
            request, subject, use=use, among=among, found=said, note=verdict.note
        )
        made = Review(
            case=found.id, level=level, at=now, outcome=verdict.outcome, quality=verdict.quality,
            by=by, entry=await self.recorder.log.number(receipt),
        )  # fmt: skip
        return made if await self.store.review(made) else None

    async def review_misuse(
        self, request: Request, subject: Subject, case: Case, verdict: Verdict, *,
        entries: Collection[int], reviewer: Reviewer, use: str, now: datetime,
        new_id: Callable[[], str],
    ) -> int:  # fmt: skip
        """Say the same of these queries of a case of misuse, of those that nobody has reviewed at
        this level; of at most `AT_ONCE`, and of how many.

        Raises:
            As `review`.
        """
        verdict.check()
        await self.recorder.demand_pair(subject, use)
        if case.agency not in reviewer.agencies or self.own_case(subject, case):
            return 0
        done = await self.reviewed(case, reviewer)
        wanted = [one for one in case.entries if one in entries and one not in done][:AT_ONCE]
        made = []
        for entry in wanted:
            leaf = await leaf_of(self.recorder.log, entry)
            batch = _batch(case, leaf["who"]["actor"])
            made.append(
                case_from(leaf, entry, id_=new_id(), at=now, origin=Origin.MISUSE, batch=batch)
            )
        await self.store.to_review(*made)
        kept = await self.store.reviewed(batches_of(case), [case.agency], [])
        reviewed = 0
        for one in [one for one in kept if one.entry in wanted]:
            said = await self._said(
                request, subject, one, verdict, reviewer=reviewer, use=use, now=now
            )
            reviewed += said is not None
        return reviewed

    async def reviewed(self, case: Case, reviewer: Reviewer) -> frozenset[int]:
        """Which of a case's queries were reviewed at this level."""
        seen = await self.store.reviewed(batches_of(case), [case.agency], [reviewer.level])
        return frozenset(one.entry for one, said in seen.items() if said)

    def own(self, subject: Subject, case: ReviewCase) -> bool:
        """Whether it is somebody's own query."""
        return case.actor in self._actors(subject, case.asked_at, case.asked_at)

    def own_case(self, subject: Subject, case: Case) -> bool:
        """Whether somebody is looked at themselves."""
        return not self._actors(subject, case.since, case.until).isdisjoint(case.actors)

    def _actors(self, subject: Subject, since: datetime, until: datetime) -> frozenset[str]:
        name = f"{subject.issuer}|{subject.id}"
        return frozenset(self.tokens("actor", name, one) for one in quarters(since, until))
