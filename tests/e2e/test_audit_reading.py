"""Reading the record of the whole gateway: at /audit, by each who may, and by the command line."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.story import STEPS
from gateway.audit.entry import read_leaf
from gateway.audit.schema import Mutation, Query
from gateway.audit.verify import check_bundle, check_proof, read_proof
from gateway.cli import main
from gateway.cli.record import DOCUMENTS
from tests.e2e.asking import Answer, Asker
from tests.e2e.test_audit_entries import asked

ARRIVAL, STREET_STOP = STEPS[0], STEPS[1]
VEHICLE = "query Look($v: Vrm!) { vehicle(vrm: $v) { owner vrm } }"
PLATE = "ZZ99 QRS"


async def look(asker: Asker, who: str, document: str, **variables: Any) -> Answer:
    """What /audit says; by the documents that the command line sends."""
    text = (DOCUMENTS / f"{document}.graphql").read_text("utf-8")
    reply = await asker.client.post(
        f"{asker.demo.url}/audit",
        json={"query": text, "variables": variables},
        headers={"Authorization": f"Bearer {await asker.token(who)}"},
    )
    return Answer(status=reply.status_code, body=reply.json())


async def found(asker: Asker, who: str, **sought: Any) -> list[dict[str, Any]]:
    answer = await look(asker, who, "search", use="OVERSIGHT", sought={"kind": "I", **sought})
    rows: list[dict[str, Any]] = answer.data["search"]["rows"]
    return rows


async def seen(asker: Asker) -> None:
    """Once all that was written before can be found."""
    started = asker.demo.started
    size, ends = started.log.size, time.monotonic() + 20
    while started.follower.upto < size:
        assert time.monotonic() < ends, "the index does not follow"
        await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
async def stop(asker: Asker) -> Mapping[str, Any]:
    """The receipt of a street stop by RO of NMC, who asked for a plate of his own as well."""
    answer = await asked(asker, STREET_STOP)
    plate = await asker.ask("RO", VEHICLE, {"v": PLATE}, purpose="OFFICER_SAFETY", reason="R02")
    assert plate.status == 200
    await seen(asker)
    receipt: dict[str, Any] = answer.body["extensions"]["receipt"]
    return receipt


async def test_a_force_auditor_finds_a_search_by_what_was_typed_and_no_other_agency_s_does(
    asker: Asker, stop: Mapping[str, Any]
) -> None:
    (by_plate,) = await found(asker, "AF", typed=["zz99qrs"])
    assert by_plate["asked"]["officer"] == "demo-nmc-0001"
    assert json.loads(by_plate["asked"]["variables"]) == {"v": "ZZ99QRS"}
    assert by_plate["asked"]["reason"] == "A reason in words for the test"
    by_name = await found(asker, "AF", typed=["Hodja"], officer="demo-nmc-0001")
    assert stop["queryId"] in [row["queryId"] for row in by_name]
    scp = asker.saying("AO", roles=["force_auditor"])
    assert await found(scp, "AO", typed=["zz99qrs"]) == []
    assert stop["queryId"] not in [row["queryId"] for row in await found(scp, "AO")]
    refused = await look(asker, "AU", "search", use="OVERSIGHT", sought={"typed": ["zz99qrs"]})
    assert (refused.status, refused.code) == (403, "REFUSED")


async def test_a_search_is_found_by_a_rule_and_shows_by_which_it_was_decided(
    asker: Asker, stop: Mapping[str, Any]
) -> None:
    rule = "Person.safeguarding:protection_hit"
    rows = await found(asker, "AF", rule=rule)
    assert stop["queryId"] in [row["queryId"] for row in rows]
    assert await found(asker, "AU", rule=rule) == []  # it lies in bodies
    answer = await look(asker, "AF", "entry", use="OVERSIGHT", index=stop["logEntry"])
    entry = answer.data["entry"]
    assert entry["decided"] is True
    (hit,) = [one for one in entry["search"]["asked"]["rulings"] if one["rule"] == rule]
    assert hit == {
        "place": "Person.safeguarding", "use": "record", "fields": [], "manner": "HIT_ONLY",
        "rule": rule, "sources": ["bid", "eru", "ncb", "nmc", "scp"],
    }  # fmt: skip


async def test_AU_13_another_agency_s_entry_is_null_as_one_that_is_not_there(
    asker: Asker, stop: Mapping[str, Any]
) -> None:
    scp = asker.saying("AO", roles=["force_auditor"])
    for index in (stop["logEntry"], 2_000_000_000):
        answer = await look(scp, "AO", "entry", use="OVERSIGHT", index=index)
        assert answer.data == {"entry": None}


async def test_the_external_auditor_sees_the_leaf_with_its_proof_and_nothing_sealed(
    asker: Asker, stop: Mapping[str, Any]
) -> None:
    answer = await look(asker, "AU", "entry", use="OVERSIGHT", index=stop["logEntry"])
    entry = answer.data["entry"]
    assert entry["search"]["asked"] is None
    assert entry["search"]["queryId"] == stop["queryId"]
    verifier = asker.demo.started.log.verifier
    for leaf in entry["leaves"]:
        proof = read_proof(leaf["proof"]["text"].encode())
        assert proof.extra == leaf["leaf"].encode()
        check_proof(proof, bytes.fromhex(leaf["hash"]), verifier)
    assert entry["leaves"][-1]["hash"] == stop["leafHash"]
    for word in ("Hodja", "demo-nmc-0001"):
        assert word not in json.dumps(answer.body)


async def test_officers_find_their_own_searches_alone(
    asker: Asker, stop: Mapping[str, Any]
) -> None:
    mine = await look(asker, "RO", "mine", sought={"typed": ["zz99qrs"]})
    (row,) = mine.data["mine"]["rows"]
    assert row["asked"]["text"] == VEHICLE
    others = await look(asker, "SG", "mine", sought={"typed": ["zz99qrs"]})
    assert others.data["mine"]["rows"] == []
    entry = await look(asker, "RO", "entry", index=row["index"])
    assert [one["leaf"] for one in entry.data["entry"]["leaves"]] == [None, None]
    assert (await look(asker, "SG", "entry", index=row["index"])).data == {"entry": None}
    for document in ("search", "health", "receipts", "export"):
        assert (await look(asker, "RO", document, use="OVERSIGHT")).code == "REFUSED"


async def test_OI_14_every_look_is_an_entry_and_the_answer_carries_its_receipt(
    asker: Asker, stop: Mapping[str, Any]
) -> None:
    answer = await look(asker, "AF", "search", use="RIGHTS", sought={"typed": ["zz99qrs"]})
    receipt = answer.body["extensions"]["receipt"]
    log = asker.demo.started.log
    leaf = read_leaf(await log.leaf(receipt["logEntry"]))
    assert (leaf["kind"], leaf["request_id"]) == ("V", receipt["queryId"])
    assert leaf["view"]["use"] == "RIGHTS"
    assert leaf["view"]["rows"] == 1
    assert "query" in leaf["view"]
    detail = await log.detail(receipt["logEntry"])
    assert detail["asked"] == {"typed": ["zz99qrs"]}
    refused = await look(asker, "RO", "search", use="RIGHTS")
    assert refused.status == 403
    assert read_leaf(await log.leaf(log.size - 1))["kind"] in {"D", "I", "O"}


async def test_an_owner_reads_which_of_its_records_were_shown(
    asker: Asker, stop: Mapping[str, Any]
) -> None:
    answer = await look(asker, "AF", "receipts", use="OVERSIGHT", sought={"agency": "NMC"})
    rows = {row["index"]: row for row in answer.data["receipts"]["rows"]}
    row = rows[stop["logEntry"]]
    assert (row["agency"], row["purpose"]) == ("NMC", "OFFICER_SAFETY")
    leaf = read_leaf(await asker.demo.started.log.leaf(stop["logEntry"]))
    assert len(row["shown"]) == leaf["sources"]["nmc"][1] + leaf["sources"]["nmc"][4]
    assert any("sex" in one["fields"] for one in row["shown"])
    for value in ("Hodja", "1991", "demo-nmc"):
        assert value not in json.dumps(answer.body["data"])


async def test_no_look_at_audit_is_a_mutation_and_limits_come_first(asker: Asker) -> None:
    async def sent(text: str, token: str, **variables: Any) -> Answer:
        reply = await asker.client.post(
            f"{asker.demo.url}/audit",
            json={"query": text, "variables": variables},
            headers={"Authorization": f"Bearer {token}"},
        )
        return Answer(status=reply.status_code, body=reply.json())

    token = await asker.token("AF")
    for text in (
        "mutation { health(use: OVERSIGHT) { size } }",
        "{ a: health(use: OVERSIGHT) { size } b: health(use: OVERSIGHT) { size } }",
        "{ health { size } }",
        "{ health(use: CURIOSITY) { size } }",
        "{ personSearch { total } }",
    ):
        assert (await sent(text, token)).code in {"INVALID_OPERATION", "BAD_REQUEST"}
    fields = " ".join(f"a{n}: size" for n in range(31))
    many = await sent(f"{{ health(use: OVERSIGHT) {{ {fields} }} }}", token)
    assert many.code == "LIMIT_EXCEEDED"
    for first in (0, 201):
        text = f"{{ search(use: OVERSIGHT, first: {first}) {{ upto }} }}"
        assert (await sent(text, token)).code == "LIMIT_EXCEEDED"
    assert (await sent("{ health(use: OVERSIGHT) { size } }", "no token")).code == "UNAUTHENTICATED"
    good = await sent("{ health(use: LOG_HEALTH) { t: __typename size indexed healthy } }", token)
    assert good.data["health"]["healthy"] is True
    assert good.data["health"]["t"] == "LogHealth"


async def test_AU_19_the_command_line_searches_exports_and_verifies(
    asker: Asker,
    stop: Mapping[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PORTCULLIS_TOKEN", await asker.token("AF"))
    at = ["--url", f"{asker.demo.url}/audit", "--use", "INVESTIGATION"]

    async def run(*arguments: str) -> tuple[int, str]:
        status = await asyncio.to_thread(main, ["audit", *arguments])
        return status, capsys.readouterr().out

    status, printed = await run("search", "--typed", PLATE, "--kind", "I", "--json", *at)
    assert status == 0
    assert [json.loads(line)["asked"]["officer"] for line in printed.splitlines()] == [
        "demo-nmc-0001"
    ]
    target = tmp_path / "export.zip"
    await asker.demo.started.reading.inquiry.evidence.awaited(stop["logEntry"] + 2)
    sought = ("--officer", "demo-nmc-0001", "--kind", "I", "--first", "60")
    status, printed = await run("export", *sought, "--to", str(target), *at)
    assert status == 0, printed
    verifier = asker.demo.started.log.verifier.strip()
    status, printed = await run("verify", "--bundle", str(target), "--key", verifier)
    assert status == 0, printed
    policy = str(asker.demo.started.settings.audit_witnesses)
    whole = ("--bundle", str(target), "--key", verifier, "--policy", policy)
    status, printed = await run("verify", *whole)
    assert status == 0, printed
    assert "witnessed by" in printed
    assert check_bundle(target, verifier).entries >= 4
    with pytest.raises(SystemExit, match="already"):
        await run("export", *sought, "--to", str(target), *at)


async def test_an_owner_has_it_shown_what_was_disclosed_field_by_field_and_shows_it_to_others(
    asker: Asker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A field that was kept, one that was changed and one that was withheld."""
    answer = await asked(asker, ARRIVAL)
    receipt = answer.body["extensions"]["receipt"]
    await seen(asker)
    await asker.demo.started.reading.inquiry.evidence.awaited(receipt["logEntry"])
    monkeypatch.setenv("PORTCULLIS_TOKEN", await asker.token("AF"))
    at = ["--url", f"{asker.demo.url}/audit", "--use", "COMPLAINT"]
    path, target = tmp_path / "answer.json", tmp_path / "opened.json"

    async def run(*arguments: str) -> tuple[int, str]:
        status = await asyncio.to_thread(main, ["audit", *arguments])
        return status, capsys.readouterr().out

    body = json.loads(json.dumps(answer.body))
    path.write_text(json.dumps(body))
    status, printed = await run("disclosed", str(path), "--json", *at)
    assert status == 0, printed
    found = json.loads(printed)
    assert (found["agency"], found["index"]) == ("NMC", receipt["logEntry"])
    own = {one["place"]: one for one in found["places"] if one["field"]}
    assert {one["outcome"] for one in own.values()} == {"DISCLOSED"}
    number = next(n for n, hit in enumerate(answer.hits()) if hit["owner"] == "NMC")
    sex = f"personSearch.hits.{number}.sex"
    hidden = next(place for place in own if at_place(body["data"], place) is None)
    elsewhere = next(n for n, hit in enumerate(answer.hits()) if hit["owner"] != "NMC")
    assert not any(place.startswith(f"personSearch.hits.{elsewhere}.") for place in own)

    status, printed = await run(
        "disclosed", str(path), "--entry", str(receipt["logEntry"]), "--open", str(target),
        "--field", sex, "--field", hidden, *at,
    )  # fmt: skip
    assert status == 0, printed
    assert f"disclosed so          {sex}  (sex of Person in nmc)" in printed
    text = target.read_text()
    assert [one["item"][1] for one in json.loads(text)["items"]] == sorted(
        (sex, hidden), key=list(own).index
    )
    key = asker.demo.started.log.verifier.strip()
    offline = ("verify", "--disclosed", str(target), "--answer", str(path), "--key", key)
    policy = ("--policy", str(asker.demo.started.settings.audit_witnesses))
    status, printed = await run(*offline, *policy)
    assert status == 0, printed

    put_at(body["data"], sex, "something else")
    put_at(body["data"], hidden, "made up")
    body["data"]["personSearch"]["hits"][number]["added"] = "made up"
    path.write_text(json.dumps(body))
    status, printed = await run("disclosed", str(path), *at)
    assert status == 1
    others = [line.split()[3] for line in printed.splitlines() if line.startswith("other than")]
    assert others == sorted((sex, hidden), key=list(own).index)
    assert f"not of this entry     personSearch.hits.{number}.added" in printed
    status, printed = await run(*offline)
    assert status == 1
    assert printed.count("other than disclosed") == 2


OVERSEEN: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "overview": ({"span": "DAY"}, "AF AU"),
    "misuse": ({"first": 5, "pattern": "SELF", "state": "OPEN"}, "AF AU"),
    "misuse_case": ({"id": "self-0"}, "AF AU"),
    "samples": ({}, "AF AU SG"),
    "sample": ({"id": "none"}, "AF AU SG"),
    "reviews": ({}, "AF AU SG"),
    "review": ({"id": "none"}, "AF AU SG"),
    "matters": ({}, "AF AU"),
    "matter": ({"id": "none"}, "AF AU"),
    "recalls": ({}, "DK"),
}


@pytest.mark.parametrize("name", OVERSEEN)
async def test_what_the_console_shows_of_oversight_is_read_at_audit_by_the_same_people(
    asker: Asker, name: str
) -> None:
    """By the documents that lie ready; who looks alone where two are needed is refused."""
    args, allowed = OVERSEEN[name]
    use = {} if name == "recalls" else {"use": "OVERSIGHT"}
    log = asker.demo.started.log
    for who in ("AF", "AU", "SG", "DK", "RO", "PS"):
        answer = await look(asker, who, name, **use, **args)
        if who not in allowed.split() and (name, who) != ("overview", "PS"):
            assert (answer.status, answer.code) == (403, "REFUSED"), who
            continue
        assert answer.status == 200, answer.body
        receipt = answer.body["extensions"]["receipt"]
        leaf = read_leaf(await log.leaf(receipt["logEntry"]))
        assert (leaf["kind"], leaf["view"]["page"]) == ("V", name)


def test_every_field_of_audit_has_a_document_that_lies_ready() -> None:
    names = {one.stem for one in DOCUMENTS.glob("*.graphql")}
    fields = Query._meta.fields.keys() | Mutation._meta.fields.keys()
    assert names == set(fields)


async def test_counts_of_what_was_not_shown_are_for_auditors_alone(
    asker: Asker, stop: Mapping[str, Any]
) -> None:
    mine = (await look(asker, "RO", "mine")).data["mine"]["rows"]
    assert {row[name] for row in mine for name in ("masked", "withheld", "missing")} == {None}
    rows = {row["queryId"]: row for row in await found(asker, "AF")}
    leaf = read_leaf(await asker.demo.started.log.leaf(stop["logEntry"]))
    told = leaf["sources"].values()
    row = rows[stop["queryId"]]
    assert (row["masked"], row["withheld"]) == (sum(o[2] for o in told), sum(o[3] for o in told))
    assert row["missing"] == 0
    health = (await look(asker, "AF", "health", use="LOG_HEALTH")).data["health"]
    assert len(health["witnesses"]) >= 2


def at_place(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value[int(step) if isinstance(value, list) else step]
    return value


def put_at(value: Any, path: str, new: Any) -> None:
    around, _, step = path.rpartition(".")
    at_place(value, around)[step] = new


async def test_what_the_index_is_behind_is_a_metric(asker: Asker) -> None:
    await seen(asker)
    metrics = (await asker.client.get(f"{asker.demo.url}/metrics")).text
    (line,) = (
        one for one in metrics.splitlines() if one.startswith("portcullis_audit_index_behind ")
    )
    assert float(line.split()[1]) >= 0
