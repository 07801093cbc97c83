"""How much each officer has asked: counted in memory, and kept so that a restart forgets nothing.

No query waits for a database: what was counted is written every second, and what other replicas
counted is read at the same time. Where it cannot be written for a while nobody is answered on
that condition any more. Officers and those they ask about stand in it as keyed tokens, and a target
is counted for each officer alone, so nobody learns from a counter what others asked.
"""

from __future__ import annotations

import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from gateway.casework.model import BudgetRelease, Notice, Officer, Told, Use
from gateway.casework.store import Store
from gateway.errors import CaseworkUnavailable, Refused
from gateway.identifiers import hmac_sha256
from gateway.model import Budget, Subject, Unit
from gateway.recurring import Recurring

_EVERY_S: Final = 1.0
_STALE_S: Final = 30.0
_PARTS: Final = 12  # of a window: what was used counts until its part is as old as the window
_LONGEST: Final = timedelta(days=8)  # no window is longer, so older counts are deleted
_OVERLAP: Final = timedelta(minutes=1)  # clocks of several machines differ
_AFTERWARDS: Final = frozenset({Unit.RECORD, Unit.HIT})  # counted when they have been given
_DOMAIN: Final = b"portcullis budget v1\0"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_log = logging.getLogger(__name__)


class _Key(NamedTuple):
    officer: str
    budget: str
    target: str


class Budgets:
    """What was used of every budget, and what was added."""

    def __init__(
        self,
        store: Store,
        key: bytes,
        *,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._key = key
        self._clock = clock
        self._monotonic = monotonic
        self._new_id = new_id
        self._writer = new_id()
        self._counts: dict[_Key, dict[tuple[datetime, str], int]] = defaultdict(dict)
        self._unwritten: set[tuple[_Key, datetime]] = set()
        self._read_upto = _EPOCH
        self._releases: tuple[BudgetRelease, ...] = ()
        self._told: dict[_Key, datetime] = {}  # whose desk was told, and until when that will do
        self._notices: list[Notice] = []
        self._forget_at = _EPOCH
        self._written_at = monotonic()
        self._turns = Recurring(self.tick, every_s=_EVERY_S, name="budgets", log=_log)

    # --- charging ---

    def charge(
        self, subject: Subject, budgets: Iterable[Budget], targets: frozenset[str], now: datetime
    ) -> float:
        """Charge one question, all of its budgets or none; the seconds by which it is slowed.

        Raises:
            Refused: one of them is spent.
            CaseworkUnavailable: what is counted could not be written for a while.
        """
        budgets = tuple(budgets)
        if budgets and self._monotonic() - self._written_at > _STALE_S:
            raise CaseworkUnavailable(detail="budgets cannot be written")
        officer = self._officer(subject)
        keys = [(budget, key) for budget in budgets for key in _keys(officer, budget, targets)]
        slow_s = 0.0
        for budget, key in keys:
            used = self.used(key, budget, now)
            if used >= budget.most + self.added(subject, budget.name, now):
                self._spent(subject, budget, key, now)
                raise Refused(
                    f"You have used up what may be asked for now: {budget.title}. Your supervisor "
                    "can release more; what was asked some time ago counts no longer.",
                    rule=f"budget.{budget.name}",
                    contact=budget.desk,
                    detail=f"budget {budget.name} is spent",
                )
            if used >= budget.slow_after:
                slow_s = max(slow_s, budget.slow_ms / 1000)
        for budget, key in keys:
            if budget.unit not in _AFTERWARDS:
                self._count(key, budget, now, 1)
        return slow_s

    def spend(
        self, subject: Subject, budgets: Iterable[Budget], given: Mapping[Unit, int], now: datetime
    ) -> None:
        """Charge the records that an answer shows and the hits that it tells of; what is over
        counts against the next question."""
        charged = [budget for budget in budgets if given.get(budget.unit)]
        officer = self._officer(subject) if charged else ""
        for budget in charged:
            self._count(_Key(officer, budget.name, ""), budget, now, given[budget.unit])

    def used(self, key: _Key, budget: Budget, now: datetime) -> int:
        """What was used within the budget's window."""
        oldest = now - timedelta(seconds=budget.window_s)
        parts = self._counts.get(key, {}).items()
        return sum(used for (since, _), used in parts if since > oldest)

    def added(self, subject: Subject, name: str, now: datetime) -> int:
        """What supervisors have added, and stands: they name an officer by agency and id, whichever
        of the agency's sign-ins vouches for them."""
        return sum(
            one.extra
            for one in self._releases
            if one.budget == name
            and one.until > now
            and (one.officer.agency, one.officer.id) == (subject.agency, subject.id)
        )

    def _officer(self, subject: Subject) -> str:
        text = _DOMAIN + "\0".join((subject.issuer, subject.id)).encode()
        return hmac_sha256(self._key, text).hex()[:32]

    def _count(self, key: _Key, budget: Budget, now: datetime, amount: int) -> None:
        length = max(1, budget.window_s // _PARTS)
        since = now - timedelta(seconds=(now - _EPOCH).total_seconds() % length)
        parts, part = self._counts[key], (since, self._writer)
        parts[part] = parts.get(part, 0) + amount
        self._unwritten.add((key, since))

    def _spent(self, subject: Subject, budget: Budget, key: _Key, now: datetime) -> None:
        if self._told.get(key, _EPOCH) < now:
            self._told[key] = now + timedelta(seconds=budget.window_s)
            self._notices.append(
                Notice(
                    id=self._new_id(),
                    at=now,
                    agency=budget.agency,
                    desk=budget.desk,
                    about=Told.BUDGET_SPENT,
                    subject=budget.name,
                    asker=Officer.of(subject),
                    on_call=budget.on_call,
                    due_at=now + timedelta(seconds=budget.due_s),
                )
            )

    # --- keeping ---

    async def tick(self) -> None:
        """Write what was counted and told, and read what others counted and supervisors added.

        Raises:
            CaseworkUnavailable: the records cannot be reached; nothing is lost.
        """
        now, began = self._clock(), self._monotonic()
        writing, self._unwritten = self._unwritten, set()
        telling, self._notices = self._notices, []
        try:
            await self._store.count(tuple(self._uses(writing)), now)
            writing = set()
            await self._store.tell(*telling)
            telling = []
            for use in await self._store.counted(self._writer, self._read_upto):
                key = _Key(use.officer, use.budget, use.target)
                self._counts[key][use.since, use.writer] = use.used
            self._releases = await self._store.budget_releases(now)
        finally:
            self._unwritten |= writing
            self._notices = telling + self._notices
        self._read_upto = now - _OVERLAP
        self._written_at = began
        await self._forget(now)

    def _uses(self, writing: Iterable[tuple[_Key, datetime]]) -> Iterator[Use]:
        for key, since in writing:
            officer, budget, target = key
            yield Use(
                officer=officer,
                budget=budget,
                target=target,
                since=since,
                writer=self._writer,
                used=self._counts[key][since, self._writer],
            )

    async def _forget(self, now: datetime) -> None:
        """What counts no longer; once an hour."""
        if now < self._forget_at:
            return
        self._forget_at, oldest = now + timedelta(hours=1), now - _LONGEST
        await self._store.forget_counts(oldest)
        for key, parts in list(self._counts.items()):
            kept = {part: used for part, used in parts.items() if part[0] > oldest}
            if kept:
                self._counts[key] = kept
            else:
                del self._counts[key]
        self._told = {key: until for key, until in self._told.items() if until > now}

    async def start(self) -> None:
        """Go on from what is kept, until `aclose`.

        Raises:
            CaseworkUnavailable: the records cannot be reached.
        """
        await self.tick()
        self._turns.start()

    async def aclose(self) -> None:
        """Stop, and write what was counted last."""
        await self._turns.aclose()
        if self._turns.started:
            with contextlib.suppress(CaseworkUnavailable):
                await self.tick()


def _keys(officer: str, budget: Budget, targets: frozenset[str]) -> Iterator[_Key]:
    for target in sorted(targets) if budget.unit is Unit.TARGET else [""]:
        yield _Key(officer, budget.name, target)
