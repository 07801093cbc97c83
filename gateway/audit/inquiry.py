"""The one place through which anybody reads the record: pages, `/audit` and the command line alike.

Who somebody is says how far they see. Auditors of an agency see what its people asked, with their
words, reasons and cases, and never what was found. Professional standards see the same, and their
own looks are seen by none of the others. The external auditor sees the leaves of all and opens no
body. Everybody sees their own searches. What is not in scope is as if it were not there.
Professional standards look in pairs: only once a colleague has agreed, for that use and for a
while. An owner's auditors see which of its records were shown, to which agency and for what, but
not to whom.

Every inquiry leaves an entry (kind V), which lasts before anything is given. The index only finds:
whether something may be given is asked again of its entries in the log.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final, Generic, TypeVar

from gateway.audit.entry import ASKER, InvalidEntry, Kind, owner_part, read_leaf
from gateway.audit.evidence import Evidence
from gateway.audit.following import Follower
from gateway.audit.found import (
    Asked,
    Entry,
    Export,
    Health,
    Leaf,
    Overview,
    Page,
    Receipt,
    Receipts,
    Row,
    receipt_of,
)
from gateway.audit.index import Costly, Found, Wanted
from gateway.audit.log import AuditLog
from gateway.audit.merkle import ProofInvalid, leaf_hash
from gateway.audit.recorder import Recorder, Viewed
from gateway.audit.sought import Sought, Tokens
from gateway.audit.uses import OWN, Viewer, check_use
from gateway.audit.verify import open_checkpoint, read_note
from gateway.errors import (
    CaseworkUnavailable,
    LimitExceeded,
    MalformedRequest,
    Refused,
)
from gateway.model import EMPTY, Request, Subject

MOST: Final = 200  # of a page
_AT_ONCE: Final = 8  # entries that are read side by side
_ROUNDS: Final = 25  # of looking past what is not given, for one page
_SEEN: Final = frozenset({Viewer.FORCE.value, Viewer.OFFICER.value})
"""Whose looks, and whose refused looks, an agency's ordinary auditors see."""
_OWN_WORDS: Final = frozenset({"who", "peer", "text", "variables", "why"})
_TOO_LONG: Final = "This search takes too long: narrow it, by a time, an officer or a case."
_NOT_YOURS: Final = "This part of the record is not for your role."
_T = TypeVar("_T")
_Each = TypeVar("_Each")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Auditor:
    """Who looks, in which request, and for what: a code of `uses.USES`, or `OWN`."""

    request: Request
    subject: Subject
    use: str


@dataclass(frozen=True, slots=True)
class Given(Generic[_Value]):
    """What an inquiry gives, and the entry that it left."""

    value: _Value
    viewed: Viewed


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """Reading one gateway's log."""

    evidence: Evidence
    follower: Follower
    tokens: Tokens
    recorder: Recorder
    issuers: Mapping[str, str]  # issuer -> the agency whose people it signs in

    @property
    def log(self) -> AuditLog:
        """The log that is read."""
        return self.evidence.log

    # -- what is given -----------------------------------------------------------------------

    def viewer(self, subject: Subject) -> Viewer:
        """As what somebody looks: as an auditor of some kind, or an officer at their own."""
        return self.recorder.viewer(subject)

    @property
    def entitled(self) -> Mapping[str, Collection[str]]:
        """Role -> the agencies whose people may have it."""
        return self.recorder.entitled

    async def health(self, auditor: Auditor) -> Given[Health]:
        """How the log stands; for auditors of all kinds.

        Raises:
            Refused, MalformedRequest: no auditor; not said for what.
            AuditUnavailable: the look could not be recorded.
        """
        self._auditing(auditor, *Viewer)  # one's own agency's people are not looked at
        return Given(await self._health(), await self._viewed(auditor, "health"))

    async def overview(self, auditor: Auditor, spans: Sequence[datetime]) -> Given[Overview]:
        """The same, and how much was asked in each span between these moments, by agency and
        purpose, as far as the auditor sees; for auditors of all kinds.

        Raises:
            As `health`; CaseworkUnavailable: there is no index at the moment.
        """
        viewer = self._auditing(auditor, *Viewer)
        agency = None if viewer is Viewer.EXTERNAL else auditor.subject.agency
        seen = _SEEN if viewer is Viewer.FORCE else None
        try:
            index = self.follower.index
            counts = await asyncio.to_thread(index.counts, spans, agency=agency, viewers=seen)
        except Costly:
            counts = None
        except sqlite3.Error as error:
            raise _unsearchable(error) from error
        viewed = await self._viewed(auditor, "overview")
        return Given(Overview(health=await self._health(), counts=counts), viewed)

    async def _health(self) -> Health:
        said = open_checkpoint(self.log.checkpoint, self.log.verifier)
        witnessed = await self.evidence.witnessed()
        try:
            suspects = await asyncio.to_thread(self.follower.index.suspects)
        except (CaseworkUnavailable, Costly, sqlite3.Error):
            suspects = None
        names = {name for name, _ in read_note(witnessed.note).signatures} if witnessed else set()
        return Health(
            origin=said.origin,
            size=self.log.size,
            healthy=self.log.healthy,
            signed_size=said.size,
            signed_at=said.signed_at,
            root=said.root.hex(),
            witnessed_size=witnessed.size if witnessed else 0,
            indexed=self.follower.upto,
            verified=self.follower.verified,
            whole=self.follower.whole,
            suspects=suspects,
            verifier=self.log.verifier.strip(),
            witnesses=tuple(sorted(names - {said.origin})),
        )

    async def search(
        self,
        auditor: Auditor,
        sought: Sought = Sought(),  # noqa: B008 - frozen
        *,
        first: int = 50,
        before: int | None = None,
        details: bool = True,
    ) -> Given[Page]:
        """The latest searches that are sought, the latest first, from entry `before` backwards.

        With `details`, each with the words of whoever asked, where the auditor may read them.

        Raises:
            Refused: the external auditor looks for what lies in bodies.
            MalformedRequest, LimitExceeded: not said for what; too many, or too costly.
            CaseworkUnavailable: there is no index at the moment.
            AuditUnavailable: the log cannot be read, or the look could not be recorded.
        """
        viewer = await self.auditing(auditor, *Viewer)
        return await self._page(auditor, viewer, "search", sought, first, before, details=details)

    async def mine(
        self,
        auditor: Auditor,
        sought: Sought = Sought(),  # noqa: B008
        *,
        first: int = 50,
        before: int | None = None,
    ) -> Given[Page]:
        """The same of one's own searches, whoever one is; the use is `OWN`.

        Raises:
            As `search`.
        """
        check_use(Viewer.OFFICER, auditor.use)
        own = Viewer.OFFICER
        return await self._page(auditor, own, "mine", sought, first, before, details=True)

    async def entry(
        self, auditor: Auditor, index: int, *, proofs: bool = False, doubted: bool = False
    ) -> Given[Entry | None]:
        """What the log has of the query that this entry is of; None where it has none for them.

        With `proofs`, each leaf comes with the proof that it is in the log. With `doubted`, one
        that is not what the tree holds is given too, marked as damaged: whether it is there for
        somebody is then for the index to say.

        Raises:
            MalformedRequest: not said for what.
            CaseworkUnavailable, AuditUnavailable: as `search`.
        """
        own = auditor.use == OWN
        viewer = Viewer.OFFICER if own else await self.auditing(auditor, *Viewer)
        row = await self.of(index)
        found = None
        if row is not None:
            found = await self._whole(auditor.subject, viewer, row, proofs=proofs, doubted=doubted)
        viewed = await self._viewed(
            auditor, "entry", {"index": index}, shown=[index] if found else []
        )
        return Given(found, viewed)

    async def receipts(
        self,
        auditor: Auditor,
        sought: Sought = Sought(),  # noqa: B008
        *,
        first: int = 50,
        before: int | None = None,
    ) -> Given[Receipts]:
        """Which records of the auditor's own agency were shown, to which agency, for what, when.

        `sought` says which: the record, and of the asker no more than agency, purpose and time.
        What is looked for after an answer for silent records is none of it: policy says whom
        their owner's desk is told of.

        Raises:
            Refused: not an auditor of an agency, or more is sought than an owner may.
            Otherwise as `search`.
        """
        await self.auditing(auditor, Viewer.FORCE, Viewer.STANDARDS)
        allowed = {"record", "agency", "purpose", "since", "until"}
        if sought.told().keys() - allowed:
            raise Refused(_NOT_YOURS, rule="audit.receipts", detail="more than an owner may seek")
        own = auditor.subject.agency
        looked = frozenset[str]()
        if sought.record is not None:
            named = partial(self.tokens.records, sought.record.name, sought.since, sought.until)
            looked = await asyncio.to_thread(named)
        wanted = Wanted(
            tokens=(looked,) if sought.record is not None else (),
            owner=own,
            agency=sought.agency,
            purpose=sought.purpose,
            since=sought.since,
            until=sought.until,
            named=True,
        )

        async def receipt(row: Found) -> Receipt | None:
            leaf = _read(await self.log.leaf(row.last))
            detail = await self.evidence.part(leaf, row.last, owner_part(own), own)
            return receipt_of(row, leaf, detail, looked) if detail is not None else None

        made, next_ = await self._kept(wanted, receipt, first, before)
        page = Receipts(rows=made, next=next_, upto=self.follower.upto)
        shown = [one.index for one in made]
        return Given(page, await self._viewed(auditor, "receipts", sought.told(), shown=shown))

    async def export(
        self,
        auditor: Auditor,
        sought: Sought = Sought(),  # noqa: B008
        *,
        first: int = 50,
        before: int | None = None,
    ) -> Given[Export]:
        """As `search`, with leaves and proofs; for auditors of all kinds.

        Raises:
            ProofInvalid: an entry is not what the tree holds; it is never left out in silence.
            Otherwise as `search`.
        """
        viewer = await self.auditing(auditor, Viewer.FORCE, Viewer.STANDARDS, Viewer.EXTERNAL)
        wanted = await self._wanted(auditor.subject, viewer, sought)

        async def whole(row: Found) -> Entry | None:
            if await self._gone(auditor.subject, sought, row):
                return None
            found = await self._whole(auditor.subject, viewer, row, proofs=True)
            if found is None and await self._doubted(auditor.subject, viewer, row) is not None:
                raise ProofInvalid("an entry does not say any more what the index knows of it")
            return found

        made, next_ = await self._kept(wanted, whole, first, before)
        shown = [one.found.idx for one in made]
        viewed = await self._viewed(auditor, "export", sought.told(), shown=shown)
        page = Export(entries=made, next=next_, upto=self.follower.upto)
        return Given(page, viewed)

    async def exported(self, auditor: Auditor, manifest: str) -> Given[Leaf]:
        """Put the SHA-256 of an export's manifest into the log, and give that entry with its proof:
        nobody can change what was exported, or say that it was another.

        Raises:
            Refused, MalformedRequest: no auditor; not 64 hexadecimal digits.
            AuditUnavailable: it could not be recorded.
        """
        viewer = await self.auditing(auditor, Viewer.FORCE, Viewer.STANDARDS, Viewer.EXTERNAL)
        if len(manifest) != 64 or set(manifest) - set("0123456789abcdef"):
            raise MalformedRequest("manifest: a SHA-256 in 64 hexadecimal digits.")
        viewed = await self._viewed(auditor, "exported", given={"manifest": manifest})
        index = await self.log.number(viewed.receipt)
        await self.log.keeper.in_tree(index)
        await self.evidence.awaited(index)
        leaf = await self._told(viewer, index, await self.log.leaf(index), proof=True)
        return Given(leaf, viewed)

    # -- scope -------------------------------------------------------------------------------

    async def auditing(self, auditor: Auditor, *viewers: Viewer) -> Viewer:
        """As what somebody looks, if that is one of these and no officer, and not alone where two
        are needed.

        Raises:
            Refused: it is not, or nobody agreed.
            MalformedRequest: not said for what.
            CaseworkUnavailable: it cannot be found out who agreed.
        """
        viewer = self._auditing(auditor, *viewers)
        await self.recorder.demand_pair(auditor.subject, auditor.use)  # before any work
        return viewer

    def _auditing(self, auditor: Auditor, *viewers: Viewer) -> Viewer:
        """As what somebody looks, if that is one of these and no officer."""
        viewer = self.viewer(auditor.subject)
        if viewer is Viewer.OFFICER or viewer not in viewers:
            raise Refused(_NOT_YOURS, rule="audit.role", detail=viewer.value)
        check_use(viewer, auditor.use)
        return viewer

    async def _wanted(self, subject: Subject, viewer: Viewer, sought: Sought) -> Wanted | None:
        """What is sought, in scope; None where nothing can be."""
        everywhere = viewer is Viewer.EXTERNAL
        if everywhere and sought.in_bodies:
            text = (
                "What was searched for lies in bodies, which the auditors of the asker's agency "
                "open. Look for an officer, a case or a time, or ask that agency."
            )
            raise Refused(text, rule="audit.bodies", detail="terms, for leaves alone")
        agency = sought.agency if everywhere else subject.agency
        if sought.agency not in (None, agency):
            return None
        issuers = [one for one, of in self.issuers.items() if agency in (None, of)]
        asked = partial(self.tokens.wanted, sought, subject.agency, issuers)
        wanted = replace(await asyncio.to_thread(asked), agency=agency)
        if viewer in (Viewer.FORCE, Viewer.STANDARDS):
            wanted = replace(wanted, ruled=True)
        if viewer is Viewer.OFFICER:
            own = await self._own(subject)
            wanted = replace(wanted, tokens=(*wanted.tokens, own), viewers=frozenset())
        elif viewer is Viewer.FORCE:
            wanted = replace(wanted, viewers=_SEEN)
        return wanted

    async def _own(self, subject: Subject) -> frozenset[str]:
        own = partial(self.tokens.officer, subject.id, [subject.issuer])
        return await asyncio.to_thread(own)

    async def _readable(self, leaf: Mapping[str, Any], subject: Subject, viewer: Viewer) -> bool:
        """Whether an entry is there for somebody, by what it says itself."""
        who, view = leaf.get("who", EMPTY), leaf.get("kind") == Kind.VIEW
        own = bool(who.get("agency") == subject.agency)
        match viewer:
            case Viewer.EXTERNAL:
                return True
            case Viewer.STANDARDS:
                return own
            case Viewer.FORCE:  # what was refused to professional standards names them too
                viewer_ = leaf.get("view", EMPTY).get("as", None if view else Viewer.OFFICER)
                return own and viewer_ in _SEEN
            case Viewer.OFFICER:
                return own and not view and who.get("actor") in await self._own(subject)

    # -- reading -----------------------------------------------------------------------------

    async def _page(
        self,
        auditor: Auditor,
        viewer: Viewer,
        page: str,
        sought: Sought,
        first: int,
        before: int | None,
        *,
        details: bool,
    ) -> Given[Page]:
        wanted = await self._wanted(auditor.subject, viewer, sought)

        async def row(one: Found) -> Row | None:
            leaves = await self._leaves(auditor.subject, viewer, one)
            if not leaves or await self._gone(auditor.subject, sought, one):
                return None
            asked = await self._asked(auditor.subject, viewer, leaves) if details else None
            return Row(found=one, asked=asked)

        rows, next_ = await self._kept(wanted, row, first, before)
        made = Page(rows=rows, next=next_, upto=self.follower.upto)
        shown = [one.found.idx for one in rows]
        return Given(made, await self._viewed(auditor, page, sought.told(), shown=shown))

    async def _gone(self, subject: Subject, sought: Sought, row: Found) -> bool:
        """Whether what was looked for lay in a body that was erased: the index knows its tokens
        until it is made again, and nobody is to learn from them what the body said."""
        by_body = sought.in_bodies or sought.rule not in (None, row.rule)
        if not by_body:
            return False
        leaf = _read(await self.log.leaf(row.idx))
        return await self.evidence.part(leaf, row.idx, ASKER, subject.agency) is None

    async def _kept(
        self,
        wanted: Wanted | None,
        make: Callable[[Found], Awaitable[_T | None]],
        first: int,
        before: int | None,
    ) -> tuple[tuple[_T, ...], int | None]:
        """What is made of the latest that is wanted, `first` of it where there is so much, and
        before which entry there may be more. What comes to None is looked past, so that neither a
        short page nor where it ends tells of it.

        Raises:
            LimitExceeded: too much at once, or too much to look past.
        """
        if not 1 <= first <= MOST:
            raise LimitExceeded.of("first", MOST, first)
        if wanted is None:
            return (), None
        kept: list[tuple[int, _T]] = []
        find = partial(self.follower.index.find, limit=first)
        for _ in range(_ROUNDS):
            found = await _looked(partial(find, wanted, before=before))
            made = await gathered(make, found)
            kept += [
                (row.idx, one) for row, one in zip(found, made, strict=True) if one is not None
            ]
            more = len(kept) > first or len(found) == first
            if len(kept) >= first or not more:
                del kept[first:]
                return tuple(one for _, one in kept), kept[-1][0] if more else None
            before = found[-1].idx
        raise LimitExceeded(_TOO_LONG)

    async def of(self, index: int) -> Found | None:
        """The query that an entry is of, whoever may have it; None where the index has none.

        Raises:
            CaseworkUnavailable: there is no index at the moment.
        """
        return await _looked(partial(self.follower.index.of, index))

    async def _whole(
        self, subject: Subject, viewer: Viewer, row: Found, *, proofs: bool, doubted: bool = False
    ) -> Entry | None:
        """A query with its entries; None where it is not there for somebody."""
        if doubted:
            return await self._doubted(subject, viewer, row)
        leaves = await self._leaves(subject, viewer, row)
        if not leaves:
            return None
        told = [await self._told(viewer, one, data, proof=proofs) for one, data in leaves]
        asked = await self._asked(subject, viewer, leaves)
        decided = await self._decided(viewer, leaves)
        return Entry(found=row, leaves=tuple(told), asked=asked, decided=decided)

    async def _doubted(self, subject: Subject, viewer: Viewer, row: Found) -> Entry | None:
        """The same, with what is damaged; of that, no more than digests where it does not say
        itself that it is there for somebody."""
        leaves, told = [], []
        begun = ""  # the hash of the intent, by which what closes it names it
        for number in sorted({row.idx, row.last}):
            try:
                data = await self.log.leaf(number)
            except (LookupError, ValueError, OSError):  # the file is cut short, or gone
                data = b""
            said = _read(data)
            readable = begun == said.get("intent") or await self._readable(said, subject, viewer)
            shown = readable and viewer is not Viewer.OFFICER
            leaf = await self.evidence.doubted(number, data, shown=shown)
            begun = leaf_hash(data).hex()
            indexed = {
                "kind": row.kind,
                "who": {"agency": row.agency, "actor": row.actor},
                "view": {"as": row.viewer} if row.viewer else EMPTY,
            }
            if leaf.damaged:  # then the index says whose it is
                readable = await self._readable(indexed, subject, viewer)
            if not readable:
                return None
            told.append(leaf)
            if not leaf.damaged:
                leaves.append((number, data))
        asked = await self._asked(subject, viewer, leaves)
        own = None
        if viewer in (Viewer.FORCE, Viewer.STANDARDS) and leaves:
            number, data = leaves[-1]
            own = await self._own_shown(subject.agency, row, _read(data), number)
        decided = await self._decided(viewer, leaves)
        return Entry(found=row, leaves=tuple(told), asked=asked, own=own, decided=decided)

    async def _own_shown(
        self, agency: str, row: Found, leaf: Mapping[str, Any], number: int
    ) -> Receipt | None:
        """What was shown of an agency's records, as its `receipts` tell it."""
        part = await self.evidence.part(leaf, number, owner_part(agency), agency)
        return receipt_of(row, leaf, part, ()) if part is not None else None

    async def _leaves(
        self, subject: Subject, viewer: Viewer, row: Found
    ) -> tuple[tuple[int, bytes], ...]:
        """The entries of a query, by number; () unless all of them are there for somebody.

        An outcome that does not say who asked, since it closes what was cut off, goes with the
        intent that it names.
        """
        numbers = sorted({row.idx, row.last})
        leaves = [await self.log.leaf(number) for number in numbers]
        begun = leaf_hash(leaves[0]).hex()
        for data in leaves:
            leaf = _read(data)
            ends = data is not leaves[0] and leaf.get("intent") == begun
            if not ends and not await self._readable(leaf, subject, viewer):
                return ()
        return tuple(zip(numbers, leaves, strict=True))

    async def _asked(
        self, subject: Subject, viewer: Viewer, leaves: Sequence[tuple[int, bytes]]
    ) -> Asked | None:
        """What the asker's part says, over all entries of a query; never for leaves alone."""
        if viewer is Viewer.EXTERNAL:
            return None
        said: dict[str, Any] = {}
        for number, data in leaves:
            said |= await self.evidence.part(_read(data), number, ASKER, subject.agency) or {}
        if viewer is Viewer.OFFICER:  # what the answer did not tell them either
            said = {name: value for name, value in said.items() if name in _OWN_WORDS}
        return Asked.of(said) if said else None

    async def _decided(self, viewer: Viewer, leaves: Sequence[tuple[int, bytes]]) -> bool | None:
        """Whether what policy decided is as the first entry commits to; officers do not ask."""
        if viewer is Viewer.OFFICER or not leaves:
            return None
        number, data = leaves[0]
        return await self.evidence.decided(_read(data), number)

    async def _told(self, viewer: Viewer, index: int, data: bytes, *, proof: bool) -> Leaf:
        """An entry as somebody is given it: officers get its digest, for leaves of earlier releases
        count what was silent."""
        shown = viewer is not Viewer.OFFICER
        return await self.evidence.leaf(index, data, shown=shown, proof=proof)

    async def _viewed(
        self,
        auditor: Auditor,
        page: str,
        asked: Mapping[str, Any] = EMPTY,
        *,
        given: Mapping[str, Any] = EMPTY,
        shown: Sequence[int] = (),
    ) -> Viewed:
        """The entry that this look leaves; without it nothing is given."""
        return await self.recorder.view(
            auditor.request,
            auditor.subject,
            page=page,
            use=auditor.use,
            asked=asked,
            given={"rows": len(shown), **given},
            entries=shown,
        )


def _read(data: bytes) -> dict[str, Any]:
    try:
        return read_leaf(data)
    except InvalidEntry:
        return {}


async def _looked(look: Callable[[], _T]) -> _T:
    try:
        return await asyncio.to_thread(look)
    except Costly:
        raise LimitExceeded(_TOO_LONG) from None
    except sqlite3.Error as error:
        raise _unsearchable(error) from error


def _unsearchable(error: sqlite3.Error) -> CaseworkUnavailable:
    text = "The record cannot be searched at the moment. Try again later."
    return CaseworkUnavailable(text, detail=type(error).__name__)


async def gathered(each: Callable[[_Each], Awaitable[_T]], every: Sequence[_Each]) -> list[_T]:
    """What comes of each, in their order, a few side by side."""
    made: list[_T] = []
    for start in range(0, len(every), _AT_ONCE):
        made += await asyncio.gather(*map(each, every[start : start + _AT_ONCE]))
    return made
