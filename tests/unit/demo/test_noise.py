"""Errors that copies have: each changes what it says, and nothing is lost for good."""

from __future__ import annotations

import random
from datetime import date

import pytest

from deploy.demo.noise import KINDS, copied, latinised, nickname, respelt
from deploy.demo.population import Name

NAME = Name(given="Đức", family="Hoxha", middle="Văn", native="Hoxha Văn Đức")


@pytest.mark.parametrize(
    ("text", "plain"),
    [("Nguyễn", "Nguyen"), ("Đặng", "Dang"), ("Çela", "Cela"), ("Smith", "Smith")],
)
def test_latinised(text: str, plain: str) -> None:
    assert latinised(text) == plain


@pytest.mark.parametrize(("word", "other"), [("Hoxha", "Hodja"), ("Gashi", "Gachi"), ("Ab", "Abh")])
def test_respelt(word: str, other: str) -> None:
    assert respelt(word) == other


def test_nickname() -> None:
    assert (nickname("David"), nickname("Arben")) == ("Dave", "Arbi")


def test_errors_come_in_seven_kinds_and_only_these() -> None:
    rng = random.Random(1)  # noqa: S311
    born = date(1991, 4, 5)
    seen = set()
    for _ in range(500):
        name, birth, kind = copied(rng, NAME, born)
        seen.add(kind)
        same_day = (birth.year, birth.month, birth.day) == (1991, 4, 5)
        if kind in {"", "SPELLING", "ORDER", "DIACRITICS", "NICKNAME"}:
            assert same_day
        else:
            assert (not same_day, name) == (True, NAME)
        assert (name == NAME) == (kind in {"", "DEFAULT_BIRTHDAY", "DAY_MONTH", "YEAR"})
    assert seen == {"", *KINDS}


def test_a_leap_day_moves_to_a_day_that_exists() -> None:
    rng = random.Random(2)  # noqa: S311
    for _ in range(300):
        _, birth, kind = copied(rng, NAME, date(2000, 2, 29))
        date(birth.year or 0, birth.month or 0, birth.day or 0)
        assert kind in {"", *KINDS}
