"""F-43: all parts are stopped and started again in any order. Fifty times: `make crash`."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.cli.demo import Demo
from tests.contract.auditplaces import Database
from tests.crash.restarts import CONVERGES_S, Parts, restarted
from tests.servers import postgres


@pytest.fixture
async def database(state: Path) -> AsyncIterator[Database]:
    """A database for the log, on a server of its own that is stopped too."""
    with tempfile.TemporaryDirectory(prefix="pc-") as short, postgres(state / "pg-all") as server:
        made = await Database.made(Path(short), server)
        yield made
        await made.aclose()


async def test_F_43_all_parts_are_restarted_in_any_order_and_all_is_well_again(
    demo: Demo, opa_program: Path, tmp_path: Path, database: Database
) -> None:
    async with Parts.made(demo, opa_program, tmp_path, database) as parts:
        tally = await restarted(parts, 2, seed=1)
    assert tally.wrong == []
    assert tally.kills < tally.received <= tally.outcomes <= tally.intents
    assert max(tally.resumed_s) < CONVERGES_S
    report = await database.verified()
    assert report.ok, report.problems
