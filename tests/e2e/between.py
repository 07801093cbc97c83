"""What stands between a gateway and its sources in the tests of faults, counts and injures.

A `Proxy` passes bytes on to a real source, over TCP or a Unix socket, and counts them; told to, it
fails in a source's ways. A `Watch` counts how often a file is read.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

Endpoint = tuple[str, int] | Path
_CHUNK = 65536


def _unchanged(data: bytes) -> bytes:
    return data


@dataclass(slots=True, kw_only=True)
class Proxy:
    """One source's door. Open with `open`, close with `aclose`."""

    target: Endpoint
    place: Endpoint  # where the gateway finds it
    sent: int = 0  # bytes that went to the source, or would have
    answers: bytes | None = None  # said instead of what the source says
    rewrite: Callable[[bytes], bytes] = _unchanged  # of what goes to the source
    tls: ssl.SSLContext | None = None  # spoken with the gateway, over TCP
    _flows: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @classmethod
    async def open(cls, target: Endpoint, place: Endpoint = ("127.0.0.1", 0)) -> Self:
        made = cls(target=target, place=place)
        await made.revive()
        return made

    @property
    def url(self) -> str:
        assert isinstance(self.place, tuple)
        return f"http://{self.place[0]}:{self.place[1]}"

    @property
    def connections(self) -> int:
        """How many connections of the gateway are open."""
        return len(self._writers)

    def hold(self) -> None:
        """Let questions through and no answer back."""
        self._flows.clear()

    def release(self) -> None:
        """Let answers through again, those that waited first."""
        self._flows.set()

    async def kill(self) -> None:
        """Be gone: nobody listens, and whoever was connected is cut off."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def revive(self) -> None:
        """Be there, and well."""
        self.answers, self.rewrite = None, _unchanged
        self._flows.set()
        if self._server is not None:
            return
        match self.place:
            case Path():
                self.place.unlink(missing_ok=True)
                self._server = await asyncio.start_unix_server(self._serve, self.place)
            case (host, port):
                self._server = await asyncio.start_server(self._serve, host, port, ssl=self.tls)
                self.place = self._server.sockets[0].getsockname()[:2]

    async def aclose(self) -> None:
        await self.kill()
        if isinstance(self.place, Path):
            self.place.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if isinstance(self.target, Path):
                source = await asyncio.open_unix_connection(self.target)
            else:
                source = await asyncio.open_connection(*self.target)
            try:
                async with asyncio.TaskGroup() as group:
                    ways = [
                        group.create_task(self._there(reader, source[1], writer)),
                        group.create_task(self._back(source[0], writer)),
                    ]
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                    for way in ways:
                        way.cancel()
            finally:
                source[1].transport.abort()
        except* OSError:
            pass  # one of the two hung up, which the other learns below
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _there(
        self,
        reader: asyncio.StreamReader,
        source: asyncio.StreamWriter,
        writer: asyncio.StreamWriter,
    ) -> None:
        while data := await _some(reader):
            self.sent += len(data)
            if self.answers is not None:
                writer.write(self.answers)
                await writer.drain()
                return
            source.write(self.rewrite(data))
            await source.drain()

    async def _back(self, source: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await _some(source):
            await self._flows.wait()
            writer.write(data if self.answers is None else self.answers)
            await writer.drain()
            if self.answers is not None:
                return


async def _some(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(_CHUNK)
    except OSError:
        return b""


_IN_ACCESS, _IN_OPEN = 0x1, 0x20
_EVENT = struct.Struct("iIII")


class Watch:
    """Counts how often a file is opened or read, by inotify(7)."""

    def __init__(self, path: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._handle = self._libc.inotify_init1(os.O_NONBLOCK)
        name, events = os.fsencode(path), _IN_ACCESS | _IN_OPEN
        if self._handle < 0 or self._libc.inotify_add_watch(self._handle, name, events) < 0:
            raise OSError(ctypes.get_errno(), "inotify")
        self._count = 0

    @property
    def count(self) -> int:
        """How often since the watch began; equal events that follow one another may count once."""
        try:
            while events := os.read(self._handle, _CHUNK):
                while events:
                    _, _, _, length = _EVENT.unpack_from(events)
                    events = events[_EVENT.size + length :]
                    self._count += 1
        except BlockingIOError:
            pass
        return self._count

    def close(self) -> None:
        os.close(self._handle)
