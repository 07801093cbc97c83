"""What holds for every test."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("portcullis", deadline=None)
settings.load_profile("portcullis")

_E2E = Path(__file__).with_name("e2e")
_WORLDS = _E2E / "worlds" / "test_generated_worlds.py"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Two processes have a share each, always the same one in the same order, and about as long:
    those that ask one running demonstration, and all others."""
    share = "e2e" if item.path.parent == _E2E or item.path == _WORLDS else "others"
    item.add_marker(pytest.mark.xdist_group(share))


def pytest_collection_finish(session: pytest.Session) -> None:
    """In one of several processes, what thousands of tests are made of lasts as long as it does:
    the garbage collector is not to look through it again and again. The mutants' runner, which has
    no such processes, has to find every function."""
    if hasattr(session.config, "workerinput"):
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
