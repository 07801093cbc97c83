"""`portcullis audit reindex`: anew, with its progress, while no gateway holds the index."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.audit.index import Index, Wanted, holding
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.cli import main

ORIGIN = "gate.example/audit"


async def test_the_index_is_made_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(f'state_dir = "state"\naudit_origin = "{ORIGIN}"\n')
    state = tmp_path / "state"
    keys = AuditKeys(state / "keys" / "audit")
    log = await AuditLog.open(state / "audit", keys=keys, origin=ORIGIN)
    await asyncio.gather(*(log.append({"kind": "R", "request_id": f"r{n}"}) for n in range(5)))
    await log.aclose()
    path = state / "audit.index.sqlite"
    command = ["audit", "reindex", "--config", str(config)]
    with holding(path):
        assert await asyncio.to_thread(main, command) == 1
        assert "A gateway holds the index: stop it first." in capsys.readouterr().err
    path.write_bytes(b"damaged")
    assert await asyncio.to_thread(main, command) == 0
    assert f"5 entries are indexed in {path}." in capsys.readouterr().out.replace("\n", " ")
    index = Index(path, log.verifier.strip())
    assert sorted(one.request for one in index.find(Wanted())) == [f"r{n}" for n in range(5)]
    index.close()
