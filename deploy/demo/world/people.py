"""People: drawn so that what a name looks like says nothing about what its bearer did."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

from deploy.demo.names import CULTURES, words
from deploy.demo.noise import latinised
from deploy.demo.world import identifiers
from deploy.demo.world.happenings import Pair
from deploy.demo.world.truth import (
    Address,
    Document,
    Name,
    Occupancy,
    Person,
)

PAIRS_OF_A_KIND = 20
DOUBLE_BARRELLED = 0.04  # the share of people with a family name of two words or more
LONG = 26  # characters: half of these are longer than old systems keep
OTHER_SEX = 0.015  # the share of people who are neither male nor female
SHARED_DOCUMENTS = 40
_TOWNS = {
    "AL": "Lezhë",
    "XK": "Prizren",
    "VN": "Vinh",
    "IQ": "Sulaymaniyah",
    "IR": "Sanandaj",
    "SY": "Homs",
    "SD": "Kassala",
    "EG": "Tanta",
    "RO": "Iași",
    "MD": "Bălți",
    "GB": "Northmarch",
    "IE": "Sligo",
}


def truth_id(number: int) -> str:
    """The name of the person with this number, from 1."""
    return f"T-{number:06}"


def draw_name(rng: random.Random, culture: str, sex: str) -> Name:
    """A name that looks like the culture, with its own script where that differs."""
    lists = words(culture)
    given, given_native = rng.choice(lists.male if sex == "MALE" else lists.female)
    family, family_native = rng.choice(lists.family)
    middle = rng.choice(lists.middle)[0] if lists.middle and rng.random() < 0.5 else ""
    native: str | None = None
    if family_native:
        native = f"{given_native} {family_native}"
    elif culture == "VIETNAMESE":
        native = " ".join(part for part in (family, middle, given) if part)
    return Name(given=given, family=family, middle=middle, native=native)


def draw_people(
    rng: random.Random,
    count: int,
    as_of: date,
    addresses: Sequence[Address],
    phones: Iterator[str],
) -> dict[str, Person]:
    """`count` people by truth id. Cultures come in fixed shares, all else by the same dice."""
    cultures = list(CULTURES)
    weights = [CULTURES[culture][0] for culture in cultures]
    people = {}
    for number in range(1, count + 1):
        culture = rng.choices(cultures, weights)[0]
        people[truth_id(number)] = _person(rng, number, culture, as_of, addresses, phones)
    return people


def _person(
    rng: random.Random,
    number: int,
    culture: str,
    as_of: date,
    addresses: Sequence[Address],
    phones: Iterator[str],
) -> Person:
    sex = "FEMALE" if rng.random() < 0.3 else "MALE"
    name = draw_name(rng, culture, sex)
    nationality = rng.choice(CULTURES[culture][1])
    low, high = (12, 17) if rng.random() < 0.04 else (18, 62)
    born = as_of - timedelta(days=rng.randint(low * 366, high * 365))
    known = rng.random() < 0.45  # to the courts
    adult = low == 18
    serial = 100_000 + number * 7
    return Person(
        truth_id=truth_id(number),
        culture=culture,
        name=name,
        born=born,
        sex=sex,
        nationality=nationality,
        birth_place=_TOWNS[nationality],
        documents=_documents(rng, number, nationality),
        phones=(next(phones),) if rng.random() < 0.7 else (),
        occupancies=_occupancies(rng, as_of, addresses),
        pncid=identifiers.pncid(born.year + 18, serial) if known else None,
        cro=identifiers.cro(born.year + 18, serial) if known and rng.random() < 0.5 else None,
        nino=identifiers.nino(serial * 31) if rng.random() < 0.4 else None,
        driver_no=(
            identifiers.driver_no(plain(name.family), plain(name.given), born, sex, number)
            if adult and rng.random() < 0.35
            else None
        ),
    )


def lengthen_names(
    rng: random.Random, people: dict[str, Person], kept: Mapping[str, object]
) -> None:
    """Give some people a double-barrelled family name, every other one a long one.

    The words are of the same culture, so a long name says no more of its bearer than a short one.
    """
    for person in people.values():
        if person.truth_id in kept or rng.random() >= DOUBLE_BARRELLED:
            continue
        family = words(person.culture).family
        parts = [person.name.family, rng.choice(family)[0]]
        least = rng.choice((0, LONG))
        while len("-".join(parts)) < least:
            parts.append(rng.choice(family)[0])
        name = replace(person.name, family="-".join(parts), native=None)
        number = person.driver_no
        if number:
            number = plain(name.family).upper()[:5].ljust(5, "9") + number[5:]
        people[person.truth_id] = replace(person, name=name, driver_no=number)


def draw_other_sexes(
    rng: random.Random, people: dict[str, Person], kept: Mapping[str, object]
) -> None:
    """Let some people be neither male nor female; not every agency that holds them has noted it."""
    for person in people.values():
        if person.truth_id in kept or rng.random() >= OTHER_SEX:
            continue
        copies = {
            agency: replace(copy, sex="OTHER")
            if copy.sex != "NOT_RECORDED" and rng.random() < 0.8
            else copy
            for agency, copy in person.copies.items()
        }
        people[person.truth_id] = replace(person, sex="OTHER", copies=copies)


def plain(word: str) -> str:
    """A word as a machine-readable document spells it: ASCII letters only."""
    return "".join(c for c in latinised(word) if c.isascii() and c.isalpha()) or "X"


def _documents(rng: random.Random, number: int, nationality: str) -> tuple[Document, ...]:
    found = []
    if rng.random() < 0.7:
        # 524287 is prime: the walk repeats no number
        digits = number * 524_287 % 10_000_000
        kept = f"{rng.choice('BCDEFG')}{rng.choice('ACEHK')}{digits:07}"
        found.append(Document(kind="PASSPORT", number=kept, issuer=nationality, genuine=True))
    if nationality != "GB" and rng.random() < 0.3:
        digits = number * 7_919 % 10_000_000
        found.append(Document(kind="BRP", number=f"ZU{digits:07}", issuer="GB", genuine=True))
    return tuple(found)


def _occupancies(
    rng: random.Random, as_of: date, addresses: Sequence[Address]
) -> tuple[Occupancy, ...]:
    home_since = as_of - timedelta(days=rng.randint(30, 2500))
    homes = [Occupancy(address=rng.choice(addresses[1:]), since=home_since)]
    if rng.random() < 0.35:
        before = home_since - timedelta(days=rng.randint(200, 1500))
        homes.append(Occupancy(address=rng.choice(addresses[1:]), since=before, until=home_since))
    if rng.random() < 0.15:
        kind = rng.choice(("WORK", "FREQUENTS"))
        homes.append(Occupancy(address=rng.choice(addresses[1:]), kind=kind, since=home_since))
    return tuple(homes)


def share_documents(
    rng: random.Random, people: dict[str, Person], kept: Mapping[str, object]
) -> None:
    """Let some passports be borne by two people each: the second one's is not genuine."""
    bearers = [p for p in people.values() if p.truth_id not in kept and p.documents]
    chosen = rng.sample(bearers, SHARED_DOCUMENTS * 2)
    for bearer, other in zip(chosen[::2], chosen[1::2], strict=True):
        first = replace(bearer.documents[0], genuine=False)
        people[other.truth_id] = replace(other, documents=(first, *other.documents[1:]))


def make_pairs(
    rng: random.Random, people: dict[str, Person], kept: Mapping[str, object]
) -> tuple[Pair, ...]:
    """Twins, namesakes of one year, and parents with a child of the same name: twenty each."""
    free = [truth for truth in people if truth not in kept]
    chosen = rng.sample(free, PAIRS_OF_A_KIND * 6)
    pairs = []
    for n, (first, second) in enumerate(zip(chosen[::2], chosen[1::2], strict=True)):
        kind = ("TWINS", "NAMESAKES", "PARENT_CHILD")[n % 3]
        people[second] = _second_of(rng, kind, people[first], people[second])
        pairs.append(Pair(kind=kind, first=first, second=second))
    return tuple(pairs)


def _second_of(rng: random.Random, kind: str, first: Person, second: Person) -> Person:
    alike = replace(second, culture=first.culture, sex=first.sex, nationality=first.nationality)
    alike = replace(alike, driver_no=None, pncid=None, cro=None)
    if kind == "TWINS":
        given = draw_name(rng, first.culture, first.sex)
        name = replace(given, family=first.name.family, native=None)
        return replace(alike, name=name, born=first.born, occupancies=first.occupancies)
    if kind == "NAMESAKES":
        day = first.born.timetuple().tm_yday
        moved = date(first.born.year, 1, 1) + timedelta(days=(day + rng.randint(20, 300)) % 365)
        return replace(alike, name=first.name, born=moved)
    years = rng.randint(20, 34)
    parent_born = date(first.born.year - years, first.born.month, min(first.born.day, 28))
    return replace(alike, name=first.name, born=parent_born, occupancies=first.occupancies)
