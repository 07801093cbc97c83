"""Word lists of invented people's names, by the culture that they look like.

British and Romanian-looking names come from Faker's locales; the lists beside this module supply
cultures that Faker lacks, or has in one script only. A culture says how a name looks, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from faker import Faker

# how often each is drawn, in hundredths, and the countries that its people come from
CULTURES: dict[str, tuple[int, tuple[str, ...]]] = {
    "ALBANIAN": (18, ("AL", "AL", "AL", "XK", "GB")),
    "VIETNAMESE": (15, ("VN", "VN", "VN", "VN", "GB")),
    "ARABIC": (15, ("IQ", "SY", "SD", "EG", "GB")),
    "KURDISH": (17, ("IQ", "IR", "IQ", "IR", "GB")),
    "ROMANIAN": (10, ("RO", "RO", "RO", "MD", "GB")),
    "BRITISH": (25, ("GB", "GB", "GB", "IE", "GB")),
}
_LOCALES = {"BRITISH": "en_GB", "ROMANIAN": "ro_RO"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What names of one culture are made of: pairs of the Latin spelling and the own script."""

    male: tuple[tuple[str, str], ...]
    female: tuple[tuple[str, str], ...]
    family: tuple[tuple[str, str], ...]
    middle: tuple[tuple[str, str], ...] = ()


@cache
def words(culture: str) -> Words:
    """The words of a culture, in a fixed order without repetition."""
    if locale := _LOCALES.get(culture):
        return _from_faker(locale)
    sections: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] = []
    text = resources.files(__package__).joinpath(f"{culture.lower()}.txt").read_text("utf-8")
    for line in text.splitlines():
        if line.startswith("["):
            current = sections.setdefault(line.strip("[]"), [])
            continue
        for word in line.split():
            latin, _, native = word.partition("|")
            current.append((latin, native))
    return Words(**{name: tuple(dict.fromkeys(found)) for name, found in sections.items()})


def _from_faker(locale: str) -> Words:
    provider = _person_provider(locale)

    def listed(name: str) -> tuple[tuple[str, str], ...]:
        return tuple((word, "") for word in dict.fromkeys(getattr(provider, name)))

    return Words(
        male=listed("first_names_male"),
        female=listed("first_names_female"),
        family=listed("last_names"),
    )


def _person_provider(locale: str) -> Any:
    providers = Faker(locale).factories[0].get_providers()
    return next(p for p in providers if ".person." in type(p).__module__)
