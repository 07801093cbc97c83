"""For any plan and any answer: grants are within both, and a lost key never shows more."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.conditions import ALWAYS, NEVER, Compare, Condition, Op, Or
from gateway.errors import GatewayError
from gateway.model import (
    AuthorisedPlan,
    Decision,
    Fetch,
    Part,
    PartGrant,
    Plan,
    Reveal,
    Ruling,
    Show,
    Use,
    resource_id,
)
from gateway.policy.contract import MAX_ELEMENTS, read_decision
from gateway.policy.enforce import authorise
from gateway.policy.masks import MASKS
from gateway.policy.obligations import OBLIGATIONS
from tests.unit.policy.test_enforce import Words

FIELDS = ("a", "b", "c")
PATHS = ("", "x", "x.y", "z")
WORDS = Words(
    derived={("T", "a"): ("b", "x.c"), ("Tx", "b"): ("y.a",)},
    reveals={
        ("T", "c"): (Reveal(fields=("b",)),),
        ("Tx", "a"): (Reveal(fields=("b", "c"), when_kind="K"),),
    },
)
ROWS = (
    {"type": "compound", "operator": "and", "value": []},
    {"type": "compound", "operator": "or", "value": []},
    {"type": "field", "field": "a", "operator": "eq", "value": 1},
)
EXACT = Compare("a", Op.EQ, "1991-04-17")
WHERES: tuple[Condition, ...] = (
    ALWAYS,
    EXACT,
    Compare("x.b", Op.EQ, "1991"),
    Or((EXACT, Compare("c", Op.EQ, "1991"))),
)
CASES = [{"when": ROWS[2], "as": "CLEAR"}, {"when": ROWS[0], "as": "YEAR"}]

uses = st.frozensets(st.tuples(st.sampled_from(Use), st.sampled_from(FIELDS)), max_size=2)
reads = st.frozensets(st.sampled_from(FIELDS))
rulings = st.fixed_dictionaries(
    {},
    optional={
        "show": st.sampled_from(["records", "records", "records", "count", "hit", "silent"]),
        "limit": st.integers(0, 300),
        "rows": st.sampled_from([ROWS[0], ROWS[0], ROWS[2], ROWS[1]]),
        "uses": st.dictionaries(
            st.sampled_from([str(use) for use in Use]), st.lists(st.sampled_from(FIELDS))
        ),
        "read": st.dictionaries(
            st.sampled_from(FIELDS), st.sampled_from(["CLEAR", "CLEAR", "YEAR", "SILENT", CASES])
        ),
        "notes": st.just({"": {"text": "no"}}),
        "beside": st.just({"rows": ROWS[2], "note": {"text": "call"}}),
    },
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    fetches: list[Fetch] = []
    for number in range(draw(st.integers(1, 3))):
        paths = ["", *draw(st.lists(st.sampled_from(PATHS[1:]), unique=True))]
        parts = tuple(
            Part(
                path=path, type=f"T{path}", reads=draw(reads), uses=draw(uses), filters=draw(reads)
            )
            for path in paths
        )
        parent = draw(st.sampled_from([None, *(one.id for one in fetches)]))
        limit = draw(st.integers(1, 50))
        fetches.append(
            Fetch(
                id=f"f{number}",
                source="s",
                entity="T",
                parts=parts,
                parent=parent,
                limit=limit,
                where=draw(st.sampled_from(WHERES)),
            )
        )
    if len(fetches) == 1 or fetches[-1].parent is not None or draw(st.booleans()):
        return Plan(fetches=tuple(fetches))
    return Plan(fetches=tuple(fetches[:-1]), looks=(fetches[-1],))


@st.composite
def questions(draw: st.DrawFn) -> tuple[Plan, dict[str, Any]]:
    plan = draw(plans())
    resources = {
        resource_id(fetch.id, part.path): draw(rulings)
        for fetch in plan.visits
        for part in fetch.parts
    }
    answer: dict[str, Any] = {"version": 1, "serial": 1, "resources": resources, "obligations": []}
    if draw(st.booleans()):
        answer["obligations"] = [{"type": "require_reason", "attributes": {}}]
    return plan, answer


def enforced(plan: Plan, answer: object) -> tuple[Decision, AuthorisedPlan] | None:
    try:
        decision = read_decision(answer)
        return decision, authorise(
            plan, decision, masks=MASKS.keys(), duties=OBLIGATIONS.keys(), vocabulary=WORDS
        )
    except GatewayError:
        return None


@given(questions())
def test_a_grant_is_within_the_plan_and_the_decision(asked: tuple[Plan, dict[str, Any]]) -> None:
    plan, answer = asked
    outcome = enforced(plan, answer)
    if outcome is None:
        return
    decision, agreed = outcome
    planned = {fetch.id: fetch for fetch in plan.visits}
    granted = {**agreed.grants, **agreed.looks}
    assert granted.keys() | agreed.silent | agreed.withheld.keys() <= planned.keys()
    assert not granted.keys() & agreed.silent
    assert agreed.looks.keys() <= {fetch.id for fetch in plan.looks}
    assert agreed.grants.keys() <= {fetch.id for fetch in plan.fetches}
    for id_, grant in granted.items():
        fetch = planned[id_]
        assert grant.fetch is fetch
        assert fetch.parent is None or fetch.parent in agreed.grants
        for path, given_ in grant.parts.items():
            ruling = decision.rulings.get(resource_id(id_, path), Ruling())
            most = MAX_ELEMENTS if path else fetch.limit
            assert given_.read.keys() <= fetch.part(path).reads & ruling.read.keys()
            assert all(given_.read[name] == ruling.read[name] for name in given_.read)
            assert given_.show in (None, Show.SILENT, ruling.show)
            assert given_.limit <= min(most, ruling.limit)
            assert {(Use.MATCH, name) for name in given_.match} <= ruling.uses
            assert {(Use.COUNT, name) for name in given_.count} <= ruling.uses
    assert agreed.beside.keys() <= agreed.grants.keys()
    for id_, look in agreed.beside.items():
        told = decision.rulings[id_].beside
        assert told is not None
        assert (look.own.rows, look.own.limit, look.own.note()) == (told.rows, 1, told.note)
        assert not any(part.read or part.match or part.count for part in look.parts.values())
        for path, part in look.parts.items():
            assert not path or part.rows == agreed.grants[id_].parts[path].rows


@given(questions(), st.data())
def test_losing_any_key_only_ever_narrows(
    asked: tuple[Plan, dict[str, Any]], data: st.DataObject
) -> None:
    plan, answer = asked
    lesser = copy.deepcopy(answer)
    at = data.draw(st.sampled_from(list(objects(lesser))))
    if not at:
        return
    del at[data.draw(st.sampled_from(sorted(at)))]
    less, more = enforced(plan, lesser), enforced(plan, answer)
    if less is None:
        return
    assert more is not None
    assert less[1].beside.keys() <= more[1].beside.keys()
    for id_, grant in less[1].grants.items():
        assert id_ in more[1].grants
        for path, given_ in grant.parts.items():
            assert_within(given_, more[1].grants[id_].parts[path])


def objects(data: Any) -> Any:
    """Every object in an answer, itself first."""
    if isinstance(data, dict):
        yield data
    for inner in data.values() if isinstance(data, dict) else data:
        if isinstance(inner, dict | list):
            yield from objects(inner)


def assert_within(less: PartGrant, more: PartGrant) -> None:
    """Nothing appears by the lesser grant that does not by the other."""
    if less.show in (None, Show.SILENT):
        return
    assert less.show is more.show
    assert less.limit <= more.limit
    assert less.rows in (NEVER, more.rows)
    assert all(more.read.get(name) == manner for name, manner in less.read.items())
    assert less.match <= more.match
    assert less.count <= more.count
