"""From verified claims to a Subject: RFC 9068, section 4, read more strictly than it asks.

Authlib's own validator accepts a token without `typ` and a sender-constrained one as plain
bearer, so its rules are the second reading here, never the only one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from authlib.oauth2.rfc9068.claims import JWTAccessTokenClaims
from joserfc.errors import JoseError

from gateway.errors import Unauthenticated
from gateway.model import Subject

LEEWAY_S = 30
MAX_SUB_CHARS = 256
_MAX_LIST = 64
_LATEST = 253402300799  # 9999-12-31T23:59:59Z, the last second a datetime can hold

_PRINTABLE = re.compile(r"[\x20-\x7e]+")
_WORD = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CLEARANCE = re.compile(r"[A-Z][A-Z_]{0,31}")
# RFC 6749, section 3.3: scope tokens parted by single spaces, in one string
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*")

_ATTRIBUTES = ("posting", "training", "clearance", "on_duty")
_AS_AT = {name: f"{name}_as_at" for name in _ATTRIBUTES}
_OPTIONS = ("iss", "exp", "aud", "sub", "client_id", "iat", "jti")


def subject_of(
    claims: Mapping[str, object],
    header: Mapping[str, object],
    *,
    issuer: str,
    agency: str,
    audience: str,
    now: datetime,
) -> Subject:
    """Whom these verified claims speak of.

    `agency` is what the issuer was configured to vouch for; a token that says otherwise is
    refused, so no issuer can speak for another agency's officers.

    Raises:
        Unauthenticated: a claim is missing, malformed, out of time or for somebody else.
    """
    if claims.get("iss") != issuer or claims.get("agency") != agency:
        raise Unauthenticated(detail="issuer or agency is not the configured one")
    if "cnf" in claims:
        # RFC 7800: bound to a key whose possession a bearer does not prove
        raise Unauthenticated(detail="sender-constrained token used as bearer")
    if "act" in claims:
        # RFC 8693, 4.1: somebody else acts for the subject; who it is would be in no record
        raise Unauthenticated(detail="a delegated token")
    _audience(claims, audience)
    times = _times(claims, now)
    _scope(claims)
    _second_reading(claims, header, audience, now)
    if claims["sub"] == claims["client_id"]:
        # RFC 9068, 2.2: so an app says that it asks for itself; a question has a person
        raise Unauthenticated(detail="no person asks")
    return Subject(
        issuer=issuer,
        id=_text(claims, "sub", MAX_SUB_CHARS),
        agency=agency,
        roles=_words(claims, "roles"),
        clearance=_clearance(claims),
        training=_words(claims, "training"),
        app=_text(claims, "client_id", MAX_SUB_CHARS),
        token_id=_text(claims, "jti", MAX_SUB_CHARS),
        attributes_as_at=times["attributes_as_at"],
        as_at=MappingProxyType(
            {name: times[claim] for name, claim in _AS_AT.items() if claim in times}
        ),
        on_duty=_on_duty(claims),
        said_by=MappingProxyType(_said_by(claims)),
        acr=_text(claims, "acr", MAX_SUB_CHARS) if "acr" in claims else None,
        auth_time=times.get("auth_time"),
        expires_at=times["exp"],
    )


def _audience(claims: Mapping[str, object], audience: str) -> None:
    aud = claims.get("aud")
    members = [aud] if isinstance(aud, str) else aud
    if not isinstance(members, list) or not all(isinstance(member, str) for member in members):
        raise Unauthenticated(detail="aud is neither text nor a list of text")
    if audience not in members:
        raise Unauthenticated(detail="meant for another audience")


def _times(claims: Mapping[str, object], now: datetime) -> dict[str, datetime]:
    """The token's moments, all checked; `attributes_as_at` is `iat` where it is not said, and an
    attribute without a moment of its own is as old as that."""
    found = {
        name: _moment(claims, name)
        for name in ("exp", "nbf", "iat", "auth_time", "attributes_as_at", *_AS_AT.values())
        if name in claims or name in ("exp", "iat")
    }
    found.setdefault("attributes_as_at", found["iat"])
    if (now - found["exp"]).total_seconds() >= LEEWAY_S:
        raise Unauthenticated(detail="expired")
    for name in found.keys() - {"exp"}:
        if (found[name] - now).total_seconds() > LEEWAY_S:
            raise Unauthenticated(detail=f"{name} lies in the future")
    return found


def _moment(claims: Mapping[str, object], name: str) -> datetime:
    value = claims.get(name)
    if type(value) is not int or not 0 <= value <= _LATEST:  # a bool is an int to isinstance
        raise Unauthenticated(detail=f"{name} is not a whole number of seconds")
    return datetime.fromtimestamp(value, UTC)


def _text(claims: Mapping[str, object], name: str, limit: int) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or len(value) > limit or not _PRINTABLE.fullmatch(value):
        raise Unauthenticated(detail=f"{name} is not printable ASCII of 1 to {limit} characters")
    return value


def _words(claims: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = claims.get(name, [])
    if not isinstance(value, list) or len(value) > _MAX_LIST:
        raise Unauthenticated(detail=f"{name} is not a list of at most {_MAX_LIST}")
    if not all(isinstance(word, str) and _WORD.fullmatch(word) for word in value):
        raise Unauthenticated(detail=f"{name} holds something that is not a name")
    return tuple(dict.fromkeys(value))


def _on_duty(claims: Mapping[str, object]) -> bool:
    value = claims.get("on_duty", False)
    if not isinstance(value, bool):
        raise Unauthenticated(detail="on_duty is neither true nor false")
    return value


def _said_by(claims: Mapping[str, object]) -> dict[str, str]:
    """The directory that said an attribute, where the issuer only passes it on: its own claim
    counts before that of them all."""
    found: dict[str, str] = {}
    for name in _ATTRIBUTES:
        for claim in (f"{name}_source", "attributes_source"):
            if claim in claims:
                found.setdefault(name, _text(claims, claim, MAX_SUB_CHARS))
    return found


def _clearance(claims: Mapping[str, object]) -> str:
    value = claims.get("clearance")
    if not isinstance(value, str) or not _CLEARANCE.fullmatch(value):
        raise Unauthenticated(detail="clearance is not a code")
    return value


def _scope(claims: Mapping[str, object]) -> None:
    scope = claims.get("scope", "x")
    if not isinstance(scope, str) or not _SCOPE.fullmatch(scope):
        raise Unauthenticated(detail="scope is not one string of scope tokens")


def _second_reading(
    claims: Mapping[str, object], header: Mapping[str, object], audience: str, now: datetime
) -> None:
    """Authlib's RFC 9068 rules over the same claims: what both accept is accepted."""
    options: dict[str, dict[str, object]] = {name: {"essential": True} for name in _OPTIONS}
    options["aud"]["value"] = audience
    try:
        JWTAccessTokenClaims(claims, header, options).validate(
            now=int(now.timestamp()), leeway=LEEWAY_S
        )
    except JoseError as error:
        raise Unauthenticated(detail=f"claims: {type(error).__name__}") from error
