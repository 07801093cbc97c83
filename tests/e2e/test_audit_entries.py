"""What a query leaves in the log, through the whole gateway: small leaves, and parts by which each
agency can have it shown what was disclosed of its records."""

from __future__ import annotations

import copy
import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.story import STEPS, Step
from gateway.audit.disclosed import undisclosed
from gateway.audit.entry import ASKER, KEEPER, owner_part, parts_of, read_leaf
from gateway.audit.rulings import digest_again
from gateway.audit.terms import terms_of_text
from gateway.catalogue.check import files_digest
from tests.e2e.asking import REASON, Answer, Asker

LONGEST_LEAF = 4_096
_TOKEN = re.compile(r"[0-9a-f]{16,}")
ARRIVAL, STREET_STOP = STEPS[0], STEPS[1]


async def asked(asker: Asker, step: Step) -> Answer:
    justification = dict(step.justification)
    purpose, reason = justification.pop("purpose"), justification.pop("reasonCode")
    return await asker.ask(
        step.persona, step.text, step.variables, purpose=purpose, reason=reason, **justification
    )


async def entries(asker: Asker, answer: Answer) -> dict[str, tuple[int, dict[str, Any]]]:
    """The intent and the outcome of a query, by kind: number and leaf; each leaf is small."""
    log, receipt = asker.demo.started.log, answer.body["extensions"]["receipt"]
    found: dict[str, tuple[int, dict[str, Any]]] = {}
    for index in range(max(0, receipt["logEntry"] - 200), receipt["logEntry"] + 1):
        data = await log.leaf(index)
        leaf = read_leaf(data)
        if leaf.get("request_id") == receipt["queryId"]:
            assert len(data) < LONGEST_LEAF
            found[leaf["kind"]] = index, leaf
    assert sorted(found) == ["I", "O"]
    return found


async def test_each_agency_can_have_it_shown_what_was_disclosed_and_nobody_reads_another_s(
    asker: Asker,
) -> None:
    answer = await asked(asker, ARRIVAL)
    index, leaf = (await entries(asker, answer))["O"]
    log = asker.demo.started.log
    parts = parts_of(leaf)
    owners = {hit["owner"] for hit in answer.hits()}
    assert owners == {"BID", "ERU", "NCB", "NMC", "SCP"}
    assert set(parts) == {ASKER, *map(owner_part, owners | {"NIS"})}  # whose images they are
    assert all(key.startswith(name.removeprefix("owner/")) for name, key in parts.items()
               if name != ASKER)  # fmt: skip
    assert leaf["tag"] == "combination"
    changed = copy.deepcopy(answer.body)
    shown = changed["data"]["personSearch"]["hits"]
    for agency in owners:
        detail = await log.detail(index, owner_part(agency))
        assert undisclosed(answer.body, detail) == []
        at = next(n for n, hit in enumerate(shown) if hit["owner"] == agency)
        shown[at]["sex"] = "something else"
        assert f"personSearch.hits.{at}.sex" in undisclosed(changed, detail)
        mine = [one for one in answer.body["extensions"]["disclosure"] if one["agency"] == agency]
        assert len(detail["told"]) == len(mine)
    kept = [(await log.detail(index, name))["records"] for name in parts if name != ASKER]
    assert sum(map(len, kept)) == sum(rows for _, rows, *_ in leaf["sources"].values())


@pytest.mark.parametrize("step", [ARRIVAL, STREET_STOP], ids=lambda step: step.id)
async def test_no_part_holds_a_value_that_was_disclosed(asker: Asker, step: Step) -> None:
    answer = await asked(asker, step)
    found = await entries(asker, answer)
    index, leaf = found["O"]
    log = asker.demo.started.log
    said = [*[await log.detail(index, n) for n in parts_of(leaf)], leaf, found["I"][1]]
    told = _TOKEN.sub("", json.dumps(said))  # in which four digits stand together by chance
    for value in ("Hodja", "HODJA", "Hoxha", "BA4417093", "1991", "447700900417"):
        assert value not in told


async def test_AU_09_what_is_asked_is_kept_whole_however_much(asker: Asker) -> None:
    """As much as the limits allow: 64 KiB and more of what is sealed, and the leaves stay small."""
    who = [{"family": "Exampleova", "dob": str(year)} for year in range(1950, 1980)]
    names = [f"search{n}" for n in range(10)]
    fields = (
        "ref owner system sex primaryName names { full family given kind script } dateOfBirth "
        "dobQuality nationalities { country claimed } identifiers { kind value } "
        "contacts { kind value } warnings { kind reason } immigration { status caseState }"
    )
    roots = (f"{name}: personSearch(anyOf: $who) {{ hits {{ {fields} }} }}" for name in names)
    text = f"query ($who: [PersonCriteria!]!) {{ {' '.join(roots)} }}"
    answer = await asker.ask("AO", text, {"who": who}, purpose="PROTECT_VULNERABLE", reason="R07")
    assert set(answer.data) == set(names)
    index, leaf = (await entries(asker, answer))["I"]
    question = await asker.demo.started.log.detail(index)
    assert len(json.dumps(question)) > 65_536
    assert question["variables"] == {"who": who}
    assert all(name in question["text"] for name in names)
    kept = {source: sorted(of) for source, of in question["visits"].items()}
    assert kept == {source: sorted(of) for source, of in leaf["plan"]["visits"].items()}


async def test_the_auditors_of_the_asker_s_agency_read_the_question_and_no_result(
    asker: Asker,
) -> None:
    answer = await asked(asker, ARRIVAL)
    found = await entries(asker, answer)
    log = asker.demo.started.log
    index, leaf = found["I"]
    parts = parts_of(leaf)
    assert (list(parts), parts[KEEPER].split("/")[0]) == ([ASKER, KEEPER], "GATEWAY")
    question = await log.detail(index)
    assert question["variables"]["who"][3] == {"identifier": "BA4417093"}
    assert question["why"]["reason"] == ARRIVAL.justification["reasonText"]
    result = await log.detail(found["O"][0])
    assert sorted(result) == ["cause", "salt"]


QUIET = """query Quiet($p: String!) {
  personSearch(anyOf: [{family: $p}]) {
    hits { owner primaryName safeguarding { kind } intelligence { ref urn } } } }"""


async def test_what_policy_keeps_silent_looks_as_if_it_had_been_asked(asker: Asker) -> None:
    """To all who read the leaf and the asker's part; the keeper alone has what it was."""
    answer = await asker.ask("IE", QUIET, {"p": "Hodja"}, purpose="IMMIGRATION_CONTROL")
    assert answer.status == 200, answer.body
    index, leaf = (await entries(asker, answer))["I"]
    log = asker.demo.started.log
    detail = await log.detail(index)
    assert "silent" not in json.dumps([leaf, detail]).casefold()
    kept = {(place, manner) for place, _, _, manner, _, _ in
            (await log.detail(index, KEEPER))["silent"]}  # fmt: skip
    assert {("Person.safeguarding", "SILENT"), ("Person>IntelligenceReport", "SILENT")} <= kept
    assert not any("safeguarding" in row[0] for row in detail["rulings"])


async def test_what_was_decided_is_kept_with_its_rules_and_gives_the_leaf_s_digest(
    asker: Asker,
) -> None:
    answer = await asked(asker, STREET_STOP)
    index, leaf = (await entries(asker, answer))["I"]
    log = asker.demo.started.log
    detail, kept = await log.detail(index), await log.detail(index, KEEPER)
    rulings = {(place, use, manner, rule) for place, use, _, manner, rule, _ in detail["rulings"]}
    assert ("Person.names", "read", "CLEAR", "Person.names:clear") in rulings
    hit = ("Person.safeguarding", "record", "HIT_ONLY", "Person.safeguarding:protection_hit")
    assert hit in rulings
    told = {one["rule"] for one in answer.body["extensions"]["disclosure"] if "rule" in one}
    assert told <= {rule for *_, rule in rulings}
    hmac = asker.demo.started.gate.audit.hmac
    assert leaf["policy"]["decision"] == hmac("decision", digest_again(detail, kept))


async def test_a_refusal_says_by_what_it_was_decided(asker: Asker) -> None:
    answer = await asker.ask("IE", QUIET, {"p": "Hodja"}, purpose="MISSING_PERSON")
    assert answer.code == "REFUSED"
    log = asker.demo.started.log
    index = answer.body["extensions"]["receipt"]["logEntry"]
    leaf = read_leaf(await log.leaf(index))
    assert leaf["kind"] == "D"
    assert leaf["policy"]["serial"] == asker.demo.started.gate.pdp.serial
    digest = digest_again(await log.detail(index), await log.detail(index, KEEPER))
    hmac = asker.demo.started.gate.audit.hmac
    assert leaf["policy"]["decision"] == hmac("decision", digest)


async def test_the_release_of_the_policy_is_in_the_log_before_what_it_decided(
    asker: Asker,
) -> None:
    await asked(asker, STREET_STOP)
    log, serial = asker.demo.started.log, asker.demo.started.gate.pdp.serial
    leaves = [read_leaf(await log.leaf(number)) for number in range(min(log.size, 200))]
    first = next(n for n, leaf in enumerate(leaves) if "serial" in leaf.get("policy", {}))
    assert leaves[first]["kind"] == "P"
    said = leaves[first]["release"]
    assert (said["from"], said["to"], "refused" in said) == (0, serial, False)
    assert said["revisions"]
    assert said["engine"]


def documented() -> dict[str, tuple[str, frozenset[str]]]:
    """By name in the leaf the kinds that may have it, and the names within it, by docs/audit.md."""
    text = (Path(__file__).parents[2] / "docs/audit.md").read_text("utf-8")
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for names, kinds in re.findall(r"^\| (`[^|]+`) \| ([IORDFVPK]+) \|", text, re.MULTILINE):
        first, colon, within = names.partition(": ")
        inner = frozenset(re.findall(r"`(\w+)`", within))
        for name in re.findall(r"`(\w+)`", first):
            found[name] = kinds, inner if colon else frozenset()
    return found


async def test_leaves_say_what_is_documented_and_nothing_else(asker: Asker) -> None:
    """All that this log has: questions, refusals, failures, views, releases of the policy."""
    known = documented()
    await asked(asker, STREET_STOP)
    await asker.ask("IE", QUIET, {"p": "Hodja"}, purpose="MISSING_PERSON")
    await asker.ask("IE", "{ nothing }", purpose="MISSING_PERSON")
    nobody = await asker.client.post(asker.demo.graphql, json={"query": "{ __typename }"})
    assert nobody.status_code == 401
    text = "query ($use: Use!) { health(use: $use) { size } }"
    token = {"Authorization": f"Bearer {await asker.token('AF')}"}
    body = {"query": text, "variables": {"use": "OVERSIGHT"}}
    looked = await asker.client.post(f"{asker.demo.url}/audit", json=body, headers=token)
    assert looked.status_code == 200
    log = asker.demo.started.log
    kinds = set()
    for number in range(min(log.size, 2_000)):
        leaf = read_leaf(await log.leaf(number))
        kind = leaf["kind"]
        kinds.add(kind)
        for name, value in leaf.items():
            assert name in known, f"{name} is not documented"
            assert kind in known[name][0], f"{name} of kind {kind}"
            if known[name][1] and isinstance(value, dict):
                assert value.keys() <= known[name][1], name
    assert kinds >= set("IORDFVP")


async def test_the_leaf_says_by_what_a_question_was_read_and_with_which_assurance(
    asker: Asker,
) -> None:
    gate = asker.demo.started.gate
    sergeant = asker.saying("SG", acr="urn:example:two-factors")
    name = next(name for name, text in gate.parser.documents["nmc-control"].items()
                if "StreetStop" in text)  # fmt: skip
    reply = await sergeant.post("SG", {
        "variables": dict(STREET_STOP.variables),
        "extensions": {
            "persistedQuery": {"version": 1, "sha256Hash": name},
            "justification": {"purpose": "OFFICER_SAFETY", "reasonCode": "R02", **REASON,
                              "onBehalfOf": "demo-nmc-0001"},
        },
    })  # fmt: skip
    answer = Answer(status=reply.status_code, body=reply.json())
    assert answer.status == 200, answer.body
    index, leaf = (await entries(sergeant, answer))["I"]
    hmac = gate.audit.hmac
    assert leaf["who"]["acr"] == "urn:example:two-factors"
    assert leaf["purpose"]["on_behalf"] == hmac("on_behalf", "demo-nmc-0001")
    assert (leaf["query"]["document"], leaf["query"]["registered"]) == (name, True)
    assert leaf["query"]["mappings"] == files_digest(asker.demo.started.settings.catalogue_dir)[:32]
    sdl = gate.parser.schema.sdl().encode()
    assert leaf["query"]["schema"] == sha256(sdl).hexdigest()[:32]
    detail = await asker.demo.started.log.detail(index)
    assert (detail["operation"], detail["why"]["on_behalf_of"]) == ("StreetStop", "demo-nmc-0001")


async def test_a_search_is_found_by_what_an_auditor_types(asker: Asker) -> None:
    """By tokens of this quarter, which are not in the leaf."""
    answer = await asked(asker, ARRIVAL)
    index, leaf = (await entries(asker, answer))["I"]
    kept = {tuple(one) for one in (await asker.demo.started.log.detail(index))["terms"]}
    hmac = asker.demo.started.gate.audit.hmac
    for typed in ("hoxhaj", "BA 4417093", "07700 900417"):
        tokens = {(kind, hmac("term", f"{kind}|{v}")) for kind, v in terms_of_text(typed)}
        assert tokens & kept
        assert not any(token in json.dumps(leaf) for _, token in tokens)
    other = {(kind, hmac("term", f"{kind}|{v}")) for kind, v in terms_of_text("Nobody")}
    assert not other & kept
