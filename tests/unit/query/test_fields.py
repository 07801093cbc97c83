"""A field becomes one function; objects whose fields are decided alike are made alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from connectors.conditions import Compare, Op
from gateway.model import CLEAR, Case, Outcome, PartGrant
from gateway.query.cases import Owner
from gateway.query.fields import DROP, Build, ByCase, Clear, Constant, Plain, dropped, maker, masked
from gateway.query.said import Event, Place
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
