"""Nothing that is seeded lies anywhere in the gateway: not on its disk, in its logs or metrics.

Every persona asks every document of a gateway that keeps a state of its own; then that state, what
it logged and its metrics are searched for every name and number of the synthetic world, in the
spellings in which they might have been left, and for who asked and why.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.demo.personas import PERSONAS
from deploy.demo.population import Population
from deploy.demo.story import DOCUMENTS, WHO
from deploy.demo.world.vehicles import GOLD_VRM
from gateway.audit.entry import ASKER, KEEPER, KEEPERS, parts_of, read_leaf
from gateway.cli.demo import Demo
from gateway.cli.proof import families, scan, seeded, written_by
from tests.e2e.asking import REASON, Answer, Asker
from tests.e2e.owngateway import served

VARIABLES: Mapping[str, Mapping[str, Any]] = {
    "arrival": {"who": WHO},
    "street_stop": {"who": WHO},
    "vehicle_stop": {"vrm": GOLD_VRM},
    "debriefs_missing": {
        "beach": "Wrackhaven Sands",
        "from": "2026-01-01T00:00:00Z",
        "until": "2027-01-01T00:00:00Z",
    },
    "groups_uninvestigated": {},
}
PURPOSES = {
    "RO": "OFFICER_SAFETY", "IE": "BORDER_SECURITY", "IEC": "OIC_INVESTIGATION",
    "RA": "OIC_INVESTIGATION", "NO": "OIC_INVESTIGATION", "AO": "PROTECT_VULNERABLE",
    "BF": "BORDER_SECURITY", "SG": "OFFICER_SAFETY", "PP": "PROTECT_VULNERABLE",
    "FL": "OIC_INVESTIGATION", "TC": "STRATEGIC_REPORTING",
}  # fmt: skip
REFUSED = ("PA", "PB", "AF", "PS", "PSB", "AU", "DK")  # they ask nothing, or nothing of this


@dataclass(slots=True, kw_only=True)
class Asked:
    """One question and its answer."""

    persona: str
    document: str
    variables: Mapping[str, Any]
    answer: Answer


@dataclass(slots=True, kw_only=True)
class Place:
    """A gateway that everybody has asked everything, and what it wrote to its logs."""

    demo: Demo
    asked: list[Asked]
    logged: str
    metrics: bytes


class Kept(logging.Handler):
    """Keeps what is logged as the gateway's process would write it, with tracebacks."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # the libraries at the level at which a process that configures nothing writes them
        if record.levelno >= logging.WARNING or record.name.startswith(("gateway", "connectors")):
            self.lines.append(self.format(record))


@pytest.fixture(scope="module")
def kept() -> Iterator[Kept]:
    handler = Kept()
    root = logging.getLogger()
    own = [logging.getLogger(name) for name in ("gateway", "connectors")]
    levels = [logger.level for logger in own]
    root.addHandler(handler)
    for logger in own:
        logger.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    for logger, level in zip(own, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(scope="module")
async def place(
    demo: Demo, kept: Kept, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    state = tmp_path_factory.mktemp("scan")
    async with (
        served(demo, state, secrets={}, policy_timeout_s=5.0) as own,
        httpx.AsyncClient(trust_env=False, timeout=30) as client,
    ):
        asker = Asker(demo=own, client=client)
        asked = [
            await ask(asker, persona, document) for persona in PERSONAS for document in VARIABLES
        ]
        wrong = await asker.ask(
            "RO", '{ personSearch(anyOf: [{ family: "Hoxha", dob: "1991-13" }]) { nonsense } }',
            purpose="OFFICER_SAFETY",
        )  # fmt: skip
        assert wrong.code == "INVALID_OPERATION"
        metrics = (await client.get(f"{own.url}/metrics")).content
        yield Place(demo=own, asked=asked, logged="\n".join(kept.lines), metrics=metrics)


async def ask(asker: Asker, persona: str, document: str) -> Asked:
    text = (DOCUMENTS / f"{document}.graphql").read_text("utf-8")
    variables = VARIABLES[document]
    on_behalf = {"onBehalfOf": PERSONAS["RO"].sub} if persona == "SG" else {}
    purpose = PURPOSES.get(persona, "OVERSIGHT")
    answer = await asker.ask(persona, text, variables, purpose=purpose, **on_behalf)
    return Asked(persona=persona, document=text, variables=variables, answer=answer)


def spellings(population: Population) -> list[str]:
    """Every seeded value as the agencies or a careless line of code might write it."""
    made = set(seeded(population))
    for needle in list(made):
        words = needle.split(" ")
        if len(words) > 1:
            rest = " ".join(words[:-1])
            made |= {f"{words[-1]} {rest}", f"{words[-1]}, {rest}", f"{words[-1]}/{rest}"}
        if needle.startswith("+44"):
            made |= {needle[1:], f"0{needle[3:]}", f"0{needle[3:7]} {needle[7:]}"}
    made |= {vehicle.vrm for vehicle in population.vehicles}
    made |= {f"{vehicle.vrm[:4]} {vehicle.vrm[4:]}" for vehicle in population.vehicles}
    made |= {needle.upper() for needle in made}
    return sorted({needle for needle in made if len(needle) >= 7} | families(population))


def who_and_why(demo: Demo) -> list[str]:
    """Those who asked, for which case and in which words; what opens the agencies' doors."""
    opened = [
        value for name, value in demo.stack.secrets.items() if "SECRET" in name or "DB_URL" in name
    ]
    return [*(persona.sub for persona in PERSONAS.values()), *REASON.values(), *opened]


async def test_everybody_was_answered_or_refused(place: Place) -> None:
    """The scan means something only if there was something to be left behind."""
    answered = {a.persona for a in place.asked if a.answer.status == 200}
    # FL may not search by document or phone, and its other searches bring hits alone
    assert answered == set(PURPOSES) - {"FL"}
    refused = {a.persona for a in place.asked if a.persona in REFUSED}
    assert refused == set(REFUSED)
    assert all(a.answer.status == 403 for a in place.asked if a.persona in REFUSED)
    assert sum(len(json.dumps(a.answer.body)) for a in place.asked) > 100_000


async def test_no_seeded_value_lies_on_disk_or_in_metrics(
    place: Place, population: Population
) -> None:
    needles, officers = spellings(population), who_and_why(place.demo)
    texts = await asyncio.to_thread(written_by, place.demo.started.settings)
    (line,) = re.findall(rb"^portcullis_audit_log_entries (\S+)$", place.metrics, re.MULTILINE)
    assert float(line) > len(place.asked)  # each left something
    assert sum(map(len, texts.values())) > 1_000 * len(place.asked)
    texts["metrics"] = place.metrics
    assert await asyncio.to_thread(scan, needles, texts) == []
    # A notice says who asked; that is all that the gateway's own records hold of anybody.
    texts = {where: text for where, text in texts.items() if "casework.sqlite" not in where}
    assert await asyncio.to_thread(scan, [*officers], texts) == []


async def test_no_seeded_value_lies_in_the_logs(place: Place, population: Population) -> None:
    needles = [*spellings(population), *who_and_why(place.demo)]
    found = await asyncio.to_thread(scan, needles, {"log": place.logged.encode()})
    assert found == []


async def test_no_seeded_value_is_logged_when_sources_fail(
    demo: Demo, kept: Kept, population: Population, tmp_path: Path
) -> None:
    """What drivers say of a failed visit holds the query's values often enough."""
    with socket.socket() as nobody:  # bound and not listening: it refuses
        nobody.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        broken = tmp_path / "broken.sqlite"
        broken.write_bytes(b"not a database " * 1000)
        held = demo.stack.secrets
        secrets = {
            "ERU_DB_URL": f"sqlite+aiosqlite:///{broken}",
            "NMC_DB_URL": held["NMC_DB_URL"].replace("/nmc?", "/no_such_database?"),
            "SCP_DB_URL": held["SCP_DB_URL"].replace("/gw?", "/no_such_database?"),
            "BID_URL": dead,
            "NCB_URL": f"{held['BID_URL']}/health",
        }
        before = len(kept.lines)
        async with (
            served(demo, tmp_path / "state", secrets=secrets) as own,
            httpx.AsyncClient(trust_env=False, timeout=30) as client,
        ):
            answer = (await ask(Asker(demo=own, client=client), "AO", "arrival")).answer
            assert answer.hits() == []
            texts = await asyncio.to_thread(written_by, own.started.settings)
    logged = "\n".join(kept.lines[before:])
    for source in ("nmc", "scp", "bid", "eru", "ncb"):
        assert f"source {source}" in logged
    needles = [*spellings(population), *who_and_why(demo)]
    texts["log"] = logged.encode()
    assert await asyncio.to_thread(scan, needles, texts) == []


def test_the_scan_finds_what_is_there(population: Population) -> None:
    """In the clear, inside JSON with escapes, and with its words the other way round."""
    accented = next(n for n in seeded(population) if not n.isascii() and n.count(" ") == 1)
    given, family = accented.split(" ")
    needles = spellings(population)
    for text in (accented, json.dumps([accented]), f"{family} {given}"):
        assert scan(needles, {"a file": text.encode()})


async def test_sealed_bodies_hold_the_question_and_no_answer(
    place: Place, population: Population
) -> None:
    """The agency of whoever asked opens them, nobody else; what was answered is in none."""
    log = place.demo.started.log
    by_query = {a.answer.body["extensions"]["receipt"]["queryId"]: a for a in place.asked
                if "extensions" in a.answer.body}  # fmt: skip
    assert len(by_query) == len(place.asked)
    needles = set(seeded(population))
    opened, answers_looked_for = 0, 0
    for index in range(log.size):
        leaf = read_leaf(await log.leaf(index))
        asked = by_query.get(leaf.get("request_id"))
        if asked is None:
            continue
        parts = parts_of(leaf)
        assert parts[ASKER].startswith(f"{PERSONAS[asked.persona].agency}/")
        for name, key in parts.items():
            if name != ASKER:
                whose = KEEPERS if name == KEEPER else name.removeprefix("owner/")
                assert key.startswith(f"{whose}/")
        if "intent" not in leaf:  # an outcome leaves the question to its intent
            detail = await log.detail(index)
            assert detail["text"] == asked.document
            assert detail["variables"] == json.loads(json.dumps(asked.variables))
            assert detail["who"]["id"] == PERSONAS[asked.persona].sub
        details = [await log.detail(index, name) for name in parts]
        text = json.dumps(details, ensure_ascii=False)
        question = json.dumps(asked.variables, ensure_ascii=False)
        for value in set(strings(asked.answer.body.get("data"))) & needles:
            if value not in question:
                answers_looked_for += 1
                assert value not in text
        opened += 1
    assert opened > len(place.asked)  # an intent and an outcome for whoever was answered
    assert answers_looked_for > 20


def strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for part in value.values():
                yield from strings(part)
        case list():
            for part in value:
                yield from strings(part)
