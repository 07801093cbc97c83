"""Erasing from the record, by two people; holding it back, by one, until two let go; and what goes
by itself in time.

Whatever is to be erased, an entry of kind K says so before. Then the log is read up to that entry,
and if a hold stood before it nothing is erased: a hold and an erasure that meet are decided by
their order in the log, whichever gateways they came in at. Since everything follows from the log,
the gateway that keeps it in order does again what a crash, or a backup that was put back, undid.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from gateway.audit.entry import InvalidEntry, Kind, Tag, parts_of, read_leaf, token
from gateway.audit.keys import AuditKeys
from gateway.audit.ledger import Erasure, Hold, Ledger, Lift, Target, quarter_of
from gateway.audit.log import AuditLog
from gateway.audit.recorder import Record
from gateway.audit.retention import Due, Rules, due_bodies, due_of
from gateway.errors import AuditUnavailable, Refused
from gateway.identifiers import is_uuid
from gateway.recurring import Recurring
from gateway.unforeseen import unforeseen

_TICK_S: Final = 60.0
_KEYS_S: Final = 3600.0  # how soon a new key has its entry
_RUN_EVERY: Final = timedelta(days=1)
_AT_ONCE: Final = 4096  # bodies erased together
_MOST_TOKENS: Final = 120  # of a hold: thirty years of quarters, in less than 8 KiB
_MONTH: Final = re.compile(r"[A-Za-z0-9._-]{1,64}/[0-9]{4}-(0[1-9]|1[0-2])\Z")
_log = logging.getLogger(__name__)


def not_done(text: str) -> Refused:
    """What was asked for is not done; the reason in public words."""
    return Refused(text, rule="casework.kept", contact="gateway")


class Keeping:
    """What becomes of what the log holds. Of one event loop."""

    def __init__(
        self,
        log: AuditLog,
        keys: AuditKeys,
        rules: Rules,
        *,
        gateway: str,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._log, self._keys, self._rules = log, keys, rules
        self._gateway, self._clock, self._new_id = gateway, clock, new_id
        self._monotonic = monotonic
        self.ledger = Ledger(log)
        self._done: set[str] = set()  # erasures that need not be done again
        self._upto: dict[str, int] = {}  # by months: up to where bodies are erased
        self._upto_of: tuple[str, int] | None = None  # by which rules, after which lift
        self._next_s = monotonic() + _KEYS_S
        self._turns = Recurring(self.tick, every_s=_TICK_S, name="keeping the record", log=_log)

    def start(self) -> None:
        """Go on until `aclose`, after a pause."""
        self._turns.start()

    async def aclose(self) -> None:
        await self._turns.aclose()

    async def tick(self) -> None:
        """Let go of keys that others destroyed. Of several gateways the one that keeps the log in
        order does what was agreed to, says which keys are new, and what is over goes.

        Raises:
            AuditUnavailable, OSError: the next turn tries again.
        """
        self._keys.forget_destroyed()
        await self.ledger.catch_up()
        if not self._log.leading:
            return
        for one in list(self.ledger.erasures.values()):
            if one.agreed is not None and one.id not in self._done:
                await self._perform(one)
        if self._monotonic() < self._next_s:
            return
        self._next_s = self._monotonic() + _KEYS_S
        await self.tell_of_keys()
        last = self.ledger.last_run
        if last is None or self._clock() - last.at >= _RUN_EVERY:
            await self.retain()

    # -- erasing what somebody asked for -------------------------------------------------------

    async def waiting(self) -> list[Erasure]:
        """What was asked for and nobody has agreed to, the oldest first.

        Raises:
            AuditUnavailable: the log cannot be read.
        """
        await self.ledger.catch_up()
        since = self._clock() - self._rules.agree_within
        found = self.ledger.erasures.values()
        return [one for one in found if one.agreed is None and one.at >= since]

    async def agency_of(self, target: Target) -> str | None:
        """Whose matter it is: the agency of who asked what the record is about, or of the month.
        None: the gateway's own, or there is no such thing.

        Raises:
            AuditUnavailable: the log cannot be read.
        """
        if target.month is not None:
            return target.month.partition("/")[0]
        if target.record is None:
            return None
        try:
            leaf = read_leaf(await self._log.leaf(target.record))
        except (LookupError, InvalidEntry):
            return None
        return str(leaf["who"]["agency"]) if "who" in leaf else None

    async def ask(self, record: Record, target: Target, code: str) -> Erasure:
        """Ask for an erasure, which is done when somebody else agrees.

        Raises:
            Refused: it is held, or not over yet.
            AuditUnavailable: it cannot be recorded.
        """
        await self.ledger.catch_up()
        await self._demand_there(target)
        await self._demand_free(target)
        id_ = self._new_id()
        said = {"id": id_, "step": "asked", "what": target.said, "code": code}
        await self._written(record, {"erasure": said})
        return self.ledger.erasures[id_]

    async def find(self, id_: str) -> Erasure | None:
        """What waits under this id."""
        return next((one for one in await self.waiting() if one.id == id_), None)

    def asked_by(self, one: Erasure | Lift, issuer: str, id_: str) -> bool:
        """Whether this is who asked, by the token of that quarter; or of the next, which may have
        begun while the entry was made.

        Raises:
            AuditUnavailable: the key of that quarter is gone, so nobody can tell.
        """
        moments = (one.at, one.at + timedelta(minutes=1))
        keys = [self._keys.token_key("actor", quarter_of(f"{at:%Y-%m}")) for at in moments]
        return one.by in [token(key, "actor", f"{issuer}|{id_}") for key in keys]

    async def agree(self, record: Record, one: Erasure) -> bool:
        """Agree to an erasure, as somebody else than who asked, and do it; whether it is done by
        now. If not, the gateway that keeps the log in order does it within minutes.

        Raises:
            Refused: a hold came before it.
            AuditUnavailable: it cannot be recorded, and nothing is erased.
        """
        await self.ledger.catch_up()
        if self.ledger.erasures[one.id].agreed is not None:
            raise not_done("Somebody has agreed to it already.")
        await self._demand_free(one.target)
        said = {"id": one.id, "step": "agreed", "what": one.target.said, "code": one.code,
                "approvers": [one.by, self._actor(record)]}  # fmt: skip
        await self._written(record, {"erasure": said})
        try:
            done = await self._perform(self.ledger.erasures[one.id])
        except (AuditUnavailable, OSError) as error:
            _log.error("keeping: an erasure waits: %s", unforeseen(error))
            return False
        if not done:
            raise not_done("A hold was placed first: nothing is erased.")
        return True

    async def _perform(self, one: Erasure) -> bool:
        """Do what was agreed to; False if a hold stood before that.

        Raises:
            AuditUnavailable, OSError: it may not be done.
        """
        held = await self.ledger.held(one.target, before=one.agreed)
        if held is None:
            target = one.target
            if target.record is not None:
                await self._log.erase(target.record)
            elif target.month is not None:
                self._keys.destroy(target.month)
            elif target.tokens is not None:
                self._keys.destroy_tokens(target.tokens)
        self._done.add(one.id)
        return held is None

    async def _demand_there(self, target: Target) -> None:
        """There is something to erase; and a key that is in use stays, or nothing could be recorded
        any more."""
        if list(target.said) not in (["record"], ["month"], ["tokens"]):
            raise not_done("Name one thing: a record, a month or keys of tokens.")
        if target.record is not None:
            try:
                parts = parts_of(read_leaf(await self._log.leaf(target.record)))
            except (LookupError, InvalidEntry):
                raise not_done("There is no such record.") from None
            if not parts:
                raise not_done("This record has no body: there is nothing to erase.")
        if target.month is not None and target.month not in self._keys.months():
            raise not_done("There is no such month; one is named AGENCY/2026-03.")
        if target.tokens is not None and target.tokens not in self._keys.tokens():
            raise not_done("There are no such keys; they are named NAME/2026-Q1.")
        now = self._clock()
        month, quarter = f"{now:%Y-%m}", quarter_of(f"{now:%Y-%m}")
        if target.month is not None and target.month.partition("/")[2] >= month:
            raise not_done("This month is not over: its key is in use.")
        if target.tokens is not None and target.tokens.partition("/")[2] >= quarter:
            raise not_done("This quarter is not over: its key is in use.")

    async def _demand_free(self, target: Target) -> None:
        try:
            hold = await self.ledger.held(target)
        except LookupError:
            raise not_done("There is no such record.") from None
        if hold is not None:
            raise not_done(f"It is held, by hold {hold.id}: nothing is erased.")

    # -- holding back ----------------------------------------------------------------------------

    async def hold(self, record: Record, scope: Mapping[str, Any], code: str) -> Hold:
        """Hold something back, from now on and until it is lifted.

        `scope` is one of `records` (first, last), `request`, `month`, `actor` ("issuer|id") and
        `case`. Of the last two, everything is held up to the end of this quarter.

        Raises:
            Refused: it cannot be meant.
            AuditUnavailable: it cannot be recorded, and does not hold.
        """
        ((name, value),) = scope.items()
        match name:
            case "records":
                first, last = value
                if not 0 <= first <= last < self._log.size:
                    raise not_done("There are no such records.")
                said: Any = [first, last]
            case "request" if is_uuid(value.lower()):
                said = value.lower()  # as leaves spell it
            case "month" if _MONTH.match(value):
                if value not in self._keys.months():
                    raise not_done("There is no such month; one is named AGENCY/2026-03.")
                said = value
            case "actor" | "case":
                said = self._tokens(name, value)
            case _:
                raise not_done("It is not named as it must be: see docs/audit.md.")
        id_ = self._new_id()
        hold = {"id": id_, "step": "placed", "scope": {name: said}, "code": code}
        await self._written(record, {"hold": hold})
        return self.ledger.holds[id_]

    async def standing(self) -> list[Hold]:
        """The holds that stand.

        Raises:
            AuditUnavailable: the log cannot be read.
        """
        await self.ledger.catch_up()
        return self.ledger.standing()

    async def ask_lift(self, record: Record, hold: Hold, code: str) -> Hold:
        """Ask that a hold is lifted, which it is when somebody else agrees.

        Raises:
            Refused: it waits for somebody to agree already.
            AuditUnavailable: it cannot be recorded.
        """
        if self.lift_of(hold) is not None:
            raise not_done("Somebody has asked for that already: it waits for another to agree.")
        said = {"id": hold.id, "step": "lift_asked", "code": code}
        await self._written(record, {"hold": said})
        return self.ledger.holds[hold.id]

    def lift_of(self, hold: Hold) -> Lift | None:
        """What waits for somebody to agree that this hold is lifted."""
        since = self._clock() - self._rules.agree_within
        return hold.lift if hold.lift is not None and hold.lift.at >= since else None

    async def lift(self, record: Record, hold: Hold) -> Hold:
        """Lift a hold, by agreeing to what somebody else asked for.

        Raises:
            Refused: nobody asked for it, or this very person did.
            AuditUnavailable: it cannot be recorded, and stands.
        """
        await self.ledger.catch_up()
        hold = self.ledger.holds[hold.id]
        lift = self.lift_of(hold)
        if lift is None or hold.lifted is not None:
            raise not_done("Nobody has asked that this hold is lifted, or it is already.")
        subject = record.subject
        if subject is None or self.asked_by(lift, subject.issuer, subject.id):
            raise not_done("A hold is lifted by two: somebody else agrees.")
        said = {"id": hold.id, "step": "lifted", "code": lift.code,
                "approvers": [lift.by, self._actor(record)]}  # fmt: skip
        await self._written(record, {"hold": said})
        return self.ledger.holds[hold.id]

    def _tokens(self, name: str, value: str) -> list[str]:
        """What stands for it in each quarter whose keys exist, and in this one."""
        now = quarter_of(f"{self._clock():%Y-%m}")
        ids = [key.partition("/") for key in self._keys.tokens()]
        periods = sorted({now, *(period for sort, _, period in ids if sort == name)})
        if len(periods) > _MOST_TOKENS:
            raise not_done("It is too long ago for one hold.")
        return [token(self._keys.token_key(name, period), name, value) for period in periods]

    # -- what goes in time -------------------------------------------------------------------------

    async def due(self) -> Due:
        """What a run would erase now; nothing is changed.

        Raises:
            AuditUnavailable, OSError: it cannot be found out.
        """
        await self.ledger.catch_up()
        return await due_of(
            self.ledger, self._rules, self._keys, now=self._clock(), upto=self._cursors()
        )

    async def retain(self) -> Due:
        """Erase what is over and not held, after an entry that says how much it is.

        Raises:
            AuditUnavailable, OSError: it may not be done wholly; the next run goes on.
        """
        due = await self.due()
        now, upto = self._clock(), dict(self._upto)
        said = {
            "records": due.records,
            "months": list(due.months),
            "tokens": list(due.tokens),
            "held": due.held,
            "table": self._rules.digest,
            "upto": upto,
        }
        index = await self._write({"retained": said})
        reached: dict[str, int] = {}
        batch: list[int] = []
        erased = 0
        async for found in due_bodies(
            self.ledger, self._rules, now=now, upto=upto, before=index, reached=reached
        ):
            batch.append(found)
            if len(batch) >= _AT_ONCE:
                erased += await self._log.erase(*batch)
                batch.clear()
        erased += await self._log.erase(*batch)
        self._upto = reached
        kept = await self.ledger.kept(self.ledger.standing(index))
        for month in due.months:
            if month not in kept.months:
                self._keys.destroy(month)
        for one in due.tokens:
            if one.partition("/")[2] not in kept.quarters:
                self._keys.destroy_tokens(one)
        _log.info("retention: %d bodies and %d keys are gone", erased, due.keys)
        return due

    def _cursors(self) -> dict[str, int]:
        """Up to where earlier runs have erased bodies, by these rules and since no hold was
        lifted; else everything is looked at again."""
        lifts = [hold.lifted for hold in self.ledger.holds.values() if hold.lifted is not None]
        now = (self._rules.digest, max(lifts, default=-1))
        if now != self._upto_of:
            self._upto_of, self._upto = now, {}
            last = self.ledger.last_run
            if last is not None and last.table == now[0] and last.index > now[1]:
                self._upto = dict(last.upto)
        return self._upto

    async def tell_of_keys(self) -> None:
        """Record which keys are new, and which are missing without an entry that says why.

        Raises:
            AuditUnavailable, OSError: the next turn tries again.
        """
        await self.ledger.catch_up()
        there = {f"month/{one}" for one in self._keys.months()}
        there |= {f"token/{one}" for one in self._keys.tokens()}
        known, gone = self.ledger.keys_made, self.ledger.keys_gone | self._agreed_keys()
        said = {"made": sorted(there - known), "missing": sorted(known - there - gone)}
        if said["missing"]:
            _log.critical("audit: keys are missing: %s", ", ".join(said["missing"]))
        if any(said.values()):
            await self._write({"keys": {name: found for name, found in said.items() if found}})

    def _agreed_keys(self) -> set[str]:
        agreed = [one.target for one in self.ledger.erasures.values() if one.agreed is not None]
        months = {f"month/{one.month}" for one in agreed if one.month is not None}
        return months | {f"token/{one.tokens}" for one in agreed if one.tokens is not None}

    # -- entries -----------------------------------------------------------------------------------

    def _actor(self, record: Record) -> str:
        """Who acts, by the token of this quarter."""
        if (who := record.subject) is None:
            raise AuditUnavailable(detail="nobody is known to act")
        return record.recorder.hmac("actor", f"{who.issuer}|{who.id}")

    async def _written(self, record: Record, said: Mapping[str, Any]) -> int:
        """The number of an entry by which somebody's act is in the log, read by now."""
        self._actor(record)
        receipt = await record.keeping(said)
        index = await self._log.number(receipt)
        await self.ledger.catch_up(index)
        return index

    async def _write(self, said: Mapping[str, Any]) -> int:
        """The same of an entry of the gateway's own."""
        leaf = {
            "kind": Kind.KEY.value,
            "tag": Tag.CONSULTATION.value,
            "request_id": self._new_id(),
            "gateway": self._gateway,
            "at": self._clock().isoformat(timespec="microseconds"),
            **said,
        }
        index = await self._log.number(await self._log.append(leaf))
        await self.ledger.catch_up(index)
        return index
