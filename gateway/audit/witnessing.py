"""What others have seen of the log: its witnesses are given each new checkpoint, side by side.

Of several gateways with one log the leading one does that, and keeps what they signed where the
others find it; they publish that. A gateway that submitted what it had heard late would have a
witness take it for a log that was put back.

Once enough of them have signed a checkpoint (the policy's quorum), that is the one published, and
questions that wait for it go on. Nobody else waits: while witnesses are slow or gone the log grows,
after ten seconds it is published unwitnessed, and after a minute there is an alarm.

At the start every gateway asks them, and a witness that has seen more of this log than there is, or
something else, stops the gateway: the store was put back, or forked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import Any, Final, Protocol

import httpx

from gateway.audit.collecting import Collected, Contact, Witnessed
from gateway.audit.keeper import Receipt, Signed
from gateway.audit.merkle import ProofInvalid, check_consistency
from gateway.audit.proof import written_proof
from gateway.audit.submission import Submitter, WitnessFailed
from gateway.audit.verify import (
    Checkpoint,
    NoteInvalid,
    Policy,
    open_checkpoint,
    open_witnessed,
)
from gateway.errors import AuditUnavailable
from gateway.unforeseen import unforeseen

UNWITNESSED_AFTER_S: Final = 10.0  # published without witnesses from then on
ALARM_AFTER_S: Final = 60.0
STALE_AFTER_S: Final = 120.0  # no strict question is answered from then on
SUBMIT_S: Final = 5.0  # for one witness to answer
_AT_START_S: Final = 3.0
_LOOK_S: Final = 0.05  # how often a new checkpoint is looked for
_TELL_S: Final = 1.0  # how often it is said how they do
_KEEP_S: Final = 0.5  # how often the last one is kept, or what another gateway kept is looked at

_PUT_BACK: Final = "the store was put back to an earlier state, or forked"

_log = logging.getLogger(__name__)


class Witnessable(Protocol):
    """What is needed of the log."""

    @property
    def signed(self) -> Signed: ...
    @property
    def verifier(self) -> str: ...
    @property
    def leading(self) -> bool: ...
    async def consistency(self, old: int, head: Signed) -> tuple[bytes, ...]: ...
    async def inclusion_under(self, head: Signed, index: int) -> tuple[bytes, ...]: ...
    async def number(self, receipt: Receipt) -> int: ...
    async def witnessed(self) -> bytes | None: ...
    async def keep_witnessed(self, signed: Signed) -> None: ...
    async def tile(self, level: int | str, number: int, width: int) -> bytes: ...


class Observed(Protocol):
    """Is told each second how the witnesses are doing."""

    def __call__(self, *, behind_s: float, answering: int, alarm: bool) -> None:
        """How long the oldest checkpoint waits that they have not signed (0: none does), how many
        signed when last asked, and whether there is an alarm."""


def nobody(*, behind_s: float, answering: int, alarm: bool) -> None:
    """Tells nobody."""


class Telling(Protocol):
    """Takes what happened, for the log: `events.Events.tell`."""

    def __call__(self, name: str, **said: Any) -> None: ...


def untold(name: str, **said: Any) -> None:
    """Tells nobody."""


class Witnessing:
    """Submits the log's checkpoints to the witnesses of a policy, for as long as it is open."""

    def __init__(
        self,
        log: Witnessable,
        policy: Policy,
        http: httpx.AsyncClient,
        *,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = monotonic,
        observed: Observed = nobody,
        tell: Telling = untold,
    ) -> None:
        """Use `start` before anything else. Each witness of the policy has an address."""
        self._log, self._policy, self._clock, self._monotonic = log, policy, clock, monotonic
        self._observed, self._happened = observed, tell
        self._contacts = [
            Contact(submitter=Submitter(name, party, http, log.consistency, timeout_s=SUBMIT_S))
            for name, party in policy.witnesses.items()
        ]
        head, now = log.signed, monotonic()
        self._collecting = self._begun(head)
        self._last: Witnessed | None = None  # since the start
        self._kept = b""  # what is kept for other gateways, and for the next start
        self._shown = (head.size, head.note)
        self._newest = (head.note, now)  # and since when it is there
        self._behind_since: float | None = now
        self._alarm, self._told_at, self._kept_at = False, 0.0, 0.0
        self._odd = b""  # what was kept and cannot be believed
        self._news = asyncio.Event()
        self._submitting: set[asyncio.Task[None]] = set()
        self._running: asyncio.Task[None] | None = None

    # -- what is published and waited for ----------------------------------------------------

    @property
    def published(self) -> bytes:
        """The checkpoint that others may see: witnessed, or the last one while nobody signs."""
        return self._shown[1]

    @property
    def published_size(self) -> int:
        """How many records it covers. It never shrinks."""
        return self._shown[0]

    async def tile(self, level: int | str, number: int, width: int) -> bytes:
        """As the log has it."""
        return await self._log.tile(level, number, width)

    @property
    def signers(self) -> tuple[str, ...]:
        """Who has signed the last witnessed checkpoint, by the names of the policy."""
        return self._last.signers if self._last else ()

    def check(self) -> None:
        """Be satisfied that what is asked now can be witnessed.

        Raises:
            AuditUnavailable: the last witnessed checkpoint is too old.
        """
        last = self._last
        if last is None or (self._clock() - last.signed_at).total_seconds() > STALE_AFTER_S:
            raise AuditUnavailable(detail="the witnesses have not signed for too long")

    async def proof(self, receipt: Receipt, within_s: float) -> str:
        """Evidence that a record is in the log and that the witnesses have seen it, as a
        c2sp.org/tlog-proof; waits for them.

        Raises:
            AuditUnavailable: they have not signed in time.
        """
        try:
            async with asyncio.timeout(within_s):
                index = await self._log.number(receipt)
                while (last := self._last) is None or last.size <= index:
                    await self._news.wait()
                hashes = await self._log.inclusion_under(last.head, index)
        except TimeoutError as error:
            detail = f"the witnesses have not signed within {within_s:g} s"
            raise AuditUnavailable(detail=detail) from error
        except ProofInvalid as error:
            raise AuditUnavailable(detail=f"no proof can be made: {error}") from error
        return written_proof(index, hashes, last.head.note)

    # -- life --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Ask every witness what it has seen; then go on submitting.

        Raises:
            AuditUnavailable: a witness, or what was kept beside the checkpoint, has seen another
                log than this one.
        """
        await self._check_kept()
        self._turn()
        if self._submitting:
            await asyncio.wait(set(self._submitting), timeout=_AT_START_S)
        for contact in self._contacts:
            if contact.contradicted and not await self._heard_late(contact.beyond):
                await self.aclose()
                if not contact.accused:
                    self._contradicts(contact)
                text = f"witness {contact.submitter.name}: {contact.said}; {_PUT_BACK}"
                raise AuditUnavailable(detail=text)
        if missing := [one.submitter.name for one in self._contacts if not one.answering]:
            _log.error("not signed at the start by witnesses %s", ", ".join(missing))
        self._running = asyncio.create_task(self._run())

    async def aclose(self) -> None:
        """End it, and keep what was witnessed last."""
        tasks = [*self._submitting, *([self._running] if self._running else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._log.leading:
            await self._keep()

    async def _heard_late(self, size: int) -> bool:
        """Whether so many records are there after all: another gateway signed them, and we had not
        heard of it."""
        if self._log.leading or not size:
            return False
        ends = monotonic() + _AT_START_S
        while self._log.signed.size < size:
            if monotonic() > ends:
                return False
            await asyncio.sleep(_LOOK_S)
        return True

    async def _check_kept(self) -> None:
        """Be satisfied that the log contains what was witnessed before it was opened.

        Raises:
            AuditUnavailable: it does not.
        """
        if (note := await self._log.witnessed()) is None:
            return
        try:
            said = open_checkpoint(note, self._log.verifier)
            await self._heard_late(said.size)
            await self._check_contained(said)
        except (NoteInvalid, ProofInvalid) as error:
            text = f"the log does not contain what was witnessed before: {error}; {_PUT_BACK}"
            raise AuditUnavailable(detail=text) from error
        self._kept = note
        self._shown = (said.size, note)

    async def _check_contained(self, said: Checkpoint) -> None:
        """Be satisfied that the log begins with what this checkpoint covers.

        Raises:
            ProofInvalid: it does not.
        """
        head = self._log.signed
        proof = await self._log.consistency(said.size, head)
        check_consistency(said.size, said.root, head.size, head.root, proof)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                now, due = self._monotonic(), False
                if now - self._kept_at >= _KEEP_S:
                    self._kept_at, due = now, True
                if self._log.leading:
                    self._turn()
                    if due:
                        await self._keep()
                elif due:
                    await self._follow()
                if now - self._told_at >= _TELL_S:
                    self._tell()
            except Exception as error:
                _log.error("witnessing: %s", unforeseen(error))

    async def _keep(self) -> None:
        """Have the last witnessed checkpoint kept; the witnesses have it in any case."""
        if self._last is None or self._last.head.note == self._kept:
            return
        head = self._last.head
        try:
            await self._log.keep_witnessed(head)
            self._kept = head.note
        except AuditUnavailable as error:
            _log.error("the witnessed checkpoint was not kept: %s", error.detail)

    async def _follow(self) -> None:
        """Take what the leading gateway has kept, if enough have signed it and the log has it.

        Raises:
            AuditUnavailable: it cannot be read.
        """
        self._see()
        note = await self._log.witnessed()
        if note is None or note == self._kept:
            return
        try:
            seen = open_witnessed(note, self._log.verifier, self._policy)
            if seen.said.size > self._log.signed.size:
                return  # we hear of it in a moment
            await self._check_contained(seen.said)
        except (NoteInvalid, ProofInvalid) as error:
            if note != self._odd:
                _log.critical("what was kept as witnessed is not of this log: %s", error)
            self._odd = note
            return
        self._kept = note
        head = Signed(size=seen.said.size, root=seen.said.root, note=note)
        signed_at = seen.said.signed_at or self._clock()
        signers = tuple(sorted(seen.witnesses))
        self._learn(Witnessed(head=head, signed_at=signed_at, signers=signers))

    # -- submitting --------------------------------------------------------------------------

    def _begun(self, head: Signed) -> Collected:
        said = open_checkpoint(head.note, self._log.verifier)
        return Collected(head=head, signed_at=said.signed_at or self._clock())

    def _turn(self) -> None:
        """See whether there is a new checkpoint, and give it to whoever is free."""
        now, head = self._see()
        if head.note != self._collecting.head.note and self._settled:
            self._collecting = self._begun(head)
        if not self._policy.witnesses or self._policy.quorum == "none":
            self._add(self._collecting)
        for contact in self._contacts:
            offered = contact.offered == self._collecting.head.note
            if not contact.busy and not offered and now >= contact.not_before:
                contact.busy, contact.offered = True, self._collecting.head.note
                task = asyncio.create_task(self._submit(contact, self._collecting))
                self._submitting.add(task)
                task.add_done_callback(self._submitting.discard)

    def _see(self) -> tuple[float, Signed]:
        """The time, and the newest checkpoint, which waits for the witnesses from now on."""
        now, head = self._monotonic(), self._log.signed
        if head.note != self._newest[0]:
            self._newest = (head.note, now)
            if self._behind_since is None:
                self._behind_since = now
        return now, head

    @property
    def _settled(self) -> bool:
        """Whether nobody more is waited for before the next checkpoint is submitted."""
        one = self._collecting
        waiting = (c.busy and c.offered == one.head.note for c in self._contacts)
        return self._policy.met(one.lines) or not any(waiting)

    async def _submit(self, contact: Contact, collected: Collected) -> None:
        try:
            line = await contact.submitter.cosigned(collected.head)
        except WitnessFailed as error:
            if contact.failed(error, self._monotonic(), late=not self._log.leading):
                self._contradicts(contact)
        else:
            contact.signed()
            collected.lines[contact.submitter.name] = line
            self._add(collected)
        finally:
            contact.busy = False

    def _add(self, collected: Collected) -> None:
        """Publish the checkpoint if enough have signed it."""
        if self._policy.met(collected.lines):
            self._learn(collected.witnessed)

    def _learn(self, found: Witnessed) -> None:
        """Publish what was witnessed, if it is not older than the last."""
        last = self._last
        if last is not None and (found.size, found.signed_at) < (last.size, last.signed_at):
            return
        if last is None or (found.size, found.signed_at) != (last.size, last.signed_at):
            newest, since = self._newest
            self._behind_since = None if found.of(newest) else since
        self._last = found
        if found.size >= self._shown[0]:
            self._shown = (found.size, found.head.note)
        self._news.set()
        self._news = asyncio.Event()

    # -- saying how it goes ------------------------------------------------------------------

    def _contradicts(self, contact: Contact) -> None:
        said: dict[str, Any] = {"witness": contact.submitter.name, "size": self._log.signed.size}
        if contact.beyond:
            said["seen"] = contact.beyond
        self._happened("witnessing", event="contradicted", **said)

    def _tell(self) -> None:
        now = self._told_at = self._monotonic()
        behind_s = now - self._behind_since if self._behind_since is not None else 0.0
        never = self._last is None and not self._kept
        head = self._log.signed
        if (behind_s >= UNWITNESSED_AFTER_S or never) and head.size >= self._shown[0]:
            self._shown = (head.size, head.note)
        if (alarm := behind_s >= ALARM_AFTER_S) != self._alarm:
            self._alarm = alarm
            self._happened("witnessing", event="missing" if alarm else "again", size=head.size)
            if alarm:
                _log.error("the log has not been witnessed for %d s", behind_s)
            else:
                _log.warning("the log is witnessed again")
        answering = len(self.signers)  # of what another gateway kept
        if self._log.leading:
            answering = sum(contact.answering for contact in self._contacts)
        self._observed(behind_s=behind_s, answering=answering, alarm=alarm)
