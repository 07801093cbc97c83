"""What holds for every test."""

from __future__ import annotations

import fcntl
import gc
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("portcullis", deadline=None)
settings.load_profile("portcullis")

_QUEUE = Path(__file__).with_name("opa.py")  # any two files: nothing is written


def pytest_collection_finish(session: pytest.Session) -> None:
    """In one of several processes, what thousands of tests are made of lasts as long as it does:
    the garbage collector is not to look through it again and again. The mutants' runner, which has
    no such processes, has to find every function."""
    if hasattr(session.config, "workerinput"):
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Of several processes all others wait while a test runs that is marked `alone`: it measures
    time, and how busy the machine is says nothing of the code."""
    if not hasattr(item.config, "workerinput"):
        return (yield)
    how = fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH
    with Path(__file__).open("rb") as running, _QUEUE.open("rb") as queue:
        fcntl.flock(queue, fcntl.LOCK_EX)  # else others would go on and on before one that is alone
        fcntl.flock(running, how)
        fcntl.flock(queue, fcntl.LOCK_UN)
        return (yield)
