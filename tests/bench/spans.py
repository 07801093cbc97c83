"""Reading what `watched` wrote: for each query, how long the sources and the log took."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

Span = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTimes:
    """One query's sources."""

    reported_ms: Mapping[str, float]  # the longest visit to each, as the gateway itself counts
    spans: Mapping[str, tuple[Span, ...]]  # of the calls to each, in seconds of one clock
    commits_s: tuple[
        Span, ...
    ] = ()  # of each record: until it lasted, and a thread that does nothing

    @property
    def slowest_reported_ms(self) -> float:
        return max(self.reported_ms.values(), default=0.0)

    @property
    def slowest_ms(self) -> float:
        """How long a call to the source that was waited for longest was under way."""
        return max((covered_s(spans) * 1000 for spans in self.spans.values()), default=0.0)

    @property
    def committed_ms(self) -> float:
        """How long its records took to last, together."""
        return 1000 * sum(took for took, _ in self.commits_s)

    @property
    def free_ms(self) -> float:
        """How long as many turns of a thread took that does nothing."""
        return 1000 * sum(free for _, free in self.commits_s)

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
            commits_s=tuple((took, free) for took, free in read["commits_s"]),
        )
    return found
