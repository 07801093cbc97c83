"""One witness, as the log sees it: a checkpoint goes to it, its cosignature comes back.

The client's side of c2sp.org/tlog-witness. What a witness answers is believed only as far as its
signature goes, and that it knows of more than we have.
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Final

import httpx

from gateway.audit.keeper import Signed
from gateway.audit.merkle import ProofInvalid
from gateway.audit.verify import NoteInvalid, Party, read_note, signed_by
from gateway.errors import AuditUnavailable

_MAX_ANSWER_BYTES: Final = 65_536
_TRIES: Final = 3  # its size is not ours; it moved on meanwhile
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n?")

Consistency = Callable[[int, Signed], Awaitable[tuple[bytes, ...]]]
"""(old size, head) -> evidence that the head contains that tree."""


class WitnessFailed(Exception):
    """A witness did not sign; the reason in words."""


class Contradicted(WitnessFailed):
    """A witness has seen what this log does not contain: the log was put back, or forked.

    `beyond` is the size that it has seen, where that alone speaks against us.
    """

    def __init__(self, text: str, *, beyond: int = 0) -> None:
        super().__init__(text)
        self.beyond = beyond


class Submitter:
    """Submits checkpoints to one witness; one at a time."""

    def __init__(
        self,
        name: str,
        party: Party,
        http: httpx.AsyncClient,
        consistency: Consistency,
        *,
        timeout_s: float,
    ) -> None:
        """`name` is the policy's for it; its `party` has an address."""
        self.name = name
        self.seen = 0  # the size that it signed last, as far as we know
        self._party, self._http, self._consistency = party, http, consistency
        self._timeout_s = timeout_s

    async def cosigned(self, head: Signed) -> bytes:
        """The signature line of this witness under the checkpoint.

        Raises:
            Contradicted: it has seen a log that is not this one.
            WitnessFailed: there is none, for any other reason.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                for _ in range(_TRIES):
                    if (line := await self._tried(head)) is not None:
                        return line
        except TimeoutError as error:
            raise WitnessFailed(f"no answer in {self._timeout_s:g} s") from error
        except httpx.HTTPError as error:
            raise WitnessFailed(f"not reached: {type(error).__name__}") from error
        except (ProofInvalid, AuditUnavailable) as error:
            raise WitnessFailed(f"no proof can be made: {error}") from error
        raise WitnessFailed("it names another size each time")

    async def _tried(self, head: Signed) -> bytes | None:
        """Its line; None if it has told us its size, from which to try again."""
        size, old = head.size, self.seen
        proof = await self._consistency(old, head)
        lines = b"".join(b64encode(one) + b"\n" for one in proof)
        answer = await self._post(b"old %d\n%b\n%b" % (old, lines, head.note))
        if answer.status_code == 200:
            line = self._line(head.note, answer.content)
            self.seen = size
            return line
        if answer.status_code == 409:
            self.seen = self._told(answer, old, size)
            return None
        if answer.status_code == 422:
            raise Contradicted(f"it has not seen this log: it signed another one of size {old}")
        raise WitnessFailed(f"it answers {answer.status_code}")

    def _told(self, answer: httpx.Response, old: int, size: int) -> int:
        found = _SIZE.fullmatch(answer.content)
        media = answer.headers.get("content-type", "").partition(";")[0].strip()
        if found is None or media != "text/x.tlog.size":
            raise WitnessFailed("it answers 409 without its size")
        told = int(found[1])
        if told > size:
            text = f"it has seen {told} records of this log, which has only {size}"
            raise Contradicted(text, beyond=told)
        if told == old == size:
            raise Contradicted(f"it signed another root of size {size}")
        if told == old:
            raise WitnessFailed("it answers 409 to its own size")
        return told

    def _line(self, note: bytes, answer: bytes) -> bytes:
        """Its own line, checked; lines of others are passed over."""
        me = self._party.verifier
        try:
            whole = read_note(note + answer)
            if not signed_by(whole, me):
                raise WitnessFailed("it answers without a signature of its own")
        except NoteInvalid as error:
            raise WitnessFailed(f"what it answers is no signature: {error}") from error
        blob = next(b for name, b in whole.signatures if name == me.name and b[:4] == me.id)
        return f"\N{EM DASH} {me.name} {b64encode(blob).decode()}\n".encode()

    async def _post(self, body: bytes) -> httpx.Response:
        async with self._http.stream(
            "POST", f"{self._party.url}/add-checkpoint", content=body
        ) as answer:
            content = bytearray()
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > _MAX_ANSWER_BYTES:
                    raise WitnessFailed("it answers at too great a length")
        return httpx.Response(
            answer.status_code,
            headers={"content-type": answer.headers.get("content-type", "")},
            content=bytes(content),
        )
