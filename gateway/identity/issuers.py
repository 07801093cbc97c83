"""Who may vouch for which agency, and with which keys.

Keys come from the issuer's own metadata (RFC 8414, else OpenID Connect Discovery 1.0) and key set
(RFC 7517), never from a token. A key that its issuer withdraws is refused within FRESH_S; when the
issuer is down or answers garbage its last good set serves, but for no longer than KEPT_S.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.errors import Unauthenticated
from gateway.identity.discovery import FETCH_TIMEOUT_S, BadDocument, document, endpoint, metadata
from gateway.identity.tokens import VerifyKey

FRESH_S = 240  # refetch in time for a withdrawal to bite within five minutes
KEPT_S = 24 * 3600
REFRESH_GAP_S = 10  # between fetches provoked by unknown key ids or by a failing issuer
COLD_GAP_S = 1  # the same, while there is no key at all
_MAX_KEYS = 32
_RSA_BITS = range(2048, 8193)  # below is weak, above is a way to keep us busy
_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_FAMILY = {
    "ES256": ("EC", "P-256"),
    "RS256": ("RSA", None),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),  # RFC 9864's name for the same
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedIssuer:
    """One issuer and the single agency that it may vouch for.

    Raises:
        ValueError: not an https URL (http on loopback is for demonstrations), or an algorithm
            that is not one of ES256, RS256, EdDSA and Ed25519.
    """

    issuer: str
    agency: str
    algorithms: tuple[str, ...]
    documents_only: tuple[str, ...] = ()  # its apps that may send persisted documents only

    def __post_init__(self) -> None:
        url = urlsplit(self.issuer)
        local = url.scheme == "http" and url.hostname in _LOOPBACK
        if not (local or url.scheme == "https") or url.query or url.fragment or url.username:
            raise ValueError(f"issuer of {self.agency}: not a plain https URL")
        if not self.algorithms or not _FAMILY.keys() >= set(self.algorithms):
            raise ValueError(
                f"issuer of {self.agency}: algorithms must be among {', '.join(_FAMILY)}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _KeySet:
    keys: Mapping[tuple[str, str], VerifyKey]  # by (key id, algorithm)
    fetched: datetime


@dataclass(slots=True)
class IssuerKeys:
    """The current keys of one issuer. Safe to use concurrently."""

    trusted: TrustedIssuer
    http: httpx.AsyncClient
    clock: Callable[[], datetime]
    _set: _KeySet | None = None
    _tried: datetime | None = None
    _jwks_uri: str | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def key(self, key_id: str, algorithm: str) -> VerifyKey:
        """The issuer's key of that id for that algorithm.

        Raises:
            Unauthenticated: it has none, or its keys cannot be had.
        """
        if algorithm not in self.trusted.algorithms:
            raise Unauthenticated(detail="algorithm not configured for this issuer")
        if self._age(self._set) > FRESH_S:
            await self._refresh()
        if not (found := self._find(key_id, algorithm)):
            await self._refresh()
            found = self._find(key_id, algorithm)
        if not found:
            raise Unauthenticated(detail=f"no such key at the issuer of {self.trusted.agency}")
        return found

    def _age(self, held: _KeySet | None) -> float:
        return (self.clock() - held.fetched).total_seconds() if held else float("inf")

    def _find(self, key_id: str, algorithm: str) -> VerifyKey | None:
        if self._set is None or self._age(self._set) > KEPT_S:
            return None
        return self._set.keys.get((key_id, algorithm))

    async def _refresh(self) -> None:
        """Fetch the key set, unless that was tried a moment ago; keep the last good one."""
        async with self._lock:
            gap_s = REFRESH_GAP_S if self._set else COLD_GAP_S
            if self._tried and 0 <= (self.clock() - self._tried).total_seconds() < gap_s:
                return
            self._tried = self.clock()
            try:
                async with asyncio.timeout(FETCH_TIMEOUT_S):
                    keys = await self._fetch()
            except (BadDocument, httpx.HTTPError, TimeoutError):
                self._jwks_uri = None  # the metadata may have moved too: ask for it next time
                return
            self._set = _KeySet(keys=keys, fetched=self._tried)

    async def _fetch(self) -> Mapping[tuple[str, str], VerifyKey]:
        if self._jwks_uri is None:
            issuer = self.trusted.issuer
            self._jwks_uri = endpoint(await metadata(self.http, issuer), "jwks_uri", issuer)
        listed = (await document(self.http, self._jwks_uri)).get("keys")
        return _usable_keys(listed, self.trusted.algorithms)


def _usable_keys(
    listed: object, algorithms: tuple[str, ...]
) -> Mapping[tuple[str, str], VerifyKey]:
    """The public signature keys of a key set that fit the configured algorithms.

    An empty list is an answer (everything is withdrawn); no list is not one. Symmetric, private,
    weak, encryption and unknown keys are passed over, and so is a key id that two keys bear.
    """
    if not isinstance(listed, list) or len(listed) > _MAX_KEYS:
        raise BadDocument("no list of keys")
    found: dict[tuple[str, str], VerifyKey] = {}
    ids = [jwk.get("kid") for jwk in listed if isinstance(jwk, dict)]
    for jwk in listed:
        if not isinstance(jwk, dict) or ids.count(jwk.get("kid")) != 1:
            continue
        for algorithm in algorithms:
            if _declared_for(jwk, algorithm) and (key := _imported(jwk)):
                found[jwk["kid"], algorithm] = key
    return found


def _declared_for(jwk: Mapping[str, object], algorithm: str) -> bool:
    family, curve = _FAMILY[algorithm]
    operations = jwk.get("key_ops", ["verify"])
    return (
        isinstance(jwk.get("kid"), str)
        and jwk.get("kty") == family
        and (curve is None or jwk.get("crv") == curve)
        and jwk.get("use", "sig") == "sig"
        and jwk.get("alg", algorithm) == algorithm
        and isinstance(operations, list)
        and "verify" in operations
        and "d" not in jwk  # a published private key is everybody's key
    )


def _imported(jwk: Mapping[str, object]) -> VerifyKey | None:
    material = {name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in jwk}
    if not all(isinstance(value, str) for value in material.values()):
        return None
    text: dict[str, str | list[str]] = {name: str(value) for name, value in material.items()}
    try:
        match jwk["kty"]:
            case "EC":
                return ECKey.import_key(text)
            case "OKP":
                return OKPKey.import_key(text)
            case _:
                # looked at first: the library only warns of a short one (RFC 7518, section 3.3)
                return RSAKey.import_key(text) if _bits(jwk["n"]) in _RSA_BITS else None
    except (JoseError, ValueError, KeyError):
        return None


def _bits(number: object) -> int:
    """The size of a base64url number (RFC 7518, section 2)."""
    text = str(number)
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return int.from_bytes(raw, "big").bit_length()
