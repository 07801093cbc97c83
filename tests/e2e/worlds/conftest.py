"""The comparing of worlds starts before the first test, where its tests are among those to run."""

from __future__ import annotations

import pytest

from tests.e2e.worlds.beside import Beside, Compared
from tests.opa import program

_BESIDE = Beside()


def pytest_collection_finish(session: pytest.Session) -> None:
    wanted = any("compared" in getattr(item, "fixturenames", ()) for item in session.items)
    if wanted and not session.config.option.collectonly:
        _BESIDE.start(program())


def pytest_sessionfinish() -> None:
    _BESIDE.end()


@pytest.fixture(scope="session")
def compared() -> Compared:
    """What came of the operations; by then all other tests have mostly been run."""
    return _BESIDE.compared()
