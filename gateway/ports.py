"""What answering needs from outside it: who asks, and the gateway's own records.

Where nobody keeps them nothing is released, and no permission can be given on a condition that
they would have to fulfil.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.errors import CaseworkUnavailable
from gateway.model import (
    AuthorisedPlan,
    Budget,
    Disclosed,
    Operation,
    Released,
    Request,
    Results,
    Subject,
    Unit,
)
from gateway.policy.obligations import alarms_of, lasting


class Authenticating(Protocol):
    """Who asks: `gateway/identity`."""

    async def authenticate(self, authorization: Sequence[str]) -> Subject:
        """Whom the Authorization headers speak of.

        Raises:
            Unauthenticated: nobody acceptable.
        """


class Releases(Protocol):
    """What desks have released to officers."""

    def of(self, subject: Subject, now: datetime) -> tuple[Released, ...]:
        """What somebody may see by a release, now."""

    async def used(self, released: tuple[Released, ...], now: datetime) -> None:
        """Let the desks know, before the answer leaves.

        Raises:
            CaseworkUnavailable: they cannot be told, so nothing may be shown by it.
        """


class NothingReleased:
    """No desk has released anything."""

    def of(self, subject: Subject, now: datetime) -> tuple[Released, ...]:
        return ()

    async def used(self, released: tuple[Released, ...], now: datetime) -> None:
        return None


class Counting(Protocol):
    """How much each officer has asked: `gateway/casework/budgets.py`."""

    def charge(
        self, subject: Subject, budgets: tuple[Budget, ...], targets: frozenset[str], now: datetime
    ) -> float:
        """Charge one question; the seconds by which it is slowed.

        Raises:
            Refused: a budget is spent.
            CaseworkUnavailable: nobody counts.
        """

    def spend(
        self,
        subject: Subject,
        budgets: tuple[Budget, ...],
        given: Mapping[Unit, int],
        now: datetime,
    ) -> None:
        """Charge what an answer gives: the records that it shows, the hits that it tells of."""


class NothingCounted:
    """Nobody counts, so no question can be answered on that condition."""

    def charge(
        self, subject: Subject, budgets: tuple[Budget, ...], targets: frozenset[str], now: datetime
    ) -> float:
        if budgets:
            raise CaseworkUnavailable(detail="nobody counts what is asked")
        return 0.0

    def spend(
        self,
        subject: Subject,
        budgets: tuple[Budget, ...],
        given: Mapping[Unit, int],
        now: datetime,
    ) -> None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One question, what was agreed to, what each visit gave, and which records that showed."""

    request: Request
    subject: Subject
    agreed: AuthorisedPlan
    results: Results
    disclosed: Disclosed = ()


class Afterwards(Protocol):
    """What is looked for once an answer has left: `gateway/tripwire.py`."""

    async def room(self) -> bool:
        """Whether one more question can be followed, at once or after a little while."""

    def put(self, answered: Answered) -> None:
        """Follow a question that was answered. Returns at once."""


class NothingAfterwards:
    """Nobody looks, so no question can be answered on that condition."""

    async def room(self) -> bool:
        return False

    def put(self, answered: Answered) -> None:
        return None


class Lasting(Protocol):
    """Carries out what outlives one question: `gateway/duties.py`."""

    async def check(
        self, request: Request, subject: Subject, operation: Operation, agreed: AuthorisedPlan
    ) -> None:
        """Refuse what cannot be fulfilled; nothing is used up yet.

        Raises:
            Refused: a duty is not fulfilled, and what to do.
            CaseworkUnavailable: nobody can tell.
        """

    async def fulfil(
        self, request: Request, subject: Subject, operation: Operation, agreed: AuthorisedPlan
    ) -> None:
        """Carry out such duties of a search that is about to be made.

        Raises:
            Refused, CaseworkUnavailable: as above.
        """


class NothingLasting:
    """No records are kept, so a question with such a duty cannot be answered."""

    async def check(
        self, request: Request, subject: Subject, operation: Operation, agreed: AuthorisedPlan
    ) -> None:
        if lasting(agreed.obligations) or alarms_of(agreed.obligations):
            raise CaseworkUnavailable(detail="no records are kept of what outlives a question")

    fulfil = check
