"""Every query of this folder is planned, decided, explained and answered as its files say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from tests.cases.answering import ROWS, deciding
from tests.cases.case import HERE, PRODUCTS, Case, cases

TO_WRITE = "the files differ; if that is meant, run: python -m tests.cases.write"


@pytest.fixture(scope="module")
def made() -> Iterator[Mapping[Case, Mapping[str, str]]]:
    with deciding() as decide:
        yield {case: case.made(decide) for case in cases()}


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_case(made: Mapping[Case, Mapping[str, str]], case: Case, product: str) -> None:
    assert made[case][product] == case.file(product).read_text("utf-8"), TO_WRITE


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_no_value_that_is_searched_for_is_in_the_question(case: Case) -> None:
    question = case.file("question.json").read_text("utf-8")
    for value in ("Hodja", "Hoxha", "1991", "AB12", "7700900", "knife"):
        assert value not in question


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_every_source_could_answer_and_none_of_what_nobody_may_see_is_told(case: Case) -> None:
    response = case.file("response.json").read_text("utf-8")
    assert "SOURCE_" not in response
    rows = ROWS.read_text("utf-8")
    for row, told in (("dob = 1991-04-18", "1991-04-18"), ('dateOfBirth.d" = 2', "1991-04-02")):
        assert row in rows
        assert told not in response


def test_there_are_no_files_of_cases_that_are_gone() -> None:
    known = {case.file(kind) for case in cases() for kind in ("graphql", "request.json", *PRODUCTS)}
    left = {file for file in HERE.iterdir() if file.suffix in {".json", ".txt", ".graphql"}} - known
    assert left == set()
