"""A justification is read whole, or it is said what it lacks."""

from __future__ import annotations

import pytest

from gateway.errors import (
    PurposeRequired,
)
from gateway.model import Operation
from tests.unit.query.world import WHY, operation

SEARCH = 'personSearch(anyOf: [{family: "Hodja"}])'


def justified(given: object) -> Operation:
    return operation(f"{{ {SEARCH} {{ total }} }}", justification=given)


def test_a_justification_is_read_whole() -> None:
    given = {
        "purpose": "APPREHEND",
        "reasonCode": "R05",
        "reasonText": "t",
        "caseRef": "c",
        "incidentRef": "i",
        "onBehalfOf": "o",
        "breakGlass": "b",
    }
    made = justified(given).justification
    assert made is not None
    assert (made.purpose, made.reason_code, made.reason_text) == ("APPREHEND", "R05", "t")
    assert (made.case_ref, made.incident_ref) == ("c", "i")
    assert (made.on_behalf_of, made.break_glass) == ("o", "b")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "Say why you ask"),
        ("OFFICER_SAFETY", "must be an object"),
        ([], "must be an object"),
        ({}, "purpose is missing"),
        ({"purpose": "APPREHEND"}, "reasonCode is missing"),
        ({"reasonCode": "R01"}, "purpose is missing"),
        (WHY | {"Purpose": "x"}, "knows only purpose"),
        (WHY | {"purpose": ""}, "purpose must be a text of 1 to 64"),
        (WHY | {"purpose": "x" * 65}, "purpose must be a text of 1 to 64"),
        (WHY | {"reasonCode": 7}, "reasonCode must be a text"),
        (WHY | {"caseRef": ["x"]}, "caseRef must be a text"),
        (WHY | {"reasonText": "x" * 2001}, "reasonText must be a text of 1 to 2000"),
    ],
)
def test_a_justification_that_lacks_something_says_what(given: object, said: str) -> None:
    with pytest.raises(PurposeRequired) as caught:
        justified(given)
    assert said in caught.value.said
    assert "xxxx" not in caught.value.said


def test_an_operation_that_fetches_nothing_needs_no_purpose() -> None:
    assert operation("{ __typename sources { state } }", justification=None).justification is None
    with pytest.raises(PurposeRequired):
        operation("{ __typename }", justification={"purpose": 1})


@pytest.mark.parametrize("given", [{"purpose": "Arben Hoxha"}, {"reasonCode": "R01\n"}])
def test_pu_02_purpose_and_reason_are_codes(given: dict[str, str]) -> None:
    with pytest.raises(PurposeRequired, match="is a code"):
        operation(f"{{ {SEARCH} {{ total }} }}", justification={**WHY, **given})
