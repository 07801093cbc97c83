"""What a record itself says decides: its grading, its subject's age and role, its day of review.

Each both ways, by real rules in a real Open Policy Agent, over real records of every agency: the
same search is asked of the deployed rules and of a copy in which a word or an agency says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.demo.population import Agency, Population
from deploy.demo.stack import running_opa
from gateway.cli.demo import Demo
from gateway.policy.masks import BLOCKS
from tests.e2e.asking import Answer, Asker
from tests.e2e.owngateway import served
from tests.opa import unbounded

SEARCH = """query($n: [PersonCriteria!]!) { personSearch(anyOf: $n, first: 50) { hits { ref owner
  primaryName sex mopiGroup ageState sourceGrade infoGrade recordedAt reviewDate
  retention subjectRoles } } }"""
BY_RECORD: Mapping[str, Any] = {
    "show": "records",
    "read": {
        "*": "CLEAR",
        "primary_name": [
            {"only": {"source_grade": ["RELIABLE"], "info_grade": ["A", "B"]}, "as": "CLEAR"},
            {"only": {"source_grade": ["RELIABLE", "UNTESTED"]}, "as": "REDACT"},
        ],
        "sex": [{"only": {"age_state": ["ADULT"]}, "as": "CLEAR"}],
        "subject_roles": "CLEAR",
        "mopi_group": [{"only": {"subject_roles": ["SUSPECT", "CONVICTED"]}, "as": "CLEAR"}],
        "recorded_at": [
            {"only": {"retention": ["CURRENT"]}, "as": "CLEAR"},
            {"only": {"retention": ["REVIEW_DUE"]}, "as": "YEAR"},
        ],
    },
}
REVIEWED = "2030-01-01"
NARROWED = f"""
# METADATA
# title: Some records are kept back by their day of review
# custom:
#   owner: NMC
#   reason: What is reviewed late is not at hand. Ask the Northmarch records desk.
rows[id] := lib.before("review_date", "{REVIEWED}") if {{
	some id in lib.of_type("Person") & lib.of_agency("NMC")
}}
"""


@pytest.fixture(scope="module")
async def changed(
    demo: Demo, opa_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Asker]:
    """A gateway whose rules look at what a record says of itself."""
    folder = tmp_path_factory.mktemp("by-record")
    policies = unbounded(
        folder / "policies",
        outcomes=lambda table: table.update(by_record=BY_RECORD),
        matrix=lambda table: table["Person"].update(rocu_analyst={"*": "by_record"}),
    )
    with (policies / "agencies/nmc/nmc.rego").open("a", encoding="utf-8") as rules:
        rules.write(NARROWED)
    async with (
        running_opa(opa_program, policies) as opa,
        served(demo, folder / "state", secrets={}, opa_url=opa, same_keys=True) as own,
        httpx.AsyncClient(trust_env=False, timeout=30) as client,
    ):
        yield Asker(demo=own, client=client)


async def ask(asker: Asker, population: Population) -> Answer:
    """A search for people of NMC by their numbers, of every grade and some of no known age."""
    held = [
        copy
        for _, copy in population.held_by(Agency.NMC)
        if copy.governance.retention == "CURRENT" and copy.governance.handling == "P"
    ]
    due = [
        copy
        for _, copy in population.held_by(Agency.NMC)
        if copy.governance.retention == "REVIEW_DUE" and copy.governance.handling == "P"
    ]
    ageless = [copy for copy in held if not copy.birth.year]
    doubted = [copy for copy in held if copy.governance.source_grade == 3]
    who = [{"identifier": copy.key} for copy in (*held[:12], *doubted[:6], *ageless[:4], *due[:6])]
    answer = await asker.ask("RA", SEARCH, {"n": who}, purpose="OIC_INVESTIGATION")
    assert answer.state("NMC") == "ANSWERED", answer.body
    return answer


async def test_a_name_is_shown_by_the_grading_of_its_record(
    changed: Asker, asker: Asker, population: Population
) -> None:
    names = {row["ref"]: row["primaryName"] for row in (await ask(asker, population)).hits()}
    ways: Counter[str] = Counter()
    for row in (await ask(changed, population)).hits():
        if (row["sourceGrade"], row["infoGrade"]) in {("RELIABLE", "A"), ("RELIABLE", "B")}:
            way, shown = "CLEAR", names[row["ref"]]
        elif row["sourceGrade"] in {"RELIABLE", "UNTESTED"}:
            way, shown = "REDACT", BLOCKS
        else:
            way, shown = "WITHHELD", None
        assert row["primaryName"] == shown, row
        ways[way] += 1
    assert ways.keys() == {"CLEAR", "REDACT", "WITHHELD"}


async def test_a_field_is_shown_by_how_old_its_subject_is(
    changed: Asker, population: Population
) -> None:
    rows = (await ask(changed, population)).hits()
    assert {row["ageState"] for row in rows} > {"ADULT"}
    for row in rows:
        assert (row["sex"] is not None) == (row["ageState"] == "ADULT"), row


async def test_a_field_is_shown_by_whether_its_records_review_is_due(
    changed: Asker, asker: Asker, population: Population
) -> None:
    """Its state is what the day of review has come to; the source says which."""
    times = {row["ref"]: row["recordedAt"] for row in (await ask(asker, population)).hits()}
    seen: Counter[str] = Counter()
    for row in (await ask(changed, population)).hits():
        current = row["retention"] == "CURRENT"
        assert row["recordedAt"] == (times[row["ref"]] if current else None), row
        seen[row["retention"]] += times[row["ref"]] is not None
    assert seen["CURRENT"]
    assert seen["REVIEW_DUE"]


async def test_a_field_is_shown_by_its_subjects_roles(
    changed: Asker, asker: Asker, population: Population
) -> None:
    held = {row["ref"]: row["mopiGroup"] for row in (await ask(asker, population)).hits()}
    ways: set[bool] = set()
    for row in (await ask(changed, population)).hits():
        suspected = not {"SUSPECT", "CONVICTED"}.isdisjoint(row["subjectRoles"] or ())
        assert row["mopiGroup"] == (held[row["ref"]] if suspected else None), row
        ways |= {suspected} if held[row["ref"]] else set()
    assert ways == {True, False}


async def test_an_agency_keeps_records_back_by_their_day_of_review(
    changed: Asker, asker: Asker, population: Population
) -> None:
    held = {row["ref"]: row["reviewDate"] for row in (await ask(asker, population)).hits()}
    left = {row["ref"] for row in (await ask(changed, population)).hits()}
    kept = {ref for ref, when in held.items() if when is not None and when < REVIEWED}
    assert left == kept
    assert kept
    assert kept < held.keys()
