"""All pages of a gateway, behind one guard: what of them there is depends on the settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import httpx
from starlette.routing import Route

from gateway.actions.asking import Asking
from gateway.actions.oversight import Oversight
from gateway.actions.pairing import Pairing
from gateway.actions.recalling import Recalling
from gateway.audit.inquiry import Inquiry
from gateway.casework.sessions import PageSessions
from gateway.errors import ConfigError, Fault
from gateway.identity import Identity
from gateway.identity.signing_in import PageClient, SigningIn
from gateway.model import Subject
from gateway.secrets import NamedSecrets, Secret, own_key
from gateway.settings import Settings
from gateway.web.access import Access, Refuse
from gateway.web.console.frame import Choices, Console
from gateway.web.console.routes import console_routes, oversight_routes
from gateway.web.cookies import KEY_BYTES, Keys
from gateway.web.desk import Desk, desk_routes
from gateway.web.look import Look
from gateway.web.pages import AboutPage, Tour, public_routes, tour_routes
from gateway.web.sessions import Sessions
from gateway.web.sign_in import Choice, SignIn, sign_in_routes
from gateway.web.zone import zone_routes

CALLBACK: Final = "/sign-in/callback"
SIGNED_OUT: Final = "/signed-out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the pages need of the application."""

    settings: Settings
    refuse: Refuse
    authenticate: Callable[[Sequence[str]], Awaitable[Subject]]
    signing_in: SigningIn | None
    store: PageSessions
    inquiry: Inquiry
    oversight: Oversight
    choices: Callable[[], Choices]
    asking: Asking
    pairing: Pairing
    recalling: Recalling
    desk: Desk
    about: Callable[[], AboutPage]
    agencies: Callable[[], dict[str, str]]  # code -> name
    clock: Callable[[], datetime]
    tour: Tour | None = None


def guarded_routes(site: Site, others: Sequence[Route]) -> list[Route]:
    """The routes of all pages and those of `others`, each opening as `access.PAGES` says.

    Raises:
        ConfigError: the key of the pages cannot be used, or a page needs signing in and nobody can.
        LookupError: a route of which nobody said who may open it.
    """
    settings = site.settings
    keys = _keys(settings)
    look = Look(forms_to=_origins(site.signing_in))
    routes = [*others, *public_routes(about=site.about, look=look)]
    if site.tour is not None:
        routes += tour_routes(site.tour, look)
    sessions = None
    if site.signing_in is not None:
        sessions = Sessions(
            site.store,
            keys,
            authenticate=site.authenticate,
            clock=site.clock,
            idle=timedelta(seconds=settings.session_idle_s),
            longest=timedelta(seconds=settings.session_s),
        )
        routes += _signed_in(site, site.signing_in, sessions, keys, look)
    elif settings.desk_page:
        text = "needs public_url, and an issuer with a client_id"
        raise ConfigError(Fault(file="gateway.toml", key="desk_page", text=text))
    access = Access(
        look=look,
        keys=keys,
        sessions=sessions,
        limits=settings.limits,
        clock=site.clock,
        refuse=site.refuse,
        origin=settings.public_url.rstrip("/"),
    )
    return access.guarded(routes)


def _signed_in(
    site: Site, signing_in: SigningIn, sessions: Sessions, keys: Keys, look: Look
) -> list[Route]:
    """The pages around signing in, and those that it opens."""
    settings = site.settings
    given = SignIn(
        signing_in=signing_in,
        sessions=sessions,
        choices=_choices(settings, site.agencies()),
        signed_out_url=settings.public_url.rstrip("/") + SIGNED_OUT,
        idle_min=settings.session_idle_s // 60,
        clock=site.clock,
        demo=settings.demo,
    )
    console = Console(
        inquiry=site.inquiry,
        sessions=sessions,
        keys=keys,
        look=look,
        choices=site.choices,
        asking=site.asking,
        pairing=site.pairing,
        recalling=site.recalling,
        refuse=site.refuse,
        clock=site.clock,
    )
    return [
        *sign_in_routes(given, look),
        *zone_routes(sessions, look, site.refuse, site.clock),
        *(desk_routes(site.desk, look) if settings.desk_page else ()),
        *console_routes(console),
        *oversight_routes(console, site.oversight),
    ]


def signing_in_with(
    identity: Identity,
    settings: Settings,
    secrets: NamedSecrets,
    http: httpx.AsyncClient,
    clock: Callable[[], datetime],
) -> SigningIn | None:
    """Signing in with the issuers at which the pages are registered; None where they are at none.

    Raises:
        ConfigError: a secret is missing, or browsers cannot be told where to come back to.
    """
    clients: list[PageClient] = []
    faults: list[Fault] = []
    for one in settings.issuers:
        if not one.client_id:
            continue
        try:
            held = Secret(secrets.get(one.client_secret).encode()) if one.client_secret else None
        except KeyError:
            text = f"the secret {one.client_secret!r} is missing"
            faults.append(Fault(file="issuers", key=one.issuer, text=text))
            continue
        clients.append(
            PageClient(issuer=one.issuer, client_id=one.client_id, secret=held, scopes=one.scopes)
        )
    if clients and not _is_origin(settings.public_url):
        text = "must be the https address of the gateway, without a path, for people to sign in"
        faults.append(Fault(file="gateway.toml", key="public_url", text=text))
    if faults:
        raise ConfigError(*faults)
    if not clients:
        return None
    return SigningIn(
        identity,
        clients,
        audience=settings.audience,
        redirect_uri=settings.public_url.rstrip("/") + CALLBACK,
        http=http,
        clock=clock,
    )


def _keys(settings: Settings) -> Keys:
    """The key of the pages, and the one before it while it is there."""
    files = [settings.session_key]
    if settings.session_key_before.exists():
        files.append(settings.session_key_before)
    return Keys(*(own_key(file, length=KEY_BYTES).reveal() for file in files))


def _origins(signing_in: SigningIn | None) -> tuple[str, ...]:
    issuers = signing_in.issuers if signing_in else ()
    parts = (urlsplit(issuer) for issuer in issuers)
    return tuple(dict.fromkeys(f"{one.scheme}://{one.netloc}" for one in parts))


def _choices(settings: Settings, names: dict[str, str]) -> tuple[Choice, ...]:
    return tuple(
        Choice(issuer=one.issuer, agency=names.get(one.agency, one.agency), unit=one.unit)
        for one in settings.issuers
        if one.client_id
    )


def _is_origin(url: str) -> bool:
    parts = urlsplit(url)
    secure = parts.scheme == "https" or parts.hostname in ("127.0.0.1", "localhost", "::1")
    plain = url.rstrip("/") == f"{parts.scheme}://{parts.netloc}"
    return secure and plain and bool(parts.hostname) and parts.username is None
