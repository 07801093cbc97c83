"""What auditors ask, who agreed, and recalls, over real SQLite and PostgreSQL: answered once, by
somebody else; whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from gateway.casework.database import migrate
from gateway.casework.model import (
    Answer,
    AuditMatter,
    Matters,
    Notice,
    Officer,
    Recall,
    Recalled,
    Told,
)
from gateway.casework.retention import Retention
from gateway.casework.store import Store
from gateway.errors import CaseworkUnavailable
from tests.servers import Postgres

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=8)
AU = Officer(issuer="https://sign-in.example/oversight", id="au", agency="OVERSIGHT")
AF = Officer(issuer="https://sign-in.example/nmc", id="af", agency="NMC")
PS = replace(AF, id="ps")
DESK = Officer(issuer="https://sign-in.example/eru", id="dk", agency="ERU")
QUESTION = AuditMatter(
    id="m-1", kind=Matters.QUESTION, at=NOW, by=AU, agency="NMC", entry=4, standards=False,
    use="COMPLAINT", asked=9,
)  # fmt: skip
PAIR = AuditMatter(
    id="p-1", kind=Matters.PAIR, at=NOW, by=PS, agency="NMC", entry=11, standards=True,
    use="INVESTIGATION", asked=11,
)  # fmt: skip
RECALL = Recall(
    id="r-1", at=NOW, by=DESK, source="eru", entity="Person", key="h-1", said="Another's.",
    entry=12, answers=3,
)  # fmt: skip
WHOM = Recalled(recall="r-1", agency="NMC", ref="ref", shown=(("q-1", "2026-02-01T09:00:00Z"),))
NOTICE = Notice(
    id="n-1", at=NOW, agency="NMC", desk="nmc-bureau", about=Told.RECORD_RECALLED, subject="r-1",
    record="ref", on_call="gateway", due_at=LATER,
)  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'casework.sqlite'}"
    server: Postgres = request.getfixturevalue("postgres_server")
    name = f"matters_{uuid4().hex}"
    server.run(f"CREATE DATABASE {name}")
    return server.url("postgres", name)


@pytest_asyncio.fixture
async def store(url: str) -> AsyncIterator[Store]:
    await migrate(url)
    made = await Store.open(url)
    yield made
    await made.aclose()


async def answered(
    store: Store, id_: str, answer: Answer, by: Officer, until: datetime | None = None
) -> bool:
    return await store.answer_matter(
        id_, answer, by=by, role="force_auditor", entry=20, at=NOW, until=until
    )


async def test_what_is_asked_is_answered_once_and_each_agency_sees_its_own(store: Store) -> None:
    hidden = replace(QUESTION, id="m-2", standards=True, at=NOW + timedelta(minutes=1))
    await store.begin_matter(QUESTION)
    await store.begin_matter(hidden)
    await store.begin_matter(PAIR)
    assert await store.matter("m-1") == QUESTION
    assert await store.matter("m-9") is None
    assert await store.matters("SCP", 9) == ()
    assert await store.matters("NMC", 9) == await store.matters("OVERSIGHT", 9)
    assert await store.matters("NMC", 9) == (hidden, QUESTION)
    assert await store.matters("NMC", 9, standards=False) == (QUESTION,)
    tries = await asyncio.gather(
        *(answered(store, "m-2", Answer.ANSWERED, replace(AF, id=f"a{n}")) for n in range(4))
    )
    assert sorted(tries) == [False, False, False, True]
    first, second = await store.matters("NMC", 9)  # what waits is first
    assert (first, second.id, second.answer) == (QUESTION, "m-2", Answer.ANSWERED)
    assert (second.answered, second.answered_at, second.answered_as) == (20, NOW, "force_auditor")


async def test_who_asked_does_not_agree_whatever_the_program_does(store: Store) -> None:
    await store.begin_matter(PAIR)
    with pytest.raises(CaseworkUnavailable):
        await answered(store, "p-1", Answer.AGREED, PS, LATER)
    assert await store.matter("p-1") == PAIR
    same_name = replace(PS, issuer="https://sign-in.example/other")
    assert await answered(store, "p-1", Answer.AGREED, same_name, LATER)


async def test_an_agreement_is_for_one_person_one_use_and_a_while(store: Store) -> None:
    other = replace(PAIR, id="p-2", by=replace(PS, id="ps2"))
    refused = replace(PAIR, id="p-3", use="COMPLAINT")
    for one in (PAIR, other, refused):
        await store.begin_matter(one)
    await store.begin_matter(replace(QUESTION, id="m-3", by=PS, use="RIGHTS"))
    assert not await store.paired(PS, "INVESTIGATION", NOW)
    assert await answered(store, "p-1", Answer.AGREED, replace(PS, id="ps2"), LATER)
    assert await answered(store, "p-3", Answer.REFUSED, replace(PS, id="ps2"))
    assert await answered(store, "m-3", Answer.AGREED, AF, LATER)
    for whom, use, at, holds in (
        (PS, "INVESTIGATION", NOW, True),
        (PS, "INVESTIGATION", LATER - timedelta(microseconds=1), True),
        (PS, "INVESTIGATION", LATER, False),
        (PS, "COMPLAINT", NOW, False),  # refused
        (PS, "RIGHTS", NOW, False),  # agreed, and no pair
        (other.by, "INVESTIGATION", NOW, False),  # not answered
        (replace(PS, agency="SCP"), "INVESTIGATION", NOW, False),
        (replace(PS, issuer="https://sign-in.example/scp"), "INVESTIGATION", NOW, False),
    ):
        assert await store.paired(whom, use, at) is holds
    assert [one.id for one in await store.pairs("NMC", 9)] == ["p-2", "p-1", "p-3"]
    assert await store.pairs("SCP", 9) == ()


async def test_an_agreement_is_ended_once_while_it_holds(store: Store) -> None:
    other, soon = replace(PS, id="ps2"), NOW + timedelta(hours=1)
    await store.begin_matter(PAIR)
    assert not await store.end_pair("p-1", PS, entry=30, at=NOW)  # nobody agreed
    assert await answered(store, "p-1", Answer.AGREED, other, LATER)
    assert not await store.end_pair("p-1", PS, entry=30, at=LATER)  # it is over by then
    tries = await asyncio.gather(
        *(store.end_pair("p-1", who, entry=30, at=soon) for who in (PS, other, PS))
    )
    assert sorted(tries) == [False, False, True]
    matter = await store.matter("p-1")
    assert matter is not None
    assert (matter.ended, matter.ended_at, matter.until) == (30, soon, soon)
    assert matter.ended_by in (PS, other)
    assert not await store.paired(PS, "INVESTIGATION", soon)
    await store.begin_matter(replace(QUESTION, kind=Matters.UNSEALING))
    assert await answered(store, "m-1", Answer.AGREED, AF, LATER)
    assert not await store.end_pair("m-1", AU, entry=31, at=NOW)  # no pair


async def test_a_recall_is_told_once_and_whole_and_says_who_acknowledged(store: Store) -> None:
    scp, told_scp = replace(WHOM, agency="SCP", ref="r2"), replace(NOTICE, id="n-2", agency="SCP")
    begun, made = replace(RECALL, entry=-1), replace(RECALL, told_at=LATER)
    await store.begin_recall(replace(begun, answers=1), [WHOM])
    await store.begin_recall(begun, [WHOM, scp])  # anew
    assert await store.owed_recalls(NOW, 9) == {begun: (WHOM, scp)}
    assert await store.owed_recalls(NOW - timedelta(microseconds=1), 9) == {}
    assert await store.same_recall(replace(RECALL, id="r-9")) == (begun, (WHOM, scp))
    for other in ({"key": "h-2"}, {"said": "x"}, {"source": "x"}, {"entity": "x"}, {"by": AF}):
        assert await store.same_recall(replace(RECALL, **other)) is None
    assert await store.recalls_of("ERU", 9) == {}
    assert await store.recalls_told("NMC", 9) == {}
    tries = await asyncio.gather(
        *(store.tell_recall("r-1", [replace(NOTICE, id=f"n-1{n}"), replace(told_scp, id=f"n-2{n}")],
                            entry=12, at=LATER) for n in range(4))
    )  # fmt: skip
    assert sorted(tries) == [False, False, False, True]
    assert await store.owed_recalls(LATER, 9) == {}
    assert await store.recalls_of("ERU", 9) == {made: (WHOM, scp)}
    assert await store.recalls_of("NMC", 9) == {}
    assert await store.recalls_told("NMC", 9) == {made: WHOM}
    assert await store.recalls_told("ERU", 9) == {}
    (notice,) = await store.notices_of("NMC", 9)
    await store.acknowledge(notice.id, AF, LATER)
    knows = replace(WHOM, acknowledged_at=LATER)
    assert await store.recalls_told("NMC", 9) == {made: knows}
    assert await store.recalls_of("ERU", 9) == {made: (knows, scp)}
    again = replace(begun, id="r-2")
    await store.begin_recall(again, [replace(WHOM, recall="r-2")])
    with pytest.raises(CaseworkUnavailable):  # one part of it is there already
        await store.tell_recall("r-2", [notice], entry=13, at=LATER)
    assert await store.owed_recalls(LATER, 9) == {again: (replace(WHOM, recall="r-2"),)}
    assert not await store.begin_recall(replace(again, id="r-3"), [])  # somebody was quicker
    anew = replace(again, at=LATER)
    assert await store.begin_recall(anew, [])
    for one in (made, again):  # told of; begun anew since
        await store.drop_recall(one)
    assert await store.owed_recalls(LATER, 9) == {anew: ()}
    await store.drop_recall(anew)
    assert await store.owed_recalls(LATER, 9) == {}
    assert await store.recalls_of("ERU", 9) == {made: (knows, scp)}
    with pytest.raises(CaseworkUnavailable):
        await store.begin_recall(RECALL, [WHOM])  # told of, it is not begun again
    assert await store.recalls_of("ERU", 9) == {made: (knows, scp)}


async def test_the_words_and_the_key_of_a_recall_are_kept_for_a_while(store: Store) -> None:
    written: list[tuple[str, int]] = []

    async def record(what: str, count: int, _before: datetime) -> None:
        written.append((what, count))

    time = [LATER + timedelta(days=90) - timedelta(seconds=1)]
    retention = Retention(store, kept=timedelta(days=90), clock=lambda: time[0], record=record)
    await store.begin_recall(replace(RECALL, entry=-1), [WHOM])
    other = replace(RECALL, id="r-2", entry=-1, said="Of another's.")
    await store.begin_recall(other, [replace(WHOM, recall="r-2")])
    await store.tell_recall("r-1", [NOTICE], entry=12, at=LATER)
    assert await retention.erase() == 0
    time[0] = LATER + timedelta(days=90)
    assert await retention.erase() == 1  # what is still owed keeps them
    assert written == [("words and keys of recalls", 1)]
    (left,) = await store.recalls_of("ERU", 9)
    assert left == replace(RECALL, told_at=LATER, key="", said="")
    assert await retention.erase() == 0
    assert [one.id for one in await store.owed_recalls(LATER, 9)] == ["r-2"]


@pytest.mark.parametrize(
    ("name", "value"), [("kind", "GOSSIP"), ("answer", "PERHAPS")], ids=["kind", "answer"]
)
async def test_the_database_itself_refuses_what_is_no_matter(
    store: Store, name: str, value: str
) -> None:
    with pytest.raises(CaseworkUnavailable):
        await store.begin_matter(replace(QUESTION, **{name: value}))  # type: ignore[arg-type]
    assert await store.matter("m-1") is None
