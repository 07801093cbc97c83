"""AU-22: failures of callers whom nobody knows: a few have an entry each, many share some."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from gateway.audit.crowd import ALONE, MOST, Crowd, Failure, told
from gateway.audit.keeper import Receipt
from gateway.audit.merkle import leaf_hash, root_of
from gateway.errors import AuditUnavailable

AT = datetime(2026, 3, 1, tzinfo=UTC)


class Place:
    """A crowd, and what was written of it."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.written: list[list[str]] = []
        self.fails = False
        self.crowd = Crowd(lambda: self.seconds)

    async def write(self, failures: Sequence[Failure]) -> Receipt:
        if self.fails:
            raise AuditUnavailable
        self.written.append([failure.id for failure in failures])
        return Receipt(index=len(self.written) - 1, leaf_hash=b"", at=AT)

    def fail(self, id_: str, alike: str = "401") -> asyncio.Task[Receipt]:
        failure = Failure(id=id_, peer="192.0.2.1", cause="")
        return asyncio.create_task(self.crowd.join(alike, failure, self.write))

    async def many(self, count: int, alike: str = "401") -> list[Receipt]:
        return list(await asyncio.gather(*(self.fail(f"{alike}-{n}", alike) for n in range(count))))


@pytest.fixture
def place() -> Place:
    return Place()


async def test_AU_22_ten_in_a_second_have_an_entry_each(place: Place) -> None:
    await place.many(ALONE)
    assert [len(ids) for ids in place.written] == [1] * ALONE
    place.seconds += 1
    await place.many(ALONE)
    assert [len(ids) for ids in place.written] == [1] * 2 * ALONE


async def test_AU_22_what_comes_beyond_shares_one_and_waits_for_it(place: Place) -> None:
    receipts = await place.many(ALONE + 300)
    assert [len(ids) for ids in place.written] == [1] * ALONE + [300]
    assert {receipt.index for receipt in receipts[ALONE:]} == {ALONE}
    ids = [one for group in place.written for one in group]
    assert len(set(ids)) == ALONE + 300


async def test_AU_22_an_entry_is_of_failures_that_are_alike(place: Place) -> None:
    await place.many(ALONE)
    await asyncio.gather(place.many(5, "401 A"), place.many(7, "400 B"))
    assert sorted(map(len, place.written[ALONE:])) == [5, 7]
    for ids in place.written[ALONE:]:
        assert len({one.rsplit("-", 1)[0] for one in ids}) == 1


async def test_AU_22_one_entry_holds_so_many_and_no_more(place: Place) -> None:
    await place.many(ALONE + 2 * MOST + 3)
    assert sorted(map(len, place.written[ALONE:])) == [3, MOST, MOST]


async def test_AU_22_nobody_is_answered_when_their_entry_is_not_written(place: Place) -> None:
    await place.many(ALONE)
    place.fails = True
    waiting = [place.fail(str(n)) for n in range(3)]
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in found] == [AuditUnavailable] * 3


async def test_AU_22_a_caller_who_leaves_takes_nobody_along(place: Place) -> None:
    await place.many(ALONE)
    waiting = [place.fail(str(n)) for n in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert place.written[-1] == ["0", "1", "2"]


def test_AU_22_the_leaf_commits_to_all_and_names_no_address() -> None:
    many = [Failure(id=f"r{n}", peer=f"192.0.2.{n % 100}", cause="old") for n in range(300)]
    leaf, sealed = told(many)
    root = root_of([leaf_hash(f"r{n}".encode()) for n in range(300)])
    assert leaf == {"crowd": {"count": 300, "requests": root.hex()}}
    assert sealed["requests"] == [f"r{n}" for n in range(300)]
    assert sealed["causes"] == {"old": 300}
    assert len(sealed["peers"]) == 65
    assert sum(sealed["peers"].values()) == 300
    assert sealed["peers"]["others"] == 108
