"""Identifiers that pass their own checks and belong to nobody.

Phones lie in the ranges that the regulator keeps for drama, national insurance numbers have a
prefix that is never issued, and every series is a walk without repetition over its numbers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date

CHECK_LETTERS = "ZABCDEFGHJKLMNPQRTUVWXY"
_PLATE_LETTERS = "ABCDEFGHJKLMNOPRSTUVWXYZ"
# national number without its last digits, and how many digits are free (Ofcom, numbers for drama)
_DRAMA = (
    ("7700900", 3),
    ("113496", 4),
    ("114496", 4),
    ("115496", 4),
    ("116496", 4),
    ("117496", 4),
    ("118496", 4),
    ("121496", 4),
    ("131496", 4),
    ("141496", 4),
    ("151496", 4),
    ("161496", 4),
    ("1914980", 3),
    ("2079460", 3),
    ("2896496", 3),
    ("2920180", 3),
    ("1632960", 3),
)


def pncid(year: int, serial: int) -> str:
    """A PNC identifier with its check letter, like 91/0004417K."""
    digits = f"{year % 100:02}{serial:07}"
    return f"{digits[:2]}/{digits[2:]}{CHECK_LETTERS[int(digits) % 23]}"


def cro(year: int, serial: int) -> str:
    """A CRO number with its check letter, like 123456/05P."""
    digits = f"{year % 100:02}{serial:06}"
    return f"{digits[2:]}/{digits[:2]}{CHECK_LETTERS[int(digits) % 23]}"


def nominal_ref(serial: int) -> str:
    """A nominal number of NMC with its check letter, like NM0001234X."""
    return f"NM{serial:07}{CHECK_LETTERS[serial % 23]}"


def nino(serial: int) -> str:
    """A national insurance number with the prefix QQ, which is never issued."""
    return f"QQ{serial % 1_000_000:06}{'ABCD'[serial // 1_000_000 % 4]}"


def driver_no(family: str, given: str, born: date, sex: str, serial: int) -> str:
    """A driver number of 16 characters: it tells the name, the date of birth and the sex."""
    letters = "".join(c for c in family.upper() if "A" <= c <= "Z")[:5].ljust(5, "9")
    month = born.month + (50 if sex == "FEMALE" else 0)
    tail = _PLATE_LETTERS[serial % 24] + _PLATE_LETTERS[serial // 24 % 24]
    year = f"{born.year:04}"
    return (
        f"{letters}{year[2]}{month:02}{born.day:02}{year[3]}{given[:1].upper()}9{serial % 10}{tail}"
    )


def luhn(digits: str) -> str:
    """The digits with their Luhn check digit (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return f"{digits}{-total % 10}"


def imei(serial: int) -> str:
    """An IMEI of the type allocation code 00-1017, kept for tests."""
    return luhn(f"001017{serial:08}")


def shuffled_phones(rng: random.Random, kept: frozenset[str]) -> Iterator[str]:
    """Phone numbers as E.164, each once, without those `kept` for named people."""
    numbers = [
        f"+44{prefix}{serial:0{free}}"
        for prefix, free in _DRAMA
        for serial in range(1000)  # each range has a thousand numbers
    ]
    free = [number for number in numbers if number not in kept]
    rng.shuffle(free)
    yield from free


def plates(rng: random.Random, kept: frozenset[str]) -> Iterator[str]:
    """Plates of the current pattern, each once, without those `kept`."""
    seen = set(kept)
    while True:
        area = rng.choice("NSY") + rng.choice(_PLATE_LETTERS)
        age = rng.choice((*range(10, 27), *range(60, 77)))
        tail = "".join(rng.choices(_PLATE_LETTERS, k=3))
        plate = f"{area}{age}{tail}"
        if plate not in seen:
            seen.add(plate)
            yield plate


def vin(rng: random.Random) -> str:
    """A VIN of seventeen characters with its check digit (49 CFR 565.15)."""
    alphabet = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"
    values = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789", strict=True))
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    body = rng.choices(alphabet, k=17)
    body[8] = "0"
    total = sum(int(values.get(c, c)) * w for c, w in zip(body, weights, strict=True))
    body[8] = "0123456789X"[total % 11]
    return "".join(body)
