"""Canaries of enforcement: what nobody may see is asked for always, and shown once is enough."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from connectors.conditions import ALWAYS, Condition
from connectors.spi import (
    Capability,
    Connector,
    Health,
    Secrets,
    SourceQuery,
    SourceResult,
    SourceUnavailable,
)
from deploy.demo.stack import running_opa
from gateway.audit.entry import read_leaf
from gateway.canaries import (
    AGENCY,
    DUE,
    FILE,
    ON_CALL,
    PURPOSE,
    Canaries,
    Question,
    Seen,
    load_canaries,
)
from gateway.casework.model import Told
from gateway.cli.demo import Demo
from gateway.model import CLEAR, Decision, Ruling, Show, Use
from gateway.pipeline import Gate
from gateway.policy.pdp import Pdp
from gateway.ports import Answered, NothingAfterwards
from tests.e2e.owngateway import CATALOGUE, served
from tests.opa import POLICIES, program

Tamper = Callable[[Path], None]
_WITHIN_S = 20.0  # the deployed period is half a minute; here it is half a second


def questions_of(gate: Gate) -> tuple[Question, ...]:
    return load_canaries(CATALOGUE / FILE, sources=tuple(gate.sources), parser=gate.parser)


async def seen_by(
    demo: Demo, gate: Gate, questions: tuple[Question, ...] = ()
) -> Mapping[str, Seen]:
    canaries = Canaries(
        gate,
        questions or questions_of(gate),
        demo.started.office.store,
        gate.metrics,
        period_s=60.0,
        new_id=demo.started.office.new_id,
    )
    return await canaries.round()


def rewritten(table: str, change: Callable[[dict[str, Any]], None]) -> Tamper:
    def tamper(policies: Path) -> None:
        file = policies / "tables" / table / "data.json"
        data = json.loads(file.read_text("utf-8"))
        change(data)
        file.write_text(json.dumps(data), "utf-8")

    return tamper


async def test_with_the_deployed_rules_every_canary_is_reached_and_hidden(demo: Demo) -> None:
    found = await seen_by(demo, demo.started.gate)
    assert set(found.values()) == {Seen.HIDDEN}, found


def test_every_source_has_a_canary_and_what_can_be_masked_has_a_masked_one(demo: Demo) -> None:
    canaries = [one for q in questions_of(demo.started.gate) for one in q.canaries]
    assert {one.source for one in canaries} == set(demo.started.gate.sources)
    masked = {one.source for one in canaries if one.id.endswith("-masked")}
    assert masked == set(demo.started.gate.sources) - {"nis"}  # no field of an image has a mask
    denied = Counter(one.source for one in canaries if not one.id.endswith("-masked"))
    assert set(denied) == set(demo.started.gate.sources)


async def test_they_are_recorded_like_any_query_and_use_up_nobodys_budget(
    demo: Demo, tmp_path: Path
) -> None:
    async with (
        running_opa(program(), POLICIES) as opa,
        served(demo, tmp_path, secrets={}, opa_url=opa, canary_period_s=30.0) as own,
    ):
        await ready(own, 200)
        assert not own.started.budgets._counts
        leaves = [read_leaf(await own.started.log.leaf(n)) for n in range(own.started.log.size)]
        asked = len(questions_of(own.started.gate))
        kinds = Counter(leaf["kind"] for leaf in leaves)
        assert kinds == {"P": 1, "I": asked, "O": asked}  # the first release of policy it sees
        assert {leaf["purpose"]["code"] for leaf in leaves if leaf["kind"] == "I"} == {PURPOSE}
        assert await own.started.office.store.notices_of("NCB", 10) == ()


async def ready(own: Demo, status: int) -> None:
    """Wait until `/health/ready` says so."""
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(int(_WITHIN_S / 0.1)):
            if (await client.get(f"{own.url}/health/ready")).status_code == status:
                return
            await asyncio.sleep(0.1)
    pytest.fail(f"never {status} within {_WITHIN_S} s")


CASES: tuple[tuple[str, Tamper, str], ...] = (
    (
        "a cell of the matrix",
        rewritten(
            "matrix", lambda rows: rows["Person.contacts"].update(response_officer={"*": "clear"})
        ),
        "eru-phone-masked",
    ),
    (
        "a word",
        rewritten(
            "outcomes",
            lambda words: words.update(protection_hit={"show": "records", "read": {"*": "CLEAR"}}),
        ),
        "scp-safeguarding-hit",
    ),
)


@pytest.mark.parametrize(("tamper", "canary"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
async def test_a_tampered_rule_turns_readiness_off_and_raises_the_alarm_until_it_is_mended(
    demo: Demo,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    tamper: Tamper,
    canary: str,
) -> None:
    policies = tmp_path / "policies"
    shutil.copytree(POLICIES, policies)
    rewritten("release", lambda row: row.update(cache_s=0))(policies)  # else a minute goes by
    caplog.set_level(logging.WARNING, "gateway.canaries")
    async with (
        running_opa(program(), policies) as opa,
        served(demo, tmp_path / "state", secrets={}, opa_url=opa, canary_period_s=0.5) as own,
    ):
        await ready(own, 200)
        assert await own.started.office.store.notices_of(AGENCY, 10) == ()
        tamper(policies)
        await ready(own, 503)

        store = own.started.office.store
        await own.started.canaries.round()  # the round that showed it has told by now
        told = await store.notices_of(AGENCY, 50)
        assert {(n.desk, n.about) for n in told} == {("gateway", Told.CANARY_SHOWN)}
        assert canary in {n.subject for n in told}
        assert all(n.on_call == ON_CALL and n.due_at == n.at + DUE for n in told)
        metrics = own.started.gate.metrics.exposition().decode()
        source = canary.partition("-")[0]
        assert f'portcullis_canaries{{seen="shown",source="{source}"}}' in metrics
        assert f"canary {canary} of {source} is shown" in caplog.text
        secret = [t for q in questions_of(own.started.gate) for c in q.canaries for t in c.unseen]
        assert not [t for t in secret if t in caplog.text + metrics]

        for table in ("matrix", "outcomes"):
            name = Path("tables", table, "data.json")
            shutil.copy(POLICIES / name, policies / name)
        await ready(own, 200)
        assert len(await store.notices_of(AGENCY, 50)) == len(told)  # each is told once


@dataclass(frozen=True, slots=True)
class Loose:
    """A decision point that shows everything that is asked for, whatever the rules say."""

    honest: Pdp

    @property
    def serial(self) -> int:
        return self.honest.serial

    async def decide(self, question: Mapping[str, Any]) -> Decision:
        rulings = {
            id_: Ruling(
                show=Show.RECORDS,
                limit=asked["limit"],
                rows=ALWAYS,
                uses=frozenset(
                    (Use(use), name) for use in asked["uses"] for name in asked["uses"][use]
                ),
                whole=CLEAR,
                read=dict.fromkeys(asked["read"], CLEAR),
            )
            for id_, asked in question["resources"].items()
        }
        return replace(await self.honest.decide(question), rulings=rulings)


async def test_a_gateway_that_enforces_nothing_shows_every_canary(demo: Demo) -> None:
    """All but the image that its owner's service itself keeps from every answer."""
    gate = demo.started.gate
    loose: Any = Loose(gate.pdp)
    found = await seen_by(demo, replace(gate, pdp=loose))
    kept = {name for name, seen in found.items() if seen is not Seen.SHOWN}
    assert kept == {"nis-image-never-searched"}, found
    assert {name.partition("-")[0] for name in found.keys() - kept} == set(gate.sources)


@dataclass(frozen=True, slots=True)
class Liar:
    """A source that hands out what it was asked to keep."""

    honest: Connector
    handed: list[int]

    @classmethod
    def from_config(cls, config: Mapping[str, object], secrets: Secrets) -> Self:
        raise NotImplementedError

    @property
    def capabilities(self) -> Capability:
        return self.honest.capabilities

    def residual(self, query: SourceQuery) -> Condition:
        return ALWAYS

    def explain(self, query: SourceQuery) -> str:
        return self.honest.explain(query)

    async def fetch(self, query: SourceQuery) -> SourceResult:
        found = await self.honest.fetch(replace(query, guard=ALWAYS))
        self.handed.append(len(found.rows))
        return found

    async def check(self) -> Health:
        return await self.honest.check()

    async def aclose(self) -> None:
        await self.honest.aclose()


async def test_a_source_that_ignores_the_guard_cannot_show_one(demo: Demo) -> None:
    gate = demo.started.gate
    liars = {name: Liar(source, []) for name, source in gate.sources.items()}
    found = await seen_by(demo, replace(gate, sources=liars))
    assert Seen.SHOWN not in found.values(), found
    liars["ncb"].handed.clear()
    silent = questions_of(gate)[1:2]
    assert await seen_by(demo, replace(gate, sources=liars), silent) == {
        "ncb-person-silent": Seen.HIDDEN
    }
    assert sum(liars["ncb"].handed) == 1  # it came all the way to the gateway


async def test_a_source_that_is_gone_proves_nothing_and_stops_nothing(demo: Demo) -> None:
    gate = demo.started.gate

    class Gone(Liar):
        async def fetch(self, query: SourceQuery) -> SourceResult:
            raise SourceUnavailable("gone")

    gone = {**gate.sources, "eru": Gone(gate.sources["eru"], [])}
    found = await seen_by(demo, replace(gate, sources=gone))
    assert {found["eru-phone-masked"], found["eru-report-hit"]} == {Seen.UNPROVED}
    assert found["ncb-person-silent"] is Seen.HIDDEN


@dataclass(frozen=True, slots=True)
class Meeting(Liar):
    """A source that gives nothing before every question of a round has come to some source."""

    come: set[str]
    met: asyncio.Event
    expected: int

    async def fetch(self, query: SourceQuery) -> SourceResult:
        self.come.add(query.query_id)
        if len(self.come) == self.expected:
            self.met.set()
        await self.met.wait()
        return await self.honest.fetch(query)


async def test_the_questions_of_a_round_are_asked_side_by_side(demo: Demo) -> None:
    """One after the other, the first would wait in vain, and prove nothing."""
    gate, come, met = demo.started.gate, set[str](), asyncio.Event()
    expected = len(questions_of(gate))
    assert expected > 1
    sources = {
        name: Meeting(source, [], come, met, expected) for name, source in gate.sources.items()
    }
    found = await seen_by(demo, replace(gate, sources=sources))
    assert set(found.values()) == {Seen.HIDDEN}, found


@dataclass(frozen=True, slots=True)
class FailsFor(NothingAfterwards):
    """Breaks in an unforeseen way after one document, and after no other."""

    document: str

    def put(self, answered: Answered) -> None:
        if answered.request.document == self.document:
            raise RuntimeError


async def test_a_question_that_fails_hides_nothing_that_another_found(demo: Demo) -> None:
    gate = demo.started.gate
    fails, *others = questions_of(gate)
    found = await seen_by(demo, replace(gate, afterwards=FailsFor(fails.document)))
    assert {found[one.id] for one in fails.canaries} == {Seen.UNPROVED}
    assert {found[one.id] for q in others for one in q.canaries} == {Seen.HIDDEN}
