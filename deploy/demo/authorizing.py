"""Signing in to the demonstration by a browser: OpenID Connect's authorization code flow.

RFC 6749, section 4.1, with PKCE by S256 alone (RFC 7636), the issuer's name in each response (RFC
9207), a code that opens once and within a minute, OpenID Connect Core 1.0, section 3.1, and
RP-Initiated Logout 1.0. Where a real issuer would prove who sits before it, somebody chooses one of
the agency's invented people: there is no password, and nothing is remembered.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from deploy.demo.personas import ISSUERS, PERSONAS, UNITS, Persona

if TYPE_CHECKING:
    from deploy.demo.issuer import Issuer

CODE_S: Final = 60
TOKENS_S: Final = 3600
MOST_CODES: Final = 1000  # that wait; the oldest gives way
STYLE: Final = "/static/sign-in.css"
_LOOK: Final = Path(__file__).parent / "look"
_AGENCIES: Final = Path(__file__).parents[2] / "policies" / "tables" / "agencies" / "data.json"
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")  # SHA-256 in base64url
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_ASKED: Final = (
    "client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "resource",
    "code_challenge", "code_challenge_method",
)  # fmt: skip
_pages = Environment(
    loader=FileSystemLoader(_LOOK),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A registered app; a public one has no secret."""

    id: str
    redirect_uris: tuple[str, ...]
    signed_out_uris: tuple[str, ...] = ()
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grant:
    """What a code stands for."""

    client: Client
    redirect_uri: str
    persona: Persona
    nonce: str
    challenge: str
    at: float


class _Stranger(Exception):
    """The answer could only be sent to nobody knows whom, so it is told to the browser."""


class _Refused(Exception):
    """An error of RFC 6749, section 4.1.2.1 or 5.2, by its code."""


def clients_in(file: Path | None, issuer: str) -> dict[str, Client]:
    """The clients of one issuer, by id, from a file of lists by the issuer's name."""
    listed = json.loads(file.read_text("utf-8")).get(issuer, []) if file else []
    found = {}
    for one in listed:
        uris = {name: tuple(one.get(name, ())) for name in ("redirect_uris", "signed_out_uris")}
        found[one["id"]] = Client(id=one["id"], secret=one.get("secret"), **uris)
    return found


class Flow:
    """The code flow of one issuer."""

    def __init__(
        self,
        issuer: Issuer,
        clients: Mapping[str, Client],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._clients = clients
        self._clock = clock
        self._codes: dict[str, _Grant] = {}

    # --- the browser ---

    async def authorize(self, request: Request) -> Response:
        """The sign-in page, or the way back with a code for the persona that was chosen."""
        posted = request.method == "POST"
        try:
            if posted and request.headers.get("origin") != _origin(self._issuer.url):
                raise _Stranger("this form was not sent by the sign-in page")
            given = _once(await request.body() if posted else request.url.query.encode())
            client, redirect_uri = self._addressee(given)
        except _Stranger as error:
            return self._page("problem.html", status=400, problem=str(error))
        try:
            self._check(given)
            if not posted:
                return self._page(
                    "sign_in.html",
                    goes_to=redirect_uri,
                    people=tuple(p for p in PERSONAS.values() if p.issuer == self._issuer.name),
                    asked=[(name, given[name]) for name in _ASKED if name in given],
                    where=urlsplit(redirect_uri).netloc,
                )
            persona = PERSONAS.get(given.get("persona", ""))
            if persona is None or persona.issuer != self._issuer.name:
                raise _Refused("access_denied")
            code = self._kept(client, redirect_uri, persona, given)
            return self._back(redirect_uri, given, code=code)
        except _Refused as error:
            return self._back(redirect_uri, given, error=str(error))

    async def end_session(self, request: Request) -> Response:
        """Back to an address that the client registered; else a page that says that it is over."""
        given = dict(request.query_params)
        client = self._clients.get(given.get("client_id", ""))
        address = given.get("post_logout_redirect_uri", "")
        if client is not None and address in client.signed_out_uris:
            state = {"state": given["state"]} if "state" in given else {}
            return _elsewhere(address, state)
        return self._page("problem.html", problem="You are signed out here.", heading="Signed out")

    # --- the client ---

    async def redeem(self, request: Request, form: Mapping[str, str]) -> Response:
        """The tokens of a code, once; a code that is presented is gone, whoever presents it."""
        try:
            client = self._authenticated(request, form)
            grant = self._taken(form.get("code", ""))
            proof = form.get("code_verifier", "")
            if (
                grant is None
                or grant.client.id != client.id
                or grant.redirect_uri != form.get("redirect_uri")
                or not _VERIFIER.fullmatch(proof)
                or not hmac.compare_digest(_challenge(proof), grant.challenge)
            ):
                raise _Refused("invalid_grant")
        except _Refused as error:
            status = 401 if str(error) == "invalid_client" else 400
            return JSONResponse({"error": str(error)}, status, {"cache-control": "no-store"})
        return JSONResponse(self._tokens(grant), headers={"cache-control": "no-store"})

    # --- parts of them ---

    def _addressee(self, given: Mapping[str, str]) -> tuple[Client, str]:
        """Who asks, and where the answer goes: an address registered to the letter (RFC 9700,
        section 4.1.3)."""
        client = self._clients.get(given.get("client_id", ""))
        if client is None:
            raise _Stranger("no app of that name is registered here")
        redirect_uri = given.get("redirect_uri", "")
        if redirect_uri not in client.redirect_uris:
            raise _Stranger("the app asks to answer to an address that it did not register")
        return client, redirect_uri

    def _check(self, given: Mapping[str, str]) -> None:
        if given.get("response_type") != "code":
            raise _Refused("unsupported_response_type")
        if "openid" not in given.get("scope", "").split(" "):
            raise _Refused("invalid_scope")
        if given.get("resource", self._issuer.audience) != self._issuer.audience:
            raise _Refused("invalid_target")
        if (
            not given.get("state")
            or not given.get("nonce")
            or given.get("code_challenge_method") != "S256"
            or not _CHALLENGE.fullmatch(given.get("code_challenge", ""))
        ):
            raise _Refused("invalid_request")

    def _kept(
        self, client: Client, redirect_uri: str, persona: Persona, given: Mapping[str, str]
    ) -> str:
        now = self._clock()
        live = {code: one for code, one in self._codes.items() if now - one.at < CODE_S}
        self._codes = dict(list(live.items())[1 - MOST_CODES :])
        code = secrets.token_urlsafe(32)
        self._codes[code] = _Grant(
            client=client,
            redirect_uri=redirect_uri,
            persona=persona,
            nonce=given["nonce"],
            challenge=given["code_challenge"],
            at=now,
        )
        return code

    def _taken(self, code: str) -> _Grant | None:
        grant = self._codes.pop(code, None)
        return grant if grant and self._clock() - grant.at < CODE_S else None

    def _authenticated(self, request: Request, form: Mapping[str, str]) -> Client:
        """RFC 6749, section 2.3.1: a confidential client by Basic alone, a public one by its id."""
        scheme, _, told = request.headers.get("authorization", "").partition(" ")
        secret: str | None = None
        id_ = form.get("client_id", "")
        if scheme:
            try:
                plain = base64.b64decode(told, validate=True).decode()
            except ValueError as error:
                raise _Refused("invalid_client") from error
            id_, _, secret = (unquote_plus(part) for part in plain.partition(":"))
        client = self._clients.get(id_)
        if client is None or (client.secret is None) != (secret is None):
            raise _Refused("invalid_client")
        if not hmac.compare_digest((client.secret or "").encode(), (secret or "").encode()):
            raise _Refused("invalid_client")
        return client

    def _tokens(self, grant: _Grant) -> dict[str, object]:
        issuer, now_s = self._issuer, int(self._clock())
        access = issuer.signed(issuer.claims(grant.persona, grant.client.id, now_s, TOKENS_S))
        claims = {
            "iss": issuer.url,
            "sub": grant.persona.sub,
            "aud": grant.client.id,
            "iat": now_s,
            "auth_time": now_s,
            "exp": now_s + 300,
            "nonce": grant.nonce,
            "at_hash": half_hash(access, issuer.algorithm),
            "name": grant.persona.title,
        }
        return {
            "access_token": access,
            "id_token": issuer.signed(claims, typ="JWT"),
            "token_type": "Bearer",
            "expires_in": TOKENS_S,
            "scope": "openid",
        }

    def _back(self, redirect_uri: str, given: Mapping[str, str], **said: str) -> Response:
        """RFC 9207, section 2: whose answer this is stands in it, also in an error's."""
        state = {"state": given["state"]} if given.get("state") else {}
        return _elsewhere(redirect_uri, {**said, **state, "iss": self._issuer.url})

    def _page(
        self, template: str, *, status: int = 200, goes_to: str = "", **filled: Any
    ) -> Response:
        answers_to = f" {_origin(goes_to)}" if goes_to else ""
        page = _pages.get_template(template)
        filled = {"heading": "This cannot be done", **filled}
        text = page.render(agency=title(self._issuer.name), style=STYLE, **filled)
        policy = (
            f"default-src 'none'; style-src 'self'; form-action 'self'{answers_to}; "
            "base-uri 'none'; frame-ancestors 'none'"
        )
        headers = {
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(text, status, headers, media_type="text/html; charset=utf-8")


def title(issuer: str) -> str:
    """An issuer's name for people: its agency's, and its unit's where it has one of its own."""
    code = ISSUERS[issuer]
    name = json.loads(_AGENCIES.read_text("utf-8")).get(code, {}).get("name", code)
    return f"{name}, {UNITS[issuer]}" if issuer in UNITS else str(name)


def half_hash(token: str, algorithm: str) -> str:
    """OpenID Connect Core 1.0, section 3.1.3.6: the left half of the hash of the signature."""
    digest = hashlib.sha512 if algorithm in ("EdDSA", "Ed25519") else hashlib.sha256
    whole = digest(token.encode()).digest()
    return _base64url(whole[: len(whole) // 2])


async def style(_request: Request) -> Response:
    content = (_LOOK / "sign-in.css").read_bytes()
    headers = {"X-Content-Type-Options": "nosniff"}
    return Response(content, headers=headers, media_type="text/css; charset=utf-8")


def _once(encoded: bytes) -> dict[str, str]:
    """The parameters, none of which may stand twice (RFC 6749, section 3.1)."""
    pairs = parse_qsl(encoded.decode("ascii", "replace"), keep_blank_values=True)
    given = dict(pairs)
    if len(given) != len(pairs):
        raise _Stranger("a parameter stands twice in the app's question")
    return given


def _challenge(verifier: str) -> str:
    return _base64url(hashlib.sha256(verifier.encode()).digest())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _elsewhere(address: str, said: Mapping[str, str]) -> Response:
    joined = "&" if urlsplit(address).query else "?"
    target = f"{address}{joined}{urlencode(said)}" if said else address
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return RedirectResponse(target, 303, headers)
