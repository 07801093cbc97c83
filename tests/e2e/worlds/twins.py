"""Two worlds that differ in nothing but what one caller may not see, each behind a gateway.

The gateways run in this process and are asked through the whole of their web layer. They have the
same keys and the same clock, which stands still, so that refs, cursors and times are equal to the
byte; and one decision point and one parser, since a question says nothing of the worlds.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from shutil import copytree
from typing import Any

import httpx
import sqlalchemy as sa
from starlette.applications import Starlette

from deploy.demo.agencies.scp_schema import BASE
from deploy.demo.stack import POLICIES, environment
from gateway.app import Running, application, running
from gateway.cli.demo import Demo, demo_settings
from gateway.errors import InvalidOperation, LimitExceeded
from gateway.pipeline import Gate
from gateway.query.document import prepare
from tests.e2e.worlds.changes import File, Sql
from tests.e2e.worlds.making import LOCAL, Copying
from tests.e2e.worlds.unseen import Secret

_BASE = "http://gateway.example"


@dataclass(slots=True)
class Clock:
    """A clock that stands still; it is moved once, when its gateway has started."""

    at: datetime

    def __call__(self) -> datetime:
        return self.at


@dataclass(frozen=True, kw_only=True)  # no slots: the application is made once
class World:
    """A gateway over one world."""

    started: Running

    @cached_property
    def app(self) -> Starlette:
        return application(self.started)

    @property
    def gate(self) -> Gate:
        return self.started.gate

    def loosened(self, change: Callable[[Gate], Gate]) -> World:
        """The same with another gateway in it."""
        return World(started=replace(self.started, gate=change(self.gate)))

    async def post(
        self, body: Mapping[str, Any], token: str, *, to: str = "/graphql"
    ) -> httpx.Response:
        if to == "/graphql":
            self._prepare(body["query"])
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url=_BASE, timeout=60) as client:
            headers = {"Authorization": f"Bearer {token}"}
            return await client.post(to, json=body, headers=headers)

    def _prepare(self, text: str) -> None:
        """Prepare a document as the gateway does, for all gateways that have the same parser: two
        worlds are asked the same, and reading it is a good part of what an answer costs here.
        A document that is refused each of them reads for itself."""
        parser = self.gate.parser
        digest = hashlib.sha256(text.encode()).hexdigest()
        if parser.preparations.get(digest) is None:
            with suppress(InvalidOperation, LimitExceeded):
                made = prepare(text, digest, parser.schema, parser.limits, kept='"' not in text)
                parser.preparations.put(made)


@asynccontextmanager
async def gateway_over(
    demo: Demo,
    state: Path,
    secrets: Mapping[str, str],
    *,
    catalogue: Path,
    now: datetime,
    like: Gate | None = None,
) -> AsyncIterator[World]:
    """A gateway over the sources that `secrets` name, for which it is `now` for ever; it reads and
    decides with the parser and the decision point of the gateway that it is to be `like`."""
    clock = Clock(now - timedelta(seconds=1))
    stack = replace(demo.stack, secrets={**demo.stack.secrets, **secrets})
    await asyncio.to_thread(
        copytree, demo.started.settings.ref_key.parent, state / "keys", dirs_exist_ok=True
    )
    settings = demo_settings(state, stack, catalogue, POLICIES)
    settings = replace(settings, policy_timeout_s=10.0)  # answers are compared, not how fast
    # a search by face waits for who has seen its record; here nobody else has to
    await asyncio.to_thread(settings.audit_witnesses.write_text, "quorum none\n")
    async with running(settings, environment(stack), clock=clock) as started:
        clock.at = now
        if like is not None:
            gate = replace(started.gate, pdp=like.pdp, parser=like.parser)
            started = replace(started, gate=gate)
        yield World(started=started)


@asynccontextmanager
async def otherwise(
    copying: Copying, name: str, secrets: Sequence[Secret], kept: frozenset[str]
) -> AsyncIterator[tuple[Mapping[str, str], Mapping[str, int]]]:
    """The whole world with these secrets otherwise, while its services run: what the gateway needs
    to know of it, and how much of each secret was changed. Nothing is left of it afterwards."""
    try:
        databases = await asyncio.to_thread(copying.write, None, name)
        changed = await asyncio.to_thread(_change, copying, name, secrets, kept)
        async with copying.serving(name) as services:
            yield {**databases, **services}, changed
    finally:
        await asyncio.to_thread(copying.forget, name)


def _change(
    copying: Copying, name: str, secrets: Sequence[Secret], kept: frozenset[str]
) -> dict[str, int]:
    """How much of each secret was changed. Each store is told all at once, in order."""
    told: dict[str, list[tuple[str, Sql | File]]] = {}
    for secret in secrets:
        for change in secret.changes:
            told.setdefault(change.store, []).append((secret.name, change))
    changed = dict.fromkeys((secret.name for secret in secrets), 0)
    numbers = ", ".join(f"'{number}'" for number in sorted(kept)) or "''"
    for store, changes in told.items():
        statements = [
            change.statement.replace(":kept", f"({numbers})")
            for _, change in changes
            if isinstance(change, Sql)
        ]
        files = [change for _, change in changes if isinstance(change, File)]
        if files:
            done = _file(copying.home / f"{store}_{name}.json", files, kept)
        elif store == "eru":
            done = _sqlite(copying.home / f"eru_{name}.sqlite", statements)
        elif store == "scp":
            done = _mariadb(copying, f"{BASE}_{name}", statements)
        else:
            done = _postgresql(copying, f"{store}_{name}", statements)
        for (secret_name, _), number in zip(changes, done, strict=True):
            changed[secret_name] += number
    return changed


def _file(path: Path, changes: Sequence[File], kept: frozenset[str]) -> list[int]:
    held = json.loads(path.read_text("utf-8"))
    done = [change.change(held, kept) for change in changes]
    path.write_text(json.dumps(held), "utf-8")
    return done


def _sqlite(path: Path, statements: Sequence[str]) -> list[int]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return [connection.execute(statement).rowcount for statement in statements]


def _postgresql(copying: Copying, database: str, statements: Sequence[str]) -> list[int]:
    counted = [
        f"with done as ({statement} returning 1) select count(*) from done;"  # noqa: S608
        for statement in statements
    ]
    told = copying.postgresql.run("begin;\n" + "\n".join(counted) + "\ncommit;", database=database)
    return [int(number) for number in told.split()]


def _mariadb(copying: Copying, database: str, statements: Sequence[str]) -> list[int]:
    url = sa.URL.create(
        "mariadb+pymysql",
        username="root",
        database=database,
        query={"unix_socket": copying.mariadb_socket},
    )
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=LOCAL)
    with engine.begin() as connection:
        return [
            connection.exec_driver_sql(statement.replace("%", "%%")).rowcount
            for statement in statements
        ]
