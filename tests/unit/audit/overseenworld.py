"""The log of `auditworld.py` with what looks over it: a queue by a staff feed, samples, reviews."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from gateway.actions.oversight import Oversight
from gateway.actions.reviewing import Reviewing
from gateway.actions.sampling import Sampling
from gateway.audit.queues import Queues
from gateway.audit.staff import tokens_of
from gateway.casework.database import migrate
from gateway.casework.store import Store
from gateway.model import Justification
from tests.unit.audit.auditworld import ANN, BOB, World, world

PLATE = "AB12 CDE"


def now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def overseen(
    base: Path, why: Justification, new_id: Callable[[], str]
) -> AsyncIterator[tuple[World, Oversight]]:
    """ann of NMC asked for her own car three times, bob for somebody's; ann's car is known."""
    feed = base / "staff" / "NMC"
    feed.mkdir(parents=True)
    (feed / "staff.csv").write_text(f"issuer,id,plates\n{ANN.issuer},ann,{PLATE}\n")
    url = f"sqlite+aiosqlite:///{base / 'casework.sqlite'}"
    await migrate(url)
    store = await Store.open(url)
    async with world(base) as made:
        for _ in range(3):
            await made.ask(ANN, PLATE, why=why)
        await made.ask(BOB, "ZZ99 QRS")
        await made.seen()
        queues = Queues(
            follower=made.follower, index=base / "index.sqlite", keys=base / "keys",
            feeds=base / "staff", agencies=("NMC", "SCP"), clock=now, patience_s=60,
        )  # fmt: skip
        yield (
            made,
            Oversight(
                store=store,
                queues=queues,
                sampling=Sampling(
                    inquiry=made.inquiry, store=store, policy=None, clock=now, new_id=new_id
                ),
                reviewing=Reviewing(
                    recorder=made.recorder, store=store, tokens=tokens_of(made.keys)
                ),
                agencies=("NMC", "SCP", "OVERSIGHT"),
                new_id=new_id,
            ),
        )
        await queues.aclose()
    await store.aclose()
