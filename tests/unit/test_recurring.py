"""One thing done over and over: in its pauses, after its failures, and no longer once closed."""

from __future__ import annotations

import asyncio
import logging

import pytest

from gateway.recurring import Recurring

LOG = logging.getLogger("recurring")


class Turns:
    """Counts its turns; every second one fails."""

    def __init__(self) -> None:
        self.made = 0
        self.enough = asyncio.Event()

    async def __call__(self) -> None:
        self.made += 1
        if self.made >= 4:
            self.enough.set()
        if self.made % 2:
            raise ValueError("a secret value")


async def test_a_failure_is_logged_without_its_text_and_the_next_turn_comes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    turns = Turns()
    made = Recurring(turns, every_s=0.001, name="turns", log=LOG)
    before = made.started
    made.start()
    assert (before, made.started) == (False, True)
    await turns.enough.wait()
    await made.aclose()
    after = turns.made
    await asyncio.sleep(0.01)
    assert turns.made == after  # closed is closed
    assert "turns: " in caplog.text
    assert "a secret value" not in caplog.text


@pytest.mark.parametrize(("at_once", "turns"), [(True, 1), (False, 0)])
async def test_it_begins_with_a_turn_or_with_a_pause(at_once: bool, turns: int) -> None:
    counted = Turns()
    made = Recurring(counted, every_s=3600, name="turns", log=LOG)
    made.start(at_once=at_once)
    await asyncio.sleep(0.01)
    await made.aclose()
    assert counted.made == turns


async def test_what_was_never_started_is_closed_all_the_same() -> None:
    await Recurring(Turns(), every_s=1, name="turns", log=LOG).aclose()
