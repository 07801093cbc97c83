"""What an issuer says of itself: RFC 8414, else OpenID Connect Discovery 1.0.

Everything is asked of the issuer's own origin, so that swapped metadata cannot send us elsewhere;
nothing is followed, unpacked or read beyond DOCUMENT_BYTES.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
from authlib.oauth2.rfc8414 import get_well_known_url

FETCH_TIMEOUT_S = 3.0
DOCUMENT_BYTES = 128 * 1024


class BadDocument(Exception):
    """The issuer's answer cannot be used."""


async def metadata(http: httpx.AsyncClient, issuer: str) -> Mapping[str, object]:
    """An issuer's metadata.

    Raises:
        BadDocument: it has none that can be used.
        httpx.HTTPError: it is not there.
    """
    try:
        found = await document(http, get_well_known_url(issuer, external=True))
    except BadDocument:
        found = await document(http, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if found.get("issuer") != issuer:  # RFC 8414, section 3.3
        raise BadDocument("metadata of another issuer")
    return found


def endpoint(found: Mapping[str, object], name: str, issuer: str) -> str:
    """One address of an issuer's metadata.

    Raises:
        BadDocument: it is not there, or not at the issuer's origin.
    """
    address = found.get(name)
    if not isinstance(address, str) or origin(address) != origin(issuer):
        raise BadDocument(f"{name} is not at the issuer's origin")
    return address


async def document(http: httpx.AsyncClient, url: str) -> Mapping[str, Any]:
    """One JSON object.

    Raises:
        BadDocument: the answer is no such thing.
        httpx.HTTPError: there is no answer.
    """
    request = http.build_request("GET", url, timeout=FETCH_TIMEOUT_S)
    response = await whole(http, request)
    if response.status_code != 200:
        raise BadDocument(f"status {response.status_code}")
    try:
        found = json.loads(response.content)
    except (ValueError, RecursionError) as error:
        raise BadDocument("not JSON") from error
    if not isinstance(found, dict):
        raise BadDocument("not a JSON object")
    return found


async def whole(http: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    """The answer to a request, read to its end.

    Raises:
        BadDocument: it is too large, or packed.
        httpx.HTTPError: there is none.
    """
    request.headers["accept"] = "application/json"
    request.headers["accept-encoding"] = "identity"
    response = await http.send(request, stream=True, follow_redirects=False)
    try:
        if "content-encoding" in response.headers:
            raise BadDocument("packed")
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > DOCUMENT_BYTES:
                raise BadDocument("too large")
    finally:
        await response.aclose()
    return httpx.Response(response.status_code, content=bytes(body), request=request)


def origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port
    except ValueError:
        return "", None, None
