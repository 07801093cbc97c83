"""F-30, F-32: one failure at a system call of the log's writer, for some of the calls.

All of them: `make crash`.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.crash.injected import SCENES, Scene, Stage, demand_strace, played

SOME = 20  # of each scene


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name.replace(" ", "-"))
def test_F_30_one_failure_at_a_system_call_of_the_writer_costs_no_acknowledged_record(
    tmp_path: Path, scene: Scene
) -> None:
    demand_strace()
    stage = Stage(tmp_path, scene)
    some = Random(3).sample(stage.faults(), SOME)  # noqa: S311  a test that can be repeated
    found = list(played(stage, some))
    assert [(str(fault), one.problems) for fault, one in found if one.problems] == []
    assert sum(one.happened for _, one in found) > SOME * 0.8  # the trace repeats itself
    refused = sum(one.refused for _, one in found)
    assert 0 < refused < SOME  # some faults are told to who waits, others concern nobody
