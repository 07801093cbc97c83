"""What a decision costs, in expressions that OPA evaluates: a count that no busy machine changes.

Milliseconds are in docs/performance.md (`python -m tests.bench policy`). The counts here stand some
15 % above what the rules need: a rule that is asked for each resource anew goes over them.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.bench.deciding import SIZED, asked_of_opa, sized
from tests.opa import POLICIES, program

MOST = {"sixty_fields": 4_800, "three_hundred_and_sixty_fields": 13_700}


def evaluated(question: dict[str, Any]) -> int:
    done = subprocess.run(  # noqa: S603  # a fixed command
        [
            *(str(program()), "eval", "--bundle", str(POLICIES), "--stdin-input"),
            *("--profile", "--profile-limit", "10000", "--format", "json"),
            "decision := data.gateway.decision",
        ],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    decision = answer["result"][0]["bindings"]["decision"]
    assert decision["resources"].keys() == question["resources"].keys()
    return sum(place["num_eval"] for place in answer["profile"])


@pytest.mark.parametrize("name", SIZED)
def test_a_decision_evaluates_no_more_than_it_needs(name: str) -> None:
    question, (fields, fetches, _) = asked_of_opa(sized(name)), SIZED[name]
    assert sum(len(one["read"]) for one in question["resources"].values()) == fields
    assert sum("." not in id_ for id_ in question["resources"]) == fetches
    assert evaluated(question) <= MOST[name]
