"""Times that tell of hidden records make the command fail."""

from __future__ import annotations

from random import Random

import pytest

from tests.e2e.worlds.__main__ import told
from tests.e2e.worlds.timing import MOST, Timing, area, interval


def figures(middle: float) -> Timing:
    return Timing(
        case="RO, a hidden record", persons=1, answers=2, area=middle, low=0.4, high=0.9,
        held_ms=1.0, nobody_ms=1.0,
    )  # fmt: skip


@pytest.mark.parametrize(("middle", "code"), [(0.4, 0), (MOST, 0), (MOST + 0.01, 1)])
def test_in_20_times_that_tell_in_any_case_make_the_command_fail(
    middle: float, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """The middle counts: a wide interval excuses nothing."""
    assert told([figures(0.5), figures(middle)]) == code
    assert ("Times tell" in capsys.readouterr().out) == bool(code)


def test_in_20_the_area_under_the_curve_is_that_of_counting_pairs() -> None:
    dice = Random(1)  # noqa: S311 - reproducible, not secret
    held, nobody = ([dice.randrange(20) + k for _ in range(60)] for k in (8, 0))
    pairs = [(a > b) + (a == b) / 2 for a in held for b in nobody]
    assert area(held, nobody) == pytest.approx(sum(pairs) / len(pairs))
    assert area(nobody, nobody) == 0.5


def test_in_20_answers_about_one_person_are_one_witness() -> None:
    """Two persons that tell opposite things, however often they are asked about."""
    dice = Random(1)  # noqa: S311 - reproducible, not secret
    held, nobody = [[2.0] * 500, [0.0] * 500], [[1.0] * 500, [1.0] * 500]
    assert interval(held, nobody, dice, 400) == (0.0, 1.0)
    several = [[dice.random() + 0.2 for _ in range(9)] for _ in range(40)]
    others = [[dice.random() for _ in range(9)] for _ in range(40)]
    low, high = interval(several, others, dice, 400)
    middle = area([t for p in several for t in p], [t for p in others for t in p])
    assert 0.5 < low < middle < high < 1.0
