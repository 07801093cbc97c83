"""AU-22: a flood of requests from nobody does not bury what officers do, nor hold it up."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import httpx

from deploy.demo.story import STEPS
from gateway.audit.crowd import ALONE, TOGETHER_S
from gateway.audit.entry import read_leaf
from gateway.audit.log import PROMISED_S
from gateway.audit.verify import open_checkpoint, verify
from gateway.cli.demo import Demo
from tests.e2e.owngateway import served

MANY, AT_ONCE = 5_000, 200
STOP = next(one for one in STEPS if one.id == "vehicle-stop")


async def flood(url: str) -> float:
    """Ask so often with a token that is none; gives the seconds that it took."""
    left = iter(range(MANY))
    forged = {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}
    began = asyncio.get_running_loop().time()

    async def one_by_one(client: aiohttp.ClientSession) -> None:
        for _ in left:
            async with client.post(url, json={"query": "{ __typename }"}) as answer:
                assert answer.status == 401
                body = json.loads(await answer.read())
                assert body["extensions"]["receipt"]["leafHash"]

    async with aiohttp.ClientSession(
        headers=forged, connector=aiohttp.TCPConnector(limit=AT_ONCE)
    ) as client:
        await asyncio.gather(*(one_by_one(client) for _ in range(AT_ONCE)))
    return asyncio.get_running_loop().time() - began


async def test_AU_22_a_flood_shares_few_entries_and_holds_up_no_other(
    demo: Demo, tmp_path: Path
) -> None:
    async with (
        served(demo, tmp_path / "state", secrets={}) as own,
        httpx.AsyncClient(base_url=own.url, trust_env=False, timeout=60) as client,
    ):
        token = await asyncio.to_thread(own.token, STOP.persona)
        log = own.started.log
        before = log.size
        flooding = asyncio.create_task(flood(own.graphql))
        asked, late_s = 0, []
        while not flooding.done():
            answer = await client.post(
                "/graphql",
                headers={"Authorization": f"Bearer {token}"},
                json={
                    "query": STOP.text,
                    "variables": dict(STOP.variables),
                    "extensions": {"justification": dict(STOP.justification)},
                },
            )
            assert answer.status_code == 200
            receipt = answer.json()["extensions"]["receipt"]
            asked += 1
            # the first checkpoint that has it, by the clock that both bear
            proof = await log.inclusion(receipt["logEntry"])
            assert proof.leaf_hash.hex() == receipt["leafHash"]
            signed_at = open_checkpoint(proof.checkpoint, log.verifier).signed_at
            assert signed_at is not None
            at = datetime.fromisoformat(receipt["at"]).astimezone(UTC)
            late_s.append((signed_at - at).total_seconds())
        took_s = await flooding
        await own.started.tripwires.settled()
        leaves = [read_leaf(await log.leaf(index)) for index in range(before, log.size)]
    assert asked
    assert max(late_s) < PROMISED_S
    told = [one for one in leaves if one["kind"] == "F"]
    assert sum(one.get("crowd", {}).get("count", 1) for one in told) == MANY
    alone = sum("crowd" not in one for one in told)
    # a group may end a second late on a busy machine, never early
    assert alone <= ALONE * (took_s + 1) + took_s / TOGETHER_S
    assert len(told) - alone <= took_s / TOGETHER_S + MANY / 1_000 + 1
    assert len(told) < MANY / 10
    assert sum(one["kind"] == "O" and "query" in one for one in leaves) >= asked
    settings = own.started.settings
    report = verify(settings.audit_dir, (settings.audit_keys_dir / "log.pub").read_text())
    assert report.ok, report.problems
