"""What each mask promises holds of every value: it keeps the type, never fails, tells no more."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, time, timedelta
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from gateway.catalogue.forms import interval, normal, partial_of
from gateway.catalogue.vocabulary import SCALARS
from gateway.policy.masks import BLOCKS, MASKS, MaskContext

CONTEXT = MaskContext(
    today=date(2026, 3, 1),
    token_key=b"k" * 32,
    bands={"low": (0, 14), "middle": (15, 29), "named": ("TN28", True, 1.5)},
)
TYPES = (*sorted(SCALARS), "WarningKind")
TEXT_TYPES = {"String", "Name", "DocumentNumber", "ContactValue"}
"""The types that hold any text; besides them coarse dates, districts and places fit theirs."""

# --- values --------------------------------------------------------------------------------------

DAYS = st.dates(min_value=date(1900, 1, 1), max_value=date(2100, 12, 31))
TEXTS = st.text(st.characters())  # of every character: accents, controls, halves of pairs
OUTWARD = st.from_regex(r"[A-Z]{1,2}[0-9][A-Z0-9]?", fullmatch=True)
INWARD = st.from_regex(r"[0-9][A-Z]{2}", fullmatch=True)


@st.composite
def partial_dates(draw: st.DrawFn) -> tuple[str, date]:
    """A date in one of its forms, and one of the days that it may stand for."""
    born, low, high = draw(DAYS), draw(st.integers(0, 500)), draw(st.integers(0, 500))
    between = partial_of(born - timedelta(days=low), born + timedelta(days=high))
    text = draw(st.sampled_from([born.isoformat(), f"{born:%Y-%m}", f"{born:%Y}", between]))
    return text, born


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=5,
)
PLACES = st.sampled_from([10**400, 90, 90.5, -90.0, 180, -180.5]) | st.floats(-200, 200)
FORMED = partial_dates().map(lambda made: made[0]) | st.datetimes().map(
    lambda moment: f"{moment:%Y-%m-%dT%H:%M:%SZ}"
)
POSTCODES = st.tuples(OUTWARD, st.sampled_from(["", " ", "  "]), INWARD | st.just("")).map("".join)
VALUES = ODD | PLACES | FORMED | POSTCODES | st.lists(FORMED | POSTCODES | TEXTS, max_size=3)


def fits(type_: str, shown: Any) -> bool:
    """Whether an answer may hold a value in a field of this type."""
    match type_:
        case "PartialDate":
            return bool(interval(shown))
        case "Postcode":
            return bool(normal("Postcode", shown) == shown)
        case "Float":
            return isinstance(shown, float) and math.isfinite(shown)
        case _:
            return type_ in TEXT_TYPES and isinstance(shown, str)


@pytest.mark.parametrize("name", sorted(MASKS))
@given(value=VALUES, type_=st.sampled_from(TYPES), field=st.sampled_from(["lat", "lon", "other"]))
@example(value=math.nan, type_="Float", field="lat")
@example(value=10**400, type_="Float", field="lon")
@example(value=0, type_="Float", field="other")
@example(value="\ud800", type_="String", field="other")
@example(value="TN28", type_="Vrm", field="other")
@example(value="1992/1991", type_="Date", field="other")
@example(value="1991/" * 2000, type_="PartialDate", field="other")
def test_the_type_is_kept_or_the_value_is_null(
    name: str, value: Any, type_: str, field: str
) -> None:
    shown, shows = MASKS[name](value, replace(CONTEXT, type=type_, field=field))
    assert shows is None or (isinstance(shows, str) and shows)
    assert shown in (None, []) or shows is None  # never both: one of them would tell more
    if isinstance(shown, list):
        assert isinstance(value, list)
        assert len(shown) in (0, len(value))
    else:
        assert shown is None or not isinstance(value, list)
    each = shown if isinstance(shown, list) else [shown]
    assert all(one is None or fits(type_, one) for one in each)


@pytest.mark.parametrize("name", sorted(MASKS))
def test_some_value_of_each_mask_that_shows_anything_is_shown(name: str) -> None:
    """The test above would pass of masks that give nothing."""
    values = ("Person", "1991-04-17", "TN28", 51.07)
    found = [
        MASKS[name](value, replace(CONTEXT, type=type_, field="lat"))
        for value in values
        for type_ in TYPES
    ]
    carried_out_by_shaping = {"NULL", "SANITISED_TEXT", "COUNT_ONLY", "HIT_ONLY"}
    assert any(one != (None, None) for one in found) == (name not in carried_out_by_shaping)


# --- texts ---------------------------------------------------------------------------------------


@given(one=TEXTS, other=TEXTS)
def test_all_redacted_texts_are_alike(one: str, other: str) -> None:
    assert MASKS["REDACT"](one, CONTEXT) == MASKS["REDACT"](other, CONTEXT) == (BLOCKS, None)


@given(one=st.text(min_size=4), other=st.text(min_size=4), end=st.text(min_size=4, max_size=4))
def test_of_a_number_its_last_four_characters_are_told(one: str, other: str, end: str) -> None:
    assert MASKS["LAST4"](one + end, CONTEXT) == MASKS["LAST4"](other + end, CONTEXT)
    assert MASKS["LAST4"](one + end, CONTEXT) == (f"…{end}", None)


@st.composite
def short_numbers(draw: st.DrawFn) -> tuple[str, str, str]:
    """Two beginnings of one length, and an end that is half of the whole or just less."""
    end = draw(st.text(max_size=3))
    length = len(end) + draw(st.booleans())
    start, other = (draw(st.text(min_size=length, max_size=length)) for _ in range(2))
    return start, other, end


@given(made=short_numbers())
def test_of_a_short_number_no_more_than_its_half_is_told(made: tuple[str, str, str]) -> None:
    start, other, end = made
    assert MASKS["LAST4"](start + end, CONTEXT) == MASKS["LAST4"](other + end, CONTEXT)
    assert MASKS["LAST4"](start + end, CONTEXT) == (f"…{end}", None)


@given(value=TEXTS, other=TEXTS, key=st.binary(max_size=64), another=st.binary(max_size=64))
def test_a_token_tells_values_and_keys_apart_and_nothing_else(
    value: str, other: str, key: bytes, another: bytes
) -> None:
    def token(of: str, by: bytes) -> str:
        shown, shows = MASKS["TOKEN"](of, replace(CONTEXT, token_key=by))
        assert shows is None
        return str(shown)

    assert re.fullmatch(r"token-[a-z2-7]{16}", token(value, key))
    assert (token(value, key) == token(other, key)) == (value == other)
    # HMAC fills a short key with zeros: keys that differ in those alone are one key.
    same = key.rstrip(b"\0") == another.rstrip(b"\0")
    assert (token(value, key) == token(value, another)) == same


@given(out=OUTWARD, inward=INWARD, gap=st.sampled_from(["", " ", "  "]))
@example(out="N1", inward="6XY", gap="")
def test_of_a_postcode_its_district_is_told(out: str, inward: str, gap: str) -> None:
    postcode = replace(CONTEXT, type="Postcode")
    assert MASKS["FIRST_OUT"](f"{out}{gap}{inward}", postcode) == (out, None)
    assert MASKS["FIRST_OUT"](f"{out} {inward[0]}", postcode) == (out, None)  # its sector
    assert MASKS["FIRST_OUT"](out, postcode) == (out, None)
    assert MASKS["FIRST_OUT"](out, replace(CONTEXT, type="String")) == (out, None)
    assert MASKS["FIRST_OUT"](out, replace(CONTEXT, type="E164")) == (None, out)


@pytest.mark.parametrize(
    "value",
    ["", "TN28 8ABC", "TN28 8A", "tn28 8ab", "TN28-8AB", "TN28\n8AB", " TN28", "TN288", "\u0661N1"],
)
def test_of_what_is_no_postcode_nothing_is_told(value: str) -> None:
    assert MASKS["FIRST_OUT"](value, replace(CONTEXT, type="Postcode")) == (None, None)


# --- dates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "told"), [("YEAR", "%Y"), ("MONTH_YEAR", "%Y-%m")])
@given(made=partial_dates(), moment=st.times())
def test_of_a_date_no_more_than_its_year_or_month_is_told(
    name: str, told: str, made: tuple[str, date], moment: time
) -> None:
    text, born = made
    shown, shows = MASKS[name](text, replace(CONTEXT, type="PartialDate"))
    assert shows is None
    assert MASKS[name](text, replace(CONTEXT, type="Date")) == (None, shown)
    # It covers every day that the date may stand for, and begins and ends with whole periods.
    low, high = interval(shown)
    assert low <= interval(text)[0] <= interval(text)[1] <= high
    assert all(len(end) <= len(f"{born:{told}}") for end in shown.split("/"))
    # Dates that begin and end in the same periods are alike, at whatever time of the day.
    assert MASKS[name](shown, replace(CONTEXT, type="PartialDate")) == (shown, None)
    exact = f"{born:%Y-%m-%d}T{moment:%H:%M:%S}Z"
    assert MASKS[name](exact, replace(CONTEXT, type="DateTime")) == (None, f"{born:{told}}")


@pytest.mark.parametrize("name", ["YEAR", "MONTH_YEAR", "AGE_BAND"])
@pytest.mark.parametrize(
    "value",
    ["19910417", "1991-W16-3", "1991x04", "1_91", "+991", "1991-04-17 at home", "1991-04-31",
     "\uff11\uff19\uff19\uff11", "1991-00", "0000", "1991/", "/1991", "1992/1991",
     "1990/1991/1992"],
)  # fmt: skip
def test_what_is_almost_a_date_is_none(name: str, value: str) -> None:
    assert MASKS[name](value, replace(CONTEXT, type="PartialDate")) == (None, None)


BANDS = {18: "under 18", 25: "18-24", 35: "25-34", 45: "35-44", 55: "45-54", 65: "55-64"}


def band_of(born: date, today: date) -> str:
    """The band by the birthdays that have been; who was born on a leap day is older in March."""

    def birthday(age: int) -> date:
        try:
            return born.replace(year=born.year + age)
        except ValueError:
            return date(born.year + age, 3, 1)

    return next((band for age, band in BANDS.items() if birthday(age) > today), "65 and over")


def bands(value: str, today: date) -> list[str]:
    shown, shows = MASKS["AGE_BAND"](value, replace(CONTEXT, today=today, type="PartialDate"))
    assert shown is None
    return shows.split(" or ") if shows else []


@given(made=partial_dates(), today=DAYS)
@example(made=("2008-02-29", date(2008, 2, 29)), today=date(2026, 2, 28))
@example(made=("2008-02-29", date(2008, 2, 29)), today=date(2026, 3, 1))
@example(made=("1991-12-20/2005-01-10", date(2004, 1, 1)), today=date(2026, 1, 1))
@example(made=("1985-01-01/2005-01-10", date(1990, 1, 1)), today=date(2026, 1, 1))
def test_the_bands_hold_every_age_that_a_date_may_stand_for(
    made: tuple[str, date], today: date
) -> None:
    text, born = made
    told = bands(text, today)
    assert len(told) <= 2
    assert set(told) <= {*BANDS.values(), "65 and over"}
    first, last = (date.fromisoformat(day) for day in interval(text))
    assert told or first > today or (last - first).days > 366
    assert first <= today or not told  # not born yet
    for day in (born, first, min(last, today)):
        assert not told or day > today or band_of(day, today) in told
    if first == last <= today:
        assert len(told) == 1  # never two where one is certain


@given(born=DAYS, today=DAYS)
def test_a_day_alone_tells_the_band_of_its_age(born: date, today: date) -> None:
    assert bands(born.isoformat(), today) == [band_of(born, today)] * (born <= today)
    assert bands(f"{born}T23:59:59Z", today) == bands(born.isoformat(), today)


@given(made=partial_dates(), today=DAYS)
def test_years_and_months_are_told_by_one_or_two_bands(made: tuple[str, date], today: date) -> None:
    _, born = made
    assume(born <= today)
    for text in (f"{born:%Y}", f"{born:%Y-%m}"):
        assert len(bands(text, today)) in (1, 2)


# --- places --------------------------------------------------------------------------------------

LAT = st.floats(-90, 90) | st.sampled_from([-90, 90, 0.0, 89.9999])
LON = st.floats(-180, 180) | st.sampled_from([-180, 180, 0.0, 179.9999, -179.9999])


def at(field: str, value: float) -> float:
    shown, shows = MASKS["GRID_1KM"](value, replace(CONTEXT, type="Float", field=field))
    assert shows is None
    assert isinstance(shown, float)
    return shown


def degree_km(lat: float) -> tuple[float, float]:
    """How long a degree of latitude, and one of longitude, is there (WGS 84)."""
    squared = 0.00669438 * math.sin(math.radians(lat)) ** 2
    north = 111.3195 * (1 - 0.00669438) / (1 - squared) ** 1.5
    return north, 111.3195 * math.cos(math.radians(lat)) / (1 - squared) ** 0.5


@given(lat=LAT, off=st.floats(-0.499, 0.499))
def test_whatever_is_within_half_a_kilometre_north_or_south_has_the_same_cell(
    lat: float, off: float
) -> None:
    middle = at("lat", lat)
    assert abs(middle - lat) * degree_km(lat)[0] <= 0.52  # the place lies in its cell
    assert at("lat", middle) == middle
    other = middle + off / degree_km(middle)[0]
    assert at("lat", other) == middle
    assert -90 <= middle <= 90


@given(lon=LON, lat=st.floats(-72, 72), off=st.floats(-0.499, 0.499))
@example(lon=180, lat=72, off=0.499)
@example(lon=-180, lat=-72, off=-0.499)
def test_whatever_is_within_half_a_kilometre_east_or_west_has_the_same_cell(
    lon: float, lat: float, off: float
) -> None:
    middle = at("lon", lon)
    assert abs((middle - lon + 180) % 360 - 180) <= 0.0147  # the place lies in its cell
    assert at("lon", middle) == middle
    other = middle + off / degree_km(lat)[1]
    assert at("lon", (other + 180) % 360 - 180) == middle
    assert -180 <= middle <= 180


def test_a_meridian_is_one_however_it_is_written() -> None:
    assert at("lon", 180) == at("lon", -180.0)
    assert at("lon", 179.99999) != at("lon", -179.95)


@given(value=st.floats(), field=st.sampled_from(["lat", "lon", "other"]))
def test_what_is_nowhere_on_earth_is_not_shown(value: float, field: str) -> None:
    most = {"lat": 90, "lon": 180}.get(field, -1)
    shown, _ = MASKS["GRID_1KM"](value, replace(CONTEXT, type="Float", field=field))
    assert (shown is not None) == (abs(value) <= most)


# --- bands ---------------------------------------------------------------------------------------


@given(value=st.integers() | st.floats())
@example(value=14)
@example(value=15)
@example(value=math.nan)
def test_of_a_number_its_band_is_told(value: float) -> None:
    ranges: dict[str, Callable[[float], bool]] = {
        "low": lambda n: 0 <= n <= 14,
        "middle": lambda n: 15 <= n <= 29,
    }
    expected = next((label for label, holds in ranges.items() if holds(value)), None)
    assert MASKS["BAND"](value, replace(CONTEXT, type="Int")) == (None, expected)
