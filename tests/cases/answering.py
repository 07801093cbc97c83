"""What policy decides on a case's question, and how the case is answered from a few rows.

The decision is that of a real Open Policy Agent over the policies of this repository. The answer is
made by the gateway's own stages from `rows.toml`, the native rows of a few invented people, held in
memory; with its key, its clock and its policy fixed it is the same each time.
"""

from __future__ import annotations

import asyncio
import hmac
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import httpx

from gateway.errors import GatewayError
from gateway.metrics import Metrics
from gateway.model import Decision, Operation, Plan, Request, Response, Subject
from gateway.pipeline import Gate, Probes, decided, failed, fan_out, shaping, under_conditions
from gateway.policy.contract import read_decision
from gateway.query.breaker import Breakers
from gateway.query.operation import Parser
from gateway.query.plan import Planner
from tests.memory import Memory
from tests.opa import opa

if TYPE_CHECKING:
    from gateway.audit.recorder import Recorder
    from gateway.identity import Identity
    from gateway.policy.pdp import Pdp

Decide: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]
ROWS = Path(__file__).with_name("rows.toml")


@contextmanager
def deciding() -> Iterator[Decide]:
    """Asks a real Open Policy Agent; gives the answer as it came."""
    with opa() as port, httpx.Client(trust_env=False, timeout=10) as client:

        def decide(question: Mapping[str, Any]) -> Mapping[str, Any]:
            url = f"http://127.0.0.1:{port}/v1/data/gateway/decision"
            reply = client.post(url, json={"input": question}).raise_for_status()
            result: Mapping[str, Any] = reply.json()["result"]
            return result

        yield decide


@dataclass(frozen=True, slots=True)
class _Given:
    """A policy that has decided already."""

    result: Mapping[str, Any]

    @property
    def serial(self) -> int:
        return int(self.result["serial"])

    async def decide(self, _question: Mapping[str, Any]) -> Decision:
        return read_decision(self.result)


@cache
def _rows() -> Mapping[str, Mapping[str, list[Mapping[str, Any]]]]:
    held: Mapping[str, Mapping[str, list[Mapping[str, Any]]]] = tomllib.loads(
        ROWS.read_text("utf-8")
    )
    return held


def answered(
    request: Request,
    subject: Subject,
    operation: Operation,
    plan: Plan,
    *,
    decision: Mapping[str, Any],
    parser: Parser,
    planner: Planner,
) -> Response:
    """The answer to a case, not recorded: it bears no receipt."""
    gate = _gate(request, decision, parser, planner)

    async def ask() -> Response:
        try:
            _, agreed = await decided(gate, request, subject, operation, plan)
        except GatewayError as error:
            return failed(error, request)
        found, shared = await fan_out(gate, request, agreed, {})
        shaped = shaping(gate, request, subject, operation, agreed).shape(found, shared)
        return under_conditions(gate, request, subject, agreed, shaped)

    return asyncio.run(ask())


class _Naming:
    """Nothing is recorded; an officer is named as the log would, by a key of this test."""

    def mark(self, issuer: str, id_: str) -> str:
        return hmac.new(b"case", f"actor|{issuer}|{id_}".encode(), "sha256").hexdigest()[:12]


class _Followed:
    """Looking for silent records afterwards is promised here, and proved in tests/e2e."""

    async def room(self) -> bool:
        return True

    def put(self, *_answered: object) -> None:
        return None


class _Counted:
    """Counting is promised here too, and proved in tests/contract and tests/e2e."""

    def charge(self, *_question: object) -> float:
        return 0.0

    def spend(self, *_answered: object) -> None:
        return None


def _gate(request: Request, decision: Mapping[str, Any], parser: Parser, planner: Planner) -> Gate:
    """As much of a gateway as the middle of its pipeline needs."""
    catalogue, refs = planner.catalogue, planner.refs
    return Gate(
        identity=cast("Identity", None),
        parser=parser,
        planner=planner,
        pdp=cast("Pdp", _Given(decision)),
        audit=cast("Recorder", _Naming()),
        catalogue=catalogue,
        sources={id_: Memory(_rows().get(id_, {})) for id_ in catalogue.sources},
        refs=refs,
        limits=planner.limits,
        metrics=Metrics(purposes=(), sources=catalogue.sources, agencies=()),
        token_key=bytes(32),
        clock=lambda: request.received_at,
        monotonic=lambda: 0.0,
        probes=Probes(refs, lambda: request.received_at),
        breakers=Breakers(monotonic=lambda: 0.0),
        afterwards=_Followed(),
        budgets=_Counted(),
    )
