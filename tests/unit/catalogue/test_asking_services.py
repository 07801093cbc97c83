"""What mappings of services say: own search words, default birthdays, fields never searched by."""

from __future__ import annotations

import pytest

from connectors.conditions import ALWAYS, NEVER, Compare, Op
from gateway.catalogue.codec import Pushed
from gateway.catalogue.conversions import codec
from gateway.catalogue.named import FUNCTIONS

PARTS = {"columns": ["y", "m", "d"], "partial": "parts", "default": "01-01"}


@pytest.mark.parametrize(
    ("held", "read"),
    [
        ((1991, 1, 1), "1991"),
        ((1991, 1, 2), "1991-01-02"),
        ((1991, 1, None), "1991-01"),
        ((1991, None, None), "1991"),
        ((1991, None, 7), "1991"),
        ((None, 4, 17), None),
        ((1991, 2, 30), None),
    ],
)
def test_a_default_birthday_is_only_a_year(held: tuple[object, ...], read: str | None) -> None:
    assert codec(PARTS, "PartialDate", enum=None).decode(held) == read


def test_without_a_default_the_first_of_january_is_a_day() -> None:
    spec = {name: value for name, value in PARTS.items() if name != "default"}
    assert codec(spec, "PartialDate", enum=None).decode((1991, 1, 1)) == "1991-01-01"
    assert codec(spec, "PartialDate", enum=None).decode((1991, None, None)) == "1991"


@pytest.mark.parametrize(
    ("asked", "years"),
    [("1991-04", ("1991",)), ("1991", ("1991",)), ("1990/1991", ("1990", "1991"))],
)
def test_a_date_is_asked_by_its_years(asked: str, years: tuple[str, ...]) -> None:
    born = codec({**PARTS, "ask": "dob", "ask_by": "year"}, "PartialDate", enum=None)
    assert born.encode(Op.EQ, asked) == Pushed(Compare("dob", Op.IN, years), exact=False)
    assert born.encode(Op.LT, asked) is None
    with pytest.raises(ValueError, match="ask_by"):
        codec({**PARTS, "ask": "dob", "ask_by": "month"}, "PartialDate", enum=None)


def test_a_field_that_is_shown_and_never_searched_by() -> None:
    phone = codec({"column": "n", "prefix": "+", "ask": False}, "ContactValue", enum=None)
    assert phone.decode(("447700900417",)) == "+447700900417"
    assert phone.encode(Op.EQ, "+447700900417") is None


def test_a_field_that_a_source_never_holds() -> None:
    never = codec({"unheld": True}, "Date", enum=None)
    assert never.decode(()) is None
    assert never.encode(Op.EQ, "2026-01-01") == Pushed(NEVER)
    assert never.encode(Op.EQ, "2026-01-01") != Pushed(ALWAYS)


@pytest.mark.parametrize(
    ("held", "read"),
    [
        ("HOXHA, Arben", "Arben HOXHA"),
        ("NGUYỄN, Thị Lan", "Thị Lan NGUYỄN"),
        ("BENI", "BENI"),
        ("", None),
        (None, None),
    ],
)
def test_given_first(held: str | None, read: str | None) -> None:
    assert FUNCTIONS["given_first"]([held]) == read


@pytest.mark.parametrize(
    ("names", "numbers", "found"),
    [
        (["ERU", "NCB"], [0.4, 0.6], "NCB"),
        (["ERU", "NCB"], [0.5, 0.5], "ERU"),
        (["ERU", "NCB"], [None, 0.1], "NCB"),
        ([], [], None),
        (None, None, None),
    ],
)
def test_greatest(names: object, numbers: object, found: str | None) -> None:
    assert FUNCTIONS["greatest"]([names, numbers]) == found
