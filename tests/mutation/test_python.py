"""The mutants of the code are what they say, and those that matter are found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.changes import mutants_of
from tests.mutation.mutant import INVALID, KILLED, SURVIVED
from tests.mutation.python import ROOT, TARGETS, Target, drawn, outcomes

MODULE = '''"""Says who may."""

from __future__ import annotations

LIMIT: int = 20
OLDEST = 120


def allowed(age: int, roles: frozenset[str]) -> bool:
    """Whether somebody may."""
    if age > OLDEST:
        raise ValueError("no age")
    if not roles:
        return False
    return age >= 18 and any(role == "officer" for role in roles)


def told(way: object, first: int) -> list[int]:
    match way:
        case "all" if first:
            return list(range(first, LIMIT))[:3]
        case _:
            return []
'''

TESTS = """import pytest

from small.rules import allowed


def test_an_officer_of_age_may() -> None:
    assert allowed(18, frozenset({"clerk", "officer"})) is True
    assert allowed(120, frozenset({"clerk", "officer"})) is True


def test_nobody_else_may() -> None:
    assert allowed(17, frozenset({"officer"})) is False
    assert allowed(18, frozenset({"clerk"})) is False
    assert allowed(18, frozenset()) is False
    with pytest.raises(ValueError, match="no age"):
        allowed(121, frozenset({"officer"}))
"""

TESTED = """
import json, sys
from pathlib import Path
from tests.mutation.mutant import Mutant
from tests.mutation.python import Target, outcomes

target = Target(file="small/rules.py", tests=("test_rules.py",), root=Path(sys.argv[1]))
made = {str(mutant): mutant for mutant in target.mutants()}
work = [*map(made.get, sys.argv[2:]), Mutant(target.file, 1, 0, "", "def (")]
found = dict(outcomes(target, work, 2))
print(json.dumps([found[mutant] for mutant in work]))
"""

ANY = 'any(role == "officer" for role in roles)'
BOTH = f"age >= 18 and {ANY}"


def test_each_place_of_a_module_is_changed() -> None:
    made = {(m.row, m.before, m.after) for m in mutants_of(MODULE, "rules.py")}
    assert made == {
        (5, "20", "(21)"),
        (11, "age > OLDEST", "(age <= OLDEST)"),
        (11, "age > OLDEST", "(age >= OLDEST)"),
        (11, "age > OLDEST", "(not (age > OLDEST))"),
        (6, "120", "(121)"),
        (12, 'raise ValueError("no age")', "pass"),
        (13, "not roles", "(roles)"),
        (13, "not roles", "(not (not roles))"),
        (14, "return False", "pass"),
        (14, "False", "(True)"),
        (15, BOTH, "(age >= 18 or any((role == 'officer' for role in roles)))"),
        (15, BOTH, "(age >= 18)"),
        (15, BOTH, "(any((role == 'officer' for role in roles)))"),
        (15, "age >= 18", "(age < 18)"),
        (15, "age >= 18", "(age > 18)"),
        (15, "18", "(19)"),
        (15, ANY, "(all((role == 'officer' for role in roles)))"),
        (15, 'role == "officer"', "(role != 'officer')"),
        (15, '"officer"', "('officer~')"),
        (20, "first", "(True)"),
        (20, "first", "(not (first))"),
        (21, "return list(range(first, LIMIT))[:3]", "pass"),
        (21, "list(range(first, LIMIT))[:3]", "(list(range(first, LIMIT)))"),
        (21, "range(first, LIMIT)", "(range(LIMIT, first))"),
        (21, "3", "(4)"),
        (22, "_", "_ if False"),
        (23, "return []", "pass"),
    }


def test_a_change_is_made_where_it_says_whatever_stands_before() -> None:
    text = 'NAME = "ö"; LIMIT = 1\nclass A:\n    def f(self): return [x for x in "ö" if x]\n'
    changed = {mutant.applied(text) for mutant in mutants_of(text, "a.py", frozenset({"f"}))}
    assert changed == {
        text.replace('"ö" if', "('ö~') if"),
        text.replace("if x]", "if (True)]"),
        text.replace("if x]", "if (not (x))]"),
    }


def test_what_only_tells_something_is_not_changed() -> None:
    text = '''"""A module."""
from typing import TYPE_CHECKING, Protocol, TypeAlias
if TYPE_CHECKING:
    import os
__all__ = ["f"]
Kind: TypeAlias = "int | str"
class Held(Protocol):
    def held(self) -> bool: return True
def f(a: "int | None") -> "str | None":
    """Nothing."""
    said(detail="lost", text="none")
    return f"{a + 1}"
'''
    assert {m.after for m in mutants_of(text, "a.py")} == {"pass"}  # only f's call


def test_what_the_tests_look_at_is_found_and_what_they_do_not_survives(tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "rules.py").write_text(MODULE, "utf-8")
    (tmp_path / "test_rules.py").write_text(TESTS, "utf-8")
    # The first two are changes of a function, the others of what loading the module runs.
    changes = (
        "15: age >= 18  ->  (age > 18)",
        "21: 3  ->  (4)",
        "5: 20  ->  (21)",
        "6: 120  ->  (121)",
    )
    names = [f"small/rules.py:{change}" for change in changes]
    run = subprocess.run(  # noqa: S603  # a fixed command
        [sys.executable, "-c", TESTED, str(tmp_path), *names],
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    assert json.loads(run.stdout) == [KILLED, SURVIVED, SURVIVED, KILLED, INVALID]
    assert (tmp_path / "small" / "rules.py").read_text("utf-8") == MODULE


def test_every_module_of_enforcement_has_mutants_and_tests_that_are_there() -> None:
    for target in TARGETS:
        assert target.mutants()
        assert all((ROOT / test).is_file() for test in target.tests)


def test_tests_that_fail_as_the_code_stands_find_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_rules.py").write_text("def test_it() -> None:\n    assert False\n", "utf-8")
    (tmp_path / "rules.py").write_text("LIMIT = 20\n", "utf-8")
    target = Target(file="rules.py", tests=("test_rules.py",), root=tmp_path)
    with pytest.raises(ValueError, match="fail as it stands"):
        list(outcomes(target, target.mutants(), 1))


def test_some_are_drawn_evenly_and_the_same_by_the_same_seed() -> None:
    work = drawn(TARGETS, 65, 1)
    assert sum(map(len, work.values())) == 65
    assert work == drawn(TARGETS, 65, 1) != drawn(TARGETS, 65, 2)
    least = 65 // len(TARGETS)
    assert set(map(len, work.values())) == {least, least + 1}
