"""F-31, F-32: whole gateways that are killed, at every step of a query and by chance under load.

A thousand times: `make crash KILLS=1000`.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.audit.reconciler import Reconciler
from gateway.audit.verify import Report, verify
from gateway.cli.demo import Demo
from tests.contract.auditplaces import Database, now
from tests.crash.gateways import SOURCES, House, killed
from tests.crash.kills import RESUMES_S, Tally
from tests.servers import postgres

BEFORE = ("authenticated", "decided")
BETWEEN = ("intended", *(f"asked {source}" for source in SOURCES), "shaped")
AFTER = ("recorded", "first byte", "last byte")


def verified(house: House) -> Report:
    one = house.settings[0]
    return verify(one.audit_dir, (one.audit_keys_dir / "log.pub").read_text())


async def test_F_31_a_gateway_that_is_killed_at_a_step_leaves_what_it_had_come_to(
    demo: Demo, tmp_path: Path
) -> None:
    """Each time the next one opens the same log; at the end what was cut off is closed."""
    house = House.of(demo, tmp_path)
    intents = outcomes = 0
    for step in (*BEFORE, *BETWEEN, *AFTER):
        async with house.gateway(step=step) as (process, client):
            answered = await house.ask(client)
            await asyncio.to_thread(process.join, RESUMES_S)
            assert process.exitcode is not None, f"{step} did not come"
        assert answered == (step == "last byte"), step
        intents += step not in BEFORE
        outcomes += step in AFTER
        if step in ("decided", "shaped", "last byte"):
            report = verified(house)
            assert report.ok, report.problems
            async with house.log():
                pass  # what only the journal has comes into the tree
            kinds = verified(house).kinds
            assert (kinds.get("I", 0), kinds.get("O", 0)) == (intents, outcomes), step
            assert kinds.keys() <= {"I", "O", "P", "K"}
    assert house.refused == []
    assert (house.cut, len(house.received)) == (len(BEFORE + BETWEEN + AFTER) - 1, 1)
    async with house.log() as log:
        await house.compare(log, tally := Tally())
        assert (tally.wrong, tally.intents, tally.outcomes) == ([], intents, outcomes)
        passed_s = 0.0
        own = Reconciler(log, gateway="test", clock=now, monotonic=lambda: passed_s, after_s=20.0)
        await own.tick()
        passed_s = 20.0
        await own.tick()
        await log.inclusion(await log.number(await log.append({"kind": "V"})))
    report = verified(house)
    assert report.ok, report.problems
    assert report.open_intents == ()
    assert len(report.abandoned) == len(BETWEEN)


async def test_F_32_gateways_that_are_killed_under_load_answered_nothing_unrecorded(
    demo: Demo, tmp_path: Path
) -> None:
    house = House.of(demo, tmp_path)
    tally = await killed(house, 6)
    assert (tally.wrong, house.refused) == ([], [])
    assert tally.kills < tally.received <= tally.outcomes <= tally.intents
    assert house.cut  # some were asking when it happened
    assert max(tally.resumed_s) < RESUMES_S
    report = verified(house)
    assert report.ok, report.problems


@pytest.fixture
async def database(state: Path) -> AsyncIterator[Database]:
    """A database for a log of two gateways, on a server of its own."""
    with tempfile.TemporaryDirectory(prefix="pc-") as short, postgres(state / "pg-kills") as server:
        made = await Database.made(Path(short), server)
        yield made
        await made.aclose()


async def test_F_32_two_gateways_of_one_log_that_are_killed_under_load(
    demo: Demo, tmp_path: Path, database: Database
) -> None:
    """Every other time it is the one that numbers the records."""
    _, _, replica, sequencer = database.command()
    house = House.of(
        demo,
        tmp_path,
        gateways=2,
        audit_keys_dir=database.base / "keys",
        audit_url=replica,
        audit_sequencer_url=sequencer,
        audit_timeout_s=5.0,
    )
    tally = await killed(house, 5)
    assert (tally.wrong, house.refused) == ([], [])
    assert tally.kills < tally.received <= tally.outcomes <= tally.intents
    assert max(tally.resumed_s) < RESUMES_S
    report = await database.verified()
    assert report.ok, report.problems
