"""The decision point against a real Open Policy Agent, and against what may stand in its place."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import AuditUnavailable, PolicyMisunderstood, PolicyUnavailable
from gateway.model import (
    CLEAR,
    Decision,
    Fetch,
    Justification,
    Part,
    Plan,
    Release,
    Show,
    Subject,
    Use,
)
from gateway.policy.contract import question
from gateway.policy.pdp import Pdp, canaries
from tests.opa import POLICIES, free_port, opa

ALLOWED, DENIED = canaries()
EMPTY: dict[str, Any] = {"version": 1, "serial": 1, "resources": {}, "obligations": []}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with opa() as port:
        yield port


@asynccontextmanager
async def pdp(port: int, **settings: Any) -> AsyncIterator[Pdp]:
    # a busy machine may take long over one answer; what is about time sets its own
    client = Pdp(port=port, **{"timeout_s": 5.0, **settings})
    await client.start()
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def standing_in(
    answer: Callable[[int], bytes | None], *, close: bool = True
) -> AsyncIterator[tuple[int, list[int]]]:
    """A server in OPA's place. `answer` gives the body of the nth request: None hangs, and at
    nothing the connection is closed."""
    asked: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    int(line.split(b":")[1])
                    for line in head.lower().splitlines()
                    if line.startswith(b"content-length")
                )
                await reader.readexactly(length)
                asked.append(len(asked))
                body = answer(asked[-1])
                if body is None:
                    await asyncio.sleep(30)
                if not body:
                    return
                header = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(b"HTTP/1.1 200 OK\r\n" + header.encode() + body)
                await writer.drain()
                if close:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()


def says(**changes: Any) -> bytes:
    return json.dumps({"result": {**EMPTY, **changes}}).encode()


async def test_a_real_decision_is_read(port: int) -> None:
    async with pdp(port) as client:
        allowed, denied = await client.decide(ALLOWED), await client.decide(DENIED)
    ruling = allowed.rulings["f0"]
    assert (ruling.show, ruling.read["make"], ruling.limit) == (Show.RECORDS, CLEAR, 1)
    assert denied.refuse is not None
    assert denied.refuse.rule == "refuse.purpose"
    assert client.serial == allowed.serial > 0


def test_the_canaries_are_an_ordinary_officers_question_and_one_of_nobody() -> None:
    at = datetime(2025, 1, 1, tzinfo=UTC)
    subject = Subject(
        issuer="canary",
        id="canary",
        agency="NMC",
        roles=("response_officer",),
        clearance="OS",
        training=(),
        app="canary",
        token_id="t",  # noqa: S106  # an identifier
        attributes_as_at=at,
        on_duty=True,
    )
    why = Justification(
        purpose="OFFICER_SAFETY", reason_code="R02", reason_text="words", incident_ref="an incident"
    )
    uses = frozenset({(Use.FILTER, "vrm")})
    part = Part(path="", type="Vehicle", reads=frozenset({"make"}), uses=uses)
    plan = Plan(fetches=(Fetch(id="f0", source="nmc", entity="Vehicle", parts=(part,), limit=1),))
    asked = question(plan, subject, why, agencies={"nmc": "NMC"}, now=at, query_id="canary")
    assert asked == ALLOWED
    assert {**ALLOWED, "subject": {**ALLOWED["subject"], "roles": []}} == DENIED


async def test_ready_with_the_deployed_policies(port: int) -> None:
    async with pdp(port) as client:
        assert await client.ready()


async def test_not_ready_when_everything_or_nothing_is_allowed(port: int) -> None:
    async with pdp(port, canary=(ALLOWED, ALLOWED)) as client:
        assert not await client.ready()
    async with pdp(port, canary=(DENIED, DENIED)) as client:
        assert not await client.ready()


SHOWN, HIDDEN = {"show": "records", "limit": 1}, {"show": "silent", "limit": 1}
NO = {"rule": "r", "text": "No.", "desk": "d"}


@pytest.mark.parametrize(
    ("allowed", "denied", "ready"),
    [
        ({"resources": {"f0": SHOWN}}, {}, True),
        ({"resources": {"f0": {"show": "hit", "limit": 1}}}, {"resources": {"f0": HIDDEN}}, True),
        ({"resources": {"f0": HIDDEN, "f1": SHOWN}}, {}, True),
        ({"resources": {"f0": SHOWN}}, {"refuse": NO}, True),
        ({"resources": {"f0": HIDDEN}}, {}, False),
        ({"resources": {"f0": {"limit": 1}}}, {}, False),
        ({"resources": {"f0": {"show": "records", "limit": 0}}}, {}, False),
        ({"refuse": NO}, {}, False),
        ({"resources": {"f0": SHOWN}}, {"resources": {"f0": HIDDEN, "f1": SHOWN}}, False),
    ],
)
async def test_ready_where_something_is_allowed_and_nothing_that_must_not_be(
    allowed: dict[str, Any], denied: dict[str, Any], ready: bool
) -> None:
    bodies = [says(**allowed), says(**denied)]
    async with standing_in(lambda nth: bodies[nth]) as (port, _), pdp(port) as client:
        assert await client.ready() is ready


async def test_gone_is_unavailable_at_once() -> None:
    async with pdp(free_port(), timeout_s=0.25) as client:
        begun = time.monotonic()
        with pytest.raises(PolicyUnavailable):
            await client.decide(ALLOWED)
        assert time.monotonic() - begun < 1
        assert not await client.ready()


async def test_hung_is_unavailable_in_time() -> None:
    async with standing_in(lambda _: None) as (port, asked), pdp(port, timeout_s=0.25) as client:
        begun = time.monotonic()
        with pytest.raises(PolicyUnavailable):
            await client.decide(ALLOWED)
        assert time.monotonic() - begun < 1
        assert len(asked) == 1


async def test_only_so_many_ask_at_once_and_none_waits_for_ever() -> None:
    async with (
        standing_in(lambda _nth: None) as (port, asked),
        pdp(port, timeout_s=0.2, at_once=2) as client,
    ):
        begun = time.monotonic()
        asking = [asyncio.create_task(client.decide(asks(purpose=str(n)))) for n in range(6)]
        await asyncio.sleep(0.1)
        assert len(asked) == 2
        outcomes = await asyncio.gather(*asking, return_exceptions=True)
        assert time.monotonic() - begun < 4
    assert len(asked) == 6
    assert all(isinstance(outcome, PolicyUnavailable) for outcome in outcomes)


async def test_policies_without_the_decision_are_not_understood(tmp_path: Path) -> None:
    (tmp_path / "other.rego").write_text("package other\n\nx := 1\n")
    with opa(tmp_path) as port:
        async with pdp(port) as client:
            with pytest.raises(PolicyMisunderstood):
                await client.decide(ALLOWED)
            assert not await client.ready()


async def test_rules_that_contradict_each_other_decide_nothing(tmp_path: Path) -> None:
    policies = shutil.copytree(POLICIES, tmp_path / "policies")
    (policies / "gateway" / "more.rego").write_text(
        "package gateway.subject\n\nacting := input.subject.roles[_]\n"
    )
    torn = {**ALLOWED, "subject": {**ALLOWED["subject"], "roles": ["response_officer", "canary"]}}
    with opa(policies) as port:
        async with pdp(port) as client:
            with pytest.raises(PolicyMisunderstood) as raised:
                await client.decide(torn)
    assert raised.value.detail == "the policy failed: status 500"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"{", PolicyUnavailable),
        (b"\xff\xfe", PolicyUnavailable),
        (b"[" * 100_000, PolicyUnavailable),
        (b"[]", PolicyMisunderstood),
        (b"{}", PolicyMisunderstood),
        (b'{"result": null}', PolicyMisunderstood),
        (says(version=2), PolicyMisunderstood),
        (says(colour="red"), PolicyMisunderstood),
    ],
)
async def test_what_is_no_decision_is_none(body: bytes, error: type[PolicyUnavailable]) -> None:
    async with standing_in(lambda _: body) as (port, _), pdp(port) as client:
        with pytest.raises(error) as raised:
            await client.decide(ALLOWED)
        assert type(raised.value) is error


async def test_a_kept_alive_connection_that_was_closed_costs_one_more_try() -> None:
    async with standing_in(lambda _: says()) as (port, asked), pdp(port) as client:
        for _ in range(5):
            await client.decide(ALLOWED)
    assert len(asked) == 5


async def test_a_question_that_a_closing_connection_swallowed_is_asked_once_more() -> None:
    bodies = [says(), b"", says(), b"", b""]
    async with standing_in(lambda n: bodies[n], close=False) as (port, asked), pdp(port) as client:
        await client.decide(ALLOWED)
        await client.decide(ALLOWED)
        assert len(asked) == 3
        with pytest.raises(PolicyUnavailable):
            await client.decide(ALLOWED)
    assert len(asked) == 5


async def test_an_older_policy_than_seen_is_refused() -> None:
    bodies = [says(serial=5), says(serial=4), says(serial=6)]
    async with standing_in(lambda n: bodies[n]) as (port, _), pdp(port) as client:
        assert (await client.decide(ALLOWED)).serial == 5
        with pytest.raises(PolicyMisunderstood, match="older"):
            await client.decide(ALLOWED)
        assert (await client.decide(ALLOWED)).serial == client.serial == 6


async def test_each_release_is_told_of_once_and_before_it_answers(port: int) -> None:
    told: list[Release] = []

    async def released(release: Release) -> None:
        assert not answered.is_set()
        told.append(release)

    answered = asyncio.Event()

    async def decided(client: Pdp, number: int) -> None:
        await client.decide(asks(purpose=f"P{number}"))
        answered.set()

    async with pdp(port, released=released) as client:
        await asyncio.gather(*(decided(client, number) for number in range(4)))
        (one,) = told
        assert (one.before, one.now, one.refused) == (0, client.serial, False)
        manifest = json.loads((POLICIES / ".manifest").read_text("utf-8"))
        assert one.revisions == (manifest["revision"],)
        assert re.match(r"\d+\.\d+\.", one.engine)


async def test_the_engine_s_own_id_of_a_decision_is_kept_with_it() -> None:
    body = json.dumps({**json.loads(says(serial=5)), "decision_id": "d-1" * 40}).encode()
    async with standing_in(lambda _nth: body) as (port, _), pdp(port) as client:
        assert (await client.decide(ALLOWED)).id == ("d-1" * 40)[:80]
    async with standing_in(lambda _nth: says(serial=5)) as (port, _), pdp(port) as client:
        assert (await client.decide(ALLOWED)).id == ""


async def test_an_older_serial_is_told_of_as_refused_and_once() -> None:
    told: list[tuple[int, int, bool]] = []
    serial = [5]

    async def released(release: Release) -> None:
        told.append((release.before, release.now, release.refused))

    async with (
        standing_in(lambda _nth: says(serial=serial[0])) as (port, _),
        pdp(port, released=released) as client,
    ):
        for serial[0] in (5, 4, 5, 4, 3, 6, 4):
            if serial[0] == client.serial or serial[0] > client.serial:
                await client.decide(ALLOWED)
            else:
                with pytest.raises(PolicyMisunderstood, match="older"):
                    await client.decide(ALLOWED)
    assert told == [(0, 5, False), (5, 4, True), (5, 3, True), (5, 6, False), (6, 4, True)]


async def test_nothing_is_answered_by_a_release_that_could_not_be_told_of() -> None:
    told: list[Release] = []

    async def released(release: Release) -> None:
        told.append(release)
        if len(told) < 3:
            raise AuditUnavailable(detail="the log takes nothing")

    async with (
        standing_in(lambda _nth: says(serial=5)) as (port, _),
        pdp(port, released=released) as client,
    ):
        for _ in range(2):
            with pytest.raises(AuditUnavailable):
                await client.decide(ALLOWED)
        assert (await client.decide(ALLOWED)).serial == 5
        await client.decide(ALLOWED)
    assert len(told) == 3


def asks(**context: Any) -> dict[str, Any]:
    return {**ALLOWED, "context": {**ALLOWED["context"], **context}}


async def test_reused_as_long_as_the_policy_allows_for_the_same_question() -> None:
    now = [0.0]
    async with (
        standing_in(lambda _: says(cache_s=10)) as (port, asked),
        pdp(port, monotonic=lambda: now[0]) as client,
    ):
        first = await client.decide(asks(query_id="1", time="2025-01-01T00:00:00Z"))
        again = await client.decide(asks(query_id="2", time="2025-01-01T00:00:09Z"))
        assert first is again
        assert len(asked) == 2  # the second time only to confirm
        other = {**ALLOWED["subject"], "id": "other"}
        assert await client.decide(asks(purpose="APPREHEND")) is not first
        assert await client.decide({**ALLOWED, "subject": other}) is not first
        now[0] = 10.0
        assert await client.decide(ALLOWED) is not first


async def test_a_kept_decision_is_of_no_use_once_the_policy_is_gone_or_has_changed(
    tmp_path: Path,
) -> None:
    shutil.copytree(POLICIES, tmp_path / "policies")
    release = tmp_path / "policies" / "tables" / "release" / "data.json"
    port = free_port()
    async with pdp(port) as client:
        with opa(port=port):
            first = await client.decide(ALLOWED)
            assert first.cache_s > 0
            assert await client.decide(ALLOWED) is first
        with pytest.raises(PolicyUnavailable):
            await client.decide(ALLOWED)
        newer = json.loads(release.read_text("utf-8")) | {"serial": first.serial + 1}
        release.write_text(json.dumps(newer), "utf-8")
        with opa(tmp_path / "policies", port=port):
            second = await client.decide(ALLOWED)
        assert (second is first, second.serial) == (False, first.serial + 1)


async def test_the_same_question_from_many_at_once_is_asked_once() -> None:
    for cache_s, times in ((60, 1), (0, 8)):  # what may not be kept serves nobody else
        body = says(cache_s=cache_s)
        async with standing_in(_always(body)) as (port, asked):
            async with pdp(port) as client:
                await asyncio.gather(*(client.decide(asks(query_id=str(n))) for n in range(8)))
            assert len(asked) == times


def _always(body: bytes) -> Callable[[int], bytes]:
    return lambda _nth: body


async def test_a_new_serial_ends_reuse_and_the_cache_is_bounded() -> None:
    bodies = [says(serial=1, cache_s=60), says(serial=2, cache_s=60)]
    async with (
        standing_in(lambda n: bodies[min(n, 1)]) as (port, asked),
        pdp(port, max_cached=1) as client,
    ):
        old = await client.decide(asks(purpose="A"))
        new = await client.decide(asks(purpose="B"))
        assert (old.serial, new.serial, len(asked)) == (1, 2, 2)
        assert (await client.decide(asks(purpose="A"))).serial == 2
        assert len(asked) == 3  # nothing was kept to be confirmed
        assert await client.decide(asks(purpose="B")) is not new
        assert len(asked) == 4


async def test_room_is_made_by_what_counts_no_longer_and_then_by_what_was_used_longest_ago() -> (
    None
):
    now, for_s = [0.0], [60]
    known: dict[str, Decision] = {}
    async with (
        standing_in(lambda _: says(cache_s=for_s[0])) as (port, _),
        pdp(port, max_cached=2, monotonic=lambda: now[0]) as client,
    ):

        async def kept(purpose: str) -> bool:
            """Whether it is decided as before, and not anew."""
            before = known.get(purpose)
            known[purpose] = await client.decide(asks(purpose=purpose))
            return known[purpose] is before

        assert not await kept("A")
        for_s[0] = 10
        assert not await kept("B")
        assert await kept("A")
        assert await kept("B")
        now[0], for_s[0] = 12.0, 60
        assert not await kept("C")
        assert await kept("A")  # B made room, though it was used after A
        assert not await kept("D")
        assert await kept("A")  # C made room
        assert not await kept("C")


async def test_the_cache_is_never_used_where_the_policy_does_not_say_so() -> None:
    async with standing_in(lambda _: says()) as (port, asked), pdp(port) as client:
        await client.decide(ALLOWED)
        await client.decide(ALLOWED)
    assert len(asked) == 2


ACTION: dict[str, Any] = {
    "version": 1,
    "action": {"name": "casework"},
    "subject": ALLOWED["subject"],
    "context": ALLOWED["context"],
    "casework": {"act": "myRequests"},
}


async def test_an_action_is_decided_by_the_rules_for_actions(port: int) -> None:
    async with pdp(port) as client:
        allowed = await client.terms(ACTION)
        denied = await client.terms({**ACTION, "subject": DENIED["subject"]})
    assert allowed.refuse is None
    assert denied.refuse is not None
    assert denied.refuse.rule.startswith("casework.")
    assert client.serial == allowed.serial > 0


async def test_an_action_is_asked_for_anew_each_time_and_of_no_older_policy() -> None:
    def answer(nth: int) -> bytes:
        said: dict[str, Any] = {"version": 1, "serial": (5, 5, 4)[nth], "allow": True, "terms": {}}
        return json.dumps({"result": said}).encode()

    async with standing_in(answer) as (port, asked), pdp(port) as client:
        assert client.serial == 0
        assert await client.terms(ACTION) == await client.terms(ACTION)
        with pytest.raises(PolicyMisunderstood, match="older"):
            await client.terms(ACTION)
    assert len(asked) == 3


async def test_closed_or_never_opened_is_unavailable(port: int) -> None:
    client = Pdp(port=port)
    with pytest.raises(PolicyUnavailable):
        await client.decide(ALLOWED)
    await client.start()
    await client.start()
    await client.aclose()
    await client.aclose()
    with pytest.raises(PolicyUnavailable):
        await client.decide(ALLOWED)
