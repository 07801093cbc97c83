"""What stands, in memory: the officer's alone, not a moment longer, and never for long unread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.casework.model import (
    Notice,
    Officer,
    Release,
    ReleaseRequest,
    State,
    Told,
    Urgency,
    Verdict,
)
from gateway.casework.standing import Standing
from gateway.casework.store import Store
from gateway.errors import CaseworkUnavailable
from gateway.model import Subject
from tests.unit.query import world

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
SUBJECT = replace(world.SUBJECT, issuer="https://sign-in.example/nmc", id="u-1", agency="NMC")
WHO = Officer(issuer=SUBJECT.issuer, id=SUBJECT.id, agency=SUBJECT.agency)
DESK = Officer(issuer="https://sign-in.example/eru", id="d-1", agency="ERU")
REFS: dict[tuple[str, str], tuple[str, str, str | int]] = {
    ("NMC", "good"): ("eru", "IntelligenceReport", "K1"),
    ("NMC", "moved"): ("eru", "Other", 1),
}


@dataclass
class Time:
    now: datetime = NOW
    monotonic: float = 0.0
    ids: int = 0

    def new_id(self) -> str:
        self.ids += 1
        return f"n-{self.ids}"


@dataclass(frozen=True)
class Place:
    store: Store
    standing: Standing
    time: Time

    async def release(self, id_: str = "r-1", ref: str = "good", minutes: int = 60) -> None:
        asked = ReleaseRequest(
            id=id_, at=NOW, asker=WHO, ref=ref, source="eru", entity="IntelligenceReport",
            agency="ERU", desk="eru-intel", on_call="eru-duty", fields=("text", "title"),
            for_s=3600, urgency=Urgency.ROUTINE, purpose="APPREHEND", reason_code="R08",
            due_at=NOW + timedelta(minutes=15),
        )  # fmt: skip
        told = Notice(id=f"a-{id_}", at=NOW, agency="ERU", desk="eru-intel",
                      about=Told.RELEASE_ASKED, subject=id_)  # fmt: skip
        await self.store.ask(asked, told)
        until = NOW + timedelta(minutes=minutes)
        await self.store.decide(id_, Verdict(by=DESK, at=NOW, granted=("text",), until=until))

    def fields(self, subject: Subject = SUBJECT) -> list[tuple[str, ...]]:
        return [one.fields for one in self.standing.of(subject, self.time.now)]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    store = await Store.open(f"sqlite+aiosqlite:///{tmp_path / 'c.sqlite'}")
    time = Time()
    standing = Standing(
        store, lambda agency, ref: REFS.get((agency, ref)),
        clock=lambda: time.now, monotonic=lambda: time.monotonic, new_id=time.new_id,
    )  # fmt: skip
    yield Place(store, standing, time)
    await standing.aclose()
    await store.aclose()


async def test_a_release_stands_once_it_was_read_and_gives_what_was_granted(place: Place) -> None:
    await place.release()
    assert place.fields() == []
    await place.standing.refresh()
    assert place.fields() == [("text",)]
    (one,) = place.standing.of(SUBJECT, place.time.now)
    assert (one.source, one.entity, one.key, one.opens) == (
        "eru", "IntelligenceReport", "K1", False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "change", [{"issuer": "https://elsewhere.example"}, {"id": "u-2"}, {"agency": "SCP"}]
)
async def test_it_is_that_officers_alone(place: Place, change: dict[str, str]) -> None:
    await place.release()
    await place.standing.refresh()
    assert place.fields(replace(SUBJECT, **change)) == []  # type: ignore[arg-type]  # texts


async def test_it_ends_at_its_moment_without_being_read_again(place: Place) -> None:
    await place.release(minutes=1)
    await place.standing.refresh()
    place.time.now = NOW + timedelta(seconds=59, microseconds=999999)
    assert place.fields() == [("text",)]
    place.time.now = NOW + timedelta(minutes=1)
    assert place.fields() == []


async def test_what_was_read_too_long_ago_shows_nothing(place: Place) -> None:
    await place.release()
    await place.standing.refresh()
    place.time.monotonic = 5.0
    assert place.fields() == [("text",)]
    place.time.monotonic = 5.1
    assert place.fields() == []
    await place.standing.refresh()
    assert place.fields() == [("text",)]


async def test_a_reading_that_began_earlier_does_not_bring_back_what_has_ended(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.release()
    read, has_read, may_end = place.store.releases, asyncio.Event(), asyncio.Event()

    async def slow(now: datetime) -> tuple[Release, ...]:
        found = await read(now)
        has_read.set()
        await may_end.wait()
        return found

    monkeypatch.setattr(place.store, "releases", slow)
    early = asyncio.create_task(place.standing.refresh())
    await has_read.wait()
    monkeypatch.setattr(place.store, "releases", read)
    place.time.monotonic = 0.1
    assert await place.store.revoke("r-1", DESK, "IN_ERROR", NOW)
    await place.standing.refresh()
    assert place.fields() == []
    may_end.set()
    await early
    assert place.fields() == []


@pytest.mark.parametrize("ref", ["damaged", "moved"])
async def test_a_ref_that_does_not_open_to_that_record_releases_nothing(
    place: Place, ref: str
) -> None:
    await place.release("r-1", ref)
    await place.release("r-2")
    await place.standing.refresh()
    assert [one.id for one in place.standing.of(SUBJECT, NOW)] == ["r-2"]


async def test_its_desk_is_told_of_each_use(place: Place) -> None:
    await place.release()
    await place.standing.refresh()
    await place.standing.used(place.standing.of(SUBJECT, NOW), NOW)
    told = [n for n in await place.store.notices_of("ERU", 10) if n.about is Told.RELEASE_USED]
    assert [(n.subject, n.desk) for n in told] == [("r-1", "eru-intel")]


async def test_what_was_read_last_counts_though_it_was_read_at_the_same_moment(
    place: Place,
) -> None:
    await place.release()
    await place.standing.refresh()
    assert await place.store.revoke("r-1", DESK, "IN_ERROR", NOW)
    await place.standing.refresh()
    assert place.fields() == []


async def test_the_clock_tells_the_desk_on_call_of_a_notice_that_nobody_acknowledged(
    place: Place,
) -> None:
    due = NOW + timedelta(minutes=15)
    told = Notice(id="a-1", at=NOW, agency="ERU", desk="eru-intel", about=Told.SILENT_MATCH,
                  subject="q-1", on_call="eru-duty", due_at=due)  # fmt: skip
    await place.store.tell(told)
    place.time.now = due - timedelta(microseconds=1)
    await place.standing.tick()
    assert [one.id for one in await place.store.notices_of("ERU", 10)] == ["a-1"]
    for place.time.now in (due, due + timedelta(minutes=1)):
        await place.standing.tick()
    found = [one for one in await place.store.notices_of("ERU", 10) if one.id != "a-1"]
    assert [(one.about, one.desk, one.subject) for one in found] == [
        (Told.NOTICE_OVERDUE, "eru-duty", "a-1")
    ]


async def test_the_clock_escalates_and_reads(place: Place) -> None:
    await place.release("r-1")
    asked = await place.store.request("r-1")
    assert asked is not None
    waiting = replace(asked, id="r-2", state=State.OPEN, decided_at=None, granted=(), until=None)
    told = Notice(id="a-2", at=NOW, agency="ERU", desk="d", about=Told.RELEASE_ASKED, subject="r-2")
    await place.store.ask(waiting, told)
    place.time.now = NOW + timedelta(minutes=15)
    await place.standing.tick()
    late = await place.store.request("r-2")
    assert late is not None
    assert late.state is State.ESCALATED
    assert place.fields() == [("text",)]


async def test_a_clock_that_cannot_read_goes_on_and_what_it_knew_ends(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.release()
    failures: list[int] = []
    again = asyncio.Event()

    async def fails(_now: datetime) -> tuple[()]:
        failures.append(1)
        if len(failures) == 3:
            again.set()
        raise CaseworkUnavailable

    monkeypatch.setattr("gateway.casework.standing._EVERY_S", 0.01)
    await place.standing.start()
    assert place.fields() == [("text",)]
    monkeypatch.setattr(place.store, "releases", fails)
    await again.wait()
    place.time.monotonic = 60.0
    assert place.fields() == []
