"""A witness killed in the middle of whatever it does never signs two roots of one size."""

from __future__ import annotations

from pathlib import Path

from tests.crash.witnesses import signs_one_of_two


async def test_F_32_AU_06_killed_thirty_times_it_signs_one_of_two(tmp_path: Path) -> None:
    await signs_one_of_two(tmp_path, 30)
