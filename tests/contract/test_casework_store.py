"""The gateway's own records, in real SQLite and real PostgreSQL: one suite, the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from gateway.casework import migration
from gateway.casework.database import engine_for, migrate
from gateway.casework.model import (
    Countersignature,
    Notice,
    Officer,
    OwedOutcome,
    ReleaseRequest,
    State,
    Told,
    Urgency,
    Verdict,
    Waiting,
)
from gateway.casework.retention import Retention
from gateway.casework.store import Store
from gateway.casework.tables import metadata
from gateway.cli import main
from gateway.errors import AuditUnavailable, CaseworkUnavailable, ConfigError
from tests.servers import Postgres

NOW = datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC)
ASKER = Officer(issuer="https://sign-in.example/nmc", id="nmc-1", agency="NMC")
OTHER = Officer(issuer="https://sign-in.example/scp", id="nmc-1", agency="SCP")
DESK = Officer(issuer="https://sign-in.example/eru", id="eru-2", agency="ERU")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'state' / 'casework.sqlite'}"
    server: Postgres = request.getfixturevalue("postgres_server")
    name = f"casework_{uuid4().hex}"
    server.run(f"CREATE DATABASE {name}")
    return server.url("postgres", name)


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    await migrate(url)
    opened = await Store.open(url)
    yield opened
    await opened.aclose()


def asked(id_: str = "r-1", *, due_s: int = 900, **more: object) -> ReleaseRequest:
    given = ReleaseRequest(
        id=id_,
        at=NOW,
        asker=ASKER,
        ref="sealed",
        source="eru",
        entity="IntelligenceReport",
        agency="ERU",
        desk="eru-intel",
        on_call="gateway",
        fields=("text", "title"),
        for_s=3600,
        urgency=Urgency.LIFE_AT_RISK,
        purpose="PREVENT_DETECT_CRIME",
        reason_code="R08",
        due_at=NOW + timedelta(seconds=due_s),
    )
    return replace(given, **more)  # type: ignore[arg-type]  # a table


def told(id_: str = "n-1", about: Told = Told.RELEASE_ASKED, subject: str = "r-1") -> Notice:
    return Notice(id=id_, at=NOW, agency="ERU", desk="eru-intel", about=about, subject=subject)


def granted(until_s: int = 3600, **more: object) -> Verdict:
    until = NOW + timedelta(seconds=until_s)
    return replace(Verdict(by=DESK, at=NOW, granted=("text",), until=until), **more)  # type: ignore[arg-type]


async def test_what_is_kept_comes_back_as_it_was(store: Store) -> None:
    request = asked(reason_text="Wörter, “quoted”", case_ref="NM/2026/1")
    await store.ask(request, told())
    assert await store.request("r-1") == request
    assert await store.notice("n-1") == told()
    assert await store.request("r-2") is None


async def test_no_more_wait_than_may_however_many_are_asked_at_once(store: Store) -> None:
    within = Waiting(most=3, most_of_record=2)

    async def ask(id_: str, ref: str, asker: Officer = ASKER) -> bool:
        return await store.ask(asked(id_, ref=ref, asker=asker), told(f"n-{id_}"), within)

    same = await asyncio.gather(*(ask(f"a-{n}", "one") for n in range(5)))
    assert sorted(same) == [False, False, False, True, True]
    others = await asyncio.gather(*(ask(f"b-{n}", f"ref-{n}") for n in range(5)))
    assert sorted(others) == [False, False, False, False, True]
    kept = await store.requests_of(ASKER, 20)
    assert len(kept) == 3
    assert len(await store.notices_of("ERU", 20)) == 3  # nobody is told of what was not kept
    assert await ask("c-1", "one", OTHER)  # each officer has their own
    # what is late waits still; what is decided does not
    (first,) = [one.id for one in kept if one.ref != "one"]
    await store.escalate(NOW + timedelta(days=1), {first: "e-1"})
    assert not await ask("d-1", "another")
    await store.decide(first, granted())
    assert await ask("d-2", "another")
    assert await store.ask(asked("e-1"), told("n-e"))  # where nothing is bounded


async def test_a_request_and_its_notice_are_kept_together_or_not_at_all(store: Store) -> None:
    await store.tell(told())
    with pytest.raises(CaseworkUnavailable):
        await store.ask(asked(), told())  # that notice is there already
    assert await store.request("r-1") is None


async def test_an_officer_sees_their_own_the_newest_first(store: Store) -> None:
    await store.ask(asked("r-1"), told("n-1"))
    await store.ask(asked("r-2", at=NOW + timedelta(seconds=1)), told("n-2"))
    await store.ask(asked("r-3", asker=OTHER), told("n-3"))
    assert [r.id for r in await store.requests_of(ASKER, 10)] == ["r-2", "r-1"]
    assert [r.id for r in await store.requests_of(ASKER, 1)] == ["r-2"]
    assert [r.id for r in await store.requests_of(OTHER, 10)] == ["r-3"]


async def test_a_desk_sees_what_waits_for_its_agency_the_soonest_due_first(store: Store) -> None:
    await store.ask(asked("r-1", due_s=900), told("n-1"))
    await store.ask(asked("r-2", due_s=60), told("n-2"))
    await store.ask(asked("r-3", agency="NCB"), told("n-3"))
    await store.ask(asked("r-4"), told("n-4"))
    await store.decide("r-4", Verdict(by=DESK, at=NOW, refusal="SOURCE_AT_RISK"))
    assert [r.id for r in await store.queue_of("ERU", 10)] == ["r-2", "r-1"]
    assert [r.id for r in await store.queue_of("NCB", 10)] == ["r-3"]


async def test_a_request_is_decided_once_however_many_decide_it(store: Store) -> None:
    await store.ask(asked(), told())
    verdicts = [granted(until_s) for until_s in range(100, 500, 100)]
    done = await asyncio.gather(*(store.decide("r-1", verdict) for verdict in verdicts))
    (decided,) = [one for one in done if one is not None]
    assert decided.state is State.GRANTED
    assert await store.request("r-1") == decided
    (release,) = await store.releases(NOW)
    assert (release.until, release.fields) == (decided.until, ("text",))
    assert release.officer == ASKER


async def test_a_refusal_grants_nothing(store: Store) -> None:
    await store.ask(asked(), told())
    decided = await store.decide("r-1", Verdict(by=DESK, at=NOW, refusal="SOURCE_AT_RISK"))
    assert decided is not None
    assert (decided.state, decided.refusal) == (State.REFUSED, "SOURCE_AT_RISK")
    assert await store.releases(NOW) == ()
    assert await store.decide("r-1", granted()) is None
    assert await store.releases(NOW) == ()


async def test_a_release_ends_at_its_moment(store: Store) -> None:
    await store.ask(asked(), told())
    await store.decide("r-1", granted(60))
    end = NOW + timedelta(seconds=60)
    assert await store.releases(end - timedelta(microseconds=1))
    assert await store.releases(end) == ()


async def test_a_release_is_ended_early_once_and_only_while_it_stands(store: Store) -> None:
    await store.ask(asked("r-1"), told("n-1"))
    await store.ask(asked("r-2"), told("n-2"))
    await store.decide("r-1", granted(60))
    soon = NOW + timedelta(seconds=1)
    assert await store.revoke("r-2", DESK, "IN_ERROR", soon) is None  # not decided yet
    assert [r.id for r in await store.granted_by("ERU", soon, 10)] == ["r-1"]
    assert await store.granted_by("NCB", soon, 10) == ()
    tries = (store.revoke("r-1", DESK, "IN_ERROR", soon) for _ in range(4))
    (ended,) = [one for one in await asyncio.gather(*tries) if one is not None]
    assert (ended.state, ended.revoked_at, ended.revocation) == (State.REVOKED, soon, "IN_ERROR")
    assert await store.request("r-1") == ended
    assert await store.releases(soon) == ()
    assert await store.granted_by("ERU", soon, 10) == ()
    await store.decide("r-2", granted(60))
    assert await store.revoke("r-2", DESK, "IN_ERROR", NOW + timedelta(seconds=60)) is None


async def reasons(store: Store) -> set[str]:
    return {r.id for r in await store.requests_of(ASKER, 10) if r.reason_text}


async def test_a_reason_in_words_is_kept_until_its_request_has_ended_and_then_a_while(
    store: Store,
) -> None:
    """Each request ends another way; `kept` is counted from there and from nowhere else."""
    ends = {"refused": 10, "released": 60, "revoked": 20, "never decided": 30}
    for n, id_ in enumerate(ends):
        await store.ask(asked(id_, due_s=30, reason_text="words", case_ref="NM/1"), told(f"n-{n}"))
    await store.ask(asked("none given", due_s=5), told("n-9"))
    refused = Verdict(by=DESK, at=NOW + timedelta(seconds=10), refusal="SOURCE_AT_RISK")
    await store.decide("refused", refused)
    await store.decide("released", granted(60))
    await store.decide("revoked", granted(60))
    await store.revoke("revoked", DESK, "IN_ERROR", NOW + timedelta(seconds=20))

    kept, time, written = timedelta(days=90), [NOW], []

    async def record(what: str, records: int, ended_by: datetime) -> None:
        assert what == "reasons of release requests"
        assert len(await reasons(store)) >= records  # it is said before it is done
        written.append((records, ended_by))

    retention = Retention(store, kept=kept, clock=lambda: time[0], record=record)
    left = set(ends)
    for id_, second in sorted(ends.items(), key=lambda one: one[1]):
        time[0] = NOW + kept + timedelta(seconds=second, microseconds=-1)
        assert await retention.erase() == 0
        assert await reasons(store) == left
        time[0] = NOW + kept + timedelta(seconds=second)
        assert await retention.erase() == 1
        left.discard(id_)
        assert await reasons(store) == left
    assert written == [(1, NOW + timedelta(seconds=second)) for second in sorted(ends.values())]
    still = await store.request("refused")
    assert still is not None
    assert (still.case_ref, still.refusal) == ("NM/1", "SOURCE_AT_RISK")
    await retention.aclose()


async def test_what_cannot_be_recorded_is_not_erased(store: Store) -> None:
    await store.ask(asked(due_s=1, reason_text="words"), told())

    async def fails(_what: str, _records: int, _ended_by: datetime) -> None:
        raise AuditUnavailable

    later = NOW + timedelta(days=2)
    retention = Retention(store, kept=timedelta(days=1), clock=lambda: later, record=fails)
    with pytest.raises(AuditUnavailable):
        await retention.erase()
    assert await reasons(store) == {"r-1"}
    await retention.aclose()


async def test_of_several_gateways_one_erases(store: Store) -> None:
    await store.ask(asked(due_s=1, reason_text="words"), told())
    before = NOW + timedelta(days=1)
    assert sorted(await asyncio.gather(*(store.erase_reasons(before) for _ in range(3)))) == [
        0, 0, 1,
    ]  # fmt: skip


async def test_what_is_overdue_is_escalated_once_and_its_desk_on_call_told(store: Store) -> None:
    await store.ask(asked("r-1", due_s=60), told("n-1"))
    await store.ask(asked("r-2", due_s=61), told("n-2"))
    now = NOW + timedelta(seconds=60)
    assert await store.overdue(now) == ("r-1",)
    tries = [store.escalate(now, {"r-1": f"e-{n}", "r-2": "e-9"}) for n in range(3)]
    done = [one for escalated in await asyncio.gather(*tries) for one in escalated]
    assert [(r.id, r.state) for r in done] == [("r-1", State.ESCALATED)]
    notices = [n for n in await store.notices_of("ERU", 10) if n.about is Told.RELEASE_OVERDUE]
    assert [(n.subject, n.desk) for n in notices] == [("r-1", "gateway")]
    assert await store.overdue(now) == ()
    decided = await store.decide("r-1", granted())  # late is not never
    assert decided is not None
    assert decided.state is State.GRANTED


async def test_a_notice_is_acknowledged_once(store: Store) -> None:
    await store.tell(told("n-1"), told("n-2"))
    done = await asyncio.gather(*(store.acknowledge("n-1", DESK, NOW) for _ in range(3)))
    assert len([one for one in done if one is not None]) == 1
    assert [n.id for n in await store.notices_of("ERU", 10)] == ["n-2"]
    assert await store.notices_of("NMC", 10) == ()


async def test_a_desk_on_call_has_what_others_did_not_acknowledge(store: Store) -> None:
    """Another agency's people too, once it was told; and those whose matter it is keep it."""
    late = replace(told("n-1"), on_call="gateway", due_at=NOW)
    await store.tell(late, told("n-2"))
    assert await store.notices_of("GATEWAY", 10, ["gateway"]) == ()
    tries = [store.escalate_notice(late, f"o-{n}", NOW) for n in range(3)]
    assert sorted(await asyncio.gather(*tries)) == [False, False, True]
    (notice,) = await store.notices_of("GATEWAY", 10, ["gateway"])
    assert (notice.agency, notice.desk, notice.subject) == ("ERU", "gateway", "n-1")
    assert notice.id in {one.id for one in await store.notices_of("ERU", 10)}
    assert await store.notices_of("NMC", 10, ["nmc-bureau"]) == ()
    assert await store.acknowledge(notice.id, DESK, NOW)
    assert [n.id for n in await store.acknowledged_of("GATEWAY", 10, ["gateway"])] == [notice.id]


async def test_an_outcome_is_owed_until_its_officer_records_it(store: Store) -> None:
    owed = OwedOutcome(operation="q-1", officer=ASKER, kind="face", at=NOW)
    assert await store.owe(owed)
    assert await store.owed(ASKER, "face") == (owed,)
    assert await store.owed(ASKER, "other") == ()
    assert await store.owed(OTHER, "face") == ()
    assert await store.record_outcome("q-1", OTHER, "LEAD", NOW) == ()
    recorded = await store.record_outcome("q-1", ASKER, "LEAD", NOW)
    assert recorded == (replace(owed, outcome="LEAD", recorded_at=NOW),)
    assert await store.record_outcome("q-1", ASKER, "NO_LEAD", NOW) == ()
    assert await store.owed(ASKER, "face") == ()


async def test_at_most_one_outcome_of_a_kind_is_owed_however_many_search_at_once(
    store: Store,
) -> None:
    owed = OwedOutcome(operation="q", officer=ASKER, kind="face", at=NOW)
    tries = [store.owe(replace(owed, operation=f"q-{n}")) for n in range(4)]
    assert sorted(await asyncio.gather(*tries)) == [False, False, False, True]
    assert await store.owe(replace(owed, operation="q-8", kind="other"))
    assert await store.owe(replace(owed, operation="q-9", officer=OTHER))
    (one,) = await store.owed(ASKER, "face")
    await store.record_outcome(one.operation, ASKER, "LEAD", NOW)
    assert await store.owe(replace(owed, operation="q-10"))


async def test_a_search_of_two_kinds_owes_both_or_neither_and_one_outcome_tells_of_both(
    store: Store,
) -> None:
    face = OwedOutcome(operation="q-1", officer=ASKER, kind="face", at=NOW)
    wide = replace(face, kind="wide")
    assert await store.owe(face, wide)
    assert not await store.owe(replace(face, operation="q-2", kind="new"), face)
    assert await store.owed(ASKER, "new") == ()
    recorded = await store.record_outcome("q-1", ASKER, "LEAD", NOW)
    assert recorded == tuple(replace(one, outcome="LEAD", recorded_at=NOW) for one in (face, wide))
    assert await store.owed(ASKER, "face") == await store.owed(ASKER, "wide") == ()
    assert await store.owe(replace(face, operation="q-3"), replace(wide, operation="q-3"))


async def test_a_countersignature_is_anothers_and_good_for_one_search(store: Store) -> None:
    wanted = Countersignature(
        id="c-1", at=NOW, asker=ASKER, digest="d", purpose="APPREHEND", reason_code="R08",
        what="Stop", fields=("Person.names", "Vehicle.make"), face=True, roles=("sergeant",),
    )  # fmt: skip
    assert await store.wanted(wanted) == wanted
    assert await store.wanted(replace(wanted, id="c-2")) == wanted  # it waits already
    assert await store.to_countersign(["NMC", "ERU"], 10) == (wanted,)
    assert await store.to_countersign(["SCP"], 10) == ()
    until = NOW + timedelta(minutes=10)
    assert not await store.use_countersignature(ASKER, "d", NOW)  # nobody has agreed
    assert await store.countersign("c-1", ASKER, until) is None  # one's own
    assert await store.countersignature("c-1") == wanted
    assert await store.countersign("c-1", OTHER, until) == replace(wanted, by=OTHER, until=until)
    assert await store.countersign("c-1", DESK, until) is None
    assert not await store.use_countersignature(ASKER, "another", NOW)
    assert not await store.use_countersignature(OTHER, "d", NOW)
    assert not await store.use_countersignature(ASKER, "d", until)  # too late
    assert await store.stands(ASKER, "d", NOW)
    assert not await store.stands(ASKER, "d", until)
    used = await asyncio.gather(*(store.use_countersignature(ASKER, "d", NOW) for _ in range(4)))
    assert sorted(used) == [False, False, False, True]
    assert not await store.stands(ASKER, "d", NOW)


async def test_the_migrations_make_the_tables_that_the_code_declares(store: Store) -> None:
    def differences(connection: Connection) -> list[object]:
        found: list[object] = compare_metadata(MigrationContext.configure(connection), metadata)
        return found

    async with store._engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_migration_that_was_run_changes_nothing_when_run_again(
    store: Store, url: str
) -> None:
    await store.ask(asked(), told())
    await migrate(url)
    assert await store.request("r-1") is not None


async def test_a_migration_is_run_whole_or_not_at_all(url: str) -> None:
    engine = engine_for(url)

    def stopped(connection: Connection) -> None:
        migration.upgrade(connection)
        raise KeyError("the power went")

    with pytest.raises(KeyError):
        async with engine.begin() as connection:
            await connection.run_sync(stopped)
    async with engine.connect() as connection:
        assert await connection.run_sync(migration.revision) is None
    await engine.dispose()
    await migrate(url)


async def test_tables_of_another_version_stop_the_start(url: str) -> None:
    await migrate(url)
    engine = engine_for(url)
    async with engine.begin() as connection:
        await connection.execute(text("update alembic_version set version_num = '9999'"))
    await engine.dispose()
    with pytest.raises(ConfigError, match="casework_url"):
        await Store.open(url)


async def test_postgresql_is_migrated_by_hand_only(postgres_server: Postgres) -> None:
    name = f"casework_{uuid4().hex}"
    postgres_server.run(f"CREATE DATABASE {name}")
    with pytest.raises(ConfigError, match="portcullis casework migrate"):
        await Store.open(postgres_server.url("postgres", name))
    assert postgres_server.run(r"\dt", database=name) == ""


async def test_sqlite_migrates_itself_and_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "state" / "casework.sqlite"
    await (await Store.open(f"sqlite+aiosqlite:///{file}")).aclose()
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "wrong",
    [
        "casework",
        "mysql://role@host/db",
        "postgresql+asyncpg://role:hidden-word@127.0.0.1/db",
        "postgresql+asyncpg://role@127.0.0.1:1/db",
        "sqlite+aiosqlite:////proc/none/casework.sqlite",
    ],
)
async def test_an_address_that_cannot_be_used_is_a_fault_that_repeats_nothing(wrong: str) -> None:
    with pytest.raises(ConfigError) as caught:
        await Store.open(wrong)
    assert "hidden-word" not in str(caught.value)
    assert caught.value.faults[0].file == "casework_url"


async def test_a_database_that_went_away_is_an_error_in_our_words(
    postgres_server: Postgres,
) -> None:
    name = f"casework_{uuid4().hex}"
    postgres_server.run(f"CREATE DATABASE {name}")
    await migrate(postgres_server.url("postgres", name))
    store = await Store.open(postgres_server.url("postgres", name))
    postgres_server.run(f"DROP DATABASE {name} WITH (FORCE)")
    with pytest.raises(CaseworkUnavailable):
        await store.request("r-1")
    with pytest.raises(CaseworkUnavailable):
        await store.tell(told())
    await store.aclose()


def test_the_command_brings_a_database_up_to_date(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(f'casework_url = "{url}"\n')
    assert main(["casework", "migrate", "--config", str(config)]) == 0
    assert "of this version" in capsys.readouterr().out

    async def opens() -> None:
        await (await Store.open(url)).aclose()

    asyncio.run(opens())
    config.write_text('casework_url = "postgresql+asyncpg://role@127.0.0.1:1/none"\n')
    assert main(["casework", "migrate", "--config", str(config)]) == 2
    assert "casework_url" in capsys.readouterr().err


async def test_several_stores_are_brought_up_to_date_at_once(tmp_path: Path) -> None:
    urls = [f"sqlite+aiosqlite:///{tmp_path / str(n) / 'casework.sqlite'}" for n in range(8)]
    opened = await asyncio.gather(*map(Store.open, urls))
    for store in opened:
        assert await store.notices_of("NMC", 1) == ()
        await store.aclose()
