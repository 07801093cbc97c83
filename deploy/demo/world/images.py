"""Which custody images the image service holds."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from deploy.demo.world.copies import moment
from deploy.demo.world.happenings import Image
from deploy.demo.world.truth import Agency, Person

IMAGES = 4000
DELETED = 0.06  # the share whose deletion is decided
_CULTURES = ("ALBANIAN", "VIETNAMESE", "ARABIC", "KURDISH", "ROMANIAN", "BRITISH")
_COHORTS = dict(zip(_CULTURES, "ABCDEF", strict=True))
GOLD_IMAGES = ("H", "X")


def make_images(
    rng: random.Random, people: Mapping[str, Person], as_of: date, gold: Mapping[str, str]
) -> tuple[Image, ...]:
    """Images of adults who were in custody: nobody is in the gallery as a victim only.

    GOLD-1 has two, one of which is to be deleted.
    """
    adults = [
        p
        for p in people.values()
        if p.custody and as_of.year - p.born.year > 18 and p.truth_id not in gold.values()
    ]
    count = min(IMAGES, len(people) * 4 // 5)
    deleted = frozenset(rng.sample(range(2, count), int(count * DELETED) - 1))
    arben = people[gold["GOLD-1"]]
    made = [_image(rng, n, arben, as_of, GOLD_IMAGES[n]) for n in (0, 1)]
    for n in range(2, count):
        retention = "X" if n in deleted else rng.choices("HRQ", (88, 9, 3))[0]
        made.append(_image(rng, n, rng.choice(adults), as_of, retention))
    return tuple(made)


def retained(
    rng: random.Random, images: Sequence[Image], people: Mapping[str, Person]
) -> tuple[Image, ...]:
    """The images with the retention that the end of custody asks for.

    Of somebody against whom no further action was taken nothing is simply held: a review is due, or
    the person has asked for deletion. What was decided before stays decided.
    """
    made = []
    for image in images:
        held = image.retention == "H" and released_without_action(people[image.person], image.force)
        code = rng.choices("RQ", (75, 25))[0] if held else image.retention
        made.append(replace(image, retention=code))
    return tuple(made)


def released_without_action(person: Person, force: Agency) -> bool:
    """Whether every stay in this force's custody ended without further action."""
    ends = {stay.disposal for stay in person.custody if stay.agency is force}
    return ends == {"NO_FURTHER_ACTION"}


def _image(rng: random.Random, number: int, person: Person, as_of: date, retention: str) -> Image:
    force = person.custody[0].agency
    return Image(
        image_id=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        person=person.truth_id,
        subject=f"{force}:{person.copies[force].key}",
        force=force,
        taken_on=moment(rng, as_of, 1200).date(),
        pose=0 if number < 2 else rng.choices((0, 1, 2), (80, 10, 10))[0],
        quality=round(0.5 + rng.random() * 0.5, 3),
        retention=retention,
        cohort=_COHORTS[person.culture],
    )
