"""How much an officer may ask, over real SQLite and PostgreSQL: counted, kept, given more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from gateway.casework.budgets import Budgets
from gateway.casework.database import engine_for, migrate
from gateway.casework.model import BudgetRelease, Officer, Told, Use
from gateway.casework.store import Store
from gateway.errors import CaseworkUnavailable, Refused
from gateway.model import Budget, Subject, Unit
from tests.servers import Postgres

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
ASKER = Subject(
    issuer="https://sign-in.example/nmc",
    id="nmc-1",
    agency="NMC",
    roles=("response_officer",),
    clearance="OS",
    training=(),
    app="station",
    token_id="t",  # noqa: S106  # an identifier
    attributes_as_at=NOW,
)
COLLEAGUE = replace(ASKER, id="nmc-2")
NAMESAKE = replace(ASKER, issuer="https://sign-in.example/scp", agency="SCP")
QUESTIONS = Budget(
    name="questions",
    title="questions",
    unit=Unit.QUESTION,
    window_s=3600,
    slow_after=2,
    slow_ms=700,
    most=4,
    agency="NMC",
    desk="nmc-bureau",
    on_call="gateway",
    due_s=60,
)
RECORDS = replace(QUESTIONS, name="records", unit=Unit.RECORD, slow_after=50, most=100)
TARGETS = replace(QUESTIONS, name="one_target", unit=Unit.TARGET, slow_after=1, most=2)
NOBODY: frozenset[str] = frozenset()


@dataclass(slots=True)
class Place:
    """One database and the gateway processes that use it."""

    url: str
    now: datetime = NOW
    since: float = 0.0
    stores: list[Store] = field(default_factory=list)
    numbers: count[int] = field(default_factory=count)

    async def process(self) -> Budgets:
        store = await Store.open(self.url)
        self.stores.append(store)
        made = Budgets(
            store,
            b"k" * 32,
            clock=lambda: self.now,
            monotonic=lambda: self.since,
            new_id=lambda: str(uuid4()),
        )
        await made.tick()
        return made

    async def run(self, statement: str) -> None:
        """What somebody else does to the database."""
        engine = engine_for(self.url)
        async with engine.begin() as connection:
            await connection.execute(text(statement))
        await engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'casework.sqlite'}"
    else:
        server: Postgres = request.getfixturevalue("postgres_server")
        name = f"budgets_{uuid4().hex}"
        server.run(f"CREATE DATABASE {name}")
        url = server.url("postgres", name)
    await migrate(url)
    made = Place(url)
    yield made
    for store in made.stores:
        await store.aclose()


def asks(budgets: Budgets, times: int, who: Subject = ASKER, *, at: datetime = NOW) -> list[float]:
    return [budgets.charge(who, (QUESTIONS,), NOBODY, at) for _ in range(times)]


async def test_who_asks_much_is_slowed_and_then_refused(place: Place) -> None:
    budgets = await place.process()
    assert asks(budgets, 4) == [0.0, 0.0, 0.7, 0.7]
    with pytest.raises(Refused) as refused:
        asks(budgets, 1)
    assert (refused.value.rule, refused.value.contact) == ("budget.questions", "nmc-bureau")
    assert "nmc-1" not in refused.value.said
    assert asks(budgets, 1, COLLEAGUE) == [0.0]  # another officer, and a namesake elsewhere
    assert asks(budgets, 1, NAMESAKE) == [0.0]


async def test_what_was_asked_long_ago_counts_no_longer(place: Place) -> None:
    budgets = await place.process()
    asks(budgets, 4)
    with pytest.raises(Refused):
        asks(budgets, 1, at=NOW + timedelta(minutes=50))
    assert asks(budgets, 1, at=NOW + timedelta(minutes=61)) == [0.0]


async def test_a_refused_question_is_charged_to_no_budget(place: Place) -> None:
    budgets = await place.process()
    both = (replace(QUESTIONS, name="wide", most=100), QUESTIONS)
    for _ in range(4):
        budgets.charge(ASKER, both, NOBODY, NOW)
    for _ in range(3):
        with pytest.raises(Refused):
            budgets.charge(ASKER, both, NOBODY, NOW)
    wide = next(key for key in budgets._counts if key.budget == "wide")
    assert budgets.used(wide, both[0], NOW) == 4


async def test_records_shown_count_against_the_next_question(place: Place) -> None:
    budgets = await place.process()
    assert budgets.charge(ASKER, (RECORDS,), NOBODY, NOW) == 0.0
    budgets.spend(ASKER, (RECORDS, QUESTIONS), {Unit.RECORD: 60, Unit.HIT: 9}, NOW)
    assert budgets.charge(ASKER, (RECORDS,), NOBODY, NOW) == 0.7
    budgets.spend(ASKER, (RECORDS,), {Unit.RECORD: 60}, NOW)
    with pytest.raises(Refused):
        budgets.charge(ASKER, (RECORDS,), NOBODY, NOW)
    assert asks(budgets, 1) == [0.0]  # no question was charged by it


async def test_in_26_one_target_is_counted_for_each_officer_alone(place: Place) -> None:
    budgets = await place.process()

    def about(*targets: str, who: Subject = ASKER) -> float:
        return budgets.charge(who, (TARGETS,), frozenset(targets), NOW)

    assert [about("a"), about("a", "b"), about("b")] == [0.0, 0.7, 0.7]
    with pytest.raises(Refused):
        about("a", "c")
    assert about("c") == 0.0
    assert about("a", who=COLLEAGUE) == 0.0  # who asked before is nobody's to learn


async def test_a_restart_forgets_nothing(place: Place) -> None:
    before = await place.process()
    asks(before, 3)
    await before.tick()
    after = await place.process()
    assert asks(after, 1) == [0.7]
    with pytest.raises(Refused):
        asks(after, 1)


async def test_stopping_writes_what_was_counted_last(place: Place) -> None:
    before = await place.process()
    await before.start()
    asks(before, 4)
    await before.aclose()
    with pytest.raises(Refused):
        asks(await place.process(), 1)


async def test_two_processes_count_together(place: Place) -> None:
    one, other = await place.process(), await place.process()
    asks(one, 2)
    asks(other, 1)
    for _ in range(2):  # what is written again is the whole, and is not counted twice
        await one.tick()
        await other.tick()
    assert asks(one, 1) == [0.7]
    await one.tick()
    await other.tick()
    for process in (one, other):
        with pytest.raises(Refused):
            asks(process, 1)


async def test_a_supervisor_adds_until_a_moment(place: Place) -> None:
    budgets = await place.process()
    asks(budgets, 4)
    officer = Officer(issuer=ASKER.issuer, id=ASKER.id, agency="NMC")
    given = BudgetRelease(
        id="b-1",
        at=NOW,
        officer=officer,
        by=replace(officer, id="nmc-9"),
        budget="questions",
        extra=2,
        until=NOW + timedelta(minutes=30),
    )
    await place.stores[0].release_budget(given)
    await budgets.tick()
    assert asks(budgets, 2) == [0.7, 0.7]
    with pytest.raises(Refused):
        asks(budgets, 1)
    assert budgets.added(ASKER, "questions", NOW) == 2
    assert budgets.added(ASKER, "records", NOW) == 0
    assert budgets.added(COLLEAGUE, "questions", NOW) == 0
    assert budgets.added(ASKER, "questions", NOW + timedelta(minutes=31)) == 0


async def test_pu_06_the_desk_is_told_once_of_a_spent_budget(place: Place) -> None:
    budgets = await place.process()
    asks(budgets, 4)
    for _ in range(3):
        with pytest.raises(Refused):
            asks(budgets, 1)
        await budgets.tick()
    told = await place.stores[0].notices_of("NMC", 10)
    assert [(one.about, one.subject, one.desk) for one in told] == [
        (Told.BUDGET_SPENT, "questions", "nmc-bureau")
    ]
    assert told[0].asker == Officer(issuer=ASKER.issuer, id="nmc-1", agency="NMC")
    late = await place.stores[0].overdue_notices(told[0].at + timedelta(seconds=60))
    assert [(one.id, one.on_call) for one in late] == [(told[0].id, "gateway")]


async def test_what_cannot_be_kept_is_not_counted_for_long(place: Place) -> None:
    budgets = await place.process()
    place.since = 29.0
    assert asks(budgets, 1) == [0.0]
    place.since = 31.0
    with pytest.raises(CaseworkUnavailable):
        asks(budgets, 1)
    assert budgets.charge(ASKER, (), NOBODY, NOW) == 0.0  # without a budget nothing is counted
    await budgets.tick()
    assert asks(budgets, 1) == [0.0]


async def test_what_was_not_written_is_written_later(place: Place) -> None:
    budgets = await place.process()
    asks(budgets, 3)
    await place.run("ALTER TABLE budget_use RENAME TO elsewhere")
    with pytest.raises(CaseworkUnavailable):
        await budgets.tick()
    await place.run("ALTER TABLE elsewhere RENAME TO budget_use")
    await budgets.tick()
    assert asks(await place.process(), 1) == [0.7]


async def test_what_counts_no_longer_is_deleted(place: Place) -> None:
    budgets = await place.process()
    asks(budgets, 2)
    await budgets.tick()
    place.now = NOW + timedelta(days=9)
    await budgets.tick()
    assert not budgets._counts
    kept: tuple[Use, ...] = await place.stores[0].counted("nobody", NOW - timedelta(days=30))
    assert kept == ()


async def test_hits_are_counted_as_they_are_told(place: Place) -> None:
    """A question that tells of none costs nothing; what is over counts against the next one."""
    budgets = await place.process()
    hits = replace(QUESTIONS, name="hits", unit=Unit.HIT, slow_after=1, most=2)
    for _ in range(3):
        assert budgets.charge(ASKER, (hits,), NOBODY, NOW) == 0.0
        budgets.spend(ASKER, (hits,), {Unit.RECORD: 5, Unit.HIT: 0}, NOW)
    budgets.spend(ASKER, (hits,), {Unit.RECORD: 5, Unit.HIT: 7}, NOW)
    with pytest.raises(Refused):
        budgets.charge(ASKER, (hits,), NOBODY, NOW)
