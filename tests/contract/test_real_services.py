"""The demonstration's own BID, NCB and NIS, each as a process, under what of the contract they can
take.

The suite itself (`suite.py`) runs against services of the tests, for it needs what none of these
can hold: texts that are null, empty or end in a blank, codes that no list has, and relations that
are slow, that answer nonsense, or that list everything unasked. BID answers to keys and to certain
pairs of criteria only, NIS to keys of images and of their subjects, and all give out records of a
fixed form. So the same promises are kept here over rows that the three do hold, found by their
keys, through the `[connection]` tables that the gateway reads.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import httpx
import pytest

from connectors.conditions import And, Compare, Condition, IsNull, Op, holds
from connectors.spi import (
    Ability,
    Connector,
    SourceProtocolError,
    SourceQuery,
    SourceTimeout,
    SourceUnavailable,
)
from deploy.demo.agencies.bid import write_bid
from deploy.demo.agencies.ncb import write_ncb
from deploy.demo.agencies.nis import SERVICE_ROLE, write_nis
from deploy.demo.databases import PostgreSQL, remove_postgres_data
from deploy.demo.population import Agency
from deploy.demo.services.oauth import DEFAULT_CLIENT, DEFAULT_SECRET
from deploy.demo.services.process import running
from gateway.catalogue.check import connect, load_catalogue
from tests.contract.suite import HOSTILE, narrowed
from tests.e2e.smallworld import small_world

ROOT = Path(__file__).parents[2]
FILES = {"bid": write_bid, "ncb": write_ncb}
SOURCES = (*FILES, "nis")
RELATIONS = {
    "bid": ("persons", "personRef"),
    "ncb": ("nominals", "guid"),
    "nis": ("images", "img_id"),
}
# What any text may be asked of: an image's own key is a UUID, and NIS takes nothing else for one.
TEXTS = {"bid": "personRef", "ncb": "guid", "nis": "subj_ref"}
COLUMNS = {
    "nis": ("img_id", "subj_ref", "force_cd", "retention_cd", "taken_on"),
    "bid": ("personRef", "biographic.gender", "retention", "recordedAt"),
    "ncb": ("guid", "genderIdentity", "governance.handling", "governance.recordedAt"),
}
NOTHING = "00000000-0000-0000-0000-000000000000"  # a key that anybody takes, and nobody's
NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True, slots=True, kw_only=True)
class Real:
    """One of the services, and rows of its own to ask for."""

    id: str
    base: str
    connector: Connector
    keys: tuple[str, ...]  # of every record that it gives out, in order
    held: Callable[[], bytes]  # all that it serves, as it lies on the disk or in the database

    @property
    def key(self) -> str:
        return RELATIONS[self.id][1]

    def among(self, *keys: str) -> Condition:
        return Compare(self.key, Op.IN, keys or self.keys)

    def query(self, where: Condition, *columns: str, **more: Any) -> SourceQuery:
        given: dict[str, Any] = {"limit": 500, "timeout_s": 10.0, **more}
        relation, key = RELATIONS[self.id]
        return SourceQuery(
            query_id="q1",
            relation=relation,
            key=key,
            columns=columns or (key,),
            where=where,
            **given,
        )

    async def keys_of(self, where: Condition, **more: Any) -> list[object]:
        query = self.query(where, **more)
        return [row[self.key] for row in await narrowed(self.connector, query)]


def connected(source: str, base: str) -> Connector:
    """By the deployed mapping file, without the rate that it keeps to."""

    class Secrets:
        def get(self, name: str) -> str:
            token, url = f"{base}/oauth/token", base + ("/graphql" if source == "ncb" else "")
            kinds = {
                "TOKEN_URL": token,
                "URL": url,
                "ID": DEFAULT_CLIENT,
                "SECRET": DEFAULT_SECRET,
            }
            return next(value for end, value in kinds.items() if name.endswith(end))

    catalogue = load_catalogue(ROOT / "deploy/catalogue")
    held = catalogue.sources[source]
    kept = {key: value for key, value in held.connection.items() if key != "rate_per_s"}
    only = {source: replace(held, connection=MappingProxyType(kept))}
    return connect(replace(catalogue, sources=MappingProxyType(only)), Secrets())[source]


@asynccontextmanager
async def served(source: str) -> AsyncIterator[tuple[str, Callable[[], bytes]]]:
    """The address of a service over the small world, and what tells whether anything changed."""
    module = f"deploy.demo.services.{source}"
    with tempfile.TemporaryDirectory(prefix="portcullis-") as made:
        home = Path(made)
        if source in FILES:
            file = home / f"{source}.json"
            FILES[source](file, small_world())
            more = ("--no-rate",) if source == "bid" else ()
            async with running(module, "--data", str(file), *more) as base:
                yield base, file.read_bytes
            return
        try:
            with await asyncio.to_thread(PostgreSQL.start, home) as server:
                server.create_database("nis")
                await write_nis(server.url(database="nis"), small_world())
                dump = partial(server.run, "select * from face order by 1", database="nis")
                dsn = server.url(SERVICE_ROLE, "nis")
                async with running(module, "--dsn", dsn) as base:
                    yield base, lambda: dump().encode()
        finally:
            remove_postgres_data(home)


def given_out(source: str) -> list[str]:
    """The keys of what a service gives out of the small world."""
    world = small_world()
    if source == "nis":
        return [image.image_id for image in world.images if image.retention != "X"]
    copies = world.held_by(Agency(source.upper()))
    return [copy.key for _, copy in copies if not copy.restricted]


@pytest.fixture(name="real", scope="module", params=sorted(SOURCES))
async def fixture_real(request: pytest.FixtureRequest) -> AsyncIterator[Real]:
    source: str = request.param
    async with served(source) as (base, held):
        connector = connected(source, base)
        keys = tuple(sorted(given_out(source)))
        yield Real(id=source, base=base, connector=connector, keys=keys, held=held)
        await connector.aclose()


async def test_many_join_keys_are_one_visit_and_each_record_comes_once(real: Real) -> None:
    assert Ability.BATCH in real.connector.capabilities.abilities
    assert len(real.keys) > 2
    more = [str(uuid4()) for _ in range(30)]  # nobody's
    asked = (*real.keys, *more, real.keys[0])[: real.connector.capabilities.max_keys]
    assert await real.keys_of(real.among(*asked)) == [k for k in real.keys if k in asked]


async def test_only_named_columns_leave_in_the_order_asked(real: Real) -> None:
    # NIS projects its listing; its search answers whole, so it does not promise it of everything
    assert (Ability.PROJECT in real.connector.capabilities.abilities) is (real.id != "nis")
    key, other, *_ = COLUMNS[real.id]
    query = real.query(real.among(real.keys[0]), other, key)
    [row] = (await real.connector.fetch(query)).rows
    assert row[1] == real.keys[0]
    explained = real.connector.explain(query)
    assert "names" not in explained
    assert "nomenclature" not in explained


async def test_truncation_is_honest_and_after_walks_on(real: Real) -> None:
    held = real.keys[:20]
    for limit, more in ((len(held) - 1, True), (len(held), False), (len(held) + 1, False)):
        result = await real.connector.fetch(real.query(real.among(*held), limit=limit))
        assert (len(result.rows), result.truncated) == (min(limit, len(held)), more)
    seen: list[object] = []
    while True:
        after = seen[-1] if seen else None
        result = await real.connector.fetch(real.query(real.among(*held), limit=2, after=after))
        seen += [row[0] for row in result.rows]
        if not result.truncated:
            break
    assert seen == [*held]


async def test_every_comparison_agrees_with_holds(real: Real) -> None:
    """On what the service holds, whether it has a parameter for it or leaves it over."""
    among = real.among(*real.keys[:20])
    held = await narrowed(real.connector, real.query(among, *COLUMNS[real.id]))
    tried = 0
    for column in COLUMNS[real.id]:
        values = {row[column] for row in held if isinstance(row[column], str | int)}
        conditions: list[Condition] = [IsNull(column), Compare(column, Op.IN, tuple(values))]
        for value in (*values, NOTHING):
            conditions += [Compare(column, op, value) for op in (Op.EQ, Op.NE, Op.LT, Op.GTE)]
        for condition in conditions:
            expected = [row[real.key] for row in held if holds(condition, row)]
            assert await real.keys_of(And((among, condition))) == expected, condition
            guarded = await real.keys_of(among, guard=condition)
            assert guarded == expected, condition
            tried += 1
    assert tried > 20


@pytest.mark.parametrize("value", HOSTILE)
async def test_hostile_keys_are_text(real: Real, value: str) -> None:
    query = real.query(Compare(TEXTS[real.id], Op.EQ, value))
    assert len(value) < 5 or value not in real.connector.explain(query)
    assert await narrowed(real.connector, query) == []
    assert await real.keys_of(real.among(real.keys[0])) == [real.keys[0]]


async def test_leaving_and_running_out_of_time_cost_the_next_visit_nothing(real: Real) -> None:
    query = real.query(real.among(real.keys[0]))
    for _ in range(3):
        visit = asyncio.ensure_future(real.connector.fetch(query))
        await asyncio.sleep(0)
        visit.cancel()
        with pytest.raises(asyncio.CancelledError):
            await visit
    with pytest.raises(SourceTimeout):
        await real.connector.fetch(replace(query, timeout_s=0.0001))
    async with asyncio.TaskGroup() as group:
        visits = [group.create_task(real.keys_of(real.among(key))) for key in real.keys[:8]]
    assert [visit.result() for visit in visits] == [[key] for key in real.keys[:8]]


async def test_what_is_not_there_is_told_by_its_kind(real: Real) -> None:
    query = real.query(Compare(TEXTS[real.id], Op.EQ, "SENTINEL-4711"))
    gone = connected(real.id, NOWHERE)
    with pytest.raises(SourceUnavailable) as caught:
        await gone.fetch(query)
    assert "SENTINEL-4711" not in str(caught.value)
    assert not (await gone.check()).ok
    await gone.aclose()
    with pytest.raises(SourceProtocolError):
        await real.connector.fetch(replace(query, relation="no_such_relation"))
    assert (await real.connector.check()).ok


WRITES = {
    "bid": [(m, "/v2/persons?personRef={key}") for m in ("POST", "PUT", "PATCH", "DELETE")],
    "nis": [(m, "/images?img_id={key}") for m in ("POST", "PUT", "PATCH", "DELETE")],
}


async def test_nothing_can_be_written_with_what_the_connector_is_given(real: Real) -> None:
    before = await asyncio.to_thread(real.held)
    form = {"grant_type": "client_credentials"}
    async with httpx.AsyncClient(base_url=real.base, trust_env=False) as http:
        given = await http.post("/oauth/token", data=form, auth=(DEFAULT_CLIENT, DEFAULT_SECRET))
        http.headers["authorization"] = f"Bearer {given.json()['access_token']}"
        for method, path in WRITES.get(real.id, ()):
            answer = await http.request(method, path.format(key=real.keys[0]))
            assert answer.status_code in (404, 405), method
        if real.id == "ncb":
            body = {"query": "mutation { remove(guid: 1) { guid } }"}
            answer = await http.post("/graphql", json=body)
            assert answer.json().get("data") is None
            assert answer.json()["errors"]
    assert await asyncio.to_thread(real.held) == before
    assert await real.keys_of(real.among(real.keys[0])) == [real.keys[0]]
