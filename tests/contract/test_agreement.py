"""Random rows and random conditions: every source agrees with `conditions.holds`.

A short run of what `make differential` does at length.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

from connectors.conditions import Compare, Op
from connectors.spi import SourceQuery, SourceResult
from connectors.sql import SqlConnector
from tests.contract.sqlworld import NoSecrets
from tests.differential import databases, services
from tests.differential.agreement import Difference, Place, outcomes
from tests.differential.odds import KEY
from tests.servers import MariaDb, Postgres

_PAIRS = 25_000
_SEED = 1


async def _differences(opened: AbstractAsyncContextManager[Place]) -> list[Difference]:
    async with opened as place:
        found = [outcome async for outcome in outcomes(place, _SEED, _PAIRS)]
    assert sum(outcome.pairs for outcome in found) == _PAIRS
    assert sum(outcome.held for outcome in found) > _PAIRS / 10  # it is not about nothing
    return [difference for outcome in found for difference in outcome.differences]


async def test_sqlite_agrees_with_holds(tmp_path: Path) -> None:
    assert await _differences(databases.sqlite(tmp_path)) == []


async def test_postgresql_agrees_with_holds(
    postgres_server: Postgres, dictionary_locale: str
) -> None:
    assert await _differences(databases.postgresql(postgres_server, dictionary_locale)) == []


async def test_mariadb_agrees_with_holds(mariadb_server: MariaDb) -> None:
    assert await _differences(databases.mariadb(mariadb_server)) == []


async def test_mariadb_finds_a_prefix_before_the_last_characters(mariadb_server: MariaDb) -> None:
    """Its index leaves them out where LIKE is asked in most collations."""
    indexed = ("txt", "fold", "newest", "exact")
    async with databases.mariadb(mariadb_server) as place:
        nothing = dict.fromkeys(place.columns)
        for last in ("\uffff", "\ufffd", "\U0001f6e5", "\U0010ffff"):
            await place.fill([{KEY: "1", **nothing, **dict.fromkeys(indexed, f"_{last}")}])
            for name in indexed:
                query = SourceQuery(
                    query_id="q", relation="odds", columns=(KEY,), key=KEY, timeout_s=10,
                    where=Compare(name, Op.STARTSWITH, "_"),
                )  # fmt: skip
                assert (await place.connector.fetch(query)).rows == (("1",),), (name, last)


async def test_rest_parameters_and_what_they_leave_over_agree_with_holds() -> None:
    assert await _differences(services.rest()) == []


async def test_graphql_arguments_and_what_they_leave_over_agree_with_holds() -> None:
    assert await _differences(services.graphql_service()) == []


class _Shouting(SqlConnector):
    """A connector with a fault: what text should equal, it asks for in capitals."""

    async def fetch(self, query: SourceQuery) -> SourceResult:
        match query.where:
            case Compare(field, Op.EQ, str(value)):
                query = replace(query, where=Compare(field, Op.EQ, value.upper()))
        return await super().fetch(query)


async def test_a_fault_is_found_and_shrunk(tmp_path: Path) -> None:
    async with databases.sqlite(tmp_path) as place:
        url = f"sqlite:///{tmp_path / 'odds.db'}"
        faulty = replace(place, connector=_Shouting.from_config({"url": url}, NoSecrets()))
        found = [d async for o in outcomes(faulty, _SEED, _PAIRS) for d in o.differences]
        await faulty.connector.aclose()
    assert found
    for difference in found:
        assert isinstance(difference.condition, Compare)
        assert len(str(difference.condition.value)) == 1
        assert [v for k, v in difference.row.items() if v and k != KEY] == [
            difference.condition.value
        ]
