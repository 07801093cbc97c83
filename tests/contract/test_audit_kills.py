"""F-31, F-32: what writes the log is killed under load, in both stores.

A thousand times, whole gateways and witnesses too: `make crash KILLS=1000`.
"""

from __future__ import annotations

from tests.contract.auditplaces import AuditPlace, Database
from tests.crash.kills import killed

KILLS = {"Files": 40, "Database": 20}


async def test_F_32_what_clients_received_was_recorded_and_what_was_recorded_was_intended(
    audit_place: AuditPlace,
) -> None:
    """In files one process; in a database two, of which one numbers what both give."""
    at_once = 2 if isinstance(audit_place, Database) else 1
    kills = KILLS[type(audit_place).__name__]
    tally = await killed(audit_place, kills, at_once=at_once)
    assert tally.wrong == []
    assert tally.kills == kills
    assert kills < tally.received <= tally.outcomes <= tally.intents
