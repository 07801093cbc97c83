"""The index follows its log, whichever store keeps that, and is made again where it must be."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.audit.apart import Companion, program_of
from gateway.audit.entry import ASKER, Json, Part, owner_part, token
from gateway.audit.following import Follower, reindex
from gateway.audit.index import Held, Index, IndexFile, Opened, Wanted, holding
from gateway.audit.keeper import Receipt
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.merkle import ENTRIES, TILE_WIDTH
from gateway.audit.store import Store, pack, unpack
from gateway.errors import AuditUnavailable, CaseworkUnavailable
from tests.contract.auditplaces import AuditPlace, Files, now, numbers, put

KEY = b"k" * 32


@pytest.fixture(name="place")
def fixture_place(audit_place: AuditPlace) -> AuditPlace:
    return audit_place


def term(text: str) -> str:
    return token(KEY, "term", text)


async def asked(log: AuditLog, count: int, start: int = 0) -> None:
    """So many queries, each with an intent that names its own term, and what it showed of ERU."""

    async def one(n: int) -> Receipt:
        who = {"actor": term(f"officer {n % 3}"), "agency": "NMC", "client": "app"}
        leaf: dict[str, Json] = {
            "kind": "I",
            "request_id": f"q{n}",
            "who": who,
            "at": now().isoformat(),
        }
        terms = {"terms": [["Name", term(f"name {n}")]]}
        intent = await log.append(leaf, {ASKER: Part("NMC", terms)})
        shown = {"records": [["p", "s", "Person", term(f"record {n}"), []]], "hits": []}
        leaf = {"kind": "O", "request_id": f"q{n}", "intent": intent.leaf_hash.hex()}
        return await log.append(
            leaf, {ASKER: Part("NMC", {}), owner_part("ERU"): Part("ERU", shown)}
        )

    await known(log, *await asyncio.gather(*(one(n) for n in range(start, start + count))))


async def known(log: AuditLog, *receipts: Receipt) -> None:
    """Once a checkpoint covers these."""
    await log.keeper.in_tree(max(await numbers(log, list(receipts))))


def found(index: IndexFile, text: str) -> int:
    return len(index.find(Wanted(tokens=(frozenset({term(text)}),)), limit=1000))


@asynccontextmanager
async def following(place: AuditPlace, log: AuditLog, **more: Any) -> AsyncIterator[Follower]:
    follower = Follower(log, place.keys, place.base / "index.sqlite", **more)
    try:
        yield follower
    finally:
        await follower.aclose()


async def until(said: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60  # a process is to start on a machine that may be busy
    while not said():
        assert time.monotonic() < ends
        await asyncio.sleep(0.02)


async def test_it_catches_up_then_follows_and_goes_on_where_it_ended(place: AuditPlace) -> None:
    async with place.opened() as log:
        await asked(log, 160)
        behind: list[int] = []
        async with following(place, log, observed=behind.append, every_s=0.05) as follower:
            with pytest.raises(CaseworkUnavailable):
                _ = follower.index
            follower.start()
            await until(lambda: follower.upto == 320)
            index = follower.index
            for n in (0, 128, 159):
                assert found(index, f"name {n}") == found(index, f"record {n}") == 1
            assert found(index, "officer 0") == 54
            assert all(one.answered for one in index.find(Wanted(), limit=1000))
            assert behind[-1] == 0
            assert max(behind) > 0
            await asked(log, 5, 160)
            await until(lambda: follower.upto == 330)
            assert found(index, "name 164") == 1
        async with following(place, log) as follower:
            again: list[int] = []
            follower._observed = again.append
            await follower.follow()
            assert again == [0]
            assert (follower.upto, follower.verified, follower.whole) == (330, 330, True)


class Tampered:
    """A log in which somebody changed an entry."""

    def __init__(self, log: AuditLog, index: int) -> None:
        self._log, self._index = log, index

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def tile(self, level: int | str, number: int, width: int) -> bytes:
        data = await self._log.tile(level, number, width)
        first = TILE_WIDTH * number
        if level != ENTRIES or not first <= self._index < first + width:
            return data
        entries = unpack(data)
        entries[self._index - first] = entries[self._index - first].replace(b'"I"', b'"R"')
        return pack(entries)


async def test_AU_01_what_is_read_is_verified_up_to_the_first_that_is_not_what_was_signed(
    place: AuditPlace,
) -> None:
    async with place.opened() as log:
        await asked(log, 140)
        intent = [n for n in range(270) if b'"kind":"I"' in await log.leaf(n)][0]  # noqa: RUF015
        path, keys = place.base / "index.sqlite", place.keys
        follower = Follower(cast("AuditLog", Tampered(log, intent)), keys, path)
        await follower.follow()
        assert (follower.upto, follower.verified, follower.whole) == (280, 0, False)
        await follower.aclose()
        async with following(place, log) as again:  # the index of what was changed is made anew
            await again.follow()
            assert (again.upto, again.verified, again.whole) == (280, 280, True)
            await asked(log, 2, 140)
            await again.follow()
            assert (again.verified, again.whole) == (284, True)


async def test_AU_14_what_is_erased_or_has_no_key_gives_fewer_tokens(place: AuditPlace) -> None:
    async with place.opened() as log:
        await asked(log, 4)
        intents = [n for n in range(8) if b'"kind":"I"' in await log.leaf(n)]
        erased = await log.detail(intents[1])
        await log.erase(intents[1])
        place.keys.destroy(f"ERU/{now():%Y-%m}")
        async with following(place, log) as follower:
            await follower.follow()
            index = follower.index
            assert follower.upto == 8
            (gone,) = (n for n in range(4) if [["Name", term(f"name {n}")]] == erased["terms"])
            for n in range(4):
                assert found(index, f"name {n}") == (n != gone)
                assert found(index, f"record {n}") == 0
            assert found(index, f"officer {gone % 3}") >= 1


async def test_a_key_destroyed_meanwhile_opens_nothing_more(place: AuditPlace) -> None:
    async with place.opened() as log, following(place, log) as follower:
        await asked(log, 2)
        await follower.follow()
        pid = follower._indexer.pid
        AuditKeys(place.base / "keys").destroy(f"ERU/{now():%Y-%m}")
        place.keys._read[f"month/ERU/{now():%Y-%m}"] = bytes(32)  # so that it can seal at all
        await asked(log, 2, 2)
        await follower.follow()
        assert pid == follower._indexer.pid  # the one that had opened bodies by it
        for n in range(4):
            assert found(follower.index, f"name {n}") == 1
            assert found(follower.index, f"record {n}") == (n < 2)


async def test_a_process_that_was_killed_is_followed_by_another_and_each_entry_is_indexed_once(
    place: AuditPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.opened() as log:
        await asked(log, 160)
        killed: list[int] = []

        def kill() -> None:
            killed.append(cast("int", follower._indexer.pid))
            os.kill(killed[-1], signal.SIGKILL)

        def between(_behind: int) -> None:
            if not killed:
                kill()

        ask = Companion.ask

        async def lost(self: Companion, message: bytes) -> bytes:
            """What was done, and nobody heard of it."""
            said = await ask(self, message)
            if b'"take"' in message.splitlines()[0] and len(killed) == 1:
                kill()
                return await ask(self, message)
            return said

        async with following(place, log, observed=between, rests=False) as follower:
            with pytest.raises(AuditUnavailable, match="ended with status -9"):
                await follower.follow()
            assert follower.upto == 64
            assert found(follower.index, "officer 0") > 0  # it is still read
            with monkeypatch.context() as patch:
                patch.setattr(Companion, "ask", lost)
                with pytest.raises(AuditUnavailable, match="ended with status -9"):
                    await follower.follow()
            assert follower.upto == 64
            follower.start()
            await until(lambda: follower.upto == 320)
            assert len(set(killed) | {follower._indexer.pid}) == 3
            await until(lambda: follower.verified == 320)
            assert follower.whole
            assert [found(follower.index, f"record {n}") for n in range(160)] == [1] * 160
            rows = follower.index.find(Wanted(), limit=1000)
            assert [len(rows), sum(one.answered for one in rows)] == [160, 160]


async def test_the_process_has_no_secret_in_its_environment_and_gives_way(
    place: AuditPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_AUDIT_URL", "postgresql://u:hunter2@db/log")
    async with place.opened() as log:
        async with following(place, log) as follower:
            await follower.follow()
            pid = cast("int", follower._indexer.pid)
            assert variables(pid) <= {b"PYTHONPATH", b"LC_CTYPE"}
            assert os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def variables(pid: int) -> set[bytes]:
    held = Path(f"/proc/{pid}/environ").read_bytes()
    return {one.partition(b"=")[0] for one in held.split(b"\0") if one}


@pytest.mark.parametrize(
    "cut", [b"", b'{"do": "take", "lengths": [5000], "first": 0, "of": []}\nand no more']
)
def test_the_process_ends_with_a_gateway_that_was_killed(tmp_path: Path, cut: bytes) -> None:
    """Nobody says that it is over, but the pipe that the gateway held is closed."""
    path = tmp_path / "index.sqlite"
    said = {"index": str(path), "keys": str(tmp_path / "keys"), "origin": "gate.example/audit"}
    opening = json.dumps(said) + '\n{"do": "open", "lengths": []}\n'
    with subprocess.Popen(  # noqa: S603  our own program
        program_of("gateway.audit.indexing"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(opening.encode() + cut)
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == {"size": 0, "root": ""}
        with pytest.raises(Held), holding(path):
            pass
        process.send_signal(signal.SIGINT)  # from the terminal: it is the gateway that ends
        process.stdin.close()
        assert process.wait(60) == 0
    with holding(path):
        pass


async def test_a_failure_says_where_and_quotes_nothing(place: AuditPlace) -> None:
    async with place.opened() as log:
        await asked(log, 2)
        path = place.base / "index.sqlite"
        async with following(place, log) as follower:
            await follower.follow()
            with closing(sqlite3.connect(path)) as spoilt:
                spoilt.execute("ALTER TABLE token RENAME TO hoxha")
                spoilt.commit()
            await asked(log, 2, 2)
            with pytest.raises(AuditUnavailable, match=r"OperationalError < index\.py") as failed:
                await follower.follow()
            assert "token" not in failed.value.detail
            assert follower.upto == 4
            with closing(sqlite3.connect(path)) as spoilt:
                spoilt.execute("ALTER TABLE hoxha RENAME TO token")
                spoilt.commit()
            await follower.follow()
            assert (follower.upto, found(follower.index, "name 3")) == (8, 1)


async def test_a_gateway_waits_for_the_index_until_nobody_else_holds_it(place: AuditPlace) -> None:
    async with place.opened() as log:
        await asked(log, 2)
        async with following(place, log) as follower:
            with holding(place.base / "index.sqlite"):
                with pytest.raises(Held):
                    await follower.follow()
                with pytest.raises(CaseworkUnavailable):
                    _ = follower.index
                pid = follower._indexer.pid
            await follower.follow()
            assert (follower.upto, follower._indexer.pid) == (4, pid)


async def test_an_index_of_another_log_or_of_one_put_back_is_made_again(
    place: AuditPlace, tmp_path: Path
) -> None:
    async with place.opened() as log:
        await asked(log, 3)
        path = place.base / "index.sqlite"
        for size, last in ((6, b"another entry's hash" + bytes(12)), (9, b"")):
            index = Index(path, log.verifier.strip())
            index.clear()
            index.add([_opened(n) for n in range(size)], last)
            index.close()
            async with following(place, log) as follower:
                await follower.follow()
                assert (follower.upto, found(follower.index, "name 2")) == (6, 1)
        Index(tmp_path / "other.sqlite", "another log").close()


def _opened(index: int) -> Opened:
    return Opened(index=index, leaf={"kind": "R"})


async def test_made_anew_while_nobody_holds_it(place: AuditPlace) -> None:
    async with place.opened() as log:
        await asked(log, 130)
        path = place.base / "index.sqlite"
        with holding(path), pytest.raises(Held):
            await reindex(log, place.keys, path, told=lambda _done, _of: None)
        told: list[tuple[int, int]] = []
        done = await reindex(log, place.keys, path, told=lambda n, of: told.append((n, of)))
        assert done == 260
        assert told[0] == (64, 260)
        assert told[-1] == (260, 260)
        async with following(place, log) as follower:
            await follower.follow()
            assert found(follower.index, "name 129") == 1
            with pytest.raises(Held):
                await reindex(log, place.keys, path, told=lambda _done, _of: None)


async def test_entries_of_no_known_form_do_not_stop_it(place: AuditPlace) -> None:
    async with place.opened() as log:
        odd: list[dict[str, Json]] = [
            {"kind": "R", "request_id": "a", "who": "nobody"},
            {"kind": "R", "request_id": "b", "purpose": {"case": "not a token"}},
            {"kind": "R", "request_id": "c"},
        ]
        await known(log, *[await log.append(leaf) for leaf in odd])
        async with following(place, log) as follower:
            await follower.follow()
            assert follower.upto == 3
            assert sorted(one.request for one in follower.index.find(Wanted())) == ["", "", "c"]


async def test_what_cannot_be_read_now_is_read_by_the_next_turn(
    short_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = short_directory / f"f{time.monotonic_ns()}"
    base.mkdir()
    place = Files(base=base)
    async with place.opened() as log:
        await put(log, 8)
        await log.keeper.in_tree(7)

        def failing(_store: Store, _first: int, _count: int) -> dict[int, list[bytes]]:
            raise OSError("injected")

        async with following(place, log) as follower:
            with monkeypatch.context() as patch:
                patch.setattr(Store, "sealed", failing)
                with pytest.raises(OSError, match="injected"):
                    await follower.follow()
            assert follower.upto == 0
            await follower.follow()
            assert follower.upto == 8
    assert place.keys.still("../escape") is None
    assert place.keys.periods("term") == ()
