"""Where the gateway's own records are kept: a SQLite file, or PostgreSQL for several replicas.

Each method is one transaction. Whoever comes second changes nothing and is told so: a request is
decided once, a notice acknowledged once, a countersignature used once, whichever replica asks.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from alembic.util import CommandError
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    Update,
    and_,
    delete,
    event,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.casework import migration, rows
from gateway.casework.model import (
    WAITING,
    BudgetRelease,
    Countersignature,
    Notice,
    Officer,
    OwedOutcome,
    Release,
    ReleaseRequest,
    State,
    Told,
    Use,
    Verdict,
    Waiting,
)
from gateway.casework.tables import (
    budget_releases,
    budget_uses,
    countersignatures,
    grants,
    notices,
    outcomes,
    requests,
)
from gateway.errors import CaseworkUnavailable, ConfigError, Fault

_BUSY_S = 5.0  # how long a writer waits for another one
_MIGRATING: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
_T = TypeVar("_T")
_GRANTED = {
    "granted": grants.c.fields.label("granted"),
    "until": grants.c.until.label("until"),
    "revoked_at": grants.c.revoked_at,
    "revocation": grants.c.revocation,
}
"""What a request has of its grant."""
_KINDS = ("sqlite+aiosqlite", "postgresql+asyncpg")


class Store:
    """The records, over one pool of connections.

    Raises (each method):
        CaseworkUnavailable: the database does not answer; nothing was changed.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    async def open(cls, url: str) -> Store:
        """The store at an address. A SQLite file is made, and brought up to date, by this.

        Raises:
            ConfigError: it cannot be reached, is no database that we know, or its tables are not
                those of this version: `portcullis casework migrate` brings them up to date.
        """
        store = cls(engine_for(url))
        try:
            if store._engine.dialect.name == "sqlite":
                await store.migrate()
            async with store._engine.connect() as connection:
                found = await connection.run_sync(migration.revision)
        except (SQLAlchemyError, CommandError, OSError) as error:
            await store.aclose()
            raise fault(f"cannot be used: {type(error).__name__}") from error
        if found != migration.newest():
            await store.aclose()
            raise fault("its tables are of another version: run portcullis casework migrate")
        return store

    async def migrate(self) -> None:
        """Bring the tables to this version."""
        # Alembic keeps what it works on in globals: two at once in one process would mix.
        turns = _MIGRATING.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with turns, self._engine.begin() as connection:
            await connection.run_sync(migration.upgrade)

    async def aclose(self) -> None:
        await self._engine.dispose()

    # --- release requests ---

    async def ask(
        self, request: ReleaseRequest, notice: Notice, within: Waiting | None = None
    ) -> bool:
        """Keep a new request, and the notice to its desk, both or neither; false where as many of
        its officer's wait already as may, however many are asked at once."""
        row = rows.flat(request, "asker")
        for name in _GRANTED:
            del row[name]
        async with self._writing() as connection:
            if within is not None:
                await self._take_turns(connection, request.asker)
            await connection.execute(insert(requests).values(row))
            if within is not None and not await _fits(connection, request, within):
                await connection.rollback()
                return False
            await _tell(connection, notice)
        return True

    async def request(self, id_: str) -> ReleaseRequest | None:
        return _first(await self._requests(requests.c.id == id_))

    async def requests_of(self, officer: Officer, first: int) -> tuple[ReleaseRequest, ...]:
        """An officer's own, the newest first."""
        return await self._requests(rows.is_officer(requests.c, "asker", officer), first)

    async def queue_of(self, agency: str, first: int) -> tuple[ReleaseRequest, ...]:
        """What waits for an agency's desk, the soonest due first."""
        where = and_(requests.c.agency == agency, requests.c.state.in_(WAITING))
        return await self._requests(where, first, requests.c.due_at)

    async def decide(self, id_: str, verdict: Verdict) -> ReleaseRequest | None:
        """The request as it was decided; None where somebody had decided it before."""
        state = State.REFUSED if verdict.until is None else State.GRANTED
        change = (
            update(requests)
            .where(requests.c.id == id_, requests.c.state.in_(WAITING))
            .values(state=state, decided_at=verdict.at, refusal=verdict.refusal)
        )
        async with self._writing() as connection:
            if not await _changed(connection, change):
                return None
            if verdict.until is not None:
                grant = {
                    "request": id_,
                    "at": verdict.at,
                    **rows.parts("by", verdict.by),
                    "fields": verdict.granted,
                    "until": verdict.until,
                }
                await connection.execute(insert(grants).values(grant))
        return await self.request(id_)

    async def revoke(self, id_: str, by: Officer, code: str, at: datetime) -> ReleaseRequest | None:
        """The request whose release was ended; None where none of it stands."""
        change = update(grants).where(_standing_grant(at), grants.c.request == id_)
        change = change.values(revoked_at=at, revocation=code, **rows.parts("revoked", by))
        async with self._writing() as connection:
            if not await _changed(connection, change):
                return None
        return await self.request(id_)

    async def granted_by(
        self, agency: str, now: datetime, first: int
    ) -> tuple[ReleaseRequest, ...]:
        """The requests of which an agency's release stands, the soonest ending first."""
        where = and_(requests.c.agency == agency, _standing_grant(now))
        return await self._requests(where, first, grants.c.until)

    async def escalate(self, now: datetime, told: Mapping[str, str]) -> tuple[ReleaseRequest, ...]:
        """The requests that have just become overdue, each with a notice to its desk on call.

        `told` gives the notice's id for each request; what it does not name is left for next time.
        """
        where = and_(requests.c.state == State.OPEN, requests.c.due_at <= now)
        escalated: list[ReleaseRequest] = []
        for request in await self._requests(and_(where, requests.c.id.in_(list(told)))):
            change = update(requests).where(where, requests.c.id == request.id)
            async with self._writing() as connection:
                if not await _changed(connection, change.values(state=State.ESCALATED)):
                    continue  # decided, or escalated by another replica
                await _tell(
                    connection,
                    Notice(
                        id=told[request.id],
                        at=now,
                        agency=request.agency,
                        desk=request.on_call,
                        about=Told.RELEASE_OVERDUE,
                        subject=request.id,
                    ),
                )
            escalated.append(replace(request, state=State.ESCALATED))
        return tuple(escalated)

    async def overdue(self, now: datetime) -> tuple[str, ...]:
        """The ids of open requests whose time has come."""
        where = and_(requests.c.state == State.OPEN, requests.c.due_at <= now)
        found = await self._rows(select(requests.c.id).where(where))
        return tuple(row.id for row in found)

    async def releases(self, now: datetime) -> tuple[Release, ...]:
        """Every release that has not ended."""
        asked = select(requests, *_GRANTED.values()).join(grants).where(_standing_grant(now))
        found = await self._rows(asked)
        return tuple(rows.release(row) for row in found)

    async def reasons_over(self, before: datetime) -> int:
        """How many reasons in words there are of requests that ended by a moment."""
        (row,) = await self._rows(select(func.count()).where(_reason_over(before)))
        return int(row[0])

    async def erase_reasons(self, before: datetime) -> int:
        """Erase them for good; how many they were."""
        change = update(requests).where(_reason_over(before)).values(reason_text=None)
        async with self._writing() as connection:
            return (await connection.execute(change)).rowcount

    # --- notices ---

    async def tell(self, *told: Notice) -> None:
        """Keep notices, all or none."""
        async with self._writing() as connection:
            for notice in told:
                await _tell(connection, notice)

    async def notice(self, id_: str) -> Notice | None:
        return _first(await self._notices(notices.c.id == id_, 1))

    async def notices_of(self, agency: str, first: int) -> tuple[Notice, ...]:
        """An agency's notices that nobody has acknowledged, the oldest first."""
        where = and_(notices.c.agency == agency, notices.c.acknowledged_at.is_(None))
        return await self._notices(where, first)

    async def acknowledged_of(self, agency: str, first: int) -> tuple[Notice, ...]:
        """An agency's notices that somebody has acknowledged, the latest first."""
        where = and_(notices.c.agency == agency, notices.c.acknowledged_at.is_not(None))
        return await self._notices(where, first, notices.c.acknowledged_at.desc())

    async def acknowledge(self, id_: str, by: Officer, at: datetime) -> Notice | None:
        """The notice as acknowledged; None where somebody had done it before."""
        change = update(notices).where(notices.c.id == id_, notices.c.acknowledged_at.is_(None))
        change = change.values(acknowledged_at=at, **rows.parts("acknowledged", by))
        async with self._writing() as connection:
            if not await _changed(connection, change):
                return None
        return await self.notice(id_)

    async def overdue_notices(self, now: datetime) -> tuple[Notice, ...]:
        """Notices that nobody acknowledged in time, and whose desk on call does not know yet."""
        late = and_(notices.c.due_at <= now, notices.c.escalated_at.is_(None))
        return await self._notices(and_(late, notices.c.acknowledged_at.is_(None)), None)

    async def escalate_notice(self, notice: Notice, new_id: str, now: datetime) -> bool:
        """Tell the desk on call of a notice; false where it is acknowledged, or was told before."""
        change = update(notices).where(
            notices.c.id == notice.id,
            notices.c.escalated_at.is_(None),
            notices.c.acknowledged_at.is_(None),
        )
        async with self._writing() as connection:
            if not await _changed(connection, change.values(escalated_at=now)):
                return False
            await _tell(
                connection,
                replace(
                    notice,
                    id=new_id,
                    at=now,
                    desk=notice.on_call or notice.desk,
                    about=Told.NOTICE_OVERDUE,
                    subject=notice.id,
                    on_call=None,
                    due_at=None,
                    escalated_at=None,
                    attempts=0,
                    delivered_at=None,
                ),
            )
        return True

    async def undelivered(
        self, agencies: Sequence[str], now: datetime, most_tries: int, first: int
    ) -> tuple[Notice, ...]:
        """What is due to be sent to these agencies, the oldest first."""
        due = or_(notices.c.next_at.is_(None), notices.c.next_at <= now)
        where = and_(notices.c.agency.in_(agencies), notices.c.delivered_at.is_(None))
        return await self._notices(and_(where, due, notices.c.attempts < most_tries), first)

    async def try_delivery(self, notice: Notice, next_at: datetime) -> bool:
        """Whether it is ours to send now; nobody else tries before `next_at`."""
        change = update(notices).where(
            notices.c.id == notice.id,
            notices.c.attempts == notice.attempts,
            notices.c.delivered_at.is_(None),
        )
        async with self._writing() as connection:
            tried = change.values(attempts=notice.attempts + 1, next_at=next_at)
            return await _changed(connection, tried)

    async def delivered(self, id_: str, at: datetime) -> None:
        """The agency's system has taken it."""
        change = update(notices).where(notices.c.id == id_).values(delivered_at=at)
        async with self._writing() as connection:
            await connection.execute(change)

    # --- outcomes owed ---

    async def owe(self, owed: OwedOutcome) -> bool:
        """Whether it is owed now; false where another of its kind still is."""
        try:
            async with self._engine.begin() as connection:
                await connection.execute(insert(outcomes).values(rows.flat(owed, "officer")))
        except IntegrityError:
            return False
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise CaseworkUnavailable(detail=f"casework: {type(error).__name__}") from error
        return True

    async def owed(self, officer: Officer, kind: str) -> tuple[OwedOutcome, ...]:
        """The searches of a kind of which an officer has not yet said what came of them."""
        where = and_(outcomes.c.kind == kind, outcomes.c.outcome.is_(None))
        found = await self._rows(
            select(outcomes)
            .where(rows.is_officer(outcomes.c, "officer", officer), where)
            .order_by("at")
        )
        return tuple(rows.owed(row) for row in found)

    async def record_outcome(
        self, operation: str, officer: Officer, outcome: str, at: datetime
    ) -> OwedOutcome | None:
        """What is now recorded; None where nothing is owed by this officer for this search."""
        where = and_(
            outcomes.c.operation == operation, rows.is_officer(outcomes.c, "officer", officer)
        )
        change = update(outcomes).where(where, outcomes.c.outcome.is_(None))
        async with self._writing() as connection:
            if not await _changed(connection, change.values(outcome=outcome, recorded_at=at)):
                return None
        (row,) = await self._rows(select(outcomes).where(where))
        return rows.owed(row)

    # --- countersignatures ---

    async def wanted(self, asked: Countersignature) -> Countersignature:
        """What somebody else is to agree to: this, or the same that waits already."""
        table = countersignatures.c
        same = and_(rows.is_officer(table, "asker", asked.asker), table.digest == asked.digest)
        query = select(countersignatures).where(same, table.by_id.is_(None)).order_by(table.at)
        if found := await self._rows(query.limit(1)):
            return rows.countersignature(found[0])
        async with self._writing() as connection:
            row = rows.flat(asked, "asker", "by")
            await connection.execute(insert(countersignatures).values(row))
        return asked

    async def to_countersign(self, agency: str, first: int) -> tuple[Countersignature, ...]:
        """What an agency's people wait for, the newest first."""
        table = countersignatures.c
        waiting = and_(table.asker_agency == agency, table.by_id.is_(None))
        query = select(countersignatures).where(waiting).order_by(table.at.desc(), table.id)
        return tuple(rows.countersignature(row) for row in await self._rows(query.limit(first)))

    async def countersignature(self, id_: str) -> Countersignature | None:
        query = select(countersignatures).where(countersignatures.c.id == id_)
        return _first([rows.countersignature(row) for row in await self._rows(query)])

    async def countersign(self, id_: str, by: Officer, until: datetime) -> Countersignature | None:
        """The countersignature; None where there is none to be given, or it is one's own."""
        table = countersignatures.c
        own = and_(table.asker_issuer == by.issuer, table.asker_id == by.id)
        change = update(countersignatures).where(table.id == id_, table.by_id.is_(None), ~own)
        async with self._writing() as connection:
            if not await _changed(connection, change.values(**rows.parts("by", by), until=until)):
                return None
        return await self.countersignature(id_)

    async def stands(self, asker: Officer, digest: str, now: datetime) -> bool:
        """Whether somebody else has agreed to this question, for a search not made yet."""
        query = select(countersignatures.c.id).where(_standing(asker, digest, now)).limit(1)
        return bool(await self._rows(query))

    async def use_countersignature(self, asker: Officer, digest: str, now: datetime) -> bool:
        """Whether this question was agreed to; each agreement is good for one search."""
        table = countersignatures.c
        standing = select(table.id).where(_standing(asker, digest, now))
        one = standing.order_by(table.at).limit(1).scalar_subquery()
        change = update(countersignatures).where(table.id == one, table.used_at.is_(None))
        async with self._writing() as connection:
            return await _changed(connection, change.values(used_at=now))

    # --- budgets ---

    async def count(self, uses: Sequence[Use], now: datetime) -> None:
        """Keep what one process has counted; each is the whole of its part, not what is new."""
        if not uses:
            return
        held = [asdict(use) | {"written_at": now} for use in uses]
        put = self._insert(budget_uses)
        newer = {name: put.excluded[name] for name in ("used", "written_at")}
        key = [column.name for column in budget_uses.primary_key]
        async with self._writing() as connection:
            await connection.execute(
                put.on_conflict_do_update(index_elements=key, set_=newer), held
            )

    async def counted(self, writer: str, after: datetime) -> tuple[Use, ...]:
        """What other processes than `writer` have written since."""
        table = budget_uses.c
        query = select(budget_uses).where(table.writer != writer, table.written_at > after)
        return tuple(map(rows.use, await self._rows(query)))

    async def forget_counts(self, before: datetime) -> None:
        """Delete what counts no longer."""
        async with self._writing() as connection:
            await connection.execute(delete(budget_uses).where(budget_uses.c.since <= before))

    async def release_budget(self, release: BudgetRelease) -> None:
        async with self._writing() as connection:
            row = rows.flat(release, "officer", "by")
            await connection.execute(insert(budget_releases).values(row))

    async def budget_releases(self, now: datetime) -> tuple[BudgetRelease, ...]:
        """Those that stand."""
        query = select(budget_releases).where(budget_releases.c.until > now)
        return tuple(rows.budget_release(row) for row in await self._rows(query))

    # --- the database ---

    async def _take_turns(self, connection: AsyncConnection, whose: Officer) -> None:
        """Let nobody else write what is counted for this officer until this transaction ends.
        SQLite has one writer at a time anyway."""
        if self._engine.dialect.name == "postgresql":
            named = hashlib.sha256(f"{whose.issuer}|{whose.id}|{whose.agency}".encode()).digest()
            lock = int.from_bytes(named[:8], signed=True)
            turn = func.pg_advisory_xact_lock(literal(lock, BigInteger))
            await connection.execute(select(turn))

    def _insert(self, table: Table) -> Any:
        """An insert that can give way to a row that is there already."""
        dialect = sqlite if self._engine.dialect.name == "sqlite" else postgresql
        return dialect.insert(table)

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise CaseworkUnavailable(detail=f"casework: {type(error).__name__}") from error

    async def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        try:
            async with self._engine.connect() as connection:
                found: Sequence[Row[Any]] = (await connection.execute(query)).all()
                return found
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise CaseworkUnavailable(detail=f"casework: {type(error).__name__}") from error

    async def _requests(
        self, where: ColumnElement[bool], first: int | None = None, order: Any = None
    ) -> tuple[ReleaseRequest, ...]:
        asked = select(requests, *_GRANTED.values())
        by = requests.c.at.desc() if order is None else order
        query = asked.outerjoin(grants).where(where).order_by(by, requests.c.id).limit(first)
        return tuple(rows.request(row) for row in await self._rows(query))

    async def _notices(
        self, where: ColumnElement[bool], first: int | None, order: Any = notices.c.at
    ) -> tuple[Notice, ...]:
        query = select(notices).where(where).order_by(order, notices.c.id).limit(first)
        return tuple(rows.notice(row) for row in await self._rows(query))


def address(url: str, state_dir: Path) -> str:
    """The address that the setting names: a file of the gateway's own where it names none."""
    return url or f"sqlite+aiosqlite:///{state_dir / 'casework.sqlite'}"


async def migrate(url: str) -> None:
    """Bring a database's tables to this version.

    Raises:
        ConfigError: it cannot be reached, or this role may not change its tables.
    """
    store = Store(engine_for(url))
    try:
        await store.migrate()
    except (SQLAlchemyError, CommandError, OSError) as error:
        raise fault(f"cannot be brought up to date: {type(error).__name__}") from error
    finally:
        await store.aclose()


def engine_for(url: str) -> AsyncEngine:
    """The pool for an address of SQLite or PostgreSQL.

    Raises:
        ConfigError: it is no such address.
    """
    try:
        where = make_url(url)
    except ArgumentError as error:
        raise fault("is not a database address") from error
    if where.drivername not in _KINDS:
        raise fault(f"must begin with {' or '.join(_KINDS)}")
    if where.password is not None:
        raise fault("must hold no password: PostgreSQL's client reads PGPASSWORD or a passfile")
    if where.drivername.startswith("postgresql"):
        return create_async_engine(where, pool_pre_ping=True)
    if where.database:
        _make(Path(where.database))
    engine = create_async_engine(where, connect_args={"timeout": _BUSY_S})
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _make(file: Path) -> None:
    """The file, for its owner alone: who asked for what is nobody else's business."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
    except OSError as error:
        raise fault(f"its file cannot be made: {error.strerror}") from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """A file that survives a crash, lets readers be, and keeps its references whole."""
    cursor = connection.cursor()
    for statement in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {statement}")
    cursor.close()
    connection.isolation_level = None  # the driver would leave changes of tables outside


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def fault(text: str) -> ConfigError:
    """The address may hold a password, so it is never repeated."""
    return ConfigError(Fault(file="casework_url", key="(database)", text=text))


def _reason_over(before: datetime) -> ColumnElement[bool]:
    """A reason of a request that has ended: with its release, its refusal, or the time by which
    somebody should have decided it."""
    grant = select(func.coalesce(grants.c.revoked_at, grants.c.until))
    released = grant.where(grants.c.request == requests.c.id).scalar_subquery()
    ended = func.coalesce(released, requests.c.decided_at, requests.c.due_at)
    return and_(requests.c.reason_text.is_not(None), ended <= before)


def _standing_grant(now: datetime) -> ColumnElement[bool]:
    return and_(grants.c.until > now, grants.c.revoked_at.is_(None))


def _standing(asker: Officer, digest: str, now: datetime) -> ColumnElement[bool]:
    table = countersignatures.c
    return and_(
        rows.is_officer(table, "asker", asker),
        table.digest == digest,
        table.by_id.is_not(None),
        table.until > now,
        table.used_at.is_(None),
    )


async def _fits(connection: AsyncConnection, request: ReleaseRequest, within: Waiting) -> bool:
    """Whether no more wait than may, the new one counted."""
    table = requests.c
    waiting = and_(rows.is_officer(table, "asker", request.asker), table.state.in_(WAITING))
    of_record = func.count().filter(table.ref == request.ref)
    found = await connection.execute(select(func.count(), of_record).where(waiting))
    most, most_of_record = found.one()
    return bool(most <= within.most and most_of_record <= within.most_of_record)


async def _changed(connection: AsyncConnection, change: Update) -> bool:
    return (await connection.execute(change)).rowcount == 1


async def _tell(connection: AsyncConnection, notice: Notice) -> None:
    row = rows.flat(notice, "asker", "acknowledged_by")
    await connection.execute(insert(notices).values(row))


def _first(found: Sequence[_T]) -> _T | None:
    return found[0] if found else None
