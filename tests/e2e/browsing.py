"""A browser without a screen: it keeps cookies, and sends the forms of the page that it has."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode

import httpx

from deploy.demo.personas import PERSONAS
from gateway.cli.demo import Demo
from gateway.identity.signing_in import SignedIn
from gateway.web.cookies import Keys
from gateway.web.sessions import Session, Sessions


class Browser:
    """Real browsers count loopback as secure; this client does not, so it keeps cookies itself."""

    def __init__(self, http: httpx.AsyncClient, demo: Demo) -> None:
        self.http, self.demo = http, demo
        self.page = ""
        self.cookies: dict[str, str] = {}
        self.flags: dict[str, set[str]] = {}  # as each cookie was last set

    # --- the gateway ---

    async def open(self, path: str, **headers: str) -> httpx.Response:
        """A page, after wherever it sends a browser within the gateway."""
        reply = await self.get(path, **headers)
        for _ in range(5):
            location = reply.headers.get("location", "")
            if reply.status_code != 303 or not location.startswith("/"):
                return reply
            reply = await self.get(location)
        raise AssertionError(f"{path} leads nowhere")

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return self._seen(await self.http.get(path, headers=self._headers(headers)))

    async def post(self, path: str, fields: Any = None, **headers: str) -> httpx.Response:
        """A form as this page would send it; `fields` may replace its mark."""
        given = {"csrf": self.csrf, **(fields or {})}
        headers = {"Origin": self.demo.url, **headers}
        return self._seen(await self.http.post(path, data=given, headers=self._headers(headers)))

    async def send(self, path: str, fields: Any = None, **headers: str) -> httpx.Response:
        """The same, and where it leads within the gateway."""
        reply = await self.post(path, fields, **headers)
        if reply.status_code == 303 and reply.headers["location"].startswith("/"):
            return await self.open(reply.headers["location"])
        return reply

    # --- signing in ---

    async def begin(self, persona: str, to: str = "") -> str:
        """Off to the persona's agency; its address."""
        await self.open(f"/sign-in?{urlencode({'next': to})}" if to else "/sign-in")
        issuer = f"{self.demo.stack.issuer_url}/{PERSONAS[persona].issuer}"
        reply = await self.post("/sign-in", {"issuer": issuer, "next": self.hidden("next")})
        assert reply.status_code == 303, reply.text
        return str(reply.headers["location"])

    async def choose(self, address: str, persona: str) -> str:
        """Choose who one is at the agency's sign-in; the way back."""
        async with httpx.AsyncClient(trust_env=False, timeout=30) as there:
            shown = await there.get(address)
            assert shown.status_code == 200, shown.text
            hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', shown.text)
            form = {name: unescape(value) for name, value in hidden}
            headers = {"Origin": self.demo.stack.issuer_url}
            target = address.partition("?")[0]
            back = await there.post(target, data={**form, "persona": persona}, headers=headers)
        assert back.status_code == 303, back.text
        return str(back.headers["location"]).removeprefix(self.demo.url)

    async def sign_in(self, persona: str, to: str = "") -> httpx.Response:
        """All the way to the page that it leads to."""
        return await self.open(await self.choose(await self.begin(persona, to), persona))

    # --- the page that it has ---

    @property
    def csrf(self) -> str:
        return self.hidden("csrf")

    def hidden(self, name: str) -> str:
        found = re.search(rf'name="{name}" value="([^"]*)"', self.page)
        return found[1] if found else ""

    def card(self, id_: str) -> str:
        """The part of the page that a record of ours has its forms in."""
        cards = (c.partition("</li>")[0] for c in self.page.split('<li class="card task')[1:])
        return next((card for card in cards if id_ in card), "")

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        held = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": held, **more}

    def _seen(self, reply: httpx.Response) -> httpx.Response:
        self.page = unescape(reply.text)
        for said in reply.headers.get_list("set-cookie"):
            kept, *flags = said.split("; ")
            name, _, value = kept.partition("=")
            self.flags[name] = set(flags)
            if "Max-Age=0" in flags:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return reply


@asynccontextmanager
async def browsing(demo: Demo, app: Any = None) -> AsyncIterator[Browser]:
    """A new browser at the demonstration, or at another application over it."""
    transport = httpx.ASGITransport(app) if app else None
    async with httpx.AsyncClient(
        base_url=demo.url, transport=transport, trust_env=False, timeout=30
    ) as http:
        yield Browser(http, demo)


async def session_of(demo: Demo, token: str, name: str = "") -> Session:
    """A session as it is after signing in, for whom a token speaks of, by whatever name."""
    gate = demo.started.gate
    sessions = Sessions(
        demo.started.office.store,
        Keys(demo.started.settings.session_key.read_bytes()),
        authenticate=gate.identity.authenticate,
        clock=gate.clock,
        idle=timedelta(minutes=15),
        longest=timedelta(hours=1),
    )
    subject = await gate.identity.authenticate((f"Bearer {token}",))
    return await sessions.open(SignedIn(subject=subject, token=token, name=name), "127.0.0.1")
