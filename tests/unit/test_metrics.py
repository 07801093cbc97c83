"""Counters whose labels no caller can make."""

from __future__ import annotations

from gateway.metrics import Metrics, outcome_codes
from gateway.model import SourceReport, State


def text(metrics: Metrics) -> str:
    return metrics.exposition().decode()


def test_every_end_of_a_query_has_its_code() -> None:
    assert {"OK", "REFUSED", "BAD_REQUEST", "POLICY_UNAVAILABLE", "INTERNAL"} <= outcome_codes()


def test_a_query_is_counted_under_closed_labels() -> None:
    metrics = Metrics(purposes=["OFFICER_SAFETY"], sources=["nmc"], agencies=())
    metrics.query(code=None, purpose="OFFICER_SAFETY", elapsed_s=0.01)
    metrics.query(code="REFUSED", purpose="Jane Canary", elapsed_s=0.01)
    metrics.query(code="Canary", purpose=None, elapsed_s=0.01)
    shown = text(metrics)
    assert 'portcullis_queries_total{code="OK",purpose="OFFICER_SAFETY"} 1.0' in shown
    assert 'portcullis_queries_total{code="REFUSED",purpose="other"} 1.0' in shown
    assert 'portcullis_queries_total{code="other",purpose="none"} 1.0' in shown
    assert "Canary" not in shown


def test_a_visit_is_counted_by_state_rows_and_alarms() -> None:
    metrics = Metrics(purposes=[], sources=["nmc"], agencies=["NMC"])
    metrics.visited(
        [
            SourceReport(source="nmc", agency="NMC", state=State.ANSWERED, rows=3, masked=1,
                         review_due=2, alarms=2, elapsed_s=0.2),
            SourceReport(source="elsewhere", agency="X", state=State.TIMED_OUT, review_due=1),
        ]
    )  # fmt: skip
    shown = text(metrics)
    assert 'portcullis_source_visits_total{source="nmc",state="ANSWERED"} 1.0' in shown
    assert 'portcullis_source_records_total{outcome="shown",source="nmc"} 3.0' in shown
    assert 'portcullis_source_alarms_total{source="nmc"} 2.0' in shown
    assert 'portcullis_review_due_total{agency="NMC"} 2.0' in shown
    assert 'portcullis_review_due_total{agency="other"} 1.0' in shown
    assert 'portcullis_source_visits_total{source="other",state="TIMED_OUT"} 1.0' in shown


def test_a_source_that_is_left_alone_is_seen() -> None:
    metrics = Metrics(purposes=[], sources=["nmc"], agencies=())
    assert 'portcullis_source_left_alone{source="nmc"} 0.0' in text(metrics)
    metrics.left_alone("nmc", is_open=True)
    assert 'portcullis_source_left_alone{source="nmc"} 1.0' in text(metrics)


def test_policy_and_log_are_timed() -> None:
    metrics = Metrics(purposes=[], sources=[], agencies=())
    metrics.decided(elapsed_s=0.003, had=True)
    metrics.decided(elapsed_s=0.25, had=False)
    metrics.committed(elapsed_s=0.002, entries=7, suspects=2)
    shown = text(metrics)
    assert 'portcullis_policy_seconds_count{result="decision"} 1.0' in shown
    assert 'portcullis_policy_seconds_count{result="none"} 1.0' in shown
    assert "portcullis_audit_log_entries 7.0" in shown
    assert "portcullis_audit_commit_seconds_count 1.0" in shown
    assert "portcullis_audit_clock_suspect_entries 2.0" in shown


def test_two_gateways_count_apart() -> None:
    one, other = (Metrics(purposes=[], sources=[], agencies=()) for _ in range(2))
    one.committed(elapsed_s=0.1, entries=1)
    assert "portcullis_audit_log_entries 0.0" in text(other)
