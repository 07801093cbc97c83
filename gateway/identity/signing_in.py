"""Signing somebody in at a browser: the authorization code flow of OpenID Connect, as its client.

Authlib's client speaks OAuth 2.0 (RFC 6749 with PKCE by S256, RFC 7636). What it leaves unchecked
is checked here: whose answer it is (RFC 9207), and the ID token to the letter (OpenID Connect Core
1.0, section 3.1.3.7), whose claims never loosen a check of their own. Who somebody is, the access
token alone says, which is checked as an app's is; the ID token shows that it was made for this
browser's sign-in, and gives a name to show.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

import httpx
from authlib.integrations.base_client.errors import OAuthError
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core.claims import CodeIDToken
from joserfc.errors import JoseError

from gateway.errors import Unauthenticated
from gateway.identity import Identity
from gateway.identity.claims import LEEWAY_S, MAX_SUB_CHARS
from gateway.identity.discovery import BadDocument, endpoint, metadata, whole
from gateway.identity.tokens import ID_TYPES, compact, read, verify
from gateway.model import Subject
from gateway.secrets import Secret

METADATA_S: Final = 240.0  # how long an issuer's addresses are believed
AWAY_S: Final = 5.0  # between questions to an issuer that does not answer, whoever would sign in
EXCHANGE_S: Final = 5.0  # for a code to become tokens
_CODE: Final = re.compile(r"[\x20-\x7e]{1,2048}")  # RFC 6749, appendix A.11
_ERROR: Final = re.compile(r"[a-z_]{1,40}")
_MAX_NAME: Final = 120
_HASHES: Final[Mapping[str, Callable[[bytes], Any]]] = {
    "ES256": hashlib.sha256,
    "RS256": hashlib.sha256,
    "EdDSA": hashlib.sha512,
    "Ed25519": hashlib.sha512,
}
_AWAY: Final = "Your agency's sign-in does not answer. Try again in a few minutes."


@dataclass(frozen=True, slots=True, kw_only=True)
class PageClient:
    """How the gateway's pages are registered at an issuer; a public client has no secret."""

    issuer: str
    client_id: str
    secret: Secret | None = None
    scopes: tuple[str, ...] = ("openid",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A sign-in that a browser has begun, and that only that browser can end."""

    issuer: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Somebody who has signed in."""

    subject: Subject
    token: str = field(repr=False)
    name: str  # as the issuer calls them; "" where it does not


class _Client(OAuth2Client):  # type: ignore[misc]  # Authlib has no types
    """Authlib's client over the gateway's own connections."""

    oauth_error_class = OAuthError

    def __init__(self, known: PageClient, http: httpx.AsyncClient, redirect_uri: str) -> None:
        super().__init__(
            None,
            client_id=known.client_id,
            client_secret=known.secret.reveal().decode() if known.secret else None,
            scope=" ".join(known.scopes),
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
        )
        self._http = http

    def client_auth(self, auth_method: str) -> Any:
        """RFC 6749, section 2.3.1: each part is encoded as in a form before Basic joins them."""
        if self.client_secret is None:
            return super().client_auth(auth_method)
        return self.client_auth_class(
            client_id=quote_plus(self.client_id),
            client_secret=quote_plus(self.client_secret),
            auth_method=auth_method,
        )

    async def _fetch_token(
        self, url: str, body: str = "", headers: Any = None, auth: Any = None, **_more: Any
    ) -> Mapping[str, Any]:
        url, headers, body = auth.prepare("POST", url, dict(headers), body)
        content = body.encode() if isinstance(body, str) else body
        request = self._http.build_request("POST", url, headers=headers, content=content)
        given: Mapping[str, Any] = self.parse_response_token(await whole(self._http, request))
        return given


class SigningIn:
    """Signs people in with the issuers at which the pages are registered."""

    def __init__(
        self,
        identity: Identity,
        clients: Sequence[PageClient],
        *,
        audience: str,
        redirect_uri: str,
        http: httpx.AsyncClient,
        clock: Callable[[], datetime],
    ) -> None:
        self._identity = identity
        self._clients = {one.issuer: one for one in clients}
        self._audience = audience
        self._redirect_uri = redirect_uri
        self._http = http
        self._clock = clock
        self._metadata: dict[str, tuple[datetime, Mapping[str, object] | None]] = {}
        self._turns = {one.issuer: asyncio.Lock() for one in clients}

    @property
    def issuers(self) -> tuple[str, ...]:
        """Those with which somebody can sign in."""
        return tuple(self._clients)

    async def begin(self, issuer: str) -> tuple[str, Begun]:
        """Where to send a browser, and what it must bring back.

        Raises:
            Unauthenticated: the issuer does not answer, or cannot be used.
        """
        begun = Begun(
            issuer=issuer,
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(32),
        )
        asked = {"nonce": begun.nonce}
        if "://" in self._audience:
            asked["resource"] = self._audience  # RFC 8707: a token for this gateway alone
        client = _Client(self._clients[issuer], self._http, self._redirect_uri)
        url, _state = client.create_authorization_url(
            await self._endpoint(issuer, "authorization_endpoint"),
            state=begun.state,
            code_verifier=begun.verifier,
            **asked,
        )
        return str(url), begun

    async def finish(self, begun: Begun, said: Mapping[str, Sequence[str]]) -> SignedIn:
        """Who came back, by what the way back says. Its `state` is the caller's to compare.

        Raises:
            Unauthenticated: nobody, and why in `detail`.
        """
        answer = {name: values[0] for name, values in said.items() if len(values) == 1}
        if answer.get("iss") != begun.issuer:  # RFC 9207, section 2.4: before anything else
            raise _failed("the answer is not of the issuer that was asked")
        if "error" in said:
            code = answer.get("error", "")
            raise _failed(f"the issuer said {code if _ERROR.fullmatch(code) else 'something odd'}")
        code = answer.get("code", "")
        if not _CODE.fullmatch(code):
            raise _failed("no code, or several")
        given = await self._exchanged(begun, code)
        access, identity = (given.get(name) for name in ("access_token", "id_token"))
        if not isinstance(access, str) or not isinstance(identity, str):
            raise _failed("no access token, or no ID token")
        if str(given.get("token_type", "")).lower() != "bearer":
            raise _failed("not a bearer token")
        claims = await self._identity_token(begun, identity, access)
        subject = await self._identity.authenticate((f"Bearer {access}",))
        known = self._clients[begun.issuer]
        if (subject.issuer, subject.id, subject.app) != (
            begun.issuer,
            claims["sub"],
            known.client_id,
        ):
            raise _failed("the access token is another's than the ID token")
        name = claims.get("name")
        shown = name[:_MAX_NAME] if isinstance(name, str) else ""
        return SignedIn(subject=subject, token=access, name=shown)

    async def end(self, issuer: str, back_to: str) -> str | None:
        """Where a browser goes for the issuer to end its own session (OpenID Connect RP-Initiated
        Logout 1.0); None where it has no such place. No token stands in the address."""
        try:
            address = await self._endpoint(issuer, "end_session_endpoint")
        except Unauthenticated:
            return None
        asked = {
            "client_id": self._clients[issuer].client_id,
            "post_logout_redirect_uri": back_to,
        }
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"

    # --- parts of them ---

    async def _endpoint(self, issuer: str, name: str) -> str:
        try:
            return endpoint(await self._found(issuer), name, issuer)
        except (BadDocument, httpx.HTTPError, TimeoutError) as error:
            raise Unauthenticated(_AWAY, detail=f"{name}: {error}", status=503) from error

    async def _found(self, issuer: str) -> Mapping[str, object]:
        """The issuer's metadata, asked for again after a while, by one at a time."""
        async with self._turns[issuer]:
            at, held = self._metadata.get(issuer, (None, None))
            age_s = (self._clock() - at).total_seconds() if at else -1.0
            if held is not None and 0 <= age_s < METADATA_S:
                return held
            if held is None and 0 <= age_s < AWAY_S:
                raise BadDocument("it did not answer a moment ago")
            usable: Mapping[str, object] | None = None
            try:
                async with asyncio.timeout(EXCHANGE_S):
                    found = await metadata(self._http, issuer)
                methods = found.get("code_challenge_methods_supported")
                if not isinstance(methods, list) or "S256" not in methods:
                    raise BadDocument("it does not say that it knows PKCE by S256")
                usable = found
            finally:
                self._metadata[issuer] = (self._clock(), usable)
            return usable

    async def _exchanged(self, begun: Begun, code: str) -> Mapping[str, Any]:
        address = await self._endpoint(begun.issuer, "token_endpoint")
        client = _Client(self._clients[begun.issuer], self._http, self._redirect_uri)
        try:
            async with asyncio.timeout(EXCHANGE_S):
                given: Mapping[str, Any] = await client.fetch_token(
                    address,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=begun.verifier,
                )
        except OAuthError as error:
            known = error.error if _ERROR.fullmatch(str(error.error)) else "something odd"
            raise _failed(f"the issuer did not take the code: {known}") from error
        except (BadDocument, httpx.HTTPError, TimeoutError, ValueError) as error:
            text = f"token endpoint: {type(error).__name__}"
            raise Unauthenticated(_AWAY, detail=text, status=503) from error
        return given

    async def _identity_token(self, begun: Begun, token: str, access: str) -> Mapping[str, object]:
        """The claims of an ID token that was made for this sign-in and goes with that token."""
        presented = read(compact(token), ID_TYPES)
        if presented.issuer != begun.issuer:
            raise _failed("an ID token of another issuer")
        keys = self._identity.issuers[begun.issuer]
        key = await keys.key(presented.key_id, presented.algorithm)
        claims = verify(presented, key)
        client_id = self._clients[begun.issuer].client_id
        check_claims(
            claims,
            issuer=begun.issuer,
            client_id=client_id,
            nonce=begun.nonce,
            now_s=int(self._clock().timestamp()),
        )
        check_half_hash(claims, presented.algorithm, access)
        try:  # Authlib's reading is the second, never the only one
            CodeIDToken(
                claims, presented.header, {}, {"nonce": begun.nonce, "client_id": client_id}
            ).validate(now=int(self._clock().timestamp()), leeway=LEEWAY_S)
        except JoseError as error:
            raise _failed(f"ID token: {type(error).__name__}") from error
        return claims


def check_claims(
    claims: Mapping[str, object], *, issuer: str, client_id: str, nonce: str, now_s: int
) -> None:
    """OpenID Connect Core 1.0, section 3.1.3.7, rules 2 to 11, without its latitude: the audience
    is this client alone, and the nonce is there whatever the token says of it.

    Raises:
        Unauthenticated: a claim is missing, malformed, out of time or for somebody else.
    """
    if claims.get("iss") != issuer:
        raise _failed("ID token: iss")
    if claims.get("aud") not in (client_id, [client_id]):
        raise _failed("ID token: aud")
    if claims.get("azp", client_id) != client_id:
        raise _failed("ID token: azp")
    said = claims.get("nonce")
    if not isinstance(said, str) or not hmac.compare_digest(said.encode(), nonce.encode()):
        raise _failed("ID token: nonce")
    sub = claims.get("sub")
    if not isinstance(sub, str) or not 0 < len(sub) <= MAX_SUB_CHARS:
        raise _failed("ID token: sub")
    ends, begins = _seconds(claims, "exp"), [_seconds(claims, "iat")]
    if "nbf" in claims:
        begins.append(_seconds(claims, "nbf"))
    if now_s - ends >= LEEWAY_S or max(begins) - now_s > LEEWAY_S:
        raise _failed("ID token: out of time")


def _seconds(claims: Mapping[str, object], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int or value < 0:  # a bool is an int to isinstance
        raise _failed(f"ID token: {name} is not a whole number of seconds")
    return value


def check_half_hash(claims: Mapping[str, object], algorithm: str, access: str) -> None:
    """`at_hash`, where there is one (section 3.1.3.6): the left half of the access token's hash, by
    the hash of the signature's own algorithm and no other.

    Raises:
        Unauthenticated: it is another's, or no hash is known for that algorithm.
    """
    if "at_hash" not in claims:
        return
    said, digest = claims["at_hash"], _HASHES.get(algorithm)
    if digest is None or not isinstance(said, str):
        raise _failed("ID token: at_hash")
    half = digest(access.encode()).digest()
    expected = base64.urlsafe_b64encode(half[: len(half) // 2]).rstrip(b"=")
    if not hmac.compare_digest(said.encode(), expected):
        raise _failed("ID token: at_hash")


def _failed(detail: str) -> Unauthenticated:
    return Unauthenticated(detail=f"signing in: {detail}", status=400)
