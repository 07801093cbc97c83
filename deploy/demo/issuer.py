"""The demonstration's sign-in: one OAuth 2.0 issuer per agency, all in one loopback process.

    python -m deploy.demo.issuer --port 9000 --state DIR [--audience URL]

Each issuer at http://127.0.0.1:PORT/<agency> has metadata (RFC 8414 and OpenID Connect Discovery),
a key set, a token endpoint that gives any persona of that agency a token without a password, and a
key rotation. It exists so that the gateway's checks meet real tokens; never run it with real data.
"""

from __future__ import annotations

import argparse
import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc import jws
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from deploy.demo.personas import ISSUERS, PERSONAS, Persona
from deploy.demo.services.ready import arguments, listener, serve

DEFAULT_AUDIENCE = "https://portcullis.example/graphql"
MAX_TTL_S = 12 * 3600
# One of each, so that every algorithm the gateway accepts is met in the demonstration.
ALGORITHMS = dict.fromkeys(ISSUERS, "ES256") | {"eru": "Ed25519", "partner": "RS256"}

SigningKey = ECKey | OKPKey | RSAKey


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
        """RFC 8414, section 2."""
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "token_endpoint": f"{self.url}/token",
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
        }

    def token(self, persona: Persona, app: str, ttl_s: int) -> str:
        """A persona's access token."""
        return self.signed(self.claims(persona, app, int(time.time()), ttl_s))

    def signed(self, claims: Mapping[str, object]) -> str:
        """A signed access token (RFC 9068, section 2)."""
        key = self.keys[0]
        header = {"typ": "at+jwt", "alg": self.algorithm, "kid": key.kid}
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


def application(base: str, state: Path, audience: str) -> Starlette:
    """All issuers under `base`."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    issuers = {name: Issuer(name, base, state, audience) for name in ISSUERS}

    async def metadata(request: Request) -> JSONResponse:
        issuer = issuers.get(request.path_params["name"])
        return JSONResponse(issuer.metadata()) if issuer else _error("not_found", 404)

    async def keys(request: Request) -> JSONResponse:
        issuer = issuers.get(request.path_params["name"])
        return JSONResponse(issuer.key_set()) if issuer else _error("not_found", 404)

    async def rotate(request: Request) -> JSONResponse:
        issuer = issuers.get(request.path_params["name"])
        if not issuer:
            return _error("not_found", 404)
        issuer.rotate(withdraw=request.query_params.get("withdraw") == "true")
        return JSONResponse({"kid": issuer.keys[0].kid})

    async def token(request: Request) -> JSONResponse:
        issuer = issuers.get(request.path_params["name"])
        form = dict(parse_qsl((await request.body()).decode()))
        if not issuer or form.get("grant_type") != "client_credentials":
            return _error("unsupported_grant_type", 400)
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

    return Starlette(
        routes=[
            Route("/.well-known/oauth-authorization-server/{name}", metadata),
            Route("/{name}/.well-known/openid-configuration", metadata),
            Route("/{name}/jwks", keys),
            Route("/{name}/token", token, methods=["POST"]),
            Route("/{name}/rotate", rotate, methods=["POST"]),
        ]
    )


def _error(code: str, status: int) -> JSONResponse:
    return JSONResponse({"error": code}, status_code=status)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo.issuer", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="directory for the signing keys")
    parser.add_argument("--audience", default=DEFAULT_AUDIENCE, help="whom the tokens are for")
    given = arguments(parser).parse_args()
    bound = listener(given.port)
    app = application(f"http://127.0.0.1:{bound.getsockname()[1]}", given.state, given.audience)
    serve(app, bound, given.parent_pid)


if __name__ == "__main__":
    main()
