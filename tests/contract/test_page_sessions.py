"""Sessions of the pages over real SQLite and PostgreSQL: kept sealed, seen, and ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from starlette.requests import Request as HttpRequest

from gateway.casework.database import engine_for, migrate
from gateway.casework.store import Store
from gateway.errors import CaseworkUnavailable, Unauthenticated
from gateway.identity.signing_in import SignedIn
from gateway.model import Subject
from gateway.web.cookies import SESSION, Keys
from gateway.web.sessions import Session, Sessions, kind_of_network
from gateway.web.times import UTC_ZONE
from tests.servers import Postgres

NOW = datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC)
IDLE, LONGEST = timedelta(minutes=15), timedelta(hours=8)
TOKEN = "header.claims." + "s" * 700
SUBJECT = Subject(
    issuer="https://sign-in.example/eru",
    id="eru-2",
    agency="ERU",
    roles=("desk",),
    clearance="OS",
    training=(),
    app="pages",
    token_id="t",  # noqa: S106  # an identifier
    attributes_as_at=NOW,
    expires_at=NOW + timedelta(hours=1),
)
WHO = SignedIn(subject=SUBJECT, token=TOKEN, name="Originator's desk")
OLD, NEW = b"o" * 32, b"n" * 32


@dataclass(slots=True)
class Place:
    """One database, and gateways over it."""

    url: str
    store: Store
    now: datetime = NOW
    accepts: bool = True
    asked: list[str] = field(default_factory=list)

    def gateway(self, *keys: bytes) -> Sessions:
        return Sessions(
            self.store,
            Keys(*(keys or (NEW,))),
            authenticate=self.authenticate,
            clock=lambda: self.now,
            idle=IDLE,
            longest=LONGEST,
        )

    async def authenticate(self, authorization: Sequence[str]) -> Subject:
        self.asked += authorization
        if not self.accepts:
            raise Unauthenticated(detail="no such key any more")
        return SUBJECT

    async def rows(self) -> list[str]:
        """All that the database holds of sessions, as text."""
        engine = engine_for(self.url)
        async with engine.connect() as connection:
            found = (await connection.execute(text("select * from page_session"))).all()
        await engine.dispose()
        return [str(row) for row in found]


@pytest.fixture(params=["sqlite", "postgresql"])
async def at(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'state' / 'casework.sqlite'}"
    else:
        server: Postgres = request.getfixturevalue("postgres_server")
        name = f"sessions_{uuid4().hex}"
        server.run(f"CREATE DATABASE {name}")
        url = server.url("postgres", name)
    await migrate(url)
    store = await Store.open(url)
    yield Place(url=url, store=store)
    await store.aclose()


def browser(session: Session | str, peer: str = "10.1.2.3") -> HttpRequest:
    number = session if isinstance(session, str) else session.number
    headers = [(b"cookie", f"{SESSION}={number}".encode())]
    return HttpRequest({"type": "http", "headers": headers, "client": (peer, 50_000)})


async def over(gateway: Sessions, http: HttpRequest) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await gateway.of(http)
    return caught.value.detail


async def test_a_session_comes_back_as_it_was_and_its_token_is_checked_each_time(
    at: Place,
) -> None:
    opened = await at.gateway().open(WHO, "10.1.2.3")
    found = await at.gateway().of(browser(opened))  # by any gateway over that database
    assert found == opened
    assert found is not None
    assert (found.token, found.name, found.subject) == (TOKEN, WHO.name, SUBJECT)
    assert at.asked == [f"Bearer {TOKEN}"]
    assert TOKEN not in repr(found)
    assert found.number not in repr(found)


async def test_the_time_zone_that_was_chosen_stays_with_the_session_and_lies_sealed(
    at: Place,
) -> None:
    opened = await at.gateway().open(WHO, "10.1.2.3")
    assert opened.zone == UTC_ZONE
    changed = await at.gateway().in_zone(opened, ZoneInfo("Europe/London"))
    found = await at.gateway().of(browser(opened))
    assert found == changed
    assert found is not None
    assert (found.zone.key, found.token, found.name) == ("Europe/London", TOKEN, WHO.name)
    (row,) = await at.rows()
    assert "London" not in row
    assert "another kind" in await over(at.gateway(), browser(opened, peer="127.0.0.1"))
    await at.gateway().end(opened)
    await at.gateway().in_zone(opened, UTC_ZONE)  # what has ended does not come back
    assert await at.rows() == []


@pytest.mark.parametrize("more", [[], ["Europe/Nowhere"]])
async def test_a_session_without_a_zone_that_is_known_is_in_utc(
    at: Place, more: Sequence[str]
) -> None:
    """A gateway before this one opened it; or one with other time zones."""
    opened = await at.gateway().open(WHO, "10.1.2.3")
    held = json.dumps([TOKEN, WHO.name, "private IPv4", *more]).encode()
    await at.store.seal_session(opened.digest, Keys(NEW).seal(held, opened.digest))
    found = await at.gateway().of(browser(opened))
    assert found is not None
    assert (found.zone, found.name) == (UTC_ZONE, WHO.name)


async def test_a_copy_of_the_table_signs_nobody_in(at: Place) -> None:
    opened = await at.gateway().open(WHO, "10.1.2.3")
    (row,) = await at.rows()
    for told in (opened.number, TOKEN, "s" * 100, "eru-2", "Originator", "10.1.2.3"):
        assert told not in row
    assert opened.digest in row
    assert await over(at.gateway(), browser(opened.digest[:43])) == (
        "session: ended, idle or never there"
    )


async def test_each_session_has_a_number_of_its_own(at: Place) -> None:
    opened = [await at.gateway().open(WHO, "10.1.2.3") for _ in range(3)]
    assert len({one.number for one in opened}) == 3
    await at.gateway().end(opened[0])
    assert await at.gateway().of(browser(opened[1])) == opened[1]


@pytest.mark.parametrize("number", ["x", "é" * 43, "x" * 42, "x" * 44, "x" * 42 + "'"])
async def test_a_number_that_is_none_of_ours_asks_nothing(at: Place, number: str) -> None:
    http = HttpRequest(
        {"type": "http", "headers": [(b"cookie", f"{SESSION}={number}".encode())], "client": None}
    )
    assert await over(at.gateway(), http) == "session: no number of ours"
    assert await at.gateway().of(HttpRequest({"type": "http", "headers": []})) is None


async def test_oi_08_it_ends_when_it_is_ended(at: Place) -> None:
    opened = await at.gateway().open(WHO, "10.1.2.3")
    await at.gateway().end(opened)
    assert "ended" in await over(at.gateway(), browser(opened))
    await at.gateway().end(opened)  # twice is no fault
    assert await at.rows() == []


async def test_oi_08_it_ends_unused_and_goes_on_when_used(at: Place) -> None:
    opened = await at.gateway().open(WHO, "10.1.2.3")
    for _ in range(3):
        at.now += IDLE - timedelta(microseconds=1)
        assert await at.gateway().of(browser(opened)) == opened
    at.now += IDLE
    assert "idle" in await over(at.gateway(), browser(opened))
    assert "idle" in await over(at.gateway(), browser(opened))  # being asked for wakes it not


async def test_oi_08_it_ends_with_its_token_or_at_the_longest(at: Place) -> None:
    opened = await at.gateway().open(WHO, "10.1.2.3")
    assert opened.ends == SUBJECT.expires_at
    lasting = replace(SUBJECT, expires_at=NOW + timedelta(days=9))
    long = await at.gateway().open(replace(WHO, subject=lasting), "10.1.2.3")
    assert long.ends == NOW + LONGEST
    while at.now + timedelta(minutes=14) < opened.ends:
        at.now += timedelta(minutes=14)
        assert await at.gateway().of(browser(opened))
    at.now = opened.ends
    assert "ended" in await over(at.gateway(), browser(opened))
    nowhere = replace(WHO, subject=replace(SUBJECT, expires_at=None))
    never = await at.gateway().open(nowhere, "10.1.2.3")  # a token without an end gives none
    assert "ended" in await over(at.gateway(), browser(never))


async def test_it_ends_when_its_token_is_accepted_no_more(at: Place) -> None:
    opened = await at.gateway().open(WHO, "10.1.2.3")
    at.accepts = False
    assert await over(at.gateway(), browser(opened)) == "no such key any more"
    at.accepts = True
    assert "ended" in await over(at.gateway(), browser(opened))


@pytest.mark.parametrize("peer", ["8.8.8.8", "127.0.0.1", "2606:4700::1", "", "fd00::1"])
async def test_oi_08_it_ends_when_it_turns_up_in_another_kind_of_network(
    at: Place, peer: str
) -> None:
    opened = await at.gateway().open(WHO, "10.1.2.3")
    assert await at.gateway().of(browser(opened, "192.168.7.7"))  # another room
    assert "network" in await over(at.gateway(), browser(opened, peer))
    assert "ended" in await over(at.gateway(), browser(opened))


async def test_oi_09_two_keys_overlap_and_the_old_one_dies(at: Place) -> None:
    opened = await at.gateway(OLD).open(WHO, "10.1.2.3")
    assert await at.gateway(NEW, OLD).of(browser(opened)) == opened
    assert "key that is no more" in await over(at.gateway(NEW), browser(opened))
    new = await at.gateway(NEW, OLD).open(WHO, "10.1.2.3")
    assert await at.gateway(NEW).of(browser(new)) == new


async def test_what_it_is_used_for_is_kept_with_it(at: Place) -> None:
    opened = await at.gateway().open(WHO, "10.1.2.3")
    assert opened.use == ""
    said = await at.gateway().use(opened, "COMPLAINT")
    assert said.use == "COMPLAINT"
    assert await at.gateway().of(browser(opened)) == said


async def test_what_is_over_is_forgotten_when_somebody_signs_in(at: Place) -> None:
    for _ in range(3):
        await at.gateway().open(WHO, "10.1.2.3")
    at.now += IDLE
    await at.gateway().open(WHO, "10.1.2.3")
    assert len(await at.rows()) == 1


async def test_an_end_is_not_undone_by_a_page_that_was_on_its_way(at: Place) -> None:
    for _ in range(5):
        opened = await at.gateway().open(WHO, "10.1.2.3")
        at.now += timedelta(minutes=1)
        seen = (at.gateway().of(browser(opened)) for _ in range(3))
        await asyncio.gather(*seen, at.gateway().end(opened), return_exceptions=True)
        assert "ended" in await over(at.gateway(), browser(opened))


async def test_where_they_cannot_be_reached_nobody_is_signed_in(at: Place) -> None:
    opened = await at.gateway().open(WHO, "10.1.2.3")
    engine = engine_for(at.url)
    async with engine.begin() as connection:
        await connection.execute(text("alter table page_session rename to elsewhere"))
    await engine.dispose()
    with pytest.raises(CaseworkUnavailable):
        await at.gateway().of(browser(opened))


def test_kinds_of_networks_are_coarse() -> None:
    assert kind_of_network("10.1.2.3") == kind_of_network("192.168.1.1") == "private IPv4"
    assert kind_of_network("::ffff:10.1.2.3") == "private IPv4"
    assert kind_of_network("8.8.8.8") == "public IPv4"
    assert kind_of_network("fd00::1") == "private IPv6"
    assert kind_of_network("2606:4700::1") == "public IPv6"
    assert kind_of_network("::1") == kind_of_network("127.0.0.9") == "loopback"
    assert kind_of_network("unix") == kind_of_network("") == "unknown"
