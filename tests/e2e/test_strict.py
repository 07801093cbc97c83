"""The most intrusive questions are answered once others have seen that they were recorded."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from deploy.demo.population import Population
from gateway.audit.verify import (
    Unproved,
    check_receipt,
    read_policy,
    read_receipt,
)
from gateway.cli.demo import Demo
from gateway.errors import AuditUnavailable
from tests.e2e.asking import Answer, Asker
from tests.e2e.owngateway import served
from tests.e2e.test_duties import probe, search

VEHICLE = "query($v: Vrm!) { vehicle(vrm: $v) { owner make } }"


async def ordinary(asker: Asker) -> Answer:
    return await asker.ask("AO", VEHICLE, {"v": "SN68BTX"}, purpose="OFFICER_SAFETY")


async def test_a_search_by_face_carries_its_proof(asker: Asker, population: Population) -> None:
    settings = asker.demo.started.settings
    key = asker.demo.started.log.verifier
    policy = read_policy(settings.audit_witnesses.read_bytes())
    answer = await search(asker, probe(asker, population))
    assert answer.data["faceSearch"]
    await asker.came_of("NO", answer)
    kept = json.dumps(answer.body).encode()
    receipt = read_receipt(kept, key)
    verdict = check_receipt(receipt, None, key, policy)  # with nothing but keys
    assert verdict.kept
    assert f"entry {answer.body['extensions']['receipt']['logEntry']} " in verdict.text
    said = answer.body["extensions"]["receipt"]["proof"]
    signed = [line for line in said.split("\n") if line.startswith("\N{EM DASH} witness.example/")]
    assert len(signed) >= 2
    alone = said.replace("".join(f"{line}\n" for line in signed), "")
    with pytest.raises(Unproved, match="not enough"):
        check_receipt(replace(receipt, proof=alone.encode()), None, key, policy)


async def test_others_carry_the_logs_word_alone(asker: Asker) -> None:
    answer = await ordinary(asker)
    assert "proof" not in answer.body["extensions"]["receipt"]
    key = asker.demo.started.log.verifier
    receipt = read_receipt(json.dumps(answer.body).encode(), key)
    assert receipt.within_s == 5
    async with asyncio.timeout(30):
        while asker.demo.started.log.signed.size <= (receipt.index or 0):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    directory = asker.demo.started.settings.audit_dir
    assert (await asyncio.to_thread(check_receipt, receipt, directory, key)).kept


async def test_F_35_without_witnesses_the_intrusive_alone_is_refused(
    demo: Demo, asker: Asker, population: Population, tmp_path: Path
) -> None:
    """Two of three witnesses stop while a gateway runs, then all are missing from the start."""
    async with served(demo, tmp_path / "state", secrets={}, same_keys=True, witnesses=3) as own:
        theirs = Asker(demo=own, client=asker.client)
        answer = await search(theirs, probe(theirs, population))
        assert answer.data["faceSearch"]
        await theirs.came_of("NO", answer)
        stopped = [
            one
            for one in psutil.Process().children(recursive=True)
            if "deploy.demo.services.witness" in one.cmdline()
            and str(tmp_path) in " ".join(one.cmdline())
        ]
        assert len(stopped) == 3
        for one in stopped[:2]:
            one.kill()
        unseen = await search(theirs, probe(theirs, population))
        assert (unseen.status, unseen.code) == (503, "AUDIT_UNAVAILABLE")
        assert "data" not in unseen.body
        assert (await ordinary(theirs)).data
    async with served(demo, tmp_path / "alone", secrets={}, same_keys=True, witnesses=0) as own:
        theirs = Asker(demo=own, client=asker.client)
        unseen = await search(theirs, probe(theirs, population))
        assert (unseen.status, unseen.code) == (503, "AUDIT_UNAVAILABLE")
        assert (await ordinary(theirs)).data


async def test_AU_03_a_gateway_whose_store_was_put_back_does_not_start(
    demo: Demo, asker: Asker, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    async with served(demo, state, secrets={}):
        pass
    await asyncio.to_thread(shutil.copytree, state / "audit", tmp_path / "backup")
    async with served(demo, state, secrets={}) as own:
        assert (await ordinary(Asker(demo=own, client=asker.client))).data
        async with asyncio.timeout(30):
            while own.started.published.published_size < own.started.log.size:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    await asyncio.to_thread(shutil.rmtree, state / "audit")
    await asyncio.to_thread(shutil.copytree, tmp_path / "backup", state / "audit")
    with pytest.raises(AuditUnavailable) as refused:
        async with served(demo, state, secrets={}):
            pass
    assert "witness one: it has seen" in str(refused.value.detail)
