"""Non-interference by generated operations: no caller can tell two worlds apart that differ in
nothing but what the caller may not see; and gateways that are loosened on purpose are found out.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from connectors.conditions import ALWAYS
from deploy.demo.population import Population
from gateway.cli.demo import Demo
from gateway.model import CLEAR, Decision, Ruling
from gateway.pipeline import Gate
from tests.e2e.worlds.askers import ASKERS, Asker, nothing_of_people
from tests.e2e.worlds.comparing import Tally
from tests.e2e.worlds.making import reachable
from tests.e2e.worlds.session import Session, session
from tests.e2e.worlds.timing import CASES, MOST, Case, timed
from tests.e2e.worlds.twins import World
from tests.e2e.worlds.unseen import SECRETS

pytestmark = pytest.mark.timeout(1200)  # all operations are asked before the first test
OPERATIONS = 2000
ROOM = 2**30  # bytes
SEED = 0
FEW = {asker for asker in ASKERS if nothing_of_people(asker) or asker.persona == "FL"}


def memory() -> Path | None:
    """A directory in memory where there is one with room."""
    shared = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it
    return shared if shared.is_dir() and shutil.disk_usage(shared).free > ROOM else None


@pytest.fixture(scope="module")
async def worlds(demo: Demo, population: Population) -> AsyncIterator[Session]:
    """Their gateways' logs and files lie in memory where there is room: nobody reads them after."""
    assert reachable(demo.stack.secrets), "the tests require MariaDB"
    with TemporaryDirectory(prefix="pc-", dir=memory()) as home:
        async with session(demo, population, Path(home)) as made:
            yield made


@pytest.fixture(scope="module")
async def tallies(worlds: Session) -> dict[Asker, Tally]:
    found = await worlds.run(ASKERS, seed=SEED, operations=OPERATIONS, most=1)
    return {tally.asker: tally for tally in found}


@pytest.mark.parametrize("asker", ASKERS, ids=str)
def test_nothing_that_is_asked_tells_what_may_not_be_seen(
    tallies: dict[Asker, Tally], asker: Asker
) -> None:
    tally = tallies[asker]
    assert not tally.differences, "\n\n".join(map(str, tally.differences))
    assert tally.operations >= OPERATIONS // len(ASKERS)
    assert tally.codes["INTERNAL"] == 0
    assert tally.codes["REFUSED"] + tally.codes[""] > 0.7 * tally.operations
    # some may ask next to nothing; of the others' questions many show something
    assert asker in FEW or tally.rows > 2 * tally.operations, tally


def test_each_secret_was_otherwise_in_some_world(
    tallies: dict[Asker, Tally], worlds: Session
) -> None:
    """Equal answers mean something only because something was changed."""
    assert tallies
    assert {secret.name for secret in SECRETS if not worlds.changed.get(secret.name)} == set()


# --- times ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.asker}, {case.name}")
async def test_in_20_no_case_tells_by_time_what_few_answers_would_show(
    worlds: Session, case: Case
) -> None:
    """Few answers, so only what is plain to see: `make worlds TIMING=1` measures."""
    found = await timed(worlds, case, SEED, 60, persons=8)
    assert found.persons > 3
    assert found.low <= MOST, found


# --- gateways that are loosened on purpose -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tampered:
    """A decision point whose decisions are changed on their way."""

    pdp: Any
    change: Callable[[Ruling], Ruling]

    @property
    def serial(self) -> int:
        return int(self.pdp.serial)

    async def decide(self, question: Any) -> Decision:
        decision: Decision = await self.pdp.decide(question)
        rulings = {id_: self.change(ruling) for id_, ruling in decision.rulings.items()}
        return replace(decision, rulings=rulings)


def all_rows(ruling: Ruling) -> Ruling:
    return replace(ruling, rows=ALWAYS)


def all_clear(ruling: Ruling) -> Ruling:
    return replace(ruling, read=dict.fromkeys(ruling.read, CLEAR))


OFFICER = Asker(persona="RO", purpose="OFFICER_SAFETY")


@pytest.fixture(scope="module")
async def poorer(worlds: Session) -> AsyncIterator[World]:
    async with worlds.poorer(OFFICER, "planted") as made:
        yield made


@pytest.mark.parametrize("change", [all_rows, all_clear])
async def test_a_leak_that_is_planted_is_found_and_made_small(
    worlds: Session, poorer: World, change: Callable[[Ruling], Ruling]
) -> None:
    def loosened(gate: Gate) -> Gate:
        return replace(gate, pdp=Tampered(gate.pdp, change))  # type: ignore[arg-type]  # alike

    pair = worlds.pair(poorer, OFFICER, loosened)
    generator = worlds.generator(OFFICER, SEED)
    found = [d async for d in pair.run(generator, range(300), most=1)]
    assert len(found) == 1, "a gateway that enforces nothing was not found out"
    text = found[0].operation.printed().text
    assert text.count("{") <= 6, text  # a root, a list, a component and its criterion
    assert await pair.differ(found[0].operation) is not None
