"""The demonstration's story fails where a line of it is not as expected, and so do its proofs."""

from __future__ import annotations

import io
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from deploy.demo.population import Population
from deploy.demo.story import STEPS, Step
from gateway.cli.demo import Demo, logged
from gateway.cli.proof import PROOFS, Finding, scan, seeded
from gateway.cli.story import tell
from gateway.cli.tour import tour_of
from tests.e2e.browsing import browsing
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


async def test_what_the_process_logs_is_searched_too(own: Demo) -> None:
    """A family name alone, in capitals, by our own code and by the server's."""
    for speaker, level in (
        ("gateway.query.visit", logging.DEBUG),
        ("uvicorn.error", logging.ERROR),
    ):
        with logged(own.started.settings.state_dir / "gateway.log"):
            logging.getLogger(speaker).log(level, "no column for HOXHAJ")
            scanned = (await proved(own))["scan"]
        assert not scanned.good, speaker
        assert "gateway.log" in scanned.text
    with logged(own.started.settings.state_dir / "gateway.log"):  # each start logs afresh
        assert (await proved(own))["scan"].good


def test_what_is_searched_for_is_of_every_kind(population: Population) -> None:
    needles = set(seeded(population))
    arben, organiser = population.golden("GOLD-1"), population.golden("GOLD-2")
    for person in (arben, organiser):
        for copy in person.copies.values():
            assert copy.key in needles or len(copy.key) < 7
            assert {copy.name.family, copy.name.family.upper()} <= {*needles, ""}
    people = population.people.values()
    for number in ("pncid", "cro", "nino", "driver_no"):
        held = {getattr(person, number) for person in people} - {None}
        assert held, number
        assert held <= needles, number
    assert {vehicle.vin for vehicle in population.vehicles} <= needles
    assert {d.imei for met in population.encounters for d in met.devices} <= needles


def test_a_needle_is_found_at_the_edges_and_within_json() -> None:
    texts = {"a": b"Hoxha, 12345678", "b": b'{"n": "\\u1eb0ng Th\\u1ecb"}', "c": b"hoxh", "d": b""}
    needles = ["Hoxha", "12345678", "\u1eb0ng Th\u1ecb", "xx"]
    assert scan(needles, texts) == [
        ("12345678", "a"), ("Hoxha", "a"), ("\u1eb0ng Th\u1ecb", "b")
    ]  # fmt: skip


async def test_the_tour_shows_the_proofs(demo: Demo, own: Demo) -> None:
    tour = tour_of(own)
    for proof, words in zip(PROOFS, ("files alone: whole.", "none found."), strict=True):
        step = await tour.run(proof.id)
        assert step is not None
        assert words in step.summary, step.problem
    async with browsing(demo) as browser:
        await browser.open("/")
        page = (await browser.post("/tour/record")).text
    shown = page.partition('id="record"')[2].partition('<li class="step')[0]
    assert "files alone: whole." in shown
    assert "2 of 3 witnesses must have signed it, and 3 have." in shown
    assert "The GraphQL" not in shown
