"""A gateway of a test's own over the demonstration's agencies, served on a loopback port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

from deploy.demo.stack import POLICIES, environment
from gateway.app import application, running
from gateway.audit.keys import AuditKeys
from gateway.cli.common import ROOT
from gateway.cli.demo import Demo, demo_settings, witnesses_of
from gateway.cli.serve import bound, server
from gateway.cli.tour import Watch
from gateway.model import EMPTY
from gateway.settings import Settings
from tests.e2e.witnessplace import witnessing_here

CATALOGUE = ROOT / "deploy" / "catalogue"


@asynccontextmanager
async def served(
    demo: Demo,
    state: Path,
    *,
    secrets: Mapping[str, str],
    opa_url: str | None = None,
    catalogue: Path = CATALOGUE,
    same_keys: bool = False,
    policy_timeout_s: float | None = None,
    canary_period_s: float | None = None,
    witnesses: int = 1,
    more: Mapping[str, Any] = EMPTY,
) -> AsyncIterator[Demo]:
    """The same demonstration as seen through a second gateway, which keeps its own state.

    `secrets` replace those of the demonstration; with `same_keys` both make the same refs;
    with `canary_period_s` it asks for canaries so often. Its record has the demonstration's three
    `witnesses`, one in this process, or none. `more` are other settings.
    """
    stack = replace(
        demo.stack,
        secrets={**demo.stack.secrets, **secrets},
        opa_url=opa_url or demo.stack.opa_url,
    )
    if same_keys:
        copytree(demo.started.settings.ref_key.parent, state / "keys", dirs_exist_ok=True)
    settings = demo_settings(state, stack, catalogue, POLICIES)
    if policy_timeout_s is not None:
        settings = replace(settings, policy_timeout_s=policy_timeout_s)
    if canary_period_s is not None:
        settings = replace(settings, canaries=True, canary_period_s=canary_period_s)
    settings = replace(settings, **more)
    watch = Watch()
    listening = bound("127.0.0.1", 0)
    try:
        async with (
            _WITNESSES[witnesses](settings),
            running(settings, environment(stack), observed=watch.saw) as started,
        ):
            serving = server(application(started), settings.limits)
            task = asyncio.create_task(serving.serve(sockets=[listening]))
            try:
                port = listening.getsockname()[1]
                yield replace(
                    demo, stack=stack, started=started, watch=watch, url=f"http://127.0.0.1:{port}"
                )
            finally:
                serving.should_exit = True
                await task
    finally:
        listening.close()


@asynccontextmanager
async def _one(settings: Settings) -> AsyncIterator[None]:
    keys = AuditKeys(settings.audit_keys_dir)
    log = keys.signer(settings.audit_origin).verifier
    async with witnessing_here(settings.state_dir / "witness", [log]) as (witness, url):
        settings.audit_witnesses.write_text(
            f"log {log}\nwitness one {witness.verifier} {url}\nquorum one\n"
        )
        yield


_WITNESSES: Mapping[int, Callable[[Settings], AbstractAsyncContextManager[None]]] = {
    0: lambda _settings: nullcontext(),
    1: _one,
    3: witnesses_of,
}
