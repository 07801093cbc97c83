"""An HTTP request -> a `model.Request`, checked for size and form only.

In this order: the headers' size, the method, the media types, the body's size, JSON, the form of
the parameters (GraphQL over HTTP, sections 5 and 6). Nothing here reads the document. Only the
socket's own address counts as the caller's: `Forwarded`, `X-Forwarded-*` and their like are
claims of the caller.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request as HttpRequest

from gateway.errors import MalformedRequest
from gateway.identifiers import uuid7
from gateway.model import EMPTY, Request
from gateway.settings import Limits
from gateway.web.negotiation import check_content_type
from gateway.web.strictjson import check_text, decoded, loaded

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PARAMETERS = frozenset({"query", "operationName", "variables", "extensions"})
_ENVELOPE = 1  # the levels of JSON around `variables`
_FORM = "application/x-www-form-urlencoded"


def blank(http: HttpRequest, now: datetime) -> Request:
    """What is known of a request before anything of it is read."""
    return Request(
        id=uuid7(int(now.timestamp() * 1000), secrets.token_bytes(10)),
        received_at=now,
        authorization=tuple(http.headers.getlist("authorization")),
        peer=http.client.host if http.client else "",
    )


def check_headers(http: HttpRequest, limits: Limits) -> None:
    """Refuse headers that are too many, too long, or say two things.

    Raises:
        MalformedRequest: 431; 414 for the address line; 400 for a Host that is not one.
    """
    headers = http.scope["headers"]
    if len(headers) > limits.headers:
        raise MalformedRequest(f"At most {limits.headers} headers.", status=431)
    if sum(len(name) + len(value) for name, value in headers) > limits.header_bytes:
        raise MalformedRequest(f"At most {limits.header_bytes} bytes of headers.", status=431)
    if len(http.scope["raw_path"]) + len(http.scope["query_string"]) > limits.header_bytes:
        raise MalformedRequest(f"At most {limits.header_bytes} bytes of address.", status=414)
    hosts = http.headers.getlist("host")
    if len(hosts) > 1 or not all(_HOST.fullmatch(host) for host in hosts):
        raise MalformedRequest("Send one Host header, a name with or without a port.")


async def received(http: HttpRequest, request: Request, limits: Limits) -> Request:
    """The request with its parameters, which its body or its address holds.

    Raises:
        MalformedRequest: it is not a GraphQL request; 400, 405, 408, 413 or 415.
        LimitExceeded: its JSON is nested too deep.
        ClientDisconnect: the caller left before it was whole.
    """
    if http.method not in ("GET", "POST"):
        raise MalformedRequest("Send POST, or GET for a persisted document.", status=405)
    posted = http.method == "POST"
    _check_encodings(http, posted=posted)
    depth = limits.variables_depth + _ENVELOPE
    if not posted:
        parameters = _from_address(http.scope["query_string"], depth)
        return _with(replace(request, read_only=True), parameters)
    body = await _body(http, limits)
    if not body.strip():
        raise MalformedRequest("The body is empty; send a JSON object with a query.")
    parameters = decoded(body, depth=depth)
    if isinstance(parameters, list):
        raise MalformedRequest("One operation per request: batches are not taken.")
    if not isinstance(parameters, dict):
        raise MalformedRequest("The body must be a JSON object.")
    return _with(request, parameters)


async def form_of(http: HttpRequest, limits: Limits) -> dict[str, list[str]]:
    """The fields of a form that was posted from a page, each with its values in their order.

    Raises:
        MalformedRequest: it is not such a form; 400, 408, 413 or 415.
        ClientDisconnect: the caller left before it was whole.
    """
    types = [one.partition(";")[0].strip().lower() for one in http.headers.getlist("content-type")]
    if types != [_FORM]:
        raise MalformedRequest(f"Send one Content-Type: {_FORM}.", status=415)
    _check_plain(http)
    fields: dict[str, list[str]] = {}
    for name, value in _pairs(await _body(http, limits), limits.values):
        check_text(name + value)
        fields.setdefault(name, []).append(value)
    return fields


def _check_encodings(http: HttpRequest, *, posted: bool) -> None:
    types = http.headers.getlist("content-type")
    if len(types) > 1:
        raise MalformedRequest("Send one Content-Type header.", status=415)
    check_content_type(types[0] if types else None, needed=posted)
    _check_plain(http)


def _check_plain(http: HttpRequest) -> None:
    if http.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise MalformedRequest("The body must not be compressed.", status=415)


async def _body(http: HttpRequest, limits: Limits) -> bytes:
    """At most `body_bytes`, within `receive_s`; never a byte more is kept."""
    too_large = MalformedRequest(f"At most {limits.body_bytes} bytes of body.", status=413)
    announced = http.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit():
        digits = announced.lstrip("0")
        if len(digits) > 12 or int(digits or "0") > limits.body_bytes:
            raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(limits.receive_s):
            async for chunk in http.stream():
                if len(body) + len(chunk) > limits.body_bytes:
                    raise too_large
                body += chunk
    except TimeoutError as error:
        text = f"The body did not arrive within {limits.receive_s:g} seconds."
        raise MalformedRequest(text, status=408) from error
    return bytes(body)


def _from_address(query_string: bytes, depth: int) -> dict[str, Any]:
    """The parameters of a GET. An empty one counts as absent."""
    pairs = _pairs(query_string, 20)
    names = [name for name, _ in pairs if name in _PARAMETERS]
    if len(names) != len(set(names)):
        raise MalformedRequest("A parameter stands twice in the address.")
    found: dict[str, Any] = {name: value for name, value in pairs if name in names and value}
    for text in found.values():
        check_text(text)
    for name in ("variables", "extensions"):
        if name in found:
            found[name] = loaded(found[name], depth=depth - _ENVELOPE)
    return found


def _pairs(encoded: bytes, most: int) -> list[tuple[str, str]]:
    """Names and values as an address or a form holds them (URL Standard, section 5.1)."""
    try:
        return parse_qsl(
            encoded.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=most
        )
    except ValueError as error:
        text = f"The address or form must be UTF-8, percent-encoded, of at most {most} fields."
        raise MalformedRequest(text) from error


def _with(request: Request, parameters: Mapping[str, Any]) -> Request:
    """Members that the specification does not name are ignored, as it demands."""
    document = parameters.get("query")
    name = parameters.get("operationName")
    variables = _object(parameters, "variables")
    extensions = _object(parameters, "extensions")
    document_id = _document_id(extensions)
    if document is not None and not isinstance(document, str):
        raise MalformedRequest("query must be a text.")
    if name is not None and not isinstance(name, str):
        raise MalformedRequest("operationName must be a text.")
    if not document and document_id is None:
        raise MalformedRequest("query is missing; send a GraphQL document.")
    if document and document_id not in (None, hashlib.sha256(document.encode()).hexdigest()):
        raise MalformedRequest("sha256Hash is not the digest of this query.")
    return replace(
        request,
        document=document or "",
        document_id=document_id,
        operation_name=name,
        variables=variables,
        justification=extensions.get("justification"),
    )


def _object(parameters: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parameters.get(name)
    if value is None:
        return EMPTY
    if not isinstance(value, dict):
        raise MalformedRequest(f"{name} must be an object.")
    return value


def _document_id(extensions: Mapping[str, Any]) -> str | None:
    """The digest in `persistedQuery`, whose form is `{"version": 1, "sha256Hash": "<hex>"}`."""
    persisted = extensions.get("persistedQuery")
    if persisted is None:
        return None
    digest = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    version = persisted.get("version") if isinstance(persisted, dict) else None
    if type(version) is not int or version != 1:
        raise MalformedRequest("persistedQuery must have version 1.")
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise MalformedRequest("persistedQuery must have a sha256Hash of 64 hex digits.")
    return digest
