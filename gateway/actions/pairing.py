"""Professional standards look in pairs: one asks a colleague, and looks only once that one agreed.

Both are entries of the log before they count, and so is who reads them; what was written lies
sealed for the agency, where its ordinary auditors do not see it. An agreement is for one person and
one permitted use, and for a working day; either of the two ends it before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.actions.asking import LISTED, say, words_of, written
from gateway.audit.entry import ASKER
from gateway.audit.inquiry import Auditor, Given, Inquiry
from gateway.audit.uses import Viewer, check_use
from gateway.casework.model import Answer, AuditMatter, Matters, Officer
from gateway.casework.store import Store
from gateway.errors import MalformedRequest, Refused

PAIRED_FOR: Final = timedelta(hours=8)
_NOT_YOURS: Final = "Professional standards alone look in pairs."


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """What somebody asked a colleague to agree to, as its reader sees it."""

    matter: AuditMatter
    words: str  # "" once they were erased
    own: bool  # the reader asked it
    waits: bool  # for the reader
    holds: bool  # the asker may look now
    may_end: bool  # by the reader, before its time

    @property
    def state(self) -> str:
        """What became of it: WAITS, AGREED, REFUSED, OVER, or ENDED before its time."""
        if self.matter.answer is None:
            return "WAITS"
        if self.matter.answer is Answer.REFUSED:
            return "REFUSED"
        return "ENDED" if self.matter.ended_by else "AGREED" if self.holds else "OVER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Asking a colleague, and agreeing.

    Raises (each):
        Refused, MalformedRequest: not for this role; not said for what.
        AuditUnavailable, CaseworkUnavailable: nothing was done, or it is not told.
    """

    inquiry: Inquiry
    store: Store
    clock: Callable[[], datetime]
    new_id: Callable[[], str]

    async def ask(self, auditor: Auditor, words: str) -> AuditMatter:
        """Ask one's colleagues to agree that one looks, for the use that one has named."""
        self._check(auditor)
        text, id_, own = written(words), self.new_id(), auditor.subject.agency
        number = await say(
            self.inquiry, auditor, "pair", {"pair": id_, "words": text}, given={"pair": id_}
        )
        made = AuditMatter(
            id=id_, kind=Matters.PAIR, at=self.clock(), by=Officer.of(auditor.subject), agency=own,
            entry=number, standards=True, use=auditor.use, asked=number,
        )  # fmt: skip
        await self.store.begin_matter(made)
        return made

    async def answer(self, auditor: Auditor, id_: str, answer: Answer) -> AuditMatter | None:
        """Agree, or refuse; None for what no colleague asked, and what was answered before."""
        self._check(auditor)
        matter = await self.store.matter(id_)
        if matter is None or not self._waits(auditor, matter):
            return None
        if answer not in (Answer.AGREED, Answer.REFUSED):
            raise MalformedRequest("Agree, or refuse.")
        now = self.clock()
        number = await say(
            self.inquiry, auditor, f"pair_{answer.value.lower()}", {"pair": id_},
            given={"pair": id_, "about": matter.asked},
        )  # fmt: skip
        kept = await self.store.answer_matter(
            id_, answer, by=Officer.of(auditor.subject), role=Viewer.STANDARDS.value, entry=number,
            at=now, until=now + PAIRED_FOR if answer is Answer.AGREED else None,
        )  # fmt: skip
        return await self.store.matter(id_) if kept else None

    async def end(self, auditor: Auditor, id_: str) -> Given[AuditMatter] | None:
        """End an agreement of one's own before its time: the next look is refused. None for what
        does not hold, or is between others."""
        self._check(auditor)
        matter = await self.store.matter(id_)
        if matter is None or not self._ends(auditor, matter):
            return None
        viewed = await self.inquiry.recorder.view(
            auditor.request, auditor.subject, page="pair_ended", use=auditor.use,
            given={"pair": id_, "about": matter.asked},
        )  # fmt: skip
        number = await self.inquiry.log.number(viewed.receipt)
        by = Officer.of(auditor.subject)
        await self.store.end_pair(id_, by, entry=number, at=self.clock())
        ended = await self.store.matter(id_)  # by whoever was quicker of the two
        return Given(ended, viewed) if ended is not None else None

    async def listed(self, auditor: Auditor) -> Given[tuple[Paired, ...]]:
        """What one's agency's professional standards asked each other, what waits first."""
        self._check(auditor)
        own = auditor.subject.agency
        found = await self.store.pairs(own, LISTED)
        viewed = await self.inquiry.recorder.view(
            auditor.request, auditor.subject, page="pairs", use=auditor.use,
            given={"rows": len(found)}, entries=[one.asked for one in found],
        )  # fmt: skip
        now, me = self.clock(), Officer.of(auditor.subject)
        told = tuple(
            [
                Paired(
                    matter=one,
                    words=await words_of(self.inquiry, one.asked, ASKER, own),
                    own=one.by == me,
                    waits=self._waits(auditor, one),
                    holds=one.until is not None and now < one.until,
                    may_end=self._ends(auditor, one),
                )
                for one in found
            ]
        )
        return Given(told, viewed)

    # --- parts of these ---

    def _check(self, auditor: Auditor) -> None:
        viewer = self.inquiry.viewer(auditor.subject)
        if viewer is not Viewer.STANDARDS:
            raise Refused(_NOT_YOURS, rule="audit.role", detail=viewer.value)
        check_use(viewer, auditor.use)

    def _waits(self, auditor: Auditor, matter: AuditMatter) -> bool:
        """Whether it is this person's to answer: a colleague's, not one's own."""
        return (
            matter.kind is Matters.PAIR
            and matter.answer is None
            and matter.agency == auditor.subject.agency
            and matter.by != Officer.of(auditor.subject)
        )

    def _ends(self, auditor: Auditor, matter: AuditMatter) -> bool:
        """Whether it is an agreement that holds, and this person one of the two."""
        return (
            matter.kind is Matters.PAIR
            and matter.answer is Answer.AGREED
            and matter.until is not None
            and self.clock() < matter.until
            and Officer.of(auditor.subject) in (matter.by, matter.answered_by)
        )
