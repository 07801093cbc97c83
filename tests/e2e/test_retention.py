"""8.2: what is overdue for review is searchable, flagged and counted; what is to go is not."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.demo.population import Agency, Population
from gateway.cli.demo import Demo
from tests.e2e.asking import Answer, Asker

FLAG = """query($n: [PersonCriteria!]!) { personSearch(anyOf: $n, first: 50) { hits {
  owner retention reviewDate } } }"""


def counted(demo: Demo) -> Counter[str]:
    """How many records due for review were shown, by the agency that holds them."""
    text = demo.started.gate.metrics.exposition().decode()
    return Counter(
        {
            sample.labels["agency"]: int(sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "portcullis_review_due_total"
        }
    )


def copies(population: Population, agency: Agency, retention: str) -> list[dict[str, Any]]:
    """Criteria for people whom an agency keeps so; the bureau knows births as ranges."""
    return [
        {"family": copy.name.family, "dob": str(year)}
        for _, copy in population.held_by(agency)
        if copy.governance.retention == retention and not copy.silent
        if (year := copy.birth.earliest.year if copy.birth.earliest else copy.birth.year)
    ][:8]


async def find(asker: Asker, who: list[dict[str, Any]]) -> Answer:
    answer = await asker.ask("RO", FLAG, {"n": who}, purpose="OFFICER_SAFETY", reason="R01")
    assert answer.status == 200, answer.body
    return answer


@pytest.mark.parametrize("agency", [Agency.NMC, Agency.SCP, Agency.NCB])
async def test_what_is_due_for_review_is_shown_flagged_and_counted(
    asker: Asker, population: Population, agency: Agency
) -> None:
    before = counted(asker.demo)
    answer = await find(asker, copies(population, agency, "REVIEW_DUE"))
    due = Counter(row["owner"] for row in answer.hits() if row["retention"] == "REVIEW_DUE")
    assert due[agency] > 0
    assert any(row["reviewDate"] for row in answer.hits(owner=agency))
    assert {row["retention"] for row in answer.hits()} <= {"CURRENT", "REVIEW_DUE"}
    assert counted(asker.demo) - before == due


@pytest.mark.parametrize("retention", ["DISPOSE", "RESTRICTED"])
async def test_what_is_to_go_is_neither_shown_nor_counted(
    asker: Asker, population: Population, retention: str
) -> None:
    for agency in (Agency.NMC, Agency.SCP, Agency.NCB):
        who = copies(population, agency, retention)
        assert who
        before = counted(asker.demo)
        answer = await find(asker, who)
        shown = Counter(row["retention"] for row in answer.hits())
        assert shown.keys() <= {"CURRENT", "REVIEW_DUE"}
        assert (counted(asker.demo) - before).total() == shown["REVIEW_DUE"]


async def test_it_is_counted_whether_or_not_the_flag_is_selected(
    asker: Asker, population: Population
) -> None:
    who = copies(population, Agency.NMC, "REVIEW_DUE")
    flagged = await find(asker, who)
    due = Counter(row["owner"] for row in flagged.hits() if row["retention"] == "REVIEW_DUE")
    before = counted(asker.demo)
    plain = FLAG.replace("retention reviewDate", "sex")
    await asker.ask("RO", plain, {"n": who}, purpose="OFFICER_SAFETY", reason="R01")
    assert counted(asker.demo) - before == due
