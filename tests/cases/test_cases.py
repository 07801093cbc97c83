"""Every query of this folder is planned, asked and explained as its files say."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pytest

from tests.cases.case import HERE, PRODUCTS, Case, cases

TO_WRITE = "the files differ; if that is meant, run: python -m tests.cases.write"


@cache
def made(case: Case) -> Mapping[str, str]:
    return case.made()


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_case(case: Case, product: str) -> None:
    assert made(case)[product] == case.file(product).read_text("utf-8"), TO_WRITE


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_no_value_that_is_searched_for_is_in_the_question(case: Case) -> None:
    question = made(case)["question.json"]
    for value in ("Hodja", "Hoxha", "1991", "AB12", "7700900", "knife"):
        assert value not in question


def test_there_are_no_files_of_cases_that_are_gone() -> None:
    known = {case.file(kind) for case in cases() for kind in ("graphql", "request.json", *PRODUCTS)}
    left = {file for file in HERE.iterdir() if file.suffix in {".json", ".txt", ".graphql"}} - known
    assert left == set()
