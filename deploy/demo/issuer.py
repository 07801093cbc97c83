"""The demonstration's sign-in: one OAuth 2.0 issuer per agency, all in one loopback process.

    python -m deploy.demo.issuer --port 9000 --state DIR [--audience URL] [--clients FILE]

Each issuer at http://127.0.0.1:PORT/<agency> has metadata (RFC 8414 and OpenID Connect Discovery),
a key set, the authorization code flow for the clients of a file, a token endpoint that gives any
persona of that agency a token without a password, and a key rotation. It exists so that the
gateway's checks meet real tokens; never run it with real data.
"""

from __future__ import annotations

import argparse
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc import jws
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.demo.authorizing import STYLE, Flow, clients_in, style
from deploy.demo.personas import ISSUERS, PERSONAS, Persona
from deploy.demo.services.ready import arguments, listener, serve

DEFAULT_AUDIENCE = "https://portcullis.example/graphql"
MAX_TTL_S = 12 * 3600
# One of each, so that every algorithm the gateway accepts is met in the demonstration.
ALGORITHMS = dict.fromkeys(ISSUERS, "ES256") | {"eru": "Ed25519", "partner": "RS256"}

SigningKey = ECKey | OKPKey | RSAKey
_Page = Callable[[Request], Awaitable[Response]]


class Issuer:
    """One agency's keys, kept in `state` so that tokens survive a restart."""

    def __init__(self, name: str, base: str, state: Path, audience: str) -> None:
        self.name = name
        self.url = f"{base}/{name}"
        self.audience = audience
        self.algorithm = ALGORITHMS[name]
        self._file = state / f"{name}.jwks.json"
        self.keys: list[SigningKey] = self._load() or [new_key(self.algorithm)]
        self._save()

    def rotate(self, *, withdraw: bool) -> None:
        """Sign with a new key from now on; the old one stays published unless withdrawn."""
        self.keys = [new_key(self.algorithm), *([] if withdraw else self.keys[:1])]
        self._save()

    def key_set(self) -> dict[str, object]:
        """The public key set (RFC 7517)."""
        published = [
            {**key.as_dict(private=False), "use": "sig", "alg": self.algorithm} for key in self.keys
        ]
        return {"keys": published}

    def metadata(self) -> dict[str, object]:
        """RFC 8414, section 2, and OpenID Connect Discovery 1.0, section 3."""
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "end_session_endpoint": f"{self.url}/end-session",
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "scopes_supported": ["openid"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.algorithm],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "none"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }

    def token(self, persona: Persona, app: str, ttl_s: int) -> str:
        """A persona's access token."""
        return self.signed(self.claims(persona, app, int(time.time()), ttl_s))

    def signed(self, claims: Mapping[str, object], *, typ: str = "at+jwt") -> str:
        """A signed token: an access token (RFC 9068, section 2) unless typed otherwise."""
        key = self.keys[0]
        header = {"typ": typ, "alg": self.algorithm, "kid": key.kid}
        return jws.serialize_compact(header, json.dumps(claims), key, [self.algorithm])

    def claims(self, persona: Persona, app: str, now_s: int, ttl_s: int) -> dict[str, object]:
        return {
            "iss": self.url,
            "sub": persona.sub,
            "aud": self.audience,
            "iat": now_s,
            "auth_time": now_s,
            "exp": now_s + ttl_s,
            "jti": secrets.token_urlsafe(12),
            "client_id": app,
            "agency": persona.agency,
            "roles": list(persona.roles),
            "clearance": persona.clearance,
            "training": list(persona.training),
            "attributes_as_at": now_s,
            "on_duty": True,
        }

    def _load(self) -> list[SigningKey]:
        if not self._file.exists():
            return []
        loaded = KeySet.import_key_set(json.loads(self._file.read_text()))
        return [key for key in loaded.keys if isinstance(key, ECKey | OKPKey | RSAKey)]

    def _save(self) -> None:
        self._file.touch(mode=0o600)
        self._file.write_text(json.dumps(KeySet(list(self.keys)).as_dict(private=True)))


def new_key(algorithm: str) -> SigningKey:
    """A fresh private key, its thumbprint (RFC 7638) as its id."""
    match algorithm:
        case "RS256":
            raw_rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            key: SigningKey = RSAKey.import_key(raw_rsa)
        case "Ed25519":
            key = OKPKey.import_key(ed25519.Ed25519PrivateKey.generate())
        case _:
            key = ECKey.import_key(ec.generate_private_key(ec.SECP256R1()))
    key.ensure_kid()
    return key


def application(base: str, state: Path, audience: str, clients: Path | None = None) -> Starlette:
    """All issuers under `base`; browsers sign in for the clients of the file alone."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    issuers = {name: Issuer(name, base, state, audience) for name in ISSUERS}
    flows = {name: Flow(one, clients_in(clients, name)) for name, one in issuers.items()}

    async def metadata(_request: Request, issuer: Issuer) -> Response:
        return JSONResponse(issuer.metadata())

    async def keys(_request: Request, issuer: Issuer) -> Response:
        return JSONResponse(issuer.key_set())

    async def rotate(request: Request, issuer: Issuer) -> Response:
        issuer.rotate(withdraw=request.query_params.get("withdraw") == "true")
        return JSONResponse({"kid": issuer.keys[0].kid})

    async def authorize(request: Request, issuer: Issuer) -> Response:
        return await flows[issuer.name].authorize(request)

    async def end_session(request: Request, issuer: Issuer) -> Response:
        return await flows[issuer.name].end_session(request)

    async def token(request: Request, issuer: Issuer) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        match form.get("grant_type"):
            case "authorization_code":
                return await flows[issuer.name].redeem(request, form)
            case "client_credentials":
                return _minted(issuer, form)
        return _error("unsupported_grant_type", 400)

    def of_issuer(page: Callable[[Request, Issuer], Awaitable[Response]]) -> _Page:
        async def answered(request: Request) -> Response:
            issuer = issuers.get(request.path_params["name"])
            return await page(request, issuer) if issuer else _error("not_found", 404)

        return answered

    return Starlette(
        routes=[
            Route("/.well-known/oauth-authorization-server/{name}", of_issuer(metadata)),
            Route(STYLE, style),
            Route("/{name}/.well-known/openid-configuration", of_issuer(metadata)),
            Route("/{name}/jwks", of_issuer(keys)),
            Route("/{name}/authorize", of_issuer(authorize), methods=["GET", "POST"]),
            Route("/{name}/token", of_issuer(token), methods=["POST"]),
            Route("/{name}/end-session", of_issuer(end_session)),
            Route("/{name}/rotate", of_issuer(rotate), methods=["POST"]),
        ]
    )


def _minted(issuer: Issuer, form: Mapping[str, str]) -> Response:
    """A persona's token for whoever asks, for the command line and tests."""
    persona = PERSONAS.get(form.get("persona", ""))
    ttl = form.get("ttl_s", "3600")
    if persona is None or persona.issuer != issuer.name:
        return _error("invalid_request", 400)
    app = form.get("client_id", persona.app)
    if app not in persona.apps:
        return _error("invalid_client", 400)
    if not ttl.isdecimal() or not 0 < int(ttl) <= MAX_TTL_S:
        return _error("invalid_request", 400)
    minted = issuer.token(persona, app, int(ttl))
    return JSONResponse(
        {"access_token": minted, "token_type": "Bearer", "expires_in": int(ttl)},
        headers={"cache-control": "no-store"},  # RFC 6749, section 5.1
    )


def _error(code: str, status: int) -> JSONResponse:
    return JSONResponse({"error": code}, status_code=status)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo.issuer", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="directory for the signing keys")
    parser.add_argument("--audience", default=DEFAULT_AUDIENCE, help="whom the tokens are for")
    parser.add_argument("--clients", type=Path, help="JSON: lists of clients by issuer")
    given = arguments(parser).parse_args()
    bound = listener(given.port)
    base = f"http://127.0.0.1:{bound.getsockname()[1]}"
    app = application(base, given.state, given.audience, given.clients)
    serve(app, bound, given.parent_pid)


if __name__ == "__main__":
    main()
