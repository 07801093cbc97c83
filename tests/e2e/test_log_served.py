"""The log over HTTP: what is under its checkpoint, to those who may read it, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from gateway.audit.log import AuditLog
from gateway.audit.merkle import levels, tile_path, tile_width
from gateway.audit.publishing import Unwitnessed
from gateway.audit.store import unpack
from gateway.audit.verify import open_checkpoint, verify
from gateway.cli.demo import Demo
from gateway.web.log import log_routes
from tests.e2e.auditplace import Place, put

PREFIX = "http://log.example/audit/log/"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@asynccontextmanager
async def reading(log: AuditLog, peer: str = "127.0.0.1") -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=log_routes(Unwitnessed(log), ("127.0.0.0/8",)))
    transport = httpx.ASGITransport(app, client=(peer, 1))
    async with httpx.AsyncClient(transport=transport, base_url=PREFIX) as client:
        yield client


async def copied(client: httpx.AsyncClient, to: Path, public: str) -> None:
    """What an auditor fetches: the checkpoint and every tile and bundle that it needs."""

    async def fetch(name: str) -> None:
        answer = await client.get(name)
        assert answer.status_code == 200, name
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        (to / name).write_bytes(answer.content)

    await fetch("checkpoint")
    size = open_checkpoint((to / "checkpoint").read_bytes(), public).size
    for level in range(levels(size)):
        number = 0
        while width := tile_width(size, level, number):
            await fetch(tile_path(level, number, width))
            if level == 0:
                await fetch(tile_path("entries", number, width))
            number += 1


async def test_the_log_is_verified_from_what_is_served(place: Place, tmp_path: Path) -> None:
    async with place.opened() as log, reading(log) as client:
        await put(log, 520)
        await log.inclusion(519)
        await copied(client, tmp_path / "copy", place.public)
    report = verify(tmp_path / "copy", place.public)
    assert report.ok, report.problems
    assert report.size == 520
    assert not (tmp_path / "copy/sealed").exists()


async def test_tiles_have_their_types_and_are_kept_as_long_as_they_stay_true(place: Place) -> None:
    async with place.opened() as log, reading(log) as client:
        await put(log, 300)
        await log.inclusion(299)
        said = {
            name: (answer.headers["content-type"], answer.headers["cache-control"])
            for name in ("checkpoint", "tile/0/000", "tile/entries/000", "tile/0/001.p/44")
            if (answer := await client.get(name)).status_code == 200
        }
        octets, for_ever = "application/octet-stream", "max-age=31536000, immutable"
        assert said == {
            "checkpoint": ("text/plain; charset=utf-8", "max-age=1"),
            "tile/0/000": (octets, for_ever),
            "tile/entries/000": (octets, for_ever),
            "tile/0/001.p/44": (octets, "max-age=60"),
        }
        head = await client.head("tile/0/000")
        assert (head.status_code, head.headers["content-length"]) == (200, "8192")
        assert (await client.post("checkpoint")).status_code == 405
        assert (await client.put("tile/0/000")).status_code == 405
        # a narrower one, as an earlier checkpoint had it, is the beginning of what is there
        whole, part = await client.get("tile/0/001.p/44"), await client.get("tile/0/001.p/7")
        assert whole.content.startswith(part.content)
        assert len(part.content) == 7 * 32
        entries = await client.get("tile/entries/001.p/7")
        assert len(unpack(entries.content)) == 7


async def test_nothing_is_served_that_no_checkpoint_covers(place: Place) -> None:
    async with place.opened() as log, reading(log) as client:
        await put(log, 300)
        await log.inclusion(299)
        for name in ("tile/0/001.p/45", "tile/0/001", "tile/0/002.p/1", "tile/1/000.p/2",
                     "tile/2/000.p/1", "tile/entries/001.p/45", "tile/entries/002"):  # fmt: skip
            assert (await client.get(name)).status_code == 404, name
        sizes: set[int] = set()
        for n in range(20):  # records that last but are under no checkpoint yet
            await put(log, 1, 300 + n)
            size = log.signed.size
            sizes.add(size)
            if size < log.size:
                name = tile_path("entries", 1, log.size - 256)
                assert (await client.get(name)).status_code == 404
        assert min(sizes) < log.size


async def test_no_other_file_of_the_log_can_be_opened(place: Place) -> None:
    async with place.opened() as log, reading(log) as client:
        await put(log, 8)
        await log.inclusion(7)
        sealed = next((place.log / "sealed" / "000").iterdir()).name
        names = ["journal", "lock", "../keys/log.key", "tile/../journal", "tile/%2e%2e/journal",
                 "tile/0/..%2f..%2flock", "tile//journal", "checkpoint.new", "%2e%2e/lock",
                 f"sealed/000/{sealed}", f"tile/..%2fsealed/000/{sealed}"]  # fmt: skip
        for name in names:
            answer = await client.get(httpx.URL(PREFIX + name))
            assert answer.status_code == 404, name


async def test_others_find_no_log(place: Place) -> None:
    async with place.opened() as log:
        await put(log, 1)
        async with reading(log, peer="192.0.2.7") as client:
            assert (await client.get("checkpoint")).status_code == 404
            assert (await client.get("tile/0/000.p/1")).status_code == 404


async def test_the_gateway_serves_its_log(demo: Demo) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        note = (await client.get(f"{demo.url}/audit/log/checkpoint")).content
        said = open_checkpoint(note, demo.started.log.verifier)
        assert said.origin == demo.started.settings.audit_origin
        assert (await client.get(f"{demo.url}/audit/log/journal")).status_code == 404
