"""The demonstration's story fails where a line of it is not as expected, and so do its proofs."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from deploy.demo.story import STEPS, Step
from gateway.cli.demo import Demo
from gateway.cli.proof import PROOFS, Finding, seeded
from gateway.cli.story import tell
from gateway.cli.tour import tour_of
from tests.e2e.owngateway import served

_NOBODY = "http://127.0.0.1:9"


def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def said(by: Console) -> str:
    assert isinstance(by.file, io.StringIO)
    return by.file.getvalue()


async def told(demo: Demo, steps: Sequence[Step] = STEPS) -> tuple[bool, str]:
    to = console()
    return await tell(demo, to, steps), said(to)


@pytest.fixture
async def own(demo: Demo, tmp_path: Path) -> AsyncIterator[Demo]:
    """A gateway with a record of its own."""
    async with served(demo, tmp_path / "state", secrets={}) as made:
        yield made


async def proved(demo: Demo) -> Mapping[str, Finding]:
    return {proof.id: await proof.look(demo) for proof in PROOFS}


async def test_missing_agencies_are_not_as_expected(demo: Demo, tmp_path: Path) -> None:
    gone = {
        "BID_URL": _NOBODY,
        "NMC_DB_URL": "postgresql://nobody@/none?host=/nowhere",
        "SCP_DB_URL": "mysql://nobody@/none?unix_socket=/nowhere/sock",
    }
    async with served(demo, tmp_path / "state", secrets=gone) as own:
        good, text = await told(own)
    assert not good
    assert "Expected all six agencies; not NMC, SCP, BID, NIS." in text
    assert "Expected a warning in clear and a hit with a desk" in text


async def test_a_victim_who_shows_is_not_as_expected(own: Demo) -> None:
    """Where the firewall is told of, somebody asks who protects him."""
    arrival, stop, _control = STEPS[:3]
    good, text = await told(own, (arrival, stop, arrival))
    assert not good
    assert text.count("Expected") == 1
    assert "Expected no victim's data" in text


async def test_an_answer_that_is_none_is_not_as_expected(own: Demo) -> None:
    def unheld(step: Step) -> Step:
        return replace(step, justification={**step.justification, "purpose": "OVERSIGHT"})

    good, text = await told(own, tuple(map(unheld, STEPS)))
    assert not good
    assert text.count("no answer: ") == 3


async def test_the_proofs_find_what_was_done_to_the_record_and_what_was_left(
    own: Demo, tmp_path: Path
) -> None:
    good, _ = await told(own)
    assert good
    name = next(n for n in seeded(own.population) if " " in n)
    (own.started.settings.state_dir / "careless.log").write_text(f"asked for {name}")
    entries = next((own.started.settings.audit_dir / "tile" / "entries").rglob("*.p/*"))
    data = entries.read_bytes()
    entries.write_bytes(data[:20] + bytes([data[20] ^ 1]) + data[21:])
    found = await proved(own)
    assert not found["record"].good
    assert "NOT whole" in found["record"].text
    assert not found["scan"].good
    assert "careless.log" in found["scan"].text
    assert name not in found["scan"].text


async def test_the_tour_shows_the_proofs(demo: Demo, own: Demo) -> None:
    tour = tour_of(own)
    for proof, words in zip(PROOFS, ("files alone: whole.", "none found."), strict=True):
        step = await tour.run(proof.id)
        assert step is not None
        assert words in step.summary, step.problem
    async with httpx.AsyncClient(base_url=demo.url, trust_env=False, timeout=30) as browser:
        page = (await browser.post("/tour/record")).text
    shown = page.partition('id="record"')[2].partition('<li class="step')[0]
    assert "files alone: whole." in shown
    assert "The GraphQL" not in shown
