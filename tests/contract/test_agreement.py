"""Random rows and random conditions: every database agrees with `conditions.holds`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.conditions import And, Compare, Condition, IsNull, Op, Or, holds
from connectors.spi import SourceQuery
from connectors.sql import SqlConnector
from tests.contract.sqlworld import NoSecrets, literal
from tests.servers import MariaDb, Postgres

# letters that collations fold, pad, ignore or sort by their own lights, and what LIKE minds
ALPHABET = "aAáÁbßsS\u0131I\u0130iKk \t%_\\'\"-\u0301\u00ad\ud7ff\ue000\U0001f6e5日ﬁ9"
TEXT = st.text(ALPHABET, max_size=4)
LITERAL_TEXT = st.one_of(TEXT, st.text(ALPHABET + "\0\ud800\uffff", max_size=3))
WHOLE = st.one_of(st.integers(-3, 3), st.integers(-(2**31), 2**31 - 1))
LITERAL_NUMBER = st.one_of(
    WHOLE,
    st.integers(-(2**70), 2**70),
    st.floats(allow_infinity=True, allow_nan=True),
    st.decimals(-5, 5, places=3),
)
DATES = st.dates(date(1000, 1, 1), date(9999, 12, 31))
ROW = st.fixed_dictionaries(
    {
        "txt": st.none() | TEXT,
        "num": st.none() | WHOLE,
        "dec": st.none() | st.decimals(-99999, 99999, places=2),
        "dbl": st.none() | st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False),
        "day": st.none() | DATES,
    }
)
LITERAL = st.one_of(LITERAL_TEXT, LITERAL_NUMBER, DATES, st.booleans())


def _comparisons(literals: st.SearchStrategy[Any]) -> st.SearchStrategy[Condition]:
    ops = st.sampled_from([op for op in Op if op is not Op.IN])
    columns = st.sampled_from(["txt", "num", "dec", "dbl", "day"])
    return st.one_of(
        st.builds(Compare, columns, ops, literals),
        st.builds(Compare, columns, st.just(Op.IN), st.lists(literals, max_size=4).map(tuple)),
        st.builds(IsNull, columns),
    )


# half of them aimed at a column's own kind, so that they do more than miss
CONDITION: st.SearchStrategy[Condition] = st.recursive(
    st.one_of(
        _comparisons(LITERAL),
        st.builds(Compare, st.just("txt"), st.sampled_from(list(Op)), TEXT),
        st.builds(
            Compare, st.sampled_from(["num", "dec", "dbl"]), st.sampled_from(list(Op)), WHOLE
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
    max_leaves=6,
)
COLUMNS = ("ref", "txt", "num", "dec", "dbl", "day")


async def _disagreements(
    connector: SqlConnector, conditions: list[Condition]
) -> list[tuple[Condition, set[object]]]:
    """The conditions for which the database chose other rows than `holds` does."""

    async def read(**parts: Any) -> list[dict[str, object]]:
        query = SourceQuery(
            query_id="q", relation="odds", columns=COLUMNS, key="ref", limit=1000, timeout_s=20,
            **parts,
        )  # fmt: skip
        result = await connector.fetch(query)
        return [dict(zip(COLUMNS, row, strict=True)) for row in result.rows]

    held = await read()
    found = []
    for condition in conditions:
        expected = {row["ref"] for row in held if holds(condition, row)}
        given_back = {row["ref"] for row in await read(where=condition)}
        if given_back != expected:
            found.append((condition, expected ^ given_back))
    return found


def _connector(url: str) -> SqlConnector:
    return SqlConnector.from_config({"url": url, "pool_size": 1}, NoSecrets())


def _sample(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """A fixed, varied batch of examples."""
    found: list[Any] = []

    @settings(
        max_examples=count, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def collect(example: Any) -> None:
        found.append(example)

    collect()
    random.Random(0).shuffle(found)  # noqa: S311  # an order, not a secret
    return found


def _fill(rows: list[Mapping[str, Any]], as_literal: Callable[[object], str]) -> str:
    lines = []
    for at, row in enumerate(rows):
        values = ", ".join(as_literal(row[name]) for name in COLUMNS[1:])
        lines.append(f"INSERT INTO odds_t VALUES ('{at:04}', {values});")  # noqa: S608  # ours
    return "\n".join(lines)


@pytest.fixture(name="sqlite_connector")
async def fixture_sqlite_connector(tmp_path: Path) -> AsyncIterator[SqlConnector]:
    path = tmp_path / "odds.db"
    rows = _sample(ROW, 120)
    async with aiosqlite.connect(path) as database:
        await database.execute(
            "CREATE TABLE odds (ref TEXT, txt TEXT, num INTEGER, dec NUMERIC, dbl REAL, day TEXT)"
        )
        for at, row in enumerate(rows):
            values = [float(v) if isinstance(v, Decimal) else v for v in row.values()]
            values = [v.isoformat() if isinstance(v, date) else v for v in values]
            await database.execute(
                "INSERT INTO odds VALUES (?, ?, ?, ?, ?, ?)", (f"{at:04}", *values)
            )
        await database.commit()
    live = _connector(f"sqlite:///{path}")
    yield live
    await live.aclose()


async def test_sqlite_agrees_with_holds(sqlite_connector: SqlConnector) -> None:
    assert await _disagreements(sqlite_connector, _sample(CONDITION, 400)) == []


async def test_postgresql_agrees_with_holds(
    postgres_server: Postgres, dictionary_locale: str
) -> None:
    def create() -> None:
        name = "CREATE DATABASE odds TEMPLATE template0 ENCODING 'UTF8'"
        postgres_server.run(f"{name} LOCALE '{dictionary_locale}';")
        script = (
            "CREATE TABLE odds_t (ref text, txt text, num int, dec numeric, dbl float8, day date);"
            "CREATE VIEW odds AS SELECT * FROM odds_t;"
        )
        postgres_server.run(script + _fill(_sample(ROW, 120), literal), database="odds")

    await asyncio.to_thread(create)
    live = _connector(postgres_server.url("postgres", "odds"))
    assert await _disagreements(live, _sample(CONDITION, 300)) == []
    await live.aclose()


async def test_mariadb_agrees_with_holds(mariadb_server: MariaDb) -> None:
    def create() -> None:
        script = (
            "CREATE DATABASE odds CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci; USE odds;"
            "CREATE TABLE odds_t (ref varchar(10), txt varchar(20), num int, dec_ decimal(20, 2),"
            " dbl double, day date, INDEX (txt));"
            "CREATE VIEW odds AS SELECT ref, txt, num, dec_ AS `dec`, dbl, day FROM odds_t;"
            "CREATE USER odds@localhost; GRANT SELECT ON odds.* TO odds@localhost;"
        )
        rows = _fill(_sample(ROW, 120), lambda value: literal(value, backslashes=True))
        mariadb_server.run(script + rows)

    await asyncio.to_thread(create)
    live = _connector(mariadb_server.url("odds", "", "odds"))
    assert await _disagreements(live, _sample(CONDITION, 300)) == []
    await live.aclose()
