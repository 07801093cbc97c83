"""By which terms a search is found again."""

from __future__ import annotations

import pytest

from gateway.audit.terms import terms_of, terms_of_text
from tests.unit.query import world

PERSON = "{{ personSearch(anyOf: [{}]) {{ hits {{ ref vehicles {{ vrm }} }} }} }}"


def terms(document: str) -> set[tuple[str, str]]:
    found = terms_of(world.plan_of(world.operation(document)), world.vocabulary())
    assert list(found) == sorted(set(found))
    return set(found)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ('{family: "O\'Néill-Dang"}', {("Name", "ONEILL DANG")}),
        ('{family: "Hodja", dob: "1991-04"}', {("Name", "HODJA"), ("Date", "1991-04")}),
        ('{family: "Hodja", given: "Ana Mira"}',
         {("Name", "HODJA"), ("Name", "ANA MIRA"), ("Name", "ANA"), ("Name", "MIRA")}),
        ('{identifier: "a 123 4567", identifierKind: PASSPORT}, {familyPrefix: "Hox"}',
         {("Document", "A1234567"), ("Name^", "HOX")}),
        ('{phone: "07700 900123"}', {("Contact", "+447700900123")}),
    ],
)  # fmt: skip
def test_a_search_is_found_by_what_stands_for_somebody_and_nothing_else(
    asked: str, found: set[tuple[str, str]]
) -> None:
    assert terms(PERSON.format(asked)) == found


def test_a_record_asked_for_by_its_ref_is_found_by_its_own_name() -> None:
    ref = world.REFS.seal("NORTH", "north", "Person", "p1")
    assert terms(f'{{ person(ref: "{ref}") {{ sex }} }}') == {("record", "north|Person|p1")}


def test_what_is_asked_of_each_agency_is_one_term() -> None:
    assert terms('{ vehicle(vrm: "ab12 cde") { ref } }') == {("Vrm", "AB12CDE")}


@pytest.mark.parametrize(
    ("asked", "typed"),
    [
        ('{family: "Hoxhaj"}', "hoxhaj"),
        ('{familyPrefix: "Hox"}', "Hoxhaj"),
        ('{given: "Ana Mira"}', "Mira"),
        ('{identifier: "A1234567"}', "a-123-4567"),
        ('{phone: "+447700900123"}', " 07700 900123 "),
        ('{dob: "1991-04-17"}', "1991-04-17"),
        ('{dob: "1991-04"}', "1991-04-17"),
    ],
)
def test_what_an_auditor_types_finds_the_search(asked: str, typed: str) -> None:
    assert terms(PERSON.format(asked)) & set(terms_of_text(typed))


def test_what_was_not_searched_for_is_not_found() -> None:
    assert not terms(PERSON.format('{family: "Hoxhaj"}')) & set(terms_of_text("Hoxha"))
    assert not terms(PERSON.format('{familyPrefix: "Hoxha"}')) & set(terms_of_text("Hodja"))
    assert not terms(PERSON.format('{dob: "1991-04-17"}')) & set(terms_of_text("1991-04"))
    assert terms_of_text("\0") == ()


def test_an_address_is_found_by_its_postcode_and_that_by_its_district() -> None:
    found = terms_of_text("Flat 2, 14 High Street, Lydd tn29 9aj")
    assert {("Postcode", "TN29 9AJ"), ("Postcode", "TN29")} <= set(found)
    assert ("Postcode", "TN29 9AJ") not in terms_of_text("TN29")
