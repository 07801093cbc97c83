"""Times that tell of hidden records make the command fail."""

from __future__ import annotations

import pytest

from tests.e2e.worlds.__main__ import told
from tests.e2e.worlds.timing import MOST, Timing


@pytest.mark.parametrize(("low", "code"), [(0.4, 0), (MOST, 0), (MOST + 0.01, 1)])
def test_in_20_times_that_surely_tell_make_the_command_fail(low: float, code: int) -> None:
    figures = Timing(
        persons=1, answers=2, area=0.6, low=low, high=0.9, hidden_ms=1.0, nobody_ms=1.0
    )
    assert told(figures) == code
