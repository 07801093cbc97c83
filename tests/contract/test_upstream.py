"""A GraphQL service under the contract suite, and what GraphQL services do besides."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest

from connectors.conditions import ALWAYS, Compare, Op
from connectors.spi import SourceProtocolError
from connectors.upstream import UpstreamConnector
from tests.contract.suite import RICH, ConnectorContract, Rig
from tests.contract.webworld import SCHEMA, Secrets, World, serving, web_rig


def connector(world: World, more: Mapping[str, object] | None = None) -> UpstreamConnector:
    ref = {"column": "ref", "op": "in", "arg": "ref", "type": "[String!]", "style": "list"}
    args = {
        "people": [ref, {"column": "handling", "arg": "handling", "type": "String"}],
        "rich": [ref, {"column": "name", "arg": "name", "type": "String"}],
        "broken": [ref],
    }
    config: dict[str, Any] = {
        "url": f"{world.base}/graphql",
        "token_secret": "TOKEN",
        "max_complexity": 100,
        "relations": {
            name: {"field": name, "args": args.get(name, [])}
            for name in ("people", "rich", "slow", "broken", "partial")
        },
    }
    return UpstreamConnector.from_config({**config, **(more or {})}, Secrets())


@pytest.fixture(scope="module", name="world")
def fixture_world() -> Iterator[World]:
    with serving(World(complexity=100)) as world:
        yield world


@pytest.fixture(name="rig")
async def fixture_rig(world: World) -> AsyncIterator[Rig]:
    async def write(live: UpstreamConnector) -> None:
        assert SCHEMA.mutation_type is None  # there is nothing to write with
        with pytest.raises(SourceProtocolError):
            await live._ask({"query": "mutation { drop }"}, deadline=float("inf"))

    async with web_rig(world, connector, write) as rig:
        yield rig


class TestUpstream(ConnectorContract):
    async def test_values_are_variables(self, rig: Rig, world: World) -> None:
        world.clear()
        hostile = '"}) { secret }'
        query = rig.query(rig.rich, where=Compare("name", Op.EQ, hostile))
        assert rig.connector.residual(query) == ALWAYS
        assert await rig.refs(query) == set()
        document, variables = world.sent[0].split("\n")
        assert hostile not in document
        assert json.loads(variables)["v0"] == hostile

    async def test_a_wide_selection_is_split_within_the_complexity(
        self, rig: Rig, world: World
    ) -> None:
        columns = ("ref", "name", "code", "number", "amount", "born", "bio.names[].family")
        query = rig.query(rig.rich, columns=(*columns, "bio.at"))
        assert len(rig.connector.explain(query).splitlines()) > 1
        rows = (await rig.connector.fetch(query)).rows
        assert len(rows) == len(RICH)
        assert rows[0] == ("r00", "HOXHA", "P", 0, 0.5, "1991-04-17", ["HOXHA", None], 0)

    async def test_too_deep_a_column_is_refused_before_it_is_asked_for(
        self, rig: Rig, world: World
    ) -> None:
        world.clear()
        with pytest.raises(SourceProtocolError, match="deeper than 6"):
            await rig.connector.fetch(rig.query(columns=("a.b.c.d",)))
        assert world.sent == []

    async def test_up_05_data_beside_errors_is_not_used(self, rig: Rig) -> None:
        with pytest.raises(SourceProtocolError, match="with errors"):
            await rig.connector.fetch(rig.query("partial"))

    async def test_relay_pages_are_followed_up_to_the_limit(self, rig: Rig, world: World) -> None:
        world.clear()
        small = rig.config({"page_size": 4})
        result = await small.fetch(rig.query(rig.rich, limit=9))
        assert ([row[0] for row in result.rows], result.truncated) == (
            [f"r{at:02}" for at in range(9)],
            True,
        )
        assert len([line for line in world.sent if line.startswith("query")]) == 3
        await small.aclose()

    async def test_ij_03_a_column_is_never_part_of_a_document(self, rig: Rig) -> None:
        for name in ("ref } secret {", "ref: secret", "ref(x: 1)", "", "a..b"):
            with pytest.raises(SourceProtocolError):
                await rig.connector.fetch(rig.query(columns=(name,)))
