"""Timing asks in turns only of what is answered alike, and finds what takes longer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from tests.e2e.worlds.askers import Asker
from tests.e2e.worlds.session import Session
from tests.e2e.worlds.timing import Case, timed
from tests.e2e.worlds.twins import World

HELD = tuple(f"held{number}" for number in range(6))
CASE = Case(
    name="a hidden record",
    asker=Asker(persona="RO", purpose="OFFICER_SAFETY"),
    pairs=lambda _population, _dice: (({"family": one}, {"family": one[::-1]}) for one in HELD),
)
SESSION = cast("Session", SimpleNamespace(tokens={"RO": "token"}, population=None, whole=None))


@dataclass(slots=True)
class Answering:
    """A world that takes longer over some, and answers others otherwise."""

    slow: frozenset[str] = frozenset()
    told: frozenset[str] = frozenset()

    async def post(self, body: Mapping[str, Any], _token: str) -> httpx.Response:
        family = body["variables"]["who"]["family"]
        if family in self.slow:
            await asyncio.sleep(0.02)
        hits = "[{}]" if family in self.told else "[]"
        return httpx.Response(200, content=f'{{"data":{{"personSearch":{{"hits":{hits}}}}}}}')


async def test_in_20_what_takes_longer_over_what_is_held_is_found_out() -> None:
    world = cast("World", Answering(slow=frozenset(HELD)))
    found = await timed(SESSION, CASE, 0, 30, world)
    assert (found.persons, found.answers) == (6, 30)
    assert found.tells, found
    assert found.held_ms > found.nobody_ms


async def test_in_20_what_the_answers_tell_apart_is_not_timed() -> None:
    world = cast("World", Answering(slow=frozenset(HELD), told=frozenset(HELD[:4])))
    assert (await timed(SESSION, CASE, 0, 6, world)).persons == 2
    everything = cast("World", Answering(told=frozenset(HELD)))
    with pytest.raises(RuntimeError, match="no two answers were alike"):
        await timed(SESSION, CASE, 0, 6, everything)
