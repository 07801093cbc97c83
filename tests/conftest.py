"""What holds for every test."""

from __future__ import annotations

import gc

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("portcullis", deadline=None)
settings.load_profile("portcullis")


def pytest_collection_finish(session: pytest.Session) -> None:
    """In one of several processes, what thousands of tests are made of lasts as long as it does:
    the garbage collector is not to look through it again and again. The mutants' runner, which has
    no such processes, has to find every function."""
    if hasattr(session.config, "workerinput"):
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
