"""What a source is asked finds all that is meant, and just that where it says so."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.conditions import (
    ALWAYS,
    NEVER,
    And,
    Compare,
    Condition,
    IsNull,
    Op,
    Or,
    all_of,
    any_of,
    holds,
)
from gateway.catalogue.conversions import Codec, Pushed, constant
from gateway.catalogue.mapping import EntityMapping, read_catalogue
from gateway.errors import CannotEnforce
from gateway.query.layout import layout_of, records_of
from gateway.query.need import Need
from gateway.query.translate import (
    Prefetch,
    Pushing,
    askable,
    child_guard,
    guard_of,
    satisfies,
)
from tests.unit.query.world import HEADER, catalogue, vocabulary

# One source for each habit: how a column may be spelt, and what raw values stand in it.
NAMES = ["HODJA", "HOXHA", "AL MASRI", "AL-MASRI", "NGUYEN", None, ""]
DATES = ["19910417", "19910401", "19900101", "20000229", "19000101", None, "", "00000000"]
HABITS: Mapping[str, tuple[str, Any, list[Any]]] = {
    "sex": (
        "sex",
        {"column": "c0", "values": {"1": "MALE", "2": "FEMALE", "": "NOT_RECORDED"}, "code": "int"},
        [1, 2, 9, None],
    ),
    "image_subject": ("image_subject", {"column": "c1", "stored": "upper"}, ["DOVER", None, ""]),
    "date_of_birth": (
        "date_of_birth",
        {"column": "c2", "format": "%Y%m%d", "null": ["19000101"]},
        DATES,
    ),
    "dmy": (
        "date_of_birth",
        {"column": "c2", "partial": "dmy"},
        ["17/04/1991", "??/04/1991", "00/04/1991", "??/??/1991", "17/??/1991", "00/00/1990", "x"],
    ),
    "text": (
        "date_of_birth",
        {
            "column": "c2",
            "partial": "text",
            "years_from": 1926,
            "formats": ["%d-%b-%y", "%d/%m/%Y", "%Y-%m-%d", "%Y"],
        },
        ["17-Apr-91", "17/04/1991", "1991-04-17", "1991", "next week", None],
    ),
    "range": (
        "date_of_birth",
        {"columns": ["c2", "c3"], "partial": "range"},
        ["1991-04-17", "1991-01-01", "1991-12-31", "1992-06-01", None],
    ),
    "recorded_at": (
        "recorded_at",
        {"column": "c4", "format": "%Y-%m-%dT%H:%M"},
        ["2026-03-01T10:00", "2026-03-01T10:01", "2026-10-25T01:30", "", None],
    ),
    "local": (
        "recorded_at",
        {"column": "c4", "format": "%Y-%m-%dT%H:%M", "zone": "Europe/London"},
        ["2026-03-01T10:00", "2026-10-25T01:30", "2026-10-25T02:30", None],
    ),
    "epoch": (
        "recorded_at",
        {"column": "c4", "epoch": "ms"},
        [1772359200000, 1772359200500, 1772359260000, "1772359200000x", None],
    ),
    "review_date": (
        "review_date",
        {"column": "c5", "format": "%d/%m/%Y"},
        ["01/03/2026", "02/03/2026", "31/02/2026", None],
    ),
}
ASKED: Mapping[str, list[tuple[Op, Any]]] = {
    "sex": [
        (Op.EQ, "MALE"),
        (Op.NE, "MALE"),
        (Op.IN, ("FEMALE", "NOT_RECORDED")),
        (Op.EQ, "OTHER"),
    ],
    "image_subject": [
        (Op.EQ, "DOVER"),
        (Op.EQ, "X"),
        (Op.STARTSWITH, "DO"),
        (Op.IN, ("DOVER", "X")),
    ],
    "date_of_birth": [
        (Op.EQ, v) for v in ("1991-04-17", "1991-04", "1991", "1990", "1990/1991", "1900-01-01")
    ],
    "recorded_at": [
        (op, v)
        for op in (Op.EQ, Op.LT, Op.LTE, Op.GT, Op.GTE)
        for v in ("2026-03-01T10:00:00Z", "2026-03-01T10:00:30Z", "2026-10-25T01:00:00Z")
    ],
    "review_date": [(Op.EQ, "2026-03-01"), (Op.GTE, "2026-03-01"), (Op.IN, ("2026-03-02",))],
}
INLINE: Mapping[str, Any] = {
    "names": [
        {"family": {"column": "n0", "stored": "upper", "cut": 5}, "given": {"column": "n1"}},
        {"family": {"column": "n2", "split": "/", "take": 0, "stored": "upper"}},
        {"given": {"columns": ["n3", "n4"], "stored": "upper"}},
    ],
    "identifiers": [
        {"kind": {"constant": "PASSPORT"}, "value": {"column": "i0", "stored": "upper"}},
        {"kind": {"constant": "PNCID"}, "value": {"column": "i1", "variants": "pncid"}},
    ],
}
PART_RAW: Mapping[str, list[Any]] = {
    "n0": ["HODJA", "HOXHA", "AL MA", "AL-MA", None, ""],
    "n1": ["Arben", "Arben Luan", "luan", None],
    "n2": ["HODJA/ARBEN", "AL MASRI/X", "AL-MASRI/X", "HODJA", "HODJAJ/Y", None],
    "n3": ["ARBEN", "LUAN", None],
    "n4": ["LUAN", "ARBEN", None],
    "i0": ["A1234567", "B1", None],
    "i1": ["91/0004417K", "91/4417K", None],
}
PART_ASKED: list[Compare] = [
    *(Compare("names.family", Op.EQ, n) for n in ("Hodja", "Al Masri", "al-masri", "Nguyen")),
    *(Compare("names.family", Op.STARTSWITH, n) for n in ("Hod", "al m")),
    *(Compare("names.given", Op.EQ, n) for n in ("Arben", "luan", "Arben Luan")),
    Compare("names.given", Op.STARTSWITH, "Ar"),
    *(Compare("identifiers.value", Op.EQ, v) for v in ("A1234567", "91/0004417K", "C9")),
]


def mapping_of(habit: str) -> EntityMapping:
    field, spec, _ = HABITS[habit]
    header = {**HEADER, "native_key": "id"}
    columns = {"dob_claimed": {"constant": False}, field: spec}
    person = {"relation": "p", "columns": columns, "parts": INLINE}
    source = {
        "version": 1, "id": "s", "agency": "S", "connector": "sql",
        "header": header, "entity": {"Person": person},
    }  # fmt: skip
    return read_catalogue(vocabulary(), [("s.toml", source)]).mapping("s", "Person")


MAPPINGS = {habit: mapping_of(habit) for habit in HABITS}


def decoded(row: Mapping[str, Any], mapping: EntityMapping) -> Mapping[str, Any]:
    """The record that a row stands for, by the gateway's own reading."""
    parts = {
        name: frozenset(c for e in es for c in e.columns) for name, es in mapping.parts.items()
    }
    layout = layout_of(Need(own=frozenset(mapping.columns), parts=parts), mapping, {})
    return records_of([[row.get(column) for column in layout.columns]], layout)[0].values


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, Mapping[str, Any], Condition]:
    habit = draw(st.sampled_from(sorted(HABITS)))
    field, spec, raw = HABITS[habit]
    columns = spec.get("columns") or [spec["column"]]
    row = {"id": "k", "hnd": "P", "silent": 0}
    row |= {column: draw(st.sampled_from(raw)) for column in columns}
    if spec.get("partial") == "range":
        ends = [str(row[c]) for c in columns if row[c] is not None]
        if len(ends) == 2:
            row |= dict(zip(columns, sorted(ends), strict=True))
    row |= {column: draw(st.sampled_from(values)) for column, values in PART_RAW.items()}
    own = st.sampled_from([Compare(field, op, value) for op, value in ASKED[field]])
    leaf = st.one_of(own, st.sampled_from(PART_ASKED))
    conjunction = st.lists(leaf, min_size=1, max_size=3).map(all_of)
    where = draw(st.one_of(conjunction, st.lists(conjunction, min_size=2, max_size=3).map(any_of)))
    return habit, row, where


@settings(max_examples=300, deadline=None)
@given(question=questions())
def test_what_is_asked_of_a_source_finds_all_that_is_meant(
    question: tuple[str, Mapping[str, Any], Condition],
) -> None:
    habit, row, where = question
    mapping = MAPPINGS[habit]
    pushing = Pushing(mapping=mapping, vocabulary=vocabulary())
    alternatives = where.parts if isinstance(where, Or) else (where,)
    for alternative in alternatives:
        pushed = pushing.push(alternative)
        meant = satisfies(alternative, decoded(row, mapping), vocabulary(), mapping)
        found = holds(pushed.condition, row)
        assert found or not meant, f"meant, and not asked for: {alternative}"
        if pushed.exact:
            assert meant or not found, f"not meant, asked for, and not checked: {alternative}"
    # Alternatives that the source can be asked are joined; those it cannot be asked are left out.
    whole_push = pushing.push(where)
    kept = [p for p in map(pushing.push, alternatives) if p.exact or p.condition != ALWAYS]
    if isinstance(where, Or):
        assert whole_push.condition == any_of(p.condition for p in kept)


@pytest.mark.parametrize("habit", sorted(HABITS))
def test_nothing_held_is_asked_for_no_more_widely_than_it_is_read(habit: str) -> None:
    """A guard on null may find fewer rows than it might, never one that holds something."""
    field, spec, raw = HABITS[habit]
    mapping = MAPPINGS[habit]
    pushed = Pushing(mapping=mapping, vocabulary=vocabulary()).push(IsNull(field))
    columns = spec.get("columns") or [spec["column"]]
    for values in itertools.product(raw, repeat=len(columns)):
        row = {"id": "k", **dict(zip(columns, values, strict=True))}
        if holds(pushed.condition, row):
            assert decoded(row, mapping)[field] is None


# --- criteria on child relations -----------------------------------------------------------------


def north() -> EntityMapping:
    return catalogue().mapping("north", "Person")


def test_a_criterion_on_a_child_relation_is_a_visit_of_it_first() -> None:
    pushing = Pushing(mapping=north(), vocabulary=vocabulary())
    number = Compare("identifiers.value", Op.EQ, "A1")
    kind = Compare("identifiers.kind", Op.EQ, "PASSPORT")
    where = all_of((number, kind, Compare("sex", Op.EQ, "MALE")))
    (prefetch,) = pushing.prefetches(where)
    assert prefetch == Prefetch(
        part="identifiers",
        entry=0,
        where=And((Compare("no", Op.EQ, "A1"), Compare("kind", Op.IN, ("PP",)))),
    )
    found = replace(pushing, found={prefetch: ("p1", "p2")}).push(where)
    assert found.condition == And((Compare("id", Op.IN, ("p1", "p2")), Compare("sex", Op.IN, (1,))))
    assert found.exact
    assert replace(pushing, found={prefetch: ()}).push(where).condition == NEVER
    assert replace(pushing, found={}).push(number).condition == NEVER
    assert pushing.prefetches(Or((number, kind))) == pushing.prefetches(
        number
    ) + pushing.prefetches(kind)
    assert pushing.prefetches(Compare("sex", Op.EQ, "MALE")) == ()
    assert pushing.prefetches(And((Compare("sex", Op.EQ, "MALE"),))) == ()


def test_a_code_that_the_relation_never_holds_needs_no_visit() -> None:
    pushing = Pushing(mapping=north(), vocabulary=vocabulary())
    assert pushing.prefetches(Compare("identifiers.kind", Op.EQ, "NINO")) == ()
    assert pushing.prefetches(IsNull("identifiers.kind")) == ()


def test_what_a_source_holds_nothing_about_can_never_hold() -> None:
    pushing = Pushing(mapping=north(), vocabulary=vocabulary())
    for field in ("image_subject", "contacts.value", "names.patronymic"):
        assert pushing.push(Compare(field, Op.EQ, "x")).condition == NEVER
        assert not askable(Compare(field, Op.EQ, "x"), north(), vocabulary())


def test_askable_is_neither_nothing_nor_everything() -> None:
    family = Compare("names.family", Op.EQ, "Hodja")
    assert askable(family, north(), vocabulary())
    assert askable(ALWAYS, north(), vocabulary())
    east = catalogue().mapping("east", "Person")
    assert not askable(Compare("names.full", Op.EQ, "Hodja"), east, vocabulary())
    assert askable(Or((family, Compare("image_subject", Op.EQ, "x"))), north(), vocabulary())
    everybody = Compare("marking", Op.EQ, "OFFICIAL")  # a constant there
    assert not askable(Or((family, everybody)), north(), vocabulary())


def test_a_place_is_visited_for_what_narrows_it_and_for_what_all_of_it_meets() -> None:
    """Not where nothing can meet the criterion, nor where all of it would have to be read."""
    (place,) = north().parts["identifiers"]
    kind = Compare("identifiers.kind", Op.EQ, "PASSPORT")
    number = Compare("identifiers.value", Op.EQ, "A1")
    alike = Compare("no", Op.STARTSWITH, "A")

    def visits(where: Condition, **columns: Codec) -> list[tuple[Condition, bool]]:
        entry = replace(place, columns={**place.columns, **columns})
        pushing = Pushing(
            mapping=replace(north(), parts={"identifiers": (entry,)}), vocabulary=vocabulary()
        )
        wanted = pushing.prefetches(where)
        found = dict.fromkeys(wanted, ("p1",))
        pushed = replace(pushing, found=found).push(where)
        assert pushed.condition == (Compare("id", Op.IN, ("p1",)) if wanted else NEVER)
        return [(prefetch.where, pushed.exact) for prefetch in wanted]

    unasked = replace(place.columns["value"], encode=lambda _op, _asked: None)
    wide = replace(place.columns["value"], encode=lambda _op, _asked: Pushed(alike, exact=False))
    assert visits(number) == [(Compare("no", Op.EQ, "A1"), True)]
    assert visits(number, value=wide) == [(alike, False)]
    assert visits(number, value=unasked) == []
    assert visits(kind, kind=constant("PASSPORT")) == [(ALWAYS, True)]
    assert visits(kind, kind=constant("BRP")) == []


# --- nothing held ---------------------------------------------------------------------------------

TWO = Codec(  # of which either may be what is held
    columns=("a", "b"), encode=lambda _op, _asked: None, decode=lambda raw: raw[0] or raw[1]
)
UNSAID = Codec(  # a flag that nobody set is a no
    columns=("a", "b"), encode=lambda _op, _asked: None, decode=lambda raw: bool(raw[0] or raw[1])
)


@pytest.mark.parametrize(
    ("codec", "asked"),
    [
        (constant(None), ALWAYS),
        (constant(False), NEVER),
        (constant("x"), NEVER),
        (TWO, And((IsNull("a"), IsNull("b")))),
        (UNSAID, NEVER),
    ],
)
def test_nothing_is_held_where_no_column_holds_anything(codec: Codec, asked: Condition) -> None:
    """Of a record and of an element of a child relation alike."""
    mapping = replace(north(), columns={**north().columns, "sex": codec})
    pushing = Pushing(mapping=mapping, vocabulary=vocabulary())
    assert pushing.push(IsNull("sex")) == Pushed(asked)
    assert guard_of(IsNull("sex"), pushing) == (asked, True)
    (warnings,) = north().parts["warnings"]
    entry = replace(warnings, columns={**warnings.columns, "reason": codec})
    assert child_guard(entry, IsNull("reason")) == asked


def test_of_a_field_that_the_source_does_not_have_nothing_is_held() -> None:
    pushing = Pushing(mapping=north(), vocabulary=vocabulary())
    assert pushing.push(IsNull("image_subject")) == Pushed(ALWAYS)
    assert pushing.push(Compare("image_subject", Op.EQ, "x")) == Pushed(NEVER)
    both = And((IsNull("image_subject"), Compare("sex", Op.EQ, "MALE")))
    assert pushing.push(both) == Pushed(Compare("sex", Op.IN, (1,)))


# --- guards --------------------------------------------------------------------------------------


def test_a_guard_is_the_sources_own_words_and_exact() -> None:
    pushing = Pushing(mapping=north(), vocabulary=vocabulary())
    overt = Compare("silent", Op.EQ, False)
    assert guard_of(overt, pushing) == (Compare("silent", Op.IN, (0,)), True)
    assert guard_of(ALWAYS, pushing) == (ALWAYS, True)
    assert guard_of(NEVER, pushing) == (NEVER, True)
    assert guard_of(Compare("victim", Op.EQ, True), pushing)[0] == NEVER  # a constant there
    assert guard_of(IsNull("victim"), pushing)[0] == NEVER
    assert guard_of(IsNull("sex"), pushing)[0] == IsNull("sex")


@pytest.mark.parametrize(
    "rows",
    [
        Compare("immigration.status", Op.EQ, "LEAVE"),
        Compare("image_subject", Op.EQ, "x"),
        Compare("warnings.kind", Op.EQ, "WEAPONS"),
    ],
)
def test_a_guard_on_what_the_source_cannot_apply_keeps_it_from_being_visited(
    rows: Condition,
) -> None:
    with pytest.raises(CannotEnforce):
        guard_of(rows, Pushing(mapping=north(), vocabulary=vocabulary()))


def test_a_guard_that_only_we_could_check_says_so() -> None:
    pushing = Pushing(mapping=catalogue().mapping("east", "Person"), vocabulary=vocabulary())
    condition, exact = guard_of(Compare("names.full", Op.EQ, "x"), pushing)
    assert (condition, exact) == (ALWAYS, False)


def test_a_guard_on_a_child_relation_is_in_its_own_names() -> None:
    (warnings,) = north().parts["warnings"]
    overt = Compare("kind", Op.IN, ("WEAPONS",))
    assert child_guard(warnings, ALWAYS) == ALWAYS
    assert child_guard(warnings, overt) == Compare("cd", Op.IN, ("WE",))
    assert child_guard(warnings, Or((overt, IsNull("reason")))) == Or(
        (Compare("cd", Op.IN, ("WE",)), IsNull("why"))
    )
    assert child_guard(warnings, Compare("discreet", Op.EQ, False)) is None
    (names,) = catalogue().mapping("east", "Person").parts["names"]
    assert child_guard(names, Compare("full", Op.EQ, "x")) is None
    assert child_guard(replace(names, over_read=True), Compare("full", Op.EQ, "x")) == ALWAYS
    assert child_guard(names, IsNull("kind")) == NEVER
