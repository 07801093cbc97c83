"""Queues of misuse, made in a process of their own: what goes in and out, what is refused."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.audit import ranking
from gateway.audit.misuse import Case, Queue
from gateway.audit.queues import Queues
from gateway.audit.ranking import MOST_ENTRIES, Order, Ranked, ranked
from gateway.audit.signals import Pattern
from gateway.errors import LimitExceeded
from tests.unit.audit.auditworld import ANN, World, world

PLATE = "AB12 CDE"
AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
CASE = Case(
    pattern=Pattern.OFF_DUTY, agency="NMC", actors=("aa", "bb"), score=0.5,
    reasons=("On a day off.",), entries=tuple(range(2 * MOST_ENTRIES)), since=AT, until=AT,
)  # fmt: skip


@pytest.fixture(scope="module")
async def filled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[World, Order]]:
    """ann has asked for what may be her own car, twice."""
    base = tmp_path_factory.mktemp("ranking")
    async with world(base) as made:
        for _ in range(2):
            await made.ask(ANN, PLATE)
        await made.seen()
        now = datetime.now(UTC)
        yield (
            made,
            Order(
                index=base / "index.sqlite", keys=base / "keys", feeds=base / "staff",
                agencies=("NMC", "SCP"), since=now - timedelta(days=91), until=now,
            ),
        )  # fmt: skip


def fed(order: Order, folder: Path, text: str) -> Order:
    """The same, with a staff feed of NMC."""
    (folder / "NMC").mkdir()
    (folder / "NMC" / "staff.csv").write_text(text)
    return replace(order, feeds=folder)


def test_what_is_said_between_the_processes_is_understood() -> None:
    order = Order(index=Path("/i"), keys=Path("/k"), feeds=Path("/f"), agencies=("NMC",),
                  since=AT - timedelta(days=7), until=AT)  # fmt: skip
    assert Order.of(order.text()) == order
    queue = Queue(cases=(CASE,), looked_at=7, missing=("There is no watch list.",))
    made = Ranked(queues={None: queue, "NMC": queue}, faults=("line 2",), many=3)
    again = Ranked.of(made.text())
    latest = replace(CASE, entries=CASE.entries[-MOST_ENTRIES:])
    shorter = replace(queue, cases=(latest,))
    assert again == Ranked(queues={None: shorter, "NMC": shorter}, faults=("line 2",), many=3)


async def test_no_key_is_made_and_one_that_was_destroyed_finds_nothing(
    filled: tuple[World, Order], tmp_path: Path
) -> None:
    made, order = filled
    order = fed(order, tmp_path, f"issuer,id,plates\n{ANN.issuer},ann,{PLATE}\n")
    held = made.keys.tokens()
    queues = ranked(order).queues
    assert Pattern.SELF in [case.pattern for case in queues["NMC"].cases]
    assert queues[None].cases == queues["NMC"].cases
    assert (queues["SCP"].cases, queues["SCP"].looked_at) == ((), 0)
    assert made.keys.tokens() == held
    term = next(one for one in held if one.startswith("term/"))
    made.keys.destroy_tokens(term)
    left = ranked(order).queues["NMC"]
    assert left.looked_at == 2
    assert Pattern.SELF not in [case.pattern for case in left.cases]


def test_a_feed_that_cannot_be_used_is_told_of_without_its_values(
    filled: tuple[World, Order], tmp_path: Path
) -> None:
    order = fed(filled[1], tmp_path, f"issuer,id,born\n{ANN.issuer},ann,the eleventh\n")
    made = ranked(order)
    (fault,) = made.faults
    assert "line 2, column born" in fault
    told = made.queues["NMC"].missing
    assert (
        told[0] == "The staff feed of NMC cannot be used: whoever keeps this gateway is told why."
    )
    assert told[0] in made.queues[None].missing
    assert told[0] not in made.queues["SCP"].missing
    assert b"eleventh" not in made.text()


async def test_a_period_of_too_many_searches_is_refused_before_they_are_read(
    filled: tuple[World, Order], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, order = filled
    monkeypatch.setattr(ranking, "MOST_QUERIES", 1)
    assert ranked(order) == Ranked(queues={}, many=2)
    said = Ranked(queues={}, many=2).text().decode()
    queues = Queues(
        follower=made.follower, index=order.index, keys=order.keys, feeds=tmp_path,
        agencies=("NMC",), clock=lambda: AT, patience_s=60,
        program=(sys.executable, "-c", f"import sys; sys.stdin.read(); print({said!r})"),
    )  # fmt: skip
    with pytest.raises(LimitExceeded, match="Choose fewer days"):
        await queues.queue(91, "NMC")
    with pytest.raises(LimitExceeded, match="one of 7, 28, 91"):
        await queues.queue(90, "NMC")
    await queues.aclose()
