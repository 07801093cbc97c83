"""Reviews over real SQLite and PostgreSQL, and in the log: said once at each level, by others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from gateway.actions.reviewing import Reviewer, Reviewing, Verdict, note_of
from gateway.audit.entry import ASKER, read_leaf
from gateway.audit.evidence import Evidence
from gateway.audit.index import REVIEW, Index, Opened, Wanted
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.publishing import Unwitnessed
from gateway.audit.recorder import Recorder
from gateway.audit.staff import tokens_of
from gateway.casework.database import migrate
from gateway.casework.model import Finding, Level, Officer, Origin, Review, ReviewCase
from gateway.casework.store import Store
from gateway.errors import CaseworkUnavailable, LimitExceeded, MalformedRequest
from gateway.model import Request, Subject
from tests.servers import Postgres

BOTH = (Level.SUPERVISOR, Level.AUDITOR)
NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
SUPERVISOR = Officer(issuer="https://sign-in.example/nmc", id="sgt", agency="NMC")
AUDITOR = Officer(issuer="https://sign-in.example/nmc", id="aud", agency="NMC")
CASE = ReviewCase(
    id="c-1", at=NOW, origin=Origin.SAMPLE, batch="seed-1", stratum="NMC / A / r / shown",
    agency="NMC", actor="aa" * 32, request="q-1", entry=4, asked_at=NOW - timedelta(days=9),
)  # fmt: skip
FOUND = Review(
    case="c-1", level=Level.SUPERVISOR, at=NOW, outcome=Finding.JUSTIFIED, quality=3, by=SUPERVISOR
)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'casework.sqlite'}"
    server: Postgres = request.getfixturevalue("postgres_server")
    name = f"reviews_{uuid4().hex}"
    server.run(f"CREATE DATABASE {name}")
    return server.url("postgres", name)


@pytest_asyncio.fixture
async def store(url: str) -> AsyncIterator[Store]:
    await migrate(url)
    made = await Store.open(url)
    yield made
    await made.aclose()


async def test_a_query_is_one_case_of_its_sample_however_often_it_is_drawn(store: Store) -> None:
    other = replace(CASE, id="c-2", request="q-2", entry=9, agency="SCP")
    assert await store.to_review(CASE, other) == 2
    assert await store.to_review(replace(CASE, id="c-9"), replace(other, id="c-8")) == 0
    assert await store.to_review(replace(CASE, id="c-3", batch="seed-2")) == 1
    assert await store.review_case("c-1") == CASE
    assert await store.review_case("c-9") is None
    waiting = await store.waiting_for(Level.SUPERVISOR, ["NMC"], 10)
    assert [case.id for case in waiting] == ["c-1", "c-3"]
    assert [c.id for c in await store.waiting_for(Level.AUDITOR, ["NMC", "SCP"], 2)] == [
        "c-1", "c-2",
    ]  # fmt: skip
    assert await store.waiting_for(Level.AUDITOR, [], 10) == ()


async def test_each_level_reviews_once_and_nobody_at_both(store: Store) -> None:
    await store.to_review(CASE)
    tries = await asyncio.gather(
        *(store.review(replace(FOUND, by=replace(SUPERVISOR, id=f"s{n}"))) for n in range(4))
    )
    assert sorted(tries) == [False, False, False, True]
    (first,) = await store.reviews_of("c-1")
    assert not await store.review(replace(FOUND, level=Level.AUDITOR, by=first.by))
    second = replace(FOUND, level=Level.AUDITOR, by=AUDITOR, outcome=Finding.REFERRED, quality=0)
    assert await store.review(second)
    assert await store.reviews_of("c-1") == (first, second)


async def test_a_supervisor_sees_no_auditors_review(store: Store) -> None:
    await store.to_review(CASE, replace(CASE, id="c-2", request="q-2", entry=1))
    second = replace(FOUND, level=Level.AUDITOR, by=AUDITOR, outcome=Finding.REFERRED)
    assert await store.review(FOUND)
    assert await store.review(second)
    seen = await store.reviewed(["seed-1"], ["NMC"], [Level.SUPERVISOR])
    assert [(case.id, said) for case, said in seen.items()] == [("c-2", ()), ("c-1", (FOUND,))]
    third = replace(second, level=Level.STANDARDS, by=replace(AUDITOR, id="ps"), entry=17)
    assert await store.review(third)
    seen = await store.reviewed(["seed-1"], ["NMC"], BOTH)
    assert seen[CASE] == (FOUND, second)  # nor does an auditor see professional standards'
    seen = await store.reviewed(["seed-1", "seed-2"], ["NMC"], list(Level))
    assert set(seen[CASE]) == {FOUND, second, third}
    assert await store.reviewed(["seed-1"], ["SCP"], BOTH) == {}
    assert [c.id for c in await store.waiting_for(Level.AUDITOR, ["NMC"], 9)] == ["c-2"]


async def test_what_looks_like_misuse_waits_in_its_queue_alone(store: Store) -> None:
    await store.to_review(replace(CASE, origin=Origin.MISUSE))
    for level in Level:
        assert await store.waiting_for(level, ["NMC"], 9) == ()
    closed = replace(FOUND, level=Level.AUDITOR, outcome=Finding.CLOSED, quality=None)
    assert await store.review(closed)
    assert await store.reviews_of("c-1") == (closed,)


@pytest.mark.parametrize(
    "wrong", [{"quality": 5}, {"quality": -1}, {"case": "c-7"}, {"level": "OFFICER"}]
)
async def test_the_database_itself_refuses_what_is_no_review(
    store: Store, wrong: dict[str, int | str]
) -> None:
    await store.to_review(CASE)
    with pytest.raises(CaseworkUnavailable):
        await store.review(replace(FOUND, **wrong))  # type: ignore[arg-type]
    assert await store.reviews_of("c-1") == ()


# -- in the log ---------------------------------------------------------------------------------


def subject(id_: str) -> Subject:
    return Subject(
        issuer="https://sign-in.example/nmc", id=id_, agency="NMC", roles=("auditor",),
        clearance="O", training=(), app="pages", token_id="t",  # noqa: S106  # an identifier
        attributes_as_at=NOW,
    )  # fmt: skip


async def test_a_review_is_an_entry_before_it_is_kept_and_nobody_reviews_themselves(
    tmp_path: Path,
) -> None:
    keys = AuditKeys(tmp_path / "keys")
    log = await AuditLog.open(
        tmp_path / "log", keys=keys, origin="portcullis.example/audit", clock=lambda: NOW
    )
    store = await Store.open(f"sqlite+aiosqlite:///{tmp_path / 'casework.sqlite'}")
    recorder = Recorder(
        log=log, witnesses=Unwitnessed(log), keys=keys, gateway="g", clock=lambda: NOW, entitled={}
    )
    tokens = tokens_of(keys)
    actor = tokens("actor", "https://sign-in.example/nmc|ann", "2026-Q1")
    await store.to_review(replace(CASE, actor=actor))
    reviewing = Reviewing(recorder=recorder, store=store, tokens=tokens)
    said = Request(id="v-1", received_at=NOW, authorization=())

    async def reviewed(id_: str, level: Level = Level.AUDITOR, quality: int | None = 2,
                       agency: str = "NMC") -> Review | None:  # fmt: skip
        return await reviewing.review(
            said, subject(id_), "c-1",
            Verdict(outcome=Finding.UNCLEAR, quality=quality, note="Ask Ann"),
            reviewer=Reviewer(level=level, agencies=frozenset({agency}), sees=BOTH),
            use="OVERSIGHT", now=NOW,
        )  # fmt: skip

    try:
        with pytest.raises(LimitExceeded):
            await reviewed("aud", quality=5)
        with pytest.raises(MalformedRequest):
            await reviewed("aud", quality=None)
        assert await reviewed("ann") is None  # her own query
        assert await reviewed("aud", agency="SCP") is None
        assert log.size == 0
        made = await reviewed("aud")
        assert made is not None
        assert await store.reviews_of("c-1") == (made,)
        assert log.size == 1
        leaf = read_leaf(await log.leaf(0))
        assert leaf["kind"] == "V"
        assert leaf["view"] == {"page": "review", "use": "OVERSIGHT", "as": "officer"}
        assert b"Ask Ann" not in await log.leaf(0)
        evidence = Evidence(log=log, keys=keys)
        assert await note_of(evidence, made, "NMC") == "Ask Ann"
        assert await note_of(evidence, made, "SCP") == ""
        assert leaf["review"] == {"origin": "SAMPLE", "sample": "seed-1"}
        for told in (b"UNCLEAR", b"AUDITOR", b"q-1", b"quality"):
            assert told not in await log.leaf(0)
        sealed = await evidence.part(leaf, 0, ASKER, "NMC")
        assert sealed is not None
        assert sealed["review"] == {
            "of": "q-1", "entry": 4, "level": "AUDITOR", "outcome": "UNCLEAR", "quality": 2,
        }  # fmt: skip
        assert await evidence.part(leaf, 0, ASKER, "SCP") is None
        assert await reviewed("eve") is None  # reviewed at this level
        assert await reviewed("aud", Level.SUPERVISOR) is None  # the same eyes
        assert log.size == 1
        index = Index(tmp_path / "index.db", "portcullis.example/audit")
        old = {**leaf, "review": {"of": "q-0", "outcome": "CLOSED"}}  # as it stood in leaves
        erased = Opened(index=2, leaf=leaf)
        index.add([Opened(index=0, leaf=leaf, parts={ASKER: sealed}), Opened(index=1, leaf=old),
                   erased])  # fmt: skip
        found = [(one.act, one.about) for one in index.find(Wanted(kind="V"))]
        assert found == [(REVIEW, ""), (REVIEW, "q-0"), (REVIEW, "q-1")]
        index.close()
    finally:
        await store.aclose()
        await log.aclose()
