"""An answer as the tour's reader sees it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.cli.reading import disclosure_rows, fact, findings, record_rows, spoken, subject_of


def body(hits: list[dict[str, Any]], *disclosure: dict[str, Any]) -> dict[str, Any]:
    return {
        "data": {"personSearch": {"hits": hits}},
        "extensions": {"disclosure": list(disclosure)},
    }


WARNED = {
    "owner": "NMC",
    "ref": "r1",
    "primaryName": "ARBEN HOXHA",
    "sex": "MALE",
    "dateOfBirth": None,
    "leadAgency": "",
    "absconder": False,
    "warnings": [{"kind": "WEAPONS", "reason": "carries a lock knife"}],
    "safeguarding": [{"kind": "NRM", "state": "OPEN"}],
    "match": {"band": "LINKED_BY_IDENTIFIER"},
}
HIT = {
    "path": "personSearch.hits.*.intelligence",
    "outcome": "HIT",
    "agency": "ERU",
    "text": "Ask first.",
    "contact": "eru-intel",
    "action": "requestRelease",
}


def test_warnings_stand_before_all_and_hits_say_whom_to_ask() -> None:
    again = WARNED | {"owner": "SCP", "safeguarding": None}
    said = [(one.kind, one.text, one.agencies) for one in findings(body([WARNED, again], HIT))]
    assert said == [
        ("Warning", "Weapons: carries a lock knife", ("NMC", "SCP")),
        ("Safeguarding", "NRM: open", ("NMC",)),
        ("Hit", "Intelligence held. Ask first. Ask eru-intel.", ("ERU",)),
    ]


def test_a_hit_reads_the_line_that_it_tells() -> None:
    told = body([], HIT | {"shows": "May carry a knife: take care."})
    (found,) = findings(told)
    line = "May carry a knife: take care."
    assert found.text == f"Intelligence held. {line} Ask first. Ask eru-intel."
    (row,) = disclosure_rows(told)
    assert row.text == f"Ask first. Shown instead: {line}"


def test_conditions_stand_beside_a_record() -> None:
    path = "personSearch.hits.0.intelligence.1"
    told = {"path": path, "outcome": "SHOWN", "agency": "ERU", "shows": "NO_ONWARD"}
    (row,) = disclosure_rows(body([], told))
    assert (row.path, row.text) == ("intelligence", "Conditions: NO_ONWARD.")


def test_a_record_shows_its_plain_facts_and_no_ref() -> None:
    (row,) = record_rows(body([WARNED]))
    assert (row.agency, row.title) == ("NMC", "ARBEN HOXHA")
    assert row.facts == (("sex", "male"), ("absconder", "no"), ("match", "linked by identifier"))


@pytest.mark.parametrize(
    ("record", "title"),
    [({"region": "SOUTH_EAST"}, "South east"), ({"make": "FORD"}, "FORD"), ({}, "A record")],
)
def test_a_record_without_a_name_is_told_by_something_else(
    record: dict[str, Any], title: str
) -> None:
    assert [row.title for row in record_rows({"data": {"vehicle": [record]}})] == [title]


def test_no_answer_holds_no_records() -> None:
    assert record_rows({"data": None}) == []
    assert record_rows({"data": {"person": None}}) == []


def test_agencies_that_withhold_alike_stand_together_and_hits_come_first() -> None:
    withheld = {"path": "personSearch.hits.*.identifiers.*.value", "outcome": "WITHHELD"}
    shown = {"path": "personSearch.hits.0.names", "outcome": "MASKED", "agency": "BID",
             "text": "Cut.", "shows": "A…"}  # fmt: skip
    odd = {"path": "vehicle.*.tax", "outcome": "NOT_ASKED"}
    rows = disclosure_rows(
        body([], odd, withheld | {"agency": "NMC"}, withheld | {"agency": "SCP"}, shown, HIT)
    )
    assert [(row.outcome, row.path, row.agency) for row in rows] == [
        ("HIT", "intelligence", "ERU"),
        ("MASKED", "names", "BID"),
        ("WITHHELD", "identifiers", "NMC, SCP"),
        ("NOT_ASKED", "tax", ""),
    ]
    assert rows[1].text == "Cut. Shown instead: A…."


@pytest.mark.parametrize(
    ("path", "subject"),
    [("personSearch.hits.*.immigration.status", "immigration status"),
     ("vehicle.0.falsePlateSuspected", "false plate suspected"), ("personSearch", "person search")],
)  # fmt: skip
def test_a_path_is_said_in_words(path: str, subject: str) -> None:
    assert subject_of(path) == subject


@pytest.mark.parametrize(
    ("code", "said"),
    [("MENTAL_HEALTH", "Mental health"), ("WEAPONS", "Weapons"), ("NRM", "NRM"),
     ("dateOfBirth", "date of birth")],
)  # fmt: skip
def test_codes_are_said_in_words(code: str, said: str) -> None:
    assert spoken(code) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(True, "yes"), (36, "36"), ("SOUTH_EAST", "south east"), ("ERU", "ERU"), ("Hoxha", "Hoxha")],
)
def test_values_are_said_as_a_person_would(value: str | int | float, said: str) -> None:
    assert fact(value) == said
