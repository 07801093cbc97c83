"""`portcullis demo` as somebody runs it: told to the end, stopped at any time, on a taken port."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from deploy.demo.databases import ELSEWHERE, postgres_data
from deploy.demo.personas import PERSONAS

_ROOT = Path(__file__).resolve().parents[2]
AGENCIES = ("NMC", "SCP", "BID", "ERU", "NCB", "NIS")
PEOPLE = 600  # the fewest
_READY_S = 120.0
_STOPPED_S = 30.0


@pytest.fixture
def home() -> Iterator[Path]:
    """A state directory of its own, whose parents the database's user may enter."""
    with tempfile.TemporaryDirectory(prefix="portcullis-") as made:
        Path(made).chmod(0o755)
        yield Path(made) / "home"


@asynccontextmanager
async def demonstrating(
    home: Path, opa: Path, *given: str, made: bool = False
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command in a process of its own, killed if it does not end; `made`: by `make demo`,
    which is given variables."""
    program = Path(sys.executable).with_name("portcullis")
    process = await asyncio.create_subprocess_exec(
        *(
            ("make", "-C", str(_ROOT), "demo", f"PEOPLE={PEOPLE}", *given)
            if made
            else (str(program), "demo", "--people", str(PEOPLE), *given)
        ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PORTCULLIS_HOME": str(home), "PORTCULLIS_OPA": str(opa)},
        start_new_session=True,  # a terminal's Ctrl-C is sent by the test, to this process alone
    )
    try:
        yield process
    finally:
        family = descendants(process.pid)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        for child in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()


def descendants(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True)
    return []


async def said_until(process: asyncio.subprocess.Process, text: str) -> str:
    """What the command has printed up to this text."""
    assert process.stdout is not None
    said = ""
    async with asyncio.timeout(_READY_S):
        while text not in said:
            line = await process.stdout.readline()
            assert line, said
            said += line.decode()
    return said


async def all_gone(home: Path, family: list[psutil.Process]) -> list[str]:
    """What is left after some seconds of the children and of whoever uses this directory."""
    left: list[str] = []
    for _ in range(100):
        users = [
            process
            for process in psutil.process_iter()
            if str(home) in " ".join(_command(process)) and process.pid != os.getpid()
        ]
        alive = [child for child in family if child.is_running() and _lives(child)]
        left = [" ".join(_command(process)) for process in (*users, *alive) if _lives(process)]
        if not left:
            return []
        await asyncio.sleep(0.05)
    return left


def _command(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


async def test_once_tells_the_story_and_ends_well(home: Path, opa_program: Path) -> None:
    """`make demo ONCE=1`. Off a terminal progress is said in lines."""
    async with demonstrating(home, opa_program, "ONCE=1", "PORT=0", made=True) as process:
        async with asyncio.timeout(_READY_S):
            out, _ = await process.communicate()
        said = out.decode()
        assert process.returncode == 0, said
    for line in (
        f"Making a world of {PEOPLE} people",
        *(
            f"Starting six agencies: {agency}"
            for agency in ("NMC", "SCP", "BID", "ERU", "NCB", "NIS")
        ),
        f"Six agencies, {PEOPLE} invented people, ready in",
        "AO On the beach: who is this, and who can help him? [PROTECT_VULNERABLE]",
        "RO In the street: is anybody in danger? [OFFICER_SAFETY]",
        "IE The same man, for immigration control [IMMIGRATION_CONTROL]",
        "What matters first:",
        "Not a word of him as a possible victim",
        "verified from its files alone: whole.",
        "none found.",
    ):
        assert line in said
    columns = "  agency  state       hits  shown  masked  withheld      ms"
    rows = said.split(f"{columns}\n")[1].splitlines()[: len(AGENCIES)]
    for row in rows:
        assert re.fullmatch(r"  [A-Z]{3} +(ANSWERED|TRUNCATED)( +\d+){4} +\d+\.\d", row), row
    assert {row.split()[0] for row in rows} == set(AGENCIES)
    assert sum(int(row.split()[3]) for row in rows) > 20  # shown
    receipt = r"Recorded: entry (\d+), rules \S+, query [0-9a-f-]{36}\."
    receipts = re.findall(receipt, " ".join(said.split()))  # a narrow terminal breaks the line
    assert len(receipts) == 3  # one for each question, in their order
    assert receipts == sorted(receipts, key=int)
    assert len({*receipts}) == 3
    assert "Expected" not in said
    assert "Traceback" not in said
    assert not (home / "demo.json").exists()
    assert (home / "gateway.log").exists()  # among what was searched
    assert await all_gone(home, []) == []


async def test_once_ends_badly_where_a_line_is_not_as_expected(
    home: Path, opa_program: Path
) -> None:
    """Somebody's name lies in what the gateway keeps: the last proof finds it."""
    await asyncio.to_thread(home.mkdir)
    await asyncio.to_thread((home / "careless.log").write_text, "asked for HOXHAJ")
    async with demonstrating(home, opa_program, "--once", "--port", "0") as process:
        async with asyncio.timeout(_READY_S):
            out, _ = await process.communicate()
    assert process.returncode == 1, out.decode()
    assert "2 found in careless.log" in " ".join(out.decode().split())
    assert "HOXHAJ" not in out.decode()
    assert await all_gone(home, []) == []


def cleaned(**variables: str) -> int:
    """How `make clean` ended."""
    command = ["make", "-C", str(_ROOT), "clean"]
    return subprocess.run(command, env={**os.environ, **variables}, check=False).returncode  # noqa: S603


def test_make_clean_removes_the_state_and_no_home_of_somebodys(tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "audit").mkdir(parents=True)
    assert cleaned(PORTCULLIS_HOME=str(state)) == 0
    assert not state.exists()
    assert cleaned(HOME=str(tmp_path), PORTCULLIS_HOME=str(tmp_path)) != 0
    assert tmp_path.exists()


def test_make_clean_removes_the_data_that_lie_elsewhere(tmp_path: Path) -> None:
    """Where the state is closed to PostgreSQL's user its data lie in the temporary directory."""
    state = tmp_path / "state"
    (state / "agencies").mkdir(parents=True)
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary) / "portcullis-0123456789abcdef" / "postgres"
        another = Path(temporary) / "somebody" / "postgres"
        (data / "base").mkdir(parents=True)
        another.mkdir(parents=True)
        (state / "agencies" / ELSEWHERE).write_text(f"{data}\n")
        (state / ELSEWHERE).write_text(f"{another}\n")  # not what we would have written
        assert cleaned(PORTCULLIS_HOME=str(state)) == 0
        assert not data.parent.exists()
        assert another.exists()
        assert not state.exists()


def test_the_place_elsewhere_is_one_that_make_clean_removes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "state").mkdir(mode=0o700)
    data = postgres_data(state)
    try:
        (data / "base").mkdir(parents=True)
        assert not data.is_relative_to(tmp_path)
        assert cleaned(PORTCULLIS_HOME=str(state)) == 0
        assert not data.parent.exists()
    finally:
        shutil.rmtree(data.parent, ignore_errors=True)


async def test_a_taken_port_is_a_clear_error_and_nothing_is_left(
    home: Path, opa_program: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with demonstrating(home, opa_program, "--port", str(port)) as process:
            async with asyncio.timeout(_READY_S):
                out, _ = await process.communicate()
    said = out.decode()
    assert process.returncode not in (0, None)
    assert f"Port {port}" in said
    assert "Choose another, for instance: make demo PORT=" in said
    assert "Traceback" not in said
    assert await all_gone(home, []) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_stops_every_child(
    home: Path, opa_program: Path, number: signal.Signals
) -> None:
    """While it serves: it ends with 0, says where it was, and no process is left of it."""
    async with demonstrating(home, opa_program, "--port", "0") as process:
        said = await said_until(process, "Ctrl-C stops it all.")
        address = next(word for word in said.split() if word.startswith("http://")).rstrip("/")
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{address}/health/ready")).status_code == 200
        assert "NMC" in await pasted(said)
        family = descendants(process.pid)
        assert len(family) >= 8  # issuer, OPA, two databases and their guards, three services
        assert (home / "demo.json").exists()
        process.send_signal(number)
        async with asyncio.timeout(_STOPPED_S):
            await process.communicate()
        assert process.returncode == 0
        assert await all_gone(home, family) == []
        assert not (home / "demo.json").exists()
        assert not (home / "tokens.sh").exists()


async def pasted(said: str) -> set[str]:
    """Who owns the vehicles that the commands which the demonstration prints bring, in a shell."""
    for code, persona in PERSONAS.items():
        assert f"  {code:<4} {persona.title}, {persona.agency}" in said
    commands = said[said.index("\n. '") :].removesuffix("Ctrl-C stops it all.\n")
    process = await asyncio.create_subprocess_shell(
        commands, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await process.communicate()
    assert process.returncode == 0, errors
    return {vehicle["owner"] for vehicle in json.loads(out)["data"]["vehicle"]}


async def test_ctrl_c_while_it_starts_leaves_nothing_either(home: Path, opa_program: Path) -> None:
    async with demonstrating(home, opa_program, "--port", "0") as process:
        async with asyncio.timeout(_READY_S):
            while len(descendants(process.pid)) < 3:  # noqa: ASYNC110 - nothing signals it
                await asyncio.sleep(0.05)
        family = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(_STOPPED_S):
            await process.communicate()
        assert process.returncode != 0
        assert await all_gone(home, family) == []
