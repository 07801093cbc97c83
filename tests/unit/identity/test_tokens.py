"""What is and is not an access token: threats.md 2.7, each test named after its row."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwe, jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.errors import Unauthenticated
from gateway.identity import Identity, TrustedIssuer
from gateway.model import Subject

ISSUER = "https://sso.nmc.example/realm"
OTHER = "https://sso.scp.example/realm"
AUDIENCE = "https://portcullis.example/graphql"
NOW_S = 1_800_000_000
ES = ECKey.import_key(ec.generate_private_key(ec.SECP256R1()), {"kid": "es"})
RS = RSAKey.import_key(
    rsa.generate_private_key(public_exponent=65537, key_size=2048), {"kid": "rs"}
)
ED = OKPKey.import_key(ed25519.Ed25519PrivateKey.generate(), {"kid": "ed"})
STRANGER = ECKey.import_key(ec.generate_private_key(ec.SECP256R1()), {"kid": "es"})
KEYS: dict[str, ECKey | OKPKey | RSAKey] = {"ES256": ES, "RS256": RS, "EdDSA": ED}
OCT = {"kty": "oct", "kid": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I", "use": "sig"}


class Issuers(httpx.AsyncBaseTransport):
    """Two issuers that answer from memory and remember every address that was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        base = f"https://{request.url.host}/realm"
        if request.url.path == "/.well-known/oauth-authorization-server/realm":
            return httpx.Response(200, json={"issuer": base, "jwks_uri": f"{base}/jwks"})
        if request.url.path == "/realm/jwks":
            keys = [key.as_dict(private=False) for key in KEYS.values()]
            return httpx.Response(200, json={"keys": [*keys, OCT]})
        return httpx.Response(404)


WEB = Issuers()


def identity(*algorithms: str, documents_only: tuple[str, ...] = ()) -> Identity:
    names = algorithms or ("ES256", "RS256", "EdDSA")
    return Identity(
        [
            TrustedIssuer(
                issuer=ISSUER, agency="NMC", algorithms=names, documents_only=documents_only
            ),
            TrustedIssuer(issuer=OTHER, agency="SCP", algorithms=names),
        ],
        audience=AUDIENCE,
        http=httpx.AsyncClient(transport=WEB, trust_env=False),
        clock=lambda: datetime.fromtimestamp(NOW_S, UTC),
    )


GOOD: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "officer-17",
    "aud": AUDIENCE,
    "iat": NOW_S - 60,
    "exp": NOW_S + 600,
    "jti": "t-1",
    "client_id": "nmc-mobile",
    "agency": "NMC",
    "roles": ["response_officer"],
    "clearance": "OS",
    "training": ["pnd_basic"],
}
DROP = object()
NESTED = b'{"a":'


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**changes: object) -> dict[str, Any]:
    return {name: value for name, value in (GOOD | changes).items() if value is not DROP}


def signed(payload: bytes, header: dict[str, Any], key: ECKey = ES) -> str:
    """Signs anything at all with ES256, as no honest library would."""
    registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
    honest = jws.serialize_compact({"alg": "ES256"}, b"x", key, registry=registry)
    assert honest
    to_sign = f"{b64(json.dumps(header).encode())}.{b64(payload)}"
    algorithm = registry.get_alg("ES256")
    return f"{to_sign}.{b64(algorithm.sign(to_sign.encode(), key))}"


def token(**changes: object) -> str:
    return signed(json.dumps(claims(**changes)).encode(), header())


def header(**changes: object) -> dict[str, Any]:
    base: dict[str, Any] = {"alg": "ES256", "typ": "at+jwt", "kid": "es"}
    return {name: value for name, value in (base | changes).items() if value is not DROP}


def with_header(**changes: object) -> str:
    return signed(json.dumps(GOOD).encode(), header(**changes))


async def ask(*authorization: str, using: Identity | None = None) -> Subject:
    return await (using or identity()).authenticate(authorization)


async def refused(*authorization: str, using: Identity | None = None) -> Unauthenticated:
    with pytest.raises(Unauthenticated) as caught:
        await ask(*authorization, using=using)
    assert caught.value.said == Unauthenticated.text  # never why
    assert caught.value.detail
    return caught.value


async def test_a_good_token_names_its_subject() -> None:
    assert await ask(f"Bearer {token(acr='high', auth_time=NOW_S - 99)}") == Subject(
        issuer=ISSUER,
        id="officer-17",
        agency="NMC",
        roles=("response_officer",),
        clearance="OS",
        training=("pnd_basic",),
        app="nmc-mobile",
        token_id="t-1",  # noqa: S106 - not a secret
        attributes_as_at=datetime.fromtimestamp(NOW_S - 60, UTC),
        acr="high",
        auth_time=datetime.fromtimestamp(NOW_S - 99, UTC),
        expires_at=datetime.fromtimestamp(GOOD["exp"], UTC),
    )


async def test_on_duty_is_said_in_so_many_words_and_when() -> None:
    assert (await ask(f"Bearer {token()}")).on_duty is False
    for said in (True, False):
        subject = await ask(f"Bearer {token(on_duty=said, on_duty_as_at=NOW_S - 9)}")
        assert subject.on_duty is said
        assert subject.as_at == {"on_duty": datetime.fromtimestamp(NOW_S - 9, UTC)}
    values: tuple[object, ...] = (1, 0, "true", None, [True], {})
    for wrong in values:
        await refused(f"Bearer {token(on_duty=wrong)}")


async def test_who_said_an_attribute_is_the_issuer_or_the_directory_that_the_token_names() -> None:
    assert (await ask(f"Bearer {token()}")).said_by == {}
    academy, directory = "https://academy.example", "urn:nmc:directory"
    subject = await ask(f"Bearer {token(attributes_source=directory, training_source=academy)}")
    assert subject.said_by == {
        "posting": directory, "training": academy, "clearance": directory, "on_duty": directory,
    }  # fmt: skip
    subject = await ask(f"Bearer {token(on_duty_source=directory)}")
    assert subject.said_by == {"on_duty": directory}
    for claim in ("attributes_source", "posting_source", "on_duty_source"):
        values: tuple[object, ...] = ("", "x" * 257, "caf\u00e9", 1, None, ["x"])
        for wrong in values:
            await refused(f"Bearer {token(**{claim: wrong})}")


@pytest.mark.parametrize("name", KEYS)
async def test_every_configured_algorithm_is_accepted_and_only_those(name: str) -> None:
    head = {"alg": name, "typ": "at+jwt", "kid": KEYS[name].kid}
    registry = jws.JWSRegistry(algorithms=["Ed25519" if name == "EdDSA" else name])
    algorithm = registry.get_alg("Ed25519" if name == "EdDSA" else name)
    to_sign = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(GOOD).encode())}"
    compact = f"{to_sign}.{b64(algorithm.sign(to_sign.encode(), KEYS[name]))}"
    assert (await ask(f"Bearer {compact}")).id == "officer-17"
    rest = [other for other in KEYS if other != name]
    await refused(f"Bearer {compact}", using=identity(*rest))


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "", None, ["ES256"], "ES384", "HS256"])
async def test_tk01_unsigned_or_unlisted(alg: object) -> None:
    body = b64(json.dumps(GOOD).encode())
    head = b64(json.dumps(header(alg=alg)).encode())
    await refused(f"Bearer {head}.{body}.")
    await refused(f"Bearer {head}.{body}.AA")


def _public_forms() -> dict[str, bytes]:
    raw = ec_public = ES.public_key
    pem = raw.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {
        "pem": pem,
        "pem with leading text": b"# key\n" + pem,
        "der": ec_public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "jwk": json.dumps(ES.as_dict(private=False)).encode(),
        "openssh": ec_public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "rsa pem": RS.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "the published oct key": base64.urlsafe_b64decode(OCT["k"] + "="),
        "TK-03 empty": b"",
    }


@pytest.mark.parametrize("form", _public_forms())
@pytest.mark.parametrize("kid", ["es", "rs", "oct"])
async def test_tk02_tk03_hmac_with_public_or_empty_key(form: str, kid: str) -> None:
    to_sign = (
        f"{b64(json.dumps(header(alg='HS256', kid=kid)).encode())}.{b64(json.dumps(GOOD).encode())}"
    )
    mac = HMAC(_public_forms()[form] or b"\0", SHA256())
    mac.update(to_sign.encode())
    await refused(f"Bearer {to_sign}.{b64(mac.finalize())}")


def test_tk03_symmetric_algorithms_cannot_be_configured() -> None:
    for name in ("HS256", "HS512", "none", "dir"):
        with pytest.raises(ValueError, match="algorithms"):
            TrustedIssuer(issuer=ISSUER, agency="NMC", algorithms=("ES256", name))


@pytest.mark.parametrize(
    "extra",
    [
        {"jwk": STRANGER.as_dict(private=False)},
        {"jku": "https://attacker.example/jwks"},
        {"x5u": "https://attacker.example/cert"},
        {"x5c": ["MIIB"]},
    ],
)
async def test_tk04_token_chooses_its_key(extra: dict[str, object]) -> None:
    WEB.asked.clear()
    await refused(f"Bearer {signed(json.dumps(GOOD).encode(), header(**extra), STRANGER)}")
    await refused(f"Bearer {with_header(**extra)}")  # even when the signature is right
    assert WEB.asked == []


@pytest.mark.parametrize("extra", [{"crit": ["x"], "x": 1}, {"crit": ["b64"]}, {"b64": False}])
async def test_tk06_critical_headers(extra: dict[str, object]) -> None:
    await refused(f"Bearer {with_header(**extra)}")


@pytest.mark.parametrize(
    "make",
    [
        lambda: with_header(kid="k" * 1000),
        lambda: "A" * 1_000_000,
        lambda: f"AA.{'A' * 1_000_000}.AA",
        lambda: "." * 1_000_000,
        lambda: f"{b64(b'[' * 5000)}.AA.AA",
        lambda: f"{b64(json.dumps(header()).encode())}.{b64(NESTED * 900)}.AA",
    ],
)
async def test_tk07_oversized(make: Callable[[], str]) -> None:
    value = f"Bearer {make()}"
    gate = identity()
    await refused(value, using=gate)
    started = time.process_time()
    await refused(value, using=gate)
    assert time.process_time() - started < 0.02  # about 1 ms, with room for a busy machine


async def test_tk08_encrypted_or_zipped() -> None:
    sealed = jwe.encrypt_compact(
        {"alg": "ECDH-ES", "enc": "A128GCM", "zip": "DEF"}, json.dumps(GOOD), ES
    )
    await refused(f"Bearer {sealed}")
    await refused(f"Bearer {with_header(zip='DEF')}")
    await refused(f"Bearer {with_header(cty='JWT')}")


async def test_tk09_other_serialisations() -> None:
    good = token()
    head, body, signature = good.split(".")
    general = {"payload": body, "signatures": []}
    flat = {"payload": body, "protected": head, "signature": signature}
    for value in (
        json.dumps(general),
        json.dumps(flat),
        f"{good},{good}",
        f"{good}, Bearer {good}",
    ):
        await refused(f"Bearer {value}")


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt"])
async def test_tk10_access_token_types(typ: str) -> None:
    assert await ask(f"Bearer {with_header(typ=typ)}")


@pytest.mark.parametrize("typ", [DROP, "JWT", "dpop+jwt", "logout+jwt", "AT+JWT", "", None, 1])
async def test_tk10_other_types(typ: object) -> None:
    await refused(f"Bearer {with_header(typ=typ)}")


@pytest.mark.parametrize("aud", [AUDIENCE, [AUDIENCE], ["https://other.example", AUDIENCE]])
async def test_tk12_our_audience(aud: object) -> None:
    assert await ask(f"Bearer {token(aud=aud)}")


@pytest.mark.parametrize(
    "aud",
    [
        *(DROP, None, 1, "", [], f"{AUDIENCE}\0", f"{AUDIENCE}/", AUDIENCE.upper()),
        *(["https://other.example"], [[AUDIENCE]], {AUDIENCE: 1}, [AUDIENCE, 7]),
    ],
)
async def test_tk12_other_audience(aud: object) -> None:
    await refused(f"Bearer {token(aud=aud)}")


@pytest.mark.parametrize(
    "claim",
    [
        "exp",
        "nbf",
        "iat",
        "auth_time",
        "attributes_as_at",
        "training_as_at",
        "posting_as_at",
        "on_duty_as_at",
    ],
)
@pytest.mark.parametrize("value", ["1e99", "1800000600", -1, 1e99, True, None, [], 10**30])
async def test_tk13_times_are_whole_seconds(claim: str, value: object) -> None:
    await refused(f"Bearer {token(**{claim: value})}")


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": DROP},
        {"iat": DROP},
        {"exp": NOW_S - 61},
        {"exp": NOW_S - 30},
        {"nbf": NOW_S + 31},
        {"iat": NOW_S + 600},
        {"attributes_as_at": NOW_S + 31},
        {"training_as_at": NOW_S + 31},
        {"clearance_as_at": NOW_S + 31},
    ],
)
async def test_tk13_out_of_time(changes: dict[str, object]) -> None:
    await refused(f"Bearer {token(**changes)}")


async def test_tk13_leeway_is_not_more_than_thirty_seconds() -> None:
    assert await ask(f"Bearer {token(exp=NOW_S - 29)}")
    assert await ask(f"Bearer {token(nbf=NOW_S + 30, iat=NOW_S + 30)}")


@pytest.mark.parametrize(
    "sub", [DROP, "", 7, None, ["a"], "a" * 257, "officer\u0430", "a\nb", "a\0", "a" * 4000]
)
async def test_tk14_subject(sub: object) -> None:
    await refused(f"Bearer {token(sub=sub)}")


async def test_an_app_that_sends_documents_only_is_one_of_its_issuer() -> None:
    held = identity(documents_only=("nmc-mobile",))

    async def restricted(**changes: object) -> bool:
        return (await held.authenticate([f"Bearer {token(**changes)}"])).documents_only

    assert await restricted()
    assert not await restricted(client_id="nmc-station")
    assert not await restricted(iss=OTHER, agency="SCP")  # its own app, of the same name


async def test_tk14_identity_is_issuer_and_subject() -> None:
    ours = await ask(f"Bearer {token()}")
    theirs = await ask(f"Bearer {token(iss=OTHER, agency='SCP')}")
    assert ours.id == theirs.id
    assert (ours.issuer, ours.id) != (theirs.issuer, theirs.id)


async def test_tk15_duplicate_members() -> None:
    body = json.dumps(GOOD)
    for twice in (body.replace("{", '{"sub":"a",', 1), body[:-1] + ',"x":{"a":1,"a":1}}'):
        await refused(f"Bearer {signed(twice.encode(), header())}")
    head = json.dumps(header()).replace("{", '{"alg":"none",', 1)
    await refused(f"Bearer {b64(head.encode())}.{b64(body.encode())}.AA")


@pytest.mark.parametrize("scope", [["read"], "read  write", " read", "read\twrite", "", 1, None])
async def test_tk16_scope_is_one_string(scope: object) -> None:
    await refused(f"Bearer {token(scope=scope)}")


async def test_tk16_unknown_scopes_grant_nothing() -> None:
    assert await ask(f"Bearer {token(scope='read admin:all')}") == await ask(f"Bearer {token()}")


async def test_tk20_exactly_one_authorization_header() -> None:
    good = token()
    for values in ((), (f"Bearer {good}", f"Bearer {good}"), ("",), (good,), (f"Basic {good}",)):
        await refused(*values)
    for value in (f"Bearer  {good}", f"Bearer {good} ", f"Bearer\t{good}", f"DPoP {good}"):
        await refused(value)
    assert await ask(f"bearer {good}")  # RFC 9110, section 11.1: schemes have no case


async def test_tk21_sender_constrained_token_as_bearer() -> None:
    for bound in ({"jkt": "x"}, {"x5t#S256": "x"}, {}, None):
        await refused(f"Bearer {token(cnf=bound)}")


@pytest.mark.parametrize("claim", ["jti", "client_id", "agency", "clearance", "iss"])
@pytest.mark.parametrize("value", [DROP, "", 7, None, ["a"], "\u00e9"])
async def test_required_texts(claim: str, value: object) -> None:
    await refused(f"Bearer {token(**{claim: value})}")


@pytest.mark.parametrize("claim", ["roles", "training"])
@pytest.mark.parametrize("value", ["a b", {"a": 1}, [1], ["Role"], [""], ["a"] * 65, None])
async def test_lists_of_names(claim: str, value: object) -> None:
    await refused(f"Bearer {token(**{claim: value})}")


async def test_no_roles_is_nobody_special() -> None:
    assert (await ask(f"Bearer {token(roles=DROP, training=DROP)}")).roles == ()


async def test_an_issuer_vouches_for_its_own_agency_only() -> None:
    await refused(f"Bearer {token(agency='SCP')}")
    await refused(f"Bearer {token(iss=OTHER)}")
    await refused(f"Bearer {token(iss='https://sso.other.example/realm')}")
    await refused(f"Bearer {signed(json.dumps(GOOD).encode(), header(), STRANGER)}")


async def test_a_changed_token_and_a_respelt_one_are_refused() -> None:
    head, body, signature = token().split(".")
    changed = b64(json.dumps(claims(sub="officer-1")).encode())
    await refused(f"Bearer {head}.{changed}.{signature}")
    await refused(f"Bearer {head}.{body}.{signature[:-2]}")
    await refused(f"Bearer {head}.{body}=.{signature}")


async def test_the_reason_in_the_log_holds_nothing_of_the_token() -> None:
    canary = "CANARY"
    for compact in (token(sub=f"{canary}\n"), token(agency=canary), with_header(typ=canary)):
        assert canary not in str(await refused(f"Bearer {compact}"))


@pytest.mark.parametrize(
    "act", [{"sub": "u2"}, {"sub": "u2", "act": {"sub": "u3", "act": {"sub": "u4"}}}, {}, None]
)
async def test_az_29_a_delegated_token_is_refused(act: object) -> None:
    """Who acts would be in no record; a chain of any length, and one of oneself."""
    assert (await refused(f"Bearer {token(act=act)}")).detail == "a delegated token"


async def test_az_29_an_app_that_asks_for_itself_is_refused() -> None:
    alone = token(sub=GOOD["client_id"])
    assert (await refused(f"Bearer {alone}")).detail == "no person asks"
