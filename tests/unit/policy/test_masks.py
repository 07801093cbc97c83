"""Every mask keeps the field's type, or leaves null and says the coarse value beside it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalogue.vocabulary import MASKS as NAMED
from gateway.policy.masks import BLOCKS, MASKS, MaskContext


def context(type_: str = "String", field: str = "", **bands: tuple[Any, ...]) -> MaskContext:
    return MaskContext(
        today=date(2026, 3, 1), token_key=b"k" * 32, type=type_, field=field, bands=bands
    )


def test_every_mask_of_the_vocabulary_exists() -> None:
    assert MASKS.keys() == NAMED


@pytest.mark.parametrize("name", sorted(MASKS))
@pytest.mark.parametrize("value", [None, True, 7, 1.5, "", "x", "1991-13-99", {"a": 1}])
def test_a_mask_never_gives_back_what_it_does_not_understand(name: str, value: Any) -> None:
    shown, shows = MASKS[name](value, context())
    assert shown is None or shown != value or value in ("", None)
    assert shows is None or isinstance(shows, str)


@pytest.mark.parametrize("name", sorted(MASKS))
def test_nothing_is_made_of_null(name: str) -> None:
    assert MASKS[name](None, context()) == (None, None)


@pytest.mark.parametrize("held", [[], ["arms"], ["arms", "people", "arms"], (1, 2)])
def test_of_a_list_under_count_only_the_count_alone_is_told(held: Any) -> None:
    assert MASKS["COUNT_ONLY"](held, context()) == ([], str(len(held)))


@pytest.mark.parametrize("name", ["NULL", "SANITISED_TEXT", "COUNT_ONLY", "HIT_ONLY"])
def test_what_shaping_carries_out_leaves_nothing(name: str) -> None:
    assert MASKS[name]("something", context()) == (None, None)


def test_redacted_text_does_not_tell_its_length() -> None:
    assert MASKS["REDACT"]("Al", context()) == MASKS["REDACT"]("Alexander", context("Name"))
    assert MASKS["REDACT"]("Al", context()) == (BLOCKS, None) == ("▮▮▮", None)
    assert MASKS["REDACT"](12, context("Int")) == (None, None)


@pytest.mark.parametrize(
    ("name", "type_", "value", "expected"),
    [
        ("YEAR", "PartialDate", "1991-04-17", ("1991", None)),
        ("YEAR", "PartialDate", "1991", ("1991", None)),
        ("YEAR", "Date", "1991-04-17", (None, "1991")),
        ("YEAR", "DateTime", "1991-04-17T10:00:00Z", (None, "1991")),
        ("YEAR", "Date", "soon", (None, None)),
        ("MONTH_YEAR", "PartialDate", "1991-04-17", ("1991-04", None)),
        ("MONTH_YEAR", "PartialDate", "1991", ("1991", None)),
        ("MONTH_YEAR", "DateTime", "1991-04-17T10:00:00Z", (None, "1991-04")),
        ("LAST4", "DocumentNumber", "NM0001234X", ("…234X", None)),
        ("LAST4", "DocumentNumber", "12345", ("…45", None)),
        ("LAST4", "DocumentNumber", "1", ("…", None)),
        ("LAST4", "E164", "+447700900123", (None, "…0123")),
        ("LAST4", "Int", 12345678, (None, None)),
        ("FIRST_OUT", "Postcode", "TN28 8AB", ("TN28", None)),
        ("FIRST_OUT", "Postcode", "N16XY", ("N1", None)),
        ("FIRST_OUT", "Postcode", "TN28", ("TN28", None)),
        ("FIRST_OUT", "Postcode", 7, (None, None)),
        ("GRID_1KM", "String", "camera 7", (None, None)),
    ],
)
def test_masked(name: str, type_: str, value: Any, expected: tuple[Any, Any]) -> None:
    assert MASKS[name](value, context(type_)) == expected


@pytest.mark.parametrize(
    ("born", "band"),
    [
        ("2008-03-02", "under 18"),
        ("2008-03-01", "18-24"),
        ("2001", "18-24 or 25-34"),
        ("2008", "under 18 or 18-24"),
        ("2008-03", "under 18 or 18-24"),
        ("1991-04", "25-34"),
        ("1950-01-01", "65 and over"),
        ("1991-13", None),
        ("2030-01-01", None),
        ("", None),
    ],
)
def test_age_band(born: str, band: str | None) -> None:
    assert MASKS["AGE_BAND"](born, context("PartialDate")) == (None, band)


LABELS = ("under 18", "18-24", "25-34", "35-44", "45-54", "55-64", "65 and over")


def test_every_age_has_its_band() -> None:
    shown = [MASKS["AGE_BAND"](f"{2026 - age}-03-01", context())[1] for age in range(101)]
    ends = (18, 25, 35, 45, 55, 65, 101)
    assert shown == [LABELS[sum(end <= age for end in ends)] for age in range(101)]
    assert MASKS["AGE_BAND"]("2008-03-02", context()) == (None, "under 18")
    assert MASKS["AGE_BAND"]("2026-03-02", context()) == (None, None)  # not born yet
    assert MASKS["AGE_BAND"]("2026", context()) == (None, "under 18")


@pytest.mark.parametrize(
    ("value", "type_"), [("1991-01-01", "Date"), (7, "String"), (7, "Date"), (["x"], "Date")]
)
def test_only_a_text_of_a_field_of_texts_is_shown_as_blocks(value: Any, type_: str) -> None:
    assert MASKS["REDACT"](value, context(type_))[0] in (None, [])


def cells(field: str) -> int:
    """How many cells there are within one degree."""
    about = context("Float", field)
    return len({MASKS["GRID_1KM"](10 + n / 2000, about)[0] for n in range(2000)})


def test_a_cell_is_a_kilometre_wide_and_not_much_more() -> None:
    """A degree of latitude is 110.57 km or more, one of longitude at 72 degrees north 34.4 km."""
    assert cells("lat") in (110, 111, 112)
    assert cells("lon") in (33, 34, 35)


def test_places_within_one_cell_cannot_be_told_apart() -> None:
    lat, lon = context("Float", "lat"), context("Float", "lon")
    assert MASKS["GRID_1KM"](51.0701, lat) == MASKS["GRID_1KM"](51.0702, lat)
    assert MASKS["GRID_1KM"](0.9691, lon) == MASKS["GRID_1KM"](0.9692, lon)
    assert MASKS["GRID_1KM"](51.0701, lat)[0] != 51.0701
    assert MASKS["GRID_1KM"](51.08, lat) != MASKS["GRID_1KM"](51.07, lat)
    assert abs(MASKS["GRID_1KM"](51.0701, lat)[0] - 51.0701) <= 0.0046
    assert MASKS["GRID_1KM"]({"lat": 51.0, "lon": 1.0}, context("Point")) == (None, None)


def test_a_token_is_stable_keyed_and_not_the_value() -> None:
    token, _ = MASKS["TOKEN"]("BENI", context())
    assert token == MASKS["TOKEN"]("BENI", context())[0] != MASKS["TOKEN"]("BENO", context())[0]
    other = MaskContext(today=date(2026, 3, 1), token_key=b"other" * 8)
    assert token != MASKS["TOKEN"]("BENI", other)[0]
    assert MASKS["TOKEN"]("BENI", context("E164")) == (None, token)
    assert MASKS["TOKEN"](7, context()) == (None, None)


def test_bands_of_values_and_of_ranges() -> None:
    status = context("ImmigrationState", check=("REFUSED", "ABSCONDER"), none=("LEAVE",))
    assert MASKS["BAND"]("REFUSED", status) == (None, "check")
    assert MASKS["BAND"]("OTHER", status) == (None, None)
    assert MASKS["BAND"](True, context("Boolean", no=(0, 1), yes=(True,))) == (None, "yes")
    scores = context("Int", low=(0, 14), high=(30, 42))
    ends = (-1, 0, 7, 14, 15, 29, 30, 36, 42, 43)
    assert [MASKS["BAND"](score, scores)[1] for score in ends] == [
        None, "low", "low", "low", None, None, "high", "high", "high", None,
    ]  # fmt: skip
    assert MASKS["BAND"](True, context("Int", low=(0, 14))) == (None, None)
    assert MASKS["BAND"](3, context("Int", some=(1, 2, 3), other=("a", "c"))) == (None, "some")
    assert MASKS["BAND"]("b", context("Int", other=("a", "c"))) == (None, None)
    assert MASKS["BAND"]("a", context(first=("a",))) == ("first", None)


def test_lists_are_masked_element_by_element() -> None:
    assert MASKS["LAST4"](["12345678", "87654321"], context()) == (["…5678", "…4321"], None)
    assert MASKS["YEAR"](["1991-01-01", "1991-02-01"], context("Date")) == ([], "1991")


MOST = {"REDACT": len(BLOCKS), "YEAR": 4, "MONTH_YEAR": 7, "LAST4": 5, "FIRST_OUT": 4, "TOKEN": 22}
"""The longest text that each mask may leave of a text; what is not here leaves none of it."""
TEXTS = st.text() | st.dates().map(str) | st.from_regex(r"[A-Z]{1,2}[0-9]{1,2} [0-9][A-Z]{2}")


@pytest.mark.parametrize("name", sorted(MASKS.keys() - {"AGE_BAND"}))
@given(value=TEXTS, type_=st.sampled_from(["String", "PartialDate", "Date", "Postcode"]))
def test_a_mask_never_leaves_a_longer_text_than_its_rule(name: str, value: str, type_: str) -> None:
    shown, shows = MASKS[name](value, context(type_))
    assert shown is None or shows is None
    assert len(shown or shows or "") <= MOST.get(name, 0)


@pytest.mark.parametrize("name", ["REDACT", "YEAR", "MONTH_YEAR", "FIRST_OUT"])
@given(value=TEXTS, type_=st.sampled_from(["String", "PartialDate", "Postcode"]))
def test_what_a_mask_left_it_leaves_again(name: str, value: str, type_: str) -> None:
    once, _ = MASKS[name](value, context(type_))
    assert once is None or MASKS[name](once, context(type_)) == (once, None)
