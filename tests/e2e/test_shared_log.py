"""Two gateways, each a process of its own, that write one log in PostgreSQL."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.audit.verify import verify
from gateway.cli import main
from gateway.cli.demo import Demo
from gateway.errors import ConfigError
from tests.e2e.between import Proxy
from tests.e2e.test_serve_command import STOP, ask, deployed, ready, rewrite, serving, start
from tests.servers import Postgres, postgres

__all__ = ["deployed"]  # the fixture
Command = Callable[..., Awaitable[tuple[int, str]]]
SOCKET = ".s.PGSQL.5432"
ROLES = ("audit_owner", "audit_replica", "audit_sequencer")
MADE = "".join(f"CREATE ROLE {role} LOGIN;" for role in ROLES)


@pytest.fixture(scope="module")
def server(state: Path) -> Iterator[Postgres]:
    with postgres(state / "pg-log") as running:
        running.run(MADE)
        yield running


@pytest.fixture
def database(server: Postgres) -> Iterator[Postgres]:
    """An empty database for a log."""
    server.run("CREATE DATABASE audit OWNER audit_owner")
    server.run("ALTER SCHEMA public OWNER TO audit_owner", database="audit")
    yield server
    server.run("DROP DATABASE audit WITH (FORCE)")


def sharing(file: Path, server: Postgres, by: Path | None = None) -> tuple[Path, Path]:
    """The settings of two gateways with one log, one set of its keys, and a state of their own;
    they reach its database `by` a folder with a socket of another's."""
    text = file.read_text("utf-8")
    urls = [
        f"postgresql+asyncpg://{role}@/audit?host={by}" if by else server.url(role, "audit")
        for role in ROLES
    ]
    files = []
    for name in ("one", "two"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        head = (
            f'audit_url = "{urls[1]}"\naudit_sequencer_url = "{urls[2]}"\n'
            f'audit_keys_dir = "{file.parent / "keys"}"\n'
            "canaries = false\n"  # else an alarm could come too late, with what follows
            "audit_timeout_s = 5.0\npolicy_timeout_s = 5.0\n"  # this machine may be busy
        )
        lines = [
            f"port = {port}" if line.startswith("port = ") else line
            for line in text.replace('"../.portcullis"', f'"../{name}"').splitlines()
        ]
        made = file.with_name(f"{name}.toml")
        made.write_text(head + "\n".join(lines) + "\n", "utf-8")
        files.append(made)
    return files[0], files[1]


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="pc-") as made:
        yield Path(made)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """What `portcullis` answers, and what it says."""

    async def run(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        status = await asyncio.to_thread(main, words)
        said = capsys.readouterr()
        return status, said.out + said.err

    return run


async def test_two_gateways_answer_and_one_log_is_verified(
    demo: Demo, deployed: Path, database: Postgres, command: Command
) -> None:
    one, two = sharing(deployed, database)
    assert (
        "run portcullis audit prepare" in (await command("check-config", "--config", str(one)))[1]
    )
    status, said = await command("audit", "prepare", "--config", str(one), "--as", "audit_owner")
    assert status == 0, said
    said = (await command("check-config", "--config", str(one)))[1]
    assert "fit for a log" in said
    async with AsyncExitStack() as both:
        clients = []
        for file in (one, two):
            client, _ = await both.enter_async_context(serving(demo, file))
            await ready(client)
            clients.append(client)
        answers = await asyncio.gather(*(ask(clients[n % 2], demo, STOP) for n in range(12)))
        assert [a.text for a in answers if a.status_code != 200] == []
        receipts = [answer.json()["extensions"]["receipt"] for answer in answers]
        assert len({receipt["leafHash"] for receipt in receipts}) == 12
    copy = deployed.parent / "copy"
    status, said = await command(
        "audit", "export-tiles", "--config", str(one), "--to", str(copy), "--bodies"
    )
    assert status == 0, said
    report = verify(copy, (deployed.parent / "keys" / "log.pub").read_text())
    assert report.ok, report.problems
    assert report.open_intents == ()
    assert report.kinds["O"] >= 12
    held = database.run("SELECT encode(hash, 'hex') FROM audit_entry", database="audit").split()
    assert {receipt["leafHash"] for receipt in receipts} <= set(held)
    assert int(database.run("SELECT count(*) FROM audit_pending", database="audit")) == 0
    status, said = await command(
        *("audit", "verify", "--dir", str(copy), "--key", str(deployed.parent / "keys" / "log.pub"))
    )
    assert status == 0, said
    shutil.rmtree(copy)


async def test_a_sequencer_without_a_log_to_number_starts_nothing(
    demo: Demo, deployed: Path
) -> None:
    url = "postgresql+asyncpg://s@h/d"
    rewrite(deployed, lambda text: f'audit_sequencer_url = "{url}"\n{text}')
    with pytest.raises(ConfigError, match="needs audit_url"):
        await start(deployed, demo)


async def test_when_the_sequencers_session_is_ended_both_go_on_with_the_log(
    demo: Demo, deployed: Path, database: Postgres, command: Command
) -> None:
    one, two = sharing(deployed, database)
    await command("audit", "prepare", "--config", str(one), "--as", "audit_owner")
    async with serving(demo, one) as (first, _):
        await ready(first)
        assert (await ask(first, demo, STOP)).status_code == 200
        async with serving(demo, two) as (second, _):
            await ready(second)
            assert (await ask(second, demo, STOP)).status_code == 200
            leader = database.run(
                "SELECT application_name FROM pg_stat_activity a JOIN pg_locks l USING (pid)"
                " WHERE l.locktype = 'advisory' AND granted",
                database="audit",
            )
            assert "sequencer" in leader
            ended = database.run(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = 'audit' AND application_name LIKE '%sequencer'",
                database="postgres",
            )
            assert int(ended) == 2
            for client in (first, second):
                assert (await ask(client, demo, STOP)).status_code == 200
    copy = deployed.parent / "copy"
    status, said = await command("audit", "export-tiles", "--config", str(two), "--to", str(copy))
    assert status == 0, said
    report = verify(copy, (deployed.parent / "keys" / "log.pub").read_text(), bodies=False)
    assert report.ok, report.problems


async def test_F_26_a_gateway_without_its_log_answers_nobody_and_comes_back(
    demo: Demo, deployed: Path, database: Postgres, command: Command, short: Path
) -> None:
    door = await Proxy.open(database.socket / SOCKET, short / SOCKET)
    one, _ = sharing(deployed, database, short)
    try:
        await command("audit", "prepare", "--config", str(one), "--as", "audit_owner")
        async with serving(demo, one) as (client, _):
            await ready(client)
            assert (await ask(client, demo, STOP)).status_code == 200
            await door.kill()
            for _ in range(3):
                answer = await ask(client, demo, STOP)
                assert answer.status_code == 503
                assert "AUDIT_UNAVAILABLE" in answer.text
                assert '"data"' not in answer.text
            assert (await client.get("/health/ready")).status_code == 503
            await door.revive()
            async with asyncio.timeout(10):  # five seconds, and what this machine does beside
                await ready(client)
            assert (await ask(client, demo, STOP)).status_code == 200
        copy = deployed.parent / "copy"
        status, said = await command(
            "audit", "export-tiles", "--config", str(one), "--to", str(copy)
        )
        assert status == 0, said
    finally:
        await door.aclose()
    report = verify(copy, (deployed.parent / "keys" / "log.pub").read_text(), bodies=False)
    assert report.ok, report.problems
