"""What the external auditor asks an agency: to explain an entry, or to have its body unsealed.

Each step is an entry of the log before it counts, and holds what was written sealed for both: in
the asker's part for whoever wrote it, in a part of the other's for them. Nothing of it lies
anywhere else. A body is unsealed by two people of two agencies: who asks, and an auditor of the
agency whose body it is who agrees; then the asker, nobody else, sees it for a short while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from gateway.audit.entry import ASKER, InvalidEntry, Kind, party_part, read_leaf
from gateway.audit.found import Asked
from gateway.audit.inquiry import Auditor, Given, Inquiry
from gateway.audit.recorder import Viewed
from gateway.audit.staff import Tokens, quarters
from gateway.audit.uses import USES, Viewer
from gateway.casework.model import Answer, AuditMatter, Matters, Officer
from gateway.casework.store import Store
from gateway.errors import LimitExceeded, MalformedRequest
from gateway.model import EMPTY

LISTED: Final = 100
MOST_CHARS: Final = 2_000
UNSEALED_FOR: Final = timedelta(minutes=30)
_PARTIES: Final = (Viewer.FORCE, Viewer.STANDARDS, Viewer.EXTERNAL)
_ANSWERS: Final[Mapping[Matters, Collection[Answer]]] = {
    Matters.QUESTION: (Answer.ANSWERED,),
    Matters.UNSEALING: (Answer.AGREED, Answer.REFUSED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A matter with what was written, as far as its reader may have it."""

    matter: AuditMatter
    question: str  # "" once it was erased
    answer: str = ""
    withheld: bool = False  # there is an answer, and it is not for this reader
    may_answer: bool = False
    open: bool = False  # an unsealed body can be looked at, by this reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Asking and answering. Whatever is not in somebody's scope is None, as if it were not there.

    Raises (each):
        Refused, MalformedRequest: not for this role; not said for what.
        AuditUnavailable, CaseworkUnavailable: nothing was done, or it is not told.
    """

    inquiry: Inquiry
    store: Store
    tokens: Tokens
    clock: Callable[[], datetime]
    new_id: Callable[[], str]

    async def ask(
        self, auditor: Auditor, kind: Matters, entry: int, words: str
    ) -> AuditMatter | None:
        """Ask the agency whose people an entry is of; None where there is no such entry of another
        agency's."""
        await self.inquiry.auditing(auditor, Viewer.EXTERNAL)
        if kind not in _ANSWERS:
            raise MalformedRequest("Choose what you ask for.")
        text = written(words)
        leaf = await self._leaf(entry)
        agency = leaf.get("who", EMPTY).get("agency")
        if not agency or agency == auditor.subject.agency:
            return None
        row = await asyncio.to_thread(self.inquiry.follower.index.of, entry)
        first = row.idx if row is not None else entry
        id_ = self.new_id()
        said = {"matter": id_, "entry": first, "words": text}
        number = await self._say(auditor, kind.value.lower(), id_, first, said, to=agency)
        made = AuditMatter(
            id=id_,
            kind=kind,
            at=self.clock(),
            by=Officer.of(auditor.subject),
            agency=agency,
            entry=first,
            standards=_hidden(leaf),
            use=auditor.use,
            asked=number,
        )
        await self.store.begin_matter(made)
        return made

    async def answer(
        self, auditor: Auditor, id_: str, answer: Answer, words: str
    ) -> AuditMatter | None:
        """Answer for one's agency; None for what is not its to answer, not this person's, or
        answered before."""
        viewer = await self.inquiry.auditing(auditor, Viewer.FORCE, Viewer.STANDARDS)
        matter = await self.store.matter(id_)
        if matter is None or not await self._may_answer(auditor, viewer, matter):
            return None
        if answer not in _ANSWERS[matter.kind]:
            raise MalformedRequest("Answer a question in words; agree to an unsealing or refuse.")
        text = written(words)
        now = self.clock()
        said = {"matter": id_, "entry": matter.entry, "answer": answer.value, "words": text}
        number = await self._say(
            auditor, answer.value.lower(), id_, matter.entry, said, to=matter.by.agency
        )
        kept = await self.store.answer_matter(
            id_,
            answer,
            by=Officer.of(auditor.subject),
            role=viewer.value,
            entry=number,
            at=now,
            until=now + UNSEALED_FOR if answer is Answer.AGREED else None,
        )
        return await self.store.matter(id_) if kept else None

    async def listed(self, auditor: Auditor) -> Given[tuple[AuditMatter, ...]]:
        """What one's agency asked or was asked: what waits first, then the latest."""
        viewer = await self.inquiry.auditing(auditor, *_PARTIES)
        found = await self.store.matters(
            auditor.subject.agency, LISTED, standards=viewer is not Viewer.FORCE
        )
        return Given(found, await self._view(auditor, "matters", {"rows": len(found)}))

    async def shown(self, auditor: Auditor, id_: str) -> Given[Told | None]:
        """One of them, with what was written."""
        viewer = await self.inquiry.auditing(auditor, *_PARTIES)
        matter = await self.store.matter(id_)
        if matter is None or not _in_scope(auditor, viewer, matter):
            return Given(None, await self._view(auditor, "matter", {"rows": 0}))
        viewed = await self._view(auditor, "matter", {"matter": id_})
        own = auditor.subject.agency
        asked = ASKER if matter.by.agency == own else party_part(own)
        answered = ASKER if matter.agency == own else party_part(own)
        withheld = viewer is Viewer.FORCE and matter.answered_as == Viewer.STANDARDS
        answer = ""
        if matter.answered is not None and not withheld:
            answer = await words_of(self.inquiry, matter.answered, answered, own)
        told = Told(
            matter=matter,
            question=await words_of(self.inquiry, matter.asked, asked, own),
            answer=answer,
            withheld=withheld,
            may_answer=await self._may_answer(auditor, viewer, matter),
            open=self._open(auditor, matter),
        )
        return Given(told, viewed)

    async def unsealed(self, auditor: Auditor, id_: str) -> tuple[AuditMatter, Asked] | None:
        """What lies sealed of the entry for its agency, never what was found (nothing, once it was
        erased); None unless this very person asked, somebody of that agency agreed, and the time
        is not over."""
        await self.inquiry.auditing(auditor, Viewer.EXTERNAL)
        matter = await self.store.matter(id_)
        if matter is None or not self._open(auditor, matter):
            return None
        if auditor.use != matter.use:
            text = "It was agreed for another use: say that you look for what you asked it for."
            raise MalformedRequest(f"{text} That was: {USES[matter.use][0]}.")
        row = await asyncio.to_thread(self.inquiry.follower.index.of, matter.entry)
        numbers = sorted({matter.entry, row.last if row is not None else matter.entry})
        said = {"matter": id_, "entries": numbers}
        await self._view(
            auditor, "unsealed", {"matter": id_, "rows": 1}, entries=numbers,
            told={matter.agency: said},
        )  # fmt: skip
        found: dict[str, Any] = {}
        for number in numbers:
            leaf = await self._leaf(number)
            if number != matter.entry and "who" not in leaf:
                continue  # it closes what was cut off, and has nothing sealed
            if leaf.get("who", EMPTY).get("agency") != matter.agency:
                return None
            evidence = self.inquiry.evidence
            found |= await evidence.part(leaf, number, ASKER, matter.agency) or {}
        return matter, Asked.of(found)

    # --- parts of these ---

    async def _may_answer(self, auditor: Auditor, viewer: Viewer, matter: AuditMatter) -> bool:
        """Whether it waits for this person: for an auditor of its agency, who neither asked it nor
        made the entry that it is about."""
        if viewer not in (Viewer.FORCE, Viewer.STANDARDS) or matter.answer is not None:
            return False
        subject = auditor.subject
        if matter.agency != subject.agency or not _in_scope(auditor, viewer, matter):
            return False
        if matter.by == Officer.of(subject):
            return False
        if not (leaf := await self._leaf(matter.entry)):
            return False
        at = datetime.fromisoformat(leaf["at"])
        (quarter,) = quarters(at, at)
        own = self.tokens("actor", f"{subject.issuer}|{subject.id}", quarter)
        return bool(leaf.get("who", EMPTY).get("actor") != own)

    def _open(self, auditor: Auditor, matter: AuditMatter) -> bool:
        return (
            matter.kind is Matters.UNSEALING
            and matter.answer is Answer.AGREED
            and matter.by == Officer.of(auditor.subject)
            and matter.answered_by not in (None, matter.by)
            and matter.until is not None
            and self.clock() < matter.until
        )

    async def _leaf(self, number: int) -> Mapping[str, Any]:
        return await leaf_of(self.inquiry, number)

    async def _say(
        self, auditor: Auditor, page: str, id_: str, entry: int, said: Mapping[str, Any], *, to: str
    ) -> int:
        """Write what somebody says, for both; the number of its entry."""
        given = {"matter": id_, "about": entry, "to": to}
        return await say(self.inquiry, auditor, page, said, given=given, told={to: said})

    async def _view(
        self,
        auditor: Auditor,
        page: str,
        given: Mapping[str, Any],
        *,
        entries: Collection[int] = (),
        told: Mapping[str, Mapping[str, Any]] = EMPTY,
    ) -> Viewed:
        return await self.inquiry.recorder.view(
            auditor.request, auditor.subject, page=page, use=auditor.use, given=given,
            entries=tuple(entries), told=told,
        )  # fmt: skip


def _in_scope(auditor: Auditor, viewer: Viewer, matter: AuditMatter) -> bool:
    own = auditor.subject.agency
    if matter.kind not in _ANSWERS or (viewer is Viewer.FORCE and matter.standards):
        return False
    return own in (matter.agency, matter.by.agency)


def _hidden(leaf: Mapping[str, Any]) -> bool:
    """Whether an agency's ordinary auditors do not see this entry: a look, or a refused one, by
    professional standards."""
    viewer = leaf.get("view", EMPTY).get("as")
    ordinary = viewer in (Viewer.FORCE, Viewer.OFFICER)
    return not ordinary if leaf["kind"] == Kind.VIEW else viewer is not None and not ordinary


def written(words: str) -> str:
    """What somebody wrote.

    Raises:
        MalformedRequest, LimitExceeded: it is nothing, or too long.
    """
    text = words.strip()
    if not text:
        raise MalformedRequest("Say why, in words.")
    if len(text) > MOST_CHARS:
        raise LimitExceeded.of("words", MOST_CHARS, len(text))
    return text


async def say(
    inquiry: Inquiry,
    auditor: Auditor,
    page: str,
    said: Mapping[str, Any],
    *,
    given: Mapping[str, Any],
    told: Mapping[str, Mapping[str, Any]] = EMPTY,
) -> int:
    """Write, durably, what somebody says; the number of its entry.

    Raises:
        AuditUnavailable: it was not said.
    """
    viewed = await inquiry.recorder.view(
        auditor.request, auditor.subject, page=page, use=auditor.use, asked=said, given=given,
        told=told,
    )  # fmt: skip
    return await inquiry.log.number(viewed.receipt)


async def words_of(inquiry: Inquiry, number: int, part: str, agency: str) -> str:
    """What was written in an entry, by the part of it that is for this agency; "" once erased."""
    leaf = await leaf_of(inquiry, number)
    said = await inquiry.evidence.part(leaf, number, part, agency) or EMPTY
    return str((said.get("asked") or said).get("words", ""))


async def leaf_of(inquiry: Inquiry, number: int) -> Mapping[str, Any]:
    """An entry's leaf; an empty one where there is none."""
    try:
        return read_leaf(await inquiry.log.leaf(number))
    except (LookupError, InvalidEntry):
        return EMPTY
