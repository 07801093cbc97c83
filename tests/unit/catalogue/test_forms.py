"""One spelling for each plate, phone, postcode, number, name and date."""

from __future__ import annotations

import doctest
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalogue import forms
from gateway.catalogue.forms import (
    comparable,
    duration,
    fold_name,
    interval,
    normal,
    partial_of,
    pnc_check_letter,
    settled,
)


def test_the_examples_in_the_module() -> None:
    assert doctest.testmod(forms).failed == 0


@pytest.mark.parametrize(
    ("scalar", "given", "form"),
    [
        ("Vrm", "ab12 cde", "AB12CDE"),
        ("Vrm", "A-1", "A1"),
        ("E164", "07700 900123", "+447700900123"),
        ("E164", "0044 7700 900123", "+447700900123"),
        ("E164", "+355 69 123 4567", "+355691234567"),
        ("Postcode", "tn288ab", "TN28 8AB"),
        ("Postcode", " tn28 ", "TN28"),
        ("CountryCode", "al", "AL"),
        ("DocumentNumber", "a 123-4567", "A1234567"),
        ("DocumentNumber", "1991/4417k", "91/0004417K"),
        ("DocumentNumber", "91/0004417K", "91/0004417K"),
        ("ContactValue", "07700 900123", "+447700900123"),
        ("ContactValue", " Arben@Example.COM ", "arben@example.com"),
        ("Date", "1991-04-17", "1991-04-17"),
        ("DateTime", "2026-07-01T12:00:00+02:00", "2026-07-01T10:00:00Z"),
        ("PartialDate", "1990/1991-04", "1990/1991-04"),
        ("Duration", "P1D", "P1D"),
        ("Name", "Đặng", "Đặng"),
        ("GivenNames", "Arben Luan", "Arben Luan"),
        ("String", "  as it is ", "  as it is "),
        ("Int", 7, 7),
    ],
)
def test_normal_forms(scalar: str, given: Any, form: Any) -> None:
    assert normal(scalar, given) == form
    assert normal(scalar, form) == form  # a normal form is its own


@pytest.mark.parametrize(
    ("scalar", "value", "said"),
    [
        ("Vrm", "sekret", "AB12 CDE"),
        ("Vrm", "AB12CDEFG", "two to eight"),
        ("E164", "sekret", "+447700900123"),
        ("E164", "12", "+447700900123"),
        ("Postcode", "sekret", "TN28"),
        ("CountryCode", "ZZ", "ISO 3166"),
        ("DocumentNumber", "a", "3 to 32"),
        ("DocumentNumber", "91/0004417N", "check letter"),
        ("Date", "1991-13-01", "1991-04-17"),
        ("DateTime", "sekret", "2026-11-01T06:00:00Z"),
        ("DateTime", "2026-11-01T06:00:00", "with its zone"),
        ("DateTime", "2026-11-01T06:00:00.5Z", "to the second"),
        ("PartialDate", "1991-02-30", "no such day"),
        ("PartialDate", "0000", "no such day"),
        ("PartialDate", "91", "1991-04"),
        ("PartialDate", "1991-4", "1991-04"),
        ("PartialDate", "1990/1991/1992", "1991-04"),
        ("PartialDate", "1990/" * 3000 + "1991", "1991-04"),
        ("PartialDate", "\uff11\uff19\uff19\uff11", "1991-04"),
        ("Duration", "P", "P1D"),
        ("Duration", "1 day", "P1D"),
        ("Name", "' -", "one to 120"),
        ("Name", "x" * 121, "one to 120"),
        ("Name", "a\0b", "must be a text"),
        ("Vrm", 7, "must be a text"),
    ],
)
def test_what_has_no_form_is_told_without_the_value(scalar: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("+", r"\+")) as caught:
        normal(scalar, value)
    assert "sekret" not in str(caught.value)
    assert "4417N" not in str(caught.value)


def test_a_held_value_without_a_form_is_kept_unless_it_is_a_date() -> None:
    assert settled("Vrm", " no plate ") == "no plate"
    assert settled("Date", "soon") is None
    assert settled("PartialDate", "soon") is None
    assert settled("DateTime", "soon") is None
    assert settled("Name", "hodja") == "hodja"
    assert settled("Vrm", 7) == 7
    assert settled("String", "x ") == "x "


def test_what_is_compared() -> None:
    assert comparable("Name", "O'Néill-Đặng") == "ONEILL DANG"
    assert comparable("GivenNames", "Arben Luan") == ["ARBEN LUAN", "ARBEN", "LUAN"]
    assert comparable("GivenNames", "Arben") == ["ARBEN"]
    assert comparable("Vrm", "AB12CDE") == "AB12CDE"
    assert comparable("Name", None) is None


@pytest.mark.parametrize(
    "texts",
    [
        ("Hodža", "HODZA"),
        ("al-Masri", "Al Masri", "AL  MASRI", "al_masri"),
        ("O\u2019Neill", "O'Neill", "ONeill", "O\u02bcNeill"),
        ("Nguyễn", "NGUYEN", "Nguye\u0302\u0303n"),
        ("Straße", "STRASSE"),
    ],
)
def test_ij_17_spellings_of_one_name_fold_alike(texts: tuple[str, ...]) -> None:
    assert len({fold_name(text) for text in texts}) == 1


def test_ij_18_a_name_in_another_script_stays_itself() -> None:
    assert fold_name("nоrth") != fold_name("north")  # noqa: RUF001  # a Cyrillic letter


@given(low=st.dates(date(1900, 1, 1), date(2100, 12, 31)), days=st.integers(0, 800))
def test_the_interval_of_a_partial_date_is_the_days_it_was_made_of(low: date, days: int) -> None:
    high = min(low + timedelta(days=days), date(2100, 12, 31))
    assert interval(partial_of(low, high)) == (low.isoformat(), high.isoformat())


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        ("1991-04-17", "1991-04-17", "1991-04-17"),
        ("1991-04-01", "1991-04-30", "1991-04"),
        ("1991-01-01", "1991-12-31", "1991"),
        ("1990-01-01", "1991-12-31", "1990/1991"),
        ("1991-04-02", "1991-04-30", "1991-04-02/1991-04-30"),
        ("2000-02-01", "2000-02-29", "2000-02"),
    ],
)
def test_the_shortest_partial_date(low: str, high: str, text: str) -> None:
    assert partial_of(date.fromisoformat(low), date.fromisoformat(high)) == text


def test_durations() -> None:
    assert duration("P1DT2H3M") == timedelta(days=1, hours=2, minutes=3)
    assert duration("PT24H") == timedelta(days=1)


def test_the_pnc_check_letter_is_that_of_the_public_code() -> None:
    assert pnc_check_letter("1991", "4417") == pnc_check_letter("91", "0004417") == "K"
