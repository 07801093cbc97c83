"""A query is reviewed: said in the log first, then kept with its case."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.audit.entry import read_leaf
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
from gateway.errors import LimitExceeded
from gateway.model import Request, Subject

AT_ONCE: Final = 50  # queries of a case of misuse that one review is of


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """At which level somebody reviews, and of which agencies' people."""

    level: Level
    agencies: frozenset[str]


def reviewer_of(
    subject: Subject, entitled: Mapping[str, Collection[str]], agencies: Collection[str]
) -> Reviewer | None:
    """As what somebody reviews; None for whoever does not. `entitled` says which agencies' people
    may have a role, `agencies` which there are."""
    match viewer_of(subject, entitled):
        case Viewer.FORCE | Viewer.STANDARDS:
            return Reviewer(level=Level.AUDITOR, agencies=frozenset({subject.agency}))
        case Viewer.EXTERNAL:
            return Reviewer(level=Level.AUDITOR, agencies=frozenset(agencies))
    roles = SUPERVISORS.intersection(subject.roles)
    if any(subject.agency in entitled.get(role, ()) for role in roles):
        return Reviewer(level=Level.SUPERVISOR, agencies=frozenset({subject.agency}))
    return None


def batch_of(case: Case) -> str:
    """Under which the queries of a case of misuse are kept."""
    return f"{case.pattern.value}|{case.actors[0]}"


async def case_from(
    log: AuditLog, entry: int, *, id_: str, at: datetime, origin: Origin, batch: str,
    stratum: str = "",
) -> ReviewCase:  # fmt: skip
    """A query that is to be reviewed, as its first leaf tells of it.

    Raises:
        LookupError, AuditUnavailable: there is no such entry; it cannot be read.
    """
    leaf = read_leaf(await log.leaf(entry))
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewing:
    """What reviewing needs. Who may review at which level, and of which agencies, is the caller's
    to know from the roles."""

    recorder: Recorder
    store: Store
    tokens: Tokens

    async def review(
        self, request: Request, subject: Subject, case: str, *, level: Level,
        agencies: Collection[str], outcome: Finding, quality: int, use: str, now: datetime,
    ) -> Review | None:  # fmt: skip
        """Say what was found, under a permitted use. None, and nothing is said, for a case that is
        not of these agencies, for one's own query, and for one that is reviewed already, at this
        level or by oneself.

        Raises:
            LimitExceeded: there is no such quality.
            AuditUnavailable, CaseworkUnavailable: nothing was kept; the log may say so all the
                same, and a second try is a second entry.
        """
        if not 0 <= quality <= MOST_QUALITY:
            raise LimitExceeded.of("quality", MOST_QUALITY, quality)
        found = await self.store.review_case(case)
        if found is None or found.agency not in agencies or self.own(subject, found):
            return None
        by = Officer.of(subject)
        before = await self.store.reviews_of(case)
        if any(one.level is level or one.by == by for one in before):
            return None
        said = {"level": level.value, "outcome": outcome.value, "quality": quality,
                "origin": found.origin.value}  # fmt: skip
        await self.recorder.review(
            request, subject, of=found.request, entry=found.entry, use=use, said=said
        )
        made = Review(case=case, level=level, at=now, outcome=outcome, quality=quality, by=by)
        return made if await self.store.review(made) else None

    async def review_misuse(
        self, request: Request, subject: Subject, case: Case, *, agencies: Collection[str],
        outcome: Finding, quality: int, use: str, now: datetime, new_id: Callable[[], str],
    ) -> int:  # fmt: skip
        """Say the same of those queries of a case of misuse that no auditor has reviewed, at most
        `AT_ONCE`; of how many.

        Raises:
            As `review`.
        """
        if case.agency not in agencies:
            return 0
        batch, log = batch_of(case), self.recorder.log
        seen = await self.store.reviewed(batch, [case.agency], Level.AUDITOR)
        done = {
            one.entry for one, said in seen.items() if any(r.level is Level.AUDITOR for r in said)
        }
        reviewed = 0
        for entry in [one for one in case.entries if one not in done][:AT_ONCE]:
            made = await case_from(
                log, entry, id_=new_id(), at=now, origin=Origin.MISUSE, batch=batch
            )
            await self.store.to_review(made)
            kept = await self.store.reviewed(batch, [case.agency], Level.AUDITOR)
            (id_,) = (one.id for one in kept if one.request == made.request)
            reviewed += 1 if await self.review(
                request, subject, id_, level=Level.AUDITOR, agencies=agencies, outcome=outcome,
                quality=quality, use=use, now=now,
            ) else 0  # fmt: skip
        return reviewed

    def own(self, subject: Subject, case: ReviewCase) -> bool:
        """Whether it is somebody's own query."""
        (quarter,) = quarters(case.asked_at, case.asked_at)
        return case.actor == self.tokens("actor", f"{subject.issuer}|{subject.id}", quarter)
