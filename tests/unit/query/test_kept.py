"""What is kept of a document serves the next who sends it, and gives what a fresh start would."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from connectors.conditions import ALWAYS, NEVER
from gateway.errors import LimitExceeded, Refused
from gateway.model import (
    CLEAR,
    AuthorisedPlan,
    Decision,
    Operation,
    Plan,
    Ruling,
    Show,
    Use,
    resource_id,
)
from gateway.policy.enforce import authorise
from gateway.policy.masks import MASKS
from gateway.query.asking import cursor_binding
from gateway.query.operation import Parser, parse_request
from gateway.query.plan import Planner
from gateway.query.refs import Cursor
from tests.unit.query import world

SEARCH = """query Search($who: [PersonCriteria!]!, $first: Int = 10, $after: String,
    $wide: Boolean = false) {
  personSearch(anyOf: $who, first: $first, after: $after) {
    total next
    hits {
      ref primaryName
      identifiers @include(if: $wide) { kind value }
      vehicles(first: 3) { vrm colour }
    }
    matches { band }
  }
}"""
BY_NUMBER = {"identifier": "A1234567"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A parser and a planner that go on from one question to the next."""

    parser: Parser = field(default_factory=world.parser)
    planner: Planner = field(
        default_factory=lambda: Planner(
            catalogue=world.catalogue(), refs=world.REFS, limits=world.LIMITS
        )
    )

    def ask(self, document: str, variables: Mapping[str, Any]) -> tuple[Operation, Plan]:
        operation = parse_request(world.request(document, variables), self.parser)
        return operation, self.planner.plan_for(operation, world.SUBJECT, world.NOW)

    def plan(self, variables: Mapping[str, Any], document: str = SEARCH) -> Plan:
        return self.ask(document, variables)[1]


def who(*criteria: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"who": list(criteria), **more}


# --- plans ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "then",
    [
        who({"identifier": "B7654321"}),
        who({"identifier": "B7654321"}, {"identifier": "C1111111"}),
        who({"family": "Hodja"}),
        who({"family": "Hodja", "dob": "1991-04"}, BY_NUMBER),
        who(BY_NUMBER, first=3),
        who(BY_NUMBER, wide=True),
    ],
)
def test_a_later_question_is_planned_as_if_it_were_the_first(then: Mapping[str, Any]) -> None:
    gateway = Gateway()
    gateway.plan(who(BY_NUMBER))
    gateway.plan(who({"family": "Hoxha"}))
    assert gateway.ask(SEARCH, then) == Gateway().ask(SEARCH, then)
    assert gateway.plan(then) == Gateway().plan(then)  # by now it is kept itself


def test_other_values_share_the_structure_and_leave_nothing_in_it() -> None:
    gateway = Gateway()
    first = gateway.plan(who({"identifier": "A1234567"}))
    second = gateway.plan(who({"identifier": "B7654321"}))
    assert first.structure is second.structure
    assert first.fetches != second.fetches
    kept = repr((gateway.planner.kept, gateway.parser.preparations))
    assert "A1234567" not in kept
    assert "B7654321" not in kept


def test_another_shape_is_another_structure() -> None:
    gateway = Gateway()
    asked = [
        who(BY_NUMBER),
        who({"family": "Hodja"}),
        who(BY_NUMBER, first=3),
        who(BY_NUMBER, wide=True),
    ]
    assert len({id(gateway.plan(one).structure) for one in asked}) == len(asked)
    assert len(gateway.planner.kept) == len(asked)


def test_the_next_page_asks_only_sources_that_have_more() -> None:
    gateway = Gateway()
    operation, plan = gateway.ask(SEARCH, who(BY_NUMBER))
    cursor = Cursor(
        positions={"east/Person": "e7"},
        serial=7,
        expires_at=int(world.NOW.timestamp()) + 60,
        binding=cursor_binding(operation, world.SUBJECT, operation.roots[0]),
    )
    page = gateway.plan(who(BY_NUMBER, after=world.REFS.seal_cursor(cursor)))
    assert [(f.source, f.after) for f in page.fetches if f.parent is None] == [("east", "e7")]
    assert page.cursor_serial == 7
    assert page.structure is not plan.structure
    assert {f.after for f in gateway.plan(who(BY_NUMBER)).fetches} == {None}


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        (world.search("sex"), {}),  # its text holds a value of its caller
        (
            "query Q($who: [PersonCriteria!]!, $n: Int) "
            "{ personSearch(anyOf: $who) { hits { vehicles(first: $n) { vrm } } } }",
            who(BY_NUMBER, n=2),
        ),
        (
            "query Q($mark: Vrm!, $last: Duration) "
            "{ vehicle(vrm: $mark) { sightings(last: $last) { when } } }",
            {"mark": "AB12CDE", "last": "P7D"},
        ),
    ],
)
def test_what_follows_from_a_callers_value_is_not_kept(
    document: str, variables: Mapping[str, Any]
) -> None:
    gateway = Gateway()
    gateway.plan(variables, document)
    assert not gateway.planner.kept


def test_what_follows_from_the_moment_of_the_question_is_worked_out_each_time() -> None:
    document = 'query Q($mark: Vrm!) { vehicle(vrm: $mark) { sightings(last: "P7D") { when } } }'
    digest = sha256(document.encode()).hexdigest()
    asked = world.request("", {"mark": "AB12CDE"}, document_id=digest)

    def at(gateway: Gateway, days: int) -> Plan:
        operation = parse_request(asked, gateway.parser, "app")
        moment = world.NOW + timedelta(days=days)
        return gateway.planner.plan_for(operation, world.SUBJECT, moment)

    def fresh() -> Gateway:
        return Gateway(parser=world.parser(documents={"app": {digest: document}}))

    gateway = fresh()
    first, later = at(gateway, 0), at(gateway, 1)
    assert first.structure is later.structure
    assert [f.where for f in first.fetches] != [f.where for f in later.fetches]
    assert later == at(fresh(), 1)
    kept = decision(first)
    agreed(first, kept)
    assert agreed(later, kept) == agreed(later, decision(later))


def test_a_question_that_is_too_large_is_refused_each_time() -> None:
    small = Planner(
        catalogue=world.catalogue(), refs=world.REFS, limits=replace(world.LIMITS, fetches=1)
    )
    gateway = Gateway(planner=small)
    for _ in range(2):
        with pytest.raises(LimitExceeded):
            gateway.plan(who(BY_NUMBER))
    assert not small.kept


def test_no_more_structures_are_kept_than_there_is_room_for() -> None:
    gateway = Gateway()
    for first in range(1, 50):
        for wide in (False, True):
            gateway.plan(who(BY_NUMBER, first=first, wide=wide))
    assert len(gateway.planner.kept) == 64


# --- what a decision makes of them ---------------------------------------------------------------


def decision(plan: Plan, *, names: str = CLEAR) -> Decision:
    """Everything that was planned, in clear, but for how family names are shown."""
    rulings = {
        resource_id(fetch.id, part.path): Ruling(
            show=Show.RECORDS,
            limit=20,
            rows=ALWAYS,
            uses=part.uses - {(Use.IDENTIFY, "names.family")},
            read={
                name: names if (part.path, name) == ("names", "family") else CLEAR
                for name in part.reads | part.filters
            },
        )
        for fetch in plan.visits
        for part in fetch.parts
    }
    return Decision(serial=7, rulings=rulings)


def agreed(plan: Plan, decision: Decision) -> AuthorisedPlan:
    return authorise(
        plan, decision, masks=MASKS.keys(), duties=set(), vocabulary=world.vocabulary()
    )


def test_a_kept_decision_agrees_to_the_next_plan_what_a_new_one_would() -> None:
    gateway = Gateway()
    first, second = (gateway.plan(who({"family": name})) for name in ("Hodja", "Hoxha"))
    kept = decision(first)
    before = agreed(first, kept)
    after = agreed(second, kept)
    assert after == agreed(second, decision(second))
    assert after.grants["f0"].fetch is second.fetches[0]
    assert after.grants["f0"].parts is before.grants["f0"].parts


def test_what_a_decision_made_of_a_structure_goes_with_the_structure() -> None:
    document = """query Q($who: [PersonCriteria!]!, $some: Int) {
      personSearch(anyOf: $who) { hits { vehicles(first: $some) { vrm } } } }"""
    gateway, sizes = Gateway(), list[int]()
    plan = gateway.plan(who(BY_NUMBER, some=1), document)
    kept = decision(plan)
    for _ in range(5):  # structures of which none is kept
        agreed(plan, kept)
        sizes.append(len(kept.made["structures"]))
        plan = gateway.plan(who(BY_NUMBER, some=1), document)
    gc.collect()
    assert sizes == [1] * 5
    assert not kept.made["structures"]


def test_how_finely_is_asked_is_looked_at_each_time() -> None:
    document = SEARCH.replace("primaryName", "sex")
    gateway = Gateway()
    born = (who({"dob": "1991-04"}), who({"dob": "1991-04-17"}))
    coarse, fine = (gateway.plan(one, document) for one in born)
    assert coarse.structure is fine.structure
    rulings = {
        name: replace(
            ruling,
            uses=ruling.uses - {(Use.IDENTIFY, "date_of_birth")},
            read=dict(ruling.read) | {"date_of_birth": "MONTH_YEAR"},
        )
        if "date_of_birth" in ruling.read
        else ruling
        for name, ruling in decision(coarse).rulings.items()
    }
    kept = Decision(serial=7, rulings=rulings)
    assert "f0" in agreed(coarse, kept).grants
    assert "f0" in agreed(coarse, kept).grants
    with pytest.raises(Refused):
        agreed(fine, kept)
    assert "f0" in agreed(coarse, kept).grants


def test_a_changed_decision_starts_afresh() -> None:
    gateway = Gateway()
    plan = gateway.plan(who(BY_NUMBER))
    kept = decision(plan)
    assert agreed(plan, kept).grants["f0"].own.read
    nothing = {name: replace(r, rows=NEVER) for name, r in kept.rulings.items() if name != "f0"}
    changed = replace(kept, rulings=nothing | {"f0": replace(kept.rulings["f0"], read={})})
    assert not agreed(plan, changed).grants["f0"].own.read
