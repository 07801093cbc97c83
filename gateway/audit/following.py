"""The index kept in step with its log: what is new is read, and handed to whoever writes the index.

Bodies that were erased, or whose key was destroyed, give fewer tokens and nothing else. An index
of another log, or of one that was put back, is thrown away and made again. What is read is
verified: the root over all entries, as they were read, is compared with the one that is signed. The
index is written by a process of its own (`indexing.py`), in small pieces with rests between them,
so that queries go first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from gateway.audit.index import Held, IndexFile
from gateway.audit.indexing import Indexer, Known
from gateway.audit.keeper import Signed
from gateway.audit.keys import AuditKeys
from gateway.audit.merkle import (
    ENTRIES,
    TILE_HEIGHT,
    TILE_WIDTH,
    Edge,
    ProofInvalid,
    edge_of,
    levels,
    tile_width,
)
from gateway.audit.store import unpack
from gateway.errors import AuditUnavailable, CaseworkUnavailable
from gateway.recurring import Recurring
from gateway.unforeseen import unforeseen

EVERY_S: Final = 0.25
_AGAIN_S: Final = 2.0  # after a failure
_PIECE: Final = 64  # entries that are indexed without a rest
_NOT_NOW: Final = "The record cannot be searched at the moment. Try again later."
_log = logging.getLogger(__name__)


class Bodies(Protocol):
    """The place where a log is kept, as far as bodies go: `keeper.Keeper`."""

    async def sealed(self, first: int, count: int) -> dict[int, list[bytes]]: ...


class Log(Protocol):
    """The log that is followed: `log.AuditLog`."""

    @property
    def keeper(self) -> Bodies: ...
    @property
    def signed(self) -> Signed: ...
    @property
    def verifier(self) -> str: ...
    async def tile(self, level: int | str, number: int, width: int) -> bytes: ...


class _Bundle(NamedTuple):
    """Entries as they were read, the first of them the next that was wanted."""

    signed: Signed  # when they were
    leaves: list[bytes]
    bodies: dict[int, list[bytes]]


class Follower:
    """Keeps the index of one log, for as long as it is not closed."""

    def __init__(
        self,
        log: Log,
        keys: AuditKeys,
        path: Path,
        *,
        observed: Callable[[int], None] = lambda _behind: None,
        rests: bool = True,
        every_s: float = EVERY_S,
    ) -> None:
        """`observed` is told after each piece how many entries are not indexed yet."""
        self._log, self._observed, self._rests = log, observed, rests
        self._file = IndexFile(path.absolute())
        self._indexer = Indexer(path, log.verifier.strip(), keys.directory)
        self._there = False  # whether the file is known to be of this log
        self._going = False  # whether the process is known to go on where `_upto` says
        self._upto = 0
        self._verified, self._whole = 0, True
        self._turns = Recurring(self._turn, every_s=every_s, name="audit index", log=_log)

    def start(self) -> None:
        self._turns.start(at_once=True)

    async def aclose(self) -> None:
        """End it, after the piece that is being indexed."""
        await self._turns.aclose()
        self._there = self._going = False
        await self._indexer.aclose()

    @property
    def index(self) -> IndexFile:
        """The index, as far as it has come.

        Raises:
            CaseworkUnavailable: there is none yet, or it cannot be used.
        """
        if not self._there:
            raise CaseworkUnavailable(_NOT_NOW, detail="there is no index of the log")
        return self._file

    @property
    def upto(self) -> int:
        """How many entries of the log are indexed."""
        return self._upto

    @property
    def verified(self) -> int:
        """How many entries, as they were read, led to the root that a checkpoint signs."""
        return self._verified

    @property
    def whole(self) -> bool:
        """Whether none has been found yet that does not."""
        return self._whole

    @property
    def behind(self) -> int:
        """How many entries that a checkpoint covers are not indexed yet."""
        return max(0, self._log.signed.size - self._upto)

    async def _turn(self) -> None:
        try:
            await self.follow()
        except AuditUnavailable as error:
            _log.error("audit index: %s", error.detail or unforeseen(error))
            await asyncio.sleep(_AGAIN_S)  # a process that ends at once is not started all the time

    async def follow(self) -> None:
        """Index all that a checkpoint covers by now.

        Raises:
            Held: another process has the index.
            AuditUnavailable, OSError: something cannot be read or written; the next turn goes on
                from where the index ends.
        """
        if not self._going:
            await self._open()
        reading = self._reading(self._upto)
        try:
            while reading is not None:
                bundle = await reading
                reading = self._reading(self._upto + len(bundle.leaves))  # meanwhile
                root = await self._take(bundle)
                if self._upto == bundle.signed.size:
                    self._compare(bundle.signed, root)
                reading = reading or self._reading(self._upto)
        finally:
            if reading is not None:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
        self._observed(0)

    def _reading(self, first: int) -> asyncio.Task[_Bundle] | None:
        """The entries from this one on, being read; None if a checkpoint covers no more."""
        if first >= self._log.signed.size:
            return None
        return asyncio.create_task(self._read(first, self._log.signed))

    async def _read(self, first: int, signed: Signed) -> _Bundle:
        number, skip = divmod(first, TILE_WIDTH)
        width = min(TILE_WIDTH, skip + signed.size - first)
        leaves = unpack(await self._log.tile(ENTRIES, number, width))[skip:width]
        if len(leaves) != width - skip:
            raise AuditUnavailable(detail="a bundle of the log is too short")
        return _Bundle(signed, leaves, await self._log.keeper.sealed(first, width - skip))

    async def _take(self, bundle: _Bundle) -> bytes:
        """Have a bundle indexed; the root of the tree until then."""
        root = b""
        for start in range(0, len(bundle.leaves), _PIECE):
            began = time.monotonic()
            self._going = False  # until it says that it has them
            leaves = bundle.leaves[start : start + _PIECE]
            self._upto, root = await self._indexer.take(self._upto, leaves, bundle.bodies)
            self._going = True
            self._observed(self.behind)
            await asyncio.sleep(time.monotonic() - began if self._rests else 0)
        return root

    def _compare(self, signed: Signed, root: bytes) -> None:
        """Whether what was read is what the checkpoint signs."""
        if root == signed.root:
            self._verified = signed.size
        elif self._whole:
            self._whole = False
            _log.critical("audit: the entries that were read do not lead to the signed root")

    async def anew(self) -> None:
        """Index the whole log again; nothing is found meanwhile. Raises as `follow` does."""
        self._there = self._going = False
        await self._indexer.clear(load=True)
        self._going, self._upto = True, 0
        self._verified, self._whole = 0, True
        try:
            await self.follow()
            await self._indexer.loaded()
            self._there = True
        except BaseException:
            self._going = False
            with contextlib.suppress(AuditUnavailable, Held):
                await self._indexer.clear()
            raise

    async def _open(self) -> None:
        """Open the index, anew if it is not of this log as it stands."""
        known = await self._indexer.open()
        if (edge := await self._fitting(known)) is None:
            _log.warning("audit: the index is of another log, or of more: it is made again")
            self._there = False
            known, edge = await self._indexer.clear(), Edge()
        await self._indexer.go_on(edge)
        self._there = self._going = True
        self._upto = self._verified = known.size

    async def _fitting(self, known: Known) -> Edge | None:
        """The edge of the log's tree where the index ends; None if that has not the root of what
        was indexed."""
        size, signed = known.size, self._log.signed
        if not 0 < size <= signed.size:
            return Edge() if size == 0 else None
        tiles: dict[tuple[int, int], bytes] = {}
        for level in range(levels(size)):
            number = size >> (TILE_HEIGHT * (level + 1))
            if tile_width(size, level, number):
                width = tile_width(signed.size, level, number)
                tiles[level, number] = await self._log.tile(level, number, width)
        try:
            edge = edge_of(size, lambda level, number: tiles[level, number])
        except ProofInvalid:
            return None
        return edge if edge.root() == known.root else None


async def reindex(
    log: Log, keys: AuditKeys, path: Path, *, told: Callable[[int, int], None]
) -> int:
    """Make the index anew, without rests; how many entries it then knows.

    `told` hears how many of how many are done.

    Raises:
        Held: a gateway has the index.
        AuditUnavailable, OSError: it cannot be made.
    """
    size = log.signed.size
    follower = Follower(
        log, keys, path, rests=False, observed=lambda behind: told(size - behind, size)
    )
    try:
        await follower.anew()
        return follower.upto
    finally:
        await follower.aclose()
