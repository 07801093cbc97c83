"""What holds for every test."""

from __future__ import annotations

import gc

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("portcullis", deadline=None)
settings.load_profile("portcullis")

_WORLDS = ("tests/e2e/worlds/", "tests/e2e/browser/", "tests/e2e/test_demo_command.py")
_OTHERS = ("tests/e2e/test_audit_faults.py",)  # which asks no demonstration


class _Shares(LoadScopeScheduling):  # type: ignore[misc]  # it is not typed
    """Three processes have a share each, always the same one in the same order, and about as long:
    those that ask one running demonstration, worlds and pages, and all others. On two cores that is
    one more than compute: tests wait for what they started about a third of the time."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(_WORLDS):
            return "worlds and pages"
        asks = nodeid.startswith("tests/e2e/") and not nodeid.startswith(_OTHERS)
        return "one demonstration" if asks else "others"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return _Shares(config, log)


def pytest_collection_finish(session: pytest.Session) -> None:
    """In one of several processes, what thousands of tests are made of lasts as long as it does:
    the garbage collector is not to look through it again and again. The mutants' runner, which has
    no such processes, has to find every function."""
    if hasattr(session.config, "workerinput"):
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
