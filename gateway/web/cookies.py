"""What a browser carries: a number of its own with the sign-ins it has begun, and a session's.

Both cookies are for this very host, over TLS (or on loopback), and read by no script (`__Host-`,
RFC 6265bis, section 4.1.3.2). They are `Lax`: the issuer sends a browser back from another site,
and who follows a link from elsewhere is signed in still; what changes anything needs more than a
cookie (`access.py`).
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from starlette.requests import Request as HttpRequest

from gateway.identity.signing_in import Begun

KEY_BYTES: Final = 32
SESSION: Final = "__Host-session"
BROWSER: Final = "__Host-browser"
MOST_BEGUN: Final = 4  # sign-ins that one browser has open; the oldest gives way
BEGUN_FOR: Final = timedelta(minutes=10)
_FLAGS: Final = "Path=/; Secure; HttpOnly; SameSite=Lax"
_NONCE_BYTES: Final = 12
_LONGEST: Final = 4000  # characters; a browser drops a cookie of more than 4096 with its name


class Keys:
    """The gateway's keys for its pages: the first makes, and each of them still opens and fits, so
    that a new key ends no session until the old one is taken away."""

    def __init__(self, *keys: bytes) -> None:
        if not keys or any(len(key) < KEY_BYTES for key in keys):
            raise ValueError(f"the pages need a key of {KEY_BYTES} bytes")
        self._seals = [AESGCM(hmac.digest(key, b"pages: seal", "sha256")) for key in keys]
        self._marks = [hmac.digest(key, b"pages: forms", "sha256") for key in keys]

    def seal(self, plain: bytes, about: str) -> str:
        """Text that opens with the same `about` alone."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._seals[0].encrypt(nonce, plain, about.encode())
        return urlsafe_b64encode(sealed).decode().rstrip("=")

    def opened(self, sealed: str, about: str) -> bytes | None:
        """What was sealed; None where none of the keys opens it."""
        try:
            raw = urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        except ValueError:
            return None
        if len(raw) <= _NONCE_BYTES:
            return None
        for key in self._seals:
            try:
                return key.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], about.encode())
            except InvalidTag:
                continue
        return None

    def mark(self, whose: str) -> str:
        """What stands in each form that is made for somebody, and shows that it was."""
        return hmac.digest(self._marks[0], whose.encode(), "sha256").hex()

    def fits(self, whose: str, said: str) -> bool:
        marks = (hmac.digest(key, whose.encode(), "sha256").hex() for key in self._marks)
        return any(hmac.compare_digest(mark.encode(), said.encode()) for mark in marks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A sign-in that this browser has begun, and where it leads."""

    begun: Begun
    to: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """One browser, whoever sits before it."""

    id: str = field(repr=False)
    pending: tuple[Pending, ...] = ()

    @classmethod
    def new(cls) -> Browser:
        return cls(id=secrets.token_urlsafe(16))

    def beginning(self, one: Pending) -> Browser:
        return replace(self, pending=(*self.pending, one)[-MOST_BEGUN:])

    def ending(self, state: str, now: datetime) -> tuple[Pending | None, Browser]:
        """The sign-in that a state is of, and the browser without it: a state ends once."""
        found = None
        for one in self.pending:
            if hmac.compare_digest(one.begun.state.encode(), state.encode()):
                found = one
        kept = tuple(one for one in self.pending if one is not found)
        if found is not None and not timedelta() <= now - found.at < BEGUN_FOR:
            found = None
        return found, replace(self, pending=kept)


def browser_of(http: HttpRequest, keys: Keys) -> Browser | None:
    """The browser that asks, by its sealed cookie; None where it has none of ours."""
    plain = keys.opened(http.cookies.get(BROWSER, ""), BROWSER)
    if plain is None:
        return None
    id_, rows = json.loads(plain)
    pending = tuple(
        Pending(
            begun=Begun(issuer=issuer, state=state, nonce=nonce, verifier=verifier),
            to=to,
            at=datetime.fromtimestamp(at, UTC),
        )
        for issuer, state, nonce, verifier, to, at in rows
    )
    return Browser(id=id_, pending=pending)


def browser_cookie(browser: Browser, keys: Keys) -> str:
    """The header by which a browser keeps it, until it is closed.

    Raises:
        ValueError: it is longer than a browser keeps.
    """
    rows = [
        [b.issuer, b.state, b.nonce, b.verifier, one.to, int(one.at.timestamp())]
        for one in browser.pending
        for b in (one.begun,)
    ]
    sealed = keys.seal(json.dumps([browser.id, rows]).encode(), BROWSER)
    if len(sealed) > _LONGEST:
        raise ValueError("what a browser has begun is too long for a cookie")
    return f"{BROWSER}={sealed}; {_FLAGS}"


def session_cookie(number: str, left: timedelta) -> str:
    """The header by which a browser keeps the number of a session, as long as that may last."""
    return f"{SESSION}={number}; Max-Age={max(0, int(left.total_seconds()))}; {_FLAGS}"


NO_SESSION: Final = session_cookie("", timedelta())
