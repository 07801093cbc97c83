"""Where others read a log from: its directory, its address, or a checkpoint that was kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from gateway.audit.merkle import ENTRIES, HASH_BYTES, TILE_WIDTH, tile_path, tile_width
from gateway.audit.store import CHECKPOINT, WITNESSED, unpack

_MOST_BYTES = 256 * 65_537  # a bundle of the largest entries
_TIMEOUT_S = 30.0


class NotThere(LookupError):
    """What was looked for is not there, in words."""


class Source(Protocol):
    """A log that can be read."""

    def checkpoint(self) -> bytes:
        """Its signed checkpoint.

        Raises:
            NotThere: it cannot be read.
        """

    def witnessed(self) -> bytes:
        """The same, or an earlier one that witnesses have signed.

        Raises:
            NotThere: it cannot be read.
        """

    def read(self, name: str) -> bytes:
        """One of its files.

        Raises:
            NotThere: it cannot be read.
        """


class Folder:
    """A log in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def checkpoint(self) -> bytes:
        return self.read(CHECKPOINT)

    def witnessed(self) -> bytes:
        there = (self._directory / WITNESSED).exists()
        return self.read(WITNESSED if there else CHECKPOINT)

    def read(self, name: str) -> bytes:
        path = self._directory / name
        try:
            return path.read_bytes()
        except OSError as error:
            if path.parent.suffix == ".p":  # a partial one was outgrown meanwhile
                for wider in path.parent.glob("[0-9]*"):
                    if int(wider.name) > int(path.name):
                        return wider.read_bytes()
            raise NotThere(f"{path}: {error.strerror}") from error


class Site:
    """A log that is served over HTTP (c2sp.org/tlog-tiles)."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def checkpoint(self) -> bytes:
        return self.read(CHECKPOINT)

    witnessed = checkpoint

    def read(self, name: str) -> bytes:
        content = bytearray()
        try:
            with httpx.stream(
                "GET", f"{self._url}/{name}", timeout=_TIMEOUT_S, trust_env=False
            ) as answer:
                for chunk in answer.iter_bytes():
                    content += chunk
                    if len(content) > _MOST_BYTES:
                        raise NotThere(f"{self._url}/{name} is too large")
        except httpx.HTTPError as error:
            raise NotThere(f"{self._url}/{name}: {type(error).__name__}") from error
        if answer.status_code != 200:
            raise NotThere(f"{self._url}/{name} answers {answer.status_code}")
        return bytes(content)


class Kept:
    """A checkpoint that somebody kept, without its log."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def checkpoint(self) -> bytes:
        try:
            return self._file.read_bytes()
        except OSError as error:
            raise NotThere(f"{self._file}: {error.strerror}") from error

    witnessed = checkpoint

    def read(self, name: str) -> bytes:
        raise NotThere(f"{self._file} is a checkpoint without its log: {name} is not there")


def source_of(where: str) -> Source:
    """The log at an address, in a directory, or only its checkpoint in a file."""
    if urlsplit(where).scheme in ("http", "https"):
        return Site(where)
    path = Path(where)
    return Folder(path) if path.is_dir() else Kept(path)


def tiles_of(source: Source, size: int) -> Callable[[int, int], bytes]:
    """Reads tiles of a log as a checkpoint of this size has them, from files that may be wider."""

    def read(level: int, number: int) -> bytes:
        width = tile_width(size, level, number)
        return _either(source, level, number, width)[: width * HASH_BYTES] if width else b""

    return read


def entry_of(source: Source, index: int, size: int) -> bytes:
    """One record of a log of this size.

    Raises:
        NotThere: it cannot be read.
    """
    number, offset = divmod(index, TILE_WIDTH)
    entries = bundle_of(source, number, size)
    if offset >= len(entries):
        raise NotThere(f"record {index} is not in its bundle")
    return entries[offset]


def bundle_of(source: Source, number: int, size: int) -> list[bytes]:
    """The records of one bundle as a log of this size has them.

    Raises:
        NotThere: they cannot be read, or are fewer.
    """
    width = tile_width(size, 0, number)
    entries = unpack(_either(source, ENTRIES, number, width))[:width]
    if len(entries) != width:
        raise NotThere(f"bundle {number} holds {len(entries)} records, not {width}")
    return entries


def _either(source: Source, level: int | str, number: int, width: int) -> bytes:
    """A tile; the full one where a partial one was outgrown meanwhile."""
    try:
        return source.read(tile_path(level, number, width))
    except NotThere:
        if width == TILE_WIDTH:
            raise
        return source.read(tile_path(level, number))
