"""What NMC notes of looks. Drawn from the record's key alone, so it says nothing of anybody."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from deploy.demo.world.happenings import Population
from deploy.demo.world.truth import Agency, Copy


def _typist(key: str) -> random.Random:
    return random.Random(key)  # noqa: S311 - reproducible, not secret


def ethnicity(copy: Copy) -> tuple[int, str | None]:
    """Two lists that do not agree: an officer's, and the person's own."""
    typist = _typist(f"eth:{copy.key}")
    return typist.randint(0, 6), typist.choice(("W1", "W9", "A3", "B2", "M4", "O9", None))


def description(copy: Copy) -> tuple[Any, ...]:
    """Height in centimetres, build, hair and eyes; about a third were never described."""
    typist = _typist(f"look:{copy.key}")
    if typist.random() < 0.35:
        return (None, None, None, None)
    return (
        typist.randint(150, 198),
        typist.choice("SMH"),
        typist.choice(("BLK", "BRN", "FAR", "RED", "GRY", "NON")),
        typist.choice(("BRN", "BLU", "GRN", "GRY", "HAZ")),
    )


def marks(population: Population) -> Iterator[tuple[Any, ...]]:
    kinds = {"S": "scar", "T": "tattoo", "P": "piercing", "B": "birthmark"}
    """Scars, tattoos and the like of about every third nominal, as rows of `nom_mark`."""
    for _person, copy in population.held_by(Agency.NMC):
        typist = _typist(f"mark:{copy.key}")
        for number in range(1, typist.choices((0, 1, 2), (70, 22, 8))[0] + 1):
            code = typist.choice("STPB")
            place = typist.choice(("LEFT FOREARM", "RIGHT HAND", "NECK", "FACE", "BACK"))
            yield (copy.key, number, code, place, f"{typist.randint(1, 9)} cm {kinds[code]}")
