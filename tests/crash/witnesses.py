"""A witness that is killed in the middle of whatever it does, while a log tries to fork.

It never signs two roots of one size, and forgets nothing that it signed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.audit.keys import Signer
from gateway.audit.merkle import consistency_proof, leaf_hash, root_of
from tests.crash.kills import Told
from tests.e2e.witnessplace import witness_process

AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)


class Forking:
    """A dishonest log: from what was signed last it offers two trees of one size."""

    def __init__(self) -> None:
        self.signer = Signer("log.example/forking", Ed25519PrivateKey.generate())
        self.signed: list[bytes] = []  # the leaves that the witness remembers

    def offer(self, variant: int) -> list[bytes]:
        size = len(self.signed)
        return [*self.signed, leaf_hash(f"{size}".encode()), leaf_hash(f"{variant}".encode())]

    def request(self, old: int, leaves: list[bytes]) -> bytes:
        def subtree(height: int, number: int) -> bytes:
            return root_of(leaves[number << height : (number + 1) << height])

        proof = consistency_proof(old, len(leaves), subtree)
        lines = b"".join(b64encode(one) + b"\n" for one in proof)
        note = self.signer.sign(len(leaves), root_of(leaves), AT)
        return f"old {old}\n".encode() + lines + b"\n" + note


async def signs_one_of_two(
    folder: Path, kills: int, *, seed: int = 50, told: Told = lambda _kill: None
) -> None:
    """Kill a witness so often; whatever it says in between is as it should be."""
    log, random = Forking(), Random(seed)  # noqa: S311  a test that can be repeated
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/add-checkpoint"
    got = remembered = 0

    async def ask(client: httpx.AsyncClient, body: bytes) -> httpx.Response | None:
        for _ in range(100):
            try:
                return await client.post(url, content=body)
            except httpx.ConnectError:
                await asyncio.sleep(0.02)  # it has just been started
            except httpx.HTTPError:
                return None  # killed before it answered
        return None

    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        for kill in range(kills + 1):
            async with witness_process(folder / "w", log.signer.verifier, port) as process:
                size = len(log.signed)
                asked = await ask(client, log.request(0, [*log.signed, leaf_hash(b"?")]))
                assert asked is not None
                if size or asked.status_code == 409:
                    assert asked.text == f"{size}\n"  # nothing that it signed is forgotten
                else:
                    log.signed = [leaf_hash(b"?")]
                    size = 1
                if kill == kills:
                    break
                offers = [log.offer(variant) for variant in (1, 2)]
                asking = [
                    asyncio.create_task(ask(client, log.request(size, offers[n % 2])))
                    for n in range(4)
                ]
                await asyncio.sleep(random.uniform(0, 0.02))
                process.kill()
                await process.wait()
                answers = await asyncio.gather(*asking)
            signed = {n % 2 for n, one in enumerate(answers) if one and one.status_code == 200}
            assert len(signed) <= 1
            got += bool(signed)
            kept = await _kept(log, offers, folder / "w", port, client, url)
            assert signed <= ({kept} if kept is not None else set())
            if kept is not None:
                log.signed = offers[kept]
                remembered += 1
            told(kill + 1)
    assert remembered > kills / 10  # it was killed after it had kept something
    assert remembered < kills or got < kills  # and before it had answered


async def _kept(
    log: Forking, offers: list[list[bytes]], state: Path, port: int,
    client: httpx.AsyncClient, url: str,
) -> int | None:  # fmt: skip
    """Which of the two the witness remembers, as it tells after a restart."""
    async with witness_process(state, log.signer.verifier, port):
        answers = []
        for leaves in offers:
            for _ in range(100):
                with contextlib.suppress(httpx.ConnectError):
                    answers.append(await client.post(url, content=log.request(len(leaves), leaves)))
                    break
                await asyncio.sleep(0.02)
    assert len(answers) == 2
    codes = [one.status_code for one in answers]
    assert codes in ([200, 409], [409, 200], [409, 409])
    return codes.index(200) if 200 in codes else None
