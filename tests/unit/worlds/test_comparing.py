"""Comparing goes to the last page of every list."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace
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


async def test_a_difference_that_does_not_come_again_is_kept_as_such() -> None:
    whole, poorer = Paged(1, "x"), Paged(1)
    both = pair(whole, poorer)

    async def once(body: dict[str, Any], token: str) -> httpx.Response:
        answer = await Paged.post(whole, body, token)
        whole.last = ""
        return answer

    both.whole = cast("World", SimpleNamespace(post=once))
    assert await both.compare(LIST) is None
    (passing,) = both.tally.passing
    assert passing.operation == LIST
    assert passing.whole != passing.poorer
    assert both.tally.differences == []


async def test_what_came_of_a_search_is_recorded_before_the_next_one() -> None:
    owed = ["01a20213-155e-741f-b1cb-582ea7201b8" + end for end in "01"]
    both = pair(Paged(1), Paged(1))

    async def owing(body: dict[str, Any], token: str, to: str = "/graphql") -> httpx.Response:
        if to == "/casework":
            owed.remove(body["variables"]["o"])
            return httpx.Response(200, json={"data": {}})
        if not owed:
            return await Paged.post(Paged(1), body, token)
        text = f"Record first what came of your search {owed[0]}: recordOutcome at /casework."
        error = {"message": text, "extensions": {"code": "REFUSED"}}
        return httpx.Response(403, json={"errors": [error]})

    both.whole = cast("World", SimpleNamespace(post=owing))
    assert await both.differ(LIST) is None
    assert owed == []
