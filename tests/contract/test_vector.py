"""A vector search service over pgvector under the contract suite, and searching by likeness."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from connectors.conditions import ALWAYS, NEVER, Compare, Condition, IsNull, Op
from connectors.spi import Ability, Near, SourceProtocolError, SourceQuery
from connectors.vector import VectorConnector
from tests.contract.suite import RICH, ConnectorContract, Rig
from tests.contract.webworld import (
    DIMENSION,
    Secrets,
    World,
    embedding,
    serving,
    web_rig,
    writes_nothing,
)
from tests.servers import Postgres


def connector(world: World, more: Mapping[str, object] | None = None) -> VectorConnector:
    params = [{"column": "ref", "op": "in", "param": "ref", "style": "csv", "max": 20}]

    def relation(name: str) -> dict[str, object]:
        return {
            "path": f"/v2/{name}",
            "items": "items",
            "next": "next",
            "fields_param": "fields",
            "limit_param": "limit",
            "params": params,
            "search": {
                "dimension": DIMENSION,
                "models": ["m1"],
                "ref_param": "ref",
                "fields_param": "fields",
                "filters": [{"column": "code", "op": "in", "param": "codes"}],
            },
        }

    config: dict[str, Any] = {
        "base_url": world.base,
        "token_secret": "TOKEN",
        "relations": {name: relation(name) for name in ("people", "rich", "slow", "broken")},
    }
    return VectorConnector.from_config({**config, **(more or {})}, Secrets())


_GALLERY = """
CREATE EXTENSION vector;
CREATE TABLE gallery (ref text PRIMARY KEY, code text, emb vector(%d));
INSERT INTO gallery
    SELECT ref, code, emb::vector FROM json_to_recordset('%s') AS r (ref text, code text, emb text);
"""
_NEAREST = """
SELECT g.ref, least(1, 1 - (g.emb <=> probe.emb)) AS score FROM gallery g,
    (SELECT coalesce($1::vector, (SELECT emb FROM gallery WHERE ref = $2)) AS emb) probe
WHERE ($3::text[] IS NULL OR g.code = ANY ($3)) AND 1 - (g.emb <=> probe.emb) >= $4
ORDER BY g.emb <=> probe.emb LIMIT $5
"""


@pytest.fixture(scope="module", name="world")
def fixture_world(postgres_server: Postgres) -> Iterator[World]:
    """The service, and the PostgreSQL with pgvector that finds what is near."""
    postgres_server.run("CREATE DATABASE images")
    held = [
        {"ref": row["ref"], "code": row["code"], "emb": str(embedding(at))}
        for at, row in enumerate(RICH)
    ]
    postgres_server.run(_GALLERY % (DIMENSION, json.dumps(held)), database="images")

    async def nearest(body: Mapping[str, Any]) -> list[dict[str, Any]]:
        database = await asyncpg.connect(
            user="postgres", database="images", host=str(postgres_server.socket)
        )
        try:
            probe = str(body["emb"]) if "emb" in body else None
            found = await database.fetch(
                _NEAREST, probe, body.get("ref"), body.get("codes"), body["min_score"], body["k"]
            )
        finally:
            await database.close()
        held = {row["ref"]: row for row in world.rows["rich"]}
        return [
            {**{name: held[row["ref"]][name] for name in body["fields"]}, "score": row["score"]}
            for row in found
        ]

    with serving(World(nearest=nearest)) as world:
        yield world


@pytest.fixture(name="rig")
async def fixture_rig(world: World) -> AsyncIterator[Rig]:
    async def write(live: VectorConnector) -> None:
        await writes_nothing(world, await live._client._authorization())

    async with web_rig(world, connector, write) as rig:
        yield rig


def near(rig: Rig, probe: Near | None = None, **parts: Any) -> SourceQuery:
    probe = probe or Near(column="emb", vector=tuple(embedding(0)), model="m1", min_score=0.9)
    return replace(rig.query(rig.rich, **parts), near=probe)


class TestVector(ConnectorContract):
    async def test_the_nearest_come_best_first_with_their_score(self, rig: Rig) -> None:
        assert Ability.SIMILAR in rig.connector.capabilities.abilities
        result = await rig.connector.fetch(near(rig, columns=("ref", "code"), limit=3))
        assert [row[:2] for row in result.rows] == [("r00", "P"), ("r01", "C"), ("r02", "p")]
        scores = [row[2] for row in result.rows]
        assert scores == pytest.approx([1, math.cos(math.pi / 60), math.cos(math.pi / 30)])
        assert result.truncated

    async def test_a_guard_excludes_before_ranking(self, rig: Rig, world: World) -> None:
        query = near(rig, guard=Compare("code", Op.IN, ("C",)), limit=1)
        assert rig.connector.residual(query) == ALWAYS
        world.clear()
        assert (await rig.connector.fetch(query)).rows[0][0] == "r01"
        assert '"codes": ["C"]' in world.sent[0]

    @pytest.mark.parametrize("guard", [Compare("number", Op.EQ, 5), IsNull("code"), NEVER])
    async def test_what_the_filter_cannot_say_is_left_over(
        self, rig: Rig, guard: Condition
    ) -> None:
        assert rig.connector.residual(near(rig, guard=guard)) == guard

    @pytest.mark.parametrize(
        "probe",
        [
            {"vector": (math.nan, *embedding(0)[1:])},
            {"vector": (math.inf, *embedding(0)[1:])},
            {"vector": tuple(embedding(0)[:-1])},
            {"vector": (*embedding(0), 0.0)},
            {"vector": tuple(0.0 for _ in range(DIMENSION))},
            {"vector": (0.5,) * 1_000_000},
            {"ref": "r05"},  # and a vector
            {"vector": ()},
            {"model": "m9"},
            {"min_score": math.nan},
            {"min_score": 1.5},
        ],
    )
    async def test_ij_12_a_probe_that_is_none_is_not_sent(
        self, rig: Rig, world: World, probe: Mapping[str, Any]
    ) -> None:
        good = near(rig).near
        assert good is not None
        world.clear()
        with pytest.raises(SourceProtocolError):
            await rig.connector.fetch(near(rig, replace(good, **probe)))
        assert world.sent == []

    async def test_a_stored_record_can_be_the_probe(self, rig: Rig, world: World) -> None:
        good = near(rig).near
        assert good is not None
        world.clear()
        stored = near(rig, replace(good, vector=(), ref="r05"), limit=1)
        assert (await rig.connector.fetch(stored)).rows[0][0] == "r05"
        assert '"ref": "r05"' in world.sent[0]

    async def test_explaining_a_search_shows_no_probe(self, rig: Rig) -> None:
        query = near(rig, guard=Compare("code", Op.IN, ("SENTINEL",)))
        text = rig.connector.explain(query)
        assert "SENTINEL" not in text
        assert "emb=?" in text
        assert "codes=?" in text
