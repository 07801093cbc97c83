"""OAuth 2.0 client credentials (RFC 6749, section 4.4) as the demonstration's services use it."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse

DEFAULT_CLIENT = "portcullis"
DEFAULT_SECRET = "demo-only"  # noqa: S105 - guards synthetic data on loopback
_MAX_BODY = 4096


@dataclass(slots=True, kw_only=True)
class TokenDesk:
    """One client, its scopes, and the tokens it was given. Only reading scopes exist."""

    scopes: frozenset[str]
    ttl_s: int = 3600
    client: str = field(default_factory=lambda: os.environ.get("CLIENT_ID", DEFAULT_CLIENT))
    secret: str = field(
        default_factory=lambda: os.environ.get("CLIENT_SECRET", DEFAULT_SECRET), repr=False
    )
    _given: dict[str, tuple[float, frozenset[str]]] = field(default_factory=dict)

    async def issue(self, request: Request) -> JSONResponse:
        """`POST /oauth/token`: the client authenticates by Basic or in the form."""
        body = await request.body()
        if len(body) > _MAX_BODY:
            return _error("invalid_request", 400)
        form = dict(parse_qsl(body.decode("utf-8", "replace")))
        if not self._knows(request, form):
            return _error("invalid_client", 401)
        if form.get("grant_type") != "client_credentials":
            return _error("unsupported_grant_type", 400)
        asked = frozenset(form.get("scope", " ".join(self.scopes)).split())
        if not asked <= self.scopes:
            return _error("invalid_scope", 400)
        now = time.monotonic()
        self._given = {token: held for token, held in self._given.items() if held[0] > now}
        token = secrets.token_urlsafe(32)
        self._given[token] = (now + self.ttl_s, asked)
        return JSONResponse(
            {
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": self.ttl_s,
                "scope": " ".join(sorted(asked)),
            },
            headers={"cache-control": "no-store"},
        )

    def refusal(self, request: Request, scope: str) -> JSONResponse | None:
        """Why this request may not pass, or None (RFC 6750, section 3.1)."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        expires, scopes = self._given.get(token, (0.0, frozenset()))
        if scheme.lower() != "bearer" or expires <= time.monotonic():
            return _error("invalid_token", 401)
        return None if scope in scopes else _error("insufficient_scope", 403)

    def _knows(self, request: Request, form: dict[str, str]) -> bool:
        client, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                pair = base64.b64decode(value, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return False
            client, _, secret = (unquote_plus(part) for part in pair.partition(":"))
        same = hmac.compare_digest(secret.encode(), self.secret.encode())
        return same and client == self.client


def _error(code: str, status: int) -> JSONResponse:
    headers = {"www-authenticate": f'Bearer error="{code}"'} if status == 401 else None
    return JSONResponse({"error": code}, status_code=status, headers=headers)
