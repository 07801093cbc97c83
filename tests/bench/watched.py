"""The gateway of `portcullis serve`, and beside it how long each source took in each query.

Answers carry coarse time bands only, so a benchmark needs this process of its own: for every query
it writes one JSON line with the exact times that the gateway reported, and with the spans in which
a call to a source was under way. With `--turns` it makes records of queries for some seconds and
none for as many, by turns, so that queries with and without them can be compared; the line then
says which it was, and how long the query waited until its records lasted. Run:
python -m tests.bench.watched --config F --times F
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from connectors.spi import Connector, SourceQuery, SourceResult
from gateway.app import application, running
from gateway.audit.entry import Part
from gateway.audit.keeper import Receipt
from gateway.audit.log import AuditLog
from gateway.cli.serve import bound, loop_factory, made_for_good, server, short_turns, steady_heap
from gateway.configuration import load
from gateway.model import EMPTY, Request, Response

Span = tuple[float, float]
ALL = "all"
"""In the place of a source: each of them."""


TURN_S = 10.0


@dataclass(slots=True, kw_only=True)
class Recorded:
    """One query's two records."""

    kept: bool  # whether they were made
    into_turn_s: float  # when its intent would be, since the turn began
    waited_s: float = 0.0  # until both lasted, together


@dataclass(slots=True, kw_only=True)
class Times:
    """The spans of the queries under way, and the file that finished ones are written to."""

    file: IO[str]
    spans: dict[str, dict[str, list[Span]]] = field(default_factory=dict)
    recorded: dict[str, Recorded] = field(default_factory=dict)

    def called(self, query_id: str, source: str, span: Span) -> None:
        self.spans.setdefault(query_id, {}).setdefault(source, []).append(span)

    def saw(self, request: Request, response: Response) -> None:
        line = {
            "query": request.id,
            "reported_ms": {r.source: r.elapsed_s * 1000 for r in response.reports},
            "spans": self.spans.pop(request.id, {}),
        }
        if recorded := self.recorded.pop(request.id, None):
            line["recorded"] = asdict(recorded)
        self.file.write(json.dumps(line) + "\n")


class Timed:
    """A connector, every call of which is timed; all else is the connector's own."""

    def __init__(self, source: str, connector: Connector, times: Times, late_s: float) -> None:
        self._source, self._connector, self._times = source, connector, times
        self._late_s = late_s

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connector, name)

    async def fetch(self, query: SourceQuery) -> SourceResult:
        began = time.monotonic()
        try:
            if self._late_s:
                await asyncio.sleep(self._late_s)
            return await self._connector.fetch(query)
        finally:
            self._times.called(query.query_id, self._source, (began, time.monotonic()))


class ByTurns:
    """The log, of which records of queries are made in every other turn; all else is the log's."""

    def __init__(self, log: AuditLog, times: Times) -> None:
        self._log, self._times = log, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, leaf: Mapping[str, Any], parts: Mapping[str, Part] = EMPTY) -> Receipt:
        if "query" not in leaf:  # a look for silent records, after an answer
            return await self._log.append(leaf, parts)
        began = time.monotonic()
        turn, into_s = divmod(began, TURN_S)
        of = self._times.recorded.setdefault(
            str(leaf["request_id"]), Recorded(kept=turn % 2 == 0, into_turn_s=into_s)
        )
        if not of.kept:
            return Receipt(index=None, leaf_hash=bytes(32), at=datetime.now(UTC))
        receipt = await self._log.append(leaf, parts)
        of.waited_s += time.monotonic() - began
        return receipt


async def serve(config: Path, times: Times, *, late: str, by_s: float, turns: bool) -> None:
    settings = load(config, os.environ)
    async with running(settings, dict(os.environ), observed=times.saw) as started:
        gate = started.gate
        timed: Any = {
            name: Timed(name, held, times, by_s if late in (name, ALL) else 0.0)
            for name, held in gate.sources.items()
        }
        log: Any = ByTurns(gate.audit.log, times) if turns else gate.audit.log
        audit = replace(gate.audit, log=log)
        app = application(replace(started, gate=replace(gate, sources=timed, audit=audit)))
        serving = server(app, settings.limits)
        made_for_good()
        short_turns()
        await serving.serve(sockets=[bound(settings.host, settings.port)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--times", type=Path, required=True)
    parser.add_argument("--late", default="", help=f"a source, or {ALL}, whose answers come later")
    parser.add_argument("--by-s", type=float, default=0.1, help="by so much")
    parser.add_argument("--turns", action="store_true", help="records in every other turn alone")
    given = parser.parse_args()
    steady_heap()
    with (
        given.times.open("w", buffering=1) as file,
        asyncio.Runner(loop_factory=loop_factory()) as runner,
    ):
        times = Times(file=file)
        serving = serve(given.config, times, late=given.late, by_s=given.by_s, turns=given.turns)
        runner.run(serving)


if __name__ == "__main__":
    main()
