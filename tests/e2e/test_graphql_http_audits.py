"""The 61 audits of graphql-http, the reference implementation's own, against the running gateway.

They are a Node package; its locked version is installed once into the user's cache.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.npm import installed, run

AUDITS = Path(__file__).parent / "audits"
HOW_MANY = 61


@pytest.fixture(scope="session")
def audits_folder() -> Path:
    return installed(AUDITS, "graphql-http")


async def test_all_audits_of_graphql_http_pass(
    audits_folder: Path, gateway_url: str, officer_token: str
) -> None:
    command = ["node", "run.mjs", gateway_url, officer_token]
    # In a thread: the gateway that they ask runs in this one.
    told: list[dict[str, Any]] = json.loads(await asyncio.to_thread(run, command, audits_folder))
    assert len(told) == HOW_MANY
    failed = [one for one in told if one["status"] != "ok"]
    assert not failed, json.dumps(failed, indent=1)
