"""A question is met only by elements that may be seen; and what is checked once more here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from connectors.conditions import ALWAYS, NEVER, And, Compare, Condition, IsNull, Op, Or, all_of
from gateway.catalogue.conversions import constant
from gateway.catalogue.mapping import EntityMapping
from gateway.query.translate import Prefetch, Pushing, may_hold, on_seen, satisfies, wholly_askable
from tests.unit.query.world import catalogue, vocabulary

SEX = Compare("sex", Op.EQ, "MALE")
FAMILY, GIVEN = (Compare(f"names.{n}", Op.EQ, v) for n, v in (("family", "Hodja"), ("given", "A")))
KIND = Compare("kind", Op.EQ, "LEGAL")
LEGAL = Compare("names.kind", Op.EQ, "LEGAL")
EITHER = Or((KIND, IsNull("kind")))


@pytest.mark.parametrize(
    ("where", "rows", "expected", "whole"),
    [
        (SEX, {"names": KIND}, SEX, True),
        (FAMILY, {}, FAMILY, True),
        (FAMILY, {"names": KIND}, And((FAMILY, LEGAL)), True),
        (FAMILY, {"names": IsNull("kind")}, And((FAMILY, IsNull("names.kind"))), True),
        (FAMILY, {"identifiers": KIND}, FAMILY, True),
        (FAMILY, {"names": NEVER}, NEVER, True),
        (FAMILY, {"names": EITHER}, FAMILY, False),
        (FAMILY, {"names": And((KIND, EITHER))}, And((FAMILY, LEGAL)), False),
        (And((SEX, FAMILY)), {"names": KIND}, And((SEX, FAMILY, LEGAL)), True),
        (And((SEX, FAMILY)), {"names": EITHER}, And((SEX, FAMILY)), False),
        (And((FAMILY, SEX, GIVEN)), {"names": NEVER}, NEVER, True),
        (And((FAMILY, SEX, GIVEN)), {"names": KIND}, And((FAMILY, GIVEN, LEGAL, SEX)), True),
        (Or((FAMILY, SEX)), {"names": KIND}, Or((And((FAMILY, LEGAL)), SEX)), True),
        (Or((FAMILY, SEX)), {"names": NEVER}, SEX, True),
        (Or((SEX, FAMILY)), {"names": EITHER}, Or((SEX, FAMILY)), False),
        (And((SEX, Or((FAMILY, SEX)))), {"names": EITHER}, And((SEX, Or((FAMILY, SEX)))), False),
    ],
)  # fmt: skip
def test_what_may_not_be_seen_meets_nothing(
    where: Condition, rows: Mapping[str, Condition], expected: Condition, whole: bool
) -> None:
    assert on_seen(where, rows) == (expected, whole)


def north() -> EntityMapping:
    return catalogue().mapping("north", "Person")


PERSON: Mapping[str, Any] = {
    "sex": "MALE",
    "date_of_birth": "1991-04-17",
    "image_subject": None,
    "names": [
        {"family": "Hodja", "given": "B"}, {"family": "Hoxha", "given": "A", "kind": "LEGAL"},
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("where", "met"),
    [
        (IsNull("sex"), False),
        (IsNull("image_subject"), True),
        (IsNull("names.kind"), True),
        (IsNull("names.family"), False),
        (IsNull("warnings.kind"), False),  # of no element at all nothing is null
        (FAMILY, True),
        (all_of((FAMILY, SEX)), True),
        (all_of((FAMILY, IsNull("sex"))), False),
        (all_of((FAMILY, GIVEN)), False),  # by two elements, none by both
        (all_of((FAMILY, IsNull("names.kind"))), True),
        (all_of((FAMILY, Or((SEX, IsNull("sex"))))), True),
        (Or((FAMILY, IsNull("sex"))), True),
        (Or((IsNull("names.family"), IsNull("sex"))), False),
        (Compare("date_of_birth", Op.EQ, "1991"), True),  # any day that both may mean
        (Compare("date_of_birth", Op.EQ, "1992"), False),
        (Compare("date_of_birth", Op.LT, "1992"), True),
        (Compare("date_of_birth", Op.LT, "1991-04"), False),  # not any: as text before
        (Compare("date_of_birth", Op.IN, ("1990", "1991-04-17")), True),
        (Compare("date_of_birth", Op.IN, ("1991",)), False),
        (ALWAYS, True),
        (NEVER, False),
    ],
)
def test_a_record_meets_a_question_by_one_of_its_elements(where: Condition, met: bool) -> None:
    assert satisfies(where, PERSON, vocabulary(), north()) is met


def test_each_place_that_may_keep_an_identifier_is_to_be_askable_for_it() -> None:
    (place,) = north().parts["identifiers"]
    without = replace(place, columns={"kind": place.columns["kind"]})
    both = replace(north(), parts={"identifiers": (place, without)})
    for mapping in (north(), both):
        assert wholly_askable(("PASSPORT", "A1"), mapping)
        assert may_hold("PASSPORT", mapping)
        assert not may_hold("BRP", mapping)
        assert wholly_askable(("BRP", "RA1"), mapping)  # kept nowhere
    bits = replace(north(), parts={"identifiers": (place, replace(place, per_bit="flags"))})
    assert may_hold("BRP", bits)
    assert not wholly_askable(("PASSPORT", "A1"), bits)
    unasked = replace(place, columns={**place.columns, "value": replace(
        place.columns["value"], encode=lambda _op, _asked: None)})  # fmt: skip
    other = replace(north(), parts={"identifiers": (unasked,)})
    assert not wholly_askable(("PASSPORT", "A1"), other)
    assert wholly_askable(("BRP", "RA1"), other)


def test_a_place_that_says_no_kind_may_keep_any() -> None:
    (place,) = north().parts["identifiers"]
    unsaid = replace(place, columns={"value": place.columns["value"]})
    for kind, held in (("PASSPORT", (True, True)), ("BRP", (False, True))):
        for entry, may in zip((place, unsaid), held, strict=True):
            mapping = replace(north(), parts={"identifiers": (entry,)})
            assert may_hold(kind, mapping) is may
    kinds = constant("PASSPORT")
    bits = replace(place, columns={**place.columns, "kind": kinds}, per_bit="flags")
    for entry, may in ((bits, True), (replace(bits, per_bit=None), False)):
        assert may_hold("BRP", replace(north(), parts={"identifiers": (entry,)})) is may


def test_a_name_that_is_held_cut_answers_for_the_whole_one_and_for_no_other() -> None:
    (place,) = north().parts["names"]
    family = replace(place.columns["family"], cut=5)
    cut = replace(place, columns={**place.columns, "family": family})
    mapping = replace(north(), parts={"names": (cut,)})
    cases: list[tuple[Op, Any, str, bool]] = [
        (Op.EQ, "Hodjaj", "HODJA", True),
        (Op.EQ, "Al-Masri", "AL MA", True),
        (Op.EQ, "Hodja", "HODJAJ", False),
        (Op.STARTSWITH, "Hodjaj", "HODJA", True),
        (Op.IN, ("x", "y"), "HODJA", False),
    ]
    for op, name, held, met in cases:
        where, values = Compare("names.family", op, name), {"names": [{"family": held}]}
        assert satisfies(where, values, vocabulary(), mapping) is met, (op, name)
        whole = satisfies(where, values, vocabulary(), north())
        assert not whole, (op, name)  # where nothing is cut a beginning is not the name


def test_every_child_relation_that_a_question_rests_on_is_visited_once() -> None:
    number = Compare("identifiers.value", Op.EQ, "A1")
    weapons = Compare("warnings.kind", Op.EQ, "WEAPONS")
    pushing = Pushing(mapping=north(), vocabulary=vocabulary())

    def parts(where: Condition) -> list[str]:
        return [prefetch.part for prefetch in pushing.prefetches(where)]

    assert parts(number) == ["identifiers"]
    assert parts(Or((number, weapons, number))) == ["identifiers", "warnings"]
    assert parts(And((number, weapons, SEX))) == ["identifiers", "warnings"]
    assert parts(And((Or((number, weapons)), SEX))) == ["identifiers", "warnings"]
    assert parts(And((SEX, FAMILY))) == parts(IsNull("sex")) == []


def test_owners_found_by_a_child_relation_become_the_question() -> None:
    where = Compare("identifiers.value", Op.EQ, "A1")
    pushing = Pushing(mapping=north(), vocabulary=vocabulary())
    (prefetch,) = pushing.prefetches(where)

    def asked(*keys: str) -> Condition:
        found: dict[Prefetch, tuple[str, ...]] = {prefetch: keys} if keys else {}
        return replace(pushing, found=found).push(where).condition

    assert asked("p1", "p2") == Compare("id", Op.IN, ("p1", "p2"))
    assert asked() == NEVER
    assert pushing.push(where).condition == Compare("id", Op.IN, ("",))


def test_of_a_list_within_a_row_only_one_comparison_is_exact() -> None:
    """Two may be met by two elements: the source cannot tell, and is asked too widely."""
    (place,) = north().parts["names"]
    listed = replace(north(), parts={"names": (replace(place, each="names"),)})
    for mapping, both_exact in ((north(), True), (listed, False)):
        pushing = Pushing(mapping=mapping, vocabulary=vocabulary())
        assert pushing.push(FAMILY).exact
        assert pushing.push(And((FAMILY, LEGAL))).exact is both_exact
