"""What a visit says of its answer where a child relation held more than is read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from connectors.conditions import NEVER
from gateway.model import FetchResult, PartGrant, State
from gateway.query.derived import Moment
from gateway.query.fanout import FanOut
from tests.memory import Memory, Row
from tests.unit.query import world

MOST = 2  # rows of a relation; of a child relation five times as many
SEARCH = "{{ personSearch(anyOf: [{{{}}}]) {{ hits {{ warnings {{ kind }} }} }} }}"
PERSON = {"sur": "HODJA", "fore": "A", "sex": 1, "hnd": "P", "silent": 0}
PEOPLE = [{"id": "p1", **PERSON}, {"id": "p2", **PERSON}]


async def searched(
    criteria: str, change: world.Change = lambda _id, grant: grant, **relations: Sequence[Row]
) -> tuple[FetchResult, Memory]:
    north = replace(world.catalogue().sources["north"], max_rows=MOST)
    held = replace(world.catalogue(), sources={"north": north})
    source = Memory({"person": PEOPLE, **relations})
    visits = FanOut(
        catalogue=held, sources={"north": source}, moment=Moment(now=world.NOW), query_id="q",
        ends_at=math.inf,
    )  # fmt: skip
    asked = world.operation(SEARCH.format(criteria))
    agreed = world.allowed(world.plan_of(asked, held=held), change)
    return (await visits.visit(agreed))[0]["f0"], source


def numbers(*persons: str) -> list[dict[str, Any]]:
    """The passport number, once for each of these persons."""
    return [
        {"person": p, "n": n, "kind": "PP", "no": "A1234567"} for n, p in enumerate(persons, 10)
    ]


@pytest.mark.parametrize(("often", "cut"), [(9, False), (10, True)])
async def test_a_search_whose_finds_were_cut_says_that_records_may_be_missing(
    often: int, cut: bool
) -> None:
    persons = ["p1"] * often + ["p2"]
    result, _ = await searched('identifier: "A1234567"', person_no=numbers(*persons))
    assert [record.key for record in result.records] == (["p1"] if cut else ["p1", "p2"])
    assert (result.state, result.truncated) == (State.TRUNCATED if cut else State.ANSWERED, cut)


@pytest.mark.parametrize(("held", "cut"), [(10, False), (11, True)])
async def test_elements_that_were_cut_are_said_to_be_missing(held: int, cut: bool) -> None:
    warnings = [{"person": "p1", "cd": "WE"}] * held
    result, _ = await searched('family: "Hodja"', warning=warnings)
    assert len(result.records[0].values["warnings"]) == 10
    assert (result.state, result.truncated) == (State.TRUNCATED if cut else State.ANSWERED, cut)


async def test_where_nobody_may_be_seen_nothing_is_read_and_nothing_told() -> None:
    def nobody(id_: str, grant: PartGrant) -> PartGrant:
        return replace(grant, rows=NEVER) if id_ == "f0" else grant

    result, source = await searched(
        'identifier: "A1234567"', nobody, person_no=numbers(*["p1"] * 11)
    )
    assert replace(result, elapsed_s=0.0) == FetchResult(state=State.ANSWERED)
    assert source.asked == []
