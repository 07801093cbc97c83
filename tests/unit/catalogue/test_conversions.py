"""Every conversion both ways, with its traps: what is read, what is asked, what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from connectors.conditions import ALWAYS, NEVER, And, Compare, IsNull, Op, Or, holds
from gateway.catalogue.codec import Pushed, constant, number, without
from gateway.catalogue.conversions import codec
from gateway.catalogue.named import FUNCTIONS

COLOURS = ("RED", "BLUE", "OTHER")


def made(spec: Any, scalar: str = "String", enum: tuple[str, ...] | None = None) -> Any:
    return codec(spec, scalar, enum=enum)


def decoded(spec: Any, *raw: Any, scalar: str = "String", enum: Any = None) -> Any:
    return made(spec, scalar, enum).decode(raw)


def asked(spec: Any, op: Op, value: Any, scalar: str = "String", enum: Any = None) -> Any:
    pushed = made(spec, scalar, enum).encode(op, value)
    return pushed if pushed is None else (pushed.condition, pushed.exact)


# --- faults of a file ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "scalar", "enum", "said"),
    [
        ({"columm": "x"}, "String", None, "unknown key 'columm'"),
        ({}, "String", None, "needs a column"),
        ({"columns": [1]}, "String", None, "needs a column"),
        ({"constant": "GREEN"}, "C", COLOURS, "'GREEN' is not among RED, BLUE"),
        ({"constant": ["RED", "GREEN"]}, "C", COLOURS, "is not among"),
        ({"column": "x", "values": {"a": "GREEN"}}, "C", COLOURS, "'GREEN' is not among"),
        ({"column": "x", "values": {"a": "RED"}, "other": "X"}, "C", COLOURS, "'X' is not among"),
        ({"column": "x", "values": {"": "X"}}, "C", COLOURS, "'X' is not among"),
        ({"column": "x", "values": {"a": 1}, "code": "int"}, "Int", None, "invalid literal"),
        ({"column": "x", "list": ",", "values": {"a": "X"}}, "C", COLOURS, "not among"),
        ({"flags": {"x": "GREEN"}}, "C", COLOURS, "not among"),
        ({"column": "x", "contains": "a", "of": list("abcdefghi")}, "Boolean", None, "at most 8"),
        ({"column": "x", "partial": "text"}, "PartialDate", None, "needs 'formats'"),
        (
            {"column": "x", "partial": "text", "formats": ["%d-%b-%y"]},
            "PartialDate",
            None,
            "years of two digits",
        ),
        ({"column": "x", "partial": "parts"}, "PartialDate", None, "three columns"),
        ({"column": "x", "partial": "range"}, "PartialDate", None, "two columns"),
        ({"column": "x", "partial": "mdy"}, "PartialDate", None, "'partial' is dmy"),
        ({"column": "x", "epoch": "us"}, "DateTime", None, "'epoch' is ms or s"),
        ({"column": "x", "variants": "vin"}, "String", None, "'variants' is vrm, phone or pncid"),
        ({"column": "x", "function": "upper"}, "String", None, "there is no function 'upper'"),
        ({"column": "x", "split": [",", " "], "take": 0}, "Name", None, "one position for each"),
        ({"column": "x", "ask": "q", "ask_by": "day"}, "PartialDate", None, "'ask_by' is year"),
    ],
)
def test_an_entry_that_is_wrong_says_what(spec: Any, scalar: str, enum: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        made(spec, scalar, enum)


# --- plain values --------------------------------------------------------------------------------


def test_a_constant_answers_without_asking() -> None:
    held = constant("RED")
    assert held.decode(()) == "RED"
    assert held.encode(Op.EQ, "RED") == Pushed(ALWAYS)
    assert held.encode(Op.EQ, "BLUE") == Pushed(NEVER)
    assert constant(["A", "B"]).encode(Op.EQ, "B") == Pushed(ALWAYS)
    unheld = made({"unheld": True})
    assert (unheld.decode(()), unheld.encode(Op.NE, "x")) == (None, Pushed(NEVER))


@pytest.mark.parametrize(
    ("spec", "scalar", "raw", "expected"),
    [
        ("c", "String", " a  ", " a"),
        ("c", "String", "  ", None),
        ("c", "String", 7, "7"),
        ({"column": "c", "null": ["n/k", "-"]}, "String", "n/k", None),
        ({"column": "c", "null": ["n/k"]}, "String", "N/K", "N/K"),
        ("c", "Vrm", "ab12 cde", "AB12CDE"),
        ("c", "Vrm", "no plate", "no plate"),
        ("c", "Int", "12", 12),
        ("c", "Int", "1.9", 1),
        ("c", "Int", "twelve", None),
        ("c", "Float", 3, 3.0),
        ("c", "Float", True, None),
        ("c", "Key", 17, 17),
        ("c", "Key", "17", "17"),
        ("c", "Boolean", True, True),
        ("c", "Name", "hodja ", "hodja"),
    ],
)
def test_a_plain_column_is_read(spec: Any, scalar: str, raw: Any, expected: Any) -> None:
    assert decoded(spec, raw, scalar=scalar) == expected


@pytest.mark.parametrize(
    ("stored", "expected"), [("upper", "DOVER"), ("lower", "dover"), ("title", "Dover")]
)
def test_an_asked_value_takes_the_stored_style(stored: str, expected: str) -> None:
    spec = {"column": "c", "stored": stored}
    assert asked(spec, Op.EQ, "dOvEr") == (Compare("c", Op.EQ, expected), True)
    assert asked(spec, Op.STARTSWITH, "dOvEr") == (Compare("c", Op.STARTSWITH, expected), True)
    assert asked(spec, Op.IN, ("dOvEr", 1)) == (Compare("c", Op.IN, (expected, 1)), True)


def test_a_number_there_is_a_text_here() -> None:
    spec = {"column": "c", "stored": "number"}
    assert decoded(spec, 17) == "17"
    assert asked(spec, Op.EQ, "17") == (Compare("c", Op.IN, (17,)), True)
    assert asked(spec, Op.IN, ("17", "017", "x")) == (Compare("c", Op.IN, (17,)), True)
    assert asked(spec, Op.EQ, "1; DROP") == (NEVER, True)
    assert asked(spec, Op.GT, "1") is None


def test_numbers_and_unknowns() -> None:
    assert (number("Int", None), number("Float", "x")) == (None, None)
    assert without((), date(1900, 1, 1)) == date(1900, 1, 1)
    assert without(("1900-01-01",), date(1900, 1, 1)) is None
    assert without(("1900-01-01",), datetime(1900, 1, 1, tzinfo=UTC)) is None


# --- names ---------------------------------------------------------------------------------------

UPPER = {"column": "c", "stored": "upper"}


def test_names_are_asked_in_capitals_without_marks_with_either_hyphen() -> None:
    assert asked(UPPER, Op.EQ, "Đặng-Şahin", "Name") == (
        Compare("c", Op.IN, ("DANG SAHIN", "DANG-SAHIN")),
        True,
    )
    assert asked(UPPER, Op.STARTSWITH, "o'ne", "Name") == (
        Compare("c", Op.STARTSWITH, "ONE"),
        True,
    )
    assert asked(UPPER, Op.STARTSWITH, "al m", "Name") == (
        Or((Compare("c", Op.STARTSWITH, "AL M"), Compare("c", Op.STARTSWITH, "AL-M"))),
        True,
    )
    assert asked(UPPER, Op.LT, "a", "Name") is None
    assert asked(UPPER, Op.IN, ("a",), "Name") is None


def test_names_of_mixed_spelling_are_compared_here() -> None:
    assert asked("c", Op.EQ, "Hodja", "Name") is None
    assert asked(UPPER, Op.EQ, "Arben", "GivenNames") is None  # it may be the second of them


def test_a_name_held_cut_is_asked_cut() -> None:
    spec = {**UPPER, "cut": 8}
    condition, _ = asked(spec, Op.EQ, "Al Masri Hodja", "Name")
    assert condition == Compare("c", Op.IN, ("AL MASRI", "AL-MASRI"))
    assert made(spec, "Name").cut == 8


def test_names_in_several_columns() -> None:
    spec = {"columns": ["a", "b"], "stored": "upper"}
    assert decoded(spec, "ARBEN ", None) == "ARBEN"
    assert decoded(spec, "ARBEN", "LUAN") == "ARBEN LUAN"
    assert decoded({"columns": ["a", "b"], "join": "/"}, "x", "y") == "x/y"
    assert decoded(spec, None, " ") is None
    each = [Compare(c, Op.IN, ("LUAN",)) for c in "ab"]
    assert asked(spec, Op.EQ, "Luan", "GivenNames") == (Or(tuple(each)), True)
    first = [Compare(c, Op.STARTSWITH, "ARBEN") for c in "ab"]
    assert asked(spec, Op.EQ, "Arben Luan", "GivenNames") == (Or(tuple(first)), False)
    assert asked({"columns": ["a", "b"]}, Op.EQ, "Luan", "GivenNames") is None


def test_one_column_of_several_parts() -> None:
    family = {"column": "c", "split": "/", "take": 0, "stored": "upper"}
    assert decoded(family, "HODJA / ARBEN", scalar="Name") == "HODJA"
    assert decoded(family, "HODJA", scalar="Name") == "HODJA"
    assert decoded(family, None, scalar="Name") is None
    given = {"column": "c", "split": "/", "take": 1}
    assert decoded(given, "HODJA/ARBEN", scalar="GivenNames") == "ARBEN"
    assert decoded(given, "HODJA", scalar="GivenNames") is None
    assert decoded({**given, "take": 5}, "A/B", scalar="Name") is None
    assert asked(family, Op.EQ, "Hodja", "Name") == (
        Or((Compare("c", Op.STARTSWITH, "HODJA/"), Compare("c", Op.IN, ("HODJA",)))),
        True,
    )
    assert asked(family, Op.STARTSWITH, "Hod", "Name") == (
        Compare("c", Op.STARTSWITH, "HOD"),
        True,
    )
    for spec, op, value in (
        (given, Op.EQ, "x"),
        (family, Op.IN, ("x",)),
        ({**family, "split": [", ", " "], "take": [0, -1]}, Op.EQ, "x"),
    ):
        assert asked(spec, op, value, "Name") is None


def test_swapped_names_are_told_by_the_separator_that_occurs() -> None:
    spec = {"column": "c", "split": [", ", " "], "take": [0, -1]}
    assert decoded(spec, "Hodja, Arben", scalar="Name") == "Hodja"
    assert decoded(spec, "Arben Hodja", scalar="Name") == "Hodja"


# --- keys, plates, numbers, places ---------------------------------------------------------------


def test_a_prefix_is_put_before_and_taken_away() -> None:
    spec = {"column": "c", "prefix": "NMC-"}
    assert decoded(spec, " 17 ", scalar="Key") == "NMC-17"
    assert decoded(spec, None, scalar="Key") is None
    assert asked(spec, Op.EQ, "NMC-17", "Key") == (Compare("c", Op.IN, ("17",)), True)
    assert asked(spec, Op.IN, ("SCP-17",), "Key") == (NEVER, True)
    assert asked(spec, Op.GT, "NMC-1", "Key") is None
    numbered = {**spec, "stored": "number"}
    assert asked(numbered, Op.EQ, "NMC-17", "Key") == (Compare("c", Op.IN, (17,)), True)
    assert asked(numbered, Op.EQ, "NMC-x", "Key") == (NEVER, True)


@pytest.mark.parametrize(
    ("style", "value", "raw"),
    [
        ("vrm", "AB12CDE", ["AB12CDE", "AB12 CDE"]),
        ("vrm", "A1", ["A1"]),
        ("phone", "+447700900123", ["+447700900123", "00447700900123", "447700900123",
                                    "07700900123", "07700 900123"]),
        ("phone", "+35569123456", ["+35569123456", "0035569123456", "35569123456"]),
        ("pncid", "91/0004417K", ["91/0004417K", "91/4417K"]),
    ],
)  # fmt: skip
def test_every_spelling_of_mixed_habits_is_asked_for_and_read(
    style: str, value: str, raw: list[str]
) -> None:
    scalar = {"vrm": "Vrm", "phone": "E164", "pncid": "DocumentNumber"}[style]
    spec = {"column": "c", "variants": style}
    condition, exact = asked(spec, Op.EQ, value, scalar)
    assert exact
    assert set(raw) <= set(condition.value)
    read = [decoded(spec, text, scalar=scalar) for text in raw if not text.isdigit()]
    assert set(read) == {value}
    assert asked(spec, Op.STARTSWITH, value, scalar) is None
    assert decoded(spec, None, scalar=scalar) is None


def test_no_pnc_identifier_is_no_row() -> None:
    spec = {"column": "c", "variants": "pncid"}
    assert asked(spec, Op.EQ, "A1234567", "DocumentNumber") == (NEVER, True)


def test_known_places_stand_in_free_text() -> None:
    spec = {"column": "c", "known": ["Camber Sands", "Rye"]}
    assert decoded(spec, "landing at CAMBER-SANDS (east)") == "Camber Sands"
    assert decoded(spec, "near Rye/Winchelsea") == "Rye"
    assert decoded(spec, "Ryecroft") == "Ryecroft"
    assert decoded(spec, None) is None
    assert asked(spec, Op.EQ, "Rye") is None


# --- code lists ----------------------------------------------------------------------------------

CODES = {"column": "c", "values": {"R": "RED", "RR": "RED", "B": "BLUE"}}


def test_codes_are_read_and_asked_for_by_every_code_that_means_it() -> None:
    assert [decoded(CODES, r, enum=COLOURS) for r in ("R", "RR", "B", "X", None, "")] == [
        "RED", "RED", "BLUE", None, None, None,
    ]  # fmt: skip
    assert asked(CODES, Op.EQ, "RED", enum=COLOURS) == (Compare("c", Op.IN, ("R", "RR")), True)
    assert asked(CODES, Op.NE, "RED", enum=COLOURS) == (Compare("c", Op.IN, ("B",)), True)
    assert asked(CODES, Op.IN, ("BLUE",), enum=COLOURS) == (Compare("c", Op.IN, ("B",)), True)
    assert asked(CODES, Op.EQ, "OTHER", enum=COLOURS) == (NEVER, True)
    assert asked(CODES, Op.GT, "RED", enum=COLOURS) is None


def test_an_unknown_code_may_mean_another_value_and_then_only_we_can_tell() -> None:
    spec = {**CODES, "other": "OTHER"}
    assert decoded(spec, "X", enum=COLOURS) == "OTHER"
    assert decoded(spec, None, enum=COLOURS) is None
    assert asked(spec, Op.EQ, "RED", enum=COLOURS) is None


def test_nothing_held_may_mean_a_value() -> None:
    spec = {"column": "c", "values": {"R": "RED", "": "OTHER"}}
    assert decoded(spec, None, enum=COLOURS) == "OTHER"
    assert decoded(spec, " ", enum=COLOURS) == "OTHER"
    assert asked(spec, Op.EQ, "OTHER", enum=COLOURS) == (
        Or((IsNull("c"), Compare("c", Op.EQ, ""))),
        True,
    )


def test_codes_may_be_numbers_or_booleans() -> None:
    spec = {"column": "c", "values": {"0": False, "1": True}, "code": "int"}
    assert [decoded(spec, r, scalar="Boolean") for r in (0, 1, 2, "1")] == [False, True, None, None]
    assert asked(spec, Op.EQ, True, "Boolean") == (Compare("c", Op.IN, (1,)), True)
    flags = {"column": "c", "values": {"true": "RED", "false": "BLUE"}, "code": "bool"}
    assert [decoded(flags, r, enum=COLOURS) for r in (True, False)] == ["RED", "BLUE"]


def test_an_enum_stored_as_it_is() -> None:
    assert decoded("c", "RED", enum=COLOURS) == "RED"
    assert asked("c", Op.EQ, "RED", enum=COLOURS) == (Compare("c", Op.EQ, "RED"), True)


def test_lists_of_codes() -> None:
    spec = {"column": "c", "list": ",", "values": {"R": "RED", "B": "BLUE"}}
    assert decoded(spec, "R, B:2020 ,X,", enum=COLOURS) == ["RED", "BLUE"]
    assert decoded(spec, ["B", None], enum=COLOURS) == ["BLUE"]
    assert decoded(spec, None, enum=COLOURS) == []
    assert decoded({"column": "c", "list": ";"}, "a; b") == ["a", "b"]
    assert asked(spec, Op.EQ, "RED", enum=COLOURS) is None
    strict = {**spec, "other": "GREEN"}
    assert decoded(strict, "R,X", enum=(*COLOURS, "GREEN")) == ["RED", "GREEN"]
    assert decoded(strict, "", enum=(*COLOURS, "GREEN")) == []


def test_what_follows_a_code() -> None:
    unit = {"column": "c", "list": ",", "argument": "NU"}
    assert decoded(unit, "NO,NU:ERU-INTEL, NU: B") == ["ERU-INTEL", "B"]
    assert decoded(unit, ["NU"]) == [""]  # it says that somebody is named, and not whom
    assert decoded(unit, "NO") is None
    assert decoded(unit, None) is None
    assert asked(unit, Op.EQ, "B") is None
    until = {"column": "c", "list": ",", "argument": "EX"}
    assert decoded(until, "NO,EX:2026-01-31", scalar="Date") == "2026-01-31"
    assert decoded(until, "EX:2027-01-31,EX:2026-01-31", scalar="Date") == "2026-01-31"
    assert decoded(until, "EX:2027-01-31,EX:soon", scalar="Date") == "0001-01-01"
    assert decoded(until, "EX", scalar="Date") == "0001-01-01"
    assert decoded(until, "NO", scalar="Date") is None


# --- yes or no -----------------------------------------------------------------------------------


def test_whether_a_list_holds_a_code() -> None:
    few = {"column": "c", "contains": "S", "of": ["S", "N"]}
    assert [decoded(few, r, scalar="Boolean") for r in ("S", "N,S:1", "N", None, ["S"])] == [
        True, True, False, False, True,
    ]  # fmt: skip
    assert asked(few, Op.EQ, True, "Boolean") == (Compare("c", Op.IN, ("S", "S,N")), True)
    assert asked(few, Op.EQ, False, "Boolean") == (
        Or((Compare("c", Op.IN, ("N",)), IsNull("c"), Compare("c", Op.EQ, ""))),
        True,
    )
    assert asked(few, Op.GT, True, "Boolean") is None
    assert asked({"column": "c", "contains": ["S"]}, Op.EQ, True, "Boolean") is None


def test_whether_a_mask_has_a_bit() -> None:
    mask = {"column": "c", "bits": [4], "of": [1, 4]}
    assert [decoded(mask, r, scalar="Boolean") for r in (5, 1, None, "4")] == [
        True, False, False, False,
    ]  # fmt: skip
    assert asked(mask, Op.EQ, True, "Boolean") == (Compare("c", Op.IN, (4, 5)), True)
    assert asked(mask, Op.EQ, False, "Boolean") == (
        Or((Compare("c", Op.IN, (0, 1)), IsNull("c"))),
        True,
    )
    assert asked({"column": "c", "bits": [4]}, Op.EQ, True, "Boolean") is None


def test_whether_any_of_several_says_yes() -> None:
    codes = {"values": {"Y": True, "N": False}}
    spec = {"any": [{"column": "a", **codes}, {"column": "b", **codes}]}
    assert made(spec, "Boolean").columns == ("a", "b")
    assert [decoded(spec, *r, scalar="Boolean") for r in (("Y", "N"), ("N", None))] == [True, False]
    yes = tuple(Compare(c, Op.IN, ("Y",)) for c in "ab")
    no = tuple(Compare(c, Op.IN, ("N",)) for c in "ab")
    assert asked(spec, Op.EQ, True, "Boolean") == (Or(yes), True)
    assert asked(spec, Op.EQ, False, "Boolean") == (And(no), True)
    assert asked(spec, Op.NE, True, "Boolean") is None
    deaf = {"any": [{"column": "a", **codes}, {"column": "b", "contains": "x"}]}
    assert asked(deaf, Op.EQ, True, "Boolean") is None


def test_the_names_of_columns_that_are_true() -> None:
    spec = {"flags": {"a": "RED", "b": "BLUE"}}
    assert decoded(spec, 1, 0, enum=COLOURS) == ["RED"]
    assert asked(spec, Op.EQ, "RED", enum=COLOURS) is None


# --- several places, other words -----------------------------------------------------------------


def test_the_first_of_several_places_that_holds_something() -> None:
    spec = {"first_of": ["a", "b"], "values": {"m": "RED"}}
    assert decoded(spec, None, "m", enum=COLOURS) == "RED"
    assert decoded(spec, None, None, enum=COLOURS) is None
    assert asked(spec, Op.EQ, "RED", enum=COLOURS) == (
        Or((Compare("a", Op.IN, ("m",)), Compare("b", Op.IN, ("m",)))),
        False,
    )
    assert asked({"first_of": ["a", "b"]}, Op.EQ, "x", "Name") is None


def test_a_source_may_have_a_search_word_of_its_own() -> None:
    spec = {"column": "n[].f", "ask": "familyName"}
    assert asked(spec, Op.EQ, "Hodja", "Name") == (Compare("familyName", Op.EQ, "Hodja"), False)
    assert asked(spec, Op.STARTSWITH, "Hod", "Name") is None
    assert asked({"column": "c", "ask": False}, Op.EQ, "x") is None
    year = {"column": "c", "ask": "born", "ask_by": "year"}
    assert asked(year, Op.EQ, "1990/1991", "PartialDate") == (
        Compare("born", Op.IN, ("1990", "1991")),
        False,
    )


# --- dates ---------------------------------------------------------------------------------------


def test_days() -> None:
    text = {"column": "c", "format": "%Y%m%d", "null": ["19000101"]}
    for raw, day in (("19910417", "1991-04-17"), ("19000101", None), ("19911399", None)):
        assert decoded(text, raw, scalar="Date") == day
    assert asked(text, Op.GTE, "1991-04-17", scalar="Date") == (
        And((Compare("c", Op.GTE, "19910417"), Compare("c", Op.NE, "19000101"))),
        True,
    )
    assert asked(text, Op.LT, "1991-04-17", scalar="Date") == (
        And(
            (
                Compare("c", Op.LT, "19910417"),
                Compare("c", Op.NE, "19000101"),
                Compare("c", Op.NE, ""),
            )
        ),
        True,
    )
    unsorted = {"column": "c", "format": "%d/%m/%Y"}
    assert asked(unsorted, Op.GTE, "1991-04-17", scalar="Date") is None
    assert asked(unsorted, Op.IN, ("1991-04-17",), scalar="Date") == (
        Compare("c", Op.IN, ("17/04/1991",)),
        True,
    )
    native = {"column": "c", "null": ["1900-01-01"]}
    assert decoded(native, date(1991, 4, 17), scalar="Date") == "1991-04-17"
    assert decoded(native, "1991-04-17", scalar="Date") == "1991-04-17"
    assert decoded(native, "soon", scalar="Date") is None
    assert asked(native, Op.EQ, "1991-04-17", scalar="Date") == (
        And((Compare("c", Op.EQ, date(1991, 4, 17)), Compare("c", Op.NE, date(1900, 1, 1)))),
        True,
    )


def test_moments() -> None:
    at = "2026-07-01T10:00:00Z"
    local = {"column": "c", "zone": "Europe/London", "format": "%Y-%m-%dT%H:%M"}
    assert decoded(local, "2026-07-01T11:00", scalar="DateTime") == at
    assert decoded(local, "yesterday", scalar="DateTime") is None
    assert asked(local, Op.GTE, at, "DateTime") == (
        Compare("c", Op.GTE, "2026-07-01T10:00"), False,
    )  # fmt: skip
    assert asked(local, Op.LT, at, "DateTime") == (Compare("c", Op.LTE, "2026-07-01T12:00"), False)
    assert asked(local, Op.EQ, at, "DateTime") is None
    ms = {"column": "c", "epoch": "ms"}
    assert decoded(ms, 1782900000000, scalar="DateTime") == at
    assert decoded(ms, "x", scalar="DateTime") is None
    assert asked(ms, Op.GTE, at, "DateTime") == (Compare("c", Op.GTE, 1782900000000), True)
    assert asked(ms, Op.EQ, at, "DateTime") == (
        And((Compare("c", Op.GTE, 1782900000000), Compare("c", Op.LT, 1782900001000))),
        True,
    )
    assert decoded({"column": "c"}, datetime(2026, 7, 1, 10), scalar="DateTime") == at  # noqa: DTZ001  # a source's naive clock
    assert decoded({"column": "c"}, "2026-07-01T12:00:00+02:00", scalar="DateTime") == at
    assert decoded({"column": "c"}, "nonsense", scalar="DateTime") is None
    assert asked({"column": "c"}, Op.LTE, at, "DateTime")[0].value.second == 1
    assert asked({"column": "c"}, Op.NE, at, "DateTime") is None
    assert asked({"column": "c"}, Op.IN, (at,), "DateTime") is None
    assert asked({"column": "c", "format": "%d/%m/%Y"}, Op.GT, at, "DateTime") is None


def test_a_time_between_two_texts_of_minutes() -> None:
    minutes = {"column": "c", "format": "%Y-%m-%dT%H:%M"}
    between = "2026-07-01T10:00:30Z"
    blank = Compare("c", Op.NE, "")
    for op, expected in (
        (Op.GTE, Compare("c", Op.GT, "2026-07-01T10:00")),
        (Op.LT, And((Compare("c", Op.LTE, "2026-07-01T10:00"), blank))),
        (Op.EQ, NEVER),
    ):
        assert asked(minutes, op, between, "DateTime") == (expected, True)
    assert asked(minutes, Op.NE, between, "DateTime") is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("17/04/1991", "1991-04-17"),
        ("??/04/1991", "1991-04"),
        ("00/04/1991", "1991-04"),
        ("??/??/1991", "1991"),
        ("17/??/1991", "1991"),
        ("31/02/1991", None),
        ("17.04.1991", None),
        (None, None),
    ],
)
def test_partial_dates_with_unknown_days_and_months(raw: Any, expected: Any) -> None:
    assert decoded({"column": "c", "partial": "dmy"}, raw, scalar="PartialDate") == expected


def test_a_partial_date_is_asked_for_in_every_spelling_that_overlaps() -> None:
    spec = {"column": "c", "partial": "dmy"}
    condition, exact = asked(spec, Op.EQ, "1991-04-17", "PartialDate")
    assert exact
    assert {"17/04/1991", "??/04/1991", "00/04/1991", "??/??/1991"} <= set(condition.value)
    assert "18/04/1991" not in condition.value
    assert asked(spec, Op.EQ, "1980/1991", "PartialDate") is None
    assert asked(spec, Op.GT, "1991", "PartialDate") is None


def test_partial_dates_in_three_columns() -> None:
    spec = {"columns": ["y", "m", "d"], "partial": "parts"}
    for raw, expected in (
        ((1991, 4, 17), "1991-04-17"),
        ((1991, 4, None), "1991-04"),
        ((1991, None, 17), "1991"),
        ((None, 4, 17), None),
        ((1991, 2, 31), None),
    ):
        assert decoded(spec, *raw, scalar="PartialDate") == expected
    assert decoded({**spec, "default": "01-01"}, 1991, 1, 1, scalar="PartialDate") == "1991"
    assert asked(spec, Op.EQ, "1991", "PartialDate") is None


def test_partial_dates_between_two_days() -> None:
    spec = {"columns": ["a", "b"], "partial": "range"}
    for raw, expected in (
        (("1991-04-17", "1991-04-17"), "1991-04-17"),
        (("1991-04-01", "1991-04-30T00:00"), "1991-04"),
        (("1990-01-01", "1991-12-31"), "1990/1991"),
        ((None, "1991-12-31"), None),
    ):
        assert decoded(spec, *raw, scalar="PartialDate") == expected
    assert asked(spec, Op.EQ, "1991-04", "PartialDate") == (
        And((Compare("a", Op.LTE, "1991-04-30"), Compare("b", Op.GTE, "1991-04-01"))),
        True,
    )
    assert asked(spec, Op.LT, "1991", "PartialDate") is None


def test_partial_dates_in_many_spellings() -> None:
    formats = ["%d-%b-%y", "%Y-%m-%d", "%b %Y", "%Y"]
    spec = {"column": "c", "partial": "text", "formats": formats, "years_from": 1925}
    for raw, expected in (
        ("17-Apr-91", "1991-04-17"),
        ("17-Apr-25", "1925-04-17"),
        ("17-Apr-24", "2024-04-17"),
        ("1991-04-17", "1991-04-17"),
        ("Apr 1991", "1991-04"),
        ("1991", "1991"),
        ("unknown", None),
        (None, None),
    ):
        assert decoded(spec, raw, scalar="PartialDate") == expected
    condition, exact = asked(spec, Op.EQ, "1991-04-17", "PartialDate")
    assert exact
    assert condition.value == ("17-Apr-91", "1991-04-17", "Apr 1991", "1991")
    assert asked(spec, Op.EQ, "1991", "PartialDate") is None
    assert asked(spec, Op.GT, "1991-04-17", "PartialDate") is None


def test_whole_dates_as_partial_ones() -> None:
    spec = {"column": "c", "format": "%Y%m%d"}
    assert asked(spec, Op.EQ, "1991-04", "PartialDate") == (
        And(
            (
                Compare("c", Op.GTE, "19910401"),
                Compare("c", Op.LTE, "19910430"),
                Compare("c", Op.NE, ""),
            )
        ),
        True,
    )
    assert decoded("c", "1991-04", scalar="PartialDate") == "1991-04"
    assert decoded("c", date(1991, 4, 17), scalar="PartialDate") == "1991-04-17"
    assert asked("c", Op.GT, "1991-04", "PartialDate") == (
        Compare("c", Op.GTE, date(1991, 4, 1)),
        True,
    )
    assert asked("c", Op.GT, "1991-04-17", "PartialDate") == (
        Compare("c", Op.GT, date(1991, 4, 17)),
        True,
    )
    assert asked("c", Op.IN, ("1991",), "PartialDate") is None
    unsorted = {"column": "c", "format": "%d/%m/%Y"}
    assert asked(unsorted, Op.EQ, "1991", "PartialDate") is None


# --- named functions -----------------------------------------------------------------------------


NAMED: list[tuple[str, tuple[Any, ...], Any]] = [
    ("osgb36_lat", (592100, 120300), 50.9501),
    ("osgb36_lon", (592100, 120300), 0.7336),
    ("given_first", ("HODJA, Arben Luan",), "Arben Luan HODJA"),
    ("given_first", ("Arben",), "Arben"),
    ("given_first", (None,), None),
    ("name_order", ("HODJA, Arben",), "FAMILY_FIRST"),
    ("name_order", ("Arben Hodja",), "UNKNOWN"),
    ("name_order", (None,), None),
    ("lesser", (["a", "b", "c"], [1, 2, 1]), ["a", "c"]),
    ("lesser", (["a"], [1]), []),
    ("lesser", (None, [1]), []),
    ("greatest", (["a", "b"], [1, 2]), "b"),
    ("greatest", (["a", "b"], [None, None]), None),
    ("greatest", (None, [1]), None),
    ("osgb36_lat", (None, 120300), None),
    ("iso3", ("alb",), "AL"),
    ("iso3", ("XXA",), None),
    ("iso3", (None,), None),
    ("nationality", ("Albanian?",), "AL"),
    ("nationality", ("vnm",), "VN"),
    ("nationality", ("Martian",), None),
    ("nationality", ("",), None),
    ("doubtful", ("Albanian?",), True),
    ("doubtful", ("Albanian",), False),
    ("doubtful", (None,), None),
    ("grade_source", ("2/C/P",), "UNTESTED"),
    ("grade_source", ("9/C/P",), None),
    ("grade_info", ("2/C/P",), "C"),
    ("grade_handling", ("2/C/P",), "P"),
    ("grade_handling", ("2/C",), None),
    ("not_all_shared", (["P", "P"],), False),
    ("not_all_shared", ([],), False),
    ("not_all_shared", (["P", "C"],), True),
    ("not_all_shared", (["P", None],), True),
    ("not_all_shared", (["P", "X"],), True),
    ("not_all_shared", (None,), True),
    ("present", ("x",), True),
    ("present", ("",), False),
    ("absent", (None,), True),
    ("absent", ("x",), False),
    ("sum", (1, 2, None, "3"), 3),
]


@pytest.mark.parametrize(("name", "raw", "expected"), NAMED)
def test_named(name: str, raw: tuple[Any, ...], expected: Any) -> None:
    columns = [f"c{n}" for n in range(len(raw))]
    read = made({"columns": columns, "function": name}).decode(raw)
    assert read == (pytest.approx(expected, abs=1e-3) if isinstance(expected, float) else expected)
    assert asked({"columns": columns, "function": name}, Op.EQ, "x") is None


def test_every_named_function_has_a_test() -> None:
    assert set(FUNCTIONS) == {name for name, _, _ in NAMED}


@pytest.mark.parametrize(
    ("op", "year"),
    [(Op.LT, "2007"), (Op.LTE, "2007"), (Op.GT, "2007"), (Op.GTE, "2007"), (Op.LT, "2007-01")],
)
def test_whole_dates_are_compared_with_a_year_as_texts_are(op: Op, year: str) -> None:
    spec = {"column": "c", "format": "%Y-%m-%d"}
    condition, _ = asked(spec, op, year, scalar="PartialDate")
    days = ("2006-12-31", "2007-01-01", "2007-01-02", "2007-12-31", "2008-01-01")
    plain = Compare("c", op, year)
    assert [holds(condition, {"c": day}) for day in days] == [
        holds(plain, {"c": day}) for day in days
    ]
