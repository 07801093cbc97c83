"""Bad input of every kind: the code of docs/errors.md, what to do, a log entry, nothing leaked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.audit.entry import read_leaf
from tests.e2e.asking import Asker

VEHICLE = "query($v: Vrm!) { vehicle(vrm: $v) { make } }"
WHY = {"purpose": "OFFICER_SAFETY", "reasonCode": "R02", "incidentRef": "NM-26-0000001"}


def body(**changed: Any) -> dict[str, Any]:
    return {
        "query": VEHICLE,
        "variables": {"v": "SN68BTX"},
        "extensions": {"justification": WHY},
    } | changed


@pytest.mark.parametrize(
    ("request_body", "status", "code", "hint"),
    [
        (body(query="query {"), 200, "INVALID_OPERATION", "Syntax"),
        (body(query="{ nothing }"), 200, "INVALID_OPERATION", "nothing"),
        (body(variables={}), 200, "INVALID_OPERATION", "$v"),
        (body(variables={"v": "???"}), 200, "INVALID_OPERATION", "AB12 CDE"),
        (body(extensions={}), 403, "PURPOSE_REQUIRED", "justification"),
        (body(extensions={"justification": {"purpose": "OFFICER_SAFETY"}}), 403,
         "PURPOSE_REQUIRED", "reasonCode"),
        (body(extensions={"justification": WHY | {"purpose": "IMMIGRATION_CONTROL"}}), 403,
         "REFUSED", "purpose"),
        (body(extensions={"justification": WHY | {"mood": "curious"}}), 403,
         "PURPOSE_REQUIRED", "knows only"),
        (body(query="mutation { a }"), 400, "BAD_REQUEST", "queries only"),
        (body(query="{ " + " ".join(f"a{n}: __typename" for n in range(101)) + " }"), 400,
         "LIMIT_EXCEEDED", "aliases"),
        (body(query="{ " + "__typename " * 500 + "}"), 400, "LIMIT_EXCEEDED", "repeats"),
        (body(query="{ " + "a { " * 60 + "b" + " }" * 60 + " }"), 400, "LIMIT_EXCEEDED", "depth"),
        (body(query="{ " + "a " * 3000 + "}"), 400, "LIMIT_EXCEEDED", "tokens"),
        ([body(), body()], 400, "BAD_REQUEST", "One operation"),
        (body(extensions={"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}, query=None),
         400, "BAD_REQUEST", "persisted"),
    ],
)  # fmt: skip
async def test_bad_input_gets_its_code_and_says_what_to_do(
    asker: Asker, request_body: Any, status: int, code: str, hint: str
) -> None:
    before = asker.demo.started.log.size
    if isinstance(request_body, dict) and request_body.get("query") is None:
        del request_body["query"]
    reply = await asker.post("RO", request_body)
    answer = reply.json()
    assert answer["errors"][0]["extensions"]["code"] == code, answer
    assert reply.status_code == status
    assert hint in answer["errors"][0]["message"]
    assert "data" not in answer
    assert asker.demo.started.log.size == before + 1  # recorded, once
    assert "???" not in reply.text  # a value is not said back


async def test_a_wrong_token_is_told_nothing(asker: Asker) -> None:
    for headers in ({}, {"Authorization": "Bearer a.b.c"}, {"Authorization": "Basic YTpi"}):
        before = asker.demo.started.log.size
        reply = await asker.client.post(asker.demo.graphql, json=body(), headers=headers)
        assert reply.status_code == 401
        assert reply.json()["errors"][0]["message"] == "A valid access token is needed."
        assert asker.demo.started.log.size == before + 1  # kind F


async def test_a_document_number_with_a_wrong_check_letter(asker: Asker) -> None:
    document = "query($n: [PersonCriteria!]!) { personSearch(anyOf: $n) { total } }"
    before = asker.demo.started.log.size
    answer = await asker.ask(
        "RO", document, {"n": [{"identifier": "91/0004417A"}]}, purpose="OFFICER_SAFETY"
    )
    assert answer.code == "INVALID_OPERATION"
    assert "check letter" in json.dumps(answer.body)
    assert "0004417" not in json.dumps(answer.body)
    assert asker.demo.started.log.size == before + 1


async def test_a_wrong_date_and_a_criterion_too_wide(asker: Asker) -> None:
    document = "query($n: [PersonCriteria!]!) { personSearch(anyOf: $n) { total } }"
    for criteria, hint in (
        ({"dob": "1991-02-30"}, "1991-04-17"),
        ({"familyPrefix": "Ho"}, "3 characters"),
        ({"identifierKind": "PASSPORT"}, "at least one of"),
    ):
        before = asker.demo.started.log.size
        answer = await asker.ask("RO", document, {"n": [criteria]}, purpose="OFFICER_SAFETY")
        assert answer.code == "INVALID_OPERATION"
        assert asker.demo.started.log.size == before + 1
        assert hint in answer.body["errors"][0]["message"]


async def test_page_sizes_out_of_bounds_ask_no_source(asker: Asker) -> None:
    for first in (0, -1, 99_999_999, 2_147_483_647):
        document = f'{{ vehicle(vrm: "SN68BTX", first: {first}) {{ make }} }}'
        answer = await asker.ask("RO", document, purpose="OFFICER_SAFETY", reason="R02")
        assert answer.code == "LIMIT_EXCEEDED"


async def test_typename_needs_no_purpose(asker: Asker) -> None:
    reply = await asker.post("RO", {"query": "{ __typename }"})
    assert reply.status_code == 200
    assert reply.json()["data"] == {"__typename": "Query"}


async def test_sources_are_listed_without_asking_any(asker: Asker) -> None:
    reply = await asker.post("RO", {"query": "{ sources { agency system state holds } }"})
    listed = reply.json()["data"]["sources"]
    assert {"agency": "ERU", "state": "NOT_ASKED"}.items() <= next(
        s for s in listed if s["agency"] == "ERU"
    ).items()


async def test_health_and_metrics(asker: Asker) -> None:
    url = asker.demo.url
    assert (await asker.client.get(f"{url}/health/live")).status_code == 200
    assert (await asker.client.get(f"{url}/health/ready")).status_code == 200
    text = (await asker.client.get(f"{url}/metrics")).text
    assert "portcullis_queries_total" in text


async def visits(asker: Asker) -> set[str]:
    """How often each source was visited, by the gateway's own count."""
    text = (await asker.client.get(f"{asker.demo.url}/metrics")).text
    return {line for line in text.splitlines() if line.startswith("portcullis_source_visits_total")}


async def test_a_role_that_no_table_knows_asks_nothing(asker: Asker) -> None:
    """A true token of a real officer: the agency's directory says a role that policy has not."""
    assert (await asker.post("RO", body())).status_code == 200
    await asker.demo.started.tripwires.settled()
    log, before = asker.demo.started.log, await visits(asker)
    assert before
    unheld, unknown = (
        "None of your roles holds this purpose",
        "may ask agencies about",
    )
    for roles, words in (([], unheld), (["station_cat"], unknown)):
        size = log.size
        reply = await asker.saying("RO", roles=roles).post("RO", body())
        (error,) = reply.json()["errors"]
        assert (reply.status_code, error["extensions"]["code"]) == (403, "REFUSED")
        assert words in error["message"]
        assert error["extensions"]["contact"]
        assert "station_cat" not in reply.text
        assert log.size == size + 1
        assert (read_leaf(await log.leaf(size))["kind"]) == "D"
    assert await visits(asker) == before
