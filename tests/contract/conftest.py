"""Database servers that the contract tests share, started once a run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

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
