"""Around the data of an answer: how each source fared, and what no source holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.catalogue.mapping import Catalogue
from gateway.model import (
    AuthorisedPlan,
    Fetch,
    Outcome,
    Results,
    Selection,
    Show,
    SourceReport,
    State,
)
from gateway.query.reading import applicable
from gateway.query.said import Tally

# The worst that happened to any visit is what a source is said to be.
_WORST = [
    State.FAULT,
    State.UNAVAILABLE,
    State.TIMED_OUT,
    State.RATE_LIMITED,
    State.TRUNCATED,
    State.ANSWERED,
    State.WITHHELD,
    State.NOT_ASKED,
]
_LATE_S = 2.0


def reports_of(
    agreed: AuthorisedPlan, results: Results, tallies: Mapping[str, Tally], catalogue: Catalogue
) -> tuple[SourceReport, ...]:
    """How each source of the catalogue fared, in the order of their ids."""
    reports: list[SourceReport] = []
    for source_id, source in sorted(catalogue.sources.items()):
        fetches = [fetch for fetch in agreed.plan.fetches if fetch.source == source_id]
        states = [state for fetch in fetches for state in _states(fetch, agreed, results)]
        visits = [results[fetch.id] for fetch in fetches if fetch.id in results]
        tally = tallies.get(source_id, Tally())
        reports.append(
            SourceReport(
                source=source_id,
                agency=source.agency,
                state=min(states, key=_WORST.index, default=State.NOT_ASKED),
                rows=tally.rows,
                review_due=tally.review_due,
                masked=tally.told[Outcome.MASKED],
                withheld=tally.told[Outcome.WITHHELD],
                hits=tally.told[Outcome.HIT],
                elapsed_s=max((visit.elapsed_s for visit in visits), default=0.0),
                alarms=sum(visit.alarms for visit in visits),
            )
        )
    return tuple(reports)


def _states(fetch: Fetch, agreed: AuthorisedPlan, results: Results) -> list[State]:
    if fetch.id in agreed.silent:
        return [State.ANSWERED]
    if fetch.id in agreed.withheld:
        return [State.WITHHELD]
    if fetch.id not in results:
        return []
    state = results[fetch.id].state
    grant = agreed.grants.get(fetch.id)
    if state is State.TRUNCATED and grant is not None and grant.own.show is Show.HIT:
        return [State.ANSWERED]  # a hit does not tell that there is more than one
    return [state]


def time_band(report: SourceReport) -> str | None:
    """How long a source took, coarsely; exact times are for metrics alone.

    A source that stays silent is not visited: any finer band would tell it from one that was
    visited and holds nothing.
    """
    if report.state in {State.NOT_ASKED, State.WITHHELD}:
        return None
    late = report.state is State.TIMED_OUT or report.elapsed_s >= _LATE_S
    return "late" if late else f"under {_LATE_S:g} s"


def source_entries(reports: Sequence[SourceReport], catalogue: Catalogue) -> list[dict[str, Any]]:
    """`extensions.sources`."""
    return [
        {
            "agency": report.agency,
            "system": catalogue.sources[report.source].system,
            "state": report.state.value,
            "band": time_band(report),
        }
        for report in reports
    ]


def source_states(
    selection: Selection, reports: Sequence[SourceReport], catalogue: Catalogue
) -> list[dict[str, Any]]:
    """The root field `sources`."""
    made: list[dict[str, Any]] = []
    for report in reports:
        source = catalogue.sources[report.source]
        values = {
            "__typename": "SourceState",
            "agency": report.agency,
            "system": source.system,
            "state": report.state.value,
            "holds": sorted(source.entities),
        }
        made.append(
            {s.key: values[s.name] for s in applicable(selection.selections, "SourceState")}
        )
    return made


def not_held(agreed: AuthorisedPlan) -> list[dict[str, Any]]:
    """Disclosure entries for what was selected and no source holds."""
    return [
        {"path": path, "outcome": Outcome.NOT_ASKED.value, "text": "No source holds this."}
        for path, _field in agreed.plan.not_held
    ]
