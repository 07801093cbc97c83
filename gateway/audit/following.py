"""The index kept in step with its log: what is new is read, opened where it can be, and indexed.

Bodies that were erased, or whose key was destroyed, give fewer tokens and nothing else. An index
of another log, or of one that was put back, is thrown away and made again. What is read is
verified: the root over all entries, as they were read, is compared with the one that is signed. The
work is done in a thread of its own, in small pieces with rests between them, so that queries go
first.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from gateway.audit.entry import InvalidEntry, read_leaf, unseal_all
from gateway.audit.index import Index, Opened
from gateway.audit.keeper import Signed
from gateway.audit.keys import AuditKeys
from gateway.audit.merkle import (
    ENTRIES,
    TILE_HEIGHT,
    TILE_WIDTH,
    Edge,
    ProofInvalid,
    edge_of,
    leaf_hash,
    levels,
    tile_width,
)
from gateway.audit.store import unpack
from gateway.errors import CaseworkUnavailable
from gateway.recurring import Recurring

EVERY_S: Final = 0.25
_PIECE: Final = 64  # entries that are indexed without a rest
_ODD: Final = (ValueError, KeyError, TypeError, AttributeError, IndexError)
"""How an entry that is not like ours fails; it is found by its number alone."""
_NOT_NOW: Final = "The record cannot be searched at the moment. Try again later."
_T = TypeVar("_T")
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
        self._log, self._keys, self._path, self._observed = log, keys, path, observed
        self._rests = rests
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit index")
        self._index: Index | None = None  # once it is known to be of this log
        self._held: Index | None = None
        self._upto = 0
        self._edge = Edge()
        self._verified, self._whole = 0, True
        self._turns = Recurring(self.follow, every_s=every_s, name="audit index", log=_log)

    def start(self) -> None:
        self._turns.start(at_once=True)

    async def aclose(self) -> None:
        """End it, after the piece that is being indexed."""
        await self._turns.aclose()
        await asyncio.to_thread(self._thread.shutdown)
        self._index = None
        if self._held is not None:
            self._held.close()
            self._held = None

    @property
    def index(self) -> Index:
        """The index, as far as it has come.

        Raises:
            CaseworkUnavailable: there is none yet, or it cannot be used.
        """
        if self._index is None:
            raise CaseworkUnavailable(_NOT_NOW, detail="there is no index of the log")
        return self._index

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

    async def follow(self) -> None:
        """Index all that a checkpoint covers by now.

        Raises:
            Held: another process has the index.
            AuditUnavailable, OSError, sqlite3.Error: something cannot be read or written; the next
                turn goes on from where this one ended.
        """
        if self._index is None:
            await self._open()
        while (signed := self._log.signed).size > self._upto:
            size = signed.size - self._upto
            number, skip = divmod(self._upto, TILE_WIDTH)
            width = min(TILE_WIDTH, skip + size)
            leaves = unpack(await self._log.tile(ENTRIES, number, width))
            bodies = await self._log.keeper.sealed(self._upto, width - skip)
            for start in range(skip, width, _PIECE):
                began = time.monotonic()
                piece = leaves[start : min(start + _PIECE, width)]
                await self._done(partial(self._take, piece, bodies))
                self._observed(self.behind)
                await asyncio.sleep(time.monotonic() - began if self._rests else 0)
            if self._upto == signed.size:
                self._compare(signed)
        self._observed(0)

    def _compare(self, signed: Signed) -> None:
        """Whether what was read is what the checkpoint signs."""
        if self._edge.root() == signed.root:
            self._verified = signed.size
        elif self._whole:
            self._whole = False
            _log.critical("audit: the entries that were read do not lead to the signed root")

    async def anew(self) -> None:
        """Index the whole log again; nothing is found meanwhile. Raises as `follow` does."""
        index = await self._done(self._hold)
        await self._done(index.clear)
        self._index, self._upto, self._edge = index, 0, Edge()
        self._verified, self._whole = 0, True
        with index.loading():
            await self.follow()

    async def _done(self, what: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, what)

    async def _open(self) -> None:
        """Open the index, anew if it is not of this log as it stands."""
        index = await self._done(self._hold)
        if (edge := await self._fitting(index)) is None:
            _log.warning("audit: the index is of another log, or of more: it is made again")
            await self._done(index.clear)
            edge = Edge()
        self._index, self._upto, self._edge = index, index.size, edge
        self._verified = index.size

    def _hold(self) -> Index:
        """In the thread, which is waited for, so that none is left open."""
        if self._held is None:
            self._held = Index(self._path, self._log.verifier.strip())
        return self._held

    async def _fitting(self, index: Index) -> Edge | None:
        """The edge of the log's tree where the index ends; None if that has not the root of what
        was indexed."""
        size, signed = index.size, self._log.signed
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
        return edge if edge.root() == index.root else None

    def _take(self, leaves: Sequence[bytes], bodies: dict[int, list[bytes]]) -> None:
        """Index the next entries; in the thread."""
        opened: list[Opened] = []
        for number, data in enumerate(leaves, self._upto):
            leaf = _read(data)
            parts = unseal_all(leaf, bodies.get(number, ()), self._keys.still)
            opened.append(Opened(index=number, leaf=leaf, parts=parts))
        index, edge = self.index, self._edge
        try:
            whole, _ = edge.grow([leaf_hash(data) for data in leaves])
            index.add(opened, whole.root())
            edge = whole
        except _ODD:
            for one, data in zip(opened, leaves, strict=True):
                grown, _ = edge.grow([leaf_hash(data)])
                try:
                    index.add([one], grown.root())
                except _ODD:
                    index.add([Opened(index=one.index, leaf={"kind": ""})], grown.root())
                edge = grown
        finally:
            self._upto, self._edge = index.size, edge


def _read(data: bytes) -> dict[str, Any]:
    """What a leaf says; one that cannot be read is an entry of no kind, found by its number."""
    try:
        leaf = read_leaf(data)
    except InvalidEntry:
        return {"kind": ""}
    return leaf if isinstance(leaf.get("kind"), str) else {"kind": ""}


async def reindex(
    log: Log, keys: AuditKeys, path: Path, *, told: Callable[[int, int], None]
) -> int:
    """Make the index anew, without rests; how many entries it then knows.

    `told` hears how many of how many are done.

    Raises:
        Held: a gateway has the index.
        AuditUnavailable, OSError, sqlite3.Error: it cannot be made.
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
