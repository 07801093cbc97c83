"""What others have seen of the log: its witnesses are given each new checkpoint, side by side.

Once enough of them have signed a checkpoint (the policy's quorum), that is the one published, and
questions that wait for it go on. Nobody else waits: while witnesses are slow or gone the log grows,
after ten seconds it is published unwitnessed, and after a minute there is an alarm.

At the start a witness that has seen more of this log than there is, or something else, stops the
gateway: the store was put back, or forked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Final, Protocol

import httpx

from gateway.audit.keeper import Receipt, Signed
from gateway.audit.merkle import ProofInvalid, check_consistency
from gateway.audit.proof import written_proof
from gateway.audit.submission import Contradicted, Submitter, WitnessFailed
from gateway.audit.verify import NoteInvalid, Policy, open_checkpoint
from gateway.errors import AuditUnavailable, where_it_failed

UNWITNESSED_AFTER_S: Final = 10.0  # published without witnesses from then on
ALARM_AFTER_S: Final = 60.0
STALE_AFTER_S: Final = 120.0  # no strict question is answered from then on
SUBMIT_S: Final = 5.0  # for one witness to answer
_AT_START_S: Final = 3.0
_LOOK_S: Final = 0.05  # how often a new checkpoint is looked for
_TELL_S: Final = 1.0  # how often it is said how they do, and the last one kept on the disk
_PAUSE_S: Final = (1.0, 10.0)  # for how long a witness that failed is left alone: first, at most

_PUT_BACK: Final = "the store was put back to an earlier state, or forked"

_log = logging.getLogger(__name__)


class Witnessable(Protocol):
    """What is needed of the log."""

    @property
    def signed(self) -> Signed: ...
    @property
    def verifier(self) -> str: ...
    async def consistency(self, old: int, head: Signed) -> tuple[bytes, ...]: ...
    async def inclusion_under(self, head: Signed, index: int) -> tuple[bytes, ...]: ...
    async def number(self, receipt: Receipt) -> int: ...
    async def witnessed(self) -> bytes | None: ...
    async def keep_witnessed(self, note: bytes) -> None: ...
    async def tile(self, level: int | str, number: int, width: int) -> bytes: ...


class Observed(Protocol):
    """Is told each second how the witnesses are doing."""

    def __call__(self, *, behind_s: float, answering: int, alarm: bool) -> None:
        """How long the oldest checkpoint waits that they have not signed (0: none does), how many
        signed when last asked, and whether there is an alarm."""


def nobody(*, behind_s: float, answering: int, alarm: bool) -> None:
    """Tells nobody."""


@dataclass(slots=True, kw_only=True)
class _Contact:
    """One witness, and how it is doing."""

    submitter: Submitter
    busy: bool = False
    answering: bool = False
    contradicted: bool = False
    said: str = ""  # why it did not sign, when last asked
    offered: bytes = b""  # the checkpoint that it was asked for last
    pause_s: float = 0.0
    not_before: float = 0.0  # monotonic

    def signed(self) -> None:
        if self.said:
            _log.warning("witness %s signs again", self.submitter.name)
        self.answering, self.contradicted, self.said, self.pause_s = True, False, "", 0.0

    def failed(self, error: WitnessFailed, now: float) -> None:
        self.contradicted = isinstance(error, Contradicted)
        if str(error) != self.said:
            level = logging.CRITICAL if self.contradicted else logging.ERROR
            _log.log(level, "witness %s does not sign: %s", self.submitter.name, error)
        first, most = _PAUSE_S
        self.pause_s = min(most, self.pause_s * 2 or first)
        self.answering, self.said, self.offered = False, str(error), b""
        self.not_before = now + self.pause_s


@dataclass(slots=True, kw_only=True)
class _Collected:
    """A checkpoint, and who has signed it so far."""

    head: Signed
    signed_at: datetime
    lines: dict[str, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return self.head.size

    @property
    def note(self) -> bytes:
        return self.head.note + b"".join(self.lines[name] for name in sorted(self.lines))


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
    ) -> None:
        """Use `start` before anything else. Each witness of the policy has an address."""
        self._log, self._policy, self._clock, self._monotonic = log, policy, clock, monotonic
        self._observed = observed
        self._contacts = [
            _Contact(submitter=Submitter(name, party, http, log.consistency, timeout_s=SUBMIT_S))
            for name, party in policy.witnesses.items()
        ]
        head, now = log.signed, monotonic()
        self._collecting = self._begun(head)
        self._last: _Collected | None = None  # that the quorum has signed, since the start
        self._kept = b""  # what lies beside the checkpoint
        self._shown = (head.size, head.note)
        self._newest = (head.note, now)  # and since when it is there
        self._behind_since: float | None = now
        self._alarm, self._told_at = False, 0.0
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
        return tuple(sorted(self._last.lines)) if self._last else ()

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
        return written_proof(index, hashes, last.note)

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
            if contact.contradicted:
                await self.aclose()
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
        await self._keep()

    async def _check_kept(self) -> None:
        """Be satisfied that the log contains what was witnessed before it was opened.

        Raises:
            AuditUnavailable: it does not.
        """
        if (note := await self._log.witnessed()) is None:
            return
        head = self._log.signed
        try:
            said = open_checkpoint(note, self._log.verifier)
            proof = await self._log.consistency(said.size, head)
            check_consistency(said.size, said.root, head.size, head.root, proof)
        except (NoteInvalid, ProofInvalid) as error:
            text = f"the log does not contain what was witnessed before: {error}; {_PUT_BACK}"
            raise AuditUnavailable(detail=text) from error
        self._kept = note
        self._shown = (said.size, note)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                self._turn()
                if self._monotonic() - self._told_at >= _TELL_S:
                    self._tell()
                    await self._keep()
            except Exception as error:
                _log.error("witnessing: %s", where_it_failed(error))

    async def _keep(self) -> None:
        """Have the last witnessed checkpoint on the disk; the witnesses have it in any case."""
        if self._last is None or self._last.note == self._kept:
            return
        note = self._last.note
        try:
            await self._log.keep_witnessed(note)
            self._kept = note
        except OSError as error:
            _log.error("the witnessed checkpoint was not kept: %s", error)

    # -- submitting --------------------------------------------------------------------------

    def _begun(self, head: Signed) -> _Collected:
        said = open_checkpoint(head.note, self._log.verifier)
        return _Collected(head=head, signed_at=said.signed_at or self._clock())

    def _turn(self) -> None:
        """See whether there is a new checkpoint, and give it to whoever is free."""
        now, head = self._monotonic(), self._log.signed
        if head.note != self._newest[0]:
            self._newest = (head.note, now)
            if self._behind_since is None:
                self._behind_since = now
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

    @property
    def _settled(self) -> bool:
        """Whether nobody more is waited for before the next checkpoint is submitted."""
        one = self._collecting
        waiting = (c.busy and c.offered == one.head.note for c in self._contacts)
        return self._policy.met(one.lines) or not any(waiting)

    async def _submit(self, contact: _Contact, collected: _Collected) -> None:
        try:
            line = await contact.submitter.cosigned(collected.head)
        except WitnessFailed as error:
            contact.failed(error, self._monotonic())
        else:
            contact.signed()
            collected.lines[contact.submitter.name] = line
            self._add(collected)
        finally:
            contact.busy = False

    def _add(self, collected: _Collected) -> None:
        """Publish the checkpoint if enough have signed it and it is not older than the last."""
        last = self._last
        older = last is not None and (collected.size, collected.signed_at) < (
            last.size,
            last.signed_at,
        )
        if older or not self._policy.met(collected.lines):
            return
        if collected is not last:
            self._last = collected
            newest, since = self._newest
            self._behind_since = None if collected.head.note == newest else since
        if collected.size >= self._shown[0]:
            self._shown = (collected.size, collected.note)
        self._news.set()
        self._news = asyncio.Event()

    # -- saying how it goes ------------------------------------------------------------------

    def _tell(self) -> None:
        now = self._told_at = self._monotonic()
        behind_s = now - self._behind_since if self._behind_since is not None else 0.0
        never = self._last is None and not self._kept
        head = self._log.signed
        if (behind_s >= UNWITNESSED_AFTER_S or never) and head.size >= self._shown[0]:
            self._shown = (head.size, head.note)
        if (alarm := behind_s >= ALARM_AFTER_S) != self._alarm:
            self._alarm = alarm
            if alarm:
                _log.error("the log has not been witnessed for %d s", behind_s)
            else:
                _log.warning("the log is witnessed again")
        answering = sum(contact.answering for contact in self._contacts)
        self._observed(behind_s=behind_s, answering=answering, alarm=alarm)
