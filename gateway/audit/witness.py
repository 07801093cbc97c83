"""A witness: says of a log that it only ever grew, and signs that. Run by others than the gateway.

It implements `add-checkpoint` of c2sp.org/tlog-witness. For each log that it was given it remembers
the last checkpoint that it signed, and signs another only if that contains all of the last one, so
it never signs two checkpoints of one size with different roots, nor a smaller one after a larger.
What it remembers is on the disk before its signature leaves.

Of the project it needs `memory`, `merkle` and `verify`, which need nothing else of it, and the
server's `connection`.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import re
import sys
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import time
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.audit.memory import Memory, StateInvalid
from gateway.audit.merkle import EMPTY_ROOT, HASH_BYTES, ProofInvalid, check_consistency
from gateway.audit.verify import (
    Note,
    NoteInvalid,
    Verifier,
    read_checkpoint,
    read_note,
    read_verifier,
    signed_by,
)
from gateway.connection import Connection

COSIGNATURE: Final = 4  # the kind of key and signature: c2sp.org/tlog-cosignature
MAX_BODY_BYTES: Final = 136_000  # a note of the largest size, and all lines of a proof
MAX_PROOF_LINES: Final = 63
_RECEIVE_S: Final = 10.0
_CONNECTIONS: Final = 64

_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is said to a log."""

    status: int
    body: bytes = b""
    media_type: str = "text/plain; charset=utf-8"


class _Refused(Exception):
    """Not signed, with the answer that says so."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.answer = Answer(status=status, body=f"{text}\n".encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Submitted:
    """A request that has the right form."""

    old: int
    proof: tuple[bytes, ...]
    data: bytes  # the signed checkpoint
    note: Note
    origin: str
    size: int
    root: bytes


# -- what it signs ---------------------------------------------------------------------------


class Witness:
    """Signs checkpoints of the logs that it was given, one at a time."""

    def __init__(
        self, name: str, memory: Memory, logs: Sequence[str], clock: Callable[[], float] = time
    ) -> None:
        """`logs` are their public keys; a log may have several, as its origin is their name.

        Raises:
            StateInvalid: the memory is not of what these logs signed.
            NoteInvalid: a log's key, or the name, is none.
        """
        self._memory, self._key, self._clock = memory, memory.key, clock
        public = self._key.public_key().public_bytes_raw()
        made = Verifier(name=name, kind=COSIGNATURE, key=public)
        self._me = read_verifier(made.text, COSIGNATURE)
        self._logs: dict[str, list[Verifier]] = {}
        for line in logs:
            log = read_verifier(line)
            self._logs.setdefault(log.name, []).append(log)
        self._one_at_a_time = threading.Lock()
        for origin in self._logs:
            self._last(origin)
        memory.publish(self.verifier)

    @property
    def verifier(self) -> str:
        """The public key as policies name it."""
        return self._me.text

    def add_checkpoint(self, body: bytes) -> Answer:
        """Sign a checkpoint, or say why not. Blocking; may be called from several threads.

        `body` has at most MAX_BODY_BYTES.

        Raises:
            OSError: the disk does not take writes; nothing was signed.
            StateInvalid: the memory is damaged.
        """
        try:
            asked = _submitted(body)
            self._check_signed(asked)
            if asked.old > asked.size:
                raise _Refused(400, "the old size is above that of the checkpoint")
            with self._one_at_a_time:
                return self._judged(asked)
        except _Refused as refusal:
            return refusal.answer

    def _check_signed(self, asked: _Submitted) -> None:
        if (keys := self._logs.get(asked.origin)) is None:
            raise _Refused(404, "this log is not known here")
        try:
            if any(signed_by(asked.note, key) for key in keys):
                return
        except NoteInvalid as error:
            raise _Refused(403, "a signature of this log is wrong") from error
        raise _Refused(403, "this log has not signed it")

    def _judged(self, asked: _Submitted) -> Answer:
        size, root = self._last(asked.origin)
        conflict = Answer(status=409, body=b"%d\n" % size, media_type="text/x.tlog.size")
        if asked.size == size and asked.root != root:
            _log.critical("%s signed another root of size %d than before", asked.origin, size)
            self._memory.keep_fork(asked.data)
            return conflict
        if asked.old != size:
            return conflict
        try:
            check_consistency(size, root, asked.size, asked.root, asked.proof)
        except ProofInvalid as error:
            raise _Refused(422, f"not shown to contain what was signed before: {error}") from error
        self._memory.keep(asked.origin, asked.data)
        return Answer(status=200, body=self._cosigned(asked.note))

    def _last(self, origin: str) -> tuple[int, bytes]:
        """Size and root that were signed last; those of the empty log if nothing was."""
        if (kept := self._memory.seen.get(origin)) is None:
            return 0, EMPTY_ROOT
        try:
            said, size, root = read_checkpoint(read_note(kept.encode()).body)
        except NoteInvalid as error:
            raise StateInvalid(f"what was seen of {origin} is damaged") from error
        if said != origin:
            raise StateInvalid(f"what was seen of {origin} is another log's")
        return size, root

    def _cosigned(self, note: Note) -> bytes:
        seconds = int(self._clock())
        signature = self._key.sign(b"cosignature/v1\ntime %d\n" % seconds + note.body)
        blob = self._me.id + seconds.to_bytes(8, "big") + signature
        return f"\N{EM DASH} {self._me.name} {b64encode(blob).decode()}\n".encode()


def _submitted(body: bytes) -> _Submitted:
    """The parts of a request.

    Raises:
        _Refused: 400; it has not the right form.
    """
    head, separator, data = body.partition(b"\n\n")
    lines = head.split(b"\n", MAX_PROOF_LINES + 1)
    if not separator or len(lines) > MAX_PROOF_LINES + 1:
        raise _Refused(400, f"old size, at most {MAX_PROOF_LINES} hashes, an empty line, a note")
    try:
        old = _OLD.fullmatch(lines[0].decode("ascii"))
        if old is None:
            raise ValueError("the old size is missing")
        proof = tuple(map(_hash, lines[1:]))
        note = read_note(data)
        origin, size, root = read_checkpoint(note.body)
    except (ValueError, NoteInvalid) as error:
        raise _Refused(400, f"it has not the right form: {error}") from error
    return _Submitted(
        old=int(old[1]), proof=proof, data=data, note=note, origin=origin, size=size, root=root
    )


def _hash(line: bytes) -> bytes:
    data = b64decode(line, validate=True)
    if len(data) != HASH_BYTES or b64encode(data) != line:
        raise ValueError("a line of the proof is not a hash")
    return data


# -- how it is reached -----------------------------------------------------------------------


def application(witness: Witness) -> Starlette:
    """The witness over HTTP."""
    one_thread = ThreadPoolExecutor(1, "witness")

    async def add_checkpoint(request: Request) -> Response:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_RECEIVE_S):
                body = await _bounded(request)
            answer = await loop.run_in_executor(one_thread, witness.add_checkpoint, body)
        except _Refused as refusal:
            answer = refusal.answer
        except (TimeoutError, ClientDisconnect):
            answer = Answer(status=408, body=b"it did not arrive in time\n")
        except (OSError, StateInvalid) as error:
            _log.error("nothing was signed: %s", error)
            answer = Answer(status=500, body=b"nothing can be signed now\n")
        headers = {
            "Content-Type": answer.media_type,  # to the letter: given as a type it gets a charset
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(answer.body, answer.status, headers)

    return Starlette(routes=[Route("/add-checkpoint", add_checkpoint, methods=["POST"])])


async def _bounded(request: Request) -> bytes:
    too_large = _Refused(413, f"at most {MAX_BODY_BYTES} bytes")
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:12]) > MAX_BODY_BYTES:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        if len(body) + len(chunk) > MAX_BODY_BYTES:
            raise too_large
        body += chunk
    return bytes(body)


def server(witness: Witness, host: str, port: int) -> uvicorn.Server:
    """What serves a witness; nobody holds a connection by being slow."""
    connection = partial(Connection, head_s=_RECEIVE_S, send_s=_RECEIVE_S)
    return uvicorn.Server(
        uvicorn.Config(
            application(witness),
            host=host,
            port=port,
            http=connection,  # type: ignore[arg-type]  # it makes one for each caller
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=5,
        )
    )


def lines_of(given: Sequence[str]) -> list[str]:
    """Public keys as they were given: each itself, or a file of lines.

    Raises:
        OSError: a file cannot be read.
    """
    found: list[str] = []
    for one in given:
        text = one if "+" in one else Path(one).read_text()
        found += [line for line in text.splitlines() if line.strip()]
    return found


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--name", required=True, help="the witness's own: witness.example/w1")
    parser.add_argument("--state", type=Path, required=True, help="its directory, for it alone")
    parser.add_argument(
        "--log", action="append", default=[], help="a log's public key, or a file of such lines"
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: this machine only")
    parser.add_argument("--port", type=int, default=8480, help="default: 8480")
    parser.add_argument("--show-key", action="store_true", help="print its public key, and end")


@contextmanager
def opened(given: argparse.Namespace) -> Iterator[Witness]:
    """The witness that the command speaks of, while the block runs.

    Raises:
        OSError, StateInvalid, NoteInvalid: it cannot start.
    """
    memory = Memory(given.state)
    try:
        yield Witness(given.name, memory, lines_of(given.log))
    finally:
        memory.close()


def run(given: argparse.Namespace) -> int:
    """Show the witness's key; and serve until it is stopped, if nothing else was asked for."""
    try:
        with opened(given) as witness:
            print(witness.verifier, flush=True)
            if not given.show_key:
                server(witness, given.host, given.port).run()
    except (OSError, StateInvalid, NoteInvalid) as error:
        print(f"The witness cannot start: {error}", file=sys.stderr)
        return 2
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The command by itself."""
    parser = argparse.ArgumentParser(prog="portcullis audit witness", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    arguments(parser)
    return run(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
