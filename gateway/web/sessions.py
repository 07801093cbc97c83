"""Who is signed in at the pages.

A browser holds a random number. The rest lies with the gateway, by a digest of that number, sealed
by a key that the database does not have: neither a copy of the table nor of a cookie after signing
out is worth anything. A session ends with its access token, after a while unused, after its longest
time, when it is signed out of, and when it turns up in another kind of network.
"""

from __future__ import annotations

import ipaddress
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from zoneinfo import ZoneInfo

from starlette.requests import Request as HttpRequest

from gateway.casework.model import PageSession
from gateway.casework.sessions import PageSessions
from gateway.errors import MalformedRequest, Unauthenticated
from gateway.identity.signing_in import SignedIn
from gateway.model import Subject
from gateway.web.cookies import SESSION, Keys
from gateway.web.times import UTC_ZONE, zone_of

_NUMBER: Final = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who is signed in."""

    number: str = field(repr=False)
    token: str = field(repr=False)  # their access token, for what pages ask of the gateway
    subject: Subject
    name: str  # as the issuer calls them; "" where it does not
    ends: datetime  # at the latest
    use: str = ""  # what an auditor said to look for
    zone: ZoneInfo = UTC_ZONE  # in which times are shown and taken
    network: str = ""  # the kind that it began in

    @property
    def digest(self) -> str:
        return sha256(self.number.encode()).hexdigest()


class Sessions:
    """Opens, finds and ends them.

    Raises (each method):
        CaseworkUnavailable: they cannot be reached.
    """

    def __init__(
        self,
        store: PageSessions,
        keys: Keys,
        *,
        authenticate: Callable[[Sequence[str]], Awaitable[Subject]],
        clock: Callable[[], datetime],
        idle: timedelta,
        longest: timedelta,
    ) -> None:
        self._store = store
        self._keys = keys
        self._authenticate = authenticate
        self._clock = clock
        self._idle = idle
        self._longest = longest

    async def open(self, who: SignedIn, peer: str) -> Session:
        """A new session, whatever the browser held before."""
        now = self._clock()
        ends = min(now + self._longest, who.subject.expires_at or now)
        session = Session(
            number=secrets.token_urlsafe(32),
            token=who.token,
            subject=who.subject,
            name=who.name,
            ends=ends,
            network=kind_of_network(peer),
        )
        kept = PageSession(
            digest=session.digest,
            opened_at=now,
            seen_at=now,
            ends_at=ends,
            sealed=self._sealed(session),
        )
        await self._store.open_session(kept, self._idle)
        return session

    async def of(self, http: HttpRequest) -> Session | None:
        """Who is signed in; None for a browser that does not say so.

        Raises:
            Unauthenticated: it says so and is not, or not any more; `detail` says why.
        """
        number = http.cookies.get(SESSION, "")
        if not number:
            return None
        if not _NUMBER.fullmatch(number):
            raise _over("no number of ours")
        digest = sha256(number.encode()).hexdigest()
        kept = await self._store.seen_session(digest, self._clock(), self._idle)
        if kept is None:
            raise _over("ended, idle or never there")
        plain = self._keys.opened(kept.sealed, digest)
        if plain is None:
            raise _over("sealed by a key that is no more")
        token, name, network, *more = json.loads(plain)  # a gateway before this kept no zone
        try:
            if kind_of_network(http.client.host if http.client else "") != network:
                raise _over("used from another kind of network")
            subject = await self._authenticate((f"Bearer {token}",))
        except Unauthenticated:
            await self._store.end_session(digest)
            raise
        return Session(
            number=number,
            token=token,
            subject=subject,
            name=name,
            ends=kept.ends_at,
            use=kept.use,
            zone=_known(*more),
            network=network,
        )

    async def use(self, session: Session, what: str) -> Session:
        """The same, with what it is used for."""
        await self._store.use_session(session.digest, what)
        return replace(session, use=what)

    async def in_zone(self, session: Session, zone: ZoneInfo) -> Session:
        """The same, with another time zone."""
        changed = replace(session, zone=zone)
        await self._store.seal_session(session.digest, self._sealed(changed))
        return changed

    def _sealed(self, session: Session) -> str:
        held = [session.token, session.name, session.network, session.zone.key]
        return self._keys.seal(json.dumps(held).encode(), session.digest)

    async def end(self, session: Session) -> None:
        """End it here, whatever the browser keeps."""
        await self._store.end_session(session.digest)


def kind_of_network(peer: str) -> str:
    """Where an address is, coarsely: people move between rooms, stolen cookies between networks."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return "unknown"
    if address.version == 6 and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return "loopback"
    return f"{'private' if address.is_private else 'public'} IPv{address.version}"


def _known(name: str = "") -> ZoneInfo:
    """The zone that was chosen; UTC where this machine does not know it."""
    try:
        return zone_of(name)
    except MalformedRequest:
        return UTC_ZONE


def _over(detail: str) -> Unauthenticated:
    return Unauthenticated(detail=f"session: {detail}")
