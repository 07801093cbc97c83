"""`python -m gateway.audit.drawing`: a dip sample of a log that runs, in a process of its own.

All of the log goes through it, bundle after bundle as the gateway reads them: the process needs
neither the log's place nor its password. What is wanted is the first line of the standard input,
as JSON; the entries follow, packed as in their bundles.
"""

from __future__ import annotations

import asyncio
import json
import sys
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from typing import BinaryIO, Final, Protocol

from gateway.audit.apart import apart, program_of, work
from gateway.audit.merkle import ENTRIES, TILE_WIDTH, tile_path, tile_width
from gateway.audit.reading import NotThere
from gateway.audit.sampling import Drawn, NoSample, Sample, Wish, bundles_in, sampled
from gateway.audit.verify import Checkpoint, Seen
from gateway.errors import AuditUnavailable

_PROGRAM: Final = program_of("gateway.audit.drawing")
_READ_S: Final = 5.0  # for one bundle
_ENDED_S: Final = 7_200.0
_LONGEST_S: Final = 3_600  # of computing


class Log(Protocol):
    """A log that runs."""

    async def tile(self, level: int | str, number: int, width: int) -> bytes: ...


async def drawn(
    log: Log,
    seen: Seen,
    wish: Wish,
    *,
    program: Sequence[str] = _PROGRAM,
    ended_s: float = _ENDED_S,
) -> Sample:
    """The sample that a checkpoint of this log decides (`sampling.deciding`).

    Raises:
        NoSample: the log is not what the checkpoint covers.
        NotThere: a part of the log cannot be read.
        NotDone: the process fails, or takes too long.
    """
    held = json.loads(await apart(program, _given(log, seen, wish), ended_s=ended_s))
    if "none" in held:
        raise NoSample(held["none"])
    return Sample(
        wish=wish,
        seen=seen,
        seed=held["seed"],
        drawn=tuple(
            Drawn(index=index, leaf_hash=leaf_hash, request=request, stratum=(a, p, r, o))
            for index, leaf_hash, request, (a, p, r, o) in held["drawn"]
        ),
        strata={(a, p, r, o): size for (a, p, r, o), size in held["strata"]},
    )


async def _given(log: Log, seen: Seen, wish: Wish) -> AsyncIterator[bytes]:
    said = seen.said
    order = {
        "origin": said.origin,
        "size": said.size,
        "root": b64encode(said.root).decode(),
        "since": wish.since.isoformat(),
        "until": wish.until.isoformat(),
        "count": wish.count,
        "by": wish.by,
    }
    yield json.dumps(order).encode() + b"\n"
    for number in range(bundles_in(said.size)):
        width = tile_width(said.size, 0, number)
        try:
            async with asyncio.timeout(_READ_S):
                bundle = await log.tile(ENTRIES, number, width)
        except (LookupError, AuditUnavailable, TimeoutError) as error:
            name = tile_path(ENTRIES, number, width)
            raise NotThere(f"{name}: {type(error).__name__}") from error
        yield bundle


# -- the other process -----------------------------------------------------------------------


def _drawn(given: BinaryIO) -> bytes:
    held = json.loads(given.readline())
    said = Checkpoint(
        origin=held["origin"],
        size=held["size"],
        root=b64decode(held["root"]),
        signed_at=None,  # whoever gave the order has looked at that
    )
    wish = Wish(
        since=datetime.fromisoformat(held["since"]),
        until=datetime.fromisoformat(held["until"]),
        count=held["count"],
        by=held["by"],
    )
    try:
        sample = sampled(Seen(said=said, witnesses={}), wish, _bundles(given, said.size))
    except NoSample as error:
        return json.dumps({"none": str(error)}).encode()
    return json.dumps({
        "seed": sample.seed,
        "drawn": [[one.index, one.leaf_hash, one.request, one.stratum] for one in sample.drawn],
        "strata": list(sample.strata.items()),
    }).encode()  # fmt: skip


def _bundles(given: BinaryIO, size: int) -> Iterator[Sequence[bytes]]:
    for first in range(0, size, TILE_WIDTH):
        yield [_entry(given) for _ in range(min(TILE_WIDTH, size - first))]


def _entry(given: BinaryIO) -> bytes:
    """One of a bundle, behind its length (`store.pack`).

    Raises:
        NoSample: it ends before.
    """
    length = int.from_bytes(given.read(2), "big")
    entry = given.read(length)
    if not entry or len(entry) != length:
        raise NoSample("the log ends before the checkpoint does")
    return entry


if __name__ == "__main__":
    sys.exit(work(_drawn, longest_s=_LONGEST_S))
