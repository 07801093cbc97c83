"""The gateway of `portcullis serve`, and beside it how long each source and each of the log's two
commits took in each query.

Answers carry coarse time bands only, so a benchmark needs this process of its own: for every query
it writes one JSON line with the exact times that the gateway reported, and with the spans in which
a call to a source was under way, and how long it waited for its intent and its outcome to last;
and, taken right before each of these, for a thread that does nothing. Run:
python -m tests.bench.watched --config F --times F
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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


@dataclass(slots=True, kw_only=True)
class Times:
    """The spans of the queries under way, and the file that finished ones are written to."""

    file: IO[str]
    spans: dict[str, dict[str, list[Span]]] = field(default_factory=dict)
    commits: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def called(self, query_id: str, source: str, span: Span) -> None:
        self.spans.setdefault(query_id, {}).setdefault(source, []).append(span)

    def saw(self, request: Request, response: Response) -> None:
        line = {
            "query": request.id,
            "reported_ms": {r.source: r.elapsed_s * 1000 for r in response.reports},
            "spans": self.spans.pop(request.id, {}),
            "commits_s": self.commits.pop(request.id, []),
        }
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


class TimedLog:
    """The log, whose records of queries are timed; all else is the log's own."""

    def __init__(self, log: AuditLog, times: Times) -> None:
        self._log, self._times = log, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, leaf: Mapping[str, Any], parts: Mapping[str, Part] = EMPTY) -> Receipt:
        if "query" not in leaf:  # a look for silent records, after an answer
            return await self._log.append(leaf, parts)
        began = time.perf_counter()
        await asyncio.to_thread(_nothing)
        free = time.perf_counter()
        receipt = await self._log.append(leaf, parts)
        took = (time.perf_counter() - free, free - began)
        self._times.commits.setdefault(str(leaf["request_id"]), []).append(took)
        return receipt


def _nothing() -> None:
    """What a commit would be that costs nothing: to a thread, and back to the loop."""


async def serve(config: Path, times: Times, late: str, by_s: float) -> None:
    settings = load(config, os.environ)
    async with running(settings, dict(os.environ), observed=times.saw) as started:
        gate = started.gate
        timed: Any = {
            name: Timed(name, held, times, by_s if late in (name, ALL) else 0.0)
            for name, held in gate.sources.items()
        }
        log: Any = TimedLog(gate.audit.log, times)
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
    given = parser.parse_args()
    steady_heap()
    with (
        given.times.open("w", buffering=1) as file,
        asyncio.Runner(loop_factory=loop_factory()) as runner,
    ):
        runner.run(serve(given.config, Times(file=file), given.late, given.by_s))


if __name__ == "__main__":
    main()
