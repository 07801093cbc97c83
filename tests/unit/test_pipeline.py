"""The order of a query's life: decided before recorded, recorded before visited, and once more
before it is answered; whatever fails, nothing is visited without a record, and nothing leaves."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self, cast

import pytest

from connectors.conditions import ALWAYS, Condition
from connectors.spi import (
    Ability,
    Capability,
    Connector,
    Health,
    Secrets,
    SourceProtocolError,
    SourceQuery,
    SourceRateLimited,
    SourceResult,
    SourceTimeout,
    SourceTooBroad,
    SourceUnavailable,
)
from gateway.audit.entry import ASKER, Part, canonical
from gateway.audit.keeper import Receipt
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.recorder import AuditedResponse, Recorder
from gateway.errors import (
    AuditUnavailable,
    MalformedRequest,
    PolicyMisunderstood,
    PolicyUnavailable,
    Unauthenticated,
)
from gateway.identity import Identity
from gateway.metrics import Metrics
from gateway.model import EMPTY, Decision, Note, Obligation, Request, Ruling, Show, Subject, Use
from gateway.pipeline import Gate, Probes, answer, refuse
from gateway.policy.pdp import Pdp
from gateway.query.breaker import Breakers
from gateway.query.plan import Planner
from gateway.query.refs import Cursor, Probe, officer
from tests.unit.query import world

SEARCH = '{ personSearch(anyOf: [{family: "Hodja"}]) { total hits { ref sex } } }'
CLEAR = dict.fromkeys(("family", "ref", "sex"), "CLEAR")
SHOWN = Ruling(
    show=Show.RECORDS,
    limit=5,
    rows=ALWAYS,
    uses=world.planned(SEARCH).fetches[0].part("").uses | {(Use.SORT, "native_key")},
    whole="CLEAR",
    read=CLEAR,
)


@dataclass
class Journal:
    """What happened, in order."""

    lines: list[str] = field(default_factory=list)
    leaves: list[Mapping[str, Any]] = field(default_factory=list)
    sealed: list[Any] = field(default_factory=list)


@dataclass
class FakeIdentity:
    journal: Journal
    error: Exception | None = None
    subject: Subject = world.SUBJECT

    async def authenticate(self, authorization: Sequence[str]) -> Subject:
        self.journal.lines.append("authenticate")
        if self.error:
            raise self.error
        return self.subject


@dataclass
class FakePdp:
    journal: Journal
    decision: Decision = field(
        default_factory=lambda: Decision(serial=7, rulings={"f0": SHOWN, "f0.names": SHOWN})
    )
    error: Exception | None = None
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    serial: int = 7

    async def decide(self, question: Mapping[str, Any]) -> Decision:
        self.journal.lines.append("decide")
        self.asked.append(question)
        if self.error:
            raise self.error
        return self.decision


@dataclass
class FakeLog:
    journal: Journal
    fails_at: int | None = None
    size: int = 0

    async def append(self, leaf: Mapping[str, Any], parts: Mapping[str, Part] = EMPTY) -> Receipt:
        self.journal.lines.append(f"record {leaf['kind']}")
        if self.fails_at == self.size:
            raise AuditUnavailable
        self.journal.leaves.append(leaf)
        self.journal.sealed.append(parts[ASKER].detail)
        self.size += 1
        return Receipt(index=self.size, leaf_hash=bytes(32), at=world.NOW)

    def promised(self, receipt: Receipt, query: str) -> dict[str, Any]:
        return {"leafHash": receipt.leaf_hash.hex(), "at": "then", "signature": query}


@dataclass
class FakeWitnesses:
    """Sign in time, or say that they do not."""

    lately: bool = True
    in_time: bool = True

    def check(self) -> None:
        if not self.lately:
            raise AuditUnavailable(detail="not lately")

    async def proof(self, receipt: Receipt, within_s: float) -> str:
        if not self.in_time:
            raise AuditUnavailable(detail="not in time")
        return f"seen {receipt.index} within {within_s:g} s"


class FakeKeys:
    def token_key(self, name: str, period: str) -> bytes:
        return b"k" * 32


@dataclass
class FakeConnector:
    """A source with one person in it."""

    journal: Journal
    error: Exception | None = None
    waits: asyncio.Event | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, object], secrets: Secrets) -> Self:
        raise NotImplementedError

    @property
    def capabilities(self) -> Capability:
        return Capability(abilities=Ability.PROJECT | Ability.LIMIT | Ability.BATCH)

    def residual(self, query: SourceQuery) -> Condition:
        return ALWAYS

    def explain(self, query: SourceQuery) -> str:
        return query.relation

    async def fetch(self, query: SourceQuery) -> SourceResult:
        self.journal.lines.append(f"visit {query.relation}")
        if self.waits is not None:
            self.waits.set()
            await asyncio.Event().wait()
        if self.error:
            raise self.error
        row = {"id": "p1", "sex": 1, "sur": "HODJA", "silent": 0, "hnd": "P"}
        return SourceResult(rows=(tuple(row.get(column) for column in query.columns),))

    async def check(self) -> Health:
        return Health(ok=True)

    async def aclose(self) -> None:
        return None


@dataclass
class World:
    journal: Journal
    identity: FakeIdentity
    pdp: FakePdp
    log: FakeLog
    witnesses: FakeWitnesses
    connector: FakeConnector
    gate: Gate

    async def ask(self, request: Request | None = None) -> AuditedResponse:
        return await answer(self.gate, request or world.request(SEARCH))


@pytest.fixture
def lit() -> World:
    journal = Journal()
    identity, pdp, log = FakeIdentity(journal), FakePdp(journal), FakeLog(journal)
    witnesses = FakeWitnesses()
    connector = FakeConnector(journal)
    recorder = Recorder(
        log=cast("AuditLog", log),
        witnesses=witnesses,
        keys=cast("AuditKeys", FakeKeys()),
        gateway="g1",
        clock=lambda: world.NOW,
        entitled={},
        monotonic=lambda: 0.0,
    )
    sources = dict.fromkeys(("north", "east"), cast("Connector", connector))
    gate = Gate(
        identity=cast("Identity", identity),
        parser=world.parser(),
        planner=Planner(catalogue=world.catalogue(), refs=world.REFS, limits=world.LIMITS),
        pdp=cast("Pdp", pdp),
        audit=recorder,
        catalogue=world.catalogue(),
        sources=sources,
        breakers=Breakers(monotonic=lambda: 0.0),
        refs=world.REFS,
        limits=world.LIMITS,
        metrics=Metrics(purposes=["OFFICER_SAFETY"], sources=["north", "east"], agencies=()),
        token_key=b"t" * 32,
        clock=lambda: world.NOW,
        monotonic=lambda: 0.0,
        probes=Probes(world.REFS, lambda: world.NOW),
    )
    return World(journal, identity, pdp, log, witnesses, connector, gate)


def code(audited: AuditedResponse) -> str:
    return str(audited.body["errors"][0]["extensions"]["code"])


async def test_a_query_is_decided_then_recorded_then_visited_then_recorded(lit: World) -> None:
    audited = await lit.ask()
    assert lit.journal.lines == ["authenticate", "decide", "record I", "visit person", "record O"]
    assert audited.status == 200
    assert audited.body["data"]["personSearch"]["hits"][0]["sex"] == "MALE"
    receipt = audited.body["extensions"]["receipt"]
    assert (receipt["queryId"], receipt["policySerial"], receipt["logEntry"]) == ("q-1", 7, 2)
    intent, outcome = lit.journal.leaves
    assert intent["policy"]["serial"] == outcome["policy"]["serial"] == 7
    assert outcome["intent"] == bytes(32).hex()
    assert outcome["sources"]["north"] == ["ANSWERED", 1, 0, 0, 0]
    assert "Hodja" not in str(lit.journal.leaves)
    assert "Hodja" not in str(lit.pdp.asked)


@pytest.mark.parametrize(
    ("part", "error", "status", "kind"),
    [
        ("identity", Unauthenticated(), 401, "F"),
        ("pdp", PolicyUnavailable(), 503, "R"),
        ("pdp", PolicyMisunderstood(), 503, "R"),
        ("pdp", RuntimeError("secret of a library"), 500, "R"),
    ],
)
async def test_what_fails_before_the_intent_visits_nothing_and_is_recorded(
    lit: World, part: str, error: Exception, status: int, kind: str
) -> None:
    getattr(lit, part).error = error
    audited = await lit.ask()
    assert audited.status == status
    assert lit.journal.lines[-1] == f"record {kind}"
    assert not [line for line in lit.journal.lines if line.startswith("visit")]
    assert "secret" not in str(audited.body)


async def test_a_document_that_is_refused_asks_nobody(lit: World) -> None:
    for request, said in (
        (world.request("{ nothing }"), "INVALID_OPERATION"),
        (world.request(SEARCH, justification=None), "PURPOSE_REQUIRED"),
        (world.request("{" + " __typename" * 500 + "}"), "LIMIT_EXCEEDED"),
    ):
        assert code(await lit.ask(request)) == said
    assert "decide" not in lit.journal.lines


async def test_the_places_of_faults_are_told(lit: World) -> None:
    errors = (await lit.ask(world.request("{ nothing }"))).body["errors"]
    assert errors[0]["locations"] == [{"line": 1, "column": 3}]


async def test_a_refusal_is_in_the_policys_words(lit: World) -> None:
    note = Note(rule="r1", text="Not for this purpose.", desk="d1")
    lit.pdp.decision = Decision(serial=7, refuse=note)
    audited = await lit.ask()
    assert (audited.status, lit.journal.lines[-1]) == (403, "record D")
    error = audited.body["errors"][0]
    assert error["message"] == "Not for this purpose."
    assert error["extensions"] == {
        "code": "REFUSED", "queryId": "q-1", "rule": "r1", "contact": "d1",
    }  # fmt: skip


@pytest.mark.parametrize(
    "request_",
    [
        world.request(SEARCH + " "),
        world.request("{ __typename sources { agency } }"),
        world.request('{ __type(name: "Person") { name } }'),
    ],
    ids=["a space more", "nothing that is fetched", "the schema"],
)
async def test_an_app_of_registered_documents_sends_no_other(lit: World, request_: Request) -> None:
    documents = {hashlib.sha256(SEARCH.encode()).hexdigest(): SEARCH}
    parser = world.parser(documents={world.SUBJECT.app: documents}, introspection=True)
    lit.gate = replace(lit.gate, parser=parser)
    (digest,) = documents
    lit.identity.subject = replace(world.SUBJECT, documents_only=True)
    refused = await lit.ask(request_)
    assert (refused.status, code(refused)) == (403, "REFUSED")
    assert refused.body["errors"][0]["extensions"]["rule"] == "refuse.documents"
    assert lit.journal.leaves[-1]["rule"] == "refuse.documents"
    assert lit.journal.lines == ["authenticate", "record D"]
    assert lit.journal.sealed[-1]["text"] == request_.document
    by_text = await lit.ask(world.request(SEARCH))
    by_digest = await lit.ask(world.request("", document_id=digest))
    assert by_text.body["data"] == by_digest.body["data"]
    lit.identity.subject = world.SUBJECT
    assert (await lit.ask(request_)).status == 200


async def test_what_was_refused_is_sealed_with_its_justification(lit: World) -> None:
    lit.pdp.decision = Decision(serial=7, refuse=Note(rule="r1", text="No."))
    await lit.ask()
    (written,) = lit.journal.sealed
    sealed = json.loads(canonical(written))
    assert sealed["why"]["incident"] == "INC-1"
    assert "r1" in sealed["cause"]
    assert sealed["question"]["context"]["query_id"]
    (leaf,) = lit.journal.leaves
    assert leaf["policy"]["serial"] == 7
    assert "INC-1" not in str(lit.journal.leaves)


def must_be_witnessed(lit: World) -> None:
    duty = Obligation(type="witnessed", attributes={"within_s": 5})
    lit.pdp.decision = replace(lit.pdp.decision, obligations=(duty,))


async def test_what_must_be_witnessed_waits_and_carries_the_proof(lit: World) -> None:
    assert "proof" not in (await lit.ask()).body["extensions"]["receipt"]
    must_be_witnessed(lit)
    audited = await lit.ask()
    assert audited.body["extensions"]["receipt"]["proof"] == "seen 4 within 5 s"


async def test_what_must_be_witnessed_asks_nothing_if_nobody_has_lately(lit: World) -> None:
    must_be_witnessed(lit)
    lit.witnesses.lately = False
    audited = await lit.ask()
    assert (audited.status, code(audited)) == (503, "AUDIT_UNAVAILABLE")
    assert lit.journal.lines == ["authenticate", "decide", "record R"]


async def test_what_must_be_witnessed_does_not_leave_unseen(lit: World) -> None:
    must_be_witnessed(lit)
    lit.witnesses.in_time = False
    with pytest.raises(AuditUnavailable):
        await lit.ask()
    assert lit.journal.lines[-1] == "record O"  # what may have been shown is on record


async def test_a_refusal_waits_for_no_witness(lit: World) -> None:
    must_be_witnessed(lit)
    lit.witnesses.in_time = False
    lit.pdp.error = PolicyUnavailable()
    assert code(await lit.ask()) == "POLICY_UNAVAILABLE"


async def test_an_obligation_that_cannot_be_carried_out_visits_nothing(lit: World) -> None:
    lit.pdp.decision = replace(lit.pdp.decision, obligations=(Obligation(type="SING"),))
    assert (await lit.ask()).status == 503
    assert lit.journal.lines == ["authenticate", "decide", "record R"]


async def test_no_intent_no_visit(lit: World) -> None:
    """Nor an answer: the outcome is what the broken log cannot take either."""
    lit.log.fails_at = 0
    with pytest.raises(AuditUnavailable):
        await lit.ask()
    assert not [line for line in lit.journal.lines if line.startswith("visit")]


async def test_no_outcome_no_answer(lit: World) -> None:
    lit.log.fails_at = 1
    with pytest.raises(AuditUnavailable):
        await lit.ask()
    assert lit.journal.lines[-2:] == ["visit person", "record O"]


async def test_a_failure_of_ours_is_recorded_and_tells_only_the_query_id(
    lit: World, caplog: pytest.LogCaptureFixture
) -> None:
    def clumsy(_seconds: float, _entries: int) -> None:
        raise RuntimeError("Hodja, p1, person")

    lit.gate = replace(lit.gate, audit=replace(lit.gate.audit, committed=clumsy))
    with pytest.raises(RuntimeError):  # nothing can be recorded either
        await lit.ask()
    once = iter((clumsy,))
    lit.gate = replace(
        lit.gate,
        audit=replace(lit.gate.audit, committed=lambda *told: next(once, lambda *_: None)(*told)),
    )
    audited = await lit.ask()
    assert (audited.status, code(audited)) == (500, "INTERNAL")
    assert "Hodja" not in str(audited.body) + caplog.text
    assert "RuntimeError < " in caplog.text  # where it failed, not what was in it
    assert lit.journal.lines[-1].startswith("record")


async def test_up_03_what_a_source_sent_and_nobody_can_read_is_its_fault_alone(
    lit: World, caplog: pytest.LogCaptureFixture
) -> None:
    lit.connector.error = OverflowError("Hodja, p1, person")
    audited = await lit.ask()
    assert (audited.status, code(audited)) == (200, "SOURCE_FAULT")
    assert "Hodja" not in str(audited.body) + caplog.text
    assert lit.journal.lines[-1] == "record O"


async def test_a_caller_who_hangs_up_is_recorded(lit: World) -> None:
    lit.connector.waits = asyncio.Event()
    asking = asyncio.ensure_future(lit.ask())
    await lit.connector.waits.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert lit.journal.leaves[-1]["code"] == "CLIENT_GONE"
    assert lit.journal.leaves[-1]["status"] == 499


async def test_what_fetches_nothing_is_recorded_and_asks_no_policy(lit: World) -> None:
    audited = await lit.ask(world.request("{ __typename sources { agency } }", justification=None))
    assert audited.body["data"]["__typename"] == "Query"
    assert lit.journal.lines == ["authenticate", "record I", "record O"]


async def test_introspection_is_answered_where_it_is_on(lit: World) -> None:
    lit.gate = replace(lit.gate, parser=world.parser(introspection=True))
    audited = await lit.ask(world.request('{ __type(name: "Person") { name } }'))
    assert audited.body["data"] == {"__type": {"name": "Person"}}


async def test_in_13_a_cursor_of_an_older_policy_is_refused(lit: World) -> None:
    asked = world.operation(SEARCH)
    shaping = world.shaping(asked)
    cursor = Cursor(
        positions={"north/Person": "p0"},
        serial=6,
        expires_at=int(datetime(2030, 1, 1, tzinfo=UTC).timestamp()),
        binding=shaping.cursor_binding(asked.roots[0]),
    )
    document = SEARCH.replace("])", f'], after: "{world.REFS.seal_cursor(cursor)}")')
    audited = await lit.ask(world.request(document))
    assert (audited.status, code(audited)) == (400, "BAD_REQUEST")
    assert "visit person" not in lit.journal.lines


async def test_a_request_that_was_never_read_is_recorded(lit: World) -> None:
    audited = await refuse(lit.gate, world.request(""), MalformedRequest("Too long.", status=413))
    assert (audited.status, code(audited)) == (413, "BAD_REQUEST")
    assert lit.journal.lines == ["record R"]


def test_only_the_recorder_makes_what_may_be_sent() -> None:
    with pytest.raises(TypeError):
        AuditedResponse(200, {}, object())


class Sealing:
    """Probes of one gateway, a clock to set, and the officers who hold handles."""

    def __init__(self, started: datetime = world.NOW) -> None:
        self.now = started
        self.probes = Probes(world.REFS, lambda: self.now)
        self.now += timedelta(seconds=1)

    def made(self, id_: str = "a", subject: Subject = world.SUBJECT, **later: float) -> str:
        whose = officer(subject.issuer, subject.id, subject.agency)
        made_at = self.now + timedelta(**later)
        return world.REFS.seal_probe(Probe(id=id_, made_at=made_at, vector=(0.5, 0.5)), whose)

    def refused(self, handle: str, subject: Subject = world.SUBJECT) -> str:
        with pytest.raises(MalformedRequest) as caught:
            self.probes.open(handle, subject)
        return caught.value.said


def test_in_18_a_probe_opens_once_and_in_time() -> None:
    at = Sealing()
    first, second = at.made("a"), at.made("b")
    assert at.probes.open(first, world.SUBJECT) == (0.5, 0.5)
    at.now += timedelta(minutes=5)
    assert at.probes.open(second, world.SUBJECT) == (0.5, 0.5)
    third = at.made("c")
    at.now += timedelta(minutes=5, milliseconds=1)
    wrong = (first, second, third, at.made("d", seconds=1), "nonsense", at.made("e")[:-2])
    assert len({at.refused(handle) for handle in wrong}) == 1
    at.now -= timedelta(minutes=10)  # the clock is put back: what was spent stays spent
    assert at.refused(first) == at.refused(second)


def test_in_18_a_probe_of_another_officer_is_like_a_damaged_one() -> None:
    at = Sealing()
    handle = at.made()
    others = (
        replace(world.SUBJECT, issuer="other"),
        replace(world.SUBJECT, id="other"),
        replace(world.SUBJECT, agency="other"),
    )
    said = {at.refused(handle, other) for other in others}
    assert said == {at.refused(handle[:-2])}
    assert at.probes.open(handle, world.SUBJECT)  # their trying did not spend it


def test_in_18_a_probe_is_not_opened_again_after_a_restart() -> None:
    at = Sealing()
    handle = at.made()
    at.probes.open(handle, world.SUBJECT)
    again = Sealing(started=at.now)  # in the very moment in which it was made and opened
    assert again.refused(handle) == at.refused(handle)
    assert again.probes.open(again.made("b"), world.SUBJECT)


# --- a source that keeps failing ------------------------------------------------------------------


def patient(lit: World, now: Callable[[], float]) -> World:
    """The world with a breaker on a clock of the test's own."""
    return replace(lit, gate=replace(lit.gate, breakers=Breakers(monotonic=now)))


def visits(lit: World) -> int:
    return lit.journal.lines.count("visit person")


def state(audited: AuditedResponse) -> str:
    """How the one source that was asked fared."""
    [found] = {s["state"] for s in audited.body["extensions"]["sources"]} - {"NOT_ASKED"}
    return str(found)


@pytest.mark.parametrize("error", [SourceUnavailable, SourceTimeout, SourceProtocolError])
async def test_f01_f06_a_source_is_left_alone_after_five_failures(
    lit: World, error: type[Exception]
) -> None:
    now = 0.0
    lit = patient(lit, lambda: now)
    lit.connector.error = error("no")
    for _ in range(5):
        await lit.ask()
    assert visits(lit) == 5
    assert state(await lit.ask()) == "UNAVAILABLE"
    assert visits(lit) == 5
    now = 2.0
    await lit.ask()  # the probe
    assert state(await lit.ask()) == "UNAVAILABLE"
    assert visits(lit) == 6
    now, lit.connector.error = 4.0, None
    assert {state(await lit.ask()) for _ in range(3)} == {"ANSWERED"}
    assert visits(lit) == 9


async def test_what_a_source_left_alone_is_said_to_be_is_what_one_away_is(lit: World) -> None:
    lit = patient(lit, lambda: 0.0)
    lit.connector.error = SourceUnavailable("connection refused")
    answers = [await lit.ask() for _ in range(6)]
    told = [(a.body["errors"], a.body["extensions"]["disclosure"]) for a in answers]
    assert visits(lit) == 5
    assert told[5] == told[0]


@pytest.mark.parametrize("error", [SourceRateLimited, SourceTooBroad])
async def test_what_is_no_failure_of_the_source_leaves_it_open(
    lit: World, error: type[Exception]
) -> None:
    lit = patient(lit, lambda: 0.0)
    lit.connector.error = error("no")
    for _ in range(7):
        await lit.ask()
    assert visits(lit) == 7


async def test_callers_who_hang_up_do_not_make_a_source_one_that_failed(lit: World) -> None:
    lit = patient(lit, lambda: 0.0)
    for _ in range(7):
        lit.connector.waits = asyncio.Event()
        asking = asyncio.create_task(lit.ask())
        await lit.connector.waits.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    lit.connector.waits = None
    assert state(await lit.ask()) == "ANSWERED"


async def test_the_record_tells_the_same_words_again_and_a_broken_glass_but_no_word(
    lit: World,
) -> None:
    for more in (
        {"reasonText": "Routine check"},
        {"reasonText": " routine  CHECK ", "breakGlass": "Somebody may die"},
        {"reasonText": "Another reason"},
        {},
    ):
        why = {**world.WHY, **more}
        assert (await lit.ask(world.request(SEARCH, justification=why))).status == 200
    said = [leaf["purpose"] for leaf in lit.journal.leaves if leaf["kind"] == "I"]
    first, again, other, none = (one.get("words") for one in said)
    assert first == again != other
    assert first
    assert none is None
    assert [one.get("break_glass") for one in said] == [None, True, None, None]
    assert not any(word in str(said) for word in ("outine", "CHECK", "Somebody", "Another"))
