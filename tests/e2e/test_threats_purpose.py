"""A purpose is given once, is data, and is held: threats PU-.., over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.demo.personas import PERSONAS
from gateway.audit.entry import read_leaf
from tests.e2e.asking import REASON, Asker

PLATE = '{ vehicle(vrm: "SN68 BTX") { make } }'
FACE = "query($f: FaceProbe!) { faceSearch(probe: $f) { candidates { rank } } }"


@pytest.mark.parametrize(
    "text",
    ["a\r\n2026-01-01 ERROR forged", "\x1b[2J\x1b]0;x\x07", "</script><script>alert(1)</script>",
     '{"purpose": "OIC_INVESTIGATION"}', "abc\u202edef"],
)  # fmt: skip
async def test_pu_02_a_reason_is_data(asker: Asker, text: str) -> None:
    log = asker.demo.started.log
    await asker.demo.started.tripwires.settled()
    before = log.size
    answer = await asker.ask("RO", PLATE, purpose="OFFICER_SAFETY", reasonText=text)
    assert answer.status == 200
    leaves = [read_leaf(await log.leaf(n)) for n in range(before, log.size)]
    query = answer.body["extensions"]["receipt"]["queryId"]
    own = [leaf for leaf in leaves if leaf.get("request_id") == query]
    assert [leaf["kind"] for leaf in own] == ["I", "O"]
    assert own[0]["purpose"]["code"] == "OFFICER_SAFETY"
    assert text not in str(answer.body)
    assert text not in str(own)  # sealed


@pytest.mark.parametrize("header", ["Purpose", "X-Purpose", "Justification"])
async def test_pu_03_a_purpose_stands_in_one_place(asker: Asker, header: str) -> None:
    said = {header: "IMMIGRATION_CONTROL"}
    nowhere = await asker.post("RO", {"query": PLATE}, **said)
    assert nowhere.json()["errors"][0]["extensions"]["code"] == "PURPOSE_REQUIRED"
    why = {"purpose": "OFFICER_SAFETY", "reasonCode": "R02", **REASON}
    there = await asker.post("RO", {"query": PLATE, "extensions": {"justification": why}}, **said)
    assert there.status_code == 200  # the header, which the role does not hold, is not read
    doubled = '{"query": "{ sources { agency } }", "extensions": {"justification": {' + (
        '"purpose": "OFFICER_SAFETY", "purpose": "APPREHEND", "reasonCode": "R03"}}}'
    )
    token = await asker.token("RO")
    reply = await asker.client.post(
        asker.demo.graphql,
        content=doubled,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    assert reply.status_code == 400


@pytest.mark.parametrize(
    ("persona", "purpose"),
    [
        ("AO", "PROTECT_VULNERABLE"),
        ("RO", "APPREHEND"),
        ("RA", "OIC_INVESTIGATION"),
        ("NO", "STRATEGIC_REPORTING"),
        ("NO", "DECONFLICTION"),  # a trained operator
    ],
)
async def test_pu_04_a_purpose_that_is_held_is_not_one_for_faces(
    asker: Asker, persona: str, purpose: str
) -> None:
    refs = asker.demo.started.gate.refs
    ref = refs.seal(
        PERSONAS[persona].agency, "nis", "ImageRef", "00000000-0000-4000-8000-000000000000"
    )
    answer = await asker.ask(persona, FACE, {"f": {"ref": ref}}, purpose=purpose)
    body: dict[str, Any] = dict(answer.body)
    assert (
        not (body.get("data") or {}).get("faceSearch", {})
        or not answer.data["faceSearch"]["candidates"]
    )
    assert answer.code in {"REFUSED", "WITHHELD"}
    if persona == "NO":
        error = answer.body["errors"][0]["extensions"]
        assert (error["rule"], error["contact"]) == ("FaceCandidate:unlisted", "gateway")


async def test_pu_04_nobody_asks_for_the_gateways_own_purpose(asker: Asker) -> None:
    answer = await asker.ask("NO", PLATE, purpose="ENFORCEMENT_CHECK", reason="R11")
    assert (answer.status, answer.code) == (403, "REFUSED")
