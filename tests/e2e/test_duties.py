"""Duties that outlive one question: an outcome owed, and another person's agreement."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.agencies.nis import embedding
from deploy.demo.personas import PERSONAS
from deploy.demo.population import Population
from gateway.audit.entry import read_leaf
from gateway.query.refs import Probe, officer
from tests.e2e.asking import Answer, Asker
from tests.e2e.owngateway import served
from tests.e2e.test_casework import Desk
from tests.e2e.test_casework_command import Terminal
from tests.opa import changed, opa

FACE = "query($f: FaceProbe!) { faceSearch(probe: $f) { threshold } }"
VEHICLE = "query Stop($v: Vrm!) { vehicle(vrm: $v) { owner make } }"
WAITING = """{ toCountersign {
  id askedBy roles mark purpose reasonCode what fields face until } }"""
AGREE = "mutation($id: ID!) { countersign(id: $id) { id askedBy until } }"


def probe(asker: Asker, population: Population) -> dict[str, str]:
    """A face probe that the national bureau's officer may use, once."""
    image = next(i for i in population.images if i.retention == "H")
    persona = PERSONAS["NO"]
    issuer = f"{asker.demo.stack.issuer_url}/{persona.issuer}"
    made = Probe(
        id=secrets.token_hex(16), made_at=datetime.now(UTC),
        vector=embedding(image.image_id, image.person, image.cohort, "m1"),
    )  # fmt: skip
    whose = officer(issuer, persona.sub, persona.agency)
    return {"handle": asker.demo.started.gate.refs.seal_probe(made, whose)}


async def search(asker: Asker, face: dict[str, str]) -> Answer:
    return await asker.ask("NO", FACE, {"f": face}, purpose="OIC_INVESTIGATION")


async def test_q5_the_next_search_waits_for_the_last_ones_outcome(
    asker: Asker, population: Population
) -> None:
    first = await search(asker, probe(asker, population))
    assert first.data["faceSearch"]
    kept = probe(asker, population)
    blocked = await search(asker, kept)
    assert (blocked.status, blocked.code) == (403, "REFUSED")
    said = blocked.body["errors"][0]
    assert said["extensions"]["rule"] == "obligation.record_outcome"
    assert first.body["extensions"]["receipt"]["queryId"] in said["message"]

    assert (await asker.came_of("NO", first, "PERHAPS")).code == "REFUSED"
    assert (await asker.came_of("RA", first)).data == {"recordOutcome": None}  # not theirs
    assert (await search(asker, kept)).code == "REFUSED"
    recorded = await asker.came_of("NO", first, "NO_LEAD")
    assert recorded.data["recordOutcome"]["outcome"] == "NO_LEAD"
    assert (await asker.came_of("NO", first)).data == {"recordOutcome": None}  # once
    second = await search(asker, kept)  # the probe was not spent by the refusal
    assert second.data["faceSearch"]
    await asker.came_of("NO", second)


async def test_an_outcome_is_recorded_from_the_command_line(
    asker: Asker, population: Population, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal(asker.demo, tmp_path, capsys)
    searched = await search(asker, probe(asker, population))
    id_ = searched.body["extensions"]["receipt"]["queryId"]
    code, out, _ = await terminal.run("NO", "casework", "outcome", id_, "LEAD")
    assert (code, json.loads(out)["outcome"]) == (0, "LEAD")
    again = await search(asker, probe(asker, population))  # nothing is owed any more
    assert again.data["faceSearch"]
    await asker.came_of("NO", again)


async def test_a_search_that_was_not_made_owes_nothing(
    asker: Asker, population: Population
) -> None:
    assert (await search(asker, {"handle": "damaged"})).code == "BAD_REQUEST"
    refused = await asker.ask("RA", FACE, {"f": {"handle": "damaged"}}, purpose="OIC_INVESTIGATION")
    assert refused.status in (400, 403)
    answer = await search(asker, probe(asker, population))
    assert answer.data["faceSearch"]
    await asker.came_of("NO", answer)


async def test_of_two_searches_at_once_one_is_made(asker: Asker, population: Population) -> None:
    faces = [probe(asker, population) for _ in range(3)]
    answers = await asyncio.gather(*(search(asker, face) for face in faces))
    made = [answer for answer in answers if answer.status == 200]
    assert len(made) == 1
    assert {answer.code for answer in answers if answer.status != 200} == {"REFUSED"}
    await asker.came_of("NO", made[0])


async def test_an_outcome_names_every_kind_that_its_search_was(
    asker: Asker, tmp_path: Path
) -> None:
    """A search by a registration mark that goes on over a link is two of the kinds listed here."""

    def casework(table: dict[str, Any]) -> None:
        table["obliged"]["record_outcome"] = ["link", "face", "filter"]

    policies = await asyncio.to_thread(changed, tmp_path / "policies", casework=casework)
    with opa(policies) as port:
        url = f"http://127.0.0.1:{port}"
        async with served(
            asker.demo, tmp_path / "state", secrets={}, opa_url=url, policy_timeout_s=5.0
        ) as demo:
            own = Asker(demo=demo, client=asker.client)
            document = "query Stop($v: Vrm!) { vehicle(vrm: $v) { owner stops { owner } } }"
            searched = await own.ask("RO", document, {"v": "AB12CDE"}, purpose="OFFICER_SAFETY")
            assert searched.status == 200, searched.body
            recorded = await own.came_of("RO", searched, "LEAD")
            assert recorded.data["recordOutcome"]["kinds"] == ["filter", "link"]


# --- another person ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def strict(asker: Asker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asker]:
    """A gateway whose table has another person agree to every question that filters."""
    folder = tmp_path_factory.mktemp("strict")

    def casework(table: dict[str, Any]) -> None:
        table["obliged"]["second_person"] = ["face", "filter"]

    policies = await asyncio.to_thread(changed, folder / "policies", casework=casework)
    with opa(policies) as port:
        url = f"http://127.0.0.1:{port}"
        async with served(
            asker.demo, folder / "state", secrets={}, opa_url=url, policy_timeout_s=5.0
        ) as demo:
            yield Asker(demo=demo, client=asker.client)


async def stop(
    asker: Asker, vrm: str = "AB12CDE", purpose: str = "OFFICER_SAFETY", reason: str = "R02"
) -> Answer:
    return await asker.ask("RO", VEHICLE, {"v": vrm}, purpose=purpose, reason=reason)


async def test_another_person_agrees_before_anything_is_visited(strict: Asker) -> None:
    desk = Desk(asker=strict)
    refused = await stop(strict)
    assert (refused.status, refused.code) == (403, "REFUSED")
    said = refused.body["errors"][0]
    assert said["extensions"]["rule"] == "obligation.second_person"
    log = strict.demo.started.log
    leaf = read_leaf(await log.leaf(log.size - 1))
    assert leaf["kind"] == "D"  # no intent: nothing was visited
    await stop(strict)  # asked again, it is the same that waits

    (waiting,) = (await desk.raw("SG", WAITING)).data["toCountersign"]
    assert waiting["id"] in said["message"]
    # enough to judge it by, and no value
    assert (waiting["what"], waiting["purpose"]) == ("Stop", "OFFICER_SAFETY")
    assert (waiting["reasonCode"], waiting["roles"]) == ("R02", ["response_officer"])
    assert "Vehicle.make" in waiting["fields"]
    assert waiting["face"] is False
    assert waiting["mark"] == f"NMC {leaf['who']['actor'][:12]}"
    assert "AB12CDE" not in str(waiting)
    assert (await desk.raw("RO", AGREE, id=waiting["id"])).code == "REFUSED"  # the asker
    agreed = await desk.raw("SG", AGREE, id=waiting["id"])
    assert agreed.data["countersign"]["until"]
    assert (await desk.raw("SG", AGREE, id=waiting["id"])).data == {"countersign": None}

    assert (await stop(strict, "XY99ZZZ")).code == "REFUSED"  # another question
    assert (await stop(strict, reason="R01")).code == "REFUSED"  # another reason
    assert (await stop(strict, purpose="APPREHEND")).code == "REFUSED"  # another purpose
    assert (await stop(strict)).status == 200
    assert (await stop(strict)).code == "REFUSED"  # good for one search


async def test_from_the_command_line_too(
    strict: Asker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal(strict.demo, tmp_path, capsys)
    assert (await stop(strict, "GH12JKL")).code == "REFUSED"
    _, out, _ = await terminal.run("SG", "casework", "countersign")
    waiting = json.loads(out)[0]  # the newest first
    code, out, _ = await terminal.run("SG", "casework", "countersign", waiting["id"])
    assert (code, json.loads(out)["id"]) == (0, waiting["id"])
    assert (await stop(strict, "GH12JKL")).status == 200


async def test_a_duty_supervisor_agrees_for_an_agency_without_sergeants(strict: Asker) -> None:
    desk = Desk(asker=strict)
    asked = await strict.ask("IE", VEHICLE, {"v": "AB12CDE"}, purpose="OFFICER_SAFETY")
    assert asked.code == "REFUSED"
    (waiting,) = (await desk.raw("DS", WAITING)).data["toCountersign"]
    assert (await desk.raw("GD", AGREE, id=waiting["id"])).data == {"countersign": None}
    assert (await desk.raw("DS", AGREE, id=waiting["id"])).data["countersign"]["until"]


async def test_who_agrees_is_told_of_a_search_by_face(
    strict: Asker, population: Population
) -> None:
    refused = await search(strict, probe(strict, population))
    assert refused.body["errors"][0]["extensions"]["rule"] == "obligation.second_person"
    waiting = (await Desk(asker=strict).raw("NO", WAITING)).data["toCountersign"]
    assert [(one["face"], one["roles"]) for one in waiting] == [(True, ["bureau_officer"])]


async def test_another_agencys_question_is_like_none(strict: Asker) -> None:
    desk = Desk(asker=strict)
    asked = await strict.ask(
        "AO", VEHICLE, {"v": "AB12CDE"}, purpose="OFFICER_SAFETY", reason="R02"
    )
    assert asked.code == "REFUSED"
    found = await strict.demo.started.office.store.to_countersign(["SCP"], 10)
    (id_,) = [one.id for one in found]
    for wrong in (id_, "none"):
        assert (await desk.raw("SG", AGREE, id=wrong)).data == {"countersign": None}
    assert id_ not in str((await desk.raw("SG", WAITING)).body)


# --- for a time only, and whose screen it was ---

IMAGES = (
    "query($n: [PersonCriteria!]!) { personSearch(anyOf: $n) { hits { images { ref expires } } } }"
)


async def test_images_are_shown_for_a_time_under_a_watermark(
    asker: Asker, population: Population
) -> None:
    answer = await asker.ask(
        "NO", IMAGES, {"n": [{"identifier": "ZZ0000000"}]}, purpose="OIC_INVESTIGATION"
    )
    told = answer.body["extensions"]["conditions"]
    receipt = answer.body["extensions"]["receipt"]
    until = datetime.fromisoformat(told["showUntil"])
    left_s = (until - datetime.fromisoformat(receipt["at"])).total_seconds()
    assert 800 < left_s <= 900
    agency, officer_token, _at, query_id = told["watermark"].split()
    assert (agency, query_id) == ("NCB", receipt["queryId"])
    assert PERSONAS["NO"].sub not in told["watermark"]
    log = asker.demo.started.log
    leaf = read_leaf(await log.leaf(receipt["logEntry"]))
    assert leaf["who"]["actor"].startswith(officer_token)  # so the log finds whose screen it was


async def test_an_answer_without_conditions_says_nothing_of_any(asker: Asker) -> None:
    answer = await asker.ask("RO", VEHICLE, {"v": "AB12CDE"}, purpose="OFFICER_SAFETY")
    assert answer.status == 200
    assert "conditions" not in answer.body["extensions"]


async def test_a_search_by_face_needs_a_recent_sign_in(
    asker: Asker, population: Population
) -> None:
    yesterday = asker.saying("NO", auth_time=int(time.time()) - 24 * 3600)
    refused = await search(yesterday, probe(asker, population))
    assert refused.body["errors"][0]["extensions"]["rule"] == "obligation.reauthenticate"
    answer = await search(asker, probe(asker, population))
    assert answer.data["faceSearch"]
    await asker.came_of("NO", answer)
