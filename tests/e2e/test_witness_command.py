"""`portcullis audit witness`: a small process of its own, spoken to as other people's logs do."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from gateway.audit import witness
from gateway.audit.verify import read_note, read_witness, signed_by
from gateway.audit.witness import MAX_BODY_BYTES
from gateway.cli import main
from tests.e2e.witnessplace import WITNESS
from tests.unit.audit.test_witness import Log

PROGRAM = str(Path(sys.executable).with_name("portcullis"))


@asynccontextmanager
async def commanded(state: Path, *more: str) -> AsyncIterator[tuple[int, str, str]]:
    """The command as somebody runs it: its process, address and key."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(PROGRAM, "audit", "witness", "--name", WITNESS, "--state", str(state)),
        *("--port", str(port), *more),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            key = (await process.stdout.readline()).decode().strip()
        url = f"http://127.0.0.1:{port}/add-checkpoint"
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(30):
            while True:
                try:
                    await client.get(url)
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.05)
        yield process.pid, url, key
    finally:
        process.terminate()
        await process.wait()


async def test_the_command_becomes_a_small_process_that_signs(tmp_path: Path) -> None:
    log = Log()
    (tmp_path / "logs").write_text(f"{Log('log.example/two').signer.verifier}\n\n")
    given = ("--log", log.signer.verifier, "--log", str(tmp_path / "logs"))
    async with (
        commanded(tmp_path / "w", *given) as (pid, url, key),
        httpx.AsyncClient(trust_env=False, timeout=20) as client,
    ):
        process = psutil.Process(pid)
        assert "gateway.audit.witness" in process.cmdline()
        assert process.memory_info().rss < 80 * 2**20
        signed = await client.post(url, content=log.request(0, 5))
        assert signed.status_code == 200
        assert signed_by(read_note(log.note(5) + signed.content), read_witness(key))
        other = await client.post(url, content=log.request(3, 9))
        assert (other.status_code, other.text) == (409, "5\n")
        assert other.headers["content-type"] == "text/x.tlog.size"
        assert (await client.post(url, content=Log("a.example").request(0, 1))).status_code == 404
        assert (await client.get(url)).status_code == 405
        assert (await client.post(url.replace("add-", "sub-"))).status_code == 404
        large = b"old 0\n" + b"x" * MAX_BODY_BYTES
        assert (await client.post(url, content=large)).status_code == 413

        async def trickled() -> AsyncIterator[bytes]:
            for _ in range(40):
                yield large[: MAX_BODY_BYTES // 30]

        assert (await client.post(url, content=trickled())).status_code == 413
        again = await client.post(url, content=log.request(5, 9))
        assert again.status_code == 200


def test_its_key_is_shown_before_any_log_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["audit", "witness", "--name", WITNESS, "--state", str(tmp_path / "w"), "--show-key"]
    assert main(asked) == 0
    shown = capsys.readouterr().out
    assert read_witness(shown).name == WITNESS
    assert witness.main(asked[2:]) == 0
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize("name", ["two words", "a+b", ""])
def test_a_name_that_no_note_can_hold_is_refused(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--name", name, "--state", str(tmp_path / "w"), "--show-key"]
    assert witness.main(asked) == 2
    assert "cannot start" in capsys.readouterr().err
    assert main(["audit", "witness", *asked]) == 2
