"""Database servers that the contract tests share, started once a run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.contract.auditplaces import AuditPlace, Database, Files, numbers, put
from tests.servers import MariaDb, Postgres, dictionary_locale, mariadb, postgres


@pytest.fixture(scope="session", name="short_directory")
def fixture_short_directory() -> Iterator[Path]:
    """A directory whose path is short enough for Unix sockets and open to other users."""
    with tempfile.TemporaryDirectory(prefix="pc-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture(scope="session", name="dictionary_locale")
def fixture_dictionary_locale(short_directory: Path) -> str:
    return dictionary_locale(short_directory / "locale")


@pytest.fixture(scope="session", name="postgres_server")
def fixture_postgres_server(short_directory: Path, dictionary_locale: str) -> Iterator[Postgres]:
    with postgres(short_directory / "pg") as server:
        yield server


@pytest.fixture(scope="session", name="mariadb_server")
def fixture_mariadb_server(short_directory: Path) -> Iterator[MariaDb]:
    with mariadb(short_directory / "maria") as server:
        yield server


@pytest.fixture
async def audit_database(
    short_directory: Path, postgres_server: Postgres
) -> AsyncIterator[Database]:
    """A log in PostgreSQL with nothing in it."""
    base = short_directory / f"p{time.monotonic_ns()}"
    base.mkdir()
    made = await Database.made(base, postgres_server)
    yield made
    await made.aclose()


@pytest.fixture
async def written_audit_database(audit_database: Database) -> Database:
    """A log of 300 records, none of which waits."""
    async with audit_database.opened() as log:
        await numbers(log, await put(log, 300))
        await log.inclusion(299)
    return audit_database


@pytest.fixture(params=["files", "postgresql"])
async def audit_place(
    request: pytest.FixtureRequest, short_directory: Path
) -> AsyncIterator[AuditPlace]:
    """A log that can be made to fail, in either store."""
    base = short_directory / f"a{time.monotonic_ns()}"
    base.mkdir()
    if request.param == "files":
        yield Files(base=base)
        return
    made = await Database.made(base, request.getfixturevalue("postgres_server"))
    yield made
    await made.aclose()
