"""The log as auditors, witnesses and their tools read it: c2sp.org/tlog-tiles, read-only.

No file's name is ever made of what a caller sent: an address is read into numbers, and what they
stand for is asked of the log. What is not under the checkpoint served is not served.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.audit.merkle import ENTRIES, TILE_WIDTH, tile_path, tile_width
from gateway.errors import AuditUnavailable
from gateway.web.networks import Networks
from gateway.web.sending import Constant, sent

PREFIX: Final = "/audit/log"
_TILE: Final = re.compile(
    r"(?P<level>[0-9]{1,2}|entries)/(?P<number>(x[0-9]{3}/){0,4}[0-9]{3})(\.p/(?P<width>[0-9]{1,3}))?"
)
_SNIFF: Final = {"X-Content-Type-Options": "nosniff"}
_FOR_EVER: Final = {**_SNIFF, "Cache-Control": "max-age=31536000, immutable"}
_A_MINUTE: Final = {**_SNIFF, "Cache-Control": "max-age=60"}
_A_MOMENT: Final = {**_SNIFF, "Cache-Control": "max-age=1"}


class Published(Protocol):
    """The log as it is published."""

    @property
    def published(self) -> bytes:
        """The checkpoint to show."""

    @property
    def published_size(self) -> int:
        """How many records it covers."""

    async def tile(self, level: int | str, number: int, width: int) -> bytes:
        """So many hashes of a tile, or entries of a bundle.

        Raises:
            LookupError, AuditUnavailable: there are fewer; they cannot be read.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """What an address below `tile/` asks for."""

    level: int | str  # ENTRIES for a bundle of entries
    number: int
    width: int


def tile_of(path: str) -> Tile | None:
    """The tile that an address names; None where it is not, to the letter, a tile's."""
    if (found := _TILE.fullmatch(path)) is None:
        return None
    named = found["level"]
    level: int | str = named if named == ENTRIES else int(named)
    number = int(found["number"].replace("/", "").replace("x", ""))
    width = int(found["width"]) if found["width"] else TILE_WIDTH
    known = level == ENTRIES or 0 <= int(level) < 64
    if not known or width == 0 or tile_path(level, number, width) != f"tile/{path}":
        return None
    return Tile(level=level, number=number, width=width)


def log_routes(log: Published, networks: tuple[str, ...]) -> list[Route]:
    """`/audit/log/checkpoint` and the tiles under it, for the given networks alone."""
    readers = Networks(networks)

    async def checkpoint(request: Request) -> Response:
        if not readers.hold(request):
            return sent(Constant.NOT_FOUND)
        return Response(log.published, headers=_A_MOMENT, media_type="text/plain; charset=utf-8")

    async def tile(request: Request) -> Response:
        wanted = tile_of(request.path_params["path"])
        if not readers.hold(request) or wanted is None or not _covered(wanted, log.published_size):
            return sent(Constant.NOT_FOUND)
        try:
            data = await log.tile(wanted.level, wanted.number, wanted.width)
        except LookupError:
            return sent(Constant.NOT_FOUND)
        except AuditUnavailable:
            return sent(Constant.AUDIT_UNAVAILABLE)
        kept: Mapping[str, str] = _FOR_EVER if wanted.width == TILE_WIDTH else _A_MINUTE
        return Response(data, headers=kept, media_type="application/octet-stream")

    return [
        Route(f"{PREFIX}/checkpoint", checkpoint, methods=["GET"]),
        Route(f"{PREFIX}/tile/{{path:path}}", tile, methods=["GET"]),
    ]


def _covered(tile: Tile, size: int) -> bool:
    """Whether a log of this size has so much of it, and some at all."""
    level = 0 if tile.level == ENTRIES else int(tile.level)
    return 0 < tile.width <= tile_width(size, level, tile.number)
