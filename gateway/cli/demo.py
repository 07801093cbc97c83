"""`portcullis demo`: six agencies, OPA and the gateway on this machine, and one story told by real
requests."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from rich.console import Console

from deploy.demo.issuer import ALGORITHMS, DEFAULT_AUDIENCE
from deploy.demo.personas import DOCUMENTS_ONLY, ISSUERS, PERSONAS, UNITS, mint
from deploy.demo.population import Population, make_population
from deploy.demo.stack import (
    AGENCIES,
    PAGES,
    Progress,
    Stack,
    environment,
    pages_secret,
    running_stack,
)
from deploy.demo.staff import write_staff
from deploy.demo.story import DOCUMENTS
from deploy.demo.witnesses import running_witnesses
from gateway.app import Running, application, running
from gateway.audit.keys import AuditKeys
from gateway.cli.common import ROOT, Commands, command, demo_file, home
from gateway.cli.serve import bound, loop_factory, server
from gateway.cli.story import tell
from gateway.cli.tour import Watch, tour_of
from gateway.settings import AboutSetting, IssuerSetting, Settings


def register(commands: Commands) -> None:
    made = command(
        commands,
        "demo",
        _run,
        help_text="Run six agencies, OPA and the gateway here, and tell the story.",
        examples="  portcullis demo\n  portcullis demo --once\n  portcullis demo --port 8480",
    )
    made.add_argument("--port", type=int, default=8470, help="the gateway's (default: 8470)")
    made.add_argument("--people", type=int, default=5000, help="of the synthetic world")
    made.add_argument("--once", action="store_true", help="end after the story: 0 if all went well")


def _run(given: argparse.Namespace) -> int:
    # Ctrl-C ends the children by their own pid, in order; a second one does not cut that short.
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_demo(given.port, given.people, once=given.once))


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A demonstration that runs: the agencies, and the gateway over them."""

    stack: Stack
    population: Population
    started: Running
    watch: Watch
    url: str  # of the gateway, without a path

    @property
    def graphql(self) -> str:
        return f"{self.url}/graphql"

    def token(self, persona: str, app: str | None = None) -> str:
        return mint(persona, self.stack.issuer_url, app=app)


@asynccontextmanager
async def running_demo(
    state: Path,
    population: Population,
    opa: Path,
    *,
    port: int = 0,
    agencies: Sequence[str] = AGENCIES,
    bid_rate: bool = True,
    mariadb: bool = True,
    catalogue: Path = ROOT / "deploy" / "catalogue",
    policies: Path = ROOT / "policies",
    policy_timeout_s: float = 1.0,
    canaries: bool = False,
    say: Progress = lambda _text: None,
) -> AsyncIterator[Demo]:
    """The whole demonstration, served on a loopback port (0: any free one)."""
    if not bid_rate:
        catalogue = await asyncio.to_thread(_unhurried, catalogue, state / "catalogue")
    listening = bound("127.0.0.1", port)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    async with AsyncExitStack() as exits:
        exits.callback(listening.close)
        stack = await exits.enter_async_context(
            running_stack(
                state / "agencies",
                population,
                opa,
                agencies=agencies,
                bid_rate=bid_rate,
                mariadb=mariadb,
                policies=policies,
                pages_url=address,
                say=say,
            )
        )
        watch = Watch()
        settings = demo_settings(
            state, stack, catalogue, policies, policy_timeout_s=policy_timeout_s, canaries=canaries
        )
        say("witnesses")
        await exits.enter_async_context(witnesses_of(settings))
        started = await exits.enter_async_context(
            running(settings, environment(stack), observed=watch.saw)
        )
        demo = Demo(stack=stack, population=population, started=started, watch=watch, url=address)
        app = application(started, tour=tour_of(demo))
        serving = server(app, started.settings.limits)
        task = asyncio.create_task(serving.serve(sockets=[listening]))
        exits.push_async_callback(_stopped, serving, task)
        yield demo


@asynccontextmanager
async def witnesses_of(settings: Settings) -> AsyncIterator[None]:
    """Three witnesses of the log of a demonstration's gateway, which is about to start."""
    keys = await asyncio.to_thread(AuditKeys, settings.audit_keys_dir)
    await asyncio.to_thread(keys.signer, settings.audit_origin)  # leaves the public key
    async with running_witnesses(
        settings.state_dir / "witnesses",
        settings.audit_keys_dir / "log.pub",
        settings.audit_witnesses,
    ):
        yield


def _unhurried(catalogue: Path, copy: Path) -> Path:
    """A copy of the catalogue whose BID may be asked as often as one likes."""
    shutil.copytree(catalogue, copy, dirs_exist_ok=True)
    bid = copy / "sources" / "bid.toml"
    if bid.exists():
        lines = bid.read_text("utf-8").splitlines(keepends=True)
        bid.write_text(
            "".join(line for line in lines if not line.startswith("rate_per_s")), "utf-8"
        )
    return copy


async def _stopped(serving: object, task: asyncio.Task[None]) -> None:
    serving.should_exit = True  # type: ignore[attr-defined]  # a uvicorn.Server
    with contextlib.suppress(asyncio.CancelledError):
        await task


def demo_settings(
    state: Path,
    stack: Stack,
    catalogue: Path,
    policies: Path,
    *,
    policy_timeout_s: float = 1.0,
    canaries: bool = False,
) -> Settings:
    """The settings of a demonstration whose state lies in one directory. It waits longer for a
    decision than others: six agencies and OPA share this machine, and all have just started."""
    return Settings(
        audience=DEFAULT_AUDIENCE,
        issuers=tuple(
            IssuerSetting(
                issuer=f"{stack.issuer_url}/{name}",
                agency=agency,
                algorithms=(ALGORITHMS[name],),
                documents_only=DOCUMENTS_ONLY.get(name, ()),
                unit=UNITS.get(name, ""),
                client_id=PAGES if stack.pages_url else "",
                client_secret=pages_secret(name),
            )
            for name, agency in ISSUERS.items()
        ),
        catalogue_dir=catalogue,
        documents_dir=DOCUMENTS,
        tables_dir=policies / "tables",
        state_dir=state,
        secrets_dir=state / "secrets",
        audit_dir=state / "audit",
        audit_keys_dir=state / "keys" / "audit",
        audit_index=state / "audit.index.sqlite",
        audit_witnesses=state / "witnesses.policy",
        staff_dir=stack.home / "staff",  # an agency hands it in: it is none of the gateway's own
        ref_key=state / "keys" / "ref.key",
        token_key=state / "keys" / "token.key",
        public_url=stack.pages_url,
        desk_page=bool(stack.pages_url),
        session_key=state / "keys" / "session.key",
        session_key_before=state / "keys" / "session.key.before",
        audit_origin="portcullis.example/demo",
        opa_url=stack.opa_url,
        policy_timeout_s=policy_timeout_s,
        canaries=canaries,
        introspection=True,
        demo=True,
        about=AboutSetting(
            operator="A demonstration on one machine. Every person and record in it is invented.",
            oversight="Every question is written to a tamper-evident record before it is answered.",
            oversight_bodies=("Oversight body (invented)",),
            contact="",
        ),
    )


async def _demo(port: int, people: int, *, once: bool) -> int:
    console = Console(highlight=False)
    began = monotonic()
    state = home()
    state.mkdir(parents=True, exist_ok=True)
    with _during(console, "Looking for Open Policy Agent"):
        opa = await asyncio.to_thread(find_opa)
    if opa is None:
        return 1
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    with _during(console, f"Making a world of {people} people"):
        population = await asyncio.to_thread(make_population, people, now=now)
    async with AsyncExitStack() as exits:
        exits.enter_context(logged(state / "gateway.log"))
        for file in (demo_file(), _tokens_file()):
            exits.callback(file.unlink, missing_ok=True)
        with _during(console, "Starting six agencies") as say:
            demo = await exits.enter_async_context(
                running_demo(state, population, opa, port=port, canaries=True, say=say)
            )
        await asyncio.to_thread(
            write_staff, population, demo.stack.issuer_url, demo.started.settings.staff_dir
        )
        addresses = {"graphql": demo.graphql, "issuer": demo.stack.issuer_url}
        demo_file().write_text(json.dumps(addresses))
        for note in demo.stack.notes:
            console.print(note)
        console.print(
            f"Six agencies, {people} invented people, ready in {monotonic() - began:.1f} s.\n"
        )
        told = await tell(demo, console)
        if once:
            return 0 if told else 1
        await _serve(demo, console)
        console.print("Stopping.")
        return 0


@contextmanager
def logged(file: Path) -> Iterator[None]:
    """Keep what this process logs, afresh: in its state, where the proofs look for names too. Our
    own code in every detail; others' as on the terminal, from warnings on."""
    kept, shown = logging.FileHandler(file, mode="w", encoding="utf-8"), logging.StreamHandler()
    shown.setLevel(logging.WARNING)
    own = [logging.getLogger(name) for name in ("gateway", "connectors")]
    handlers: tuple[logging.Handler, ...] = (kept, shown)
    before = [logger.level for logger in own]
    for logger in own:
        logger.setLevel(logging.DEBUG)
    for handler in handlers:
        logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            logging.getLogger().removeHandler(handler)
            handler.close()
        for logger, level in zip(own, before, strict=True):
            logger.setLevel(level)


async def _serve(demo: Demo, console: Console) -> None:
    """Say how to go on, and serve until Ctrl-C."""
    console.print(f"\nOpen {demo.url}/ for the tour, and sign in there as a desk or an auditor.")
    console.print("Or ask as one of them:\n")
    for code, persona in PERSONAS.items():
        console.print(f"  {code:<4} {persona.title}, {persona.agency}")
    tokens = await asyncio.to_thread(_tokens, demo)
    body = json.dumps(
        {
            "query": "query($v: Vrm!) { vehicle(vrm: $v) { owner make colour stolen } }",
            "variables": {"v": "SN68BTX"},
            "extensions": {
                "justification": {
                    "purpose": "OFFICER_SAFETY", "reasonCode": "R02", "incidentRef": "SC-26-1"
                }
            },
        }
    )  # fmt: skip
    print(
        f"\nTheir tokens for an hour, as variables of a shell (portcullis token AO prints one), and"
        f"\na question that the arrival officer's app may send:\n\n"
        f". '{tokens}'\n"
        f"curl -s {demo.graphql} -H 'Content-Type: application/json' \\\n"
        f'  -H "Authorization: Bearer $AO" \\\n'
        f"  -d '{body}'\n\nCtrl-C stops it all."
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def _tokens_file() -> Path:
    return home() / "tokens.sh"


def _tokens(demo: Demo) -> Path:
    """A token of every persona, in a file that a shell reads and nobody else may."""
    lines = "".join(f"{code}={demo.token(code)}\n" for code in PERSONAS)
    file = _tokens_file()
    file.touch(mode=0o600)
    file.write_text(lines)
    return file


@contextmanager
def _during(console: Console, what: str) -> Iterator[Progress]:
    """Show what is being done until the block ends, and how far it is when told: beside a spinner
    on a terminal, line by line elsewhere."""
    with console.status(what) as status:

        def say(more: str) -> None:
            status.update(f"{what}: {more}")
            if not console.is_terminal:
                console.print(f"{what}: {more}")

        if not console.is_terminal:
            console.print(what)
        yield say


def find_opa() -> Path | None:
    """The OPA program, installed if need be; None if it cannot be had, which was said."""
    if named := os.environ.get("PORTCULLIS_OPA"):
        return Path(named)
    found = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, str(ROOT / "deploy" / "get_opa.py")], stdout=subprocess.PIPE, check=False
    )
    return Path(found.stdout.decode().strip()) if found.returncode == 0 else None
