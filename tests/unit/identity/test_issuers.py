"""Keys: where they come from, how long they are believed, and what an issuer cannot do to us."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc.jwk import ECKey

from gateway.errors import Unauthenticated
from gateway.identity.discovery import DOCUMENT_BYTES
from gateway.identity.issuers import IssuerKeys, TrustedIssuer

ISSUER = "https://sso.nmc.example/realm"
Answer = Callable[[], httpx.Response]


def es_key(kid: str) -> dict[str, Any]:
    key = ECKey.import_key(ec.generate_private_key(ec.SECP256R1()), {"kid": kid})
    return dict(key.as_dict(private=False))


class Issuer(httpx.AsyncBaseTransport):
    """An issuer whose every answer a test can change, and a clock to go with it."""

    def __init__(self, *keys: object) -> None:
        self.now = datetime(2027, 1, 1, tzinfo=UTC)
        self.asked: list[str] = []
        self.metadata: Answer = lambda: httpx.Response(
            200, json={"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"}
        )
        self.jwks: Answer = lambda: httpx.Response(200, json={"keys": []})
        self.publish(*keys)
        self.held = IssuerKeys(
            trusted=TrustedIssuer(issuer=ISSUER, agency="NMC", algorithms=("ES256", "RS256")),
            http=httpx.AsyncClient(transport=self, follow_redirects=True, trust_env=False),
            clock=lambda: self.now,
        )

    def publish(self, *keys: object) -> None:
        self.jwks = lambda: httpx.Response(200, json={"keys": list(keys)})

    def later(self, **passed: float) -> None:
        self.now += timedelta(**passed)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        if request.url.path == "/realm/jwks":
            return self.jwks()
        if ".well-known" in request.url.path:
            return self.metadata()
        return httpx.Response(200, json={"keys": [es_key("elsewhere")]})

    async def has(self, kid: str, algorithm: str = "ES256") -> bool:
        try:
            await self.held.key(kid, algorithm)
        except Unauthenticated:
            return False
        return True


def unreachable() -> httpx.Response:
    raise httpx.ConnectError("down")


GARBAGE: dict[str, Answer] = {
    "down": unreachable,
    "500": lambda: httpx.Response(500, json={"keys": []}),
    "not JSON": lambda: httpx.Response(200, text="<html>"),
    "a list": lambda: httpx.Response(200, json=[]),
    "no keys": lambda: httpx.Response(200, json={}),
    "too many": lambda: httpx.Response(200, json={"keys": [{}] * 33}),
    "deep": lambda: httpx.Response(200, text="[" * 100_000),
    "endless": lambda: httpx.Response(200, content=b" " * (DOCUMENT_BYTES + 1)),
    "packed": lambda: httpx.Response(
        200, stream=httpx.ByteStream(b"x"), headers={"content-encoding": "gzip"}
    ),
    "redirect": lambda: httpx.Response(302, headers={"location": "https://attacker.example/"}),
}


async def test_keys_are_fetched_once_and_kept() -> None:
    issuer = Issuer(es_key("a"), es_key("b"))
    for _ in range(5):
        assert await issuer.has("a")
        assert await issuer.has("b")
    assert issuer.asked == [
        "https://sso.nmc.example/.well-known/oauth-authorization-server/realm",
        f"{ISSUER}/jwks",
    ]


async def test_openid_discovery_is_the_second_way() -> None:
    issuer = Issuer(es_key("a"))
    good = issuer.metadata
    issuer.metadata = lambda: httpx.Response(404) if len(issuer.asked) == 1 else good()
    assert await issuer.has("a")
    assert issuer.asked[1] == f"{ISSUER}/.well-known/openid-configuration"


async def test_unknown_key_ids_cost_one_fetch_at_a_time() -> None:
    issuer = Issuer(es_key("a"))
    assert await issuer.has("a")
    issuer.publish(es_key("a"), es_key("b"))
    issuer.later(seconds=11)
    assert await issuer.has("b")
    asked = len(issuer.asked)
    for number in range(100):
        assert not await issuer.has(f"made-up-{number}")
    assert len(issuer.asked) == asked
    assert await issuer.has("a")


async def test_withdrawn_key_is_refused_within_five_minutes() -> None:
    issuer = Issuer(es_key("a"))
    assert await issuer.has("a")
    issuer.publish(es_key("b"))
    issuer.later(minutes=5)
    assert not await issuer.has("a")
    issuer.publish()  # an empty set is an answer: everything is withdrawn
    issuer.later(minutes=5)
    assert not await issuer.has("b")


@pytest.mark.parametrize("kind", GARBAGE)
async def test_last_good_set_serves_for_a_day_and_no_longer(kind: str) -> None:
    issuer = Issuer(es_key("a"))
    assert await issuer.has("a")
    good = issuer.jwks
    issuer.jwks = GARBAGE[kind]
    issuer.later(hours=23)
    assert await issuer.has("a")
    assert not [url for url in issuer.asked if "attacker" in url]
    issuer.later(hours=2)
    assert not await issuer.has("a")
    issuer.jwks = good
    issuer.later(seconds=11)
    assert await issuer.has("a")


@pytest.mark.parametrize("kind", GARBAGE)
async def test_no_keys_at_first_means_no_entry_and_recovery_when_they_come(kind: str) -> None:
    issuer = Issuer(es_key("a"))
    good = issuer.jwks
    issuer.jwks = GARBAGE[kind]
    assert not await issuer.has("a")
    issuer.jwks = good
    issuer.later(seconds=2)
    assert await issuer.has("a")


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://attacker.example", "jwks_uri": f"{ISSUER}/jwks"},
        {"issuer": ISSUER},
        {"issuer": ISSUER, "jwks_uri": 7},
        {"issuer": ISSUER, "jwks_uri": "https://attacker.example/jwks"},
        {"issuer": ISSUER, "jwks_uri": "http://sso.nmc.example/realm/jwks"},
        {"issuer": ISSUER, "jwks_uri": "https://sso.nmc.example:8443/realm/jwks"},
        {"issuer": ISSUER, "jwks_uri": "https://sso.nmc.example:port/realm/jwks"},
    ],
)
async def test_sf06_metadata_cannot_send_us_elsewhere(metadata: dict[str, object]) -> None:
    issuer = Issuer(es_key("a"))
    issuer.metadata = lambda: httpx.Response(200, text=json.dumps(metadata))
    assert not await issuer.has("a")
    assert all(url.startswith("https://sso.nmc.example/") for url in issuer.asked)
    assert f"{ISSUER}/jwks" not in issuer.asked


def _rsa(bits: int) -> dict[str, Any]:
    number = rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key()
    n = number.public_numbers().n.to_bytes(bits // 8, "big")
    return {"kty": "RSA", "kid": "k", "e": "AQAB", "n": urlsafe_b64encode(n).rstrip(b"=").decode()}


async def test_only_public_signature_keys_of_a_configured_kind_are_used() -> None:
    private = ECKey.import_key(ec.generate_private_key(ec.SECP256R1()), {"kid": "k"})
    p384 = ECKey.import_key(ec.generate_private_key(ec.SECP384R1()), {"kid": "k"})
    bad: list[object] = [
        {"kty": "oct", "kid": "k", "k": "c2VjcmV0", "alg": "ES256"},
        es_key("k") | {"use": "enc"},
        es_key("k") | {"alg": "ES384"},
        es_key("k") | {"key_ops": ["sign"]},
        es_key("k") | {"key_ops": "verify"},
        es_key("k") | {"x": 7},
        es_key("k") | {"x": "AAAA"},
        {"kty": "EC", "crv": "P-256", "kid": "k"},
        dict(private.as_dict(private=True)),
        dict(p384.as_dict(private=False)),
        _rsa(1024),
        _rsa(2048) | {"n": "AA" * 300},
        _rsa(2048) | {"n": "_" * 3000},
        "k",
        None,
    ]
    for jwk in bad:
        issuer = Issuer(es_key("other"), jwk)
        assert not await issuer.has("k"), jwk
        assert not await issuer.has("k", "RS256"), jwk
        assert await issuer.has("other")


async def test_a_key_serves_its_own_algorithm_only() -> None:
    issuer = Issuer(es_key("es"), _rsa(2048))
    assert await issuer.has("k", "RS256")
    assert not await issuer.has("k", "ES256")
    assert not await issuer.has("es", "RS256")
    assert not await issuer.has("es", "EdDSA")  # not configured for this issuer


async def test_a_key_id_borne_twice_is_nobodys() -> None:
    assert not await Issuer(es_key("k"), es_key("k")).has("k")


@pytest.mark.parametrize(
    "url",
    [
        *("http://sso.nmc.example", "ftp://sso.nmc.example", "https://a@sso.nmc.example", "sso"),
        *("https://sso.nmc.example?x=1", "https://sso.nmc.example#x", "http://127.0.0.1.example"),
    ],
)
def test_sf06_issuers_are_plain_https_urls(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        TrustedIssuer(issuer=url, agency="NMC", algorithms=("ES256",))


def test_loopback_is_allowed_for_demonstrations() -> None:
    assert TrustedIssuer(issuer="http://127.0.0.1:9/nmc", agency="NMC", algorithms=("ES256",))
