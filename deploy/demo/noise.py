"""How records of one person come to differ: spelling, order, marks, nicknames and birthdays."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import date

from deploy.demo.world.truth import Birth, Name

NOISY = 0.3  # share of copies that have one of the errors below
_SPELLINGS = (
    ("xh", "dj"),
    ("gj", "dj"),
    ("kh", "h"),
    ("sh", "ch"),
    ("ph", "f"),
    ("th", "t"),
    ("ou", "u"),
    ("ee", "i"),
    ("ow", "aw"),
    ("ck", "k"),
    ("ll", "l"),
    ("ss", "s"),
    ("y", "i"),
    ("w", "v"),
    ("q", "k"),
    ("ç", "q"),
    ("c", "k"),
    ("e", "i"),
    ("o", "u"),
)
_NICKNAMES = {
    "David": "Dave",
    "Christopher": "Chris",
    "Thomas": "Tom",
    "Elizabeth": "Liz",
    "Margaret": "Maggie",
    "Mohammed": "Mo",
    "Alexandru": "Alex",
    "Dritan": "Tani",
}


def latinised(text: str) -> str:
    """The text without marks, as an old records system keeps it.

    >>> latinised("Đặng Çela")
    'Dang Cela'
    """
    plain = text.replace("đ", "d").replace("Đ", "D")
    decomposed = unicodedata.normalize("NFKD", plain)
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def respelt(word: str) -> str:
    """Another spelling of a word as somebody would write what they hear.

    >>> respelt("Hoxha")
    'Hodja'
    """
    lower = word.lower()
    for heard, written in _SPELLINGS:
        if heard in lower[1:]:  # the first letter is what people get right
            changed = lower[0] + lower[1:].replace(heard, written, 1)
            return changed.capitalize()
    return f"{word}h"


def nickname(given: str) -> str:
    """What friends call somebody of this name."""
    return _NICKNAMES.get(given, latinised(given)[:3].rstrip("aeiouy") + "i")


def _spelling(rng: random.Random, name: Name, born: date) -> tuple[Name, Birth]:
    changed = replace(name, kind="TRANSLITERATED", native=None)
    if rng.random() < 0.6:
        return replace(changed, family=respelt(latinised(name.family))), exact(born)
    return replace(changed, given=respelt(latinised(name.given))), exact(born)


def _swapped(_rng: random.Random, name: Name, born: date) -> tuple[Name, Birth]:
    return replace(name, given=name.family, family=name.given, middle=""), exact(born)


def _unmarked(_rng: random.Random, name: Name, born: date) -> tuple[Name, Birth]:
    plain = replace(name, given=latinised(name.given), family=latinised(name.family), native=None)
    return replace(plain, middle=""), exact(born)


def _nick(_rng: random.Random, name: Name, born: date) -> tuple[Name, Birth]:
    return replace(name, given=nickname(name.given), middle="", kind="NICK"), exact(born)


def _default_birthday(_rng: random.Random, name: Name, born: date) -> tuple[Name, Birth]:
    return name, Birth(year=born.year, month=1, day=1, claimed=True)


def _day_for_month(_rng: random.Random, name: Name, born: date) -> tuple[Name, Birth]:
    if born.day > 12:
        return name, Birth(year=born.year, month=born.month, day=born.day - 10)
    return name, Birth(year=born.year, month=born.day, day=born.month)


def _year_off(rng: random.Random, name: Name, born: date) -> tuple[Name, Birth]:
    day = 28 if (born.month, born.day) == (2, 29) else born.day
    return name, Birth(year=born.year + rng.choice((-1, 1)), month=born.month, day=day)


_ERRORS: dict[str, Callable[[random.Random, Name, date], tuple[Name, Birth]]] = {
    "SPELLING": _spelling,
    "ORDER": _swapped,
    "DIACRITICS": _unmarked,
    "NICKNAME": _nick,
    "DEFAULT_BIRTHDAY": _default_birthday,
    "DAY_MONTH": _day_for_month,
    "YEAR": _year_off,
}
KINDS = tuple(_ERRORS)


def exact(born: date) -> Birth:
    """A birth date known to the day."""
    return Birth(year=born.year, month=born.month, day=born.day)


def copied(rng: random.Random, name: Name, born: date) -> tuple[Name, Birth, str]:
    """Name and birth as one agency has them, and which error they have, if any."""
    if rng.random() >= NOISY:
        return name, exact(born), ""
    kind = rng.choice(KINDS)
    changed, birth = _ERRORS[kind](rng, name, born)
    return changed, birth, kind
