"""The world in real databases: what the gateway's roles may read, and that nothing is left over."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from deploy.demo.agencies.nmc import write_nmc
from deploy.demo.agencies.nmc_schema import READER, TABLES
from deploy.demo.agencies.scp import write_scp_mariadb
from deploy.demo.agencies.scp_schema import METADATA
from deploy.demo.databases import (
    MariaDB,
    PostgreSQL,
    forget_written,
    identity,
    is_written,
    mark_written,
    postgres_data,
    remove_postgres_data,
)
from deploy.demo.population import Agency, Population, make_population
from deploy.demo.stack import _bid, _eru, _ncb, _scp
from tests.e2e.privileges import LARGE_OBJECTS

PASSWORD = "a synthetic one"  # noqa: S105
_KILLED = """
import sys, time
from pathlib import Path
from deploy.demo.databases import MariaDB, PostgreSQL
state = Path(sys.argv[1])
postgres, mariadb = PostgreSQL.start(state), MariaDB.start(state)
pid = (postgres.data / "postmaster.pid").read_text().split()[0]
print(pid, (mariadb.data / "pid").read_text().strip(), flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module", name="people")
def fixture_people() -> Population:
    return make_population(600)


@pytest.fixture(scope="module", name="state")
def fixture_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    state = tmp_path_factory.mktemp("state")
    yield state
    remove_postgres_data(state)
    shutil.rmtree(state)


@pytest.fixture(scope="module", name="nmc")
def fixture_nmc(state: Path, people: Population) -> Iterator[PostgreSQL]:
    with PostgreSQL.start(state) as server:
        server.create_database("nmc")
        server.create_database("nmc")  # again is no fault
        server.create_database("nis")
        write_nmc(server.url(database="nmc"), people)
        yield server


@pytest.fixture(scope="module", name="scp")
def fixture_scp(state: Path, people: Population) -> Iterator[MariaDB]:
    with MariaDB.start(state) as server:
        write_scp_mariadb(server.url(), people, reader_password=PASSWORD)
        yield server


def refused(server: PostgreSQL | MariaDB, statement: str, *, database: str = "nmc") -> str:
    """Why the gateway's own role may not."""
    more = {"database": database} if isinstance(server, PostgreSQL) else {"password": PASSWORD}
    with pytest.raises(subprocess.CalledProcessError) as failed:
        server.run(statement, role=READER, **more)
    return str(failed.value.stderr)


@pytest.mark.parametrize("view", sorted(TABLES))
def test_the_gateway_reads_every_view_of_nmc(nmc: PostgreSQL, view: str) -> None:
    query = f"select count(*) from gw.{view}"  # noqa: S608
    assert int(nmc.run(query, database="nmc", role=READER)) > 0


@pytest.mark.parametrize(
    "statement",
    [
        "select 1 from rms.nominal",
        "delete from gw.nominal",
        "update gw.nominal set surname = ''",
        "insert into gw.phone values ('', '')",
        "create temporary table mine (a int)",
        "create table public.mine (a int)",
        "create table gw.mine (a int)",
        "create schema mine",
        "select * from pg_largeobject",
        *LARGE_OBJECTS,
    ],
)
def test_the_gateway_can_do_nothing_else_at_nmc(nmc: PostgreSQL, statement: str) -> None:
    # privileges alone must suffice: the session says that it wants to write
    why = refused(nmc, f"set default_transaction_read_only = off; {statement}")
    assert "permission denied" in why


@pytest.mark.parametrize("other", ["postgres", "template1", "nis"])
def test_the_gateway_enters_no_other_database_of_the_server(nmc: PostgreSQL, other: str) -> None:
    why = refused(nmc, "select 1", database=other)
    assert "permission denied for database" in why


def test_nmc_holds_what_was_written(nmc: PostgreSQL, people: Population) -> None:
    key = people.key("T-000417", Agency.NMC)
    query = "select surname, dob, subj_ref from gw.nominal where forename1 = 'ARBEN' order by dob"
    lines = nmc.run(query, database="nmc", role=READER).splitlines()
    assert f"HOXHA|1991-04-17|NMC:{key}" in lines
    assert any(line.startswith("HOXHA|1991-09-02|") for line in lines)
    joined = f"select role_cd, ho_class from gw.crime_person where nom_ref = '{key}'"  # noqa: S608
    assert nmc.run(joined, database="nmc", role=READER).strip() == "S|79"


@pytest.mark.parametrize("table", sorted(METADATA.tables))
def test_the_gateway_reads_every_view_of_scp(scp: MariaDB, table: str) -> None:
    query = f"select count(*) from gw.vw{table.removeprefix('tbl')}"  # noqa: S608
    assert int(scp.run(query, role=READER, password=PASSWORD)) > 0


@pytest.mark.parametrize(
    "statement",
    [
        "select 1 from niche.tblPerson",
        "delete from gw.vwPersonPhone",
        "update gw.vwPersonPhone set Number = ''",
        "create temporary table gw.mine (a int)",
        "create table gw.mine (a int)",
        "create database mine",
    ],
)
def test_the_gateway_can_do_nothing_else_at_scp(scp: MariaDB, statement: str) -> None:
    assert "denied" in refused(scp, statement)


def test_scp_compares_without_case_and_accents(scp: MariaDB) -> None:
    query = "select count(*) from gw.vwPerson where FullName = 'ÁRBEN HODJA'"
    assert scp.run(query, role=READER, password=PASSWORD).strip() == "1"


def test_scp_wants_the_password(scp: MariaDB) -> None:
    with pytest.raises(subprocess.CalledProcessError, match="1"):
        scp.run("select 1", role=READER, password="another")  # noqa: S106


def test_data_are_kept_from_start_to_start(tmp_path: Path) -> None:
    try:
        with PostgreSQL.start(tmp_path) as postgres, MariaDB.start(tmp_path) as mariadb:
            postgres.create_database("kept")
            mariadb.run("create database kept")
        started = time.monotonic()
        with PostgreSQL.start(tmp_path) as postgres, MariaDB.start(tmp_path) as mariadb:
            found = postgres.run("select 1 from pg_database where datname = 'kept'")
            assert found.strip() == "1"
            assert "kept" in mariadb.run("show databases")
        assert time.monotonic() - started < 15
    finally:
        remove_postgres_data(tmp_path)


def test_a_killed_starter_leaves_no_server_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _KILLED, str(tmp_path)]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:  # noqa: S603
            assert starter.stdout
            pids = [int(pid) for pid in starter.stdout.readline().split()]
            assert all(psutil.pid_exists(pid) for pid in pids)
            os.kill(starter.pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while any(_runs(pid) for pid in pids):
            assert time.monotonic() < deadline, "a server outlived its starter"
            time.sleep(0.1)
    finally:
        remove_postgres_data(tmp_path)


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_data_of_root_lie_where_another_user_can_go(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    data = postgres_data(tmp_path / "private")
    if os.geteuid() == 0:
        assert not data.is_relative_to(tmp_path)
        assert (tmp_path / "private" / "postgres-elsewhere").read_text().strip() == str(data)
    else:
        assert data.parent == tmp_path / "private"


def test_a_database_name_that_is_not_one_is_refused(nmc: PostgreSQL) -> None:
    with pytest.raises(ValueError, match="lower-case"):
        nmc.create_database("x; drop table y")


async def test_each_share_of_another_world_is_written_anew(
    tmp_path: Path, people: Population
) -> None:
    """What a state directory held before is another's: its people, or its day, are not these."""
    home = tmp_path / "agencies"
    home.mkdir()
    stale = [home / name for name in ("eru.sqlite", "scp.sqlite", "bid.json", "ncb.json")]
    for file in stale:
        file.write_bytes(b"another world")
    async with AsyncExitStack() as stack:
        await _eru(stack, home, people)
        await _scp(stack, home, people, mariadb=False)
        await _bid(stack, home, people)
        await _ncb(stack, home, people)
    assert all(b"another world" not in file.read_bytes() for file in stale)


def test_a_share_is_complete_only_once_it_says_so(tmp_path: Path, people: Population) -> None:
    def world(**other: object) -> str:
        given = {"people": 600, "seed": 417, "as_of": people.as_of, "now": people.now} | other
        return identity(**given)  # type: ignore[arg-type]  # a table

    assert not is_written(tmp_path, "nmc", world())
    mark_written(tmp_path, "nmc", world())
    assert is_written(tmp_path, "nmc", world())
    assert is_written(tmp_path, "nmc", world(now=people.now + timedelta(hours=1)))
    assert not is_written(tmp_path, "nmc", world(now=people.now + timedelta(days=1)))
    assert not is_written(tmp_path, "nmc", world(seed=1))
    other = tmp_path / "code"
    other.mkdir()
    (other / "nmc.py").write_text("VIEWS = 1\n")
    assert not is_written(tmp_path, "nmc", world(code=other))  # what writes it has changed
    assert not is_written(tmp_path, "scp", world())
    forget_written(tmp_path, "nmc")
    assert not is_written(tmp_path, "nmc", world())
