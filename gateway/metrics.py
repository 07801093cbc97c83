"""What operators see of the gateway: counts and times, never a value of a person or a record.

Labels come from closed sets given at the start; whatever is not in one counts as `other`, so no
caller can make a label. One registry per gateway, no global state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gateway.errors import codes
from gateway.model import SourceReport

OTHER = "other"
ANSWERED = "OK"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def outcome_codes() -> frozenset[str]:
    """Every way in which a query can end."""
    return frozenset({ANSWERED, *codes()})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    queries: Counter
    query_seconds: Histogram
    visits: Counter
    visit_seconds: Histogram
    rows: Counter
    review_due: Counter
    alarms: Counter
    left_alone: Gauge
    canaries: Gauge
    policy_seconds: Histogram
    commit_seconds: Histogram
    log_entries: Gauge
    index_behind: Gauge
    clock_suspect: Gauge
    unwitnessed_seconds: Gauge
    witnesses: Gauge
    witness_alarm: Gauge


class Metrics:
    """The gateway's counters. Every method only counts; none can fail a query."""

    def __init__(
        self, *, purposes: Iterable[str], sources: Iterable[str], agencies: Iterable[str]
    ) -> None:
        self.registry = CollectorRegistry()
        self._purposes = frozenset(purposes)
        self._sources = frozenset(sources)
        self._agencies = frozenset(agencies)
        self._codes = outcome_codes()
        self._series = _series(self.registry)
        for source in self._sources:
            self.left_alone(source, is_open=False)

    def query(self, *, code: str | None, purpose: str | None, elapsed_s: float) -> None:
        """One query ended: its error's code (None: it was answered) and its purpose."""
        self._series.queries.labels(
            _among(code or ANSWERED, self._codes), _among(purpose or "none", self._purposes)
        ).inc()
        self._series.query_seconds.observe(elapsed_s)

    def visited(self, reports: Iterable[SourceReport]) -> None:
        """How the sources fared in one query."""
        for report in reports:
            source = _among(report.source, self._sources)
            self._series.visits.labels(source, report.state.value).inc()
            self._series.visit_seconds.labels(source).observe(report.elapsed_s)
            shown: Mapping[str, int] = {
                "shown": report.rows,
                "masked": report.masked,
                "withheld": report.withheld,
                "hit": report.hits,
            }
            for outcome, count in shown.items():
                if count:
                    self._series.rows.labels(source, outcome).inc(count)
            if report.review_due:
                agency = _among(report.agency, self._agencies)
                self._series.review_due.labels(agency).inc(report.review_due)
            if report.alarms:
                self._series.alarms.labels(source).inc(report.alarms)

    def left_alone(self, source: str, *, is_open: bool) -> None:
        """Whether a source is left alone because it failed too often."""
        self._series.left_alone.labels(_among(source, self._sources)).set(int(is_open))

    def canaries(self, seen: Mapping[tuple[str, str], int]) -> None:
        """What the last round saw: how many canaries, by source and by what was seen."""
        self._series.canaries.clear()
        for (source, what), count in seen.items():
            self._series.canaries.labels(_among(source, self._sources), what).set(count)

    def decided(self, *, elapsed_s: float, had: bool) -> None:
        """One question to the policy decision point; `had`: a decision came that we can read."""
        self._series.policy_seconds.labels("decision" if had else "none").observe(elapsed_s)

    def committed(self, *, elapsed_s: float, entries: int, suspects: int = 0) -> None:
        """One commit of the log, which then held so many entries, and of this process so many
        whose times its clock, in doubt, gave."""
        self._series.clock_suspect.set(suspects)
        self._series.commit_seconds.observe(elapsed_s)
        self._series.log_entries.set(entries)

    def indexed(self, behind: int) -> None:
        """How many entries of the log auditors cannot find yet."""
        self._series.index_behind.set(behind)

    def witnessed(self, *, behind_s: float, answering: int, alarm: bool) -> None:
        """How long the log's oldest checkpoint waits for its witnesses; how many of them sign."""
        self._series.unwitnessed_seconds.set(behind_s)
        self._series.witnesses.set(answering)
        self._series.witness_alarm.set(int(alarm))

    def exposition(self) -> bytes:
        """Everything in the Prometheus text format, version 0.0.4."""
        return generate_latest(self.registry)


def _among(value: str, closed: Set[str]) -> str:
    return value if value in closed or value == "none" else OTHER


def _series(registry: CollectorRegistry) -> _Series:
    def counter(name: str, text: str, *labels: str) -> Counter:
        return Counter(f"portcullis_{name}", text, labels, registry=registry)

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"portcullis_{name}", text, labels, registry=registry)

    def histogram(name: str, text: str, *labels: str) -> Histogram:
        return Histogram(f"portcullis_{name}", text, labels, registry=registry, buckets=_SECONDS)

    return _Series(
        queries=counter("queries", "Queries by how they ended.", "code", "purpose"),
        query_seconds=histogram("query_seconds", "From receipt to recorded outcome."),
        visits=counter("source_visits", "Visits by how they ended.", "source", "state"),
        visit_seconds=histogram("source_visit_seconds", "One visit to a source.", "source"),
        rows=counter("source_records", "Records by what was shown.", "source", "outcome"),
        review_due=counter("review_due", "Records shown that are due for review.", "agency"),
        alarms=counter("source_alarms", "Rows a source should not have sent.", "source"),
        left_alone=gauge("source_left_alone", "1: it failed too often to be visited.", "source"),
        canaries=gauge("canaries", "Canaries by what the last round saw.", "source", "seen"),
        policy_seconds=histogram("policy_seconds", "One question to OPA.", "result"),
        commit_seconds=histogram("audit_commit_seconds", "One commit of the log."),
        log_entries=gauge("audit_log_entries", "Entries in the log."),
        index_behind=gauge(
            "audit_index_behind", "Entries of the log that auditors cannot find yet."
        ),
        clock_suspect=gauge(
            "audit_clock_suspect_entries", "Entries since the start whose clock was in doubt."
        ),
        unwitnessed_seconds=gauge(
            "audit_unwitnessed_seconds", "How long a checkpoint waits for the witnesses; 0: none."
        ),
        witnesses=gauge("audit_witnesses_answering", "Witnesses that signed when last asked."),
        witness_alarm=gauge("audit_witness_alarm", "1: not witnessed for a minute."),
    )
