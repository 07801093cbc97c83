"""What the gateway works out from a record's own, permitted values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.query.derived import DERIVED, DISPUTED, Moment

MOMENT = Moment(now=datetime(2026, 2, 28, 12, tzinfo=UTC), image_link_ttl_s=60)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("primary_name", {}, None),
        ("primary_name", {"names": None}, None),
        ("primary_name", {"names": [{"kind": "LEGAL"}]}, None),
        (
            "primary_name",
            {"names": [{"kind": "ALIAS", "full": "Beni"}, {"kind": "LEGAL", "family": "Hodja"}]},
            "Hodja",
        ),
        ("primary_name", {"names": [{"given": "Arben", "family": "Hodja"}]}, "Arben Hodja"),
        ("primary_name", {"names": [{"kind": "X", "full": "A"}, {"kind": "NICK"}]}, "A"),
        ("dob_quality", {"date_of_birth": None}, None),
        ("dob_quality", {"date_of_birth": "1991-04-17"}, "EXACT"),
        ("dob_quality", {"date_of_birth": "1991-04"}, "ESTIMATED"),
        ("dob_quality", {"date_of_birth": "1991"}, "YEAR_ONLY"),
        ("dob_quality", {"date_of_birth": "1990/1991"}, "ESTIMATED"),
        ("dob_quality", {"date_of_birth": "1991-04-17", "dob_claimed": True}, "CLAIMED"),
        ("age_state", {}, "UNKNOWN"),
        ("age_state", {"date_of_birth": "2008-02-28"}, "ADULT"),
        ("age_state", {"date_of_birth": "2008-03-01"}, "CHILD"),
        ("age_state", {"date_of_birth": "2008"}, "DISPUTED"),
        ("age_state", {"date_of_birth": "2000/2015"}, "DISPUTED"),
        ("checksum_ok", {"kind": "PNCID", "value": "91/0004417K"}, True),
        ("checksum_ok", {"kind": "PNCID", "value": "91/0004417A"}, False),
        ("checksum_ok", {"kind": "PNCID", "value": "unreadable"}, False),
        ("checksum_ok", {"kind": "PASSPORT", "value": "BA4417093"}, None),
        ("checksum_ok", {"kind": "PNCID"}, None),
        ("grid_ref", {"point": [{"lat": 51.50074, "lon": -0.12462}]}, "TQ 3026 7964"),
        ("grid_ref", {"point": [{"lat": 60.5001, "lon": -1.4561}]}, "HU 2997 7972"),
        ("grid_ref", {"point": [{"lat": 48.0, "lon": 2.0}]}, None),
        ("grid_ref", {"point": [{"lat": None, "lon": 2.0}]}, None),
        ("grid_ref", {}, None),
        ("age_state", {"date_of_birth": "1991", "dob_claimed": False}, "ADULT"),
        ("age_state", {"date_of_birth": "1991", "dob_claimed": True}, "DISPUTED"),
        ("age_state", {"date_of_birth": "2010", "dob_claimed": True}, "CHILD"),
        ("age_state", {"date_of_birth": "1991", DISPUTED: True}, "DISPUTED"),
        ("age_state", {"date_of_birth": "2010", DISPUTED: True}, "CHILD"),
        ("within_day", {}, False),
        ("within_day", {"when": "2026-02-27T12:00:00Z"}, True),
        ("within_day", {"when": "2026-02-27T11:59:59Z"}, False),
        ("link_expiry", {}, "2026-02-28T12:01:00Z"),
        ("rank", {"\0rank": 3}, 3),
        ("score", {"\0score": 0.123456}, 0.1235),
        ("score", {}, None),
        ("score_band", {"\0score": 0.9, "\0threshold": 0.6}, "well above the threshold"),
        ("score_band", {"\0score": 0.7, "\0threshold": 0.6}, "above the threshold"),
        ("score_band", {"\0score": 0.5, "\0threshold": 0.6}, "below the threshold"),
        ("score_band", {"\0score": 0.5}, None),
    ],
)
def test_derived(name: str, values: dict[str, Any], expected: object) -> None:
    assert DERIVED[name](values, MOMENT) == expected


def test_eighteen_on_the_day_after_a_leap_day() -> None:
    """Born on 29 February: eighteen on 1 March of a common year, not before."""
    born = {"date_of_birth": "2008-02-29"}
    assert DERIVED["age_state"](born, MOMENT) == "CHILD"
    later = Moment(now=datetime(2026, 3, 1, tzinfo=UTC))
    assert DERIVED["age_state"](born, later) == "ADULT"
