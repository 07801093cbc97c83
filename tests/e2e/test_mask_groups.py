"""A second gateway over the same agencies, under changed rules: what tells it is masked too.

Under the deployed rules nobody who sees a number sees birth dates or names less than clearly.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.population import Agency, Population
from deploy.demo.stack import running_opa
from gateway.cli.demo import Demo
from tests.e2e.asking import Answer, Asker
from tests.e2e.owngateway import served
from tests.opa import changed

NUMBERS = """{ personSearch(anyOf: [{identifier: "BA4417093"}]) { hits {
  owner dateOfBirth names { full family } identifiers { kind value } } } }"""
EVENT = """query ($r: String!) { eventSearch(by: {ref: $r}, first: 50) { hits {
  ... on Incident { owner narrative offenceCode } } } }"""
Change = Callable[[dict[str, Any], dict[str, Any]], None]


@asynccontextmanager
async def ruled(demo: Demo, opa_program: Path, folder: Path, change: Change) -> AsyncIterator[Demo]:
    """The demonstration under rules whose matrix and outcomes are changed."""
    words: dict[str, Any] = {}
    policies = changed(
        folder / "policies",
        matrix=lambda matrix: change(matrix, words),
        outcomes=lambda outcomes: outcomes.update(words),
    )
    async with (
        running_opa(opa_program, policies) as opa_url,
        served(demo, folder / "state", secrets={}, opa_url=opa_url) as other,
    ):
        yield other


def numbers(answer: Answer) -> Iterator[tuple[str, str | None]]:
    for hit in answer.hits(owner="NMC"):
        for number in hit["identifiers"]:
            yield number["kind"], number["value"]


def born_by_the_year(matrix: dict[str, Any], outcomes: dict[str, Any]) -> None:
    outcomes["born_by_the_year"] = {"show": "records", "read": {"date_of_birth": "YEAR"}}
    matrix["Person"]["bureau_officer"] = {"*": "born_by_the_year"}


def names_as_tokens(matrix: dict[str, Any], outcomes: dict[str, Any]) -> None:
    outcomes["names_as_tokens"] = {"show": "records", "read": {"*": "CLEAR", "family": "TOKEN"}}
    matrix["PersonName"]["bureau_officer"] = {"*": "names_as_tokens"}


@pytest.mark.parametrize("change", [born_by_the_year, names_as_tokens])
async def test_numbers_that_tell_a_masked_field_are_masked_with_it(
    demo: Demo, asker: Asker, opa_program: Path, tmp_path: Path, change: Change
) -> None:
    plain = await asker.ask("NO", NUMBERS, purpose="OFFICER_SAFETY")
    shown = set(numbers(plain))
    assert {"DRIVER_NO", "PASSPORT", "CRO"} <= {kind for kind, value in shown if value}
    async with ruled(demo, opa_program, tmp_path, change) as other:
        answer = await replace(asker, demo=other).ask("NO", NUMBERS, purpose="OFFICER_SAFETY")
    masked = set(numbers(answer))
    telling = {"DRIVER_NO", "PASSPORT"}
    assert {kind for kind, value in masked if value is None} == telling
    assert {one for one in masked if one[1]} == {one for one in shown if one[0] not in telling}
    entries = answer.said("identifiers.value", agency="NMC")
    assert {(entry["outcome"], entry["mask"]) for entry in entries} == {("MASKED", "NULL")}
    birth = "".join(hit["dateOfBirth"] or "" for hit in answer.hits(owner="NMC"))
    assert ("-" in birth) is (change is names_as_tokens)


IMAGES = """query ($pnc: String!) { personSearch(anyOf: [{identifier: $pnc}]) { hits {
  owner ethnicity { officerDefined } images { takenOn } match { band } } } }"""


def ethnicity_closed(matrix: dict[str, Any], _outcomes: dict[str, Any]) -> None:
    matrix["Ethnicity"]["bureau_officer"] = {"*": "ethnicity_withheld"}


def builds_closed(matrix: dict[str, Any], outcomes: dict[str, Any]) -> None:
    outcomes["no_build"] = {"show": "records", "read": {"*": "CLEAR", "build": "NULL"}}
    matrix["Description"]["bureau_officer"] = {"*": "no_build"}


@pytest.mark.parametrize("change", [ethnicity_closed, builds_closed])
async def test_an_image_tells_what_somebody_looks_like(
    demo: Demo,
    asker: Asker,
    opa_program: Path,
    tmp_path: Path,
    population: Population,
    change: Change,
) -> None:
    """Whether or not anybody asks for what it tells: images go with it, and that is said."""
    who = {"pnc": population.golden("GOLD-1").pncid}
    plain = await asker.ask("NO", IMAGES, who, purpose="OFFICER_SAFETY")
    shown = [hit for hit in plain.hits(owner="NMC") if hit["images"]]
    assert shown
    assert {hit["match"]["band"] for hit in shown} == {"LINKED_BY_IDENTIFIER"}
    async with ruled(demo, opa_program, tmp_path, change) as other:
        bare = IMAGES.replace("ethnicity { officerDefined }", "")
        answer = await replace(asker, demo=other).ask("NO", bare, who, purpose="OFFICER_SAFETY")
    assert all(hit["images"] == [] for hit in answer.hits())
    assert answer.outcomes("images", agency="NIS") == {"WITHHELD"}


def no_places(matrix: dict[str, Any], outcomes: dict[str, Any]) -> None:
    matrix["Incident.where"] = {"public_protection": {"*": "place_district"}}


async def test_a_narrative_tells_everything(
    demo: Demo, asker: Asker, opa_program: Path, tmp_path: Path, population: Population
) -> None:
    """Where a public protection officer sees places by their district, the text is withheld."""
    held = next(
        one
        for one in population.incidents
        if one.agency is Agency.SCP and one.governance.retention == "CURRENT"
    )
    asked: dict[str, Any] = {"purpose": "PROTECT_VULNERABLE", "reason": "R07"}
    plain = await asker.ask("PP", EVENT, {"r": held.ref}, **asked)
    [own] = plain.hits("eventSearch")
    assert own["narrative"] == held.narrative
    async with ruled(demo, opa_program, tmp_path, no_places) as other:
        answer = await replace(asker, demo=other).ask("PP", EVENT, {"r": held.ref}, **asked)
    assert answer.hits("eventSearch") == [{**own, "narrative": None}]
    assert answer.outcomes("narrative", agency="SCP") == {"WITHHELD"}
