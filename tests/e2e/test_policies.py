"""The rules as their own tools see them: formatted, typed, in their schemas, tested to the last
line; and that these checks find what they are for."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.policy.capabilities import allowed
from deploy.policy.check import CAPABILITIES, CHECKS, compiled, covered, tables, unlike
from deploy.policy.engine import run
from gateway.policy.pdp import canaries
from tests.opa import POLICIES, agencies_alone, program

CASES = Path(__file__).parents[1] / "cases"
CONFIRM = {"version": 1, "action": {"name": "confirm"}}
RULE = """package agencies.nis

silence contains id if {
	some id, _ in input.resources
	%s
}
"""


def golden() -> dict[str, Any]:
    return {
        file.name: json.loads(file.read_text("utf-8"))["input"]
        for file in sorted(CASES.glob("*.question.json"))
    }


def against_schema(**questions: Any) -> list[str]:
    return unlike(program(), {name: (asked, "input.json") for name, asked in questions.items()})


# The rules' own tests and what they reach take half a minute: `make check` asks for these alone.
LONG = {"tests", "reach"}


@pytest.mark.parametrize("name", sorted(CHECKS.keys() - LONG))
def test_nothing_is_found(name: str) -> None:
    assert CHECKS[name](program(), POLICIES) == []


def test_whoever_runs_this_suite_runs_every_check_with_it() -> None:
    assert CHECKS.keys() > LONG
    said = (POLICIES.parent / ".ci" / "run").read_text("utf-8")
    at = [said.index(part) for part in ("make check >", "\nmake test ", 'wait "$check"')]
    assert at == sorted(at)
    recipe = (POLICIES.parent / "Makefile").read_text("utf-8").partition("\ncheck:")[2]
    assert '-m deploy.policy.check "$$opa"' in recipe.partition("\n\n")[0]


# --- the schema of the question ---


def test_every_question_of_the_gateway_is_in_the_schema() -> None:
    allowing, denying = canaries()
    assert len(golden()) >= 4
    assert against_schema(confirm=CONFIRM, allowing=allowing, denying=denying, **golden()) == []


def objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from objects(inner)


def without_each_key(question: Any) -> Iterator[Any]:
    """The question with one key of one of its shapes missing; resources and uses are no shapes."""
    for at, shape in enumerate(objects(question)):
        for key in shape:
            if shape is question["resources"] or all(isinstance(v, list) for v in shape.values()):
                continue
            made = copy.deepcopy(question)
            del list(objects(made))[at][key]
            yield made


def with_a_key_more(question: Any) -> Iterator[Any]:
    for at, _ in enumerate(objects(question)):
        made = copy.deepcopy(question)
        list(objects(made))[at]["reserve"] = ["x"]
        yield made


@pytest.mark.parametrize("change", [without_each_key, with_a_key_more])
def test_no_other_question_is(change: Callable[[Any], Iterator[Any]]) -> None:
    made = list(change(golden()["q2_vehicle_stop.question.json"]))
    assert len(made) > 10
    faults = against_schema(**{f"q{number}": asked for number, asked in enumerate(made)})
    assert {fault.partition(":")[0] for fault in faults} == {f"q{n}" for n in range(len(made))}


def test_a_confirmation_carries_nothing_else() -> None:
    assert against_schema(confirm={**CONFIRM, "resources": {}}) != []


# --- what the checks find ---


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return shutil.copytree(POLICIES, tmp_path / "policies")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("input.subject.trainings", "undefined ref: input.subject.trainings"),
        ("input.contxt.purpose", "undefined ref: input.contxt.purpose"),
        ("time.now_ns() > 0", "undefined function time.now_ns"),
        ('http.send({"method": "get", "url": "x"})', "undefined function http.send"),
        ('rand.intn("x", 2) == 1', "undefined function rand.intn"),
        ("opa.runtime().env", "undefined function opa.runtime"),
        ('net.lookup_ip_addr("x")', "undefined function net.lookup_ip_addr"),
        ('rego.parse_module("x", "y")', "undefined function rego.parse_module"),
    ],
)
def test_an_agency_cannot_misspell_the_question_or_look_outside_it(
    policies: Path, line: str, said: str
) -> None:
    (policies / "agencies/nis/more.rego").write_text(RULE % line, "utf-8")
    [fault] = compiled(program(), policies)
    assert said in fault


def test_the_common_rules_cannot_misspell_a_table(policies: Path) -> None:
    rules = policies / "gateway/fields.rego"
    rules.write_text(rules.read_text("utf-8").replace("ladder.explicit", "ladder.explict"), "utf-8")
    [fault] = compiled(program(), policies)
    assert "undefined ref: data.tables.ladder.explict" in fault


@pytest.mark.parametrize(
    ("table", "right", "wrong"),
    [
        ("outcomes", '"read":', '"raed":'),
        ("matrix", '"own":', '"ours":'),
        ("roles", '"purposes":', '"purpose":'),
        ("purposes", '"legal_basis":', '"basis":'),
        ("handling", '"label"', '"lable"'),
        ("switches", '"firewall_silent":', '"firewall_silence":'),
    ],
)
def test_a_misspelt_key_of_a_table_is_found(
    policies: Path, table: str, right: str, wrong: str
) -> None:
    file = policies / "tables" / table / "data.json"
    file.write_text(file.read_text("utf-8").replace(right, wrong, 1), "utf-8")
    faults = tables(program(), policies)
    assert faults
    assert all(fault.startswith(f"tables/{table}: ") for fault in faults)


def test_a_table_needs_a_schema(policies: Path) -> None:
    (policies / "tables/quotas").mkdir()
    (policies / "tables/quotas/data.json").write_text("{}", "utf-8")
    assert tables(program(), policies) == ["a table and no schema, or the reverse: quotas"]


@pytest.fixture
def agencies(tmp_path: Path) -> Path:
    """A copy whose tests are those of the agencies' rules alone."""
    return agencies_alone(tmp_path / "policies")


IDLE = """
# METADATA
# title: Nothing for who has very many roles
# custom:
#   owner: NIS
#   reason: Nobody has.
silence contains id if {
	some id, _ in input.resources
	count(input.subject.roles) > 99
}
"""


def test_a_line_that_no_test_reaches_and_a_rule_that_none_triggers_are_named(
    agencies: Path,
) -> None:
    """Each line of the second rule is evaluated: what never happens is that it holds."""
    rules = RULE % 'input.subject.agency == "XYZ"'
    (agencies / "agencies/nis/more.rego").write_text(rules + IDLE, "utf-8")
    faults = [fault for fault in covered(program(), agencies) if " agencies/" in fault]
    *unreached, idle = faults
    assert unreached[0].startswith("no test reaches agencies/nis/more.rego:3-")
    assert idle == "no test reaches agencies/nis/more.rego:13-13"
    # and of the agencies' own rules none
    assert all("/nis/more.rego:" in fault for fault in faults)


def test_a_test_that_fails_is_named(agencies: Path) -> None:
    (agencies / "gateway/more_test.rego").write_text(
        "package gateway.more_test\n\ntest_x if 1 > 2\n"
    )
    [fault] = covered(program(), agencies)
    assert "data.gateway.more_test.test_x: FAIL" in fault


CONDITIONS = [
    pytest.param(file.relative_to(POLICIES), line, id=f"{file.stem}: {line.strip()}")
    for file in sorted((POLICIES / "agencies").glob("*/*.rego"))
    for line in re.findall(r"^\t(?!some |[}\"]).+$", file.read_text("utf-8"), re.MULTILINE)
]


@pytest.mark.parametrize(("file", "line"), CONDITIONS)
def test_every_condition_of_an_agency_is_seen_both_ways(
    agencies: Path, file: Path, line: str
) -> None:
    """Were it always true, a test beside the rules would fail."""
    text = (agencies / file).read_text("utf-8")
    (agencies / file).write_text(text.replace(line, "\ttrue"), "utf-8")
    tested = run(program(), agencies, "test", "--bundle", ".", "--timeout", "60s")
    assert re.search(r"^data\.agencies\.agencies_test\.test_\w+: FAIL", tested.stdout, re.M)


def test_the_capabilities_are_of_what_is_the_same_always() -> None:
    builtins = json.loads(CAPABILITIES.read_text("utf-8"))["builtins"]
    assert all(allowed(one) for one in builtins)
    assert "time.now_ns" not in {one["name"] for one in builtins}
