"""Signing in at a browser, with an issuer that answers whatever a test likes."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from gateway.errors import Unauthenticated
from gateway.identity import Identity, TrustedIssuer
from gateway.identity.discovery import DOCUMENT_BYTES
from gateway.identity.signing_in import Begun, PageClient, SignedIn, SigningIn
from gateway.secrets import Secret

ISSUER = "https://sso.nmc.example/realm"
OTHER = "https://sso.scp.example"
AUDIENCE = "https://gate.example/graphql"
BACK = "https://gate.example/sign-in/callback"
NOW = datetime(2027, 1, 1, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
KEYS: Mapping[str, ECKey | OKPKey | RSAKey] = {
    "ES256": ECKey.import_key(ec.generate_private_key(ec.SECP256R1()), {"kid": "ES256"}),
    "RS256": RSAKey.import_key(rsa.generate_private_key(65537, 2048), {"kid": "RS256"}),
    "Ed25519": OKPKey.import_key(ed25519.Ed25519PrivateKey.generate(), {"kid": "Ed25519"}),
}
STRANGER = ECKey.import_key(ec.generate_private_key(ec.SECP256R1()), {"kid": "ES256"})


def signed(claims: object, alg: str = "ES256", key: Any = None, **header: object) -> str:
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return jws.serialize_compact(
        {"alg": alg, "kid": alg, **header}, payload, key or KEYS[alg], [alg]
    )


def half(token: str, alg: str = "ES256") -> str:
    digest = hashlib.sha512 if alg == "Ed25519" else hashlib.sha256
    whole = digest(token.encode()).digest()
    return base64.urlsafe_b64encode(whole[: len(whole) // 2]).decode().rstrip("=")


def access(**changed: object) -> str:
    claims = {
        "iss": ISSUER, "sub": "u-1", "aud": AUDIENCE, "exp": NOW_S + 600, "iat": NOW_S,
        "jti": "j", "client_id": "pages", "agency": "NMC", "roles": ["desk"], "clearance": "OS",
    }  # fmt: skip
    return signed({**claims, **changed}, typ="at+jwt")


@dataclass
class Issuer(httpx.AsyncBaseTransport):
    """An issuer whose every answer a test can change."""

    algorithms: tuple[str, ...] = ("ES256",)
    metadata: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)  # of the ID token; None takes one away
    access: str = field(default_factory=access)
    identity: Callable[[dict[str, Any]], str] = signed
    given: dict[str, Any] = field(default_factory=dict)  # besides the tokens
    answers: Callable[[], httpx.Response] | None = None
    asked: list[httpx.Request] = field(default_factory=list)
    now: datetime = NOW
    secret: Secret | None = field(default_factory=lambda: Secret(b"s:e cret"))

    def __post_init__(self) -> None:
        http = httpx.AsyncClient(transport=self, trust_env=False)
        trusted = [
            TrustedIssuer(issuer=ISSUER, agency="NMC", algorithms=self.algorithms),
            TrustedIssuer(issuer=OTHER, agency="SCP", algorithms=("ES256",)),
        ]
        identity = Identity(trusted, audience=AUDIENCE, http=http, clock=lambda: self.now)
        self.signing_in = SigningIn(
            identity,
            [
                PageClient(issuer=ISSUER, client_id="pages", secret=self.secret),
                PageClient(issuer=OTHER, client_id="pages", scopes=("openid", "gate")),
            ],
            audience=AUDIENCE,
            redirect_uri=BACK,
            http=http,
            clock=lambda: self.now,
        )
        self.nonce = ""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        base = ISSUER if request.url.host == "sso.nmc.example" else OTHER
        if ".well-known" in request.url.path:
            return httpx.Response(200, json=self._metadata(base))
        if request.url.path.endswith("/jwks"):
            published = [{**key.as_dict(private=False), "use": "sig"} for key in KEYS.values()]
            return httpx.Response(200, json={"keys": published})
        assert request.url.path.endswith("/token")
        if self.answers is not None:
            return self.answers()
        tokens = {"access_token": self.access, "id_token": self.identity(self._claims()),
                  "token_type": "Bearer"}  # fmt: skip
        return httpx.Response(200, json={**tokens, **self.given})

    async def sign_in(self, **changed: str | None) -> SignedIn:
        """From the beginning to the end, by an answer that may be changed."""
        address, begun = await self.signing_in.begin(ISSUER)
        self.nonce = parse_qs(urlsplit(address).query)["nonce"][0]
        said = {"code": "c-1", "state": begun.state, "iss": ISSUER, **changed}
        return await self.signing_in.finish(begun, {k: [v] for k, v in said.items() if v})

    def _metadata(self, base: str) -> dict[str, Any]:
        found = {
            "issuer": base,
            "jwks_uri": f"{base}/jwks",
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "end_session_endpoint": f"{base}/end?x=1",
            "code_challenge_methods_supported": ["S256"],
        }
        return {k: v for k, v in {**found, **self.metadata}.items() if v is not None}

    def _claims(self) -> dict[str, Any]:
        found = {"iss": ISSUER, "sub": "u-1", "aud": "pages", "exp": NOW_S + 60, "iat": NOW_S,
                 "nonce": self.nonce, "at_hash": half(self.access), "name": "Ada"}  # fmt: skip
        return {k: v for k, v in {**found, **self.claims}.items() if v is not None}


async def refused(issuer: Issuer, **changed: str | None) -> str:
    """Why nobody was signed in."""
    with pytest.raises(Unauthenticated) as caught:
        await issuer.sign_in(**changed)
    return caught.value.detail


# --- what is asked, and how ----------------------------------------------------------------------


async def test_who_comes_back_is_whom_the_access_token_says() -> None:
    issuer = Issuer()
    who = await issuer.sign_in()
    assert (who.subject.id, who.subject.agency, who.subject.roles) == ("u-1", "NMC", ("desk",))
    assert (who.name, who.token) == ("Ada", issuer.access)
    assert issuer.access not in repr(who)


async def test_the_question_is_bound_to_this_client_and_this_sign_in() -> None:
    issuer = Issuer()
    address, begun = await issuer.signing_in.begin(ISSUER)
    base, _, query = address.partition("?")
    assert base == f"{ISSUER}/authorize"
    asked = {name: values[0] for name, values in parse_qs(query).items()}
    challenge = hashlib.sha256(begun.verifier.encode()).digest()
    assert asked == {
        "response_type": "code", "client_id": "pages", "redirect_uri": BACK, "scope": "openid",
        "state": begun.state, "nonce": begun.nonce, "resource": AUDIENCE,
        "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
        "code_challenge_method": "S256",
    }  # fmt: skip
    for secret in (begun.state, begun.nonce, begun.verifier):
        assert len(secret) >= 43
        assert secret not in repr(begun)
    assert "openid+gate" in (await issuer.signing_in.begin(OTHER))[0]


@pytest.mark.parametrize("confidential", [True, False])
async def test_the_code_is_sent_with_its_proof_and_the_clients(confidential: bool) -> None:
    issuer = Issuer(secret=Secret(b"s:e cret") if confidential else None)
    _, begun = await issuer.signing_in.begin(ISSUER)
    issuer.nonce = begun.nonce
    await issuer.signing_in.finish(begun, {"code": ["c-1"], "iss": [ISSUER]})
    (request,) = [one for one in issuer.asked if one.url.path.endswith("/token")]
    sent = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
    assert request.method == "POST"
    assert sent["grant_type"] == "authorization_code"
    assert (sent["code"], sent["redirect_uri"]) == ("c-1", BACK)
    assert sent["code_verifier"] == begun.verifier
    assert "client_secret" not in sent
    if confidential:
        told = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        assert told == "pages:s%3Ae+cret"
    else:
        assert "authorization" not in request.headers
        assert sent["client_id"] == "pages"


@pytest.mark.parametrize("algorithm", KEYS)
async def test_each_algorithm_that_is_configured_is_taken(algorithm: str) -> None:
    issuer = Issuer(algorithms=("ES256", algorithm))
    issuer.identity = lambda claims: signed(claims, algorithm)
    issuer.claims = {"at_hash": half(issuer.access, algorithm)}
    assert (await issuer.sign_in()).name == "Ada"
    issuer.claims = {"at_hash": half("another", algorithm)}
    assert await refused(issuer) == "signing in: ID token: at_hash"


async def test_a_name_is_cut_and_what_is_no_name_is_none() -> None:
    assert (await Issuer(claims={"name": "x" * 5000}).sign_in()).name == "x" * 120
    assert (await Issuer(claims={"name": {"x": 1}}).sign_in()).name == ""
    assert (await Issuer(claims={"name": None}).sign_in()).name == ""


# --- OI-03: whose answer -------------------------------------------------------------------------


@pytest.mark.parametrize("iss", [None, OTHER, ISSUER + "/", ISSUER.upper(), "null"])
async def test_oi_03_the_answer_names_the_issuer_that_was_asked(iss: str | None) -> None:
    issuer = Issuer()
    assert "not of the issuer" in await refused(issuer, iss=iss)
    assert not [one for one in issuer.asked if one.url.path.endswith("/token")]


async def test_oi_03_an_answer_that_says_two_things_says_nothing() -> None:
    issuer = Issuer()
    _, begun = await issuer.signing_in.begin(ISSUER)
    for said in (
        {"code": ["c"], "iss": [ISSUER, OTHER]},
        {"code": ["c", "d"], "iss": [ISSUER]},
        {"code": ["c"], "error": ["x", "y"], "iss": [ISSUER]},
        {"code": [""], "iss": [ISSUER]},
        {"code": ["c" * 3000], "iss": [ISSUER]},
        {"code": ["c\n"], "iss": [ISSUER]},
    ):
        with pytest.raises(Unauthenticated):
            await issuer.signing_in.finish(begun, said)
    assert not [one for one in issuer.asked if one.url.path.endswith("/token")]


async def test_what_the_issuer_says_instead_is_told_by_its_code_alone() -> None:
    assert await refused(Issuer(), error="access_denied") == (
        "signing in: the issuer said access_denied"
    )
    assert "something odd" in await refused(Issuer(), error="<b>Arben Hoxha</b>")


# --- OI-05: the ID token -------------------------------------------------------------------------

WRONG: dict[str, dict[str, Any]] = {
    "no nonce": {"nonce": None},
    "wrong nonce": {"nonce": "n" * 43},
    "a nonce that is no text": {"nonce": ["n"]},
    "a nonce that switches its check off": {"nonce": None, "nonce_supported": False},
    "the same with one": {"nonce": "n" * 43, "nonce_supported": False},
    "another azp": {"azp": "other"},
    "an azp that is no text": {"azp": None, "aud": ["pages", "other"]},
    "another audience": {"aud": "other"},
    "an audience besides": {"aud": ["pages", "other"], "azp": "pages"},
    "no audience": {"aud": None},
    "an empty audience": {"aud": []},
    "another issuer": {"iss": OTHER},
    "no issuer": {"iss": None},
    "nobody": {"sub": None},
    "somebody else": {"sub": "u-2"},
    "a number for a name": {"sub": 1},
    "expired": {"exp": NOW_S - 30},
    "no end": {"exp": None},
    "an end in words": {"exp": "tomorrow"},
    "an end that is true": {"exp": True},
    "an end beyond numbers": {"exp": 1e99},
    "from the future": {"iat": NOW_S + 31},
    "no beginning": {"iat": None},
    "not yet": {"nbf": NOW_S + 31},
    "another token's hash": {"at_hash": half("another")},
    "a hash that is none": {"at_hash": ""},
    "a hash that is no text": {"at_hash": 7},
    "the hash of another algorithm": {"at_hash": half(access(), "Ed25519")},
}


@pytest.mark.parametrize("claims", WRONG.values(), ids=WRONG)
async def test_oi_05_an_id_token_that_is_not_for_this_sign_in_is_refused(
    claims: dict[str, Any],
) -> None:
    await refused(Issuer(claims=claims))


async def test_oi_05_a_hash_may_be_left_out_and_an_audience_stand_in_a_list() -> None:
    assert await Issuer(claims={"at_hash": None, "aud": ["pages"], "azp": "pages"}).sign_in()


def unsigned(claims: dict[str, Any]) -> str:
    parts = ({"alg": "none", "kid": "ES256"}, claims)
    return (
        ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
            for part in parts
        )
        + ".AA"
    )


def by_the_public_key(claims: dict[str, Any]) -> str:
    known = OctKey.import_key(json.dumps(KEYS["ES256"].as_dict(private=False)).encode())
    return jws.serialize_compact({"alg": "HS256", "kid": "ES256"}, json.dumps(claims).encode(),
                                 known, ["HS256"])  # fmt: skip


FORGED: dict[str, Callable[[dict[str, Any]], str]] = {
    "by a stranger's key": lambda claims: signed(claims, key=STRANGER),
    "by none": unsigned,
    "by a shared secret that everybody knows": by_the_public_key,
    "by an algorithm that is not configured": lambda claims: signed(claims, "RS256"),
    "with a key of its own": lambda claims: signed(
        claims, key=STRANGER, jwk=STRANGER.as_dict(private=False)
    ),
    "typed as an access token": lambda claims: signed(claims, typ="at+jwt"),
    "typed as another": lambda claims: signed(claims, typ="logout+jwt"),
    "without a key's id": lambda claims: jws.serialize_compact(
        {"alg": "ES256"}, json.dumps(claims).encode(), KEYS["ES256"], ["ES256"]
    ),
    "with a claim twice": lambda claims: signed(
        json.dumps(claims).encode()[:-1] + b', "sub": "u-1"}'
    ),
    "in two parts": lambda claims: signed(claims).rpartition(".")[0],
    "too long": lambda claims: signed({**claims, "x": "x" * 9000}),
    "not a token": lambda _claims: "token",
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
async def test_oi_05_an_id_token_that_the_issuer_did_not_sign_so_is_refused(
    forged: Callable[[dict[str, Any]], str],
) -> None:
    await refused(Issuer(identity=forged))


# --- the access token, and the issuer's other answers --------------------------------------------

TOKENS: dict[str, str] = {
    "another person's": access(sub="u-2"),
    "made for another app": access(client_id="other"),
    "for another audience": access(aud="other"),
    "of another agency": access(agency="SCP"),
    "another issuer's": access(iss=OTHER, agency="SCP"),
    "ended": access(exp=NOW_S - 30),
    "nonsense": "x",
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
async def test_an_access_token_that_an_app_could_not_use_signs_nobody_in(token: str) -> None:
    await refused(Issuer(access=token))


@pytest.mark.parametrize(
    "given",
    [{"access_token": None}, {"id_token": None}, {"token_type": "DPoP"}, {"token_type": None},
     {"access_token": 7}, {"id_token": ["x"]}, {"error": "invalid_grant"}],
)  # fmt: skip
async def test_an_answer_that_lacks_something_signs_nobody_in(given: dict[str, Any]) -> None:
    await refused(Issuer(given=given))


def gone() -> httpx.Response:
    raise httpx.ConnectError("down")


AWAY: dict[str, Callable[[], httpx.Response]] = {
    "down": gone,
    "500": lambda: httpx.Response(500, text="Traceback"),
    "not JSON": lambda: httpx.Response(200, text="<html>"),
    "a list": lambda: httpx.Response(200, json=[]),
    "endless": lambda: httpx.Response(200, content=b" " * (DOCUMENT_BYTES + 1)),
    "packed": lambda: httpx.Response(
        200, stream=httpx.ByteStream(b"x"), headers={"content-encoding": "gzip"}
    ),
    "sent on": lambda: httpx.Response(302, headers={"location": "https://evil.example/"}),
}


@pytest.mark.parametrize("answer", AWAY.values(), ids=AWAY)
async def test_an_issuer_that_is_away_signs_nobody_in_and_is_said_to_be(
    answer: Callable[[], httpx.Response],
) -> None:
    issuer = Issuer(answers=answer)
    with pytest.raises(Unauthenticated) as caught:
        await issuer.sign_in()
    assert caught.value.status == 503
    assert "does not answer" in caught.value.said
    assert "Traceback" not in caught.value.detail
    assert all(one.url.host != "evil.example" for one in issuer.asked)


@pytest.mark.parametrize(
    "metadata",
    [{"authorization_endpoint": "https://evil.example/authorize"}, {"authorization_endpoint": None},
     {"authorization_endpoint": 7}, {"issuer": OTHER}, {"code_challenge_methods_supported": None},
     {"code_challenge_methods_supported": ["plain"]}],
)  # fmt: skip
async def test_nobody_is_sent_to_an_issuer_that_cannot_be_used(metadata: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await Issuer(metadata=metadata).signing_in.begin(ISSUER)
    assert caught.value.status == 503


async def test_a_code_is_sent_to_the_issuers_own_origin_alone() -> None:
    issuer = Issuer(metadata={"token_endpoint": "https://evil.example/token"})
    await refused(issuer)
    assert all(one.url.host == "sso.nmc.example" for one in issuer.asked)


async def test_addresses_are_asked_for_again_after_a_while() -> None:
    issuer = Issuer()
    for _ in range(3):
        await issuer.signing_in.begin(ISSUER)
    assert len(issuer.asked) == 1
    issuer.now += timedelta(seconds=240)
    await issuer.signing_in.begin(ISSUER)
    assert len(issuer.asked) == 2


async def test_an_issuer_that_is_away_is_left_alone_for_a_moment() -> None:
    issuer = Issuer(metadata={"issuer": OTHER})

    async def begin() -> int:
        with pytest.raises(Unauthenticated) as caught:
            await issuer.signing_in.begin(ISSUER)
        return caught.value.status

    assert await asyncio.gather(*(begin() for _ in range(20))) == [503] * 20
    assert len(issuer.asked) == 1
    issuer.now += timedelta(seconds=5)
    issuer.metadata = {}
    assert await issuer.signing_in.begin(ISSUER)
    assert len(issuer.asked) == 2


async def test_where_an_issuer_ends_its_session_no_token_is_in_the_address() -> None:
    issuer = Issuer()
    address = await issuer.signing_in.end(ISSUER, "https://gate.example/signed-out")
    assert address == (
        f"{ISSUER}/end?x=1&client_id=pages"
        "&post_logout_redirect_uri=https%3A%2F%2Fgate.example%2Fsigned-out"
    )
    without = Issuer(metadata={"end_session_endpoint": None})
    assert await without.signing_in.end(ISSUER, "https://gate.example/signed-out") is None


def test_what_a_browser_keeps_of_a_sign_in_is_not_printed() -> None:
    begun = Begun(issuer=ISSUER, state="st", nonce="no", verifier="ve")
    assert repr(begun) == f"Begun(issuer='{ISSUER}')"
