"""What an access token must be before anything in it is believed: RFC 9068, RFC 7515, RFC 8725.

Nothing is decoded before its length is known, nothing in a header ever names the key to use, and
every rule is checked before a signature is, so a hostile token costs microseconds and no request.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from joserfc import jws
from joserfc._rfc7515.model import JWSAlgModel  # the base of what get_alg() gives; not exported
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.errors import Unauthenticated

TYPES = ("at+jwt", "application/at+jwt")  # RFC 9068, section 4: nothing else
ID_TYPES = ("JWT", None)  # OpenID Connect names none; an access token is never one
MAX_TOKEN_CHARS = 8192

_COMPACT = r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
_BEARER = re.compile(rf"[Bb][Ee][Aa][Rr][Ee][Rr] ({_COMPACT})")
# An allow list: `jwk`, `jku`, `x5u` and `x5c` would let a token choose its key, `crit` and `b64`
# change what is signed, `zip` and `enc` belong to encrypted tokens, which are not accepted.
_HEADER_NAMES = frozenset({"alg", "typ", "kid", "x5t", "x5t#S256"})

VerifyKey = ECKey | OKPKey | RSAKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """A token that has the right shape; nothing in it is proved."""

    compact: str
    algorithm: str
    key_id: str
    issuer: str  # what it says of itself, used only to choose which trusted issuer's keys to try
    header: Mapping[str, object]


class _ExactRegistry(jws.JWSRegistry):
    """One algorithm and no fallback to a library's idea of what is recommended."""

    def get_alg(self, name: str) -> JWSAlgModel:
        # The base class warns that the name `EdDSA` is deprecated (RFC 9864). Issuers still use
        # it; the key is always Ed25519 here, so the ambiguity that RFC 9864 removes cannot arise.
        if name not in (self.allowed or ()):
            raise JoseError("algorithm not allowed")
        return self.algorithms[name]


def bearer(authorization: Sequence[str]) -> str:
    """The one bearer token of a request's Authorization headers (RFC 6750, section 2.1).

    Raises:
        Unauthenticated: none, several, another scheme, too long, or not three base64url parts.
    """
    if len(authorization) != 1:
        raise Unauthenticated(detail=f"{len(authorization)} Authorization headers")
    value = authorization[0]
    if len(value) > MAX_TOKEN_CHARS:
        raise Unauthenticated(detail="token too long")
    if not (match := _BEARER.fullmatch(value)):
        raise Unauthenticated(detail="not one bearer token in compact form")
    return match[1]


def compact(text: str) -> str:
    """A token that came otherwise, in the same form.

    Raises:
        Unauthenticated: it is too long, or not three base64url parts.
    """
    if len(text) > MAX_TOKEN_CHARS or not re.fullmatch(_COMPACT, text):
        raise Unauthenticated(detail="not one token in compact form")
    return text


def read(compact: str, types: Collection[str | None] = TYPES) -> Presented:
    """Take a token apart without believing it.

    Raises:
        Unauthenticated: a header member, type or encoding that an access token may not have.
    """
    head, body, _ = compact.split(".")
    header = _json_object(_decode(head), "header")
    if extra := header.keys() - _HEADER_NAMES:
        raise Unauthenticated(detail=f"{len(extra)} header members that are not accepted")
    if header.get("typ") not in types:
        raise Unauthenticated(detail="not typed as such a token")
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or not isinstance(key_id, str) or not key_id:
        raise Unauthenticated(detail="alg and kid are needed as text")
    issuer = _json_object(_decode(body), "payload").get("iss")
    if not isinstance(issuer, str):
        raise Unauthenticated(detail="iss is needed as text")
    return Presented(
        compact=compact, algorithm=algorithm, key_id=key_id, issuer=issuer, header=header
    )


def verify(presented: Presented, key: VerifyKey) -> Mapping[str, object]:
    """The claims that `key`'s holder signed.

    Raises:
        Unauthenticated: the signature is not the key's.
    """
    registry = _ExactRegistry(algorithms=[presented.algorithm])
    try:
        signed = jws.deserialize_compact(presented.compact, key, registry=registry)
    except (JoseError, ValueError) as error:
        raise Unauthenticated(detail=f"signature: {type(error).__name__}") from error
    return _json_object(signed.payload, "payload")


def _decode(part: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError as error:
        raise Unauthenticated(detail="not base64url") from error
    # Unused trailing bits would give one token many spellings (RFC 4648, section 3.5).
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != part:
        raise Unauthenticated(detail="not canonical base64url")
    return raw


def _json_object(raw: bytes, what: str) -> Mapping[str, object]:
    try:
        value = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_no_constants
        )
    except (ValueError, RecursionError) as error:
        raise Unauthenticated(detail=f"{what} is not usable JSON") from error
    if not isinstance(value, dict):
        raise Unauthenticated(detail=f"{what} is not a JSON object")
    return value


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """RFC 8725, section 2.4: two readers of one token must not see two tokens."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _no_constants(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
