"""Where a rule is applied here, pages are filled from later rows and hidden rows are not told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Self

import pytest

from connectors.conditions import ALWAYS, Compare, Condition, Op, all_of
from connectors.spi import Ability, Capability, Health, Secrets, SourceQuery, SourceResult
from gateway.model import Fetch, FetchResult, Part, Plan, State
from gateway.query.derived import Moment
from gateway.query.explain import everything
from gateway.query.fanout import FanOut
from tests.unit.query import world

FEMALE, MALE = 2, 1
VISIBLE = Compare("sex", Op.EQ, "FEMALE")  # which the source is told, and cannot apply
ORDERED = Compare("sex", Op.LT, "MALE")  # which its codes cannot say, so it is not told


class Source:
    """Persons in the order of their keys; it applies nothing of a guard."""

    def __init__(self, sexes: Sequence[int]) -> None:
        self.rows = [{"id": f"p{n:04d}", "sex": sex} for n, sex in enumerate(sexes)]
        self.asked: list[SourceQuery] = []

    @classmethod
    def from_config(cls, config: Mapping[str, object], secrets: Secrets) -> Self:
        raise NotImplementedError

    @property
    def capabilities(self) -> Capability:
        return Capability(abilities=Ability.PROJECT | Ability.LIMIT | Ability.BATCH)

    def residual(self, query: SourceQuery) -> Condition:
        return all_of((query.guard,))

    def explain(self, query: SourceQuery) -> str:
        return query.relation

    async def fetch(self, query: SourceQuery) -> SourceResult:
        self.asked.append(query)
        after = str(query.after or "")
        rows = [row for row in self.rows if str(row["id"]) > after]
        page = rows[: query.limit]
        return SourceResult(
            rows=tuple(tuple(row.get(column) for column in query.columns) for row in page),
            truncated=len(rows) > len(page),
        )

    async def check(self) -> Health:
        return Health(ok=True)

    async def aclose(self) -> None:
        return None


async def read(
    source: Source,
    *,
    rows: Condition = VISIBLE,
    limit: int = 3,
    max_rows: int = 10,
    max_scan: int = 100,
    over_read: bool = True,
) -> FetchResult:
    """Persons of `north`, of which the condition `rows` lets some be seen."""
    north = world.catalogue().sources["north"]
    person = replace(north.entities["Person"], over_read=over_read)
    north = replace(
        north,
        entities=MappingProxyType({"Person": person}),
        max_rows=max_rows,
        max_scan=max_scan,
    )
    parts = (Part(path="", type="Person", reads=frozenset({"sex"})),)
    fetch = Fetch(id="f0", source="north", entity="Person", parts=parts, where=ALWAYS, limit=limit)
    agreed = everything(Plan(fetches=(fetch,)))
    grant = agreed.grants["f0"]
    own = replace(grant.own, rows=rows)
    fan_out = FanOut(
        catalogue=replace(world.catalogue(), sources=MappingProxyType({"north": north})),
        sources={"north": source},
        moment=Moment(now=world.NOW),
        query_id="q",
        ends_at=asyncio.get_running_loop().time() + 3600,
    )
    results, _ = await fan_out.visit(
        replace(agreed, grants={"f0": replace(grant, parts={"": own})})
    )
    return results["f0"]


def keys(result: FetchResult) -> list[Any]:
    return [record.key for record in result.records]


@pytest.mark.parametrize("rows", [VISIBLE, ORDERED])
async def test_a_page_is_filled_from_later_rows(rows: Condition) -> None:
    source = Source([MALE] * 25 + [FEMALE] * 3 + [MALE] * 25)
    result = await read(source, rows=rows)
    assert keys(result) == ["p0025", "p0026", "p0027"]
    assert (result.state, result.truncated) == (State.ANSWERED, False)
    assert result.alarms == 0
    assert max(query.limit for query in source.asked) == 10


@pytest.mark.parametrize("rows", [VISIBLE, ORDERED])
async def test_truncated_tells_of_permitted_rows_alone(rows: Condition) -> None:
    whole = await read(Source([FEMALE] * 3 + [MALE] * 40), rows=rows)
    assert (keys(whole), whole.truncated) == (["p0000", "p0001", "p0002"], False)
    more = await read(Source([FEMALE] * 3 + [MALE] * 40 + [FEMALE]), rows=rows)
    assert (keys(more), more.truncated) == (["p0000", "p0001", "p0002"], True)
    assert more.state is State.TRUNCATED
    hidden = await read(Source([MALE] * 40), rows=rows)
    assert (keys(hidden), hidden.truncated) == ([], False)


async def test_no_more_than_max_scan_is_read_and_the_answer_says_that_there_may_be_more() -> None:
    source = Source([MALE] * 200 + [FEMALE])
    result = await read(source, max_scan=35)
    assert (keys(result), result.truncated) == ([], True)
    assert sum(min(query.limit, 200) for query in source.asked) == 35


async def test_nothing_more_is_read_once_enough_is_known() -> None:
    source = Source([FEMALE] * 100)
    result = await read(source)
    assert (len(keys(result)), result.truncated) == (3, True)
    assert [query.limit for query in source.asked] == [4]


async def test_without_its_owners_consent_the_source_is_not_asked() -> None:
    source = Source([FEMALE])
    result = await read(source, over_read=False)
    assert (result.state, source.asked) == (State.FAULT, [])
