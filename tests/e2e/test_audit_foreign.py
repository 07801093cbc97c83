"""What other people's programs say of our log and our witness, and our verifier of theirs (AU-21).

Tessera's `fsck` reads our tiles, Go's `sumdb/note` opens our notes, Tessera's own client submits
its checkpoints to our witness, and our verifier reads the log that Tessera wrote.
"""

from __future__ import annotations

import asyncio
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette

from gateway.audit.publishing import Unwitnessed
from gateway.audit.verify import Verifier, read_policy, verify
from gateway.web.log import PREFIX, log_routes
from tests.e2e.auditplace import Place, flip, put
from tests.e2e.witnessplace import WITNESS, serving, three, until, witnessed, witnessing_here
from tests.gotools import note_opener, tessera


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(scope="session")
def fsck() -> Path:
    return tessera("cmd/fsck")


@pytest.fixture(scope="session")
def oneshot() -> Path:
    return tessera("cmd/examples/posix-oneshot")


@pytest.fixture(scope="session")
def opener() -> Path:
    return note_opener()


async def run(*command: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return await asyncio.to_thread(
        subprocess.run, command, input=given, capture_output=True, timeout=60, check=False
    )


async def checked(fsck: Path, url: str, key: Path) -> bool:
    """Whether fsck finds nothing wrong. It says so in words: its status is 0 in any case, and after
    some findings it does not end."""
    process = await asyncio.create_subprocess_exec(
        *(str(fsck), "-storage_url", url, "-public_key", str(key), "-ui=false", "-v=1"),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    bad, said = False, ""
    try:
        async with asyncio.timeout(60):
            while not bad and (line := (await process.stderr.readline()).decode()):
                said += line
                bad = "failed" in line or "Invalid" in line
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    assert bad or "Completed ranges" in said, said
    return not bad


@pytest.mark.timeout(1200)  # the first time it is built
async def test_AU_21_tesseras_fsck_reads_our_tiles(place: Place, fsck: Path) -> None:
    key = place.base / "keys" / "log.pub"
    async with place.opened() as log:
        app = Starlette(routes=log_routes(Unwitnessed(log), ("127.0.0.0/8",)))
        async with serving(app) as url:
            for size in (1, 255, 256, 257, 700):
                await put(log, size - log.size, start=log.size)
                await log.inclusion(size - 1)
                assert await checked(fsck, f"{url}{PREFIX}/", key)
                assert await checked(fsck, f"file://{place.log}", key)
    for name in ("tile/entries/001", "tile/0/002.p/188", "tile/1/000.p/2", "checkpoint"):
        flip(place.log / name, 40, 2)
        assert not await checked(fsck, f"file://{place.log}", key), name
        flip(place.log / name, 40, 2)
    assert await checked(fsck, f"file://{place.log}", key)


@pytest.mark.timeout(1200)
async def test_AU_21_gos_sumdb_note_opens_our_notes_and_cosignatures(
    place: Place, opener: Path
) -> None:
    async with place.opened() as log, three(place.base / "w", log.verifier) as witnesses:
        async with witnessed(log, witnesses.policy) as witnessing:
            await put(log, 10)
            await until(lambda: len(witnessing.signers) == 3 and witnessing.published_size == 10)
            note = witnessing.published
        keys = [log.verifier, *witnesses.keys.values()]
        opened = await run(str(opener), *keys, given=note)
        assert opened.returncode == 0, opened.stderr.decode()
        names = [key.partition("+")[0] for key in keys]
        assert opened.stdout.decode().split() == names
        for at in (5, note.index(b"\n\n") - 4, len(note) - 9):
            changed = note[:at] + bytes((note[at] ^ 1,)) + note[at + 1 :]
            assert (await run(str(opener), *keys, given=changed)).returncode == 1
        other = place.keys.signer("portcullis.example/other").verifier
        assert (await run(str(opener), other, given=note)).returncode == 1


@pytest.mark.timeout(1200)
async def test_AU_21_tesseras_client_and_log_agree_with_our_witness_and_verifier(
    place: Place, oneshot: Path
) -> None:
    secret = Ed25519PrivateKey.generate()
    public = secret.public_key().public_bytes_raw()
    log = Verifier(name="tessera.example/log", kind=1, key=public)
    sealed = b64encode(b"\x01" + secret.private_bytes_raw()).decode()
    key, policy, entries, store = (place.base / n for n in ("key", "policy", "entries", "store"))
    key.write_text(f"PRIVATE+KEY+{log.name}+{log.id.hex()}+{sealed}")
    entries.mkdir()
    async with witnessing_here(place.base / "w", [log.text]) as (witness, url):
        policy.write_text(f"witness one {witness.verifier} {url}\nquorum one\n")
        for batch, size in enumerate((3, 300)):
            for old in entries.iterdir():
                old.unlink()
            for n in range(size):
                (entries / f"{n:04d}").write_bytes(
                    b'{"kind":"R","request_id":"%d-%d","v":1}' % (batch, n)
                )
            done = await run(
                *(str(oneshot), "-storage_dir", str(store), "-private_key", str(key)),
                *("-entries", f"{entries}/*", "-witness_policy_file", str(policy)),
            )
            assert done.returncode == 0, done.stderr.decode()
            needed = read_policy(policy.read_bytes())
            report = verify(store, log.text, policy=needed, timed=False)
            assert report.ok, report.problems
            assert list(report.witnesses) == ["one"]
        assert (report.size, report.kinds, report.witnessed) == (303, {"R": 303}, 303)
        assert WITNESS in (store / "checkpoint").read_text()
    flip(store / "tile" / "0" / "000", 5, 1)
    assert not verify(store, log.text, timed=False).ok
