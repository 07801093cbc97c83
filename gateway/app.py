"""The composition root: settings in, an ASGI application out. Owns start-up and shutdown."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from secrets import token_bytes
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import httpx
from starlette.applications import Starlette
from starlette.routing import Route

from gateway.actions import Office, act, recalling
from gateway.actions.asking import Asking
from gateway.actions.inquiring import Reading, inquire
from gateway.actions.overseeing import Overseeing
from gateway.actions.overseen import Overseen
from gateway.actions.oversight import Oversight
from gateway.actions.pairing import Pairing
from gateway.actions.reviewing import Reviewing
from gateway.actions.sampling import Drawing, Sampling
from gateway.audit.events import Events
from gateway.audit.evidence import Evidence
from gateway.audit.following import Follower, reindex
from gateway.audit.index import holding
from gateway.audit.inquiry import Inquiry
from gateway.audit.keeping import Keeping
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.publishing import Unwitnessed, policy_of, publishing
from gateway.audit.queues import Queues
from gateway.audit.reconciler import Reconciler
from gateway.audit.recorder import Recorder
from gateway.audit.retention import Due, Rules
from gateway.audit.schema import build_schema as audit_schema
from gateway.audit.sought import Tokens
from gateway.audit.staff import tokens_of
from gateway.audit.succession import Ended, begin
from gateway.audit.witnessing import Witnessing
from gateway.canaries import FILE, Canaries, Question, alarm_fault, load_canaries
from gateway.casework.budgets import Budgets
from gateway.casework.database import address
from gateway.casework.delivery import Delivery, Webhook
from gateway.casework.model import Officer
from gateway.casework.retention import Retention
from gateway.casework.schema import build_schema as casework_schema
from gateway.casework.standing import Standing
from gateway.casework.store import Store
from gateway.catalogue.check import connect, files_digest, load_catalogue
from gateway.catalogue.schema import build_schema
from gateway.catalogue.tables import read_table, shown_table, unknown_coordinates
from gateway.duties import Duties
from gateway.errors import ConfigError, Fault
from gateway.identifiers import uuid7
from gateway.identity import Identity, TrustedIssuer
from gateway.identity.signing_in import SigningIn
from gateway.metrics import Metrics
from gateway.model import Request, Response, Subject
from gateway.pipeline import Gate, Probes, answer, refuse, visiting
from gateway.policy.pdp import Pdp
from gateway.query.breaker import Breakers
from gateway.query.operation import Parser
from gateway.query.plan import Planner
from gateway.query.refs import Refs
from gateway.registered import documents_in
from gateway.secrets import NamedSecrets, Secret, own_key
from gateway.settings import Settings
from gateway.tripwire import Tripwires
from gateway.web.about import about_page, agency_names
from gateway.web.console.frame import Choices
from gateway.web.desk import Desk
from gateway.web.desk_page import verdicts_of
from gateway.web.graphql import GraphqlEndpoint
from gateway.web.health import health_routes
from gateway.web.log import log_routes
from gateway.web.pages import (
    AboutPage,
    AgencyRow,
    DisclosureRow,
    Finding,
    RecordRow,
    Tour,
    TourPage,
    TourReceipt,
    TourStep,
)
from gateway.web.site import Site, guarded_routes, signing_in_with

# What the demonstration fills its tour with; the command line knows this module alone.
__all__ = [
    "AgencyRow",
    "DisclosureRow",
    "Finding",
    "RecordRow",
    "Running",
    "Tour",
    "TourPage",
    "TourReceipt",
    "TourStep",
    "application",
    "running",
]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A gateway that has started."""

    gate: Gate
    log: AuditLog
    published: Unwitnessed | Witnessing
    office: Office
    follower: Follower
    reading: Reading
    oversight: Oversight
    recalls: recalling.Recalling
    signing_in: SigningIn | None  # None where the pages are registered with no issuer
    tripwires: Tripwires
    budgets: Budgets
    canaries: Canaries
    settings: Settings

    async def ready(self) -> bool:
        """Whether a query could be answered lawfully now: decided, recorded, and enforced."""
        return self.log.healthy and self.canaries.hidden and await self.gate.pdp.ready()


async def reindexed(settings: Settings, told: Callable[[int, int], None]) -> int:
    """Make the index of the log anew; how many entries it then knows.

    Raises:
        Held: a gateway has it.
        ConfigError, AuditUnavailable, OSError: it cannot be made.
    """
    keys = AuditKeys(settings.audit_keys_dir)
    with holding(settings.audit_index):
        pass  # said before the log is opened, which a gateway would hold too
    log = await _log_of(replace(settings, audit_sequencer_url=""), keys, utc_now)
    try:
        return await reindex(log, keys, settings.audit_index, told=told)
    finally:
        await log.aclose()


async def _log_of(settings: Settings, keys: AuditKeys, clock: Callable[[], datetime]) -> AuditLog:
    """The log where the settings say that it is kept."""
    origin = settings.audit_origin
    if not settings.audit_url:
        if settings.audit_sequencer_url:
            text = "needs audit_url beside it: without that the log is files"
            raise ConfigError(Fault(file="settings", key="audit_sequencer_url", text=text))
        return await AuditLog.open(settings.audit_dir, keys=keys, origin=origin, clock=clock)
    return await AuditLog.shared(
        settings.audit_url,
        settings.audit_sequencer_url,
        keys=keys,
        origin=origin,
        clock=clock,
        timeout_s=settings.audit_timeout_s,
    )


def _new_id(clock: Callable[[], datetime]) -> str:
    return uuid7(int(clock().timestamp() * 1000), token_bytes(10))


async def delivered_once(settings: Settings, environment: dict[str, str]) -> tuple[int, int]:
    """Send the notices that are due, once; how many were taken, and how many were not.

    Raises:
        ConfigError: the records or a secret cannot be used.
    """
    secrets = NamedSecrets(folder=settings.secrets_dir, environment=environment)
    hooks = webhooks(settings, secrets)
    store = await Store.open(address(settings.casework_url, settings.state_dir))
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            return await Delivery(store, hooks, http, clock=utc_now).deliver()
    finally:
        await store.aclose()


async def retained_once(settings: Settings, *, dry_run: bool) -> Due:
    """Erase of the record what is over and not held, once; with `dry_run` say only what that is.

    Raises:
        ConfigError: a setting or the table of what is kept cannot be used.
        AuditUnavailable, OSError: the log is in use or cannot be reached; nothing more is erased.
    """
    rules = Rules.of(read_table(settings.tables_dir, "kept"))
    keys = AuditKeys(settings.audit_keys_dir)
    log = await _log_of(settings, keys, utc_now)
    try:
        keeping = Keeping(
            log,
            keys,
            rules,
            gateway=settings.audit_origin,
            clock=utc_now,
            monotonic=monotonic,
            new_id=partial(_new_id, utc_now),
        )
        return await (keeping.due() if dry_run else keeping.retain())
    finally:
        await log.aclose()


async def begun_after(settings: Settings, before: Ended) -> None:
    """Begin a log with an entry that names the one before.

    Raises:
        ConfigError: a setting cannot be used.
        AuditUnavailable: the log cannot be opened, has begun already, or is that one.
    """
    log = await _log_of(settings, AuditKeys(settings.audit_keys_dir), utc_now)
    try:
        await begin(log, settings.audit_origin, before, utc_now(), _new_id(utc_now))
    finally:
        await log.aclose()


def webhooks(settings: Settings, secrets: NamedSecrets) -> dict[str, Webhook]:
    """Where each agency's own system takes its notices.

    Raises:
        ConfigError: a secret that is not there, or is too short to sign with.
    """
    found: dict[str, Webhook] = {}
    for one in settings.webhooks:
        try:
            secret = secrets.get(one.secret).encode()
        except KeyError:
            secret = b""
        if len(secret) < 32:
            text = f"the secret {one.secret!r} is missing, or shorter than 32 characters"
            raise ConfigError(Fault(file="webhooks", key=one.agency, text=text))
        found[one.agency] = Webhook(
            url=httpx.URL(one.url), secret=Secret(secret), private=one.private
        )
    return found


def identity_of(
    settings: Settings, http: httpx.AsyncClient, clock: Callable[[], datetime]
) -> Identity:
    """Who may vouch for whom."""
    trusted = [
        TrustedIssuer(
            issuer=i.issuer,
            agency=i.agency,
            algorithms=i.algorithms,
            documents_only=i.documents_only,
        )
        for i in settings.issuers
    ]
    return Identity(trusted, audience=settings.audience, http=http, clock=clock)


@asynccontextmanager
async def running(
    settings: Settings,
    environment: dict[str, str],
    *,
    clock: Callable[[], datetime] = utc_now,
    observed: Callable[[Request, Response], None] = lambda _request, _response: None,
) -> AsyncIterator[Running]:
    """Start everything in order, stop it in the other.

    Raises:
        ConfigError: a fault in a file, by file and key.
        AuditUnavailable: the log cannot be opened.
    """
    catalogue = load_catalogue(settings.catalogue_dir)
    if unknown := unknown_coordinates(settings.tables_dir, catalogue.vocabulary):
        raise ConfigError(*unknown)
    schema = build_schema(catalogue.vocabulary)
    secrets = NamedSecrets(folder=settings.secrets_dir, environment=environment)
    async with AsyncExitStack() as stack:
        sources = connect(catalogue, secrets)
        for connector in sources.values():
            stack.push_async_callback(connector.aclose)
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=5.0, trust_env=False))
        audit_keys = AuditKeys(settings.audit_keys_dir)
        log = await _log_of(settings, audit_keys, clock)
        stack.push_async_callback(log.aclose)
        new_id = partial(_new_id, clock)
        events = Events(log, gateway=settings.audit_origin, clock=clock, new_id=new_id)
        stack.push_async_callback(events.aclose)
        events.start()
        opa = urlsplit(settings.opa_url)
        pdp = Pdp(
            host=opa.hostname or "127.0.0.1",
            port=opa.port or 8181,
            timeout_s=settings.policy_timeout_s,
            released=events.released,
        )
        await pdp.start()
        stack.push_async_callback(pdp.aclose)
        metrics = Metrics(
            purposes=catalogue.vocabulary.enums["Purpose"],
            sources=catalogue.sources,
            agencies={source.agency for source in catalogue.sources.values()},
        )
        published = await stack.enter_async_context(
            publishing(
                log,
                settings.audit_witnesses,
                http,
                clock=clock,
                observed=metrics.witnessed,
                tell=events.tell,
            )
        )
        store = await Store.open(address(settings.casework_url, settings.state_dir))
        stack.push_async_callback(store.aclose)
        refs = Refs(own_key(settings.ref_key, length=32).reveal())
        standing = Standing(store, refs.open, clock=clock, monotonic=monotonic, new_id=new_id)
        stack.push_async_callback(standing.aclose)
        await standing.start()
        token_key = own_key(settings.token_key, length=32).reveal()
        budgets = Budgets(store, token_key, clock=clock, monotonic=monotonic, new_id=new_id)
        stack.push_async_callback(budgets.aclose)
        await budgets.start()
        recorder = Recorder(
            log=log,
            witnesses=published,
            keys=audit_keys,
            gateway=settings.audit_origin,
            clock=clock,
            entitled=entitled_by(read_table(settings.tables_dir, "roles")),
            paired=partial(agreed, store, clock),
            committed=lambda s, n: metrics.committed(elapsed_s=s, entries=n, suspects=log.suspects),
            made_of={
                "schema": sha256(schema.sdl().encode()).hexdigest()[:32],
                "mappings": files_digest(settings.catalogue_dir)[:32],
            },
        )
        reconciler = Reconciler(
            log,
            gateway=settings.audit_origin,
            clock=clock,
            monotonic=monotonic,
            after_s=2 * settings.limits.query_deadline_s,
        )
        stack.push_async_callback(reconciler.aclose)
        reconciler.start()
        follower = Follower(log, audit_keys, settings.audit_index, observed=metrics.indexed)
        stack.push_async_callback(follower.aclose)
        follower.start()
        keeping = Keeping(
            log,
            audit_keys,
            Rules.of(read_table(settings.tables_dir, "kept")),
            gateway=settings.audit_origin,
            clock=clock,
            monotonic=monotonic,
            new_id=new_id,
        )
        stack.push_async_callback(keeping.aclose)
        keeping.start()
        retention = Retention(
            store,
            kept=timedelta(days=settings.reasons_kept_days),
            clock=clock,
            record=lambda what, records, ended_by: recorder.erasing(
                new_id(), what, records, ended_by
            ),
        )
        stack.push_async_callback(retention.aclose)
        retention.start()
        tripwires = Tripwires(
            visits=lambda request: visiting(gate, request),
            seal=refs.seal,
            audit=recorder,
            store=store,
            clock=clock,
            new_id=new_id,
        )
        identity = identity_of(settings, http, clock)
        signing_in = signing_in_with(identity, settings, secrets, http, clock)
        gate = Gate(
            identity=identity,
            parser=Parser(
                schema=schema,
                limits=settings.limits,
                documents=documents_in(settings.documents_dir),
                introspection=settings.introspection,
            ),
            planner=Planner(catalogue=catalogue, refs=refs, limits=settings.limits),
            pdp=pdp,
            audit=recorder,
            catalogue=catalogue,
            sources=sources,
            breakers=Breakers(
                monotonic=monotonic,
                failures=settings.breaker_failures,
                probe_s=settings.breaker_probe_s,
                changed=lambda source, is_open: metrics.left_alone(source, is_open=is_open),
            ),
            refs=refs,
            limits=settings.limits,
            metrics=metrics,
            token_key=token_key,
            clock=clock,
            monotonic=monotonic,
            probes=Probes(refs, clock),
            releases=standing,
            afterwards=tripwires,
            duties=Duties(store=store, hmac=recorder.hmac, new_id=new_id),
            budgets=budgets,
            observed=observed,
        )
        delivery = Delivery(store, webhooks(settings, secrets), http, clock=clock)
        stack.push_async_callback(delivery.aclose)
        delivery.start()
        tripwires.start()
        stack.push_async_callback(tripwires.aclose)
        office = Office(
            gate=gate,
            store=store,
            standing=standing,
            keeping=keeping,
            parser=Parser(
                schema=casework_schema(catalogue.vocabulary),
                limits=settings.limits,
                documents=documents_in(settings.documents_dir / "casework"),
                introspection=settings.introspection,
                acts=True,
            ),
            new_id=new_id,
        )
        inquiry = Inquiry(
            evidence=Evidence(log=log, keys=audit_keys),
            follower=follower,
            tokens=Tokens(keys=audit_keys, open_ref=refs.open),
            recorder=recorder,
            issuers={one.issuer: one.agency for one in settings.issuers},
        )
        agencies = tuple(sorted({one.agency for one in settings.issuers}))
        queues = Queues(
            follower=follower,
            index=settings.audit_index,
            keys=settings.audit_keys_dir,
            feeds=settings.staff_dir,
            agencies=agencies,
            clock=clock,
        )
        stack.push_async_callback(queues.aclose)
        sampling = Sampling(
            inquiry=inquiry,
            store=store,
            policy=policy_of(settings.audit_witnesses, log.verifier),
            clock=clock,
            new_id=new_id,
        )
        drawing = Drawing(sampling)
        stack.push_async_callback(drawing.aclose)
        drawing.start()
        oversight = Oversight(
            store=store,
            queues=queues,
            sampling=sampling,
            reviewing=Reviewing(recorder=recorder, store=store, tokens=tokens_of(audit_keys)),
            agencies=agencies,
            new_id=new_id,
        )
        recalls = recalling.Recalling(
            inquiry=inquiry,
            store=store,
            seal=refs.seal,
            sources={
                name: recalling.Held(agency=one.agency, entities=tuple(one.entities))
                for name, one in catalogue.sources.items()
            },
            desk_of=desks_by(settings),
            clock=clock,
            new_id=new_id,
        )
        reading = Reading(
            gate=gate,
            inquiry=inquiry,
            pairing=Pairing(inquiry=inquiry, store=store, clock=clock, new_id=new_id),
            overseen=Overseen(
                overseeing=Overseeing(inquiry=inquiry, oversight=oversight),
                asking=Asking(
                    inquiry=inquiry,
                    store=store,
                    tokens=tokens_of(audit_keys),
                    clock=clock,
                    new_id=new_id,
                ),
                recalling=recalls,
                clock=clock,
            ),
            parser=Parser(
                schema=audit_schema(catalogue.vocabulary),
                limits=settings.limits,
                documents=documents_in(settings.documents_dir / "audit"),
                introspection=settings.introspection,
                acts=True,
            ),
        )
        owing = recalling.Owing(recalls)
        stack.push_async_callback(owing.aclose)
        owing.start()
        canaries = Canaries(
            gate,
            canary_questions(settings, tuple(sources), gate.parser),
            store,
            metrics,
            period_s=settings.canary_period_s,
            new_id=new_id,
        )
        stack.push_async_callback(canaries.aclose)
        canaries.start()
        yield Running(
            gate=gate,
            log=log,
            published=published,
            office=office,
            follower=follower,
            reading=reading,
            oversight=oversight,
            recalls=recalls,
            signing_in=signing_in,
            tripwires=tripwires,
            budgets=budgets,
            canaries=canaries,
            settings=settings,
        )


def entitled_by(roles: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Which agencies' people may have a role, by policy's table; of a role that it does not have,
    nobody's."""
    return {name: frozenset(row.get("agencies", ())) for name, row in roles.items()}


async def agreed(store: Store, clock: Callable[[], datetime], subject: Subject, use: str) -> bool:
    """Whether a colleague has agreed that somebody looks at the record for this use."""
    return await store.paired(Officer.of(subject), use, clock())


def desks_by(settings: Settings) -> Callable[[str], recalling.Desk]:
    """Who is told for an agency, by the policy's tables; the gateway's own desk where they name
    none."""

    def desk_of(agency: str) -> recalling.Desk:
        casework = shown_table(settings.tables_dir, "casework")
        agencies = shown_table(settings.tables_dir, "agencies")
        on_call = casework.get("on_call", {})
        desk = agencies.get(agency, {}).get("desk") or "gateway"
        return recalling.Desk(desk=desk, on_call=on_call.get(desk) or on_call.get("*") or "gateway")

    return desk_of


def canary_questions(
    settings: Settings, sources: Sequence[str], parser: Parser
) -> tuple[Question, ...]:
    """What is asked for canaries.

    Raises:
        ConfigError: a fault in their file or in the table of the release, or times by which an
            alarm could come too late.
    """
    if not settings.canaries:
        return ()
    questions = load_canaries(settings.catalogue_dir / FILE, sources=sources, parser=parser)
    if not questions:
        return ()
    if fault := alarm_fault(settings, read_table(settings.tables_dir, "release")):
        raise ConfigError(fault)
    return questions


def application(started: Running, *, tour: Tour | None = None) -> Starlette:
    """The ASGI application of a gateway that has started; `tour` is the demonstration's page.

    Raises:
        ConfigError: the key of the pages' sessions cannot be used, or a page needs signing in and
            nobody can.
    """
    gate, settings = started.gate, started.settings

    def about() -> AboutPage:
        sources = tuple(gate.catalogue.sources.values())
        return about_page(settings, sources, policy_serial=gate.pdp.serial)

    endpoint = GraphqlEndpoint(
        answer=partial(answer, gate),
        refuse=partial(refuse, gate),
        limits=gate.limits,
        clock=gate.clock,
    )
    machines = [
        Route("/graphql", endpoint),
        Route("/casework", replace(endpoint, answer=partial(act, started.office))),
        Route("/audit", replace(endpoint, answer=partial(inquire, started.reading))),
        *health_routes(
            ready=started.ready,
            metrics=gate.metrics,
            networks=settings.metrics_networks,
        ),
        *log_routes(started.published, settings.audit_log_networks),
    ]
    inquiry, store = started.reading.inquiry, started.office.store
    site = Site(
        settings=settings,
        refuse=partial(refuse, gate),
        authenticate=gate.identity.authenticate,
        signing_in=started.signing_in,
        store=store,
        inquiry=inquiry,
        oversight=started.oversight,
        choices=lambda: Choices(
            purposes=tuple(gate.catalogue.vocabulary.enums["Purpose"]),
            sources=tuple(gate.catalogue.sources),
            agencies=agency_names(settings),
        ),
        asking=started.reading.overseen.asking,
        pairing=started.reading.pairing,
        recalling=started.recalls,
        desk=Desk(
            act=partial(act, started.office),
            verdicts=lambda: verdicts_of(shown_table(settings.tables_dir, "casework")),
            clock=gate.clock,
        ),
        about=about,
        agencies=lambda: agency_names(settings),
        clock=gate.clock,
        tour=tour,
    )
    return Starlette(routes=guarded_routes(site, machines))
