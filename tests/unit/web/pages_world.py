"""Pages behind their guard, over people who are signed in by a word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import httpx
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.routing import Route

from gateway.errors import AuditUnavailable, GatewayError, Unauthenticated
from gateway.model import Request, Subject
from gateway.settings import Limits
from gateway.web.access import Access
from gateway.web.cookies import SESSION, Keys
from gateway.web.look import Look
from gateway.web.sessions import Session, Sessions
from tests.unit.query import world

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
ORIGIN = "https://gate.example"
TOKEN = ".".join(("header", "claims", "signature"))


def session(*roles: str, **more: Any) -> Session:
    subject = replace(world.SUBJECT, agency="ERU", roles=roles)
    given = {"number": "n" * 43, "name": "Somebody", "ends": NOW + timedelta(minutes=30), **more}
    return Session(token=TOKEN, subject=subject, **given)


@dataclass(slots=True)
class SignedIn:
    """Sessions by their number alone."""

    held: dict[str, Session] = field(default_factory=dict)

    async def of(self, http: HttpRequest) -> Session | None:
        number = http.cookies.get(SESSION, "")
        if number and number not in self.held:
            raise Unauthenticated(detail="no such session")
        return self.held.get(number)

    async def use(self, one: Session, what: str) -> Session:
        self.held[one.number] = replace(one, use=what)
        return self.held[one.number]

    async def in_zone(self, one: Session, zone: ZoneInfo) -> Session:
        self.held[one.number] = replace(one, zone=zone)
        return self.held[one.number]

    async def end(self, one: Session) -> None:
        del self.held[one.number]


@dataclass(slots=True)
class Place:
    """Some routes behind the guard, and what it turned away."""

    who: Session | None = None
    origin: str = ORIGIN
    sessions: SignedIn = field(default_factory=SignedIn)
    refused: list[tuple[GatewayError, Subject | None]] = field(default_factory=list)
    unrecorded: bool = False
    keys: Keys = field(default_factory=lambda: Keys(b"k" * 32))

    async def refuse(self, _request: Request, error: GatewayError, subject: Subject | None) -> Any:
        self.refused.append((error, subject))
        if self.unrecorded:
            raise AuditUnavailable

    def access(self) -> Access:
        return Access(
            look=Look(),
            keys=self.keys,
            sessions=cast("Sessions", self.sessions),
            limits=Limits(),
            clock=lambda: NOW,
            refuse=self.refuse,
            origin=self.origin,
        )

    def client(self, routes: Sequence[Route]) -> Client:
        if self.who is not None:
            self.sessions.held[self.who.number] = self.who
        app = Starlette(routes=self.access().guarded(routes))
        headers = {"Origin": self.origin}
        cookies = {SESSION: self.who.number} if self.who else {}
        transport = httpx.ASGITransport(app)
        return Client(transport=transport, base_url=self.origin, headers=headers, cookies=cookies)


class Client(httpx.AsyncClient):
    """A browser that fills in the mark of the last page it saw."""

    async def form(self, path: str, **fields: str) -> httpx.Response:
        mark = await self.mark()
        return await self.post(path, data={"csrf": mark, **fields})

    async def mark(self) -> str:
        """The mark of a form of some page that opens."""
        for path in ("/", "/desk", "/account", "/console/audit/use"):
            shown = await self.get(path)
            if found := re.search(r'name="csrf" value="(\w+)"', shown.text):
                return found[1]
        return ""
