"""Silence may not cost a life: what is silent for a danger to officers is warned of in the open."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from deploy.demo.population import Agency, Population, make_population
from deploy.demo.world.happenings import Report
from deploy.demo.world.truth import Person

DANGERS = {"WEAPONS", "VIOLENT"}
TELLS_OF_ONE = re.compile(
    r"weapon|knife|knives|blade|gun|firearm|shot|violen|attack|assault", re.IGNORECASE
)


def rests_on_a_danger(report: Report) -> bool:
    texts = (
        report.title,
        report.text,
        report.sanitised or "",
        *(p.text for p in report.paragraphs),
    )
    return any(TELLS_OF_ONE.search(text) for text in texts)


def silent_for_a_danger(world: Population) -> Iterator[tuple[str, Person, Agency]]:
    """Each silent record that rests on a danger: its name, whom it is about, and its owner."""
    for report in world.reports:
        if report.silent and rests_on_a_danger(report):
            for truth in report.subjects:
                yield report.urn, world.people[truth], report.agency
    for person in world.people.values():
        for agency, copy in person.copies.items():
            if copy.silent and any(
                w.kind in DANGERS and w.owner is agency for w in person.warnings
            ):
                yield copy.key, person, agency


def warned_of(person: Person, owner: Agency) -> bool:
    """The owner's sanitised line stands as an overt warning in a record that officers see."""
    lines = {w.sanitised for w in person.warnings if w.owner is owner and w.sanitised}
    return any(
        w.kind in DANGERS
        and not w.discreet
        and w.reason in lines
        and (copy := person.copies.get(w.owner)) is not None
        and not copy.silent
        and copy.governance.retention in {"CURRENT", "REVIEW_DUE"}
        for w in person.warnings
    )


@pytest.mark.parametrize("seed", [None, 7, 2026])
def test_whatever_is_silent_for_a_danger_is_warned_of_in_the_open(
    world: Population, seed: int | None
) -> None:
    drawn = world if seed is None else make_population(seed=seed)
    silent = list(silent_for_a_danger(drawn))
    assert {person.truth_id for _, person, _ in silent} == {drawn.gold["GOLD-5"]}
    assert [name for name, person, owner in silent if not warned_of(person, owner)] == []


def test_silent_reports_are_on_every_other_subject(world: Population) -> None:
    overt = {report.title for report in world.reports if not report.silent}
    silent = {r.title for r in world.reports if r.silent and world.gold["GOLD-5"] not in r.subjects}
    assert overt - silent == {"Weapons", "Canary report"}
