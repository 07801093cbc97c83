"""The mutants of the policies are what they say, and those that matter are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutation.mutant import Mutant
from tests.mutation.rego import modules, mutants_of, outcome

MODULE = """package gateway.small

allowed if {
\tinput.age >= 18
\tnot input.banned
\tsome role in input.roles
\trole == "officer"
}

limit := 20

names := {name | some name in input.names; name != ""}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Policies of one module and its tests."""
    (tmp_path / "small.rego").write_text(MODULE, "utf-8")
    (tmp_path / "small_test.rego").write_text(
        """package gateway.small_test

import data.gateway.small

officer := {"age": 18, "roles": ["clerk", "officer"]}

test_an_officer_of_age_may if small.allowed with input as officer

test_nobody_else_may if {
\tnot small.allowed with input as object.union(officer, {"age": 17})
\tnot small.allowed with input as object.union(officer, {"banned": true})
\tnot small.allowed with input as object.union(officer, {"roles": ["clerk"]})
}
""",
        "utf-8",
    )
    return tmp_path


def test_each_place_of_a_rule_is_changed(folder: Path) -> None:
    made = {(m.row, m.before, m.after) for m in mutants_of(folder / "small.rego", folder)}
    assert made == {
        (4, "input.age >= 18", "true"),
        (4, "input.age >= 18", "not input.age >= 18"),
        (4, ">=", "<"),
        (4, "18", "19"),
        (5, "not input.banned", "true"),
        (5, "not input.banned", "input.banned"),
        (7, 'role == "officer"', "true"),
        (7, 'role == "officer"', 'not role == "officer"'),
        (7, "==", "!="),
        (7, '"officer"', '"officer~"'),
        (10, "20", "21"),
        (12, 'name != ""', "true"),
        (12, 'name != ""', 'not name != ""'),
        (12, "!=", "=="),
        (12, '""', '"~"'),
    }


def test_what_the_tests_look_at_is_found_and_what_they_do_not_survives(folder: Path) -> None:
    outcomes = {m.row: set[str]() for m in mutants_of(folder / "small.rego", folder)}
    for mutant in mutants_of(folder / "small.rego", folder):
        outcomes[mutant.row].add(outcome(mutant, folder))
    assert outcomes == {
        4: {"KILLED"},
        5: {"KILLED"},
        7: {"KILLED"},
        10: {"SURVIVED"},
        12: {"SURVIVED"},
    }


def test_a_mutant_that_opa_would_not_load_is_told_apart(folder: Path) -> None:
    file = folder / "small.rego"
    at = MODULE.index("18")
    assert outcome(Mutant(file.name, 4, at, "18", "unknown_name"), folder) == "INVALID"
    assert file.read_text("utf-8") == MODULE  # the policies themselves stay as they are


def test_a_change_of_nothing_survives_and_every_deployed_module_has_places(folder: Path) -> None:
    """That the deployed policies pass as they stand is what `make check` says, and `make mutants`
    asks first."""
    one = mutants_of(folder / "small.rego", folder)[0]
    same = Mutant(one.file, one.row, one.start, one.before, one.before)
    assert outcome(same, folder) == "SURVIVED"
    without = {file.name for file in modules() if not mutants_of(file)}
    assert without == {"agencies.rego"}  # it holds no rule
