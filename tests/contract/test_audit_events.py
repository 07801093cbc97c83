"""What happens to the policy and to the log itself is in the log, in both stores."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from gateway.audit.entry import read_leaf
from gateway.audit.events import Events
from gateway.audit.log import AuditLog
from gateway.errors import AuditUnavailable
from gateway.model import Release
from tests.contract.auditplaces import AuditPlace, Database, leads, now, put, well_again
from tests.e2e.witnessplace import until

FIRST = Release(before=0, now=7, revisions=("a1", "b2"), engine="1.2.3")


def events(log: AuditLog) -> Events:
    ids = count()
    return Events(log, gateway="gate", clock=now, new_id=lambda: f"e{next(ids)}")


async def entries(log: AuditLog, kind: str, least: int) -> list[dict[str, Any]]:
    """Those of a kind, once the log has so many entries."""
    await until(lambda: log.size >= least)
    leaves = [read_leaf(await log.leaf(number)) for number in range(log.size)]
    return [leaf for leaf in leaves if leaf["kind"] == kind]


async def test_a_release_of_the_policy_is_in_the_log_when_it_is_told(
    audit_place: AuditPlace,
) -> None:
    async with audit_place.opened() as log:
        made = events(log)
        await made.released(FIRST)
        await made.released(Release(before=7, now=6, refused=True))
        first, refused = await entries(log, "P", 2)
        assert first["policy"] == {"serial": 7}
        assert first["release"] == {
            "from": 0, "to": 7, "revisions": ["a1", "b2"], "engine": "1.2.3"
        }  # fmt: skip
        assert (first["gateway"], first["request_id"]) == ("gate", "e0")
        assert refused["policy"] == {"serial": 7}
        assert refused["release"] == {"from": 7, "to": 6, "refused": True}
        await audit_place.close_down()
        with pytest.raises(AuditUnavailable):
            await made.released(FIRST)
        await audit_place.come_back()
        await well_again(log)
    report = await audit_place.verified()
    assert report.ok, report.problems
    assert report.kinds["P"] >= 2


async def test_what_the_log_s_parts_tell_waits_until_it_can_be_written_and_stands_once(
    audit_place: AuditPlace,
) -> None:
    async with audit_place.opened() as log:
        await leads(log)
        made = events(log)
        await made.write()
        await audit_place.close_down()
        made.tell("witnessing", event="missing", size=3)
        made.tell("witnessing", event="again", size=4)
        with pytest.raises(AuditUnavailable):
            await made.write()
        await audit_place.come_back()
        await well_again(log)
        await made.write()
        await made.write()
        await made.aclose()
        size = await log.number((await put(log, 1))[0]) + 1
        told = [one["witnessing"] for one in await entries(log, "K", size) if "witnessing" in one]
        assert told[-2:] == [{"event": "missing", "size": 3}, {"event": "again", "size": 4}]
        assert len(told) <= 3  # of a write that failed nobody can tell whether it lasts


async def test_each_term_of_the_sequencer_is_an_entry(audit_database: Database) -> None:
    for _ in range(2):
        async with audit_database.opened() as log:
            await leads(log)
            made = events(log)
            await made.write()
            await made.aclose()
    async with audit_database.opened() as log:
        terms = [one["sequencing"]["term"] for one in await entries(log, "K", 2)]
    assert len(terms) == 2
    assert terms[0] < terms[1]


async def test_of_many_events_that_cannot_be_written_the_latest_are_kept(
    audit_place: AuditPlace,
) -> None:
    async with audit_place.opened() as log:
        made = events(log)
        for number in range(150):
            made.tell("witnessing", event="missing", size=number)
        await made.write()
        told = [one for one in await entries(log, "K", 100) if "witnessing" in one]
        assert [one["witnessing"]["size"] for one in told][-90:] == list(range(60, 150))
