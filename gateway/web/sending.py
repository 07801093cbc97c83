"""What may leave: an answer that was recorded, or a constant.

`sent` takes nothing else, so no answer can leave without its record: promise 4 is a type. A
constant is an enum member with fixed bytes and can carry nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from typing import Any

from starlette.responses import Response

from gateway.audit.recorder import AuditedResponse
from gateway.errors import AuditUnavailable, GatewayError, Internal, InvalidOperation
from gateway.web.negotiation import Media

_NEVER_KEPT = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_BY_STATUS: Mapping[int, Mapping[str, str]] = {
    401: {"WWW-Authenticate": "Bearer"},
    405: {"Allow": "GET, POST"},
    503: {"Retry-After": "1"},
}


def _fixed(error: type[GatewayError]) -> bytes:
    body = {"errors": [{"message": error.text, "extensions": {"code": error.code}}]}
    return json.dumps(body, separators=(",", ":")).encode()


class Constant(Enum):
    """Everything that can be sent without a record: (status, media type, bytes)."""

    AUDIT_UNAVAILABLE = (503, "application/json", _fixed(AuditUnavailable))
    INTERNAL = (500, "application/json", _fixed(Internal))
    CLIENT_GONE = (499, "text/plain", b"")  # reaches nobody; the record says client_gone
    LIVE = (200, "text/plain", b"live\n")
    READY = (200, "text/plain", b"ready\n")
    NOT_READY = (503, "text/plain", b"not ready\n")
    NOT_FOUND = (404, "text/plain", b"not found\n")


def sent(what: AuditedResponse | Constant, media: Media = Media.JSON) -> Response:
    """The HTTP response for a recorded answer, or for a constant.

    A document that is not valid has status 200 for `application/json`, where a client may take
    any other status for a fault of some machine between (GraphQL over HTTP, section 6.4.1).
    """
    if isinstance(what, Constant):
        status, media_type, content = what.value
        headers = {**_NEVER_KEPT, **_BY_STATUS.get(status, {})}
        return Response(content, status, headers, media_type=f"{media_type}; charset=utf-8")
    status = what.status
    if media is Media.JSON and _code(what.body) == InvalidOperation.code:
        status = 200
    headers = {**_NEVER_KEPT, **_BY_STATUS.get(status, {}), "Vary": "Accept"}
    return Response(_text(what.body), status, headers, media_type=f"{media}; charset=utf-8")


def _text(body: Mapping[str, Any]) -> bytes:
    return json.dumps(
        body, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain
    ).encode()


def _plain(value: object) -> dict[str, Any]:
    """Read-only mappings, which the json module does not know."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"an answer holds a {type(value).__name__}")


def _code(body: Mapping[str, Any]) -> str | None:
    """The code of the error that ended the request; None where there is an answer."""
    if "data" in body:
        return None
    for error in body.get("errors", ()):
        code = error.get("extensions", {}).get("code")
        return code if isinstance(code, str) else None
    return None
