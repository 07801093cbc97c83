"""Dip samples of a gateway that runs: announced, then drawn by the first fitting checkpoint.

Nobody chooses that checkpoint: the gateway draws as soon as it has one that the witnesses signed
after the period's end and after the announcement, and the first draw stands.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from gateway.actions.reviewing import case_from, leaf_of
from gateway.audit.apart import NotDone
from gateway.audit.drawing import drawn
from gateway.audit.inquiry import Auditor, Inquiry
from gateway.audit.reading import NotThere
from gateway.audit.sampling import By, NoSample, Wish, deciding
from gateway.audit.uses import Viewer
from gateway.audit.verify import NoteInvalid, Policy, open_witnessed
from gateway.casework.model import DipSample, Officer, Origin
from gateway.casework.store import Store
from gateway.errors import AuditUnavailable, CaseworkUnavailable, LimitExceeded
from gateway.recurring import Recurring

MOST_DRAWN: Final = 500  # of one sample: more than anybody reviews
MOST_ANNOUNCED: Final = 20  # by one agency, and not drawn yet
LISTED: Final = 50
_MOST_TRIED: Final = 50  # in one turn; those whose period ended first
_EVERY_S: Final = 5.0
_AGAIN: Final = timedelta(minutes=10)  # all of the log is read for a try

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Announcing samples, and drawing them."""

    inquiry: Inquiry
    store: Store
    policy: Policy | None  # of the witnesses; without them nothing is drawn
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    _failed: dict[str, datetime] = field(default_factory=dict)

    async def announce(self, auditor: Auditor, wish: Wish) -> DipSample:
        """Say what is to be drawn, before anybody can know what that will be.

        Raises:
            Refused, MalformedRequest: no auditor, or one who looks alone; not said for what.
            LimitExceeded: no such period or number, or too many wait to be drawn.
            AuditUnavailable, CaseworkUnavailable: it was not announced.
        """
        await self.inquiry.auditing(auditor, *Viewer)
        if not wish.since < wish.until:
            raise LimitExceeded("The period ends before it begins.")
        if not 1 <= wish.count <= MOST_DRAWN:
            raise LimitExceeded.of("count", MOST_DRAWN, wish.count)
        own = auditor.subject.agency
        if len(await self.store.undrawn(MOST_ANNOUNCED, agency=own)) >= MOST_ANNOUNCED:
            text = f"{MOST_ANNOUNCED} samples of your agency are still to be drawn: wait for one."
            raise LimitExceeded(text)
        made = DipSample(
            id=self.new_id(),
            at=self.clock(),
            by=Officer.of(auditor.subject),
            since=wish.since,
            until=wish.until,
            count=wish.count,
            strata=wish.by,
        )
        said = {
            "id": made.id,
            "since": wish.since.isoformat(),
            "until": wish.until.isoformat(),
            "count": wish.count,
            "by": wish.by,
        }
        await self.inquiry.recorder.view(
            auditor.request, auditor.subject, page="sample", use=auditor.use,
            given={"sample": said},
        )  # fmt: skip
        await self.store.announce(made)
        return made

    async def turn(self) -> int:
        """Draw what can be drawn by now, in the gateway that keeps the log in order; how many.

        Raises:
            CaseworkUnavailable, AuditUnavailable: nothing can be read or kept; it is tried again.
        """
        if not self.inquiry.log.leading:  # the others would read all of the log for nothing
            return 0
        now = self.clock()
        late = now - _AGAIN
        waiting = [
            one
            for one in await self.store.undrawn(_MOST_TRIED, ended=now)
            if self._failed.get(one.id, late) <= late
        ]
        drawn = 0
        for sample in waiting:
            note = await self.fitting(sample)
            if note is not None and await self._drawn(sample, note):
                drawn += 1
        return drawn

    async def fitting(self, sample: DipSample) -> bytes | None:
        """The checkpoint that decides, if there is one yet: by the log's clock and by that of every
        witness it is later than the period and the announcement."""
        note = await self.inquiry.log.witnessed()
        if note is None or self.policy is None:
            return None
        try:
            seen = open_witnessed(note, self.inquiry.log.verifier, self.policy)
        except NoteInvalid:
            return None
        times = [at for at in (seen.said.signed_at, *seen.witnesses.values()) if at]
        return note if times and min(times) > max(sample.until, sample.at) else None

    async def _drawn(self, sample: DipSample, note: bytes) -> bool:
        log = self.inquiry.log
        strata: By = "app" if sample.strata == "app" else "roles"
        wish = Wish(since=sample.since, until=sample.until, count=sample.count, by=strata)
        try:
            made = await drawn(log, deciding(log.verifier, note, wish, self.policy), wish)
        except (NoSample, NoteInvalid, NotThere, NotDone) as error:
            _log.error("the sample %s cannot be drawn: %s", sample.id, error)
            self._failed[sample.id] = self.clock()
            return False
        now = self.clock()
        cases = [
            case_from(
                await leaf_of(log, one.index), one.index, id_=self.new_id(), at=now,
                origin=Origin.SAMPLE, batch=made.seed, stratum=" / ".join(one.stratum),
            )
            for one in made.drawn
        ]  # fmt: skip
        return await self.store.drawn(
            sample.id, seed=made.seed, checkpoint=note.decode(), population=made.population,
            at=now, cases=cases,
        )  # fmt: skip


class Drawing:
    """Draws in turns, until it is closed."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._turns = Recurring(self._turn, every_s=_EVERY_S, name="samples", log=_log)

    async def _turn(self) -> None:
        try:
            await self._sampling.turn()
        except (CaseworkUnavailable, AuditUnavailable) as error:
            _log.warning("samples are not drawn for now: %s", error.detail)

    def start(self) -> None:
        if self._sampling.policy is not None:
            self._turns.start()

    async def aclose(self) -> None:
        await self._turns.aclose()
