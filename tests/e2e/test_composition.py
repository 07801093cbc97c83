"""National floor, owner and requester: none of them can widen what the others leave.

What an agency's rules say reaches the decision as values (`withhold`, `silence`, `hide`, `rows`,
`consents` of its package), so every rule it could write for one question is one such value. Here
they are drawn at random, hostile ones among them, and put to the deployed rules in a real Open
Policy Agent.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors.conditions import holds
from gateway.errors import PolicyUnavailable
from gateway.model import Decision, Manner, Ruling, Show
from gateway.policy.contract import read_decision
from gateway.policy.pdp import Pdp
from tests.e2e.policyworld import MAY_ASK, RECORD, q1, q2, q3, question
from tests.opa import POLICIES, free_port, opa, program

Says = dict[str, dict[str, Any]]
Ask = Callable[..., list[Decision]]

AGENCIES = ("nmc", "scp", "bid", "eru", "ncb", "nis")
FLOOR: Says = {agency: {"consents": True} for agency in AGENCIES}
NO = {"rule": "x.rule", "text": "Not through the gateway.", "desk": "x-desk", "action": "call"}
QUESTIONS = {"q1": q1, "q2": q2, "q3": q3}
REASON = {"OIC_INVESTIGATION": "R08", "PROTECT_VULNERABLE": "R07", "APPREHEND": "R03"}
RECORDS: tuple[dict[str, Any], ...] = (
    {},
    {"victim": True, "subject_roles": ["VICTIM"]},
    {"silent": True},
    {"handling": "C", "caveats": ["NO_COURT_USE"]},
    {"marking": "SECRET"},
    {"retention": "DISPOSE"},
    {"age_state": "CHILD", "kind": "WEAPONS"},
)
BANDS = ("LINKED_BY_IDENTIFIER", "POSSIBLE", None)


# The decision on each of many pairs of a question and what the agencies say of it.
COMPOSED = """package composed

decisions := [decision |
	some asked in input
	decision := data.gateway.decision with input as asked.question with data.agencies as asked.says
]
"""


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """The decisions of the deployed common rules on a question, when the agencies say each of
    these."""
    folder = tmp_path_factory.mktemp("composed") / "policies"
    shutil.copytree(POLICIES, folder, ignore=shutil.ignore_patterns("agencies", "*_test.rego"))
    shutil.copytree(POLICIES / "tables" / "agencies", folder / "tables" / "agencies")
    (folder / "composed.rego").write_text(COMPOSED, "utf-8")
    port = free_port()
    command = [str(program()), "run", "--server", "--log-level=error", str(folder)]
    command += ["--addr", f"127.0.0.1:{port}", "--skip-version-check"]
    with (
        subprocess.Popen(command) as process,  # noqa: S603  # a fixed command
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10.0) as client,
    ):
        try:
            _await(client, process)

            def asked(query: dict[str, Any], *says: Says) -> list[Decision]:
                pairs = [{"question": query, "says": said} for said in says]
                reply = client.post("/v1/data/composed/decisions", json={"input": pairs})
                decisions = reply.raise_for_status().json()["result"]
                assert len(decisions) == len(says)  # none is undefined
                return [read_decision(decision) for decision in decisions]

            yield asked
        finally:
            process.terminate()


def _await(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            if client.get("/health").is_success:
                # Ours, and not another that was quicker to take the port.
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(0.3)
                return
        except httpx.TransportError:
            pass
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
    raise RuntimeError("the policy engine did not start")


# --- what agencies may say -----------------------------------------------------------------------


def asked_for(code: str, purpose: str, shape: str, owner: str) -> dict[str, Any]:
    return question(code, purpose, REASON.get(purpose, "R01"), QUESTIONS[shape](owner))


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    code, purpose = draw(st.sampled_from(MAY_ASK))
    shape, owner = draw(st.sampled_from(sorted(QUESTIONS))), draw(st.sampled_from(AGENCIES[:5]))
    return asked_for(code, purpose, shape, owner.upper())


CONDITIONS = st.one_of(
    st.just({"type": "compound", "operator": "and", "value": []}),  # always
    st.just({"type": "compound", "operator": "or", "value": []}),  # never
    st.builds(
        lambda field, value: {"type": "field", "field": field, "operator": "eq", "value": value},
        st.sampled_from(["retention", "marking", "silent", "victim", "kind"]),
        st.sampled_from(["CURRENT", "OFFICIAL", "DISPOSE", True, False]),
    ),
)
# Words of the decision itself, that a rule might hope to have read.
HOSTILE = st.sampled_from(
    [
        {"read": {"f0": {"date_of_birth": "CLEAR"}}, "allow": True},
        {"show": "records", "limit": 1000, "uses": {"filter": ["names.family"]}},
        {"decision": {"refuse": None}, "resources": {"f0": {"show": "records"}}},
    ]
)


USES = ("filter", "identify", "link", "match", "count", "face")


@st.composite
def says(draw: st.DrawFn, ids: tuple[str, ...], fields: tuple[str, ...]) -> dict[str, Any]:
    """All that one agency's package says, of any resource, its own or another's."""
    some = st.sampled_from(ids)
    taken = st.fixed_dictionaries(
        {}, optional={use: st.lists(st.sampled_from(fields), max_size=3) for use in USES}
    )
    said = {
        "consents": draw(st.sampled_from([True, True, True, False])),
        "withhold": draw(st.dictionaries(some, st.just(NO), max_size=2)),
        "silence": draw(st.lists(some, unique=True, max_size=2)),
        "hide": draw(
            st.dictionaries(some, st.lists(st.sampled_from(fields), unique=True), max_size=3)
        ),
        "rows": draw(st.dictionaries(some, CONDITIONS, max_size=2)),
        "not_uses": draw(st.dictionaries(some, taken, max_size=2)),
    }
    return said | draw(st.one_of(st.just({}), HOSTILE))


@st.composite
def composed(draw: st.DrawFn) -> tuple[dict[str, Any], Says, str]:
    """A question, what each agency says of it, and an agency that neither asks nor is asked."""
    query = draw(questions())
    ids = tuple(query["resources"])
    fields = tuple(sorted({f for r in query["resources"].values() for f in r["read"]}))
    concerned = {query["subject"]["agency"], *(r["agency"] for r in query["resources"].values())}
    strangers = [agency for agency in AGENCIES if agency.upper() not in concerned]
    said = {agency: draw(says(ids, fields)) for agency in AGENCIES}
    return query, said, draw(st.sampled_from(strangers))


# --- what is wider -------------------------------------------------------------------------------

_SHOWN = {None: 0, Show.SILENT: 0, Show.HIT: 1, Show.COUNT: 2, Show.RECORDS: 3}
_LEAST = {None: 0, "SILENT": 0, "NULL": 1, "HIT_ONLY": 1}


def _in_force(manner: Manner | None, record: Mapping[str, Any]) -> str | None:
    if manner is None or isinstance(manner, str):
        return manner
    return next((case.manner for case in manner if holds(case.when, record)), None)


def _coarser(one: str | None, other: str | None) -> bool:
    """Whether a value shown as `one` tells no more than it does as `other`."""
    if one == other or other == "CLEAR":
        return True
    return _LEAST.get(one, 2) < _LEAST.get(other, 2) or one in (None, "SILENT")


def _no_wider(one: Ruling, other: Ruling) -> bool:
    """Whether `one` shows of no record more than `other` does."""
    if _SHOWN[one.show] == 0:
        return True
    if _SHOWN[one.show] > _SHOWN[other.show] or one.limit > other.limit:
        return False
    if not one.uses <= other.uses:
        return False
    for held in RECORDS:
        for band in BANDS:
            record = {**RECORD, **held, "match_band": band}
            if not holds(one.rows, record):
                continue
            if not holds(other.rows, record):
                return False
            whole, was_whole = (_in_force(ruling.whole, record) for ruling in (one, other))
            if (whole or "HIT_ONLY") == "HIT_ONLY":
                continue
            if not _coarser(whole, was_whole):
                return False
            for field, manner in one.read.items():
                was = _in_force(other.read.get(field), record)
                if not _coarser(_in_force(manner, record), was):
                    return False
    return True


def assert_no_wider(one: Decision, other: Decision) -> None:
    for id_, ruling in one.rulings.items():
        before = other.rulings.get(id_, Ruling())
        assert _no_wider(ruling, before), f"{id_} is wider:\n{ruling}\nthan\n{before}"


def duties(decision: Decision) -> set[str]:
    """What is to be done whoever is visited; nobody looks afterwards at who is not."""
    return {repr(one) for one in decision.obligations if one.type != "notify_owner"}


# --- the property --------------------------------------------------------------------------------

_MANY = settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=False
)


@_MANY
@given(given_=composed())
def test_no_agency_widens_what_the_others_leave_and_a_stranger_has_no_say(
    ask: Ask, given_: tuple[dict[str, Any], Says, str]
) -> None:
    query, everybody, stranger = given_
    agreeing = [everybody | {agency: FLOOR[agency]} for agency in AGENCIES]
    silent_stranger = everybody | {stranger: {}}
    together, floor, unheard, *others = ask(query, everybody, FLOOR, silent_stranger, *agreeing)
    assert_no_wider(together, floor)
    for without in others:
        assert_no_wider(together, without)
        assert duties(without) <= duties(together)
    assert unheard == together


@given(query=questions(), agency=st.sampled_from(AGENCIES))
@settings(_MANY, max_examples=40)
@example(query=asked_for("RO", "OFFICER_SAFETY", "q1", "SCP"), agency="scp")
def test_an_owner_who_says_nothing_has_agreed_to_nothing(
    ask: Ask, query: dict[str, Any], agency: str
) -> None:
    [decision] = ask(query, FLOOR | {agency: {}})
    for id_, resource in query["resources"].items():
        if resource["agency"].lower() == agency and id_ in decision.rulings:
            assert _SHOWN[decision.rulings[id_].show] == 0


# --- the test itself can fail --------------------------------------------------------------------


def test_a_wider_ruling_is_told_from_a_narrower_one() -> None:
    always = {"type": "compound", "operator": "and", "value": []}

    def ruling(**more: Any) -> Ruling:
        told: dict[str, Any] = {"show": "records", "limit": 2, "rows": always, "whole": "CLEAR"}
        told |= {"read": {"sex": "YEAR"}} | more
        result = {"version": 1, "serial": 1, "obligations": [], "resources": {"f0": told}}
        return read_decision(result).rulings["f0"]

    plain = ruling()
    victims = {"type": "field", "field": "victim", "operator": "eq", "value": False}
    by_case = [{"when": victims, "as": "CLEAR"}, {"when": always, "as": "NULL"}]
    for wider in (
        ruling(limit=3),
        ruling(read={"sex": "CLEAR"}),
        ruling(read={"sex": "YEAR", "dob": "NULL"}),
        ruling(read={"sex": "MONTH_YEAR"}),
        ruling(read={"sex": by_case}),
        ruling(uses={"filter": ["sex"]}),
    ):
        assert not _no_wider(wider, plain)
    for narrower in (
        ruling(limit=1),
        ruling(rows=victims),
        ruling(whole="HIT_ONLY"),
        ruling(whole=[{"when": victims, "as": "CLEAR"}]),
        ruling(read={"sex": "NULL"}),
        ruling(read={}),
        ruling(show="hit", read={}),
        Ruling(),
    ):
        assert _no_wider(narrower, plain)
        assert narrower == plain or not _no_wider(plain, narrower)


def test_two_reasons_of_one_agency_are_an_error_and_show_nothing(tmp_path: Path) -> None:
    """Ambiguity is no permission: the policy engine cannot decide, so nobody is answered."""
    folder = tmp_path / "policies"
    shutil.copytree(POLICIES, folder)
    rule = '\n\nwithhold[id] := {"rule": "%s", "text": "t", "desk": "d", "action": "a"} if {\n'
    rule += "\tsome id, _ in input.resources\n}\n"
    eru = folder / "agencies" / "eru" / "eru.rego"
    eru.write_text(eru.read_text("utf-8") + rule % "eru.one" + rule % "eru.two", "utf-8")

    async def decided() -> Decision:
        with opa(folder) as port:
            pdp = Pdp(port=port, timeout_s=5.0)
            await pdp.start()
            try:
                return await pdp.decide(asked_for("RO", "OFFICER_SAFETY", "q1", "ERU"))
            finally:
                await pdp.aclose()

    with pytest.raises(PolicyUnavailable):
        asyncio.run(decided())
