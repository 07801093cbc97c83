"""How long what is kept: the table, and months counted."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.ledger import quarter_of
from gateway.audit.retention import Rules, _last, _over
from gateway.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
ROW = {"consultation": 12, "disclosure": 24, "combination": 36}


def table(**changes: Any) -> dict[str, Any]:
    return {"bodies_months": {"*": ROW}, "tokens_months": 36, "agree_within_days": 7} | changes


def test_the_deployed_table_is_read() -> None:
    rules = Rules.of(json.loads((ROOT / "policies/tables/kept/data.json").read_text("utf-8")))
    assert rules.months("NMC", "disclosure") == 72
    assert rules.months("GATEWAY", "consultation") == 12
    assert rules.longest("GATEWAY") == 72
    assert rules.agree_within == timedelta(days=14)


def test_a_row_of_its_own_or_the_common_one_and_of_an_unknown_tag_the_longest() -> None:
    own = {"consultation": 1, "disclosure": 2, "combination": 3}
    rules = Rules.of(table(bodies_months={"*": ROW, "NMC": own}))
    assert [rules.months("NMC", tag) for tag in (*own, "other", None)] == [1, 2, 3, 3, 3]
    assert rules.months("SCP", "consultation") == 12
    assert rules.periods == [1, 2, 3, 12, 24, 36]
    assert rules.digest != Rules.of(table()).digest


def test_without_rules_everything_is_kept() -> None:
    rules = Rules.of({})
    assert rules.months("NMC", "consultation") is rules.longest("NMC") is rules.tokens is None
    assert rules.periods == []


@pytest.mark.parametrize(
    "changes",
    [
        {"bodies_months": {"NMC": ROW}},  # none for the others
        {"bodies_months": {"*": {"consultation": 12}}},
        {"bodies_months": {"*": ROW | {"disclosure": 0}}},
        {"bodies_months": {"*": ROW | {"disclosure": True}}},
        {"bodies_months": {"*": ROW | {"disclosure": "24"}}},
        {"bodies_months": []},
        {"tokens_months": -1},
        {"tokens_months": 1201},
        {"agree_within_days": None},
    ],
)
def test_a_table_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"tables/kept"):
        Rules.of(table(**changes))


@pytest.mark.parametrize(
    ("month", "kept", "first_day"),
    [
        ("2026-03", 1, (2026, 5, 1)),
        ("2026-03", 12, (2027, 4, 1)),
        ("2026-12", 1, (2027, 2, 1)),
        ("2026-11", 1, (2027, 1, 1)),
        ("2026-12", 12, (2028, 1, 1)),
    ],
)
def test_months_are_counted_from_the_end_of_the_month(
    month: str, kept: int, first_day: tuple[int, int, int]
) -> None:
    first = datetime(*first_day, tzinfo=UTC)
    assert _over(month, kept, first)
    assert not _over(month, kept, first - timedelta(seconds=1))


@pytest.mark.parametrize("odd", ["", "2026", "2026-3", "about 2026-03", "2026-03-01"])
def test_what_has_no_date_is_never_over(odd: str) -> None:
    assert not _over(odd, 1, datetime(2999, 1, 1, tzinfo=UTC))


def test_quarters() -> None:
    assert [quarter_of(f"2026-{n:02d}") for n in (1, 3, 4, 12)] == [
        "2026-Q1",
        "2026-Q1",
        "2026-Q2",
        "2026-Q4",
    ]
    assert quarter_of("") == ""
    assert [_last(f"actor/2026-Q{n}") for n in (1, 4)] == ["2026-03", "2026-12"]
