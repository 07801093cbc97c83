"""A query is reviewed: said in the log first, then kept with its case."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from gateway.audit.recorder import Recorder
from gateway.audit.staff import Tokens, quarters
from gateway.casework.model import MOST_QUALITY, Finding, Level, Officer, Review
from gateway.casework.store import Store
from gateway.errors import LimitExceeded
from gateway.model import Request, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewing:
    """What reviewing needs. Who may review at which level, and of which agencies, is the caller's
    to know from the roles."""

    recorder: Recorder
    store: Store
    tokens: Tokens

    async def review(
        self, request: Request, subject: Subject, case: str, *, level: Level,
        agencies: Collection[str], outcome: Finding, quality: int, now: datetime,
    ) -> Review | None:  # fmt: skip
        """Say what was found. None, and nothing is said, for a case that is not of these agencies,
        for one's own query, and for one that is reviewed already, at this level or by oneself.

        Raises:
            LimitExceeded: there is no such quality.
            AuditUnavailable, CaseworkUnavailable: nothing was kept; the log may say so all the
                same, and a second try is a second entry.
        """
        if not 0 <= quality <= MOST_QUALITY:
            raise LimitExceeded.of("quality", MOST_QUALITY, quality)
        found = await self.store.review_case(case)
        if found is None or found.agency not in agencies:
            return None
        (quarter,) = quarters(found.asked_at, found.asked_at)
        if found.actor == self.tokens("actor", f"{subject.issuer}|{subject.id}", quarter):
            return None
        by = Officer.of(subject)
        before = await self.store.reviews_of(case)
        if any(one.level is level or one.by == by for one in before):
            return None
        said = {"level": level.value, "outcome": outcome.value, "quality": quality,
                "origin": found.origin.value}  # fmt: skip
        await self.recorder.review(request, subject, of=found.request, entry=found.entry, said=said)
        made = Review(case=case, level=level, at=now, outcome=outcome, quality=quality, by=by)
        return made if await self.store.review(made) else None
