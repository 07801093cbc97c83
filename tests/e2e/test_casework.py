"""Q9: an officer asks the originator's desk to release a text, over HTTP, with the real policy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from deploy.demo.population import Agency, Population, Report
from gateway.audit.entry import read_leaf
from gateway.casework.database import address
from gateway.casework.model import Notice, Officer, State, Told
from gateway.casework.store import Store
from gateway.casework.tables import grants, requests
from gateway.cli.demo import Demo
from tests.e2e.asking import APPS, REASON, Answer, Asker
from tests.e2e.owngateway import served
from tests.e2e.test_queries import REPORTS, shared
from tests.opa import opa, unbounded

ASK = """mutation Ask($r: String!, $f: [String!]!, $t: String, $u: Urgency) {
  requestRelease(record: $r, fields: $f, until: $t, urgency: $u) {
    id state dueAt at agency desk onCall fields record key minutes urgency } }"""
DECIDE = """mutation Decide($id: ID!, $grant: GrantInput, $refusal: String) {
  decideRelease(id: $id, grant: $grant, refusal: $refusal) { id state granted until refusal } }"""
BY_REF = """query($r: OpaqueRef!) { intelligence(ref: $r) {
  ref urn title text paragraphs { text } persons { ref } } }"""
QUEUE = "{ deskQueue { id record key askedBy purpose reasonText fields state } }"
NOTICES = "{ notices(first: 200) { id about subject desk } }"
MINE = "{ myRequests { id state refusal until revokedAt revocation } }"
STANDING = "{ standingReleases { id key granted until askedBy } }"
REVOKE = """mutation Revoke($id: ID!, $code: String!) {
  revokeRelease(id: $id, code: $code) { id state until revokedAt revocation } }"""
REFS = """query($n: [PersonCriteria!]!) { personSearch(anyOf: $n, first: 50) { hits { owner
  intelligence { ref urn text } } } }"""
WHY = {"purpose": "OIC_INVESTIGATION", "reasonCode": "R08", **REASON}


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Acts at /casework as a persona."""

    asker: Asker

    async def raw(self, persona: str, document: str, why: Any = None, **variables: Any) -> Answer:
        token = await self.asker.token(persona)
        body = {"query": document, "variables": variables}
        if why is not None:
            body["extensions"] = {"justification": why}
        reply = await self.asker.client.post(
            f"{self.asker.demo.url}/casework",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
        )
        return Answer(status=reply.status_code, body=reply.json())

    async def ask(
        self, persona: str, ref: str, *fields: str, why: Mapping[str, Any] = WHY, **more: Any
    ) -> Answer:
        return await self.raw(persona, ASK, why, r=ref, f=list(fields or ("text",)), **more)

    async def grant(self, id_: str, *fields: str, until: str = "PT24H") -> Answer:
        given = {"fields": list(fields or ("text",)), "until": until}
        return await self.raw("DK", DECIDE, id=id_, grant=given)

    async def told(self, subject: str) -> list[str]:
        """What the originator's desk was told about a request."""
        answer = await self.raw("DK", NOTICES)
        return [one["about"] for one in answer.data["notices"] if one["subject"] == subject]


@pytest.fixture(scope="module")
def desk(asker: Asker) -> Desk:
    return Desk(asker=asker)


@pytest.fixture(scope="module")
def mixed(population: Population) -> Report:
    """A report coded P with a paragraph coded C: its text is withheld from other agencies."""
    return shared(population, Agency.ERU, mixed=True)


def about(population: Population, report: Report) -> list[dict[str, str]]:
    copy = population.people[report.subjects[0]].copies[report.agency]
    birth = copy.birth
    exact = birth.earliest or date(birth.year or 0, birth.month or 0, birth.day or 0)
    return [{"family": copy.name.family, "dob": exact.isoformat()}]


def ref_of(demo: Demo, agency: str, urn: str) -> str:
    """The ref by which an agency knows a report, as a colleague might have passed it on."""
    return demo.started.gate.refs.seal(agency, "eru", "IntelligenceReport", urn)


async def seen(asker: Asker, persona: str, who: Any, urn: str, purpose: str, reason: str) -> Any:
    answer = await asker.ask(persona, REFS, {"n": who}, purpose=purpose, reason=reason)
    rows = [i for row in answer.hits(owner="ERU") for i in row["intelligence"]]
    (row,) = [row for row in rows if row["urn"] == urn]
    return row


async def until(demo: Demo, id_: str, moment: datetime) -> None:
    """Let a release end sooner than a duration of minutes can say."""
    async with demo.started.office.store._engine.begin() as connection:
        await connection.execute(update(grants).where(grants.c.request == id_).values(until=moment))
    await demo.started.office.standing.refresh()


# --- Q9 ------------------------------------------------------------------------------------------


async def test_q9_a_released_text_is_clear_until_it_ends_for_that_officer_record_and_field(
    asker: Asker, desk: Desk, demo: Demo, population: Population, mixed: Report
) -> None:
    who = about(population, mixed)
    no = ("NO", who, mixed.urn, "OIC_INVESTIGATION", "R08")
    before = await seen(asker, *no)
    assert before["text"] is None
    whole_before = await asker.ask("NO", REPORTS, {"n": who}, purpose=no[3], reason=no[4])

    asked = await desk.ask("NO", before["ref"])
    request = asked.data["requestRelease"]
    assert (request["state"], request["agency"], request["desk"]) == ("OPEN", "ERU", "eru-intel")
    assert (await seen(asker, *no))["text"] is None  # asking shows nothing
    assert await desk.told(request["id"]) == ["RELEASE_ASKED"]

    granted = (await desk.grant(request["id"])).data["decideRelease"]
    assert (granted["state"], granted["granted"]) == ("GRANTED", ["text"])
    assert await seen(asker, *no) == {**before, "text": mixed.text}
    by_ref = await asker.ask("NO", BY_REF, {"r": before["ref"]}, purpose=no[3], reason=no[4])
    assert by_ref.data["intelligence"]["text"] == mixed.text
    assert await desk.told(request["id"]) == ["RELEASE_ASKED", *["RELEASE_USED"] * 2]

    # that field, that record
    whole = await asker.ask("NO", REPORTS, {"n": who}, purpose=no[3], reason=no[4])
    for row, old in zip(whole.hits(), whole_before.hits(), strict=True):
        for report, was in zip(row["intelligence"], old["intelligence"], strict=True):
            changed = {"text": mixed.text} if report["urn"] == mixed.urn else {}
            assert report == {**was, **changed}
    assert mixed.text not in str(whole_before.body)
    # that officer
    ao = await seen(asker, "AO", who, mixed.urn, "PROTECT_VULNERABLE", "R04")
    assert ao["text"] is None

    await until(demo, request["id"], datetime.now(UTC) + timedelta(seconds=1.5))
    assert (await seen(asker, *no))["text"] == mixed.text
    await asyncio.sleep(1.6)
    assert await seen(asker, *no) == before


async def test_q9_a_hit_that_is_released_shows_its_named_fields_and_nothing_that_hangs_on_it(
    asker: Asker, desk: Desk, demo: Demo, mixed: Report
) -> None:
    ref = ref_of(demo, "NMC", mixed.urn)
    why = {**WHY, "purpose": "PREVENT_DETECT_CRIME"}
    ro = {"purpose": "PREVENT_DETECT_CRIME", "reason": "R08"}
    before = await asker.ask("RO", BY_REF, {"r": ref}, **ro)
    assert before.data["intelligence"] is None
    assert before.outcomes("intelligence", agency="ERU") == {"HIT"}

    request = (await desk.ask("RO", ref, "text", why=why)).data["requestRelease"]
    await desk.grant(request["id"])
    after = (await asker.ask("RO", BY_REF, {"r": ref}, **ro)).data["intelligence"]
    assert after == {
        "ref": ref, "urn": None, "title": None, "text": mixed.text, "paragraphs": [],
        "persons": [],
    }  # fmt: skip
    # the same question by a colleague of the same agency, who has no release
    sergeant = await asker.ask("SG", BY_REF, {"r": ref}, onBehalfOf="demo-nmc-0001", **ro)
    assert sergeant.data["intelligence"] is None
    # another record by its ref stays a hit
    other = ref_of(demo, "NMC", "ERU/I/26/00001")
    assert (await asker.ask("RO", BY_REF, {"r": other}, **ro)).data["intelligence"] is None

    await until(demo, request["id"], datetime.now(UTC))
    again = await asker.ask("RO", BY_REF, {"r": ref}, **ro)
    assert again.data == before.data


async def test_a_desk_gives_less_than_was_asked_never_more(
    asker: Asker, desk: Desk, demo: Demo, mixed: Report
) -> None:
    ref = ref_of(demo, "NMC", mixed.urn)
    why = {**WHY, "purpose": "PREVENT_DETECT_CRIME"}
    request = (await desk.ask("RO", ref, "title", "urn", why=why)).data["requestRelease"]
    more = await desk.grant(request["id"], "title", "text")
    assert (more.status, more.code) == (403, "REFUSED")
    given = await desk.grant(request["id"], "title")
    assert given.data["decideRelease"]["granted"] == ["title"]
    ro = {"purpose": "PREVENT_DETECT_CRIME", "reason": "R08"}
    row = (await asker.ask("RO", BY_REF, {"r": ref}, **ro)).data["intelligence"]
    assert (row["title"], row["urn"], row["text"]) == (mixed.title, None, None)
    assert (await desk.grant(request["id"], "title")).data == {"decideRelease": None}  # once
    await until(demo, request["id"], datetime.now(UTC))


async def test_a_desk_ends_a_release_early_and_a_kept_decision_does_not_bring_it_back(
    asker: Asker, desk: Desk, demo: Demo, population: Population, mixed: Report
) -> None:
    no = ("NO", about(population, mixed), mixed.urn, "OIC_INVESTIGATION", "R08")
    before = await seen(asker, *no)
    ids = [(await desk.ask("NO", before["ref"])).data["requestRelease"]["id"] for _ in range(2)]
    await desk.grant(ids[0])
    # the decision with the release in it is kept: the second question asks for no other
    cached = len(demo.started.gate.pdp._cache)
    assert (await seen(asker, *no))["text"] == mixed.text
    assert (await seen(asker, *no))["text"] == mixed.text
    assert len(demo.started.gate.pdp._cache) > cached

    standing = (await desk.raw("DK", STANDING)).data["standingReleases"]
    (found,) = [one for one in standing if one["id"] == ids[0]]
    assert (found["key"], found["granted"]) == (mixed.urn, ["text"])
    for persona in ("NO", "RA", "SG"):
        assert (await desk.raw(persona, REVOKE, id=ids[0], code="IN_ERROR")).code == "REFUSED"
        assert (await desk.raw(persona, STANDING)).code == "REFUSED"
    wrong = await desk.raw("DK", REVOKE, id=ids[0], code="NOT_OURS")
    assert wrong.body["errors"][0]["extensions"]["rule"] == "casework.revocation"
    assert (await seen(asker, *no))["text"] == mixed.text  # nothing was done

    await demo.started.tripwires.settled()
    size = demo.started.log.size
    ended = (await desk.raw("DK", REVOKE, id=ids[0], code="SOURCE_AT_RISK")).data["revokeRelease"]
    assert (ended["state"], ended["revocation"]) == ("REVOKED", "SOURCE_AT_RISK")
    leaf = read_leaf(await demo.started.log.leaf(size))
    assert leaf["casework"] == {"act": "revokeRelease", "about": ids[0]}
    assert await seen(asker, *no) == before  # at once, and however long a decision is kept
    (mine,) = [r for r in (await desk.raw("NO", MINE)).data["myRequests"] if r["id"] == ids[0]]
    assert (mine["state"], mine["revocation"]) == ("REVOKED", "SOURCE_AT_RISK")
    assert mine["revokedAt"]
    standing = (await desk.raw("DK", STANDING)).data["standingReleases"]
    assert ids[0] not in {one["id"] for one in standing}

    # once; and nothing where none stands
    for id_ in (*ids, "none"):
        again = await desk.raw("DK", REVOKE, id=id_, code="IN_ERROR")
        assert again.data == {"revokeRelease": None}
    await desk.grant(ids[1])  # another release of the same is a release of its own
    assert (await seen(asker, *no))["text"] == mixed.text
    await until(demo, ids[1], datetime.now(UTC))
    assert (await desk.raw("DK", REVOKE, id=ids[1], code="IN_ERROR")).data == {
        "revokeRelease": None
    }


async def test_a_refusal_is_a_code_and_shows_nothing(
    asker: Asker, desk: Desk, population: Population, mixed: Report
) -> None:
    no = ("NO", about(population, mixed), mixed.urn, "OIC_INVESTIGATION", "R08")
    ref = (await seen(asker, *no))["ref"]
    id_ = (await desk.ask("NO", ref)).data["requestRelease"]["id"]
    wrong = await desk.raw("DK", DECIDE, id=id_, refusal="BECAUSE")
    assert wrong.code == "REFUSED"
    done = await desk.raw("DK", DECIDE, id=id_, refusal="SOURCE_AT_RISK")
    assert done.data["decideRelease"]["state"] == "REFUSED"
    (mine,) = [r for r in (await desk.raw("NO", MINE)).data["myRequests"] if r["id"] == id_]
    assert (mine["refusal"], mine["until"]) == ("SOURCE_AT_RISK", None)
    assert (await seen(asker, *no))["text"] is None


@pytest.fixture(scope="module")
async def bounded(asker: Asker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """A gateway whose table lets two requests of an officer wait, and one for a record."""
    folder = tmp_path_factory.mktemp("bounded")
    policies = unbounded(folder / "policies")
    file = policies / "tables" / "casework" / "data.json"
    table = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(table | {"most_waiting": {"officer": 2, "record": 1}}))
    with opa(policies) as port:
        url = f"http://127.0.0.1:{port}"
        async with served(
            asker.demo, folder / "state", secrets={}, opa_url=url, policy_timeout_s=5.0
        ) as demo:
            yield Desk(asker=Asker(demo=demo, client=asker.client))


async def test_no_officer_fills_a_desks_queue(bounded: Desk, population: Population) -> None:
    demo = bounded.asker.demo
    urns = [
        r.urn for r in population.reports
        if (r.agency, r.governance.handling, r.silent) == (Agency.ERU, "P", False)
        and r.governance.retention == "CURRENT"
    ]  # fmt: skip
    kept: list[str] = []
    for urn in urns:
        answer = await bounded.ask("NO", ref_of(demo, "NCB", urn))
        if answer.status == 200 and answer.data["requestRelease"]:
            kept.append(urn)
            again = await bounded.ask("NO", ref_of(demo, "NCB", urn))
            assert again.body["errors"][0]["extensions"]["rule"] == "casework.most_waiting"
        elif answer.status != 200:
            break
    said = answer.body["errors"][0]
    assert (answer.status, said["extensions"]["rule"]) == (403, "casework.most_waiting")
    assert "At most 2 of your requests" in said["message"]
    assert said["extensions"]["contact"] == "eru-intel"
    assert len(kept) == 2
    queue = (await bounded.raw("DK", QUEUE)).data["deskQueue"]
    assert sorted(one["key"] for one in queue) == sorted(kept)
    # a colleague's are their own, and what is decided makes room
    ao = {**WHY, "purpose": "PROTECT_VULNERABLE", "reasonCode": "R04"}
    theirs = await bounded.ask("AO", ref_of(demo, "SCP", kept[0]), why=ao)
    assert theirs.data["requestRelease"]["state"] == "OPEN"
    await bounded.raw("DK", DECIDE, id=queue[0]["id"], refusal="NOT_NECESSARY")
    more = await bounded.ask("NO", ref_of(demo, "NCB", queue[0]["key"]))
    assert more.data["requestRelease"]["state"] == "OPEN"


# --- who may what --------------------------------------------------------------------------------


async def test_what_is_no_record_anothers_or_not_to_be_seen_answers_the_same(
    desk: Desk, demo: Demo, population: Population, mixed: Report
) -> None:
    silent = next(r for r in population.reports if r.agency is Agency.ERU and r.silent)
    refs = {
        "nothing": "AAAA",
        "another agency's": ref_of(demo, "NCB", mixed.urn),
        "no such record": ref_of(demo, "NMC", "ERU/I/99/99999"),
        "silent": ref_of(demo, "NMC", silent.urn),
        "no such source": demo.started.gate.refs.seal("NMC", "none", "IntelligenceReport", "x"),
        "no such entity": demo.started.gate.refs.seal("NMC", "eru", "None", "x"),
    }
    why = {**WHY, "purpose": "PREVENT_DETECT_CRIME"}
    answers = {name: await desk.ask("RO", ref, why=why) for name, ref in refs.items()}
    for name, answer in answers.items():
        assert answer.status == 200, name
        assert answer.body.keys() == {"data", "extensions"}, name
        assert answer.data == {"requestRelease": None}, name
    assert (await desk.grant("none")).data == {"decideRelease": None}


async def test_a_record_that_is_silent_for_the_purpose_cannot_be_asked_for(
    desk: Desk, demo: Demo, mixed: Report
) -> None:
    ref = ref_of(demo, "BID", mixed.urn)
    why = {**WHY, "purpose": "IMMIGRATION_CONTROL"}
    assert (await desk.ask("IE", ref, why=why)).data == {"requestRelease": None}
    crime = {**WHY, "purpose": "BORDER_SECURITY"}
    assert (await desk.ask("IE", ref, why=crime)).data["requestRelease"]["state"] == "OPEN"


async def test_only_the_originators_desk_sees_and_decides(
    asker: Asker, desk: Desk, population: Population, mixed: Report
) -> None:
    no = ("NO", about(population, mixed), mixed.urn, "OIC_INVESTIGATION", "R08")
    ref = (await seen(asker, *no))["ref"]
    id_ = (await desk.ask("NO", ref)).data["requestRelease"]["id"]
    for persona in ("NO", "RO", "SG", "RA", "PA", "AF"):
        for document, more in ((DECIDE, {"id": id_, "refusal": "NOT_OURS"}), (QUEUE, {}),
                               (NOTICES, {})):  # fmt: skip
            answer = await desk.raw(persona, document, **more)
            assert (answer.status, answer.code) == (403, "REFUSED"), (persona, document)
    (waiting,) = [r for r in (await desk.raw("DK", QUEUE)).data["deskQueue"] if r["id"] == id_]
    assert waiting["key"] == mixed.urn
    assert waiting["record"] != ref  # the desk's own ref
    assert waiting["reasonText"] == REASON["reasonText"]
    mine = (await desk.raw("RO", MINE)).data["myRequests"]
    assert id_ not in {one["id"] for one in mine}
    desk_asks = await desk.ask("DK", ref)
    assert desk_asks.code == "REFUSED"


@pytest.mark.parametrize(
    ("why", "more", "rule"),
    [
        (None, {}, "casework.purpose"),
        ({**WHY, "purpose": "STRATEGIC_REPORTING"}, {}, "casework.purpose"),
        ({"purpose": "APPREHEND", "reasonCode": "R08"}, {}, "casework.reason"),
        (WHY | {"purpose": "APPREHEND"}, {"t": "P8D"}, "casework.term"),
        (WHY | {"purpose": "APPREHEND"}, {"t": "PT0M"}, "casework.term"),
        (WHY | {"purpose": "APPREHEND"}, {"f": ["nativeKey"]}, "casework.releasable"),
        (WHY | {"purpose": "APPREHEND"}, {"f": ["paragraphs"]}, "casework.releasable"),
        (WHY | {"purpose": "APPREHEND"}, {"f": []}, "casework.releasable"),
    ],
)
async def test_what_policy_refuses_it_refuses_in_its_words(
    desk: Desk, demo: Demo, mixed: Report, why: Any, more: dict[str, Any], rule: str
) -> None:
    given = {"r": ref_of(demo, "NMC", mixed.urn), "f": ["text"], **more}
    answer = await desk.raw("RO", ASK, why, **given)
    assert (answer.status, answer.code) == (403, "REFUSED")
    assert answer.body["errors"][0]["extensions"]["rule"] == rule


# --- clock, notices, record ----------------------------------------------------------------------


async def test_what_is_overdue_goes_to_the_desk_on_call_by_itself(
    asker: Asker, desk: Desk, demo: Demo, population: Population, mixed: Report
) -> None:
    no = ("NO", about(population, mixed), mixed.urn, "OIC_INVESTIGATION", "R08")
    ref = (await seen(asker, *no))["ref"]
    request = (await desk.ask("NO", ref, u="LIFE_AT_RISK")).data["requestRelease"]
    due = datetime.fromisoformat(request["dueAt"]) - datetime.fromisoformat(request["at"])
    assert due == timedelta(minutes=15)
    async with demo.started.office.store._engine.begin() as connection:
        late = update(requests).where(requests.c.id == request["id"])
        await connection.execute(late.values(due_at=datetime.now(UTC)))
    for _ in range(50):
        await asyncio.sleep(0.1)
        now = await demo.started.office.store.request(request["id"])
        if now is not None and now.state is State.ESCALATED:
            break
    else:
        pytest.fail("nobody was told")
    notices = (await desk.raw("DK", NOTICES)).data["notices"]
    told = {n["about"]: n["desk"] for n in notices if n["subject"] == request["id"]}
    assert told == {"RELEASE_ASKED": "eru-intel", "RELEASE_OVERDUE": "eru-duty"}
    assert (await desk.grant(request["id"])).data["decideRelease"]["state"] == "GRANTED"
    await until(demo, request["id"], datetime.now(UTC))


async def test_a_notice_is_acknowledged_once_by_its_desk(
    asker: Asker, desk: Desk, population: Population, mixed: Report
) -> None:
    no = ("NO", about(population, mixed), mixed.urn, "OIC_INVESTIGATION", "R08")
    ref = (await seen(asker, *no))["ref"]
    id_ = (await desk.ask("NO", ref)).data["requestRelease"]["id"]
    notices = (await desk.raw("DK", NOTICES)).data["notices"]
    (notice,) = [one["id"] for one in notices if one["subject"] == id_]
    acknowledge = "mutation($id: ID!) { acknowledgeNotice(id: $id) { id acknowledgedAt } }"
    assert (await desk.raw("NO", acknowledge, id=notice)).code == "REFUSED"
    first = await desk.raw("DK", acknowledge, id=notice)
    assert first.data["acknowledgeNotice"]["acknowledgedAt"]
    for id_ in (notice, "none"):
        again = await desk.raw("DK", acknowledge, id=id_)
        assert again.data == {"acknowledgeNotice": None}


async def test_each_action_leaves_an_intent_and_an_outcome_without_a_personal_value(
    asker: Asker, desk: Desk, demo: Demo, population: Population, mixed: Report
) -> None:
    no = ("NO", about(population, mixed), mixed.urn, "OIC_INVESTIGATION", "R08")
    ref = (await seen(asker, *no))["ref"]
    await demo.started.tripwires.settled()
    size = demo.started.log.size
    asked = await desk.ask("NO", ref)
    id_ = asked.data["requestRelease"]["id"]
    await desk.grant(id_)
    refused = await desk.raw("RO", QUEUE)
    assert refused.code == "REFUSED"
    used = await seen(asker, *no)
    assert used["text"] == mixed.text
    await demo.started.tripwires.settled()
    written = [
        read_leaf(await demo.started.log.leaf(n)) for n in range(size, demo.started.log.size)
    ]
    leaves = [leaf for leaf in written if "tripwire" not in leaf]
    assert [leaf["kind"] for leaf in leaves] == ["I", "O", "I", "O", "D", "I", "O"]
    acts = [leaf.get("casework") for leaf in leaves]
    assert acts[0] == {"act": "requestRelease", "about": ""}
    assert acts[2] == {"act": "decideRelease", "about": id_}
    assert (
        "eru" in leaves[0]["plan"]["visits"]
    )  # whether the record is there was asked of its source
    assert leaves[5]["plan"]["released"] == [id_]
    text = json.dumps(written)
    for value in (mixed.urn, mixed.text, REASON["reasonText"], ref, "demo-ncb-0001"):
        assert value not in text
    entry = asked.body["extensions"]["receipt"]["logEntry"]
    assert read_leaf(await demo.started.log.leaf(entry)) == leaves[1]
    await until(demo, id_, datetime.now(UTC))


async def test_reasons_are_erased_by_the_running_gateway_and_the_log_says_so(
    asker: Asker, desk: Desk, demo: Demo, population: Population, mixed: Report, tmp_path: Path
) -> None:
    no = ("NO", about(population, mixed), mixed.urn, "OIC_INVESTIGATION", "R08")
    id_ = (await desk.ask("NO", (await seen(asker, *no))["ref"])).data["requestRelease"]["id"]
    asked = await demo.started.office.store.request(id_)
    assert asked is not None
    assert asked.reason_text == REASON["reasonText"]
    long_ago = datetime.now(UTC) - timedelta(days=90)
    # a second gateway over records of its own, in which the same request ended long ago
    state = tmp_path / "state"
    store = await Store.open(address("", state))
    told = Notice(
        id="n", at=long_ago, agency="ERU", desk="d", about=Told.RELEASE_ASKED, subject="o"
    )
    await store.ask(replace(asked, id="over", due_at=long_ago), told)
    await store.ask(replace(asked, id="not over"), replace(told, id="m"))
    async with served(demo, state, secrets={}) as other:
        for _ in range(50):
            over = await store.request("over")
            if over is not None and over.reason_text is None:
                break
            await asyncio.sleep(0.1)
        else:
            pytest.fail("nothing was erased")
        leaf = read_leaf(await other.started.log.leaf(0))
    assert (leaf["kind"], leaf["erased"]["records"]) == ("K", 1)
    assert leaf["erased"]["what"] == "reasons of release requests"
    kept = await store.request("not over")
    assert kept is not None
    assert kept.reason_text == REASON["reasonText"]
    await store.aclose()


# --- the endpoint --------------------------------------------------------------------------------


async def test_one_action_in_each_operation(desk: Desk) -> None:
    for document in (
        "{ a: deskQueue { id } b: notices { id } }",
        "{ deskQueue { id } __typename }",
        "{ __typename }",
    ):
        answer = await desk.raw("DK", document)
        assert answer.code == "INVALID_OPERATION", document


async def test_the_endpoints_keep_to_their_own(asker: Asker, desk: Desk) -> None:
    token = await asker.token("DK")
    headers = {"Authorization": f"Bearer {token}"}
    acting = {"query": "mutation { acknowledgeNotice(id: 1) { id } }"}
    there = await asker.client.post(f"{asker.demo.url}/graphql", json=acting, headers=headers)
    assert there.status_code == 400
    query = await desk.raw("NO", "query($v: Vrm!) { vehicle(vrm: $v) { make } }", WHY, v="AB12CDE")
    assert query.code == "INVALID_OPERATION"
    got = await asker.client.get(
        f"{asker.demo.url}/casework", params={"query": acting["query"]}, headers=headers
    )
    assert got.status_code == 405
    nobody = await asker.client.post(f"{asker.demo.url}/casework", json=acting)
    assert nobody.status_code == 401
    batch = await asker.client.post(f"{asker.demo.url}/casework", json=[acting], headers=headers)
    assert batch.status_code == 400
    large = await asker.client.post(
        f"{asker.demo.url}/casework", content=b" " * 70_000, headers=headers
    )
    assert large.status_code in (413, 415)


async def test_an_app_of_registered_documents_sends_no_other_action(
    asker: Asker, demo: Demo, desk: Desk
) -> None:
    assert APPS["RO"] == "nmc-station"
    token = await asyncio.to_thread(demo.token, "RO", "nmc-mobile")
    reply = await asker.client.post(
        f"{demo.url}/casework", json={"query": MINE}, headers={"Authorization": f"Bearer {token}"}
    )
    assert Answer(status=reply.status_code, body=reply.json()).code == "REFUSED"


async def test_an_officer_is_who_their_issuer_says(demo: Demo) -> None:
    """The same number at another issuer is somebody else."""
    store = demo.started.office.store
    mine = await store.requests_of(
        Officer(issuer="https://elsewhere.example", id="demo-ncb-0001", agency="NCB"), 10
    )
    assert mine == ()
