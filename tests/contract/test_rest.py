"""A REST service under the contract suite, and what REST services do besides."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from connectors.conditions import ALWAYS, And, Compare, Op, Or
from connectors.rest import RestConnector
from connectors.spi import (
    SourceProtocolError,
    SourceQuery,
    SourceRateLimited,
    SourceTimeout,
    SourceUnavailable,
)
from tests.contract.suite import ConnectorContract, Rig
from tests.contract.webworld import Secrets, World, serving, web_rig, writes_nothing


def relation(path: str, **more: object) -> dict[str, object]:
    params = [
        {"column": "ref", "op": "in", "param": "ref", "style": "csv", "max": 20},
        {"column": "name", "op": "eq", "param": "name"},
        {"column": "handling", "op": "eq", "param": "handling"},
    ]
    base = {"path": path, "items": "items", "next": "next", "cursor_param": "cursor"}
    return {**base, "fields_param": "fields", "limit_param": "limit", "params": params, **more}


def connector(world: World, more: Mapping[str, object] | None = None) -> RestConnector:
    names = ("people", "rich", "slow", "broken", "html", "shape", "rows", "nan", "half", "deep",
             "utf16", "huge", "bomb", "cut", "elsewhere", "failing", "looping")  # fmt: skip
    config: dict[str, Any] = {
        "base_url": world.base,
        "oauth": {
            "token_url": f"{world.base}/token",
            "client_id_secret": "ID",
            "client_secret_secret": "SECRET",
            "scope": "read",
        },
        "page_size": 10,
        "max_bytes": 1_000_000,
        "relations": {
            **{name: relation(f"/v2/{name}") for name in names},
            "strict": relation(
                "/v2/rich", min_criteria=2, alone=["ref"], absent_codes=["E4007", "E404"]
            ),
        },
    }
    return RestConnector.from_config({**config, **(more or {})}, Secrets())


@pytest.fixture(scope="module", name="world")
def fixture_world() -> Iterator[World]:
    with serving(World()) as world:
        yield world


@pytest.fixture(name="rig")
async def fixture_rig(world: World) -> AsyncIterator[Rig]:
    async def write(live: RestConnector) -> None:
        await writes_nothing(world, await live._client._authorization())

    async with web_rig(world, connector, write) as rig:
        yield rig


class TestRest(ConnectorContract):
    async def test_values_travel_as_encoded_parameters_only(self, rig: Rig, world: World) -> None:
        for value in ("../admin", "a/b", "a?x=1&y=2", "a#", "a\r\nX-Evil: 1", "%2e"):
            world.clear()
            await rig.refs(rig.query(rig.rich, where=Compare("name", Op.EQ, value)))
            assert {line.partition("?")[0] for line in world.sent if line.startswith("GET")} == {
                "GET /v2/rich"
            }
            assert "Evil: 1" not in world.sent[0]

    async def test_an_or_at_the_top_is_several_requests(self, rig: Rig, world: World) -> None:
        names = ("HOXHA", "hoxha", "Höxha")
        either = Or(tuple(Compare("name", Op.EQ, name) for name in names))
        query = rig.query(rig.rich, where=either)
        assert rig.connector.residual(query) == ALWAYS
        assert len(rig.connector.explain(query).splitlines()) == 3
        world.clear()
        assert await rig.refs(query) == {"r00", "r01", "r03"}
        assert len(world.starts) == 3
        limited = await rig.connector.fetch(rig.query(rig.rich, where=either, limit=2))
        assert [row[0] for row in limited.rows] == ["r00", "r01"]
        assert limited.truncated

    async def test_a_record_found_twice_comes_once(self, rig: Rig) -> None:
        either = Or((Compare("ref", Op.EQ, "r00"), Compare("name", Op.EQ, "HOXHA")))
        assert await rig.refs(rig.query(rig.rich, where=either)) == {"r00"}

    async def test_no_page_is_asked_for_beyond_the_limit(self, rig: Rig, world: World) -> None:
        world.clear()
        result = await rig.connector.fetch(rig.query(rig.rich, limit=11))
        assert (len(result.rows), result.truncated) == (11, True)
        assert len(world.starts) == 2

    async def test_too_few_criteria_are_not_sent(self, rig: Rig, world: World) -> None:
        one = rig.query("strict", where=Compare("name", Op.EQ, "HOXHA"))
        assert rig.connector.residual(one) == one.where
        world.clear()
        with pytest.raises(SourceProtocolError, match="at least 2 criteria"):
            await rig.connector.fetch(one)
        assert world.starts == []
        two = And((Compare("name", Op.EQ, "HOXHA"), Compare("handling", Op.EQ, "P")))
        assert rig.connector.residual(rig.query("strict", where=two)) == ALWAYS
        alone = rig.query("strict", where=Compare("ref", Op.EQ, "r01"))
        assert await rig.refs(alone) == {"r01"}
        assert rig.connector.capabilities.min_criteria == 0

    async def test_a_restricted_person_is_exactly_like_none(self, rig: Rig) -> None:
        async def ask(ref: str) -> object:
            return await rig.connector.fetch(rig.query("strict", where=Compare("ref", Op.EQ, ref)))

        assert await ask("restricted") == await ask("r99")

    @pytest.mark.parametrize(
        "name",
        ["html", "shape", "rows", "nan", "half", "deep", "utf16", "huge", "bomb", "cut",
         "elsewhere", "looping"],
    )  # fmt: skip
    async def test_up_03_sf_03_an_answer_that_cannot_be_used(self, rig: Rig, name: str) -> None:
        with pytest.raises(SourceProtocolError):
            await rig.connector.fetch(rig.query(name))

    async def test_a_failing_service_is_unavailable(self, rig: Rig) -> None:
        with pytest.raises(SourceUnavailable):
            await rig.connector.fetch(rig.query("failing"))

    async def test_429_is_waited_for_within_the_time(self, rig: Rig, world: World) -> None:
        world.refuse_next = 1
        began = time.monotonic()
        assert await rig.refs(rig.query()) == {"p1", "p2", "p3", "p4"}
        assert 0.9 < time.monotonic() - began < 2
        world.refuse_next = 1
        with pytest.raises(SourceRateLimited):
            await rig.connector.fetch(rig.query(timeout_s=0.5))

    async def test_the_rate_is_shared_by_all_queries(self, rig: Rig, world: World) -> None:
        limited = rig.config({"rate_per_s": 10})
        try:
            await limited.fetch(rig.query(limit=1))
            await asyncio.sleep(1.1)
            world.clear()
            async with asyncio.TaskGroup() as group:
                for _ in range(12):
                    group.create_task(limited.fetch(rig.query(limit=10)))
            assert len(world.starts) == 12
            first, eleventh = world.starts[0], sorted(world.starts)[10]
            assert eleventh - first >= 1.0  # ten in any second
            hasty = [limited.fetch(rig.query(timeout_s=0.02)) for _ in range(12)]
            outcomes = await asyncio.gather(*hasty, return_exceptions=True)
            assert any(isinstance(outcome, SourceRateLimited) for outcome in outcomes)
        finally:
            await limited.aclose()

    async def test_a_token_is_kept_and_renewed(self, rig: Rig, world: World) -> None:
        before = len(world.tokens)
        for _ in range(3):
            await rig.refs(rig.query())
        assert len(world.tokens) == before + 1
        world.tokens.clear()  # the service forgot it: 401, one renewal, and on
        assert await rig.refs(rig.query()) == {"p1", "p2", "p3", "p4"}

    async def test_credentials_that_are_refused(self, rig: Rig, world: World) -> None:
        stranger = rig.config(
            {
                "oauth": {
                    "token_url": f"{world.base}/token",
                    "client_id_secret": "SECRET",
                    "client_secret_secret": "ID",
                }
            }
        )
        with pytest.raises(SourceUnavailable) as caught:
            await stranger.fetch(rig.query())
        assert "s3cret" not in str(caught.value)
        await stranger.aclose()

    async def test_paths_reach_into_objects_and_lists(self, rig: Rig) -> None:
        query = rig.query(rig.rich, columns=("bio.names[].family", "bio.at", "bio.none"), limit=1)
        result = await rig.connector.fetch(query)
        assert result.rows == ((["HOXHA", None], 0, None),)

    async def test_up_08_a_slow_drip_does_not_outlast_the_time(self, rig: Rig) -> None:
        with pytest.raises(SourceTimeout):
            await rig.connector.fetch(rig.query(rig.slow, timeout_s=0.2))

    @pytest.mark.parametrize(
        "url",
        ["http://169.254.169.254/x", "http://0xA9FEA9FE/", "http://[::ffff:169.254.169.254]/",
         "file:///etc/passwd", "gopher://host/", "https://user:pass@host/", "https://host/?a=1",
         "http://[fe80::1]/", "https://"],
    )  # fmt: skip
    def test_sf_01_a_url_that_is_no_service(self, world: World, url: str) -> None:
        with pytest.raises(ValueError, match=r"connection\.base_url"):
            connector(world, {"base_url": url})

    async def test_sf02_a_name_that_leads_elsewhere_the_second_time(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The address that was looked at is the one connected to; a forbidden one is refused."""
        real, leads = socket.getaddrinfo, ["127.0.0.1"]
        asked: list[str] = []

        def resolve(host: Any, *given: Any, **more: Any) -> Any:
            if host != "agency.example":
                return real(host, *given, **more)
            asked.append(leads.pop(0) if leads else "169.254.169.254")
            return real(asked[-1], *given, **more)

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        named = World(base=world.base.replace("127.0.0.1", "agency.example"))
        query = SourceQuery(query_id="q", relation="people", columns=("ref",), key="ref")
        first, second = connector(named), connector(named)
        try:
            assert len((await first.fetch(query)).rows) > 0
            assert asked == ["127.0.0.1"]
            with pytest.raises(SourceUnavailable):
                await second.fetch(query)
            assert set(asked[1:]) == {"169.254.169.254"}
        finally:
            await first.aclose()
            await second.aclose()

    async def test_a_lost_connection_is_said_although_the_rate_is_used_up(self) -> None:
        """It is tried once more, in its turn, for which there may be no time."""
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            config = {
                "base_url": f"http://127.0.0.1:{closed.getsockname()[1]}",
                "token_secret": "SECRET",
                "rate_per_s": 1,
                "relations": {"people": relation("/v2/people")},
            }
            live = RestConnector.from_config(config, Secrets())
            query = SourceQuery(query_id="q", relation="people", columns=("ref",), key="ref")
            try:
                with pytest.raises(SourceUnavailable) as told:
                    await live.fetch(replace(query, timeout_s=0.5))
                assert told.type is SourceUnavailable  # and not SourceRateLimited, which is one too
            finally:
                await live.aclose()
