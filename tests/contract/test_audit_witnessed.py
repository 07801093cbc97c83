"""Of several gateways with one log one goes to the witnesses; all publish what these signed."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from gateway.audit.keeper import Signed
from gateway.audit.log import AuditLog
from gateway.audit.verify import Policy, open_witnessed, read_proof, verify
from gateway.audit.witnessing import Witnessing
from gateway.errors import AuditUnavailable
from tests.contract.auditplaces import ORIGIN, AuditPlace, Database, leads, now, numbers, put
from tests.e2e.witnessplace import three, until


@pytest.fixture(name="place")
def fixture_place(audit_database: Database) -> Database:
    return audit_database


@asynccontextmanager
async def witnessing(
    log: AuditLog, policy: Policy, name: str, asked: Counter[str]
) -> AsyncIterator[Witnessing]:
    """One gateway's view of the witnesses; `asked` counts how often it went to them."""

    async def count(_request: httpx.Request) -> None:
        asked[name] += 1

    async with httpx.AsyncClient(trust_env=False, event_hooks={"request": [count]}) as http:
        made = Witnessing(log, policy, http, clock=now)
        await made.start()
        try:
            yield made
        finally:
            await made.aclose()


async def test_only_the_leading_gateway_submits_and_the_others_publish_what_it_kept(
    place: Database,
) -> None:
    asked: Counter[str] = Counter()
    async with (
        place.opened() as one,
        place.opened(sequences=False) as two,
        three(place.base / "witnesses", one.verifier) as witnesses,
        witnessing(one, witnesses.policy, "one", asked) as leader,
    ):
        await numbers(one, await put(one, 10))
        await until(lambda: len(leader.signers) == 3 and leader.published_size == 10)
        async with witnessing(two, witnesses.policy, "two", asked) as follower:
            at_start = asked["two"]
            receipts = await put(two, 20, start=10)
            proof = await follower.proof(receipts[-1], 20.0)
            assert read_proof(proof.encode()).index >= 10
            await until(lambda: follower.published_size == 30)
            seen = open_witnessed(follower.published, place.public, witnesses.policy)
            assert set(seen.witnesses) == set(follower.signers)
            assert len(follower.signers) >= 2
            follower.check()
            assert asked["two"] == at_start  # it asks once
        assert (await place.verified()).ok
        copied = verify(place.base / "copy", place.public, policy=witnesses.policy)
        assert copied.ok, copied.problems
        assert copied.witnessed >= 30


async def test_when_the_leading_gateway_goes_another_submits(place: Database) -> None:
    asked: Counter[str] = Counter()
    async with (
        place.opened() as two,
        three(place.base / "witnesses", two.verifier) as witnesses,
    ):
        async with (
            place.opened() as one,
            witnessing(one, witnesses.policy, "one", asked) as first,
        ):
            await numbers(one, await put(one, 10))
            await until(lambda: len(first.signers) >= 2 and first.published_size == 10)
        async with witnessing(two, witnesses.policy, "two", asked) as second:
            await leads(two, within_s=20)
            await numbers(two, await put(two, 5, start=10))
            await until(lambda: second.published_size == 15 and len(second.signers) >= 2)


async def test_what_is_kept_and_not_witnessed_is_not_believed(
    place: Database, caplog: pytest.LogCaptureFixture
) -> None:
    asked: Counter[str] = Counter()
    async with place.opened() as one, place.opened() as two:
        await leads(one)
        async with (
            three(place.base / "witnesses", one.verifier) as witnesses,
            witnessing(two, witnesses.policy, "two", asked) as follower,
        ):
            await numbers(one, await put(one, 10))
            await one.inclusion(9)
            await until(lambda: two.signed.size == 10)
            await one.keep_witnessed(one.signed)  # signed by the log alone
            await until(lambda: "is not of this log" in caplog.text)
            assert follower.published != one.signed.note or not follower.signers


async def test_AU_03_a_shared_log_that_was_put_back_starts_nowhere(place: Database) -> None:
    """Its head, its checkpoints and what was kept are of before; the witnesses are not."""
    asked: Counter[str] = Counter()
    async with (
        place.opened() as one,
        three(place.base / "witnesses", one.verifier) as witnesses,
    ):
        await leads(one)
        note = place.keys.signer(ORIGIN).sign(500, b"\1" * 32, now())
        async with httpx.AsyncClient(trust_env=False) as http:
            for url in witnesses.urls.values():
                answer = await http.post(f"{url}/add-checkpoint", content=b"old 0\n\n" + note)
                assert answer.status_code == 200, answer.text
        async with place.opened() as two:
            for log in (one, two):
                with pytest.raises(AuditUnavailable) as refused:
                    async with witnessing(log, witnesses.policy, "x", asked):
                        pass
                assert "it has seen 500 records" in refused.value.detail


async def test_what_was_witnessed_is_kept_in_both_stores(audit_place: AuditPlace) -> None:
    async with audit_place.opened() as log:
        assert await log.witnessed() is None
        await log.keep_witnessed(Signed(size=0, root=b"", note=b"none\n0\n"))
        await log.keep_witnessed(Signed(size=7, root=b"", note=b"seven\n7\n"))
        assert await log.witnessed() == b"seven\n7\n"
    async with audit_place.opened() as log:
        assert await log.witnessed() == b"seven\n7\n"
