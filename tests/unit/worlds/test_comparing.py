"""Comparing goes to the last page of every list."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

import httpx
import pytest
from graphql import GraphQLSchema

from tests.e2e.worlds import comparing
from tests.e2e.worlds.askers import Asker
from tests.e2e.worlds.comparing import Pair, Tally
from tests.e2e.worlds.operations import Chosen, Operation
from tests.e2e.worlds.twins import World

ASKER = Asker(persona="RO", purpose="OFFICER_SAFETY")
LIST = Operation(
    roots=(Chosen(name="personSearch", inner=(Chosen(name="total"), Chosen(name="next"))),)
)


@dataclass(slots=True)
class Paged:
    """A world whose one list has so many pages, the last of which may say something else."""

    pages: int
    last: str = ""
    asked: int = 0

    async def post(self, body: dict[str, Any], _token: str) -> httpx.Response:
        self.asked += 1
        page = int(next((v for v in body["variables"].values()), 0))
        more = page + 1 < self.pages
        found = {"total": None, "next": str(page + 1) if more else None}
        text = {"data": {"personSearch": found}, "extensions": {"said": "" if more else self.last}}
        spelt = json.dumps(text, ensure_ascii=False, separators=(",", ":"))
        return httpx.Response(200, content=spelt.encode())


def pair(whole: Paged, poorer: Paged) -> Pair:
    return Pair(
        asker=ASKER, whole=cast("World", whole), poorer=cast("World", poorer), token="",
        schema=cast("GraphQLSchema", None), tally=Tally(asker=ASKER),
    )  # fmt: skip


async def test_a_difference_on_the_last_of_many_pages_is_found() -> None:
    whole, poorer = Paged(30, "x"), Paged(30)
    assert await pair(whole, poorer).differ(LIST) is not None
    assert whole.asked == poorer.asked == 30
    assert await pair(Paged(30), Paged(30)).differ(LIST) is None


async def test_a_list_without_an_end_is_no_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "_MOST_PAGES", 20)
    assert await pair(Paged(20), Paged(20)).differ(LIST) is None
    with pytest.raises(RuntimeError, match="more than 20 pages"):
        await pair(Paged(21), Paged(21)).differ(LIST)
