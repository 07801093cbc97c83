"""Reading what `watched` wrote: for each query, how long the sources took."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.watched import Recorded

Span = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTimes:
    """One query's sources."""

    reported_ms: Mapping[str, float]  # the longest visit to each, as the gateway itself counts
    spans: Mapping[str, tuple[Span, ...]]  # of the calls to each, in seconds of one clock
    recorded: Recorded | None = None

    @property
    def slowest_reported_ms(self) -> float:
        return max(self.reported_ms.values(), default=0.0)

    @property
    def slowest_ms(self) -> float:
        """How long a call to the source that was waited for longest was under way."""
        return max((covered_s(spans) * 1000 for spans in self.spans.values()), default=0.0)

    @property
    def waited_ms(self) -> float:
        """How long a call to any source was under way."""
        return covered_s(span for spans in self.spans.values() for span in spans) * 1000


def covered_s(spans: Iterable[Span]) -> float:
    """The length of the union of spans."""
    covered, upto = 0.0, float("-inf")
    for began, ended in sorted(spans):
        covered += max(0.0, ended - max(began, upto))
        upto = max(upto, ended)
    return covered


def read_times(file: Path) -> dict[str, SourceTimes]:
    """By query id."""
    found: dict[str, SourceTimes] = {}
    for line in file.read_text("utf-8").splitlines():
        read = json.loads(line)
        found[read["query"]] = SourceTimes(
            reported_ms=read["reported_ms"],
            spans={
                source: tuple((began, ended) for began, ended in spans)
                for source, spans in read["spans"].items()
            },
            recorded=Recorded(**read["recorded"]) if "recorded" in read else None,
        )
    return found
