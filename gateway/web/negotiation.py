"""Which media type the answer has (GraphQL over HTTP, section 6.1; RFC 9110, section 12.5.1)."""

from __future__ import annotations

import re
from enum import StrEnum

from gateway.errors import MalformedRequest

_RANGE = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)/([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*")
_QUALITY = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


class Media(StrEnum):
    """What we can answer with."""

    GRAPHQL = "application/graphql-response+json"
    JSON = "application/json"


def negotiated(accept: str | None) -> Media:
    """The best media type for an Accept header.

    JSON where the client names neither ("*/*", or no header at all), as clients from before the
    specification expect; of two that are equally welcome the specification's own.

    Raises:
        MalformedRequest: neither is acceptable (406).
    """
    if accept is None or not accept.strip():
        return Media.JSON
    ranges = [_weighed(part) for part in accept.split(",") if part.strip()]
    welcome = {media: _quality(media, ranges) for media in Media}
    best = max(welcome.values())
    if best[0] <= 0:
        raise MalformedRequest(
            "The answer can be application/graphql-response+json or application/json.", status=406
        )
    if welcome[Media.GRAPHQL] == welcome[Media.JSON]:
        return Media.GRAPHQL if best[1] == 2 else Media.JSON
    return max(welcome, key=lambda media: welcome[media])


def _weighed(part: str) -> tuple[str, float]:
    """A media range in lower case and its weight; 0 for a range that we cannot satisfy."""
    name, *parameters = part.split(";")
    if not (match := _RANGE.fullmatch(name)):
        return "", 0.0
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.strip().partition("=")
        value = value.strip().strip('"').lower()
        if key.strip().lower() == "q":
            return f"{match[1]}/{match[2]}".lower(), (
                quality * float(value) if _QUALITY.fullmatch(value) else 0.0
            )
        if key.strip().lower() == "charset" and value not in ("utf-8", "utf8"):
            quality = 0.0
    return f"{match[1]}/{match[2]}".lower(), quality


def _quality(media: Media, ranges: list[tuple[str, float]]) -> tuple[float, int]:
    """(weight, how specific) of the most specific range that names the media type."""
    for specificity, name in ((2, media.value), (1, "application/*"), (0, "*/*")):
        found = [quality for other, quality in ranges if other == name]
        if found:
            return max(found), specificity
    return 0.0, -1


def check_content_type(value: str | None, *, needed: bool) -> None:
    """Only `application/json` in UTF-8 comes in; so no HTML form can send a question.

    Raises:
        MalformedRequest: anything else (415).
    """
    if value is None:
        if not needed:
            return
        raise MalformedRequest("Send the header Content-Type: application/json.", status=415)
    name, *parameters = value.split(";")
    charsets = [
        text.strip().strip('"').lower()
        for key, _, text in (parameter.strip().partition("=") for parameter in parameters)
        if key.strip().lower() == "charset"
    ]
    if name.strip().lower() != "application/json" or set(charsets) - {"utf-8", "utf8"}:
        raise MalformedRequest("The body must be application/json in UTF-8.", status=415)
