"""Every threat to field policy, purpose, inference, pages and the record is tried, or
docs/threats.md says why not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = dict(
    re.findall(
        r"^\| ([A-Z]+-\d\d) \| [^|]+ \| ([^|]+) \|$",
        (ROOT / "docs/threats.md").read_text("utf-8"),
        re.MULTILINE,
    )
)
IDS = {
    "AZ": "02 03 04 05 06 08 09 10 11 12 14 15 16 17 18 20 21 22 23 24 26 27 28 29 30",
    "PU": "02 03 04 05 06 08",
    "IN": "01 02 03 04 06 07 08 09 10 12 13 14 15 16 18 19 20 21 22 24 25 26 27 28 30",
    "OI": "01 02 03 05 06 07 08 09 11 12 13 14 15 17 18",
    "AU": "01 02 03 04 06 07 08 09 10 12 13 14 15 16 17 18 19 20 21 22",
    "F": "26 27 29 30 31 32 33 35 36 37 38 39 41 42 43",
}
ALL = [f"{kind}-{number}" for kind, numbers in IDS.items() for number in numbers.split()]
_ID = re.compile(r"(az|pu|in|oi|au|f)_?(\d\d)_", re.IGNORECASE)
_IDS = re.compile(rf"test_(?:{_ID.pattern})*", re.IGNORECASE)  # a test may try several
NO_SURFACE = "no such surface: "


def named_after_threats() -> list[tuple[str, str]]:
    """(id, file::function) for each."""
    found = []
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for name in re.findall(r"^\s*(?:async )?def (test_\w+)", file.read_text("utf-8"), re.M):
            for kind, number in re.findall(_ID, _IDS.match(name)[0]):  # type: ignore[index]
                if (threat := f"{kind.upper()}-{number}") in ALL:
                    found.append((threat, f"{file.relative_to(ROOT)}::{name}"))
    return found


def test_every_threat_has_its_row_and_no_other() -> None:
    assert sorted(ROWS) == sorted(ALL)


@pytest.mark.parametrize("threat", ALL)
def test_a_row_names_tests_that_exist_or_says_why_there_is_none(threat: str) -> None:
    tests = re.findall(r"`([^`]+::\w+)`", ROWS[threat])
    assert tests or ROWS[threat].startswith(NO_SURFACE)
    for test in tests:
        file, _, name = test.partition("::")
        text = (ROOT / file).read_text("utf-8")
        assert re.search(rf"^\s*((async )?def )?{name}\b", text, re.MULTILINE), test


@pytest.mark.parametrize(("threat", "where"), named_after_threats())
def test_a_test_that_is_named_after_a_threat_stands_in_its_row(threat: str, where: str) -> None:
    assert where in ROWS[threat]
