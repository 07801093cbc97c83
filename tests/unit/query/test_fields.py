"""A field becomes one function; objects whose fields are decided alike are made alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from connectors.conditions import Compare, Op
from gateway.model import CLEAR, HIT_ONLY, SILENT, Case, Outcome, Part, PartGrant, Place
from gateway.query.cases import Owner
from gateway.query.fields import (
    DROP,
    Build,
    ByCase,
    Clear,
    Constant,
    Fields,
    Plain,
    dropped,
    maker,
    masked,
)
from gateway.query.said import Event
from tests.unit.query import world


@pytest.mark.parametrize(
    ("left", "many", "expected"),
    [(None, True, []), (None, False, None), ("x", False, "x"), (["x"], True, ["x"])],
)
def test_of_a_list_a_mask_leaves_a_list(left: Any, many: bool, expected: Any) -> None:
    told: list[tuple[Place, Event | None]] = []
    event = Event("NORTH", Outcome.MASKED, mask="NULL")
    read: Build = lambda _values, _at, _owner: "held"  # noqa: E731  # a field's reader
    build = masked(
        lambda at, said: told.append((at, said)), read, lambda _value: (left, None),
        lambda _shows: event, many,
    )  # fmt: skip
    at: Place = (None, "x")
    assert build({}, at, Owner(world.record(1), None, world.MOMENT)) == expected
    assert told == [(at, event)]


# --- what is told beside a value of which nothing is left -----------------------------------------


@pytest.mark.parametrize(
    ("held", "left", "shows"),
    [
        ("x", (None, None), "beside"),
        ("x", (None, "coarse"), "coarse"),  # the mask's own word goes first
        ("x", ("▮▮▮", None), ""),
        ("x", ("▮▮▮", "coarse"), "coarse"),
        ("", (None, None), "beside"),
        (None, (None, None), ""),  # nothing is held: nothing is coarsened
    ],
)
def test_something_else_is_told_only_where_a_mask_leaves_nothing_of_what_is_held(
    held: Any, left: tuple[Any, str | None], shows: str
) -> None:
    told: list[Event | None] = []
    build = masked(
        lambda _at, said: told.append(said), Plain("camera"), lambda _value: left,
        lambda shown: Event("EAST", Outcome.MASKED, shows=shown), many=False,
        beside=lambda values: values["told"],
    )  # fmt: skip
    owner = Owner(world.record(1), None, world.MOMENT)
    assert build({"camera": held, "told": "beside"}, (None, "x"), owner) == left[0]
    assert told == [Event("EAST", Outcome.MASKED, shows=shows)]


DOVER = {"lat": 51.1279, "lon": 1.3134}
IN_POINT = world.vocabulary().fields_of("Point")
CELL = [world.mask("GRID_1KM", IN_POINT[name])(DOVER[name])[0] for name in ("lat", "lon")]
NEAR_DOVER = ", ".join(map(str, CELL))


@pytest.mark.parametrize(
    ("values", "shows"),
    [
        ({"point": [DOVER]}, NEAR_DOVER),
        ({"point": [DOVER, {"lat": 50.0, "lon": 0.0}]}, NEAR_DOVER),  # the first is the record's
        ({"point": [{**DOVER, "lon": None}]}, None),
        ({"point": [{"lat": 51.1279}]}, None),
        ({"point": []}, None),
        ({"point": None}, None),
        ({}, None),
    ],
)
def test_the_cell_of_a_camera_is_told_whole_or_not_at_all(
    values: Mapping[str, Any], shows: str | None
) -> None:
    assert told_of("camera", values) == shows


def test_a_field_that_nothing_stands_beside_has_nothing_told_in_its_stead() -> None:
    assert told_of("camera", {"point": [DOVER]}, coarse_by=()) is None


def test_of_one_coordinate_the_cell_is_told_by_itself() -> None:
    assert told_of("camera", {"point": [DOVER]}, coarse_by=("point.lat",)) == str(CELL[0])


def told_of(name: str, values: Mapping[str, Any], **spec: Any) -> str | None:
    asked = world.operation('{ vehicle(vrm: "AB12CDE") { make } }')
    fields = Fields(agreed=world.allowed(world.plan_of(asked)), shaping=world.shaping(asked))
    grant = world.whole(Part(path="", type="Sighting"))
    field = replace(world.vocabulary().fields_of("Sighting")[name], **spec)
    return fields.coarse(grant, field, "GRID_1KM")(values)


def test_a_masked_camera_is_answered_with_its_cell() -> None:
    def change(id_: str, grant: PartGrant) -> PartGrant:
        return replace(grant, read={**grant.read, "camera": "GRID_1KM"}) if id_ == "f1" else grant

    seen = [
        world.record("s1", ["AB12CDE"], camera="A20 east", point=[DOVER]),
        world.record("s2", ["AB12CDE"], camera="A20 west"),
        world.record("s3", ["AB12CDE"], camera=None, point=[DOVER]),
    ]
    made = world.answer(
        '{ vehicle(vrm: "AB12CDE") { sightings { camera } } }',
        {"f0": world.came(world.record("v", vrm="AB12CDE")), "f1": world.came(*seen)},
        change,
    )
    (vehicle,) = made.body["data"]["vehicle"]
    assert vehicle["sightings"] == [{"camera": None}] * 3
    told = made.body["extensions"]["disclosure"]
    assert [(e["path"], e["mask"], e.get("shows")) for e in told if "camera" in e["path"]] == [
        ("vehicle.0.sightings.0.camera", "GRID_1KM", NEAR_DOVER),
        ("vehicle.0.sightings.1.camera", "GRID_1KM", None),
        ("vehicle.0.sightings.2.camera", "GRID_1KM", None),
    ]


# --- objects whose fields are decided by cases ---------------------------------------------------

AT: Place = (None, "x")


def by(field: str) -> Any:
    """A manner that stands in the record itself."""
    return lambda values, _owner: values[field]


def test_each_field_is_shown_as_its_own_case_says() -> None:
    """Two fields of the same cases, one of others and two of none, in the order selected."""
    said: list[tuple[str, Event | None]] = []
    first, second = by("first"), by("second")

    def ways(name: str) -> Mapping[str | None, Build]:
        clear = Clear(lambda _at, event: said.append((name, event)), Plain(name))
        return {"CLEAR": clear, None: Constant(f"no {name}"), "HIT_ONLY": dropped}

    make = maker(
        [("d", ByCase(second, ways("d"))), ("a", ByCase(first, ways("a"))), ("k", Constant("k")),
         ("b", ByCase(first, ways("b"))), ("p", Plain("p"))]
    )  # fmt: skip
    for one, other in product(["CLEAR", None, "HIT_ONLY"], repeat=2):
        values = {"first": one, "second": other, "a": 1, "b": 2, "d": 4, "p": 5}
        made = make(values, AT, Owner(world.record(1), None, world.MOMENT))
        if "HIT_ONLY" in (one, other):
            assert made is DROP
            continue
        assert list(made) == ["d", "a", "k", "b", "p"]
        assert (made["k"], made["p"]) == ("k", 5)
        assert (made["a"], made["b"]) == ((1, 2) if one else ("no a", "no b"))
        assert made["d"] == (4 if other else "no d")
    assert {name for name, _ in said} == {"a", "b", "d"}
    assert {event for _, event in said} == {None}


def test_a_field_by_itself_is_shown_as_its_case_says() -> None:
    """Of one element, beside its record: the case is of the element, its place is told on."""
    owner, told = Owner(world.record(1), None, world.MOMENT), list[tuple[Place, Event | None]]()
    clear = Clear(lambda at, event: told.append((at, event)), Plain("a"))
    build = ByCase(by("first"), {"CLEAR": clear, None: Constant("none"), "HIT_ONLY": dropped})
    assert build({"first": None, "a": 1}, AT, owner) == "none"
    assert build({"first": "HIT_ONLY", "a": 1}, AT, owner) is DROP
    assert told == []
    assert build({"first": "CLEAR", "a": 1}, AT, owner) == 1
    assert told == [(AT, None)]


def test_of_records_shown_in_turns_each_is_said_at_its_own_index() -> None:
    """Clear, withheld, masked and clear again: what is clear somewhere has no star."""
    cases = (
        Case(Compare("colour", Op.EQ, "blue"), CLEAR),
        Case(Compare("colour", Op.EQ, "red"), "REDACT"),
    )

    def change(_id: str, grant: PartGrant) -> PartGrant:
        return replace(grant, read={**grant.read, "make": cases})

    colours = ["blue", "grey", "red", "blue", "grey"]
    made = world.answer(
        '{ vehicle(vrm: "AB12CDE") { make colour } }',
        {
            "f0": world.came(
                *(world.record(n, make="Ford", colour=c) for n, c in enumerate(colours))
            )
        },
        change,
    )
    shown = [one["make"] for one in made.body["data"]["vehicle"]]
    assert shown == ["Ford", None, "▮▮▮", "Ford", None]
    told = made.body["extensions"]["disclosure"]
    assert [(e["path"], e["outcome"]) for e in told if e["path"].endswith("make")] == [
        ("vehicle.1.make", "WITHHELD"),
        ("vehicle.2.make", "MASKED"),
        ("vehicle.4.make", "WITHHELD"),
    ]


def test_what_no_case_says_is_said_of_its_own_kind() -> None:
    """One after the other: nothing, silently; a hit, which takes the record along; withheld."""
    cases = tuple(
        Case(Compare("colour", Op.EQ, colour), manner)
        for colour, manner in (("blue", CLEAR), ("red", SILENT), ("green", HIT_ONLY))
    )

    def change(_id: str, grant: PartGrant) -> PartGrant:
        return replace(grant, read={**grant.read, "make": cases})

    colours = ["red", "green", "grey", "blue", "red"]
    found = [world.record(n, make="Ford", colour=c) for n, c in enumerate(colours)]
    document = '{ vehicle(vrm: "AB12CDE") { make colour } }'
    made = world.answer(document, {"f0": world.came(*found)}, change)
    assert made.body["data"]["vehicle"] == [
        {"make": None, "colour": "red"},
        {"make": None, "colour": "grey"},
        {"make": "Ford", "colour": "blue"},
        {"make": None, "colour": "red"},
    ]
    told = made.body["extensions"]["disclosure"]
    assert {(e["path"], e["outcome"]) for e in told} == {
        ("vehicle", "HIT"), ("vehicle.1.make", "WITHHELD"),
    }  # fmt: skip


def test_fields_that_a_source_does_not_have_are_null_and_nothing_is_said_of_them() -> None:
    """Whatever was decided about them: nothing is kept back where nothing is held."""

    def change(_id: str, grant: PartGrant) -> PartGrant:
        part = replace(grant.part, reads=grant.part.reads - {"make", "colour"})
        return replace(grant, part=part, read={**grant.read, "make": CLEAR, "colour": "REDACT"})

    found = {"f0": world.came(world.record("v", make="Ford", colour="blue", vrm="AB12CDE"))}
    made = world.answer('{ vehicle(vrm: "AB12CDE") { make colour vrm } }', found, change)
    assert made.body["data"]["vehicle"] == [{"make": None, "colour": None, "vrm": "AB12CDE"}]
    assert made.body["extensions"]["disclosure"] == []
