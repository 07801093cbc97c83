"""`python -m gateway.audit.indexing`: who writes the index of a log, in a process of its own.

The gateway reads the log and hands over what it read, so the process needs neither the log's place
nor its password: it is told where the index and the keys lie. It opens bodies, makes tokens, hashes
the tree and holds the index for as long as it runs. No key stays in it beyond the entries that it
was handed, so that one which is destroyed opens nothing more.

The first line of the standard input says what it is for. Each message after it is a line of JSON
with an order and the lengths of what follows, and is answered by a line of JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from gateway.audit.apart import Companion, NotDone, program_of, stay
from gateway.audit.entry import InvalidEntry, read_leaf, unseal_all
from gateway.audit.index import Held, Index, Opened
from gateway.audit.keys import AuditKeys
from gateway.audit.merkle import Edge, leaf_hash
from gateway.errors import AuditUnavailable
from gateway.unforeseen import unforeseen

_PROGRAM: Final = program_of("gateway.audit.indexing")
_ODD: Final = (ValueError, KeyError, TypeError, AttributeError, IndexError)
"""How an entry that is not like ours fails; it is found by its number alone."""


class Known(NamedTuple):
    """How far an index has come."""

    size: int  # entries of the log that it knows
    root: bytes  # of the tree over them


class Indexer:
    """Hands entries to the process that writes one index, which is started when it is needed.

    Each order raises:
        AuditUnavailable: it was not done, or nobody knows; `open` says what the index knows.
    """

    def __init__(
        self, index: Path, origin: str, keys: Path, *, program: Sequence[str] = _PROGRAM
    ) -> None:
        paths = {"index": str(index.absolute()), "keys": str(keys.absolute())}
        first = json.dumps({**paths, "origin": origin}).encode() + b"\n"
        self._index, self._process = index, Companion(program, first)

    @property
    def pid(self) -> int | None:
        """The number of the process, while there is one."""
        return self._process.pid

    async def open(self) -> Known:
        """Take the index, unless it is taken already.

        Raises:
            Held: another process has it.
        """
        return await self._ask("open")

    async def clear(self, *, load: bool = False) -> Known:
        """Have it forget everything. With `load` nothing is found from now on until `loaded`, which
        is quicker for a whole log. Raises as `open` does."""
        return await self._ask("clear", load=load)

    async def loaded(self) -> Known:
        """Have it put in order what it took in."""
        return await self._ask("loaded")

    async def go_on(self, edge: Edge) -> Known:
        """Tell it the edge of the log's tree where the index ends."""
        return await self._ask("go on", edge.tiles)

    async def take(
        self, first: int, leaves: Sequence[bytes], bodies: Mapping[int, Sequence[bytes]]
    ) -> Known:
        """Have it take in the next entries, from this number on, with what is sealed of them."""
        of = [
            number for number in range(first, first + len(leaves)) for _ in bodies.get(number, ())
        ]
        sealed = [body for number in dict.fromkeys(of) for body in bodies[number]]
        return await self._ask("take", [*leaves, *sealed], first=first, of=of)

    async def aclose(self) -> None:
        """End it, after what it is doing."""
        await self._process.aclose()

    async def _ask(self, order: str, pieces: Sequence[bytes] = (), **more: Any) -> Known:
        said = {"do": order, "lengths": list(map(len, pieces)), **more}
        message = b"".join((json.dumps(said).encode(), b"\n", *pieces))
        try:
            answer = json.loads(await self._process.ask(message))
        except NotDone as error:
            raise AuditUnavailable(detail=f"the index is not written: {error}") from error
        if answer.get("held"):
            raise Held(f"{self._index} is held by a gateway that runs")
        if failed := answer.get("failed"):
            raise AuditUnavailable(detail=f"the index is not written: {failed}")
        return Known(answer["size"], bytes.fromhex(answer["root"]))


# -- the other process -----------------------------------------------------------------------


class Indexing:
    """Does what it is told with one index."""

    def __init__(self, index: Path, origin: str, keys: Path) -> None:
        self._path, self._origin, self._directory = index, origin, keys
        self._opened: tuple[Index, AuditKeys] | None = None
        self._edge = Edge()

    def answer(self, given: BinaryIO) -> bytes | None:
        """What to answer to the next message; None if there is none."""
        try:
            said = json.loads(given.readline())
            pieces = [_exactly(given, length) for length in said["lengths"]]
        except (ValueError, EOFError):  # whoever asks has ended, perhaps in the middle of it
            return None
        try:
            index = self._do(said, pieces)
            return json.dumps({"size": index.size, "root": index.root.hex()}).encode()
        except Held:
            return b'{"held": true}'
        except Exception as error:
            return json.dumps({"failed": unforeseen(error)}).encode()

    def close(self) -> None:
        if self._opened is not None:
            self._opened[0].close()

    def _do(self, said: Mapping[str, Any], pieces: Sequence[bytes]) -> Index:
        if self._opened is None and said["do"] in ("open", "clear"):
            keys = AuditKeys(self._directory)
            self._opened = Index(self._path, self._origin), keys
        if self._opened is None:
            raise ValueError("it is not open")
        index, keys = self._opened
        match said["do"]:
            case "open":
                pass
            case "clear":
                index.clear()
                self._edge = Edge()
                if said["load"]:
                    index.load()
            case "loaded":
                index.loaded()
            case "go on":
                self._edge = Edge(size=index.size, tiles=tuple(pieces))
            case "take":
                try:
                    self._take(index, keys, said["first"], pieces, said["of"])
                finally:
                    keys.forget()
            case _:
                raise ValueError("no such order")
        return index

    def _take(
        self,
        index: Index,
        keys: AuditKeys,
        first: int,
        pieces: Sequence[bytes],
        of: Sequence[int],  # whose the last of the pieces are, which are bodies
    ) -> None:
        if not first == index.size == self._edge.size:
            raise ValueError("these are not the next entries")
        leaves = pieces[: len(pieces) - len(of)]
        bodies: dict[int, list[bytes]] = {}
        for number, body in zip(of, pieces[len(leaves) :], strict=True):
            bodies.setdefault(number, []).append(body)
        opened: list[Opened] = []
        for number, data in enumerate(leaves, first):
            leaf = _read(data)
            parts = unseal_all(leaf, bodies.get(number, ()), keys.still)
            opened.append(Opened(index=number, leaf=leaf, parts=parts))
        try:
            whole, _ = self._edge.grow([leaf_hash(data) for data in leaves])
            index.add(opened, whole.root())
            self._edge = whole
        except _ODD:
            for one, data in zip(opened, leaves, strict=True):
                grown, _ = self._edge.grow([leaf_hash(data)])
                try:
                    index.add([one], grown.root())
                except _ODD:
                    index.add([Opened(index=one.index, leaf={"kind": ""})], grown.root())
                self._edge = grown


def _read(data: bytes) -> dict[str, Any]:
    """What a leaf says; one that cannot be read is an entry of no kind, found by its number."""
    try:
        leaf = read_leaf(data)
    except InvalidEntry:
        return {"kind": ""}
    return leaf if isinstance(leaf.get("kind"), str) else {"kind": ""}


def _exactly(given: BinaryIO, length: int) -> bytes:
    """
    Raises:
        EOFError: it ends before.
    """
    if len(data := given.read(length)) != length:
        raise EOFError
    return data


def _main() -> int:
    if not (first := sys.stdin.buffer.readline()):
        return 0
    said = json.loads(first)
    indexing = Indexing(Path(said["index"]), said["origin"], Path(said["keys"]))
    try:
        return stay(indexing.answer)
    finally:
        indexing.close()


if __name__ == "__main__":
    sys.exit(_main())
