"""The demonstration's own BID and NCB, each as a process, under what of the contract they can take.

The suite itself (`suite.py`) runs against services of the tests, for it needs what neither of these
can hold: texts that are null, empty or end in a blank, codes that no list has, and relations that
are slow, that answer nonsense, or that list everything unasked. BID answers to keys and to certain
pairs of criteria only, and both give out records of a fixed form. So the same promises are kept
here over rows that the two do hold, found by their keys, through the `[connection]` tables that the
gateway reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

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
from deploy.demo.population import Agency
from deploy.demo.services.oauth import DEFAULT_CLIENT, DEFAULT_SECRET
from deploy.demo.services.process import running
from gateway.catalogue.check import connect, load_catalogue
from tests.contract.suite import HOSTILE, narrowed
from tests.e2e.smallworld import small_world

ROOT = Path(__file__).parents[2]
WRITERS = {"bid": write_bid, "ncb": write_ncb}
RELATIONS = {"bid": ("persons", "personRef"), "ncb": ("nominals", "guid")}
COLUMNS = {
    "bid": ("personRef", "biographic.gender", "retention", "recordedAt"),
    "ncb": ("guid", "genderIdentity", "governance.handling", "governance.recordedAt"),
}
NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True, slots=True, kw_only=True)
class Real:
    """One of the services, and rows of its own to ask for."""

    id: str
    base: str
    connector: Connector
    keys: tuple[str, ...]  # of every record that it gives out, in order

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


@pytest.fixture(scope="module", name="files")
def fixture_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("real")
    files = {source: directory / f"{source}.json" for source in WRITERS}
    for source, file in files.items():
        WRITERS[source](file, small_world())
    return files


@pytest.fixture(name="real", scope="module", params=sorted(WRITERS))
async def fixture_real(
    request: pytest.FixtureRequest, files: dict[str, Path]
) -> AsyncIterator[Real]:
    source: str = request.param
    module, agency = f"deploy.demo.services.{source}", Agency(source.upper())
    given_out = [copy for _, copy in small_world().held_by(agency) if not copy.restricted]
    more = ("--no-rate",) if source == "bid" else ()
    async with running(module, "--data", str(files[source]), *more) as base:
        connector = connected(source, base)
        yield Real(
            id=source,
            base=base,
            connector=connector,
            keys=tuple(sorted(copy.key for copy in given_out)),
        )
        await connector.aclose()


async def test_many_join_keys_are_one_visit_and_each_record_comes_once(real: Real) -> None:
    assert Ability.BATCH in real.connector.capabilities.abilities
    assert len(real.keys) > 2
    more = [f"{real.keys[0][:-1]}{n}x" for n in range(30)]
    asked = (*real.keys, *more, real.keys[0])[: real.connector.capabilities.max_keys]
    assert await real.keys_of(real.among(*asked)) == [k for k in real.keys if k in asked]


async def test_only_named_columns_leave_in_the_order_asked(real: Real) -> None:
    assert Ability.PROJECT in real.connector.capabilities.abilities
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
        for value in (*values, "nothing"):
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
    query = real.query(real.among(value))
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
    query = real.query(real.among("SENTINEL-4711"))
    gone = connected(real.id, NOWHERE)
    with pytest.raises(SourceUnavailable) as caught:
        await gone.fetch(query)
    assert "SENTINEL-4711" not in str(caught.value)
    assert not (await gone.check()).ok
    await gone.aclose()
    with pytest.raises(SourceProtocolError):
        await real.connector.fetch(replace(query, relation="no_such_relation"))
    assert (await real.connector.check()).ok


async def test_nothing_can_be_written_with_what_the_connector_is_given(
    real: Real, files: dict[str, Path]
) -> None:
    before = files[real.id].read_bytes()
    form = {"grant_type": "client_credentials"}
    async with httpx.AsyncClient(base_url=real.base, trust_env=False) as http:
        given = await http.post("/oauth/token", data=form, auth=(DEFAULT_CLIENT, DEFAULT_SECRET))
        http.headers["authorization"] = f"Bearer {given.json()['access_token']}"
        if real.id == "bid":
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                answer = await http.request(method, f"/v2/persons?personRef={real.keys[0]}")
                assert answer.status_code in (404, 405), method
        else:
            body = {"query": "mutation { remove(guid: 1) { guid } }"}
            answer = await http.post("/graphql", json=body)
            assert answer.json().get("data") is None
            assert answer.json()["errors"]
    assert files[real.id].read_bytes() == before
    assert await real.keys_of(real.among(real.keys[0])) == [real.keys[0]]
