"""Who is signed in at the pages: a sealed cookie, and proof that a form came from one of our pages.

The cookie holds the access token that was brought along, and is worth nothing to whoever reads it:
it is encrypted by the gateway (RFC 7516), sent back to this very host alone, and read by no script.
It ends with the token. How somebody comes by a token is the sign-in's affair; nothing else here
depends on it.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from starlette.requests import Request as HttpRequest

from gateway.errors import MalformedRequest
from gateway.model import Subject

KEY_BYTES: Final = 32
NAME: Final = "__Host-desk"  # a browser takes it from this host alone, over TLS or on loopback
_FLAGS: Final = "Path=/; Secure; HttpOnly; SameSite=Strict"
NO_COOKIE: Final = f"{NAME}=; Max-Age=0; {_FLAGS}"
_LOOPBACK: Final = re.compile(r"(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d{1,5})?")
_HEADER: Final = {"alg": "dir", "enc": "A256GCM"}
_LONGEST: Final = 4000  # characters; a browser drops a cookie of more than 4096 with its name


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who is signed in."""

    token: str = field(repr=False)
    agency: str
    ends: datetime
    csrf: str = field(repr=False)  # stands in each form of ours

    @classmethod
    def of(cls, subject: Subject, token: str) -> Session:
        """A new one, which ends with the token.

        Raises:
            ValueError: nobody said when that is.
        """
        if subject.expires_at is None:
            raise ValueError("a session needs an end")
        return cls(
            token=token,
            agency=subject.agency,
            ends=subject.expires_at,
            csrf=secrets.token_urlsafe(32),
        )


class Sessions:
    """Seals and opens the cookie."""

    def __init__(self, key: bytes) -> None:
        self._key = OctKey.import_key(key)

    def cookie(self, session: Session, now: datetime) -> str:
        """The header that keeps a session.

        Raises:
            ValueError: its token is longer than a browser keeps.
        """
        held = [session.token, session.agency, int(session.ends.timestamp()), session.csrf]
        sealed = jwe.encrypt_compact(dict(_HEADER), json.dumps(held).encode(), self._key)
        if len(sealed) > _LONGEST:
            raise ValueError("the token is too long for a cookie")
        left_s = max(0, int((session.ends - now).total_seconds()))
        return f"{NAME}={sealed}; Max-Age={left_s}; {_FLAGS}"

    def opened(self, http: HttpRequest, now: datetime) -> Session | None:
        """Who is signed in; None for nobody, a cookie that is not ours, and one that has ended."""
        try:
            plain = jwe.decrypt_compact(http.cookies.get(NAME, ""), self._key).plaintext
        except (JoseError, ValueError):
            return None
        token, agency, ends, csrf = json.loads(plain or b"")
        session = Session(
            token=token, agency=agency, ends=datetime.fromtimestamp(ends, UTC), csrf=csrf
        )
        return session if now < session.ends else None


def check_origin(http: HttpRequest) -> None:
    """Refuse a form that no page of this very host sent (RFC 6454), over TLS unless on loopback.

    Raises:
        MalformedRequest: it came from elsewhere, or does not say where from.
    """
    host = http.headers.get("host", "")
    own = {f"https://{host}"} | ({f"http://{host}"} if _LOOPBACK.fullmatch(host) else set())
    said = http.headers.getlist("origin")
    if len(said) != 1 or said[0] not in own:
        raise not_ours()


def check_csrf(session: Session, form: Mapping[str, Sequence[str]]) -> None:
    """Refuse a form that was not made for this session.

    Raises:
        MalformedRequest: it bears no token, or another session's.
    """
    said = form.get("csrf", ())
    if len(said) != 1 or not hmac.compare_digest(said[0].encode(), session.csrf.encode()):
        raise not_ours()


def not_ours() -> MalformedRequest:
    return MalformedRequest(
        "This form does not come from the page as you have it now, so nothing was done. "
        "Open the page again and repeat what you did.",
        detail="a form of another origin or session",
        status=403,
    )
