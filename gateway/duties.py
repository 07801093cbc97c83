"""Conditions of a permission that outlive one question: an outcome owed, another person's word.

They are carried out once the decision is agreed to and before anything is visited or recorded as
intended; where one cannot be, the question is refused and says what to do.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from gateway.casework.model import Countersignature, Notice, Officer, OwedOutcome, Told
from gateway.casework.store import Store
from gateway.catalogue.schema import camel
from gateway.errors import Refused
from gateway.model import AuthorisedPlan, Operation, Plan, Request, Subject
from gateway.policy.obligations import Alarm, alarms_of, lasting


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties:
    """What carrying them out needs."""

    store: Store
    hmac: Callable[[str, str], str]
    new_id: Callable[[], str]

    async def check(
        self, request: Request, subject: Subject, operation: Operation, agreed: AuthorisedPlan
    ) -> None:
        """Refuse what cannot be fulfilled. Nothing is used up yet.

        Raises:
            Refused: an outcome is owed, or nobody else has agreed; it says what to do.
            CaseworkUnavailable: nobody can tell.
        """
        officer = Officer.of(subject)
        for kind in _kinds(agreed, "record_outcome"):
            if owed := await self.store.owed(officer, kind):
                raise _owes(owed[0])
        if _kinds(agreed, "second_person"):
            digest, now = self._digest(operation), request.received_at
            if not await self.store.stands(officer, digest, now):
                raise await self._wants(request, subject, operation, agreed)

    async def fulfil(
        self, request: Request, subject: Subject, operation: Operation, agreed: AuthorisedPlan
    ) -> None:
        """Use the countersignature, and owe the outcome, of a search that is about to be made; tell
        whose officer breaks the glass.

        Raises:
            Refused: another search at the same moment was quicker.
            CaseworkUnavailable: it cannot be noted.
        """
        officer, now = Officer.of(subject), request.received_at
        if _kinds(agreed, "second_person"):
            digest = self._digest(operation)
            if not await self.store.use_countersignature(officer, digest, now):
                raise await self._wants(request, subject, operation, agreed)
        owed = [
            OwedOutcome(operation=request.id, officer=officer, kind=kind, at=now)
            for kind in _kinds(agreed, "record_outcome")
        ]
        if owed and not await self.store.owe(*owed):
            raise _owes(None)
        if alarms := alarms_of(agreed.obligations):
            await self.store.tell(*(self._alarm(request, officer, alarm) for alarm in alarms))

    def _alarm(self, request: Request, officer: Officer, alarm: Alarm) -> Notice:
        return Notice(
            id=self.new_id(),
            at=request.received_at,
            agency=alarm.agency,
            desk=alarm.desk,
            about=Told.GLASS_BROKEN,
            subject=request.id,
            asker=officer,
            on_call=alarm.on_call,
            due_at=request.received_at + timedelta(seconds=alarm.due_s),
        )

    def _digest(self, operation: Operation) -> str:
        """What a countersignature is for: this question, with these values, for this purpose and
        reason, which the second person was told."""
        why = operation.justification
        told = [why.purpose, why.reason_code] if why else []
        asked = [operation.digest, operation.name, operation.variables, *told]
        return self.hmac("countersign", json.dumps(asked, sort_keys=True, default=str))

    async def _wants(
        self, request: Request, subject: Subject, operation: Operation, agreed: AuthorisedPlan
    ) -> Refused:
        """The refusal that says what to have countersigned."""
        why = operation.justification
        wanted = Countersignature(
            id=self.new_id(),
            at=request.received_at,
            asker=Officer.of(subject),
            digest=self._digest(operation),
            purpose=why.purpose if why else "",
            reason_code=why.reason_code if why else "",
            what=operation.name or "",
            fields=_asked_for(agreed.plan),
            face=any(fetch.near is not None for fetch in agreed.plan.fetches),
            roles=subject.roles,
        )
        waiting = await self.store.wanted(wanted)
        return Refused(
            f"Somebody else must agree first: have a colleague countersign {waiting.id} "
            "at /casework, then ask the same again.",
            rule="obligation.second_person",
            contact="gateway",
            detail="no countersignature stands",
        )


def _asked_for(plan: Plan) -> tuple[str, ...]:
    """The fields whose values a question asks for, as the schema names them; no value is told."""
    parts = (part for fetch in plan.fetches for part in fetch.parts)
    return tuple(sorted({f"{part.type}.{camel(name)}" for part in parts for name in part.reads}))


def _kinds(agreed: AuthorisedPlan, duty: str) -> list[str]:
    """The kinds of search with this duty among the fetches that are to be made."""
    due = (one for one in lasting(agreed.obligations) if one.resource in agreed.grants)
    return sorted({one.kind for one in due if one.type == duty})


def _owes(owed: OwedOutcome | None) -> Refused:
    what = f"search {owed.operation}" if owed else "last search of this kind"
    return Refused(
        f"Record first what came of your {what}: recordOutcome at /casework.",
        rule="obligation.record_outcome",
        contact="gateway",
        detail="an outcome is owed",
    )
