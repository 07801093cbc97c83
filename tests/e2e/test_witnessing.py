"""The log and its witnesses, over real HTTP: who has seen what, and what happens when few do."""

from __future__ import annotations

import asyncio
import logging
import shutil
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from deploy.demo.witnesses import running_witnesses
from gateway.audit.log import AuditLog
from gateway.audit.verify import Policy, Verifier, open_witnessed, read_policy, verify
from gateway.audit.witnessing import Witnessing
from gateway.errors import AuditUnavailable
from tests.e2e.auditplace import ORIGIN, Place, put
from tests.e2e.witnessplace import Passing, Three, serving, three, until, witnessed


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@asynccontextmanager
async def seen(place: Place) -> AsyncIterator[tuple[AuditLog, Three]]:
    async with (
        place.opened() as log,
        three(place.base / "witnesses", log.verifier) as witnesses,
    ):
        yield log, witnesses


async def signed_by(witnessing: Witnessing, count: int, size: int, within_s: float = 30) -> None:
    """Once so many witnesses have signed a checkpoint of this size or more."""
    await until(
        lambda: len(witnessing.signers) == count and witnessing.published_size >= size, within_s
    )


async def test_what_enough_have_signed_is_published_and_kept(place: Place) -> None:
    async with seen(place) as (log, witnesses):
        async with witnessed(log, witnesses.policy) as witnessing:
            await put(log, 300)
            await signed_by(witnessing, 3, 300)
            found = open_witnessed(witnessing.published, place.public, witnesses.policy)
            assert set(found.witnesses) == {"a", "b", "c"}
            assert found.said.size == 300
        assert (place.log / "witnessed").read_bytes() == witnessing.published
        report = verify(place.log, place.public, policy=witnesses.policy)
        assert report.ok, report.problems
        assert (report.witnessed, set(report.witnesses)) == (300, {"a", "b", "c"})


async def test_witnesses_go_on_where_they_were_after_a_restart_of_all(place: Place) -> None:
    async with seen(place) as (log, witnesses), witnessed(log, witnesses.policy) as witnessing:
        await put(log, 10)
        await signed_by(witnessing, 3, 10)
    async with seen(place) as (log, witnesses), witnessed(log, witnesses.policy) as witnessing:
        assert witnessing.published_size == 10
        await put(log, 5)
        await signed_by(witnessing, 3, 15)


async def test_F_35_two_of_three_are_enough(place: Place) -> None:
    async with seen(place) as (log, witnesses):
        passing = Passing()
        async with witnessed(log, witnesses.policy, passing) as witnessing:
            await witnesses.end("b")
            await put(log, 10)
            await signed_by(witnessing, 2, 10)
            open_witnessed(witnessing.published, place.public, witnesses.policy)
            await until(lambda: bool(passing.told) and passing.told[-1] == (0.0, 2, False))
            await witnesses.begin("b")
            passing.by += 20  # it is tried again before long
            await put(log, 1)
            await signed_by(witnessing, 3, 11)


async def test_F_35_without_witnesses_the_log_goes_on_and_there_is_an_alarm(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    passing = Passing()
    async with (
        seen(place) as (log, witnesses),
        witnessed(log, witnesses.policy, passing) as witnessing,
    ):
        await put(log, 10)
        await signed_by(witnessing, 3, 10)
        for name in ("a", "b", "c"):
            await witnesses.end(name)
        receipts = await put(log, 10)  # nobody is held up
        await log.inclusion(receipts[-1].index)
        assert witnessing.published_size == 10
        witnessing.check()  # not for long
        with pytest.raises(AuditUnavailable, match="within"):
            await witnessing.proof(receipts[-1].receipt, 0.3)
        passing.by += 11
        await until(lambda: witnessing.published_size == 20)
        assert witnessing.published == log.checkpoint  # unwitnessed
        assert not passing.told[-1][2]
        passing.by += 50
        with caplog.at_level(logging.ERROR):
            await until(lambda: passing.told[-1][2])
        assert passing.told[-1][0] > 60
        assert passing.told[-1][1] == 0
        assert "the log has not been witnessed for 6" in caplog.text
        assert passing.events == [{"event": "missing", "size": 20}]
        witnessing.check()
        passing.by += 60
        with pytest.raises(AuditUnavailable, match="too long"):
            witnessing.check()
        assert (await put(log, 1))[0].index == 20
        for name in ("a", "b", "c"):
            await witnesses.begin(name)
        passing.by += 20
        await signed_by(witnessing, 3, 21)
        await until(lambda: passing.told[-1] == (0.0, 3, False))
        assert [one["event"] for one in passing.events] == ["missing", "again"]


async def test_F_35_nobody_reached_at_the_start(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    async with seen(place) as (log, witnesses):
        for name in ("a", "b", "c"):
            await witnesses.end(name)
        async with witnessed(log, witnesses.policy) as witnessing:
            assert "not signed at the start by witnesses a, b, c" in caplog.text
            with pytest.raises(AuditUnavailable):
                witnessing.check()
            await put(log, 1)
            await until(lambda: witnessing.published_size == 1)


Answering = Callable[[Request], Awaitable[Response]]


async def slow(_request: Request) -> Response:
    await asyncio.sleep(30)
    return PlainTextResponse("late")


async def broken(_request: Request) -> Response:
    return PlainTextResponse("broken", 500)


async def lying(_request: Request) -> Response:
    return PlainTextResponse("7\n", 409, {"content-type": "text/x.tlog.size"})


async def wordless(_request: Request) -> Response:
    return PlainTextResponse("no size", 409)


async def endless(_request: Request) -> Response:
    return PlainTextResponse("x" * 1_000_000)


async def unsigned(_request: Request) -> Response:
    blob = b64encode(b"k" * 76).decode()
    return PlainTextResponse(f"\N{EM DASH} witness.example/odd {blob}\n")


async def nonsense(_request: Request) -> Response:
    return PlainTextResponse("\x00\xff not a signature")


def with_odd(policy: Policy, witnesses: Three, url: str) -> Policy:
    """The policy with a fourth witness, two of four being enough."""
    key = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    odd = Verifier(name="witness.example/odd", kind=4, key=key)
    lines = [f"witness {n} {p.verifier.text} {p.url}" for n, p in policy.witnesses.items()]
    lines += [f"witness odd {odd.text} {url}", "group enough 2 a b c odd", "quorum enough"]
    return read_policy("\n".join(lines).encode())


@pytest.mark.parametrize(
    "odd", [slow, broken, lying, wordless, endless, unsigned, nonsense], ids=lambda f: f.__name__
)
async def test_F_35_a_witness_that_misbehaves_holds_up_nobody(place: Place, odd: Answering) -> None:
    app = Starlette(routes=[Route("/add-checkpoint", odd, methods=["POST"])])
    async with seen(place) as (log, witnesses), serving(app) as url:
        await put(log, 20)  # more than it claims to have seen
        await log.inclusion(19)
        passing = Passing()
        policy = with_odd(witnesses.policy, witnesses, url)
        async with witnessed(log, policy, passing) as witnessing:
            started = monotonic()
            await put(log, 10)
            assert monotonic() - started < 1
            await signed_by(witnessing, 3, 30)
            assert set(witnessing.signers) == {"a", "b", "c"}
            await until(lambda: bool(passing.told) and passing.told[-1][:2] == (0.0, 3))


async def test_a_witness_of_another_size_is_given_the_proof_from_there(place: Place) -> None:
    async with seen(place) as (log, witnesses):
        async with witnessed(log, witnesses.policy) as witnessing:
            await put(log, 10)
            await signed_by(witnessing, 3, 10)
            await witnesses.end("c")
            await put(log, 300)
            await signed_by(witnessing, 2, 310)
        await witnesses.begin("c")
        async with witnessed(log, witnesses.policy) as witnessing:  # as if started anew
            await put(log, 1)
            await signed_by(witnessing, 3, 311)


async def put_back(place: Place, witnesses: Three, before: int, after: int) -> None:
    """Grow the log, see it witnessed, and put it back to what it was."""
    async with place.opened() as log:
        await put(log, before)
    shutil.copytree(place.log, place.base / "backup")
    async with place.opened() as log, witnessed(log, witnesses.policy) as witnessing:
        await put(log, after)
        await signed_by(witnessing, 3, before + after)
    shutil.rmtree(place.log)
    shutil.copytree(place.base / "backup", place.log)


async def test_AU_03_a_log_that_was_put_back_does_not_start(place: Place) -> None:
    verifier = place.keys.signer(ORIGIN).verifier
    async with three(place.base / "witnesses", verifier) as witnesses:
        await put_back(place, witnesses, 10, 20)
        async with place.opened() as log:
            assert log.size == 10
            passing = Passing()
            with pytest.raises(AuditUnavailable) as refused:
                async with witnessed(log, witnesses.policy, passing):
                    pass
            names = [one["witness"] for one in passing.events]
            assert {"a"} <= set(names) <= {"a", "b", "c"}
            assert len(names) == len(set(names))
            assert {one["event"] for one in passing.events} == {"contradicted"}
            assert {(one["size"], one["seen"]) for one in passing.events} == {(10, 30)}
        assert "witness a: it has seen 30 records of this log, which has only 10" in str(
            refused.value.detail
        )


async def test_AU_03_one_witness_that_is_left_is_enough_to_know(place: Place) -> None:
    verifier = place.keys.signer(ORIGIN).verifier
    async with three(place.base / "witnesses", verifier) as witnesses:
        await put_back(place, witnesses, 10, 20)
        await witnesses.end("a")
        await witnesses.end("b")
        async with place.opened() as log:
            with pytest.raises(AuditUnavailable) as refused:
                async with witnessed(log, witnesses.policy):
                    pass
        assert "witness c" in str(refused.value.detail)


async def test_AU_03_a_log_that_was_put_back_and_grew_on_does_not_start(place: Place) -> None:
    """Larger than what was seen, so that only the proof can show it."""
    verifier = place.keys.signer(ORIGIN).verifier
    async with three(place.base / "witnesses", verifier) as witnesses:
        await put_back(place, witnesses, 10, 20)
        async with place.opened() as log:
            await put(log, 50, start=1000)
            await log.inclusion(59)
            with pytest.raises(AuditUnavailable) as refused:
                async with witnessed(log, witnesses.policy):
                    pass
        assert "it signed another one of size 30" in str(refused.value.detail)


async def test_AU_06_a_fork_of_the_size_that_was_seen_does_not_start(place: Place) -> None:
    verifier = place.keys.signer(ORIGIN).verifier
    async with three(place.base / "witnesses", verifier) as witnesses:
        await put_back(place, witnesses, 10, 20)
        async with place.opened() as log:
            await put(log, 20, start=1000)
            await log.inclusion(29)
            with pytest.raises(AuditUnavailable) as refused:
                async with witnessed(log, witnesses.policy):
                    pass
        assert "signed another root of size 30" in str(refused.value.detail)
        assert list((place.base / "witnesses" / "a" / "forks").iterdir())  # evidence against it


async def test_AU_03_tiles_put_back_beside_what_was_kept_do_not_start(place: Place) -> None:
    """Without any witness: the kept checkpoint alone shows it."""
    verifier = place.keys.signer(ORIGIN).verifier
    async with three(place.base / "witnesses", verifier) as witnesses:
        async with place.opened() as log:
            await put(log, 10)
        shutil.copytree(place.log, place.base / "backup")
        async with place.opened() as log, witnessed(log, witnesses.policy) as witnessing:
            await put(log, 20)
            await signed_by(witnessing, 3, 30)
        kept = (place.log / "witnessed").read_bytes()
        shutil.rmtree(place.log)
        shutil.copytree(place.base / "backup", place.log)
        (place.log / "witnessed").write_bytes(kept)
        for name in ("a", "b", "c"):
            await witnesses.end(name)
        async with place.opened() as log:
            with pytest.raises(AuditUnavailable) as refused:
                async with witnessed(log, witnesses.policy):
                    pass
        assert "does not contain what was witnessed before" in str(refused.value.detail)


async def test_what_is_witnessed_under_load_is_the_log(place: Place) -> None:
    async with seen(place) as (log, witnesses):
        async with witnessed(log, witnesses.policy) as witnessing:
            sizes: list[int] = []
            for n in range(30):
                await put(log, 40, start=40 * n)
                await asyncio.sleep(0.05)
                sizes.append(witnessing.published_size)
            assert sizes == sorted(sizes)
            await signed_by(witnessing, 3, 1200)
        report = verify(place.log, place.public, policy=witnesses.policy)
        assert report.ok, report.problems


async def test_the_demonstrations_witnesses_go_on_after_a_restart(place: Place) -> None:
    policy = place.base / "witnesses.policy"
    keys: list[set[str]] = []
    for size in (10, 300):
        async with place.opened() as log:
            running = running_witnesses(
                place.base / "witnesses", place.base / "keys" / "log.pub", policy
            )
            async with running:
                read = read_policy(policy.read_bytes())
                assert read.groups["enough"][0] == 2
                keys.append({one.verifier.text for one in read.witnesses.values()})
                async with witnessed(log, read) as witnessing:
                    await put(log, size - log.size, start=log.size)
                    await signed_by(witnessing, 3, size)
    assert keys[0] == keys[1]
    assert len(keys[0]) == 3
    assert verify(place.log, place.public, policy=read).witnessed == 300
