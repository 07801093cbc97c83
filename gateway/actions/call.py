"""One action on its way, and how its arguments are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.audit.keeping import Keeping
from gateway.audit.recorder import Action, Decided, Record
from gateway.casework.model import Officer
from gateway.casework.schema import MOST
from gateway.casework.standing import Standing
from gateway.casework.store import Store
from gateway.catalogue.forms import duration
from gateway.errors import InvalidOperation, LimitExceeded, Refused
from gateway.model import (
    AuthorisedPlan,
    Operation,
    Plan,
    Request,
    Selection,
    Subject,
)
from gateway.pipeline import Gate
from gateway.policy.casework import Matter, Terms, casework_question
from gateway.query.operation import Parser


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Everything that actions need."""

    gate: Gate
    store: Store
    standing: Standing
    keeping: Keeping
    parser: Parser
    new_id: Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One action on its way."""

    office: Office
    request: Request
    subject: Subject
    operation: Operation
    selection: Selection
    record: Record

    @property
    def now(self) -> datetime:
        return self.request.received_at

    @property
    def caller(self) -> Officer:
        return Officer.of(self.subject)

    def token(self, officer: Officer | None) -> str | None:
        """Somebody as their agency and the token that stands on watermarks and in the log."""
        if officer is None:
            return None
        mark = self.office.gate.audit.mark(officer.issuer, officer.id)
        return f"{officer.agency} {mark}"

    async def allowed(
        self,
        matter: Matter,
        about: str = "",
        seen: tuple[Decided | None, AuthorisedPlan] | None = None,
    ) -> Terms:
        """What policy says of it, once the intent is recorded. `seen`: what is to be visited.

        Raises:
            Refused: policy says no.
            PolicyUnavailable, AuditUnavailable: nothing may be done.
        """
        gate = self.office.gate
        asked = casework_question(
            matter,
            self.subject,
            self.operation.justification,
            now=self.now,
            query_id=self.request.id,
        )
        terms = await gate.pdp.terms(asked)
        if (note := terms.refuse) is not None:
            raise Refused(note.text, rule=note.rule, contact=note.desk, detail=note.rule)
        decision, agreed = seen or (None, AuthorisedPlan(plan=Plan(), serial=terms.serial))
        action = Action(act=matter.act, about=about, serial=terms.serial, question=asked)
        await self.record.intent(self.subject, self.operation, decision, agreed, action=action)
        return terms


def first(call: Call) -> int:
    """How many of a list are asked for."""
    asked = call.selection.args.get("first") or 0
    if not 1 <= asked <= MOST:
        raise LimitExceeded.of("first", MOST, asked)
    return int(asked)


def seconds(text: str) -> int:
    """A duration as a whole number of seconds."""
    try:
        return int(duration(text).total_seconds())
    except (ValueError, OverflowError):
        raise InvalidOperation("until: a duration is like P1D or PT24H.") from None


def fields_named(call: Call, entity: str | None, named: tuple[str, ...]) -> tuple[str, ...]:
    """Fields in the vocabulary's names; one that the schema does not have stays as it was sent,
    and policy releases none of that name."""
    names = call.office.gate.parser.schema.names
    if len(named) > call.office.gate.limits.values:
        raise LimitExceeded.of("values", call.office.gate.limits.values, len(named))
    return tuple(dict.fromkeys(names.get((entity or "", name), name) for name in named))
