"""Every error that the gateway can give.

    GatewayError
    +-- MalformedRequest      BAD_REQUEST          400 (405, 406, 413, 415, 431)
    +-- InvalidOperation      INVALID_OPERATION    400 (200 for application/json)
    +-- LimitExceeded         LIMIT_EXCEEDED       400
    +-- Unauthenticated       UNAUTHENTICATED      401
    +-- PurposeRequired       PURPOSE_REQUIRED     403
    +-- Refused               REFUSED              403
    +-- PolicyUnavailable     POLICY_UNAVAILABLE   503
    |   +-- PolicyMisunderstood
    +-- AuditUnavailable      AUDIT_UNAVAILABLE    503
    +-- CaseworkUnavailable   CASEWORK_UNAVAILABLE 503
    +-- Internal              INTERNAL             500

    CannotEnforce             SOURCE_FAULT         in part, status 200
    ConfigError               stops start-up; names file and key

What a caller may read is the class's fixed text and what the raising code passes as `said`, which
holds nothing but limits, names from the caller's own request, and the policy's public text.
`detail` goes to the operator's log only, so no value from a source, token or policy can reach a
caller through an error.
"""

from __future__ import annotations

from dataclasses import dataclass


class GatewayError(Exception):
    """A query that ends without an answer, and what its caller is told."""

    code = "INTERNAL"
    status = 500
    text = "Something went wrong here. Tell the service desk the query id."

    def __init__(self, said: str = "", *, detail: str = "", status: int | None = None) -> None:
        super().__init__(detail or said or self.text)
        self.said = said or self.text
        self.detail = detail
        if status is not None:
            self.status = status


class MalformedRequest(GatewayError):
    """The HTTP request is wrong; also a damaged cursor or an unknown persisted document."""

    code = "BAD_REQUEST"
    status = 400
    text = "The request cannot be read."


class InvalidOperation(GatewayError):
    """The document or its variables are not valid against the schema."""

    code = "INVALID_OPERATION"
    status = 400
    text = "The operation is not valid."

    def __init__(
        self,
        said: str = "",
        *,
        detail: str = "",
        messages: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = (),
    ) -> None:
        super().__init__(said, detail=detail)
        self.messages = messages  # (message, ((line, column), ...)), at most five


class LimitExceeded(GatewayError):
    """A limit on the size or shape of an operation; says which, its value and what was asked."""

    code = "LIMIT_EXCEEDED"
    status = 400
    text = "The operation is too large."

    @classmethod
    def of(cls, limit: str, allowed: int, asked: int | str) -> LimitExceeded:
        return cls(f"The limit '{limit}' is {allowed}; the request has {asked}.")


class Unauthenticated(GatewayError):
    """No acceptable token. Nothing is said about why."""

    code = "UNAUTHENTICATED"
    status = 401
    text = "A valid access token is needed."


class PurposeRequired(GatewayError):
    """Part of the justification is missing or malformed."""

    code = "PURPOSE_REQUIRED"
    status = 403
    text = (
        "Say why you ask: send extensions.justification with a purpose and a reasonCode, "
        "and an incident or case reference or a reason where the reason code demands it."
    )


class Refused(GatewayError):
    """The policy refuses, in its own public words."""

    code = "REFUSED"
    status = 403
    text = "You may not ask this for this purpose."

    def __init__(
        self, said: str = "", *, detail: str = "", rule: str = "", contact: str = ""
    ) -> None:
        super().__init__(said, detail=detail)
        self.rule = rule
        self.contact = contact


class PolicyUnavailable(GatewayError):
    """No decision could be had."""

    code = "POLICY_UNAVAILABLE"
    status = 503
    text = "No decision can be had at the moment. Nothing was asked of any agency. Try again later."


class PolicyMisunderstood(PolicyUnavailable):
    """A decision that is not exactly what we can read and carry out."""


class AuditUnavailable(GatewayError):
    """The query could not be recorded, so it was not answered."""

    code = "AUDIT_UNAVAILABLE"
    status = 503
    text = "The query could not be recorded, so it was not answered. Try again later."


class CaseworkUnavailable(GatewayError):
    """The gateway's own records cannot be read or written."""

    code = "CASEWORK_UNAVAILABLE"
    status = 503
    text = "The gateway's own records cannot be reached, so nothing was done. Try again later."


class Internal(GatewayError):
    """A fault of our own."""


CLIENT_GONE = "CLIENT_GONE"
"""The code of a query whose caller hung up."""


def codes() -> tuple[str, ...]:
    """Every code by which a query can end but with an answer, as the log records it."""
    kinds, found = [GatewayError], [CLIENT_GONE]
    while kinds:
        kind = kinds.pop()
        found.append(kind.code)
        kinds += kind.__subclasses__()
    return tuple(sorted(set(found)))


class CannotEnforce(Exception):
    """A source that cannot apply what policy imposes, so it is not visited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault in a configuration file."""

    file: str
    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.text}"


class ConfigError(Exception):
    """Configuration that cannot be used; every fault at once."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults
