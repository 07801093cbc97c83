"""What is asked for as conditions, and what may not be asked for."""

from __future__ import annotations

import pytest

from connectors.conditions import And, Compare, Op, Or
from gateway.errors import InvalidOperation, LimitExceeded
from tests.unit.query.world import operation, plan_of, planned, search


def test_criteria_inside_one_are_joined_by_and_alternatives_by_or() -> None:
    criteria = '{family: "Hodja", dob: "1991"}, {identifier: "a 1234567"}'
    assert planned(search("sex", criteria)).fetches[0].where == Or(
        (
            And(
                (
                    Compare("names.family", Op.EQ, "Hodja"),
                    Compare("date_of_birth", Op.EQ, "1991"),
                )
            ),
            Compare("identifiers.value", Op.EQ, "A1234567"),
        )
    )


@pytest.mark.parametrize(
    ("criteria", "said"),
    [
        ("", "at least one alternative"),
        ("{}", "name at least one of family, given"),
        ("{identifierKind: PNCID}", "name at least one of"),
        ('{familyPrefix: "Ho"}', "familyPrefix: give at least 3 characters"),
        ('{givenPrefix: "A"}', "givenPrefix: give at least 2 characters"),
        ('{family: "  \' "}', "family: a name has one to 120"),
        ('{identifier: "91/0004417N"}', "check letter"),
        ('{identifier: "%a%a%"}', "3 to 32 letters and digits"),
    ],
)
def test_criteria_that_cannot_be_used_are_refused_and_not_quoted(criteria: str, said: str) -> None:
    with pytest.raises(InvalidOperation) as caught:
        planned(search("sex", criteria))
    assert said in caught.value.said
    assert "4417N" not in caught.value.said
    assert "%a" not in caught.value.said


def test_a_criterion_that_is_null_is_none() -> None:
    given = {"n": [{"family": "Hodja", "dob": None}]}
    document = "query ($n: [PersonCriteria!]!) { personSearch(anyOf: $n) { total } }"
    assert plan_of(operation(document, given)).fetches[0].where == Compare(
        "names.family", Op.EQ, "Hodja"
    )


def test_ij_02_a_wildcard_is_a_character_like_any_other() -> None:
    where = planned(search("sex", '{familyPrefix: "%_\\\\"}')).fetches[0].where
    assert where == Compare("names.family", Op.STARTSWITH, "%_\\")


def test_gd_18_alternatives_values_and_texts_are_limited() -> None:
    document = "query ($n: [PersonCriteria!]!) { personSearch(anyOf: $n) { total } }"
    for criteria, said in (
        ([{"family": "x"}] * 31, "The limit 'alternatives' is 30; the request has 31."),
        ([{"family": "x" * 257}], "The limit 'text_chars' is 256; the request has 257."),
    ):
        with pytest.raises(LimitExceeded, match=said):
            plan_of(operation(document, {"n": criteria}))
    event = "query ($r: String!) { eventSearch(by: {ref: $r}) { total } }"
    with pytest.raises(LimitExceeded, match="'text_chars'"):
        plan_of(operation(event, {"r": "x" * 60_000}))
    with pytest.raises(InvalidOperation, match="ref: this must be a text"):
        planned('{ eventSearch(by: {ref: "a\\u0000b"}) { total } }')
    bands = "query ($b: [AttributeBand!]) { organisedGroups(by: {attributeBandIn: $b}) { total } }"
    with pytest.raises(LimitExceeded, match="'values' is 100; the request has 101"):
        plan_of(operation(bands, {"b": ["LOW"] * 101}))


@pytest.mark.parametrize("when", ["9999-12-31T23:59:59Z", "1899-12-31T00:00:00Z"])
def test_ij_18_a_time_at_the_end_of_time_is_refused(when: str) -> None:
    document = f'{{ eventSearch(by: {{place: "x", from: "2026-01-01T00:00:00Z", until: "{when}"}}) '
    with pytest.raises(InvalidOperation, match="until: a time lies between 1900 and 2199"):
        planned(f"{document} {{ total }} }}")


@pytest.mark.parametrize("prefix", ["a  ", "a--", ".a.", "a''"])
def test_a_prefix_counts_the_letters_that_are_compared(prefix: str) -> None:
    with pytest.raises(InvalidOperation, match="give at least 3 characters"):
        planned(search("sex", f'{{familyPrefix: "{prefix}"}}'))
