"""Field policy cannot be got round by the shape of a query: threats AZ-.., over HTTP.

The person asked for is a canary (deploy/demo/world/canaries.py): its values are known and occur
nowhere else. docs/threats.md says where each threat is tried.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import httpx
import pytest

from deploy.demo.personas import PERSONAS
from deploy.demo.population import Agency, Population
from deploy.demo.world.canaries import OPEN, SILENT
from deploy.demo.world.copies import key_of
from deploy.demo.world.people import truth_id
from gateway.audit.entry import read_leaf
from gateway.cli.demo import Demo
from tests.e2e.asking import Answer, Asker
from tests.e2e.test_queries import document
from tests.e2e.test_tripwire import plain

WHO = [{"family": "Canarycheck", "given": "Canary", "dob": "1985-05-05"}]
HEAD = "query Q($n: [PersonCriteria!]!) "
NINO, PHONE, PASSPORT, CASE = "QQ990001", "2999417", "ZQ9900417", "canary case state"
HIDDEN = (NINO, PHONE, PASSPORT, CASE)


async def ask(asker: Asker, document: str, persona: str = "RO", **more: Any) -> Answer:
    why = {"purpose": "OFFICER_SAFETY", **more}
    return await asker.ask(persona, document, {"n": WHO}, **why)


def text_of(answer: Answer) -> str:
    return json.dumps(answer.body, ensure_ascii=False)


SHAPES = {
    "plain": HEAD + "{ personSearch(anyOf: $n) { hits { %s } } }",
    "aliases": HEAD
    + "{ a: personSearch(anyOf: $n) { c: hits { %s } } b: personSearch(anyOf: $n) { total } }",
    "named fragment": HEAD
    + "{ personSearch(anyOf: $n) { hits { ...F } } } fragment F on Person { %s }",
    "fragment in fragment": HEAD + "{ personSearch(anyOf: $n) { hits { ...F } } } "
    "fragment F on Person { ...G } fragment G on Person { %s }",
    "inline without type": HEAD + "{ personSearch(anyOf: $n) { hits { ... { %s } } } }",
    "inline on an interface": HEAD
    + "{ personSearch(anyOf: $n) { hits { ... on Record { ... on Person { %s } } } } }",
    "directives": HEAD + "{ personSearch(anyOf: $n) { hits { ... @include(if: true) { %s } } } }",
}
DENIED = "identifiers { value } contacts { value } immigration { status caseState }"


@pytest.mark.parametrize("shape", SHAPES)
async def test_az_02_a_denied_field_is_denied_in_every_shape(asker: Asker, shape: str) -> None:
    answer = await ask(asker, SHAPES[shape] % DENIED)
    assert "…9417" in text_of(answer)  # the records were found
    assert not [one for one in HIDDEN if one in text_of(answer)]
    assert answer.outcomes("immigration.caseState", agency="BID") == {"WITHHELD"}


EVENT = "query($r: String!) { eventSearch(by: {ref: $r}) { total hits { %s } } }"


@pytest.mark.parametrize(
    "selected",
    ["__typename", "when", "... on Incident { when }", "... on Event { eventRef }",
     "... on Incident { ... on Event { owner } narrative }"],
)  # fmt: skip
async def test_az_03_a_kind_that_is_silent_is_so_by_interface_and_by_type(
    asker: Asker, population: Population, selected: str
) -> None:
    """AZ-04 and AZ-05 too: neither row, nor `__typename`, nor count."""
    ref = next(i.ref for i in population.incidents if i.agency is Agency.SCP and i.flags)
    why: dict[str, Any] = {"purpose": "IMMIGRATION_CONTROL", "caseRef": "BID-26-000731"}
    held = await asker.ask("IE", EVENT % selected, {"r": ref}, **why)
    nothing = await asker.ask("IE", EVENT % selected, {"r": ref[:-1] + "_"}, **why)
    assert (held.status, held.data) == (200, nothing.data)
    seen = await asker.ask("PP", EVENT % selected, {"r": ref}, purpose="PROTECT_VULNERABLE")
    assert seen.hits("eventSearch")  # it is there, for whom it may be
    assert "Incident" not in text_of(held).replace("_typename", "")


async def test_az_06_one_list_of_an_interface_is_decided_for_each_kind(
    asker: Asker, population: Population
) -> None:
    incident = next(i for i in population.incidents if i.ref.endswith("900417"))
    document = """query($i: String!, $l: String!) {
      a: eventSearch(by: {ref: $i}) { hits { __typename when } }
      b: eventSearch(by: {ref: $l}) { hits { __typename when } } }"""
    asked = {"i": incident.ref, "l": population.landings[0].ref}

    async def kinds(persona: str, purpose: str) -> list[set[str]]:
        answer = await asker.ask(persona, document, asked, purpose=purpose)
        return [{row["__typename"] for row in answer.hits(alias)} for alias in ("a", "b")]

    assert await kinds("RO", "PREVENT_DETECT_CRIME") == [{"Incident"}, {"Landing"}]
    assert await kinds("BF", "BORDER_SECURITY") == [set(), {"Landing"}]


async def test_az_06_two_kinds_in_one_list_are_each_decided_by_their_own_rules(
    asker: Asker, population: Population
) -> None:
    """Crimes and stops in one district. To the officer another force's crimes are hits."""
    document = """query($p: Postcode!) { eventSearch(by: {postcode: $p}, first: 100) { hits {
      __typename owner ... on Stop { power } ... on Incident { title: eventRef } } } }"""
    crimes = {one.address.postcode for one in population.incidents if one.agency is Agency.SCP}
    both = crimes & {one.address.postcode for one in population.stops}
    told: set[str] = set()
    for postcode in sorted({one.split()[0] for one in both})[:4]:  # she asks by the district
        rows: dict[str, list[dict[str, Any]]] = {}
        for persona in ("NO", "RO"):
            why: dict[str, Any] = {"purpose": "PROTECT_VULNERABLE"}
            answer = await asker.ask(persona, document, {"p": postcode}, **why)
            rows[persona] = answer.hits("eventSearch")
        kinds = {(row["__typename"], row["owner"]) for row in rows["NO"]}
        if {("Stop", "NMC"), ("Incident", "SCP")} <= kinds:
            assert {("Incident", "SCP")} == kinds - {
                (row["__typename"], row["owner"]) for row in rows["RO"]
            }
            assert all("power" in row for row in rows["RO"] if row["__typename"] == "Stop")
            told |= answer.outcomes("eventSearch.hits", agency="SCP")
    assert told == {"HIT"}


async def test_az_08_policy_and_log_take_the_operation_that_runs(asker: Asker) -> None:
    two = "query A($v: Vrm!) { vehicle(vrm: $v) { make } } "
    two += "query B($n: [PersonCriteria!]!) { personSearch(anyOf: $n)"
    two += " { hits { identifiers { value } } } }"
    why = {"purpose": "OFFICER_SAFETY", "reasonCode": "R01", "incidentRef": "NM-26-0000001"}
    body = {"query": two, "variables": {"n": WHO}, "extensions": {"justification": why}}
    for name in (None, "C"):
        reply = await asker.post("RO", body | ({"operationName": name} if name else {}))
        assert reply.status_code in (200, 400)
        assert "data" not in reply.json()
    log = asker.demo.started.log

    async def intent(reply: httpx.Response) -> dict[str, Any]:
        receipt = reply.json()["extensions"]["receipt"]
        at = receipt["logEntry"]
        earlier = [read_leaf(await log.leaf(n)) for n in range(max(0, at - 50), at)]
        (found,) = [leaf for leaf in earlier if leaf.get("request_id") == receipt["queryId"]]
        assert found["kind"] == "I"
        assert found["query"]["document"] == hashlib.sha256(two.encode()).hexdigest()
        return found

    first = await asker.post("RO", body | {"operationName": "A", "variables": {"v": "SN68BTX"}})
    assert set(first.json()["data"]) == {"vehicle"}
    assert "Vehicle" in str((await intent(first))["plan"])
    assert "Person" not in str((await intent(first))["plan"])
    reply = await asker.post("RO", body | {"operationName": "B"})
    assert set(reply.json()["data"]) == {"personSearch"}
    assert "Person" in str((await intent(reply))["plan"])
    assert "Vehicle" not in str((await intent(reply))["plan"])
    assert "…0417" in str(reply.json())
    assert PASSPORT not in reply.text
    assert NINO not in reply.text


async def test_az_09_merged_duplicates_are_each_decided(asker: Asker) -> None:
    document = (
        HEAD
        + """{
      personSearch(anyOf: $n) { hits { contacts { kind } immigration { status } } }
      personSearch(anyOf: $n) { hits { contacts { value } ... on Person { contacts { value } } } }
      personSearch(anyOf: $n) { hits { immigration { caseState } } } }"""
    )
    answer = await ask(asker, document)
    assert answer.hits(owner=None)
    assert not [one for one in HIDDEN if one in text_of(answer)]
    assert answer.outcomes("immigration.caseState", agency="BID") == {"WITHHELD"}


async def test_az_10_a_default_and_the_value_itself_are_the_same_question(asker: Asker) -> None:
    hits = "{ personSearch(anyOf: $n) { hits { owner contacts { value } } } }"
    given = await ask(asker, HEAD + hits)
    default = '[{family: "Canarycheck", given: "Canary", dob: "1985-05-05"}]'
    why: dict[str, Any] = {"purpose": "OFFICER_SAFETY"}
    defaulted = f"query Q($n: [PersonCriteria!]! = {default}) {hits}"
    assert (await asker.ask("RO", defaulted, **why)).data == given.data
    null = await asker.ask("RO", defaulted, {"n": None}, **why)  # null is no default
    assert null.code == "INVALID_OPERATION"


REF = "query($r: OpaqueRef!) { person(ref: $r) { owner primaryName contacts { value } } }"


@pytest.mark.parametrize(
    ("entity", "number"), [("Person", SILENT), ("Vehicle", OPEN), ("IntelligenceReport", SILENT)]
)
async def test_az_11_a_ref_of_what_is_hidden_is_like_one_of_nothing(
    asker: Asker, demo: Demo, entity: str, number: int
) -> None:
    """AZ-12 too: byte by byte but for the receipt."""
    refs = demo.started.gate.refs
    why: dict[str, Any] = {"purpose": "OFFICER_SAFETY"}
    hidden = refs.seal("NMC", "ncb", entity, key_of(Agency.NCB, number))
    absent = refs.seal("NMC", "ncb", entity, "00000000-0000-4000-8000-000000000000")
    one = await asker.ask("RO", REF, {"r": hidden}, **why)
    other = await asker.ask("RO", REF, {"r": absent}, **why)
    assert (plain(one.body), one.status) == (plain(other.body), other.status)
    assert one.data == {"person": None}
    known = refs.seal("NMC", "ncb", "Person", key_of(Agency.NCB, OPEN))
    assert (await asker.ask("RO", REF, {"r": known}, **why)).data["person"]["owner"] == "NCB"


async def test_az_15_what_links_records_is_in_no_answer(
    asker: Asker, population: Population
) -> None:
    links = HEAD + "{ personSearch(anyOf: $n) { hits { owner vehicles { make } images { ref } } } }"
    answer = await ask(asker, links)
    held = population.people[truth_id(OPEN)].copies
    assert {row["owner"] for row in answer.hits()} >= {"NMC", "SCP"}
    assert not [copy.key for copy in held.values() if copy.key in text_of(answer)]
    asked = await ask(asker, SHAPES["plain"] % "nativeKey imageSubject")
    assert asked.code == "INVALID_OPERATION"


async def test_az_16_a_value_comes_only_from_where_it_may(asker: Asker) -> None:
    answer = await ask(
        asker, SHAPES["plain"] % "owner identifiers { kind value }", persona="IE",
        purpose="IMMIGRATION_CONTROL", caseRef="BID-26-000731",
    )  # fmt: skip
    found = {
        row["owner"]: {i["value"] for i in row["identifiers"] if i["kind"] == "PASSPORT"}
        for row in answer.hits()
    }
    assert found.pop("BID") == {PASSPORT}
    assert found
    assert all(PASSPORT not in values for values in found.values()), found


async def test_az_23_everybody_is_shown_the_same_schema(asker: Asker) -> None:
    document = "{ __schema { types { name description fields { name description } } } }"
    shown = [
        (await asker.ask(who, document, purpose=why)).data
        for who, why in (("RO", "OFFICER_SAFETY"), ("NO", "OIC_INVESTIGATION"))
    ]
    assert shown[0] == shown[1]


async def test_az_24_another_documents_text_is_not_trusted(asker: Asker, demo: Demo) -> None:
    token = await asyncio.to_thread(demo.token, "RO", "nmc-mobile")
    why = {"purpose": "OFFICER_SAFETY", "reasonCode": "R01", "incidentRef": "NM-26-0000001"}
    reply = await asker.client.post(
        demo.graphql,
        json={"query": SHAPES["plain"] % "owner", "variables": {"n": WHO},
              "extensions": {"justification": why}},
        headers={"Authorization": f"Bearer {token}"},
    )  # fmt: skip
    assert reply.status_code == 403
    assert reply.json()["errors"][0]["extensions"]["rule"] == "refuse.documents"


@pytest.mark.parametrize(
    ("code", "app", "own", "another"),
    [
        ("RO", "nmc-mobile", "vehicle_stop", "arrival"),
        ("AO", "scp-arrivals", "arrival", "vehicle_stop"),
    ],
)
async def test_az_24_a_document_of_another_app_is_not_this_apps(
    asker: Asker, demo: Demo, code: str, app: str, own: str, another: str
) -> None:
    """By its SHA-256 it is like one that there is not, as text like one nobody registered."""
    token = await asyncio.to_thread(demo.token, code, app)
    why = {"purpose": "OFFICER_SAFETY", "reasonCode": "R01", "incidentRef": "NM-26-0000001"}
    given = {"vehicle_stop": {"vrm": "SN68BTX"}, "arrival": {"who": WHO}}

    async def sent(name: str, digest: str = "", **body: str) -> httpx.Response:
        persisted = {"version": 1, "sha256Hash": digest}
        extensions = {"justification": why} | ({"persistedQuery": persisted} if digest else {})
        return await asker.client.post(
            demo.graphql, json={"variables": given[name], "extensions": extensions, **body},
            headers={"Authorization": f"Bearer {token}"},
        )  # fmt: skip

    digests = {name: hashlib.sha256(document(name).encode()).hexdigest() for name in given}
    assert (await sent(own, digests[own])).status_code == 200
    nothing, stranger = await sent(own, "0" * 64), await sent(another, digests[another])
    assert stranger.status_code == nothing.status_code == 400
    assert message(stranger) == message(nothing)
    as_text = await sent(another, query=document(another))
    if app == "nmc-mobile":  # it may send registered documents only; the other any text
        assert as_text.status_code == 403
        assert as_text.json()["errors"][0]["extensions"]["rule"] == "refuse.documents"
    else:
        assert as_text.status_code == 200


def message(reply: httpx.Response) -> tuple[str, str]:
    (error,) = reply.json()["errors"]
    return error["message"], error["extensions"]["code"]


async def test_az_26_breaking_the_glass_is_for_some_and_widens_nothing(asker: Asker) -> None:
    """Who is not trained for it is refused; of the others a desk is told, with a clock, and the
    record says it in its leaf, without the words."""
    document, glass = SHAPES["plain"] % DENIED, {"reason": "R12", "breakGlass": "Somebody may die"}
    refused = await ask(asker, document, **glass)
    assert (refused.status, refused.code) == (403, "REFUSED")
    assert refused.body["errors"][0]["extensions"]["rule"] == "refuse.break_glass"
    usual = await ask(asker, document, persona="NO")
    broken = await ask(asker, document, persona="NO", **glass)
    assert broken.data == usual.data
    query = broken.body["extensions"]["receipt"]["queryId"]
    store = asker.demo.started.office.store
    told = [one for one in await store.notices_of("NCB", 10_000) if one.subject == query]
    assert [(one.about, one.desk, one.asker and one.asker.id) for one in told] == [
        ("GLASS_BROKEN", "ncb-intel", PERSONAS["NO"].sub)
    ]
    assert told[0].due_at is not None
    log = asker.demo.started.log
    leaves = [read_leaf(await log.leaf(n)) for n in range(log.size)]
    own = [leaf for leaf in leaves if leaf.get("request_id") == query]
    said = [leaf["purpose"] for leaf in own if "purpose" in leaf]
    assert said
    assert all(one["break_glass"] is True and "Somebody" not in str(one) for one in said)
    silent = await ask(asker, document, persona="NO", reasonText=None, **glass)
    assert (silent.status, silent.code) == (403, "REFUSED")  # its reason in words is demanded


async def test_az_28_what_is_denied_is_said_field_by_field(asker: Asker) -> None:
    fields = (
        "owner system primaryName sex dateOfBirth names { full } immigration { status caseState }"
    )
    answer = await ask(asker, SHAPES["plain"] % fields)
    (row,) = answer.hits(owner="BID")
    assert row["primaryName"]
    assert row["sex"]
    assert row["immigration"]["caseState"] is None
    assert {e["outcome"] for e in answer.said("caseState", agency="BID")} == {"WITHHELD"}
