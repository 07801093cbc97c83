"""A dip sample is drawn by the root of a later, witnessed checkpoint, and drawn alike by all."""

from __future__ import annotations

import asyncio
import hmac
import json
import sys
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest
import pytest_asyncio

from gateway.audit.apart import NotDone
from gateway.audit.drawing import drawn
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.memory import Memory
from gateway.audit.reading import Folder, NotThere
from gateway.audit.sampling import NoSample, Sample, Wish, allotted, deciding, draw
from gateway.audit.verify import NoteInvalid, Policy, read_policy
from gateway.audit.witness import Witness
from gateway.cli import main
from tests.e2e.auditplace import flip

ORIGIN = "portcullis.example/audit/2026"
SINCE = datetime(2026, 3, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(hours=1)
LATER = UNTIL + timedelta(minutes=5)
WISH = Wish(since=SINCE, until=UNTIL, count=30)
TOLD = ("refused", "failed", "shown", "nothing", "cut off", "nothing", "shown", "shown")


@dataclass(slots=True, kw_only=True)
class Place:
    """A log of an hour's queries, its checkpoints, and a witness of it."""

    folder: Path
    log: AuditLog
    witness: Witness
    policy: Policy
    now: datetime = SINCE
    early: bytes = b""  # a checkpoint signed within the hour
    later: bytes = b""  # one signed after it, and witnessed

    @property
    def key(self) -> str:
        return self.log.verifier

    def drawn(self, wish: Wish = WISH, checkpoint: bytes = b"") -> Sample:
        return draw(Folder(self.folder), self.key, checkpoint or self.later, wish, self.policy)

    def witnessed(self, note: bytes) -> bytes:
        answer = self.witness.add_checkpoint(b"old 0\n\n" + note)
        assert answer.status == 200
        return note + answer.body

    async def checkpoint(self, at: datetime) -> bytes:
        """One that is signed at this moment."""
        self.now = at
        receipt = await self.log.append({"kind": "R", "request_id": at.isoformat()})
        await self.log.inclusion(await self.log.number(receipt))
        return self.log.checkpoint


def leaves(number: int, random: Random, at: datetime) -> list[dict[str, Any]]:
    """The entries of one query."""
    agency, purpose = random.choice(("NMC", "NMC", "NMC", "SCP")), random.choice(("A", "A", "B"))
    told, request = TOLD[number % len(TOLD)], f"q{number}"
    who = {"actor": "aa" * 32, "agency": agency, "roles": f"r{number % 2}", "client": "app"}
    leaf: dict[str, Any] = {"request_id": request, "at": at.isoformat(), "who": who,
                            "purpose": {"code": purpose}}  # fmt: skip
    if told == "refused" and number % 16 == 0:
        return [leaf | {"kind": "D", "code": "REFUSED"}]
    ended = {"kind": "O", "request_id": request, "at": at.isoformat(), "disclosed": {"records": 0},
             "code": {"refused": "REFUSED", "failed": "SOURCE"}.get(told)}  # fmt: skip
    if told == "shown":
        ended["disclosed"] = {"records": 2}
    return [leaf | {"kind": "I"}, *([] if told == "cut off" else [ended])]


@pytest_asyncio.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    base = tmp_path_factory.mktemp("sampled")
    made: list[Place] = []
    log = await AuditLog.open(
        base / "log", keys=AuditKeys(base / "keys"), origin=ORIGIN,
        clock=lambda: made[0].now if made else SINCE,
    )  # fmt: skip
    with closing(Memory(base / "witness")) as memory:
        witness = Witness("witness.example/w1", memory, [log.verifier],
                          lambda: made[0].now.timestamp())  # fmt: skip
        text = f"log {log.verifier}\nwitness w1 {witness.verifier}\nquorum w1\n"
        (base / "witnesses.policy").write_text(text)
        own = Place(folder=base / "log", log=log, witness=witness,
                    policy=read_policy(text.encode()))  # fmt: skip
        made.append(own)
        random = Random(7)  # noqa: S311  repeatable
        for number in range(320):
            own.now = SINCE + timedelta(seconds=15 * number)  # a quarter is later than the hour
            query = leaves(number, random, own.now)
            receipt = await log.append(query[0])
            if query[1:]:
                await log.append(query[1] | {"intent": receipt.leaf_hash.hex()})
            if number == 200:
                await log.inclusion(await log.number(receipt))
                own.early = log.checkpoint
        own.later = own.witnessed(await own.checkpoint(LATER + timedelta(hours=1)))
        (base / "kept.note").write_bytes(own.later)
        yield own
        await log.aclose()


def naive(folder: Path, note: bytes, wish: Wish) -> list[int]:
    """The same from the description alone, the slow way."""
    origin, size, root = note.decode().split("\n")[:3]
    read = Folder(folder)
    entries: list[bytes] = []
    for number in range((int(size) + 255) // 256):
        names = sorted((folder / "tile/entries").glob(f"{number:03}*"))
        path = next((p for p in names if p.is_file()), None)
        path = path or max((names[0]).iterdir(), key=lambda p: int(p.name))
        data = read.read(str(path.relative_to(folder)))
        while data:
            length = int.from_bytes(data[:2], "big")
            entries.append(data[2 : 2 + length])
            data = data[2 + length :]
    hashes = [sha256(b"\0" + entry).digest() for entry in entries][: int(size)]
    queries: dict[tuple[str, ...], list[tuple[bytes, int]]] = {}
    said = [json.loads(entry) for entry in entries][: int(size)]
    for index, leaf in enumerate(said):
        if leaf["kind"] not in "ID" or not (
            wish.since <= datetime.fromisoformat(leaf["at"]) < wish.until
        ):
            continue
        ended = [one for one in said if one.get("intent") == hashes[index].hex()]
        told = "refused" if leaf["kind"] == "D" else "cut off"
        if ended:
            code, records = ended[0]["code"], ended[0]["disclosed"]["records"]
            told = "shown" if records else "nothing"
            told = {"REFUSED": "refused", "SOURCE": "failed"}.get(code, told)
        stratum = (leaf["who"]["agency"], leaf["purpose"]["code"], leaf["who"]["roles"], told)
        queries.setdefault(stratum, []).append((hashes[index], index))
    lines = ["portcullis dip sample/v1", origin, size, root, "2026-03-01T00:00:00.000000Z",
             "2026-03-01T01:00:00.000000Z", wish.by, str(wish.count), ""]  # fmt: skip
    seed = sha256("\n".join(lines).encode()).digest()

    def rank(what: bytes) -> bytes:
        return hmac.new(seed, what, "sha256").digest()

    order = sorted(queries, key=lambda one: rank("\n".join(one).encode()))
    places = dict.fromkeys(order[: wish.count], 1)
    while sum(places.values()) < wish.count:
        places[max(
            (one for one in order if places[one] < len(queries[one])),
            key=lambda one: (len(queries[one]) / (2 * places[one] + 1), -order.index(one)),
        )] += 1  # fmt: skip
    return sorted(
        index
        for one, some in queries.items()
        for _, index in sorted(some, key=lambda pair: rank(pair[0]))[: places.get(one, 0)]
    )


async def test_au_20_a_sample_is_drawn_by_a_later_witnessed_root_and_alike_by_all(
    place: Place,
) -> None:
    sample = await asyncio.to_thread(place.drawn)
    again = await asyncio.to_thread(place.drawn)
    assert again == sample
    assert sorted(one.index for one in sample.drawn) == naive(place.folder, place.later, WISH)
    assert len(sample.drawn) == 30
    assert sample.population == 240
    assert {one.stratum for one in sample.drawn} == set(sample.strata) or len(sample.strata) > 30
    assert {stratum[3] for stratum in sample.strata} == {*TOLD}
    for one in sample.drawn:
        assert sha256(b"\0" + await place.log.leaf(one.index)).hexdigest() == one.leaf_hash


def test_au_20_another_root_draws_another_sample(place: Place) -> None:
    one, other = bytes(32), bytes([*bytes(31), 1])
    sizes = place.drawn().strata
    assert allotted(one, sizes, 20) == allotted(one, dict(reversed(list(sizes.items()))), 20)
    wider = place.drawn(replace(WISH, count=31))
    assert wider.seed != place.drawn().seed
    assert {r.index for r in wider.drawn} != {r.index for r in place.drawn().drawn}
    assert allotted(one, sizes, 10) != allotted(other, sizes, 10)


def test_au_20_no_checkpoint_that_was_known_within_the_period_draws(place: Place) -> None:
    early = replace(WISH, until=UNTIL + timedelta(minutes=20))
    with pytest.raises(NoteInvalid, match="witnessed by nobody"):
        place.drawn(early, place.early)
    with pytest.raises(NoSample, match="not later than the period"):
        draw(Folder(place.folder), place.key, place.early, replace(WISH, until=LATER))
    with pytest.raises(NoSample, match="not later than the period"):
        place.drawn(replace(WISH, until=LATER + timedelta(hours=1, seconds=1)))


def test_au_20_nobody_draws_from_another_log(place: Place, tmp_path: Path) -> None:
    for file in place.folder.rglob("*"):
        if file.is_file() and "entries" in file.parts:
            copy = tmp_path / file.relative_to(place.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    assert draw(Folder(tmp_path), place.key, place.later, WISH) == replace(
        place.drawn(), seen=draw(Folder(place.folder), place.key, place.later, WISH).seen
    )
    flip(tmp_path / "tile/entries/000", at=9, bit=0)
    with pytest.raises(NoSample):
        draw(Folder(tmp_path), place.key, place.later, WISH)


async def test_a_log_that_runs_goes_on_while_another_process_draws(
    place: Place, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    waits = (
        sys.executable, "-c",
        "import pathlib, runpy, time\n"
        f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.02)\n"
        "runpy.run_module('gateway.audit.drawing', run_name='__main__')",
    )  # fmt: skip
    seen = deciding(place.key, place.later, WISH, place.policy)
    drawing = asyncio.create_task(drawn(place.log, seen, WISH, program=waits))
    receipt = await place.log.append({"kind": "R", "request_id": "meanwhile"})
    assert await place.log.number(receipt) >= seen.said.size
    assert not drawing.done()
    go.touch()
    assert await drawing == place.drawn()


async def test_au_20_another_process_draws_from_this_log_alone(place: Place) -> None:
    seen = deciding(place.key, place.later, WISH, place.policy)
    other = replace(seen, said=replace(seen.said, root=bytes(32)))
    with pytest.raises(NoSample, match="do not lead to the root"):
        await drawn(place.log, other, WISH)
    longer = replace(seen, said=replace(seen.said, size=place.log.size + 1_000))
    with pytest.raises(NotThere, match="tile/entries/"):
        await drawn(place.log, longer, WISH)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import sys; sys.stdin.close(); sys.exit(3)", "status 3"),
        ("raise ValueError", "status 1: ValueError"),
        ("import sys; sys.stdin.buffer.read(); import time; time.sleep(60)", "more than 0 s"),
    ],
    ids=["ends early", "fails", "takes too long"],
)
async def test_a_process_that_does_not_draw_is_ended_and_told_of(
    place: Place, code: str, told: str
) -> None:
    seen = deciding(place.key, place.later, WISH, place.policy)
    slow = 0.2 if told.startswith("more") else 60.0
    with pytest.raises(NotDone, match=told):
        await drawn(place.log, seen, WISH, program=(sys.executable, "-c", code), ended_s=slow)


@pytest.mark.parametrize("count", [0, 10_001])
def test_a_sample_has_a_bound(place: Place, count: int) -> None:
    with pytest.raises(NoSample, match="1 to 10000"):
        place.drawn(replace(WISH, count=count))


def test_more_than_there_are_is_all_of_them(place: Place) -> None:
    everything = place.drawn(replace(WISH, count=5_000))
    assert len(everything.drawn) == everything.population == 240
    by_app = place.drawn(replace(WISH, by="app"))
    assert {stratum[2] for stratum in by_app.strata} == {"app"}


def test_anybody_draws_it_with_the_command(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    base = place.folder.parent
    arguments = ["audit", "sample", "--dir", str(place.folder), "--key", place.key,
                 "--from", "2026-03-01", "--until", "2026-03-01T01:00:00Z", "--count", "30",
                 "--checkpoint", str(base / "kept.note"),
                 "--policy", str(base / "witnesses.policy")]  # fmt: skip
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    sample = place.drawn()
    assert told["seed"] == sample.seed
    assert [one["index"] for one in told["sample"]] == [one.index for one in sample.drawn]
    assert told["witnesses"] == ["w1"]
    assert main(arguments) == 0
    assert "30 of 240 queries" in capsys.readouterr().out
    assert main([*arguments[:-2], "--until", "2026-03-01T03:00:00Z"]) == 2
    assert "not later than the period" in capsys.readouterr().err
    assert b64decode(place.later.decode().split("\n")[2]) == sample.seen.said.root
