"""Who asks: from a request's Authorization headers to a Subject. The only user of JOSE code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import httpx

from gateway.errors import Unauthenticated
from gateway.identity.claims import subject_of
from gateway.identity.issuers import IssuerKeys, TrustedIssuer
from gateway.identity.tokens import bearer, read, verify
from gateway.model import Subject

__all__ = ["Identity", "TrustedIssuer"]


class Identity:
    """Believes access tokens of the configured issuers, each for its own agency, and no others."""

    def __init__(
        self,
        issuers: Sequence[TrustedIssuer],
        *,
        audience: str,
        http: httpx.AsyncClient,
        clock: Callable[[], datetime],
    ) -> None:
        self._audience = audience
        self._clock = clock
        self.issuers = {
            trusted.issuer: IssuerKeys(trusted=trusted, http=http, clock=clock)
            for trusted in issuers
        }
        if len(self.issuers) != len(issuers):
            raise ValueError("an issuer is configured twice")

    async def authenticate(self, authorization: Sequence[str]) -> Subject:
        """Whom the one bearer token among all Authorization header values speaks of (RFC 9068).

        A person is (issuer, id): the same id from two issuers is two people.

        Raises:
            Unauthenticated: there is not exactly one acceptable token. The reason is in `detail`,
                which holds nothing of the token.
        """
        presented = read(bearer(authorization))
        keys = self.issuers.get(presented.issuer)
        if keys is None:
            raise Unauthenticated(detail="issuer is not trusted")
        key = await keys.key(presented.key_id, presented.algorithm)
        subject = subject_of(
            verify(presented, key),
            presented.header,
            issuer=keys.trusted.issuer,
            agency=keys.trusted.agency,
            audience=self._audience,
            now=self._clock(),
        )
        return replace(subject, documents_only=subject.app in keys.trusted.documents_only)
